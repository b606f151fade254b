//! The rows of a version as the page holds them: what is asked for, what of it is here.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::DatasetWarningKind;
use tw_contract::{ApiError, RowOrder, RowQuery, RowSummary};

use crate::backend::{Api, use_api};
use crate::components::RowCursor;
use crate::components::window::Pages;

/// Rows of a page.
const PAGE: usize = 200;
/// Pages that are kept.
const KEPT: usize = 24;
/// Most requests for pages at the same time.
const AT_ONCE: usize = 2;
/// A filter is asked when nothing was typed for so long.
const TYPED: Duration = Duration::from_millis(120);
/// Rows are asked for when scrolling has rested for so long.
const SCROLLED: Duration = Duration::from_millis(40);

/// The rows. Copied freely.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    api: StoredValue<Api>,
    /// What is asked for; its offset and limit mean nothing.
    pub(super) query: RwSignal<RowQuery>,
    /// The rows that are here.
    pub(super) pages: RwSignal<Pages<Arc<RowSummary>>>,
    /// Rows that fit.
    pub(super) total: RwSignal<usize>,
    /// Whether an answer came at all.
    pub(super) loaded: RwSignal<bool>,
    /// What went wrong.
    pub(super) problem: RwSignal<Option<ApiError>>,
    /// Where the keyboard is.
    pub(super) cursor: RowCursor,
    round: StoredValue<u64>,
    pending: StoredValue<HashSet<usize>>,
    timer: StoredValue<Option<TimeoutHandle>>,
    /// A place whose row is opened as soon as it is known, and where it is opened.
    to_open: StoredValue<Option<(usize, RwSignal<Option<String>>)>>,
}

impl Rows {
    /// Of a version.
    pub(super) fn of(version: &str) -> Self {
        let rows = Self {
            api: StoredValue::new(use_api()),
            query: RwSignal::new(RowQuery { id: version.to_owned(), ..RowQuery::default() }),
            pages: RwSignal::new(Pages::new(PAGE, KEPT)),
            total: RwSignal::new(0),
            loaded: RwSignal::new(false),
            problem: RwSignal::new(None),
            cursor: RowCursor::new(),
            round: StoredValue::new(0),
            pending: StoredValue::new(HashSet::new()),
            timer: StoredValue::new(None),
            to_open: StoredValue::new(None),
        };
        Effect::new(move |before: Option<()>| {
            rows.query.track();
            let waiting = rows.timer.try_update_value(Option::take).flatten();
            if let Some(waiting) = waiting {
                waiting.clear();
            }
            if before.is_none() {
                rows.ask();
                return;
            }
            let start = move || {
                if rows.timer.try_set_value(None).is_none() {
                    rows.ask();
                }
            };
            rows.timer.set_value(set_timeout_with_handle(start, TYPED).ok());
        });
        Effect::new(move |before: Option<()>| {
            rows.cursor.visible.track();
            if before.is_some() {
                set_timeout(move || rows.ensure(), SCROLLED);
            }
        });
        rows
    }

    /// The row at a place, where it is here.
    pub(super) fn row(self, place: usize) -> Option<Arc<RowSummary>> {
        self.pages.with_untracked(|pages| pages.get(place).cloned())
    }

    /// Opens the row at a place, now or once it is here.
    pub(super) fn open_at(self, place: usize, open: RwSignal<Option<String>>) {
        match self.row(place) {
            Some(row) => {
                self.to_open.set_value(None);
                open.set(Some(row.id.clone()));
            }
            None => self.to_open.set_value(Some((place, open))),
        }
    }

    /// Whether anything narrows the list. Tracks.
    pub(super) fn is_narrowed(self) -> bool {
        self.query.with(|query| {
            *query
                != RowQuery { id: query.id.clone(), order: query.order, reverse: query.reverse, ..RowQuery::default() }
        })
    }

    /// All rows again, in the order that is set.
    pub(super) fn widen(self) {
        self.query.update(|query| {
            *query =
                RowQuery { id: query.id.clone(), order: query.order, reverse: query.reverse, ..RowQuery::default() };
        });
    }

    /// Only rows with a warning.
    pub(super) fn only_warning(self, kind: DatasetWarningKind) {
        self.widen();
        self.query.update(|query| query.warning = Some(kind));
    }

    /// Only rows with so many tokens.
    pub(super) fn only_tokens(self, from: u32, to: u32) {
        self.widen();
        self.query.update(|query| (query.min_tokens, query.max_tokens) = (Some(from), Some(to)));
    }

    /// Sorts by this; what is sorted by it already goes the other way round, then as stored again.
    pub(super) fn sort(self, order: RowOrder) {
        self.query.update(|query| {
            (query.order, query.reverse) = match (query.order == order, query.reverse) {
                (false, _) => (order, false),
                (true, false) => (order, true),
                (true, true) => (RowOrder::Stored, false),
            };
        });
    }

    /// Asks the query as it is now. The rows before it stay until its answer is here.
    pub(super) fn ask(self) {
        let Some(round) = self.round.try_update_value(|round| {
            *round += 1;
            *round
        }) else {
            return;
        };
        self.pending.update_value(|pending| {
            pending.clear();
            pending.insert(0);
        });
        self.fetch(round, 0..1, true);
    }

    /// Fetches the rows on the page that are not here.
    fn ensure(self) {
        let Some(round) = self.round.try_get_value() else { return };
        if !self.loaded.get_untracked() || self.problem.with_untracked(Option::is_some) {
            return;
        }
        let visible = self.cursor.visible.get_untracked();
        let runs = self.pending.with_value(|pending| {
            if pending.len() >= AT_ONCE {
                return Vec::new();
            }
            self.pages.with_untracked(|pages| pages.wanted(&visible, pending))
        });
        for run in runs {
            self.pending.update_value(|pending| pending.extend(run.clone()));
            self.fetch(round, run, false);
        }
    }

    fn fetch(self, round: u64, run: Range<usize>, anew: bool) {
        let mut request = self.query.get_untracked();
        request.offset = small(run.start * PAGE);
        request.limit = small(run.len() * PAGE);
        let api = self.api.get_value();
        spawn_local(async move {
            let answer = api.dataset_rows(request).await;
            if self.round.try_get_value() != Some(round) {
                return;
            }
            self.pending.update_value(|pending| pending.retain(|page| !run.contains(page)));
            match answer {
                Ok(page) => {
                    let total = usize::try_from(page.total).unwrap_or(usize::MAX);
                    let rows: Vec<Arc<RowSummary>> = page.rows.into_iter().map(Arc::new).collect();
                    self.problem.set(None);
                    self.pages.update(|pages| {
                        if anew {
                            *pages = Pages::new(PAGE, KEPT);
                        }
                        pages.put(run.start, rows, 0, total);
                    });
                    self.total.set(total);
                    if anew && self.loaded.get_untracked() {
                        self.cursor.go_to(0);
                    }
                    self.loaded.set(true);
                    self.open_awaited();
                    self.ensure();
                }
                Err(error) => {
                    self.loaded.set(true);
                    self.problem.set(Some(error));
                }
            }
        });
    }

    fn open_awaited(self) {
        if let Some((place, open)) = self.to_open.get_value()
            && let Some(row) = self.row(place)
        {
            self.to_open.set_value(None);
            open.set(Some(row.id.clone()));
        }
    }
}

fn small(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
