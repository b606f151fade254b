//! What is said about the list and done with what is selected in it.

use leptos::prelude::*;
use tw_artifact::{ReviewChange, ReviewStatus, TraceChoice};
use tw_contract::{Selection, TraceOrder};

use super::actions::use_trace_actions;
use super::browser::{Browser, Sort};
use super::popover::Popover;
use super::query;
use super::selection::Selected;
use crate::components::{Button, ButtonKind, Choice, Icon, IconName, Select};
use crate::state::datasets::{PlanBegin, use_datasets};
use crate::state::format;

/// How many there are, how far the review is, and the order.
#[component]
pub(super) fn CountBar(browser: Browser) -> impl IntoView {
    let facts = browser.facts;
    let count = move || {
        let (total, counting) = facts.with(|facts| (facts.total, facts.counting));
        let words = format::counted(total as u64, "trace");
        let words = if counting { format!("over {words}") } else { words };
        if browser.is_narrowed() { format!("{words} found") } else { words }
    };
    let progress = move || {
        let (reviewed, total, counting) = facts.with(|facts| (facts.reviewed, facts.total, facts.counting));
        (total > 0 && !counting).then(|| {
            let words = format!("{} of {} reviewed", format::count(reviewed as u64), format::count(total as u64));
            #[expect(clippy::cast_precision_loss, reason = "a share is shown in whole percent")]
            let share = reviewed as f64 / total as f64 * 100.0;
            view! {
                <span class="review-progress" data-testid="review-progress">
                    <span
                        class="progress-bar"
                        role="progressbar"
                        aria-label="Reviewed"
                        aria-valuemin="0"
                        aria-valuemax=total.to_string()
                        aria-valuenow=reviewed.to_string()
                    >
                        <span style:width=format!("{share:.1}%")></span>
                    </span>
                    {words}
                </span>
            }
        })
    };
    view! {
        <div class="count-bar" aria-live="polite">
            <span data-testid="review-count">{move || browser.loaded.get().then(count)}</span>
            {progress}
            <span class="count-gap"></span>
            <Order browser/>
        </div>
    }
}

#[component]
fn Order(browser: Browser) -> impl IntoView {
    let picked = RwSignal::new(browser.sort.get_untracked());
    Effect::new(move |_| {
        let sort = browser.sort.get();
        if picked.get_untracked() != sort {
            picked.set(sort);
        }
    });
    Effect::new(move |before: Option<()>| {
        let sort = picked.get();
        if before.is_some() && browser.sort.get_untracked() != sort {
            browser.sort.set(sort);
        }
    });
    let options = Signal::derive(move || {
        let with_words = browser.query.with(|query| query::has_words(query));
        let mut orders = vec![
            (TraceOrder::Newest, "Newest"),
            (TraceOrder::Oldest, "Oldest"),
            (TraceOrder::Updated, "Last changed"),
            (TraceOrder::Rating, "Best rated"),
            (TraceOrder::Findings, "Most findings"),
            (TraceOrder::Errors, "Most errors"),
            (TraceOrder::Steps, "Most steps"),
            (TraceOrder::Messages, "Most messages"),
            (TraceOrder::Tokens, "Most tokens"),
            (TraceOrder::Title, "Title"),
            (TraceOrder::Model, "Model"),
        ];
        let now = browser.sort.get();
        if with_words || now.order == TraceOrder::Relevance {
            orders.insert(0, (TraceOrder::Relevance, "Best match"));
        }
        let mut choices: Vec<Choice<Sort>> =
            orders.into_iter().map(|(order, words)| Choice::new(Sort { order, reverse: false }, words)).collect();
        if now.reverse {
            let words = choices.iter().find(|choice| choice.value.order == now.order).map(|it| it.label.clone());
            choices.push(Choice::new(now, format!("{}, reversed", words.unwrap_or_default())));
        }
        choices
    });
    view! {
        <span class="order-pick">
            <Select label="Order" bare=true options value=picked testid="review-order"/>
        </span>
    }
}

/// What can be done with the selected traces.
#[component]
pub(super) fn BulkBar(browser: Browser) -> impl IntoView {
    let any = Memo::new(move |_| browser.selected.with(|selected| !selected.is_empty()));
    view! {
        <Show when=move || any.get()>
            <Bulk browser/>
        </Show>
    }
}

