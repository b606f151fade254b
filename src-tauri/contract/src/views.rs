//! What commands give back.

use serde::{Deserialize, Serialize};
use tw_artifact::{
    Elicitation, Json, OutputPart, RunState, ServerConfig, ServerPhase, ServerStatus, Trace, TraceSummary,
};

use crate::{CallProgress, LiveStep, ServerDraft};

/// Where secrets are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VaultMode {
    /// In the OS keyring.
    Keyring,
    /// In memory until the app ends.
    SessionOnly {
        /// Why.
        reason: String,
    },
}

/// The workspace and the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceInfo {
    /// The folder.
    pub path: String,
    /// The app's version.
    pub version: String,
    /// Where secrets are kept.
    pub vault: VaultMode,
    /// Runs that were found interrupted when the workspace was opened.
    pub interrupted_runs: u32,
}

/// A setting of the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingValue {
    /// Its value; `null` when it was never set.
    pub value: Json,
}

/// A server and how it is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerEntry {
    /// The server.
    pub config: ServerConfig,
    /// How it is doing.
    pub status: ServerStatus,
}

/// How heavy the tools are together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolLoadLevel {
    /// Up to 25.
    Fine,
    /// Over 25: fewer would help the model choose.
    Advise,
    /// Over 50: many models choose wrongly.
    Warn,
}

/// How many tools a run would offer and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolLoad {
    /// Tools that are on, of servers that are on.
    pub tools: u32,
    /// About how many tokens of every prompt they take.
    pub tokens: u32,
    /// Servers that are on.
    pub servers: u32,
}

impl ToolLoad {
    /// Counts over all servers.
    #[must_use]
    pub fn of(entries: &[ServerEntry]) -> Self {
        let mut load = Self::default();
        for entry in entries.iter().filter(|entry| entry.config.enabled) {
            load.servers += 1;
            for tool in entry.status.tools.iter().filter(|tool| tool.enabled && tool.problem.is_none()) {
                load.tools += 1;
                load.tokens += tool.tokens;
            }
        }
        load
    }

    /// Whether that is much.
    #[must_use]
    pub const fn level(&self) -> ToolLoadLevel {
        match self.tools {
            0..=25 => ToolLoadLevel::Fine,
            26..=50 => ToolLoadLevel::Advise,
            _ => ToolLoadLevel::Warn,
        }
    }
}

/// What a text with `mcpServers` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParsedServers {
    /// The servers that were understood.
    pub servers: Vec<ServerDraft>,
    /// What was not, in words.
    pub problems: Vec<String>,
}

/// A configuration file of another program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownConfig {
    /// The program, such as `Cursor`.
    pub app: String,
    /// The file.
    pub path: String,
    /// The servers in it.
    pub names: Vec<String>,
    /// Why it cannot be used, or what in it cannot.
    pub problem: Option<String>,
}

/// Runs that were started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// Their queue, when they are more than one.
    pub batch_id: Option<String>,
    /// Their traces, in order: all samples of the first task, then of the second ...
    pub trace_ids: Vec<String>,
}

/// A run as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunView {
    /// What is on disk.
    pub trace: Trace,
    /// The answer that is being written.
    pub live: Option<LiveStep>,
    /// Open questions of servers.
    pub elicitations: Vec<Elicitation>,
    /// How far the running calls are.
    pub progress: Vec<CallProgress>,
    /// Until when the sessions of a run that is over are kept for a follow-up, unix milliseconds; `None` when there are
    /// none.
    #[serde(default)]
    pub sessions_until_ms: Option<i64>,
    /// The number of the run's last event that is in this.
    pub seq: u64,
}

/// A run that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOverview {
    /// As in lists.
    pub summary: TraceSummary,
    /// Calls and questions that wait for a person.
    pub waiting: u32,
}

/// One page of traces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracePage {
    /// The traces.
    pub traces: Vec<TraceSummary>,
    /// How many there are in all.
    pub total: u32,
    /// How many of them are accepted or rejected.
    pub reviewed: u32,
    /// Whether these two are known: a quick answer about words that very many traces have tells of those that were come
    /// across.
    pub counted: bool,
    /// What of the query was not understood; the rest of it holds.
    pub problems: Vec<String>,
    /// Every tag in the workspace, for the filter and for completion.
    pub tags: Vec<String>,
    /// Every model in the workspace, for the filter.
    pub models: Vec<String>,
    /// Every tool that was called, for the filter.
    pub tools: Vec<String>,
}

/// The output of a call. Images are fetched on their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputView {
    /// The parts; of images only the kind (their data is empty).
    pub parts: Vec<OutputPart>,
    /// Characters of text in all.
    pub total_chars: u64,
    /// Whether text was left out here because of the request's limit.
    pub shortened: bool,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// `image/png` ...
    pub mime: String,
    /// In base64.
    pub data: String,
}

/// A file, or a record of one, that was not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRefusal {
    /// The file.
    pub name: String,
    /// The line of the file, from 1, where it has lines.
    pub line: Option<u64>,
    /// Why.
    pub reason: String,
}

/// A row as a model is given it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedText {
    /// The text.
    pub text: String,
    /// Ids of its tokens.
    pub ids: Vec<u32>,
    /// For each token 1 where it is trained, else 0.
    pub mask: Vec<u8>,
    /// What a person should know, in plain words.
    pub warnings: Vec<String>,
}

impl ServerEntry {
    /// Whether it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.status.phase == ServerPhase::Running
    }
}

impl RunOverview {
    /// Whether a person is needed.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        self.waiting > 0 || self.summary.state == RunState::Waiting
    }
}
