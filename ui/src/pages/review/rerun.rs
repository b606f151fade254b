//! Many traces run again from their first task, each as a branch beside the old one.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::Role;
use tw_contract::{ApiError, EndpointProbe, KeyChange, Replay, RerunRequest, RevisionRequest, Selection, TraceQuery};

use super::actions::use_trace_actions;
use super::browser::Browser;
use super::marks::opened_by;
use crate::backend::{Api, use_api};
use crate::components::{Button, ButtonKind, Choice, Dialog, ErrorBox, Select, TextField};
use crate::state::endpoints::use_endpoints;
use crate::state::format;
use crate::state::toasts::use_toasts;

/// Most traces that run again at once.
const MOST: usize = 500;

/// The dialog; once, on the page.
#[component]
pub(super) fn RerunDialog(browser: Browser) -> impl IntoView {
    let actions = use_trace_actions();
    let open = opened_by(actions.to_rerun);
    let title = move || {
        let whom = actions.to_rerun.with(|traces| traces.as_ref().map(|traces| actions.whom(traces)));
        format!("Run {} again", whom.unwrap_or_default())
    };
    view! {
        <Dialog open title=Signal::derive(title) testid="bulk-rerun-dialog">
            <Body browser/>
        </Dialog>
    }
}

/// What the runs have in common.
#[derive(Clone)]
struct Wanted {
    endpoint_id: Option<String>,
    model: Option<String>,
    samples: u32,
}

#[component]
fn Body(browser: Browser) -> impl IntoView {
    let actions = use_trace_actions();
    let (api, toasts) = (StoredValue::new(use_api()), use_toasts());
    let endpoints = use_endpoints();
    let traces = StoredValue::new(actions.to_rerun.get_untracked().unwrap_or(Selection::Ids(Vec::new())));
    let count = traces.with_value(|traces| browser.size_of(traces));
    let endpoint = RwSignal::new(None::<String>);
    let model = RwSignal::new(String::new());
    let samples = RwSignal::new("1".to_owned());
    let (done, going) = (RwSignal::new(0_usize), RwSignal::new(false));
    let stop = StoredValue::new(false);
    let failed = RwSignal::new(Vec::<ApiError>::new());
    let choices = Signal::derive(move || {
        let mut choices = vec![Choice::new(None, "As each trace was made")];
        choices.extend(endpoints.list.with(|list| {
            list.iter()
                .map(|endpoint| Choice::new(Some(endpoint.id.clone()), endpoint.name.clone()))
                .collect::<Vec<_>>()
        }));
        choices
    });
    // Another endpoint has other models: the one it is used with is offered.
    Effect::new(move |_| {
        let id = endpoint.get();
        let usual =
            endpoints.list.with(|list| list.iter().find(|it| Some(&it.id) == id.as_ref()).map(|it| it.model.clone()));
        model.set(usual.unwrap_or_default());
    });
    let models = RwSignal::new(Vec::<String>::new());
    Effect::new(move |_| {
        let id = endpoint.get();
        models.set(Vec::new());
        let config = endpoints.list.with_untracked(|list| list.iter().find(|it| Some(&it.id) == id.as_ref()).cloned());
        if let Some(endpoint) = config {
            spawn_local(async move {
                // Without a list the name is typed.
                let known = api.get_value().endpoint_models(EndpointProbe { endpoint, key: KeyChange::Keep }).await;
                models.try_set(known.unwrap_or_default().into_iter().map(|model| model.id).collect());
            });
        }
    });
    let wanted_samples =
        move || samples.with(|samples| samples.trim().parse::<u32>().ok().filter(|n| (1..=32).contains(n)));
    let problem = Signal::derive(move || wanted_samples().is_none().then(|| "A number from 1 to 32.".to_owned()));
    let start = move |()| {
        let Some(samples) = wanted_samples() else { return };
        let name = model.with_untracked(|model| model.trim().to_owned());
        let wanted =
            Wanted { endpoint_id: endpoint.get_untracked(), model: (!name.is_empty()).then_some(name), samples };
        going.set(true);
        done.set(0);
        failed.set(Vec::new());
        stop.set_value(false);
        spawn_local(async move {
            let api = api.get_value();
            let ids = match ids_of(&api, traces.get_value()).await {
                Ok(ids) => ids,
                Err(error) => {
                    failed.try_set(vec![error]);
                    going.try_set(false);
                    return;
                }
            };
            let mut started = 0_usize;
            for id in ids {
                if stop.try_get_value() != Some(false) {
                    break;
                }
                match rerun(&api, &id, &wanted).await {
                    Ok(runs) => started += runs,
                    Err(error) => {
                        failed.try_update(|failed| failed.push(error));
                    }
                }
                done.try_update(|done| *done += 1);
            }
            going.try_set(false);
            if started > 0 {
                toasts.info(format!("{} started; they are in Collect.", format::counted(started as u64, "run")));
            }
            if failed.try_with_untracked(Vec::is_empty) == Some(true) {
                actions.to_rerun.try_set(None);
            }
        });
    };
    on_cleanup(move || {
        stop.try_set_value(true);
    });
    view! {
        <p class="confirm-text">
            "Each trace's agent starts again from its first task, with live tools. The new runs are kept as branches beside the old traces."
        </p>
        {(count > MOST)
            .then(|| view! { <p class="tone-warn">{format!("Only the first {} are run.", format::count(MOST as u64))}</p> })}
        <Select label="Endpoint" options=choices value=endpoint hint="Imported traces have none of their own." testid="rerun-endpoint"/>
        {move || {
            let known = models.get();
            if known.is_empty() {
                return view! { <TextField label="Model" value=model placeholder="As each trace was made" testid="rerun-model"/> }.into_any();
            }
            let mut names = known;
            let now = model.get_untracked();
            if !names.contains(&now) {
                names.insert(0, now);
            }
            let options: Vec<Choice<String>> = names.into_iter().map(|name| Choice::new(name.clone(), name)).collect();
            view! { <Select label="Model" options=options value=model testid="rerun-model"/> }.into_any()
        }}
        <TextField label="Runs of each" value=samples input_type="number" error=problem testid="rerun-samples"/>
        {move || {
            let failed = failed.get();
            let more = failed.len().saturating_sub(3);
            view! {
                {failed.into_iter().take(3).map(|error| view! { <ErrorBox error/> }).collect_view()}
                {(more > 0).then(|| view! { <p class="field-hint">{format!("and {} more that failed", format::count(more as u64))}</p> })}
            }
        }}
        <Show when=move || going.get()>
            <p class="field-hint" aria-live="polite">{move || format!("{} of {} begun", format::count(done.get() as u64), format::count(count.min(MOST) as u64))}</p>
        </Show>
        <div class="dialog-actions">
            <Button
                label=Signal::derive(move || if going.get() { "Stop" } else { "Cancel" }.to_owned())
                on_click=move |()| {
                    stop.set_value(true);
                    if !going.get_untracked() {
                        actions.to_rerun.set(None);
                    }
                }
            />
            <Button
                kind=ButtonKind::Primary
                label=format!("Run {}", format::counted(count.min(MOST) as u64, "trace"))
                busy=going
                disabled=Signal::derive(move || problem.with(Option::is_some))
                on_click=start
                testid="bulk-rerun-go"
            />
        </div>
    }
}

