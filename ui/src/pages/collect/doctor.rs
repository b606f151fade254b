//! What the doctor finds about an endpoint, and the lines that start a server as it should be.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{DoctorCheck, DoctorReport, DoctorStatus, EndpointConfig, ServeLine};
use tw_contract::{ApiError, ErrorCode, ModelRequest};

use super::section::Fold;
use crate::backend::{Api, use_api};
use crate::components::{Button, ButtonKind, CopyButton, ErrorBox, Icon, IconButton, IconName, Tone};
use crate::state::endpoints::probe_saved;
use crate::state::format;

/// Where an examination is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Examination {
    /// None was asked for, or it is closed.
    #[default]
    None,
    /// Under way.
    Running,
    /// Done.
    Found(DoctorReport),
    /// The host could not examine.
    Failed(ApiError),
}

/// The doctor of the chosen endpoint. Copied freely; given by context.
#[derive(Clone, Copy)]
pub(crate) struct Doctor {
    /// Where the examination is.
    pub(crate) state: RwSignal<Examination>,
    asked: StoredValue<u32>,
    api: StoredValue<Api>,
}

/// The page's doctor.
pub(crate) fn use_doctor() -> Doctor {
    expect_context()
}

impl Doctor {
    /// Gives the doctor to everything below.
    pub(crate) fn provide() -> Self {
        let doctor = Self { state: RwSignal::default(), asked: StoredValue::new(0), api: StoredValue::new(use_api()) };
        provide_context(doctor);
        doctor
    }

    /// Examines an endpoint with its model and its key.
    pub(crate) fn examine(self, endpoint: EndpointConfig) {
        self.asked.update_value(|asked| *asked += 1);
        let Some((api, number)) = self.api.try_get_value().zip(self.asked.try_get_value()) else { return };
        self.state.set(Examination::Running);
        spawn_local(async move {
            let reply = api.endpoint_doctor(probe_saved(endpoint)).await;
            if self.asked.try_get_value() == Some(number) {
                self.state.set(reply.map_or_else(Examination::Failed, Examination::Found));
            }
        });
    }

    /// Takes the findings away, also those still to come.
    pub(crate) fn close(self) {
        self.asked.update_value(|asked| *asked += 1);
        self.state.set(Examination::None);
    }
}

/// The findings.
#[component]
pub(crate) fn DoctorPanel(
    /// Uses a model that the endpoint offers.
    on_pick: Callback<String>,
) -> impl IntoView {
    let doctor = use_doctor();
    move || {
        match doctor.state.get() {
        Examination::None => ().into_any(),
        Examination::Running => view! {
            <div class="doctor" aria-live="polite" data-testid="doctor-panel">
                <p class="doctor-head is-busy">"Asking the endpoint: is it there, does it know the model, does it stream, can it call tools?"</p>
            </div>
        }
        .into_any(),
        Examination::Failed(error) => view! {
            <EndpointError error on_pick on_close=move |()| doctor.close()/>
        }
        .into_any(),
        Examination::Found(report) => view! { <Findings report on_pick/> }.into_any(),
    }
    }
}

#[component]
fn Findings(report: DoctorReport, on_pick: Callback<String>) -> impl IntoView {
    let doctor = use_doctor();
    let bad = report.checks.iter().filter(|check| check.status == DoctorStatus::Bad).count();
    let drawbacks = report.checks.iter().filter(|check| check.status == DoctorStatus::Warning).count();
    let verdict = match (bad, drawbacks) {
        (0, 0) => "Ready for runs.".to_owned(),
        (0, _) => format!("Works, with {}.", format::counted(drawbacks, "drawback")),
        _ => format!("{} to mend.", format::counted(bad, "thing")),
    };
    let is_unknown = report.checks.iter().any(|check| check.name == "model" && check.status == DoctorStatus::Bad);
    let offered: Vec<String> =
        if is_unknown { report.models.iter().map(|model| model.id.clone()).collect() } else { Vec::new() };
    view! {
        <div class="doctor" data-testid="doctor-panel">
            <div class="doctor-head">
                <strong>{verdict}</strong>
                <span class="quiet">{format!("examined in {}", format::duration(report.duration_ms))}</span>
                <IconButton icon=IconName::Close label="Close the findings" on_click=move |()| doctor.close()/>
            </div>
            <ul class="checks">
                {report.checks.into_iter().map(|check| view! { <Check check/> }).collect_view()}
            </ul>
            <OfferedModels models=offered on_pick/>
        </div>
    }
}

