//! Picks a model from what an endpoint offers, or takes any name that is typed.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::ModelInfo;
use tw_contract::{ApiError, EndpointProbe};

use crate::backend::use_api;
use crate::components::{Field, Icon, IconButton, IconName};
use crate::state::format;
use crate::state::keys::use_keys;

/// What is known of an endpoint's models.
#[derive(Clone, Debug, PartialEq)]
enum Offer {
    Unasked,
    Asking,
    Models(Vec<ModelInfo>),
    Refused(ApiError),
}

/// A field for a model's name with the list of what the endpoint offers.
#[component]
pub(crate) fn ModelPicker(
    /// The name.
    value: RwSignal<String>,
    /// The endpoint to ask, asked for when the list is opened; `None` while there is no address.
    #[prop(into)]
    probe: Callback<(), Option<EndpointProbe>>,
    /// Called when a name is picked, or typed and left.
    #[prop(optional, into)]
    on_commit: Option<Callback<String>>,
    /// For tests.
    testid: &'static str,
) -> impl IntoView {
    let api = use_api();
    let offer = RwSignal::new(Offer::Unasked);
    let asked = StoredValue::new(None::<EndpointProbe>);
    let open = RwSignal::new(false);
    let at = RwSignal::new(None::<usize>);
    let typed = RwSignal::new(false);
    let ask = move |again: bool| {
        let Some(question) = probe.run(()) else {
            offer.set(Offer::Unasked);
            return;
        };
        if !again && asked.with_value(|asked| asked.as_ref() == Some(&question)) {
            return;
        }
        asked.set_value(Some(question.clone()));
        offer.set(Offer::Asking);
        let api = api.clone();
        spawn_local(async move {
            let reply = api.endpoint_models(question.clone()).await;
            // A later question has an answer of its own.
            if asked.try_with_value(|asked| asked.as_ref() == Some(&question)) == Some(true) {
                offer.set(reply.map_or_else(Offer::Refused, Offer::Models));
            }
        });
    };
    let ask = StoredValue::new(ask);
    let ask = move |again| ask.with_value(|ask| ask(again));
    // While nothing was typed the whole list is shown, also around a name that is already there.
    let shown = Memo::new(move |_| {
        let words = if typed.get() { value.get().to_lowercase() } else { String::new() };
        offer.with(|offer| match offer {
            Offer::Models(models) => {
                models.iter().filter(|model| model.id.to_lowercase().contains(&words)).cloned().collect()
            }
            _ => Vec::new(),
        })
    });
    let show = move || {
        if !open.get_untracked() {
            typed.set(false);
            at.set(None);
            open.set(true);
        }
        ask(false);
    };
    let commit = move |name: String| {
        value.set(name.clone());
        if let Some(commit) = on_commit {
            commit.run(name);
        }
    };
    let pick = Callback::new(move |name: String| {
        open.set(false);
        commit(name);
    });
    let step = move |by: isize| {
        let length = shown.with_untracked(Vec::len);
        if length > 0 {
            at.update(|at| {
                *at = Some(match *at {
                    None if by > 0 => 0,
                    None => length - 1,
                    Some(place) => place.checked_add_signed(by).unwrap_or(length - 1) % length,
                });
            });
        }
    };
    let press = move |event: web_sys::KeyboardEvent| match event.code().as_str() {
        "ArrowDown" | "ArrowUp" => {
            event.prevent_default();
            show();
            step(if event.code() == "ArrowDown" { 1 } else { -1 });
        }
        "Enter" | "NumpadEnter" if !event.ctrl_key() && !event.meta_key() => {
            event.prevent_default();
            let name = at.get_untracked().and_then(|at| shown.with_untracked(|it| it.get(at).map(|it| it.id.clone())));
            pick.run(name.unwrap_or_else(|| value.get_untracked().trim().to_owned()));
        }
        "Tab" => open.set(false),
        _ => {}
    };
    view! {
        <div class="model-picker">
            <Field label="Model" let:id>
                <div class="with-button">
                    <input
                        id=id
                        class="input mono"
                        role="combobox"
                        aria-expanded=move || open.get().to_string()
                        aria-autocomplete="list"
                        autocomplete="off"
                        autocapitalize="off"
                        spellcheck="false"
                        placeholder="pick one, or type its name"
                        dir="auto"
                        prop:value=value
                        data-testid=testid
                        on:focus=move |_| show()
                        on:click=move |_| show()
                        on:input:target=move |event| {
                            value.set(event.target().value());
                            show();
                            typed.set(true);
                            at.set(None);
                        }
                        on:change:target=move |event| commit(event.target().value().trim().to_owned())
                        on:blur=move |_| open.set(false)
                        on:keydown=press
                    />
                    <IconButton
                        icon=IconName::Restart
                        label="Ask the endpoint for its models again"
                        on_click=move |()| {
                            show();
                            ask(true);
                        }
                        testid="models-refresh"
                    />
                </div>
            </Field>
            <Show when=move || open.get()>
                <Offered offer shown at pick value close=move |()| open.set(false)/>
            </Show>
        </div>
    }
}

