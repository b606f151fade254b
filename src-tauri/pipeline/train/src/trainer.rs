//! One training from its spec to its adapter, step by step.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use tw_jobs::{JobFolder, PlanInfo, StepInfo, TrainSpec, read_rows};
use tw_model::Weights;
use tw_model::decoder::Keep;
use tw_model::kernel::adamw;

use crate::adapted::Dropout;
use crate::adapter::Adapter;
use crate::checkpoint::{self, State};
use crate::engine::{self, Pass};
use crate::error::{Error, Result};
use crate::memory;
use crate::moments::Moments;
use crate::noise::Noise;
use crate::pack::{Pack, Sequence, pack_rows, sequences};
use crate::peft;

/// A training: its data packed, its adapter, and where it stands.
#[derive(Debug)]
pub struct Trainer {
    spec: TrainSpec,
    weights: Weights,
    adapter: Adapter,
    gradients: Tensor,
    moments: Moments,
    packs: Vec<Pack>,
    validation: Vec<Pack>,
    keep: Vec<Keep>,
    rows: usize,
    row_tokens: usize,
    state: State,
}

impl Trainer {
    /// A training from a job's folder; goes on from its newest checkpoint where there is one. It may take `available` bytes
    /// where its spec does not say.
    ///
    /// # Errors
    /// When the spec, the rows, the model or the checkpoint cannot be used, or it does not fit into memory.
    pub fn open(folder: &JobFolder, available: Option<u64>) -> Result<Self> {
        let mut spec = folder.spec()?;
        let text = serde_json::to_vec(&spec).map_err(|error| Error::Spec(error.to_string()))?;
        spec.memory_bytes = spec.memory_bytes.or(available);
        let read = |path: &Path| {
            let path = folder.path().join(path);
            let bytes = fs::read(&path).map_err(Error::file(&path))?;
            Ok::<_, Error>((sequences(&read_rows(&path)?, spec.max_length)?, fingerprint(&bytes, 0)))
        };
        let (rows, rows_print) = read(&spec.rows)?;
        let validation = spec.validation.as_deref().map(read).transpose()?.map(|(rows, _)| rows).unwrap_or_default();
        let mut trainer = Self::new(spec, &rows, &validation)?;
        trainer.state.job = format!("{:016x}", fingerprint(&text, rows_print));
        if let Some(newest) = checkpoint::list(&folder.checkpoints())?.last() {
            let (adapter, moments, state) =
                checkpoint::read(newest, &trainer.weights.architecture, &trainer.state.job)?;
            if adapter.slots != trainer.adapter.slots {
                let reason = "its adapter has another shape".to_owned();
                return Err(Error::Checkpoint { path: newest.clone(), reason });
            }
            (trainer.adapter.values, trainer.moments, trainer.state) = (adapter.values, moments, state);
        }
        Ok(trainer)
    }

    /// A training over rows in memory, from its first step.
    ///
    /// # Errors
    /// When the spec, the rows or the model cannot be used, or it does not fit into memory.
    pub fn new(spec: TrainSpec, rows: &[Sequence], validation: &[Sequence]) -> Result<Self> {
        if spec.accumulation == 0 || (spec.epochs == 0 && spec.steps.is_none()) {
            return Err(Error::Spec("accumulation and epochs must be at least 1".to_owned()));
        }
        let alpha = spec.optimizer.neftune_alpha;
        if !(alpha.is_finite() && alpha >= 0.0) {
            return Err(Error::Spec("NEFTune's alpha must be 0, for no noise, or above".to_owned()));
        }
        let weights = Weights::read(&spec.model)?;
        for row in rows.iter().chain(validation) {
            weights.check_tokens(&row.tokens)?;
        }
        let adapter = match &spec.adapter {
            Some(folder) => {
                let mut adapter = peft::read(folder, &weights.architecture)?;
                adapter.spec.dropout = spec.lora.dropout;
                adapter
            }
            None => Adapter::fresh(&weights.architecture, &spec.lora, spec.seed)?,
        };
        let budget = spec.pack_tokens.max(spec.max_length.min(longest(rows).max(longest(validation))));
        let share = spec.share_prefixes;
        let packs = pack_rows(rows, budget, share)?;
        let validation = if validation.is_empty() { Vec::new() } else { pack_rows(validation, budget, share)? };
        let count = adapter.values.elem_count();
        let largest = packs.iter().chain(&validation).map(|pack| pack.tokens.len()).max().unwrap_or(0);
        let keep = memory::plan(&weights.architecture, count, largest, spec.memory_bytes)?;
        Ok(Self {
            gradients: Tensor::zeros(count, DType::F32, &Device::Cpu)?,
            moments: Moments::zeros(&adapter, spec.optimizer.eight_bit)?,
            rows: rows.len(),
            row_tokens: rows.iter().map(|row| row.tokens.len()).sum(),
            state: State { step: 0, job: String::new() },
            spec,
            weights,
            adapter,
            packs,
            validation,
            keep,
        })
    }

