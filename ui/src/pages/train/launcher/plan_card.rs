//! What the settings amount to, before anything is begun.

use std::sync::Arc;

use leptos::prelude::*;
use tw_contract::{TrainPlan, TrainRefusal};

use super::super::words::{fine_percent, long_time, memory, parameters, times_fewer};
use super::planner::Planner;
use crate::components::{Button, ErrorBox, Icon, IconName, Skeleton};
use crate::state::format;

/// The plan, or what stands in its place.
#[component]
pub(super) fn PlanCard(planner: Planner) -> impl IntoView {
    let stale = planner.stale;
    let chosen = Memo::new(move |_| planner.is_chosen());
    let has = Memo::new(move |_| planner.plan.with(Option::is_some));
    let progress = move || {
        let progress = planner.progress.get().filter(|it| it.total_rows > 0 && stale.get())?;
        let share = f64::from(progress.done_rows) / f64::from(progress.total_rows);
        let words = format!("{} of {}", format::count(progress.done_rows), format::counted(progress.total_rows, "row"));
        Some((share, words))
    };
    let state = move || match (chosen.get(), stale.get(), planner.problem.with(Option::is_some)) {
        (false, ..) => "empty",
        (_, true, _) => "busy",
        (_, _, true) => "problem",
        _ => "done",
    };
    view! {
        <section class="plan-card" aria-label="What it amounts to" aria-busy=move || (chosen.get() && stale.get()).to_string() data-testid="train-plan" data-state=state>
            <header class="plan-card-head">
                <h2>"What it amounts to"</h2>
                <Show when=move || chosen.get() && stale.get()>
                    <span class="plan-card-work" aria-live="polite">
                        <span class="progress-bar" role="progressbar" aria-label="Rows that are tokens" aria-valuemin="0" aria-valuemax="100" aria-valuenow=move || progress().map(|(share, _)| format!("{:.0}", share * 100.0))>
                            <span style:width=move || format!("{:.1}%", progress().map_or(0.0, |(share, _)| share * 100.0))></span>
                        </span>
                        <span>{move || progress().map_or_else(|| "working it out".to_owned(), |(_, words)| words)}</span>
                    </span>
                </Show>
            </header>
            {move || {
                planner
                    .problem
                    .get()
                    .filter(|_| !stale.get())
                    .map(|error| view! { <ErrorBox error on_retry=move |()| planner.again()/> })
            }}
            <Show when=move || !chosen.get()>
                <p class="quiet">"Choose a dataset version and a base model: what training one on the other takes is shown here before it starts."</p>
            </Show>
            <Show when=move || chosen.get() && !has.get() && stale.get()>
                <Skeleton lines=7/>
            </Show>
            <div class="plan-card-known" class:is-stale=stale>
                {move || chosen.get().then(|| planner.plan.get()).flatten().map(|plan| view! { <Known plan planner/> })}
            </div>
        </section>
    }
}

