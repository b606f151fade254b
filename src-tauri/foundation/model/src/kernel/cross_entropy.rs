//! The loss over next tokens, and its gradient, in one pass over logits.

use candle_core::Tensor;
use rayon::prelude::*;

use super::tensor::{change, floats};
use super::vector::{exp, max_of, vectorised};
use crate::error::Result;

/// A next token that a row is asked for, and how much it counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// The token's id.
    pub token: u32,
    /// Its weight in the loss.
    pub weight: f32,
}

#[inline(always)]
fn log_sum_exp(row: &[f32]) -> f32 {
    let most = max_of(row);
    most + super::vector::sum_of(row.len(), |index| exp(row[index] - most)).ln()
}

/// The weighted losses of each row of `logits` [n, vocab]: `sum of weight * -log p(token)`.
///
/// # Errors
/// When the tensor is not contiguous 32-bit floats on the CPU.
pub fn forward(logits: &Tensor, targets: &[&[Target]]) -> Result<f64> {
    let vocab = logits.dims2()?.1;
    let numbers = floats(logits)?;
    let numbers: &[f32] = &numbers;
    let losses: Vec<f64> = numbers
        .par_chunks(vocab)
        .zip(targets.par_iter())
        .map(|(row, targets)| {
            let all = vectorised(|| log_sum_exp(row));
            targets.iter().map(|target| f64::from(target.weight) * f64::from(all - row[target.token as usize])).sum()
        })
        .collect();
    Ok(losses.iter().sum())
}

/// As [`forward`], and puts `scale` times the loss's gradient where the logits were.
///
/// # Errors
/// When the tensor is not contiguous 32-bit floats on the CPU.
pub fn forward_backward(logits: &Tensor, targets: &[&[Target]], scale: f32) -> Result<f64> {
    let vocab = logits.dims2()?.1;
    let losses = std::sync::Mutex::new(vec![0.0_f64; targets.len()]);
    change(logits, |numbers| {
        let found: Vec<f64> = numbers
            .par_chunks_mut(vocab)
            .zip(targets.par_iter())
            .map(|(row, targets)| {
                let all = vectorised(|| log_sum_exp(row));
                let loss = targets
                    .iter()
                    .map(|target| f64::from(target.weight) * f64::from(all - row[target.token as usize]))
                    .sum();
                let weight: f32 = targets.iter().map(|target| target.weight).sum::<f32>() * scale;
                vectorised(|| {
                    for logit in row.iter_mut() {
                        *logit = exp(*logit - all) * weight;
                    }
                });
                for target in *targets {
                    row[target.token as usize] -= target.weight * scale;
                }
                loss
            })
            .collect();
        if let Ok(mut losses) = losses.lock() {
            *losses = found;
        }
    })?;
    Ok(losses.into_inner().unwrap_or_default().iter().sum())
}
