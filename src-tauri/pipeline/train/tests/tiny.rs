//! Small models, rows and adapters for the tests.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde_json::Value;
use tempfile::TempDir;
use tw_jobs::{LoraSpec, OptimizerSpec, Schedule, TrainSpec};
use tw_model::{Weights, synthetic};
use tw_train::{Adapter, Sequence};

pub(crate) const CONFIG: &str = r#"{"model_type":"qwen3","vocab_size":61,"hidden_size":32,"intermediate_size":48,
    "num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":8,"rms_norm_eps":1e-6,
    "tie_word_embeddings":true,"max_position_embeddings":512,"rope_theta":10000.0}"#;

pub(crate) fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/parity/goldens/train")
}

pub(crate) fn golden(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(goldens().join(format!("{name}.json"))).unwrap()).unwrap()
}

/// A model's folder for a config, gone when the guard is dropped.
pub(crate) fn model(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    synthetic::write_folder(folder.path(), config, 1, DType::F32).unwrap();
    folder
}

pub(crate) fn rows_of(golden: &Value) -> Vec<Sequence> {
    let numbers = |value: &Value| value.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect::<Vec<_>>();
    let row = |row: &Value| Sequence {
        tokens: numbers(&row["tokens"]).iter().map(|n| *n as u32).collect(),
        weights: numbers(&row["weights"]).iter().map(|n| *n as f32).collect(),
    };
    golden["rows"].as_array().unwrap().iter().map(row).collect()
}

/// Settings of a golden, over a model's folder.
pub(crate) fn spec_of(golden: &Value, model: &Path) -> TrainSpec {
    let (lora, training) = (&golden["lora"], &golden["training"]);
    let number = |value: &Value| value.as_f64().unwrap();
    TrainSpec {
        model: model.to_owned(),
        steps: Some(20),
        lora: LoraSpec {
            rank: lora["r"].as_u64().unwrap() as usize,
            alpha: number(&lora["alpha"]),
            rslora: lora["rslora"].as_bool().unwrap(),
            dropout: 0.0,
            targets: serde_json::from_value(lora["targets"].clone()).unwrap(),
        },
        optimizer: OptimizerSpec {
            learning_rate: number(&training["lr"]),
            weight_decay: number(&training["weight_decay"]),
            clip_norm: number(&training["clip"]),
            warmup_steps: training["warmup"].as_u64().unwrap(),
            schedule: serde_json::from_value::<Schedule>(training["schedule"].clone()).unwrap(),
            ..OptimizerSpec::default()
        },
        ..TrainSpec::default()
    }
}

/// An adapter with the formula's numbers, as tests/parity/train.py fills it.
pub(crate) fn adapter(weights: &Weights, spec: &LoraSpec) -> Adapter {
    let mut adapter = Adapter::fresh(&weights.architecture, spec, 1).unwrap();
    let mut values = Vec::new();
    values.resize(adapter.values.elem_count(), 0.0_f32);
    for slot in &adapter.slots {
        let name = format!("layers.{}.{}", slot.layer, slot.module.path());
        let scale = 1.0 / (slot.shape.1 as f64).sqrt();
        let a = synthetic::numbers(&format!("{name}.lora_A"), slot.a.len(), scale, 0.0);
        values[slot.a.clone()].copy_from_slice(&a);
        let b = synthetic::numbers(&format!("{name}.lora_B"), slot.b.len(), 0.1, 0.0);
        values[slot.b.clone()].copy_from_slice(&b);
    }
    let count = values.len();
    adapter.values = Tensor::from_vec(values, count, &Device::Cpu).unwrap();
    adapter
}

pub(crate) fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|number| number.to_bits()).collect()
}

/// Rows that fork at random places: each goes on from a prefix of an earlier one.
pub(crate) fn forking_rows(seed: u64, count: usize, longest: usize, vocab: u32) -> Vec<Sequence> {
    let random = synthetic::numbers(&format!("rows {seed}"), 10_000, 0.5, 0.5);
    let mut next = random.iter().map(|number| f64::from(*number));
    let mut below = |limit: usize| (next.next().unwrap() * limit as f64) as usize;
    let mut rows: Vec<Sequence> = Vec::new();
    for _ in 0..count {
        let mut tokens: Vec<u32> = if rows.is_empty() || below(5) == 0 {
            Vec::new()
        } else {
            let from = &rows[below(rows.len())].tokens;
            from[..below(from.len() + 1)].to_vec()
        };
        let length = (tokens.len() + 1 + below(longest / 2)).min(longest);
        while tokens.len() < length {
            tokens.push(below(vocab as usize) as u32);
        }
        let from = below(tokens.len());
        let weights =
            (0..tokens.len()).map(|place| if place >= from { 0.5 + (place % 3) as f32 } else { 0.0 }).collect();
        rows.push(Sequence { tokens, weights });
    }
    rows
}
