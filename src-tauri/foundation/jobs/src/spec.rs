//! What a training job is asked to do: `spec.json`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A training job, complete: the same spec over the same files gives the same adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainSpec {
    /// The base model's folder.
    pub model: PathBuf,
    /// Rows to train on, one JSON object per line ([`crate::Row`]); relative to the job's folder.
    pub rows: PathBuf,
    /// Rows to validate on, if any.
    pub validation: Option<PathBuf>,
    /// An adapter to train on from, instead of a fresh one.
    pub adapter: Option<PathBuf>,
    /// The adapter.
    pub lora: LoraSpec,
    /// How it is moved.
    pub optimizer: OptimizerSpec,
    /// Times through all rows. Ignored where `steps` is set.
    pub epochs: u32,
    /// Exactly so many steps.
    pub steps: Option<u64>,
    /// The most tokens of one row.
    pub max_length: usize,
    /// The most tokens of one pack. Rows that share prefixes share their tokens. At least `max_length`.
    pub pack_tokens: usize,
    /// Whether prefixes that rows share are computed once. Off, every row is computed by itself.
    pub share_prefixes: bool,
    /// Packs per step.
    pub accumulation: usize,
    /// Fixes the adapter's first numbers, the order of packs and what dropout drops.
    pub seed: u64,
    /// Validate after every so many steps, and at the end. 0: at the end only.
    pub eval_every: u64,
    /// Keep a checkpoint after every so many steps, and at the end. 0: at the end only.
    pub save_every: u64,
    /// Keep only the newest so many checkpoints. 0: all.
    pub keep_checkpoints: usize,
    /// Bytes that the training may take, weights included. What does not fit is computed twice instead of kept.
    pub memory_bytes: Option<u64>,
}

impl Default for TrainSpec {
    fn default() -> Self {
        Self {
            model: PathBuf::new(),
            rows: PathBuf::from("rows.jsonl"),
            validation: None,
            adapter: None,
            lora: LoraSpec::default(),
            optimizer: OptimizerSpec::default(),
            epochs: 1,
            steps: None,
            max_length: 32_768,
            pack_tokens: 32_768,
            share_prefixes: true,
            accumulation: 1,
            seed: 1,
            eval_every: 0,
            save_every: 50,
            keep_checkpoints: 2,
            memory_bytes: None,
        }
    }
}

/// The adapter's shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoraSpec {
    /// Width of the branch.
    pub rank: usize,
    /// The branch counts `alpha / rank`.
    pub alpha: f64,
    /// The branch counts `alpha / sqrt(rank)` instead.
    pub rslora: bool,
    /// Share of a branch's input that is dropped in training.
    pub dropout: f64,
    /// The projections that get a branch, in PEFT's names.
    pub targets: Vec<String>,
}

impl Default for LoraSpec {
    fn default() -> Self {
        let targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
        Self { rank: 16, alpha: 32.0, rslora: false, dropout: 0.0, targets: targets.map(str::to_owned).to_vec() }
    }
}

/// AdamW and its schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OptimizerSpec {
    /// The highest learning rate.
    pub learning_rate: f64,
    /// How it goes on after the warm-up.
    pub schedule: Schedule,
    /// Steps over which the rate rises from 0.
    pub warmup_steps: u64,
    /// Share of each number that is taken away per unit of learning rate.
    pub weight_decay: f64,
    /// Decay of the mean gradient.
    pub beta1: f64,
    /// Decay of the mean squared gradient.
    pub beta2: f64,
    /// Added to the root of the mean squared gradient.
    pub eps: f64,
    /// The longest a step's gradient may be (its norm over all numbers). 0: any length.
    pub clip_norm: f64,
    /// Keep its states in 8 bits a number instead of 32 (block-wise, arXiv 2110.02861), where matrices are large.
    pub eight_bit: bool,
    /// Noise on the embeddings while training (NEFTune, arXiv 2310.05914): its alpha, usually 5 to 15. 0: none.
    pub neftune_alpha: f64,
}

impl Default for OptimizerSpec {
    fn default() -> Self {
        Self {
            learning_rate: 2e-4,
            schedule: Schedule::Constant,
            warmup_steps: 0,
            weight_decay: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            clip_norm: 1.0,
            eight_bit: false,
            neftune_alpha: 0.0,
        }
    }
}

/// How the learning rate goes on after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// It stays.
    Constant,
    /// It falls to 0 in a straight line.
    Linear,
    /// It falls to 0 along half a cosine.
    Cosine,
}

impl OptimizerSpec {
    /// The learning rate of a step (counted from 0) of so many.
    #[must_use]
    pub fn rate(&self, step: u64, steps: u64) -> f64 {
        if step < self.warmup_steps {
            return self.learning_rate * step as f64 / self.warmup_steps as f64;
        }
        let done = (step - self.warmup_steps) as f64 / steps.saturating_sub(self.warmup_steps).max(1) as f64;
        let share = match self.schedule {
            Schedule::Constant => 1.0,
            Schedule::Linear => 1.0 - done,
            Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
        };
        self.learning_rate * share.max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_then_goes_the_way_of_its_schedule() {
        let mut spec = OptimizerSpec { learning_rate: 1.0, warmup_steps: 4, ..OptimizerSpec::default() };
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(close(spec.rate(0, 20), 0.0) && close(spec.rate(2, 20), 0.5) && close(spec.rate(19, 20), 1.0));
        spec.schedule = Schedule::Linear;
        assert!(close(spec.rate(4, 20), 1.0) && close(spec.rate(12, 20), 0.5) && close(spec.rate(20, 20), 0.0));
        spec.schedule = Schedule::Cosine;
        assert!(close(spec.rate(12, 20), 0.5) && spec.rate(16, 20) < 0.15);
    }

    #[test]
    fn a_spec_may_say_only_what_differs_from_the_defaults() {
        let spec: TrainSpec = serde_json::from_str(r#"{"model":"/m","lora":{"rank":8}}"#).unwrap();
        assert_eq!((spec.lora.rank, spec.lora.targets.len(), spec.epochs), (8, 7, 1));
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<TrainSpec>(&text).unwrap(), spec);
    }
}
