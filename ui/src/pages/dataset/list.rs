//! All versions of datasets.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::DatasetVersion;
use tw_contract::IdRequest;

use super::use_paths;
use super::words::{percent, share, whole};
use crate::backend::use_api;
use crate::components::{
    Button, ButtonKind, Confirm, CopyButton, Empty, ErrorBox, IconButton, IconName, RelativeTime, RowCursor, RowTable,
    Tag, Tone,
};
use crate::pages::hub::PullDialog;
use crate::state::datasets::use_datasets;
use crate::state::format;
use crate::state::keys::{Action, use_action};
use crate::state::toasts::use_toasts;

/// Height of a row, in pixels.
const ROW_PX: f64 = 34.0;
/// Height of the heads, in pixels.
const HEAD_PX: f64 = 28.0;
/// The columns.
const COLUMNS: &str = "minmax(150px, 1.4fr) 128px 132px 92px 118px 112px minmax(96px, 0.9fr) 108px minmax(120px, 1fr) minmax(86px, 0.6fr) 40px";

/// The list, or what stands in its place.
#[component]
pub(super) fn VersionList() -> impl IntoView {
    let datasets = use_datasets();
    let paths = use_paths();
    let versions = Memo::new(move |_| datasets.known());
    let state = Memo::new(move |_| {
        datasets.versions.with(|versions| match versions {
            None => Shown::Waits,
            Some(Err(_)) => Shown::Problem,
            Some(Ok(versions)) if versions.is_empty() => Shown::Nothing,
            Some(Ok(_)) => Shown::Table,
        })
    });
    let pull = RwSignal::new(false);
    let body = move || {
        match state.get() {
        Shown::Waits => view! {
            <div class="table-waits" aria-busy="true">
                {(0..8).map(|_| view! { <span class="row-waits"><span class="skeleton-line"></span></span> }).collect_view()}
            </div>
        }
        .into_any(),
        Shown::Problem => {
            let error = datasets.versions.with_untracked(|versions| versions.clone().and_then(Result::err));
            error
                .map(|error| {
                    view! { <div class="page-error"><ErrorBox error on_retry=move |()| datasets.refresh()/></div> }
                })
                .into_any()
        }
        Shown::Nothing => view! {
            <Empty
                icon=IconName::Dataset
                title="No dataset yet"
                text="A dataset is what a model is trained on: rows made of your traces, each with the tokens it learns marked. Choose traces, see exactly what each row becomes, then build a version. A version never changes, so a training run can always be repeated."
            >
                <Button kind=ButtonKind::Primary label="Build the first dataset" on_click=move |()| paths.go("/dataset/new") testid="dataset-first"/>
            </Empty>
        }
        .into_any(),
        Shown::Table => view! { <Table versions/> }.into_any(),
    }
    };
    view! {
        <section class="dataset-list" aria-label="Versions of datasets">
            <header class="dataset-bar">
                <p class="quiet">
                    {move || {
                        let count = versions.with(|versions| versions.len());
                        (count > 0).then(|| format::counted(count as u64, "version"))
                    }}
                </p>
                <Button icon=IconName::Import label="Pull from the Hub" title="Read rows of a dataset on the Hub into the workspace as traces" on_click=move |()| pull.set(true) testid="dataset-pull"/>
                // Where there is nothing yet, what stands there is the one next action.
                <Show when=move || state.get() != Shown::Nothing>
                    <Button kind=ButtonKind::Primary icon=IconName::Plus label="New dataset" title="Choose traces and build a version (N)" on_click=move |()| paths.go("/dataset/new") testid="dataset-new"/>
                </Show>
            </header>
            {body}
            <PullDialog open=pull/>
        </section>
    }
}

/// What the list shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Waits,
    Problem,
    Nothing,
    Table,
}

#[component]
fn Table(versions: Memo<Arc<[DatasetVersion]>>) -> impl IntoView {
    let paths = use_paths();
    let cursor = RowCursor::new();
    let total = Signal::derive(move || versions.with(|versions| versions.len()));
    let to_delete = RwSignal::new(None::<DatasetVersion>);
    let at = move |place: usize| versions.with_untracked(|versions| versions.get(place).cloned());
    let open = move |place: usize| {
        if let Some(version) = at(place) {
            paths.version(&version.id);
        }
    };
    let step = move |by: isize| {
        // At the ends it stays.
        cursor.step(by, total.get_untracked());
    };
    use_action(Action::new("version-next", "Dataset", "Next version", move || step(1)).keys("KeyJ").unlisted());
    use_action(
        Action::new("version-previous", "Dataset", "Previous version", move || step(-1)).keys("KeyK").unlisted(),
    );
    use_action(
        Action::new("version-open", "Dataset", "Open the version", move || open(cursor.at.get_untracked()))
            .keys("Enter"),
    );
    use_action(
        Action::new("version-delete", "Dataset", "Delete the version", move || {
            to_delete.set(at(cursor.at.get_untracked()));
        })
        .keys("Delete"),
    );
    let row = move |place: Memo<usize>| {
        let version = Memo::new(move |_| versions.with(|versions| versions.get(place.get()).cloned()));
        move || version.get().map(|version| view! { <Cells version to_delete/> })
    };
    view! {
        <RowTable
            total
            row_px=ROW_PX
            head_px=HEAD_PX
            cursor
            head=Heads
            row
            on_open=open
            columns=COLUMNS
            label="Versions of datasets"
            testid="version-table"
            row_testid="version-row"
        />
        <DeleteVersion to_delete/>
    }
}

