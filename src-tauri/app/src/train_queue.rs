//! The queue of trainings: `jobs/` in the workspace is the truth, one worker at a time, whoever started it.
//!
//! Every process over a workspace may look and ask at the same time. What changes a record is done under the queue's lock,
//! which is taken before the lock of what this process knows.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tw_contract::{ApiError, ErrorCode, Event, EventBody, TrainJob, TrainState, TrainView};
use tw_jobs::{Command, Event as Said, Running, Worker};

use crate::errors::IntoApi;
use crate::hub::Hub;
use crate::lock;
use crate::train_job::Tracked;
use crate::train_machine::Workers;
use crate::train_record::{Asked, Exit, FILE, Phase};
use crate::train_speed::Speeds;

/// Between two looks at what a worker says: news go out at most ten times a second.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between two looks where nothing is under way: another process may have put something into the queue.
const IDLE: Duration = Duration::from_secs(1);
/// What a folder is called that is being removed, or is not whole yet.
const REMOVED: &str = "removed";
const UNFINISHED: &str = "part";

/// The trainings of a workspace.
pub(crate) struct Trains {
    root: PathBuf,
    cache: PathBuf,
    hub: Arc<Hub>,
    pub(crate) workers: Workers,
    pub(crate) speeds: Speeds,
    jobs: Mutex<BTreeMap<String, Tracked>>,
    wake: Arc<Notify>,
    closing: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
    /// Ends the plan that the window waits for.
    planning: Mutex<CancellationToken>,
}

/// The right to change records, over all processes.
struct QueueLock {
    _file: File,
}

type Jobs<'a> = MutexGuard<'a, BTreeMap<String, Tracked>>;

impl Trains {
    /// The trainings of a workspace, as they stand. Nothing is started before [`Trains::follow`] or [`Trains::tick`].
    pub(crate) fn open(workspace: &Path, hub: Arc<Hub>, worker: Option<PathBuf>) -> Arc<Self> {
        // The worker has the same folder under the same name wherever it was started.
        let workspace = std::path::absolute(workspace).unwrap_or_else(|_| workspace.to_owned());
        let root = workspace.join("jobs");
        let trains = Self {
            cache: workspace.join("cache").join("rows"),
            hub,
            workers: Workers::new(worker),
            speeds: Speeds::at(&root),
            root,
            jobs: Mutex::default(),
            wake: Arc::default(),
            closing: CancellationToken::new(),
            task: Mutex::default(),
            planning: Mutex::default(),
        };
        trains.scan(&mut lock(&trains.jobs));
        Arc::new(trains)
    }

    /// Where rows are kept.
    pub(crate) fn cache(&self) -> PathBuf {
        self.cache.clone()
    }

    /// Follows the workers and keeps the queue going, until the app closes. Workers go on.
    pub(crate) fn follow(self: &Arc<Self>) {
        self.sweep();
        let trains = Arc::clone(self);
        let task = tokio::spawn(async move {
            loop {
                let looking = Arc::clone(&trains);
                let is_busy = crate::blocking(move || looking.tick()).await.unwrap_or_default();
                tokio::select! {
                    () = trains.closing.cancelled() => break,
                    () = trains.wake.notified() => {}
                    () = tokio::time::sleep(if is_busy { LOOK_EVERY } else { IDLE }) => {}
                }
            }
        });
        *lock(&self.task) = Some(task);
    }

