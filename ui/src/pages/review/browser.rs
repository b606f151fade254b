//! The list of traces as the page holds it: what is asked for, what came, what is picked.

use std::collections::HashSet;
use std::time::Duration;

use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{RunState, TraceSummary};
use tw_contract::{ApiError, TraceOrder, TraceQuery};

use crate::backend::{Api, use_api};

/// Traces of one page of the list.
const PAGE: u32 = 100;
/// Most traces that one request asks for.
const MAX_PAGE: u32 = 1_000;
/// A search starts when nothing was typed for so long.
const TYPED: Duration = Duration::from_millis(180);
/// Changes of the workspace are taken in at most so often.
const SETTLE: Duration = Duration::from_millis(400);

/// The list. Copied freely.
#[derive(Clone, Copy)]
pub(super) struct Browser {
    api: StoredValue<Api>,
    /// Words to find.
    pub(super) search: RwSignal<String>,
    /// Only this model.
    pub(super) model: RwSignal<Option<String>>,
    /// Only this state.
    pub(super) state: RwSignal<Option<RunState>>,
    /// Only with a call of this tool.
    pub(super) tool: RwSignal<Option<String>>,
    /// Only of this queue.
    pub(super) batch: RwSignal<Option<String>>,
    /// The order.
    pub(super) order: RwSignal<TraceOrder>,
    /// What came so far.
    pub(super) traces: RwSignal<Vec<TraceSummary>>,
    /// How many there are in all.
    pub(super) total: RwSignal<u32>,
    /// For the filters.
    pub(super) models: RwSignal<Vec<String>>,
    /// For the filters.
    pub(super) tools: RwSignal<Vec<String>>,
    /// Whether an answer came at all.
    pub(super) loaded: RwSignal<bool>,
    /// Whether something is being fetched.
    pub(super) busy: RwSignal<bool>,
    /// What went wrong.
    pub(super) problem: RwSignal<Option<ApiError>>,
    /// Where the keyboard is.
    pub(super) at: RwSignal<usize>,
    /// Traces that are picked for export or deletion.
    pub(super) picked: RwSignal<HashSet<String>>,
    /// Counts requests: an answer that a later request overtook is dropped.
    asked: StoredValue<u64>,
    timer: StoredValue<Option<TimeoutHandle>>,
}

impl Browser {
    /// An empty list that fetches itself, again whenever what is asked for changes.
    pub(super) fn new() -> Self {
        let browser = Self {
            api: StoredValue::new(use_api()),
            search: RwSignal::new(String::new()),
            model: RwSignal::new(None),
            state: RwSignal::new(None),
            tool: RwSignal::new(None),
            batch: RwSignal::new(None),
            order: RwSignal::new(TraceOrder::Newest),
            traces: RwSignal::new(Vec::new()),
            total: RwSignal::new(0),
            models: RwSignal::new(Vec::new()),
            tools: RwSignal::new(Vec::new()),
            loaded: RwSignal::new(false),
            busy: RwSignal::new(false),
            problem: RwSignal::new(None),
            at: RwSignal::new(0),
            picked: RwSignal::new(HashSet::new()),
            asked: StoredValue::new(0),
            timer: StoredValue::new(None),
        };
        let search = browser.search;
        Effect::new(move |before: Option<String>| {
            let words = search.get();
            if before.is_some_and(|before| before != words) {
                browser.at.set(0);
                browser.later(TYPED);
            }
            words
        });
        Effect::new(move |_| {
            browser.model.track();
            browser.state.track();
            browser.tool.track();
            browser.batch.track();
            browser.order.track();
            browser.at.set(0);
            browser.fetch(0, PAGE);
        });
        browser
    }

    /// Whether anything narrows the list.
    pub(super) fn is_narrowed(self) -> bool {
        !self.search.with(|it| it.trim().is_empty())
            || self.model.with(Option::is_some)
            || self.state.with(Option::is_some)
            || self.tool.with(Option::is_some)
            || self.batch.with(Option::is_some)
    }

    /// Shows all again.
    pub(super) fn widen(self) {
        self.search.set(String::new());
        self.model.set(None);
        self.state.set(None);
        self.tool.set(None);
        self.batch.set(None);
    }

    /// Fetches what is shown again, soon.
    pub(super) fn refresh(self) {
        self.later(SETTLE);
    }

    /// Fetches the next traces, if there are more.
    pub(super) fn more(self) {
        let have = u32::try_from(self.traces.with_untracked(Vec::len)).unwrap_or(u32::MAX);
        if !self.busy.get_untracked()
            && have < self.total.get_untracked()
            && self.problem.with_untracked(Option::is_none)
        {
            self.fetch(have, PAGE);
        }
    }

    /// Fetches the beginning again, as much as is there.
    pub(super) fn again(self) {
        let have = u32::try_from(self.traces.with_untracked(Vec::len)).unwrap_or(MAX_PAGE);
        self.fetch(0, have.clamp(PAGE, MAX_PAGE));
    }

    fn later(self, pause: Duration) {
        let Some(running) = self.timer.try_get_value() else { return };
        if let Some(running) = running {
            if pause == SETTLE {
                // It will take this change in as well.
                return;
            }
            running.clear();
        }
        let start = move || {
            if self.timer.try_set_value(None).is_none() {
                self.again();
            }
        };
        self.timer.set_value(set_timeout_with_handle(start, pause).ok());
    }

    fn fetch(self, offset: u32, limit: u32) {
        let Some(number) = self.asked.try_update_value(|asked| {
            *asked += 1;
            *asked
        }) else {
            return;
        };
        let query = TraceQuery {
            search: self.search.get_untracked().trim().to_owned(),
            model: self.model.get_untracked(),
            state: self.state.get_untracked(),
            tool: self.tool.get_untracked(),
            batch_id: self.batch.get_untracked(),
            order: self.order.get_untracked(),
            offset,
            limit,
        };
        self.busy.set(true);
        let api = self.api.get_value();
        spawn_local(async move {
            let answer = api.trace_list(query).await;
            if self.asked.try_get_value() != Some(number) {
                return;
            }
            self.busy.set(false);
            self.loaded.set(true);
            match answer {
                Ok(page) => {
                    self.problem.set(None);
                    self.total.set(page.total);
                    set_if_new(self.models, page.models);
                    set_if_new(self.tools, page.tools);
                    if offset == 0 {
                        set_if_new(self.traces, page.traces);
                    } else {
                        self.traces.update(|traces| {
                            let known: HashSet<String> = traces.iter().map(|trace| trace.id.clone()).collect();
                            traces.extend(page.traces.into_iter().filter(|trace| !known.contains(&trace.id)));
                        });
                    }
                }
                Err(error) => self.problem.set(Some(error)),
            }
        });
    }
}

fn set_if_new<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|old| *old != value) {
        signal.set(value);
    }
}
