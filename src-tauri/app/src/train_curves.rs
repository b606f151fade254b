//! What a training's events amount to: its curves, its log, and how far it is.

use tw_contract::{EvalPoint, TrainJob, TrainLogLine, TrainNews, TrainPoint};
use tw_jobs::{Event, PlanInfo, StepInfo};

/// Steps over which speeds are taken.
const SPEED_STEPS: usize = 20;

/// How a worker's work ended, by its own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Stopped,
    Failed(String),
}

/// What came of some events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    from_step: Option<u64>,
    points: Vec<TrainPoint>,
    evals: Vec<EvalPoint>,
    log: Vec<TrainLogLine>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.from_step.is_none() && self.points.is_empty() && self.evals.is_empty() && self.log.is_empty()
    }

    /// As the window is told of it.
    pub(crate) fn into_news(self, job: TrainJob) -> TrainNews {
        let Self { from_step, points, evals, log } = self;
        TrainNews { job, from_step, points, evals, log }
    }
}

/// All events of a training so far, each step once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Curves {
    pub(crate) points: Vec<TrainPoint>,
    pub(crate) evals: Vec<EvalPoint>,
    pub(crate) log: Vec<TrainLogLine>,
    /// Workers that began to train, over all its beginnings.
    pub(crate) starts: u32,
    /// Workers that said how they ended.
    pub(crate) ends: u32,
    /// What the last of them said.
    pub(crate) end: Option<End>,
    pub(crate) paused: bool,
    step: u64,
    checkpoint_step: Option<u64>,
    plan: Option<PlanInfo>,
    /// The first step of this worker, which also warms its caches.
    first_step: u64,
}

impl Curves {
    /// Takes events in, in their order, and adds what came of them to what was not told yet.
    pub(crate) fn take(&mut self, events: &[Event], batch: &mut Batch) {
        for event in events {
            self.take_one(event, batch);
        }
    }

    fn take_one(&mut self, event: &Event, batch: &mut Batch) {
        match event {
            Event::Hello { .. } | Event::Planned { .. } => {}
            Event::Started { plan, from_step } => {
                self.starts += 1;
                self.paused = false;
                self.plan = Some(plan.clone());
                self.first_step = from_step + 1;
                self.go_back(*from_step, batch);
                let text = match from_step {
                    0 => "Training begins.".to_owned(),
                    step => format!("Training goes on from the checkpoint of step {step}."),
                };
                self.say(text, batch);
            }
            Event::Step(info) => {
                let point = point(info);
                self.step = info.step;
                self.paused = false;
                self.points.push(point);
                batch.points.push(point);
            }
            Event::Eval { step, loss } => {
                let eval = EvalPoint { step: *step, loss: *loss };
                self.evals.retain(|known| known.step != *step);
                self.evals.push(eval);
                batch.evals.push(eval);
            }
            Event::Checkpoint { step, .. } => {
                self.checkpoint_step = Some(*step);
                self.say(format!("The checkpoint of step {step} is kept."), batch);
            }
            Event::Paused { .. } => {
                self.paused = true;
                self.say("Paused.".to_owned(), batch);
            }
            Event::Resumed { .. } => {
                self.paused = false;
                self.say("It goes on.".to_owned(), batch);
            }
            Event::Log { message } => self.say(tw_collect::sentence(message), batch),
            Event::Done { step, stopped, .. } => {
                self.step = *step;
                self.ended(if *stopped { End::Stopped } else { End::Done });
                let text = if *stopped { "Stopped." } else { "Done." };
                self.say(text.to_owned(), batch);
            }
            Event::Failed { message, .. } => {
                let text = tw_collect::sentence(message);
                self.say(text.clone(), batch);
                self.ended(End::Failed(text));
            }
        }
    }

    fn ended(&mut self, end: End) {
        self.ends += 1;
        self.end = Some(end);
        self.paused = false;
    }

    fn say(&mut self, text: String, batch: &mut Batch) {
        let line = TrainLogLine { step: self.step, text };
        self.log.push(line.clone());
        batch.log.push(line);
    }

    /// Later steps than this one are void: they are done anew.
    fn go_back(&mut self, step: u64, batch: &mut Batch) {
        if self.points.last().is_some_and(|last| last.step > step)
            || self.evals.last().is_some_and(|last| last.step > step)
        {
            self.points.retain(|point| point.step <= step);
            self.evals.retain(|eval| eval.step <= step);
            batch.points.retain(|point| point.step <= step);
            batch.evals.retain(|eval| eval.step <= step);
            batch.from_step = Some(batch.from_step.map_or(step + 1, |known| known.min(step + 1)));
        }
        self.step = step;
        self.checkpoint_step = (step > 0).then_some(step);
    }

