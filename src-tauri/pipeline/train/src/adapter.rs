//! A LoRA adapter: low-rank branches beside a model's projections (Hu et al., arXiv 2106.09685).
//!
//! All trained numbers lie in one tensor, so that one kernel moves them and one file keeps them. Branches whose projections
//! read the same input lie side by side: their A matrices are one matrix.

use std::ops::Range;

use candle_core::{DType, Device, Tensor};
use tw_jobs::LoraSpec;
use tw_model::decoder::Linear;
use tw_model::{Architecture, synthetic};

use crate::error::{Error, Result};

/// A projection that can get a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Module {
    /// Queries.
    Q,
    /// Keys.
    K,
    /// Values.
    V,
    /// From the heads back.
    O,
    /// The MLP's gate.
    Gate,
    /// Its up.
    Up,
    /// Its down.
    Down,
}

impl Module {
    /// All of them, in the order in which they are kept.
    pub const ALL: [Self; 7] = [Self::Q, Self::K, Self::V, Self::O, Self::Gate, Self::Up, Self::Down];

    /// Its path in a layer, as checkpoints name it.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Q => "self_attn.q_proj",
            Self::K => "self_attn.k_proj",
            Self::V => "self_attn.v_proj",
            Self::O => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }

    /// Its short name, as PEFT's `target_modules` lists it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.path().rsplit('.').next().unwrap_or_default()
    }

    /// (out, in).
    #[must_use]
    pub fn shape(self, a: &Architecture) -> (usize, usize) {
        match self {
            Self::Q => (a.q_width(), a.hidden),
            Self::K | Self::V => (a.kv_width(), a.hidden),
            Self::O => (a.hidden, a.q_width()),
            Self::Gate | Self::Up => (a.intermediate, a.hidden),
            Self::Down => (a.hidden, a.intermediate),
        }
    }

    /// Where its outputs begin among those of the projection that it is computed in, if it is part of it.
    pub(crate) fn offset_in(self, linear: Linear, a: &Architecture) -> Option<usize> {
        match (linear, self) {
            (Linear::Qkv | Linear::Queries, Self::Q)
            | (Linear::KeysValues, Self::K)
            | (Linear::Output, Self::O)
            | (Linear::GateUp, Self::Gate)
            | (Linear::Down, Self::Down) => Some(0),
            (Linear::Qkv, Self::K) => Some(a.q_width()),
            (Linear::Qkv, Self::V) => Some(a.q_width() + a.kv_width()),
            (Linear::KeysValues, Self::V) => Some(a.kv_width()),
            (Linear::GateUp, Self::Up) => Some(a.intermediate),
            _ => None,
        }
    }
}

/// One branch: where its matrices lie among all trained numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its layer.
    pub layer: usize,
    /// Its projection.
    pub module: Module,
    /// (out, in) of the projection.
    pub shape: (usize, usize),
    /// A, [rank, in].
    pub a: Range<usize>,
    /// B, [out, rank].
    pub b: Range<usize>,
}

/// An adapter.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// Its rank, alpha and so on. `targets` are the modules that it has.
    pub spec: LoraSpec,
    /// Its branches, by layer, then in the order of [`Module::ALL`].
    pub slots: Vec<Slot>,
    /// All trained numbers.
    pub values: Tensor,
    /// The slots of each layer.
    layers: Vec<Range<usize>>,
}

/// Projections with one input: their A matrices lie beside each other.
const INPUTS: [&[Module]; 4] =
    [&[Module::Q, Module::K, Module::V], &[Module::O], &[Module::Gate, Module::Up], &[Module::Down]];

impl Adapter {
    /// A fresh adapter that changes nothing yet: A is random as PEFT draws it (evenly within 1 / sqrt(in)), B is 0.
    ///
    /// # Errors
    /// When the rank is 0 or a target is not a projection.
    pub fn fresh(architecture: &Architecture, spec: &LoraSpec, seed: u64) -> Result<Self> {
        let modules = spec
            .targets
            .iter()
            .map(|target| {
                Module::ALL
                    .into_iter()
                    .find(|module| module.name() == target || module.path() == target)
                    .ok_or_else(|| Error::Spec(format!("{target} is not a projection of this model: choose among q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj")))
            })
            .collect::<Result<Vec<_>>>()?;
        let places = (0..architecture.layers).flat_map(|layer| modules.iter().map(move |module| (layer, *module)));
        let adapter = Self::empty(architecture, spec, places)?;
        adapter.fill(|slot, is_a, count| {
            let bound = if is_a { 1.0 / (slot.shape.1 as f64).sqrt() } else { 0.0 };
            let name = format!("{seed}.{}.{}", slot.layer, slot.module.path());
            Ok(synthetic::numbers(&name, count, bound, 0.0))
        })
    }