    pub(crate) async fn shutdown(&self) {
        self.closing.cancel();
        lock(&self.planning).cancel();
        let task = lock(&self.task).take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::warn!("the queue of trainings ended unexpectedly");
        }
    }

    /// Ends the plan that is being made, and gives what ends the next one.
    pub(crate) fn begin_plan(&self) -> CancellationToken {
        let next = self.closing.child_token();
        let before = std::mem::replace(&mut *lock(&self.planning), next.clone());
        before.cancel();
        next
    }

    /// Looks once at everything, and starts what is next. Whether something is under way.
    pub(crate) fn tick(&self) -> bool {
        self.look();
        self.pump();
        lock(&self.jobs).values().any(Tracked::is_open)
    }

    /// Looks once at everything, and writes down what ended.
    pub(crate) fn look(&self) {
        let mut over = Vec::new();
        {
            let mut jobs = lock(&self.jobs);
            self.scan(&mut jobs);
            for (id, tracked) in jobs.iter_mut() {
                if !tracked.is_open() {
                    // Another process wrote down how it ended.
                    if tracked.has_news() {
                        tracked.catch_up();
                        tracked.tell(&self.hub);
                    }
                    continue;
                }
                tracked.look();
                if !tracked.state().is_live() {
                    over.push(id.clone());
                } else if tracked.has_news() {
                    tracked.tell(&self.hub);
                }
            }
        }
        for id in over {
            self.settle(&id);
        }
    }

    /// What is in the folder: trainings that came, changed or went by another process.
    fn scan(&self, jobs: &mut BTreeMap<String, Tracked>) {
        let Ok(entries) = std::fs::read_dir(&self.root) else { return };
        let mut found = Vec::new();
        let mut is_other = false;
        for entry in entries.flatten() {
            let path = entry.path();
            let Some(id) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else { continue };
            if path.extension().is_some() || !path.join(FILE).is_file() {
                continue;
            }
            match jobs.get_mut(&id) {
                Some(tracked) => tracked.refresh(),
                None => match Tracked::read(&path) {
                    Ok(tracked) => {
                        jobs.insert(id.clone(), tracked);
                        is_other = true;
                    }
                    Err(error) => tracing::debug!(%error, id, "a training's record cannot be read"),
                },
            }
            found.push(id);
        }
        let before = jobs.len();
        jobs.retain(|id, _| found.contains(id));
        if is_other || jobs.len() != before {
            self.hub.emit(Event::TRAINS, EventBody::TrainsChanged);
        }
    }

    fn queue(&self) -> Result<QueueLock, ApiError> {
        let path = self.root.join("queue.lock");
        let wrong = |source| tw_jobs::Error::File { path: path.clone(), source }.into_api();
        std::fs::create_dir_all(&self.root).map_err(wrong)?;
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(wrong)?;
        file.lock().map_err(wrong)?;
        Ok(QueueLock { _file: file })
    }

    /// Both locks, with everything as it is on disk.
    fn both(&self) -> Result<(QueueLock, Jobs<'_>), ApiError> {
        let queue = self.queue()?;
        let mut jobs = lock(&self.jobs);
        self.scan(&mut jobs);
        Ok((queue, jobs))
    }

    /// Writes down how a training ended.
    fn settle(&self, id: &str) {
        let Ok((_queue, mut jobs)) = self.both() else { return };
        let Some(tracked) = jobs.get_mut(id).filter(|tracked| tracked.is_open()) else { return };
        tracked.look();
        if tracked.state().is_live() {
            return;
        }
        tracked.settle();
        let job = &tracked.record.job;
        let (seconds, tokens) = tracked.curves.work();
        let threads = job.settings.threads.or_else(|| self.workers.identity().ok().map(|it| it.threads()));
        if let Some(threads) = threads {
            self.speeds.keep(&job.plan.device, threads, job.plan.base_parameters, seconds, tokens);
        }
        tracked.tell(&self.hub);
    }

    /// Starts the next training where none is under way.
    fn pump(&self) {
        while !self.closing.is_cancelled() {
            let Some((id, settings)) = next(&lock(&self.jobs)) else { return };
            // It may take long to say who it is: nothing waits for it meanwhile.
            let worker = self.workers.start(&settings);
            let Ok((_queue, mut jobs)) = self.both() else { return };
            if next(&jobs).is_none_or(|(still, _)| still != id) {
                // Another process was faster, or it left the queue.
                if let Ok(worker) = worker {
                    worker.dismiss();
                }
                return;
            }
            let Some(tracked) = jobs.get_mut(&id) else { return };
            if let Err(error) = self.begin(tracked, worker) {
                tracing::warn!(%error, "a training cannot begin");
                return;
            }
            tracked.look();
            tracked.tell(&self.hub);
        }
    }

    fn begin(&self, tracked: &mut Tracked, worker: Result<Worker, ApiError>) -> Result<(), ApiError> {
        // What earlier workers said is known before this one speaks.
        tracked.look();
        let now = jiff::Timestamp::now().as_millisecond();
        let record = &mut tracked.record;
        record.phase = Phase::Begun;
        record.begun_at_ms = now;
        record.starts_before = tracked.curves.starts;
        record.ends_before = tracked.curves.ends;
        record.pid = worker.as_ref().ok().map(Worker::id);
        record.asked = None;
        record.exit = None;
        record.job.state = TrainState::Preparing;
        record.job.started_at_ms.get_or_insert(now);
        record.job.ended_at_ms = None;
        record.job.error = None;
        tracked.save().map_err(IntoApi::into_api)?;
        let running = worker.and_then(|worker| worker.give(&tracked.folder).map_err(IntoApi::into_api));
        match running {
            Ok(running) => self.wait_for(tracked.is_given(), running.detached()),
            Err(error) => {
                let said = Said::Failed { message: error.to_string(), step: 0 };
                tracked.folder.append_event(&said, true).map_err(IntoApi::into_api)?;
            }
        }
        Ok(())
    }

    /// A process that ended must be waited for; how it ended tells more than that it is gone.
    fn wait_for(&self, exit: Arc<Mutex<Option<Exit>>>, running: Running) {
        let wake = Arc::clone(&self.wake);
        std::thread::spawn(move || {
            if let Ok((status, words)) = running.wait_with_last_words() {
                *lock(&exit) = Some(Exit { signal: signal_of(status), code: status.code(), words });
                wake.notify_one();
            }
        });
    }

    /// Puts a training into the queue: `fill` writes its files into a folder that gets its name when all is there.
    pub(crate) fn enter(
        &self,
        job: TrainJob,
        fill: impl FnOnce(&Path) -> Result<(), ApiError>,
    ) -> Result<TrainJob, ApiError> {
        let id = job.id.clone();
        let unfinished = self.root.join(format!("{id}.{UNFINISHED}"));
        let record = crate::train_record::Record {
            queued_at_ms: job.created_at_ms,
            job: TrainJob { state: TrainState::Queued, ..job },
            ..crate::train_record::Record::default()
        };
        let path = self.root.join(&id);
        let written = std::fs::create_dir_all(&unfinished)
            .map_err(|source| tw_jobs::Error::File { path: unfinished.clone(), source }.into_api())
            .and_then(|()| fill(&unfinished))
            .and_then(|()| record.write(&unfinished).map_err(IntoApi::into_api))
            .and_then(|()| {
                std::fs::rename(&unfinished, &path)
                    .map_err(|source| tw_jobs::Error::File { path: path.clone(), source }.into_api())
            });
        if let Err(error) = written {
            drop(std::fs::remove_dir_all(&unfinished));
            return Err(error);
        }
        let mut jobs = lock(&self.jobs);
        self.scan(&mut jobs);
        let job = find(&mut jobs, &id)?.job();
        self.wake.notify_one();
        Ok(job)
    }

    /// All trainings, the newest first. Ids are uuid v7: they sort by age.
    pub(crate) fn list(&self) -> Vec<TrainJob> {
        let mut jobs = lock(&self.jobs);
        self.scan(&mut jobs);
        jobs.values().rev().map(Tracked::job).collect()
    }

    pub(crate) fn view(&self, id: &str) -> Result<TrainView, ApiError> {
        let mut jobs = lock(&self.jobs);
        self.scan(&mut jobs);
        Ok(find(&mut jobs, id)?.view(&self.hub))
    }

    /// Changes a training under both locks, as it stands now.
    fn change(
        &self,
        id: &str,
        change: impl FnOnce(&mut Tracked) -> Result<(), ApiError>,
    ) -> Result<TrainJob, ApiError> {
        let (_queue, mut jobs) = self.both()?;
        let tracked = find(&mut jobs, id)?;
        if tracked.is_open() {
            tracked.look();
        }
        change(tracked)?;
        tracked.save().map_err(IntoApi::into_api)?;
        if tracked.is_open() {
            tracked.look();
        }
        if tracked.has_news() {
            tracked.tell(&self.hub);
        }
        let job = tracked.job();
        self.wake.notify_one();
        Ok(job)
    }

    pub(crate) fn pause(&self, id: &str) -> Result<TrainJob, ApiError> {
        self.change(id, |tracked| match tracked.state() {
            TrainState::Paused => Ok(()),
            TrainState::Running | TrainState::Preparing => {
                tracked.record.asked = Some(Asked::Pause);
                tracked.folder.command(&Command::Pause).map_err(IntoApi::into_api)
            }
            TrainState::Queued => Err(ApiError::invalid("This training has not begun yet.")
                .with_hint("Stop it to take it out of the queue; it can be resumed later.")),
            state => Err(cannot(state, "paused")),
        })
    }

    pub(crate) fn resume(&self, id: &str) -> Result<TrainJob, ApiError> {
        self.change(id, |tracked| match tracked.state() {
            TrainState::Running | TrainState::Preparing | TrainState::Paused => {
                tracked.record.asked = None;
                tracked.folder.command(&Command::Resume).map_err(IntoApi::into_api)
            }
            TrainState::Stopped | TrainState::Failed | TrainState::Lost => {
                let record = &mut tracked.record;
                record.phase = Phase::Queued;
                record.queued_at_ms = jiff::Timestamp::now().as_millisecond();
                record.asked = None;
                record.job.state = TrainState::Queued;
                record.job.error = None;
                record.job.ended_at_ms = None;
                Ok(())
            }
            state => Err(cannot(state, "resumed")),
        })
    }

    pub(crate) fn stop(&self, id: &str) -> Result<TrainJob, ApiError> {
        self.change(id, |tracked| match tracked.state() {
            TrainState::Stopping | TrainState::Stopped => Ok(()),
            TrainState::Queued => {
                tracked.record.phase = Phase::Withdrawn;
                tracked.record.job.state = TrainState::Stopped;
                tracked.record.job.ended_at_ms = Some(jiff::Timestamp::now().as_millisecond());
                tracked.withdraw();
                Ok(())
            }
            TrainState::Running | TrainState::Preparing | TrainState::Paused => {
                tracked.record.asked = Some(Asked::Stop);
                tracked.folder.command(&Command::Stop).map_err(IntoApi::into_api)
            }
            state => Err(cannot(state, "stopped")),
        })
    }

    pub(crate) fn checkpoint(&self, id: &str) -> Result<TrainJob, ApiError> {
        self.change(id, |tracked| match tracked.state() {
            TrainState::Running | TrainState::Paused => {
                tracked.folder.command(&Command::Checkpoint).map_err(IntoApi::into_api)
            }
            _ => Err(ApiError::invalid("A checkpoint is made while a training runs.")),
        })
    }

    pub(crate) fn delete(&self, id: &str) -> Result<(), ApiError> {
        let removed = {
            let (_queue, mut jobs) = self.both()?;
            let tracked = find(&mut jobs, id)?;
            if tracked.is_open() {
                tracked.look();
            }
            if tracked.state().is_live() || tracked.folder.is_running() {
                return Err(ApiError::invalid("This training is not over.").with_hint("Stop it first."));
            }
            let (id, path) = (tracked.record.job.id.clone(), tracked.folder.path().to_owned());
            let removed = path.with_extension(REMOVED);
            std::fs::rename(&path, &removed)
                .map_err(|source| tw_jobs::Error::File { path: path.clone(), source }.into_api())?;
            jobs.remove(&id);
            removed
        };
        self.hub.emit(Event::TRAINS, EventBody::TrainsChanged);
        std::fs::remove_dir_all(&removed)
            .map_err(|source| tw_jobs::Error::File { path: removed.clone(), source }.into_api())
    }

    /// The folder of an adapter to train on from: a path, or the training that made it.
    pub(crate) fn adapter(&self, reference: &str) -> Result<PathBuf, ApiError> {
        let known = lock(&self.jobs).get(reference).map(Tracked::job);
        let folder = match known {
            Some(job) => job.adapter.map(PathBuf::from).ok_or_else(|| {
                ApiError::invalid(format!("The training \"{}\" has no adapter yet.", job.name))
                    .with_hint("Wait until it is done, or choose another adapter.")
            })?,
            None => crate::models::full_path(reference)?,
        };
        if folder.join("adapter_config.json").is_file() {
            Ok(folder)
        } else {
            Err(ApiError::invalid(format!("{} holds no adapter: adapter_config.json is missing.", folder.display()))
                .with_hint("Choose the folder that a training has written, or one that PEFT has."))
        }
    }

    /// Removes what an earlier process left unfinished.
    fn sweep(&self) {
        let Ok(_queue) = self.queue() else { return };
        crate::train_rows::sweep(&self.cache);
        let Ok(entries) = std::fs::read_dir(&self.root) else { return };
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
            if path.extension().is_some_and(|ending| ending == UNFINISHED || ending == REMOVED) {
                drop(std::fs::remove_dir_all(path));
            }
        }
    }
}

