//! Traces that lie open: read and looked at once, and carried on from edit to edit.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tw_artifact::{EditedMessage, Finding, Patch, RunState, TraceSummary};
use tw_contract::{ApiError, EditState};
use tw_review::{LintInput, LintMemory};
use tw_store::{Committed, OpenTrace};

use crate::App;
use crate::errors::Api;
use crate::linters::with_linter;

/// Traces that lie open at once, at most.
const MOST_OPEN: usize = 4;
/// Tokens that these have together, at most: the newest one stays whatever it has. About 64 MB of text.
const MOST_TOKENS: u64 = 16 << 20;

/// A trace with everything that lint and the editor look at.
pub(crate) struct Desk {
    pub(crate) trace: OpenTrace,
    findings: OnceLock<Vec<Finding>>,
    /// What lint remembers of messages, at whatever revision it saw them.
    memory: Mutex<LintMemory>,
}

impl Desk {
    pub(crate) fn new(trace: OpenTrace) -> Self {
        Self { trace, findings: OnceLock::new(), memory: Mutex::default() }
    }

    pub(crate) fn messages(&self) -> &[EditedMessage] {
        &self.trace.edition.messages
    }

    /// What lint finds in other messages of the trace.
    pub(crate) fn lint(&self, messages: &[EditedMessage]) -> Vec<Finding> {
        let OpenTrace { summary, settings, calls, ending, edition, .. } = &self.trace;
        let steering = settings.as_ref().map_or("", |settings| settings.spec.steering_prompt.as_str());
        let input = LintInput {
            messages,
            tools: &edition.tools,
            calls,
            steering_prompt: steering,
            state: summary.state,
            ending: ending.as_deref(),
            is_collected: settings.is_some(),
        };
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        with_linter(|linter| linter.lint_again(&input, &mut memory))
    }

    /// What lint finds in it as it is; looked for once. Takes time that grows with the trace.
    pub(crate) fn findings(&self) -> &[Finding] {
        self.findings.get_or_init(|| self.lint(self.messages()))
    }

    pub(crate) fn state(&self) -> EditState {
        let edition = &self.trace.edition;
        EditState {
            revision: edition.revision,
            undo: edition.undo.clone(),
            redo: edition.redo.clone(),
            findings: self.findings().to_vec(),
        }
    }

    /// The same desk once more. Messages and texts are shared.
    fn copy(&self) -> Self {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self { trace: self.trace.clone(), findings: OnceLock::new(), memory: Mutex::new(memory) }
    }

    /// The desk after an edit, an undo or a redo; `findings` where they are known.
    fn carried_on(mut self, committed: &Committed, findings: Option<Vec<Finding>>) -> Self {
        let edition = &mut self.trace.edition;
        edition.revision = committed.revision;
        edition.undo.clone_from(&committed.undo);
        edition.redo.clone_from(&committed.redo);
        for patch in &committed.patches {
            // An id that the store gave out is never given to another message.
            let newest = patch.insert.iter().map(|message| message.id + 1).max().unwrap_or_default();
            edition.next_id = edition.next_id.max(newest);
            put(&mut edition.messages, patch);
        }
        self.findings = findings.map_or_else(OnceLock::new, OnceLock::from);
        self
    }
}

fn put(messages: &mut Vec<EditedMessage>, patch: &Patch) {
    let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let at = place(patch.at).min(messages.len());
    let end = at.saturating_add(place(patch.remove)).min(messages.len());
    messages.splice(at..end, patch.insert.iter().cloned());
}

/// By what it is told whether a trace is still as it was read. A trace at rest changes only by becoming another
/// revision, which has a number of its own, or by a run, which takes longer than a millisecond.
fn is_same(read: &TraceSummary, now: &TraceSummary) -> bool {
    let stamp = |it: &TraceSummary| (it.revision, it.state, it.updated_at_ms, it.messages);
    read.id == now.id && stamp(read) == stamp(now)
}

/// The desks of an app, the latest first.
#[derive(Default)]
pub(crate) struct Desks(Mutex<VecDeque<Arc<Desk>>>);

impl Desks {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Desk>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The desk of a trace that is as this summary says.
    fn find(&self, summary: &TraceSummary) -> Option<Arc<Desk>> {
        let mut desks = self.lock();
        let place = desks.iter().position(|desk| is_same(&desk.trace.summary, summary))?;
        let desk = desks.remove(place)?;
        desks.push_front(Arc::clone(&desk));
        Some(desk)
    }

