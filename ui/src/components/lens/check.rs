//! Whether a live server makes the same tokens of the row.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, LensCheck, LensCheckRequest};

use super::looking::{Looking, use_looking};
use super::signs::visible;
use crate::backend::use_api;
use crate::components::{Button, Choice, ErrorBox, Icon, IconName, Select};
use crate::state::endpoints::use_endpoints;
use crate::state::format;

/// Asks a server.
#[component]
pub(super) fn CheckServer() -> impl IntoView {
    let looking = use_looking();
    let endpoints = use_endpoints();
    let api = StoredValue::new(use_api());
    let chosen = RwSignal::new(endpoints.chosen_id.get_untracked());
    let busy = RwSignal::new(false);
    let answer = RwSignal::new(None::<Result<LensCheck, ApiError>>);
    let options = Signal::derive(move || {
        endpoints.list.with(|list| {
            list.iter()
                .map(|endpoint| {
                    let model = if endpoint.model.is_empty() { "no model picked" } else { &endpoint.model };
                    Choice::new(endpoint.id.clone(), format!("{} · {model}", endpoint.name))
                })
                .collect::<Vec<_>>()
        })
    });
    // One that is not in the list stands for the first.
    let picked = Memo::new(move |_| {
        let id = chosen.get();
        endpoints.list.with(|list| {
            list.iter().find(|endpoint| endpoint.id == id).or_else(|| list.first()).map(|endpoint| endpoint.id.clone())
        })
    });
    Effect::new(move |_| {
        if let Some(id) = picked.get()
            && chosen.with_untracked(|chosen| *chosen != id)
        {
            chosen.set(id);
        }
    });
    // What was said holds for the row that was asked about.
    Effect::new(move |_| {
        looking.lens.track();
        answer.set(None);
    });
    let ask = move || {
        let Some(endpoint_id) = picked.get_untracked() else { return };
        let request = LensCheckRequest { row: looking.request.get_untracked(), endpoint_id, model: String::new() };
        let asked_of = looking.now();
        busy.set(true);
        answer.set(None);
        let api = api.get_value();
        spawn_local(async move {
            let reply = api.lens_check(request).await;
            busy.try_set(false);
            let same_row = looking.lens.try_get_untracked().is_some_and(|now| match (&now, &asked_of) {
                (Some(now), Some(then)) => std::sync::Arc::ptr_eq(now, then),
                (None, None) => true,
                _ => false,
            });
            if same_row {
                answer.try_set(Some(reply));
            }
        });
    };
    view! {
        <div class="lens-check" data-testid="lens-check-panel">
            <Show
                when=move || picked.with(Option::is_some)
                fallback=|| view! { <p class="field-hint">"There is no endpoint to ask. Add one in Collect: a vLLM server tells its own tokens."</p> }
            >
                <div class="lens-check-line">
                    <Select label="Endpoint to compare with" bare=true options value=chosen testid="lens-check-endpoint"/>
                    <Button label="Check with the server" busy on_click=move |()| ask() testid="lens-check-go"/>
                </div>
            </Show>
            {move || {
                answer
                    .get()
                    .map(|answer| match answer {
                        Ok(check) => view! { <Outcome looking check/> }.into_any(),
                        Err(error) => view! { <ErrorBox error on_retry=move |()| ask()/> }.into_any(),
                    })
            }}
        </div>
    }
}

#[component]
fn Outcome(looking: Looking, check: LensCheck) -> impl IntoView {
    match check {
        LensCheck::Equal { tokens } => view! {
            <p class="lens-outcome tone-good" role="status" data-testid="lens-check-equal">
                <Icon name=IconName::Check/>
                <span>{format!("The server makes the same {} of it.", format::counted(tokens, "token"))}</span>
            </p>
        }
        .into_any(),
        LensCheck::NotOffered => view! {
            <p class="lens-outcome tone-warn" role="status" data-testid="lens-check-none">
                <Icon name=IconName::Warning/>
                <span>"This server does not tell its tokens: it has no /tokenize. vLLM has."</span>
            </p>
        }
        .into_any(),
        LensCheck::Differs { first, ours, theirs, before, here, there, here_ids, there_ids, hint } => {
            let ids = |ids: Vec<u32>| ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
            let show = move || {
                let bytes = looking.now().and_then(|lens| lens.bytes_of(first as usize));
                if let Some(bytes) = bytes {
                    looking.show(bytes.start, bytes.end);
                }
            };
            view! {
                <div class="lens-outcome tone-warn" role="status" data-testid="lens-check-differs">
                    <Icon name=IconName::Warning/>
                    <div>
                        <p>
                            {format!(
                                "Other tokens from token {} on: {} here, {} there. ",
                                format::count(u64::from(first) + 1),
                                format::count(ours),
                                format::count(theirs),
                            )}
                            <button type="button" class="link-button" data-testid="lens-check-show" on:click=move |_| show()>"Show it"</button>
                        </p>
                        {(!hint.is_empty()).then(|| view! { <p class="lens-outcome-hint">{hint}</p> })}
                        <dl class="lens-sides">
                            <dt>"Both"</dt>
                            <dd><code dir="ltr">{visible(&before)}</code></dd>
                            <dt>"Here"</dt>
                            <dd><code dir="ltr">{visible(&here)}</code><small>{ids(here_ids)}</small></dd>
                            <dt>"There"</dt>
                            <dd><code dir="ltr">{visible(&there)}</code><small>{ids(there_ids)}</small></dd>
                        </dl>
                    </div>
                </div>
            }
            .into_any()
        }
    }
}
