//! What the worker says: into the job's folder first, then to whoever listens.

use std::cell::RefCell;
use std::io::{self, Write};

use tw_jobs::{Event, JobFolder, Result};

use crate::tensorboard::EventFile;

/// Says events of one job.
#[derive(Debug)]
pub(crate) struct Voice<'a> {
    folder: &'a JobFolder,
    /// TensorBoard's file, from the first step on and for as long as it can be written.
    plots: RefCell<Option<EventFile>>,
}

impl<'a> Voice<'a> {
    pub(crate) fn of(folder: &'a JobFolder) -> Self {
        Self { folder, plots: RefCell::new(None) }
    }

    /// Says it on stdout only. Nobody may listen any more: that is no reason to stop.
    pub(crate) fn say(event: &Event) {
        if let Ok(mut line) = serde_json::to_vec(event) {
            line.push(b'\n');
            let mut out = io::stdout().lock();
            drop(out.write_all(&line).and_then(|()| out.flush()));
        }
    }

    /// Keeps it in the job's folder, then says it. What a person would miss after a power cut waits for the disk.
    pub(crate) fn tell(&self, event: &Event) -> Result<()> {
        let durable = !matches!(event, Event::Step(_) | Event::Log { .. } | Event::Eval { .. });
        self.folder.append_event(event, durable)?;
        Self::say(event);
        let Err(error) = self.plot(event) else { return Ok(()) };
        // The same numbers are in the job's events: no reason to stop.
        *self.plots.borrow_mut() = None;
        let message = format!("TensorBoard's file cannot be written any more: {error}; training goes on");
        self.tell(&Event::Log { message })
    }

    fn plot(&self, event: &Event) -> io::Result<()> {
        let mut plots = self.plots.borrow_mut();
        if let Event::Started { from_step, .. } = event {
            *plots = Some(EventFile::begin(&self.folder.tensorboard(), *from_step)?);
        }
        let Some(file) = plots.as_mut() else { return Ok(()) };
        match event {
            Event::Step(info) => {
                let numbers = [
                    ("train/loss", info.loss),
                    ("train/learning_rate", info.learning_rate),
                    ("train/grad_norm", info.gradient_norm),
                    ("train/tokens_per_sec", info.tokens as f64 / info.seconds.max(1e-9)),
                ];
                file.scalars(info.step, &numbers)
            }
            Event::Eval { step, loss } => file.scalars(*step, &[("eval/loss", *loss)]),
            _ => Ok(()),
        }
    }
}
