//! The part of the setup that says which model answers, and from where.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{EndpointConfig, EndpointPreset};
use tw_contract::KeyChange;

use super::doctor::{DoctorPanel, Examination, ServeLines, use_doctor};
use super::endpoint_dialog::{EndpointDialog, preset_testid};
use super::model_picker::ModelPicker;
use super::section::Section;
use crate::components::{Button, Choice, Confirm, ErrorBox, IconButton, IconName, Menu, MenuItem, Select, Skeleton};
use crate::state::endpoints::{probe_saved, use_endpoints};
use crate::state::keys::{Action, use_action};
use crate::state::toasts::use_toasts;

/// The endpoint part.
#[component]
pub(crate) fn EndpointSection(
    /// Whether it is unfolded.
    open: RwSignal<bool>,
    /// What the dialog edits; set from elsewhere to open it.
    subject: RwSignal<Option<EndpointConfig>>,
) -> impl IntoView {
    let endpoints = use_endpoints();
    // The list's first endpoint stands for one that is gone.
    Effect::new(move || {
        if let Some(chosen) = endpoints.chosen()
            && endpoints.chosen_id.with_untracked(|id| *id != chosen.id)
        {
            endpoints.chosen_id.set(chosen.id);
        }
    });
    let summary = Signal::derive(move || match endpoints.chosen() {
        Some(endpoint) if endpoint.model.is_empty() => format!("no model yet · {}", endpoint.name),
        Some(endpoint) => format!("{} · {}", endpoint.model, endpoint.name),
        None => "none yet".to_owned(),
    });
    let add = move || subject.set(Some(new_endpoint(EndpointPreset::default())));
    use_action(Action::new("collect.add-endpoint", "Collect", "Add an endpoint", add));
    let is_empty = move || endpoints.list.with(Vec::is_empty);
    view! {
        <Section
            title="Endpoint"
            summary
            open
            testid="endpoint-section"
            actions=move || {
                view! { <IconButton icon=IconName::Plus label="Add an endpoint" on_click=move |()| add() testid="add-endpoint"/> }
            }
        >
            {move || endpoints.problem.get().map(|error| view! { <ErrorBox error on_retry=move |()| endpoints.load()/> })}
            <Show when=move || !endpoints.loaded.get()>
                <Skeleton lines=2/>
            </Show>
            <Show when=move || endpoints.loaded.get() && is_empty()>
                <p class="quiet-note">"An endpoint is the server that a model answers from. Where does yours run?"</p>
                <div class="presets">
                    {EndpointPreset::ALL
                        .into_iter()
                        .map(|preset| {
                            view! {
                                <button
                                    type="button"
                                    class="preset"
                                    data-testid=format!("start-{}", preset_testid(preset))
                                    on:click=move |_| subject.set(Some(new_endpoint(preset)))
                                >
                                    {preset.label()}
                                </button>
                            }
                        })
                        .collect_view()}
                </div>
            </Show>
            <Show when=move || !is_empty()>
                <Chosen subject/>
            </Show>
        </Section>
        <EndpointDialog subject/>
    }
}

/// A new endpoint of a preset, as the form starts with it.
pub(crate) fn new_endpoint(preset: EndpointPreset) -> EndpointConfig {
    EndpointConfig { preset, base_url: preset.base_url().to_owned(), ..EndpointConfig::default() }
}

#[component]
fn Chosen(subject: RwSignal<Option<EndpointConfig>>) -> impl IntoView {
    let endpoints = use_endpoints();
    let doctor = use_doctor();
    let toasts = use_toasts();
    let chosen = Memo::new(move |_| endpoints.chosen());
    let options = Signal::derive(move || {
        endpoints.list.with(|list| {
            list.iter().map(|endpoint| Choice::new(endpoint.id.clone(), endpoint.name.clone())).collect::<Vec<_>>()
        })
    });
    let model = RwSignal::new(String::new());
    Effect::new(move || {
        let now = chosen.with(|chosen| chosen.as_ref().map(|it| it.model.clone()).unwrap_or_default());
        if model.with_untracked(|model| *model != now) {
            model.set(now);
        }
    });
    // Findings are about one endpoint and one model.
    let about = Memo::new(move |_| {
        chosen.with(|chosen| chosen.as_ref().map(|it| (it.id.clone(), it.base_url.clone(), it.model.clone())))
    });
    Effect::new(move |before: Option<()>| {
        // Read, not only tracked: a memo that nobody reads never looks at what it is made of.
        about.with(|_| ());
        if before.is_some() {
            doctor.close();
        }
    });
    let use_model = Callback::new(move |name: String| {
        let Some(endpoint) = chosen.get_untracked().filter(|endpoint| endpoint.model != name) else { return };
        spawn_local(async move {
            if let Err(error) = endpoints.save(EndpointConfig { model: name, ..endpoint }, KeyChange::Keep).await {
                toasts.error(error);
            }
        });
    });
    let examine = move || {
        if let Some(endpoint) = chosen.get_untracked() {
            doctor.examine(endpoint);
        }
    };
    use_action(Action::new("collect.doctor", "Collect", "Examine the endpoint (doctor)", examine));
    let asks_removal = RwSignal::new(false);
    let remove = move |()| {
        let Some(endpoint) = chosen.get_untracked() else { return };
        spawn_local(async move {
            match endpoints.delete(&endpoint.id).await {
                Ok(()) => toasts.info(format!("{} is removed, with its key.", endpoint.name)),
                Err(error) => toasts.error(error),
            }
        });
    };
    let items = Signal::derive(move || {
        vec![
            MenuItem::new("Change", move || subject.set(chosen.get_untracked()))
                .icon(IconName::Edit)
                .testid("edit-endpoint"),
            MenuItem::new("Remove", move || asks_removal.set(true))
                .icon(IconName::Trash)
                .danger()
                .testid("remove-endpoint"),
        ]
    });
    let is_running = Signal::derive(move || doctor.state.with(|state| *state == Examination::Running));
    let has_no_model = move || chosen.with(|chosen| chosen.as_ref().is_some_and(|it| it.model.is_empty()));
    let address = move || chosen.with(|chosen| chosen.as_ref().map(|it| it.base_url.clone()));
    view! {
        <div class="row">
            <div class="grow">
                <Select label="Endpoint that new runs use" bare=true options value=endpoints.chosen_id testid="endpoint-select"/>
            </div>
            <Button label="Doctor" icon=IconName::Doctor busy=is_running on_click=move |()| examine() title="Asks the endpoint with this model and one tool, and says what to mend" testid="run-doctor"/>
            <Menu label="More about this endpoint" items testid="endpoint-menu"/>
        </div>
        <p class="address mono" dir="auto">{address}</p>
        <ModelPicker
            value=model
            probe=move |()| chosen.get_untracked().map(probe_saved)
            on_commit=use_model
            testid="endpoint-model-now"
        />
        <Show when=has_no_model>
            <p class="field-hint next-step">"Pick the model that runs use."</p>
        </Show>
        <DoctorPanel on_pick=use_model/>
        <ServeLines model/>
        <Confirm
            open=asks_removal
            title="Remove this endpoint?"
            text="Its key is removed from where keys are kept. Traces made with it stay."
            action="Remove"
            on_confirm=remove
        />
    }
}
