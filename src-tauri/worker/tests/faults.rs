//! What can go wrong in the middle of a job: said clearly, nothing lost, the last good checkpoint usable.

use std::fs;
use std::path::Path;

use tw_jobs::{Event, JobFolder, LoraSpec, Row, TrainSpec, Worker, write_rows};

use crate::{PROGRAM, Place, adapter, curve, failure, place, run};

/// A job that keeps a checkpoint after every step and ends after `steps`, with an adapter of some hundred kilobytes.
fn job(steps: u64, change: impl FnOnce(&mut TrainSpec)) -> Place {
    place(|spec| {
        (spec.steps, spec.save_every, spec.eval_every, spec.keep_checkpoints) = (Some(steps), 1, 0, 0);
        spec.lora = LoraSpec { rank: 64, ..LoraSpec::default() };
        change(spec);
    })
}

fn checkpoints(job: &JobFolder) -> Vec<String> {
    let entries = fs::read_dir(job.checkpoints()).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A worker that may write no file longer than so many kilobytes: the system's own limit, under which a write fails as it
/// does on a full disk.
#[cfg(unix)]
fn run_with_little_room(job: &JobFolder, kilobytes: u32) -> Vec<Event> {
    use std::os::unix::fs::PermissionsExt;
    let script = job.path().with_extension("sh");
    let text = format!("#!/bin/bash\ntrap '' XFSZ\nulimit -f {kilobytes}\nexec '{PROGRAM}'\n");
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    Worker::start(&script, Some(1)).unwrap().give(job).unwrap().wait().unwrap();
    tw_jobs::Watch::new(job.clone()).poll().unwrap().0
}

#[cfg(unix)]
#[test]
fn a_disk_that_runs_full_at_a_checkpoint_loses_nothing_and_the_job_goes_on_when_there_is_room() {
    let straight = job(6, |_| ());
    let straight_events = run(&straight.job);

    let broken = job(6, |spec| spec.model = straight.job.spec().unwrap().model);
    let events = run_with_little_room(&broken.job, 100);
    let said: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Log { message } => Some(message.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(said.len(), 5, "one for every checkpoint on the way: {events:#?}");
    assert!(said[0].contains("could not be written") && said[0].contains("there is none yet"), "{}", said[0]);
    assert!(failure(&events).contains("the last checkpoint could not be written"), "{}", failure(&events));
    assert!(checkpoints(&broken.job).is_empty(), "nothing that is half there: {:?}", checkpoints(&broken.job));
    assert_eq!(curve(&events).len(), 6, "it went on all the same");

    // With room again it starts over, and gives what it would have given.
    let events = run(&broken.job);
    assert!(matches!(events.last(), Some(Event::Done { step: 6, .. })));
    assert_eq!(curve(&events), curve(&straight_events));
    assert_eq!(adapter(&broken.job), adapter(&straight.job));

    // A checkpoint from before stays as it was.
    let later = job(6, |spec| spec.model = straight.job.spec().unwrap().model);
    fs::create_dir_all(later.job.checkpoints()).unwrap();
    copy(&straight.job.checkpoints().join("step-00000002"), &later.job.checkpoints().join("step-00000002"));
    let rows = |job: &JobFolder| fs::read(job.path().join("rows.jsonl")).unwrap();
    assert_eq!(rows(&later.job), rows(&straight.job));
    let events = run_with_little_room(&later.job, 100);
    assert!(events.iter().any(|event| {
        matches!(event, Event::Log { message } if message.contains("the last good one is of step 2"))
    }));
    assert_eq!(checkpoints(&later.job), ["step-00000002"]);
    let events = run(&later.job);
    let from: Vec<u64> = events
        .iter()
        .filter_map(|event| match event {
            Event::Started { from_step, .. } => Some(*from_step),
            _ => None,
        })
        .collect();
    assert_eq!(from, [2, 2]);
    assert_eq!(adapter(&later.job), adapter(&straight.job));
}

#[cfg(unix)]
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_loss_that_is_not_a_number_ends_the_job_and_an_earlier_checkpoint_can_be_trained_on_from() {
    // The first step's rate is 0, the second one's far too high.
    let wild = job(6, |spec| (spec.optimizer.learning_rate, spec.optimizer.warmup_steps) = (1e25, 1));
    let events = run(&wild.job);
    let said = failure(&events);
    assert!(said.contains("stopped being a number in step") && said.contains("lower the learning rate"), "{said}");
    let Some(Event::Failed { step, .. }) = events.last() else { panic!("{events:#?}") };
    let kept = checkpoints(&wild.job);
    assert_eq!(kept.len() as u64, step - 1, "one for every step before: {kept:?}");
    // The same job only fails again; another one, more gently, does not.
    assert!(failure(&run(&wild.job)).contains(&format!("in step {step}")));
    let gentle = job(3, |spec| {
        spec.model = wild.job.spec().unwrap().model;
        spec.adapter = Some(wild.job.checkpoints().join("step-00000001"));
        spec.optimizer.learning_rate = 1e-3;
    });
    assert!(matches!(run(&gentle.job).last(), Some(Event::Done { step: 3, .. })));
}

#[test]
fn a_shard_that_is_damaged_between_two_runs_is_named_and_the_job_goes_on_once_it_is_mended() {
    let place = job(4, |_| ());
    let whole = run(&place.job);
    let result = adapter(&place.job);
    for name in ["step-00000003", "step-00000004"] {
        fs::remove_dir_all(place.job.checkpoints().join(name)).unwrap();
    }
    fs::remove_dir_all(place.job.adapter()).unwrap();
    let path = place.job.spec().unwrap().model.join("model-00001-of-00002.safetensors");
    let bytes = fs::read(&path).unwrap();
    for damaged in [&bytes[..bytes.len() / 2], &bytes[..4], &[&[0xff; 16], &bytes[16..]].concat()] {
        fs::write(&path, damaged).unwrap();
        let events = run(&place.job);
        let said = failure(&events);
        assert!(said.contains("model-00001-of-00002") && said.contains("damaged"), "{said}");
    }
    fs::remove_file(&path).unwrap();
    assert!(failure(&run(&place.job)).contains("model-00001-of-00002"));
    assert_eq!(checkpoints(&place.job), ["step-00000001", "step-00000002"]);
    fs::write(&path, bytes).unwrap();
    let events = run(&place.job);
    assert!(matches!(events.last(), Some(Event::Done { step: 4, .. })));
    assert_eq!(curve(&events), curve(&whole));
    assert_eq!(adapter(&place.job), result);
}

#[test]
fn rows_of_another_tokenizer_and_rows_too_long_are_named_before_the_first_step() {
    let with = |row: Row| {
        let place = job(4, |_| ());
        write_rows(&place.job.path().join("rows.jsonl"), [&row]).unwrap();
        let events = run(&place.job);
        assert!(!events.iter().any(|event| matches!(event, Event::Started { .. } | Event::Step(_))), "{events:#?}");
        assert!(!place.job.adapter().exists());
        failure(&events).to_owned()
    };
    let said = with(Row::from_weights("trace_4", &[1, 2, 61, 3], &[0.0, 1.0, 1.0, 1.0]));
    assert!(said.contains("token 61") && said.contains("vocabulary of 61") && said.contains("tokenizer"), "{said}");
    let said = with(Row::from_weights("trace_5", &[1; 33], &[1.0; 33]));
    assert!(said.contains("trace_5") && said.contains("33 tokens") && said.contains("32 allowed"), "{said}");
}

#[test]
fn a_job_that_does_not_fit_into_memory_says_what_it_needs_and_what_to_lower() {
    let place = job(4, |spec| spec.memory_bytes = Some(2_000_000));
    let events = run(&place.job);
    let said = failure(&events);
    assert!(said.contains("MB are allowed") && said.contains("lower the tokens per pack"), "{said}");
    assert!(!events.iter().any(|event| matches!(event, Event::Started { .. })));
}
