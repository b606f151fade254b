//! What the review of traces is asked and answers.

use serde::{Deserialize, Serialize};
use tw_artifact::{
    CallRecord, EditOp, EditedMessage, Finding, FindingCount, LintRule, Patch, PreferencePair, ReviewChange, Revision,
    RunSettings, StepRecord, TextField, ToolDefinition, TraceSummary,
};

use crate::TraceQuery;

/// A trace at a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionRequest {
    /// The trace.
    pub id: String,
    /// The revision; `None` for where it stands, 0 for what was captured.
    pub revision: Option<u32>,
    /// Whether texts that no window can lay out may come shortened; see [`ReviewView::shortened`].
    #[serde(default)]
    pub shorten: bool,
}

/// A message of which only the beginnings of its texts were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortened {
    /// The message's id.
    pub id: u64,
    /// Bytes of text that it has.
    pub bytes: u64,
}

/// A trace as the editor shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewView {
    /// As in lists.
    pub summary: TraceSummary,
    /// What its run was made with; `None` when imported.
    pub settings: Option<RunSettings>,
    /// The messages at the revision.
    pub messages: Vec<EditedMessage>,
    /// The tools as the model was told of them.
    pub tools: Vec<ToolDefinition>,
    /// What is kept of each captured answer.
    pub steps: Vec<StepRecord>,
    /// What is kept of each captured call.
    pub calls: Vec<CallRecord>,
    /// When each captured message was kept, unix milliseconds, and its step, by `seq`.
    pub captured: Vec<(i64, u32)>,
    /// Why its run ended, where it failed or hit a limit.
    pub ending: Option<String>,
    /// Where the messages stand.
    pub state: EditState,
    /// Traces that branched off from this one, and the one it branched off from.
    pub branches: Vec<TraceSummary>,
    /// Pairs that it is part of.
    pub pairs: Vec<PreferencePair>,
    /// Messages that came shortened: their texts are not to be set from what is here.
    #[serde(default)]
    pub shortened: Vec<Shortened>,
}

/// Where a trace under review stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditState {
    /// The revision.
    pub revision: u32,
    /// What *undo* would take back, in words; `None` when there is nothing.
    pub undo: Option<String>,
    /// What *redo* would do again.
    pub redo: Option<String>,
    /// What lint finds now, worst first, then by place.
    pub findings: Vec<Finding>,
}

/// An edit to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditRequest {
    /// The trace.
    pub id: String,
    /// The revision that the person sees. Where the trace stands elsewhere meanwhile, the edit is refused with the
    /// code `conflict`.
    pub base: u32,
    /// The edit.
    pub op: EditOp,
    /// Who proposed it; empty for the person.
    pub author: String,
}

/// Every finding of a kind to repair, as one edit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairRequest {
    /// The trace.
    pub id: String,
    /// The revision that the person sees.
    pub base: u32,
    /// The kind.
    pub rule: LintRule,
}

/// What an edit, an undo or a redo did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditOutcome {
    /// What was done, in words: "Moved 2 turns". Empty when there was nothing to do.
    pub did: String,
    /// What changes in the messages of the base revision, to be applied in order.
    pub patches: Vec<Patch>,
    /// Messages of the patches that came shortened.
    #[serde(default)]
    pub shortened: Vec<Shortened>,
    /// Where the trace stands now.
    pub state: EditState,
}

/// Every revision of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// By number.
    pub revisions: Vec<Revision>,
    /// Where the trace stands.
    pub head: u32,
}

/// Two revisions to compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffRequest {
    /// The trace.
    pub id: String,
    /// Before; 0 is what was captured.
    pub from: u32,
    /// After; `None` for where it stands.
    pub to: Option<u32>,
}

/// What became of a message between two revisions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageChange {
    /// So many messages in a row are the same.
    Same {
        /// How many.
        count: u32,
    },
    /// It came.
    Added {
        /// The message.
        message: EditedMessage,
    },
    /// It went.
    Removed {
        /// The message.
        message: EditedMessage,
    },
    /// It stands elsewhere, otherwise unchanged.
    Moved {
        /// The message.
        message: EditedMessage,
        /// Its place before, from 0.
        from: u32,
    },
    /// Some of its texts changed.
    Edited {
        /// The message after.
        message: EditedMessage,
        /// The texts that changed.
        fields: Vec<FieldDiff>,
    },
}

/// How one text changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDiff {
    /// Its name: `content`, `reasoning_content`, `arguments of browser_click`, `marks` ...
    pub name: String,
    /// In order; joined without the inserted ones they are the old text, without the deleted ones the new.
    pub chunks: Vec<DiffChunk>,
}

/// A stretch of text in a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffChunk {
    /// What became of it.
    pub kind: DiffKind,
    /// The text.
    pub text: String,
}

/// What became of a stretch of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiffKind {
    /// In both.
    Same,
    /// Only before.
    Deleted,
    /// Only after.
    Inserted,
}

/// What to ask a model for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssistTask {
    /// The same thoughts in fewer words.
    Shorten,
    /// Arguments that fit the tool's schema.
    RepairArguments,
    /// What the person writes.
    Custom(String),
}

/// A text to let a model rewrite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssistRequest {
    /// The trace.
    pub id: String,
    /// The revision that the person sees.
    pub base: u32,
    /// The message.
    pub message_id: u64,
    /// Which of its texts.
    pub field: TextField,
    /// What is wanted.
    pub task: AssistTask,
    /// Which endpoint.
    pub endpoint_id: String,
    /// Which of its models.
    pub model: String,
}

