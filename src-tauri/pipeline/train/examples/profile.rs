//! Seconds per step and peak memory of a shape: `cargo run -p tw-train --example profile -- qwen3-tiny 1024 [rows]`.
//!
//! With `RAYON_NUM_THREADS=1` the processor's seconds tell more than the clock's where other programs run too.

#![allow(clippy::print_stderr, clippy::cast_possible_truncation)]

use std::fs;
use std::time::Instant;

use candle_core::DType;
use tw_jobs::TrainSpec;
use tw_model::synthetic;
use tw_train::{Sequence, Trainer};

const QWEN3: &str = r#"{"model_type":"qwen3","vocab_size":151936,"hidden_size":256,"intermediate_size":768,
    "num_hidden_layers":4,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":64,"rms_norm_eps":1e-6,
    "tie_word_embeddings":true,"max_position_embeddings":40960,"rope_theta":1000000.0}"#;
const SMOLLM2: &str = r#"{"model_type":"llama","vocab_size":49152,"hidden_size":576,"intermediate_size":1536,
    "num_hidden_layers":30,"num_attention_heads":9,"num_key_value_heads":3,"rms_norm_eps":1e-5,
    "tie_word_embeddings":true,"max_position_embeddings":8192,"rope_theta":100000.0}"#;

/// Seconds of processor time that this process has used so far, and the most memory it held, in MB.
fn used() -> (f64, u64) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: Vec<f64> = stat.split(' ').skip(13).take(2).filter_map(|ticks| ticks.parse().ok()).collect();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    (ticks.iter().sum::<f64>() / 100.0, peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1000)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let shape = arguments.next().ok_or("give a shape: qwen3-tiny or smollm2")?;
    let tokens: usize = arguments.next().ok_or("give a length")?.parse()?;
    let rows: usize = arguments.next().map_or(Ok(1), |rows| rows.parse())?;
    let config = if shape == "smollm2" { SMOLLM2 } else { QWEN3 };
    let model = std::env::temp_dir().join(format!("profile-{shape}"));
    if !model.join("model.safetensors").is_file() {
        synthetic::write_folder(&model, config, 1, DType::BF16)?;
    }
    // Rows that share their first half; of each row every fifth run of sixteen tokens is trained on.
    let sequence = |row: usize| Sequence {
        tokens: (0..tokens)
            .map(|place| ((place * 7919 + if place * 2 < tokens { 0 } else { row * 31 }) % 40_000) as u32)
            .collect(),
        weights: (0..tokens).map(|place| if place / 16 % 5 == 4 { 1.0 } else { 0.0 }).collect(),
    };
    let sequences: Vec<Sequence> = (0..rows).map(sequence).collect();
    let spec = TrainSpec { model, steps: Some(4), pack_tokens: tokens * rows, ..TrainSpec::default() };
    let mut trainer = Trainer::new(spec, &sequences, &[])?;
    let plan = trainer.plan();
    let mut best = (f64::MAX, f64::MAX);
    for _ in 0..4 {
        let (begun, before) = (Instant::now(), used().0);
        let info = trainer.step()?;
        let (wall, processor) = (begun.elapsed().as_secs_f64(), used().0 - before);
        best = (best.0.min(wall), best.1.min(processor));
        eprintln!("loss {:.5}, {wall:.2} s, {processor:.2} s of the processor", info.loss);
    }
    eprintln!(
        "{shape}, {rows} x {tokens}: {:.2} s, {:.2} s of the processor, peak {} MB (planned {} MB), {} of {} tokens computed",
        best.0,
        best.1,
        used().1,
        plan.peak_bytes / 1_000_000,
        plan.pack_tokens,
        plan.row_tokens,
    );
    Ok(())
}
