//! All trainings: how each stands, which are compared, and the queue.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{TrainJob, TrainState};

use super::words::{in_order, long_time, loss, share_of, state_label, state_word, steps_of, waits_for};
use super::{Place, tone_of, use_paths};
use crate::components::{Button, ButtonKind, ErrorBox, IconButton, IconName, RelativeTime, Skeleton, StatusDot};
use crate::state::format;
use crate::state::keys::{Action, use_action};
use crate::state::toasts::use_toasts;
use crate::state::trains::{TrainCommand, use_trains};

/// The list, with the way to a new training above it.
#[component]
pub(super) fn TrainList() -> impl IntoView {
    let trains = use_trains();
    let paths = use_paths();
    let place = expect_context::<Memo<Place>>();
    let jobs = Memo::new(move |_| {
        let mut jobs = trains.known().to_vec();
        in_order(&mut jobs);
        jobs
    });
    let ids = Memo::new(move |_| jobs.with(|jobs| jobs.iter().map(|job| job.id.clone()).collect::<Vec<_>>()));
    let state = Memo::new(move |_| {
        trains.list.with(|list| match list {
            None => Shown::Waits,
            Some(Err(_)) => Shown::Problem,
            Some(Ok(jobs)) if jobs.is_empty() => Shown::Nothing,
            Some(Ok(_)) => Shown::Jobs,
        })
    });
    let step = move |forward: bool| {
        let next = ids.with_untracked(|ids| {
            let at = place.with_untracked(|place| match place {
                Place::Run(id) => ids.iter().position(|other| other == id),
                _ => None,
            });
            let next = match at {
                None => 0,
                Some(at) if forward => (at + 1).min(ids.len().saturating_sub(1)),
                Some(at) => at.saturating_sub(1),
            };
            ids.get(next).cloned()
        });
        if let Some(next) = next {
            paths.run(&next);
        }
    };
    use_action(Action::new("training-next", "Train", "Next training", move || step(true)).keys("KeyJ").unlisted());
    use_action(
        Action::new("training-previous", "Train", "Previous training", move || step(false)).keys("KeyK").unlisted(),
    );
    let ticked = Memo::new(move |_| trains.ticked.with(Vec::len));
    let body = move || {
        match state.get() {
        Shown::Waits => view! { <div aria-busy="true"><Skeleton lines=6/></div> }.into_any(),
        Shown::Problem => trains
            .list
            .with_untracked(|list| list.clone().and_then(Result::err))
            .map(|error| view! { <div class="train-list-note"><ErrorBox error on_retry=move |()| trains.refresh()/></div> })
            .into_any(),
        Shown::Nothing => view! {
            <p class="train-list-note quiet" data-testid="train-none">"No training yet. The first one appears here, and stays until it is deleted."</p>
        }
        .into_any(),
        Shown::Jobs => view! {
            <ul class="train-jobs" aria-label="Trainings">
                <For each=move || ids.get() key=Clone::clone let:id>
                    <Line id jobs/>
                </For>
            </ul>
        }
        .into_any(),
    }
    };
    view! {
        <section class="train-list" aria-label="Trainings" data-testid="train-list">
            <header class="train-list-head">
                <Button
                    kind=ButtonKind::Plain
                    icon=IconName::Plus
                    label="New training"
                    title="Choose a dataset version and a base model (N)"
                    disabled=Signal::derive(move || place.with(|place| *place == Place::New))
                    on_click=move |()| paths.go("/train")
                    testid="train-new"
                />
                <Show when=move || { ticked.get() > 0 }>
                    <Button
                        icon=IconName::Chart
                        label=Signal::derive(move || format!("Compare {}", ticked.get()))
                        title="Their losses on one plot (C)"
                        disabled=Signal::derive(move || place.with(|place| *place == Place::Compare))
                        on_click=move |()| paths.go("/train/compare")
                        testid="train-compare"
                    />
                    <IconButton icon=IconName::Close label="Tick none" on_click=move |()| trains.ticked.set(Vec::new()) testid="train-untick"/>
                </Show>
            </header>
            <div class="train-list-scroll">{body}</div>
        </section>
    }
}

