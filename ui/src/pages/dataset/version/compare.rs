//! What differs between this version and another.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::A;
use tw_artifact::SourceTrace;
use tw_contract::{ApiError, DatasetDiff, DatasetDiffRequest, TraceDifference};

use super::super::words::whole;
use crate::backend::use_api;
use crate::components::{Choice, Empty, ErrorBox, Icon, IconName, Select, Skeleton};
use crate::state::clock::now_ms;
use crate::state::datasets::use_datasets;
use crate::state::format;

/// Traces that are listed at most.
const LISTED: usize = 300;

/// The comparison, with the choice of the other version.
#[component]
pub(super) fn Compare(version: StoredValue<String>) -> impl IntoView {
    let datasets = use_datasets();
    let api = StoredValue::new(use_api());
    let others = Memo::new(move |_| {
        let own = version.get_value();
        let now = now_ms();
        datasets
            .known()
            .iter()
            .filter(|it| it.id != own)
            .map(|it| {
                Choice::new(
                    it.id.clone(),
                    format!("{} {} · {}", it.name, it.short_id(), format::relative(it.built_at_ms, now)),
                )
            })
            .collect::<Vec<_>>()
    });
    let other = RwSignal::new(String::new());
    // The version of the same name before this one, else the newest.
    Effect::new(move |_| {
        let known = datasets.known();
        if !other.with_untracked(String::is_empty) {
            return;
        }
        let own = known.iter().find(|it| it.id == version.get_value());
        let before = own.and_then(|own| {
            known
                .iter()
                .filter(|it| it.name == own.name && it.built_at_ms < own.built_at_ms)
                .max_by_key(|it| it.built_at_ms)
        });
        if let Some(first) = before.or_else(|| known.iter().find(|it| it.id != version.get_value())) {
            other.set(first.id.clone());
        }
    });
    let answer = RwSignal::new(None::<Result<DatasetDiff, ApiError>>);
    let round = StoredValue::new(0_u64);
    let fetch = move || {
        let from = other.get_untracked();
        let Some(number) = round.try_update_value(|round| {
            *round += 1;
            *round
        }) else {
            return;
        };
        if from.is_empty() {
            return;
        }
        answer.set(None);
        let (api, request) = (api.get_value(), DatasetDiffRequest { from, to: version.get_value() });
        spawn_local(async move {
            let new = api.dataset_diff(request).await;
            if round.try_get_value() == Some(number) {
                answer.set(Some(new));
            }
        });
    };
    Effect::new(move |_| {
        other.track();
        fetch();
    });
    let none = Memo::new(move |_| others.with(Vec::is_empty));
    move || {
        if none.get() {
            return view! {
                <Empty icon=IconName::Twins title="Nothing to compare with" text="This is the only version. Build another, with other settings or after a change of its traces, to see what differs."/>
            }
            .into_any();
        }
        view! {
            <div class="compare-versions" data-testid="dataset-compare">
                <div class="compare-pick"><Select label="Compared with" options=others value=other testid="compare-with"/></div>
                {move || match answer.get() {
                    None => view! { <Skeleton lines=6/> }.into_any(),
                    Some(Err(error)) => {
                        view! { <div class="page-error"><ErrorBox error on_retry=move |()| fetch()/></div> }.into_any()
                    }
                    Some(Ok(diff)) => view! { <Differences diff/> }.into_any(),
                }}
            </div>
        }
        .into_any()
    }
}

