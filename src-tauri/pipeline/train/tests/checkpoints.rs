use std::fs;
use std::path::Path;

use candle_core::{Device, Tensor};
use tempfile::TempDir;
use tw_jobs::{JobFolder, LoraSpec, OptimizerSpec, Row, TrainSpec, write_rows};
use tw_model::Weights;
use tw_train::{Adapter, Error, Trainer, peft};

use crate::tiny::{CONFIG, bits, forking_rows, model};

fn spec(model: &Path) -> TrainSpec {
    TrainSpec {
        model: model.to_owned(),
        lora: LoraSpec { rank: 2, dropout: 0.1, ..LoraSpec::default() },
        optimizer: OptimizerSpec { learning_rate: 1e-2, ..OptimizerSpec::default() },
        validation: Some("rows.jsonl".into()),
        max_length: 40,
        pack_tokens: 60,
        accumulation: 2,
        steps: Some(6),
        ..TrainSpec::default()
    }
}

fn job(spec: &TrainSpec) -> (TempDir, JobFolder) {
    let place = tempfile::tempdir().unwrap();
    let rows: Vec<Row> = forking_rows(11, 9, 40, 61)
        .iter()
        .enumerate()
        .map(|(index, row)| Row::from_weights(&format!("row {index}"), &row.tokens, &row.weights))
        .collect();
    write_rows(&place.path().join("rows.jsonl"), &rows).unwrap();
    let folder = JobFolder::create(place.path(), spec).unwrap();
    (place, folder)
}

#[test]
fn going_on_from_a_checkpoint_gives_the_same_bits_as_never_stopping() {
    let folder = model(CONFIG);
    let (_place, job) = job(&spec(folder.path()));
    let mut straight = Trainer::open(&job, None).unwrap();
    assert!(straight.plan().packs > 2, "several packs: {:?}", straight.plan());
    let before = straight.evaluate().unwrap().unwrap();
    let losses: Vec<u64> = (0..6).map(|_| straight.step().unwrap().loss.to_bits()).collect();
    assert!(straight.evaluate().unwrap().unwrap() < before, "it learns");

    let mut broken = Trainer::open(&job, None).unwrap();
    for loss in &losses[..3] {
        assert_eq!(broken.step().unwrap().loss.to_bits(), *loss);
    }
    broken.save(&job.checkpoints()).unwrap();
    broken.step().unwrap();
    drop(broken);
    let mut resumed = Trainer::open(&job, None).unwrap();
    assert_eq!(resumed.step_number(), 3);
    for loss in &losses[3..] {
        assert_eq!(resumed.step().unwrap().loss.to_bits(), *loss);
    }
    assert_eq!(bits(&resumed.adapter().values), bits(&straight.adapter().values));
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_one_before_usable() {
    let folder = model(CONFIG);
    let (_place, job) = job(&spec(folder.path()));
    let mut trainer = Trainer::open(&job, None).unwrap();
    trainer.step().unwrap();
    trainer.save(&job.checkpoints()).unwrap();
    trainer.step().unwrap();
    // A file where the folder should go: as good as a full disk, and it works for every user.
    fs::write(job.checkpoints().join("step-00000002.part"), "").unwrap();
    assert!(matches!(trainer.save(&job.checkpoints()), Err(Error::File { .. })));
    assert_eq!(Trainer::open(&job, None).unwrap().step_number(), 1);
    fs::remove_file(job.checkpoints().join("step-00000002.part")).unwrap();
    for _ in 0..2 {
        trainer.save(&job.checkpoints()).unwrap();
        trainer.step().unwrap();
    }
    trainer.save(&job.checkpoints()).unwrap();
    let kept: Vec<_> = fs::read_dir(job.checkpoints()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(kept.len(), 2, "only the newest two: {kept:?}");
}

#[test]
fn a_checkpoint_of_another_job_or_a_damaged_one_is_refused() {
    let folder = model(CONFIG);
    let (_place, job) = job(&spec(folder.path()));
    let mut trainer = Trainer::open(&job, None).unwrap();
    trainer.step().unwrap();
    let checkpoint = trainer.save(&job.checkpoints()).unwrap();
    JobFolder::create(job.path(), &TrainSpec { seed: 2, ..spec(folder.path()) }).unwrap();
    assert!(Trainer::open(&job, None).unwrap_err().to_string().contains("another spec"));
    JobFolder::create(job.path(), &spec(folder.path())).unwrap();
    let states = checkpoint.join("optimizer.safetensors");
    let whole = fs::read(&states).unwrap();
    fs::write(&states, &whole[..whole.len() / 2]).unwrap();
    assert!(Trainer::open(&job, None).unwrap_err().to_string().contains("damaged"));
}

#[test]
fn a_loss_that_is_not_a_number_ends_the_step_before_anything_is_changed() {
    let folder = model(CONFIG);
    let weights = Weights::read(folder.path()).unwrap();
    let mut adapter = Adapter::fresh(&weights.architecture, &LoraSpec::default(), 1).unwrap();
    let count = adapter.values.elem_count();
    adapter.values = Tensor::from_vec(vec![f32::NAN; count], count, &Device::Cpu).unwrap();
    let start = tempfile::tempdir().unwrap();
    peft::write(start.path(), &adapter, "tiny").unwrap();
    let spec = TrainSpec { adapter: Some(start.path().to_owned()), ..spec(folder.path()) };
    let mut trainer = Trainer::new(spec, &forking_rows(1, 4, 20, 61), &[]).unwrap();
    let said = trainer.step().unwrap_err();
    assert!(matches!(said, Error::NotANumber { step: 1 }) && said.to_string().contains("learning rate"), "{said}");
    assert_eq!(trainer.step_number(), 0);
}

#[test]
fn what_cannot_be_trained_is_said_before_the_first_step() {
    let folder = model(CONFIG);
    let rows = forking_rows(1, 4, 20, 61);
    let said = |spec: TrainSpec, rows: &[tw_train::Sequence]| Trainer::new(spec, rows, &[]).unwrap_err().to_string();
    let base = spec(folder.path());
    let foreign = forking_rows(1, 4, 20, 5_000);
    assert!(said(base.clone(), &foreign).contains("tokenizer"));
    assert!(said(base.clone(), &[]).contains("trained on"));
    let lora = LoraSpec { targets: vec!["lm_head".to_owned()], ..LoraSpec::default() };
    assert!(said(TrainSpec { lora, ..base.clone() }, &rows).contains("lm_head"));
    assert!(said(TrainSpec { memory_bytes: Some(1_000_000), ..base.clone() }, &rows).contains("tokens per pack"));
    assert!(said(TrainSpec { model: "/nowhere".into(), ..base }, &rows).contains("/nowhere/config.json"));
}
