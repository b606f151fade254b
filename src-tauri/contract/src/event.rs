//! What a host tells the window without being asked.

use crate::{DatasetProgress, EvalProgress, HubJob, ImportProgress, TrainNews, TrainPlanProgress};
use serde::{Deserialize, Serialize};
use tw_artifact::{CallRecord, Elicitation, RunState, SavedMessage, ServerStatus, StepRecord, ToolDefinition};

/// One event. The numbers of a topic have no gaps: when one is missing, the window fetches the whole again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `run:<trace id>`, `import:<id>`, `dataset:<id>`, `datasets`, `hub:<id>`, `train:<id>`, `trains`,
    /// `eval:<id>`, `evals`,
    /// `servers` or `traces`.
    pub topic: String,
    /// Counts up by one within the topic.
    pub seq: u64,
    /// What happened.
    pub body: EventBody,
}

impl Event {
    /// The topic of servers and their questions.
    pub const SERVERS: &'static str = "servers";
    /// The topic of the list of traces.
    pub const TRACES: &'static str = "traces";

    /// The topic of one import.
    #[must_use]
    pub fn import_topic(id: &str) -> String {
        format!("import:{id}")
    }

    /// The topic of the list of dataset versions.
    pub const DATASETS: &'static str = "datasets";

    /// The topic of one preview or build.
    #[must_use]
    pub fn dataset_topic(id: &str) -> String {
        format!("dataset:{id}")
    }

    /// The topic of a push, a pull or a download.
    #[must_use]
    pub fn hub_topic(id: &str) -> String {
        format!("hub:{id}")
    }

    /// The topic of the list of reports.
    pub const EVALS: &'static str = "evals";

    /// The topic of one evaluation.
    #[must_use]
    pub fn eval_topic(id: &str) -> String {
        format!("eval:{id}")
    }

    /// The topic of the list of trainings.
    pub const TRAINS: &'static str = "trains";
    /// The topic of a plan that is being made.
    pub const TRAIN_PLAN: &'static str = "train:plan";

    /// The topic of a training.
    #[must_use]
    pub fn train_topic(id: &str) -> String {
        format!("train:{id}")
    }

