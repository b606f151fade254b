//! All that is known of one training, followed while it goes on.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, EvalPoint, Event, EventBody, TrainJob, TrainLogLine, TrainNews, TrainPoint, TrainView};

use crate::backend::{Accept, Sequence, Tail, use_events};
use crate::components::{Curve, Curves, Look, Smoother};
use crate::state::trains::{Trains, use_trains};

/// Lines of the log that are kept here, the newest.
const LOG_LINES: usize = 500;
/// The place of the measured loss among the curves.
const MEASURED: usize = 0;
/// The place of the smoothed one.
const SMOOTHED: usize = 1;
/// The place of the validations.
const VALIDATED: usize = 2;

/// A training. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    trains: Trains,
    id: StoredValue<String>,
    /// How it stands; `None` until that is known.
    pub(crate) job: RwSignal<Option<TrainJob>>,
    /// Why it is not known.
    pub(crate) problem: RwSignal<Option<ApiError>>,
    /// The loss as measured, smoothed, and of the validations.
    pub(crate) loss: RwSignal<Curves>,
    /// The learning rate.
    pub(crate) rate: RwSignal<Curves>,
    /// The gradient's norm.
    pub(crate) norm: RwSignal<Curves>,
    /// The last step.
    pub(crate) last: RwSignal<Option<TrainPoint>>,
    /// The log, the newest line last.
    pub(crate) log: RwSignal<Vec<TrainLogLine>>,
    smoothing: RwSignal<f64>,
    smoother: StoredValue<Smoother>,
    seq: StoredValue<Option<Sequence>>,
    /// The newest event that came while the whole was being fetched.
    missed: StoredValue<u64>,
    fetching: StoredValue<bool>,
}

impl Run {
    /// Of a training, with how much of the past the smoothed loss keeps (0 to below 1).
    pub(crate) fn of(id: &str, smoothing: RwSignal<f64>) -> Self {
        let run = Self {
            trains: use_trains(),
            id: StoredValue::new(id.to_owned()),
            job: RwSignal::new(None),
            problem: RwSignal::new(None),
            loss: RwSignal::new(Curves(vec![
                Curve::new("each step", Look::Thin, 0),
                Curve::new("smoothed", Look::Line, 0),
                Curve::new("validation", Look::Dots, 1),
            ])),
            rate: RwSignal::new(Curves(vec![Curve::new("rate", Look::Line, 2)])),
            norm: RwSignal::new(Curves(vec![Curve::new("norm", Look::Line, 3)])),
            last: RwSignal::new(None),
            log: RwSignal::new(Vec::new()),
            smoothing,
            smoother: StoredValue::new(Smoother::new(smoothing.get_untracked())),
            seq: StoredValue::new(None),
            missed: StoredValue::new(0),
            fetching: StoredValue::new(false),
        };
        use_events().listen(Event::train_topic(id), move |tail| match tail {
            Tail::Gap => run.fetch(),
            Tail::Event(event) => {
                if let EventBody::TrainNews(news) = &event.body {
                    run.hear(event.seq, news);
                }
            }
        });
        Effect::new(move |before: Option<f64>| {
            let weight = smoothing.get();
            if before.is_some_and(|before| (before - weight).abs() > 1e-9) {
                run.loss.update(|curves| run.smooth(curves));
            }
            weight
        });
        run.fetch();
        run
    }

    /// Which one.
    pub(crate) fn id(self) -> String {
        self.id.get_value()
    }

    /// Fetches all of it (again).
    pub(crate) fn fetch(self) {
        if self.fetching.try_get_value() != Some(false) {
            return;
        }
        self.fetching.set_value(true);
        let (trains, id) = (self.trains, self.id.get_value());
        spawn_local(async move {
            let answer = trains.view(id).await;
            if self.fetching.try_set_value(false).is_some() {
                return;
            }
            match answer {
                Ok(view) => {
                    let seq = view.seq;
                    self.take(view);
                    if self.missed.get_value() > seq {
                        self.missed.set_value(0);
                        self.fetch();
                    }
                }
                Err(error) => self.problem.set(Some(error)),
            }
        });
    }

