//! One run as it stands: a snapshot, and every event since.

use std::collections::HashMap;
use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{
    CallPhase, CallRecord, Elicitation, Role, RunSettings, RunState, SavedMessage, StepRecord, TraceSummary,
};
use tw_contract::{ApiError, CallProgress, Event, EventBody, IdRequest, LiveStep, RunView};

use crate::backend::{Accept, Api, Sequence, Tail, use_api, use_events};
use crate::components::turn::{LiveTurn, Turn, turns};

/// One run. Copied freely; lives as long as the component that opened it.
#[derive(Clone, Copy)]
pub(crate) struct RunModel {
    /// The run's trace.
    pub(crate) trace_id: StoredValue<String>,
    /// Whether the first snapshot has come.
    pub(crate) loaded: RwSignal<bool>,
    /// Why it did not.
    pub(crate) problem: RwSignal<Option<ApiError>>,
    /// As in lists; from the last snapshot.
    pub(crate) summary: RwSignal<TraceSummary>,
    /// What it was made with.
    pub(crate) settings: RwSignal<Option<RunSettings>>,
    /// Where it is in its life.
    pub(crate) state: RwSignal<RunState>,
    /// Why it ended, where it did not end well.
    pub(crate) ending: RwSignal<Option<String>>,
    /// The messages on disk.
    pub(crate) messages: RwSignal<Vec<Arc<SavedMessage>>>,
    /// What is kept of each answer.
    pub(crate) steps: RwSignal<Vec<StepRecord>>,
    /// What is kept of each call.
    pub(crate) calls: RwSignal<Vec<CallRecord>>,
    /// The messages as cards.
    pub(crate) turns: Memo<Vec<Arc<Turn>>>,
    /// The answer that is being written.
    pub(crate) live: RwSignal<Option<LiveTurn>>,
    /// Open questions of servers.
    pub(crate) questions: RwSignal<Vec<Elicitation>>,
    /// How far running calls are, by call id.
    pub(crate) progress: RwSignal<HashMap<String, CallProgress>>,
    /// Until when the sessions of a run that is over are kept, unix milliseconds.
    pub(crate) sessions_until_ms: RwSignal<Option<i64>>,
    sequence: StoredValue<Sequence>,
    fetch: StoredValue<Fetch>,
    /// Owns the blocks of live answers: events arrive outside of any component.
    owner: StoredValue<Owner>,
    api: StoredValue<Api>,
}

/// A fetch of the snapshot, and the events that came during it.
#[derive(Default)]
struct Fetch {
    under_way: bool,
    again: bool,
    held: Vec<Event>,
}

impl RunModel {
    /// Opens a run and follows it until the current owner (component) is gone.
    pub(crate) fn open(trace_id: &str) -> Self {
        let messages = RwSignal::new(Vec::<Arc<SavedMessage>>::new());
        let steps = RwSignal::new(Vec::new());
        let calls = RwSignal::new(Vec::new());
        let model = Self {
            trace_id: StoredValue::new(trace_id.to_owned()),
            loaded: RwSignal::new(false),
            problem: RwSignal::new(None),
            summary: RwSignal::default(),
            settings: RwSignal::new(None),
            state: RwSignal::default(),
            ending: RwSignal::new(None),
            messages,
            steps,
            calls,
            turns: Memo::new(move |_| {
                messages.with(|messages| steps.with(|steps| calls.with(|calls| turns(messages, steps, calls))))
            }),
            live: RwSignal::new(None),
            questions: RwSignal::default(),
            progress: RwSignal::default(),
            sessions_until_ms: RwSignal::new(None),
            sequence: StoredValue::new(Sequence(0)),
            fetch: StoredValue::new(Fetch::default()),
            owner: StoredValue::new(Owner::current().unwrap_or_default()),
            api: StoredValue::new(use_api()),
        };
        use_events().listen(Event::run_topic(trace_id), move |tail| match tail {
            Tail::Event(event) => model.receive(event),
            Tail::Gap => model.load(),
        });
        model.load();
        model
    }

