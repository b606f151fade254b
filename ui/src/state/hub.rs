//! The Hub: who is signed in, and pushes, pulls and downloads, which outlive the dialogs that began them.

use std::collections::HashSet;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{
    ApiError, Empty, Event, EventBody, HubDownload, HubEnd, HubJob, HubJobKind, HubLogin, HubPull, HubStatus,
    IdRequest, ModelAdd, PublishPlan,
};

use crate::backend::{Api, Connection, Events, Tail, use_api, use_connection, use_events};
use crate::state::models::{Models, use_models};
use crate::state::toasts::{ToastAction, Toasts, use_toasts};

/// The Hub. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Hub {
    /// Who is signed in; `None` until it is known.
    pub(crate) status: RwSignal<Option<Result<HubStatus, ApiError>>>,
    /// What goes on and what ended and was not put away, the newest first.
    pub(crate) jobs: RwSignal<Vec<HubJob>>,
    /// The job whose progress is open.
    pub(crate) shown: RwSignal<Option<String>>,
    api: StoredValue<Api>,
    events: Events,
    toasts: Toasts,
    models: Models,
    owner: StoredValue<Owner>,
    followed: StoredValue<HashSet<String>>,
    asked: StoredValue<bool>,
}

/// The Hub.
pub(crate) fn use_hub() -> Hub {
    expect_context()
}

pub(super) fn provide() {
    let hub = Hub {
        status: RwSignal::new(None),
        jobs: RwSignal::new(Vec::new()),
        shown: RwSignal::new(None),
        api: StoredValue::new(use_api()),
        events: use_events(),
        toasts: use_toasts(),
        models: use_models(),
        owner: StoredValue::new(Owner::current().unwrap_or_default()),
        followed: StoredValue::new(HashSet::new()),
        asked: StoredValue::new(false),
    };
    provide_context(hub);
    let connection = use_connection();
    Effect::new(move |_| {
        if connection.get() == Connection::Online {
            hub.find_jobs();
        }
    });
}

impl Hub {
    /// Asks who is signed in when nobody has asked yet.
    pub(crate) fn ensure(self) {
        if !self.asked.get_value() {
            self.load();
        }
    }

    /// Asks who is signed in (again).
    pub(crate) fn load(self) {
        self.asked.set_value(true);
        let api = self.api.get_value();
        spawn_local(async move {
            let answer = api.hub_status(Empty {}).await;
            self.status.set(Some(answer));
        });
    }

    /// Signs in with a token.
    ///
    /// # Errors
    /// The host's: the Hub does not know the token, or cannot be reached.
    pub(crate) async fn sign_in(self, token: String) -> Result<(), ApiError> {
        let status = self.api.get_value().hub_login(HubLogin { token }).await?;
        self.status.set(Some(Ok(status)));
        Ok(())
    }

    /// Forgets the token that was entered here.
    pub(crate) fn sign_out(self) {
        let api = self.api.get_value();
        spawn_local(async move {
            match api.hub_logout(Empty {}).await {
                Ok(status) => self.status.set(Some(Ok(status))),
                Err(error) => self.toasts.error(error),
            }
        });
    }

    /// What is known of a job. Tracks.
    pub(crate) fn job(self, id: &str) -> Option<HubJob> {
        self.jobs.with(|jobs| jobs.iter().find(|job| job.id == id).cloned())
    }

    /// Begins a push and shows how far it is.
    ///
    /// # Errors
    /// The host's.
    pub(crate) async fn push(self, plan: PublishPlan) -> Result<(), ApiError> {
        let job = self.api.get_value().publish_start(plan).await?;
        self.began(job);
        Ok(())
    }

    /// Begins a pull and shows how far it is.
    ///
    /// # Errors
    /// The host's.
    pub(crate) async fn pull(self, pull: HubPull) -> Result<(), ApiError> {
        let job = self.api.get_value().hub_pull_start(pull).await?;
        self.began(job);
        Ok(())
    }

    /// Begins a download and shows how far it is.
    ///
    /// # Errors
    /// The host's.
    pub(crate) async fn download(self, download: HubDownload) -> Result<(), ApiError> {
        let job = self.api.get_value().hub_download_start(download).await?;
        self.began(job);
        Ok(())
    }

