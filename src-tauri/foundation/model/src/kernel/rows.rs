//! Rows of a tensor picked, and put back.

use candle_core::Tensor;

use super::tensor::{change, floats, tensor};
use super::vector::vectorised;
use crate::error::Result;

/// The rows of `from` [n, width] at these places.
///
/// # Errors
/// When the tensor is not contiguous 32-bit floats on the CPU.
pub fn pick(from: &Tensor, rows: &[u32]) -> Result<Tensor> {
    let width = from.dims2()?.1;
    let input = floats(from)?;
    let mut output = Vec::with_capacity(rows.len() * width);
    for row in rows {
        output.extend_from_slice(&input[*row as usize * width..][..width]);
    }
    tensor(output, (rows.len(), width))
}

/// Adds the rows of `more` to those of `to` at these places, where they are.
///
/// # Errors
/// When the tensors are not contiguous 32-bit floats on the CPU.
pub fn add_at(to: &Tensor, rows: &[u32], more: &Tensor) -> Result<()> {
    let width = to.dims2()?.1;
    let input = floats(more)?;
    let input: &[f32] = &input;
    change(to, |numbers| {
        for (row, more) in rows.iter().zip(input.chunks_exact(width)) {
            for (sum, more) in numbers[*row as usize * width..][..width].iter_mut().zip(more) {
                *sum += more;
            }
        }
    })
}

/// Adds `more` to `to`, where it is.
///
/// # Errors
/// When the tensors are not contiguous 32-bit floats on the CPU.
pub fn add(to: &Tensor, more: &Tensor) -> Result<()> {
    let input = floats(more)?;
    let input: &[f32] = &input;
    change(to, |numbers| {
        vectorised(|| {
            for (sum, more) in numbers.iter_mut().zip(input) {
                *sum += more;
            }
        });
    })
}
