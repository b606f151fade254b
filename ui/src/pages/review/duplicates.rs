//! Traces that are nearly the same, in groups: keep one of each, reject the rest.

use leptos::prelude::*;
use tw_artifact::ReviewStatus;
use tw_contract::{DuplicateGroup, Selection};

use super::actions::use_trace_actions;
use super::asked::{Asked, ask};
use super::browser::Browser;
use super::row::{RatingMark, StatusMark, title_of};
use crate::components::{Button, ButtonKind, Empty, ErrorBox, IconName, RelativeTime, Skeleton};
use crate::state::format;

/// Groups that are shown at first, and how many more each time.
const GROUPS: usize = 40;
/// Traces of a group that are shown at first.
const MEMBERS: usize = 12;

/// Which trace of a group stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Newest,
    Oldest,
}

/// The ids of a group's traces but the one that stays. The oldest stands first.
fn others(group: &DuplicateGroup, keep: Keep) -> Vec<String> {
    let kept = match keep {
        Keep::Newest => group.traces.last(),
        Keep::Oldest => group.traces.first(),
    };
    let kept = kept.map(|trace| trace.id.clone());
    group.traces.iter().map(|trace| trace.id.clone()).filter(|id| Some(id) != kept.as_ref()).collect()
}

/// The groups.
#[component]
pub(super) fn Duplicates(browser: Browser, open: Memo<Option<String>>) -> impl IntoView {
    let actions = use_trace_actions();
    let Asked { answer, busy, again } = ask(browser, |api, query| async move { api.trace_duplicates(query).await });
    let shown = RwSignal::new(GROUPS);
    let reject = move |ids: Vec<String>| {
        // Shown at once; the host's answer follows.
        answer.update(|answer| {
            if let Some(Ok(groups)) = answer {
                for trace in groups.iter_mut().flat_map(|group| &mut group.traces) {
                    if ids.contains(&trace.id) {
                        trace.review.status = ReviewStatus::Rejected;
                    }
                }
            }
        });
        actions.set_status(Selection::Ids(ids), ReviewStatus::Rejected);
    };
    let reject_all = move |keep: Keep| {
        let ids: Vec<String> = answer.with_untracked(|answer| match answer {
            Some(Ok(groups)) => groups.iter().flat_map(|group| others(group, keep)).collect(),
            _ => Vec::new(),
        });
        reject(ids);
    };
    let body = move || match answer.get() {
        None => view! { <Skeleton lines=9/> }.into_any(),
        Some(Err(error)) => view! { <div class="page-error"><ErrorBox error on_retry=again/></div> }.into_any(),
        Some(Ok(groups)) if groups.is_empty() => view! {
            <Empty
                icon=IconName::Twins
                title="No near-duplicates"
                text="No two of these traces share most of their words."
            />
        }
        .into_any(),
        Some(Ok(groups)) => {
            let members: usize = groups.iter().map(|group| group.traces.len()).sum();
            let count = groups.len();
            let summary =
                format!("{} of {}", format::counted(count as u64, "group"), format::counted(members as u64, "trace"));
            view! {
                <div class="duplicates-bar">
                    <span>{summary}</span>
                    <span class="count-gap"></span>
                    <Button kind=ButtonKind::Quiet label="Keep the newest of each" title="Rejects all others; can be undone" on_click=move |()| reject_all(Keep::Newest) testid="keep-newest-all"/>
                    <Button kind=ButtonKind::Quiet label="Keep the oldest of each" title="Rejects all others; can be undone" on_click=move |()| reject_all(Keep::Oldest) testid="keep-oldest-all"/>
                </div>
                {groups.into_iter().take(shown.get()).map(|group| view! { <Group group open on_reject=reject/> }).collect_view()}
                {(count > shown.get())
                    .then(|| {
                        view! { <Button label=format!("Show more of {}", format::counted(count as u64, "group")) on_click=move |()| shown.update(|shown| *shown += GROUPS)/> }
                    })}
            }
            .into_any()
        }
    };
    view! { <section class="duplicates" aria-label="Near-duplicates" aria-busy=move || busy.get().to_string() data-testid="review-duplicates">{body}</section> }
}

#[component]
fn Group(
    group: DuplicateGroup,
    open: Memo<Option<String>>,
    #[prop(into)] on_reject: Callback<Vec<String>>,
) -> impl IntoView {
    let actions = use_trace_actions();
    let count = group.traces.len();
    let whole = RwSignal::new(false);
    let traces = StoredValue::new(group.traces.clone());
    let group = StoredValue::new(group);
    let reject = move |keep: Keep| on_reject.run(group.with_value(|group| others(group, keep)));
    let rows = move || {
        let most = if whole.get() { usize::MAX } else { MEMBERS };
        traces
            .get_value()
            .into_iter()
            .take(most)
            .map(|trace| {
                let id = trace.id.clone();
                let own = trace.id.clone();
                let is_open = Memo::new(move |_| open.with(|open| open.as_deref() == Some(&own)));
                view! {
                    <button type="button" class="duplicate" class:is-open=is_open data-testid="duplicate-row" data-trace=id.clone() on:click=move |_| actions.open(&id)>
                        <StatusMark status=trace.review.status short=true/>
                        <span class="cell-title" dir="auto">{title_of(&trace)}</span>
                        <RatingMark rating=trace.review.rating/>
                        <span class="duplicate-model" dir="auto">{trace.model.clone()}</span>
                        <span class="duplicate-number">{format::counted(trace.steps, "step")}</span>
                        <span class="duplicate-number">{format::short_count(trace.tokens)} " tok"</span>
                        <span class="duplicate-time"><RelativeTime at_ms=trace.created_at_ms/></span>
                    </button>
                }
            })
            .collect_view()
    };
    let likeness = group.with_value(|group| group.likeness_percent);
    let words = if likeness >= 100 { "the same words".to_owned() } else { format!("at least {likeness} % alike") };
    view! {
        <article class="duplicate-group" data-testid="duplicate-group">
            <header>
                <h3>{format::counted(count as u64, "trace")}</h3>
                <span class="duplicate-likeness">{words}</span>
                <span class="count-gap"></span>
                <Button kind=ButtonKind::Quiet label="Keep the newest" title="Rejects the others; can be undone" on_click=move |()| reject(Keep::Newest) testid="keep-newest"/>
                <Button kind=ButtonKind::Quiet label="Keep the oldest" title="Rejects the others; can be undone" on_click=move |()| reject(Keep::Oldest) testid="keep-oldest"/>
            </header>
            {rows}
            <Show when=move || { count > MEMBERS } && !whole.get()>
                <button type="button" class="link-button duplicate-more" on:click=move |_| whole.set(true)>{format!("All {}", format::count(count as u64))}</button>
            </Show>
        </article>
    }
}
