//! `tw-worker`: says who it is, takes a job, and works until it is done, whether or not anyone listens.
//!
//! In: commands, one JSON object per line, on stdin and in the job's folder. Out: events on stdout and in the job's folder;
//! checkpoints and the adapter. Never: an end because the app that started it ended, and never two workers in one folder.

mod commands;
mod errand;
mod job;
mod machine;
mod serve;
mod tensorboard;
mod voice;

use std::process::ExitCode;

use tw_jobs::{Event, JobFolder, PROTOCOL};

use crate::commands::Commands;
use crate::errand::Task;
use crate::voice::Voice;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|word| word == "serve") {
        return serve::main();
    }
    let build = format!("tw-worker {} cpu", env!("CARGO_PKG_VERSION"));
    Voice::say(&Event::Hello { protocol: PROTOCOL, build, devices: vec![machine::cpu()] });
    let mut commands = Commands::from_stdin();
    let job_dir = match commands.until_task() {
        None => return ExitCode::SUCCESS,
        Some(Task::Job(job_dir)) => job_dir,
        Some(Task::Errand(errand)) => return errand.run(),
    };
    let folder = JobFolder::at(&job_dir);
    commands.also_from(&folder);
    match job::run(&folder, &mut commands) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let event = Event::Failed { message: format!("{:#}", failure.error), step: failure.step };
            // Without the lock the folder is another worker's: then only the host that asked is told.
            if failure.is_ours && folder.append_event(&event, true).is_err() {
                Voice::say(&Event::Log { message: "the job's folder cannot be written to".to_owned() });
            }
            Voice::say(&event);
            ExitCode::FAILURE
        }
    }
}
