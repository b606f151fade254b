//! A training that goes on, in the status strip, and what is told when one ends.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};
use tw_contract::{TrainJob, TrainState};

use super::tone_of;
use super::words::{in_order, long_time, share_of, state_label, steps_of};
use crate::components::StatusDot;
use crate::state::format;
use crate::state::toasts::{ToastAction, use_toasts};
use crate::state::trains::use_trains;

/// The training that a worker is at, and how many wait behind it; a click opens it.
#[component]
pub(crate) fn TrainStatus() -> impl IntoView {
    let trains = use_trains();
    let toasts = use_toasts();
    let path = use_location().pathname;
    let navigate = StoredValue::new_local(use_navigate());
    let go = move |id: &str| navigate.with_value(|go| go(&format!("/train/{id}"), NavigateOptions::default()));
    Effect::new(move |_| {
        let Some(job) = trains.ended.get() else { return };
        trains.ended.set(None);
        // Who looks at it sees it.
        if path.get_untracked() == format!("/train/{}", job.id) {
            return;
        }
        let words = match job.state {
            TrainState::Done => format!("{} is trained: {}.", job.name, format::counted(job.step, "step")),
            TrainState::Stopped => format!("{} was stopped.", job.name),
            TrainState::Lost => format!("The worker of {} is gone.", job.name),
            _ => format!("{} failed.", job.name),
        };
        let show = ToastAction { label: "Show", run: Callback::new(move |()| go(&job.id)) };
        toasts.offer(words, show);
    });
    let live = Memo::new(move |_| {
        let mut jobs: Vec<TrainJob> = trains.known().iter().filter(|job| job.state.is_live()).cloned().collect();
        in_order(&mut jobs);
        let queued = jobs.iter().filter(|job| job.state == TrainState::Queued).count();
        let first = jobs.into_iter().next()?;
        let behind = queued - usize::from(first.state == TrainState::Queued);
        Some((first, behind))
    });
    let share = move || live.with(|live| live.as_ref().map_or(0.0, |(job, _)| share_of(job)));
    let words = move || live.with(|live| live.as_ref().map(|(job, behind)| told(job, *behind)));
    let tone = Signal::derive(move || {
        tone_of(live.with(|live| live.as_ref().map_or(TrainState::Queued, |(job, _)| job.state)))
    });
    let open = move |_| {
        if let Some(id) = live.with_untracked(|live| live.as_ref().map(|(job, _)| job.id.clone())) {
            go(&id);
        }
    };
    view! {
        <Show when=move || live.with(Option::is_some)>
            <span class="status-part import-status">
                <button type="button" class="import-words" title="Show the training" data-testid="train-status" on:click=open>
                    <StatusDot tone/>
                    <span class="progress-bar" role="progressbar" aria-label="Training" aria-valuemin="0" aria-valuemax="100" aria-valuenow=move || format!("{:.0}", share() * 100.0)>
                        <span style:width=move || format!("{:.1}%", share() * 100.0)></span>
                    </span>
                    <span class="train-told" dir="auto">{words}</span>
                </button>
            </span>
        </Show>
    }
}

/// How far a training is, in words.
fn told(job: &TrainJob, behind: usize) -> String {
    let mut words = match job.state {
        TrainState::Running => format!("Training {}", job.name),
        state => format!("{} {}", state_label(state), job.name),
    };
    let steps = steps_of(job);
    if steps > 0 && job.step > 0 {
        words.push_str(&format!(" · {} of {}", format::count(job.step), format::counted(steps, "step")));
    }
    if let (TrainState::Running, Some(left)) = (job.state, job.seconds_left) {
        words.push_str(&format!(" · {} left", long_time(left)));
    }
    if behind > 0 {
        words.push_str(&format!(" · {} queued", format::count(behind as u64)));
    }
    words
}
