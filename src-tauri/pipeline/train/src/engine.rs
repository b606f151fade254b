//! A pack's loss, and the adapter's gradients.

use candle_core::Tensor;
use tw_model::Weights;
use tw_model::decoder::{Decoder, Keep, Linears, Prepared};
use tw_model::kernel::cross_entropy::{self, Target};
use tw_model::kernel::linear;

use crate::adapted::{Adapted, Dropout};
use crate::adapter::Adapter;
use crate::error::Result;
use crate::noise::Noise;
use crate::pack::Pack;

/// Logits are formed for so many bytes at a time, never for all tokens.
pub(crate) const LOGITS_BYTES: usize = 64 << 20;

/// How many rows of logits are formed at a time.
pub(crate) fn logit_rows(vocab: usize) -> usize {
    (LOGITS_BYTES / 4 / vocab.max(1)).max(32)
}

/// The sum of a pack's weighted losses under the model with an adapter, or without one.
///
/// # Errors
/// When a token is not in the vocabulary, or a tensor operation fails.
pub fn loss(weights: &Weights, adapter: Option<&Adapter>, pack: &Pack) -> Result<f64> {
    let adapted = adapter.map(|adapter| Adapted { weights, adapter, gradients: None, dropout: None });
    let linears: &dyn Linears = adapted.as_ref().map_or(weights, |adapted| adapted);
    let prepared = Prepared::new(&weights.architecture, &pack.layout, &pack.asked);
    let decoder = Decoder { weights, linears, pack: &prepared };
    let mut hidden = decoder.embed(&pack.tokens)?;
    for layer in 0..weights.layers.len() {
        hidden = decoder.layer(layer, hidden)?.0;
    }
    let normed = decoder.finish(&hidden)?;
    let mut sum = 0.0;
    for (start, targets) in chunks(weights, pack) {
        let logits = linear::forward(&normed.narrow(0, start, targets.len())?, &weights.head)?;
        sum += cross_entropy::forward(&logits, &targets)?;
    }
    Ok(sum)
}

fn chunks<'a>(weights: &Weights, pack: &'a Pack) -> impl Iterator<Item = (usize, Vec<&'a [Target]>)> {
    let rows = logit_rows(weights.architecture.vocab);
    pack.targets
        .chunks(rows)
        .enumerate()
        .map(move |(chunk, targets)| (chunk * rows, targets.iter().map(Vec::as_slice).collect()))
}

/// How a pack's gradients are computed.
#[derive(Clone, Debug)]
pub struct Pass<'a> {
    /// What each layer keeps from its forward to its backward.
    pub keep: &'a [Keep],
    /// What the gradients count: one over the step's total weight.
    pub scale: f32,
    /// Whether branches drop inputs.
    pub dropout: Option<Dropout>,
    /// Whether the embeddings get noise.
    pub noise: Option<Noise>,
}

/// As [`loss`], and adds `scale` times the gradients of the adapter's numbers to `gradients`.
///
/// # Errors
/// When a token is not in the vocabulary, or a tensor operation fails.
pub fn gradients(
    weights: &Weights,
    adapter: &Adapter,
    pack: &Pack,
    pass: &Pass<'_>,
    gradients: &Tensor,
) -> Result<f64> {
    let linears = Adapted { weights, adapter, gradients: Some(gradients), dropout: pass.dropout };
    let prepared = Prepared::new(&weights.architecture, &pack.layout, &pack.asked);
    let decoder = Decoder { weights, linears: &linears, pack: &prepared };
    let mut hidden = decoder.embed(&pack.tokens)?;
    if let Some(noise) = pass.noise {
        noise.add(&hidden, pack)?;
    }
    let mut saved = Vec::with_capacity(weights.layers.len());
    for layer in 0..weights.layers.len() {
        let (output, kept) = decoder.layer(layer, hidden)?;
        saved.push(kept.keeping(pass.keep.get(layer).copied().unwrap_or(Keep::All)));
        hidden = output;
    }
    let normed = decoder.finish(&hidden)?;
    let (mut sum, mut parts) = (0.0, Vec::new());
    for (start, targets) in chunks(weights, pack) {
        let logits = linear::forward(&normed.narrow(0, start, targets.len())?, &weights.head)?;
        sum += cross_entropy::forward_backward(&logits, &targets, pass.scale)?;
        parts.push(linear::backward(&logits, &weights.head)?);
    }
    drop(normed);
    let mut upper = decoder.finish_backward(&Tensor::cat(&parts, 0)?, &hidden)?;
    drop((parts, hidden));
    // Below the lowest branch nothing learns.
    let lowest = adapter.slots.first().map_or(0, |slot| slot.layer);
    while let Some(kept) = saved.pop() {
        let layer = saved.len();
        match decoder.layer_backward(layer, kept, &upper, layer > lowest)? {
            Some(lower) => upper = lower,
            None => break,
        }
    }
    Ok(sum)
}
