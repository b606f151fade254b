//! One version: its figures, its rows and each row whole, what it was built of, what differs from another.

mod compare;
mod export;
mod facts;
mod row;
mod rows;
mod table;
mod traces;

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{DatasetPreview, DatasetPush, DatasetVersion};
use tw_contract::{ApiError, DatasetView, IdRequest};

use super::figures::{Estimates, Histograms, LeftOuts, RowLinks, Totals, Warnings};
use super::list::DeleteVersion;
use super::{focus, use_paths};
use crate::backend::use_api;
use crate::components::{
    Button, ButtonKind, CopyButton, ErrorBox, Icon, IconButton, IconName, Menu, MenuItem, RelativeTime, Skeleton,
    Split, Tab, Tabs, Tag, Tone,
};
use crate::pages::hub::PushDialog;
use crate::state::datasets::{PlanBegin, use_datasets};
use crate::state::format;
use crate::state::keys::{Action, use_action};
use crate::state::trains::{TrainBegin, use_trains};
use compare::Compare;
use export::ExportDialog;
use facts::Facts;
use row::RowInspector;
use rows::Rows;
use table::RowsTable;
use traces::Traces;

/// What is shown of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Side {
    /// The rows.
    #[default]
    Rows,
    /// The figures.
    Figures,
    /// The traces with their rows.
    Traces,
    /// What it was built of and with.
    Facts,
    /// What differs from another version.
    Compare,
}

/// A version, by its id or the beginning of it.
#[component]
pub(super) fn Version(id: String) -> impl IntoView {
    let api = StoredValue::new(use_api());
    let id = StoredValue::new(id);
    let view_of = RwSignal::new(None::<Result<Arc<DatasetView>, ApiError>>);
    let fetch = move || {
        let (api, request) = (api.get_value(), IdRequest { id: id.get_value() });
        spawn_local(async move {
            let answer = api.dataset_view(request).await.map(Arc::new);
            view_of.try_set(Some(answer));
        });
    };
    fetch();
    move || match view_of.get() {
        None => view! { <div class="version-waits" aria-busy="true"><Skeleton lines=8/></div> }.into_any(),
        Some(Err(error)) => view! { <Missing error on_retry=move |()| fetch()/> }.into_any(),
        Some(Ok(dataset)) => view! { <Known dataset/> }.into_any(),
    }
}

#[component]
fn Missing(error: ApiError, #[prop(into)] on_retry: Callback<()>) -> impl IntoView {
    let paths = use_paths();
    view! {
        <div class="page-error">
            <ErrorBox error on_retry>
                <Button label="All versions" on_click=move |()| paths.go("/dataset")/>
            </ErrorBox>
        </div>
    }
}

#[component]
fn Known(dataset: Arc<DatasetView>) -> impl IntoView {
    let dataset = StoredValue::new(dataset);
    let version = dataset.with_value(|dataset| dataset.version.clone());
    let figures = Signal::stored(dataset.with_value(|dataset| Arc::new(dataset.figures.clone())));
    let limit = Signal::stored(dataset.with_value(|dataset| dataset.plan.max_tokens));
    let rows = Rows::of(&version.id);
    let side = RwSignal::new(Side::default());
    let open = RwSignal::new(None::<String>);
    let export = RwSignal::new(false);
    let show_row = Callback::new(move |row: String| {
        side.set(Side::Rows);
        open.set(Some(row));
    });
    let links = RowLinks {
        open: show_row,
        all: Some(Callback::new(move |kind| {
            rows.only_warning(kind);
            side.set(Side::Rows);
        })),
    };
    let show_tokens = Callback::new(move |(from, to): (u32, u32)| {
        rows.only_tokens(from, to);
        side.set(Side::Rows);
    });
    offer_keys(rows, open, side, export);
    let warnings = figures.with_untracked(|figures| figures.warnings.len());
    let traces = figures.with_untracked(|figures| figures.families_total);
    let total = version.train.rows + version.validation.rows;
    let tabs = Signal::stored(vec![
        Tab::new(Side::Rows, "Rows", "tab-rows").count(total),
        Tab::new(Side::Figures, "Figures and warnings", "tab-figures")
            .count(u32::try_from(warnings).unwrap_or(u32::MAX)),
        Tab::new(Side::Traces, "Traces", "tab-traces").count(traces),
        Tab::new(Side::Facts, "Manifest", "tab-manifest"),
        Tab::new(Side::Compare, "Compare", "tab-compare"),
    ]);
    let id = StoredValue::new(version.id.clone());
    view! {
        <section class="version" aria-label="Version" data-testid="dataset-version" data-version=version.id.clone()>
            <Head dataset export/>
            <Totals figures/>
            <Tabs label="About the version" tabs value=side/>
            <div class="version-body">
                {move || match side.get() {
                    Side::Rows => view! {
                        <Split
                            key="dataset-rows-split"
                            first_share=0.42
                            min_px=320.0
                            first_only=Signal::derive(move || open.with(Option::is_none))
                            first=move || view! { <RowsTable rows open/> }
                            second=move || view! { <RowInspector dataset open/> }
                        />
                    }
                        .into_any(),
                    Side::Figures => view! { <Figures figures limit links show_tokens/> }.into_any(),
                    Side::Traces => view! { <Traces version=id open=show_row/> }.into_any(),
                    Side::Facts => view! { <Facts dataset/> }.into_any(),
                    Side::Compare => view! { <Compare version=id/> }.into_any(),
                }}
            </div>
            <ExportDialog open=export version=id/>
        </section>
    }
}

