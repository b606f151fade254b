//! The nouns of the app: what the stages hand to each other and what the window shows.
//!
//! In: JSON text from files, endpoints and MCP servers. Out: typed views on it that keep every field, key order and
//! number as written ([`Json`]), and plain records of a run (steps, calls, verdicts, budgets).
//! Never: I/O, clocks, randomness, or anything that does not build for wasm32. Dates are unix milliseconds.
//!
//! [`Json`] can be read only by `serde_json` from text, not through serde's buffering (`flatten`, `untagged`,
//! internally tagged enums): types that hold it are plain structs or externally tagged enums.

mod budget;
mod endpoint;
mod json;
mod message;
mod policy;
mod run;
mod server;
mod tool;
mod trace;

pub use budget::{Budget, BudgetKeep, Budgets, Cut};
pub use endpoint::{
    DoctorCheck, DoctorReport, DoctorStatus, EndpointConfig, EndpointPreset, ModelInfo, Sampling, ServeLine,
};
pub use json::{Json, JsonError, Map, Number};
pub use message::{Arguments, Message, MessageError, Role, ToolCallView};
pub use policy::{ApprovalPolicy, ApprovalRule, Approver, PolicyMode, PolicyVerdict, RuleScope, Verdict};
pub use run::{
    AnswerSource, CallPhase, CallRecord, ImageRef, OutputPart, RunLimits, RunSettings, RunSpec, RunState, ServerUse,
    StepRecord, Usage,
};
pub use server::{Elicitation, ElicitationAnswer, ServerConfig, ServerPhase, ServerStatus, Transport};
pub use tool::{ToolDefinition, ToolHints, ToolInfo};
pub use trace::{SavedMessage, Trace, TraceFile, TraceFileError, TraceOrigin, TraceSummary};
