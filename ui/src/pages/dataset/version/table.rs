//! The table of rows, with what narrows it.

use leptos::prelude::*;
use tw_artifact::{DatasetWarningKind, SplitName};
use tw_contract::{RowOrder, RowSummary};

use super::super::focus;
use super::super::words::{share, trace_of_row};
use super::rows::Rows;
use crate::components::{Button, Choice, Empty, ErrorBox, Icon, IconName, RowTable, Segmented, Tag};
use crate::state::format;

/// Height of a row, in pixels.
const ROW_PX: f64 = 28.0;
/// Height of the heads, in pixels.
const HEAD_PX: f64 = 28.0;
/// The columns beside no open row.
const WIDE: &str = "minmax(180px, 1fr) 96px 96px 84px 132px minmax(110px, 0.5fr)";
/// The columns beside an open one.
const NARROW: &str = "minmax(110px, 1fr) 30px 66px 74px 40px";

/// The rows.
#[component]
pub(super) fn RowsTable(
    rows: Rows,
    /// Which row is open.
    open: RwSignal<Option<String>>,
) -> impl IntoView {
    let narrow = Memo::new(move |_| open.with(Option::is_some));
    let nothing = Memo::new(move |_| rows.loaded.get() && rows.problem.with(Option::is_none) && rows.total.get() == 0);
    let waits = Memo::new(move |_| !rows.loaded.get());
    let columns = Signal::derive(move || if narrow.get() { NARROW } else { WIDE }.to_owned());
    let row_class = move |place: usize| {
        let is_open = rows
            .pages
            .with(|pages| open.with(|open| open.is_some() && pages.get(place).map(|row| &row.id) == open.as_ref()));
        if is_open { "is-open".to_owned() } else { String::new() }
    };
    let cells = move |place: Memo<usize>| {
        let row = Memo::new(move |_| rows.pages.with(|pages| pages.get(place.get()).cloned()));
        move || match row.get() {
            Some(row) => view! { <Cells row=row.as_ref().clone() narrow=narrow.get()/> }.into_any(),
            None => view! { <span class="row-waits"><span class="skeleton-line"></span></span> }.into_any(),
        }
    };
    view! {
        <section class="rows" aria-label="Rows">
            <Filters rows/>
            {move || {
                let error = rows.problem.get()?;
                Some(view! { <div class="page-error"><ErrorBox error on_retry=move |()| rows.ask()/></div> })
            }}
            <Show when=move || waits.get()>
                <div class="table-waits" aria-busy="true">
                    {(0..14).map(|_| view! { <span class="row-waits"><span class="skeleton-line"></span></span> }).collect_view()}
                </div>
            </Show>
            <Show when=move || nothing.get()>
                <Empty icon=IconName::Search title="No such row" text="No row of this version fits.">
                    <Button label="Show all rows" on_click=move |()| rows.widen() testid="rows-widen"/>
                </Empty>
            </Show>
            <Show when=move || !nothing.get() && !waits.get()>
                <RowTable
                    total=rows.total
                    row_px=ROW_PX
                    head_px=HEAD_PX
                    cursor=rows.cursor
                    head=move || view! { <Heads rows narrow/> }
                    row=cells
                    row_class
                    on_open=move |place| rows.open_at(place, open)
                    on_step=move |place| {
                        if open.with_untracked(Option::is_some) {
                            rows.open_at(place, open);
                        }
                    }
                    columns
                    label="Rows"
                    testid="rows-table"
                    row_testid="dataset-row"
                />
            </Show>
        </section>
    }
}

/// What narrows the rows.
#[component]
fn Filters(rows: Rows) -> impl IntoView {
    let split = RwSignal::new(rows.query.with_untracked(|query| query.split));
    Effect::new(move |before: Option<()>| {
        let split = split.get();
        if before.is_some() && rows.query.with_untracked(|query| query.split != split) {
            rows.query.update(|query| query.split = split);
        }
    });
    Effect::new(move |_| {
        let now = rows.query.with(|query| query.split);
        if split.get_untracked() != now {
            split.set(now);
        }
    });
    let search = move || rows.query.with(|query| query.search.clone());
    let parts = vec![
        Choice::new(None, "All"),
        Choice::new(Some(SplitName::Train), "Train"),
        Choice::new(Some(SplitName::Validation), "Validation"),
    ];
    let tokens = move || {
        let (from, to) = rows.query.with(|query| (query.min_tokens, query.max_tokens));
        (from.is_some() || to.is_some()).then(|| {
            let words = format!("{} to {} tokens", format::count(from.unwrap_or(0)), to.map_or("any".to_owned(), |to| format::count(to)));
            view! { <Narrowed words on_drop=move |()| rows.query.update(|query| (query.min_tokens, query.max_tokens) = (None, None))/> }
        })
    };
    let warning = move || {
        rows.query.with(|query| query.warning).map(|kind: DatasetWarningKind| {
            view! { <Narrowed words=kind.label() on_drop=move |()| rows.query.update(|query| query.warning = None)/> }
        })
    };
    let trace = move || {
        rows.query.with(|query| query.trace_id.clone()).map(|_| {
            view! { <Narrowed words="one trace" on_drop=move |()| rows.query.update(|query| query.trace_id = None)/> }
        })
    };
    view! {
        <div class="rows-bar">
            <div class="query-line">
                <Icon name=IconName::Search/>
                <input
                    class="input"
                    type="search"
                    aria-label="Search in the rows"
                    placeholder="Id or title"
                    autocomplete="off"
                    spellcheck="false"
                    prop:value=search
                    data-testid="rows-search"
                    on:keydown=move |event| {
                        if event.code() == "Escape" {
                            event.prevent_default();
                            rows.query.update(|query| query.search.clear());
                            focus("[data-testid=rows-table]");
                        }
                    }
                    on:input:target=move |event| {
                        let text = event.target().value();
                        rows.query.update(|query| query.search = text);
                    }
                />
            </div>
            <Segmented label="Which part" options=parts value=split testid="rows-split"/>
            {warning}
            {tokens}
            {trace}
            <span class="rows-count">{move || rows.loaded.get().then(|| format::counted(rows.total.get() as u64, "row"))}</span>
            <Show when=move || rows.is_narrowed()>
                <button type="button" class="link-button" data-testid="rows-all" on:click=move |_| rows.widen()>"All rows"</button>
            </Show>
        </div>
    }
}

