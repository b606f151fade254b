//! The gated activation of the MLP: `silu(gate) * up`, over rows that hold gate and up side by side.

use candle_core::Tensor;
use rayon::prelude::*;

use super::tensor::{floats, tensor};
use super::vector::{exp, vectorised};
use crate::error::Result;

/// From `gate_up` [n, 2 * width] to [n, width].
///
/// # Errors
/// When the tensor is not contiguous 32-bit floats on the CPU.
pub fn forward(gate_up: &Tensor) -> Result<Tensor> {
    let (rows, both) = gate_up.dims2()?;
    let width = both / 2;
    let input = floats(gate_up)?;
    let input: &[f32] = &input;
    let mut output = vec![0.0_f32; rows * width];
    output.par_chunks_mut(width).enumerate().for_each(|(row, output)| {
        let (gate, up) = input[row * both..(row + 1) * both].split_at(width);
        vectorised(|| {
            for ((output, gate), up) in output.iter_mut().zip(gate).zip(up) {
                *output = gate / (1.0 + exp(-gate)) * up;
            }
        });
    });
    tensor(output, (rows, width))
}

/// The gradient of `gate_up` [n, 2 * width] from the gradient `da` [n, width] of the activation.
///
/// # Errors
/// When the tensors are not contiguous 32-bit floats on the CPU.
pub fn backward(da: &Tensor, gate_up: &Tensor) -> Result<Tensor> {
    let (rows, both) = gate_up.dims2()?;
    let width = both / 2;
    let (input, upper) = (floats(gate_up)?, floats(da)?);
    let (input, upper): (&[f32], &[f32]) = (&input, &upper);
    let mut output = vec![0.0_f32; rows * both];
    output.par_chunks_mut(both).enumerate().for_each(|(row, output)| {
        let (gate, up) = input[row * both..(row + 1) * both].split_at(width);
        let upper = &upper[row * width..(row + 1) * width];
        let (dgate, dup) = output.split_at_mut(width);
        vectorised(|| {
            let inputs = gate.iter().zip(up).zip(upper);
            for ((dgate, dup), ((gate, up), upper)) in dgate.iter_mut().zip(dup).zip(inputs) {
                let sigmoid = 1.0 / (1.0 + exp(-gate));
                let silu = gate * sigmoid;
                *dup = upper * silu;
                *dgate = upper * up * (sigmoid + silu * (1.0 - sigmoid));
            }
        });
    });
    tensor(output, (rows, both))
}
