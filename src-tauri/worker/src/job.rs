//! One job, from its folder to its adapter.

use anyhow::{Context, Error};
use tw_jobs::{Command, Event, JobFolder};
use tw_train::Trainer;

use crate::commands::Commands;
use crate::machine;
use crate::voice::Voice;

/// Why a job ended early.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// The step that was being worked on; 0 before the first.
    pub(crate) step: u64,
    /// Whether this worker had the folder.
    pub(crate) is_ours: bool,
}

/// What to do after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
}

/// Works on a job until it is done, is told to stop, or cannot go on.
pub(crate) fn run(folder: &JobFolder, commands: &mut Commands) -> Result<(), Failure> {
    let lock = folder.lock().map_err(|error| Failure { error: error.into(), step: 0, is_ours: false })?;
    let failed = |step: u64| move |error: Error| Failure { error, step, is_ours: true };
    let trainer = Trainer::open(folder, machine::available_bytes()).map_err(|error| failed(0)(error.into()))?;
    let mut job = Job { folder, voice: Voice::of(folder), trainer, saved: None };
    let done = job.train(commands).and_then(|stopped| job.finish(stopped));
    let step = job.trainer.step_number() + 1;
    drop(lock);
    done.map_err(failed(step))
}

struct Job<'a> {
    folder: &'a JobFolder,
    voice: Voice<'a>,
    trainer: Trainer,
    /// The step of the newest checkpoint.
    saved: Option<u64>,
}

impl Job<'_> {
    /// All steps. Whether it was told to stop before the last one.
    fn train(&mut self, commands: &mut Commands) -> Result<bool, Error> {
        let steps = self.trainer.steps();
        let from_step = self.trainer.step_number();
        self.saved = (from_step > 0).then_some(from_step);
        self.voice.tell(&Event::Started { plan: self.trainer.plan(), from_step })?;
        while self.trainer.step_number() < steps {
            if self.obey(commands)? == Next::Stop {
                return Ok(true);
            }
            let info = self.trainer.step()?;
            let step = info.step;
            self.voice.tell(&Event::Step(info))?;
            let spec = self.trainer.spec();
            let due = |every: u64| every > 0 && step.is_multiple_of(every);
            let (evaluate, save) = (due(spec.eval_every) && step < steps, due(spec.save_every) && step < steps);
            if evaluate {
                self.evaluate()?;
            }
            if save {
                self.save_or_go_on()?;
            }
        }
        Ok(false)
    }

    /// Does what was asked since the last step.
    fn obey(&mut self, commands: &mut Commands) -> Result<Next, Error> {
        let step = self.trainer.step_number();
        let mut paused = false;
        while let Some(command) = if paused { Some(commands.wait()) } else { commands.poll() } {
            match command {
                Command::Pause if !paused => {
                    paused = true;
                    // A pause may last: what was done is safe meanwhile.
                    self.save_or_go_on()?;
                    self.voice.tell(&Event::Paused { step })?;
                }
                Command::Resume if paused => {
                    paused = false;
                    self.voice.tell(&Event::Resumed { step })?;
                }
                Command::Checkpoint => self.save_or_go_on()?,
                Command::Stop => return Ok(Next::Stop),
                Command::Pause
                | Command::Resume
                | Command::Start { .. }
                | Command::Plan { .. }
                | Command::Merge { .. } => {}
            }
        }
        Ok(Next::GoOn)
    }

    fn evaluate(&self) -> Result<(), Error> {
        if let Some(loss) = self.trainer.evaluate()? {
            self.voice.tell(&Event::Eval { step: self.trainer.step_number(), loss })?;
        }
        Ok(())
    }

    fn save(&mut self) -> Result<(), Error> {
        let step = self.trainer.step_number();
        if self.saved == Some(step) || step == 0 {
            return Ok(());
        }
        let path = self.trainer.save(&self.folder.checkpoints())?;
        self.saved = Some(step);
        let path = path.strip_prefix(self.folder.path()).unwrap_or(&path).to_owned();
        Ok(self.voice.tell(&Event::Checkpoint { step, path })?)
    }

    /// As [`Self::save`]; where it cannot be written, says so and goes on: the disk may have room again later.
    fn save_or_go_on(&mut self) -> Result<(), Error> {
        let Err(error) = self.save() else { return Ok(()) };
        let last = match self.saved {
            Some(step) => format!("the last good one is of step {step}"),
            None => "there is none yet".to_owned(),
        };
        let message = format!("a checkpoint could not be written: {error:#}; {last}; training goes on");
        Ok(self.voice.tell(&Event::Log { message })?)
    }

    fn finish(&mut self, stopped: bool) -> Result<(), Error> {
        self.save().context("the last checkpoint could not be written")?;
        if !stopped {
            self.evaluate()?;
        }
        self.trainer.write_adapter(&self.folder.adapter()).context("the adapter could not be written")?;
        let event = Event::Done { step: self.trainer.step_number(), stopped, adapter: "adapter".into() };
        Ok(self.voice.tell(&event)?)
    }
}
