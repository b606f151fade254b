//! One step of the model over rows of several sequences.

use rayon::prelude::*;

use crate::adapter::Adapter;
use crate::cache::{BLOCK_TOKENS, BlockId, Cache, Shape};
use crate::error::Result;
use crate::kernel::attend::{Attend, attend};
use crate::kernel::rows::{self, Heads};
use crate::model::Model;
use crate::projection::Adapted;

/// Neighbouring tokens of one sequence.
#[derive(Debug)]
pub(crate) struct Span<'a> {
    /// The tokens.
    pub(crate) tokens: &'a [u32],
    /// The first one's position.
    pub(crate) start: usize,
    /// The sequence's blocks, with room for these tokens.
    pub(crate) blocks: &'a [BlockId],
    /// Its adapter.
    pub(crate) adapter: Option<&'a Adapter>,
    /// From which of these tokens on the next one is asked for; as many as there are tokens for none.
    pub(crate) asked_from: usize,
}

/// Buffers that are used again in every step.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    hidden: Vec<f32>,
    x: Vec<f32>,
    qkv: Vec<f32>,
    heads: Vec<f32>,
    attended: Vec<f32>,
    y: Vec<f32>,
    gate_up: Vec<f32>,
    logits: Vec<f32>,
}

/// Queries of one task, at most.
const QUERIES: usize = 32;
/// Below this many pairs of query and key, attention is not worth sharing among threads.
const WORTH_SHARING: usize = 1 << 10;

/// Part of the attention: some rows of a span, for one key head.
struct Task<'a> {
    span: &'a Span<'a>,
    /// The first row in the step.
    row: usize,
    /// The first token's position.
    start: usize,
    rows: usize,
    head: usize,
}

