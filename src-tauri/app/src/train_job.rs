//! One training as this process follows it: its record, its events so far, and what of them was told.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tw_contract::{Event, EventBody, TrainJob, TrainState, TrainView};
use tw_jobs::{JobFolder, Tail};

use crate::hub::Hub;
use crate::lock;
use crate::train_curves::{Batch, Curves};
use crate::train_machine::memory_of;
use crate::train_record::{Asked, Exit, Phase, Record, Stamp};

/// What is kept beside an adapter's own files.
const TRAINING: &str = "training.json";

/// A training.
pub(crate) struct Tracked {
    pub(crate) folder: JobFolder,
    pub(crate) record: Record,
    stamp: Stamp,
    pub(crate) curves: Curves,
    /// Follows the events; none of one that is over, until somebody wants to see it.
    tail: Option<Tail>,
    state: TrainState,
    /// How it stood before it ended: shown until its end is written down with all that belongs to it.
    live_state: TrainState,
    pending: Batch,
    told: TrainJob,
    /// How its process ended, where this process started it.
    exit: Arc<Mutex<Option<Exit>>>,
    /// Whether this process waits for that.
    is_ours: bool,
}

impl Tracked {
    /// Reads a training's record.
    pub(crate) fn read(path: &Path) -> std::io::Result<Self> {
        let folder = JobFolder::at(path);
        // In this order: a record that is written between the two is read again.
        let stamp = Record::stamp(path);
        let record = Record::read(path)?;
        let mut tracked = Self {
            folder,
            state: record.job.state,
            live_state: record.job.state,
            told: record.job.clone(),
            record,
            stamp,
            curves: Curves::default(),
            tail: None,
            pending: Batch::default(),
            exit: Arc::default(),
            is_ours: false,
        };
        if tracked.is_open() {
            tracked.look();
            tracked.told = tracked.job();
        }
        Ok(tracked)
    }

    /// Reads the record anew where another process wrote it.
    pub(crate) fn refresh(&mut self) {
        let stamp = Record::stamp(self.folder.path());
        if stamp != self.stamp
            && let Ok(record) = Record::read(self.folder.path())
        {
            self.stamp = stamp;
            self.record = record;
            self.state = self.record.job.state;
        }
    }

    /// Whether it can still change by itself.
    pub(crate) fn is_open(&self) -> bool {
        match self.record.phase {
            Phase::Queued => true,
            Phase::Withdrawn => false,
            Phase::Begun => self.record.job.state.is_live(),
        }
    }

    /// Whether a worker has it.
    pub(crate) fn is_begun(&self) -> bool {
        self.record.phase == Phase::Begun && self.state.is_live()
    }

    pub(crate) fn state(&self) -> TrainState {
        self.state
    }

    /// Takes in what its worker has said since, and finds how it stands.
    pub(crate) fn look(&mut self) {
        if self.tail.is_none() {
            self.look_back();
        }
        if let Some(exit) = lock(&self.exit).take() {
            self.record.exit = Some(exit);
            self.is_ours = false;
        }
        // In this order: a worker that ends between the two has said its last word before. Of our own we also wait to hear
        // how it ended.
        let is_running = self.record.phase == Phase::Begun && (self.is_ours || self.folder.is_running());
        let was_started = self.record.is_started(&self.curves);
        self.catch_up();
        let now = jiff::Timestamp::now().as_millisecond();
        self.state = self.record.state(&self.curves, is_running, now);
        if self.state.is_live() {
            self.live_state = self.state;
        }
        // A worker hears only what it is asked after it took the folder: what was asked before is asked again.
        if !was_started && self.record.is_started(&self.curves) && self.state.is_live() {
            let again = match self.record.asked {
                Some(Asked::Stop) => Some(tw_jobs::Command::Stop),
                Some(Asked::Pause) => Some(tw_jobs::Command::Pause),
                None => None,
            };
            if let Some(command) = again
                && let Err(error) = self.folder.command(&command)
            {
                tracing::warn!(%error, "a training's worker cannot be asked");
            }
        }
    }

    /// How others see that it stands.
    fn shown_state(&self) -> TrainState {
        if self.is_open() && !self.state.is_live() { self.live_state } else { self.state }
    }

    /// As lists show it now.
    pub(crate) fn job(&self) -> TrainJob {
        let mut job = self.record.job.clone();
        if self.tail.is_some() {
            self.curves.fill(&mut job);
        }
        job.state = self.shown_state();
        job.folder = self.folder.path().display().to_string();
        if self.state != TrainState::Running {
            job.seconds_left = None;
        }
        let holds = matches!(
            self.state,
            TrainState::Preparing | TrainState::Running | TrainState::Paused | TrainState::Stopping
        );
        job.memory_bytes = self.record.pid.filter(|_| holds).and_then(memory_of);
        job.adapter = job.adapter.filter(|folder| Path::new(folder).is_dir());
        job
    }