    fn hear(self, seq: u64, news: &TrainNews) {
        if self.fetching.try_get_value() != Some(false) {
            self.missed.try_set_value(seq);
            return;
        }
        let mut known = self.seq.get_value();
        match known.as_mut().map(|known| known.accept(seq)) {
            Some(Accept::New) => {
                self.seq.set_value(known);
                self.add(news);
            }
            Some(Accept::Old) => {}
            Some(Accept::Gap) | None => self.fetch(),
        }
    }

    fn take(self, view: TrainView) {
        self.seq.set_value(Some(Sequence(view.seq)));
        self.problem.set(None);
        self.loss.update(|curves| {
            set(curves, MEASURED, view.points.iter().map(|it| at(it.step, it.loss)).collect());
            set(curves, VALIDATED, view.evals.iter().map(|it| at(it.step, it.loss)).collect());
            self.smooth(curves);
        });
        self.rate.update(|curves| set(curves, 0, view.points.iter().map(|it| at(it.step, it.learning_rate)).collect()));
        self.norm.update(|curves| set(curves, 0, view.points.iter().map(|it| at(it.step, it.gradient_norm)).collect()));
        self.last.set(view.points.last().copied());
        let mut log = view.log;
        log.drain(..log.len().saturating_sub(LOG_LINES));
        self.log.set(log);
        self.put(view.job);
    }

    fn add(self, news: &TrainNews) {
        if let Some(from) = news.from_step {
            let from = from as f64;
            self.loss.update(|curves| {
                curves.0.iter_mut().for_each(|curve| curve.cut_from(from));
                self.smooth(curves);
            });
            for curves in [self.rate, self.norm] {
                curves.update(|curves| curves.0.iter_mut().for_each(|curve| curve.cut_from(from)));
            }
        }
        if !news.points.is_empty() || !news.evals.is_empty() {
            self.loss.update(|curves| self.add_loss(curves, &news.points, &news.evals));
        }
        if let Some(last) = news.points.last() {
            let rates = news.points.iter().map(|it| at(it.step, it.learning_rate));
            self.rate.update(|curves| extend(curves, 0, rates));
            let norms = news.points.iter().map(|it| at(it.step, it.gradient_norm));
            self.norm.update(|curves| extend(curves, 0, norms));
            self.last.set(Some(*last));
        }
        if !news.log.is_empty() {
            self.log.update(|log| {
                log.extend(news.log.iter().cloned());
                log.drain(..log.len().saturating_sub(LOG_LINES));
            });
        }
        self.put(news.job.clone());
    }

    fn add_loss(self, curves: &mut Curves, points: &[TrainPoint], evals: &[EvalPoint]) {
        self.smoother.try_update_value(|smoother| {
            extend(curves, SMOOTHED, points.iter().map(|it| at(it.step, smoother.next(it.loss))));
        });
        extend(curves, MEASURED, points.iter().map(|it| at(it.step, it.loss)));
        extend(curves, VALIDATED, evals.iter().map(|it| at(it.step, it.loss)));
    }

    /// Makes the smoothed loss anew.
    fn smooth(self, curves: &mut Curves) {
        let mut smoother = Smoother::new(self.smoothing.get_untracked());
        let smooth = |points: &[[f64; 2]]| points.iter().map(|it| [it[0], smoother.next(it[1])]).collect::<Vec<_>>();
        let points = curves.0.get(MEASURED).map(|curve| curve.points.as_slice()).map(smooth).unwrap_or_default();
        set(curves, SMOOTHED, points);
        self.smoother.set_value(smoother);
    }

    fn put(self, job: TrainJob) {
        if self.job.with_untracked(|known| known.as_ref() != Some(&job)) {
            self.job.set(Some(job));
        }
    }
}

fn at(step: u64, value: f64) -> [f64; 2] {
    [step as f64, value]
}

fn set(curves: &mut Curves, place: usize, points: Vec<[f64; 2]>) {
    if let Some(curve) = curves.0.get_mut(place) {
        curve.points = points;
    }
}

fn extend(curves: &mut Curves, place: usize, points: impl Iterator<Item = [f64; 2]>) {
    if let Some(curve) = curves.0.get_mut(place) {
        curve.points.extend(points);
    }
}
