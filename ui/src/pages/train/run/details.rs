//! Below the plots: the log, the settings as they were set, and what it was made of.

use leptos::prelude::*;
use tw_contract::TrainJob;

use super::super::knobs::{Knob, changed_first};
use super::super::words::{fine_percent, parameters, times_fewer};
use super::model::Run;
use crate::components::{CopyButton, Tab, Tabs};
use crate::state::format;

/// Which of them is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Side {
    #[default]
    Log,
    Settings,
    Facts,
}

/// The log, the settings and the facts, one at a time.
#[component]
pub(super) fn Details(run: Run) -> impl IntoView {
    let side = RwSignal::new(Side::default());
    let tabs = Signal::stored(vec![
        Tab::new(Side::Log, "Log", "train-tab-log"),
        Tab::new(Side::Settings, "Settings", "train-tab-settings"),
        Tab::new(Side::Facts, "Made of", "train-tab-facts"),
    ]);
    // Settings and facts change with the plan alone.
    let job = Memo::new(move |_| {
        run.job.with(|job| {
            job.as_ref().map(|job| TrainJob {
                settings: job.settings.clone(),
                plan: job.plan.clone(),
                dataset_name: job.dataset_name.clone(),
                dataset_id: job.dataset_id.clone(),
                base_name: job.base_name.clone(),
                folder: job.folder.clone(),
                ..TrainJob::default()
            })
        })
    });
    view! {
        <section class="training-details" aria-label="Details">
            <Tabs label="Details" tabs value=side/>
            {move || match side.get() {
                Side::Log => view! { <Log run/> }.into_any(),
                Side::Settings => job.get().map(|job| view! { <Settings job/> }).into_any(),
                Side::Facts => job.get().map(|job| view! { <Facts job/> }).into_any(),
            }}
        </section>
    }
}

/// The log, the newest line first.
#[component]
fn Log(run: Run) -> impl IntoView {
    let lines = move || {
        run.log.with(|log| {
            log.iter()
                .rev()
                .map(|line| {
                    view! {
                        <li>
                            <span class="log-step">{format::count(line.step)}</span>
                            <span class="plain-text" dir="auto">{line.text.clone()}</span>
                        </li>
                    }
                })
                .collect_view()
        })
    };
    view! {
        <Show when=move || run.log.with(|log| !log.is_empty()) fallback=|| view! { <p class="training-note quiet">"Nothing was logged yet."</p> }>
            <ol class="training-log" aria-label="Log, the newest line first" data-testid="train-log" tabindex="0">{lines}</ol>
        </Show>
    }
}

#[component]
fn Settings(job: TrainJob) -> impl IntoView {
    let settings = job.settings;
    let line = |knob: &'static Knob| {
        let changed = knob.is_changed(&settings);
        view! {
            <tr class:is-changed=changed>
                <th scope="row">{knob.label}</th>
                <td>{knob.words(&settings)}</td>
                <td class="quiet">{changed.then(|| format!("usually {}", knob.words_of(&knob.usual())))}</td>
            </tr>
        }
    };
    let lines = changed_first(&settings).into_iter().map(line).collect_view();
    let path = |name: &'static str, value: Option<String>| {
        value.map(|value| {
            view! { <tr class="is-changed"><th scope="row">{name}</th><td class="mono" dir="auto" colspan="2">{value}</td></tr> }
        })
    };
    view! {
        <table class="files-table training-settings" data-testid="train-settings">
            <tbody>
                {path("Tokenizer", settings.tokenizer.clone())}
                {path("Goes on from", settings.adapter.clone())}
                {lines}
            </tbody>
        </table>
    }
}

#[component]
fn Facts(job: TrainJob) -> impl IntoView {
    let plan = &job.plan;
    let line = |name: &'static str, value: String, copy: Option<String>| {
        view! {
            <tr>
                <th scope="row">{name}</th>
                <td><span class="training-fact" dir="auto">{value} {copy.map(|copy| view! { <CopyButton text=move |()| copy.clone() label="Copy"/> })}</span></td>
            </tr>
        }
    };
    // Else it is an entry of the list of models, whose name is told.
    let is_folder = job.settings.base.contains(['/', '\\']);
    let all = plan.base_parameters + plan.trained_parameters;
    let planned = (plan.rows > 0).then(|| {
        let tokens = if plan.pack_tokens > 0 && plan.row_tokens > plan.pack_tokens {
            format!(
                "{} of rows, {} computed: {}x fewer",
                format::count(plan.row_tokens),
                format::count(plan.pack_tokens),
                times_fewer(plan.row_tokens, plan.pack_tokens)
            )
        } else {
            format::count(plan.row_tokens)
        };
        view! {
            {line("Trainable", format!("{} ({} of {} parameters)", fine_percent(plan.trained_parameters, all), parameters(plan.trained_parameters), parameters(all)), None)}
            {line("Rows", format!("{}, and {} for validation", format::count(plan.rows), format::count(plan.validation_rows)), None)}
            {line("Packs", format::count(plan.packs), None)}
            {line("Tokens", tokens, None)}
            {line("Computed on", plan.device.clone(), None)}
        }
    });
    view! {
        <table class="files-table training-facts" data-testid="train-facts">
            <tbody>
                {line("Dataset", job.dataset_name.clone(), None)}
                {line("Dataset hash", job.dataset_id.clone(), Some(job.dataset_id.clone()))}
                {line("Base model", job.base_name.clone(), None)}
                {is_folder.then(|| line("Base folder", job.settings.base.clone(), Some(job.settings.base.clone())))}
                {planned}
                {line("Folder", job.folder.clone(), Some(job.folder.clone()))}
            </tbody>
        </table>
    }
}