#[component]
fn Offered(
    offer: RwSignal<Offer>,
    shown: Memo<Vec<ModelInfo>>,
    at: RwSignal<Option<usize>>,
    pick: Callback<String>,
    value: RwSignal<String>,
    #[prop(into)] close: Callback<()>,
) -> impl IntoView {
    use_keys().overlay(close);
    let list = move || {
        let models = shown.get();
        match offer.get() {
            Offer::Unasked => view! { <p class="offer-note">"The endpoint has no address yet."</p> }.into_any(),
            Offer::Asking => {
                view! { <p class="offer-note is-busy" aria-live="polite">"Asking the endpoint for its models"</p> }
                    .into_any()
            }
            Offer::Refused(error) => view! {
                <div class="offer-note tone-bad" role="alert">
                    <Icon name=IconName::Error/>
                    <span dir="auto">{error.to_string()} " A name can still be typed."</span>
                </div>
            }
            .into_any(),
            Offer::Models(all) if all.is_empty() => view! {
                <p class="offer-note">"The endpoint answers, and offers no model. Load one there, or type its name."</p>
            }
            .into_any(),
            Offer::Models(_) if models.is_empty() => view! {
                <p class="offer-note">"Nothing offered has this name. It is used as typed."</p>
            }
            .into_any(),
            Offer::Models(_) => models
                .into_iter()
                .enumerate()
                .map(|(place, model)| view! { <Offering place model at pick value/> })
                .collect_view()
                .into_any(),
        }
    };
    // A press must not take the focus from the field: leaving it closes the list before the click arrives.
    view! {
        <div class="offer" role="listbox" aria-label="Models" on:pointerdown=move |event| event.prevent_default() on:mousedown=move |event| event.prevent_default()>
            {list}
        </div>
    }
}

#[component]
fn Offering(
    place: usize,
    model: ModelInfo,
    at: RwSignal<Option<usize>>,
    pick: Callback<String>,
    value: RwSignal<String>,
) -> impl IntoView {
    let id = model.id.clone();
    let is_now = Memo::new(move |_| value.with(|value| *value == id));
    let id = model.id.clone();
    view! {
        <button
            type="button"
            role="option"
            tabindex="-1"
            class="offer-line"
            class:is-at=move || at.get() == Some(place)
            aria-selected=move || is_now.get().to_string()
            data-testid="model-option"
            on:click=move |_| pick.run(id.clone())
        >
            <span class="offer-name" dir="auto">{model.id.clone()}</span>
            {model.parent.map(|parent| view! { <span class="offer-fact">{format!("adapter of {parent}")}</span> })}
            {model
                .context_tokens
                .map(|tokens| view! { <span class="offer-fact">{format!("{} context", format::short_count(tokens))}</span> })}
        </button>
    }
}
