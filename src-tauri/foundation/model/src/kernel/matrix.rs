//! Matrix products on slices, with strides, added to what is there where wanted.

use std::ops::Range;

use gemm::Parallelism;
use rayon::prelude::*;

/// A matrix that is read.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `rows` rows of `cols` numbers, `stride` apart.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        Self::with_strides(data, rows, cols, stride, 1)
    }

    pub(crate) fn with_strides(
        data: &'a [f32],
        rows: usize,
        cols: usize,
        row_stride: usize,
        col_stride: usize,
    ) -> Self {
        assert!(fits(data.len(), rows, cols, row_stride, col_stride), "a matrix larger than its numbers");
        Self { data, rows, cols, row_stride, col_stride }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            data: self.data,
        }
    }
}

/// A matrix that is written: rows of `cols` numbers, `stride` apart.
pub(crate) struct MatrixMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    cols: usize,
    stride: usize,
}

impl<'a> MatrixMut<'a> {
    pub(crate) fn new(data: &'a mut [f32], rows: usize, cols: usize, stride: usize) -> Self {
        assert!(stride >= cols && fits(data.len(), rows, cols, stride, 1), "a matrix larger than its numbers");
        Self { data, rows, cols, stride }
    }
}

fn fits(len: usize, rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> bool {
    rows == 0 || cols == 0 || (rows - 1) * row_stride + (cols - 1) * col_stride < len
}

/// Whether the product replaces what is there or is added to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Into {
    Replace,
    Add,
}

/// Who computes a product: the calling thread, or all of the pool.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threads {
    One,
    All,
}

/// Products of fewer multiplications than this are not worth sharing.
const WORTH_SHARING: usize = 1 << 20;

/// `destination = scale * left * right`, or `+=`.
///
/// Shared products are cut into parts that each thread computes alone: gemm's own sharing makes threads wait for each other
/// in turns, which stalls where other programs want the processor too. Each number is summed in the same order however the
/// product is cut.
pub(crate) fn multiply(
    destination: MatrixMut<'_>,
    into: Into,
    scale: f32,
    left: Matrix<'_>,
    right: Matrix<'_>,
    threads: Threads,
) {
    let MatrixMut { data, rows, cols, stride } = destination;
    assert!(
        left.cols == right.rows && rows == left.rows && cols == right.cols,
        "matrices that do not fit: {rows}x{cols} = {}x{} * {}x{}",
        left.rows,
        left.cols,
        right.rows,
        right.cols
    );
    if rows == 0 || cols == 0 {
        return;
    }
    let parts = match threads {
        Threads::All if rows * cols * left.cols.max(1) > WORTH_SHARING => rayon::current_num_threads(),
        _ => 1,
    };
    let whole = Product { to: Pointer(data.as_mut_ptr()), stride, into, scale, left, right };
    if parts == 1 {
        whole.part(&(0..rows), &(0..cols));
    } else if rows >= cols {
        cut(rows, parts).into_par_iter().for_each(|part| whole.part(&part, &(0..cols)));
    } else {
        cut(cols, parts).into_par_iter().for_each(|part| whole.part(&(0..rows), &part));
    }
}

/// So many ranges that cover `0..count`, at multiples of what the kernels like.
fn cut(count: usize, parts: usize) -> Vec<Range<usize>> {
    const WHOLE: usize = 16;
    let size = count.div_ceil(parts).next_multiple_of(WHOLE);
    (0..count).step_by(size).map(|start| start..count.min(start + size)).collect()
}

/// Where a product goes. Its parts are written by several threads, each its own.
#[derive(Clone, Copy)]
struct Pointer(*mut f32);

// SAFETY: `multiply` holds the destination alone and hands each part to one thread; the parts do not overlap.
#[expect(unsafe_code, reason = "the parts of one matrix are written by several threads")]
unsafe impl Send for Pointer {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "the parts of one matrix are written by several threads")]
unsafe impl Sync for Pointer {}

struct Product<'a> {
    to: Pointer,
    stride: usize,
    into: Into,
    scale: f32,
    left: Matrix<'a>,
    right: Matrix<'a>,
}

impl Product<'_> {
    /// Computes these rows and columns of the product.
    #[expect(unsafe_code, reason = "gemm takes pointers; every index it computes lies in the slices, which is checked")]
    fn part(&self, rows: &Range<usize>, cols: &Range<usize>) {
        let signed = |stride: usize| isize::try_from(stride).unwrap_or(isize::MAX);
        let (left, right) = (self.left, self.right);
        // SAFETY: `fits` held for each of the three matrices when they were made, so the largest index of each lies in its
        // slice, and the part lies in the matrices. The destination's rows do not overlap (stride >= cols).
        unsafe {
            gemm::gemm(
                rows.len(),
                cols.len(),
                left.cols,
                self.to.0.add(rows.start * self.stride + cols.start),
                1,
                signed(self.stride),
                self.into == Into::Add,
                left.data.as_ptr().add(rows.start * left.row_stride),
                signed(left.col_stride),
                signed(left.row_stride),
                right.data.as_ptr().add(cols.start * right.col_stride),
                signed(right.col_stride),
                signed(right.row_stride),
                1.0,
                self.scale,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_of_strided_matrices_is_added_to_what_is_there() {
        // [[1, 2], [3, 4]] within rows of three, times its own transpose, onto ones.
        let data = [1.0, 2.0, 9.0, 3.0, 4.0, 9.0];
        let matrix = Matrix::new(&data, 2, 2, 3);
        let mut sum = [1.0_f32; 4];
        multiply(MatrixMut::new(&mut sum, 2, 2, 2), Into::Add, 0.5, matrix, matrix.transposed(), Threads::One);
        assert_eq!(sum, [3.5, 6.5, 6.5, 13.5]);
    }

    #[test]
    fn a_product_cut_into_parts_is_the_product() {
        let numbers = |count: usize| (0..count).map(|place| ((place * 7919) % 101) as f32 / 101.0).collect::<Vec<_>>();
        for (rows, inner, cols) in [(301, 97, 67), (67, 97, 301)] {
            let (left, right) = (numbers(rows * inner), numbers(inner * cols));
            let (left, right) = (Matrix::new(&left, rows, inner, inner), Matrix::new(&right, inner, cols, cols));
            let product = |threads| {
                let mut to = vec![0.0; rows * cols];
                multiply(MatrixMut::new(&mut to, rows, cols, cols), Into::Replace, 1.0, left, right, threads);
                to
            };
            assert_eq!(product(Threads::All), product(Threads::One), "to the last bit");
        }
    }

    #[test]
    #[should_panic(expected = "larger than its numbers")]
    fn a_matrix_that_reaches_beyond_its_slice_is_refused() {
        let _ = Matrix::new(&[0.0; 5], 2, 3, 3);
    }
}
