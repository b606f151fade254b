//! LoRA branches beside a model's projections, chosen for each sequence.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use tw_model::Architecture;
use tw_model::kernel::vector::{dot, vectorised};

use crate::error::{Error, Result};

/// A projection that can have a branch.
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
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Q, Self::K, Self::V, Self::O, Self::Gate, Self::Up, Self::Down];

    /// Its path in a layer, as checkpoints name it.
    #[must_use]
    pub const fn path(self) -> &'static str {
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

    /// (outputs, inputs).
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
}

/// One branch as it is read: its output is `scale * b (a x)`.
#[derive(Clone, Debug)]
pub struct Branch {
    /// Its layer.
    pub layer: usize,
    /// Its projection.
    pub module: Module,
    /// Numbers between the two matrices.
    pub rank: usize,
    /// [rank, inputs], row by row.
    pub a: Vec<f32>,
    /// [outputs, rank], row by row.
    pub b: Vec<f32>,
    /// What its output counts.
    pub scale: f32,
}

/// An adapter that can be used by sequences.
#[derive(Debug)]
pub struct Adapter {
    /// Two adapters never have the same, so that what one has cached is not taken for another's.
    pub(crate) serial: u64,
    branches: BTreeMap<(usize, Module), Ready>,
}

/// A branch made ready: `b` turned, so that its product is a sum of rows.
#[derive(Debug)]
struct Ready {
    rank: usize,
    a: Vec<f32>,
    /// [rank, outputs], scaled.
    b: Vec<f32>,
}

/// Rows that one thread takes.
const ROWS: usize = 8;

static SERIAL: AtomicU64 = AtomicU64::new(1);

impl Adapter {
    /// From its branches.
    ///
    /// # Errors
    /// When one does not fit the model, or stands twice.
    pub fn new(architecture: &Architecture, branches: impl IntoIterator<Item = Branch>) -> Result<Self> {
        let mut ready = BTreeMap::new();
        for Branch { layer, module, rank, a, b, scale } in branches {
            let (outputs, inputs) = module.shape(architecture);
            if layer >= architecture.layers {
                let reason = format!("it has a branch in layer {layer}, the model has {}", architecture.layers);
                return Err(Error::Adapter(reason));
            }
            if rank == 0 || a.len() != rank * inputs || b.len() != outputs * rank {
                return Err(Error::Adapter(format!(
                    "its branch at {} of layer {layer} has {} and {} numbers, the model asks for {rank} x {inputs} and {outputs} x {rank}",
                    module.path(),
                    a.len(),
                    b.len()
                )));
            }
            let mut turned = vec![0.0_f32; b.len()];
            for (output, row) in b.chunks_exact(rank).enumerate() {
                for (place, number) in row.iter().enumerate() {
                    turned[place * outputs + output] = number * scale;
                }
            }
            if ready.insert((layer, module), Ready { rank, a, b: turned }).is_some() {
                return Err(Error::Adapter(format!("it has two branches at {} of layer {layer}", module.path())));
            }
        }
        Ok(Self { serial: SERIAL.fetch_add(1, Ordering::Relaxed), branches: ready })
    }

    /// Bytes of memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.branches.values().map(|branch| (branch.a.len() + branch.b.len()) * 4).sum()
    }

    /// Adds a branch's output for `x` [count, inputs] to the columns of `y` [count, width] from `start` on.
    #[expect(clippy::too_many_arguments, reason = "two matrices and a place in one of them")]
    pub(crate) fn add(
        &self,
        layer: usize,
        module: Module,
        x: &[f32],
        inputs: usize,
        y: &mut [f32],
        width: usize,
        start: usize,
    ) {
        let Some(Ready { rank, a, b }) = self.branches.get(&(layer, module)) else { return };
        let outputs = b.len() / rank;
        let some = |x: &[f32], y: &mut [f32]| {
            vectorised(|| {
                for (x, y) in x.chunks_exact(inputs).zip(y.chunks_exact_mut(width)) {
                    let y = &mut y[start..start + outputs];
                    for (a, b) in a.chunks_exact(inputs).zip(b.chunks_exact(outputs)) {
                        let between = dot(a, x);
                        for (y, b) in y.iter_mut().zip(b) {
                            *y += between * b;
                        }
                    }
                }
            });
        };
        if x.len() <= ROWS * inputs {
            some(x, y);
        } else {
            y.par_chunks_mut(ROWS * width).zip(x.par_chunks(ROWS * inputs)).for_each(|(y, x)| some(x, y));
        }
    }
}
