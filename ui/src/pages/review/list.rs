//! The list: search, filters, rows.

use leptos::html;
use leptos::prelude::*;
use tw_artifact::{RunState, TraceOrigin, TraceSummary};
use tw_contract::TraceOrder;

use super::STATES;
use super::actions::use_trace_actions;
use super::browser::Browser;
use crate::components::{
    Button, ButtonKind, Choice, Empty, ErrorBox, Icon, IconName, ListHandle, RelativeTime, Select, Skeleton,
    StateBadge, Tokens, VirtualList,
};
use crate::state::format;

/// The list.
#[component]
pub(super) fn TraceList(
    browser: Browser,
    open: Memo<Option<String>>,
    handle: ListHandle,
    file_input: NodeRef<html::Input>,
) -> impl IntoView {
    let actions = use_trace_actions();
    let choose_files = move |()| {
        if let Some(input) = file_input.get_untracked() {
            input.click();
        }
    };
    // The keyboard starts where the person reads.
    Effect::new(move |_| {
        let place = open.with(|open| {
            let open = open.as_deref()?;
            browser.traces.with(|traces| traces.iter().position(|trace| trace.id == open))
        });
        if let Some(place) = place
            && browser.at.get_untracked() != place
        {
            browser.at.set(place);
        }
    });
    let nothing = Memo::new(move |_| {
        browser.loaded.get() && browser.problem.with(Option::is_none) && browser.traces.with(Vec::is_empty)
    });
    let body = move || {
        if !browser.loaded.get() {
            return view! { <Skeleton lines=9/> }.into_any();
        }
        if let Some(error) = browser.problem.get() {
            return view! { <div class="page-error"><ErrorBox error on_retry=move |()| browser.again()/></div> }
                .into_any();
        }
        if nothing.get() {
            return if browser.is_narrowed() {
                view! {
                    <Empty icon=IconName::Search title="Nothing fits" text="No trace has these words and fits these filters.">
                        <Button label="Show all traces" on_click=move |()| browser.widen() testid="show-all"/>
                    </Empty>
                }
                .into_any()
            } else {
                view! {
                    <Empty
                        icon=IconName::Traces
                        title="No traces yet"
                        text="A trace is an agent's work as messages and tool calls. Connect an endpoint, add a server, give a task: everything that happens is kept here."
                    >
                        <Button kind=ButtonKind::Primary label="Collect the first trace" on_click=move |()| actions.go("/collect") testid="collect-first"/>
                        <Button label="Import trace files" on_click=choose_files/>
                    </Empty>
                }
                .into_any()
            };
        }
        view! {
            <VirtualList
                rows=browser.traces
                key=|trace: &TraceSummary| trace.id.clone()
                row=move |trace| view! { <TraceRow trace browser open/> }
                estimate_px=54.0
                handle
                on_near_end=move |()| browser.more()
                label="Traces"
                testid="trace-list"
                footer=move || {
                    let more = browser.traces.with(Vec::len) < usize::try_from(browser.total.get()).unwrap_or(usize::MAX);
                    more.then(|| view! { <p class="traces-more">"Fetching more"</p> })
                }
            />
        }
        .into_any()
    };
    view! {
        <section class="traces-list" aria-label="Traces">
            <div class="traces-bar">
                <div class="traces-search">
                    <Icon name=IconName::Search/>
                    <input
                        class="input"
                        type="search"
                        placeholder="Search in all messages"
                        aria-label="Search in all messages"
                        autocomplete="off"
                        spellcheck="false"
                        data-testid="traces-search"
                        prop:value=browser.search
                        on:input:target=move |event| browser.search.set(event.target().value())
                        on:keydown=move |event| {
                            if event.code() == "Escape" && !browser.search.with_untracked(String::is_empty) {
                                event.prevent_default();
                                browser.search.set(String::new());
                            }
                        }
                    />
                </div>
                <Filters browser/>
                <Button
                    icon=IconName::Import
                    label="Import"
                    title="Import trace files, or drop them on this page"
                    busy=actions.importing
                    on_click=choose_files
                    testid="traces-import"
                />
            </div>
            <Picked browser/>
            <div class="traces-count" aria-live="polite">
                {move || {
                    browser
                        .loaded
                        .get()
                        .then(|| {
                            let words = format::counted(browser.total.get(), "trace");
                            if browser.is_narrowed() { format!("{words} found") } else { words }
                        })
                }}
                {move || {
                    browser
                        .is_narrowed()
                        .then(|| view! { <button type="button" class="link-button" on:click=move |_| browser.widen()>"show all"</button> })
                }}
            </div>
            {body}
        </section>
    }
}

