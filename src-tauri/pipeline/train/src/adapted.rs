//! A model's projections with an adapter's branches, and the branches' gradients.

use candle_core::{DType, Device, Tensor};
use tw_model::Weights;
use tw_model::decoder::{Linear, Linears};
use tw_model::kernel::{dropout, linear, rows};

use crate::adapter::{Adapter, Slot};

type Result<T> = tw_model::Result<T>;

/// What dropout drops: a function of these and of the place, so that a layer that is computed twice drops the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// The share.
    pub share: f64,
    /// Names the step and the pack.
    pub seed: u64,
}

/// Projections with an adapter.
///
/// Without dropout a branch is added to its weights before the product (`W + scale * B A`), which costs as much as a few
/// rows; with dropout it is computed beside it.
#[derive(Debug)]
pub struct Adapted<'a> {
    /// The frozen model.
    pub weights: &'a Weights,
    /// The adapter.
    pub adapter: &'a Adapter,
    /// Where gradients are added, as long as the adapter's values. Needed for a backward.
    pub gradients: Option<&'a Tensor>,
    /// Whether branches drop inputs.
    pub dropout: Option<Dropout>,
}

fn lift(error: crate::Error) -> tw_model::Error {
    match error {
        crate::Error::Model(error) => error,
        other => tw_model::Error::Kernel(other.to_string()),
    }
}

impl Adapted<'_> {
    fn branches(&self, layer: usize, linear: Linear) -> Vec<(&Slot, usize)> {
        self.adapter.branches(&self.weights.architecture, layer, linear)
    }

    fn matrices(&self, numbers: &Tensor, slot: &Slot) -> Result<(Tensor, Tensor)> {
        self.adapter.matrices(numbers, slot).map_err(lift)
    }

    /// A projection's weights with its branches.
    fn merged(&self, layer: usize, linear: Linear) -> Result<Tensor> {
        let frozen = self.weights.layers[layer].weight(&self.weights.architecture, linear)?;
        let branches = self.branches(layer, linear);
        if branches.is_empty() {
            return Ok(frozen);
        }
        let merged = frozen.force_contiguous()?;
        for (slot, offset) in branches {
            let (a, b) = self.matrices(&self.adapter.values, slot)?;
            linear::add_product(&merged.narrow(0, offset, slot.shape.0)?, self.adapter.scale(), &b, &a)?;
        }
        Ok(merged)
    }

    /// The input of a branch, with what it drops.
    fn dropped(&self, slot: &Slot, x: &Tensor, dropout: Dropout) -> Result<Tensor> {
        let place = slot.layer as u64 * 8 + slot.module as u64;
        dropout::forward(x, dropout.share, dropout.seed.wrapping_mul(0x1_0001).wrapping_add(place))
    }

    /// Gradients of a projection's branches from its input and the gradient of its output; for each branch, the gradient of
    /// its A's output.
    fn collect(&self, branches: &[(&Slot, usize)], x: &Tensor, dy: &Tensor, gradients: &Tensor) -> Result<()> {
        let (rank, scale) = (self.adapter.spec.rank, self.adapter.scale());
        let (Some((first, _)), Some((last, _))) = (branches.first(), branches.last()) else { return Ok(()) };
        // The branches' A matrices are one matrix, and so are their gradients.
        let all = branches.len() * rank;
        let stacked = |numbers: &Tensor| {
            numbers.narrow(0, first.a.start, last.a.end - first.a.start)?.reshape((all, first.shape.1))
        };
        let reduced = linear::forward(x, &stacked(&self.adapter.values)?)?;
        let upper = Tensor::zeros((x.dims2()?.0, all), DType::F32, &Device::Cpu)?;
        for (index, (slot, offset)) in branches.iter().enumerate() {
            let (_, b) = self.matrices(&self.adapter.values, slot)?;
            let (_, db) = self.matrices(gradients, slot)?;
            let dy = dy.narrow(1, *offset, slot.shape.0)?;
            linear::add_product(&db, scale, &dy.t()?, &reduced.narrow(1, index * rank, rank)?)?;
            linear::add_product(&upper.narrow(1, index * rank, rank)?, scale, &dy, &b)?;
        }
        linear::add_product(&stacked(gradients)?, 1.0, &upper.t()?, x)
    }

    /// As [`Self::collect`] for one branch that drops inputs; adds the gradient of its input to `dx`.
    fn collect_dropped(
        &self,
        (slot, offset): (&Slot, usize),
        x: &Tensor,
        dy: &Tensor,
        gradients: &Tensor,
        (dropout, dx): (Dropout, Option<&Tensor>),
    ) -> Result<()> {
        let (rank, scale) = (self.adapter.spec.rank, self.adapter.scale());
        let (a, b) = self.matrices(&self.adapter.values, slot)?;
        let (da, db) = self.matrices(gradients, slot)?;
        let x = self.dropped(slot, x, dropout)?;
        let dy = dy.narrow(1, offset, slot.shape.0)?;
        linear::add_product(&db, scale, &dy.t()?, &linear::forward(&x, &a)?)?;
        let upper = Tensor::zeros((x.dims2()?.0, rank), DType::F32, &Device::Cpu)?;
        linear::add_product(&upper, scale, &dy, &b)?;
        linear::add_product(&da, 1.0, &upper.t()?, &x)?;
        if let Some(dx) = dx {
            // Dropping is a product with a fixed matrix: the gradient goes back through the same.
            rows::add(dx, &self.dropped(slot, &linear::backward(&upper, &a)?, dropout)?)?;
        }
        Ok(())
    }
}

impl Linears for Adapted<'_> {
    fn forward(&self, layer: usize, linear: Linear, x: &Tensor) -> Result<Tensor> {
        let Some(dropout) = self.dropout else {
            let y = linear::forward(x, &self.merged(layer, linear)?)?;
            if let Some(bias) = self.weights.layers[layer].bias(&self.weights.architecture, linear)? {
                linear::add_bias(&y, &bias)?;
            }
            return Ok(y);
        };
        let y = self.weights.forward(layer, linear, x)?;
        for (slot, offset) in self.branches(layer, linear) {
            let (a, b) = self.matrices(&self.adapter.values, slot)?;
            let reduced = linear::forward(&self.dropped(slot, x, dropout)?, &a)?;
            linear::add_product(&y.narrow(1, offset, slot.shape.0)?, self.adapter.scale(), &reduced, &b.t()?)?;
        }
        Ok(y)
    }

    fn backward(
        &self,
        layer: usize,
        linear: Linear,
        x: &Tensor,
        dy: &Tensor,
        wants_dx: bool,
    ) -> Result<Option<Tensor>> {
        let branches = self.branches(layer, linear);
        let Some(dropout) = self.dropout else {
            if let Some(gradients) = self.gradients {
                self.collect(&branches, x, dy, gradients)?;
            }
            return if wants_dx { Ok(Some(linear::backward(dy, &self.merged(layer, linear)?)?)) } else { Ok(None) };
        };
        let dx = self.weights.backward(layer, linear, x, dy, wants_dx)?;
        if let Some(gradients) = self.gradients {
            for branch in branches {
                self.collect_dropped(branch, x, dy, gradients, (dropout, dx.as_ref()))?;
            }
        }
        Ok(dx)
    }
}
