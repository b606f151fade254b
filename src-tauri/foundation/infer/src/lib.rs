//! Token ids in, token ids out: a local model that answers many requests at once.
//!
//! In: a model's folder (safetensors) or a GGUF file, LoRA branches by name, requests with their sampling. Out: for each
//! request its tokens one by one, with log-probabilities where asked, and why it ended. Never: text (that is the
//! tokenizer's), a result that depends on which other requests run beside it, or memory beyond what was given for keys
//! and values.
//!
//! A number of the output is always summed in the same order, whatever else is computed with it: so a request gives the
//! same bits alone, in company, with its prompt read in one piece or in several, and with its beginning taken from the
//! cache. The products of a GGUF file's weights are candle's: there only the same company gives the same bits.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod adapter;
mod cache;
mod engine;
mod error;
mod forward;
mod gguf;
mod kernel;
mod matrix;
mod model;
mod projection;
mod request;
mod sampling;
mod sequence;

pub use adapter::{Adapter, Branch, Module};
pub use cache::BLOCK_TOKENS;
pub use engine::{Engine, Options, Stats};
pub use error::{Error, Result};
pub use model::Model;
pub use request::{Constraint, Ended, Event, Generation, Reason, Request, TokenInfo};
pub use sampling::Sampling;