#[component]
fn Heads() -> impl IntoView {
    let head = |word: &'static str, number: bool| {
        view! { <span class="head-word" class:is-number=number role="columnheader">{word}</span> }
    };
    view! {
        <div class="grid-head" role="row">
            {head("Name", false)} {head("Version", false)} {head("Rows", true)} {head("Tokens", true)}
            {head("Trained", true)} {head("A row for", false)} {head("Model", false)} {head("Built", false)}
            {head("Pushed to", false)} {head("Size", true)} <span></span>
        </div>
    }
}

#[component]
fn Cells(version: DatasetVersion, to_delete: RwSignal<Option<DatasetVersion>>) -> impl IntoView {
    let totals = whole(&version);
    let short = version.short_id().to_owned();
    let model = version.model.as_ref().map(|model| model.name.clone());
    let trained = percent(totals.trained_tokens, totals.tokens);
    let part = share(totals.trained_tokens, totals.tokens) * 100.0;
    let exact =
        format!("{} of {} trained", format::count(totals.trained_tokens), format::counted(totals.tokens, "token"));
    let validation = (version.validation.rows > 0).then(|| {
        let title = format!(
            "{} to train on, {} for validation",
            format::count(version.train.rows),
            format::count(version.validation.rows)
        );
        view! { <small title=title>" + " {format::count(version.validation.rows)}</small> }
    });
    let own = StoredValue::new(version.clone());
    let pushed = version.pushes.first().cloned().map(|push| {
        let title = format!("{}, commit {}", format::absolute(push.at_ms), push.commit);
        view! {
            <span class="cell-text" dir="auto" title=title data-testid="version-row-pushed">{push.repo}</span>
            <CopyButton text=move |()| push.url.clone() label="Copy the link to what was pushed"/>
        }
    });
    view! {
        <span class="cell" role="gridcell">
            <span class="cell-title" dir="auto">{version.name.clone()}</span>
            {version.problem.map(|problem| view! { <Tag text="unusable" tone=Tone::Bad title=problem/> })}
        </span>
        <span class="cell" role="gridcell"><span class="cell-text mono">{short}</span></span>
        <span class="cell is-number" role="gridcell">{format::count(version.train.rows)} {validation}</span>
        <span class="cell is-number" role="gridcell" title=format::counted(totals.tokens, "token")>
            {version.model.is_none().then_some("≈ ")} {format::short_count(totals.tokens)}
        </span>
        <span class="cell is-number trained-cell" role="gridcell" title=exact>
            <span class="trained-bar" aria-hidden="true"><span style:width=format!("{part:.1}%")></span></span>
            <span class="trained-number">{trained}</span>
        </span>
        <span class="cell" role="gridcell"><span class="cell-text">{version.unroll.label()}</span></span>
        <span class="cell" role="gridcell">
            {match model {
                Some(name) => view! { <span class="cell-text" dir="auto" title=name.clone()>{name.clone()}</span> }.into_any(),
                None => view! { <span class="cell-none" title="No tokenizer was chosen: tokens are estimates">"estimate"</span> }.into_any(),
            }}
        </span>
        <span class="cell" role="gridcell"><RelativeTime at_ms=version.built_at_ms/></span>
        <span class="cell" role="gridcell">{pushed}</span>
        <span class="cell is-number" role="gridcell">{format::bytes(version.bytes)}</span>
        <span class="cell cell-tools" role="gridcell">
            <IconButton icon=IconName::Trash label="Delete the version" on_click=move |()| to_delete.set(Some(own.get_value())) testid="version-delete"/>
        </span>
    }
}

/// Asks before a version goes: nothing brings it back but building it again.
#[component]
pub(super) fn DeleteVersion(to_delete: RwSignal<Option<DatasetVersion>>) -> impl IntoView {
    let datasets = use_datasets();
    let toasts = use_toasts();
    let paths = use_paths();
    let api = StoredValue::new(use_api());
    let open = RwSignal::new(false);
    let last = RwSignal::new(None::<DatasetVersion>);
    Effect::new(move |_| {
        if let Some(version) = to_delete.get() {
            last.set(Some(version));
            open.set(true);
            to_delete.set(None);
        }
    });
    let title = Signal::derive(move || {
        last.with(|last| {
            last.as_ref().map(|last| format!("Delete {} {}?", last.name, last.short_id())).unwrap_or_default()
        })
    });
    let delete = move |()| {
        let Some(version) = last.get_untracked() else { return };
        let api = api.get_value();
        spawn_local(async move {
            match api.dataset_delete(IdRequest { id: version.id.clone() }).await {
                Ok(_) => {
                    toasts.info(format!("{} {} is deleted.", version.name, version.short_id()));
                    datasets.refresh();
                    paths.go("/dataset");
                }
                Err(error) => toasts.error(error),
            }
        });
    };
    view! {
        <Confirm
            open
            title
            text="Its rows and files go. The traces stay: from the same traces and settings the same version can be built again. What was pushed to the Hub stays there."
            action="Delete"
            on_confirm=delete
        />
    }
}
