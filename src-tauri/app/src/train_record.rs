//! What the app keeps of a training beside what its worker keeps: `job.json` in its folder.

use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tw_contract::{TrainJob, TrainState};
use tw_jobs::write_whole;

use crate::train_curves::{Curves, End};

/// The file.
pub(crate) const FILE: &str = "job.json";
/// A worker that was handed its job takes the folder's lock at once; so long nobody calls it lost.
const GRACE_MS: i64 = 10_000;

/// How far the app has brought it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// It waits.
    #[default]
    Queued,
    /// A worker was given it. What became of that the worker's events tell.
    Begun,
    /// It left the queue before a worker had it.
    Withdrawn,
}

/// What a worker was asked and has not done yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asked {
    Pause,
    Stop,
}

/// How a worker's process ended, as whoever started it saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Exit {
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    /// Its exit code.
    pub(crate) code: Option<i32>,
    /// The last that it said on stderr.
    pub(crate) words: String,
}

/// `job.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    /// As it was last written; what events tell is newer while it is live.
    pub(crate) job: TrainJob,
    pub(crate) phase: Phase,
    /// Its place in the queue: the earliest goes first.
    pub(crate) queued_at_ms: i64,
    /// When the last worker was given it.
    pub(crate) begun_at_ms: i64,
    /// Workers that had begun to train, and that had said how they ended, before the last one was given it.
    pub(crate) starts_before: u32,
    pub(crate) ends_before: u32,
    /// The last worker's process.
    pub(crate) pid: Option<u32>,
    pub(crate) asked: Option<Asked>,
    pub(crate) exit: Option<Exit>,
}

/// By which a changed file is known.
pub(crate) type Stamp = Option<(u64, SystemTime)>;

impl Record {
    pub(crate) fn read(folder: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(folder.join(FILE))?)?)
    }

    pub(crate) fn write(&self, folder: &Path) -> tw_jobs::Result<()> {
        let path = folder.join(FILE);
        let text =
            serde_json::to_vec_pretty(self).map_err(|source| tw_jobs::Error::Format { path: path.clone(), source })?;
        write_whole(&path, &text)
    }

    /// The file's stamp; `None` where there is none.
    pub(crate) fn stamp(folder: &Path) -> Stamp {
        let data = std::fs::metadata(folder.join(FILE)).ok()?;
        Some((data.len(), data.modified().ok()?))
    }

    /// Whether this worker has said how it ended.
    pub(crate) fn is_ended(&self, curves: &Curves) -> bool {
        curves.ends > self.ends_before
    }

    /// Whether this worker has begun to train.
    pub(crate) fn is_started(&self, curves: &Curves) -> bool {
        curves.starts > self.starts_before
    }

    /// How it stands.
    pub(crate) fn state(&self, curves: &Curves, is_running: bool, now_ms: i64) -> TrainState {
        match self.phase {
            Phase::Queued => return TrainState::Queued,
            Phase::Withdrawn => return TrainState::Stopped,
            Phase::Begun => {}
        }
        if self.is_ended(curves) {
            return match &curves.end {
                Some(End::Done) => TrainState::Done,
                Some(End::Stopped) => TrainState::Stopped,
                Some(End::Failed(_)) | None => TrainState::Failed,
            };
        }
        let is_new = !self.is_started(curves) && self.exit.is_none() && now_ms - self.begun_at_ms < GRACE_MS;
        if !is_running && !is_new {
            return TrainState::Lost;
        }
        match (self.asked, self.is_started(curves)) {
            (Some(Asked::Stop), _) => TrainState::Stopping,
            (_, false) => TrainState::Preparing,
            (_, true) if curves.paused => TrainState::Paused,
            (_, true) => TrainState::Running,
        }
    }

    /// Why it ended, with what to do; `None` where that went well.
    pub(crate) fn error(&self, curves: &Curves, state: TrainState) -> Option<String> {
        match (state, &curves.end) {
            (TrainState::Failed, Some(End::Failed(message))) => Some(with_advice(message)),
            (TrainState::Lost, _) => Some(lost(self.exit.as_ref(), curves)),
            _ => None,
        }
    }
}

