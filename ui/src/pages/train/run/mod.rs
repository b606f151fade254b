//! One training: how it stands, its plots and figures, and what can be done with it.

mod after;
mod details;
mod figures;
pub(super) mod model;
pub(super) mod plots;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, ErrorCode, TrainJob, TrainSettings, TrainState};

use super::words::{Deed, deeds, end_of, share_of, state_label, state_word, waits_for};
use super::{tone_of, use_paths};
use crate::components::{
    Button, ButtonKind, Confirm, CopyButton, ErrorBox, Icon, IconName, Menu, MenuItem, RelativeTime, Skeleton,
    StatusDot,
};
use crate::state::format;
use crate::state::keys::{Action, use_action};
use crate::state::settings::use_setting;
use crate::state::toasts::{Toasts, use_toasts};
use crate::state::trains::{TrainBegin, TrainCommand, Trains, use_trains};
use after::After;
use details::Details;
use figures::Figures;
use model::Run;
use plots::Plots;

/// A training, by its id.
#[component]
pub(super) fn RunPage(id: String) -> impl IntoView {
    let trains = use_trains();
    let paths = use_paths();
    let smoothing = use_setting("train-smoothing", 0.9);
    let run = Run::of(&id, smoothing);
    // Its end was looked at once it is shown.
    Effect::new(move |_| {
        let Some(end) = run.job.with(|job| job.as_ref().and_then(end_of)) else { return };
        if trains.seen.with_untracked(|seen| !seen.contains(&end)) {
            let known: Vec<String> = untrack(|| trains.known().iter().filter_map(end_of).collect());
            trains.seen.update(|seen| {
                // Ends of trainings that are gone are of no use; which are gone is known with the list.
                if !known.is_empty() {
                    seen.retain(|old| known.contains(old));
                }
                seen.push(end);
            });
        }
    });
    let known = Memo::new(move |_| run.job.with(Option::is_some));
    let problem = Memo::new(move |_| run.problem.get().filter(|_| !known.get()));
    view! {
        <section class="training-page" aria-label="Training" data-testid="train-run" data-state=move || run.job.with(|job| job.as_ref().map(|job| state_word(job.state)))>
            {move || {
                problem
                    .get()
                    .map(|error| {
                        view! {
                            <div class="page-error">
                                <ErrorBox error on_retry=move |()| run.fetch()>
                                    <Button label="New training" on_click=move |()| paths.go("/train")/>
                                </ErrorBox>
                            </div>
                        }
                    })
            }}
            <Show when=move || known.get() fallback=move || problem.with(Option::is_none).then(|| view! { <div aria-busy="true"><Skeleton lines=8/></div> })>
                <Head run/>
                <div class="training-scroll-page">
                    <Trouble run/>
                    <After run/>
                    <div class="training-columns">
                        <Plots run smoothing/>
                        <Figures run/>
                    </div>
                    <Details run/>
                </div>
            </Show>
        </section>
    }
}

/// Does things with a training. Copied freely.
#[derive(Clone, Copy)]
struct Hands {
    trains: Trains,
    toasts: Toasts,
    run: Run,
    busy: RwSignal<bool>,
    deleting: RwSignal<bool>,
}

impl Hands {
    fn can(self, deed: Deed) -> bool {
        self.run.job.with(|job| job.as_ref().is_some_and(|job| deeds(job.state).contains(&deed)))
    }

    fn does(self, deed: Deed) {
        let command = match deed {
            Deed::Pause => TrainCommand::Pause,
            Deed::Resume | Deed::GoOn => TrainCommand::Resume,
            Deed::Stop | Deed::Leave => TrainCommand::Stop,
            Deed::Checkpoint => TrainCommand::Checkpoint,
            Deed::Delete => {
                self.deleting.set(true);
                return;
            }
        };
        self.send(command, || ());
    }

    fn send(self, command: TrainCommand, then: impl FnOnce() + 'static) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        let (toasts, id) = (self.toasts, self.run.id());
        spawn_local(async move {
            let answer = self.trains.command(command, id).await;
            if self.busy.is_disposed() {
                return;
            }
            self.busy.set(false);
            match answer {
                Ok(()) => {
                    // The answer is newer than what the page was told so far.
                    if command != TrainCommand::Delete {
                        self.run.fetch();
                    }
                    then();
                }
                Err(error) => toasts.error(error),
            }
        });
    }
}

