//! Traces, each with the rows it becomes, as small trees.

use std::collections::BTreeMap;
use std::sync::Arc;

use leptos::prelude::*;
use leptos_router::components::A;
use tw_artifact::{DatasetFamily, FamilyRow, SplitName};

use super::tree::{LANE_PX, Tree, tree};
use super::words::{fate_words, is_in, percent, trace_of_row};
use crate::components::{Icon, IconName, ListHandle, VirtualList};
use crate::state::format;

/// Widest drawing of a tree, in pixels.
const TREE_PX: f64 = 300.0;
/// Rows of a family that are shown until one asks for all.
const SHOWN: usize = 12;

/// What a person can do with families.
#[derive(Clone, Copy)]
pub(super) struct FamilyActions {
    /// Shows a row, by its id; without, rows only tell their numbers.
    pub(super) open: Option<Callback<String>>,
    /// Parts that were chosen by hand, for a plan; without, parts are only shown.
    pub(super) by_hand: Option<RwSignal<BTreeMap<String, SplitName>>>,
}

/// Families, as a list of which only what is visible is there.
#[component]
pub(super) fn FamilyList(
    /// The families.
    #[prop(into)]
    families: Signal<Vec<Arc<DatasetFamily>>>,
    /// What can be done.
    actions: FamilyActions,
    /// Moves the list.
    handle: ListHandle,
    /// A row to point out, by its id.
    #[prop(into)]
    pointed: Signal<Option<String>>,
    /// Called when the end comes near.
    #[prop(optional, into)]
    on_near_end: Option<Callback<()>>,
    /// What stands below the last one.
    #[prop(optional, into)]
    footer: ViewFn,
) -> impl IntoView {
    let near_end = on_near_end.unwrap_or_else(|| Callback::new(|()| ()));
    view! {
        <VirtualList
            rows=families
            key=key_of
            row=move |family| view! { <Family family actions pointed/> }
            estimate_px=110.0
            handle
            on_near_end=near_end
            footer
            label="Traces and their rows"
            testid="family-list"
        />
    }
}

fn key_of(family: &Arc<DatasetFamily>) -> String {
    family.trace_id.clone()
}

#[component]
fn Family(
    family: Signal<Arc<DatasetFamily>>,
    actions: FamilyActions,
    pointed: Signal<Option<String>>,
) -> impl IntoView {
    let all = RwSignal::new(false);
    let id = family.with_untracked(|family| family.trace_id.clone());
    let address = format!("/review/{id}");
    let title = move || {
        family.with(
            |family| if family.title.trim().is_empty() { "Without a title".to_owned() } else { family.title.clone() },
        )
    };
    let facts = move || {
        family.with(|family| {
            let rows = family.rows.iter().filter(|row| is_in(row.fate)).count();
            let tokens: u64 = family.rows.iter().filter(|row| is_in(row.fate)).map(|row| u64::from(row.tokens)).sum();
            let trained: u64 =
                family.rows.iter().filter(|row| is_in(row.fate)).map(|row| u64::from(row.trained_tokens)).sum();
            format!(
                "{} · {} · {} trained",
                format::counted(rows as u64, "row"),
                format::counted_short(tokens, "token"),
                percent(trained, tokens)
            )
        })
    };
    let shown = Memo::new(move |_| {
        family.with(|family| {
            let most = if all.get() { usize::MAX } else { SHOWN };
            // A row that is pointed out is there, however many there are.
            let wanted = pointed.with(|pointed| {
                let place = pointed.as_ref().and_then(|id| family.rows.iter().position(|row| row.id == *id));
                place.map_or(0, |place| place + 1)
            });
            family.rows.iter().take(most.max(wanted)).cloned().collect::<Vec<FamilyRow>>()
        })
    });
    let drawing = Memo::new(move |_| shown.with(|rows| tree(rows, TREE_PX)));
    let hidden = move || family.with(|family| family.rows.len()) - shown.with(Vec::len);
    view! {
        <article class="family" data-testid="family">
            <header class="family-head">
                <Part family by_hand=actions.by_hand/>
                <A href=address attr:class="family-title" attr:title="Open the trace in Review" attr:dir="auto">{title}</A>
                <span class="family-facts">{facts}</span>
            </header>
            {move || {
                let drawing = drawing.get();
                let lanes = shown
                    .get()
                    .into_iter()
                    .map(|row| view! { <FamilyLine row actions pointed/> })
                    .collect_view();
                view! {
                    <div class="family-rows">
                        <div>{lanes}</div>
                        <Drawing drawing/>
                    </div>
                }
            }}
            <Show when=move || { hidden() > 0 }>
                <button type="button" class="link-button family-more" on:click=move |_| all.set(true)>
                    {move || format!("Show {} more", format::counted(hidden() as u64, "row"))}
                </button>
            </Show>
        </article>
    }
}

