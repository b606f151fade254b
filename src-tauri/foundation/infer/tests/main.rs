//! What a model generates, against its layers computed anew for every token.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod batch;
mod faults;
mod generation;
mod gguf;
mod goldens;
mod support;
