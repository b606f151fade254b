//! How much memory a step takes, and what its layers can keep within a budget.

use tw_model::Architecture;
use tw_model::decoder::Keep;

use crate::engine::LOGITS_BYTES;
use crate::error::{Error, Result};

const FLOAT: u64 = 4;

fn bytes(numbers: usize) -> u64 {
    numbers as u64 * FLOAT
}

/// Bytes that a layer keeps per token from its forward to its backward.
fn kept(a: &Architecture, keep: Keep) -> u64 {
    let heads = a.q_width() + 2 * a.kv_width();
    let attention = a.hidden + heads * if a.qk_norm { 2 } else { 1 } + a.q_width() + a.heads;
    bytes(match keep {
        Keep::Input => a.hidden,
        Keep::WithoutMlp => a.hidden + attention,
        Keep::All => a.hidden + attention + 2 * a.intermediate,
    })
}

/// What a step takes whatever is kept: weights, the adapter with its gradients and states, one layer's working set, a chunk
/// of logits. States are counted with 32 bits, also where they take 8.
fn fixed(a: &Architecture, trained: usize, tokens: usize) -> u64 {
    let layer = 5 * a.intermediate + 4 * (a.q_width() + 2 * a.kv_width()) + 6 * a.hidden + 2 * a.heads * a.head_dim;
    let merged = 2 * a.hidden * a.intermediate;
    bytes(a.parameters()) + 4 * bytes(trained) + bytes(layer * tokens) + bytes(merged) + LOGITS_BYTES as u64
}

/// The most that a step over a pack of so many tokens is expected to take.
#[must_use]
pub fn peak_bytes(a: &Architecture, trained: usize, tokens: usize, keep: &[Keep]) -> u64 {
    fixed(a, trained, tokens) + keep.iter().map(|keep| kept(a, *keep) * tokens as u64).sum::<u64>()
}

/// What each layer keeps so that a pack of so many tokens fits: as much as possible, the upper layers first (they need it
/// for the shortest time).
///
/// # Errors
/// When it does not fit even if every layer keeps only its input.
pub fn plan(a: &Architecture, trained: usize, tokens: usize, budget: Option<u64>) -> Result<Vec<Keep>> {
    let mut keep = vec![Keep::All; a.layers];
    let Some(allowed) = budget else { return Ok(keep) };
    for less in [Keep::WithoutMlp, Keep::Input] {
        for layer in 0..a.layers {
            if peak_bytes(a, trained, tokens, &keep) <= allowed {
                return Ok(keep);
            }
            keep[layer] = less;
        }
    }
    let needed = peak_bytes(a, trained, tokens, &keep);
    if needed <= allowed { Ok(keep) } else { Err(Error::Memory { tokens, needed, allowed }) }
}
