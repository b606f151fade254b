//! Sums of products of rows of weights with rows of activations.
//!
//! Each sum is one chain of multiply-adds per vector lane, over the width in order, and the lanes are added at the end.
//! Tiles compute several of these chains at once: how many, and which, changes nothing in any of them.
//!
//! Rows of weights lie in panels of [`PANEL`]: a vector of the first row, one of the second and so on, then the next
//! vectors. So a tile reads memory in order, which is what reading every weight for one token needs to be fast.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

/// Rows of weights in one panel.
pub(crate) const PANEL: usize = 4;

/// Numbers in one vector of this machine.
pub(crate) fn lanes() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    Arch::new().dispatch(Lanes)
}

/// Where a word of a row stands among the words of its panels; rows are `stride` words long.
pub(crate) fn place(row: usize, word: usize, stride: usize, lanes: usize) -> usize {
    (row / PANEL * stride + word / lanes * lanes) * PANEL + row % PANEL * lanes + word % lanes
}

/// Panels of weights, one after the other.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// Words of two numbers in 16 bits.
    Halves(&'a [u32]),
    /// Numbers.
    Floats(&'a [f32]),
}

impl<'a> Rows<'a> {
    /// The panels of some rows, the first one of a panel.
    pub(crate) fn part(self, rows: &Range<usize>, stride: usize) -> Rows<'a> {
        let words = rows.start * stride..rows.end.next_multiple_of(PANEL) * stride;
        match self {
            Rows::Halves(all) => Rows::Halves(&all[words]),
            Rows::Floats(all) => Rows::Floats(&all[words]),
        }
    }
}

/// `y[row of weights * at.0 + row of x * at.1]` = their product, for so many rows of weights. These are `stride` words
/// long, rows of `x` `width` numbers: twice the stride for halves, the stride for floats. Both are multiples of
/// [`crate::matrix::LANES`].
pub(crate) fn dots(
    weights: Rows<'_>,
    (rows, stride): (usize, usize),
    x: &[f32],
    width: usize,
    y: &mut [f32],
    at: (usize, usize),
) {
    match weights {
        Rows::Halves(words) => Arch::new().dispatch(Product::<Halves> { words, rows, stride, x, width, y, at }),
        Rows::Floats(words) => Arch::new().dispatch(Product::<Floats> { words, rows, stride, x, width, y, at }),
    }
}

/// How weights are kept.
trait Kept: Copy {
    type Word: Copy;

    /// The products of `R` rows of a panel from its row `F` on with `C` rows of activations.
    fn tile<S: Simd, const F: usize, const R: usize, const C: usize>(
        simd: S,
        panel: &[Self::Word],
        x: [&[f32]; C],
    ) -> [[f32; C]; R];
}

#[derive(Clone, Copy)]
struct Halves;
#[derive(Clone, Copy)]
struct Floats;

impl Kept for Floats {
    type Word = f32;

    #[inline(always)]
    fn tile<S: Simd, const F: usize, const R: usize, const C: usize>(
        simd: S,
        panel: &[f32],
        x: [&[f32]; C],
    ) -> [[f32; C]; R] {
        let panel = S::as_simd_f32s(panel).0.as_chunks::<PANEL>().0;
        let mut columns: [&[S::f32s]; C] = [&[]; C];
        for c in 0..C {
            columns[c] = &S::as_simd_f32s(x[c]).0[..panel.len()];
        }
        let mut sums = [[simd.splat_f32s(0.0); C]; R];
        for (place, rows) in panel.iter().enumerate() {
            for r in 0..R {
                for c in 0..C {
                    sums[r][c] = simd.mul_add_e_f32s(rows[F + r], columns[c][place], sums[r][c]);
                }
            }
        }
        total::<S, R, C>(simd, &sums)
    }
}

impl Kept for Halves {
    type Word = u32;

