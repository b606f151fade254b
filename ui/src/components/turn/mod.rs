//! The turn card: one message of a conversation with its calls and their results, saved or being written.

mod call;
mod card;
mod images;
mod live;
mod message;
mod model;
mod output;
mod reasoning;
mod result;
mod stream_text;
mod verdict;

pub(crate) use card::{BrokenOff, TurnCard};
pub(crate) use live::{LiveTurn, LiveTurnCard};
pub(crate) use message::{StepFlags, role_face};
pub(crate) use model::{Turn, turns};
pub(crate) use reasoning::Folds;
pub(crate) use result::ResultFrame;
pub(crate) use verdict::VerdictBadge;

use leptos::prelude::*;
use tw_artifact::CallRecord;

/// What turn cards need of the page that shows them. Copied freely; given by context.
#[derive(Clone, Copy)]
pub(crate) struct TurnPage {
    /// The trace.
    pub(crate) trace_id: StoredValue<String>,
    /// Whether reasoning is open, for all cards at once.
    pub(crate) folds: Folds,
    /// What stands in a call's card between its arguments and its result: the approval, a question, progress. Called
    /// for calls that have no result yet, again whenever the record changes.
    pub(crate) call_slot: Option<Callback<CallRecord, AnyView>>,
}

impl TurnPage {
    /// Gives it to every card below. `call_slot` as in the field.
    pub(crate) fn provide(trace_id: impl Into<String>, call_slot: Option<Callback<CallRecord, AnyView>>) -> Self {
        let page = Self { trace_id: StoredValue::new(trace_id.into()), folds: Folds::new(), call_slot };
        provide_context(page);
        page
    }
}

/// What the page that shows cards gives them.
pub(crate) fn use_turn_page() -> TurnPage {
    expect_context()
}
