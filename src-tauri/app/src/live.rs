//! What of a run is not on disk yet: the answer that streams, open questions, progress. Turns the run's events into
//! those of the window.

use std::sync::{Arc, Mutex, PoisonError};

use tw_artifact::{CallPhase, Elicitation, RunState};
use tw_collect::{RunEvent, RunObserver};
use tw_contract::{CallProgress, Event, EventBody, LiveDelta, LiveStep};
use tw_endpoint::AnswerDelta;

use crate::hub::Hub;

/// The passing state of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct LiveState {
    pub(crate) state: RunState,
    pub(crate) live: Option<LiveStep>,
    pub(crate) elicitations: Vec<Elicitation>,
    pub(crate) progress: Vec<CallProgress>,
    /// Until when the sessions of a run that is over are kept.
    pub(crate) sessions_until_ms: Option<i64>,
    /// The number of the run's last event that is in this.
    pub(crate) seq: u64,
}

/// Watches one run.
pub(crate) struct RunWatcher {
    trace_id: String,
    topic: String,
    hub: Arc<Hub>,
    state: Mutex<LiveState>,
}

impl RunWatcher {
    pub(crate) fn new(trace_id: &str, hub: Arc<Hub>) -> Self {
        let topic = Event::run_topic(trace_id);
        let state = LiveState { seq: hub.last_seq(&topic), ..LiveState::default() };
        Self { trace_id: trace_id.to_owned(), topic, hub, state: Mutex::new(state) }
    }

    pub(crate) fn snapshot(&self) -> LiveState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells until when the sessions of the run, which is over, are kept; `None` when they are closed.
    pub(crate) fn tell_sessions(&self, until_ms: Option<i64>) {
        self.tell(EventBody::SessionsKept { trace_id: self.trace_id.clone(), until_ms });
    }

    fn tell(&self, body: EventBody) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        apply(&mut state, &body);
        state.seq = self.hub.emit(&self.topic, body);
    }

    fn body_of(&self, event: RunEvent) -> EventBody {
        let trace_id = self.trace_id.clone();
        match event {
            RunEvent::State { state, ending } => EventBody::RunState { trace_id, state, ending },
            RunEvent::ToolsReady { tools } => EventBody::ToolsReady { trace_id, tools },
            RunEvent::StepStarted { step, started_at_ms } => EventBody::StepStarted { trace_id, step, started_at_ms },
            RunEvent::StepRetried { step, reason } => EventBody::StepRetried { trace_id, step, reason },
            RunEvent::Deltas { step, deltas } => {
                EventBody::Deltas { trace_id, step, deltas: deltas.into_iter().filter_map(live_delta).collect() }
            }
            RunEvent::MessageSaved { message, step, calls } => {
                EventBody::MessageSaved { trace_id, message, step: step.map(|step| *step), calls }
            }
            RunEvent::MessageAmended { message } => EventBody::MessageAmended { trace_id, message },
            RunEvent::CallChanged { call } => EventBody::CallChanged { trace_id, call: *call },
            RunEvent::CallProgress { call_id, progress, total, message } => {
                EventBody::CallProgress(CallProgress { trace_id, call_id, progress, total, message })
            }
            RunEvent::Elicitation(elicitation) => {
                EventBody::Elicitation { trace_id: Some(trace_id), elicitation: *elicitation }
            }
            RunEvent::ElicitationClosed { id } => EventBody::ElicitationClosed { trace_id: Some(trace_id), id },
        }
    }
}

impl RunObserver for RunWatcher {
    fn observe(&self, event: RunEvent) {
        let body = self.body_of(event);
        let list_changed = changes_list(&body);
        self.tell(body.clone());
        if let EventBody::RunState { .. } = body {
            self.hub.emit(Event::TRACES, body);
        } else if list_changed {
            self.hub.emit(Event::TRACES, EventBody::TraceChanged { trace_id: self.trace_id.clone() });
        }
    }
}

