//! What the settings amount to: asked of the host as they change, shown as far as it is known.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, Event, EventBody, TrainPlan, TrainPlanProgress, TrainSettings};

use crate::backend::{Api, Tail, use_api, use_events};

/// A plan is asked for when the settings have not changed for so long.
const SETTLE: Duration = Duration::from_millis(400);

/// The plan of settings. Copied freely.
#[derive(Clone, Copy)]
pub(super) struct Planner {
    api: StoredValue<Api>,
    /// The settings.
    pub(super) settings: RwSignal<TrainSettings>,
    /// What is wrong in fields, by their names.
    pub(super) invalid: RwSignal<BTreeSet<&'static str>>,
    /// The plan; that of the settings before until there is a newer one.
    pub(super) plan: RwSignal<Option<Arc<TrainPlan>>>,
    /// Why there is no newer one.
    pub(super) problem: RwSignal<Option<ApiError>>,
    /// Whether the plan is not (yet) that of the settings.
    pub(super) stale: RwSignal<bool>,
    /// Rows that are tokens while it is worked out.
    pub(super) progress: RwSignal<Option<TrainPlanProgress>>,
    /// Counts plans: what a later one overtook is dropped.
    round: StoredValue<u64>,
    timer: StoredValue<Option<TimeoutHandle>>,
}

impl Planner {
    /// Of settings, and of all that they become.
    pub(super) fn of(settings: RwSignal<TrainSettings>) -> Self {
        let planner = Self {
            api: StoredValue::new(use_api()),
            settings,
            invalid: RwSignal::new(BTreeSet::new()),
            plan: RwSignal::new(None),
            problem: RwSignal::new(None),
            stale: RwSignal::new(true),
            progress: RwSignal::new(None),
            round: StoredValue::new(0),
            timer: StoredValue::new(None),
        };
        // The name changes nothing of it.
        let nameless = Memo::new(move |_| settings.with(|it| TrainSettings { name: String::new(), ..it.clone() }));
        Effect::new(move |before: Option<()>| {
            nameless.with(|_| ());
            planner.later(if before.is_none() { Duration::ZERO } else { SETTLE });
        });
        use_events().listen(Event::TRAIN_PLAN, move |tail| {
            if let Tail::Event(event) = tail
                && let EventBody::TrainPlanProgress(progress) = &event.body
                && planner.stale.try_get_untracked() == Some(true)
            {
                planner.progress.set(Some(*progress));
            }
        });
        on_cleanup(move || {
            if let Some(Some(timer)) = planner.timer.try_update_value(Option::take) {
                timer.clear();
            }
        });
        planner
    }

    /// Whether there is something to plan. Tracks.
    pub(super) fn is_chosen(self) -> bool {
        self.settings.with(|settings| !settings.dataset.is_empty() && !settings.base.is_empty())
    }

    /// Whether the plan is that of the settings and can start. Tracks.
    pub(super) fn is_ready(self) -> bool {
        self.is_chosen()
            && !self.stale.get()
            && self.invalid.with(BTreeSet::is_empty)
            && self.problem.with(Option::is_none)
            && self.plan.with(|plan| plan.as_ref().is_some_and(|plan| plan.refusal.is_none()))
    }

    fn later(self, pause: Duration) {
        let Some(waiting) = self.timer.try_update_value(Option::take) else { return };
        if let Some(waiting) = waiting {
            waiting.clear();
        }
        self.stale.set(true);
        let start = move || {
            if self.timer.try_set_value(None).is_none() {
                self.again();
            }
        };
        self.timer.set_value(set_timeout_with_handle(start, pause).ok());
    }

    /// Asks for it (again); an older question is overtaken.
    pub(super) fn again(self) {
        let Some(round) = self.round.try_update_value(|round| {
            *round += 1;
            *round
        }) else {
            return;
        };
        self.progress.set(None);
        let settings = self.settings.get_untracked();
        if settings.dataset.is_empty() || settings.base.is_empty() {
            self.plan.set(None);
            self.problem.set(None);
            return;
        }
        self.stale.set(true);
        let api = self.api.get_value();
        spawn_local(async move {
            let answer = api.train_plan(settings).await;
            if self.round.try_get_value() != Some(round) {
                return;
            }
            self.progress.set(None);
            match answer {
                Ok(plan) => {
                    self.problem.set(None);
                    self.plan.set(Some(Arc::new(plan)));
                }
                Err(error) => {
                    self.plan.set(None);
                    self.problem.set(Some(error));
                }
            }
            self.stale.set(false);
        });
    }

    /// Notes whether a field can be read.
    pub(super) fn mark(self, id: &'static str, is_wrong: bool) {
        if self.invalid.try_with_untracked(|invalid| invalid.contains(id)) == Some(!is_wrong) {
            self.invalid.update(|invalid| {
                if is_wrong {
                    invalid.insert(id);
                } else {
                    invalid.remove(id);
                }
            });
        }
    }
}
