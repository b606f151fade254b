//! What the window knows of the trace under review: its messages, what is selected, what is being typed, and the
//! edits on their way to the host.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{EditOp, EditedMessage, Finding, LintRule, Place, Review, TraceSummary};
use tw_contract::{
    ApiError, EditOutcome, EditRequest, EditState, ErrorCode, IdRequest, RepairRequest, ReviewView, RevisionRequest,
};

use super::assist::Assist;
use super::drafts::{Drafts, saving_op};
use super::keep;
use super::patching::{self, Row};
use super::selection::Selection;
use super::writing::Kept;
use crate::backend::{Api, use_api};
use crate::components::{FloatMenu, ListHandle};
use crate::state::toasts::{Toasts, use_toasts};

/// Whether the trace has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Loaded {
    /// It is being fetched.
    Not,
    /// It is here.
    Here,
    /// It could not be fetched.
    Failed(ApiError),
}

/// Whether what a person did is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Saving {
    /// All of it.
    Saved,
    /// It is on its way.
    Under,
    /// The host could not be reached; it waits and can be sent again.
    Failed(ApiError),
}

/// What is sent to the host, one at a time.
#[derive(Clone, Debug)]
enum Job {
    Edit {
        op: EditOp,
        author: String,
    },
    Repair(LintRule),
    Undo,
    Redo,
    /// Writes down what cannot be saved yet. The last of an editor that is left.
    Keep(Vec<Kept>),
}

/// Hears what became of an edit. It is no `Callback`: those end with the menu or card that made them.
pub(super) type Done = Box<dyn FnOnce(Result<EditOutcome, ApiError>) + Send + Sync>;

struct Pending {
    job: Job,
    done: Option<Done>,
}

/// Edits that wait, in order; the first is on its way. It outlives the editor: what a person did is sent also when they
/// go on to another trace meanwhile.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<VecDeque<Pending>>>);

