//! What the worker and its host say to each other: one JSON object per line.
//!
//! The worker opens with [`Event::Hello`] on stdout; the host answers with [`Command::Start`] on stdin. Every event after
//! that is appended to the job's `events.jsonl` first and then said on stdout, so a host that comes later misses nothing.
//! Commands are read from stdin and from the job's `commands.jsonl`: a host that did not start the worker uses the file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The version of this protocol. It changes when an older side would misunderstand a newer one.
pub const PROTOCOL: u32 = 1;

/// What a host asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Work on the job in this folder; goes on from its newest checkpoint where there is one.
    Start {
        /// The job's folder.
        job_dir: PathBuf,
    },
    /// Say what the job in this folder amounts to ([`Event::Planned`]) without reading the weights, and end.
    Plan {
        /// The job's folder; nothing is written into it.
        job_dir: PathBuf,
    },
    /// Write a base model with an adapter added to it ([`Event::Done`]), and end.
    Merge {
        /// The base model's folder.
        base: PathBuf,
        /// The adapter's folder.
        adapter: PathBuf,
        /// The folder to write. It must not be there yet.
        out: PathBuf,
    },
    /// Hold after the current step.
    Pause,
    /// Go on.
    Resume,
    /// Keep a checkpoint after the current step.
    Checkpoint,
    /// Keep a checkpoint after the current step, and end.
    Stop,
}

/// What the worker tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first line of a worker.
    Hello {
        /// The version of the protocol that it speaks.
        protocol: u32,
        /// Its version and kind.
        build: String,
        /// Where it can compute.
        devices: Vec<DeviceInfo>,
    },
    /// The answer to [`Command::Plan`].
    Planned {
        /// What the job amounts to. What it would take at most, where it fits; else the least that it could take.
        plan: PlanInfo,
        /// Bytes that it may take, where that is known.
        allowed_bytes: Option<u64>,
        /// Whether it fits.
        fits: bool,
        /// The longest row that is trained or validated on.
        longest_row: usize,
        /// The largest pack that would fit; `None` where not even the weights do.
        fitting_tokens: Option<usize>,
    },
    /// The job is read; training begins or goes on.
    Started {
        /// What it amounts to.
        plan: PlanInfo,
        /// The step from which it goes on. Events of later steps that are in the file already are void.
        from_step: u64,
    },
    /// A step is done.
    Step(StepInfo),
    /// The validation rows were run through.
    Eval {
        /// After this step.
        step: u64,
        /// Mean loss per unit of weight.
        loss: f64,
    },
    /// A checkpoint is on disk.
    Checkpoint {
        /// After this step.
        step: u64,
        /// Its folder, relative to the job's.
        path: PathBuf,
    },
    /// Work is held until `Resume`.
    Paused {
        /// After this step.
        step: u64,
    },
    /// Work goes on after a pause.
    Resumed {
        /// After this step.
        step: u64,
    },
    /// Something that a person should know.
    Log {
        /// What.
        message: String,
    },
    /// The job ended well, or because it was told to stop.
    Done {
        /// The last step that was done.
        step: u64,
        /// Whether `Stop` ended it before its last step.
        stopped: bool,
        /// The adapter's folder, relative to the job's.
        adapter: PathBuf,
    },
    /// The job ended because of an error. Its checkpoints are whole.
    Failed {
        /// What happened.
        message: String,
        /// The step that was being worked on.
        step: u64,
    },
}

/// A device that a worker can compute on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// Its name.
    pub name: String,
    /// How many threads it runs, for a CPU.
    pub threads: usize,
}

/// What a training job amounts to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanInfo {
    /// Rows to train on.
    pub rows: usize,
    /// Their tokens, counted row by row.
    pub row_tokens: usize,
    /// Tokens that are computed per epoch, with shared prefixes counted once per pack.
    pub pack_tokens: usize,
    /// Packs per epoch.
    pub packs: usize,
    /// Steps in all.
    pub steps: u64,
    /// Parameters of the adapter.
    pub trained_parameters: usize,
    /// Parameters of the frozen model.
    pub frozen_parameters: usize,
    /// Bytes that the largest step is expected to take, weights included.
    pub peak_bytes: u64,
}

/// One step's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepInfo {
    /// Counted from 1.
    pub step: u64,
    /// Of how many.
    pub steps: u64,
    /// Mean loss per unit of weight, before the step's change.
    pub loss: f64,
    /// The learning rate that it used.
    pub learning_rate: f64,
    /// The gradient's norm before it was clipped.
    pub gradient_norm: f64,
    /// Tokens that were computed.
    pub tokens: usize,
    /// Tokens of the rows that they stand for.
    pub row_tokens: usize,
    /// How long it took.
    pub seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_look_as_other_programs_expect_them() {
        let line = |event: &Event| serde_json::to_string(event).unwrap();
        assert_eq!(line(&Event::Paused { step: 3 }), r#"{"event":"paused","step":3}"#);
        assert_eq!(
            serde_json::from_str::<Command>(r#"{"command":"start","job_dir":"/j"}"#).unwrap(),
            Command::Start { job_dir: "/j".into() }
        );
        let step = Event::Step(StepInfo {
            step: 1,
            steps: 2,
            loss: 0.5,
            learning_rate: 1e-4,
            gradient_norm: 1.0,
            tokens: 10,
            row_tokens: 20,
            seconds: 0.25,
        });
        assert!(line(&step).starts_with(r#"{"event":"step","step":1,"steps":2,"loss":0.5"#));
        assert_eq!(serde_json::from_str::<Event>(&line(&step)).unwrap(), step);
    }
}
