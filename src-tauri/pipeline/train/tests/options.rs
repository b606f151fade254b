use std::path::Path;

use tempfile::TempDir;
use tw_jobs::{JobFolder, LoraSpec, OptimizerSpec, Row, TrainSpec, write_rows};
use tw_model::Weights;
use tw_model::decoder::Keep;
use tw_train::engine::{Pass, gradients};
use tw_train::{Noise, Pack, Sequence, Trainer};

use crate::tiny::{CONFIG, adapter, bits, forking_rows, model};

/// Wide enough that some of its branches' matrices are large: 16 x 256 numbers.
const WIDE: &str = r#"{"model_type":"qwen3","vocab_size":61,"hidden_size":256,"intermediate_size":320,
    "num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":32,"rms_norm_eps":1e-6,
    "tie_word_embeddings":true,"max_position_embeddings":512,"rope_theta":10000.0}"#;

fn spec(model: &Path, optimizer: OptimizerSpec) -> TrainSpec {
    TrainSpec {
        model: model.to_owned(),
        lora: LoraSpec { rank: 16, ..LoraSpec::default() },
        optimizer,
        max_length: 40,
        pack_tokens: 100,
        steps: Some(20),
        ..TrainSpec::default()
    }
}

fn losses(spec: TrainSpec, rows: &[Sequence]) -> Vec<f64> {
    let mut trainer = Trainer::new(spec, rows, &[]).unwrap();
    (0..20).map(|_| trainer.step().unwrap().loss).collect()
}

fn job(spec: &TrainSpec) -> (TempDir, JobFolder) {
    let place = tempfile::tempdir().unwrap();
    let rows: Vec<Row> = forking_rows(5, 9, 40, 61)
        .iter()
        .enumerate()
        .map(|(index, row)| Row::from_weights(&format!("row {index}"), &row.tokens, &row.weights))
        .collect();
    write_rows(&place.path().join("rows.jsonl"), &rows).unwrap();
    let folder = JobFolder::create(place.path(), spec).unwrap();
    (place, folder)
}

/// Stops after three steps with a checkpoint, goes on, and gives the same bits as never stopping.
fn goes_on_with_the_same_bits(spec: &TrainSpec) {
    let (_place, job) = job(spec);
    let mut straight = Trainer::open(&job, None).unwrap();
    let losses: Vec<u64> = (0..6).map(|_| straight.step().unwrap().loss.to_bits()).collect();
    let mut broken = Trainer::open(&job, None).unwrap();
    (0..3).for_each(|_| drop(broken.step().unwrap()));
    broken.save(&job.checkpoints()).unwrap();
    drop(broken);
    let mut resumed = Trainer::open(&job, None).unwrap();
    let after: Vec<u64> = (0..3).map(|_| resumed.step().unwrap().loss.to_bits()).collect();
    assert_eq!(after, losses[3..]);
    assert_eq!(bits(&resumed.adapter().values), bits(&straight.adapter().values));
}

#[test]
fn with_states_of_8_bits_losses_stay_near_those_with_32() {
    let folder = model(WIDE);
    let rows = forking_rows(5, 9, 40, 61);
    let optimizer = OptimizerSpec { learning_rate: 1e-3, ..OptimizerSpec::default() };
    let full = losses(spec(folder.path(), optimizer.clone()), &rows);
    let eight = losses(spec(folder.path(), OptimizerSpec { eight_bit: true, ..optimizer }), &rows);
    let worst = full.iter().zip(&eight).map(|(a, b)| (a - b).abs() / a).fold(0.0, f64::max);
    println!("from {:.3} to {:.3}, at most {worst:.1e} apart", full[0], full[19]);
    assert!(full[19] < full[0] * 0.9, "it learns: {full:?}");
    assert!(worst > 0.0 && worst < 0.01, "{worst:.2e}: {full:?} {eight:?}");
}

#[test]
fn checkpoints_hold_the_states_of_8_bits() {
    let folder = model(WIDE);
    let optimizer = OptimizerSpec { learning_rate: 1e-2, eight_bit: true, ..OptimizerSpec::default() };
    let spec = spec(folder.path(), optimizer);
    goes_on_with_the_same_bits(&spec);
    let (_place, job) = job(&spec);
    let mut trainer = Trainer::open(&job, None).unwrap();
    trainer.step().unwrap();
    let states = trainer.save(&job.checkpoints()).unwrap().join("optimizer.safetensors");
    let bytes = std::fs::metadata(states).unwrap().len();
    let numbers = trainer.plan().trained_parameters as u64;
    assert!(bytes < numbers * 4, "{bytes} bytes for {numbers} numbers: the two states took 8 bytes each before");
}

#[test]
fn noise_on_embeddings_is_fixed_by_the_seed_and_changes_only_training() {
    let folder = model(CONFIG);
    let rows = forking_rows(5, 9, 40, 61);
    let with = |alpha, seed| {
        let optimizer = OptimizerSpec { neftune_alpha: alpha, ..OptimizerSpec::default() };
        TrainSpec { seed, ..spec(folder.path(), optimizer) }
    };
    let noisy = losses(with(5.0, 1), &rows);
    assert_eq!(noisy, losses(with(5.0, 1), &rows));
    // The adapter's first numbers change nothing, so the first losses differ by the noise alone.
    let first = |alpha, seed| losses(with(alpha, seed), &rows)[0];
    assert!(noisy[0] != first(0.0, 1) && noisy[0] != first(5.0, 2));
    let evaluated = |alpha| Trainer::new(with(alpha, 1), &rows, &rows).unwrap().evaluate().unwrap().unwrap();
    assert_eq!(evaluated(5.0).to_bits(), evaluated(0.0).to_bits());
    goes_on_with_the_same_bits(&with(5.0, 1));
    let said = Trainer::new(with(f64::NAN, 1), &rows, &[]).unwrap_err().to_string();
    assert!(said.contains("NEFTune"), "{said}");
}

#[test]
fn with_noise_the_gradient_is_the_slope_of_the_loss_with_the_same_noise() {
    let folder = model(CONFIG);
    let weights = Weights::read(folder.path()).unwrap();
    let lora = LoraSpec { rank: 3, ..LoraSpec::default() };
    let adapter = adapter(&weights, &lora);
    let pack = Pack::new(&forking_rows(4, 5, 30, 61));
    let pass = |keep| Pass { keep, scale: 1.0, dropout: None, noise: Some(Noise { alpha: 5.0, seed: 9 }) };
    let at = |adapter: &tw_train::Adapter, keep| {
        let found = adapter.values.zeros_like().unwrap();
        (gradients(&weights, adapter, &pack, &pass(keep), &found).unwrap(), found)
    };
    let (_, slope) = at(&adapter, &[]);
    assert_eq!(
        bits(&slope),
        bits(&at(&adapter, &[Keep::Input, Keep::Input]).1),
        "also where layers are computed twice"
    );
    let direction = tw_model::synthetic::numbers("direction", adapter.values.elem_count(), 1.0, 0.0);
    let direction = candle_core::Tensor::from_vec(direction, adapter.values.dims(), adapter.values.device()).unwrap();
    let moved = |by: f64| {
        let mut moved = adapter.clone();
        moved.values = (&adapter.values + (&direction * by).unwrap()).unwrap();
        at(&moved, &[]).0
    };
    let measured = (moved(1e-3) - moved(-1e-3)) / 2e-3;
    let said = f64::from((&slope * &direction).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap());
    assert!((measured - said).abs() < 5e-3 * said.abs().max(1.0), "{measured} by differences, {said} said");
}
