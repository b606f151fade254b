//! Versions of datasets: listed, looked at row by row, compared, removed.

use std::path::PathBuf;
use std::sync::Arc;

use tw_artifact::{DatasetFamily, DatasetPreview, DatasetVersion};
use tw_contract::{
    ApiError, DatasetDiff, DatasetDiffRequest, DatasetRow, DatasetView, Event, EventBody, FamilyQuery, RowMessage,
    RowOrder, RowPage, RowQuery, RowRequest, RowSummary, TraceDifference,
};
use tw_dataset::{IndexRow, Manifest, StoredRow};

use crate::App;
use crate::errors::Api;
use crate::lock;

/// Indexes that are kept in memory.
const KEPT_INDEXES: usize = 3;
/// Rows or families of a page where the request does not say.
const PAGE: u32 = 100;

/// A version with what it is made of.
pub(crate) struct OpenVersion {
    pub(crate) version: DatasetVersion,
    pub(crate) manifest: Manifest,
    pub(crate) folder: PathBuf,
}

impl App {
    /// Removes what unfinished builds have left, and puts whole versions on the list that a crash kept off it.
    pub(crate) async fn tidy_datasets(&self) -> Result<(), ApiError> {
        let root = self.datasets_folder();
        let found = crate::blocking(move || {
            tw_dataset::sweep(&root);
            tw_dataset::found(&root)
        })
        .await?;
        let now = jiff::Timestamp::now().as_millisecond();
        for manifest in found {
            self.store.add_dataset(&manifest.version(now)).await.api()?;
        }
        Ok(())
    }

    pub(crate) async fn list_datasets(&self) -> Result<Vec<DatasetVersion>, ApiError> {
        let versions = self.store.datasets().await.api()?;
        let root = self.datasets_folder();
        crate::blocking(move || {
            let check = |version: DatasetVersion| {
                let problem = match Manifest::read(&root.join(&version.id)) {
                    Ok(manifest) => manifest.problem(&root.join(&version.id)),
                    Err(_) => Some("Its files are gone.".to_owned()),
                };
                let pushes = tw_dataset::pushes(&root, &version.id);
                DatasetVersion { problem, pushes, ..version }
            };
            versions.into_iter().map(check).collect()
        })
        .await
    }

    /// A version by its id or the beginning of it.
    pub(crate) async fn open_version(&self, id: &str) -> Result<OpenVersion, ApiError> {
        let version = self.store.dataset(id).await.api()?;
        let folder = self.datasets_folder().join(&version.id);
        let of = folder.clone();
        let manifest = crate::blocking(move || Manifest::read(&of)).await?.api()?;
        Ok(OpenVersion { version, manifest, folder })
    }

    /// The index of a version, from memory where it was looked at lately.
    pub(crate) async fn version_index(&self, open: &OpenVersion) -> Result<Arc<[IndexRow]>, ApiError> {
        let id = open.version.id.clone();
        if let Some((_, index)) = lock(&self.datasets.indexes).iter().find(|(known, _)| *known == id) {
            return Ok(Arc::clone(index));
        }
        let folder = open.folder.clone();
        let index: Arc<[IndexRow]> = crate::blocking(move || tw_dataset::read_index(&folder)).await?.api()?.into();
        let mut kept = lock(&self.datasets.indexes);
        kept.truncate(KEPT_INDEXES - 1);
        kept.insert(0, (id, Arc::clone(&index)));
        Ok(index)
    }

    pub(crate) async fn view_dataset(&self, id: &str) -> Result<DatasetView, ApiError> {
        let open = self.open_version(id).await?;
        let OpenVersion { version, manifest, folder } = open;
        let ids = manifest.sources.iter().map(|source| source.id.clone()).collect();
        let heads = self.store.heads(ids).await.api()?;
        let changed = manifest.sources.iter().filter(|it| heads.get(&it.id) != Some(&it.revision)).count();
        let problem = manifest.problem(&folder);
        let pushes = tw_dataset::pushes(&self.datasets_folder(), &version.id);
        let figures = manifest.figures;
        let estimates = tw_dataset::estimates(&figures, None);
        let model = match manifest.plan.model.as_deref() {
            Some(reference) if manifest.model.is_some() => self.model_entry(Some(reference)).await.ok(),
            _ => None,
        };
        Ok(DatasetView {
            version: DatasetVersion { problem, pushes, ..version },
            plan: manifest.plan,
            figures: DatasetPreview { estimates, ..figures },
            sources: manifest.sources,
            files: manifest.files,
            folder: folder.to_string_lossy().into_owned(),
            changed: u32::try_from(changed).unwrap_or(u32::MAX),
            model,
        })
    }

    pub(crate) async fn dataset_families_of(&self, query: FamilyQuery) -> Result<Vec<DatasetFamily>, ApiError> {
        let open = self.open_version(&query.id).await?;
        let index = self.version_index(&open).await?;
        let (offset, limit) = page(query.offset, query.limit);
        crate::blocking(move || tw_dataset::families(&index).into_iter().skip(offset).take(limit).collect()).await
    }

    pub(crate) async fn dataset_rows_of(&self, query: RowQuery) -> Result<RowPage, ApiError> {
        let open = self.open_version(&query.id).await?;
        let index = self.version_index(&open).await?;
        crate::blocking(move || rows(&index, &query)).await
    }