#[component]
fn Differences(diff: DatasetDiff) -> impl IntoView {
    let same = diff.rows_added + diff.rows_removed + diff.rows_changed + diff.rows_moved == 0;
    let count = |number: u32, word: &'static str, class: &'static str| {
        (number > 0).then(|| view! { <span class=class><b>{format::count(number)}</b> " " {word}</span> })
    };
    let (before, after) = (whole(&diff.from), whole(&diff.to));
    let figure = |name: &'static str, before: u64, after: u64| {
        let sign = match after.cmp(&before) {
            std::cmp::Ordering::Greater => format!("+{}", format::count(after - before)),
            std::cmp::Ordering::Less => format!("−{}", format::count(before - after)),
            std::cmp::Ordering::Equal => "same".to_owned(),
        };
        view! {
            <tr><th scope="row">{name}</th><td>{format::count(before)}</td><td>{format::count(after)}</td><td>{sign}</td></tr>
        }
    };
    let settings = diff
        .settings
        .iter()
        .map(|(name, before, after)| {
            view! { <tr><th scope="row">{name.clone()}</th><td dir="auto">{said(before)}</td><td dir="auto">{said(after)}</td><td></td></tr> }
        })
        .collect_view();
    let listed = diff.traces.len().min(LISTED);
    let more = diff.traces.len() - listed;
    let any = !diff.traces.is_empty();
    let traces = diff.traces.into_iter().take(LISTED).map(|trace| view! { <TraceLine trace/> }).collect_view();
    let from = diff.from.short_id().to_owned();
    let to = diff.to.short_id().to_owned();
    view! {
        {same
            .then(|| {
                view! { <p class="export-fine" data-testid="compare-same"><Icon name=IconName::Check/><span>"The rows are the same, part for part."</span></p> }
            })}
        <p class="diff-counts">
            {count(diff.rows_same, "the same", "")}
            {count(diff.rows_added, "added", "tone-good")}
            {count(diff.rows_removed, "removed", "tone-bad")}
            {count(diff.rows_changed, "changed", "tone-warn")}
            {count(diff.rows_moved, "moved to the other part", "tone-warn")}
        </p>
        <table class="files-table diff-table">
            <thead><tr><th scope="col"></th><th scope="col" class="mono">{from}</th><th scope="col" class="mono">{to}</th><th scope="col"></th></tr></thead>
            <tbody>
                {figure("Rows", u64::from(before.rows), u64::from(after.rows))}
                {figure("Traces", u64::from(before.traces), u64::from(after.traces))}
                {figure("Tokens", before.tokens, after.tokens)}
                {figure("Trained tokens", before.trained_tokens, after.trained_tokens)}
                {settings}
            </tbody>
        </table>
        {any
            .then(|| {
                view! {
                    <h3>"Traces that differ"</h3>
                    <div class="diff-traces">
                        {traces}
                        {(more > 0).then(|| view! { <p class="field-hint">{format!("and {} more", format::counted(more as u64, "trace"))}</p> })}
                    </div>
                }
            })}
    }
}

/// A setting's value; what was not set is said in a word.
fn said(value: &str) -> String {
    if matches!(value, "" | "null") { "none".to_owned() } else { value.to_owned() }
}

#[component]
fn TraceLine(trace: TraceDifference) -> impl IntoView {
    let title = if trace.title.trim().is_empty() { trace.trace_id.clone() } else { trace.title.clone() };
    let (class, words) = match (&trace.before, &trace.after) {
        (None, _) => ("tone-good", "came".to_owned()),
        (_, None) => ("tone-bad", "went".to_owned()),
        (Some(before), Some(after)) => ("tone-warn", changes(before, after)),
    };
    let mut rows = Vec::new();
    for (number, sign) in [(trace.rows_added, "+"), (trace.rows_removed, "−"), (trace.rows_changed, "~")] {
        if number > 0 {
            rows.push(format!("{sign}{}", format::count(number)));
        }
    }
    view! {
        <div class="diff-trace">
            <A href=format!("/review/{}", trace.trace_id) attr:dir="auto" attr:title="Open the trace in Review">{title}</A>
            <span class=class>{words}</span>
            <span class="diff-rows">{rows.join(" ")} {(!rows.is_empty()).then_some(" rows")}</span>
        </div>
    }
}

/// What is different about a trace that both have.
fn changes(before: &SourceTrace, after: &SourceTrace) -> String {
    let mut words = Vec::new();
    if before.revision != after.revision {
        words.push(format!("revision {} to {}", before.revision, after.revision));
    }
    if before.split != after.split {
        words.push(format!("{} to {}", before.split, after.split));
    }
    if words.is_empty() {
        words.push("other rows".to_owned());
    }
    words.join(", ")
}
