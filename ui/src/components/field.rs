//! Inputs with their labels.

use std::sync::atomic::{AtomicU32, Ordering};

use leptos::prelude::*;

/// An id for the pair of label and input; unique in this page.
pub(super) fn fresh_id(kind: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{kind}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A label, an input (the children, which get the input's id) and what is said below it.
#[component]
pub(crate) fn Field<F, V>(
    /// The label.
    #[prop(into)]
    label: Signal<String>,
    /// What helps to fill it in.
    #[prop(optional, into)]
    hint: Signal<String>,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// The input, made from its id.
    children: F,
) -> impl IntoView
where
    F: FnOnce(String) -> V + Send + 'static,
    V: IntoView + 'static,
{
    let id = fresh_id("field");
    view! {
        <div class="field" class:has-error=move || error.with(Option::is_some)>
            <label for=id.clone()>{label}</label>
            {children(id)}
            {move || {
                let wrong = error.get();
                let hint = hint.get();
                match wrong {
                    Some(wrong) => Some(view! { <p class="field-error" role="alert">{wrong}</p> }.into_any()),
                    None if hint.is_empty() => None,
                    None => Some(view! { <p class="field-hint">{hint}</p> }.into_any()),
                }
            }}
        </div>
    }
}

/// One line of text.
#[component]
pub(crate) fn TextField(
    /// The label.
    #[prop(into)]
    label: Signal<String>,
    /// The text.
    value: RwSignal<String>,
    /// What helps to fill it in.
    #[prop(optional, into)]
    hint: Signal<String>,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// An example, shown while it is empty.
    #[prop(optional, into)]
    placeholder: Signal<String>,
    /// `text`, `password`, `number`, `url`, `search`.
    #[prop(default = "text")]
    input_type: &'static str,
    /// Whether it is set in the monospaced type.
    #[prop(optional)]
    mono: bool,
    /// Whether it cannot be changed.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// Called when the person leaves the field or presses Enter in it after a change.
    #[prop(optional, into)]
    on_commit: Option<Callback<String>>,
    /// Whether it has the focus when it appears.
    #[prop(optional)]
    autofocus: bool,
    /// For tests.
    #[prop(optional)]
    testid: &'static str,
) -> impl IntoView {
    let node = NodeRef::<leptos::html::Input>::new();
    if autofocus {
        focus_when_there(node);
    }
    view! {
        <Field label hint error let:id>
            <input
                node_ref=node
                id=id
                class="input"
                class:mono=mono
                type=input_type
                prop:value=value
                placeholder=move || placeholder.get()
                disabled=disabled
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                dir="auto"
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                data-testid=testid
                on:input:target=move |event| value.set(event.target().value())
                on:change:target=move |event| {
                    if let Some(commit) = on_commit {
                        commit.run(event.target().value());
                    }
                }
            />
        </Field>
    }
}

/// Several lines of text.
#[component]
pub(crate) fn TextArea(
    /// The label.
    #[prop(into)]
    label: Signal<String>,
    /// The text.
    value: RwSignal<String>,
    /// What helps to fill it in.
    #[prop(optional, into)]
    hint: Signal<String>,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// An example, shown while it is empty.
    #[prop(optional, into)]
    placeholder: Signal<String>,
    /// Lines that are visible.
    #[prop(default = 4)]
    rows: u32,
    /// Whether it is set in the monospaced type.
    #[prop(optional)]
    mono: bool,
    /// Whether it cannot be changed.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// Whether it has the focus when it appears.
    #[prop(optional)]
    autofocus: bool,
    /// For tests.
    #[prop(optional)]
    testid: &'static str,
) -> impl IntoView {
    let node = NodeRef::<leptos::html::Textarea>::new();
    if autofocus {
        focus_when_there(node);
    }
    view! {
        <Field label hint error let:id>
            <textarea
                node_ref=node
                id=id
                class="input"
                class:mono=mono
                rows=rows.to_string()
                prop:value=value
                placeholder=move || placeholder.get()
                disabled=disabled
                spellcheck="false"
                dir="auto"
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                data-testid=testid
                on:input:target=move |event| value.set(event.target().value())
            ></textarea>
        </Field>
    }
}

/// Puts the focus on an element once it is in the page.
pub(super) fn focus_when_there<E>(node: NodeRef<E>)
where
    E: leptos::html::ElementType + 'static,
    E::Output: wasm_bindgen::JsCast + AsRef<web_sys::HtmlElement> + Clone + 'static,
{
    Effect::new(move |_| {
        if let Some(element) = node.get() {
            // What cannot take the focus now was taken away again.
            let element: &web_sys::HtmlElement = element.as_ref();
            let element = element.clone();
            request_animation_frame(move || element.focus().unwrap_or_default());
        }
    });
}

/// One of several values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice<T> {
    /// The value.
    pub(crate) value: T,
    /// The words for it.
    pub(crate) label: String,
}

impl<T> Choice<T> {
    /// A value and the words for it.
    pub(crate) fn new(value: T, label: impl Into<String>) -> Self {
        Self { value, label: label.into() }
    }
}

/// Picks one of a list.
#[component]
pub(crate) fn Select<T>(
    /// The label; empty for a select that `title` describes.
    #[prop(into)]
    label: Signal<String>,
    /// What there is to pick from.
    #[prop(into)]
    options: Signal<Vec<Choice<T>>>,
    /// What is picked.
    value: RwSignal<T>,
    /// What helps to pick.
    #[prop(optional, into)]
    hint: Signal<String>,
    /// Whether the label is only read aloud.
    #[prop(optional)]
    bare: bool,
    /// Whether it cannot be changed.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// For tests.
    #[prop(optional)]
    testid: &'static str,
) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    let picked =
        move || options.with(|options| value.with(|value| options.iter().position(|choice| choice.value == *value)));
    let pick = move |place: &str| {
        let chosen = place
            .parse::<usize>()
            .ok()
            .and_then(|place| options.with_untracked(|options| options.get(place).map(|choice| choice.value.clone())));
        if let Some(chosen) = chosen {
            value.set(chosen);
        }
    };
    let select = move |id: String| {
        view! {
            <select
                id=id
                class="input"
                aria-label=move || bare.then(|| label.get())
                title=move || bare.then(|| label.get())
                prop:value=move || picked().map(|place| place.to_string()).unwrap_or_default()
                disabled=disabled
                data-testid=testid
                on:change:target=move |event| pick(&event.target().value())
            >
                {move || {
                    let now = picked();
                    options
                        .get()
                        .into_iter()
                        .enumerate()
                        .map(|(place, choice)| {
                            view! {
                                <option value=place.to_string() selected=now == Some(place)>
                                    {choice.label}
                                </option>
                            }
                        })
                        .collect_view()
                }}
            </select>
        }
    };
    if bare {
        select(fresh_id("select")).into_any()
    } else {
        view! { <Field label hint let:id>{select(id)}</Field> }.into_any()
    }
}

