//! Datasets: what a person sets, and the versions that are built of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Json, LintRule};

/// How a trace becomes rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unroll {
    /// One row: the whole trace.
    None,
    /// A row for each question of the user: from the beginning to the last answer before the next question.
    User,
    /// A row for each answer of the model: from the beginning to that answer.
    #[default]
    Step,
    /// The fewest rows in which every answer is trained once, and stands in the text that the model sees when it
    /// answers. Needs a model's template; without one, templates are taken to drop nothing.
    Minimal,
}

/// Which answers of a row are trained. [`Unroll::Minimal`] says so itself: every answer once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainOn {
    /// The last one.
    #[default]
    Last,
    /// Those after the last question.
    Turn,
    /// All.
    All,
}

/// What happens to a row with more tokens than the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverLimit {
    /// It is left out.
    #[default]
    Drop,
    /// Its tool results are cut to a short beginning and a mark, the oldest first, until it fits.
    CutResults,
    /// It becomes several rows, each with the system message, the first question and as many turns as fit.
    Split,
}

/// A part of a dataset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitName {
    /// What is trained on.
    #[default]
    Train,
    /// What the loss is watched on.
    Validation,
}

/// Which traces go into a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceChoice {
    /// All that a query finds, in the words of the browser; empty for every trace. A saved view is the text of its query.
    Query(String),
    /// These.
    Ids(Vec<String>),
}

/// What a person sets for a dataset. The same plan over the same traces gives the same version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatasetPlan {
    /// The dataset's name. Versions of one name stand together.
    pub name: String,
    /// Which traces. Rejected ones, and those whose run is not over, are always left out.
    pub traces: TraceChoice,
    /// Only accepted traces.
    pub accepted_only: bool,
    /// How a trace becomes rows.
    pub unroll: Unroll,
    /// Which answers of a row are trained.
    pub train: TrainOn,
    /// Whether the steering prompt of a run is left out of its rows, as it is of its trace; otherwise it joins the system
    /// message, as the model saw it.
    pub drop_steering: bool,
    /// Whether line breaks that servers leave around reasoning and calls are taken away.
    pub normalise: bool,
    /// Whether messages that a person kept out of datasets are left out. Off, they are shown and not trained.
    pub honour_keep_out: bool,
    /// Most tokens of a row; `None` for no limit.
    pub max_tokens: Option<u32>,
    /// What happens to longer ones.
    pub over_limit: OverLimit,
    /// The part of the traces that is for validation, from 0 to below 1. Traces that branched off from one another, are
    /// pairs or are nearly the same go to the same part.
    pub validation_fraction: f64,
    /// Another number gives another choice of traces for validation.
    pub seed: u64,
    /// Traces whose part a person chose.
    pub by_hand: BTreeMap<String, SplitName>,
    /// Whether rows with the same messages, tools and trained stretches are kept once.
    pub dedupe: bool,
    /// Whether preference pairs of the traces become rows of prompt, chosen and rejected.
    pub preferences: bool,
    /// The model whose tokenizer counts and whose template renders: an entry of the workspace's list, or a folder or GGUF
    /// file on the host's disk. `None` counts by estimate.
    pub model: Option<String>,
    /// More variables of the template (`enable_thinking`): an object, or `null`.
    pub kwargs: Json,
}

// The fraction is checked to be a number from 0 to 1 before anything is done with a plan.
impl Eq for DatasetPlan {}

impl Default for DatasetPlan {
    fn default() -> Self {
        Self {
            name: String::new(),
            traces: TraceChoice::Query(String::new()),
            accepted_only: false,
            unroll: Unroll::default(),
            train: TrainOn::default(),
            drop_steering: true,
            normalise: true,
            honour_keep_out: true,
            max_tokens: None,
            over_limit: OverLimit::default(),
            validation_fraction: 0.0,
            seed: 0,
            by_hand: BTreeMap::new(),
            dedupe: true,
            preferences: true,
            model: None,
            kwargs: Json::Null,
        }
    }
}

