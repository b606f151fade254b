//! What evaluations are asked and answer. Their figures and reports are [`tw_artifact::EvalReport`] and its parts.

use serde::{Deserialize, Serialize};
use tw_artifact::{EvalSubject, ExamTotals, RolloutTotals, Sampling, SplitName, TraceChoice};

/// Who is to be measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubjectChoice {
    /// The person's word for it: `base`, `tuned`. Empty for the model's name.
    pub name: String,
    /// The endpoint.
    pub endpoint_id: String,
    /// The model there.
    pub model: String,
}

/// Which answers are the truth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExamSource {
    /// Traces as they stand now. Rejected ones are left out.
    Traces(TraceChoice),
    /// The traces of one part of a dataset version, as they stood then where that revision still exists.
    Dataset {
        /// The version, by its id or the beginning of it.
        id: String,
        /// The part.
        split: SplitName,
    },
}

/// A next-call exam: for every answer of a model in the traces, what came before it is given, and what comes is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExamRequest {
    /// The person's name for it; empty for one made of its subjects.
    pub name: String,
    /// Where the true answers are.
    pub source: ExamSource,
    /// Who is measured: the first is what the others are compared with.
    pub subjects: Vec<SubjectChoice>,
    /// How answers are sampled. By default greedily, at most 2,048 tokens, always with the same seed.
    pub sampling: Sampling,
    /// At most so many steps, chosen by `seed` among all; `None` for all.
    pub most_steps: Option<u32>,
    /// Another number chooses other steps.
    pub seed: u64,
    /// Requests at the same time to one endpoint; 0 counts as 1.
    pub concurrency: u32,
}

impl Default for ExamRequest {
    fn default() -> Self {
        Self {
            name: String::new(),
            source: ExamSource::Traces(TraceChoice::Query(String::new())),
            subjects: Vec::new(),
            sampling: Sampling {
                temperature: Some(0.0),
                max_tokens: Some(2_048),
                seed: Some(1),
                ..Sampling::default()
            },
            most_steps: None,
            seed: 1,
            concurrency: 4,
        }
    }
}

/// How far an evaluation is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EvalProgress {
    /// The report's id.
    pub id: String,
    /// Answers that came, or failed.
    pub done: u32,
    /// Of how many; 0 while they are being chosen.
    pub total: u32,
    /// How many failed.
    pub failed: u32,
    /// Seconds left, from the time that the last ones took; `None` before that is known.
    pub seconds_left: Option<u32>,
    /// `None` while it works; then how it ended: `done`, `cancelled`, or what failed.
    pub ended: Option<String>,
    /// Its figures so far.
    pub summary: EvalSummary,
}

/// One column of a report, as lists show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ColumnSummary {
    /// Who was measured.
    pub subject: EvalSubject,
    /// The exam, in total.
    pub exam: Option<ExamTotals>,
    /// The rollouts, in total.
    pub rollouts: Option<RolloutTotals>,
}

/// A report, as lists show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EvalSummary {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it began, unix milliseconds.
    pub created_at_ms: i64,
    /// When it ended; `None` for one that is at work or was cut short.
    pub ended_at_ms: Option<i64>,
    /// What it was measured on, in words.
    pub about: String,
    /// Reports with the same one were measured on the same.
    pub basis: String,
    /// Its columns.
    pub columns: Vec<ColumnSummary>,
}

/// A report to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvalExport {
    /// The report.
    pub id: String,
    /// `json`, `markdown` or `csv`.
    pub format: String,
    /// The file to write, on the host's disk; `None` for one in the workspace's `exports` folder.
    pub out: Option<String>,
}

/// A report that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvalExported {
    /// The file.
    pub path: String,
    /// What is in it.
    pub text: String,
}