/// Yes or no, as a switch. What is switched happens at once, so it follows `on` and reports each press.
#[component]
pub(crate) fn Switch(
    /// What is switched, in words; read aloud and shown on hover.
    #[prop(into)]
    label: Signal<String>,
    /// Whether it is on.
    #[prop(into)]
    on: Signal<bool>,
    /// Called with what it is to become.
    #[prop(into)]
    on_change: Callback<bool>,
    /// Whether it cannot be changed.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// For tests.
    #[prop(optional)]
    testid: &'static str,
) -> impl IntoView {
    view! {
        <button
            type="button"
            role="switch"
            class="switch"
            aria-checked=move || on.get().to_string()
            aria-label=label
            title=label
            disabled=disabled
            data-testid=testid
            on:click=move |event| {
                event.stop_propagation();
                on_change.run(!on.get_untracked());
            }
        >
            <span class="switch-knob"></span>
        </button>
    }
}

/// One of a few values, all visible.
#[component]
pub(crate) fn Segmented<T>(
    /// What is picked, in words; read aloud.
    #[prop(into)]
    label: Signal<String>,
    /// What there is to pick from.
    options: Vec<Choice<T>>,
    /// What is picked.
    value: RwSignal<T>,
    /// For tests: each part gets it with `-` and its place.
    #[prop(optional)]
    testid: &'static str,
) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    let parts = options
        .into_iter()
        .enumerate()
        .map(|(place, choice)| {
            let own = choice.value.clone();
            let is_picked = move || value.with(|value| *value == own);
            let chosen = choice.value;
            view! {
                <button
                    type="button"
                    role="radio"
                    aria-checked=move || is_picked().to_string()
                    data-testid=(!testid.is_empty()).then(|| format!("{testid}-{place}"))
                    on:click=move |_| value.set(chosen.clone())
                >
                    {choice.label}
                </button>
            }
        })
        .collect_view();
    view! {
        <div class="segmented" role="radiogroup" aria-label=label>
            {parts}
        </div>
    }
}
