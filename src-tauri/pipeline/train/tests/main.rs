//! Training against what transformers and peft compute (`tests/parity/goldens/train`), and against itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

mod adapters;
mod checkpoints;
mod goldens;
mod options;
mod tiny;
mod tries;
