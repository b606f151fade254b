//! Train: choose a dataset version and a base model, see what that amounts to, train an adapter and watch it.

mod compare;
mod knobs;
mod launcher;
mod list;
mod run;
mod status;
mod words;

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_params_map};

use crate::components::{Split, Tone};
use crate::state::keys::{Action, use_action};
use crate::state::trains::use_trains;
use compare::Compare;
use launcher::Launcher;
use list::TrainList;
use run::RunPage;
use tw_contract::TrainState;

pub(crate) use status::TrainStatus;

/// What the page shows beside the list.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// The launcher.
    New,
    /// The trainings that are ticked, on one plot.
    Compare,
    /// One, by its id.
    Run(String),
}

/// Leads from one place of the page to another. Copied freely; given by context.
#[derive(Clone, Copy)]
struct Paths(Callback<String>);

impl Paths {
    /// Shows another page, or another place of this one.
    fn go(self, path: impl Into<String>) {
        self.0.run(path.into());
    }

    /// Shows a training.
    fn run(self, id: &str) {
        self.go(format!("/train/{id}"));
    }
}

fn use_paths() -> Paths {
    expect_context()
}

/// How many trainings ended by themselves and were not looked at since.
pub(crate) fn unseen() -> Signal<u32> {
    let trains = use_trains();
    let count = Memo::new(move |_| {
        let jobs = trains.known();
        let new =
            trains.seen.with(|seen| jobs.iter().filter_map(words::end_of).filter(|end| !seen.contains(end)).count());
        u32::try_from(new).unwrap_or(u32::MAX)
    });
    count.into()
}

/// What a state means.
const fn tone_of(state: TrainState) -> Tone {
    match state {
        TrainState::Preparing | TrainState::Running | TrainState::Stopping => Tone::Active,
        TrainState::Done => Tone::Good,
        TrainState::Paused => Tone::Warn,
        TrainState::Failed | TrainState::Lost => Tone::Bad,
        TrainState::Queued | TrainState::Stopped => Tone::Neutral,
    }
}

/// The page, at `/train`, `/train/compare` and `/train/<id>`.
#[component]
pub(crate) fn TrainPage() -> impl IntoView {
    let navigate = StoredValue::new_local(use_navigate());
    let paths = Paths(Callback::new(move |path: String| {
        navigate.try_with_value(|go| go(&path, NavigateOptions::default()));
    }));
    provide_context(paths);
    let trains = use_trains();
    if trains.list.with_untracked(|list| !matches!(list, Some(Ok(_)))) {
        trains.refresh();
    }
    let params = use_params_map();
    let place = Memo::new(move |_| match params.with(|params| params.get("id")).as_deref() {
        None | Some("" | "new") => Place::New,
        Some("compare") => Place::Compare,
        Some(id) => Place::Run(id.to_owned()),
    });
    provide_context(place);
    use_action(
        Action::new("train-new", "Train", "New training", move || paths.go("/train"))
            .keys("KeyN")
            .when(Signal::derive(move || place.with(|place| *place != Place::New))),
    );
    use_action(
        Action::new("train-compare", "Train", "Compare the ticked trainings", move || paths.go("/train/compare"))
            .keys("KeyC")
            .when(Signal::derive(move || trains.ticked.with(|ticked| !ticked.is_empty()))),
    );
    view! {
        <div class="train-page" data-testid="train-page">
            <Split
                key="train-split"
                first_share=0.24
                min_px=250.0
                first=move || view! { <TrainList/> }
                second=move || {
                    view! {
                        {move || match place.get() {
                            Place::New => view! { <Launcher/> }.into_any(),
                            Place::Compare => view! { <Compare/> }.into_any(),
                            Place::Run(id) => view! { <RunPage id/> }.into_any(),
                        }}
                    }
                }
            />
        </div>
    }
}
