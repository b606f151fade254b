//! A row of the table, and what stands in its cells.

use std::sync::Arc;

use leptos::prelude::*;
use tw_artifact::{FindingCount, ReviewStatus, Severity, TraceOrigin, TraceSummary};

use super::browser::Browser;
use super::columns::{Column, Shown};
use crate::components::{Icon, IconName, RelativeTime, StateBadge, Tone};
use crate::state::format;

/// One row. It shows another trace when the table is scrolled.
#[component]
pub(super) fn TraceRow(
    browser: Browser,
    /// Which place of the list it shows.
    place: Memo<usize>,
    columns: RwSignal<Vec<Shown>>,
    open: Memo<Option<String>>,
    narrow: Memo<bool>,
    row_px: Memo<f64>,
    #[prop(into)] on_open: Callback<String>,
) -> impl IntoView {
    let trace = Memo::new(move |_| {
        let place = place.get();
        browser.pages.with(|pages| pages.get(place).cloned())
    });
    let id = Memo::new(move |_| trace.with(|trace| trace.as_ref().map(|trace| trace.id.clone())));
    let is_open = Memo::new(move |_| id.with(|id| id.is_some() && open.with(|open| open == id)));
    let is_at = Memo::new(move |_| browser.at.with(|at| at.place) == place.get());
    let is_picked = Memo::new(move |_| {
        id.with(|id| id.as_ref().is_some_and(|id| browser.selected.with(|selected| selected.has(id))))
    });
    let pick = move |range: bool| {
        let Some(trace) = trace.get_untracked() else { return };
        let place = place.get_untracked();
        if range {
            browser.select_to(place);
        } else {
            browser.pick(&trace, place);
        }
    };
    let clicked = move |event: leptos::ev::MouseEvent| {
        let Some(id) = id.get_untracked() else { return };
        if event.ctrl_key() || event.meta_key() || event.shift_key() {
            event.prevent_default();
            pick(event.shift_key());
            browser.go_to(place.get_untracked(), None);
        } else {
            browser.go_to(place.get_untracked(), None);
            on_open.run(id);
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "places of rows are far below 2^53")]
    let shift = move || format!("translateY({}px)", place.get() as f64 * row_px.get());
    let cells = move || {
        let Some(trace) = trace.get() else {
            return view! { <span class="row-waits"><span class="skeleton-line"></span></span> }.into_any();
        };
        if narrow.get() {
            return view! { <Card trace/> }.into_any();
        }
        columns.with(|columns| columns.iter().map(|shown| cell(shown.column, &trace)).collect::<Vec<_>>()).into_any()
    };
    view! {
        <div
            class="trace-row"
            class:is-open=is_open
            class:is-at=is_at
            class:is-picked=is_picked
            role="row"
            id=move || format!("trace-row-{}", place.get())
            aria-rowindex=move || (place.get() + 1).to_string()
            aria-selected=move || is_picked.get().to_string()
            aria-current=move || is_open.get().then_some("true")
            data-testid="trace-row"
            data-trace=id
            style:transform=shift
            on:mousedown=move |event| {
                // Shift and Ctrl select rows, not text.
                if event.shift_key() || event.ctrl_key() || event.meta_key() {
                    event.prevent_default();
                }
            }
            on:click=clicked
        >
            <span class="cell cell-pick" role="gridcell" on:click=|event| event.stop_propagation()>
                <input
                    type="checkbox"
                    tabindex="-1"
                    aria-label="Select"
                    data-testid="trace-pick"
                    prop:checked=is_picked
                    on:click=move |event| {
                        pick(event.shift_key());
                        // What is shown follows what is selected.
                        event_target::<web_sys::HtmlInputElement>(&event).set_checked(is_picked.get_untracked());
                    }
                />
            </span>
            {cells}
        </div>
    }
}