    /// Fetches the snapshot (again).
    pub(crate) fn load(self) {
        let free = self.fetch.try_update_value(|fetch| {
            let free = !fetch.under_way;
            fetch.again = !free;
            fetch.under_way = true;
            free
        });
        if free != Some(true) {
            return;
        }
        let Some((api, id)) = self.api.try_get_value().zip(self.trace_id.try_get_value()) else { return };
        spawn_local(async move {
            loop {
                let reply = api.run_view(IdRequest { id: id.clone() }).await;
                // The page may have been left in the meantime.
                let Some((again, held)) = self.fetch.try_update_value(|fetch| {
                    let again = std::mem::take(&mut fetch.again);
                    fetch.under_way = again;
                    (again, if again { Vec::new() } else { std::mem::take(&mut fetch.held) })
                }) else {
                    return;
                };
                match reply {
                    Ok(view) => self.take(view),
                    Err(error) => self.problem.set(Some(error)),
                }
                if !again {
                    for event in &held {
                        self.receive(event);
                    }
                    return;
                }
            }
        });
    }

    /// The first call that waits for a person. Tracks.
    pub(crate) fn first_waiting(self) -> Option<CallRecord> {
        self.calls.with(|calls| calls.iter().find(|call| call.phase == CallPhase::Waiting).cloned())
    }

    /// Tokens of the conversation, as the endpoint counted them where it did. Tracks.
    pub(crate) fn tokens(self) -> u32 {
        let usage = self.steps.with(|steps| steps.iter().rev().find_map(|step| step.usage));
        usage.map_or_else(
            || self.summary.with(|summary| summary.tokens),
            |usage| usage.prompt_tokens.saturating_add(usage.completion_tokens),
        )
    }

    /// Answers since the last message of the person, the one being written included. Tracks.
    pub(crate) fn steps_since_message(self) -> u32 {
        let writing = u32::from(self.live.with(Option::is_some));
        self.messages.with(|messages| {
            let since = messages.iter().rev().take_while(|it| it.message.role() != Role::User);
            let answers = since.filter(|it| it.message.role() == Role::Assistant).count();
            u32::try_from(answers).unwrap_or(u32::MAX).saturating_add(writing)
        })
    }

    /// When the run was last set going, and when its last message was kept, unix milliseconds. Tracks.
    pub(crate) fn span_ms(self) -> Option<(i64, i64)> {
        self.messages.with(|messages| {
            let from = messages.iter().rev().find(|it| it.message.role() == Role::User)?;
            Some((from.saved_at_ms, messages.last()?.saved_at_ms))
        })
    }

    fn take(self, view: RunView) {
        self.problem.set(None);
        self.sequence.set_value(Sequence(view.seq));
        let trace = view.trace;
        set_changed(self.messages, trace.messages.into_iter().map(Arc::new).collect());
        set_changed(self.steps, trace.steps);
        set_changed(self.calls, trace.calls);
        set_changed(self.settings, trace.settings);
        set_changed(self.ending, trace.ending);
        set_changed(self.state, trace.summary.state);
        set_changed(self.summary, trace.summary);
        set_changed(self.questions, view.elicitations);
        set_changed(self.sessions_until_ms, view.sessions_until_ms);
        self.progress.set(view.progress.into_iter().map(|it| (it.call_id.clone(), it)).collect());
        let live = view.live.map(|step| self.new_live(step));
        self.live.set(live);
        self.loaded.set(true);
    }

    fn new_live(self, step: LiveStep) -> LiveTurn {
        self.owner.with_value(|owner| owner.with(|| LiveTurn::new(step)))
    }

    fn receive(self, event: &Event) {
        let held = self.fetch.try_update_value(|fetch| {
            if fetch.under_way {
                fetch.held.push(event.clone());
            }
            fetch.under_way
        });
        if held != Some(false) {
            return;
        }
        match self.sequence.try_update_value(|sequence| sequence.accept(event.seq)) {
            Some(Accept::New) => self.apply(&event.body),
            Some(Accept::Gap) => self.load(),
            Some(Accept::Old) | None => {}
        }
    }

