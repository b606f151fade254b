//! What a plan would give: worked out by the host while the person sets it, shown as far as it is known.

use std::sync::Arc;
use std::time::Duration;

use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{DatasetFamily, DatasetPlan, DatasetPreview};
use tw_contract::{ApiError, DatasetProgress, ErrorCode, Event};

use super::super::families::{FamilyActions, FamilyList};
use super::super::figures::{Estimates, Histograms, LeftOuts, RowLinks, Totals, Warnings};
use super::super::use_paths;
use super::super::words::trace_of_row;
use super::part;
use crate::backend::{Api, use_api, use_events};
use crate::components::{Empty, ErrorBox, Icon, IconName, ListHandle, Skeleton, Tab, Tabs};
use crate::state::datasets::{Datasets, use_datasets};
use crate::state::format;

/// A plan is worked out when it has not changed for so long.
const SETTLE: Duration = Duration::from_millis(350);
/// Changes of traces are taken in at most so often.
const TRACES_SETTLE: Duration = Duration::from_millis(2_500);

/// What a plan would give. Copied freely.
#[derive(Clone, Copy)]
pub(super) struct Preview {
    api: StoredValue<Api>,
    datasets: Datasets,
    plan: RwSignal<DatasetPlan>,
    /// The figures; those of the plan before until there are newer ones.
    pub(super) figures: RwSignal<Option<Arc<DatasetPreview>>>,
    /// Traces that are done, and in all, while it is worked out.
    pub(super) done: RwSignal<Option<(u32, u32)>>,
    /// Why there are no newer figures.
    pub(super) problem: RwSignal<Option<ApiError>>,
    /// Whether the figures are not (yet) those of the plan.
    pub(super) stale: RwSignal<bool>,
    /// Counts plans: what a later one overtook is dropped.
    round: StoredValue<u64>,
    /// The host's work.
    work: StoredValue<Option<String>>,
    timer: StoredValue<Option<TimeoutHandle>>,
    traces_changed: StoredValue<bool>,
}

impl Preview {
    /// Of a plan, and of every one that it becomes.
    pub(super) fn of(plan: RwSignal<DatasetPlan>) -> Self {
        let preview = Self {
            api: StoredValue::new(use_api()),
            datasets: use_datasets(),
            plan,
            figures: RwSignal::new(None),
            done: RwSignal::new(None),
            problem: RwSignal::new(None),
            stale: RwSignal::new(true),
            round: StoredValue::new(0),
            work: StoredValue::new(None),
            timer: StoredValue::new(None),
            traces_changed: StoredValue::new(false),
        };
        // The name changes nothing of it.
        let nameless = Memo::new(move |_| plan.with(|plan| DatasetPlan { name: String::new(), ..plan.clone() }));
        Effect::new(move |before: Option<()>| {
            // Read, not only tracked: a memo that nobody reads never looks at what it is made of.
            nameless.with(|_| ());
            preview.stale.set(true);
            preview.later(if before.is_none() { Duration::ZERO } else { SETTLE });
        });
        use_events().listen(Event::TRACES, move |_| {
            if preview.traces_changed.try_get_value() == Some(false) {
                preview.traces_changed.set_value(true);
                set_timeout(
                    move || {
                        if preview.traces_changed.try_set_value(false).is_none() && !preview.stale.get_untracked() {
                            preview.again();
                        }
                    },
                    TRACES_SETTLE,
                );
            }
        });
        let datasets = preview.datasets;
        on_cleanup(move || {
            if let Some(Some(id)) = preview.work.try_get_value() {
                datasets.drop_work(id);
            }
            if let Some(Some(timer)) = preview.timer.try_update_value(Option::take) {
                timer.clear();
            }
        });
        preview
    }

    /// Whether it is known that nothing comes of the plan. Tracks.
    pub(super) fn is_empty(self) -> bool {
        !self.stale.get()
            && self.figures.with(|figures| {
                figures.as_ref().is_some_and(|it| {
                    it.train.rows + it.validation.rows + it.train.preferences + it.validation.preferences == 0
                })
            })
    }

    fn later(self, pause: Duration) {
        let Some(waiting) = self.timer.try_update_value(Option::take) else { return };
        if let Some(waiting) = waiting {
            waiting.clear();
        }
        let start = move || {
            if self.timer.try_set_value(None).is_none() {
                self.again();
            }
        };
        self.timer.set_value(set_timeout_with_handle(start, pause).ok());
    }