    /// Ends a job.
    pub(crate) fn cancel(self, id: String) {
        let api = self.api.get_value();
        spawn_local(async move {
            if let Err(error) = api.hub_job_cancel(IdRequest { id }).await {
                self.toasts.error(error);
            }
        });
    }

    /// Takes a job up again where it was.
    pub(crate) fn retry(self, id: String) {
        let api = self.api.get_value();
        spawn_local(async move {
            match api.hub_job_retry(IdRequest { id }).await {
                Ok(job) => self.began(job),
                Err(error) => self.toasts.error(error),
            }
        });
    }

    /// Puts an ended job away.
    pub(crate) fn dismiss(self, id: &str) {
        self.shown.update(|shown| {
            if shown.as_deref() == Some(id) {
                *shown = None;
            }
        });
        self.jobs.update(|jobs| jobs.retain(|job| job.id != id || job.ended.is_none()));
    }

    /// Follows what goes on already, after a new connection.
    fn find_jobs(self) {
        let api = self.api.get_value();
        spawn_local(async move {
            // A host that has none to tell of is like one without jobs.
            for job in api.hub_job_list(Empty {}).await.unwrap_or_default() {
                if job.ended.is_none() {
                    let id = job.id.clone();
                    self.put(job);
                    self.follow(id);
                }
            }
        });
    }

    fn began(self, job: HubJob) {
        let id = job.id.clone();
        self.put(job);
        self.shown.set(Some(id.clone()));
        self.follow(id);
    }

    fn put(self, job: HubJob) {
        self.jobs.update(|jobs| match jobs.iter_mut().find(|old| old.id == job.id) {
            Some(old) => *old = job,
            None => jobs.insert(0, job),
        });
    }

    fn follow(self, id: String) {
        let fresh = self.followed.try_update_value(|followed| followed.insert(id.clone()));
        if fresh != Some(true) {
            return;
        }
        let child = self.owner.with_value(Owner::child);
        let listener = child.clone();
        let topic = Event::hub_topic(&id);
        let own = id.clone();
        child.with(|| {
            self.events.listen(topic, move |tail| match tail {
                Tail::Event(event) => {
                    if let EventBody::HubJob(job) = &event.body {
                        if job.ended.is_some() {
                            self.look(own.clone(), listener.clone());
                        } else {
                            self.put((**job).clone());
                        }
                    }
                }
                Tail::Gap => self.look(own.clone(), listener.clone()),
            });
        });
        // Asked after listening began: an end in between is not missed.
        self.look(id, child);
    }

    /// Asks how far a job is; of an ended one this brings everything that it gave.
    fn look(self, id: String, listener: Owner) {
        let api = self.api.get_value();
        spawn_local(async move {
            // A host that is away is asked again when it is there.
            if let Ok(job) = api.hub_job_view(IdRequest { id }).await {
                let ended = job.ended.is_some();
                let id = job.id.clone();
                self.put(job.clone());
                if ended && self.followed.try_update_value(|followed| followed.remove(&id)) == Some(true) {
                    listener.cleanup();
                    self.tell(&job);
                }
            }
        });
    }

    /// Says that a job ended, where the person does not see it anyway, and takes over what it brought.
    fn tell(self, job: &HubJob) {
        let id = job.id.clone();
        let is_shown = self.shown.with_untracked(|shown| shown.as_deref() == Some(job.id.as_str()));
        let show = ToastAction { label: "Show", run: Callback::new(move |()| self.shown.set(Some(id.clone()))) };
        match &job.ended {
            Some(HubEnd::Done(outcome)) => {
                if let (HubJobKind::Download, Some(folder)) = (job.kind, outcome.folder.clone()) {
                    self.add_model(folder, job.repo.clone());
                }
                if !is_shown {
                    self.toasts.offer(outcome.summary.clone(), show);
                }
            }
            Some(HubEnd::Failed(_)) if !is_shown => self.shown.set(Some(job.id.clone())),
            _ => {}
        }
    }

    fn add_model(self, path: String, name: String) {
        spawn_local(async move {
            match self.models.add(ModelAdd { path, name: name.clone() }).await {
                Ok(_) => self.toasts.info(format!("{name} is among the models now.")),
                Err(error) => self.toasts.error(error),
            }
        });
    }
}
