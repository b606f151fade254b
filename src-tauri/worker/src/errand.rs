//! What a worker does besides training: works out a plan, merges an adapter. Said on stdout only.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Error, bail};
use tw_jobs::{Command, Event, JobFolder};

use crate::machine;
use crate::voice::Voice;

/// What a worker is started for.
#[derive(Debug)]
pub(crate) enum Task {
    /// The job in this folder.
    Job(PathBuf),
    /// Something that is done at once.
    Errand(Errand),
}

/// Something that is done at once.
#[derive(Debug)]
pub(crate) enum Errand {
    /// Work out what a job amounts to.
    Plan(PathBuf),
    /// Write a merged model.
    Merge { base: PathBuf, adapter: PathBuf, out: PathBuf },
}

impl Task {
    /// What a command asks for; `None` for those about a job that is under way.
    pub(crate) fn of(command: Command) -> Option<Self> {
        match command {
            Command::Start { job_dir } => Some(Self::Job(job_dir)),
            Command::Plan { job_dir } => Some(Self::Errand(Errand::Plan(job_dir))),
            Command::Merge { base, adapter, out } => Some(Self::Errand(Errand::Merge { base, adapter, out })),
            Command::Pause | Command::Resume | Command::Checkpoint | Command::Stop => None,
        }
    }
}

impl Errand {
    /// Does it and says the answer.
    pub(crate) fn run(&self) -> ExitCode {
        let answer = match self {
            Self::Plan(job_dir) => plan(job_dir),
            Self::Merge { base, adapter, out } => merge(base, adapter, out),
        };
        match answer {
            Ok(event) => {
                Voice::say(&event);
                ExitCode::SUCCESS
            }
            Err(error) => {
                Voice::say(&Event::Failed { message: format!("{error:#}"), step: 0 });
                ExitCode::FAILURE
            }
        }
    }
}

fn plan(job_dir: &Path) -> Result<Event, Error> {
    let outline = tw_train::outline(&JobFolder::at(job_dir), machine::available_bytes())?;
    Ok(Event::Planned {
        plan: outline.plan,
        allowed_bytes: outline.allowed_bytes,
        fits: outline.fits,
        longest_row: outline.longest_row,
        fitting_tokens: outline.fitting_tokens,
    })
}

/// Into a folder beside `out` first: under its own name it is whole or not there.
fn merge(base: &Path, adapter: &Path, out: &Path) -> Result<Event, Error> {
    if out.exists() {
        bail!("{} is there already: choose another folder", out.display());
    }
    let name = out.file_name().with_context(|| format!("{} is not a folder to write", out.display()))?;
    let unfinished = out.with_file_name(format!("{}.part", name.to_string_lossy()));
    let merged = write_merged(base, adapter, &unfinished).and_then(|()| {
        std::fs::rename(&unfinished, out).with_context(|| format!("{} cannot be written", out.display()))
    });
    if merged.is_err() {
        // What is there of it only takes room, perhaps the room that was missing.
        drop(std::fs::remove_dir_all(&unfinished));
    }
    merged.map(|()| Event::Done { step: 0, stopped: false, adapter: out.to_owned() })
}

fn write_merged(base: &Path, adapter: &Path, out: &Path) -> Result<(), Error> {
    let architecture = tw_model::Architecture::read(base)?;
    let adapter = tw_train::peft::read(adapter, &architecture)?;
    let tell = |done: usize, total: usize| {
        Voice::say(&Event::Log { message: format!("{done} of {total} tensors are merged") });
    };
    Ok(tw_train::merge_telling(base, &adapter, out, true, &tell)?)
}
