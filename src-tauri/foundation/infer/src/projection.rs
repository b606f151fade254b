//! A projection of a layer: its weights in one part or several, its bias, and what adapters add to it.

use crate::adapter::{Adapter, Module};
use crate::error::Result;
use crate::kernel::rows;
use crate::matrix::Matrix;

/// Matrices that read the same input, their outputs side by side.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    parts: Vec<Matrix>,
    bias: Option<Vec<f32>>,
    width: usize,
    /// Which of a layer's modules it computes, each with where its outputs begin.
    modules: Vec<(Module, usize)>,
}

/// Neighbouring rows of a step that use one adapter, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adapted<'a> {
    pub(crate) rows: usize,
    pub(crate) adapter: Option<&'a Adapter>,
}

impl Projection {
    /// `modules` are those of `parts` in order, each with its outputs.
    pub(crate) fn new(parts: Vec<Matrix>, bias: Option<Vec<f32>>, modules: &[(Module, usize)]) -> Self {
        let mut start = 0;
        let modules = modules
            .iter()
            .map(|(module, outputs)| {
                start += outputs;
                (*module, start - outputs)
            })
            .collect();
        Self { width: parts.iter().map(Matrix::rows).sum(), parts, bias, modules }
    }

    /// Outputs.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.parts.iter().map(Matrix::bytes).sum()
    }

    /// `y` [count, width] from `x` [count, inputs].
    pub(crate) fn forward(&self, layer: usize, x: &[f32], who: &[Adapted<'_>], y: &mut Vec<f32>) -> Result<()> {
        let count: usize = who.iter().map(|part| part.rows).sum();
        y.resize(count * self.width, 0.0);
        if let [only] = self.parts.as_slice() {
            only.product(x, count, y)?;
        } else {
            let (mut start, mut part) = (0, Vec::new());
            for matrix in &self.parts {
                let outputs = matrix.rows();
                part.resize(count * outputs, 0.0);
                matrix.product(x, count, &mut part)?;
                for (row, from) in y.chunks_exact_mut(self.width).zip(part.chunks_exact(outputs)) {
                    row[start..start + outputs].copy_from_slice(from);
                }
                start += outputs;
            }
        }
        if let Some(bias) = &self.bias {
            rows::add_bias(y, bias);
        }
        let inputs = self.parts.first().map_or(1, Matrix::cols);
        let (mut x, mut y) = (x, y.as_mut_slice());
        for part in who {
            let (rows, later) = y.split_at_mut(part.rows * self.width);
            if let Some(adapter) = part.adapter {
                for (module, start) in &self.modules {
                    adapter.add(layer, *module, x, inputs, rows, self.width, *start);
                }
            }
            (x, y) = (&x[part.rows * inputs..], later);
        }
        Ok(())
    }
}
