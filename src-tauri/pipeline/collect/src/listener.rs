//! Hears what the servers of a run have to say and passes it on.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tw_artifact::{Elicitation, ElicitationAnswer};
use tw_mcp::{ServerEvent, ServerListener};

use crate::{RunControl, RunEvent, RunObserver};

/// The listener of every session of one run.
pub(crate) struct RunListener {
    pub(crate) observer: Arc<dyn RunObserver>,
    pub(crate) control: Arc<RunControl>,
    pub(crate) open_url: Arc<dyn Fn(&str) + Send + Sync>,
    /// Questions that are open, so that the clock of the run's time limit stands still.
    pub(crate) open_questions: Mutex<usize>,
}

impl RunListener {
    /// Whether a person is being asked something.
    pub(crate) fn asks(&self) -> bool {
        *self.open_questions.lock().unwrap_or_else(PoisonError::into_inner) > 0
    }

    fn count(&self, change: impl FnOnce(usize) -> usize) {
        let mut open = self.open_questions.lock().unwrap_or_else(PoisonError::into_inner);
        *open = change(*open);
    }
}

/// Closes a question when it is answered, and also when the server drops it.
struct OpenQuestion<'a> {
    listener: &'a RunListener,
    id: String,
}

impl Drop for OpenQuestion<'_> {
    fn drop(&mut self) {
        self.listener.count(|open| open.saturating_sub(1));
        self.listener.control.close_question(&self.id);
        self.listener.observer.observe(RunEvent::ElicitationClosed { id: std::mem::take(&mut self.id) });
    }
}

#[async_trait]
impl ServerListener for RunListener {
    async fn elicit(&self, elicitation: Elicitation) -> ElicitationAnswer {
        let reply = self.control.ask(&elicitation.id);
        self.count(|open| open + 1);
        let _question = OpenQuestion { listener: self, id: elicitation.id.clone() };
        self.observer.observe(RunEvent::Elicitation(Box::new(elicitation)));
        // An error means that the run is over.
        reply.await.unwrap_or(ElicitationAnswer::Cancel)
    }

    /// A run reads its servers' state when it needs it; the window shows that of the servers it started itself.
    fn on_status(&self, _event: ServerEvent) {}

    fn open_url(&self, url: &str) {
        (self.open_url)(url);
    }
}