/// What the list shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Waits,
    Problem,
    Nothing,
    Jobs,
}

#[component]
fn Line(id: String, jobs: Memo<Vec<TrainJob>>) -> impl IntoView {
    let trains = use_trains();
    let toasts = use_toasts();
    let place = expect_context::<Memo<Place>>();
    let id = StoredValue::new(id);
    let job = Memo::new(move |_| {
        jobs.with(|jobs| id.with_value(|id| jobs.iter().find(|job| job.id == *id).cloned())).unwrap_or_default()
    });
    let before = Memo::new(move |_| jobs.with(|jobs| job.with(|job| waits_for(jobs, job))));
    let open = Memo::new(move |_| place.with(|place| id.with_value(|id| *place == Place::Run(id.clone()))));
    let ticked = Signal::derive(move || id.with_value(|id| trains.is_ticked(id)));
    let state = Memo::new(move |_| job.with(|job| job.state));
    let leave = move || {
        spawn_local(async move {
            if let Err(error) = trains.command(TrainCommand::Stop, id.get_value()).await {
                toasts.error(error);
            }
        });
    };
    let figures = move || {
        job.with(|job| match job.state {
            TrainState::Queued => match before.get() {
                0 => "begins next".to_owned(),
                count => format!("waits for {}", format::counted(count as u64, "training")),
            },
            TrainState::Preparing => "rows become tokens".to_owned(),
            _ => {
                let steps = steps_of(job);
                let mut parts = vec![if steps > 0 && job.step < steps {
                    format!("{} of {}", format::count(job.step), format::counted(steps, "step"))
                } else {
                    format::counted(job.step, "step")
                }];
                if let Some(value) = job.loss {
                    parts.push(format!("loss {}", loss(value)));
                }
                if let (TrainState::Running, Some(left)) = (job.state, job.seconds_left) {
                    parts.push(format!("{} left", long_time(left)));
                }
                parts.join(" · ")
            }
        })
    };
    view! {
        <li class="train-job" class:is-open=open data-testid="train-job" data-state=move || state_word(state.get())>
            <input
                type="checkbox"
                aria-label=move || format!("Compare {}", job.with(|job| job.name.clone()))
                title="Compare"
                prop:checked=ticked
                data-testid="train-tick"
                on:change=move |_| id.with_value(|id| trains.tick(id))
            />
            <a
                class="train-job-link"
                href=move || format!("/train/{}", id.get_value())
                aria-current=move || open.get().then_some("true")
                data-testid="train-open"
            >
                <span class="train-job-name" dir="auto">{move || job.with(|job| job.name.clone())}</span>
                <span class="train-job-facts">
                    <span class=move || format!("state {}", tone_of(state.get()).class())>
                        <StatusDot tone=Signal::derive(move || tone_of(state.get()))/>
                        {move || state_label(state.get())}
                    </span>
                    <Show when=move || !state.get().is_live()>
                        <RelativeTime at_ms=Signal::derive(move || job.with(|job| job.ended_at_ms.unwrap_or(job.created_at_ms)))/>
                    </Show>
                </span>
                <Show when=move || state.get().is_live() && state.get() != TrainState::Queued>
                    <span class="progress-bar" role="progressbar" aria-label="Training" aria-valuemin="0" aria-valuemax="100" aria-valuenow=move || format!("{:.0}", job.with(share_of) * 100.0)>
                        <span style:width=move || format!("{:.1}%", job.with(share_of) * 100.0)></span>
                    </span>
                </Show>
                <span class="train-job-figures">{figures}</span>
            </a>
            <Show when=move || state.get() == TrainState::Queued>
                <IconButton icon=IconName::Close label="Take it out of the queue" on_click=move |()| leave() testid="train-leave"/>
            </Show>
        </li>
    }
}