/// Something that narrows the rows, with a way to take it away.
#[component]
fn Narrowed(#[prop(into)] words: String, #[prop(into)] on_drop: Callback<()>) -> impl IntoView {
    view! {
        <button type="button" class="narrowed" title="Take this away" data-testid="rows-narrowed" on:click=move |_| on_drop.run(())>
            <span>{words}</span>
            <Icon name=IconName::Close/>
        </button>
    }
}

#[component]
fn Heads(rows: Rows, narrow: Memo<bool>) -> impl IntoView {
    let head = move |word: &'static str, order: Option<RowOrder>, number: bool| {
        let sorted = move || {
            rows.query
                .with(|query| (order == Some(query.order) && query.order != RowOrder::Stored).then_some(query.reverse))
        };
        let aria = move || match sorted() {
            None => "none",
            Some(true) => "ascending",
            Some(false) => "descending",
        };
        match order {
            None => view! { <span class="head-word" class:is-number=number role="columnheader">{word}</span> }.into_any(),
            Some(order) => view! {
                <span class="head-cell" class:is-number=number role="columnheader" aria-sort=aria>
                    <button type="button" class="head-button" title="Click to sort" on:click=move |_| rows.sort(order)>
                        <span>{word}</span>
                        {move || sorted().map(|up| view! { <span class="head-sorted" class:is-up=up><Icon name=IconName::ArrowDown/></span> })}
                    </button>
                </span>
            }
            .into_any(),
        }
    };
    move || {
        let narrow = narrow.get();
        view! {
            <div class="grid-head" role="row">
                {head("Row", None, false)}
                {(!narrow).then(|| head("Part", None, false))}
                {head(if narrow { "#" } else { "Messages" }, Some(RowOrder::Messages), true)}
                {head("Tokens", Some(RowOrder::Tokens), true)}
                {head("Trained", Some(RowOrder::TrainedTokens), true)}
                {head(if narrow { "!" } else { "Warnings" }, Some(RowOrder::Warnings), false)}
            </div>
        }
    }
}

#[component]
fn Cells(row: RowSummary, narrow: bool) -> impl IntoView {
    let title = if row.title.trim().is_empty() { "Without a title".to_owned() } else { row.title.clone() };
    let (_, end) = trace_of_row(&row.id);
    let end = end.filter(|_| row.truncated).map(|end| format!("to message {end}"));
    let warnings = row.warnings.len();
    let words: Vec<&str> = row.warnings.iter().map(|kind| kind.label()).collect();
    let part = share(u64::from(row.trained_tokens), u64::from(row.tokens)) * 100.0;
    let id = row.id.clone();
    let cut = (row.results_cut > 0).then(|| {
        view! { <Tag text=format!("{} cut", format::count(row.results_cut)) title="Tool results that were cut to fit the limit"/> }
    });
    view! {
        <span class="cell" role="gridcell" title=id>
            <span class="cell-title" dir="auto">{title}</span>
            {end.map(|end| view! { <small class="row-end">{end}</small> })}
            {(!narrow).then_some(cut)}
        </span>
        {(!narrow).then(|| view! { <span class="cell" role="gridcell"><span class="part" data-split=row.split.as_str()>{row.split.as_str()}</span></span> })}
        <span class="cell is-number" role="gridcell">{format::count(row.messages)}</span>
        <span class="cell is-number" role="gridcell">{format::count(row.tokens)}</span>
        <span class="cell is-number trained-cell" role="gridcell">
            {(!narrow).then(|| view! { <span class="trained-bar" aria-hidden="true"><span style:width=format!("{part:.1}%")></span></span> })}
            <span class="trained-number">{format::count(row.trained_tokens)}</span>
        </span>
        <span class="cell" role="gridcell" title=words.join("\n")>
            {(warnings > 0)
                .then(|| {
                    view! {
                        <span class="findings-mark tone-warn"><Icon name=IconName::Warning/>{warnings}</span>
                        {(!narrow).then(|| view! { <span class="cell-text">{words.first().copied().unwrap_or_default()}</span> })}
                    }
                })}
        </span>
    }
}
