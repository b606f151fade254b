//! Long work: who watches it and how it is ended.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::HubError;

/// What a long work is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Asks the Hub what is to be done.
    Asking,
    /// Sends files.
    Sending,
    /// Makes the commit.
    Committing,
    /// Fetches files.
    Fetching,
    /// Compares checksums.
    Verifying,
}

/// How far a long work is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// Another step begins, of so many bytes (0 where they do not count).
    Begins {
        /// Which.
        step: Step,
        /// Bytes in all.
        total: u64,
    },
    /// So many bytes of the step are done.
    Done(u64),
    /// Another file is at work.
    File(String),
    /// Something failed and is tried again.
    Retrying {
        /// What failed, and when it is tried again.
        reason: String,
    },
}

/// Told how far a long work is; must not block.
pub type Watch = Arc<dyn Fn(Update) + Send + Sync>;

/// What a long work is given: who watches, and what ends it.
#[derive(Clone)]
pub struct Work {
    watch: Watch,
    cancel: CancellationToken,
}

impl Work {
    /// Work that `watch` is told of and that `cancel` ends.
    #[must_use]
    pub fn new(watch: Watch, cancel: CancellationToken) -> Self {
        Self { watch, cancel }
    }

    /// Work that nobody watches and nothing ends.
    #[must_use]
    pub fn unwatched() -> Self {
        Self::new(Arc::new(|_| {}), CancellationToken::new())
    }

    pub(crate) fn tell(&self, update: Update) {
        (self.watch)(update);
    }

    pub(crate) fn begins(&self, step: Step, total: u64) {
        self.tell(Update::Begins { step, total });
    }

    pub(crate) fn watch(&self) -> Watch {
        Arc::clone(&self.watch)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Waits for `work` until it is cancelled.
    pub(crate) async fn until<T>(&self, work: impl Future<Output = Result<T, HubError>>) -> Result<T, HubError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(HubError::Cancelled),
            result = work => result,
        }
    }
}

/// How often and how patiently something is tried again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) tries: u32,
    pub(crate) first_wait: Duration,
}

/// The longest that is waited because the Hub says so; beyond it the person decides.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Patience {
    /// Does `attempt` until it works, fails for good, or has been tried often enough. What a server says about when to
    /// come again counts before anything else.
    pub(crate) async fn with<T, F>(self, work: &Work, mut attempt: impl FnMut() -> F) -> Result<T, HubError>
    where
        F: Future<Output = Result<T, HubError>>,
    {
        let mut wait = self.first_wait;
        let mut tried = 1;
        loop {
            let error = match work.until(attempt()).await {
                Err(error) if error.is_passing() && tried < self.tries => error,
                result => return result,
            };
            let pause = match &error {
                HubError::TooMany { retry_after_secs: Some(secs) } => Duration::from_secs(*secs),
                _ => wait,
            };
            if pause > LONGEST_WAIT {
                return Err(error);
            }
            let secs = pause.as_secs_f32();
            work.tell(Update::Retrying { reason: format!("{error}; tried again in {secs:.1} s") });
            work.until(async {
                tokio::time::sleep(pause).await;
                Ok(())
            })
            .await?;
            tried += 1;
            wait *= 2;
        }
    }
}