#[component]
fn Head(run: Run) -> impl IntoView {
    let trains = use_trains();
    let paths = use_paths();
    let hands = Hands { trains, toasts: use_toasts(), run, busy: RwSignal::new(false), deleting: RwSignal::new(false) };
    let state = Memo::new(move |_| run.job.with(|job| job.as_ref().map(|job| job.state).unwrap_or_default()));
    let name = Signal::derive(move || run.job.with(|job| job.as_ref().map(|job| job.name.clone()).unwrap_or_default()));
    let possible = Memo::new(move |_| run.job.with(|job| job.as_ref().map(|job| deeds(job.state))).unwrap_or_default());
    let again = move || {
        if let Some(settings) = run.job.with_untracked(|job| job.as_ref().map(|job| job.settings.clone())) {
            let settings = TrainSettings { name: String::new(), ..settings };
            trains.begin.set(Some(TrainBegin::Settings(Box::new(settings))));
            paths.go("/train");
        }
    };
    offer_keys(hands, again);
    let buttons = move || {
        let step = run.job.with_untracked(|job| job.as_ref().and_then(|job| job.checkpoint_step));
        possible.get().iter().filter_map(|deed| deed_button(*deed, hands, step)).collect_view()
    };
    let menu = Signal::derive(move || {
        let mut items =
            vec![MenuItem::new("Run again with changes", again).icon(IconName::Restart).testid("train-again")];
        if possible.get().contains(&Deed::Delete) {
            items.push(
                MenuItem::new("Delete", move || hands.does(Deed::Delete))
                    .icon(IconName::Trash)
                    .danger()
                    .testid("train-delete"),
            );
        }
        items
    });
    let delete = move |()| hands.send(TrainCommand::Delete, move || paths.go("/train"));
    let share = move || run.job.with(|job| job.as_ref().map_or(0.0, share_of));
    let facts = move || {
        run.job.with(|job| {
            job.as_ref().map(|job| {
                let short = job.dataset_id.get(..12).unwrap_or(&job.dataset_id).to_owned();
                let copied = job.dataset_id.clone();
                view! {
                    <span dir="auto">{job.base_name.clone()} " on " {job.dataset_name.clone()}</span>
                    <a class="mono short-id" href=format!("/dataset/{}", job.dataset_id) title="The dataset version">{short}</a>
                    <CopyButton text=move |()| copied.clone() label="Copy the dataset's hash"/>
                    <span>"begun " <RelativeTime at_ms=job.started_at_ms.unwrap_or(job.created_at_ms)/></span>
                }
            })
        })
    };
    // What stands there changes with none of the figures.
    let identity = Memo::new(move |_| {
        run.job.with(|job| job.as_ref().map(|job| (job.dataset_id.clone(), job.started_at_ms, job.base_name.clone())))
    });
    view! {
        <header class="reader-head training-head">
            <div class="reader-title">
                <h2 dir="auto">{name}</h2>
                <div class="reader-actions">
                    {buttons}
                    <Menu label="More" items=menu testid="train-menu"/>
                </div>
            </div>
            <div class="reader-facts">
                <span class=move || format!("state {}", tone_of(state.get()).class()) data-testid="train-state" aria-live="polite">
                    <StatusDot tone=Signal::derive(move || tone_of(state.get()))/>
                    {move || state_label(state.get())}
                </span>
                {move || {
                    identity.with(|_| ());
                    untrack(facts)
                }}
            </div>
            <span class="progress-bar training-progress" role="progressbar" aria-label="Training" aria-valuemin="0" aria-valuemax="100" aria-valuenow=move || format!("{:.0}", share() * 100.0)>
                <span style:width=move || format!("{:.2}%", share() * 100.0)></span>
            </span>
            <Confirm
                open=hands.deleting
                title=Signal::derive(move || format!("Delete {}?", name.get()))
                text="Its checkpoints, its adapter, its curves and its log go for good. The dataset and the base model stay, and so does a model that was merged."
                action="Delete"
                on_confirm=delete
            />
        </header>
    }
}

