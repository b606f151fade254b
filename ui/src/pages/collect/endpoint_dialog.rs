//! Adds or changes an endpoint.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{EndpointConfig, EndpointPreset};
use tw_contract::{ApiError, Empty, VaultMode};

use super::endpoint_form::{EndpointForm, KeyPlan, Problems, default_name};
use super::model_picker::ModelPicker;
use super::section::Fold;
use crate::backend::use_api;
use crate::components::{Button, ButtonKind, Choice, Dialog, ErrorBox, Icon, IconName, Select, TextArea, TextField};
use crate::state::endpoints::use_endpoints;

/// The dialog. It is open while `subject` holds an endpoint: one with an empty id is new.
#[component]
pub(crate) fn EndpointDialog(
    /// What is edited.
    subject: RwSignal<Option<EndpointConfig>>,
) -> impl IntoView {
    let open = RwSignal::new(false);
    Effect::new(move || open.set(subject.with(Option::is_some)));
    Effect::new(move || {
        if !open.get() && subject.with_untracked(Option::is_some) {
            subject.set(None);
        }
    });
    let title = Signal::derive(move || {
        let is_new = subject.with(|subject| subject.as_ref().is_none_or(|endpoint| endpoint.id.is_empty()));
        if is_new { "Add an endpoint" } else { "Change the endpoint" }.to_owned()
    });
    view! {
        <Dialog open title testid="endpoint-dialog">
            {move || subject.get().map(|endpoint| view! { <EndpointFields endpoint on_done=move |()| subject.set(None)/> })}
        </Dialog>
    }
}

#[component]
fn EndpointFields(endpoint: EndpointConfig, #[prop(into)] on_done: Callback<()>) -> impl IntoView {
    let endpoints = use_endpoints();
    let form = EndpointForm::new(&endpoint);
    let problems = RwSignal::new(Problems::default());
    let refused = RwSignal::new(None::<ApiError>);
    let saving = RwSignal::new(false);
    let save = move || {
        let endpoint = match form.read() {
            Ok(endpoint) => endpoint,
            Err(found) => {
                problems.set(found);
                return;
            }
        };
        problems.set(Problems::default());
        saving.set(true);
        let key = untrack(|| form.key_change());
        spawn_local(async move {
            match endpoints.save(endpoint, key).await {
                Ok(saved) => {
                    endpoints.chosen_id.set(saved.id);
                    on_done.try_run(());
                }
                Err(error) => {
                    refused.try_set(Some(error));
                }
            }
            saving.try_set(false);
        });
    };
    let problem = move |read: fn(&Problems) -> Option<String>| Signal::derive(move || problems.with(read));
    let is_runpod = move || form.preset.get() == EndpointPreset::VllmRunpod;
    let name_hint = Signal::derive(move || {
        let name = form.address().map(|address| default_name(form.preset.get(), &address)).unwrap_or_default();
        if name.is_empty() { "for example: my pod".to_owned() } else { name }
    });
    let sampling_open = RwSignal::new(false);
    Effect::new(move || {
        let wrong = problems.with(|it| {
            [&it.temperature, &it.top_p, &it.max_tokens, &it.seed, &it.extra].iter().any(|problem| problem.is_some())
        });
        if wrong {
            sampling_open.set(true);
        }
    });
    view! {
        <form
            class="form"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                save();
            }
        >
            <Presets form/>
            <Show
                when=is_runpod
                fallback=move || {
                    view! {
                        <TextField
                            label="Base URL"
                            value=form.base_url
                            input_type="url"
                            mono=true
                            placeholder="http://127.0.0.1:8000/v1"
                            hint="With /v1 at its end, as the server says it."
                            error=problem(|it| it.address.clone())
                            testid="endpoint-base-url"
                        />
                    }
                }
            >
                <div class="row">
                    <div class="grow">
                        <TextField label="Pod id" value=form.pod_id mono=true error=problem(|it| it.address.clone()) testid="endpoint-pod-id"/>
                    </div>
                    <div class="short-field">
                        <TextField label="Port" value=form.pod_port mono=true testid="endpoint-pod-port"/>
                    </div>
                </div>
                <p class="field-hint made-address">
                    {move || form.address().unwrap_or_else(|| "The pod's address appears here.".to_owned())}
                </p>
            </Show>
            <KeyField form/>
            <ModelPicker value=form.model probe=move |()| untrack(|| form.probe()) testid="endpoint-model"/>
            <TextField label="Name" value=form.name placeholder=name_hint testid="endpoint-name"/>
            <Fold title="Sampling" summary=Signal::derive(move || summarise_sampling(form)) open=sampling_open testid="endpoint-sampling">
                <div class="row four">
                    <TextField label="Temperature" value=form.temperature placeholder="server's" mono=true error=problem(|it| it.temperature.clone()) testid="endpoint-temperature"/>
                    <TextField label="Top p" value=form.top_p placeholder="server's" mono=true error=problem(|it| it.top_p.clone()) testid="endpoint-top-p"/>
                    <TextField label="Most tokens" value=form.max_tokens placeholder="server's" mono=true error=problem(|it| it.max_tokens.clone()) testid="endpoint-max-tokens"/>
                    <TextField label="Seed" value=form.seed placeholder="none" mono=true error=problem(|it| it.seed.clone()) testid="endpoint-seed"/>
                </div>
                <Select
                    label="Several calls in one turn"
                    options=Signal::stored(vec![
                        Choice::new(None, "As the server does it"),
                        Choice::new(Some(true), "Allowed"),
                        Choice::new(Some(false), "One at a time"),
                    ])
                    value=form.parallel
                    testid="endpoint-parallel"
                />
                <TextArea
                    label="Further fields of the request, as JSON"
                    value=form.extra
                    rows=3
                    mono=true
                    placeholder="{\"chat_template_kwargs\": {\"enable_thinking\": true}}"
                    error=problem(|it| it.extra.clone())
                    testid="endpoint-extra"
                />
            </Fold>
            {move || refused.get().map(|error| view! { <ErrorBox error/> })}
            <div class="dialog-actions">
                <Button label="Cancel" on_click=on_done testid="endpoint-cancel"/>
                <Button
                    label="Save"
                    kind=ButtonKind::Primary
                    submit=true
                    busy=saving
                    on_click=move |()| save()
                    testid="endpoint-save"
                />
            </div>
        </form>
    }
}

