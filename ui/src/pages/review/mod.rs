//! Review: find traces, read them, decide about them, put them right, bring them in and take them out.

mod actions;
mod asked;
mod browser;
mod bulk;
mod columns;
mod decision;
mod duplicates;
mod editor;
mod export;
mod import;
mod marks;
mod popover;
mod query;
mod rerun;
mod row;
mod search;
mod selection;
mod shortcuts;
mod stats;
mod table;
mod views;

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use tw_artifact::RunState;
use tw_contract::Event;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::backend::use_events;
use crate::components::{Button, ButtonKind, Empty, ErrorBox, IconButton, IconName, Split};
use crate::state::settings::use_setting;
use actions::TraceActions;
use browser::{Browser, Sort};
use bulk::{BulkBar, CountBar};
use columns::Shown;
use duplicates::Duplicates;
use editor::{Editor, View};
use marks::MarkDialogs;
use search::{Filters, QueryBox};
use stats::Stats;
use table::TraceTable;
use views::{ColumnMenu, SaveView, Views};

pub(crate) use import::{ImportBox, ImportHost, ImportStatus};
pub(crate) use views::use_saved_queries;

/// What the list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    /// The traces.
    #[default]
    Table,
    /// Groups of traces that are nearly the same.
    Duplicates,
    /// The traces in numbers.
    Stats,
}

/// The page, at `/review` and `/review/<trace id>`; `?query=` in the address is written into the query box.
#[component]
pub(crate) fn ReviewPage() -> impl IntoView {
    let sort = use_setting("review-order", Sort::default());
    let columns = use_setting("review-columns", columns::usual());
    let browser = Browser::new(sort);
    TraceActions::provide(browser);
    use_events().listen(Event::TRACES, move |_| browser.refresh());
    follow_address(browser);
    let params = use_params_map();
    let open = Memo::new(move |_| params.with(|params| params.get("id")).filter(|id| !id.is_empty()));
    let mode = RwSignal::new(Mode::Table);
    shortcuts::offer(browser, open);
    // The keyboard is where the person reads.
    Effect::new(move |_| {
        browser.pages.track();
        if let Some(id) = open.get() {
            browser.go_to_trace(&id);
        }
    });
    let view_of = RwSignal::new(View::default());
    view! {
        <div class="review" data-testid="review-page">
            <Split
                key="review-split"
                first_share=0.32
                min_px=300.0
                first_only=Signal::derive(move || open.with(Option::is_none))
                first=move || view! { <List browser columns open mode/> }
                second=move || view! { <EditorPlace open view_of/> }
            />
            <MarkDialogs browser open/>
            <export::ExportDialog/>
            <rerun::RerunDialog browser/>
        </div>
    }
}

/// The editor, made anew for each trace.
#[component]
fn EditorPlace(open: Memo<Option<String>>, view_of: RwSignal<View>) -> impl IntoView {
    move || open.get().map(|id| view! { <Editor id view_of/> })
}

#[component]
fn List(
    browser: Browser,
    columns: RwSignal<Vec<Shown>>,
    open: Memo<Option<String>>,
    mode: RwSignal<Mode>,
) -> impl IntoView {
    let import = import::use_import();
    let switch = move |wanted: Mode| {
        mode.update(|mode| *mode = if *mode == wanted { Mode::Table } else { wanted });
    };
    let is = move |wanted: Mode| Signal::derive(move || mode.get() == wanted);
    view! {
        <section class="review-list" aria-label="Traces">
            <div class="review-bar">
                <QueryBox browser/>
                <IconButton icon=IconName::Twins label="Near-duplicates" pressed=is(Mode::Duplicates) on_click=move |()| switch(Mode::Duplicates) testid="duplicates-open"/>
                <IconButton icon=IconName::Chart label="Statistics" pressed=is(Mode::Stats) on_click=move |()| switch(Mode::Stats) testid="stats-open"/>
                <Button icon=IconName::Import label="Import" title="Files and folders can also be dropped on the window" on_click=move |()| import.ask() testid="import-open"/>
            </div>
            <div class="filter-bar">
                <Filters browser/>
                <SaveView browser columns/>
                // Beside an open trace the list has no columns.
                <Show when=move || open.with(Option::is_none)>
                    <ColumnMenu columns/>
                </Show>
            </div>
            <Views browser columns/>
            <CountBar browser/>
            <BulkBar browser/>
            {move || match mode.get() {
                Mode::Table => view! { <TablePlace browser columns open/> }.into_any(),
                Mode::Duplicates => view! { <Duplicates browser open/> }.into_any(),
                Mode::Stats => view! { <Stats browser/> }.into_any(),
            }}
        </section>
    }
}

