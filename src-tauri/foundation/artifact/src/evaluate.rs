//! What an evaluation measures and reports: the next-call exam, rollouts of tasks, and reports of both.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Json, Message};

/// How often something was right, with the interval in which the true share lies in 95 of 100 such samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// How often it was right.
    pub right: u32,
    /// Of how many.
    pub of: u32,
    /// Lower end of the interval, from 0 to 1.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

// Ends of intervals are computed from counts: never NaN. So are the other figures of this module.
impl Eq for Rate {}

impl Rate {
    /// The share, from 0 to 1; `None` where nothing was counted.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.of > 0).then(|| f64::from(self.right) / f64::from(self.of))
    }
}

/// What an answer does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Calls at least one tool.
    Call,
    /// Answers in words.
    #[default]
    Answer,
    /// Neither: empty.
    Nothing,
}

/// One step of the exam: the answer that came, against the one in the trace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepScore {
    /// The trace.
    pub trace_id: String,
    /// Which of its messages the true answer is, from 0.
    pub message: u32,
    /// The tools that the true answer calls, in its order; empty where it answers in words.
    pub tools: Vec<String>,
    /// What the true answer does.
    pub expected: Decision,
    /// What the given one does.
    pub given: Decision,
    /// Where the truth calls: whether the given answer calls the same tools, each as often.
    pub tool_right: Option<bool>,
    /// Where the truth calls: whether the same calls were made, with the same arguments.
    pub arguments_right: Option<bool>,
    /// Where the given answer calls: whether all its arguments keep to the schemas of their tools.
    pub schema_valid: Option<bool>,
    /// Parameters of the true calls that came with the same value.
    pub parameters_right: u32,
    /// Parameters of the true calls.
    pub parameters: u32,
    /// Whether it ended by itself, not at a limit.
    pub stopped: bool,
    /// Where the true answer thinks: whether the given one does.
    pub thinking_kept: Option<bool>,
    /// Sum of the negative log-likelihoods of the true answer's tokens (nats), where the endpoint tells them.
    pub nll: Option<f64>,
    /// How many tokens these are.
    pub nll_tokens: u32,
    /// The answer that came, for a person to read.
    pub answer: Option<Message>,
    /// Why none came; all of the above then count as wrong.
    pub problem: Option<String>,
}

impl Eq for StepScore {}

impl StepScore {
    /// Whether it calls where the truth calls and answers where the truth answers.
    #[must_use]
    pub fn decision_right(&self) -> bool {
        self.problem.is_none() && self.expected == self.given
    }

    /// Whether it did what the truth did: the same calls with the same arguments, or an answer in words.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.decision_right() && self.arguments_right.unwrap_or(true)
    }
}

/// The scores of many steps, counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExamTotals {
    /// Steps.
    pub steps: u32,
    /// Steps for which no answer came.
    pub failed: u32,
    /// Called where the truth calls, answered where it answers.
    pub decision: Rate,
    /// Did what the truth did ([`StepScore::is_right`]).
    pub right: Rate,
    /// The same tools, of the steps whose truth calls.
    pub tool: Rate,
    /// The same calls with the same arguments, of these.
    pub arguments: Rate,
    /// Parameters with the same value, of all parameters of true calls.
    pub parameters: Rate,
    /// Arguments within their schemas, of the answers that call.
    pub schema: Rate,
    /// Ended by themselves.
    pub stopped: Rate,
    /// Thought where the truth thinks.
    pub thinking: Rate,
    /// Perplexity of the true answers: e to the mean negative log-likelihood of a token. `None` where it is not known.
    pub perplexity: Option<f64>,
}

impl Eq for ExamTotals {}

/// How two columns of an exam differ in one figure, step by step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Steps that both columns answered or failed, so that they can be compared.
    pub both: u32,
    /// Wrong before, right after.
    pub gained: u32,
    /// Right before, wrong after.
    pub lost: u32,
    /// How likely a difference at least as large would be, were both equally good (exact McNemar test, two-sided).
    pub p_value: f64,
}

impl Eq for Change {}