    /// Takes the desk of a trace away: what it holds is about to be another.
    fn clear(&self, id: &str) {
        self.lock().retain(|desk| desk.trace.summary.id != id);
    }

    fn put(&self, desk: Arc<Desk>) {
        let mut desks = self.lock();
        desks.retain(|other| other.trace.summary.id != desk.trace.summary.id);
        desks.push_front(desk);
        let mut tokens = 0_u64;
        let mut count = 0;
        desks.retain(|desk| {
            tokens += desk.messages().iter().map(|message| u64::from(message.tokens)).sum::<u64>();
            count += 1;
            count == 1 || (count <= MOST_OPEN && tokens <= MOST_TOKENS)
        });
    }
}

impl App {
    /// A trace where it stands. It stays open for the next that asks.
    pub(crate) async fn desk(&self, id: &str) -> Result<Arc<Desk>, ApiError> {
        let summary = self.store.summary(id).await.api()?;
        if let Some(desk) = self.desks.find(&summary) {
            return Ok(desk);
        }
        let desk = Arc::new(self.desk_at(id, None).await?);
        let summary = &desk.trace.summary;
        // What changed within this millisecond may change again in it, and look the same.
        if summary.state.is_final() && jiff::Timestamp::now().as_millisecond() > summary.updated_at_ms {
            self.desks.put(Arc::clone(&desk));
        }
        Ok(desk)
    }

    /// A trace at a revision (`None` for where it stands), read anew and left nowhere.
    pub(crate) async fn desk_at(&self, id: &str, revision: Option<u32>) -> Result<Desk, ApiError> {
        Ok(Desk::new(self.store.open_trace(id, revision).await.api()?))
    }

    /// What lint finds on a desk, looked for beside the async threads.
    pub(crate) async fn look_over(&self, desk: &Arc<Desk>) -> Result<(), ApiError> {
        if desk.findings.get().is_some() {
            return Ok(());
        }
        let desk = Arc::clone(desk);
        crate::blocking(move || {
            desk.findings();
        })
        .await
    }

    /// The desk after what was done on it, which stays open. `findings` where they are known.
    pub(crate) async fn carry_on(
        &self,
        desk: Arc<Desk>,
        committed: &Committed,
        findings: Option<Vec<Finding>>,
    ) -> Result<Arc<Desk>, ApiError> {
        let id = desk.trace.summary.id.clone();
        self.desks.clear(&id);
        if committed.base != desk.trace.edition.revision {
            return self.desk(&id).await;
        }
        // Mostly nobody else has it, and nothing is copied.
        let desk = Arc::try_unwrap(desk).unwrap_or_else(|shared| shared.copy());
        let mut desk = desk.carried_on(committed, findings);
        let summary = self.store.summary(&id).await.api()?;
        let is_there = summary.revision == committed.revision && summary.state == desk.trace.summary.state;
        desk.trace.summary = summary;
        let desk = Arc::new(desk);
        // Where somebody else has gone on meanwhile, it is read anew the next time.
        if is_there && desk.trace.summary.messages as usize == desk.messages().len() {
            self.desks.put(Arc::clone(&desk));
        }
        Ok(desk)
    }
}

