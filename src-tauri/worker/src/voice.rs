//! What the worker says: into the job's folder first, then to whoever listens.

use std::io::Write;

use tw_jobs::{Event, JobFolder, Result};

/// Says events of one job.
#[derive(Debug)]
pub(crate) struct Voice<'a> {
    folder: &'a JobFolder,
}

impl<'a> Voice<'a> {
    pub(crate) fn of(folder: &'a JobFolder) -> Self {
        Self { folder }
    }

    /// Says it on stdout only. Nobody may listen any more: that is no reason to stop.
    pub(crate) fn say(event: &Event) {
        if let Ok(mut line) = serde_json::to_vec(event) {
            line.push(b'\n');
            let mut out = std::io::stdout().lock();
            drop(out.write_all(&line).and_then(|()| out.flush()));
        }
    }

    /// Keeps it in the job's folder, then says it. What a person would miss after a power cut waits for the disk.
    pub(crate) fn tell(&self, event: &Event) -> Result<()> {
        let durable = !matches!(event, Event::Step(_) | Event::Log { .. } | Event::Eval { .. });
        self.folder.append_event(event, durable)?;
        Self::say(event);
        Ok(())
    }
}
