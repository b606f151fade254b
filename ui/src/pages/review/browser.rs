//! The list as the page holds it: what is asked for, what of it is here, where the keyboard is, what is selected.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde::{Deserialize, Serialize};
use tw_artifact::{LintRule, Review, ReviewChange, ReviewStatus, TraceSummary};
use tw_contract::{ApiError, Selection, TraceOrder, TracePage, TraceQuery};

use super::decision;
use super::query::{self, Vocabulary};
use super::selection::{LEFT_OUT, Selected, TERMS};
use crate::backend::{Api, use_api};
use crate::components::window::Pages;
use crate::state::clock::now_ms;
use crate::state::format;
use crate::state::toasts::{Toasts, use_toasts};

/// Rows of a page.
const PAGE: usize = 100;
/// Pages that are kept.
const KEPT: usize = 24;
/// Most requests for pages at the same time.
const AT_ONCE: usize = 2;
/// A query is asked when nothing was typed for so long.
const TYPED: Duration = Duration::from_millis(80);
/// Rows are asked for when scrolling has rested for so long.
const SCROLLED: Duration = Duration::from_millis(40);
/// Changes of the workspace are taken in at most so often, in milliseconds.
const SETTLE_MS: i64 = 400;
/// Where the query of this window is kept while another page is shown.
const QUERY_KEY: &str = "tracewright-review-query";

/// An order, and its direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sort {
    /// The order.
    pub(super) order: TraceOrder,
    /// The other way round.
    pub(super) reverse: bool,
}

/// Where the keyboard is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct At {
    /// The place of the row.
    pub(super) place: usize,
    /// Its trace, once it is known.
    pub(super) id: Option<String>,
    /// Whether its trace is not found by the query any more: the next one stands in its place.
    gone: bool,
}

/// Moves the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scroll {
    /// Brings a row into view.
    Row(usize),
    /// By so many rows.
    By(isize),
    /// To the first row.
    Top,
}

/// What is known of the whole list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Traces that the query finds.
    pub(super) total: usize,
    /// How many of them are accepted or rejected.
    pub(super) reviewed: usize,
    /// Whether the host still counts: there are more than these.
    pub(super) counting: bool,
    /// What of the query was not understood.
    pub(super) problems: Vec<String>,
}

/// The list. Copied freely.
#[derive(Clone, Copy)]
pub(super) struct Browser {
    api: StoredValue<Api>,
    toasts: Toasts,
    /// The query as it is written.
    pub(super) query: RwSignal<String>,
    /// The order.
    pub(super) sort: RwSignal<Sort>,
    /// The rows that are here.
    pub(super) pages: RwSignal<Pages<Arc<TraceSummary>>>,
    /// What is known of the whole.
    pub(super) facts: RwSignal<Facts>,
    /// Values for filters and completion.
    pub(super) words: RwSignal<Vocabulary>,
    /// Whether an answer came at all.
    pub(super) loaded: RwSignal<bool>,
    /// What went wrong.
    pub(super) problem: RwSignal<Option<ApiError>>,
    /// Where the keyboard is.
    pub(super) at: RwSignal<At>,
    /// What is selected, each with its review when it was selected.
    pub(super) selected: RwSignal<Selected<Review>>,
    /// The rows that are on the page, with a few around.
    pub(super) visible: RwSignal<Range<usize>>,
    /// The first row that can be seen.
    pub(super) top: RwSignal<usize>,
    /// Moves the table; counts so that the same can be asked twice.
    pub(super) scroll: RwSignal<Option<(Scroll, u32)>>,
    /// The query and order that the rows answer.
    asked: StoredValue<(String, Sort)>,
    /// Counts queries: an answer that a later one overtook is dropped.
    round: StoredValue<u64>,
    pending: StoredValue<HashSet<usize>>,
    /// A place whose trace is opened as soon as it is known, and what opens it.
    to_open: StoredValue<Option<(usize, Callback<String>)>>,
    timer: StoredValue<Option<TimeoutHandle>>,
    refresh_planned: StoredValue<bool>,
    took_ms: StoredValue<i64>,
}

