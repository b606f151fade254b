//! What datasets are asked and answer.
//!
//! [`tw_artifact::DatasetPlan`] is what a person sets. `dataset_preview` and `dataset_build` begin a work over it that may
//! take long; both answer a [`DatasetProgress`], tell more of it on `dataset:<id>`, and `dataset_progress` gives all that
//! is known at any moment: of a preview its figures so far, of a build the version once it is there.

use serde::{Deserialize, Serialize};
use tw_artifact::{
    DatasetFile, DatasetPlan, DatasetPreview, DatasetVersion, DatasetWarningKind, Message, SourceTrace, SplitName,
    ToolDefinition, TrainSpan,
};

use crate::{ExportLoss, ModelEntry};

/// What a work does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetWork {
    /// Makes every row, counts, writes nothing.
    #[default]
    Preview,
    /// Makes a version.
    Build,
}

/// How far a preview or a build is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetProgress {
    /// Its id, in events and to cancel it.
    pub id: String,
    /// What it does.
    pub work: DatasetWork,
    /// Traces that are done.
    pub done_traces: u32,
    /// Traces in all.
    pub total_traces: u32,
    /// Rows so far.
    pub rows: u32,
    /// `None` while it works; then how it ended: `done`, `cancelled`, or what failed.
    pub ended: Option<String>,
    /// The figures of the rows so far; in events none, in the answer to `dataset_progress` always.
    pub preview: Option<Box<DatasetPreview>>,
    /// The version, once a build is done.
    pub version: Option<DatasetVersion>,
    /// Whether that version was there before: nothing of what it is made of had changed.
    pub was_there: bool,
}

/// A version as its page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetView {
    /// As in lists.
    pub version: DatasetVersion,
    /// What it was built with.
    pub plan: DatasetPlan,
    /// Its figures.
    pub figures: DatasetPreview,
    /// What it was built of.
    pub sources: Vec<SourceTrace>,
    /// Its files.
    pub files: Vec<DatasetFile>,
    /// Its folder on the host's disk.
    pub folder: String,
    /// Traces of it that stand at another revision now, or are gone.
    pub changed: u32,
    /// The model of its plan as it is there now: one of the list, or one that was given by path, with that as its id.
    /// `None` where the plan names none, or it is gone.
    #[serde(default)]
    pub model: Option<ModelEntry>,
}

/// Families of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FamilyQuery {
    /// The version.
    pub id: String,
    /// How many to leave out.
    pub offset: u32,
    /// How many at most; `0` for 100.
    pub limit: u32,
}

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowOrder {
    /// As they stand in the files.
    #[default]
    Stored,
    /// By tokens, most first.
    Tokens,
    /// By trained tokens, most first.
    TrainedTokens,
    /// By messages, most first.
    Messages,
    /// By warnings, most first.
    Warnings,
}

/// Rows of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RowQuery {
    /// The version.
    pub id: String,
    /// Only of this part.
    pub split: Option<SplitName>,
    /// Only of this trace.
    pub trace_id: Option<String>,
    /// Only with this warning.
    pub warning: Option<DatasetWarningKind>,
    /// Only those whose id, trace or title has this text.
    pub search: String,
    /// Only with tokens from here on.
    pub min_tokens: Option<u32>,
    /// Only with tokens up to here.
    pub max_tokens: Option<u32>,
    /// The order.
    pub order: RowOrder,
    /// The order the other way round.
    pub reverse: bool,
    /// How many to leave out.
    pub offset: u32,
    /// How many at most; `0` for 100.
    pub limit: u32,
}

/// A row as lists show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowSummary {
    /// Its id: the trace's, or `<trace>_trunc_<messages>` of one that ends earlier.
    pub id: String,
    /// The trace it was made of.
    pub trace_id: String,
    /// That trace's title.
    pub title: String,
    /// Its part.
    pub split: SplitName,
    /// Its messages.
    pub messages: u32,
    /// Its tokens.
    pub tokens: u32,
    /// Those that the loss counts.
    pub trained_tokens: u32,
    /// Whether it ends before its trace does.
    pub truncated: bool,
    /// Tool results that were cut to fit the limit.
    pub results_cut: u32,
    /// Warnings about it.
    pub warnings: Vec<DatasetWarningKind>,
}