impl Queue {
    fn with<T>(&self, run: impl FnOnce(&mut VecDeque<Pending>) -> T) -> T {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The trace under review. Copied freely; given by context.
#[derive(Clone, Copy)]
pub(super) struct Editing {
    /// The trace.
    pub(super) id: StoredValue<String>,
    /// Whether it has come.
    pub(super) loaded: RwSignal<Loaded>,
    /// Everything but its messages and where they stand.
    pub(super) about: RwSignal<Arc<ReviewView>>,
    /// The messages.
    pub(super) messages: RwSignal<Vec<EditedMessage>>,
    /// Where they stand.
    pub(super) state: RwSignal<EditState>,
    /// The cards.
    pub(super) rows: Memo<Vec<Arc<Row>>>,
    /// The cards' names, in order.
    pub(super) order: Memo<Arc<[u64]>>,
    /// What lint found, by message.
    pub(super) findings: Memo<Arc<HashMap<u64, Vec<Finding>>>>,
    /// Why nothing can be changed: its run goes on.
    pub(super) locked: Memo<bool>,
    /// Which cards are selected.
    pub(super) selection: RwSignal<Selection>,
    /// Texts that are being typed.
    pub(super) drafts: Drafts,
    /// Whether the workspace has all that is typed and not saved.
    pub(super) kept: RwSignal<bool>,
    /// What a model is asked for.
    pub(super) assist: Assist,
    /// The one open menu of a card.
    pub(super) menu: FloatMenu,
    /// The place that is pointed out.
    pub(super) highlight: RwSignal<Option<Place>>,
    /// Whether everything is saved.
    pub(super) saving: RwSignal<Saving>,
    /// What was done last, for those who listen.
    pub(super) told: RwSignal<String>,
    /// Moves the timeline.
    pub(super) list: ListHandle,
    /// The turn from which the agent is to go on: the question is open while there is one.
    pub(super) rerun: RwSignal<Option<u64>>,
    /// The branch that is compared with.
    pub(super) compared: RwSignal<Option<TraceSummary>>,
    queue: StoredValue<Queue>,
    api: StoredValue<Api>,
    toasts: Toasts,
    fetches: StoredValue<u32>,
}

impl Editing {
    /// Fetches a trace, and gives it to everything below.
    pub(super) fn provide(id: &str) -> Self {
        let messages = RwSignal::new(Vec::<EditedMessage>::new());
        let state = RwSignal::new(EditState::default());
        let about = RwSignal::new(Arc::new(nothing_of(id)));
        let rows = Memo::new(move |_| messages.with(|messages| patching::rows(messages)));
        let order = Memo::new(move |_| rows.with(|rows| rows.iter().map(|row| row.id).collect::<Arc<[u64]>>()));
        let findings = Memo::new(move |_| {
            let mut by_message: HashMap<u64, Vec<Finding>> = HashMap::new();
            state.with(|state| {
                for finding in &state.findings {
                    if let Some(place) = finding.place {
                        by_message.entry(place.id).or_default().push(finding.clone());
                    }
                }
            });
            Arc::new(by_message)
        });
        let editing = Self {
            id: StoredValue::new(id.to_owned()),
            loaded: RwSignal::new(Loaded::Not),
            about,
            messages,
            state,
            rows,
            order,
            findings,
            locked: Memo::new(move |_| about.with(|about| !about.summary.state.is_final())),
            selection: RwSignal::new(Selection::default()),
            drafts: Drafts::new(),
            kept: RwSignal::new(false),
            assist: Assist::new(),
            menu: FloatMenu::new(),
            highlight: RwSignal::new(None),
            saving: RwSignal::new(Saving::Saved),
            told: RwSignal::new(String::new()),
            list: ListHandle::new(),
            rerun: RwSignal::new(None),
            compared: RwSignal::new(None),
            queue: StoredValue::new(Queue::default()),
            api: StoredValue::new(use_api()),
            toasts: use_toasts(),
            fetches: StoredValue::new(0),
        };
        Effect::new(move |before: Option<Arc<[u64]>>| {
            let now = order.get();
            if let Some(before) = before {
                editing.selection.maybe_update(|selection| {
                    let old = selection.clone();
                    selection.keep(&before, &now);
                    old != *selection
                });
            }
            now
        });
        provide_context(editing);
        on_cleanup(move || editing.leave());
        editing.fetch();
        editing
    }

    /// The host's commands.
    pub(super) fn api(self) -> Api {
        self.api.get_value()
    }

    /// Messages at the window's edge.
    pub(super) const fn toasts(self) -> Toasts {
        self.toasts
    }

    /// Fetches everything (again). What is being typed stays.
    pub(super) fn fetch(self) {
        let Some(number) = self.fetches.try_update_value(|number| {
            *number += 1;
            *number
        }) else {
            return;
        };
        let request = RevisionRequest { id: self.id.get_value(), revision: None, shorten: true };
        let api = self.api();
        spawn_local(async move {
            let answer = api.review_open(request).await;
            // A later answer counts more.
            if self.fetches.try_get_value() != Some(number) {
                return;
            }
            match answer {
                Ok(view) => self.take(view),
                Err(error) if self.loaded.with_untracked(|loaded| *loaded == Loaded::Here) => self.toasts.error(error),
                Err(error) => self.loaded.set(Loaded::Failed(error)),
            }
        });
    }

    fn take(self, mut view: ReviewView) {
        let messages = std::mem::take(&mut view.messages);
        let state = std::mem::take(&mut view.state);
        self.about.set(Arc::new(view));
        self.drafts.close_saved(&messages);
        if self.messages.with_untracked(|old| *old != messages) {
            self.messages.set(messages);
        }
        if self.state.with_untracked(|old| *old != state) {
            self.state.set(state);
        }
        self.loaded.set(Loaded::Here);
    }

    /// Takes over what a list says about the trace.
    pub(super) fn take_summary(self, summary: TraceSummary) {
        if self.about.with_untracked(|about| about.summary != summary) {
            self.about.update(|about| Arc::make_mut(about).summary = summary);
        }
    }

    /// What a person decided, changed here at once.
    pub(super) fn take_review(self, change: impl FnOnce(&mut Review)) {
        self.about.update(|about| change(&mut Arc::make_mut(about).summary.review));
    }

    /// Makes an edit.
    pub(super) fn edit(self, op: EditOp) {
        self.send(Job::Edit { op, author: String::new() }, None);
    }

    /// Makes an edit and hears what became of it: a refusal is then the caller's to show.
    pub(super) fn edit_then(self, op: EditOp, done: Done) {
        self.send(Job::Edit { op, author: String::new() }, Some(done));
    }

    /// Makes an edit that someone else proposed.
    pub(super) fn edit_as(self, op: EditOp, author: String, done: Done) {
        self.send(Job::Edit { op, author }, Some(done));
    }

    /// Mends everything of one kind that can be mended, as one edit.
    pub(super) fn repair_all(self, rule: LintRule) {
        self.send(Job::Repair(rule), None);
    }

    /// Goes back by one edit.
    pub(super) fn undo(self) {
        if self.state.with_untracked(|state| state.undo.is_some()) || self.is_busy() {
            self.send(Job::Undo, None);
        }
    }

    /// Goes forward by one edit.
    pub(super) fn redo(self) {
        if self.state.with_untracked(|state| state.redo.is_some()) || self.is_busy() {
            self.send(Job::Redo, None);
        }
    }

    /// Sends again what could not be sent.
    pub(super) fn retry(self) {
        if self.saving.with_untracked(|saving| matches!(saving, Saving::Failed(_))) {
            self.next();
        }
    }

    /// Whether an edit is on its way.
    pub(super) fn is_busy(self) -> bool {
        self.saving.with_untracked(|saving| *saving == Saving::Under)
    }

    fn send(self, job: Job, done: Option<Done>) {
        if self.locked.get_untracked() {
            let error = ApiError::new(ErrorCode::Conflict, "The run of this trace goes on.")
                .with_hint("It can be edited once the run is over.");
            match done {
                Some(done) => done(Err(error)),
                None => self.toasts.error(error),
            }
            return;
        }
        self.queue.with_value(|queue| queue.with(|queue| queue.push_back(Pending { job, done })));
        if !self.is_busy() {
            self.next();
        }
    }

    /// Sends the first that waits. It stays first until the host has answered.
    fn next(self) {
        let queue = self.queue.get_value();
        let Some(job) = queue.with(|queue| queue.front().map(|pending| pending.job.clone())) else {
            self.saving.set(Saving::Saved);
            return;
        };
        self.saving.set(Saving::Under);
        let api = self.api();
        let id = self.id.get_value();
        let base = self.state.with_untracked(|state| state.revision);
        spawn_local(async move {
            let answer = send(&api, &id, base, job).await;
            if !self.saving.is_disposed() {
                self.answered(answer);
            } else if let Ok(outcome) = answer {
                queue.with(VecDeque::pop_front);
                send_rest(&api, &id, outcome.state.revision, &queue, self.toasts).await;
            }
        });
    }

    fn answered(self, answer: Result<EditOutcome, ApiError>) {
        if let Err(error) = &answer
            && (error.code == ErrorCode::Offline || error.retryable)
        {
            self.saving.set(Saving::Failed(error.clone()));
            return;
        }
        let pending = self.queue.with_value(|queue| queue.with(VecDeque::pop_front));
        let verb = match pending.as_ref().map(|pending| &pending.job) {
            Some(Job::Undo) => "Undone: ",
            Some(Job::Redo) => "Done again: ",
            _ => "",
        };
        let done = pending.and_then(|pending| pending.done);
        match &answer {
            Ok(outcome) => {
                let mut fits = true;
                if !outcome.patches.is_empty() {
                    self.messages.update(|messages| fits = patching::apply(messages, outcome.patches.clone()));
                }
                self.state.set(outcome.state.clone());
                self.told.set(match outcome.did.as_str() {
                    "" => "Nothing to do".to_owned(),
                    did => format!("{verb}{did}"),
                });
                self.about.update(|about| {
                    let summary = &mut Arc::make_mut(about).summary;
                    summary.revision = outcome.state.revision;
                    summary.findings = tw_artifact::FindingCount::of(&outcome.state.findings);
                    if !(outcome.shortened.is_empty() && about.shortened.is_empty()) {
                        let came = |id: u64| {
                            outcome.patches.iter().flat_map(|patch| &patch.insert).any(|message| message.id == id)
                        };
                        let shortened = &mut Arc::make_mut(about).shortened;
                        shortened.retain(|it| !came(it.id));
                        shortened.extend(&outcome.shortened);
                    }
                });
                if !fits {
                    self.fetch();
                }
            }
            Err(error) if error.code == ErrorCode::Conflict => {
                self.told.set("The edit was refused.".to_owned());
                let given_up = self.queue.with_value(|queue| queue.with(std::mem::take));
                for done in given_up.into_iter().filter_map(|pending| pending.done) {
                    done(Err(error.clone()));
                }
                self.toasts.error(error.clone());
                self.fetch();
            }
            Err(error) => {
                self.told.set(error.to_string());
                if done.is_none() {
                    self.toasts.error(error.clone());
                }
            }
        }
        if let Some(done) = done {
            done(answer);
        }
        self.next();
    }

    /// The person goes elsewhere: what they typed and did not save yet is sent.
    fn leave(self) {
        let Some(queue) = self.queue.try_get_value() else { return };
        let waits = queue.with(|queue| !queue.is_empty());
        let push = |job: Job| queue.with(|queue| queue.push_back(Pending { job, done: None }));
        let kept = self.drafts.kept();
        if !kept.is_empty() {
            let (mut ops, mut rest) = (Vec::new(), Vec::new());
            for kept in kept.into_iter().filter(|kept| !self.drafts.is_busy(kept.id, kept.what)) {
                match saving_op(&kept) {
                    Some(op) => ops.push(op),
                    None => rest.push(kept),
                }
            }
            if ops.len() > 1 {
                push(Job::Edit {
                    op: EditOp::Many { label: "Edited several texts".to_owned(), ops },
                    author: String::new(),
                });
            } else if let Some(op) = ops.pop() {
                push(Job::Edit { op, author: String::new() });
            }
            // Where one of them is refused, what was written stays kept.
            push(Job::Keep(rest));
        }
        let (Some(api), Some(id)) = (self.api.try_get_value(), self.id.try_get_value()) else { return };
        let base = self.state.try_with_untracked(|state| state.revision).unwrap_or_default();
        // What is on its way sends the rest when it is answered.
        if !(waits && self.is_busy()) {
            let toasts = self.toasts;
            spawn_local(async move { send_rest(&api, &id, base, &queue, toasts).await });
        }
    }

    /// The messages of one card, as they are now.
    pub(super) fn of_row(self, row: &Row) -> Vec<EditedMessage> {
        self.messages.with(|messages| {
            messages.get(row.place..row.place + row.keys.len()).map(<[EditedMessage]>::to_vec).unwrap_or_default()
        })
    }

    /// The cards that an action at `id` is meant for: all selected ones when it is one of them.
    pub(super) fn targets(self, id: u64) -> Vec<u64> {
        self.selection.with_untracked(|selection| {
            if selection.has(id) { self.order.with_untracked(|order| selection.ids(order)) } else { vec![id] }
        })
    }

    /// The cards that keys act on.
    pub(super) fn picked(self) -> Vec<u64> {
        self.selection.with_untracked(|selection| match selection.len() {
            0 => selection.at().into_iter().collect(),
            _ => self.order.with_untracked(|order| selection.ids(order)),
        })
    }

    /// The card that holds a message.
    pub(super) fn row_of(self, id: u64) -> Option<Arc<Row>> {
        let place = self.messages.with_untracked(|messages| messages.iter().position(|message| message.id == id))?;
        self.rows.with_untracked(|rows| {
            let row = rows.partition_point(|row| row.place <= place).checked_sub(1)?;
            rows.get(row).cloned()
        })
    }

    /// The message before which something after card `id` stands; `None` for the end.
    pub(super) fn after(self, id: u64) -> Option<u64> {
        self.order.with_untracked(|order| {
            let place = order.iter().position(|other| *other == id)?;
            order.get(place + 1).copied()
        })
    }

    /// Brings a message's card into view, selects it and gives it the focus.
    pub(super) fn show(self, id: u64) {
        let Some(row) = self.row_of(id) else { return };
        self.selection.update(|selection| selection.only(row.id));
        if let Some(place) = self.order.with_untracked(|order| order.iter().position(|other| *other == row.id)) {
            self.list.show(place);
        }
        focus_card(row.id);
    }

    /// Shows a place and points it out.
    pub(super) fn point_out(self, place: Place) {
        self.highlight.set(Some(place));
        self.show(place.id);
    }
}

async fn send(api: &Api, id: &str, base: u32, job: Job) -> Result<EditOutcome, ApiError> {
    let id = id.to_owned();
    match job {
        Job::Edit { op, author } => api.review_edit(EditRequest { id, base, op, author }).await,
        Job::Repair(rule) => api.review_repair(RepairRequest { id, base, rule }).await,
        Job::Undo => api.review_undo(IdRequest { id }).await,
        Job::Redo => api.review_redo(IdRequest { id }).await,
        Job::Keep(kept) => {
            keep::write(api, &id, &kept).await?;
            Ok(EditOutcome { state: EditState { revision: base, ..EditState::default() }, ..EditOutcome::default() })
        }
    }
}

/// Sends what waits when the editor is gone.
async fn send_rest(api: &Api, id: &str, mut base: u32, queue: &Queue, toasts: Toasts) {
    while let Some(pending) = queue.with(VecDeque::pop_front) {
        match send(api, id, base, pending.job).await {
            Ok(outcome) => base = outcome.state.revision,
            Err(error) => {
                toasts.error(error);
                return;
            }
        }
    }
}

/// The trace under review.
pub(super) fn use_editing() -> Editing {
    expect_context()
}

/// Gives the focus to a card once it is in the page.
pub(super) fn focus_card(id: u64) {
    use wasm_bindgen::JsCast;
    request_animation_frame(move || {
        request_animation_frame(move || {
            let card = document().query_selector(&format!("[data-testid=turn-card][data-id=\"{id}\"]")).ok().flatten();
            if let Some(card) = card.and_then(|card| card.dyn_into::<web_sys::HtmlElement>().ok())
                && !card.contains(document().active_element().as_deref())
            {
                let options = web_sys::FocusOptions::new();
                options.set_prevent_scroll(true);
                // A card that is far away takes no focus; the selection shows where it is.
                card.focus_with_options(&options).unwrap_or_default();
            }
        });
    });
}

/// A trace of which nothing is known yet.
fn nothing_of(id: &str) -> ReviewView {
    ReviewView {
        summary: TraceSummary { id: id.to_owned(), state: tw_artifact::RunState::Done, ..TraceSummary::default() },
        settings: None,
        messages: Vec::new(),
        tools: Vec::new(),
        steps: Vec::new(),
        calls: Vec::new(),
        captured: Vec::new(),
        ending: None,
        state: EditState::default(),
        branches: Vec::new(),
        pairs: Vec::new(),
        shortened: Vec::new(),
    }
}
