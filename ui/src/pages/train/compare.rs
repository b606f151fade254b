//! Several trainings on one plot, by step, and what sets them apart.

use leptos::prelude::*;
use tw_contract::TrainSettings;

use super::knobs::{Knob, differing};
use super::run::model::Run;
use super::run::plots::smoothings;
use super::words::{loss, norm, rate, state_label};
use super::{tone_of, use_paths};
use crate::components::{
    Button, Choice, Curve, Curves, Empty, IconButton, IconName, Key, Look, Plot, PlotView, Segmented, StatusDot,
};
use crate::state::format;
use crate::state::settings::use_setting;
use crate::state::trains::use_trains;

/// Height of the plot, in pixels.
const PLOT_PX: f64 = 340.0;

/// What is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum What {
    #[default]
    Loss,
    Validation,
    Rate,
    Norm,
}

impl What {
    /// Its curve of a training.
    fn points(self, run: Run) -> Vec<[f64; 2]> {
        let (curves, place) = match self {
            Self::Loss => (run.loss, 1),
            Self::Validation => (run.loss, 2),
            Self::Rate => (run.rate, 0),
            Self::Norm => (run.norm, 0),
        };
        curves.with(|curves| curves.0.get(place).map(|curve| curve.points.clone())).unwrap_or_default()
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Loss => "Loss, smoothed",
            Self::Validation => "Validation loss",
            Self::Rate => "Learning rate",
            Self::Norm => "Gradient norm",
        }
    }

    const fn words(self) -> fn(f64) -> String {
        match self {
            Self::Loss | Self::Validation => loss,
            Self::Rate => rate,
            Self::Norm => norm,
        }
    }
}

/// The ticked trainings.
#[component]
pub(super) fn Compare() -> impl IntoView {
    let trains = use_trains();
    let paths = use_paths();
    let smoothing = use_setting("train-smoothing", 0.9);
    let ticked = Memo::new(move |_| trains.ticked.get());
    move || {
        let ids = ticked.get();
        if ids.is_empty() {
            return view! {
                <Empty icon=IconName::Chart title="Nothing to compare yet" text="Tick trainings in the list: their losses are drawn on one plot, step by step.">
                    <Button label="New training" on_click=move |()| paths.go("/train")/>
                </Empty>
            }
            .into_any();
        }
        let runs: Vec<Run> = ids.iter().map(|id| Run::of(id, smoothing)).collect();
        view! { <Overlay runs smoothing/> }.into_any()
    }
}

#[component]
fn Overlay(runs: Vec<Run>, smoothing: RwSignal<f64>) -> impl IntoView {
    let what = RwSignal::new(What::default());
    let choices = [What::Loss, What::Validation, What::Rate, What::Norm]
        .map(|it| Choice::new(it, it.title().split(',').next().unwrap_or_default()))
        .to_vec();
    let curves = RwSignal::new(Curves::default());
    let runs = StoredValue::new(runs);
    Effect::new(move |_| {
        let what = what.get();
        let drawn = runs.with_value(|runs| {
            let curve = |(tone, run): (usize, &Run)| Curve {
                points: what.points(*run),
                ..Curve::new(name_of(*run), Look::Marked, tone)
            };
            runs.iter().enumerate().map(curve).collect()
        });
        curves.set(Curves(drawn));
    });
    let view_of = PlotView::new();
    view! {
        <section class="compare-page" aria-label="Comparison" data-testid="train-comparison">
            <header class="overlay-bar">
                <Segmented label="What is compared" options=choices value=what testid="compare-what"/>
                <Show when=move || what.get() == What::Loss>
                    <span class="compare-smoothing">
                        <span class="field-label">"Smoothing"</span>
                        <Segmented label="Smoothing of the loss" options=smoothings() value=smoothing testid="compare-smoothing"/>
                    </span>
                </Show>
            </header>
            <div class="training-scroll-page">
                {move || {
                    let what = what.get();
                    view! { <Plot title=what.title() curves view=view_of height=PLOT_PX words=what.words() testid="plot-compare"/> }
                }}
                <Table runs/>
            </div>
        </section>
    }
}

