//! What commands are given.

use serde::{Deserialize, Serialize};
use tw_artifact::{ElicitationAnswer, EndpointConfig, Json, RunSpec, RunState, ServerConfig};

/// Nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// One thing by its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRequest {
    /// The id.
    pub id: String,
}

/// Some text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextRequest {
    /// The text.
    pub text: String,
}

/// A setting of the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingRequest {
    /// Its name, such as `theme`.
    pub key: String,
}

/// A setting of the window and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetSetting {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: Json,
}

/// What happens with the key of an endpoint.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyChange {
    /// It stays as it is.
    #[default]
    Keep,
    /// It becomes this.
    Set(String),
    /// It is removed.
    Clear,
}

impl std::fmt::Debug for KeyChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Set(_) => "Set(***)",
            Self::Clear => "Clear",
        })
    }
}

/// An endpoint to keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSave {
    /// The endpoint; an empty id makes a new one.
    pub endpoint: EndpointConfig,
    /// Its key.
    pub key: KeyChange,
}

/// An endpoint to ask, saved or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointProbe {
    /// The endpoint as the form has it. With an id, `KeyChange::Keep` uses the key in the vault.
    pub endpoint: EndpointConfig,
    /// Its key.
    pub key: KeyChange,
}

/// A model by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRequest {
    /// The name.
    pub model: String,
}

/// A name and a value that may be secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameValue {
    /// The name.
    pub name: String,
    /// The value; `None` keeps what the vault has.
    pub value: Option<String>,
}

impl std::fmt::Debug for NameValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NameValue").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A server to keep. `env_names` and `header_names` of the config are set from the lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerDraft {
    /// The server; an empty id makes a new one.
    pub config: ServerConfig,
    /// Environment variables (stdio).
    pub env: Vec<NameValue>,
    /// HTTP headers.
    pub headers: Vec<NameValue>,
}

/// A tool to switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolSwitch {
    /// The server.
    pub server_id: String,
    /// The server's own name of the tool; `None` for all of its tools.
    pub tool: Option<String>,
    /// On or off.
    pub enabled: bool,
}

/// Servers of a known file to add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportKnown {
    /// The file, one of those that `server_known` named.
    pub path: String,
    /// Which of its servers.
    pub names: Vec<String>,
}

/// Runs to start: every task, `samples` times each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequest {
    /// What they have in common; `task` is ignored when `tasks` has any.
    pub spec: RunSpec,
    /// The tasks of a queue; empty for the single task of the spec.
    pub tasks: Vec<String>,
    /// Runs of each task, at least 1.
    pub samples: u32,
    /// Runs at the same time, at least 1.
    pub concurrency: u32,
}

/// A queue by its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRequest {
    /// The id.
    pub batch_id: String,
}

/// A run to go on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContinueRequest {
    /// Which run.
    pub trace_id: String,
    /// The follow-up message; `None` goes on where it was interrupted, stopped, failed or at its limit.
    pub message: Option<String>,
}

/// How far a decision reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remember {
    /// This call only.
    #[default]
    Once,
    /// Every further call of this tool in this run and its queue, and runs started later.
    Tool,
    /// Every further call of any tool of this server; likewise.
    Server,
}

/// What a person decides about a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallDecision {
    /// Run it as it is.
    Approve {
        /// How far that reaches.
        remember: Remember,
    },
    /// Run it with other arguments.
    Modify {
        /// An object.
        arguments: Json,
    },
    /// Do not run it.
    Reject {
        /// Why: the model is told.
        reason: String,
    },
}

/// A decision about a call that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecideRequest {
    /// Which run.
    pub trace_id: String,
    /// Which call.
    pub call_id: String,
    /// The decision.
    pub decision: CallDecision,
}

/// An answer to a server's question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElicitationReply {
    /// The question's id.
    pub id: String,
    /// The answer.
    pub answer: ElicitationAnswer,
}

/// How a list of traces is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceOrder {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
    /// Most steps first.
    Steps,
    /// Most tokens first.
    Tokens,
    /// Last changed first.
    Updated,
    /// By title.
    Title,
    /// By model.
    Model,
    /// Most messages first.
    Messages,
    /// Best rated first.
    Rating,
    /// Most failed tool results first.
    Errors,
    /// Most findings first.
    Findings,
    /// Best match of the search first.
    Relevance,
}

/// Which traces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceQuery {
    /// The query: words to find and fields (`tool:browser_click rating:>=4 lint:secret`); empty for all.
    pub search: String,
    /// Only this model.
    pub model: Option<String>,
    /// Only this state.
    pub state: Option<RunState>,
    /// Only with a call of this tool.
    pub tool: Option<String>,
    /// Only of this queue.
    pub batch_id: Option<String>,
    /// The order.
    pub order: TraceOrder,
    /// The order the other way round.
    pub reverse: bool,
    /// How many to leave out.
    pub offset: u32,
    /// How many at most; `0` for 100.
    pub limit: u32,
    /// The page at once is worth more than how many there are in all; see [`TracePage::counted`](crate::TracePage).
    pub quick: bool,
}

/// Part of the output of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRequest {
    /// Which trace.
    pub trace_id: String,
    /// Which call.
    pub call_id: String,
    /// Most characters of text to send; `0` for all.
    pub max_chars: u32,
}

/// An image of the output of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaRequest {
    /// Which trace.
    pub trace_id: String,
    /// Which call.
    pub call_id: String,
    /// Which part, from 0.
    pub part: u32,
}

/// A file's name and text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportFile {
    /// The name, for messages.
    pub name: String,
    /// The text.
    pub text: String,
}

/// A row to render as a model would be given it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderRequest {
    /// The model's folder, or its `tokenizer.json`, on the host's disk.
    pub tokenizer: String,
    /// A template in place of the model's own: a file of it.
    pub template: Option<String>,
    /// `{messages, tools?}`.
    pub row: Json,
    /// Which of the model's messages are trained: `last`, `turn` or `all`.
    pub train: String,
    /// Whether the text goes on to where the model answers.
    pub generation_prompt: bool,
    /// More variables of the template, an object.
    pub kwargs: Json,
}