#[component]
fn Check(check: DoctorCheck) -> impl IntoView {
    let (icon, tone, word) = match check.status {
        DoctorStatus::Good => (IconName::Check, Tone::Good, "Good"),
        DoctorStatus::Warning => (IconName::Warning, Tone::Warn, "Drawback"),
        DoctorStatus::Bad => (IconName::Error, Tone::Bad, "To mend"),
        DoctorStatus::Unknown => (IconName::Minus, Tone::Neutral, "Not known"),
    };
    let name = match check.name.as_str() {
        "reachable" => "Reachable".to_owned(),
        "model" => "Model".to_owned(),
        "context" => "Context".to_owned(),
        "streams" => "Streaming".to_owned(),
        "reasoning" => "Reasoning".to_owned(),
        "tool_calls" => "Tool calls".to_owned(),
        "token_ids" => "Token ids".to_owned(),
        "lora" => "Adapters".to_owned(),
        other => other.replace('_', " "),
    };
    view! {
        <li class="check" data-testid=format!("check-{}", check.name) data-status=word>
            <span class=format!("check-icon {}", tone.class()) title=word>
                <Icon name=icon/>
                <span class="visually-hidden">{word}</span>
            </span>
            <div class="check-body">
                <p dir="auto"><span class="check-name">{name}</span> {check.finding}</p>
                {check
                    .remedy
                    .map(|remedy| {
                        let copied = remedy.clone();
                        view! {
                            <div class="remedy">
                                <code dir="auto">{remedy}</code>
                                <CopyButton text=move |()| copied.clone() label="Copy what mends it"/>
                            </div>
                        }
                    })}
            </div>
        </li>
    }
}

/// Models that an endpoint offers, each a button that picks it.
#[component]
fn OfferedModels(models: Vec<String>, on_pick: Callback<String>) -> impl IntoView {
    (!models.is_empty()).then(|| {
        view! {
            <div class="offered-models">
                <span class="quiet">"It offers:"</span>
                {models
                    .into_iter()
                    .map(|model| {
                        let picked = model.clone();
                        view! {
                            <Button
                                label=model
                                kind=ButtonKind::Plain
                                on_click=move |()| on_pick.run(picked.clone())
                                testid="offered-model"
                            />
                        }
                    })
                    .collect_view()}
            </div>
        }
    })
}

/// An error of an endpoint: where it does not know the model, what it offers instead.
#[component]
pub(crate) fn EndpointError(
    /// The error.
    error: ApiError,
    /// Uses a model that the endpoint offers.
    on_pick: Callback<String>,
    /// Tries again.
    #[prop(optional, into)]
    on_retry: Option<Callback<()>>,
    /// Takes the error away.
    #[prop(into)]
    on_close: Callback<()>,
) -> impl IntoView {
    let models = if error.code == ErrorCode::UnknownModel {
        error.detail.iter().flat_map(|detail| detail.lines()).filter(|it| !it.is_empty()).map(str::to_owned).collect()
    } else {
        Vec::new()
    };
    let retry = on_retry.filter(|_| error.retryable);
    view! {
        <ErrorBox error on_close>
            {retry.map(|retry| view! { <Button label="Try again" on_click=retry testid="retry"/> })}
            <OfferedModels models on_pick/>
        </ErrorBox>
    }
}

/// The lines that start vLLM for a model.
#[component]
pub(crate) fn ServeLines(
    /// The model.
    #[prop(into)]
    model: Signal<String>,
) -> impl IntoView {
    let api = use_api();
    let open = RwSignal::new(false);
    let lines = RwSignal::new(None::<Result<ServeLine, ApiError>>);
    Effect::new(move || {
        let model = model.get();
        if !open.get() || model.is_empty() {
            return;
        }
        let api = api.clone();
        spawn_local(async move {
            let reply = api.serve_line(ModelRequest { model }).await;
            lines.try_set(Some(reply));
        });
    });
    view! {
        <Fold title="Start lines for vLLM" open testid="serve-lines">
            {move || match lines.get() {
                None if model.with(String::is_empty) => {
                    view! { <p class="quiet-note">"Pick a model: its lines appear here."</p> }.into_any()
                }
                None => view! { <p class="quiet-note is-busy">"Writing the lines"</p> }.into_any(),
                Some(Err(error)) => view! { <ErrorBox error/> }.into_any(),
                Some(Ok(lines)) => view! {
                    <p class="quiet-note">
                        "With the parsers that this model needs for tool calls and reasoning. Port 8000, 32,768 tokens of context."
                    </p>
                    <Line title="On a machine with vLLM" text=lines.vllm testid="copy-vllm"/>
                    <Line title="With Docker" text=lines.docker testid="copy-docker"/>
                }
                .into_any(),
            }}
        </Fold>
    }
}

#[component]
fn Line(title: &'static str, text: String, testid: &'static str) -> impl IntoView {
    let copied = text.clone();
    view! {
        <div class="command">
            <div class="command-head">
                <span>{title}</span>
                <CopyButton text=move |()| copied.clone() label="Copy the line" words="Copy" testid/>
            </div>
            <pre class="mono">{text}</pre>
        </div>
    }
}
