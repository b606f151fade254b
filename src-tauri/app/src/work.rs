//! Runs: started, steered, looked at.

use std::sync::Arc;

use tw_artifact::{ApprovalRule, EndpointPreset, PolicyVerdict};
use tw_artifact::{Message, RuleScope, RunSettings, RunSpec};
use tw_collect::{Decision, Queue, RunControl, RunParts, ServerLaunch};
use tw_contract::{
    ApiError, CallDecision, ContinueRequest, DecideRequest, ElicitationReply, Event, EventBody, KeyChange, Remember,
    RunOverview, RunRequest, RunStarted, RunView,
};
use tw_endpoint::{EndpointClient, estimate_message};
use tw_mcp::LaunchContext;
use tw_store::{NewMessage, NewTrace};

use crate::App;
use crate::endpoints::new_id;
use crate::errors::Api;
use crate::live::RunWatcher;

/// The setting that holds what "allow from now on" said, for runs started later.
const RULES_KEY: &str = "approval-rules";
/// Runs of one queue.
const MAX_RUNS: usize = 10_000;

/// What runs of one specification have in common.
#[derive(Clone)]
pub(crate) struct Means {
    client: EndpointClient,
    want_token_ids: bool,
    launches: Vec<ServerLaunch>,
    context: LaunchContext,
}

impl App {
    pub(crate) async fn start_runs(&self, request: RunRequest) -> Result<RunStarted, ApiError> {
        let mut tasks: Vec<String> =
            request.tasks.iter().map(|task| task.trim().to_owned()).filter(|task| !task.is_empty()).collect();
        if tasks.is_empty() && !request.spec.task.trim().is_empty() {
            tasks.push(request.spec.task.trim().to_owned());
        }
        if tasks.is_empty() {
            return Err(ApiError::invalid("There is no task.").with_hint("Say what the agent should do."));
        }
        if request.spec.model.trim().is_empty() {
            return Err(ApiError::invalid("No model is picked.").with_hint("Pick one in the endpoint's settings."));
        }
        let samples = request.samples.max(1);
        let total = tasks.len().saturating_mul(usize::try_from(samples).unwrap_or(usize::MAX));
        if total > MAX_RUNS {
            return Err(ApiError::invalid(format!("That would be {total} runs; a queue takes {MAX_RUNS}.")));
        }
        let endpoint = self.endpoint(&request.spec.endpoint_id).await?;
        let means = self.means_of(&request.spec).await?;
        let batch_id = (total > 1).then(new_id);
        let queue = batch_id.as_ref().map(|_| Queue::new(request.concurrency));
        let rules = self.kept_rules().await?;
        let mut trace_ids = Vec::with_capacity(total);
        for task in tasks {
            for sample in 1..=samples {
                let mut spec = RunSpec { task: task.clone(), ..request.spec.clone() };
                spec.policy.rules.splice(0..0, rules.iter().cloned());
                if samples > 1
                    && let Some(seed) = spec.sampling.seed
                {
                    spec.sampling.seed = Some(seed.wrapping_add(i64::from(sample) - 1));
                }
                let settings = RunSettings {
                    spec,
                    endpoint_name: endpoint.name.clone(),
                    base_url: endpoint.base_url.clone(),
                    servers: Vec::new(),
                    sample: (sample, samples),
                    batch_id: batch_id.clone(),
                };
                let id = self.create_run(&settings).await?;
                self.spawn(&id, &settings, means.clone(), queue.clone(), None, false);
                trace_ids.push(id);
            }
        }
        Ok(RunStarted { batch_id, trace_ids })
    }

    /// Keeps a new trace with its first messages: a queued run is one that can be seen.
    async fn create_run(&self, settings: &RunSettings) -> Result<String, ApiError> {
        let id = new_id();
        let new = NewTrace {
            id: id.clone(),
            settings: settings.clone(),
            created_at_ms: jiff::Timestamp::now().as_millisecond(),
            ..NewTrace::default()
        };
        self.store.create_trace(new).await.api()?;
        let mut messages = Vec::with_capacity(2);
        if !settings.spec.system_prompt.trim().is_empty() {
            messages.push(Message::system(&settings.spec.system_prompt));
        }
        messages.push(Message::user(&settings.spec.task));
        for message in messages {
            let tokens = estimate_message(&message);
            let new = NewMessage { message, step: 0, tokens };
            self.store.append(&id, new, None, Vec::new(), Vec::new()).await.api()?;
        }
        self.hub.emit(Event::TRACES, EventBody::TraceChanged { trace_id: id.clone() });
        Ok(id)
    }

    /// What every run of a specification works with, asked for once: the keys are in a keyring that may be slow.
    pub(crate) async fn means_of(&self, spec: &RunSpec) -> Result<Means, ApiError> {
        let endpoint = self.endpoint(&spec.endpoint_id).await?;
        let client = self.client_of(&endpoint, KeyChange::Keep).await?;
        let mut launches = Vec::with_capacity(spec.server_ids.len());
        for id in &spec.server_ids {
            launches.push(self.servers.launch(id).await?);
        }
        let mut context = self.context.clone();
        context.login_path = tw_mcp::login_path().await;
        // OpenAI refuses fields that it does not know; the others ignore them or give the ids.
        Ok(Means { client, want_token_ids: endpoint.preset != EndpointPreset::Openai, launches, context })
    }