/// What a worker said of its end, with what helps where it did not say.
fn with_advice(message: &str) -> String {
    let lower = message.to_lowercase();
    let advice = if lower.contains("no space left") || lower.contains("os error 28") || lower.contains("disk is full") {
        "Make room on the disk of the workspace, then go on from the last checkpoint."
    } else if lower.contains("not a number") || lower.contains("stopped being a number") {
        "To try again with a lower learning rate, start a new training; it can begin with this one's last checkpoint as its adapter."
    } else if lower.contains("cannot be gone on from") {
        "Start it anew; or delete that checkpoint's folder, to go on from the one before it."
    } else {
        return message.to_owned();
    };
    format!("{message} {advice}")
}

fn lost(exit: Option<&Exit>, curves: &Curves) -> String {
    let mut job = TrainJob::default();
    curves.fill(&mut job);
    let kept = match job.checkpoint_step {
        Some(step) => format!("It can go on from the checkpoint of step {step}."),
        None => "It had no checkpoint yet, so it begins anew when it is resumed.".to_owned(),
    };
    let words = exit.map(|exit| exit.words.trim()).unwrap_or_default();
    let is_short_of_memory = words.contains("memory allocation of") || words.contains("out of memory");
    let how = match exit.and_then(|exit| exit.signal) {
        // Linux ends the largest program this way when memory runs out.
        Some(9) => {
            "The program that trains was killed (signal 9): somebody ended it, or the system did because memory ran out. If it was memory, give this training less: shorter rows, smaller packs, or fewer other programs."
                .to_owned()
        }
        _ if is_short_of_memory => {
            "The program that trains got no more memory: choose shorter rows or smaller packs, or end other programs."
                .to_owned()
        }
        Some(signal) => format!("The program that trains ended unexpectedly (signal {signal})."),
        None if exit.is_some() => {
            let code = exit.and_then(|exit| exit.code).map_or_else(String::new, |code| format!(" (exit code {code})"));
            format!("The program that trains ended without a word{code}.")
        }
        None => "The program that trains is gone without a word: it was killed, or the machine was switched off."
            .to_owned(),
    };
    let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let said = if last.is_empty() || is_short_of_memory { String::new() } else { format!(" It said: {last}") };
    format!("{how}{said} {kept}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tw_jobs::Event;

    #[test]
    fn a_record_tells_how_a_training_stands() {
        let mut record = Record::default();
        let mut curves = Curves::default();
        let now = 1_000_000;
        assert_eq!(record.state(&curves, false, now), TrainState::Queued);
        record.phase = Phase::Begun;
        record.begun_at_ms = now;
        assert_eq!(record.state(&curves, false, now + 100), TrainState::Preparing);
        assert_eq!(record.state(&curves, false, now + GRACE_MS), TrainState::Lost);
        record.exit = Some(Exit { signal: Some(9), ..Exit::default() });
        assert_eq!(record.state(&curves, false, now + 100), TrainState::Lost);
        assert!(record.error(&curves, TrainState::Lost).is_some_and(|error| error.contains("memory")));
        let done = Event::Done { step: 3, stopped: true, adapter: "adapter".into() };
        curves.take(&[done], &mut crate::train_curves::Batch::default());
        assert_eq!(record.state(&curves, true, now), TrainState::Stopped);
        // What an earlier worker said is not this one's end.
        record.ends_before = 1;
        assert_eq!(record.state(&curves, true, now), TrainState::Preparing);
        record.asked = Some(Asked::Stop);
        assert_eq!(record.state(&curves, true, now), TrainState::Stopping);
        assert_eq!(record.state(&curves, false, now), TrainState::Lost);
    }
}
