//! A dataset in numbers: rows by length, families of rows, warnings, what training would take.

use serde::{Deserialize, Serialize};

use crate::{DatasetWarning, LeftOut, SplitName, SplitTotals, TrieTotals};

/// One bar of a histogram over rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowBar {
    /// The smallest value in it.
    pub from: u32,
    /// The smallest value of the next bar.
    pub to: u32,
    /// How many rows.
    pub rows: u32,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowFate {
    /// It is in the dataset.
    #[default]
    Kept,
    /// It is, with tool results cut.
    Cut,
    /// It is longer than the limit and left out, or became others.
    OverLimit,
    /// It is the same as another and left out.
    Duplicate,
    /// Nothing in it is trained: left out.
    Untrained,
    /// The template gives no text for it: left out.
    NotRendered,
}

/// A row in a trace's family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyRow {
    /// The row's id.
    pub id: String,
    /// The row of this family that it goes on from: the one with the most messages in common, an index into
    /// [`DatasetFamily::rows`]; `None` for the first.
    pub parent: Option<u32>,
    /// Messages that it shares with its parent, from the first on.
    pub shared: u32,
    /// Its messages.
    pub messages: u32,
    /// Which of them are trained, by place in the row, from 0.
    pub trained: Vec<u32>,
    /// Its tokens.
    pub tokens: u32,
    /// Those that the loss counts.
    pub trained_tokens: u32,
    /// Warnings about it.
    pub warnings: u32,
    /// What became of it.
    pub fate: RowFate,
}

/// A trace and the rows it becomes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetFamily {
    /// The trace.
    pub trace_id: String,
    /// Its title; empty where it was removed since.
    pub title: String,
    /// The revision.
    pub revision: u32,
    /// Its part.
    pub split: SplitName,
    /// Whether a person chose that part.
    pub by_hand: bool,
    /// Traces that must go to the same part (branches, pairs, near-duplicates), itself left out.
    pub bound_to: Vec<String>,
    /// Its rows, in order.
    pub rows: Vec<FamilyRow>,
}

/// About how long training takes on a device, and how much memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingEstimate {
    /// The device, in words.
    pub device: String,
    /// Seconds for all rows once, row by row.
    pub secs_by_rows: u64,
    /// The same when beginnings that rows share are computed once.
    pub secs_by_trie: u64,
    /// Memory that the longest row needs, mebibytes.
    pub memory_mib: u64,
    /// What was assumed, a sentence each.
    pub assumptions: Vec<String>,
}

/// A dataset in numbers: as a plan would give it, or as a version has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatasetPreview {
    /// What is trained on.
    pub train: SplitTotals,
    /// What the loss is watched on.
    pub validation: SplitTotals,
    /// Traces that did not become rows, by reason.
    pub left_out: Vec<LeftOut>,
    /// Rows by tokens.
    pub tokens: Vec<RowBar>,
    /// Rows by trained tokens.
    pub trained_tokens: Vec<RowBar>,
    /// The most tokens that a row has.
    pub longest: u32,
    /// Tokens that a trainer saves on beginnings that rows share.
    pub trie: TrieTotals,
    /// Whether tokens are estimates, because no tokenizer was chosen.
    pub estimated: bool,
    /// Warnings by kind: what leaves rows out first, then by how many.
    pub warnings: Vec<DatasetWarning>,
    /// Rows that are left out because another is the same.
    pub duplicates: u32,
    /// The first families; of a version, `dataset_families` gives all.
    pub families: Vec<DatasetFamily>,
    /// Families in all.
    pub families_total: u32,
    /// About how long training takes.
    pub estimates: Vec<TrainingEstimate>,
    /// What of the query or the split was not understood or could not be done, a sentence each.
    pub problems: Vec<String>,
}