    /// What it amounts to.
    #[must_use]
    pub fn plan(&self) -> PlanInfo {
        let largest = self.packs.iter().chain(&self.validation).map(|pack| pack.tokens.len()).max().unwrap_or(0);
        let (a, trained) = (&self.weights.architecture, self.adapter.values.elem_count());
        PlanInfo {
            rows: self.rows,
            row_tokens: self.row_tokens,
            pack_tokens: self.packs.iter().map(|pack| pack.tokens.len()).sum(),
            packs: self.packs.len(),
            steps: self.steps(),
            trained_parameters: trained,
            frozen_parameters: a.parameters(),
            peak_bytes: memory::peak_bytes(a, trained, largest, &self.keep),
        }
    }

    fn steps_per_epoch(&self) -> u64 {
        self.packs.len().div_ceil(self.spec.accumulation) as u64
    }

    /// How many steps there are in all.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.spec.steps.unwrap_or(self.steps_per_epoch() * u64::from(self.spec.epochs))
    }

    /// How many steps are done.
    #[must_use]
    pub fn step_number(&self) -> u64 {
        self.state.step
    }

    /// The spec.
    #[must_use]
    pub fn spec(&self) -> &TrainSpec {
        &self.spec
    }

    /// The adapter as it stands.
    #[must_use]
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// The packs of a step: each epoch goes through all of them in an order of its own.
    fn packs_of(&self, step: u64) -> Vec<usize> {
        let per_epoch = self.steps_per_epoch();
        let (epoch, place) = (step / per_epoch, step % per_epoch);
        let order = shuffled(self.packs.len(), self.spec.seed, epoch);
        let start = usize::try_from(place).unwrap_or(0) * self.spec.accumulation;
        order[start..order.len().min(start + self.spec.accumulation)].to_vec()
    }

    /// The next step's loss, and the gradients in place; its total weight, the gradient's norm.
    fn accumulate(&mut self, packs: &[usize]) -> Result<(f64, f64)> {
        let total: f64 = packs.iter().map(|index| self.packs[*index].weight).sum();
        adamw::clear(&self.gradients)?;
        let mut sum = 0.0;
        for (place, index) in packs.iter().enumerate() {
            let seed = self.spec.seed ^ (self.state.step << 20).wrapping_add(place as u64 + 1);
            let (share, alpha) = (self.adapter.spec.dropout, self.spec.optimizer.neftune_alpha);
            #[expect(clippy::cast_possible_truncation, reason = "computed in 32 bits from here on")]
            let pass = Pass {
                keep: &self.keep,
                scale: (1.0 / total) as f32,
                dropout: (share > 0.0).then_some(Dropout { share, seed }),
                // Another seed than that of dropout: the two have nothing to do with each other.
                noise: (alpha > 0.0).then_some(Noise { alpha, seed: !seed }),
            };
            sum += engine::gradients(&self.weights, &self.adapter, &self.packs[*index], &pass, &self.gradients)?;
        }
        Ok((sum / total, adamw::norm(&self.gradients)?))
    }

    /// The next step.
    ///
    /// # Errors
    /// When the loss or its gradient is not a number: then the adapter is as it was before.
    pub fn step(&mut self) -> Result<StepInfo> {
        let begun = Instant::now();
        let packs = self.packs_of(self.state.step);
        let (loss, norm) = self.accumulate(&packs)?;
        let number = self.state.step + 1;
        if !loss.is_finite() || !norm.is_finite() {
            return Err(Error::NotANumber { step: number });
        }
        let settings = &self.spec.optimizer;
        let rate = settings.rate(self.state.step, self.steps());
        // As PyTorch's clip_grad_norm_ does it.
        let clip = if settings.clip_norm > 0.0 { (settings.clip_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
        let step = adamw::Step {
            number: i32::try_from(number).unwrap_or(i32::MAX),
            rate,
            weight_decay: settings.weight_decay,
            beta1: settings.beta1,
            beta2: settings.beta2,
            eps: settings.eps,
            gradient_scale: clip,
        };
        self.moments.step(&self.adapter, &self.gradients, &step)?;
        self.state.step = number;
        let sum = |count: fn(&Pack) -> usize| packs.iter().map(|index| count(&self.packs[*index])).sum();
        Ok(StepInfo {
            step: number,
            steps: self.steps(),
            loss,
            learning_rate: rate,
            gradient_norm: norm,
            tokens: sum(|pack| pack.tokens.len()),
            row_tokens: sum(|pack| pack.row_tokens),
            seconds: begun.elapsed().as_secs_f64(),
        })
    }

    /// The mean loss over the validation rows, if there are any.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn evaluate(&self) -> Result<Option<f64>> {
        let total: f64 = self.validation.iter().map(|pack| pack.weight).sum();
        let mut sum = 0.0;
        for pack in &self.validation {
            sum += engine::loss(&self.weights, Some(&self.adapter), pack)?;
        }
        Ok((total > 0.0).then(|| sum / total))
    }

    /// Keeps a checkpoint, and drops the oldest ones beyond what the spec keeps. Gives its folder.
    ///
    /// # Errors
    /// When it cannot be written; earlier ones are still there then.
    pub fn save(&self, checkpoints: &Path) -> Result<PathBuf> {
        let base = self.spec.model.to_string_lossy();
        checkpoint::write(checkpoints, &self.adapter, &base, &self.moments, &self.state, self.spec.keep_checkpoints)
    }

    /// Writes the adapter's folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_adapter(&self, folder: &Path) -> Result<()> {
        peft::write(folder, &self.adapter, &self.spec.model.to_string_lossy())
    }
}

fn longest(rows: &[Sequence]) -> usize {
    rows.iter().map(|row| row.tokens.len()).max().unwrap_or(0)
}

/// FNV-1a, going on from another print. Enough to tell one job's files from another's.
fn fingerprint(bytes: &[u8], from: u64) -> u64 {
    bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325 ^ from, |print, byte| (print ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

/// The numbers below `count` in an order that the seed and the epoch fix (Fisher and Yates).
fn shuffled(count: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        let hash = fingerprint(&(last as u64).to_le_bytes(), seed.wrapping_mul(0x9E37_79B9).wrapping_add(epoch));
        let other = usize::try_from((hash >> 11) % (last as u64 + 1)).unwrap_or(0);
        order.swap(last, other);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_goes_through_all_packs_in_its_own_order() {
        let (first, second) = (shuffled(20, 1, 0), shuffled(20, 1, 1));
        assert!(first != second && first == shuffled(20, 1, 0) && first != shuffled(20, 2, 0));
        for mut order in [first, second] {
            order.sort_unstable();
            assert_eq!(order, (0..20).collect::<Vec<_>>());
        }
    }
}
