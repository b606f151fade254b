//! Root-mean-square norm: `y = x / sqrt(mean(x^2) + eps) * weight`, row by row.

use candle_core::Tensor;
use rayon::prelude::*;

use super::tensor::{floats, tensor};
use super::vector::{dot, sum_of, vectorised};
use crate::error::Result;

/// Rows that one task takes.
const ROWS: usize = 32;

#[inline(always)]
fn inverse_rms(row: &[f32], eps: f32) -> f32 {
    1.0 / (dot(row, row) / row.len() as f32 + eps).sqrt()
}

/// One row's norm, in place.
#[inline(always)]
pub(super) fn normalise(row: &mut [f32], weight: &[f32], eps: f32) {
    let scale = inverse_rms(row, eps);
    for (x, weight) in row.iter_mut().zip(weight) {
        *x = weight * (*x * scale);
    }
}

/// From the gradient `dy` of one row's norm to the gradient of the row `x`, in place.
#[inline(always)]
pub(super) fn normalise_backward(dy: &mut [f32], x: &[f32], weight: &[f32], eps: f32) {
    let count = dy.len();
    let (x, weight) = (&x[..count], &weight[..count]);
    let scale = inverse_rms(x, eps);
    let along = sum_of(count, |index| dy[index] * weight[index] * x[index]) * scale * scale / count as f32;
    for ((dy, weight), x) in dy.iter_mut().zip(weight).zip(x) {
        *dy = scale * (*dy * weight - x * along);
    }
}

/// The norm of each row of `x` [n, width] with `weight` [width].
///
/// # Errors
/// When the tensors are not contiguous 32-bit floats on the CPU.
pub fn forward(x: &Tensor, weight: &Tensor, eps: f32) -> Result<Tensor> {
    let (input, scale) = (floats(x)?, floats(weight)?);
    let (input, scale): (&[f32], &[f32]) = (&input, &scale);
    let mut output = input.to_vec();
    output.par_chunks_mut(ROWS * scale.len()).for_each(|rows| {
        vectorised(|| {
            for row in rows.chunks_exact_mut(scale.len()) {
                normalise(row, scale, eps);
            }
        });
    });
    tensor(output, x.shape())
}

/// The gradient of `x` from the gradient `dy` of the norm, added to `residual` where there is one. All are [n, width].
///
/// # Errors
/// When the tensors are not contiguous 32-bit floats on the CPU.
pub fn backward(dy: &Tensor, x: &Tensor, weight: &Tensor, eps: f32, residual: Option<&Tensor>) -> Result<Tensor> {
    let (input, scale, upper) = (floats(x)?, floats(weight)?, floats(dy)?);
    let (input, scale): (&[f32], &[f32]) = (&input, &scale);
    let residual = residual.map(floats).transpose()?;
    let residual = residual.as_deref();
    let width = scale.len();
    let mut output = upper.to_vec();
    output.par_chunks_mut(ROWS * width).enumerate().for_each(|(chunk, rows)| {
        vectorised(|| {
            for (place, row) in rows.chunks_exact_mut(width).enumerate() {
                let start = (chunk * ROWS + place) * width;
                normalise_backward(row, &input[start..start + width], scale, eps);
                if let Some(residual) = residual {
                    for (sum, more) in row.iter_mut().zip(&residual[start..start + width]) {
                        *sum += more;
                    }
                }
            }
        });
    });
    tensor(output, dy.shape())
}
