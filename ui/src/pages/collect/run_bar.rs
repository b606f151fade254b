//! Starts the run or the queue that the setup describes, or says what is missing.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use tw_artifact::EndpointConfig;
use tw_contract::{ApiError, KeyChange};

use super::doctor::EndpointError;
use super::draft::use_draft;
use crate::backend::use_api;
use crate::components::{Button, ButtonKind, IconName, Kbd};
use crate::state::endpoints::use_endpoints;
use crate::state::format;
use crate::state::keys::{Action, use_action};
use crate::state::runs::use_runs;

/// The bar under the setup. It is always in view.
#[component]
pub(crate) fn RunBar() -> impl IntoView {
    let draft = use_draft();
    let api = use_api();
    let runs = use_runs();
    let endpoints = use_endpoints();
    let navigate = use_navigate();
    let starting = RwSignal::new(false);
    let refused = RwSignal::new(None::<ApiError>);
    let missing = Memo::new(move |_| draft.missing());
    let start = StoredValue::new_local(move || {
        let Some(request) = draft.request().filter(|_| !starting.get_untracked()) else { return };
        let (api, navigate) = (api.clone(), navigate.clone());
        starting.set(true);
        refused.set(None);
        spawn_local(async move {
            match api.run_start(request).await {
                Ok(started) => {
                    runs.load();
                    if let Some(first) = started.trace_ids.first() {
                        navigate(&format!("/collect/{first}"), NavigateOptions::default());
                    }
                }
                Err(error) => {
                    refused.try_set(Some(error));
                }
            }
            starting.try_set(false);
        });
    });
    let run = move || start.with_value(|start| start());
    let can_run = Signal::derive(move || missing.get().is_none());
    use_action(Action::new("collect.run", "Collect", "Run the task", run).keys("Mod+Enter").when(can_run));
    let use_model = Callback::new(move |model: String| {
        refused.set(None);
        let Some(endpoint) = untrack(|| endpoints.chosen()) else { return };
        spawn_local(async move {
            if let Err(error) = endpoints.save(EndpointConfig { model, ..endpoint }, KeyChange::Keep).await {
                refused.try_set(Some(error));
            }
        });
    });
    let label = Signal::derive(move || match draft.run_count() {
        None => "Run".to_owned(),
        Some(0) => "Run the queue".to_owned(),
        Some(count) => format!("Queue {}", format::counted(count, "run")),
    });
    view! {
        <div class="run-bar">
            {move || {
                refused.get().map(|error| {
                    view! {
                        <EndpointError
                            error
                            on_pick=use_model
                            on_retry=move |()| run()
                            on_close=move |()| refused.set(None)
                        />
                    }
                })
            }}
            <div class="run-row">
                <p class="missing" role="status" data-testid="run-missing">{move || missing.get()}</p>
                <span class="keyed">
                    <Button
                        label
                        kind=ButtonKind::Primary
                        icon=IconName::Play
                        disabled=Signal::derive(move || !can_run.get())
                        busy=starting
                        title=Signal::derive(move || missing.get().unwrap_or_default().to_owned())
                        on_click=move |()| run()
                        testid="run-button"
                    />
                    <Kbd keys="Mod+Enter"/>
                </span>
            </div>
        </div>
    }
}
