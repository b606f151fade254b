//! What a view asks the host about the traces that the query finds.

use std::future::Future;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, TraceQuery};

use super::browser::Browser;
use crate::backend::{Api, use_api};

/// A question and its last answer. Copied freely.
pub(super) struct Asked<T: Send + Sync + 'static> {
    /// The answer for the query as it is now; the one before until that comes.
    pub(super) answer: RwSignal<Option<Result<T, ApiError>>>,
    /// Whether the host works on it.
    pub(super) busy: RwSignal<bool>,
    /// Asks once more.
    pub(super) again: Callback<()>,
}

impl<T: Send + Sync + 'static> Clone for Asked<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Asked<T> {}

/// Asks now, and again whenever the query or the workspace changes: the list's answers tell when. One question at a time:
/// while an import goes on the list changes all the time.
pub(super) fn ask<T, F>(
    browser: Browser,
    question: impl Fn(Api, TraceQuery) -> F + Copy + Send + Sync + 'static,
) -> Asked<T>
where
    T: Send + Sync + 'static,
    F: Future<Output = Result<T, ApiError>> + 'static,
{
    let api = StoredValue::new(use_api());
    let answer = RwSignal::new(None);
    let busy = RwSignal::new(false);
    let asked = StoredValue::new(None::<TraceQuery>);
    let once_more = StoredValue::new(false);
    let again = Callback::new(move |()| {
        if asked.with_value(Option::is_some) {
            once_more.set_value(true);
            return;
        }
        asked.set_value(Some(browser.asked()));
        busy.set(true);
        spawn_local(async move {
            while let Some(Some(query)) = asked.try_get_value() {
                once_more.set_value(false);
                let new = question(api.get_value(), query.clone()).await;
                let Some(repeat) = once_more.try_get_value() else { return };
                let now = browser.asked();
                if query == now {
                    answer.set(Some(new));
                }
                asked.set_value((repeat || query != now).then_some(now));
            }
            busy.try_set(false);
        });
    });
    Effect::new(move |_| {
        browser.facts.track();
        if browser.loaded.get() {
            again.run(());
        }
    });
    Asked { answer, busy, again }
}
