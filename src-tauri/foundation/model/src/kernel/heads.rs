//! From rows of a projection to heads, with their norms and rotary positions, and back.
//!
//! A projection's row holds the query heads, then the key heads, then the value heads, as many as the [`Heads`] say (any
//! may be none). Attention wants them head by head: [heads, n, head_dim].

use candle_core::Tensor;
use rayon::prelude::*;

use super::norm::{normalise, normalise_backward};
use super::tensor::{floats, tensor};
use super::vector::vectorised;
use crate::error::Result;
use crate::rope::Table;

/// What a projection's row holds.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a> {
    /// Query heads.
    pub queries: usize,
    /// Key heads.
    pub keys: usize,
    /// Value heads.
    pub values: usize,
    /// Numbers per head.
    pub head_dim: usize,
    /// Weights of the norms over each query and each key head, where the model has them.
    pub norms: Option<(&'a Tensor, &'a Tensor)>,
    /// Added to the mean square in those norms.
    pub eps: f32,
}

impl Heads<'_> {
    fn all(&self) -> usize {
        self.queries + self.keys + self.values
    }

    fn weights(&self) -> Result<Option<(Vec<f32>, Vec<f32>)>> {
        self.norms.map(|(queries, keys)| Ok((floats(queries)?.to_vec(), floats(keys)?.to_vec()))).transpose()
    }

    fn norm<'w>(&self, weights: Option<&'w (Vec<f32>, Vec<f32>)>, head: usize) -> Option<&'w [f32]> {
        let (queries, keys) = weights?;
        if head < self.queries { Some(queries) } else { (head < self.queries + self.keys).then_some(keys.as_slice()) }
    }
}

/// Turns each pair, half a head apart, by its angle; `sign` -1 turns back.
#[inline(always)]
fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32], sign: f32) {
    let (first, second) = head.split_at_mut(cos.len());
    for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
        let (x, y, sin) = (*a, *b, *sin * sign);
        *a = x * cos - y * sin;
        *b = y * cos + x * sin;
    }
}

/// From `rows` [n, all heads * head_dim] to [all heads, n, head_dim]: queries and keys normalised and rotated.
///
/// # Errors
/// When the tensors are not contiguous 32-bit floats on the CPU.
pub fn split(rows: &Tensor, heads: &Heads<'_>, table: &Table) -> Result<Tensor> {
    let (count, width) = rows.dims2()?;
    let (dim, pairs) = (heads.head_dim, table.pairs);
    let input = floats(rows)?;
    let input: &[f32] = &input;
    let weights = heads.weights()?;
    let mut output = vec![0.0_f32; count * width];
    output.par_chunks_mut((count * dim).max(1)).enumerate().for_each(|(head, output)| {
        let norm = heads.norm(weights.as_ref(), head);
        vectorised(|| {
            for (row, output) in output.chunks_exact_mut(dim).enumerate() {
                output.copy_from_slice(&input[row * width + head * dim..][..dim]);
                if let Some(weight) = norm {
                    normalise(output, weight, heads.eps);
                }
                if head < heads.queries + heads.keys {
                    let at = row * pairs;
                    rotate(output, &table.cos[at..at + pairs], &table.sin[at..at + pairs], 1.0);
                }
            }
        });
    });
    tensor(output, (heads.all(), count, dim))
}

/// The gradient of a projection's rows from the gradients of the heads, given in order (queries, keys, values, as there
/// are). `rows` are those that [`split`] was given; they are needed where heads are normalised.
///
/// # Errors
/// When the tensors are not contiguous 32-bit floats on the CPU.
pub fn split_backward(
    gradients: &[&Tensor],
    rows: Option<&Tensor>,
    heads: &Heads<'_>,
    table: &Table,
) -> Result<Tensor> {
    const ROWS: usize = 16;
    let (dim, pairs) = (heads.head_dim, table.pairs);
    let (count, width) = (table.cos.len() / pairs, heads.all() * dim);
    let input = rows.map(floats).transpose()?;
    let input = input.as_deref();
    let guards = gradients.iter().map(|gradient| floats(gradient)).collect::<Result<Vec<_>>>()?;
    let upper: Vec<&[f32]> = guards.iter().flat_map(|guard| guard.chunks_exact((count * dim).max(1))).collect();
    let weights = heads.weights()?;
    let mut output = vec![0.0_f32; count * width];
    output.par_chunks_mut(ROWS * width).enumerate().for_each(|(chunk, rows)| {
        vectorised(|| {
            for (place, output) in rows.chunks_exact_mut(width).enumerate() {
                let row = chunk * ROWS + place;
                for (head, output) in output.chunks_exact_mut(dim).enumerate() {
                    output.copy_from_slice(&upper[head][row * dim..][..dim]);
                    if head < heads.queries + heads.keys {
                        let at = row * pairs;
                        // Turning back is the transpose also where YaRN scales: both scale alike.
                        rotate(output, &table.cos[at..at + pairs], &table.sin[at..at + pairs], -1.0);
                    }
                    if let (Some(weight), Some(input)) = (heads.norm(weights.as_ref(), head), input) {
                        normalise_backward(output, &input[row * width + head * dim..][..dim], weight, heads.eps);
                    }
                }
            }
        });
    });
    tensor(output, (count, width))
}