/// One page of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowPage {
    /// The rows.
    pub rows: Vec<RowSummary>,
    /// How many there are in all.
    pub total: u32,
}

/// A row by its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowRequest {
    /// The version.
    pub id: String,
    /// The row's id.
    pub row: String,
}

/// A message of a row and what of it is trained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowMessage {
    /// The message.
    pub message: Message,
    /// Whether it is trained.
    pub train: bool,
    /// Stretches of it for which the other holds.
    pub spans: Vec<TrainSpan>,
}

/// A row, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetRow {
    /// As in lists.
    pub summary: RowSummary,
    /// When its trace was made, unix milliseconds.
    pub timestamp_ms: i64,
    /// The model that wrote it.
    pub model: String,
    /// The conversation.
    pub messages: Vec<RowMessage>,
    /// The tools.
    pub tools: Vec<ToolDefinition>,
    /// The trace's tags.
    pub tags: Vec<String>,
    /// The trace's rating, 1 to 5.
    pub rating: Option<u8>,
}

/// Two versions to compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetDiffRequest {
    /// Before.
    pub from: String,
    /// After.
    pub to: String,
}

/// A trace that two versions do not have alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceDifference {
    /// The trace.
    pub trace_id: String,
    /// Its title; empty where it was removed since.
    pub title: String,
    /// Revision, part and rows before; `None` where it came.
    pub before: Option<SourceTrace>,
    /// After; `None` where it went.
    pub after: Option<SourceTrace>,
    /// Rows that are only in the one before, only in the one after, and in both with another content.
    pub rows_removed: u32,
    /// Rows that came.
    pub rows_added: u32,
    /// Rows with the same id and another content.
    pub rows_changed: u32,
}

/// What differs between two versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetDiff {
    /// Before.
    pub from: DatasetVersion,
    /// After.
    pub to: DatasetVersion,
    /// Settings that differ: name, before, after, in words.
    pub settings: Vec<(String, String, String)>,
    /// Traces that differ.
    pub traces: Vec<TraceDifference>,
    /// Rows that came.
    pub rows_added: u32,
    /// Rows that went.
    pub rows_removed: u32,
    /// Rows with the same id and another content.
    pub rows_changed: u32,
    /// Rows that are the same, part included.
    pub rows_same: u32,
    /// Rows that moved from one part to the other, otherwise the same.
    pub rows_moved: u32,
    /// Ids of the first rows that came, went or changed, at most 200: id and what became of it (`added`, `removed`,
    /// `changed`, `moved`).
    pub examples: Vec<(String, String)>,
}

/// A version to write for another tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetExportRequest {
    /// The version.
    pub id: String,
    /// `parquet`, `parquet-text`, `jsonl`, `trl`, `axolotl`, `openai`, `sharegpt` or `tokens`.
    pub format: String,
    /// Only says what the format cannot hold; writes nothing.
    pub check: bool,
    /// Where to on the host's disk: a folder, or a file, beside which further parts get their own names
    /// (`x.jsonl`, `x-validation.jsonl`). `None` for the workspace's `exports` folder.
    pub out: Option<String>,
    /// The model for `tokens`; `None` for the version's own.
    pub model: Option<String>,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetExported {
    /// The folder; empty when it was only checked.
    pub folder: String,
    /// The files.
    pub files: Vec<String>,
    /// Rows in them.
    pub rows: u32,
    /// What the format could not hold; `traces` counts rows.
    pub losses: Vec<ExportLoss>,
}

/// A format that datasets can be written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetFormatInfo {
    /// As `tw dataset export --format` takes it.
    pub name: String,
    /// In words.
    pub label: String,
    /// What it is for, a sentence.
    pub about: String,
}
