//! The worker as its hosts see it: a process, a folder, and what it says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod faults;
mod tensorboard;
mod traces;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command as Program, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use candle_core::DType;
use tempfile::TempDir;
use tw_jobs::{Command, Event, JobFolder, LoraSpec, OptimizerSpec, Row, Running, TrainSpec, Watch, Worker, write_rows};
use tw_model::synthetic;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tw-worker");
/// Far more than any test needs on a busy machine.
const PATIENCE_SECS: u64 = 300;

const CONFIG: &str = r#"{"model_type":"llama","vocab_size":61,"hidden_size":32,"intermediate_size":48,
    "num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"rms_norm_eps":1e-6,
    "tie_word_embeddings":true,"max_position_embeddings":512,"rope_theta":10000.0}"#;

struct Place {
    _root: TempDir,
    job: JobFolder,
}

/// A job over a tiny model: six rows that share a beginning.
fn place(change: impl FnOnce(&mut TrainSpec)) -> Place {
    let root = tempfile::tempdir().unwrap();
    let model = root.path().join("model");
    synthetic::write_folder(&model, CONFIG, 2, DType::F32).unwrap();
    let rows: Vec<Row> = (0..6_u32)
        .map(|row| {
            let tokens: Vec<u32> = (0..8).chain((0..12).map(|place| (row * 7 + place * 5) % 61)).collect();
            let weights: Vec<f32> = (0..20).map(|place| if place < 8 { 0.0 } else { 1.0 }).collect();
            Row::from_weights(&format!("trace_{row}"), &tokens, &weights)
        })
        .collect();
    let mut spec = TrainSpec {
        model,
        lora: LoraSpec { rank: 2, ..LoraSpec::default() },
        optimizer: OptimizerSpec { learning_rate: 1e-2, ..OptimizerSpec::default() },
        validation: Some("rows.jsonl".into()),
        max_length: 32,
        pack_tokens: 48,
        steps: Some(40),
        save_every: 3,
        eval_every: 10,
        ..TrainSpec::default()
    };
    change(&mut spec);
    let job = JobFolder::create(&root.path().join("job"), &spec).unwrap();
    write_rows(&job.path().join("rows.jsonl"), &rows).unwrap();
    Place { _root: root, job }
}

fn start(job: &JobFolder) -> Running {
    Worker::start(Path::new(PROGRAM), Some(1)).unwrap().give(job).unwrap()
}

/// Collects events until one of them is what is waited for.
fn until(watch: &mut Watch, seen: &mut Vec<Event>, wanted: impl Fn(&Event) -> bool) {
    let begun = Instant::now();
    loop {
        let (events, _) = watch.poll().unwrap();
        let found = events.iter().any(&wanted);
        seen.extend(events);
        if found {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(PATIENCE_SECS), "it did not come: {seen:#?}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

fn is_end(event: &Event) -> bool {
    matches!(event, Event::Done { .. } | Event::Failed { .. })
}

/// Runs a job to its end.
fn run(job: &JobFolder) -> Vec<Event> {
    start(job).wait().unwrap();
    let (events, running) = Watch::new(job.clone()).poll().unwrap();
    assert!(!running);
    events
}

/// The loss of each step; of steps that were done twice, the last.
fn curve(events: &[Event]) -> BTreeMap<u64, u64> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Step(info) => Some((info.step, info.loss.to_bits())),
            _ => None,
        })
        .collect()
}

fn failure(events: &[Event]) -> &str {
    match events.last() {
        Some(Event::Failed { message, .. }) => message,
        other => panic!("it did not fail: {other:?}"),
    }
}

fn adapter(job: &JobFolder) -> Vec<u8> {
    fs::read(job.adapter().join("adapter_model.safetensors")).unwrap()
}

#[test]
fn a_job_runs_to_its_end_and_tells_every_step() {
    let place = place(|_| ());
    let events = run(&place.job);
    let Some(Event::Started { plan, from_step: 0 }) = events.first() else { panic!("{events:#?}") };
    assert_eq!((plan.rows, plan.row_tokens, plan.steps), (6, 120, 40));
    assert!(plan.pack_tokens < plan.row_tokens, "what rows share is computed once per pack");
    let curve = curve(&events);
    assert_eq!(curve.len(), 40);
    assert!(f64::from_bits(curve[&40]) < f64::from_bits(curve[&1]) * 0.8, "it learns: {curve:?}");
    let evals: Vec<u64> = events
        .iter()
        .filter_map(|event| match event {
            Event::Eval { step, .. } => Some(*step),
            _ => None,
        })
        .collect();
    assert_eq!(evals, [10, 20, 30, 40]);
    assert!(matches!(events.last(), Some(Event::Done { step: 40, stopped: false, .. })));
    assert!(!adapter(&place.job).is_empty() && !place.job.is_running());
    // Asked once more, it finds everything done.
    let again = run(&place.job);
    assert_eq!(again.iter().filter(|event| is_end(event)).count(), 2);
}

