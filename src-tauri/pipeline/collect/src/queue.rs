//! How many runs work at the same time.

use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// The places of one queue. A run waits for a place, works in it, and leaves it when it is over.
#[derive(Clone, Debug)]
pub struct Queue(Arc<Semaphore>);

impl Queue {
    /// A queue in which `concurrency` runs work at the same time; at least one.
    #[must_use]
    pub fn new(concurrency: u32) -> Self {
        Self(Arc::new(Semaphore::new(usize::try_from(concurrency.max(1)).unwrap_or(1))))
    }

    /// Waits for a place, in the order of asking.
    ///
    /// # Errors
    /// The queue was closed.
    pub async fn enter(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        Arc::clone(&self.0).acquire_owned().await
    }

    /// Lets nobody in any more.
    pub fn close(&self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_place_is_free_again_when_a_run_leaves_it() {
        let queue = Queue::new(1);
        let first = queue.enter().await.unwrap();
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { queue.enter().await.is_ok() }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        assert!(waiting.await.unwrap());
        queue.close();
        assert!(queue.enter().await.is_err());
    }
}