/// One part of a dataset in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SplitTotals {
    /// Traces that rows were made of.
    pub traces: u32,
    /// Rows.
    pub rows: u32,
    /// Pairs of a chosen and a rejected ending.
    pub preferences: u32,
    /// Messages of all rows.
    pub messages: u64,
    /// Tokens of all rows.
    pub tokens: u64,
    /// Those that the loss counts.
    pub trained_tokens: u64,
}

/// What a dataset warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetWarningKind {
    /// The row could not be rendered: the template refuses it, or fails.
    NotRendered,
    /// More tokens than the limit: left out.
    OverLimitDropped,
    /// More tokens than the limit: tool results were cut.
    ResultsCut,
    /// More tokens than the limit: became several rows.
    OverLimitSplit,
    /// No token is trained: left out.
    NothingTrained,
    /// Every token is trained.
    EverythingTrained,
    /// The same as another row: left out.
    Duplicate,
    /// The template leaves reasoning out.
    ReasoningDropped,
    /// The template leaves the text of messages out.
    TextDropped,
    /// The template leaves calls out.
    CallsDropped,
    /// The template leaves all but the first call of a message out.
    ParallelCallsDropped,
    /// The template leaves the tools out.
    ToolsDropped,
    /// Arguments of calls are strings.
    StringArguments,
    /// Where a message begins and ends in the text is not known.
    SpanUnknown,
    /// No token that ends the turn is trained.
    NoEndOfTurn,
    /// White space that a server added was taken away.
    WhitespaceNormalised,
    /// A result that the agent's own limit had cut already.
    ResultWasCut,
    /// The conversation has no answer of the model.
    NoAnswer,
    /// Lint finds something in the trace that was never repaired.
    Lint(LintRule),
}

impl DatasetWarningKind {
    /// Whether the rows that it names are not in the dataset.
    #[must_use]
    pub const fn leaves_out(self) -> bool {
        matches!(
            self,
            Self::NotRendered | Self::OverLimitDropped | Self::NothingTrained | Self::Duplicate | Self::NoAnswer
        )
    }

    /// In words, as the head of a group.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotRendered => "Left out: the template gives no text for them",
            Self::OverLimitDropped => "Left out: longer than the limit",
            Self::ResultsCut => "Longer than the limit: oldest tool results cut",
            Self::OverLimitSplit => "Longer than the limit: split",
            Self::NothingTrained => "Left out: nothing in them is trained",
            Self::EverythingTrained => "Every token is trained, the questions too",
            Self::Duplicate => "Left out: the same as another row",
            Self::ReasoningDropped => "The template leaves reasoning out",
            Self::TextDropped => "The template leaves text out",
            Self::CallsDropped => "The template cannot hold tool calls",
            Self::ParallelCallsDropped => "The template cannot hold parallel calls",
            Self::ToolsDropped => "The template does not show the tools",
            Self::StringArguments => "Arguments of calls are strings",
            Self::SpanUnknown => "Where an answer begins and ends is not known",
            Self::NoEndOfTurn => "The end of the turn is not trained",
            Self::WhitespaceNormalised => "Line breaks that the server added were taken away",
            Self::ResultWasCut => "Tool results were cut when they were collected",
            Self::NoAnswer => "Left out: no answer of the model",
            Self::Lint(rule) => rule.label(),
        }
    }
}

/// A kind of warning over all rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetWarning {
    /// What it is about.
    pub kind: DatasetWarningKind,
    /// How many rows.
    pub rows: u32,
    /// Ids of the first of them, at most 20.
    pub examples: Vec<String>,
    /// What the first of them says, in plain words.
    pub text: String,
}

/// A reason for which traces did not become rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Why, in words.
    pub reason: String,
    /// How many traces.
    pub traces: u32,
}

/// A trace that a version was built of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceTrace {
    /// The trace.
    pub id: String,
    /// The revision that it stood at.
    pub revision: u32,
    /// Its part.
    pub split: SplitName,
    /// Rows that it became.
    pub rows: u32,
}