#[test]
fn a_worker_that_is_killed_goes_on_with_the_same_bits() {
    let straight = place(|_| ());
    let straight_events = run(&straight.job);

    let broken = place(|spec| spec.model = straight.job.spec().unwrap().model);
    let mut running = start(&broken.job);
    let mut watch = Watch::new(broken.job.clone());
    let mut seen = Vec::new();
    until(&mut watch, &mut seen, |event| matches!(event, Event::Step(info) if info.step >= 8));
    running.kill().unwrap();
    running.wait().unwrap();
    let mut running = start(&broken.job);
    until(&mut watch, &mut seen, is_end);
    running.wait().unwrap();
    let from = seen.iter().rev().find_map(|event| match event {
        Event::Started { from_step, .. } => Some(*from_step),
        _ => None,
    });
    assert!(from.is_some_and(|step| step >= 6), "it went on from a checkpoint: {from:?}");
    assert_eq!(curve(&seen), curve(&straight_events));
    assert_eq!(adapter(&broken.job), adapter(&straight.job));
}

#[test]
fn a_host_that_came_later_pauses_resumes_and_stops_the_worker() {
    let place = place(|spec| spec.steps = Some(1_000_000));
    // The host that started it is gone: its end of stdin is closed with it.
    let mut running = start(&place.job).detached();
    let job = JobFolder::at(place.job.path());
    let mut watch = Watch::new(job.clone());
    let mut seen = Vec::new();
    until(&mut watch, &mut seen, |event| matches!(event, Event::Step(_)));
    job.command(&Command::Pause).unwrap();
    until(&mut watch, &mut seen, |event| matches!(event, Event::Paused { .. }));
    assert!(job.is_running());
    assert!(matches!(seen.last(), Some(Event::Paused { .. })), "nothing is done in a pause");
    let steps = curve(&seen).len();
    job.command(&Command::Resume).unwrap();
    until(&mut watch, &mut seen, |event| matches!(event, Event::Step(_)));
    assert!(curve(&seen).len() > steps);
    job.command(&Command::Stop).unwrap();
    until(&mut watch, &mut seen, is_end);
    running.wait().unwrap();
    assert!(matches!(seen.last(), Some(Event::Done { stopped: true, .. })));
    assert!(!adapter(&job).is_empty());
}

#[test]
fn a_second_worker_leaves_the_folder_alone() {
    let place = place(|_| ());
    let lock = place.job.lock().unwrap();
    let mut second = start(&place.job);
    assert!(!second.wait().unwrap().success());
    assert!(!place.job.events().exists());
    drop(lock);
    assert!(matches!(run(&place.job).last(), Some(Event::Done { .. })));
}

#[test]
fn what_is_wrong_with_a_job_is_said_in_its_events() {
    let long = place(|spec| spec.max_length = 12);
    let said = run(&long.job);
    assert!(failure(&said).contains("trace_0") && failure(&said).contains("20 tokens"), "{}", failure(&said));

    let shard = place(|_| ());
    let path = shard.job.spec().unwrap().model.join("model-00002-of-00002.safetensors");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    let said = run(&shard.job);
    assert!(
        failure(&said).contains("model-00002-of-00002") && failure(&said).contains("damaged"),
        "{}",
        failure(&said)
    );

    let spec = place(|_| ());
    fs::write(spec.job.path().join("spec.json"), "{").unwrap();
    assert!(failure(&run(&spec.job)).contains("spec.json"));
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_said_and_training_goes_on() {
    let place = place(|spec| spec.steps = Some(8));
    fs::create_dir_all(place.job.checkpoints()).unwrap();
    // A file where the folder of step 6 should go: as good as a full disk, and it works for every user.
    fs::write(place.job.checkpoints().join("step-00000006.part"), "").unwrap();
    let events = run(&place.job);
    let said = events.iter().any(|event| {
        matches!(event, Event::Log { message } if message.contains("could not be written") && message.contains("step 3"))
    });
    assert!(said, "{events:#?}");
    assert!(matches!(events.last(), Some(Event::Done { step: 8, .. })));
}

#[test]
fn a_worker_without_a_job_ends_when_its_host_does() {
    let mut child = Program::new(PROGRAM).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let line = String::from_utf8(output.stdout).unwrap();
    assert!(line.starts_with(r#"{"event":"hello","protocol":1,"#) && line.lines().count() == 1, "{line}");
}
