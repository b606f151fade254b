//! An import that goes on: it outlives the dialog that began it, and the page.

use futures::channel::oneshot;
use futures::future::{Either, select};
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::cell::RefCell;
use std::rc::Rc;
use tw_contract::{
    ApiError, Empty, ErrorCode, Event, EventBody, IdRequest, ImportPlan, ImportProgress, ImportRefusal, ImportSource,
};

use crate::backend::{Api, Events, Tail, use_api, use_events};
use crate::state::clock::now_ms;
use crate::state::format;
use crate::state::toasts::{ToastAction, Toasts, use_toasts};

/// Most refusals that are kept for the report.
const REFUSALS: usize = 500;
/// The host is asked how far it is when no event came for so long.
const ASK_AFTER_MS: u32 = 2_000;

/// A portion of an import: what to read, and how many bytes that is.
pub(crate) struct Portion {
    /// Makes the sources when its turn comes; refused files are named.
    pub(crate) read: PortionRead,
    /// Bytes of it, 0 where only the host knows.
    pub(crate) bytes: u64,
}

/// What makes a portion's sources: it reads files only when they are to be sent.
pub(crate) type PortionRead =
    Box<dyn FnOnce() -> futures::future::LocalBoxFuture<'static, (Vec<ImportSource>, Vec<ImportRefusal>)>>;

/// How far an import is, over all of its portions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImportState {
    /// Bytes that are done.
    pub(crate) done_bytes: u64,
    /// Bytes in all, as far as they are known.
    pub(crate) total_bytes: u64,
    /// Traces that are in the workspace.
    pub(crate) imported: u32,
    /// The first of what was refused.
    pub(crate) refused: Vec<ImportRefusal>,
    /// How much was refused in all.
    pub(crate) refused_count: u32,
    /// When it began, unix milliseconds.
    pub(crate) began_ms: i64,
    /// Whether the window reads files right now, before the host gets them.
    pub(crate) handing_over: bool,
    /// `None` while it works; then `done`, `cancelled`, or what failed.
    pub(crate) ended: Option<String>,
}

impl ImportState {
    /// How far it is, 0 to 1; `None` where that is not known.
    #[expect(clippy::cast_precision_loss, reason = "a share of the work")]
    pub(crate) fn share(&self) -> Option<f64> {
        (self.total_bytes > 0).then(|| (self.done_bytes as f64 / self.total_bytes as f64).clamp(0.0, 1.0))
    }

    /// About how long it still takes, in milliseconds; `None` before that can be told.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "about")]
    pub(crate) fn left_ms(&self, now_ms: i64) -> Option<u64> {
        let share = self.share().filter(|share| *share > 0.02)?;
        let took = (now_ms - self.began_ms).max(0) as f64;
        (took > 2_000.0).then(|| (took / share * (1.0 - share)) as u64)
    }
}

/// The import. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Imports {
    api: StoredValue<Api>,
    events: Events,
    toasts: Toasts,
    owner: StoredValue<Owner>,
    /// The one that goes on, or the last one until its report was put away.
    pub(crate) state: RwSignal<Option<ImportState>>,
    /// Whether its report is open.
    pub(crate) report: RwSignal<bool>,
    running: StoredValue<Option<String>>,
    cancelled: StoredValue<bool>,
}

impl Imports {
    /// Whether one goes on. Tracks.
    pub(crate) fn is_running(self) -> bool {
        self.state.with(|state| state.as_ref().is_some_and(|state| state.ended.is_none()))
    }

    /// Begins an import; `format` as in [`ImportPlan`]. A running one must have ended.
    pub(crate) fn start(self, portions: Vec<Portion>, format: Option<String>) {
        if self.state.with_untracked(|state| state.as_ref().is_some_and(|state| state.ended.is_none())) {
            return;
        }
        let total_bytes = portions.iter().map(|portion| portion.bytes).sum();
        self.cancelled.set_value(false);
        self.state.set(Some(ImportState { total_bytes, began_ms: now_ms(), ..ImportState::default() }));
        spawn_local(async move { self.end(self.run(portions, format).await) });
    }

    /// Goes on with an import that another load of this page began, where the host still works on one. Files that this
    /// page had not handed over yet are not part of it.
    fn find_again(self) {
        spawn_local(async move {
            // Without an answer there is nothing to show; the host's state is shown by the connection.
            let Ok(active) = self.api.get_value().import_active(Empty {}).await else { return };
            let Some(found) = active.into_iter().next_back() else { return };
            if self.state.with_untracked(Option::is_some) {
                return;
            }
            self.cancelled.set_value(false);
            self.running.set_value(Some(found.id.clone()));
            let base = ImportState::default();
            let mut state = ImportState { began_ms: now_ms(), ..ImportState::default() };
            show(&mut state, &base, &found, 0);
            self.state.set(Some(state));
            let end = self.follow(&found.id, &base, 0).await;
            self.end(end.and_then(|end| self.judge(end.ended)));
        });
    }

    fn end(self, outcome: Result<(), ApiError>) {
        let ended = match outcome {
            Ok(()) if self.cancelled.get_value() => "cancelled".to_owned(),
            Ok(()) => "done".to_owned(),
            Err(error) => error.to_string(),
        };
        self.running.set_value(None);
        self.update(|state| {
            state.ended = Some(ended);
            state.handing_over = false;
        });
        self.tell();
    }

    /// How a portion ended.
    fn judge(self, ended: Option<String>) -> Result<(), ApiError> {
        match ended.as_deref() {
            None | Some("done") => {}
            Some("cancelled") => self.cancelled.set_value(true),
            Some(failed) => return Err(ApiError::new(ErrorCode::Internal, failed)),
        }
        Ok(())
    }

