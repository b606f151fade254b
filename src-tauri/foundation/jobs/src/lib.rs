//! A job for the worker in, its events out: the spec, the rows, the folder in which everything is kept, the words of the
//! protocol, and the process.
//!
//! In: what to train on what, and a folder. Out: events, from the first on, also for an app that was opened later. Never:
//! any arithmetic (this crate knows no tensor, so the app may use it), and never a job that ends because its app did.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod error;
mod folder;
mod protocol;
mod row;
mod spec;
mod worker;

pub use error::{Error, Result};
pub use folder::{JobFolder, Lock, Tail, sync_folder, write_whole};
pub use protocol::{Command, DeviceInfo, Event, PROTOCOL, PlanInfo, StepInfo};
pub use row::{Row, Span, read_rows, write_rows};
pub use spec::{LoraSpec, OptimizerSpec, Schedule, TrainSpec};
pub use worker::{Running, Watch, Worker};
