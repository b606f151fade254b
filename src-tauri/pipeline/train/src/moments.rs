//! What AdamW remembers of earlier steps.

use candle_core::{DType, Device, Tensor};
use tw_model::checkpoint::Checkpoint;
use tw_model::kernel::adamw;
use tw_model::kernel::adamw_eight_bit::States;

use crate::adapter::Adapter;
use crate::error::Result;

/// The mean gradient and the mean squared gradient of every trained number.
#[derive(Clone, Debug)]
pub(crate) enum Moments {
    /// In 32 bits.
    Full { mean: Tensor, squares: Tensor },
    /// In 8 bits where matrices are large.
    EightBit(Box<States>),
}

impl Moments {
    /// Those before the first step.
    pub(crate) fn zeros(adapter: &Adapter, eight_bit: bool) -> Result<Self> {
        if eight_bit {
            return Ok(Self::EightBit(Box::new(States::zeros(&adapter.matrix_sizes()))));
        }
        let zeros = || Tensor::zeros(adapter.values.elem_count(), DType::F32, &Device::Cpu);
        Ok(Self::Full { mean: zeros()?, squares: zeros()? })
    }

    /// Moves the adapter's numbers.
    pub(crate) fn step(&mut self, adapter: &Adapter, gradients: &Tensor, step: &adamw::Step) -> Result<()> {
        match self {
            Self::Full { mean, squares } => adamw::step(&adapter.values, gradients, mean, squares, step)?,
            Self::EightBit(states) => states.step(&adapter.values, gradients, step)?,
        }
        Ok(())
    }

    /// Their parts under the names that checkpoints keep them by.
    pub(crate) fn tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let named = |(name, tensor): (&str, Tensor)| (name.to_owned(), tensor);
        Ok(match self {
            Self::Full { mean, squares } => {
                [("mean", mean.clone()), ("squares", squares.clone())].map(named).into_iter().collect()
            }
            Self::EightBit(states) => states.tensors()?.into_iter().map(named).collect(),
        })
    }

    /// Reads those of an adapter, of whichever kind they are.
    pub(crate) fn read(tensors: &Checkpoint, adapter: &Adapter) -> Result<Self> {
        if tensors.contains("mean_codes") {
            let read = |name: &str| if name.ends_with("codes") { tensors.bytes(name) } else { tensors.tensor(name) };
            return Ok(Self::EightBit(Box::new(States::read(&adapter.matrix_sizes(), read)?)));
        }
        let shape = [adapter.values.elem_count()];
        Ok(Self::Full { mean: tensors.floats("mean", &shape)?, squares: tensors.floats("squares", &shape)? })
    }
}
