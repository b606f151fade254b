//! The settings behind folds, and what of them is not as usual.

use leptos::prelude::*;
use tw_contract::{BaseModel, TrainOptions, TrainSettings, TrainState};

use super::super::knobs::{Group, changed_in, of_group};
use super::super::words::{memory, schedule_shape};
use super::field::KnobField;
use super::planner::Planner;
use crate::components::{Choice, Select, TextField};
use crate::state::format;
use crate::state::models::use_models;
use crate::state::settings::use_setting;
use crate::state::trains::use_trains;

/// Width of the picture of a schedule.
const SHAPE_WIDTH: f64 = 96.0;
/// Its height.
const SHAPE_HEIGHT: f64 = 28.0;

/// The same training with the settings that nobody changed.
pub(super) fn as_usual(settings: &TrainSettings) -> TrainSettings {
    TrainSettings {
        name: settings.name.clone(),
        dataset: settings.dataset.clone(),
        base: settings.base.clone(),
        ..TrainSettings::default()
    }
}

/// All of them.
#[component]
pub(super) fn Groups(planner: Planner) -> impl IntoView {
    let open = use_setting("train-settings-open", Vec::<String>::new());
    let fold = move |group: Group| view! { <Fold group planner open/> };
    let unusual = Memo::new(move |_| planner.settings.with(|settings| *settings != as_usual(settings)));
    view! {
        <section class="plan-section" aria-label="Settings">
            <h2>"Settings"</h2>
            <p class="field-hint">
                "The usual ones work. What is changed is told on its fold. "
                <Show when=move || unusual.get()>
                    <button type="button" class="link-button" data-testid="train-usual" on:click=move |_| planner.settings.update(|settings| *settings = as_usual(settings))>
                        "All as usual"
                    </button>
                </Show>
            </p>
        </section>
        <Start planner open/>
        {Group::ALL.map(fold).into_iter().collect_view()}
    }
}

/// A fold whose open state is remembered.
#[component]
fn FoldHead(
    name: &'static str,
    open: RwSignal<Vec<String>>,
    changed: Memo<usize>,
    testid: &'static str,
) -> impl IntoView {
    let is_open = Memo::new(move |_| open.with(|open| open.iter().any(|it| it == name)));
    let turn = move |_| {
        open.update(|open| {
            if is_open.get_untracked() {
                open.retain(|it| it != name);
            } else {
                open.push(name.to_owned());
            }
        });
    };
    view! {
        <h2>
            <button type="button" class="plan-fold" aria-expanded=move || is_open.get().to_string() data-testid=testid on:click=turn>
                <span class="chevron"></span>
                {name}
                <Show when=move || { changed.get() > 0 }>
                    <small>{move || format!("{} not as usual", format::count(changed.get() as u64))}</small>
                </Show>
            </button>
        </h2>
    }
}

#[component]
fn Fold(group: Group, planner: Planner, open: RwSignal<Vec<String>>) -> impl IntoView {
    let changed = Memo::new(move |_| planner.settings.with(|settings| changed_in(group, settings)));
    let is_open = Memo::new(move |_| open.with(|open| open.iter().any(|it| it == group.label())));
    let about = move || match group {
        Group::Optimizer => Some(view! { <SchedulePicture planner/> }.into_any()),
        Group::Machine => Some(view! { <Machine/> }.into_any()),
        _ => None,
    };
    view! {
        <section class="plan-section">
            <FoldHead name=group.label() open changed testid=group.testid()/>
            <Show when=move || is_open.get()>
                <div class="knobs">
                    {of_group(group).map(|knob| view! { <KnobField knob planner/> }).collect_view()}
                </div>
                {about}
            </Show>
        </section>
    }
}

/// The learning rate along the training, small.
#[component]
fn SchedulePicture(planner: Planner) -> impl IntoView {
    let shape = Memo::new(move |_| {
        let (schedule, warmup) =
            planner.settings.with(|settings| (settings.optimizer.schedule, settings.optimizer.warmup_steps));
        // Before a plan is known, a training of 100 steps stands for it.
        let (steps, planned) =
            planner.plan.with(|plan| plan.as_ref().map_or((100, None), |plan| (plan.steps, Some(plan.warmup_steps))));
        let warmup = warmup.or(planned).unwrap_or(3);
        let points = schedule_shape(schedule, warmup, steps);
        let place = |point: &[f64; 2]| {
            format!("{:.1},{:.1}", point[0] * SHAPE_WIDTH, (1.0 - point[1]).mul_add(SHAPE_HEIGHT - 4.0, 2.0))
        };
        (points.iter().map(place).collect::<Vec<_>>().join(" "), warmup, steps)
    });
    view! {
        <p class="schedule-picture">
            <svg viewBox=format!("0 0 {SHAPE_WIDTH} {SHAPE_HEIGHT}") aria-hidden="true" focusable="false">
                <polyline points=move || shape.with(|shape| shape.0.clone())></polyline>
            </svg>
            <span class="field-hint">
                {move || {
                    let (_, warmup, steps) = shape.get();
                    let begins = if warmup == 0 {
                        "without a warm-up".to_owned()
                    } else {
                        format!("after a warm-up of {}", format::counted(warmup, "step"))
                    };
                    format!("The rate over {}, {begins}", format::counted(steps, "step"))
                }}
            </span>
        </p>
    }
}

