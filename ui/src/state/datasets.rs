//! The versions of datasets, and the build of one: it outlives the page that began it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use futures::channel::oneshot;
use futures::future::{Either, select};
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{DatasetPlan, DatasetVersion, TraceChoice};
use tw_contract::{ApiError, DatasetProgress, Empty, ErrorCode, Event, EventBody, IdRequest};

use crate::backend::{Api, Events, Tail, use_api, use_events};
use crate::state::clock::now_ms;
use crate::state::toasts::{Toasts, use_toasts};

/// The host is asked for the figures so far when a work did not end for so long.
const ASK_AFTER_MS: u32 = 900;

/// The versions, the newest first, or why they are not known.
pub(crate) type Versions = Result<Arc<[DatasetVersion]>, ApiError>;

/// A build.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BuildState {
    /// The dataset's name.
    pub(crate) name: String,
    /// How far it is.
    pub(crate) progress: DatasetProgress,
    /// When it began, unix milliseconds.
    pub(crate) began_ms: i64,
    /// What failed.
    pub(crate) failed: Option<ApiError>,
    /// Whether it was cancelled and has not ended yet.
    pub(crate) ending: bool,
}

impl BuildState {
    /// Whether it goes on.
    pub(crate) const fn is_running(&self) -> bool {
        self.progress.ended.is_none() && self.failed.is_none()
    }

    /// How far it is, 0 to 1.
    pub(crate) fn share(&self) -> f64 {
        let total = self.progress.total_traces;
        if total == 0 { 0.0 } else { (f64::from(self.progress.done_traces) / f64::from(total)).min(1.0) }
    }

    /// About how long it still takes, in milliseconds; `None` before that can be told.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "about")]
    pub(crate) fn left_ms(&self, now_ms: i64) -> Option<u64> {
        let share = self.share();
        let took = (now_ms - self.began_ms).max(0) as f64;
        (share > 0.02 && took > 2_000.0).then(|| (took / share * (1.0 - share)) as u64)
    }
}

/// What a plan begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PlanBegin {
    /// All of another plan.
    Plan(Box<DatasetPlan>),
    /// These traces; the other settings stay.
    Traces(TraceChoice),
}

/// Datasets. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Datasets {
    api: StoredValue<Api>,
    events: Events,
    toasts: Toasts,
    owner: StoredValue<Owner>,
    /// The versions; `None` until they are known.
    pub(crate) versions: RwSignal<Option<Versions>>,
    /// The build that goes on, or the last one until its end was put away.
    pub(crate) build: RwSignal<Option<BuildState>>,
    /// What the plan is to begin with, until it is taken over.
    pub(crate) begin: RwSignal<Option<PlanBegin>>,
    /// The version that was built last, and whether it was there before; the frame tells of it and takes it away.
    pub(crate) built: RwSignal<Option<(DatasetVersion, bool)>>,
    /// Counts questions for the versions: of two answers the later question's counts.
    asked: StoredValue<u64>,
}

impl Datasets {
    /// Fetches the versions again.
    pub(crate) fn refresh(self) {
        let Some(number) = self.asked.try_update_value(|asked| {
            *asked += 1;
            *asked
        }) else {
            return;
        };
        let api = self.api.get_value();
        spawn_local(async move {
            let answer = api.dataset_list(Empty {}).await.map(Arc::from);
            if self.asked.try_get_value() != Some(number) {
                return;
            }
            // What is known is worth more than that it cannot be fetched right now.
            let known = self.versions.with_untracked(|versions| matches!(versions, Some(Ok(_))));
            match answer {
                Err(error) if known => self.toasts.error(error),
                answer => self.versions.set(Some(answer)),
            }
        });
    }

    /// The versions that are known. Tracks.
    pub(crate) fn known(self) -> Arc<[DatasetVersion]> {
        self.versions.with(|versions| match versions {
            Some(Ok(versions)) => Arc::clone(versions),
            _ => Arc::from([]),
        })
    }

    /// Whether a build goes on. Tracks.
    pub(crate) fn is_building(self) -> bool {
        self.build.with(|build| build.as_ref().is_some_and(BuildState::is_running))
    }

    /// Begins a build. A running one must have ended.
    pub(crate) fn start(self, plan: DatasetPlan) {
        if self.build.with_untracked(|build| build.as_ref().is_some_and(BuildState::is_running)) {
            return;
        }
        self.build.set(Some(BuildState {
            name: plan.name.clone(),
            progress: DatasetProgress::default(),
            began_ms: now_ms(),
            failed: None,
            ending: false,
        }));
        let api = self.api.get_value();
        spawn_local(async move {
            let ended = match api.dataset_build(plan).await {
                Ok(progress) => {
                    let id = progress.id.clone();
                    self.change(|build| build.progress = progress);
                    if self.build.with_untracked(|build| build.as_ref().is_some_and(|build| build.ending)) {
                        // The person was faster than the host's answer.
                        self.send_cancel(id.clone());
                    }
                    self.follow(&id, move |progress| self.change(|build| build.progress = progress.clone())).await
                }
                Err(error) => Err(error),
            };
            match ended {
                Ok(progress) => {
                    self.change(|build| build.progress = progress.clone());
                    self.take_end(&progress);
                }
                Err(error) => self.change(|build| build.failed = Some(error)),
            }
        });
    }