#[component]
fn Drawing(drawing: Tree) -> impl IntoView {
    let lanes = drawing
        .lanes
        .into_iter()
        .map(|lane| {
            let cells = lane
                .cells
                .into_iter()
                .map(|cell| {
                    let (height, class) = if cell.trained { (10.0, "tree-trained") } else { (6.0, "tree-message") };
                    view! {
                        <rect class=class x=format!("{:.2}", cell.x) y=format!("{:.1}", lane.y - height / 2.0) width=format!("{:.2}", cell.width) height=height.to_string() rx="1.5"></rect>
                    }
                })
                .collect_view();
            view! {
                <g>
                    {(!lane.branch.is_empty()).then(|| view! { <path class="tree-branch" d=lane.branch></path> })}
                    <line class="tree-lane" x1=format!("{:.1}", lane.from_x) x2=format!("{:.1}", lane.to_x) y1=lane.y.to_string() y2=lane.y.to_string()></line>
                    {cells}
                </g>
            }
        })
        .collect_view();
    view! {
        <svg class="family-tree" width=format!("{:.0}", drawing.width) height=format!("{:.0}", drawing.height) role="img" aria-label="Which messages each row has, and which of them are trained">
            {lanes}
        </svg>
    }
}

/// One row of a family, in words.
#[component]
fn FamilyLine(row: FamilyRow, actions: FamilyActions, pointed: Signal<Option<String>>) -> impl IntoView {
    let there = is_in(row.fate);
    let id = StoredValue::new(row.id.clone());
    let is_pointed = Memo::new(move |_| pointed.with(|pointed| pointed.as_deref() == Some(&*id.read_value())));
    let (_, end) = trace_of_row(&row.id);
    let name = match end {
        Some(_) => format!("to message {}", row.messages),
        None => "whole".to_owned(),
    };
    let facts = view! {
        <span class="line-name">{name}</span>
        <span class="line-number" title=format::counted(row.tokens, "token")>{format::short_count(row.tokens)} " tok"</span>
        <span class="line-number line-trained" title=format!("{} trained", format::counted(row.trained_tokens, "token"))>
            {format::short_count(row.trained_tokens)} " trained"
        </span>
        {fate_words(row.fate).map(|words| view! { <span class="line-fate">{words}</span> })}
        {(row.warnings > 0)
            .then(|| {
                view! { <span class="line-warnings" title=format::counted(row.warnings, "warning")><Icon name=IconName::Warning/>{row.warnings}</span> }
            })}
    };
    let title = row.id.clone();
    let class = if there { "family-line" } else { "family-line is-out" };
    match actions.open.filter(|_| there) {
        Some(open) => view! {
            <button
                type="button"
                class=class
                class:is-pointed=is_pointed
                style:height=format!("{LANE_PX}px")
                title=title
                data-testid="family-row"
                data-row=row.id
                on:click=move |_| open.run(id.get_value())
            >
                {facts}
            </button>
        }
        .into_any(),
        None => view! {
            <div class=class class:is-pointed=is_pointed style:height=format!("{LANE_PX}px") title=title data-testid="family-row" data-row=row.id>
                {facts}
            </div>
        }
        .into_any(),
    }
}

/// Which part a trace goes to; in a plan it can be chosen by hand.
#[component]
fn Part(family: Signal<Arc<DatasetFamily>>, by_hand: Option<RwSignal<BTreeMap<String, SplitName>>>) -> impl IntoView {
    let id = StoredValue::new(family.with_untracked(|family| family.trace_id.clone()));
    let Some(chosen) = by_hand else {
        let part = move || {
            let split = family.with(|family| family.split);
            view! { <span class="part" data-split=split.as_str()>{split.as_str()}</span> }
        };
        return part.into_any();
    };
    let own = Memo::new(move |_| chosen.with(|chosen| chosen.get(&*id.read_value()).copied()));
    let shown = Memo::new(move |_| own.get().unwrap_or_else(|| family.with(|family| family.split)));
    let title = move || {
        let bound = family.with(|family| family.bound_to.len());
        let mut words = match own.get() {
            Some(_) => "Chosen by hand.".to_owned(),
            None => "Chosen by the seed. Click to choose by hand.".to_owned(),
        };
        if bound > 0 {
            words.push_str(&format!(
                " {} like it (branches, pairs, near-duplicates) must go to the same part.",
                format::counted(bound as u64, "trace")
            ));
        }
        words
    };
    view! {
        <span class="part-choice" title=title>
            <button
                type="button"
                class="part"
                class:is-chosen=move || own.get().is_some()
                data-split=move || shown.get().as_str()
                data-testid="family-split"
                on:click=move |_| {
                    let other = if shown.get_untracked() == SplitName::Train { SplitName::Validation } else { SplitName::Train };
                    chosen.update(|chosen| {
                        chosen.insert(id.get_value(), other);
                    });
                }
            >
                {move || shown.get().as_str()}
            </button>
            <Show when=move || own.get().is_some()>
                <button
                    type="button"
                    class="part-reset"
                    title="Let the seed choose"
                    aria-label="Let the seed choose"
                    data-testid="family-split-reset"
                    on:click=move |_| chosen.update(|chosen| {
                        chosen.remove(&*id.read_value());
                    })
                >
                    <Icon name=IconName::Close/>
                </button>
            </Show>
        </span>
    }
    .into_any()
}
