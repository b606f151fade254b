//! The runs that go on and the latest that ended.

use std::collections::{HashMap, HashSet};

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::A;
use tw_artifact::RunState;

use crate::components::{Button, ButtonKind, ErrorBox, IconButton, IconName, RelativeTime, Skeleton, StateBadge};
use crate::state::format;
use crate::state::runs::{RunGroup, RunRow, needs_person, use_runs};
use crate::state::toasts::use_toasts;

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Line {
    /// The head of a queue, by its id.
    Queue(String),
    /// A run by its trace id, and whether it stands under the head of a queue.
    Run(String, bool),
}

/// The list of runs.
#[component]
pub(crate) fn RunList() -> impl IntoView {
    let runs = use_runs();
    let groups = Memo::new(move |_| runs.groups());
    // Queues that a person folded or unfolded.
    let folded = RwSignal::new(HashMap::<String, bool>::new());
    let rows = Memo::new(move |_| {
        groups.with(|groups| {
            let rows = groups.iter().flat_map(|group| &group.runs);
            rows.map(|row| (row.summary.id.clone(), row.clone())).collect::<HashMap<_, _>>()
        })
    });
    let queues = Memo::new(move |_| {
        groups.with(|groups| {
            let queues = groups.iter().filter_map(|group| Some((group.batch_id.clone()?, group.clone())));
            queues.collect::<HashMap<_, _>>()
        })
    });
    let lines = Memo::new(move |_| {
        let folded = folded.get();
        groups.with(|groups| list_lines(groups, &folded))
    });
    let is_empty = move || lines.with(Vec::is_empty);
    view! {
        {move || runs.problem.get().map(|error| view! { <ErrorBox error on_retry=move |()| runs.load()/> })}
        <Show when=move || !runs.loaded.get() && is_empty()>
            <Skeleton lines=3/>
        </Show>
        <Show when=move || runs.loaded.get() && is_empty()>
            <p class="quiet-note">"Runs appear here as soon as one is started."</p>
        </Show>
        <ul class="run-list" data-testid="run-list">
            <For each=move || lines.get() key=Clone::clone let:line>
                {match line {
                    Line::Queue(id) => view! { <QueueHead id queues folded/> }.into_any(),
                    Line::Run(id, nested) => view! { <RunLine id rows nested/> }.into_any(),
                }}
            </For>
        </ul>
    }
}

#[component]
fn QueueHead(
    id: String,
    queues: Memo<HashMap<String, RunGroup>>,
    folded: RwSignal<HashMap<String, bool>>,
) -> impl IntoView {
    let runs = use_runs();
    let toasts = use_toasts();
    let id = StoredValue::new(id);
    let group = Memo::new(move |_| queues.with(|queues| id.with_value(|id| queues.get(id).cloned())));
    let with = move |read: fn(&RunGroup) -> u32| group.with(|group| group.as_ref().map_or(0, read));
    let total = move || with(|group| group.total);
    let done = move || with(|group| group.done);
    let waiting = move || with(|group| group.waiting);
    let goes_on = Memo::new(move |_| done() < total());
    let is_folded =
        move || id.with_value(|id| folded.with(|folded| folded.get(id).copied())).unwrap_or_else(|| !goes_on.get());
    let toggle = move |_| {
        let now = untrack(is_folded);
        folded.update(|folded| {
            folded.insert(id.get_value(), !now);
        });
    };
    let stop = move |()| {
        spawn_local(async move {
            if let Err(error) = runs.stop_batch(&id.get_value()).await {
                toasts.error(error);
            }
        });
    };
    view! {
        <li class="queue-head" data-testid="queue-head">
            <button type="button" class="queue-toggle" aria-expanded=move || (!is_folded()).to_string() on:click=toggle>
                <span class="chevron" aria-hidden="true"></span>
                <span class="queue-words">
                    {move || format!("{} of {} done", format::count(done()), format::count(total()))}
                    {move || {
                        (waiting() > 0)
                            .then(|| view! { <strong class="waiting-words">{format!("{} waiting for you", waiting())}</strong> })
                    }}
                </span>
            </button>
            <progress max=move || total().to_string() value=move || done().to_string() aria-label="Runs of this queue that are done"></progress>
            <Show when=move || goes_on.get()>
                <Button label="Stop all" kind=ButtonKind::Quiet icon=IconName::Stop on_click=stop testid="stop-queue"/>
            </Show>
        </li>
    }
}

#[component]
fn RunLine(id: String, rows: Memo<HashMap<String, RunRow>>, nested: bool) -> impl IntoView {
    let runs = use_runs();
    let toasts = use_toasts();
    let href = format!("/collect/{id}");
    let stored = StoredValue::new(id);
    let row = Memo::new(move |_| rows.with(|rows| stored.with_value(|id| rows.get(id).cloned())));
    let state = Memo::new(move |_| {
        row.with(|row| match row {
            Some(row) if needs_person(row) => RunState::Waiting,
            Some(row) => row.summary.state,
            None => RunState::default(),
        })
    });
    let title = move || {
        row.with(|row| row.as_ref().map(|row| row.summary.title.clone()))
            .filter(|title| !title.is_empty())
            .unwrap_or_else(|| "A run without a task".to_owned())
    };
    let facts = move || {
        row.with(|row| {
            row.as_ref().map(|row| {
                let mut facts = format::counted(row.summary.steps, "step");
                if row.summary.tokens > 0 {
                    facts = format!("{facts} · {} tok", format::short_count(row.summary.tokens));
                }
                facts
            })
        })
    };
    let at_ms = Signal::derive(move || row.with(|row| row.as_ref().map_or(0, |row| row.summary.created_at_ms)));
    let stop = move |()| {
        spawn_local(async move {
            if let Err(error) = runs.stop(&stored.get_value()).await {
                toasts.error(error);
            }
        });
    };
    view! {
        <li class="run-line" class:nested=nested data-testid="run-row" data-state=move || state.get().as_str()>
            <A href=href>
                <span class="run-title" dir="auto">{title}</span>
                <span class="run-facts">
                    <StateBadge state=state/>
                    <span>{facts}</span>
                    <RelativeTime at_ms/>
                </span>
            </A>
            <Show when=move || !state.get().is_final()>
                <IconButton icon=IconName::Stop label="Stop this run" on_click=stop testid="run-row-stop"/>
            </Show>
        </li>
    }
}

fn list_lines(groups: &[RunGroup], folded: &HashMap<String, bool>) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut seen = HashSet::new();
    for group in groups {
        let head = group.batch_id.as_ref().filter(|_| group.total > 1);
        if let Some(id) = head {
            lines.push(Line::Queue(id.clone()));
            if folded.get(id).copied().unwrap_or(group.done == group.total) {
                continue;
            }
        }
        let runs = group.runs.iter().map(|row| row.summary.id.clone()).filter(|id| seen.insert(id.clone()));
        lines.extend(runs.map(|id| Line::Run(id, head.is_some())));
    }
    lines
}