/// Whether the list of traces shows something else afterwards.
const fn changes_list(body: &EventBody) -> bool {
    matches!(body, EventBody::MessageSaved { .. } | EventBody::Elicitation { .. } | EventBody::ElicitationClosed { .. })
}

fn apply(state: &mut LiveState, body: &EventBody) {
    match body {
        EventBody::RunState { state: now, .. } => {
            state.state = *now;
            if now.is_final() {
                state.live = None;
                state.elicitations.clear();
                state.progress.clear();
            } else {
                state.sessions_until_ms = None;
            }
        }
        EventBody::SessionsKept { until_ms, .. } => state.sessions_until_ms = *until_ms,
        EventBody::StepStarted { step, started_at_ms, .. } => state.live = Some(LiveStep::new(*step, *started_at_ms)),
        EventBody::StepRetried { reason, .. } => {
            if let Some(live) = &mut state.live {
                live.retry = Some(reason.clone());
            }
        }
        EventBody::Deltas { deltas, .. } => {
            if let Some(live) = &mut state.live {
                live.retry = None;
                for delta in deltas {
                    live.apply(delta);
                }
            }
        }
        EventBody::MessageSaved { step: Some(_), .. } => state.live = None,
        EventBody::MessageSaved { calls, .. } => {
            let done = |id: &str| calls.iter().any(|call| call.call_id == id && call.phase == CallPhase::Done);
            state.progress.retain(|progress| !done(&progress.call_id));
        }
        EventBody::CallProgress(progress) => {
            state.progress.retain(|known| known.call_id != progress.call_id);
            state.progress.push(progress.clone());
        }
        EventBody::Elicitation { elicitation, .. } => state.elicitations.push(elicitation.clone()),
        EventBody::ElicitationClosed { id, .. } => state.elicitations.retain(|open| open.id != *id),
        EventBody::ToolsReady { .. }
        | EventBody::MessageAmended { .. }
        | EventBody::CallChanged { .. }
        | EventBody::DatasetProgress(_)
        | EventBody::DatasetsChanged
        | EventBody::ServerChanged { .. }
        | EventBody::ImportProgress(_)
        | EventBody::HubJob(_)
        | EventBody::EvalProgress(_)
        | EventBody::EvalsChanged
        | EventBody::TrainNews(_)
        | EventBody::TrainPlanProgress(_)
        | EventBody::TrainsChanged
        | EventBody::TraceChanged { .. } => {}
    }
}

fn live_delta(delta: AnswerDelta) -> Option<LiveDelta> {
    Some(match delta {
        AnswerDelta::Reasoning(text) => LiveDelta::Reasoning(text),
        AnswerDelta::Content(text) => LiveDelta::Content(text),
        AnswerDelta::ContentWasReasoning => LiveDelta::ContentWasReasoning,
        AnswerDelta::CallStart { index, name } => LiveDelta::CallStart { index, name },
        AnswerDelta::CallArguments { index, text } => LiveDelta::CallArguments { index, text },
        // The run tells of retries with an event of their own.
        AnswerDelta::Retrying { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_snapshot_holds_what_the_events_up_to_its_number_said() {
        let hub = Arc::new(Hub::new());
        let mut events = hub.subscribe();
        let watcher = RunWatcher::new("t", Arc::clone(&hub));
        watcher.observe(RunEvent::State { state: RunState::Running, ending: None });
        watcher.observe(RunEvent::StepStarted { step: 1, started_at_ms: 5 });
        watcher.observe(RunEvent::Deltas { step: 1, deltas: vec![AnswerDelta::Content("hi".to_owned())] });
        let snapshot = watcher.snapshot();
        assert_eq!(snapshot.seq, 3);
        assert_eq!(snapshot.live.map(|live| live.content), Some("hi".to_owned()));
        let mut numbers = Vec::new();
        while let Ok(event) = events.try_recv() {
            if event.topic == "run:t" {
                numbers.push(event.seq);
            }
        }
        assert_eq!(numbers, [1, 2, 3]);
        watcher.observe(RunEvent::State { state: RunState::Stopped, ending: None });
        assert!(watcher.snapshot().live.is_none());
    }
}
