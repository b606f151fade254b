//! JSON on lines, coloured, with parts that fold.

use leptos::prelude::*;
use tw_artifact::Json;

/// Containers deeper than this begin folded.
const OPEN_DEPTH: usize = 3;
/// Containers with more entries than this begin folded below the first level.
const OPEN_ENTRIES: usize = 40;
/// Strings longer than this are shown in part, with a button for the rest.
const SHOWN_CHARS: usize = 1_200;

/// JSON as a tree.
#[component]
pub(crate) fn JsonView(
    /// The value.
    value: Json,
) -> impl IntoView {
    view! { <div class="json" dir="ltr">{node(None, value, 0, true)}</div> }
}

fn node(key: Option<String>, value: Json, depth: usize, last: bool) -> AnyView {
    let comma = if last { "" } else { "," };
    let label = key.map(|key| {
        view! { <span class="json-key">{Json::String(key).to_text()}</span><span class="json-mark">": "</span> }
    });
    let (open, close, entries) = match value {
        Json::Object(map) if !map.is_empty() => {
            ("{", "}", map.into_iter().map(|(key, value)| (Some(key), value)).collect::<Vec<_>>())
        }
        Json::Array(items) if !items.is_empty() => {
            ("[", "]", items.into_iter().map(|value| (None, value)).collect::<Vec<_>>())
        }
        leaf => {
            return view! { <div class="json-line">{label}{scalar(leaf)}<span class="json-mark">{comma}</span></div> }
                .into_any();
        }
    };
    let count = entries.len();
    let is_open = RwSignal::new(depth == 0 || depth < OPEN_DEPTH && count <= OPEN_ENTRIES);
    let entries = StoredValue::new(entries);
    view! {
        <div class="json-node">
            <div class="json-line">
                <button
                    type="button"
                    class="json-fold"
                    aria-expanded=move || is_open.get().to_string()
                    aria-label="Fold"
                    on:click=move |event| {
                        event.stop_propagation();
                        is_open.update(|open| *open = !*open);
                    }
                ></button>
                {label}
                <span class="json-mark">{open}</span>
                {move || {
                    (!is_open.get())
                        .then(|| view! { <span class="json-count">{count}</span><span class="json-mark">{close}{comma}</span> })
                }}
            </div>
            {move || {
                is_open
                    .get()
                    .then(|| {
                        view! {
                            <div class="json-children">
                                {entries
                                    .get_value()
                                    .into_iter()
                                    .enumerate()
                                    .map(|(place, (key, value))| node(key, value, depth + 1, place + 1 == count))
                                    .collect_view()}
                            </div>
                            <div class="json-line json-mark">{close}{comma}</div>
                        }
                    })
            }}
        </div>
    }
    .into_any()
}

fn scalar(value: Json) -> AnyView {
    match value {
        Json::String(text) => string(text),
        Json::Null => view! { <span class="json-word">"null"</span> }.into_any(),
        Json::Bool(value) => view! { <span class="json-word">{value.to_string()}</span> }.into_any(),
        Json::Number(number) => view! { <span class="json-number">{number.as_str().to_owned()}</span> }.into_any(),
        other => view! { <span class="json-mark">{other.to_text()}</span> }.into_any(),
    }
}

/// A string with its quotes. Line breaks in it are kept as line breaks: scripts and file contents stay readable.
fn string(text: String) -> AnyView {
    if text.contains('\n') {
        let whole = RwSignal::new(text.len() <= SHOWN_CHARS);
        let text = StoredValue::new(text);
        return view! {
            <span class="json-string json-block" dir="auto">
                {move || text.with_value(|text| shown(text, whole.get()))}
            </span>
            {more(text, whole)}
        }
        .into_any();
    }
    let text = Json::String(text).to_text();
    let whole = RwSignal::new(text.len() <= SHOWN_CHARS);
    let text = StoredValue::new(text);
    view! {
        <span class="json-string" dir="auto">{move || text.with_value(|text| shown(text, whole.get()))}</span>
        {more(text, whole)}
    }
    .into_any()
}

fn shown(text: &str, whole: bool) -> String {
    if whole { text.to_owned() } else { text.chars().take(SHOWN_CHARS).chain("…".chars()).collect() }
}

fn more(text: StoredValue<String>, whole: RwSignal<bool>) -> impl IntoView {
    move || {
        (!whole.get()).then(|| {
            let rest = text.with_value(|text| text.chars().count().saturating_sub(SHOWN_CHARS));
            view! {
                <button type="button" class="link-button" on:click=move |_| whole.set(true)>
                    {format!("show {} more characters", crate::state::format::count(rest as u64))}
                </button>
            }
        })
    }
}