async fn ids_of(api: &Api, traces: Selection) -> Result<Vec<String>, ApiError> {
    let most = u32::try_from(MOST).unwrap_or(u32::MAX);
    match traces {
        Selection::Ids(mut ids) => {
            ids.truncate(MOST);
            Ok(ids)
        }
        Selection::Query(asked) => {
            let page = api.trace_list(TraceQuery { offset: 0, limit: most, ..asked }).await?;
            Ok(page.traces.into_iter().map(|trace| trace.id).collect())
        }
    }
}

/// Starts one trace again from its first task; how many runs that made.
async fn rerun(api: &Api, id: &str, wanted: &Wanted) -> Result<usize, ApiError> {
    let view = api.review_open(RevisionRequest { id: id.to_owned(), revision: None, shorten: true }).await?;
    let task = view.messages.iter().find(|message| message.message.role() == Role::User);
    let Some(task) = task else {
        return Err(ApiError::invalid(format!(
            "“{}” has no task to start from.",
            format::first_line(&view.summary.title, 48)
        )));
    };
    let request = RerunRequest {
        id: id.to_owned(),
        base: view.state.revision,
        after: task.id,
        // Nothing was called before the first task.
        replay: Replay::Nothing,
        endpoint_id: wanted.endpoint_id.clone(),
        model: wanted.model.clone(),
        server_ids: None,
        samples: wanted.samples,
    };
    Ok(api.review_rerun(request).await?.trace_ids.len())
}
