//! The layers against what transformers computes: `tests/parity/goldens/train`, made by `tests/parity/train.py`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod layers;
mod logits;