    /// A row of a version as its files have it.
    pub(crate) async fn stored_row(&self, open: &OpenVersion, row: &str) -> Result<(IndexRow, StoredRow), ApiError> {
        let index = self.version_index(open).await?;
        let known = index.iter().find(|it| it.row.id == row && it.number.is_some()).cloned();
        let of = known.ok_or_else(|| ApiError::not_found("row in this version"))?;
        let (folder, split, number) = (open.folder.clone(), of.split, of.number.unwrap_or_default());
        let stored = crate::blocking(move || tw_dataset::row_at(&folder, split, number)).await?.api()?;
        Ok((of, stored))
    }

    pub(crate) async fn dataset_row_of(&self, request: RowRequest) -> Result<DatasetRow, ApiError> {
        let open = self.open_version(&request.id).await?;
        let (of, row) = self.stored_row(&open, &request.row).await?;
        let summary = RowSummary { results_cut: row.results_cut, ..summary(&of) };
        let timestamp_ms = row.timestamp_ms();
        let trains = row.train.into_iter().chain(std::iter::repeat(false));
        let spans = row.spans.into_iter().chain(std::iter::repeat(Vec::new()));
        let messages = row.messages.into_iter().zip(trains).zip(spans);
        Ok(DatasetRow {
            summary,
            timestamp_ms,
            model: row.model,
            messages: messages.map(|((message, train), spans)| RowMessage { message, train, spans }).collect(),
            tools: row.tools,
            tags: row.tags,
            rating: row.rating,
        })
    }

    pub(crate) async fn diff_datasets(&self, request: DatasetDiffRequest) -> Result<DatasetDiff, ApiError> {
        let (from, to) = (self.open_version(&request.from).await?, self.open_version(&request.to).await?);
        let (before, after) = (self.version_index(&from).await?, self.version_index(&to).await?);
        crate::blocking(move || {
            let found = tw_dataset::compare((&from.manifest, &before), (&to.manifest, &after));
            let trace = |it: tw_dataset::TraceComparison| TraceDifference {
                trace_id: it.trace_id,
                title: it.title,
                before: it.before,
                after: it.after,
                rows_removed: it.removed,
                rows_added: it.added,
                rows_changed: it.changed,
            };
            DatasetDiff {
                from: from.version,
                to: to.version,
                settings: found.settings,
                traces: found.traces.into_iter().map(trace).collect(),
                rows_added: found.added,
                rows_removed: found.removed,
                rows_changed: found.changed,
                rows_same: found.same,
                rows_moved: found.moved,
                examples: found.examples,
            }
        })
        .await
    }

    pub(crate) async fn delete_dataset(&self, id: &str) -> Result<(), ApiError> {
        let version = self.store.dataset(id).await.api()?;
        // The files first: a version that is on the list and has none says so, one that is off the list would come back.
        let folder = self.datasets_folder().join(&version.id);
        crate::blocking(move || tw_dataset::remove(&folder)).await?.api()?;
        self.store.remove_dataset(&version.id).await.api()?;
        self.hub.emit(Event::DATASETS, EventBody::DatasetsChanged);
        Ok(())
    }
}

fn page(offset: u32, limit: u32) -> (usize, usize) {
    let size = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    (size(offset), size(if limit == 0 { PAGE } else { limit }))
}

fn summary(of: &IndexRow) -> RowSummary {
    RowSummary {
        id: of.row.id.clone(),
        trace_id: of.trace_id.clone(),
        title: of.title.clone(),
        split: of.split,
        messages: of.row.messages,
        tokens: of.row.tokens,
        trained_tokens: of.row.trained_tokens,
        truncated: of.row.id != of.trace_id && of.row.id.contains("_trunc_"),
        results_cut: 0,
        warnings: of.warnings.clone(),
    }
}

fn rows(index: &[IndexRow], query: &RowQuery) -> RowPage {
    let words = query.search.trim().to_lowercase();
    let fits = |row: &&IndexRow| {
        row.number.is_some()
            && query.split.is_none_or(|split| row.split == split)
            && query.trace_id.as_deref().is_none_or(|id| row.trace_id == id)
            && query.warning.is_none_or(|kind| row.warnings.contains(&kind))
            && query.min_tokens.is_none_or(|least| row.row.tokens >= least)
            && query.max_tokens.is_none_or(|most| row.row.tokens <= most)
            && (words.is_empty()
                || row.row.id.to_lowercase().contains(&words)
                || row.title.to_lowercase().contains(&words))
    };
    let mut found: Vec<&IndexRow> = index.iter().filter(fits).collect();
    // Sorting is stable: equal ones stay as they are stored.
    match query.order {
        RowOrder::Stored => {}
        RowOrder::Tokens => found.sort_by_key(|row| std::cmp::Reverse(row.row.tokens)),
        RowOrder::TrainedTokens => found.sort_by_key(|row| std::cmp::Reverse(row.row.trained_tokens)),
        RowOrder::Messages => found.sort_by_key(|row| std::cmp::Reverse(row.row.messages)),
        RowOrder::Warnings => found.sort_by_key(|row| std::cmp::Reverse(row.warnings.len())),
    }
    if query.reverse {
        found.reverse();
    }
    let (offset, limit) = page(query.offset, query.limit);
    let total = u32::try_from(found.len()).unwrap_or(u32::MAX);
    RowPage { rows: found.into_iter().skip(offset).take(limit).map(summary).collect(), total }
}