impl Browser {
    /// An empty list that fetches itself, again whenever what is asked for changes.
    pub(super) fn new(sort: RwSignal<Sort>) -> Self {
        let browser = Self {
            api: StoredValue::new(use_api()),
            toasts: use_toasts(),
            query: RwSignal::new(kept_query()),
            sort,
            pages: RwSignal::new(Pages::new(PAGE, KEPT)),
            facts: RwSignal::new(Facts::default()),
            words: RwSignal::new(fixed_words()),
            loaded: RwSignal::new(false),
            problem: RwSignal::new(None),
            at: RwSignal::new(At::default()),
            selected: RwSignal::new(Selected::default()),
            visible: RwSignal::new(0..0),
            top: RwSignal::new(0),
            scroll: RwSignal::new(None),
            asked: StoredValue::new((String::new(), Sort::default())),
            round: StoredValue::new(0),
            pending: StoredValue::new(HashSet::new()),
            to_open: StoredValue::new(None),
            timer: StoredValue::new(None),
            refresh_planned: StoredValue::new(false),
            took_ms: StoredValue::new(0),
        };
        Effect::new(move |before: Option<()>| {
            let words = browser.query.get();
            browser.sort.track();
            keep_query(&words);
            if before.is_none() {
                browser.ask();
            } else {
                browser.later(TYPED, move || {
                    let same = browser.asked.with_value(|(asked, sort)| {
                        browser.query.with_untracked(|now| query::askable(now) == *asked)
                            && browser.sort.get_untracked() == *sort
                    });
                    if !same {
                        browser.ask();
                    }
                });
            }
        });
        Effect::new(move |before: Option<()>| {
            browser.visible.track();
            if before.is_some() {
                set_timeout(move || browser.ensure(), SCROLLED);
            }
        });
        browser
    }

    /// Whether anything narrows the list.
    pub(super) fn is_narrowed(self) -> bool {
        self.query.with(|query| !query.trim().is_empty())
    }

    /// The trace at a place, where it is here.
    pub(super) fn row(self, place: usize) -> Option<Arc<TraceSummary>> {
        self.pages.with_untracked(|pages| pages.get(place).cloned())
    }

    /// What is known of a trace, where it is here.
    pub(super) fn known(self, id: &str) -> Option<Arc<TraceSummary>> {
        self.pages.with_untracked(|pages| {
            let place = pages.find(|trace| trace.id == id)?;
            pages.get(place).cloned()
        })
    }

    /// The query that the rows answer.
    pub(super) fn asked(self) -> TraceQuery {
        let (search, sort) = self.asked.get_value();
        TraceQuery { search, order: sort.order, reverse: sort.reverse, ..TraceQuery::default() }
    }

    /// What is selected, as the host is told of it; `None` where nothing is.
    pub(super) fn selection(self) -> Option<Selection> {
        self.selected.with_untracked(|selected| {
            if selected.is_empty() {
                return None;
            }
            Some(match selected.left_out() {
                None => Selection::Ids(selected.picked().keys().cloned().collect()),
                Some(but) => {
                    let mut asked = self.asked();
                    for id in but {
                        asked.search = query::appended(&asked.search, &format!("-id:{id}"));
                    }
                    Selection::Query(asked)
                }
            })
        })
    }

    /// How many traces a selection names.
    pub(super) fn size_of(self, selection: &Selection) -> usize {
        match selection {
            Selection::Ids(ids) => ids.len(),
            Selection::Query(_) => {
                self.selected.with_untracked(|selected| selected.count(self.facts.with_untracked(|facts| facts.total)))
            }
        }
    }

    /// Selects a trace, or not any more.
    pub(super) fn pick(self, trace: &TraceSummary, place: usize) {
        let mut done = true;
        self.selected.update(|selected| done = selected.toggle(&trace.id, place, trace.review.clone()));
        if !done {
            self.toasts.info(format!(
                "Of all that are found, {} can be left out. Narrow the query instead.",
                format::counted(LEFT_OUT as u64, "trace")
            ));
        }
    }

