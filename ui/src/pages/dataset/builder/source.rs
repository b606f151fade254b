//! Which traces: a query, a saved view, or some that were chosen.

use std::time::Duration;

use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::A;
use tw_artifact::{DatasetPlan, TraceChoice};
use tw_contract::TraceQuery;

use super::part;
use super::preview::Preview;
use crate::backend::use_api;
use crate::components::{Button, Icon, IconName, Switch};
use crate::pages::review::use_saved_queries;
use crate::state::format;

/// A query is asked when nothing was typed for so long.
const TYPED: Duration = Duration::from_millis(180);

/// The choice of traces.
#[component]
pub(super) fn Source(plan: RwSignal<DatasetPlan>, preview: Preview) -> impl IntoView {
    let chosen = Memo::new(move |_| {
        plan.with(|plan| match &plan.traces {
            TraceChoice::Ids(ids) => Some(ids.len()),
            TraceChoice::Query(_) => None,
        })
    });
    let accepted = part(plan, |plan| plan.accepted_only, |plan, only| plan.accepted_only = only);
    view! {
        {move || match chosen.get() {
            Some(count) => view! {
                <div class="chosen-traces" data-testid="chosen-traces">
                    <span>{format::counted(count as u64, "trace")} " chosen one by one"</span>
                    <Button label="Use a query instead" on_click=move |()| plan.update(|plan| plan.traces = TraceChoice::Query(String::new())) testid="use-query"/>
                </div>
            }
                .into_any(),
            None => view! { <Query plan/> }.into_any(),
        }}
        <label class="switch-line">
            <Switch label="Only accepted traces" on=accepted on_change=move |on| accepted.set(on) testid="accepted-only"/>
            <span>"Only accepted traces" <small>"Rejected ones never go in."</small></span>
        </label>
        {move || {
            preview
                .figures
                .get()
                .filter(|figures| !figures.left_out.is_empty())
                .map(|figures| {
                    let out: u32 = figures.left_out.iter().map(|it| it.traces).sum();
                    let used = figures.train.traces + figures.validation.traces;
                    view! { <p class="field-hint" data-testid="traces-used">{format!("{} used, {} left out.", format::counted(used, "trace"), format::count(out))}</p> }
                })
        }}
    }
}

/// The query, with the saved views at hand and what it finds.
#[component]
fn Query(plan: RwSignal<DatasetPlan>) -> impl IntoView {
    let api = StoredValue::new(use_api());
    let query = part(
        plan,
        |plan| match &plan.traces {
            TraceChoice::Query(query) => query.clone(),
            TraceChoice::Ids(_) => String::new(),
        },
        |plan, query| plan.traces = TraceChoice::Query(query),
    );
    let views = use_saved_queries();
    let found = RwSignal::new(None::<(u32, Vec<String>)>);
    let round = StoredValue::new(0_u64);
    let timer = StoredValue::new(None::<TimeoutHandle>);
    let count = move || {
        let Some(number) = round.try_update_value(|round| {
            *round += 1;
            *round
        }) else {
            return;
        };
        let api = api.get_value();
        let request = TraceQuery { search: query.get_untracked(), limit: 1, ..TraceQuery::default() };
        spawn_local(async move {
            // What fails here is told by the preview, which asks the same.
            if let Ok(page) = api.trace_list(request).await
                && round.try_get_value() == Some(number)
            {
                found.set(Some((page.total, page.problems)));
            }
        });
    };
    Effect::new(move |_| {
        query.track();
        if let Some(waiting) = timer.try_update_value(Option::take).flatten() {
            waiting.clear();
        }
        let start = move || {
            if timer.try_set_value(None).is_none() {
                count();
            }
        };
        timer.set_value(set_timeout_with_handle(start, TYPED).ok());
    });
    let address = move || format!("/review?query={}", String::from(js_sys::encode_uri_component(&query.read())));
    view! {
        <div class="query-line">
            <Icon name=IconName::Search/>
            <input
                class="input"
                type="search"
                aria-label="Which traces"
                placeholder="All traces, or words and fields: tag:shop rating:>=4 -lint:secret"
                autocomplete="off"
                spellcheck="false"
                dir="auto"
                prop:value=query
                data-testid="dataset-query"
                on:input:target=move |event| query.set(event.target().value())
            />
        </div>
        <Show when=move || views.with(|views| !views.is_empty())>
            <div class="plan-views" role="group" aria-label="Saved views">
                <For
                    each=move || views.get()
                    key=Clone::clone
                    children=move |(name, saved)| {
                        let own = saved.clone();
                        let is_shown = Memo::new(move |_| query.with(|query| query.trim() == own.trim()));
                        view! {
                            <button
                                type="button"
                                class="view-chip"
                                class:is-shown=is_shown
                                aria-pressed=move || is_shown.get().to_string()
                                title=saved.clone()
                                data-testid="dataset-view"
                                on:click=move |_| query.set(saved.clone())
                            >
                                <span class="view-name" dir="auto">{name}</span>
                            </button>
                        }
                    }
                />
            </div>
        </Show>
        <p class="found-line" aria-live="polite">
            {move || {
                found
                    .get()
                    .map(|(total, problems)| {
                        view! {
                            <A href=address attr:title="Look at them in Review" attr:data-testid="traces-found">{format!("{} found", format::counted(total, "trace"))}</A>
                            {problems.into_iter().map(|problem| view! { <span class="tone-warn" dir="auto">{problem}</span> }).collect_view()}
                        }
                    })
            }}
        </p>
    }
}
