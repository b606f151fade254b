//! `tw run`.

use anyhow::{Context, bail};
use tokio::sync::broadcast::error::RecvError;
use tw_artifact::{ApprovalPolicy, BudgetKeep};
use tw_artifact::{Budget, Budgets, EndpointConfig, EndpointPreset, PolicyMode, RunLimits, RunSpec, RunState};
use tw_contract::{EndpointSave, EventBody, IdRequest, KeyChange, RunRequest, TextRequest};

use crate::args::{Approve, EndpointArgs, Run};
use crate::open::{Place, client};
use crate::report::Report;

/// One run as it is printed.
#[derive(serde::Serialize)]
struct Ended {
    id: String,
    state: RunState,
    ending: Option<String>,
}

pub(crate) async fn run(place: &Place, args: &Run, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let ended = start_and_wait(&app, args, report).await;
    app.shutdown().await;
    let ended = ended?;
    report.result(&ended, || ended.iter().map(|run| run.id.as_str()).collect::<Vec<_>>().join("\n"))?;
    match ended.iter().find(|run| !matches!(run.state, RunState::Done)) {
        Some(run) => bail!(
            "the run {} ended as {}: {}",
            run.id,
            run.state.as_str(),
            run.ending.as_deref().unwrap_or("no reason was given")
        ),
        None => Ok(()),
    }
}

async fn start_and_wait(app: &std::sync::Arc<tw_app::App>, args: &Run, report: &Report) -> anyhow::Result<Vec<Ended>> {
    let api = client(app);
    let mut events = app.events();
    let system_prompt = match &args.system {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("{file} cannot be read"))?,
        None => String::new(),
    };
    let endpoint_id = endpoint_of(app, &args.endpoint).await?;
    let server_ids = servers_of(app, args).await?;
    let spec = RunSpec {
        task: args.task.clone(),
        system_prompt,
        endpoint_id,
        model: args.endpoint.model.clone(),
        server_ids,
        policy: ApprovalPolicy {
            mode: match args.approve {
                Approve::All => PolicyMode::NeverAsk,
                Approve::ReadOnly => PolicyMode::ReadOnlyOrReject,
                Approve::None => PolicyMode::RejectAll,
            },
            rules: Vec::new(),
        },
        limits: RunLimits { max_steps: args.max_steps, max_secs: None },
        budgets: Budgets { default: Budget { tokens: args.tool_budget, keep: BudgetKeep::Head }, ..Budgets::default() },
        ..RunSpec::default()
    };
    let request = RunRequest { spec, tasks: Vec::new(), samples: args.samples, concurrency: 4 };
    let started = api.run_start(request).await?;
    let mut open = started.trace_ids.clone();
    while !open.is_empty() {
        match events.recv().await {
            Ok(event) => match event.body {
                EventBody::MessageSaved { trace_id, message, .. } if open.contains(&trace_id) => {
                    report.progress(&format!("{trace_id}: {} {}", message.seq, message.message.role()));
                }
                EventBody::RunState { trace_id, state, .. } if state.is_final() => open.retain(|id| *id != trace_id),
                _ => {}
            },
            // What was missed is asked for.
            Err(RecvError::Lagged(_)) => {
                let active = api.run_active(tw_contract::Empty {}).await?;
                open.retain(|id| active.iter().any(|run| run.summary.id == *id));
            }
            Err(RecvError::Closed) => bail!("the app ended before the run did"),
        }
    }
    let mut ended = Vec::with_capacity(started.trace_ids.len());
    for id in started.trace_ids {
        let trace = api.trace_get(IdRequest { id: id.clone() }).await?;
        ended.push(Ended { id, state: trace.summary.state, ending: trace.ending });
    }
    Ok(ended)
}

/// The endpoint of the workspace that has this address, or a new one.
pub(crate) async fn endpoint_of(app: &std::sync::Arc<tw_app::App>, args: &EndpointArgs) -> anyhow::Result<String> {
    let api = client(app);
    let wanted = args.endpoint.trim_end_matches('/');
    let known = api.endpoint_list(tw_contract::Empty {}).await?;
    let endpoint = known.into_iter().find(|endpoint| endpoint.base_url == wanted).unwrap_or_else(|| EndpointConfig {
        name: wanted.to_owned(),
        preset: EndpointPreset::Other,
        base_url: wanted.to_owned(),
        model: args.model.clone(),
        ..EndpointConfig::default()
    });
    let key = args.key()?.map_or(KeyChange::Keep, KeyChange::Set);
    Ok(api.endpoint_save(EndpointSave { endpoint, key }).await?.id)
}

/// The servers of the configuration file; one that the workspace has under the same name is taken as it is there.
async fn servers_of(app: &std::sync::Arc<tw_app::App>, args: &Run) -> anyhow::Result<Vec<String>> {
    let Some(file) = &args.mcp else { return Ok(Vec::new()) };
    let api = client(app);
    let text = std::fs::read_to_string(file).with_context(|| format!("{file} cannot be read"))?;
    let parsed = api.server_parse(TextRequest { text }).await?;
    if let Some(problem) = parsed.problems.first() {
        bail!("{file}: {problem}");
    }
    let known = api.server_list(tw_contract::Empty {}).await?;
    let mut ids = Vec::with_capacity(parsed.servers.len());
    for mut draft in parsed.servers {
        if let Some(entry) = known.iter().find(|entry| entry.config.name == draft.config.name) {
            draft.config.id.clone_from(&entry.config.id);
        }
        ids.push(api.server_save(draft).await?.config.id);
    }
    Ok(ids)
}
