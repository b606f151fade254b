//! Attention over a pack, without ever holding a matrix of all queries by all keys.
//!
//! Queries go in blocks of neighbours of one segment, keys in tiles of what the block sees: its ancestors' tokens and its
//! own segment's. Tiles that no query of the block sees are never formed. The forward keeps a running maximum and sum per
//! query (Milakov and Gimelshein, arXiv 1805.02867; Dao et al., arXiv 2205.14135) and saves their log-sum-exp, from which
//! the backward forms each tile's probabilities anew.

use std::cell::RefCell;
use std::ops::Range;

use candle_core::Tensor;
use rayon::prelude::*;

use super::matrix::{Into, Matrix, MatrixMut, Threads, multiply};
use super::tensor::{floats, tensor};
use super::vector::{dot, exp, max_of, sum_of, vectorised};
use crate::error::Result;
use crate::layout::Layout;

/// Queries per block, keys per tile: a tile of scores stays in the second-level cache.
const QUERIES: usize = 128;
const KEYS: usize = 256;

/// Neighbouring queries of one segment and what they see.
#[derive(Clone, Debug)]
struct Block {
    /// Rows of the queries' tensor.
    rows: Range<usize>,
    /// Keys that all of them see.
    seen: Vec<Range<usize>>,
    /// Keys of their own segment from the first query's token on: the query of token t sees those up to t.
    own: Range<usize>,
}

/// The blocks of a pack, for all queries or for some of them. Made once, used by every layer.
#[derive(Clone, Debug)]
pub struct Plan {
    blocks: Vec<Block>,
    /// Each query's token.
    tokens: Vec<usize>,
}

impl Plan {
    /// The plan for a pack; `queries` names the tokens that ask, in ascending order, `None` all of them.
    #[must_use]
    pub fn new(layout: &Layout, queries: Option<&[u32]>) -> Self {
        let tokens: Vec<usize> = match queries {
            Some(queries) => queries.iter().map(|token| *token as usize).collect(),
            None => (0..layout.len()).collect(),
        };
        let mut blocks = Vec::new();
        let mut row = 0;
        for (index, segment) in layout.segments.iter().enumerate() {
            let end = row + tokens[row..].partition_point(|token| *token < segment.tokens.end);
            let ancestors = if end > row { layout.ancestors(index) } else { Vec::new() };
            while row < end {
                let rows = row..end.min(row + QUERIES);
                let (first, last) = (tokens[rows.start], tokens[rows.end - 1]);
                let mut seen = ancestors.clone();
                match seen.last_mut() {
                    Some(parent) if parent.end == segment.tokens.start => parent.end = first,
                    _ if first > segment.tokens.start => seen.push(segment.tokens.start..first),
                    _ => {}
                }
                blocks.push(Block { rows: rows.clone(), seen, own: first..last + 1 });
                row = rows.end;
            }
        }
        Self { blocks, tokens }
    }
}

impl Block {
    /// The tiles of keys that the block sees, and whether every query sees all of the tile.
    fn tiles(&self) -> impl Iterator<Item = (Range<usize>, bool)> + '_ {
        let tiles = |range: &Range<usize>| {
            let range = range.clone();
            range.clone().step_by(KEYS).map(move |start| start..range.end.min(start + KEYS))
        };
        self.seen.iter().flat_map(tiles).map(|tile| (tile, true)).chain(tiles(&self.own).map(|tile| (tile, false)))
    }

    /// How many keys of a tile the query in this row sees.
    #[inline(always)]
    fn visible(tile: &Range<usize>, whole: bool, token: usize) -> usize {
        if whole { tile.len() } else { (token + 1).clamp(tile.start, tile.end) - tile.start }
    }
}

/// What the forward gives.
#[derive(Clone, Debug)]
pub struct Attended {
    /// [queries, heads * head_dim].
    pub output: Tensor,
    /// Log of the sum of exponentials of each query's scores: [heads, queries].
    pub log_sum_exp: Tensor,
}