    /// An adapter of zeros with branches at these places.
    pub(crate) fn empty(
        architecture: &Architecture,
        spec: &LoraSpec,
        places: impl IntoIterator<Item = (usize, Module)>,
    ) -> Result<Self> {
        if spec.rank == 0 || !(0.0..1.0).contains(&spec.dropout) {
            return Err(Error::Spec("the adapter's rank must be at least 1, its dropout from 0 to below 1".to_owned()));
        }
        let places: std::collections::BTreeSet<(usize, Module)> = places.into_iter().collect();
        if places.is_empty() {
            return Err(Error::Spec("the adapter has no target: choose at least one projection".to_owned()));
        }
        let (mut slots, mut layers, mut end) = (Vec::new(), Vec::new(), 0);
        let mut take = |count: usize| {
            end += count;
            end - count..end
        };
        for layer in 0..architecture.layers {
            let first = slots.len();
            for inputs in INPUTS {
                let begun = slots.len();
                for module in inputs.iter().filter(|module| places.contains(&(layer, **module))) {
                    let shape = module.shape(architecture);
                    slots.push(Slot { layer, module: *module, shape, a: take(spec.rank * shape.1), b: 0..0 });
                }
                for slot in &mut slots[begun..] {
                    slot.b = take(slot.shape.0 * spec.rank);
                }
            }
            layers.push(first..slots.len());
        }
        let mut spec = spec.clone();
        let used = Module::ALL.into_iter().filter(|module| slots.iter().any(|slot| slot.module == *module));
        spec.targets = used.map(|module| module.name().to_owned()).collect();
        let values = Tensor::zeros(end, DType::F32, &Device::Cpu)?;
        Ok(Self { spec, slots, values, layers })
    }

    /// The same adapter with other numbers: `numbers` gives those of a slot's A (or B), so many.
    pub(crate) fn fill(mut self, numbers: impl Fn(&Slot, bool, usize) -> Result<Vec<f32>>) -> Result<Self> {
        let mut values = vec![0.0_f32; self.values.elem_count()];
        for slot in &self.slots {
            values[slot.a.clone()].copy_from_slice(&numbers(slot, true, slot.a.len())?);
            values[slot.b.clone()].copy_from_slice(&numbers(slot, false, slot.b.len())?);
        }
        let count = values.len();
        self.values = Tensor::from_vec(values, count, &Device::Cpu)?;
        Ok(self)
    }

    /// How many numbers each matrix has, in the order in which they lie.
    #[must_use]
    pub fn matrix_sizes(&self) -> Vec<usize> {
        let mut matrices: Vec<&Range<usize>> = self.slots.iter().flat_map(|slot| [&slot.a, &slot.b]).collect();
        matrices.sort_by_key(|matrix| matrix.start);
        matrices.into_iter().map(ExactSizeIterator::len).collect()
    }

    /// What a branch's output counts.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "ranks are small")]
    pub fn scale(&self) -> f32 {
        let rank = self.spec.rank as f64;
        (self.spec.alpha / if self.spec.rslora { rank.sqrt() } else { rank }) as f32
    }

    /// A branch's matrices, [rank, in] and [out, rank], in a tensor of all trained numbers (or of their gradients).
    ///
    /// # Errors
    /// When the tensor is of another adapter.
    pub fn matrices(&self, numbers: &Tensor, slot: &Slot) -> Result<(Tensor, Tensor)> {
        let part =
            |range: &Range<usize>, shape| Ok::<_, Error>(numbers.narrow(0, range.start, range.len())?.reshape(shape)?);
        let rank = self.spec.rank;
        Ok((part(&slot.a, (rank, slot.shape.1))?, part(&slot.b, (slot.shape.0, rank))?))
    }

    /// The branches of a projection, each with where its outputs begin in it. Their A matrices lie beside each other.
    pub(crate) fn branches(&self, a: &Architecture, layer: usize, linear: Linear) -> Vec<(&Slot, usize)> {
        self.slots[self.layers[layer].clone()]
            .iter()
            .filter_map(|slot| Some((slot, slot.module.offset_in(linear, a)?)))
            .collect()
    }
}
