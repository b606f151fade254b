//! Products with weights.

use candle_core::Tensor;

use super::matrix::{Into, Matrix, MatrixMut, Threads, multiply};
use super::tensor::{change, change_rows, strided, tensor};
use crate::error::{Error, Result};

fn product(left: &Tensor, right: &Tensor, transpose_right: bool) -> Result<Tensor> {
    let (rows, inner) = left.dims2()?;
    let cols = if transpose_right { right.dims2()?.0 } else { right.dims2()?.1 };
    let ((left_numbers, left_layout), (right_numbers, right_layout)) = (strided(left)?, strided(right)?);
    let (left_stride, right_stride) = (left_layout.stride(), right_layout.stride());
    let left = Matrix::with_strides(&left_numbers, rows, inner, left_stride[0], left_stride[1]);
    let (right_rows, right_cols) = right.dims2()?;
    let mut right = Matrix::with_strides(&right_numbers, right_rows, right_cols, right_stride[0], right_stride[1]);
    if transpose_right {
        right = right.transposed();
    }
    if right.rows() != inner {
        return Err(Error::Kernel(format!("a product of {rows}x{inner} and {}x{cols}", right.rows())));
    }
    let mut output = vec![0.0_f32; rows * cols];
    multiply(MatrixMut::new(&mut output, rows, cols, cols), Into::Replace, 1.0, left, right, Threads::All);
    tensor(output, (rows, cols))
}

/// `x` [n, in] through `weight` [out, in]: `x * weight^T`, [n, out].
///
/// # Errors
/// When the tensors do not fit or are not 32-bit floats on the CPU.
pub fn forward(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    product(x, weight, true)
}

/// The gradient of `x` from the gradient `dy` [n, out]: `dy * weight`, [n, in].
///
/// # Errors
/// When the tensors do not fit or are not 32-bit floats on the CPU.
pub fn backward(dy: &Tensor, weight: &Tensor) -> Result<Tensor> {
    product(dy, weight, false)
}

/// `to += scale * left * right`, where it is. Any of them may be a part of a larger matrix; what is read shares no numbers
/// with `to`.
///
/// # Errors
/// When the tensors do not fit or are not 32-bit floats on the CPU.
pub fn add_product(to: &Tensor, scale: f32, left: &Tensor, right: &Tensor) -> Result<()> {
    let ((rows, inner), (right_rows, cols)) = (left.dims2()?, right.dims2()?);
    if to.dims2()? != (rows, cols) || inner != right_rows {
        return Err(Error::Kernel(format!(
            "a product of {rows}x{inner} and {right_rows}x{cols} added to {:?}",
            to.shape()
        )));
    }
    let ((left_numbers, left_layout), (right_numbers, right_layout)) = (strided(left)?, strided(right)?);
    let (left_stride, right_stride) = (left_layout.stride(), right_layout.stride());
    let left = Matrix::with_strides(&left_numbers, rows, inner, left_stride[0], left_stride[1]);
    let right = Matrix::with_strides(&right_numbers, right_rows, cols, right_stride[0], right_stride[1]);
    change_rows(to, |numbers, stride| {
        multiply(MatrixMut::new(numbers, rows, cols, stride), Into::Add, scale, left, right, Threads::All);
    })
}

/// Adds `bias` [width] to each row of `to` [n, width], where it is.
///
/// # Errors
/// When the tensors do not fit or are not 32-bit floats on the CPU.
pub fn add_bias(to: &Tensor, bias: &Tensor) -> Result<()> {
    let bias = super::tensor::floats(bias)?;
    let bias: &[f32] = &bias;
    change(to, |numbers| {
        for row in numbers.chunks_exact_mut(bias.len()) {
            for (sum, more) in row.iter_mut().zip(bias) {
                *sum += more;
            }
        }
    })
}
