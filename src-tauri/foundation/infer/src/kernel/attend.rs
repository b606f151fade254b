//! Attention of one query head's rows over the blocks of one key head.
//!
//! Keys lie turned in a block ([head width, tokens]), values as they are ([tokens, head width]): then both products are
//! sums of rows that are each weighted by one number, and nothing has to be added across a vector. Blocks are gone through
//! in order with a running maximum and sum (Milakov and Gimelshein, arXiv 1805.02867), so what a query gets does not
//! depend on how many others are computed beside it.

use pulp::{Arch, Simd, WithSimd};
use tw_model::kernel::vector::{exp, max_of, sum_of};

use crate::cache::BLOCK_TOKENS;

/// One block's keys and values of one head, and how many of its tokens the last query sees.
#[derive(Clone, Copy)]
pub(crate) struct Tile<'a> {
    /// [head width, BLOCK_TOKENS].
    pub(crate) keys: &'a [f32],
    /// [BLOCK_TOKENS, padded head width].
    pub(crate) values: &'a [f32],
}

/// Queries of one head at neighbouring positions (or of several heads that share keys at one).
pub(crate) struct Attend<'a, T> {
    /// Rows of head width, already scaled.
    pub(crate) queries: &'a [f32],
    /// Numbers of one row.
    pub(crate) dim: usize,
    /// The same, filled up to whole vectors.
    pub(crate) padded: usize,
    /// How many tokens each row sees, never less than one.
    pub(crate) seen: &'a [usize],
    /// Rows of padded head width: what comes out.
    pub(crate) output: &'a mut [f32],
    /// The block that holds the tokens from `place * BLOCK_TOKENS` on.
    pub(crate) tile: T,
}

/// Computes it.
pub(crate) fn attend<'t, T: Fn(usize) -> Tile<'t>>(work: Attend<'_, T>) {
    Arch::new().dispatch(work);
}

impl<'t, T: Fn(usize) -> Tile<'t>> WithSimd for Attend<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { queries, dim, padded, seen, output, tile } = self;
        let mut row = 0;
        // Two at a time: one alone waits for its own additions.
        while row + 2 <= seen.len() {
            several::<S, T, 2>(
                simd,
                [&queries[row * dim..][..dim], &queries[(row + 1) * dim..][..dim]],
                [seen[row], seen[row + 1]],
                padded,
                &mut output[row * padded..][..2 * padded],
                &tile,
            );
            row += 2;
        }
        if row < seen.len() {
            let output = &mut output[row * padded..][..padded];
            several::<S, T, 1>(simd, [&queries[row * dim..][..dim]], [seen[row]], padded, output, &tile);
        }
    }
}

#[inline(always)]
fn several<'t, S: Simd, T: Fn(usize) -> Tile<'t>, const Q: usize>(
    simd: S,
    queries: [&[f32]; Q],
    seen: [usize; Q],
    padded: usize,
    output: &mut [f32],
    tile: &T,
) {
    let last = seen.iter().copied().max().unwrap_or_default();
    let mut most = [f32::NEG_INFINITY; Q];
    let mut total = [0.0_f32; Q];
    let mut scores = [[0.0_f32; BLOCK_TOKENS]; Q];
    output.fill(0.0);
    for block in 0..last.div_ceil(BLOCK_TOKENS) {
        let Tile { keys, values } = tile(block);
        let start = block * BLOCK_TOKENS;
        for scores in &mut scores {
            scores.fill(0.0);
        }
        {
            let mut to = scores.each_mut().map(<[f32; BLOCK_TOKENS]>::as_mut_slice);
            weigh::<S, Q>(simd, queries, keys, &mut to);
        }
        for row in 0..Q {
            let visible = seen[row].saturating_sub(start).min(BLOCK_TOKENS);
            let (scores, hidden) = scores[row].split_at_mut(visible);
            hidden.fill(0.0);
            let newest = max_of(scores).max(most[row]);
            if newest == f32::NEG_INFINITY {
                continue;
            }
            for score in scores.iter_mut() {
                *score = exp(*score - newest);
            }
            let fade = if most[row] == newest { 1.0 } else { exp(most[row] - newest) };
            total[row] = total[row] * fade + sum_of(visible, |index| scores[index]);
            if fade < 1.0 {
                for value in &mut output[row * padded..][..padded] {
                    *value *= fade;
                }
            }
            most[row] = newest;
        }
        let visible = (last - start).min(BLOCK_TOKENS);
        let mut rest = &mut *output;
        let mut parts: [&mut [f32]; Q] = std::array::from_fn(|_| {
            let (part, later) = std::mem::take(&mut rest).split_at_mut(padded);
            rest = later;
            part
        });
        weigh::<S, Q>(
            simd,
            scores.each_ref().map(|scores| &scores[..visible]),
            &values[..visible * padded],
            &mut parts,
        );
    }
    for (output, total) in output.chunks_exact_mut(padded).zip(total) {
        let inverse = 1.0 / total;
        for value in output {
            *value *= inverse;
        }
    }
}

/// Adds to each row of `to` the rows of `from`, each times its factor.
#[inline(always)]
fn weigh<S: Simd, const Q: usize>(simd: S, factors: [&[f32]; Q], from: &[f32], to: &mut [&mut [f32]; Q]) {
    let vectors = to[0].len() / S::F32_LANES;
    let mut vector = 0;
    while vector + 4 <= vectors {
        strip::<S, Q, 4>(simd, factors, from, to, vectors, vector);
        vector += 4;
    }
    while vector < vectors {
        strip::<S, Q, 1>(simd, factors, from, to, vectors, vector);
        vector += 1;
    }
}

/// The same for `N` vectors of each row.
#[inline(always)]
fn strip<S: Simd, const Q: usize, const N: usize>(
    simd: S,
    factors: [&[f32]; Q],
    from: &[f32],
    to: &mut [&mut [f32]; Q],
    vectors: usize,
    first: usize,
) {
    let from = S::as_simd_f32s(from).0;
    let mut sums = [[simd.splat_f32s(0.0); N]; Q];
    for (sums, to) in sums.iter_mut().zip(to.iter()) {
        sums.copy_from_slice(&S::as_simd_f32s(to).0[first..first + N]);
    }
    let count = factors[0].len();
    let factors = factors.map(|factors| &factors[..count]);
    for (place, row) in from.chunks_exact(vectors).take(count).enumerate() {
        let row = &row[first..first + N];
        for (factors, sums) in factors.iter().zip(&mut sums) {
            let factor = simd.splat_f32s(factors[place]);
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum = simd.mul_add_e_f32s(factor, *value, *sum);
            }
        }
    }
    for (sums, to) in sums.iter().zip(to.iter_mut()) {
        S::as_mut_simd_f32s(to).0[first..first + N].copy_from_slice(sums);
    }
}
