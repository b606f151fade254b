//! What a run tells while it works.

use tw_artifact::{CallRecord, Elicitation, RunState, SavedMessage, StepRecord, ToolDefinition};
use tw_endpoint::AnswerDelta;

/// What happened in a run, in order. A message, step or call in here is on disk.
#[derive(Clone, Debug)]
pub enum RunEvent {
    /// It changed its state.
    State {
        /// The state now.
        state: RunState,
        /// Why it ended, where it did not end well.
        ending: Option<String>,
    },
    /// The model's tools are known, or changed.
    ToolsReady {
        /// As the model is told of them.
        tools: Vec<ToolDefinition>,
    },
    /// A request was sent.
    StepStarted {
        /// Which step, from 1.
        step: u32,
        /// When, unix milliseconds.
        started_at_ms: i64,
    },
    /// The request failed and is sent again.
    StepRetried {
        /// Which step.
        step: u32,
        /// What failed.
        reason: String,
    },
    /// More of the answer; at most 30 a second.
    Deltas {
        /// Which step.
        step: u32,
        /// In order, neighbours of a kind joined.
        deltas: Vec<AnswerDelta>,
    },
    /// A message was kept.
    MessageSaved {
        /// The message.
        message: SavedMessage,
        /// The answer's record.
        step: Option<Box<StepRecord>>,
        /// The calls that came or changed with it.
        calls: Vec<CallRecord>,
    },
    /// An answer's arguments were corrected by a person.
    MessageAmended {
        /// The message now.
        message: SavedMessage,
    },
    /// A call changed.
    CallChanged {
        /// The call now.
        call: Box<CallRecord>,
    },
    /// A server tells how far a call is.
    CallProgress {
        /// Which call.
        call_id: String,
        /// How much is done.
        progress: f64,
        /// How much there is.
        total: Option<f64>,
        /// In words.
        message: Option<String>,
    },
    /// A server asks the person something.
    Elicitation(Box<Elicitation>),
    /// The question is answered or void.
    ElicitationClosed {
        /// Which question.
        id: String,
    },
}

/// Is told of everything that happens in a run. Called in order; must not block.
pub trait RunObserver: Send + Sync {
    /// Something happened.
    fn observe(&self, event: RunEvent);
}