/// A file of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetFile {
    /// Its name in the version's folder.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
    /// Rows in it.
    pub rows: u32,
    /// SHA-256, in hex.
    pub sha256: String,
}

/// What counted the tokens of a version and found its trained stretches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatasetModel {
    /// Its name; empty where tokens are estimates.
    pub name: String,
    /// SHA-256 of the tokenizer's file, in hex.
    pub tokenizer_sha256: String,
    /// SHA-256 of the template, in hex.
    pub template_sha256: String,
}

/// Tokens that a trainer computes when rows that begin the same are computed together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrieTotals {
    /// Tokens row by row.
    pub tokens: u64,
    /// Nodes of the prefix tree over all rows: every beginning once.
    pub nodes: u64,
}

impl TrieTotals {
    /// How many times fewer tokens, times 100; 100 where nothing is shared.
    #[must_use]
    pub fn saved_percent(&self) -> u64 {
        self.tokens.saturating_mul(100).checked_div(self.nodes).unwrap_or(100)
    }
}

/// A push of a version to the Hub.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatasetPush {
    /// `owner/name`
    pub repo: String,
    /// The commit that has the version's files.
    pub commit: String,
    /// The page of the repository at that commit.
    pub url: String,
    /// When, unix milliseconds.
    pub at_ms: i64,
}

/// A built version of a dataset, as lists show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatasetVersion {
    /// SHA-256 over what it is made of, in hex: equal ids mean equal rows.
    pub id: String,
    /// The dataset's name.
    pub name: String,
    /// When it was built, unix milliseconds.
    pub built_at_ms: i64,
    /// What is trained on, in numbers.
    pub train: SplitTotals,
    /// What the loss is watched on.
    pub validation: SplitTotals,
    /// How traces became rows.
    pub unroll: Unroll,
    /// Which answers are trained.
    pub train_on: TrainOn,
    /// What counted the tokens; `None` where they are estimates.
    pub model: Option<DatasetModel>,
    /// Bytes of its files.
    pub bytes: u64,
    /// Why it cannot be used, where its files are gone or were changed.
    pub problem: Option<String>,
    /// Where it was pushed to, the last push first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pushes: Vec<DatasetPush>,
}

impl DatasetVersion {
    /// Characters of the short form of an id.
    pub const SHORT: usize = 12;

    /// The id as a person sees it.
    #[must_use]
    pub fn short_id(&self) -> &str {
        self.id.get(..Self::SHORT).unwrap_or(&self.id)
    }
}

impl Unroll {
    /// All, in the order in which a person is offered them.
    pub const ALL: [Self; 4] = [Self::None, Self::User, Self::Step, Self::Minimal];

    /// The word on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::User => "user",
            Self::Step => "step",
            Self::Minimal => "minimal",
        }
    }

    /// What a person reads.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::None => "Whole trace",
            Self::User => "Per user turn",
            Self::Step => "Per answer",
            Self::Minimal => "Fewest rows",
        }
    }
}

impl TrainOn {
    /// All, in the order in which a person is offered them.
    pub const ALL: [Self; 3] = [Self::Last, Self::Turn, Self::All];

    /// The word on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Turn => "turn",
            Self::All => "all",
        }
    }

    /// What a person reads.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Last => "Last answer",
            Self::Turn => "Last turn",
            Self::All => "Every answer",
        }
    }
}

impl OverLimit {
    /// All, in the order in which a person is offered them.
    pub const ALL: [Self; 3] = [Self::Drop, Self::CutResults, Self::Split];

    /// The word in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::CutResults => "cut_results",
            Self::Split => "split",
        }
    }

    /// What a person reads.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Drop => "Leave out",
            Self::CutResults => "Cut oldest tool results",
            Self::Split => "Split",
        }
    }
}

impl SplitName {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Train, Self::Validation];

    /// The word in files and on the Hub.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
        }
    }
}

impl fmt::Display for SplitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
