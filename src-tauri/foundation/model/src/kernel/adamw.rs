//! One step of AdamW over all trained numbers at once (Loshchilov and Hutter, arXiv 1711.05101), as PyTorch orders it.

use candle_core::Tensor;
use rayon::prelude::*;

use super::tensor::{change, floats};
use super::vector::vectorised;
use crate::error::Result;

/// Numbers that one task takes.
const CHUNK: usize = 16_384;

/// What one step uses.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The step's number, from 1.
    pub number: i32,
    /// Learning rate.
    pub rate: f64,
    /// Share of each number that is taken away per unit of learning rate.
    pub weight_decay: f64,
    /// Decay of the mean gradient.
    pub beta1: f64,
    /// Decay of the mean squared gradient.
    pub beta2: f64,
    /// Added to the root of the mean squared gradient.
    pub eps: f64,
    /// What gradients are multiplied by before they are used (clipping).
    pub gradient_scale: f64,
}

/// A step's numbers as the loop uses them.
#[derive(Clone, Copy)]
pub(super) struct Factors {
    keep: f32,
    size: f32,
    root: f32,
    mean_rest: f32,
    squares_keep: f32,
    squares_rest: f32,
    eps: f32,
    scale: f32,
}

impl Factors {
    #[expect(clippy::cast_possible_truncation, reason = "computed in 32 bits, as PyTorch does")]
    pub(super) fn of(step: &Step) -> Self {
        let (bias1, bias2) = (1.0 - step.beta1.powi(step.number), 1.0 - step.beta2.powi(step.number));
        Self {
            keep: (1.0 - step.rate * step.weight_decay) as f32,
            size: (step.rate / bias1) as f32,
            root: (bias2.sqrt() as f32).recip(),
            mean_rest: (1.0 - step.beta1) as f32,
            squares_keep: step.beta2 as f32,
            squares_rest: (1.0 - step.beta2) as f32,
            eps: step.eps as f32,
            scale: step.gradient_scale as f32,
        }
    }

    /// The step over equally long slices.
    #[inline(always)]
    pub(super) fn apply(&self, values: &mut [f32], gradients: &[f32], mean: &mut [f32], squares: &mut [f32]) {
        let states = mean.iter_mut().zip(squares.iter_mut());
        for ((value, (mean, square)), gradient) in values.iter_mut().zip(states).zip(gradients) {
            let gradient = gradient * self.scale;
            *mean += (gradient - *mean) * self.mean_rest;
            *square = *square * self.squares_keep + gradient * gradient * self.squares_rest;
            *value = *value * self.keep - self.size * (*mean / (square.sqrt() * self.root + self.eps));
        }
    }
}

/// Moves `values` against their `gradients`, and updates the `mean` gradients and mean `squares`. All are as long.
///
/// # Errors
/// When a tensor is not contiguous 32-bit floats on the CPU.
pub fn step(values: &Tensor, gradients: &Tensor, mean: &Tensor, squares: &Tensor, step: &Step) -> Result<()> {
    let gradients = floats(gradients)?;
    let gradients: &[f32] = &gradients;
    let factors = Factors::of(step);
    let (mut first, mut second) = (Ok(()), Ok(()));
    change(values, |values| {
        first = change(mean, |mean| {
            second = change(squares, |squares| {
                let parts = values.par_chunks_mut(CHUNK).zip(mean.par_chunks_mut(CHUNK));
                let parts = parts.zip(squares.par_chunks_mut(CHUNK)).zip(gradients.par_chunks(CHUNK));
                parts.for_each(|(((values, mean), squares), gradients)| {
                    vectorised(|| factors.apply(values, gradients, mean, squares));
                });
            });
        });
    })?;
    first.and(second)
}

/// The length of a gradient: the root of the sum of its squares, in 64 bits and always in the same order.
///
/// # Errors
/// When the tensor is not contiguous 32-bit floats on the CPU.
pub fn norm(gradients: &Tensor) -> Result<f64> {
    let gradients = floats(gradients)?;
    let parts: Vec<f64> = gradients
        .par_chunks(CHUNK)
        .map(|part| part.iter().map(|gradient| f64::from(*gradient) * f64::from(*gradient)).sum())
        .collect();
    Ok(parts.iter().sum::<f64>().sqrt())
}

/// Sets all numbers to 0, where they are.
///
/// # Errors
/// When the tensor is not contiguous 32-bit floats on the CPU.
pub fn clear(numbers: &Tensor) -> Result<()> {
    change(numbers, |numbers| numbers.fill(0.0))
}
