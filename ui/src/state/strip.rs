//! What the title strip, the rail and the status strip show of the pages' state. The stores that own the facts write
//! them here; the frame only reads.

use leptos::prelude::*;
use tw_contract::{RunOverview, ToolLoad};

/// What the frame shows. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Strip {
    /// Name of the endpoint that new runs would use.
    pub(crate) endpoint: RwSignal<Option<String>>,
    /// Model that new runs would use; empty until one is picked.
    pub(crate) model: RwSignal<String>,
    /// Tools that new runs would offer.
    pub(crate) load: RwSignal<ToolLoad>,
    /// Servers that run right now.
    pub(crate) servers_running: RwSignal<u32>,
    /// Runs that are not over.
    pub(crate) runs: RwSignal<Vec<RunOverview>>,
}

/// What the frame shows.
pub(crate) fn use_strip() -> Strip {
    expect_context()
}

pub(super) fn provide() {
    provide_context(Strip {
        endpoint: RwSignal::new(None),
        model: RwSignal::new(String::new()),
        load: RwSignal::new(ToolLoad::default()),
        servers_running: RwSignal::new(0),
        runs: RwSignal::new(Vec::new()),
    });
}
