//! Sums of products of rows of weights with rows of activations.
//!
//! Each sum is one chain of multiply-adds per vector lane, over the width in order, and the lanes are added at the end.
//! Tiles compute several of these chains at once: how many, and which, changes nothing in any of them.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

/// Rows of weights, one after the other.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// Words of two numbers in 16 bits.
    Halves(&'a [u32]),
    /// Numbers.
    Floats(&'a [f32]),
}

impl<'a> Rows<'a> {
    /// So many words from a place on.
    pub(crate) fn part(self, start: usize, len: usize) -> Rows<'a> {
        match self {
            Rows::Halves(words) => Rows::Halves(&words[start..][..len]),
            Rows::Floats(floats) => Rows::Floats(&floats[start..][..len]),
        }
    }
}

/// `y[row of weights * at.0 + row of x * at.1]` = their product. Rows of weights are `stride` words long, rows of `x`
/// `width` numbers: twice the stride for halves, the stride for floats. Both are multiples of [`crate::matrix::LANES`].
pub(crate) fn dots(weights: Rows<'_>, stride: usize, x: &[f32], width: usize, y: &mut [f32], at: (usize, usize)) {
    match weights {
        Rows::Halves(words) => Arch::new().dispatch(Product::<Halves> { words, stride, x, width, y, at }),
        Rows::Floats(words) => Arch::new().dispatch(Product::<Floats> { words, stride, x, width, y, at }),
    }
}

/// How weights are kept.
trait Kept: Copy {
    type Word: Copy;

    /// The products of `R` rows of weights with `C` rows of activations.
    fn tile<S: Simd, const R: usize, const C: usize>(simd: S, weights: [&[Self::Word]; R], x: [&[f32]; C])
    -> [[f32; C]; R];
}

#[derive(Clone, Copy)]
struct Halves;
#[derive(Clone, Copy)]
struct Floats;

/// Whole vectors of rows that are equally long.
#[inline(always)]
fn vectors<'a, V, const N: usize>(rows: [&'a [V]; N]) -> ([&'a [V]; N], usize) {
    let count = rows[0].len();
    let mut cut = rows;
    for row in &mut cut {
        *row = &row[..count];
    }
    (cut, count)
}

#[expect(clippy::needless_range_loop, reason = "loops over places are unrolled, and the sums stay in registers")]
impl Kept for Floats {
    type Word = f32;

    #[inline(always)]
    fn tile<S: Simd, const R: usize, const C: usize>(simd: S, weights: [&[f32]; R], x: [&[f32]; C]) -> [[f32; C]; R] {
        let (mut rows, mut columns): ([&[S::f32s]; R], [&[S::f32s]; C]) = ([&[]; R], [&[]; C]);
        for r in 0..R {
            rows[r] = S::as_simd_f32s(weights[r]).0;
        }
        let (rows, count) = vectors(rows);
        for c in 0..C {
            columns[c] = &S::as_simd_f32s(x[c]).0[..count];
        }
        let mut sums = [[simd.splat_f32s(0.0); C]; R];
        for place in 0..count {
            for r in 0..R {
                for c in 0..C {
                    sums[r][c] = simd.mul_add_e_f32s(rows[r][place], columns[c][place], sums[r][c]);
                }
            }
        }
        total::<S, R, C>(simd, &sums)
    }
}

#[expect(clippy::needless_range_loop, reason = "loops over places are unrolled, and the sums stay in registers")]
impl Kept for Halves {
    type Word = u32;

    #[inline(always)]
    fn tile<S: Simd, const R: usize, const C: usize>(simd: S, weights: [&[u32]; R], x: [&[f32]; C]) -> [[f32; C]; R] {
        let mut rows: [&[S::u32s]; R] = [&[]; R];
        for r in 0..R {
            rows[r] = S::as_simd_u32s(weights[r]).0;
        }
        let (rows, count) = vectors(rows);
        let (mut lows, mut highs): ([&[S::f32s]; C], [&[S::f32s]; C]) = ([&[]; C], [&[]; C]);
        for c in 0..C {
            let (low, high) = x[c].split_at(x[c].len() / 2);
            lows[c] = &S::as_simd_f32s(low).0[..count];
            highs[c] = &S::as_simd_f32s(high).0[..count];
        }
        let (shift, mask) = (simd.splat_u32s(16), simd.splat_u32s(0xFFFF_0000));
        let mut sums = [[simd.splat_f32s(0.0); C]; R];
        for place in 0..count {
            for r in 0..R {
                let low = simd.transmute_f32s_u32s(simd.wrapping_dyn_shl_u32s(rows[r][place], shift));
                for c in 0..C {
                    sums[r][c] = simd.mul_add_e_f32s(low, lows[c][place], sums[r][c]);
                }
            }
            for r in 0..R {
                let high = simd.transmute_f32s_u32s(simd.and_u32s(rows[r][place], mask));
                for c in 0..C {
                    sums[r][c] = simd.mul_add_e_f32s(high, highs[c][place], sums[r][c]);
                }
            }
        }
        total::<S, R, C>(simd, &sums)
    }
}

/// The lanes of each sum, added.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "loops over places are unrolled")]
fn total<S: Simd, const R: usize, const C: usize>(simd: S, sums: &[[S::f32s; C]; R]) -> [[f32; C]; R] {
    let mut totals = [[0.0; C]; R];
    for r in 0..R {
        for c in 0..C {
            totals[r][c] = simd.reduce_sum_f32s(sums[r][c]);
        }
    }
    totals
}

struct Product<'a, K: Kept> {
    words: &'a [K::Word],
    stride: usize,
    x: &'a [f32],
    width: usize,
    y: &'a mut [f32],
    at: (usize, usize),
}