    /// Selects all that the query finds.
    pub(super) fn select_all(self) {
        if self.asked.with_value(|(asked, _)| query::terms(asked).len()) > TERMS {
            self.toasts.info(format!("Of a query with more than {TERMS} terms not all can be selected at once."));
        } else {
            self.selected.update(Selected::all);
        }
    }

    /// Selects a row and all between it and the last one that was selected by itself; rows that are not here are
    /// fetched.
    pub(super) fn select_to(self, place: usize) {
        let range = self.selected.with_untracked(|selected| selected.range_to(place));
        let mut missing = false;
        let here: Vec<(String, Review)> = self.pages.with_untracked(|pages| {
            let rows = range.clone().map(|place| pages.get(place));
            rows.inspect(|row| missing |= row.is_none())
                .flatten()
                .map(|trace| (trace.id.clone(), trace.review.clone()))
                .collect()
        });
        self.selected.update(|selected| selected.add(here));
        if missing {
            let (api, round) = (self.api.get_value(), self.round.get_value());
            let mut request = self.asked();
            request.offset = small(range.start);
            request.limit = small(range.len());
            spawn_local(async move {
                match api.trace_list(request).await {
                    Ok(page) if self.round.try_get_value() == Some(round) => self.selected.update(|selected| {
                        selected.add(page.traces.into_iter().map(|trace| (trace.id, trace.review)));
                    }),
                    Ok(_) => {}
                    Err(error) => {
                        self.problem.try_set(Some(error));
                    }
                }
            });
        }
    }

    /// The place before or behind the one where the keyboard is; `None` at the ends.
    pub(super) fn next_place(self, by: isize) -> Option<usize> {
        let total = self.facts.with_untracked(|facts| facts.total);
        let at = self.at.get_untracked();
        let by = if at.gone && by > 0 { by - 1 } else { by };
        let next = at.place.saturating_add_signed(by).min(total.checked_sub(1)?);
        (next != at.place || at.gone).then_some(next)
    }

    /// The next place, after the one where the keyboard is, whose trace nobody decided about; where the rows are not
    /// here, the first of those.
    pub(super) fn next_open(self) -> Option<usize> {
        let mut place = self.next_place(1)?;
        let total = self.facts.with_untracked(|facts| facts.total);
        self.pages.with_untracked(|pages| {
            while place < total {
                match pages.get(place) {
                    Some(trace) if trace.review.status != ReviewStatus::Open => place += 1,
                    _ => return Some(place),
                }
            }
            None
        })
    }

    /// Puts the keyboard on a row. `open` is called with its trace, now or once it is here.
    pub(super) fn go_to(self, place: usize, open: Option<Callback<String>>) {
        let id = self.row(place).map(|trace| trace.id.clone());
        self.to_open.set_value(None);
        match (open, &id) {
            (Some(open), Some(id)) => open.run(id.clone()),
            (Some(open), None) => self.to_open.set_value(Some((place, open))),
            (None, _) => {}
        }
        self.at.set(At { place, id, gone: false });
        self.show(Scroll::Row(place));
    }

    /// Puts the keyboard where a trace is, if it is here.
    pub(super) fn go_to_trace(self, id: &str) {
        if self.at.with_untracked(|at| at.id.as_deref() == Some(id)) {
            return;
        }
        if let Some(place) = self.pages.with_untracked(|pages| pages.find(|trace| trace.id == id)) {
            self.at.set(At { place, id: Some(id.to_owned()), gone: false });
            self.show(Scroll::Row(place));
        }
    }

    /// Moves the table.
    pub(super) fn show(self, to: Scroll) {
        self.scroll.update(|scroll| *scroll = Some((to, scroll.map_or(0, |(_, n)| n.wrapping_add(1)))));
    }

