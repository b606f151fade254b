//! What is computed row by row between the products.

use rayon::prelude::*;
use tw_model::kernel::vector::{dot, exp, vectorised};

/// Rows that one task takes, where there are more.
const ROWS: usize = 16;

/// Runs over rows of `width` numbers, on all threads where there are many.
fn each_row(rows: &mut [f32], width: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    if rows.len() <= ROWS * width {
        vectorised(|| rows.chunks_exact_mut(width).enumerate().for_each(|(place, row)| work(place, row)));
        return;
    }
    rows.par_chunks_mut(ROWS * width).enumerate().for_each(|(chunk, rows)| {
        vectorised(|| {
            for (place, row) in rows.chunks_exact_mut(width).enumerate() {
                work(chunk * ROWS + place, row);
            }
        });
    });
}

#[inline(always)]
fn normalise(row: &mut [f32], weight: &[f32], eps: f32) {
    let scale = 1.0 / (dot(row, row) / row.len() as f32 + eps).sqrt();
    for (x, weight) in row.iter_mut().zip(weight) {
        *x = weight * (*x * scale);
    }
}

/// The root-mean-square norm of each row of `from`.
pub(crate) fn norm(from: &[f32], weight: &[f32], eps: f32, to: &mut [f32]) {
    let width = weight.len();
    each_row(to, width, |place, row| {
        row.copy_from_slice(&from[place * width..][..width]);
        normalise(row, weight, eps);
    });
}

/// `silu(gate) * up` of rows that hold gate and up side by side.
pub(crate) fn gated(gate_up: &[f32], width: usize, to: &mut [f32]) {
    each_row(to, width, |place, row| {
        let (gate, up) = gate_up[place * 2 * width..][..2 * width].split_at(width);
        for ((to, gate), up) in row.iter_mut().zip(gate).zip(up) {
            *to = gate / (1.0 + exp(-gate)) * up;
        }
    });
}

/// Adds one to the other.
pub(crate) fn add(to: &mut [f32], more: &[f32]) {
    vectorised(|| {
        for (sum, more) in to.iter_mut().zip(more) {
            *sum += more;
        }
    });
}

/// Adds `bias` to each row.
pub(crate) fn add_bias(rows: &mut [f32], bias: &[f32]) {
    for row in rows.chunks_exact_mut(bias.len()) {
        add(row, bias);
    }
}

/// How the heads of a row of queries, keys and values are made ready.
pub(crate) struct Heads<'a> {
    pub(crate) queries: usize,
    pub(crate) keys: usize,
    pub(crate) dim: usize,
    /// Numbers of a whole row, values included.
    pub(crate) width: usize,
    /// Weights of the norms over each query and key head.
    pub(crate) norms: Option<(&'a [f32], &'a [f32])>,
    pub(crate) eps: f32,
    /// Cosines and sines, `dim / 2` per row.
    pub(crate) cos: &'a [f32],
    pub(crate) sin: &'a [f32],
    /// Whether a pair of numbers stands side by side, as in GGUF files of Llama, or half a head apart.
    pub(crate) side_by_side: bool,
    /// What queries are multiplied by.
    pub(crate) scale: f32,
}

impl Heads<'_> {
    /// Normalises and turns queries and keys where they are, and scales the queries.
    pub(crate) fn ready(&self, rows: &mut [f32]) {
        let pairs = self.dim / 2;
        each_row(rows, self.width, |place, row| {
            let (cos, sin) = (&self.cos[place * pairs..][..pairs], &self.sin[place * pairs..][..pairs]);
            for (head, numbers) in row.chunks_exact_mut(self.dim).take(self.queries + self.keys).enumerate() {
                if let Some((queries, keys)) = self.norms {
                    normalise(numbers, if head < self.queries { queries } else { keys }, self.eps);
                }
                if self.side_by_side {
                    for ((pair, cos), sin) in numbers.chunks_exact_mut(2).zip(cos).zip(sin) {
                        let (x, y) = (pair[0], pair[1]);
                        pair[0] = x * cos - y * sin;
                        pair[1] = y * cos + x * sin;
                    }
                } else {
                    let (first, second) = numbers.split_at_mut(pairs);
                    for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                        let (x, y) = (*a, *b);
                        *a = x * cos - y * sin;
                        *b = y * cos + x * sin;
                    }
                }
                if head < self.queries {
                    for number in numbers {
                        *number *= self.scale;
                    }
                }
            }
        });
    }
}
