//! The trainings: their list, what goes on of them, and what the launcher is to begin with.

use std::collections::HashMap;
use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{
    ApiError, Empty, Event, EventBody, IdRequest, TrainJob, TrainMerge, TrainMerged, TrainOptions, TrainSettings,
    TrainView,
};

use crate::backend::{Api, Connection, Events, Tail, use_api, use_connection, use_events};
use crate::state::settings::use_setting;
use crate::state::toasts::{Toasts, use_toasts};

/// The trainings in the host's order, or why they are not known.
pub(crate) type Trainings = Result<Arc<[TrainJob]>, ApiError>;

/// What the launcher begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TrainBegin {
    /// This dataset version; the other settings stay.
    Dataset(String),
    /// All of another training's settings.
    Settings(Box<TrainSettings>),
}

/// A merge that was begun here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Merge {
    /// The training whose adapter it is.
    pub(crate) id: String,
    /// How it ended; `None` while it goes on.
    pub(crate) ended: Option<Result<TrainMerged, ApiError>>,
}

/// Trainings. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Trains {
    api: StoredValue<Api>,
    events: Events,
    toasts: Toasts,
    owner: StoredValue<Owner>,
    /// The trainings; `None` until they are known.
    pub(crate) list: RwSignal<Option<Trainings>>,
    /// Where trainings would compute and which models can be their base.
    pub(crate) options: RwSignal<Option<Result<TrainOptions, ApiError>>>,
    /// What the launcher is to begin with, until it is taken over.
    pub(crate) begin: RwSignal<Option<TrainBegin>>,
    /// The trainings that are compared, by their ids.
    pub(crate) ticked: RwSignal<Vec<String>>,
    /// The ends of trainings that were looked at.
    pub(crate) seen: RwSignal<Vec<String>>,
    /// A training that ended just now; the frame tells of it and takes it away.
    pub(crate) ended: RwSignal<Option<TrainJob>>,
    /// The merges that were begun here, one a training.
    pub(crate) merges: RwSignal<Vec<Merge>>,
    /// Those whose news are heard.
    followed: StoredValue<HashMap<String, Owner>>,
    /// Counts questions for the list: of two answers the later question's counts.
    asked: StoredValue<u64>,
}

/// Trainings.
pub(crate) fn use_trains() -> Trains {
    expect_context()
}

pub(super) fn provide() {
    let trains = Trains {
        api: StoredValue::new(use_api()),
        events: use_events(),
        toasts: use_toasts(),
        owner: StoredValue::new(Owner::current().unwrap_or_default()),
        list: RwSignal::new(None),
        options: RwSignal::new(None),
        begin: RwSignal::new(None),
        ticked: RwSignal::new(Vec::new()),
        seen: use_setting("train-seen", Vec::new()),
        ended: RwSignal::new(None),
        merges: RwSignal::new(Vec::new()),
        followed: StoredValue::new(HashMap::new()),
        asked: StoredValue::new(0),
    };
    provide_context(trains);
    let connection = use_connection();
    Effect::new(move |_| {
        if connection.get() == Connection::Online {
            trains.refresh();
        }
    });
    use_events().listen(Event::TRAINS, move |tail| {
        if matches!(tail, Tail::Event(_)) || trains.list.with_untracked(Option::is_some) {
            trains.refresh();
        }
    });
}

impl Trains {
    /// Fetches the list again.
    pub(crate) fn refresh(self) {
        let Some(number) = self.asked.try_update_value(|asked| {
            *asked += 1;
            *asked
        }) else {
            return;
        };
        let api = self.api.get_value();
        spawn_local(async move {
            let answer = api.train_list(Empty {}).await;
            if self.asked.try_get_value() != Some(number) {
                return;
            }
            match answer {
                Ok(jobs) => self.take(jobs),
                // What is known is worth more than that it cannot be fetched right now.
                Err(error) if self.list.with_untracked(|list| matches!(list, Some(Ok(_)))) => self.toasts.error(error),
                Err(error) => self.list.set(Some(Err(error))),
            }
        });
    }

    /// Fetches what the launcher can offer.
    pub(crate) fn load_options(self) {
        let api = self.api.get_value();
        spawn_local(async move {
            let answer = api.train_options(Empty {}).await;
            let same = self.options.with_untracked(|now| now.as_ref().is_some_and(|now| *now == answer));
            if !same {
                self.options.set(Some(answer));
            }
        });
    }

    /// The trainings that are known. Tracks.
    pub(crate) fn known(self) -> Arc<[TrainJob]> {
        self.list.with(|list| match list {
            Some(Ok(jobs)) => Arc::clone(jobs),
            _ => Arc::from([]),
        })
    }

    /// Takes over what is new of a training.
    pub(crate) fn put(self, job: &TrainJob) {
        let mut before = None;
        self.list.try_update(|list| {
            let mut jobs = match list {
                Some(Ok(jobs)) => jobs.to_vec(),
                _ => Vec::new(),
            };
            match jobs.iter_mut().find(|old| old.id == job.id) {
                Some(old) => before = Some(std::mem::replace(old, job.clone())),
                None => jobs.insert(0, job.clone()),
            }
            *list = Some(Ok(jobs.into()));
        });
        self.heed(before.as_ref(), job);
    }