    /// It has left the queue.
    pub(crate) fn withdraw(&mut self) {
        self.state = TrainState::Stopped;
    }

    /// Whether there is something that was not told yet.
    pub(crate) fn has_news(&self) -> bool {
        !self.pending.is_empty() || self.shown_state() != self.told.state
    }

    /// Tells what came since.
    pub(crate) fn tell(&mut self, hub: &Hub) {
        let job = self.job();
        let is_other_state = job.state != self.told.state;
        let news = std::mem::take(&mut self.pending).into_news(job.clone());
        hub.emit(&Event::train_topic(&job.id), EventBody::TrainNews(Box::new(news)));
        if is_other_state {
            hub.emit(Event::TRAINS, EventBody::TrainsChanged);
        }
        self.told = job;
    }

    /// All of it, with the number of the last event that is in it.
    pub(crate) fn view(&mut self, hub: &Hub) -> TrainView {
        if self.tail.is_none() {
            self.look_back();
        } else if self.has_news() {
            // What is in the view must not come once more as an event.
            self.tell(hub);
        }
        let job = self.job();
        let seq = hub.last_seq(&Event::train_topic(&job.id));
        let Curves { points, evals, log, .. } = self.curves.clone();
        TrainView { job, points, evals, log, seq }
    }

    /// Takes in what came since.
    pub(crate) fn catch_up(&mut self) {
        let Some(tail) = &mut self.tail else { return };
        match tail.read() {
            Ok(events) => self.curves.take(&events, &mut self.pending),
            Err(error) => tracing::warn!(%error, "the events of a training cannot be read just now"),
        }
    }

    /// A worker of this process is at it from now on. Where to put how it ends.
    pub(crate) fn is_given(&mut self) -> Arc<Mutex<Option<Exit>>> {
        self.exit = Arc::default();
        self.is_ours = true;
        Arc::clone(&self.exit)
    }

    /// Reads what came before anybody looked: that is not news.
    fn look_back(&mut self) {
        let mut tail = Tail::new(self.folder.events());
        let mut past = Batch::default();
        if let Ok(events) = tail.read() {
            self.curves.take(&events, &mut past);
        }
        self.tail = Some(tail);
    }

    /// Writes the record.
    pub(crate) fn save(&mut self) -> tw_jobs::Result<()> {
        self.record.write(self.folder.path())?;
        self.stamp = Record::stamp(self.folder.path());
        Ok(())
    }

    /// Writes down how it stands where it is over, and puts what it was made with beside its adapter.
    pub(crate) fn settle(&mut self) {
        let mut job = TrainJob { state: self.state, seconds_left: None, memory_bytes: None, ..self.job() };
        job.ended_at_ms = Some(jiff::Timestamp::now().as_millisecond());
        job.error = self.record.error(&self.curves, self.state);
        let adapter = self.folder.adapter();
        let has_adapter = matches!(self.state, TrainState::Done | TrainState::Stopped)
            && adapter.join("adapter_model.safetensors").is_file();
        job.adapter = has_adapter.then(|| adapter.display().to_string());
        self.record.job = job;
        self.record.asked = None;
        if has_adapter && let Err(error) = self.write_training(&adapter) {
            tracing::warn!(%error, "what an adapter was trained with cannot be written beside it");
        }
        if let Err(error) = self.save() {
            tracing::warn!(%error, "how a training ended cannot be written down");
        }
    }

    fn write_training(&self, adapter: &Path) -> tw_jobs::Result<()> {
        let job = &self.record.job;
        let path = adapter.join(TRAINING);
        let text = serde_json::to_vec_pretty(&json!({
            "name": job.name,
            "id": job.id,
            "base": {"name": job.base_name, "path": self.folder.spec().map(|spec| spec.model).ok()},
            "dataset": {"name": job.dataset_name, "id": job.dataset_id},
            "settings": job.settings,
            "plan": job.plan,
            "steps_done": job.step,
            "created_at_ms": job.created_at_ms,
            "started_at_ms": job.started_at_ms,
            "ended_at_ms": job.ended_at_ms,
            "points": self.curves.points,
            "evals": self.curves.evals,
        }))
        .map_err(|source| tw_jobs::Error::Format { path: path.clone(), source })?;
        tw_jobs::write_whole(&path, &text)
    }
}