#[component]
fn Figures(
    figures: Signal<Arc<DatasetPreview>>,
    limit: Signal<Option<u32>>,
    links: RowLinks,
    show_tokens: Callback<(u32, u32)>,
) -> impl IntoView {
    let fixed = figures.get_untracked();
    view! {
        <div class="preview-scroll">
            <LeftOuts left_out=fixed.left_out.clone()/>
            <Warnings figures links/>
            <div class="plots">
                <Histograms figures limit on_tokens=show_tokens/>
                <Estimates estimates=fixed.estimates.clone() trie=fixed.trie/>
            </div>
        </div>
    }
}

/// What version this is, and what can be done with it.
#[component]
fn Head(dataset: StoredValue<Arc<DatasetView>>, export: RwSignal<bool>) -> impl IntoView {
    let paths = use_paths();
    let datasets = use_datasets();
    let to_delete = RwSignal::new(None::<DatasetVersion>);
    let (version, changed) = dataset.with_value(|dataset| (dataset.version.clone(), dataset.changed));
    let id = StoredValue::new(version.id.clone());
    let again = move || {
        let plan = dataset.with_value(|dataset| dataset.plan.clone());
        datasets.begin.set(Some(PlanBegin::Plan(Box::new(plan))));
        paths.go("/dataset/new");
    };
    let delete = move || to_delete.set(Some(dataset.with_value(|dataset| dataset.version.clone())));
    use_action(Action::new("version-delete", "Dataset", "Delete the version", delete));
    use_action(Action::new("version-again", "Dataset", "Build again with these settings", again));
    let menu = Signal::derive(move || {
        vec![
            MenuItem::new("Build again with these settings", again).icon(IconName::Restart).testid("version-again"),
            MenuItem::new("Delete", delete).icon(IconName::Trash).danger().testid("version-delete"),
        ]
    });
    let problem = version.problem.clone();
    let counted = version
        .model
        .as_ref()
        .map_or_else(|| "token counts are estimates".to_owned(), |model| format!("counted with {}", model.name));
    view! {
        <header class="reader-head version-head">
            <div class="reader-title">
                <IconButton icon=IconName::Back label="All versions" on_click=move |()| paths.go("/dataset") testid="version-back"/>
                <h2 dir="auto">{version.name.clone()}</h2>
                <div class="reader-actions">
                    <Button icon=IconName::Export label="Export" title="Write it for another tool (E)" on_click=move |()| export.set(true) testid="dataset-export"/>
                    <Push version=id name=version.name.clone()/>
                    <Train version=id problem=version.problem.clone()/>
                    <Menu label="More" items=menu testid="version-menu"/>
                </div>
            </div>
            <div class="reader-facts">
                <span class="mono short-id" title=version.id.clone()>{version.short_id().to_owned()}</span>
                <CopyButton text=move |()| id.get_value() label="Copy the whole id"/>
                <span>{version.unroll.label()} ", " {version.train_on.label().to_lowercase()}</span>
                <span dir="auto">{counted}</span>
                <span>{format::bytes(version.bytes)}</span>
                <span><RelativeTime at_ms=version.built_at_ms/></span>
                {(changed > 0)
                    .then(|| {
                        view! {
                            <Tag
                                text=format!("{} changed since", format::counted(changed, "trace"))
                                tone=Tone::Warn
                                title="The version keeps what they were. Build again to take the changes in."
                                testid="version-changed"
                            />
                        }
                    })}
                <Pushed dataset/>
            </div>
            {problem
                .map(|problem| {
                    view! { <p class="reader-ending tone-bad" dir="auto" role="alert"><Icon name=IconName::Error/> " " {problem}</p> }
                })}
            <DeleteVersion to_delete/>
        </header>
    }
}