impl Model {
    /// Computes the tokens of all spans, writes their keys and values, and gives the logits of those whose next token is
    /// asked for: [asked, vocab], in the order of the spans.
    pub(crate) fn step<'s>(
        &self,
        cache: &mut Cache,
        spans: &[Span<'_>],
        scratch: &'s mut Scratch,
    ) -> Result<&'s mut [f32]> {
        let a = &self.architecture;
        let Scratch { hidden, x, qkv, heads, attended, y, gate_up, logits } = scratch;
        let mut who: Vec<Adapted<'_>> =
            spans.iter().map(|span| Adapted { rows: span.tokens.len(), adapter: span.adapter }).collect();
        let count: usize = who.iter().map(|part| part.rows).sum();
        hidden.resize(count * a.hidden, 0.0);
        let tokens = spans.iter().flat_map(|span| span.tokens);
        for (token, row) in tokens.zip(hidden.chunks_exact_mut(a.hidden)) {
            self.embedding.row(*token as usize, row)?;
        }
        let positions: Vec<u32> = spans
            .iter()
            .flat_map(|span| span.start..span.start + span.tokens.len())
            .map(|position| u32::try_from(position).unwrap_or(u32::MAX))
            .collect();
        let table = a.rope.table(&positions);
        let shape = Shape::of(a);
        for (index, layer) in self.layers.iter().enumerate() {
            x.resize(hidden.len(), 0.0);
            rows::norm(hidden, &layer.attention_norm, a.norm_eps, x);
            layer.qkv.forward(index, x, &who, qkv)?;
            Heads {
                queries: a.heads,
                keys: a.kv_heads,
                dim: a.head_dim,
                width: layer.qkv.width(),
                norms: layer.head_norms.as_ref().map(|(queries, keys)| (queries.as_slice(), keys.as_slice())),
                eps: a.norm_eps,
                cos: &table.cos,
                sin: &table.sin,
                side_by_side: self.side_by_side,
                scale: 1.0 / (a.head_dim as f32).sqrt(),
            }
            .ready(qkv);
            let mut row = 0;
            for span in spans {
                for place in 0..span.tokens.len() {
                    let (keys, values) =
                        qkv[row * layer.qkv.width()..][a.q_width()..][..2 * a.kv_width()].split_at(a.kv_width());
                    let position = span.start + place;
                    cache.write(span.blocks[position / BLOCK_TOKENS], index, position % BLOCK_TOKENS, keys, values);
                    row += 1;
                }
            }
            // After the last layer only those count whose next token is asked for.
            let asked_only = index + 1 == self.layers.len();
            if asked_only {
                keep_asked(spans, hidden, a.hidden);
                for (part, span) in who.iter_mut().zip(spans) {
                    part.rows = span.tokens.len() - span.asked_from;
                }
                if hidden.is_empty() {
                    break;
                }
            }
            self.attention(cache, spans, index, (qkv, layer.qkv.width()), shape, asked_only, heads, attended);
            layer.output.forward(index, attended, &who, y)?;
            rows::add(hidden, y);
            x.resize(hidden.len(), 0.0);
            rows::norm(hidden, &layer.mlp_norm, a.norm_eps, x);
            layer.gate_up.forward(index, x, &who, gate_up)?;
            x.resize(gate_up.len() / 2, 0.0);
            rows::gated(gate_up, a.intermediate, x);
            layer.down.forward(index, x, &who, y)?;
            rows::add(hidden, y);
        }
        let asked = hidden.len() / a.hidden;
        x.resize(hidden.len(), 0.0);
        rows::norm(hidden, &self.norm, a.norm_eps, x);
        logits.resize(asked * a.vocab, 0.0);
        self.to_logits().product(x, asked, logits)?;
        Ok(logits)
    }

    /// Attention of all rows (or of those that ask) over what their sequences hold.
    #[expect(clippy::too_many_arguments, reason = "what one layer's attention reads and writes")]
    fn attention(
        &self,
        cache: &Cache,
        spans: &[Span<'_>],
        layer: usize,
        (qkv, width): (&[f32], usize),
        shape: Shape,
        asked_only: bool,
        heads: &mut Vec<f32>,
        attended: &mut Vec<f32>,
    ) {
        let a = &self.architecture;
        let group = a.heads / a.kv_heads;
        let each = (QUERIES / group).max(1);
        let (mut tasks, mut pairs, mut first) = (Vec::new(), 0, 0);
        for span in spans {
            let from = if asked_only { span.asked_from } else { 0 };
            for start in (from..span.tokens.len()).step_by(each) {
                let rows = each.min(span.tokens.len() - start);
                pairs += rows * a.heads * (span.start + start + rows);
                let task = |head| Task { span, row: first + start, start: span.start + start, rows, head };
                tasks.extend((0..a.kv_heads).map(task));
            }
            first += span.tokens.len();
        }
        let row_numbers = group * shape.padded;
        let total: usize = tasks.iter().map(|task| task.rows * row_numbers).sum();
        heads.resize(total, 0.0);
        let mut outputs = Vec::with_capacity(tasks.len());
        let mut rest = heads.as_mut_slice();
        for task in &tasks {
            let (output, later) = rest.split_at_mut(task.rows * row_numbers);
            outputs.push(output);
            rest = later;
        }
        let work = |task: &Task<'_>, output: &mut [f32]| {
            let (mut queries, mut seen) = (Vec::with_capacity(task.rows * group * shape.dim), Vec::new());
            for place in 0..task.rows {
                let start = (task.row + place) * width + task.head * group * shape.dim;
                queries.extend_from_slice(&qkv[start..start + group * shape.dim]);
                seen.extend(std::iter::repeat_n(task.start + place + 1, group));
            }
            attend(Attend {
                queries: &queries,
                dim: shape.dim,
                padded: shape.padded,
                seen: &seen,
                output,
                tile: |block: usize| cache.tile(task.span.blocks[block], layer, task.head),
            });
        };
        if pairs < WORTH_SHARING {
            tasks.iter().zip(outputs).for_each(|(task, output)| work(task, output));
        } else {
            tasks.par_iter().zip(outputs).for_each(|(task, output)| work(task, output));
        }
        // From head by head to row by row.
        attended.resize(total / shape.padded / group / a.kv_heads * a.q_width(), 0.0);
        let (mut from, mut to, mut index) = (heads.as_slice(), attended.as_mut_slice(), 0);
        while let Some(task) = tasks.get(index) {
            let (rows, later) = std::mem::take(&mut to).split_at_mut(task.rows * a.q_width());
            to = later;
            for head in 0..a.kv_heads {
                let (part, later) = from.split_at(task.rows * row_numbers);
                from = later;
                for (row, part) in rows.chunks_exact_mut(a.q_width()).zip(part.chunks_exact(row_numbers)) {
                    let row = &mut row[head * group * shape.dim..][..group * shape.dim];
                    for (row, part) in row.chunks_exact_mut(shape.dim).zip(part.chunks_exact(shape.padded)) {
                        row.copy_from_slice(&part[..shape.dim]);
                    }
                }
            }
            index += a.kv_heads;
        }
    }
}

/// Drops the rows of `hidden` whose next token is not asked for.
fn keep_asked(spans: &[Span<'_>], hidden: &mut Vec<f32>, width: usize) {
    let (mut to, mut first) = (0, 0);
    for span in spans {
        let (from, end) = (first + span.asked_from, first + span.tokens.len());
        hidden.copy_within(from * width..end * width, to * width);
        to += end - from;
        first = end;
    }
    hidden.truncate(to * width);
}
