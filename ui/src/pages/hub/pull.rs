//! Pulling rows of a dataset on the Hub: find the repository, look into a file, import the rows that are wanted.

use std::collections::BTreeSet;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, HubBrowse, HubEntry, HubListing, HubPull, HubRepoKind, HubRowPage, HubRows, RowChoice};

use super::browse::Browser;
use super::rows::Rows;
use crate::backend::{Api, use_api};
use crate::components::{Button, ButtonKind, Choice, Dialog, ErrorBox, Segmented, Skeleton, TextField};
use crate::state::format;
use crate::state::hub::use_hub;

/// Rows that are fetched at a time.
const ROWS: u32 = 20;

/// Which rows are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Want {
    /// All of the file.
    #[default]
    All,
    /// Some in a row.
    Range,
    /// The ticked ones.
    Ticked,
    /// All of every file.
    Everything,
}

/// What is looked at. Copied freely.
#[derive(Clone, Copy)]
pub(super) struct Look {
    /// The listing of the folder.
    pub(super) listing: RwSignal<Option<HubListing>>,
    /// Whether a listing is on its way.
    pub(super) looking: RwSignal<bool>,
    /// The file that is looked into.
    pub(super) file: RwSignal<Option<HubEntry>>,
    /// Its rows so far.
    pub(super) rows: RwSignal<Option<HubRowPage>>,
    /// Whether rows are on their way.
    pub(super) fetching: RwSignal<bool>,
    /// Why there are no more of them.
    pub(super) row_problem: RwSignal<Option<ApiError>>,
    /// Which rows are ticked.
    pub(super) ticked: RwSignal<BTreeSet<u64>>,
    /// Which rows are wanted.
    pub(super) want: RwSignal<Want>,
    repo: RwSignal<String>,
    revision: RwSignal<String>,
    problem: RwSignal<Option<ApiError>>,
    path: RwSignal<String>,
    asked: StoredValue<u32>,
    api: StoredValue<Api>,
}

impl Look {
    fn new() -> Self {
        Self {
            listing: RwSignal::new(None),
            looking: RwSignal::new(false),
            file: RwSignal::new(None),
            rows: RwSignal::new(None),
            fetching: RwSignal::new(false),
            row_problem: RwSignal::new(None),
            ticked: RwSignal::new(BTreeSet::new()),
            want: RwSignal::new(Want::All),
            repo: RwSignal::new(String::new()),
            revision: RwSignal::new(String::new()),
            problem: RwSignal::new(None),
            path: RwSignal::new(String::new()),
            asked: StoredValue::new(0),
            api: StoredValue::new(use_api()),
        }
    }

    fn number(self) -> u32 {
        self.asked
            .try_update_value(|asked| {
                *asked += 1;
                *asked
            })
            .unwrap_or_default()
    }

    /// Lists the top of the repository.
    fn begin(self) {
        if self.repo.with_untracked(|repo| repo.trim().is_empty()) {
            return;
        }
        self.listing.set(None);
        self.file.set(None);
        self.rows.set(None);
        self.open(String::new(), None);
    }

    /// Lists a folder, or more of it.
    pub(super) fn open(self, path: String, cursor: Option<String>) {
        let number = self.number();
        self.looking.set(true);
        self.problem.set(None);
        self.path.set(path.clone());
        // Everything that follows sees the same commit.
        let commit = self.listing.with_untracked(|listing| listing.as_ref().map(|listing| listing.commit.clone()));
        let typed = self.revision.get_untracked().trim().to_owned();
        let request = HubBrowse {
            kind: HubRepoKind::Dataset,
            repo: self.repo.get_untracked().trim().to_owned(),
            revision: commit.filter(|it| !it.is_empty()).or(Some(typed).filter(|it| !it.is_empty())),
            path,
            cursor: cursor.clone(),
        };
        let api = self.api.get_value();
        spawn_local(async move {
            let answer = api.hub_browse(request).await;
            if self.asked.try_get_value() != Some(number) {
                return;
            }
            self.looking.set(false);
            match answer {
                Ok(mut listing) => {
                    if cursor.is_some() {
                        let before = self.listing.get_untracked().unwrap_or_default().entries;
                        listing.entries.splice(0..0, before);
                    }
                    // One file alone is what was meant.
                    let mut with_rows = listing.entries.iter().filter(|entry| entry.has_rows);
                    let only = with_rows.next().filter(|_| with_rows.next().is_none()).cloned();
                    self.listing.set(Some(listing));
                    if let Some(only) = only.filter(|_| self.file.with_untracked(Option::is_none)) {
                        self.look_into(only);
                    }
                }
                Err(error) => self.problem.set(Some(error)),
            }
        });
    }

