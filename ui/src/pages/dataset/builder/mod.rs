//! The plan of a new version: what a person sets at the left, what it would give at the right.

mod preview;
mod rules;
mod source;

use leptos::prelude::*;
use tw_artifact::DatasetPlan;

use super::words::hindrance;
use crate::components::{Button, ButtonKind, ErrorBox, IconName, Kbd, Split, TextField};
use crate::state::clock::use_clock;
use crate::state::datasets::{BuildState, PlanBegin, use_datasets};
use crate::state::keys::{Action, use_action};
use crate::state::settings::use_setting;
pub(super) use preview::Legend;
use preview::{Preview, PreviewPane};
use rules::{Counting, Limits, More, Parts, Unrolling};
use source::Source;

/// One setting of the plan, as a signal that follows it and is followed.
fn part<T>(plan: RwSignal<DatasetPlan>, get: fn(&DatasetPlan) -> T, set: fn(&mut DatasetPlan, T)) -> RwSignal<T>
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    let value = RwSignal::new(plan.with_untracked(get));
    Effect::new(move |_| {
        let now = plan.with(get);
        if value.with_untracked(|value| *value != now) {
            value.set(now);
        }
    });
    Effect::new(move |before: Option<()>| {
        let now = value.get();
        if before.is_some() && plan.with_untracked(get) != now {
            plan.update(|plan| set(plan, now));
        }
    });
    value
}

/// The builder.
#[component]
pub(super) fn Builder() -> impl IntoView {
    // As it was left last.
    let plan = use_setting("dataset-plan", DatasetPlan::default());
    begin_with(plan);
    let preview = Preview::of(plan);
    view! {
        <Split
            key="dataset-plan-split"
            first_share=0.36
            min_px=380.0
            first=move || view! { <Settings plan preview/> }
            second=move || view! { <PreviewPane plan preview/> }
        />
    }
}

/// Takes over what another place asks the plan to begin with.
fn begin_with(plan: RwSignal<DatasetPlan>) {
    let datasets = use_datasets();
    Effect::new(move |_| {
        let Some(begin) = datasets.begin.get() else { return };
        datasets.begin.set(None);
        match begin {
            PlanBegin::Plan(wanted) => plan.set(*wanted),
            PlanBegin::Traces(traces) => plan.update(|plan| plan.traces = traces),
        }
    });
}

#[component]
fn Settings(plan: RwSignal<DatasetPlan>, preview: Preview) -> impl IntoView {
    view! {
        <section class="plan" aria-label="Plan" data-testid="dataset-plan">
            <div class="plan-scroll">
                <PlanSection title="Traces">
                    <Source plan preview/>
                </PlanSection>
                <PlanSection title="Rows">
                    <Unrolling plan/>
                </PlanSection>
                <PlanSection title="Tokens">
                    <Counting plan/>
                    <Limits plan/>
                </PlanSection>
                <PlanSection title="Validation">
                    <Parts plan/>
                </PlanSection>
                <More plan/>
            </div>
            <BuildBar plan preview/>
        </section>
    }
}

#[component]
fn PlanSection(title: &'static str, children: Children) -> impl IntoView {
    view! {
        <section class="plan-section">
            <h2>{title}</h2>
            <div class="plan-body">{children()}</div>
        </section>
    }
}

/// The name, and the button that builds.
#[component]
fn BuildBar(plan: RwSignal<DatasetPlan>, preview: Preview) -> impl IntoView {
    let datasets = use_datasets();
    let clock = use_clock();
    let name = part(plan, |plan| plan.name.clone(), |plan, name| plan.name = name);
    let names = move || {
        let mut names: Vec<String> = datasets.known().iter().map(|version| version.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    };
    let hindered = Memo::new(move |_| {
        plan.with(hindrance)
            .or_else(|| preview.is_empty().then_some("Nothing to build: no trace of these becomes a row."))
    });
    let running = Memo::new(move |_| datasets.is_building());
    let can = Signal::derive(move || hindered.with(Option::is_none) && !running.get());
    let build = move || {
        if can.get_untracked() {
            datasets.start(plan.get_untracked());
        }
    };
    use_action(Action::new("dataset-build", "Dataset", "Build the version", build).keys("Mod+Enter").when(can));
    let failed = move || {
        let error = datasets.build.with(|build| build.as_ref().and_then(|build| build.failed.clone()))?;
        Some(
            view! { <ErrorBox error on_retry=move |()| { datasets.dismiss(); build(); } on_close=move |()| datasets.dismiss()/> },
        )
    };
    let share = move || datasets.build.with(|build| build.as_ref().map_or(0.0, BuildState::share));
    let ending = Signal::derive(move || datasets.build.with(|build| build.as_ref().is_some_and(|build| build.ending)));
    let words =
        move || datasets.build.with(|build| build.as_ref().map(|build| super::progress::told(build, clock.now_ms())));
    view! {
        <footer class="build-bar">
            {failed}
            <Show
                when=move || running.get()
                fallback=move || view! {
                    <div class="build-line">
                        <div class="build-name">
                            <TextField label="Name" value=name placeholder="web-shopping" testid="dataset-name"/>
                            <div class="name-offers">
                                {move || {
                                    names()
                                        .into_iter()
                                        .filter(|known| name.with(|name| name != known))
                                        .take(3)
                                        .map(|known| {
                                            let own = known.clone();
                                            view! { <button type="button" class="link-button" title="A further version of this dataset" on:click=move |_| name.set(own.clone())>{known}</button> }
                                        })
                                        .collect_view()
                                }}
                            </div>
                        </div>
                        <Button
                            kind=ButtonKind::Primary
                            icon=IconName::Dataset
                            label="Build"
                            disabled=Signal::derive(move || !can.get())
                            title=Signal::derive(move || hindered.get().unwrap_or("A version that never changes").to_owned())
                            on_click=move |()| build()
                            testid="dataset-build"
                        />
                        <Kbd keys="Mod+Enter"/>
                    </div>
                    {move || hindered.get().map(|why| view! { <p class="field-hint" data-testid="build-hindrance">{why}</p> })}
                }
            >
                <div class="build-progress" data-testid="build-progress">
                    <span class="progress-bar" role="progressbar" aria-label="Build" aria-valuemin="0" aria-valuemax="100" aria-valuenow=move || format!("{:.0}", share() * 100.0)>
                        <span style:width=move || format!("{:.1}%", share() * 100.0)></span>
                    </span>
                    <span aria-live="polite">{words}</span>
                    <Button label="Cancel" disabled=ending on_click=move |()| datasets.cancel() testid="build-cancel"/>
                </div>
            </Show>
        </footer>
    }
}
