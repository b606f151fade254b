//! The nouns of the app: what the stages hand to each other and what the window shows.
//!
//! In: JSON text from files, endpoints and MCP servers. Out: typed views on it that keep every field, key order and
//! number as written ([`Json`]), and plain records of a run (steps, calls, verdicts, budgets).
//! Never: I/O, clocks, randomness, or anything that does not build for wasm32. Dates are unix milliseconds.
//!
//! [`Json`] can be read only by `serde_json` from text, not through serde's buffering (`flatten`, `untagged`,
//! internally tagged enums): types that hold it are plain structs or externally tagged enums.

mod budget;
mod dataset;
mod dataset_figures;
mod edit;
mod endpoint;
mod evaluate;
mod hex;
mod json;
mod lint;
mod message;
mod policy;
mod review;
mod run;
mod server;
mod tool;
mod trace;
mod unit;

pub use budget::{Budget, BudgetKeep, Budgets, Cut};
pub use dataset::{
    DatasetFile, DatasetModel, DatasetPlan, DatasetPush, DatasetVersion, DatasetWarning, DatasetWarningKind, LeftOut,
    OverLimit, SourceTrace, SplitName, SplitTotals, TraceChoice, TrainOn, TrieTotals, Unroll,
};
pub use dataset_figures::{DatasetFamily, DatasetPreview, FamilyRow, RowBar, RowFate, TrainingEstimate};
pub use edit::{EditOp, EditedMessage, Marks, Patch, Revision, TextField, TrainSpan};
pub use endpoint::{
    DoctorCheck, DoctorReport, DoctorStatus, EndpointConfig, EndpointPreset, ModelInfo, Sampling, ServeLine,
};
pub use evaluate::{
    Change, Decision, EvalColumn, EvalReport, EvalSubject, EvalTask, ExamTotals, Rate, RolloutScore, RolloutTotals,
    RuleVerdict, StepScore, SuccessRule,
};
pub use hex::hex;
pub use json::{Json, JsonError, Map, Number};
pub use lint::{Finding, FindingCount, LintRule, Place, Repair, Severity};
pub use message::{Arguments, Message, MessageError, Role, ToolCallView};
pub use policy::{ApprovalPolicy, ApprovalRule, Approver, PolicyMode, PolicyVerdict, RuleScope, Verdict};
pub use review::{Branch, PreferencePair, Review, ReviewChange, ReviewStatus};
pub use run::{
    AnswerSource, CallPhase, CallRecord, CallReplay, ImageRef, OutputPart, RunLimits, RunSettings, RunSpec, RunState,
    ServerUse, StepRecord, Usage,
};
pub use server::{Elicitation, ElicitationAnswer, ServerConfig, ServerPhase, ServerStatus, Transport};
pub use tool::{ToolDefinition, ToolHints, ToolInfo};
pub use trace::{SavedMessage, Trace, TraceFile, TraceFileError, TraceOrigin, TraceSummary};
pub use unit::{drop_problem, unit_of, units};