/// Nothing is edited under a run that is at work.
pub(crate) fn must_rest(state: RunState) -> Result<(), ApiError> {
    if state.is_final() {
        return Ok(());
    }
    Err(ApiError::invalid("This trace is still being collected.")
        .with_hint("Stop its run, or wait until it is done, then edit it."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use tw_artifact::{EditOp, Message, TextField};
    use tw_contract::{EditRequest, RevisionRequest};
    use tw_store::{NewImport, NewMessage};

    use super::*;
    use crate::AppOptions;

    async fn app_in(folder: &tempfile::TempDir) -> Arc<App> {
        let workspace = camino::Utf8Path::from_path(folder.path()).unwrap().to_owned();
        let vault = Some(tw_vault::Vault::in_memory());
        App::open(AppOptions { workspace, guard_exe: None, worker: None, open_url: Arc::new(|_| {}), vault })
            .await
            .unwrap()
    }

    async fn import(app: &App, turns: usize) -> String {
        let messages = (0..turns).map(|turn| {
            let message = match turn % 2 {
                0 => Message::user(format!("question {turn} of someone{turn}@example.org")),
                _ => Message::assistant(format!(" answer {turn} "), Some("I think.".to_owned()), Vec::new()),
            };
            NewMessage { message, step: 0, tokens: 5 }.into()
        });
        let new = NewImport { format: "trl".to_owned(), messages: messages.collect(), ..NewImport::default() };
        app.store.import_many(vec![new]).await.unwrap().remove(0)
    }

    async fn edit(app: &App, id: &str, op: EditOp) {
        let base = app.desk(id).await.unwrap().trace.edition.revision;
        app.edit(EditRequest { id: id.to_owned(), base, op, author: String::new() }).await.unwrap();
    }

    /// What lies open is what the workspace has, lint included.
    async fn check(app: &App, id: &str) {
        let (open, anew) = (app.desk(id).await.unwrap(), app.desk_at(id, None).await.unwrap());
        assert_eq!(open.trace, anew.trace);
        assert_eq!(open.findings(), anew.findings());
        let view = app.open_review(RevisionRequest { id: id.to_owned(), ..RevisionRequest::default() }).await.unwrap();
        assert_eq!((view.messages, view.state), (anew.messages().to_vec(), anew.state()));
        assert_eq!(view.summary, app.store.summary(id).await.unwrap());
    }

    #[tokio::test]
    async fn a_trace_that_lies_open_is_as_the_workspace_has_it_after_every_edit() {
        let folder = tempfile::tempdir().unwrap();
        let app = app_in(&folder).await;
        let id = import(&app, 8).await;
        check(&app, &id).await;
        let at = |app: &Arc<App>, place: usize| {
            let (app, id) = (Arc::clone(app), id.clone());
            async move { app.desk(&id).await.unwrap().messages()[place].id }
        };
        for round in 0..3_usize {
            let first = at(&app, round).await;
            let text = format!("round {round}, mail me@example.org");
            edit(&app, &id, EditOp::SetText { id: first, field: TextField::Content, text }).await;
            check(&app, &id).await;
            edit(&app, &id, EditOp::Duplicate { ids: vec![first] }).await;
            check(&app, &id).await;
            let (last, before) = (at(&app, 5).await, at(&app, 0).await);
            edit(&app, &id, EditOp::Move { ids: vec![last], before: Some(before) }).await;
            check(&app, &id).await;
            for forward in [false, false, true, false, true, true, true] {
                app.step_revision(&id, forward).await.unwrap();
                check(&app, &id).await;
            }
            let gone = at(&app, 1).await;
            edit(&app, &id, EditOp::Delete { ids: vec![gone] }).await;
            check(&app, &id).await;
        }
        edit(&app, &id, EditOp::Restore { revision: 2 }).await;
        check(&app, &id).await;
        edit(&app, &id, EditOp::Reset).await;
        check(&app, &id).await;
    }

    #[tokio::test]
    async fn what_changes_without_the_editor_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let app = app_in(&folder).await;
        let id = import(&app, 4).await;
        check(&app, &id).await;
        app.store.undo(&id).await.unwrap();
        edit(&app, &id, EditOp::Delete { ids: vec![3] }).await;
        // Behind the back of the desk.
        app.store.undo(&id).await.unwrap();
        check(&app, &id).await;
        app.store.redo(&id).await.unwrap();
        check(&app, &id).await;
        app.store.delete_trace(&id).await.unwrap();
        assert!(app.desk(&id).await.is_err());
    }

    #[tokio::test]
    async fn only_a_few_traces_lie_open() {
        let folder = tempfile::tempdir().unwrap();
        let app = app_in(&folder).await;
        for turns in 1..=MOST_OPEN + 2 {
            let id = import(&app, turns).await;
            let changed_at_ms = app.store.summary(&id).await.unwrap().updated_at_ms;
            while jiff::Timestamp::now().as_millisecond() <= changed_at_ms {
                tokio::task::yield_now().await;
            }
            let first = app.desk(&id).await.unwrap();
            assert!(Arc::ptr_eq(&first, &app.desk(&id).await.unwrap()), "it is read once");
        }
        assert_eq!(app.desks.lock().len(), MOST_OPEN);
    }
}