    /// Works it out (again); what is under way for an older plan ends.
    pub(super) fn again(self) {
        let Some(round) = self.round.try_update_value(|round| {
            *round += 1;
            *round
        }) else {
            return;
        };
        if let Some(id) = self.work.try_update_value(Option::take).flatten() {
            self.datasets.drop_work(id);
        }
        self.stale.set(true);
        let api = self.api.get_value();
        let plan = self.plan.get_untracked();
        spawn_local(async move {
            let ended = match api.dataset_preview(plan).await {
                Ok(progress) => {
                    let id = progress.id;
                    if self.round.try_get_value() != Some(round) {
                        self.datasets.drop_work(id);
                        return;
                    }
                    self.work.set_value(Some(id.clone()));
                    let polled = std::cell::Cell::new(0_u32);
                    self.datasets
                        .follow(&id, move |progress| {
                            polled.set(polled.get() + u32::from(progress.preview.is_some()));
                            // The first rows of a short work would only flicker.
                            self.take(round, progress, polled.get() > 1);
                        })
                        .await
                }
                Err(error) => Err(error),
            };
            if self.round.try_get_value() != Some(round) {
                return;
            }
            self.work.set_value(None);
            self.done.set(None);
            let problem = match ended {
                Ok(progress) => match progress.ended.as_deref() {
                    Some("done") => {
                        self.stale.set(false);
                        None
                    }
                    // Another window began one: the host works on one at a time.
                    Some("cancelled") | None => Some(
                        ApiError::new(ErrorCode::Internal, "The figures were not worked out to the end.")
                            .with_hint("Another window may have asked for others meanwhile."),
                    ),
                    Some(failed) => Some(ApiError::new(ErrorCode::Internal, failed.to_owned())),
                },
                Err(error) => Some(error),
            };
            self.problem.set(problem);
        });
    }

    fn take(self, round: u64, progress: &DatasetProgress, partly: bool) {
        if self.round.try_get_value() != Some(round) {
            return;
        }
        self.done.set(Some((progress.done_traces, progress.total_traces)));
        let over = progress.ended.as_deref() == Some("done");
        if let Some(preview) = &progress.preview
            && (over || partly && progress.rows > 0)
        {
            self.figures.set(Some(Arc::new(preview.as_ref().clone())));
        }
    }
}

/// What the right side shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Side {
    /// The figures.
    #[default]
    Figures,
    /// The traces with their rows.
    Families,
}

/// What a plan would give.
#[component]
pub(super) fn PreviewPane(plan: RwSignal<DatasetPlan>, preview: Preview) -> impl IntoView {
    let known = Memo::new(move |_| preview.figures.with(Option::is_some));
    let nothing = Memo::new(move |_| preview.is_empty());
    let failed = Memo::new(move |_| preview.problem.with(Option::is_some) && !known.get());
    view! {
        <section class="preview" aria-label="Preview" aria-busy=move || preview.stale.get().to_string() data-testid="dataset-preview">
            <PreviewState preview/>
            {move || {
                let error = preview.problem.get()?;
                Some(view! { <div class="page-error"><ErrorBox error on_retry=move |()| preview.again()/></div> })
            }}
            {move || {
                if nothing.get() {
                    view! { <Nothing preview/> }.into_any()
                } else if known.get() {
                    view! { <Known plan preview/> }.into_any()
                } else if failed.get() {
                    ().into_any()
                } else {
                    view! { <Skeleton lines=9/> }.into_any()
                }
            }}
        </section>
    }
}

/// One line: what is being worked out, and what the figures rest on.
#[component]
fn PreviewState(preview: Preview) -> impl IntoView {
    let share =
        move || preview.done.get().map(|(done, of)| if of == 0 { 0.0 } else { f64::from(done) / f64::from(of) });
    let estimated = Memo::new(move |_| preview.figures.with(|it| it.as_ref().is_some_and(|it| it.estimated)));
    view! {
        <header class="preview-state">
            <h2>"What it gives"</h2>
            <Show when=move || estimated.get()>
                <span class="estimate-note" title="Choose a model at the left: its tokenizer counts exactly, and its template says what each row becomes" data-testid="estimated">
                    <Icon name=IconName::Info/>"No tokenizer chosen: token counts are estimates."
                </span>
            </Show>
            <span class="count-gap"></span>
            <span class="preview-work" aria-live="polite" data-testid="preview-state" data-state=move || if preview.stale.get() { "working" } else { "done" }>
                {move || match (preview.stale.get(), preview.problem.with(Option::is_some), preview.done.get()) {
                    (true, false, Some((done, of))) if of > 0 => format!("{} of {}", format::count(done), format::counted(of, "trace")),
                    (true, false, _) => "Counting".to_owned(),
                    _ => String::new(),
                }}
            </span>
            <span class="progress-bar" class:is-hidden=move || preview.done.get().is_none() aria-hidden="true">
                <span style:width=move || format!("{:.1}%", share().unwrap_or(0.0) * 100.0)></span>
            </span>
        </header>
    }
}

