//! A language model's folder in, its layers' arithmetic out: forwards, and backwards for whoever trains an adapter.
//!
//! In: a folder as the Hub keeps it (`config.json`, safetensors in one file or many) and packs of token ids. Out: hidden
//! states, logits, gradients. Never: a change to the frozen weights, automatic differentiation, or a silent fallback where
//! a config asks for what is not computed.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod architecture;
pub mod checkpoint;
pub mod decoder;
mod error;
pub mod kernel;
pub mod layout;
pub mod rope;
pub mod synthetic;
pub mod weights;

pub use architecture::Architecture;
pub use error::{Error, Result};
pub use layout::{Layout, Segment};
pub use weights::Weights;