    /// Starts the task of a run that is in the store.
    pub(crate) fn spawn(
        &self,
        trace_id: &str,
        settings: &RunSettings,
        means: Means,
        queue: Option<Queue>,
        message: Option<String>,
        replay: bool,
    ) {
        let watcher = Arc::new(RunWatcher::new(trace_id, Arc::clone(&self.hub)));
        let parts = RunParts {
            store: self.store.clone(),
            endpoint: means.client,
            want_token_ids: means.want_token_ids,
            launches: means.launches,
            context: means.context,
            vault: self.vault.clone(),
            observer: Arc::<RunWatcher>::clone(&watcher),
            control: Arc::new(RunControl::new(settings.spec.policy.clone())),
            open_url: Arc::clone(&self.open_url),
            replay,
        };
        self.runs.start(trace_id, settings.batch_id.clone(), queue, parts, watcher, message);
    }

    pub(crate) async fn continue_run(&self, request: ContinueRequest) -> Result<(), ApiError> {
        let message = request.message.map(|text| text.trim().to_owned());
        if message.as_deref() == Some("") {
            return Err(ApiError::invalid("The message is empty."));
        }
        let trace = self.store.trace(&request.trace_id).await.api()?;
        if !trace.summary.state.is_final() {
            let error = ApiError::invalid("This run is still at work.");
            return Err(error.with_hint("Stop it first, or wait until it is done."));
        }
        if trace.summary.revision > 0 {
            return Err(ApiError::invalid("This trace was edited: its run cannot go on with the old messages.")
                .with_hint("Open it in Review and choose \"Run again from here\" on the turn to go on from."));
        }
        if self.runs.go_on(&request.trace_id, message.clone()).await {
            return Ok(());
        }
        let Some(settings) = trace.settings else {
            return Err(ApiError::invalid("This trace was imported: it has no endpoint to go on with.")
                .with_hint("Start a new run with its task."));
        };
        let means = self.means_of(&settings.spec).await?;
        self.spawn(&request.trace_id, &settings, means, None, message, false);
        Ok(())
    }

    /// Closes what a run that is over keeps open. One that keeps nothing is closed already.
    pub(crate) async fn close_run(&self, trace_id: &str) -> Result<(), ApiError> {
        let Some(handle) = self.runs.get(trace_id) else { return Ok(()) };
        if !handle.watcher.snapshot().state.is_final() {
            let error = ApiError::invalid("This run is still at work.");
            return Err(error.with_hint("Stop it first, or wait until it is done."));
        }
        handle.close().await;
        Ok(())
    }

    pub(crate) async fn decide_call(&self, request: DecideRequest) -> Result<(), ApiError> {
        let gone = || ApiError::not_found("waiting call").with_hint("The run went on, or was stopped.");
        let handle = self.runs.get(&request.trace_id).ok_or_else(gone)?;
        let decision = match request.decision {
            CallDecision::Approve { remember: Remember::Once } => Decision::Approve,
            CallDecision::Approve { remember } => {
                let (server_id, tool) = handle.control.waiting_tool(&request.call_id).ok_or_else(gone)?;
                let scope = match remember {
                    Remember::Server => RuleScope::Server { server_id },
                    Remember::Tool | Remember::Once => RuleScope::Tool { server_id, tool },
                };
                self.keep_rule(scope.clone()).await?;
                // The call goes first, as one that a person approved; the rule then lets the others through.
                let decided = handle.control.decide(&request.call_id, Decision::Approve);
                self.runs.allow(&handle, &scope);
                return if decided { Ok(()) } else { Err(gone()) };
            }
            CallDecision::Modify { arguments } => {
                if arguments.as_object().is_none() {
                    return Err(ApiError::invalid("The arguments must be a JSON object."));
                }
                Decision::Modify { arguments }
            }
            CallDecision::Reject { reason } => Decision::Reject { reason },
        };
        if handle.control.decide(&request.call_id, decision) { Ok(()) } else { Err(gone()) }
    }

    async fn kept_rules(&self) -> Result<Vec<ApprovalRule>, ApiError> {
        Ok(self.store.get_setting(RULES_KEY).await.api()?.unwrap_or_default())
    }

    async fn keep_rule(&self, scope: RuleScope) -> Result<(), ApiError> {
        let mut rules = self.kept_rules().await?;
        rules.retain(|rule| rule.scope != scope);
        rules.push(ApprovalRule { scope, verdict: PolicyVerdict::Allow });
        self.store.set_setting(RULES_KEY, &rules).await.api()
    }

    pub(crate) fn reply_to(&self, request: &ElicitationReply) -> Result<(), ApiError> {
        if self.servers.answer(&request.id, request.answer.clone()) {
            return Ok(());
        }
        let answered =
            self.runs.all().iter().any(|(_, handle)| handle.control.answer(&request.id, request.answer.clone()));
        if answered { Ok(()) } else { Err(ApiError::not_found("open question")) }
    }

    pub(crate) async fn view_run(&self, id: &str) -> Result<RunView, ApiError> {
        // The passing state first: what is saved between the two reads is then in the trace, and its event comes again.
        let live = match self.runs.get(id) {
            Some(handle) => handle.watcher.snapshot(),
            None => crate::live::LiveState { seq: self.hub.last_seq(&Event::run_topic(id)), ..Default::default() },
        };
        let trace = self.store.trace(id).await.api()?;
        Ok(RunView {
            trace,
            live: live.live,
            elicitations: live.elicitations,
            progress: live.progress,
            sessions_until_ms: live.sessions_until_ms,
            seq: live.seq,
        })
    }

    pub(crate) async fn active_runs(&self) -> Result<Vec<RunOverview>, ApiError> {
        let mut runs = Vec::new();
        for (id, handle) in self.runs.all() {
            if handle.watcher.snapshot().state.is_final() {
                continue;
            }
            let summary = self.store.summary(&id).await.api()?;
            let waiting = u32::try_from(handle.control.waiting()).unwrap_or(u32::MAX);
            runs.push(RunOverview { summary, waiting });
        }
        Ok(runs)
    }
}