/// What the worker found.
#[component]
fn Machine() -> impl IntoView {
    let trains = use_trains();
    move || {
        let machine = trains.options.with(|options| match options {
            Some(Ok(TrainOptions { machine: Some(machine), .. })) => Some(machine.clone()),
            _ => None,
        })?;
        let mut facts = vec![machine.devices.join(", "), format::counted(machine.threads, "thread")];
        facts.extend(machine.free_bytes.map(|bytes| format!("{} of memory free", memory(bytes))));
        facts.extend(machine.disk_bytes.map(|bytes| format!("{} of disk free", memory(bytes))));
        Some(view! { <p class="field-hint" dir="auto">"Here: " {facts.join(", ")} " (" {machine.build} ")"</p> })
    }
}

/// Whose tokenizer makes tokens, and which adapter it goes on from.
#[component]
fn Start(planner: Planner, open: RwSignal<Vec<String>>) -> impl IntoView {
    const NAME: &str = "Tokenizer and start";
    let settings = planner.settings;
    let is_open = Memo::new(move |_| open.with(|open| open.iter().any(|it| it == NAME)));
    let changed = Memo::new(move |_| {
        settings.with(|settings| usize::from(settings.tokenizer.is_some()) + usize::from(settings.adapter.is_some()))
    });
    view! {
        <section class="plan-section">
            <FoldHead name=NAME open changed testid="train-group-start"/>
            <Show when=move || is_open.get()>
                <div class="knobs">
                    <Tokenizer planner/>
                    <Adapter planner/>
                </div>
            </Show>
        </section>
    }
}

#[component]
fn Tokenizer(planner: Planner) -> impl IntoView {
    let models = use_models();
    models.ensure();
    let settings = planner.settings;
    let value = RwSignal::new(settings.with_untracked(|settings| settings.tokenizer.clone()));
    Effect::new(move |before: Option<()>| {
        let chosen = value.get();
        if before.is_some() && settings.with_untracked(|settings| settings.tokenizer != chosen) {
            settings.update(|settings| settings.tokenizer = chosen);
        }
    });
    Effect::new(move |_| {
        let now = settings.with(|settings| settings.tokenizer.clone());
        if value.with_untracked(|value| *value != now) {
            value.set(now);
        }
    });
    let options = Signal::derive(move || {
        let own = Choice::new(None, "The base model's own");
        let listed = models.list.with(|list| {
            let usable = list.iter().filter(|entry| entry.problem.is_none());
            usable.map(|entry| Choice::new(Some(entry.id.clone()), entry.name.clone())).collect::<Vec<_>>()
        });
        std::iter::once(own).chain(listed).collect::<Vec<_>>()
    });
    view! {
        <div class="knob">
            <Select
                label="Tokenizer and template"
                options
                value
                hint="Another model's, for a base that has none of its own. It must be the one the base was made with."
                testid="train-tokenizer"
            />
        </div>
    }
}

/// Where an adapter comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum From {
    Nothing,
    Training(String),
    Folder,
}

#[component]
fn Adapter(planner: Planner) -> impl IntoView {
    let trains = use_trains();
    let settings = planner.settings;
    let is_training = move |id: &str| trains.known().iter().any(|job| job.id == id);
    let read = move || {
        settings.with(|settings| match &settings.adapter {
            None => From::Nothing,
            Some(id) if is_training(id) => From::Training(id.clone()),
            Some(_) => From::Folder,
        })
    };
    let from = RwSignal::new(untrack(read));
    let folder = RwSignal::new(settings.with_untracked(|settings| settings.adapter.clone().unwrap_or_default()));
    let write = move |adapter: Option<String>| {
        if settings.with_untracked(|settings| settings.adapter != adapter) {
            settings.update(|settings| settings.adapter = adapter);
        }
    };
    Effect::new(move |before: Option<()>| {
        let chosen = from.get();
        if before.is_none() {
            return;
        }
        match chosen {
            From::Nothing => write(None),
            From::Training(id) => write(Some(id)),
            From::Folder => write(Some(folder.get().trim().to_owned()).filter(|it| !it.is_empty())),
        }
    });
    Effect::new(move |_| {
        let now = read();
        // A folder that is being typed is not there yet.
        if from.with_untracked(|from| *from != now && !(*from == From::Folder && now == From::Nothing)) {
            from.set(now);
        }
    });
    let options = Signal::derive(move || {
        let done = trains.known();
        let done = done.iter().filter(|job| job.adapter.is_some() && job.state == TrainState::Done);
        let listed = done.map(|job| Choice::new(From::Training(job.id.clone()), job.name.clone()));
        let mut all = vec![Choice::new(From::Nothing, "Nothing: a new adapter")];
        all.extend(listed);
        all.push(Choice::new(From::Folder, "An adapter's folder"));
        all
    });
    view! {
        <div class="knob">
            <Select label="Go on from" options value=from hint="An adapter of the same shape is trained on." testid="train-adapter"/>
            <Show when=move || from.with(|from| *from == From::Folder)>
                <TextField label="Folder" value=folder mono=true placeholder="~/adapters/shopping" testid="train-adapter-folder"/>
            </Show>
        </div>
    }
}

/// What is known of a base, in words.
pub(super) fn base_words(base: &BaseModel) -> String {
    let size = if base.parameters > 0 {
        format!("{} parameters", super::super::words::parameters(base.parameters))
    } else {
        String::new()
    };
    [base.family.clone(), size].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(", ")
}