    #[inline(always)]
    fn tile<S: Simd, const F: usize, const R: usize, const C: usize>(
        simd: S,
        panel: &[u32],
        x: [&[f32]; C],
    ) -> [[f32; C]; R] {
        let panel = S::as_simd_u32s(panel).0.as_chunks::<PANEL>().0;
        let mut lows: [&[S::f32s]; C] = [&[]; C];
        let mut highs: [&[S::f32s]; C] = [&[]; C];
        for c in 0..C {
            let (low, high) = x[c].split_at(x[c].len() / 2);
            lows[c] = &S::as_simd_f32s(low).0[..panel.len()];
            highs[c] = &S::as_simd_f32s(high).0[..panel.len()];
        }
        let (shift, mask) = (simd.splat_u32s(16), simd.splat_u32s(0xFFFF_0000));
        let mut sums = [[simd.splat_f32s(0.0); C]; R];
        for (place, rows) in panel.iter().enumerate() {
            for r in 0..R {
                let low = simd.transmute_f32s_u32s(simd.wrapping_dyn_shl_u32s(rows[F + r], shift));
                for c in 0..C {
                    sums[r][c] = simd.mul_add_e_f32s(low, lows[c][place], sums[r][c]);
                }
            }
            for r in 0..R {
                let high = simd.transmute_f32s_u32s(simd.and_u32s(rows[F + r], mask));
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
    rows: usize,
    stride: usize,
    x: &'a [f32],
    width: usize,
    y: &'a mut [f32],
    at: (usize, usize),
}

impl<K: Kept> WithSimd for Product<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let count = self.x.len() / self.width.max(1);
        // A few rows of weights stay in the first-level cache while all activations go by.
        for start in (0..self.rows).step_by(BLOCK) {
            let block = start..self.rows.min(start + BLOCK);
            let mut first = 0;
            while first < count {
                // As many sums as there are registers for: more at once are slower than fewer.
                first += match count - first {
                    1 => self.whole::<S, 1>(simd, first, &block),
                    2 => self.whole::<S, 2>(simd, first, &block),
                    3 => self.halves::<S, 3>(simd, first, &block),
                    _ => self.halves::<S, 4>(simd, first, &block),
                };
            }
        }
    }
}

/// Rows of weights that are multiplied with everything before the next ones are read.
const BLOCK: usize = 2 * PANEL;

impl<'a, K: Kept> Product<'a, K> {
    #[inline(always)]
    fn columns<const C: usize>(&self, first: usize) -> [&'a [f32]; C] {
        let mut rows: [&[f32]; C] = [&[]; C];
        for (place, rows) in rows.iter_mut().enumerate() {
            *rows = &self.x[(first + place) * self.width..][..self.width];
        }
        rows
    }

    #[inline(always)]
    fn panel(&self, row: usize) -> &'a [K::Word] {
        &self.words[row * self.stride..][..PANEL * self.stride]
    }

    /// A block of rows with `C` rows of activations from `first` on, a panel at a time. Gives `C`.
    #[inline(always)]
    fn whole<S: Simd, const C: usize>(&mut self, simd: S, first: usize, block: &Range<usize>) -> usize {
        let x = self.columns::<C>(first);
        for row in block.clone().step_by(PANEL) {
            self.put(row, first, &K::tile::<S, 0, PANEL, C>(simd, self.panel(row), x));
        }
        C
    }

    /// The same half a panel at a time.
    #[inline(always)]
    fn halves<S: Simd, const C: usize>(&mut self, simd: S, first: usize, block: &Range<usize>) -> usize {
        let x = self.columns::<C>(first);
        for row in block.clone().step_by(PANEL) {
            self.put(row, first, &K::tile::<S, 0, 2, C>(simd, self.panel(row), x));
            self.put(row + 2, first, &K::tile::<S, 2, 2, C>(simd, self.panel(row), x));
        }
        C
    }

    #[inline(always)]
    fn put<const R: usize, const C: usize>(&mut self, row: usize, first: usize, sums: &[[f32; C]; R]) {
        // The last panel may have rows that are not there.
        for (r, sums) in sums.iter().enumerate().take(self.rows.saturating_sub(row)) {
            for (c, sum) in sums.iter().enumerate() {
                self.y[(row + r) * self.at.0 + (first + c) * self.at.1] = *sum;
            }
        }
    }
}