#[component]
fn Filters(browser: Browser) -> impl IntoView {
    let named = |all: &str, names: Vec<String>| {
        let mut choices = vec![Choice::new(None, all)];
        choices.extend(names.into_iter().map(|name| Choice::new(Some(name.clone()), name)));
        choices
    };
    let states = || {
        let mut choices = vec![Choice::new(None::<RunState>, "Any state")];
        choices.extend(STATES.into_iter().map(|state| Choice::new(Some(state), format::state_label(state))));
        choices
    };
    let orders = vec![
        Choice::new(TraceOrder::Newest, "Newest"),
        Choice::new(TraceOrder::Oldest, "Oldest"),
        Choice::new(TraceOrder::Steps, "Most steps"),
        Choice::new(TraceOrder::Tokens, "Most tokens"),
    ];
    view! {
        <div class="traces-filters">
            <Select label="Model" bare=true options=Signal::derive(move || named("Any model", browser.models.get())) value=browser.model testid="filter-model"/>
            <Select label="State" bare=true options=states() value=browser.state testid="filter-state"/>
            <Select label="Tool" bare=true options=Signal::derive(move || named("Any tool", browser.tools.get())) value=browser.tool testid="filter-tool"/>
            <Select label="Order" bare=true options=orders value=browser.order testid="filter-order"/>
        </div>
    }
}

/// What can be done with the picked traces.
#[component]
fn Picked(browser: Browser) -> impl IntoView {
    let actions = use_trace_actions();
    let ids = move || browser.picked.with_untracked(|picked| picked.iter().cloned().collect::<Vec<_>>());
    move || {
        let count = browser.picked.with(std::collections::HashSet::len);
        (count > 0).then(|| {
            view! {
                <div class="traces-picked" data-testid="picked-bar">
                    <span>{format!("{} picked", format::count(count as u64))}</span>
                    <Button icon=IconName::Export label="Export" on_click=move |()| actions.export(ids()) testid="export-picked"/>
                    <Button icon=IconName::Trash label="Delete" on_click=move |()| actions.to_delete.set(ids()) testid="delete-picked"/>
                    <Button kind=ButtonKind::Quiet label="Pick none" on_click=move |()| browser.picked.update(std::collections::HashSet::clear)/>
                </div>
            }
        })
    }
}

#[component]
fn TraceRow(trace: Signal<TraceSummary>, browser: Browser, open: Memo<Option<String>>) -> impl IntoView {
    let actions = use_trace_actions();
    let id = StoredValue::new(trace.with_untracked(|trace| trace.id.clone()));
    let is_open = Memo::new(move |_| open.with(|open| open.as_deref() == Some(&*id.read_value())));
    let is_at = Memo::new(move |_| {
        let at = browser.at.get();
        browser.traces.with(|traces| traces.get(at).is_some_and(|trace| trace.id == *id.read_value()))
    });
    let is_picked = Memo::new(move |_| browser.picked.with(|picked| picked.contains(&*id.read_value())));
    let title = move || {
        let title = trace.with(|trace| trace.title.clone());
        if title.is_empty() { "Without a title".to_owned() } else { title }
    };
    let facts = move || {
        let trace = trace.get();
        let tools = trace.tools_used.join(", ");
        let whole = tools.clone();
        view! {
            <span class="trace-model" dir="auto">{if trace.model.is_empty() { "unknown model".to_owned() } else { trace.model }}</span>
            <span>{format::counted(trace.steps, "step")}</span>
            <Tokens count=trace.tokens/>
            <span class="trace-origin">{(trace.origin == TraceOrigin::Imported).then_some("imported")}</span>
            {(!tools.is_empty()).then(|| view! { <span class="trace-tools" dir="auto" title=whole>{tools}</span> })}
        }
    };
    view! {
        <div
            class="trace-row"
            class:is-open=is_open
            class:is-at=is_at
            role="button"
            tabindex="0"
            aria-current=move || is_open.get().then_some("true")
            data-testid="trace-row"
            data-trace=id.get_value()
            on:click=move |_| actions.open(&id.read_value())
            on:keydown=move |event| {
                if matches!(event.code().as_str(), "Enter" | "Space") && event.target() == event.current_target() {
                    event.prevent_default();
                    actions.open(&id.read_value());
                }
            }
        >
            <span class="trace-pick" on:click=|event| event.stop_propagation()>
                <input
                    type="checkbox"
                    aria-label="Pick for export or deletion"
                    prop:checked=is_picked
                    on:change=move |_| {
                        browser
                            .picked
                            .update(|picked| {
                                let id = id.get_value();
                                if !picked.remove(&id) {
                                    picked.insert(id);
                                }
                            });
                    }
                />
            </span>
            <span class="trace-title" dir="auto">{title}</span>
            <span class="trace-time"><RelativeTime at_ms=Signal::derive(move || trace.with(|trace| trace.created_at_ms))/></span>
            <span class="trace-facts">{facts}</span>
            <span class="trace-state"><StateBadge state=Signal::derive(move || trace.with(|trace| trace.state))/></span>
            {move || trace.with(|trace| trace.snippet.clone()).map(|snippet| view! { <Snippet text=snippet/> })}
        </div>
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