#[component]
fn Presets(form: EndpointForm) -> impl IntoView {
    view! {
        <div class="presets" role="radiogroup" aria-label="Where the model runs">
            {EndpointPreset::ALL
                .into_iter()
                .map(|preset| {
                    view! {
                        <button
                            type="button"
                            role="radio"
                            class="preset"
                            aria-checked=move || (form.preset.get() == preset).to_string()
                            data-testid=preset_testid(preset)
                            on:click=move |_| form.use_preset(preset)
                        >
                            {preset.label()}
                        </button>
                    }
                })
                .collect_view()}
        </div>
    }
}

/// The test name of a preset's button.
pub(crate) const fn preset_testid(preset: EndpointPreset) -> &'static str {
    match preset {
        EndpointPreset::VllmLocal => "preset-vllm-local",
        EndpointPreset::VllmRunpod => "preset-vllm-runpod",
        EndpointPreset::Ollama => "preset-ollama",
        EndpointPreset::LlamaCpp => "preset-llama-cpp",
        EndpointPreset::Openai => "preset-openai",
        EndpointPreset::Other => "preset-other",
    }
}

#[component]
fn KeyField(form: EndpointForm) -> impl IntoView {
    let api = use_api();
    let kept = RwSignal::new(String::new());
    spawn_local(async move {
        // Without an answer nothing is claimed.
        if let Ok(info) = api.workspace_info(Empty {}).await {
            kept.try_set(match info.vault {
                VaultMode::Keyring => "Kept in the keyring of the operating system, nowhere else.".to_owned(),
                VaultMode::SessionOnly { reason } => {
                    format!("Kept in memory until the app ends, not on disk: {}", reason.trim_end_matches('.')) + "."
                }
            });
        }
    });
    let optional = Signal::derive(move || {
        if form.preset.get() == EndpointPreset::Openai { "API key" } else { "API key (if the server asks for one)" }
            .to_owned()
    });
    let is_typed = move || form.key_plan.get() == KeyPlan::Type;
    view! {
        <Show
            when=is_typed
            fallback=move || {
                let removes = form.key_plan.get() == KeyPlan::Remove;
                view! {
                    <div class="field">
                        <span class="field-label">"API key"</span>
                        <div class="key-saved" data-testid="endpoint-key-saved">
                            <Icon name=IconName::Lock/>
                            <span>{if removes { "The saved key is removed when you save." } else { "A key is saved." }}</span>
                            <Show when=move || form.key_plan.get() == KeyPlan::Remove>
                                <Button label="Keep it" kind=ButtonKind::Quiet on_click=move |()| form.key_plan.set(KeyPlan::Keep)/>
                            </Show>
                            <Show when=move || form.key_plan.get() == KeyPlan::Keep>
                                <Button label="Replace" kind=ButtonKind::Quiet on_click=move |()| form.key_plan.set(KeyPlan::Type) testid="endpoint-key-replace"/>
                                <Button label="Remove" kind=ButtonKind::Quiet on_click=move |()| form.key_plan.set(KeyPlan::Remove) testid="endpoint-key-remove"/>
                            </Show>
                        </div>
                    </div>
                }
            }
        >
            <TextField label=optional value=form.key input_type="password" mono=true hint=kept testid="endpoint-key"/>
        </Show>
    }
}

fn summarise_sampling(form: EndpointForm) -> String {
    let named =
        [("temperature", form.temperature), ("top p", form.top_p), ("at most", form.max_tokens), ("seed", form.seed)];
    let mut parts: Vec<String> = named
        .iter()
        .filter(|(_, value)| value.with(|it| !it.is_empty()))
        .map(|(name, value)| format!("{name} {}", value.get()))
        .collect();
    if form.extra.with(|extra| !extra.trim().is_empty()) {
        parts.push("further fields".to_owned());
    }
    if parts.is_empty() { "as the server does it".to_owned() } else { parts.join(" · ") }
}