struct Shape {
    heads: usize,
    groups: usize,
    queries: usize,
    keys: usize,
    dim: usize,
    scale: f32,
}

impl Shape {
    fn of(q: &Tensor, k: &Tensor) -> Result<Self> {
        let ((heads, queries, dim), (kv_heads, keys, _)) = (q.dims3()?, k.dims3()?);
        Ok(Self { heads, groups: heads / kv_heads, queries, keys, dim, scale: 1.0 / (dim as f32).sqrt() })
    }
}

thread_local! {
    static SCRATCH: RefCell<(Vec<f32>, Vec<f32>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// `softmax(q k^T / sqrt(head_dim)) v` over what each query sees. `q` is [heads, queries, head_dim]; `k` and `v` are
/// [kv heads, tokens, head_dim].
///
/// # Errors
/// When the tensors are not contiguous 32-bit floats on the CPU.
pub fn forward(q: &Tensor, k: &Tensor, v: &Tensor, plan: &Plan) -> Result<Attended> {
    let shape = Shape::of(q, k)?;
    let (q, k, v) = (floats(q)?, floats(k)?, floats(v)?);
    let (q, k, v): (&[f32], &[f32], &[f32]) = (&q, &k, &v);
    let mut by_head = vec![0.0_f32; shape.heads * shape.queries * shape.dim];
    let mut log_sum_exp = vec![0.0_f32; shape.heads * shape.queries];
    {
        // Each block of each head has its own slices, so the tasks share nothing that is written.
        let mut tasks = Vec::with_capacity(shape.heads * plan.blocks.len());
        let (mut outputs, mut sums) = (by_head.as_mut_slice(), log_sum_exp.as_mut_slice());
        for head in 0..shape.heads {
            for block in &plan.blocks {
                let (output, later) = outputs.split_at_mut(block.rows.len() * shape.dim);
                let (sum, later_sums) = sums.split_at_mut(block.rows.len());
                (outputs, sums) = (later, later_sums);
                tasks.push((head, block, output, sum));
            }
        }
        tasks.into_par_iter().for_each(|(head, block, output, sums)| {
            let kv = head / shape.groups * shape.keys * shape.dim;
            let kv = kv..kv + shape.keys * shape.dim;
            let q = &q[(head * shape.queries + block.rows.start) * shape.dim..][..block.rows.len() * shape.dim];
            block_forward(&shape, block, &plan.tokens, q, &k[kv.clone()], &v[kv], output, sums);
        });
    }
    let width = shape.heads * shape.dim;
    let mut output = vec![0.0_f32; shape.queries * width];
    output.par_chunks_mut(width.max(1)).enumerate().for_each(|(row, output)| {
        for (head, output) in output.chunks_exact_mut(shape.dim).enumerate() {
            output.copy_from_slice(&by_head[(head * shape.queries + row) * shape.dim..][..shape.dim]);
        }
    });
    Ok(Attended {
        output: tensor(output, (shape.queries, width))?,
        log_sum_exp: tensor(log_sum_exp, (shape.heads, shape.queries))?,
    })
}

#[expect(clippy::too_many_arguments, reason = "the parts of one head that one block needs")]
fn block_forward(
    shape: &Shape,
    block: &Block,
    tokens: &[usize],
    q: &[f32],
    k: &[f32],
    v: &[f32],
    output: &mut [f32],
    sums: &mut [f32],
) {
    let (rows, dim) = (block.rows.len(), shape.dim);
    let mut most = [f32::NEG_INFINITY; QUERIES];
    let mut total = [0.0_f32; QUERIES];
    SCRATCH.with_borrow_mut(|(scores, _)| {
        scores.resize(QUERIES * KEYS, 0.0);
        for (tile, whole) in block.tiles() {
            let keys = tile.len();
            let part = tile.start * dim..tile.end * dim;
            multiply(
                MatrixMut::new(scores, rows, keys, keys),
                Into::Replace,
                shape.scale,
                Matrix::new(q, rows, dim, dim),
                Matrix::new(&k[part.clone()], keys, dim, dim).transposed(),
                Threads::One,
            );
            vectorised(|| {
                for (row, scores) in scores[..rows * keys].chunks_exact_mut(keys).enumerate() {
                    let visible = Block::visible(&tile, whole, tokens[block.rows.start + row]);
                    let (scores, hidden) = scores.split_at_mut(visible);
                    hidden.fill(0.0);
                    let newest = max_of(scores).max(most[row]);
                    if newest == f32::NEG_INFINITY {
                        continue;
                    }
                    for score in scores.iter_mut() {
                        *score = exp(*score - newest);
                    }
                    let fade = if most[row] == newest { 1.0 } else { exp(most[row] - newest) };
                    total[row] = total[row] * fade + sum_of(scores.len(), |index| scores[index]);
                    if fade < 1.0 {
                        for value in &mut output[row * dim..(row + 1) * dim] {
                            *value *= fade;
                        }
                    }
                    most[row] = newest;
                }
            });
            multiply(
                MatrixMut::new(output, rows, dim, dim),
                Into::Add,
                1.0,
                Matrix::new(scores, rows, keys, keys),
                Matrix::new(&v[part], keys, dim, dim),
                Threads::One,
            );
        }
    });
    for (((output, sum), most), total) in output.chunks_exact_mut(dim).zip(sums).zip(&most).zip(&total) {
        let inverse = 1.0 / total;
        for value in output {
            *value *= inverse;
        }
        *sum = most + total.ln();
    }
}

/// Gradients of `q`, `k` and `v`, in their shapes.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// Of the queries.
    pub q: Tensor,
    /// Of the keys.
    pub k: Tensor,
    /// Of the values.
    pub v: Tensor,
}

/// Gradients from `dy`, the gradient of the output [queries, heads * head_dim].
///
/// # Errors
/// When the tensors are not contiguous 32-bit floats on the CPU.
pub fn backward(
    dy: &Tensor,
    attended: &Attended,
    (q, k, v): (&Tensor, &Tensor, &Tensor),
    plan: &Plan,
) -> Result<Gradients> {
    let shape = Shape::of(q, k)?;
    let (q_shape, k_shape) = (q.shape().clone(), k.shape().clone());
    let (q, k, v, dy) = (floats(q)?, floats(k)?, floats(v)?, floats(dy)?);
    let (q, k, v, dy): (&[f32], &[f32], &[f32], &[f32]) = (&q, &k, &v, &dy);
    let (output, sums) = (floats(&attended.output)?, floats(&attended.log_sum_exp)?);
    let (output, sums): (&[f32], &[f32]) = (&output, &sums);
    let (per_query, per_key) = (shape.queries * shape.dim, shape.keys * shape.dim);
    let mut dq = vec![0.0_f32; shape.heads * per_query];
    let mut dk = vec![0.0_f32; shape.heads / shape.groups * per_key];
    let mut dv = vec![0.0_f32; dk.len()];
    // One task per query head. The heads of a group share keys and values: each keeps its own sums, which are then added
    // in the order of the heads, so that the result does not depend on who was done first.
    let parts: Vec<(Vec<f32>, Vec<f32>)> = dq
        .par_chunks_mut(per_query.max(1))
        .enumerate()
        .map(|(head, dq)| {
            let kv = head / shape.groups * per_key;
            let one = Head {
                shape: &shape,
                tokens: &plan.tokens,
                q: &q[head * per_query..(head + 1) * per_query],
                k: &k[kv..kv + per_key],
                v: &v[kv..kv + per_key],
                // This head's columns of rows that hold all heads.
                dy: &dy[head * shape.dim..],
                output: &output[head * shape.dim..],
                sums: &sums[head * shape.queries..(head + 1) * shape.queries],
            };
            let (mut dk, mut dv) = (vec![0.0_f32; per_key], vec![0.0_f32; per_key]);
            for block in &plan.blocks {
                one.block_backward(block, dq, &mut dk, &mut dv);
            }
            (dk, dv)
        })
        .collect();
    for (sums, pick) in [(&mut dk, 0), (&mut dv, 1)] {
        sums.par_chunks_mut(per_key.max(1)).enumerate().for_each(|(kv, sums)| {
            for (part_k, part_v) in &parts[kv * shape.groups..(kv + 1) * shape.groups] {
                vectorised(|| {
                    for (sum, more) in sums.iter_mut().zip(if pick == 0 { part_k } else { part_v }) {
                        *sum += more;
                    }
                });
            }
        });
    }
    Ok(Gradients { q: tensor(dq, q_shape)?, k: tensor(dk, k_shape.clone())?, v: tensor(dv, k_shape)? })
}

/// What the backward of one head reads.
struct Head<'a> {
    shape: &'a Shape,
    tokens: &'a [usize],
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    dy: &'a [f32],
    output: &'a [f32],
    sums: &'a [f32],
}

