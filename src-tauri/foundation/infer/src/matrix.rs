//! A matrix of weights, and its product with rows of activations.
//!
//! Decoding reads every weight once per step, so the fewer bytes the better: numbers that are exact in 16 bits (bfloat16)
//! are kept so and widened while they are read. Two columns share one 32-bit word: column j in its lower half, column
//! `half + j` in its upper one. So a word gives two numbers by one shift and one mask, and the activations stay in order.

use std::sync::Arc;

use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{Device, Module, Tensor};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::kernel::dots::{PANEL, Rows, dots, lanes, place};

/// Widths are filled up to a multiple of this: as many numbers as the widest vector holds.
pub(crate) const LANES: usize = 16;

/// [rows, cols] weights: `rows` outputs of `cols` inputs.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    rows: usize,
    cols: usize,
    numbers: Numbers,
}

#[derive(Clone, Debug)]
enum Numbers {
    /// Rows of `stride` words, each of two numbers in 16 bits, in panels.
    Halves { stride: usize, words: Vec<u32> },
    /// Rows of `stride` numbers, in panels.
    Floats { stride: usize, floats: Vec<f32> },
    /// Blocks of a GGUF file, multiplied by candle's kernels.
    Quantised { tensor: Arc<QTensor>, product: QMatMul },
}

/// Below this many multiplications a product is not worth sharing among threads.
const WORTH_SHARING: usize = 1 << 16;
/// Rows of activations from which each thread takes some of them; below, each takes some of the weights.
const ROWS_EACH: usize = 12;
/// Bytes of activations that are kept in the second-level cache while all weights go by.
const NEAR_BYTES: usize = 384 << 10;

impl Matrix {
    /// From numbers in rows. They are kept in 16 bits where that is exact.
    pub(crate) fn new(rows: usize, cols: usize, numbers: &[f32]) -> Self {
        let exact = numbers.par_iter().all(|number| number.to_bits() & 0xFFFF == 0);
        let numbers = if exact { Self::halves(rows, cols, numbers) } else { Self::floats(rows, cols, numbers) };
        Self { rows, cols, numbers }
    }

    fn halves(rows: usize, cols: usize, numbers: &[f32]) -> Numbers {
        let half = cols.div_ceil(2);
        let stride = half.next_multiple_of(LANES);
        let words = panels(rows, cols, stride, numbers, |row, word| {
            let upper = |number: Option<&f32>| number.map_or(0, |number| number.to_bits() >> 16);
            upper(row.get(word).filter(|_| word < half)) | upper(row.get(half + word)) << 16
        });
        Numbers::Halves { stride, words }
    }

    fn floats(rows: usize, cols: usize, numbers: &[f32]) -> Numbers {
        let stride = cols.next_multiple_of(LANES);
        let floats = panels(rows, cols, stride, numbers, |row, word| row.get(word).copied().unwrap_or_default());
        Numbers::Floats { stride, floats }
    }

    /// From the blocks of a GGUF file.
    pub(crate) fn quantised(tensor: QTensor) -> Result<Self> {
        let (rows, cols) = tensor.shape().dims2()?;
        let tensor = Arc::new(tensor);
        let product = QMatMul::from_arc(Arc::clone(&tensor))?;
        Ok(Self { rows, cols, numbers: Numbers::Quantised { tensor, product } })
    }

    /// Outputs.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs.
    pub(crate) fn cols(&self) -> usize {
        self.cols
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        match &self.numbers {
            Numbers::Halves { words, .. } => words.len() * 4,
            Numbers::Floats { floats, .. } => floats.len() * 4,
            Numbers::Quantised { tensor, .. } => tensor.storage_size_in_bytes(),
        }
    }