    /// Shows a decision at once, before the host has kept it.
    pub(super) fn apply(self, selection: &Selection, change: &ReviewChange) {
        let mut grown = 0;
        self.pages.update(|pages| {
            pages.change(|trace| {
                let hit = match selection {
                    Selection::Ids(ids) => ids.contains(&trace.id),
                    Selection::Query(_) => self.selected.with_untracked(|selected| selected.has(&trace.id)),
                };
                if hit {
                    let review = decision::applied(&trace.review, change);
                    grown += decision::reviewed_by(&trace.review, &review);
                    Arc::make_mut(trace).review = review;
                }
            });
        });
        if let Selection::Ids(ids) = selection {
            self.selected.maybe_update(|selected| {
                let known = |id: &str| ids.iter().any(|other| other == id);
                selected.change(known, |review| *review = decision::applied(review, change));
                // Which are selected is the same.
                false
            });
        }
        if grown != 0 {
            self.facts.update(|facts| {
                let reviewed = i64::try_from(facts.reviewed).unwrap_or(0) + grown;
                facts.reviewed = usize::try_from(reviewed).unwrap_or(0).min(facts.total);
            });
        }
    }

    /// Fetches what is shown again, soon.
    pub(super) fn refresh(self) {
        if self.refresh_planned.try_get_value() != Some(false) {
            return;
        }
        self.refresh_planned.set_value(true);
        // A host that is slow now is asked less often.
        let pause = SETTLE_MS.max(self.took_ms.get_value() * 3);
        let start = move || {
            if self.refresh_planned.try_set_value(false).is_none() {
                self.again();
            }
        };
        set_timeout(start, Duration::from_millis(u64::try_from(pause).unwrap_or(0)));
    }

    /// Fetches what is shown again.
    pub(super) fn again(self) {
        if self.loaded.get_untracked() {
            self.problem.set(None);
            self.pages.update(Pages::outdate);
            self.ensure();
        } else {
            self.ask();
        }
    }

    /// Asks the query as it is now. The rows before it stay until its answer is here.
    fn ask(self) {
        let Some(round) = self.round.try_update_value(|round| {
            *round += 1;
            *round
        }) else {
            return;
        };
        let search = self.query.with_untracked(|query| query::askable(query));
        self.asked.set_value((search, self.sort.get_untracked()));
        self.pending.update_value(|pending| {
            pending.clear();
            pending.insert(0);
        });
        self.fetch(round, 0..1, true, true);
    }

    /// Fetches the rows on the page that are not here, or not fresh.
    fn ensure(self) {
        let Some(round) = self.round.try_get_value() else { return };
        if !self.loaded.get_untracked() || self.problem.with_untracked(Option::is_some) {
            return;
        }
        let visible = self.visible.get_untracked();
        let runs = self.pending.with_value(|pending| {
            if pending.len() >= AT_ONCE {
                return Vec::new();
            }
            self.pages.with_untracked(|pages| pages.wanted(&visible, pending))
        });
        for run in runs {
            self.pending.update_value(|pending| pending.extend(run.clone()));
            self.fetch(round, run, false, false);
        }
    }

    /// With `quick` the rows of words that very many traces have come before it is known how many that are.
    fn fetch(self, round: u64, run: Range<usize>, anew: bool, quick: bool) {
        let mut request = self.asked();
        request.quick = quick;
        request.offset = small(run.start * PAGE);
        request.limit = small(run.len() * PAGE);
        let version = self.pages.with_untracked(Pages::version);
        let api = self.api.get_value();
        let began = now_ms();
        spawn_local(async move {
            let answer = api.trace_list(request).await;
            if self.round.try_get_value() != Some(round) {
                return;
            }
            self.took_ms.set_value(now_ms() - began);
            self.pending.update_value(|pending| pending.retain(|page| !run.contains(page)));
            match answer {
                Ok(page) => {
                    self.problem.set(None);
                    let (counted, none) = (page.counted, page.traces.is_empty());
                    if counted || !none {
                        self.take(page, &run, version, anew);
                    }
                    if !counted {
                        self.pending.update_value(|pending| pending.extend(run.clone()));
                        self.fetch(round, run, anew && none, false);
                    }
                    self.ensure();
                }
                Err(error) => {
                    self.loaded.set(true);
                    self.problem.set(Some(error));
                }
            }
        });
    }