/// The table, or what stands in its place.
#[component]
fn TablePlace(browser: Browser, columns: RwSignal<Vec<Shown>>, open: Memo<Option<String>>) -> impl IntoView {
    let actions = actions::use_trace_actions();
    let import = import::use_import();
    let nothing = Memo::new(move |_| {
        browser.loaded.get() && browser.problem.with(Option::is_none) && browser.facts.with(|facts| facts.total == 0)
    });
    let narrowed = Memo::new(move |_| browser.is_narrowed());
    let error = move || {
        let error = browser.problem.get()?;
        Some(view! { <div class="page-error"><ErrorBox error on_retry=move |()| browser.again()/></div> })
    };
    let instead = move || {
        if !nothing.get() {
            return None;
        }
        Some(if narrowed.get() {
            view! {
                <Empty icon=IconName::Search title="Nothing found" text="No trace has these words and fits these fields.">
                    <Button label="Show all traces" on_click=move |()| browser.query.set(String::new()) testid="show-all"/>
                </Empty>
            }
            .into_any()
        } else {
            view! {
                <Empty
                    icon=IconName::Traces
                    title="No traces yet"
                    text="A trace is an agent's work as messages and tool calls. Let an agent work, or bring in what others recorded; then read, correct and choose here what is fit for training."
                >
                    <Button kind=ButtonKind::Primary label="Collect the first trace" on_click=move |()| actions.go("/collect") testid="collect-first"/>
                    <Button icon=IconName::Import label="Import traces" on_click=move |()| import.ask() testid="import-first"/>
                </Empty>
            }
            .into_any()
        })
    };
    let waits = Memo::new(move |_| !browser.loaded.get());
    view! {
        {error}
        {instead}
        <Show when=move || waits.get()>
            <div class="table-waits" aria-busy="true">
                {(0..14).map(|_| view! { <span class="row-waits"><span class="skeleton-line"></span></span> }).collect_view()}
            </div>
        </Show>
        <Show when=move || !nothing.get() && !waits.get()>
            <TraceTable browser columns open/>
        </Show>
    }
}

/// `?query=` in the address is written into the query box.
fn follow_address(browser: Browser) {
    let address = use_query_map();
    let given = Memo::new(move |_| address.with(|address| address.get("query")));
    Effect::new(move |_| {
        if let Some(query) = given.get() {
            browser.query.set(query);
        }
    });
}

/// Puts the focus on the table.
fn focus_table() {
    focus("[data-testid=review-table]");
}

/// Puts the focus on the first element that a selector names.
fn focus(selector: &str) {
    let found = document().query_selector(selector).ok().flatten();
    if let Some(element) = found.and_then(|it| it.dyn_into::<HtmlElement>().ok()) {
        // What cannot take the focus leaves it where it is.
        element.focus().unwrap_or_default();
    }
}

/// The states a filter offers.
const STATES: [RunState; 8] = [
    RunState::Done,
    RunState::Running,
    RunState::Waiting,
    RunState::Queued,
    RunState::Interrupted,
    RunState::Stopped,
    RunState::Limit,
    RunState::Failed,
];
