//! Rows of tokens and a base model in, a LoRA adapter in PEFT's layout out.
//!
//! In: a job's folder (spec, rows with the weight of each token) and a model's folder. Out: losses step by step,
//! checkpoints from which training goes on with the same bits, the adapter, a merged model. Never: a token that several rows
//! share computed more than once per pack, automatic differentiation, or a checkpoint that is only half there.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod adapted;
pub mod adapter;
mod checkpoint;
pub mod engine;
mod error;
pub mod memory;
mod merge;
mod moments;
mod noise;
mod outline;
pub mod pack;
pub mod peft;
mod trainer;

pub use adapter::Adapter;
pub use error::{Error, Result};
pub use merge::{merge, merge_telling};
pub use noise::Noise;
pub use outline::{Outline, outline};
pub use pack::{Pack, Sequence};
pub use trainer::Trainer;