/// A title for people.
pub(super) fn title_of(trace: &TraceSummary) -> String {
    if trace.title.trim().is_empty() { "Without a title".to_owned() } else { trace.title.clone() }
}

/// What was decided: an icon and a word.
#[component]
pub(super) fn StatusMark(
    status: ReviewStatus,
    /// Only the icon; the word on hover.
    #[prop(optional)]
    short: bool,
) -> impl IntoView {
    let (class, icon, word) = match status {
        ReviewStatus::Open => ("status-mark", None, "Open"),
        ReviewStatus::Accepted => ("status-mark tone-good", Some(IconName::Check), "Accepted"),
        ReviewStatus::Rejected => ("status-mark tone-bad", Some(IconName::Close), "Rejected"),
    };
    let mark = match icon {
        Some(name) => view! { <Icon name/> }.into_any(),
        None => view! { <span class="status-open" aria-hidden="true"></span> }.into_any(),
    };
    view! {
        <span class=class title=word aria-label=word data-status=status.as_str()>
            {mark}
            {(!short).then_some(word)}
        </span>
    }
}

/// A rating as dots, and in words on hover.
#[component]
pub(super) fn RatingMark(rating: Option<u8>) -> impl IntoView {
    rating.map(|rating| {
        let words = format!("{rating} of 5");
        view! {
            <span class="rating-mark" title=words.clone() aria-label=words>
                <b>{rating}</b>
                <span class="rating-bar" aria-hidden="true"><span style:width=format!("{}%", u32::from(rating.min(5)) * 20)></span></span>
            </span>
        }
    })
}

fn findings_mark(findings: &[FindingCount]) -> AnyView {
    let Some(worst) = findings.iter().map(|finding| finding.severity).min() else {
        return view! { <span class="cell-none">"-"</span> }.into_any();
    };
    let count: u32 = findings.iter().map(|finding| finding.count).sum();
    let (tone, icon) = match worst {
        Severity::Error => (Tone::Bad, IconName::Error),
        Severity::Warning => (Tone::Warn, IconName::Warning),
        Severity::Note => (Tone::Neutral, IconName::Info),
    };
    let words: Vec<String> =
        findings.iter().map(|finding| format!("{} × {}", finding.count, finding.rule.label())).collect();
    view! {
        <span class=format!("findings-mark {}", tone.class()) title=words.join("\n")>
            <Icon name=icon/>
            {format::count(count)}
        </span>
    }
    .into_any()
}

fn words(text: String) -> AnyView {
    let whole = text.clone();
    view! { <span class="cell-text" dir="auto" title=whole>{text}</span> }.into_any()
}

fn number(value: u32) -> AnyView {
    view! { <span class="cell-number">{format::count(value)}</span> }.into_any()
}

