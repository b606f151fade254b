//! Branches: the agent goes on from the middle of a trace, as a new trace.

use tw_artifact::{Branch, EditedMessage, PreferencePair, Role, RunSettings, unit_of};
use tw_collect::Queue;
use tw_contract::{ApiError, Event, EventBody, PairRequest, Replay, RerunRequest, RunStarted};
use tw_store::{MarkedMessage, NewMessage, NewTrace, steps_of};

use crate::App;
use crate::endpoints::new_id;
use crate::errors::Api;
use crate::review::moved;

/// Branches of one request.
const MAX_SAMPLES: u32 = 100;
/// Branches that work side by side.
const CONCURRENCY: u32 = 4;

impl App {
    pub(crate) async fn rerun(&self, request: RerunRequest) -> Result<RunStarted, ApiError> {
        let desk = self.desk(&request.id).await?;
        if desk.trace.edition.revision != request.base {
            return Err(moved());
        }
        let messages = &desk.trace.edition.messages;
        let place = messages
            .iter()
            .position(|message| message.id == request.after)
            .ok_or_else(|| ApiError::not_found("turn"))?;
        let shared = shared_messages(messages, place)?;
        let mut settings = desk.trace.settings.clone().unwrap_or_default();
        if let Some(endpoint_id) = request.endpoint_id {
            settings.spec.endpoint_id = endpoint_id;
        }
        if let Some(model) = request.model {
            settings.spec.model = model;
        }
        if let Some(server_ids) = request.server_ids {
            settings.spec.server_ids = server_ids;
        }
        if settings.spec.endpoint_id.is_empty() {
            return Err(ApiError::invalid("This trace was imported: it has no endpoint to go on with.")
                .with_hint("Pick an endpoint, a model and the servers that have its tools."));
        }
        if settings.spec.model.trim().is_empty() {
            return Err(ApiError::invalid("No model is picked.").with_hint("Pick one of the endpoint's."));
        }
        let samples = request.samples.max(1);
        if samples > MAX_SAMPLES {
            return Err(ApiError::invalid(format!(
                "That would be {samples} branches; at most {MAX_SAMPLES} are made."
            )));
        }
        let endpoint = self.endpoint(&settings.spec.endpoint_id).await?;
        settings.endpoint_name = endpoint.name;
        settings.base_url = endpoint.base_url;
        settings.servers = Vec::new();
        settings.batch_id = (samples > 1).then(new_id);
        let queue = settings.batch_id.as_ref().map(|_| Queue::new(CONCURRENCY.min(samples)));
        let means = self.means_of(&settings.spec).await?;
        let branch = Branch {
            trace_id: request.id.clone(),
            revision: desk.trace.edition.revision,
            shared: u32::try_from(shared.len()).unwrap_or(u32::MAX),
        };
        let mut trace_ids = Vec::new();
        for sample in 1..=samples {
            let settings = RunSettings { sample: (sample, samples), ..settings.clone() };
            let id = new_id();
            let new = NewTrace {
                id: id.clone(),
                title: desk.trace.summary.title.clone(),
                settings: settings.clone(),
                tools: desk.trace.edition.tools.clone(),
                created_at_ms: jiff::Timestamp::now().as_millisecond(),
                branch: Some(branch.clone()),
                ..NewTrace::default()
            };
            self.store.create_branch(new, shared.clone()).await.api()?;
            self.hub.emit(Event::TRACES, EventBody::TraceChanged { trace_id: id.clone() });
            self.spawn(&id, &settings, means.clone(), queue.clone(), None, request.replay == Replay::Calls);
            trace_ids.push(id);
        }
        Ok(RunStarted { batch_id: settings.batch_id, trace_ids })
    }

    pub(crate) async fn add_pair(&self, request: PairRequest) -> Result<PreferencePair, ApiError> {
        if request.chosen == request.rejected {
            return Err(ApiError::invalid("A pair takes two different traces."));
        }
        let chosen = self.store.edition(&request.chosen, None).await.api()?;
        let rejected = self.store.edition(&request.rejected, None).await.api()?;
        let same = |(a, b): &(&EditedMessage, &EditedMessage)| a.message == b.message;
        let shared = chosen.messages.iter().zip(&rejected.messages).take_while(same).count();
        if shared == 0 {
            return Err(ApiError::invalid("These traces have no beginning in common.")
                .with_hint("A preference pair is two answers to the same conversation: branch one from the other."));
        }
        if shared == chosen.messages.len() || shared == rejected.messages.len() {
            return Err(ApiError::invalid("One of these traces is the beginning of the other."));
        }
        let pair = self.store.add_pair(&request.chosen, &request.rejected).await.api()?;
        self.tell_list(request.chosen);
        Ok(pair)
    }
}

/// The messages that a branch begins with, the one at `place` the last, each with the step it belongs to.
fn shared_messages(messages: &[EditedMessage], place: usize) -> Result<Vec<MarkedMessage>, ApiError> {
    let last = &messages[place].message;
    match last.role() {
        Role::System => return Err(ApiError::invalid("A system prompt alone gives the model nothing to answer.")),
        Role::Assistant if last.calls().is_empty() => {
            return Err(ApiError::invalid("This turn is an answer: the model has nothing to go on with.")
                .with_hint("Choose the turn before it, or write what the person says next."));
        }
        // A result that no call of its unit asked for.
        Role::Tool if unit_of(messages, place).start == place => {
            return Err(ApiError::invalid("This result belongs to no call.").with_hint("Repair it first."));
        }
        Role::User | Role::Assistant | Role::Tool => {}
    }
    let kept = &messages[..=place];
    let steps = steps_of(kept.iter().map(|message| message.message.role()));
    let shared = kept.iter().zip(steps).map(|(message, step)| {
        let new = NewMessage { message: message.message.clone(), step, tokens: message.tokens };
        MarkedMessage { new, marks: message.marks.clone() }
    });
    Ok(shared.collect())
}