impl<K: Kept> WithSimd for Product<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { words, stride, x, width, y, at } = self;
        let (rows, count) = (words.len() / stride.max(1), x.len() / width.max(1));
        let mut group = Group::<K> { words, stride, x, width, y, at };
        // A few rows of weights stay in the first-level cache while all activations go by.
        for start in (0..rows).step_by(BLOCK) {
            let block = start..rows.min(start + BLOCK);
            let mut first = 0;
            while first < count {
                // As many sums as there are registers for: more at once are slower than fewer.
                first += match count - first {
                    1 => group.columns::<S, 4, 1>(simd, first, &block),
                    2 => group.columns::<S, 4, 2>(simd, first, &block),
                    3 => group.columns::<S, 2, 3>(simd, first, &block),
                    _ => group.columns::<S, 2, 4>(simd, first, &block),
                };
            }
        }
    }
}

/// Rows of weights that are multiplied with everything before the next ones are read.
const BLOCK: usize = 8;

struct Group<'a, K: Kept> {
    words: &'a [K::Word],
    stride: usize,
    x: &'a [f32],
    width: usize,
    y: &'a mut [f32],
    at: (usize, usize),
}

impl<K: Kept> Group<'_, K> {
    /// A block of rows of weights with `C` rows of activations from `first` on. Gives `C`.
    #[inline(always)]
    fn columns<S: Simd, const R: usize, const C: usize>(
        &mut self,
        simd: S,
        first: usize,
        block: &Range<usize>,
    ) -> usize {
        let mut row = block.start;
        while row + R <= block.end {
            self.one::<S, R, C>(simd, row, first);
            row += R;
        }
        while row < block.end {
            self.one::<S, 1, C>(simd, row, first);
            row += 1;
        }
        C
    }

    #[inline(always)]
    fn one<S: Simd, const R: usize, const C: usize>(&mut self, simd: S, row: usize, first: usize) {
        let (stride, width, words, x) = (self.stride, self.width, self.words, self.x);
        let mut weights: [&[K::Word]; R] = [&[]; R];
        for (place, weights) in weights.iter_mut().enumerate() {
            *weights = &words[(row + place) * stride..][..stride];
        }
        let mut rows: [&[f32]; C] = [&[]; C];
        for (place, rows) in rows.iter_mut().enumerate() {
            *rows = &x[(first + place) * width..][..width];
        }
        let sums = K::tile::<S, R, C>(simd, weights, rows);
        for (r, sums) in sums.iter().enumerate() {
            for (c, sum) in sums.iter().enumerate() {
                self.y[(row + r) * self.at.0 + (first + c) * self.at.1] = *sum;
            }
        }
    }
}