    /// Brings what lists show of a training up to these events.
    pub(crate) fn fill(&self, job: &mut TrainJob) {
        job.step = self.step;
        job.loss = self.points.last().map(|point| point.loss);
        job.eval_loss = self.evals.last().map(|eval| eval.loss);
        job.checkpoint_step = self.checkpoint_step;
        if let Some(plan) = &self.plan {
            job.plan.steps = plan.steps;
            job.plan.packs = count(plan.packs);
            job.plan.pack_tokens = plan.pack_tokens as u64;
            job.plan.peak_bytes = plan.peak_bytes;
            job.plan.trained_parameters = plan.trained_parameters as u64;
            job.plan.base_parameters = plan.frozen_parameters as u64;
        }
        let recent = self.recent();
        let seconds: f64 = recent.iter().map(|point| point.seconds).sum();
        let rate = |tokens: fn(&TrainPoint) -> u64| {
            (seconds > 0.0).then(|| recent.iter().map(tokens).sum::<u64>() as f64 / seconds)
        };
        job.tokens_per_sec = rate(|point| point.tokens);
        job.row_tokens_per_sec = rate(|point| point.row_tokens);
        let left = job.plan.steps.saturating_sub(self.step);
        job.seconds_left =
            (seconds > 0.0 && !recent.is_empty()).then(|| whole(seconds / recent.len() as f64 * left as f64)).flatten();
    }

    /// The last steps of this worker.
    fn recent(&self) -> &[TrainPoint] {
        let from = self.points.len().saturating_sub(SPEED_STEPS);
        let recent = &self.points[from..];
        let own = recent.iter().position(|point| point.step >= self.first_step).unwrap_or(recent.len());
        &recent[own..]
    }

    /// Seconds, and tokens that were computed in them, over all steps.
    pub(crate) fn work(&self) -> (f64, u64) {
        self.points.iter().fold((0.0, 0), |(seconds, tokens), point| (seconds + point.seconds, tokens + point.tokens))
    }
}

fn point(info: &StepInfo) -> TrainPoint {
    TrainPoint {
        step: info.step,
        loss: info.loss,
        learning_rate: info.learning_rate,
        gradient_norm: info.gradient_norm,
        tokens: info.tokens as u64,
        row_tokens: info.row_tokens as u64,
        seconds: info.seconds,
    }
}

pub(crate) fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A whole number of seconds, where there is one that means something.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie within the numbers")]
pub(crate) fn whole(seconds: f64) -> Option<u64> {
    (seconds.is_finite() && (0.0..1e15).contains(&seconds)).then(|| seconds.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u64, loss: f64) -> Event {
        Event::Step(StepInfo {
            step,
            steps: 10,
            loss,
            learning_rate: 1e-4,
            gradient_norm: 1.0,
            tokens: 100,
            row_tokens: 250,
            seconds: 2.0,
        })
    }

    fn started(from_step: u64) -> Event {
        let plan = PlanInfo {
            rows: 4,
            row_tokens: 250,
            pack_tokens: 100,
            packs: 1,
            steps: 10,
            trained_parameters: 5,
            frozen_parameters: 50,
            peak_bytes: 1,
        };
        Event::Started { plan, from_step }
    }

    #[test]
    fn after_going_on_from_a_checkpoint_each_step_is_there_once() {
        let mut curves = Curves::default();
        let checkpoint = Event::Checkpoint { step: 2, path: "c".into() };
        let eval = Event::Eval { step: 3, loss: 1.0 };
        curves.take(&[started(0), step(1, 5.0), step(2, 4.0), checkpoint, step(3, 3.0), eval], &mut Batch::default());
        let mut batch = Batch::default();
        curves.take(&[started(2), step(3, 2.5), step(4, 2.0)], &mut batch);
        assert_eq!(batch.from_step, Some(3));
        assert_eq!(batch.points.iter().map(|point| point.step).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(curves.points.iter().map(|point| point.step).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!(curves.evals.is_empty() && (curves.points[2].loss - 2.5).abs() < 1e-9);
        let mut job = TrainJob::default();
        curves.fill(&mut job);
        assert_eq!((job.step, job.checkpoint_step, job.seconds_left), (4, Some(2), Some(12)));
        assert!(job.tokens_per_sec.is_some_and(|rate| (rate - 50.0).abs() < 1e-9));
        assert!(job.row_tokens_per_sec.is_some_and(|rate| (rate - 125.0).abs() < 1e-9));
    }

    #[test]
    fn what_a_batch_voids_of_itself_is_not_told() {
        let mut curves = Curves::default();
        let mut batch = Batch::default();
        curves.take(&[started(0), step(1, 5.0), step(2, 4.0), started(1), step(2, 4.0)], &mut batch);
        assert_eq!(batch.points.iter().map(|point| point.step).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(curves.points.len(), 2);
    }
}