    /// One row's numbers, for embeddings.
    pub(crate) fn row(&self, row: usize, to: &mut [f32]) -> Result<()> {
        match &self.numbers {
            Numbers::Halves { stride, words } => {
                let lanes = lanes();
                let (low, high) = to.split_at_mut(self.cols.div_ceil(2));
                for (word, to) in low.iter_mut().enumerate() {
                    *to = f32::from_bits(words[place(row, word, *stride, lanes)] << 16);
                }
                for (word, to) in high.iter_mut().enumerate() {
                    *to = f32::from_bits(words[place(row, word, *stride, lanes)] & 0xFFFF_0000);
                }
            }
            Numbers::Floats { stride, floats } => {
                let lanes = lanes();
                for (word, to) in to.iter_mut().enumerate() {
                    *to = floats[place(row, word, *stride, lanes)];
                }
            }
            Numbers::Quantised { tensor, .. } => {
                let row = u32::try_from(row).map_err(|_| Error::Request("no such row".to_owned()))?;
                let found = tensor.embedding(&Tensor::new(&[row], &Device::Cpu)?)?;
                to.copy_from_slice(&found.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        Ok(())
    }

    /// `y` [count, rows] = `x` [count, cols] times the transpose of this.
    pub(crate) fn product(&self, x: &[f32], count: usize, y: &mut [f32]) -> Result<()> {
        let (x, y) = (&x[..count * self.cols], &mut y[..count * self.rows]);
        match &self.numbers {
            Numbers::Quantised { product, .. } => {
                let x = Tensor::from_slice(x, (count, self.cols), &Device::Cpu)?;
                y.copy_from_slice(&product.forward(&x)?.flatten_all()?.to_vec1::<f32>()?);
            }
            Numbers::Halves { stride, words } => {
                let half = self.cols.div_ceil(2);
                let padded;
                let x = if *stride == half && half * 2 == self.cols {
                    x
                } else {
                    padded = pad(x, self.cols, &[half, self.cols - half], *stride);
                    &padded
                };
                self.share(Rows::Halves(words), *stride, x, 2 * stride, count, y);
            }
            Numbers::Floats { stride, floats } => {
                let padded;
                let x = if *stride == self.cols {
                    x
                } else {
                    padded = pad(x, self.cols, &[self.cols], *stride);
                    &padded
                };
                self.share(Rows::Floats(floats), *stride, x, *stride, count, y);
            }
        }
        Ok(())
    }

    /// Cuts the product among threads. Each number of it is one sum, computed by one thread, in an order that depends on
    /// nothing but the width.
    fn share(&self, weights: Rows<'_>, stride: usize, x: &[f32], width: usize, count: usize, y: &mut [f32]) {
        let threads = rayon::current_num_threads();
        if threads == 1 || count * self.rows * self.cols < WORTH_SHARING {
            self.near(weights, stride, x, width, y);
        } else if count >= ROWS_EACH * threads {
            let each = count.div_ceil(threads);
            y.par_chunks_mut(each * self.rows)
                .zip(x.par_chunks(each * width))
                .for_each(|(y, x)| self.near(weights, stride, x, width, y));
        } else {
            // Some weights each. Parts of y are contiguous only for one row, so more are computed transposed.
            let each = self.rows.div_ceil(threads).next_multiple_of(PANEL);
            if count == 1 {
                y.par_chunks_mut(each).enumerate().for_each(|(part, y)| {
                    let rows = part * each..part * each + y.len();
                    dots(weights.part(&rows, stride), (rows.len(), stride), x, width, y, (1, rows.len()));
                });
                return;
            }
            let mut turned = vec![0.0_f32; y.len()];
            turned.par_chunks_mut(each * count).enumerate().for_each(|(part, turned)| {
                let rows = part * each..part * each + turned.len() / count;
                dots(weights.part(&rows, stride), (rows.len(), stride), x, width, turned, (count, 1));
            });
            for (row, y) in y.chunks_exact_mut(self.rows).enumerate() {
                for (y, turned) in y.iter_mut().zip(turned.chunks_exact(count)) {
                    *y = turned[row];
                }
            }
        }
    }

    /// All weights by as many rows of activations at a time as stay near.
    fn near(&self, weights: Rows<'_>, stride: usize, x: &[f32], width: usize, y: &mut [f32]) {
        let each = (NEAR_BYTES / 4 / width.max(1)).max(ROWS_EACH);
        for (x, y) in x.chunks(each * width).zip(y.chunks_mut(each * self.rows)) {
            dots(weights, (self.rows, stride), x, width, y, (1, self.rows));
        }
    }
}

/// Rows of `stride` words in panels, made of rows of `cols` numbers.
fn panels<W: Copy + Default + Send>(
    rows: usize,
    cols: usize,
    stride: usize,
    numbers: &[f32],
    word: impl Fn(&[f32], usize) -> W + Sync,
) -> Vec<W> {
    let lanes = lanes();
    let mut words = vec![W::default(); rows.next_multiple_of(PANEL) * stride];
    words.par_chunks_mut((PANEL * stride).max(1)).zip(numbers.par_chunks((PANEL * cols).max(1))).for_each(
        |(panel, numbers)| {
            for (place_in_panel, row) in numbers.chunks_exact(cols).enumerate() {
                for index in 0..stride {
                    panel[place(place_in_panel, index, stride, lanes)] = word(row, index);
                }
            }
        },
    );
    words
}

/// Rows of `width`, made of these parts, each filled up with zeros to `stride`.
fn pad(x: &[f32], width: usize, parts: &[usize], stride: usize) -> Vec<f32> {
    let mut padded = vec![0.0; x.len() / width.max(1) * parts.len() * stride];
    for (to, row) in padded.chunks_exact_mut(parts.len() * stride).zip(x.chunks_exact(width)) {
        let mut rest = row;
        for (to, part) in to.chunks_exact_mut(stride).zip(parts) {
            let (now, later) = rest.split_at(*part);
            to[..*part].copy_from_slice(now);
            rest = later;
        }
    }
    padded
}

#[cfg(test)]
mod tests {
    #![allow(clippy::cast_possible_truncation)]
    use tw_model::synthetic::numbers;

    use super::*;

    fn slow(weights: &[f32], x: &[f32], rows: usize, cols: usize) -> Vec<f32> {
        let dot = |w: &[f32], x: &[f32]| w.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum::<f64>();
        x.chunks(cols)
            .flat_map(|x| weights.chunks(cols).map(|w| dot(w, x) as f32).collect::<Vec<_>>())
            .take(rows * x.len() / cols)
            .collect()
    }

    #[test]
    fn products_are_right_for_every_shape_and_do_not_depend_on_their_company() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        for (rows, cols) in [(1, 1), (7, 31), (64, 96), (129, 48), (300, 257)] {
            let exact: Vec<f32> =
                numbers("w", rows * cols, 1.0, 0.0).iter().map(|w| f32::from_bits(w.to_bits() & 0xFFFF_0000)).collect();
            for (weights, halves) in [(exact, true), (numbers("w", rows * cols, 1.0, 0.0), false)] {
                let matrix = Matrix::new(rows, cols, &weights);
                assert_eq!(matches!(matrix.numbers, Numbers::Halves { .. }), halves);
                for count in [1, 2, 3, 4, 5, 7, 40] {
                    let x = numbers("x", count * cols, 1.0, 0.0);
                    let mut y = vec![0.0; count * rows];
                    pool.install(|| matrix.product(&x, count, &mut y)).unwrap();
                    for (found, wanted) in y.iter().zip(slow(&weights, &x, rows, cols)) {
                        assert!((found - wanted).abs() < 1e-4, "{rows}x{cols}, {count}: {found} and {wanted}");
                    }
                    let mut alone = vec![0.0; rows];
                    for (x, y) in x.chunks(cols).zip(y.chunks(rows)) {
                        matrix.product(x, 1, &mut alone).unwrap();
                        assert_eq!(alone, y, "{rows}x{cols}, {count}: to the last bit");
                    }
                }
                let mut row = vec![0.0; cols];
                matrix.row(rows - 1, &mut row).unwrap();
                assert_eq!(row, weights[(rows - 1) * cols..]);
            }
        }
    }
}