    /// Whether a training is compared with others. Tracks.
    pub(crate) fn is_ticked(self, id: &str) -> bool {
        self.ticked.with(|ticked| ticked.iter().any(|other| other == id))
    }

    /// Compares a training with others, or does not any more.
    pub(crate) fn tick(self, id: &str) {
        self.ticked.update(|ticked| match ticked.iter().position(|other| other == id) {
            Some(place) => {
                ticked.remove(place);
            }
            None => ticked.push(id.to_owned()),
        });
    }

    /// All of a training.
    ///
    /// # Errors
    /// The host's.
    pub(crate) async fn view(self, id: String) -> Result<TrainView, ApiError> {
        self.api.get_value().train_view(IdRequest { id }).await
    }

    /// Puts a training at the end of the queue.
    ///
    /// # Errors
    /// The host's: the plan refuses.
    pub(crate) async fn start(self, settings: TrainSettings) -> Result<TrainJob, ApiError> {
        let job = self.api.get_value().train_start(settings).await?;
        self.put(&job);
        Ok(job)
    }

    /// Does something with a training.
    ///
    /// # Errors
    /// The host's.
    pub(crate) async fn command(self, command: TrainCommand, id: String) -> Result<(), ApiError> {
        let api = self.api.get_value();
        let request = IdRequest { id };
        let job = match command {
            TrainCommand::Pause => api.train_pause(request).await?,
            TrainCommand::Resume => api.train_resume(request).await?,
            TrainCommand::Stop => api.train_stop(request).await?,
            TrainCommand::Checkpoint => api.train_checkpoint(request).await?,
            TrainCommand::Delete => {
                let id = request.id.clone();
                api.train_delete(request).await?;
                self.ticked.update(|ticked| ticked.retain(|other| *other != id));
                self.list.update(|list| {
                    if let Some(Ok(jobs)) = list {
                        *jobs = jobs.iter().filter(|job| job.id != id).cloned().collect();
                    }
                });
                return Ok(());
            }
        };
        self.put(&job);
        Ok(())
    }

    /// Merges an adapter into its base; goes on when the dialog is closed.
    pub(crate) fn merge(self, merge: TrainMerge) {
        let id = merge.id.clone();
        self.put_merge(Merge { id: id.clone(), ended: None });
        let api = self.api.get_value();
        spawn_local(async move {
            let ended = api.train_merge(merge).await;
            if let Ok(merged) = &ended {
                self.toasts.info(format!("The merged model is in {}.", merged.folder));
            }
            self.put_merge(Merge { id, ended: Some(ended) });
        });
    }

    fn put_merge(self, merge: Merge) {
        self.merges.try_update(|merges| {
            merges.retain(|other| other.id != merge.id);
            merges.push(merge);
        });
    }

    fn take(self, jobs: Vec<TrainJob>) {
        let before = self.list.with_untracked(|list| match list {
            Some(Ok(jobs)) => Arc::clone(jobs),
            _ => Arc::from([]),
        });
        let jobs: Arc<[TrainJob]> = jobs.into();
        if before != jobs || !self.list.with_untracked(|list| matches!(list, Some(Ok(_)))) {
            self.list.set(Some(Ok(Arc::clone(&jobs))));
        }
        for job in jobs.iter() {
            self.heed(before.iter().find(|old| old.id == job.id), job);
        }
        let is_there = |id: &String| jobs.iter().any(|job| job.id == *id);
        if !self.ticked.with_untracked(|ticked| ticked.iter().all(is_there)) {
            self.ticked.update(|ticked| ticked.retain(is_there));
        }
    }

    /// Hears of a training while it is live, and tells when it ends.
    fn heed(self, before: Option<&TrainJob>, job: &TrainJob) {
        if job.state.is_live() {
            self.follow(&job.id);
            return;
        }
        if let Some(owner) = self.followed.try_update_value(|followed| followed.remove(&job.id)).flatten() {
            owner.cleanup();
        }
        if before.is_some_and(|before| before.state.is_live()) {
            self.ended.set(Some(job.clone()));
        }
    }

    fn follow(self, id: &str) {
        if self.followed.with_value(|followed| followed.contains_key(id)) {
            return;
        }
        let child = self.owner.with_value(Owner::child);
        self.followed.update_value(|followed| {
            followed.insert(id.to_owned(), child.clone());
        });
        child.with(|| {
            self.events.listen(Event::train_topic(id), move |tail| {
                // After a gap the whole list is asked for: the frame hears of that too.
                if let Tail::Event(event) = tail
                    && let EventBody::TrainNews(news) = &event.body
                {
                    self.put(&news.job);
                }
            });
        });
    }
}

/// What can be done with a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrainCommand {
    /// Hold it after its current step.
    Pause,
    /// Go on.
    Resume,
    /// End it after its current step.
    Stop,
    /// Keep a checkpoint after the current step.
    Checkpoint,
    /// Remove it with all that it made.
    Delete,
}
