//! Evaluate: what a model does, against what it should have done, counted.
//!
//! In: true answers and given ones, finished runs with the rules of their tasks, recorded traces. Out: scores, rates with
//! intervals, verdicts, recorded tool results, reports as texts. Never: a request to an endpoint, a call of a tool, a file;
//! `app` does these and hands over what came.

mod calls;
mod divergence;
mod error;
mod exam;
mod judge;
mod pass;
mod rate;
mod report;
mod rule;
mod totals;
mod world;

pub use calls::{call_key, canonical};
pub use divergence::{Divergence, divergence};
pub use error::{Error, Result};
pub use exam::{Given, failed, score};
pub use judge::{judge_messages, read_judgement};
pub use pass::{pass_all, pass_at};
pub use rate::{change, rate, rate_of_groups};
pub use report::{to_csv, to_markdown};
pub use rule::{check, verdict};
pub use totals::{by_tool, changes, exam_totals, rollout_totals};
pub use world::{Recorded, World};
