//! The real TensorBoard reads what the worker writes for it.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command as Program;

use tw_jobs::{Event, Watch};

use crate::{is_end, place, run, start, until};

/// A Python that has the packages of `tests/parity/requirements.txt`.
const PYTHON: &str = "TW_TEST_PYTHON";

/// Steps with their values, by tag.
type Curves = BTreeMap<String, Vec<(u64, f64)>>;

fn seen_by_tensorboard(folder: &Path) -> Option<Curves> {
    let Some(python) = std::env::var_os(PYTHON).filter(|path| !path.is_empty()) else {
        eprintln!("skipped: {PYTHON} names no Python with the package tensorboard");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/tensorboard_curves.py");
    let output = Program::new(python).arg(script).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// What the job's own events say; of steps that were done twice, the last.
fn told(events: &[Event]) -> Curves {
    let mut told: BTreeMap<&str, BTreeMap<u64, f64>> = BTreeMap::new();
    let mut tell = |tag, step, value| told.entry(tag).or_default().insert(step, value);
    for event in events {
        match event {
            Event::Step(info) => {
                tell("train/loss", info.step, info.loss);
                tell("train/learning_rate", info.step, info.learning_rate);
                tell("train/grad_norm", info.step, info.gradient_norm);
                tell("train/tokens_per_sec", info.step, info.tokens as f64 / info.seconds.max(1e-9));
            }
            Event::Eval { step, loss } => {
                tell("eval/loss", *step, *loss);
            }
            _ => {}
        }
    }
    told.into_iter().map(|(tag, points)| (tag.to_owned(), points.into_iter().collect())).collect()
}

fn assert_same(seen: &Curves, told: &Curves) {
    assert_eq!(seen.keys().collect::<Vec<_>>(), told.keys().collect::<Vec<_>>());
    for (tag, told) in told {
        let seen = &seen[tag];
        let steps = |points: &[(u64, f64)]| points.iter().map(|point| point.0).collect::<Vec<_>>();
        assert_eq!(steps(seen), steps(told), "{tag}");
        for ((step, seen), (_, told)) in seen.iter().zip(told) {
            assert!((seen - told).abs() <= 1e-6 * told.abs(), "{tag}, step {step}: {seen}, not {told}");
        }
    }
}

#[test]
fn tensorboard_shows_every_step_once_also_after_a_kill_that_tore_a_record() {
    let place = place(|spec| spec.optimizer.warmup_steps = 5);
    let mut running = start(&place.job);
    let mut watch = Watch::new(place.job.clone());
    let mut events = Vec::new();
    // A step beyond the checkpoint from which it will go on: it is in the first file, and void.
    until(&mut watch, &mut events, |event| matches!(event, Event::Step(info) if info.step >= 11));
    running.kill().unwrap();
    running.wait().unwrap();
    let folder = place.job.tensorboard();
    let first = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&first).unwrap();
    OpenOptions::new().append(true).open(&first).unwrap().write_all(&whole[..21]).unwrap();

    let mut running = start(&place.job);
    until(&mut watch, &mut events, is_end);
    running.wait().unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "each worker writes a file of its own");
    let told = told(&events);
    assert_eq!(told["train/loss"].len(), 40);
    assert_eq!(told["eval/loss"].len(), 4);
    if let Some(seen) = seen_by_tensorboard(&folder) {
        assert_same(&seen, &told);
    }
}

#[test]
fn curves_that_cannot_be_written_do_not_end_a_training() {
    let place = place(|spec| spec.steps = Some(4));
    // A file where the folder should go.
    fs::write(place.job.tensorboard(), "").unwrap();
    let events = run(&place.job);
    let said = |event: &Event| matches!(event, Event::Log { message } if message.contains("TensorBoard"));
    assert_eq!(events.iter().filter(|event| said(event)).count(), 1, "{events:#?}");
    assert!(matches!(events.last(), Some(Event::Done { step: 4, .. })));
}
