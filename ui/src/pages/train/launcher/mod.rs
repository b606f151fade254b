//! The launcher: a dataset version, a base model, and what training one on the other amounts to.

mod choose;
mod field;
mod groups;
mod plan_card;
mod planner;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, TrainSettings};

use super::use_paths;
use super::words::usual_name;
use crate::components::{Button, ButtonKind, ErrorBox, IconName, Kbd, TextField};
use crate::state::datasets::use_datasets;
use crate::state::keys::{Action, use_action};
use crate::state::models::use_models;
use crate::state::settings::use_setting;
use crate::state::trains::{TrainBegin, use_trains};
use choose::{BaseChoice, DatasetChoice};
use groups::{Groups, as_usual};
use plan_card::PlanCard;
use planner::Planner;

/// The launcher.
#[component]
pub(super) fn Launcher() -> impl IntoView {
    let trains = use_trains();
    // As it was left last.
    let settings = use_setting("train-settings", TrainSettings::default());
    Effect::new(move |_| {
        let Some(begin) = trains.begin.get() else { return };
        trains.begin.set(None);
        match begin {
            TrainBegin::Dataset(id) => settings.update(|settings| settings.dataset = id),
            TrainBegin::Settings(wanted) => settings.set(*wanted),
        }
    });
    let planner = Planner::of(settings);
    view! {
        <section class="launcher" aria-label="New training" data-testid="train-launcher">
            <div class="launcher-form">
                <div class="plan-section">
                    <div class="plan-body">
                        <DatasetChoice planner/>
                        <BaseChoice planner/>
                    </div>
                </div>
                <Groups planner/>
            </div>
            <div class="launcher-side">
                <PlanCard planner/>
                <Start planner/>
            </div>
        </section>
    }
}

/// The name and the button that trains.
#[component]
fn Start(planner: Planner) -> impl IntoView {
    let trains = use_trains();
    let paths = use_paths();
    let (datasets, models) = (use_datasets(), use_models());
    let settings = planner.settings;
    let name = RwSignal::new(settings.with_untracked(|settings| settings.name.clone()));
    Effect::new(move |before: Option<()>| {
        let typed = name.get();
        if before.is_some() && settings.with_untracked(|settings| settings.name != typed) {
            settings.update(|settings| settings.name = typed);
        }
    });
    Effect::new(move |_| {
        let now = settings.with(|settings| settings.name.clone());
        if name.with_untracked(|name| *name != now) {
            name.set(now);
        }
    });
    let usual = Signal::derive(move || {
        let (base, dataset) = settings.with(|settings| (settings.base.clone(), settings.dataset.clone()));
        let base = models.list.with(|list| list.iter().find(|it| it.id == base).map(|it| it.name.clone()));
        let known = datasets.known();
        let dataset = known.iter().find(|it| !dataset.is_empty() && it.id.starts_with(&dataset));
        usual_name(&base.unwrap_or_default(), dataset.map_or("", |it| it.name.as_str()))
    });
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<ApiError>);
    let ready = Memo::new(move |_| planner.is_ready());
    let hindrance = Memo::new(move |_| {
        if !planner.is_chosen() {
            return Some("Choose a dataset version and a base model first.");
        }
        if !planner.invalid.with(std::collections::BTreeSet::is_empty) {
            return Some("A setting cannot be read: see the marked fields.");
        }
        if planner.stale.get() {
            return Some("What it amounts to is being worked out.");
        }
        (!ready.get()).then_some("It cannot start like this: see above.")
    });
    let live = Memo::new(move |_| trains.known().iter().filter(|job| job.state.is_live()).count());
    let label = Signal::derive(move || if live.get() == 0 { "Train" } else { "Add to the queue" }.to_owned());
    let start = move || {
        if !ready.get_untracked() || busy.get_untracked() {
            return;
        }
        busy.set(true);
        problem.set(None);
        let wanted = settings.get_untracked();
        spawn_local(async move {
            let answer = trains.start(wanted).await;
            if busy.is_disposed() {
                return;
            }
            busy.set(false);
            match answer {
                Ok(job) => {
                    // The next one gets a name of its own.
                    settings.update(|settings| settings.name.clear());
                    paths.run(&job.id);
                }
                Err(error) => problem.set(Some(error)),
            }
        });
    };
    let can = Signal::derive(move || ready.get() && !busy.get());
    use_action(Action::new("train-start", "Train", "Train", start).keys("Mod+Enter").when(can));
    use_action(Action::new("train-usual", "Train", "All settings as usual", move || {
        settings.update(|settings| *settings = as_usual(settings));
    }));
    view! {
        <footer class="launcher-start">
            {move || problem.get().map(|error| view! { <ErrorBox error on_close=move |()| problem.set(None)/> })}
            <TextField label="Name (optional)" value=name placeholder=usual testid="train-name"/>
            <div class="launcher-go">
                <Button
                    kind=ButtonKind::Primary
                    icon=IconName::Train
                    label
                    busy
                    disabled=Signal::derive(move || !ready.get())
                    title=Signal::derive(move || hindrance.get().unwrap_or("It goes on when the window is closed").to_owned())
                    on_click=move |()| start()
                    testid="train-start"
                />
                <Kbd keys="Mod+Enter"/>
            </div>
            <p class="field-hint" aria-live="polite" data-testid="train-hindrance">
                {move || hindrance.get().unwrap_or("It runs beside the app and goes on when the window is closed.")}
            </p>
        </footer>
    }
}