    /// Ends it; what is in the workspace stays.
    pub(crate) fn cancel(self) {
        self.cancelled.set_value(true);
        if let Some(id) = self.running.get_value() {
            let (api, toasts) = (self.api.get_value(), self.toasts);
            spawn_local(async move {
                if let Err(error) = api.import_cancel(IdRequest { id }).await {
                    toasts.error(error);
                }
            });
        }
    }

    /// Puts the report away.
    pub(crate) fn dismiss(self) {
        self.report.set(false);
        if !self.is_running() {
            self.state.set(None);
        }
    }

    async fn run(self, portions: Vec<Portion>, format: Option<String>) -> Result<(), ApiError> {
        let api = self.api.get_value();
        let mut base = ImportState::default();
        for portion in portions {
            if self.cancelled.get_value() {
                return Ok(());
            }
            self.update(|state| state.handing_over = true);
            let (sources, refused) = (portion.read)().await;
            base.refused_count += u32::try_from(refused.len()).unwrap_or(0);
            base.refused.extend(refused);
            base.refused.truncate(REFUSALS);
            if !sources.is_empty() && !self.cancelled.get_value() {
                let plan = ImportPlan { sources, format: format.clone() };
                let started = api.import_start(plan).await?;
                self.running.set_value(Some(started.id.clone()));
                if self.cancelled.get_value() {
                    // The person was faster than the host's answer.
                    api.import_cancel(IdRequest { id: started.id.clone() }).await?;
                }
                self.update(|state| state.handing_over = false);
                let end = self.follow(&started.id, &base, portion.bytes).await?;
                base.imported += end.imported;
                base.refused_count += end.refused_count;
                base.refused.extend(end.refused);
                base.refused.truncate(REFUSALS);
                self.judge(end.ended)?;
            }
            base.done_bytes += portion.bytes;
            let base = base.clone();
            self.update(|state| {
                state.done_bytes = base.done_bytes;
                state.imported = base.imported;
                state.refused = base.refused;
                state.refused_count = base.refused_count;
            });
        }
        Ok(())
    }

    /// Shows how far a portion is until it ends.
    async fn follow(self, id: &str, base: &ImportState, bytes: u64) -> Result<ImportProgress, ApiError> {
        let (send, mut ended) = oneshot::channel::<ImportProgress>();
        let send = Rc::new(RefCell::new(Some(send)));
        let base = base.clone();
        let take = Rc::new(move |progress: ImportProgress| {
            self.update(|state| show(state, &base, &progress, bytes));
            if progress.ended.is_some()
                && let Some(send) = send.borrow_mut().take()
            {
                // Nobody waits any more when the window closes.
                send.send(progress).unwrap_or_default();
            }
        });
        let child = self.owner.with_value(Owner::child);
        let listener = Rc::clone(&take);
        child.with(|| {
            self.events.listen(Event::import_topic(id), move |tail| {
                if let Tail::Event(event) = tail
                    && let EventBody::ImportProgress(progress) = &event.body
                {
                    listener(progress.clone());
                }
            });
        });
        let api = self.api.get_value();
        let result = loop {
            // The first question is asked after listening began: an end in between is not missed.
            match api.import_view(IdRequest { id: id.to_owned() }).await {
                Ok(progress) => take(progress),
                Err(error) if error.code == ErrorCode::Offline => {}
                Err(error) => break Err(error),
            }
            match select(&mut ended, TimeoutFuture::new(ASK_AFTER_MS)).await {
                Either::Left((Ok(progress), _)) => break Ok(progress),
                Either::Left((Err(_), _)) => break Ok(ImportProgress::default()),
                Either::Right(_) => {}
            }
        };
        child.cleanup();
        result
    }

    fn tell(self) {
        let Some(state) = self.state.get_untracked() else { return };
        let traces = format::counted(state.imported, "trace");
        let show = ToastAction { label: "Report", run: Callback::new(move |()| self.report.set(true)) };
        match state.ended.as_deref() {
            Some("done") if state.refused_count == 0 => {
                self.toasts.info(format!("{traces} imported."));
                self.state.set(None);
            }
            Some("done") => {
                let refused = format::count(state.refused_count);
                self.toasts.offer(format!("{traces} imported, {refused} refused."), show);
                self.report.set(true);
            }
            Some("cancelled") => {
                self.toasts.offer(format!("The import was cancelled. {traces} stay in the workspace."), show);
            }
            _ => self.report.set(true),
        }
    }

    fn update(self, change: impl FnOnce(&mut ImportState)) {
        self.state.try_update(|state| {
            if let Some(state) = state {
                change(state);
            }
        });
    }
}

/// What all portions together are at, with one of them at `progress`.
fn show(state: &mut ImportState, base: &ImportState, progress: &ImportProgress, bytes: u64) {
    if bytes == 0 {
        // Only the host knows how much a folder of its own holds.
        state.total_bytes = state.total_bytes.max(base.done_bytes + progress.total_bytes);
        state.done_bytes = base.done_bytes + progress.done_bytes;
    } else {
        state.done_bytes = base.done_bytes + progress.done_bytes.min(bytes);
    }
    state.imported = base.imported + progress.imported;
    state.refused_count = base.refused_count + progress.refused_count;
    state.refused = base.refused.iter().chain(&progress.refused).take(REFUSALS).cloned().collect();
}

/// The import.
pub(crate) fn use_imports() -> Imports {
    expect_context()
}

pub(super) fn provide() {
    let imports = Imports {
        api: StoredValue::new(use_api()),
        events: use_events(),
        toasts: use_toasts(),
        owner: StoredValue::new(Owner::current().unwrap_or_default()),
        state: RwSignal::new(None),
        report: RwSignal::new(false),
        running: StoredValue::new(None),
        cancelled: StoredValue::new(false),
    };
    provide_context(imports);
    imports.find_again();
}