#[component]
fn Known(plan: Arc<TrainPlan>, planner: Planner) -> impl IntoView {
    let all = plan.base_parameters + plan.trained_parameters;
    let share = fine_percent(plan.trained_parameters, all);
    let of = format!("{} of {} parameters", parameters(plan.trained_parameters), parameters(all));
    let mut out = Vec::new();
    if plan.too_long > 0 {
        out.push(format!("{} too long", format::counted(plan.too_long, "row")));
    }
    if plan.untrained > 0 {
        out.push(format!("{} without a trained token", format::counted(plan.untrained, "row")));
    }
    let left_out = (!out.is_empty()).then(|| format!("left out: {}", out.join(", ")));
    let validation = if plan.validation_rows > 0 {
        format!("and {} for validation", format::count(plan.validation_rows))
    } else {
        "none for validation".to_owned()
    };
    let saved = plan.row_tokens > plan.pack_tokens && plan.pack_tokens > 0;
    let tokens = if saved {
        format!("{}x fewer", times_fewer(plan.row_tokens, plan.pack_tokens))
    } else {
        format::short_count(plan.pack_tokens)
    };
    let tokens_note = if saved {
        format!(
            "{} are computed for {} of rows: shared beginnings once",
            format::short_count(plan.pack_tokens),
            format::short_count(plan.row_tokens)
        )
    } else {
        format!("{} of them trained", format::short_count(plan.trained_tokens))
    };
    let computed = if plan.row_tokens == 0 { 1.0 } else { (plan.pack_tokens as f64 / plan.row_tokens as f64).min(1.0) };
    let warmup = if plan.warmup_steps > 0 {
        format!("{} of warm-up", format::counted(plan.warmup_steps, "step"))
    } else {
        "no warm-up".to_owned()
    };
    let time = plan.seconds.map_or_else(|| "Not known".to_owned(), long_time);
    let time_note = if plan.seconds.is_some() {
        "about, by the speed measured here"
    } else {
        "before the first training of this size here"
    };
    view! {
        {plan.refusal.clone().map(|refusal| view! { <Refusal refusal planner/> })}
        <div class="plan-tiles">
            <Tile name="Trainable" value=share note=of testid="plan-share"/>
            <Tile name="Rows" value=format::count(plan.rows) note=validation testid="plan-rows"/>
            <Tile name="Steps" value=format::count(plan.steps) note=format!("{}, {warmup}", format::counted(plan.packs, "pack")) testid="plan-steps"/>
            <Tile name="Time" value=time note=time_note testid="plan-time"/>
        </div>
        <div class="plan-bars">
            <div class="plan-line">
                <span class="plan-line-name">"Tokens"</span>
                <b data-testid="plan-tokens">{tokens}</b>
                <span class="plan-bar" aria-hidden="true"><span class="is-tokens" style:width=format!("{:.1}%", computed * 100.0)></span></span>
                <small>{tokens_note}</small>
            </div>
            <Memory plan=Arc::clone(&plan)/>
        </div>
        <p class="plan-device" dir="auto">"Computes on " <b>{plan.device.clone()}</b> {left_out.map(|words| format!(" · {words}"))}</p>
        {(!plan.warnings.is_empty())
            .then(|| {
                view! {
                    <ul class="plan-warnings" data-testid="plan-warnings">
                        {plan.warnings.iter().map(|warning| view! { <li dir="auto"><Icon name=IconName::Warning/><span>{warning.clone()}</span></li> }).collect_view()}
                    </ul>
                }
            })}
    }
}

#[component]
fn Tile(
    name: &'static str,
    #[prop(into)] value: String,
    #[prop(into)] note: String,
    testid: &'static str,
) -> impl IntoView {
    view! {
        <div class="tile" data-testid=testid>
            <span class="tile-name">{name}</span>
            <span class="tile-value">{value}</span>
            <span class="tile-note">{note}</span>
        </div>
    }
}

/// What the largest step is expected to take, against what it may.
#[component]
fn Memory(plan: Arc<TrainPlan>) -> impl IntoView {
    let peak = plan.peak_bytes as f64;
    let allowed = plan.allowed_bytes;
    let share = allowed.map_or(0.0, |allowed| (peak / allowed.max(1) as f64).min(1.0));
    let over = allowed.is_some_and(|allowed| plan.peak_bytes > allowed);
    let note = match allowed {
        Some(allowed) => format!("expected at most, of {} that it may take", memory(allowed)),
        None => "expected at most; how much is free is not known".to_owned(),
    };
    view! {
        <div class="plan-line" class:is-over=over>
            <span class="plan-line-name">"Memory"</span>
            <b data-testid="plan-memory">{memory(plan.peak_bytes)}</b>
            <span class="plan-bar" aria-hidden="true"><span style:width=format!("{:.1}%", share * 100.0)></span></span>
            <small>{note}</small>
        </div>
    }
}

#[component]
fn Refusal(refusal: TrainRefusal, planner: Planner) -> impl IntoView {
    let offered = refusal.settings;
    view! {
        <div class="error-box" role="alert" data-testid="plan-refusal">
            <Icon name=IconName::Error/>
            <div class="error-body">
                <p class="error-message" dir="auto">{refusal.reason}</p>
                {(!refusal.suggestion.is_empty()).then(|| view! { <p class="error-hint" dir="auto">{refusal.suggestion}</p> })}
                {offered
                    .map(|offered| {
                        let take = move |()| {
                            let name = planner.settings.with_untracked(|settings| settings.name.clone());
                            let mut offered = (*offered).clone();
                            offered.name = name;
                            planner.settings.set(offered);
                        };
                        view! { <div class="error-actions"><Button label="Take these settings" on_click=take testid="plan-take"/></div> }
                    })}
            </div>
        </div>
    }
}
