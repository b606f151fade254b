//! What a model generates, against its layers computed anew for every token.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tokens and scales are small")]

mod batch;
mod faults;
mod generation;
mod gguf;
mod goldens;
mod support;