#[component]
fn Bulk(browser: Browser) -> impl IntoView {
    let actions = use_trace_actions();
    let total = Memo::new(move |_| browser.facts.with(|facts| facts.total));
    let count = Memo::new(move |_| browser.selected.with(|selected| selected.count(total.get())));
    let is_all = Memo::new(move |_| browser.selected.with(|selected| selected.left_out().is_some()));
    let words = move || {
        let count = format::count(count.get() as u64);
        if is_all.get() { format!("{count} selected: all that are found") } else { format!("{count} selected") }
    };
    let with = move |run: &dyn Fn(Selection)| {
        if let Some(traces) = browser.selection() {
            run(traces);
        }
    };
    let datasets = use_datasets();
    let to_dataset = move |traces: Selection| {
        let traces = match traces {
            Selection::Ids(ids) => TraceChoice::Ids(ids),
            Selection::Query(query) => TraceChoice::Query(query.search),
        };
        datasets.begin.set(Some(PlanBegin::Traces(traces)));
        actions.go("/dataset/new");
    };
    let rate_open = RwSignal::new(false);
    let rate = move |rating: u8| {
        rate_open.set(false);
        with(&|traces| actions.mark(traces, ReviewChange { rating: Some(rating), ..ReviewChange::default() }));
    };
    view! {
        <div class="bulk-bar" role="toolbar" aria-label="Selected traces" data-testid="bulk-bar">
            <span class="bulk-count" aria-live="polite" data-testid="bulk-count">{words}</span>
            <Show when=move || !is_all.get() && (count.get() < total.get())>
                <button type="button" class="link-button" data-testid="select-all-found" on:click=move |_| browser.select_all()>
                    {move || format!("Select all {} found", format::count(total.get() as u64))}
                </button>
            </Show>
            <Button kind=ButtonKind::Quiet icon=IconName::Check label="Accept" on_click=move |()| with(&|traces| actions.set_status(traces, ReviewStatus::Accepted)) testid="bulk-accept"/>
            <Button kind=ButtonKind::Quiet icon=IconName::Close label="Reject" on_click=move |()| with(&|traces| actions.set_status(traces, ReviewStatus::Rejected)) testid="bulk-reject"/>
            <Popover label="Rate" icon=IconName::Star open=rate_open testid="bulk-rate">
                <div class="rate-choices">
                    {(1..=5_u8)
                        .map(|rating| {
                            view! {
                                <button type="button" class="button" data-testid=format!("bulk-rate-{rating}") on:click=move |_| rate(rating)>
                                    {rating}
                                </button>
                            }
                        })
                        .collect_view()}
                    <Button kind=ButtonKind::Quiet label="Clear" on_click=move |()| rate(0)/>
                </div>
            </Popover>
            <Button kind=ButtonKind::Quiet icon=IconName::Tag label="Tag" on_click=move |()| with(&|traces| actions.to_tag.set(Some(traces))) testid="bulk-tag"/>
            <Button kind=ButtonKind::Quiet icon=IconName::Dataset label="Dataset" title="Plan a dataset of these traces" on_click=move |()| with(&to_dataset) testid="bulk-dataset"/>
            <Button kind=ButtonKind::Quiet icon=IconName::Export label="Export" on_click=move |()| with(&|traces| actions.to_export.set(Some(traces))) testid="bulk-export"/>
            <Button kind=ButtonKind::Quiet icon=IconName::Restart label="Run again" on_click=move |()| with(&|traces| actions.to_rerun.set(Some(traces))) testid="bulk-rerun"/>
            <Button kind=ButtonKind::Quiet icon=IconName::Trash label="Delete" on_click=move |()| with(&|traces| actions.to_delete.set(Some(traces))) testid="bulk-delete"/>
            <span class="count-gap"></span>
            <button type="button" class="icon-button" title="Select none" aria-label="Select none" data-testid="select-none" on:click=move |_| browser.selected.update(Selected::clear)>
                <Icon name=IconName::Close/>
            </button>
        </div>
    }
}
