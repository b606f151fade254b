//! Matrix products on slices, with strides, added to what is there where wanted.

use gemm::Parallelism;

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

    pub(crate) fn with_strides(data: &'a [f32], rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> Self {
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

/// `destination = scale * left * right`, or `+=`.
#[expect(unsafe_code, reason = "gemm takes pointers; every index it computes lies in the slices, which is checked")]
pub(crate) fn multiply(
    destination: MatrixMut<'_>,
    into: Into,
    scale: f32,
    left: Matrix<'_>,
    right: Matrix<'_>,
    threads: Threads,
) {
    assert!(
        left.cols == right.rows && destination.rows == left.rows && destination.cols == right.cols,
        "matrices that do not fit: {}x{} = {}x{} * {}x{}",
        destination.rows,
        destination.cols,
        left.rows,
        left.cols,
        right.rows,
        right.cols
    );
    if destination.rows == 0 || destination.cols == 0 {
        return;
    }
    let parallelism = match threads {
        Threads::All if rayon::current_num_threads() > 1 => Parallelism::Rayon(rayon::current_num_threads()),
        _ => Parallelism::None,
    };
    let signed = |stride: usize| isize::try_from(stride).unwrap_or(isize::MAX);
    // SAFETY: `fits` held for each of the three when they were made, so the largest index of each lies in its slice;
    // the destination's rows do not overlap (stride >= cols), and it is borrowed alone.
    unsafe {
        gemm::gemm(
            destination.rows,
            destination.cols,
            left.cols,
            destination.data.as_mut_ptr(),
            1,
            signed(destination.stride),
            into == Into::Add,
            left.data.as_ptr(),
            signed(left.col_stride),
            signed(left.row_stride),
            right.data.as_ptr(),
            signed(right.col_stride),
            signed(right.row_stride),
            1.0,
            scale,
            false,
            false,
            false,
            parallelism,
        );
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
    #[should_panic(expected = "larger than its numbers")]
    fn a_matrix_that_reaches_beyond_its_slice_is_refused() {
        let _ = Matrix::new(&[0.0; 5], 2, 3, 3);
    }
}
