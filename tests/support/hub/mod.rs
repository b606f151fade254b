//! A Hub on loopback: the Hugging Face Hub as its official clients need it, with repositories in memory.
//!
//! In: requests of `huggingface_hub`, `datasets` and this app. Out: commits that hold what was uploaded, and faults where
//! a test asks for them ([`Fault`]). Never: a half commit, a port or a byte that outlives the [`LoopbackHub`].
//!
//! What it answers was written after what those clients send and accept, not copied from the Hub: texts of errors and
//! the size from which files go to large-file storage are this double's own.

mod api;
mod card;
mod fault;
mod repo;
mod resolve;
mod server;
mod upload;

pub use fault::{Act, Fault};
pub use repo::{Commit, Kind};
pub use server::{LoopbackHub, Seen};

/// The account of [`WRITE_TOKEN`] and [`READ_TOKEN`].
pub const USER: &str = "tester";
/// A token that may write as [`USER`].
pub const WRITE_TOKEN: &str = "hf_LoopbackWriteTokenForTests0123456789";
/// A token that may only read.
pub const READ_TOKEN: &str = "hf_LoopbackReadTokenForTests00123456789";