    /// Shows the first rows of a file.
    pub(super) fn look_into(self, file: HubEntry) {
        self.file.set(Some(file));
        self.rows.set(None);
        self.ticked.set(BTreeSet::new());
        if self.want.get_untracked() == Want::Ticked {
            self.want.set(Want::All);
        }
        self.more_rows();
    }

    /// Fetches more rows of the file.
    pub(super) fn more_rows(self) {
        let Some(file) = self.file.get_untracked() else { return };
        let (repo, commit) = self
            .listing
            .with_untracked(|listing| listing.as_ref().map(|it| (it.repo.clone(), it.commit.clone())))
            .unwrap_or_default();
        let offset = self.rows.with_untracked(|rows| rows.as_ref().map_or(0, |it| it.offset + it.rows.len() as u64));
        self.fetching.set(true);
        self.row_problem.set(None);
        let request = HubRows {
            kind: HubRepoKind::Dataset,
            repo,
            revision: Some(commit).filter(|commit| !commit.is_empty()),
            path: file.path.clone(),
            offset,
            limit: ROWS,
        };
        let api = self.api.get_value();
        spawn_local(async move {
            let answer = api.hub_rows(request).await;
            let same = self.file.try_with_untracked(|now| now.as_ref().is_some_and(|now| now.path == file.path));
            if same != Some(true) {
                return;
            }
            self.fetching.set(false);
            match answer {
                Ok(mut page) => self.rows.update(|rows| {
                    if let Some(before) = rows.take()
                        && page.offset > 0
                    {
                        page.rows.splice(0..0, before.rows);
                        page.offset = before.offset;
                        page.read_bytes += before.read_bytes;
                        let known = page.columns.clone();
                        page.columns = before.columns;
                        page.columns.extend(known);
                        let mut seen = BTreeSet::new();
                        page.columns.retain(|column| seen.insert(column.clone()));
                    }
                    *rows = Some(page);
                }),
                Err(error) => self.row_problem.set(Some(error)),
            }
        });
    }
}

/// The dialog that pulls rows of a dataset.
#[component]
pub(crate) fn PullDialog(
    /// Whether it is open.
    open: RwSignal<bool>,
) -> impl IntoView {
    view! {
        <Dialog open title="Pull from the Hub" wide=true testid="pull-dialog">
            <Body open/>
        </Dialog>
    }
}