/// A training's name. Tracks it alone.
fn name_of(run: Run) -> String {
    run.job.with(|job| job.as_ref().map(|job| job.name.clone()).unwrap_or_default())
}

/// How they stand and what they differ in.
#[component]
fn Table(runs: StoredValue<Vec<Run>>) -> impl IntoView {
    let trains = use_trains();
    let paths = use_paths();
    // The settings, the datasets and the bases that differ.
    let apart = Memo::new(move |_| {
        let jobs: Vec<_> = runs.with_value(|runs| runs.iter().filter_map(|run| run.job.get()).collect());
        let settings: Vec<&TrainSettings> = jobs.iter().map(|job| &job.settings).collect();
        let knobs: Vec<&'static str> = differing(&settings).iter().map(|knob| knob.id).collect();
        let differs = |mut texts: Vec<&str>| {
            texts.dedup();
            texts.len() > 1
        };
        let datasets = differs(jobs.iter().map(|job| job.dataset_id.as_str()).collect());
        let bases = differs(jobs.iter().map(|job| job.base_name.as_str()).collect());
        (knobs, datasets, bases)
    });
    let knobs = move |ids: &[&'static str]| -> Vec<&'static Knob> {
        super::knobs::KNOBS.iter().filter(|knob| ids.contains(&knob.id)).collect()
    };
    let heads = move || {
        let (ids, datasets, bases) = apart.get();
        let heads = knobs(&ids).into_iter().map(|knob| view! { <th scope="col">{knob.label}</th> }).collect_view();
        view! {
            {datasets.then(|| view! { <th scope="col">"Dataset"</th> })}
            {bases.then(|| view! { <th scope="col">"Base"</th> })}
            {heads}
        }
    };
    let rows = runs.with_value(|runs| {
        let row = |(tone, run): (usize, &Run)| {
            let run = *run;
            let job = Memo::new(move |_| run.job.get());
            let id = StoredValue::new(run.id());
            let cells = move || {
                let (ids, datasets, bases) = apart.get();
                job.get().map(|job| {
                    let cells = knobs(&ids).into_iter().map(|knob| view! { <td>{knob.words(&job.settings)}</td> }).collect_view();
                    view! {
                        <td>
                            <span class=format!("state {}", tone_of(job.state).class())><StatusDot tone=tone_of(job.state)/>{state_label(job.state)}</span>
                        </td>
                        <td class="is-number">{format::count(job.step)}</td>
                        <td class="is-number">{job.loss.map_or_else(|| "-".to_owned(), loss)}</td>
                        <td class="is-number">{job.eval_loss.map_or_else(|| "-".to_owned(), loss)}</td>
                        {datasets.then(|| view! { <td class="mono">{job.dataset_id.get(..12).unwrap_or_default().to_owned()}</td> })}
                        {bases.then(|| view! { <td dir="auto">{job.base_name.clone()}</td> })}
                        {cells}
                    }
                })
            };
            view! {
                <tr data-testid="compare-row">
                    <th scope="row">
                        <span class="compare-name">
                            <Key look=Look::Marked tone/>
                            <button type="button" class="link-button" dir="auto" on:click=move |_| paths.run(&id.get_value())>{move || name_of(run)}</button>
                        </span>
                    </th>
                    {cells}
                    <td><IconButton icon=IconName::Close label="Leave it out" on_click=move |()| trains.tick(&id.get_value())/></td>
                </tr>
            }
        };
        runs.iter().enumerate().map(row).collect_view()
    });
    view! {
        <div class="compare-table-place">
            <table class="files-table compare-runs">
                <thead>
                    <tr>
                        <th scope="col">"Training"</th>
                        <th scope="col">"State"</th>
                        <th scope="col" class="is-number">"Step"</th>
                        <th scope="col" class="is-number">"Loss"</th>
                        <th scope="col" class="is-number">"Validation"</th>
                        {heads}
                        <th scope="col"></th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}