/// What decides whether a task is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuccessRule {
    /// The final answer has this text; letters count the same in both cases unless `exact`.
    Contains {
        /// The text.
        text: String,
        /// Whether case counts.
        exact: bool,
    },
    /// The final answer matches a regular expression.
    Matches {
        /// The expression.
        pattern: String,
    },
    /// The final answer is JSON (bare, or in one fenced block) with this value at a place.
    Json {
        /// The place, as a JSON pointer; empty for the whole.
        pointer: String,
        /// The value.
        equals: Json,
    },
    /// A tool was called with at least these arguments, and its result was no error.
    Called {
        /// The tool's name.
        tool: String,
        /// Arguments that must be there with these values; `{}` for any.
        arguments: Json,
    },
    /// A tool was not called.
    NotCalled {
        /// The tool's name.
        tool: String,
    },
    /// The last result of a tool that looks (a check tool) has this text: what the page or the file is like at the end.
    ResultContains {
        /// The tool's name.
        tool: String,
        /// The text.
        text: String,
    },
    /// At most so many answers of the model.
    Steps {
        /// How many.
        most: u32,
    },
    /// All of them.
    All(Vec<Self>),
    /// At least one of them.
    Any(Vec<Self>),
    /// The other way round.
    Not(Box<Self>),
    /// A model reads the run and judges by this rubric.
    Judge {
        /// What counts as done, in words.
        rubric: String,
    },
    /// A person decides.
    Person,
}

/// What became of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleVerdict {
    /// Whether the task is done; `None` while a judge or a person has not decided.
    pub passed: Option<bool>,
    /// Why, in a sentence.
    pub reason: String,
}

/// A task to roll out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvalTask {
    /// Unique in its set.
    pub id: String,
    /// What the agent is told.
    pub prompt: String,
    /// The system prompt, where the task has its own.
    #[serde(default)]
    pub system: Option<String>,
    /// What decides.
    pub rule: SuccessRule,
}

/// One run of a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RolloutScore {
    /// The task.
    pub task: String,
    /// Which sample, from 0.
    pub sample: u32,
    /// Its trace.
    pub trace_id: String,
    /// What the rule says.
    pub verdict: RuleVerdict,
    /// Answers of the model.
    pub steps: u32,
    /// Tokens that the model wrote.
    pub tokens: u32,
    /// How long it took.
    pub seconds: f64,
    /// Calls that the recorded world did not know; 0 with live tools.
    pub unmatched_calls: u32,
}

impl Eq for RolloutScore {}

/// The rollouts of one column, counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RolloutTotals {
    /// Tasks.
    pub tasks: u32,
    /// Runs that are decided.
    pub runs: u32,
    /// Runs that passed. The interval takes runs of one task as alike.
    pub passed: Rate,
    /// By k: the chance that at least one of k samples passes, mean over the tasks with at least k samples.
    pub pass_at: BTreeMap<u32, f64>,
    /// By k: the chance that all of k samples pass, likewise.
    pub pass_all: BTreeMap<u32, f64>,
    /// Mean answers of a run.
    pub steps: f64,
    /// Mean tokens of a run.
    pub tokens: f64,
    /// Mean seconds of a run.
    pub seconds: f64,
}

impl Eq for RolloutTotals {}

/// Who was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EvalSubject {
    /// The person's word for it: `base`, `tuned`.
    pub name: String,
    /// The endpoint.
    pub endpoint: String,
    /// The model's name there.
    pub model: String,
}

/// One column of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EvalColumn {
    /// Who was measured.
    pub subject: EvalSubject,
    /// The exam, in total.
    pub exam: Option<ExamTotals>,
    /// By the tool that the truth calls; the empty name is answers in words.
    pub by_tool: BTreeMap<String, ExamTotals>,
    /// Its steps.
    pub steps: Vec<StepScore>,
    /// The rollouts, in total.
    pub rollouts: Option<RolloutTotals>,
    /// Its runs.
    pub runs: Vec<RolloutScore>,
}

/// A report, as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EvalReport {
    /// Its id.
    pub id: String,
    /// The person's name for it.
    pub name: String,
    /// When it began, unix milliseconds.
    pub created_at_ms: i64,
    /// When it ended; `None` for one that was cut short, whose steps and runs are those that were done.
    pub ended_at_ms: Option<i64>,
    /// What it was measured on, in words (a query, a dataset version with its part, a set of tasks).
    pub about: String,
    /// A hash of the true steps or tasks: reports with the same one can be compared.
    pub basis: String,
    /// Settings that change answers, by name: temperature, seed, most tokens ...
    pub settings: BTreeMap<String, String>,
    /// Columns: the first is what the others are compared with.
    pub columns: Vec<EvalColumn>,
    /// For each further column: how it differs from the first, by figure (`right`, `decision`, `tool`, `arguments`,
    /// `schema`, `stopped`).
    pub changes: Vec<BTreeMap<String, Change>>,
    /// What a reader should know, in sentences.
    pub notes: Vec<String>,
}