/// What a model proposes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssistProposal {
    /// The difference it makes.
    pub diff: FieldDiff,
    /// The edit that accepts it.
    pub op: EditOp,
    /// Whom the revision will name as its author.
    pub author: String,
    /// Tokens of the text before and after, estimated.
    pub tokens: (u32, u32),
}

/// How the tools' world is brought to the point from which an agent goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// The calls before it are made again; those that may destroy wait for the person.
    #[default]
    Calls,
    /// Nothing is made again: the servers start fresh.
    Nothing,
}

/// A run to begin in the middle of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RerunRequest {
    /// The trace.
    pub id: String,
    /// The revision that the person sees.
    pub base: u32,
    /// The last message that is kept. After an answer with calls the agent makes them; otherwise the model is asked.
    pub after: u64,
    /// How the tools are brought there.
    pub replay: Replay,
    /// Another endpoint than the trace's; needed for imported traces.
    pub endpoint_id: Option<String>,
    /// Another model.
    pub model: Option<String>,
    /// Other servers; needed for imported traces with tools.
    pub server_ids: Option<Vec<String>>,
    /// How many branches to make, at least 1.
    pub samples: u32,
}

/// Two branches to keep as a pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairRequest {
    /// The better one.
    pub chosen: String,
    /// The other.
    pub rejected: String,
}

/// Some traces: named, or all that a query finds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// These.
    Ids(Vec<String>),
    /// All of this query, whatever its offset and limit say.
    Query(TraceQuery),
}

/// A decision about some traces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewMark {
    /// Which.
    pub traces: Selection,
    /// What becomes of them.
    pub change: ReviewChange,
}

/// How many traces something was done to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    /// How many.
    pub traces: u32,
}

/// One bar of a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// The smallest value in it.
    pub from: u32,
    /// The smallest value of the next bar.
    pub to: u32,
    /// How many traces.
    pub traces: u32,
}

/// Some traces in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStats {
    /// How many.
    pub traces: u32,
    /// How many are accepted, rejected.
    pub accepted: u32,
    /// How many are rejected.
    pub rejected: u32,
    /// By answers of the model.
    pub steps: Vec<Bar>,
    /// By tokens.
    pub tokens: Vec<Bar>,
    /// By tool results that are errors.
    pub errors: Vec<Bar>,
    /// Traces by the tools they called, most first.
    pub tools: Vec<(String, u32)>,
    /// Traces by model, most first.
    pub models: Vec<(String, u32)>,
    /// Traces by what lint found.
    pub findings: Vec<FindingCount>,
}

/// Traces that are nearly the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateGroup {
    /// The oldest first.
    pub traces: Vec<TraceSummary>,
    /// How alike they are at least, in percent of shared word triples.
    pub likeness_percent: u8,
}

/// What is to be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportSource {
    /// A file or a folder on the host's disk.
    Path(String),
    /// A file that the window read.
    File {
        /// Its name.
        name: String,
        /// Its bytes in base64.
        base64: String,
    },
}

/// Files to look at, or to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportPlan {
    /// What.
    pub sources: Vec<ImportSource>,
    /// The format's name as `tw import --format` takes it; `None` recognises it.
    pub format: Option<String>,
}

/// What was understood of one file, before anything is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportPreview {
    /// The file.
    pub name: String,
    /// The format's name, and in words; `None` where none fits.
    pub format: Option<(String, String)>,
    /// Bytes of it.
    pub bytes: u64,
    /// The titles of the first traces in it.
    pub titles: Vec<String>,
    /// Traces that were read so far, and whether there is more.
    pub traces: u32,
    /// Whether the file was read to its end.
    pub complete: bool,
    /// What was not understood in what was read.
    pub refused: Vec<crate::ImportRefusal>,
}

/// A long work that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportStarted {
    /// Its id, in events and to cancel it.
    pub id: String,
}

/// How far an import is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportProgress {
    /// Its id.
    pub id: String,
    /// Bytes read.
    pub done_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
    /// Traces that are on disk.
    pub imported: u32,
    /// The first of what was refused.
    pub refused: Vec<crate::ImportRefusal>,
    /// How much was refused in all.
    pub refused_count: u32,
    /// `None` while it works; then how it ended: `done`, `cancelled`, or what failed.
    pub ended: Option<String>,
    /// The traces, once it ended. Only in the answer to `import_view`, not in events.
    pub traces: Vec<ImportedTrace>,
}

/// A trace that was read from a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedTrace {
    /// The file.
    pub name: String,
    /// The new trace.
    pub id: String,
}

/// A format that traces can be read from or written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormatInfo {
    /// As `tw export --format` takes it.
    pub name: String,
    /// In words.
    pub label: String,
    /// Whether many traces go into one file.
    pub one_file: bool,
}

/// Traces to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRequest {
    /// Which.
    pub traces: Selection,
    /// The format's name.
    pub format: String,
    /// Only says what the format cannot hold; writes nothing.
    pub check: bool,
    /// Where to on the host's disk: a file, for formats that hold many traces, else a folder. `None` for the
    /// workspace's `exports` folder.
    pub out: Option<String>,
}

/// What a format could not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportLoss {
    /// What, in words.
    pub what: String,
    /// In how many traces.
    pub traces: u32,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportOutcome {
    /// The folder; empty when it was only checked.
    pub folder: String,
    /// The files.
    pub files: Vec<String>,
    /// Traces in them.
    pub traces: u32,
    /// What the format could not hold.
    pub losses: Vec<ExportLoss>,
}
