//! Between tensors and slices.

use std::cell::RefCell;
use std::ops::{Deref, Range};

use candle_core::{CpuStorage, DType, Device, InplaceOp1, Layout, Shape, Storage, Tensor};

use crate::error::{Error, Result};

/// A contiguous tensor's numbers, for as long as this lives.
pub(crate) struct Floats<G> {
    storage: G,
    range: Range<usize>,
}

impl<G: Deref<Target = Storage>> Deref for Floats<G> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.storage {
            // Both are checked by `floats`.
            Storage::Cpu(CpuStorage::F32(numbers)) => &numbers[self.range.clone()],
            _ => &[],
        }
    }
}

/// The numbers of a contiguous tensor.
pub(crate) fn floats(tensor: &Tensor) -> Result<Floats<impl Deref<Target = Storage> + '_>> {
    let (storage, layout) = tensor.storage_and_layout();
    if !matches!(&*storage, Storage::Cpu(CpuStorage::F32(_))) {
        return Err(Error::Kernel(format!(
            "this step is computed in 32 bits on the CPU only, not in {:?}",
            tensor.dtype()
        )));
    }
    let Some((start, end)) = layout.contiguous_offsets() else {
        return Err(Error::Kernel(format!("a kernel was given a tensor with gaps: {:?}", tensor.shape())));
    };
    Ok(Floats { storage, range: start..end })
}

/// All numbers of a tensor's storage, with its layout: for two-dimensional tensors of any strides.
pub(crate) fn strided(tensor: &Tensor) -> Result<(Floats<impl Deref<Target = Storage> + '_>, &Layout)> {
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(CpuStorage::F32(numbers)) = &*storage else {
        return Err(Error::Kernel(format!(
            "this step is computed in 32 bits on the CPU only, not in {:?}",
            tensor.dtype()
        )));
    };
    let range = layout.start_offset()..numbers.len();
    Ok((Floats { storage, range }, layout))
}

/// A tensor of these numbers.
pub(crate) fn tensor(numbers: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Ok(Tensor::from_vec(numbers, shape.into(), &Device::Cpu)?)
}

struct Change<F>(RefCell<F>);

impl<F: FnMut(&mut [f32], &Layout)> InplaceOp1 for Change<F> {
    fn name(&self) -> &'static str {
        "change"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let CpuStorage::F32(numbers) = storage else {
            candle_core::bail!("only 32-bit floats are changed in place");
        };
        (self.0.borrow_mut())(&mut numbers[layout.start_offset()..], layout);
        Ok(())
    }
}

/// Changes a contiguous tensor's numbers where they are. Other tensors that share them see the change.
pub(crate) fn change(tensor: &Tensor, mut work: impl FnMut(&mut [f32])) -> Result<()> {
    if tensor.dtype() != DType::F32 || !tensor.is_contiguous() {
        return Err(Error::Kernel("only contiguous tensors of 32-bit floats are changed in place".to_owned()));
    }
    let count = tensor.elem_count();
    Ok(tensor.inplace_op1(&Change(RefCell::new(|numbers: &mut [f32], _: &Layout| work(&mut numbers[..count]))))?)
}

/// As [`change`], for a matrix whose rows may lie apart: `work` gets its numbers and how far apart its rows are.
pub(crate) fn change_rows(tensor: &Tensor, mut work: impl FnMut(&mut [f32], usize)) -> Result<()> {
    let [row_stride, 1] = tensor.stride() else {
        return Err(Error::Kernel("only matrices with whole rows are changed in place".to_owned()));
    };
    Ok(tensor.inplace_op1(&Change(RefCell::new(|numbers: &mut [f32], _: &Layout| work(numbers, *row_stride))))?)
}
