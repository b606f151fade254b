//! A training in the real worker: a process of its own, watched through its folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tw_jobs::{Event, JobFolder, PlanInfo, Row, StepInfo, TrainSpec, Watch, Worker, write_rows};

/// How often the worker's memory and events are looked at.
const LOOK_MILLIS: u64 = 100;

/// What a training was.
#[derive(Clone, Debug)]
pub(crate) struct Trained {
    pub(crate) plan: PlanInfo,
    pub(crate) steps: Vec<StepInfo>,
    /// The most memory that the worker held.
    pub(crate) peak_mib: f64,
    pub(crate) adapter: PathBuf,
}

/// The worker's program.
pub(crate) fn program() -> Result<PathBuf> {
    std::env::var_os("TW_TEST_WORKER").map(PathBuf::from).context("TW_TEST_WORKER is not set")
}

fn peak_mib(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1_024.0)
}

/// Runs a job over these rows to its end.
pub(crate) fn train(folder: &Path, spec: &TrainSpec, rows: &[Row], threads: usize) -> Result<Trained> {
    let job = JobFolder::create(folder, spec)?;
    write_rows(&job.path().join(&spec.rows), rows)?;
    let mut running = Worker::start(&program()?, Some(threads))?.give(&job)?;
    let (process, ended) = (running.id(), Arc::new(AtomicBool::new(false)));
    let watched = thread::spawn({
        let ended = Arc::clone(&ended);
        move || {
            let mut peak = 0.0_f64;
            while !ended.load(Ordering::Relaxed) {
                peak = peak.max(peak_mib(process).unwrap_or(0.0));
                thread::park_timeout(Duration::from_millis(LOOK_MILLIS));
            }
            peak
        }
    });
    running.wait()?;
    ended.store(true, Ordering::Relaxed);
    watched.thread().unpark();
    let peak_mib = watched.join().unwrap_or(0.0);
    let (events, _) = Watch::new(job.clone()).poll()?;
    let mut plan = None;
    let mut steps = Vec::new();
    for event in &events {
        match event {
            Event::Started { plan: told, .. } => plan = Some(told.clone()),
            Event::Step(info) => steps.push(info.clone()),
            _ => {}
        }
    }
    match (events.last(), plan) {
        (Some(Event::Done { .. }), Some(plan)) => Ok(Trained { plan, steps, peak_mib, adapter: job.adapter() }),
        (Some(Event::Failed { message, .. }), _) => bail!("the worker failed: {message}"),
        _ => bail!("the worker ended before its job was done"),
    }
}