/// The training that is next, where none is under way.
fn next(jobs: &BTreeMap<String, Tracked>) -> Option<(String, tw_contract::TrainSettings)> {
    if jobs.values().any(Tracked::is_begun) {
        return None;
    }
    let waiting = jobs.iter().filter(|(_, tracked)| tracked.record.phase == Phase::Queued);
    let (id, tracked) = waiting.min_by_key(|(id, tracked)| (tracked.record.queued_at_ms, (*id).clone()))?;
    Some((id.clone(), tracked.record.job.settings.clone()))
}

/// A training by its id, or the beginning of it where only one begins so.
fn find<'a>(jobs: &'a mut BTreeMap<String, Tracked>, id: &str) -> Result<&'a mut Tracked, ApiError> {
    let id = id.trim();
    let mut fitting = jobs.keys().filter(|key| !id.is_empty() && key.starts_with(id)).cloned();
    let found = match (fitting.next(), fitting.next()) {
        (Some(one), None) => Some(one),
        (Some(_), Some(_)) if !jobs.contains_key(id) => {
            return Err(ApiError::new(ErrorCode::NotFound, format!("More than one training begins with {id}.")));
        }
        _ => Some(id.to_owned()),
    };
    drop(fitting);
    found.and_then(|id| jobs.get_mut(&id)).ok_or_else(|| ApiError::not_found("training"))
}

fn cannot(state: TrainState, what: &str) -> ApiError {
    let how = match state {
        TrainState::Done => "is done",
        TrainState::Queued => "waits in the queue",
        TrainState::Stopping => "is stopping",
        TrainState::Preparing | TrainState::Running | TrainState::Paused => "is under way",
        TrainState::Stopped | TrainState::Failed | TrainState::Lost => "is over",
    };
    ApiError::invalid(format!("This training {how}: it cannot be {what}."))
}

#[cfg(unix)]
fn signal_of(status: std::process::ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_: std::process::ExitStatus) -> Option<i32> {
    None
}