/// No row comes of the plan: why, as far as is known.
#[component]
fn Nothing(preview: Preview) -> impl IntoView {
    let figures = move || preview.figures.get().unwrap_or_default();
    view! {
        <div class="preview-scroll">
            <Empty icon=IconName::Search title="No rows" text="None of these traces becomes a row. Widen the query, or change what is trained."/>
            <div class="preview-nothing">
                {move || {
                    let figures = figures();
                    view! {
                        <Problems problems=figures.problems.clone()/>
                        <LeftOuts left_out=figures.left_out.clone()/>
                    }
                }}
            </div>
        </div>
    }
}

#[component]
fn Problems(problems: Vec<String>) -> impl IntoView {
    (!problems.is_empty()).then(|| {
        view! {
            <ul class="import-notes" data-testid="preview-problems">
                {problems.into_iter().map(|it| view! { <li><Icon name=IconName::Warning/><span dir="auto">{it}</span></li> }).collect_view()}
            </ul>
        }
    })
}

#[component]
fn Known(plan: RwSignal<DatasetPlan>, preview: Preview) -> impl IntoView {
    let paths = use_paths();
    let figures = Memo::new(move |before: Option<&Arc<DatasetPreview>>| {
        preview.figures.get().or_else(|| before.cloned()).unwrap_or_default()
    });
    let side = RwSignal::new(Side::default());
    let pointed = RwSignal::new(None::<String>);
    let handle = ListHandle::new();
    let families = Memo::new(move |_| {
        figures.with(|figures| figures.families.iter().cloned().map(Arc::new).collect::<Vec<Arc<DatasetFamily>>>())
    });
    let by_hand = part(plan, |plan| plan.by_hand.clone(), |plan, by_hand| plan.by_hand = by_hand);
    let limit = Signal::derive(move || plan.with(|plan| plan.max_tokens));
    // A row among the first families is pointed out there; the trace of another is opened.
    let open = Callback::new(move |row: String| {
        let place = families
            .with_untracked(|families| families.iter().position(|family| family.rows.iter().any(|it| it.id == row)));
        match place {
            Some(place) => {
                side.set(Side::Families);
                pointed.set(Some(row));
                request_animation_frame(move || handle.show(place));
            }
            None => paths.go(format!("/review/{}", trace_of_row(&row).0)),
        }
    });
    let links = RowLinks { open, all: None };
    let actions = FamilyActions { open: None, by_hand: Some(by_hand) };
    let tabs = Signal::derive(move || {
        let total = figures.with(|figures| figures.families_total);
        vec![
            Tab::new(Side::Figures, "Figures", "tab-figures"),
            Tab::new(Side::Families, "Traces and their rows", "tab-families").count(total),
        ]
    });
    let more = move || {
        let (total, here) = figures.with(|figures| (figures.families_total, figures.families.len()));
        let more = u64::from(total).saturating_sub(here as u64);
        (more > 0).then(|| {
            view! { <p class="family-rest">{format!("and {} more; the built version lists all of them", format::counted(more, "trace"))}</p> }
        })
    };
    view! {
        <div class="preview-known" class:is-stale=move || preview.stale.get()>
            <Totals figures/>
            <Tabs label="About what the plan gives" tabs value=side/>
            {move || match side.get() {
                Side::Figures => view! {
                    <div class="preview-scroll">
                        {move || {
                            let figures = figures.get();
                            view! {
                                <Problems problems=figures.problems.clone()/>
                                <LeftOuts left_out=figures.left_out.clone()/>
                            }
                        }}
                        <Warnings figures links/>
                        <div class="plots">
                            <Histograms figures limit/>
                            {move || figures.with(|figures| view! { <Estimates estimates=figures.estimates.clone() trie=figures.trie/> }.into_any())}
                        </div>
                    </div>
                }
                    .into_any(),
                Side::Families => view! {
                    <Legend/>
                    <FamilyList families actions handle pointed footer=more/>
                }
                    .into_any(),
            }}
        </div>
    }
}

/// What the trees are drawn with.
#[component]
pub(crate) fn Legend() -> impl IntoView {
    view! {
        <p class="tree-legend">
            <span><i class="key-message"></i>"message"</span>
            <span><i class="key-trained"></i>"trained message"</span>
            <span><i class="key-branch"></i>"goes on from the row above it branches off"</span>
        </p>
    }
}