    /// Ends the build; nothing of it stays.
    pub(crate) fn cancel(self) {
        let id = self.build.with_untracked(|build| build.as_ref().map(|build| build.progress.id.clone()));
        self.change(|build| build.ending = true);
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            self.send_cancel(id);
        }
    }

    /// Puts the end of a build away.
    pub(crate) fn dismiss(self) {
        if !self.build.with_untracked(|build| build.as_ref().is_some_and(BuildState::is_running)) {
            self.build.set(None);
        }
    }

    /// Ends a work of which nobody wants to know any more.
    pub(crate) fn drop_work(self, id: String) {
        let api = self.api.get_value();
        spawn_local(async move {
            // It may have ended by itself.
            drop(api.dataset_cancel(IdRequest { id }).await);
        });
    }

    fn send_cancel(self, id: String) {
        let (api, toasts) = (self.api.get_value(), self.toasts);
        spawn_local(async move {
            if let Err(error) = api.dataset_cancel(IdRequest { id }).await {
                toasts.error(error);
            }
        });
    }

    /// Tells how far a preview or a build is until it ends; the last that is told and the answer have its figures.
    pub(crate) async fn follow(
        self,
        id: &str,
        told: impl Fn(&DatasetProgress) + 'static,
    ) -> Result<DatasetProgress, ApiError> {
        let (send, mut ended) = oneshot::channel::<()>();
        let send = Rc::new(RefCell::new(Some(send)));
        let told = Rc::new(told);
        let child = self.owner.with_value(Owner::child);
        let listener = Rc::clone(&told);
        child.with(|| {
            self.events.listen(Event::dataset_topic(id), move |tail| {
                if let Tail::Event(event) = tail
                    && let EventBody::DatasetProgress(progress) = &event.body
                {
                    if progress.ended.is_none() {
                        listener(progress);
                    } else if let Some(send) = send.borrow_mut().take() {
                        // Nobody waits any more when the window closes.
                        send.send(()).unwrap_or_default();
                    }
                }
            });
        });
        let api = self.api.get_value();
        let mut over = false;
        let result = loop {
            // The first question is asked after listening began: an end in between is not missed.
            match api.dataset_progress(IdRequest { id: id.to_owned() }).await {
                Ok(progress) => {
                    told(&progress);
                    if progress.ended.is_some() {
                        break Ok(progress);
                    }
                }
                Err(error) if error.code == ErrorCode::Offline => {}
                Err(error) => break Err(error),
            }
            let pause = TimeoutFuture::new(ASK_AFTER_MS);
            if over {
                pause.await;
            } else {
                match select(&mut ended, pause).await {
                    Either::Left(_) => over = true,
                    Either::Right(_) => {}
                }
            }
        };
        child.cleanup();
        result
    }

    fn take_end(self, progress: &DatasetProgress) {
        match progress.ended.as_deref() {
            Some("done") => {
                self.build.set(None);
                self.refresh();
                let version = progress.version.clone().map(|version| (version, progress.was_there));
                self.built.set(version);
            }
            Some("cancelled") => {
                self.build.set(None);
                self.toasts.info("The build was cancelled. Nothing of it stays.");
            }
            Some(failed) => {
                let error = ApiError::new(ErrorCode::Internal, failed.to_owned());
                self.change(|build| build.failed = Some(error));
            }
            None => {}
        }
    }

    fn change(self, change: impl FnOnce(&mut BuildState)) {
        self.build.try_update(|build| {
            if let Some(build) = build {
                change(build);
            }
        });
    }
}

/// Datasets.
pub(crate) fn use_datasets() -> Datasets {
    expect_context()
}

pub(super) fn provide() {
    let datasets = Datasets {
        api: StoredValue::new(use_api()),
        events: use_events(),
        toasts: use_toasts(),
        owner: StoredValue::new(Owner::current().unwrap_or_default()),
        versions: RwSignal::new(None),
        build: RwSignal::new(None),
        begin: RwSignal::new(None),
        built: RwSignal::new(None),
        asked: StoredValue::new(0),
    };
    use_events().listen(Event::DATASETS, move |_| {
        // Nobody has asked yet: the page will.
        if datasets.versions.with_untracked(Option::is_some) {
            datasets.refresh();
        }
    });
    provide_context(datasets);
}