#[component]
fn Body(open: RwSignal<bool>) -> impl IntoView {
    let hub = use_hub();
    let look = Look::new();
    let missing = Memo::new(move |_| look.repo.with(|repo| repo.trim().is_empty()));
    let (from, count) = (RwSignal::new("1".to_owned()), RwSignal::new("100".to_owned()));
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<ApiError>);
    let range = Memo::new(move |_| {
        let number = |text: &str| text.trim().replace(',', "").parse::<u64>().ok();
        let from = from.with(|text| number(text)).filter(|from| *from > 0)?;
        let count = count.with(|text| number(text)).filter(|count| *count > 0)?;
        Some((from - 1, count))
    });
    let ready = Memo::new(move |_| {
        let listed = look.listing.with(Option::is_some);
        let file = look.file.with(Option::is_some);
        match look.want.get() {
            Want::Everything => listed,
            Want::All => listed && file,
            Want::Range => listed && file && range.with(Option::is_some),
            Want::Ticked => listed && file && look.ticked.with(|ticked| !ticked.is_empty()),
        }
    });
    let action = Signal::derive(move || match look.want.get() {
        Want::Everything => "Import every file".to_owned(),
        Want::All => match look.rows.with(|rows| rows.as_ref().and_then(|rows| rows.total)) {
            Some(total) => format!("Import {}", format::counted(total, "row")),
            None => "Import the file".to_owned(),
        },
        Want::Range => match range.get() {
            Some((_, count)) => format!("Import {}", format::counted(count, "row")),
            None => "Import".to_owned(),
        },
        Want::Ticked => format!("Import {}", format::counted(look.ticked.with(BTreeSet::len) as u64, "row")),
    });
    let import = move || {
        let Some(listing) = look.listing.get_untracked() else { return };
        let file = look.file.get_untracked().map(|file| file.path);
        let want = look.want.get_untracked();
        let pull = HubPull {
            repo: listing.repo,
            revision: Some(listing.commit).filter(|commit| !commit.is_empty()),
            files: if want == Want::Everything { Vec::new() } else { file.into_iter().collect() },
            rows: match (want, range.get_untracked()) {
                (Want::Range, Some((from, count))) => RowChoice::Range { from, count },
                (Want::Ticked, _) => RowChoice::These(look.ticked.get_untracked().into_iter().collect()),
                _ => RowChoice::All,
            },
            format: None,
        };
        busy.set(true);
        problem.set(None);
        spawn_local(async move {
            let answer = hub.pull(pull).await;
            if busy.is_disposed() {
                return;
            }
            busy.set(false);
            match answer {
                Ok(()) => open.set(false),
                Err(error) => problem.set(Some(error)),
            }
        });
    };
    let wants = vec![
        Choice::new(Want::All, "All of this file"),
        Choice::new(Want::Range, "Some in a row"),
        Choice::new(Want::Ticked, "The ticked ones"),
        Choice::new(Want::Everything, "Every file"),
    ];
    let wants = StoredValue::new(wants);
    view! {
        <form
            class="pull-form"
            on:submit=move |event| {
                event.prevent_default();
                look.begin();
            }
        >
            <TextField label="Dataset" value=look.repo mono=true autofocus=true placeholder="owner/name, or its address" testid="pull-repo"/>
            <TextField label="Branch, tag or commit" value=look.revision mono=true placeholder="main" testid="pull-revision"/>
            <Button label="Look" submit=true busy=look.looking disabled=missing on_click=move |()| look.begin() testid="pull-look"/>
        </form>
        {move || look.problem.get().map(|error| view! { <ErrorBox error/> })}
        <Show when=move || look.looking.get() && look.listing.with(Option::is_none)>
            <Skeleton lines=4/>
        </Show>
        <Show when=move || look.listing.with(Option::is_some)>
            <Browser look path=look.path/>
            <Rows look/>
            <div class="pull-want">
                <Segmented label="Which rows" options=wants.get_value() value=look.want testid="pull-want"/>
                <Show when=move || look.want.get() == Want::Range>
                    <label>"from row " <input class="input" inputmode="numeric" prop:value=from data-testid="pull-from" on:input:target=move |event| from.set(event.target().value())/></label>
                    <label>"on, " <input class="input" inputmode="numeric" prop:value=count data-testid="pull-count" on:input:target=move |event| count.set(event.target().value())/> " rows"</label>
                </Show>
            </div>
        </Show>
        {move || problem.get().map(|error| view! { <ErrorBox error/> })}
        <div class="dialog-actions">
            <Button label="Cancel" on_click=move |()| open.set(false)/>
            <Button
                kind=ButtonKind::Primary
                icon=crate::components::IconName::Import
                label=action
                busy
                disabled=Signal::derive(move || !ready.get())
                on_click=move |()| import()
                testid="pull-go"
            />
        </div>
    }
}