impl Head<'_> {
    fn block_backward(&self, block: &Block, dq: &mut [f32], dk: &mut [f32], dv: &mut [f32]) {
        let (shape, rows, dim) = (self.shape, block.rows.len(), self.shape.dim);
        let width = shape.heads * dim;
        let start_of = |row: usize| (block.rows.start + row) * width;
        let mut along = [0.0_f32; QUERIES];
        vectorised(|| {
            for (row, along) in along[..rows].iter_mut().enumerate() {
                let at = start_of(row)..start_of(row) + dim;
                *along = dot(&self.dy[at.clone()], &self.output[at]);
            }
        });
        let own = block.rows.start * dim..block.rows.end * dim;
        let q = Matrix::new(&self.q[own.clone()], rows, dim, dim);
        let dy = Matrix::new(&self.dy[start_of(0)..], rows, dim, width);
        SCRATCH.with_borrow_mut(|(scores, upper)| {
            scores.resize(QUERIES * KEYS, 0.0);
            upper.resize(QUERIES * KEYS, 0.0);
            for (tile, whole) in block.tiles() {
                let keys = tile.len();
                let part = tile.start * dim..tile.end * dim;
                let k = Matrix::new(&self.k[part.clone()], keys, dim, dim);
                let v = Matrix::new(&self.v[part.clone()], keys, dim, dim);
                let square = |data: &mut [f32], left, right: Matrix<'_>, scale| {
                    multiply(
                        MatrixMut::new(data, rows, keys, keys),
                        Into::Replace,
                        scale,
                        left,
                        right.transposed(),
                        Threads::One,
                    );
                };
                square(scores, q, k, shape.scale);
                square(upper, dy, v, 1.0);
                vectorised(|| {
                    let both = scores[..rows * keys].chunks_exact_mut(keys).zip(upper.chunks_exact_mut(keys));
                    for (row, (scores, upper)) in both.enumerate() {
                        let visible = Block::visible(&tile, whole, self.tokens[block.rows.start + row]);
                        let (sum, along) = (self.sums[block.rows.start + row], along[row]);
                        scores[visible..].fill(0.0);
                        upper[visible..].fill(0.0);
                        for (score, upper) in scores[..visible].iter_mut().zip(&mut upper[..visible]) {
                            *score = exp(*score - sum);
                            *upper = *score * (*upper - along);
                        }
                    }
                });
                let chance = Matrix::new(scores, rows, keys, keys);
                let slope = Matrix::new(upper, rows, keys, keys);
                let add = |to: &mut [f32], count, scale, left, right| {
                    multiply(MatrixMut::new(to, count, dim, dim), Into::Add, scale, left, right, Threads::One);
                };
                add(&mut dv[part.clone()], keys, 1.0, chance.transposed(), dy);
                add(&mut dq[own.clone()], rows, shape.scale, slope, k);
                add(&mut dk[part], keys, shape.scale, slope.transposed(), q);
            }
        });
    }
}
