//! Looks at traces that lint has not seen as they are now: after a run, after an update of the app.

use std::time::Duration;

use tw_artifact::FindingCount;
use tw_contract::{Event, EventBody};
use tw_store::Look;

use crate::App;
use crate::desk::Desk;

/// Traces that are fetched together.
const BATCH: u32 = 64;
/// Looks that are kept together: a commit takes longer than the look at a small trace.
const TOGETHER: usize = 16;
/// Between two looks for traces that changed.
const REST: Duration = Duration::from_millis(400);

impl App {
    /// Works until there is nothing left to look at. Gives how many traces it looked at.
    pub(crate) async fn sweep(&self) -> Result<u32, tw_contract::ApiError> {
        use crate::errors::Api;
        let mut swept = 0;
        loop {
            let ids = self.store.unlinted(tw_review::LINT_VERSION, BATCH).await.api()?;
            if ids.is_empty() {
                return Ok(swept);
            }
            let mut looks = Vec::with_capacity(ids.len());
            for id in ids {
                let desk = match self.desk_at(&id, None).await {
                    Ok(desk) => desk,
                    // Removed meanwhile.
                    Err(error) if error.code == tw_contract::ErrorCode::NotFound => continue,
                    Err(error) => return Err(error),
                };
                looks.push(crate::blocking(move || look(&desk)).await?);
                if looks.len() >= TOGETHER {
                    swept += self.store.keep_looks(tw_review::LINT_VERSION, std::mem::take(&mut looks)).await.api()?;
                }
            }
            swept += self.store.keep_looks(tw_review::LINT_VERSION, looks).await.api()?;
        }
    }

    /// Sweeps when the app opens, and whenever a run came to its end.
    pub(crate) fn start_sweeping(self: &std::sync::Arc<Self>) {
        let app = std::sync::Arc::downgrade(self);
        let mut events = self.hub.subscribe();
        tokio::spawn(async move {
            loop {
                let Some(strong) = app.upgrade() else { return };
                match strong.sweep().await {
                    Ok(0) => {}
                    Ok(_) => strong.tell_list(String::new()),
                    Err(error) => tracing::warn!(%error, "lint did not look at every trace"),
                }
                drop(strong);
                loop {
                    match events.recv().await {
                        Ok(Event { body: EventBody::RunState { state, .. }, .. }) if state.is_final() => break,
                        Ok(_) => {}
                        Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => break,
                        Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                    }
                }
                // Many runs may end together.
                tokio::time::sleep(REST).await;
            }
        });
    }
}

/// What lint and likeness say of a trace as it lies there.
fn look(desk: &Desk) -> Look {
    let summary = &desk.trace.summary;
    Look {
        id: summary.id.clone(),
        revision: summary.revision,
        updated_at_ms: summary.updated_at_ms,
        findings: FindingCount::of(desk.findings()),
        fingerprint: tw_review::fingerprint(desk.messages()),
    }
}