    fn apply(self, body: &EventBody) {
        match body {
            EventBody::RunState { state, ending, .. } => {
                self.state.set(*state);
                self.ending.set(ending.clone());
                if state.is_final() {
                    // What was being written and did not reach the disk is no part of the trace.
                    self.live.set(None);
                    self.load();
                } else {
                    self.sessions_until_ms.set(None);
                }
            }
            EventBody::SessionsKept { until_ms, .. } => self.sessions_until_ms.set(*until_ms),
            EventBody::StepStarted { step, started_at_ms, .. } => {
                // A request that is sent again keeps its card, with the reason.
                let retry = self.live.with_untracked(|live| {
                    live.filter(|live| live.step == *step).and_then(|live| live.retry.get_untracked())
                });
                self.live.set(Some(self.new_live(LiveStep { retry, ..LiveStep::new(*step, *started_at_ms) })));
            }
            EventBody::StepRetried { step, reason, .. } => {
                let live = self.live_of(*step).unwrap_or_else(|| {
                    let live = self.new_live(LiveStep::new(*step, 0));
                    self.live.set(Some(live));
                    live
                });
                live.retry.set(Some(reason.clone()));
            }
            EventBody::Deltas { step, deltas, .. } => {
                if let Some(live) = self.live_of(*step) {
                    self.owner.with_value(|owner| {
                        owner.with(|| deltas.iter().for_each(|delta| live.apply(delta)));
                    });
                }
            }
            EventBody::MessageSaved { message, step, calls, .. } => {
                if message.message.role() == Role::Assistant {
                    self.live.set(None);
                }
                put_sorted(self.messages, &Arc::new(message.clone()), |it| it.seq);
                if let Some(step) = step {
                    put_sorted(self.steps, step, |it| it.step);
                }
                calls.iter().for_each(|call| self.put_call(call));
            }
            EventBody::MessageAmended { message, .. } => {
                put_sorted(self.messages, &Arc::new(message.clone()), |it| it.seq);
            }
            EventBody::CallChanged { call, .. } => self.put_call(call),
            EventBody::CallProgress(progress) => self.progress.update(|known| {
                known.insert(progress.call_id.clone(), progress.clone());
            }),
            EventBody::Elicitation { elicitation, .. } => self.questions.update(|questions| {
                questions.retain(|open| open.id != elicitation.id);
                questions.push(elicitation.clone());
            }),
            EventBody::ElicitationClosed { id, .. } => {
                self.questions.update(|questions| questions.retain(|open| open.id != *id));
            }
            EventBody::ToolsReady { .. }
            | EventBody::ServerChanged { .. }
            | EventBody::ImportProgress(_)
            | EventBody::DatasetProgress(_)
            | EventBody::DatasetsChanged
            | EventBody::HubJob(_)
            | EventBody::TrainNews(_)
            | EventBody::TrainPlanProgress(_)
            | EventBody::TrainsChanged
            | EventBody::EvalProgress(_)
            | EventBody::EvalsChanged
            | EventBody::TraceChanged { .. } => {}
        }
    }

    fn live_of(self, step: u32) -> Option<LiveTurn> {
        self.live.with_untracked(|live| live.filter(|live| live.step == step))
    }

    fn put_call(self, call: &CallRecord) {
        put_sorted(self.calls, call, |it| (it.step, it.index));
        if call.phase == CallPhase::Done && self.progress.with_untracked(|it| it.contains_key(&call.call_id)) {
            self.progress.update(|progress| {
                progress.remove(&call.call_id);
            });
        }
    }
}

/// Sets a signal when that changes something: a snapshot that brings nothing new draws nothing again.
fn set_changed<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|old| *old != value) {
        signal.set(value);
    }
}

/// Replaces the entry with the same key, or adds a new one in the order of keys.
fn put_sorted<T, K>(list: RwSignal<Vec<T>>, entry: &T, key: impl Fn(&T) -> K)
where
    T: Clone + PartialEq + Send + Sync + 'static,
    K: Ord,
{
    let wanted = key(entry);
    let place = list.with_untracked(|list| list.binary_search_by(|old| key(old).cmp(&wanted)));
    match place {
        Ok(place) if list.with_untracked(|list| list[place] == *entry) => {}
        Ok(place) => list.update(|list| list[place] = entry.clone()),
        Err(place) => list.update(|list| list.insert(place, entry.clone())),
    }
}