fn cell(column: Column, trace: &Arc<TraceSummary>) -> AnyView {
    let inner = match column {
        Column::Status => view! { <StatusMark status=trace.review.status/> }.into_any(),
        Column::Rating => view! { <RatingMark rating=trace.review.rating/> }.into_any(),
        Column::Title => {
            let noted = (!trace.review.note.trim().is_empty()).then(|| trace.review.note.clone());
            view! {
                <span class="cell-title" dir="auto" title=title_of(trace)>{title_of(trace)}</span>
                {noted.map(|note| view! { <span class="cell-noted" title=note><Icon name=IconName::Edit/></span> })}
                {trace.snippet.clone().map(|text| view! { <Snippet text/> })}
            }
            .into_any()
        }
        Column::Model => words(trace.model.clone()),
        Column::Steps => number(trace.steps),
        Column::Messages => number(trace.messages),
        Column::Tokens => {
            let exact = format::counted(trace.tokens, "token");
            view! { <span class="cell-number" title=exact>{format::short_count(trace.tokens)}</span> }.into_any()
        }
        Column::Tools => {
            let names = trace.tools_used.join(", ");
            let whole = names.clone();
            view! { <span class="cell-text mono" dir="auto" title=whole>{names}</span> }.into_any()
        }
        Column::Errors if trace.errors == 0 => view! { <span class="cell-number cell-none">"0"</span> }.into_any(),
        Column::Errors => view! { <span class="cell-number tone-bad">{format::count(trace.errors)}</span> }.into_any(),
        Column::Findings => findings_mark(&trace.findings),
        Column::Tags => tags_of(&trace.review.tags),
        Column::Time => view! { <RelativeTime at_ms=trace.created_at_ms/> }.into_any(),
        Column::Changed => view! { <RelativeTime at_ms=trace.updated_at_ms/> }.into_any(),
        Column::State => view! { <StateBadge state=trace.state/> }.into_any(),
        Column::Origin => words(origin_word(trace.origin).to_owned()),
        Column::Edited => match trace.revision {
            0 => ().into_any(),
            number => {
                let title = format!("It stands at revision {}", format::count(number));
                view! { <span class="cell-text" title=title><Icon name=IconName::Edit/> {format!(" r{number}")}</span> }
                    .into_any()
            }
        },
        Column::Branch => match &trace.branch {
            None => ().into_any(),
            Some(branch) => {
                let title = format!(
                    "Branched off from {} after {}",
                    branch.trace_id,
                    format::counted(branch.shared, "message")
                );
                view! { <span class="cell-text" title=title>{format!("after {}", branch.shared)}</span> }.into_any()
            }
        },
    };
    view! { <span class="cell" class:is-number=column.is_number() role="gridcell" data-cell=column.word()>{inner}</span> }
        .into_any()
}

const fn origin_word(origin: TraceOrigin) -> &'static str {
    match origin {
        TraceOrigin::Collected => "collected",
        TraceOrigin::Imported => "imported",
    }
}

fn tags_of(tags: &[String]) -> AnyView {
    let all = tags.join(", ");
    let chips = tags.iter().map(|tag| view! { <span class="tag-chip" dir="auto">{tag.clone()}</span> }).collect_view();
    view! { <span class="tag-chips" title=all>{chips}</span> }.into_any()
}

/// The narrow form: title, then what helps to choose.
#[component]
fn Card(trace: Arc<TraceSummary>) -> impl IntoView {
    let facts = match trace.snippet.clone() {
        Some(text) => view! { <Snippet text/> }.into_any(),
        None => view! {
            {(!trace.model.is_empty()).then(|| view! { <span class="card-model" dir="auto">{trace.model.clone()}</span> })}
            <span>{format::counted(trace.steps, "step")}</span>
            <span>{format::short_count(trace.tokens)} " tok"</span>
            {(!trace.findings.is_empty()).then(|| findings_mark(&trace.findings))}
            {(!trace.review.tags.is_empty()).then(|| tags_of(&trace.review.tags))}
        }
        .into_any(),
    };
    view! {
        <span class="trace-card" role="gridcell">
            <span class="card-head">
                <StatusMark status=trace.review.status short=true/>
                <span class="cell-title" dir="auto" title=title_of(&trace)>{title_of(&trace)}</span>
                <RatingMark rating=trace.review.rating/>
                <span class="card-time"><RelativeTime at_ms=trace.created_at_ms/></span>
            </span>
            <span class="card-facts">{facts}</span>
        </span>
    }
}

/// Where a search found its words, with the hits marked.
#[component]
fn Snippet(text: String) -> impl IntoView {
    let parts = text
        .split('\u{2}')
        .enumerate()
        .map(|(place, part)| match part.split_once('\u{3}') {
            Some((hit, rest)) if place > 0 => view! { <mark>{hit.to_owned()}</mark>{rest.to_owned()} }.into_any(),
            _ => part.to_owned().into_any(),
        })
        .collect_view();
    view! { <span class="trace-snippet" dir="auto" data-testid="trace-snippet">{parts}</span> }
}