/// Leads to the launcher with this version.
#[component]
fn Train(version: StoredValue<String>, problem: Option<String>) -> impl IntoView {
    let paths = use_paths();
    let trains = use_trains();
    let usable = problem.is_none();
    let go = move || {
        trains.begin.set(Some(TrainBegin::Dataset(version.get_value())));
        paths.go("/train");
    };
    use_action(
        Action::new("dataset-train", "Dataset", "Train on this version", go).keys("KeyT").when(Signal::stored(usable)),
    );
    let title = problem.unwrap_or_else(|| "Choose a base model for it (T)".to_owned());
    view! {
        <Button kind=ButtonKind::Primary icon=IconName::Train label="Train on this" title disabled=Signal::stored(!usable) on_click=move |()| go() testid="dataset-train"/>
    }
}

/// Where it was pushed to last.
#[component]
fn Pushed(dataset: StoredValue<Arc<DatasetView>>) -> impl IntoView {
    let pushes = use_pushes(dataset);
    move || {
        let (last, others) = pushes.with(|pushes| Some((pushes.first()?.clone(), pushes.len() - 1)))?;
        let title = format!("{}, commit {}", format::absolute(last.at_ms), last.commit);
        let url = last.url.clone();
        Some(view! {
            <span class="version-pushed" data-testid="version-pushed" title=title>
                "Pushed to " <span dir="auto">{last.repo}</span> " " <RelativeTime at_ms=last.at_ms/>
                {(others > 0).then(|| format!(" and {} before", format::counted(others as u64, "time")))}
            </span>
            <CopyButton text=move |()| url.clone() label="Copy the link to what was pushed" testid="version-pushed-copy"/>
        })
    }
}

/// The pushes of a version, the last one first: as the list of versions has them, which hears of new ones.
fn use_pushes(dataset: StoredValue<Arc<DatasetView>>) -> Memo<Vec<DatasetPush>> {
    let datasets = use_datasets();
    Memo::new(move |_| {
        let (id, at_first) = dataset.with_value(|it| (it.version.id.clone(), it.version.pushes.clone()));
        let known = datasets.known();
        known.iter().find(|version| version.id == id).map_or(at_first, |version| version.pushes.clone())
    })
}

/// Pushes it to the Hub.
#[component]
fn Push(version: StoredValue<String>, name: String) -> impl IntoView {
    let open = RwSignal::new(false);
    use_action(Action::new("dataset-push", "Dataset", "Push to the Hub", move || open.set(true)).keys("KeyP"));
    view! {
        <PushDialog open version=version.get_value() name/>
        <Button icon=IconName::Link label="Push to the Hub" title="Look at what would leave this machine, then push (P)" on_click=move |()| open.set(true) testid="dataset-push"/>
    }
}

fn offer_keys(rows: Rows, open: RwSignal<Option<String>>, side: RwSignal<Side>, export: RwSignal<bool>) {
    let here = Signal::derive(move || side.get() == Side::Rows);
    let reading = Signal::derive(move || open.with(Option::is_some) && side.get() == Side::Rows);
    let step = move |by: isize| {
        if let Some(place) = rows.cursor.step(by, rows.total.get_untracked())
            && open.with_untracked(Option::is_some)
        {
            rows.open_at(place, open);
        }
    };
    use_action(Action::new("row-next", "Dataset", "Next row", move || step(1)).keys("KeyJ").when(here).unlisted());
    use_action(
        Action::new("row-previous", "Dataset", "Previous row", move || step(-1)).keys("KeyK").when(here).unlisted(),
    );
    use_action(
        Action::new("row-open", "Dataset", "Open the row", move || rows.open_at(rows.cursor.at.get_untracked(), open))
            .keys("Enter")
            .when(here),
    );
    use_action(
        Action::new("row-close", "Dataset", "Close the row", move || {
            open.set(None);
            focus("[data-testid=rows-table]");
        })
        .keys("Escape")
        .when(reading),
    );
    use_action(
        Action::new("row-search", "Dataset", "Search in the rows", move || focus("[data-testid=rows-search]"))
            .keys("Slash")
            .when(here),
    );
    use_action(Action::new("dataset-export", "Dataset", "Export the version", move || export.set(true)).keys("KeyE"));
    for (id, title, to) in [
        ("version-rows", "Show the rows", Side::Rows),
        ("version-figures", "Show figures and warnings", Side::Figures),
        ("version-traces", "Show the traces", Side::Traces),
        ("version-manifest", "Show the manifest", Side::Facts),
        ("version-compare", "Compare with another version", Side::Compare),
    ] {
        use_action(Action::new(id, "Dataset", title, move || side.set(to)));
    }
}