    /// The topic of one run.
    #[must_use]
    pub fn run_topic(trace_id: &str) -> String {
        format!("run:{trace_id}")
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventBody {
    /// A run changed its state. On its own topic and on `traces`.
    RunState {
        /// Which run.
        trace_id: String,
        /// Its state now.
        state: RunState,
        /// Why it ended, where it did not end well.
        ending: Option<String>,
    },
    /// The model's tools are known.
    ToolsReady {
        /// Which run.
        trace_id: String,
        /// As the model is told of them.
        tools: Vec<ToolDefinition>,
    },
    /// A request was sent to the endpoint; a live step begins (again).
    StepStarted {
        /// Which run.
        trace_id: String,
        /// Which step, from 1.
        step: u32,
        /// When, unix milliseconds.
        started_at_ms: i64,
    },
    /// The endpoint is asked again after a failure that may pass.
    StepRetried {
        /// Which run.
        trace_id: String,
        /// Which step.
        step: u32,
        /// What failed, and when it is tried again.
        reason: String,
    },
    /// More of the live step. At most 30 a second.
    Deltas {
        /// Which run.
        trace_id: String,
        /// Which step.
        step: u32,
        /// In order.
        deltas: Vec<LiveDelta>,
    },
    /// A message is on disk. An answer ends the live step and brings its record and its calls.
    MessageSaved {
        /// Which run.
        trace_id: String,
        /// The message.
        message: SavedMessage,
        /// The answer's record.
        step: Option<StepRecord>,
        /// Calls that came or changed with it.
        calls: Vec<CallRecord>,
    },
    /// A message on disk was corrected by a person.
    MessageAmended {
        /// Which run.
        trace_id: String,
        /// The message as it is now.
        message: SavedMessage,
    },
    /// A call changed: waits, runs, is done.
    CallChanged {
        /// Which run.
        trace_id: String,
        /// As it is now.
        call: CallRecord,
    },
    /// A server tells how far it is.
    CallProgress(CallProgress),
    /// A server asks the person something.
    Elicitation {
        /// The run whose call it belongs to; `None` for a server started by hand.
        trace_id: Option<String>,
        /// The question.
        elicitation: Elicitation,
    },
    /// A question is answered or no longer open.
    ElicitationClosed {
        /// The run; as above.
        trace_id: Option<String>,
        /// The question's id.
        id: String,
    },
    /// A server changed. On `servers`.
    ServerChanged {
        /// As it is now.
        status: ServerStatus,
    },
    /// The sessions of a run that is over were kept for a follow-up, or closed.
    SessionsKept {
        /// Which run.
        trace_id: String,
        /// Until when, unix milliseconds; `None` when they are closed.
        until_ms: Option<i64>,
    },
    /// How far an import is, at most 10 a second. On `import:<id>`.
    ImportProgress(ImportProgress),
    /// How far a preview or a build of a dataset is, at most 10 a second. On `dataset:<id>`.
    DatasetProgress(DatasetProgress),
    /// A version was built or removed. On `datasets`.
    DatasetsChanged,
    /// How far a push, a pull or a download is, at most 10 a second. On `hub:<id>`.
    HubJob(Box<HubJob>),
    /// How far an evaluation is, at most 10 a second. On `eval:<id>`.
    EvalProgress(Box<EvalProgress>),
    /// A report came, changed its end or went. On `evals`.
    EvalsChanged,
    /// What came of a training, at most 10 a second. On `train:<id>`.
    TrainNews(Box<TrainNews>),
    /// How far a plan is, at most 10 a second. On `train:plan`.
    TrainPlanProgress(TrainPlanProgress),
    /// A training came, went or changed its state. On `trains`.
    TrainsChanged,
    /// A trace was added, changed or removed. On `traces`.
    TraceChanged {
        /// Which.
        trace_id: String,
    },
}

/// How far a call is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallProgress {
    /// Which run.
    pub trace_id: String,
    /// Which call.
    pub call_id: String,
    /// How much is done, in the server's own unit.
    pub progress: f64,
    /// How much there is, where the server knows.
    pub total: Option<f64>,
    /// In words, where the server says.
    pub message: Option<String>,
}

// Progress comes from JSON numbers: never NaN.
impl Eq for CallProgress {}

/// More of a live step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveDelta {
    /// Reasoning goes on.
    Reasoning(String),
    /// The answer's text goes on.
    Content(String),
    /// All text so far was reasoning: the model's template opened the block, so that only its end was seen.
    ContentWasReasoning,
    /// A call begins.
    CallStart {
        /// Which call, from 0.
        index: u32,
        /// The tool's exposed name.
        name: String,
    },
    /// A call's arguments go on.
    CallArguments {
        /// Which call.
        index: u32,
        /// More of the JSON text.
        text: String,
    },
}

/// A call that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveCall {
    /// Which call, from 0.
    pub index: u32,
    /// The tool's exposed name.
    pub name: String,
    /// JSON text so far.
    pub arguments: String,
}

/// The answer that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveStep {
    /// Which step, from 1.
    pub step: u32,
    /// When its request was sent, unix milliseconds.
    pub started_at_ms: i64,
    /// Reasoning so far.
    pub reasoning: String,
    /// Text so far.
    pub content: String,
    /// Calls so far, by index.
    pub calls: Vec<LiveCall>,
    /// What failed before, where the request is being tried again.
    pub retry: Option<String>,
}

impl LiveStep {
    /// A step of which nothing has come yet.
    #[must_use]
    pub fn new(step: u32, started_at_ms: i64) -> Self {
        Self { step, started_at_ms, ..Self::default() }
    }

    /// Adds what came.
    pub fn apply(&mut self, delta: &LiveDelta) {
        match delta {
            LiveDelta::Reasoning(text) => self.reasoning.push_str(text),
            LiveDelta::Content(text) => self.content.push_str(text),
            LiveDelta::ContentWasReasoning => self.reasoning.push_str(&std::mem::take(&mut self.content)),
            LiveDelta::CallStart { index, name } => self.call(*index).name.push_str(name),
            LiveDelta::CallArguments { index, text } => self.call(*index).arguments.push_str(text),
        }
    }

    fn call(&mut self, index: u32) -> &mut LiveCall {
        let place = match self.calls.binary_search_by_key(&index, |call| call.index) {
            Ok(place) => place,
            Err(place) => {
                self.calls.insert(place, LiveCall { index, ..LiveCall::default() });
                place
            }
        };
        &mut self.calls[place]
    }
}