fn deed_button(deed: Deed, hands: Hands, checkpoint: Option<u64>) -> Option<impl IntoView> {
    let (label, icon, kind, title, testid) = match deed {
        Deed::Pause => (
            "Pause".to_owned(),
            IconName::Pause,
            ButtonKind::Plain,
            "Hold it after the current step; what was done is kept (P)",
            "train-pause",
        ),
        Deed::Resume => ("Resume".to_owned(), IconName::Play, ButtonKind::Primary, "Go on (P)", "train-resume"),
        Deed::GoOn => (
            checkpoint
                .map_or_else(|| "Begin again".to_owned(), |step| format!("Go on from step {}", format::count(step))),
            IconName::Play,
            ButtonKind::Primary,
            "From the last checkpoint, or from the beginning where none was kept (P)",
            "train-go-on",
        ),
        Deed::Stop => (
            "Stop".to_owned(),
            IconName::Stop,
            ButtonKind::Plain,
            "End it after the current step, with a checkpoint and its adapter",
            "train-stop",
        ),
        Deed::Leave => (
            "Take it out of the queue".to_owned(),
            IconName::Close,
            ButtonKind::Plain,
            "It does not begin",
            "train-leave-queue",
        ),
        Deed::Checkpoint => (
            "Checkpoint".to_owned(),
            IconName::Import,
            ButtonKind::Plain,
            "Keep a checkpoint after the current step",
            "train-checkpoint",
        ),
        Deed::Delete => return None,
    };
    Some(view! { <Button label kind icon title busy=hands.busy on_click=move |()| hands.does(deed) testid/> })
}

fn offer_keys(hands: Hands, again: impl Fn() + Send + Sync + Copy + 'static) {
    let when = move |deed: Deed| Signal::derive(move || hands.can(deed));
    for (id, title, deed, keys) in [
        ("train-pause", "Pause the training", Deed::Pause, Some("KeyP")),
        ("train-resume", "Resume the training", Deed::Resume, Some("KeyP")),
        ("train-go-on", "Go on from the last checkpoint", Deed::GoOn, Some("KeyP")),
        ("train-checkpoint", "Keep a checkpoint now", Deed::Checkpoint, None),
        ("train-stop", "Stop the training", Deed::Stop, None),
        ("train-delete", "Delete the training", Deed::Delete, Some("Delete")),
    ] {
        let action = Action::new(id, "Train", title, move || hands.does(deed)).when(when(deed));
        use_action(match keys {
            Some(keys) => action.keys(keys),
            None => action,
        });
    }
    use_action(Action::new("train-again", "Train", "Run again with changes", again).keys("KeyR"));
    let tick = move || hands.trains.tick(&hands.run.id());
    use_action(Action::new("train-tick", "Train", "Compare this training, or not", tick).keys("KeyX"));
}

/// What stands in its way: it waits, failed, or its worker is gone.
#[component]
fn Trouble(run: Run) -> impl IntoView {
    let trains = use_trains();
    let what = Memo::new(move |_| {
        run.job.with(|job| {
            let job = job.as_ref()?;
            let error = job.error.clone();
            let keeps = job.checkpoint_step.map_or_else(
                || "No checkpoint was kept yet: it can begin again.".to_owned(),
                |step| format!("The checkpoint of step {} is kept: go on from there.", format::count(step)),
            );
            match job.state {
                TrainState::Queued => Some(Err(waiting(trains, job))),
                TrainState::Preparing => {
                    Some(Err("Rows are made into tokens and the model is read. The first step follows.".to_owned()))
                }
                TrainState::Paused => Some(Err("Paused. What was done is kept, also when the app ends.".to_owned())),
                TrainState::Stopping => {
                    Some(Err("It ends after the current step, with a checkpoint and its adapter.".to_owned()))
                }
                TrainState::Failed => {
                    Some(Ok((error.unwrap_or_else(|| "It failed without a word.".to_owned()), keeps)))
                }
                TrainState::Lost => Some(Ok((
                    error.unwrap_or_else(|| {
                        "Its worker is gone without a word: it was killed, or the power was cut.".to_owned()
                    }),
                    keeps,
                ))),
                TrainState::Running | TrainState::Stopped | TrainState::Done => None,
            }
        })
    });
    move || {
        match what.get()? {
        Err(note) => Some(
            view! { <p class="training-notice" data-testid="train-notice"><Icon name=IconName::Info/><span>{note}</span></p> }
                .into_any(),
        ),
        Ok((message, hint)) => {
            let error = ApiError::new(ErrorCode::Internal, message).with_hint(hint);
            Some(view! { <div data-testid="train-trouble"><ErrorBox error/></div> }.into_any())
        }
    }
    }
}

fn waiting(trains: Trains, job: &TrainJob) -> String {
    match waits_for(&trains.known(), job) {
        0 => "It begins next.".to_owned(),
        1 => "It waits until the training before it is over.".to_owned(),
        before => format!("It waits until the {} before it are over.", format::counted(before as u64, "training")),
    }
}