    fn take(self, page: TracePage, run: &Range<usize>, version: u64, anew: bool) {
        let total = usize::try_from(page.total).unwrap_or(usize::MAX);
        let facts = Facts {
            total,
            reviewed: usize::try_from(page.reviewed).unwrap_or(0),
            counting: !page.counted,
            problems: page.problems,
        };
        self.words.maybe_update(|words| {
            let changed = words.tools != page.tools || words.models != page.models || words.tags != page.tags;
            if changed {
                (words.tools, words.models, words.tags) = (page.tools, page.models, page.tags);
            }
            changed
        });
        let rows: Vec<Arc<TraceSummary>> = page.traces.into_iter().map(Arc::new).collect();
        if anew {
            self.facts.set(facts);
            self.selected.update(Selected::clear);
            self.pages.update(|pages| {
                let version = pages.version();
                let mut fresh = Pages::new(PAGE, KEPT);
                (0..version).for_each(|_| fresh.outdate());
                fresh.put(0, rows, version, total);
                *pages = fresh;
            });
            self.loaded.set(true);
            let open = self.at.with_untracked(|at| at.id.clone());
            let place = open.as_deref().and_then(|id| self.place_in(id, &(0..PAGE)));
            let place = place.unwrap_or(0);
            self.at.set(At { place, id: self.row(place).map(|trace| trace.id.clone()), gone: false });
            self.show(Scroll::Top);
            return;
        }
        let top = self.top.get_untracked();
        let anchor = (top > 0).then(|| self.row(top).map(|trace| trace.id.clone())).flatten();
        self.facts.maybe_update(|old| {
            let changed = *old != facts;
            *old = facts;
            changed
        });
        self.pages.update(|pages| pages.put(run.start, rows, version, total));
        let places = run.start * PAGE..run.end * PAGE;
        // What the person looks at stays where it is, though rows above it came or went.
        if let Some(now) = anchor.and_then(|id| self.place_in(&id, &places))
            && now != top
        {
            self.show(Scroll::By(now.cast_signed().wrapping_sub(top.cast_signed())));
        }
        self.follow_at(&places);
    }

    /// The keyboard stays on its trace, wherever that is now.
    fn follow_at(self, places: &Range<usize>) {
        let at = self.at.get_untracked();
        let new = match &at.id {
            Some(id) => match self.place_in(id, places) {
                Some(place) => At { place, id: at.id.clone(), gone: false },
                None => At { gone: at.gone || places.contains(&at.place), ..at.clone() },
            },
            None => At { id: self.row(at.place).map(|trace| trace.id.clone()), ..at.clone() },
        };
        if new != at {
            self.at.set(new);
        }
        let due = self.to_open.with_value(|it| it.as_ref().map(|(place, open)| (*place, *open)));
        if let Some((place, open)) = due
            && let Some(trace) = self.row(place)
        {
            self.to_open.set_value(None);
            open.run(trace.id.clone());
        }
    }

    fn place_in(self, id: &str, places: &Range<usize>) -> Option<usize> {
        self.pages
            .with_untracked(|pages| places.clone().find(|place| pages.get(*place).is_some_and(|trace| trace.id == id)))
    }

    fn later(self, pause: Duration, run: impl Fn() + 'static) {
        let Some(waiting) = self.timer.try_update_value(Option::take) else { return };
        if let Some(waiting) = waiting {
            waiting.clear();
        }
        let start = move || {
            if self.timer.try_set_value(None).is_none() {
                run();
            }
        };
        self.timer.set_value(set_timeout_with_handle(start, pause).ok());
    }
}

fn small(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn fixed_words() -> Vocabulary {
    let rules = LintRule::ALL.iter().map(|rule| (rule.as_str().to_owned(), rule.label().to_owned())).collect();
    let states = super::STATES.iter().map(|state| (state.as_str().to_owned(), format::state_label(*state).to_owned()));
    let today = String::from(js_sys::Date::new_0().to_iso_string()).chars().take(10).collect();
    Vocabulary { rules, states: states.collect(), today, ..Vocabulary::default() }
}

fn kept_query() -> String {
    let storage = window().session_storage().ok().flatten();
    storage.and_then(|it| it.get_item(QUERY_KEY).ok().flatten()).unwrap_or_default()
}

fn keep_query(query: &str) {
    if let Ok(Some(storage)) = window().session_storage() {
        // Without storage the query lasts as long as the page is shown.
        storage.set_item(QUERY_KEY, query).unwrap_or_default();
    }
}
