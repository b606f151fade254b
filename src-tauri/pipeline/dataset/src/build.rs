//! A version in the making: rows go to its files as they come, and all of it is there at once or not at all.

use std::path::{Path, PathBuf};

use tw_artifact::{DatasetFile, DatasetModel, DatasetPlan, RowFate};

use crate::file::{Hashed, sync_folder};
use crate::row::Made;
use crate::source::{Prepared, Source};
use crate::split::Splits;
use crate::stored::{self, Texts, file_of};
use crate::table::{Kind, Table};
use crate::tally::Tally;
use crate::{Error, Manifest, PreferenceRow, index, manifest, preference};

/// How the folders of unfinished versions begin.
const UNFINISHED: &str = ".building-";

/// A version in the making. Dropped before it is finished, nothing of it stays.
pub struct Build {
    root: PathBuf,
    folder: Unfinished,
    plan: DatasetPlan,
    rows: [Option<Table<Hashed>>; 2],
    preferences: [Option<Table<Hashed>>; 2],
    index: Table<Hashed>,
}

impl std::fmt::Debug for Build {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Build").field("folder", &self.folder.0).finish_non_exhaustive()
    }
}

/// A version that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its folder.
    pub folder: PathBuf,
    /// Whether it was there before.
    pub was_there: bool,
}

/// A folder that goes when it is dropped.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After a finished build it has another name. What cannot be removed now is swept at the next start.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn table(path: &Path, columns: &[(&str, Kind)]) -> Result<Table<Hashed>, Error> {
    Table::begin(Hashed::create(path)?, path, columns)
}

fn close(table: Table<Hashed>, files: &mut Vec<DatasetFile>) -> Result<(), Error> {
    let rows = table.rows();
    files.push(table.finish()?.finish(rows)?);
    Ok(())
}

impl Build {
    /// Begins a version below `root`, the folder of all versions. `name` is this build's own, such as its id.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn begin(root: &Path, name: &str, plan: &DatasetPlan) -> Result<Self, Error> {
        let folder = root.join(format!("{UNFINISHED}{name}"));
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let folder = Unfinished(folder);
        let index = table(&folder.0.join(index::FILE), &index::COLUMNS)?;
        Ok(Self {
            root: root.to_owned(),
            folder,
            plan: plan.clone(),
            rows: [None, None],
            preferences: [None, None],
            index,
        })
    }

    /// Adds a trace: counts its rows, finds duplicates among them and writes those that are kept.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn add(
        &mut self,
        tally: &mut Tally,
        source: &Source,
        prepared: &Prepared,
        mut made: Made,
        splits: &Splits,
    ) -> Result<(), Error> {
        let by_hand = self.plan.by_hand.contains_key(&source.id);
        let family = tally.add(source, &mut made, splits, by_hand);
        let split = family.split;
        let texts = Texts::of(prepared);
        for (row, of) in made.rows.iter().zip(&family.rows) {
            let mut number = None;
            if matches!(row.fate, RowFate::Kept | RowFate::Cut) {
                let slot = &mut self.rows[split as usize];
                if slot.is_none() {
                    *slot = Some(table(&file_of(&self.folder.0, split), &stored::COLUMNS)?);
                }
                if let Some(table) = slot {
                    number = Some(table.rows());
                    table.add(stored::cells(row, source, prepared, &texts, split))?;
                }
            }
            self.index.add(index::cells(&family, of, row, number))?;
        }
        Ok(())
    }

    /// Adds a pair.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn add_preference(&mut self, tally: &mut Tally, row: &PreferenceRow) -> Result<(), Error> {
        let slot = &mut self.preferences[row.split as usize];
        if slot.is_none() {
            *slot = Some(table(&self.folder.0.join(preference::file_name(row.split)), &preference::COLUMNS)?);
        }
        if let Some(table) = slot {
            table.add(row.cells())?;
        }
        tally.add_preference(row.split);
        Ok(())
    }

    /// Ends the version: its files, its manifest and its name come to the disk in this order, so that a folder with a
    /// version's name is a whole version.
    ///
    /// # Errors
    /// No row came of the traces, or a file cannot be written.
    pub fn finish(self, tally: &Tally, model: Option<DatasetModel>) -> Result<Built, Error> {
        let figures = tally.figures();
        let preferences = figures.train.preferences + figures.validation.preferences;
        if tally.rows() + preferences == 0 {
            let why: Vec<String> = figures.left_out.iter().map(|it| it.reason.clone()).collect();
            let why = if why.is_empty() { "there are none".to_owned() } else { why.join("; ") };
            return Err(Error::NoRows { traces: figures.families_total, why });
        }
        let Self { root, folder, plan, rows, preferences, index } = self;
        let mut files = Vec::new();
        for table in rows.into_iter().chain(preferences).flatten() {
            close(table, &mut files)?;
        }
        close(index, &mut files)?;
        let manifest = Manifest::new(&plan, model, tally.sources().to_vec(), figures, files)?;
        let path = folder.0.join(manifest::FILE);
        let text = serde_json::to_vec_pretty(&manifest).map_err(|error| Error::Plan(error.to_string()))?;
        let mut file = Hashed::create(&path)?;
        std::io::Write::write_all(&mut file, &text).map_err(Error::io(&path))?;
        file.finish(0)?;
        sync_folder(&folder.0)?;
        let target = root.join(&manifest.id);
        if let Ok(there) = Manifest::read(&target)
            && there.problem(&target).is_none()
        {
            return Ok(Built { manifest: there, folder: target, was_there: true });
        }
        if target.exists() {
            // What is left of it is not a version any more.
            std::fs::remove_dir_all(&target).map_err(Error::io(&target))?;
        }
        std::fs::rename(&folder.0, &target).map_err(Error::io(&target))?;
        sync_folder(&root)?;
        Ok(Built { manifest, folder: target, was_there: false })
    }
}

/// Removes what builds and removals that did not end have left below `root`.
pub fn sweep(root: &Path) {
    for entry in root.read_dir().into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with('.') {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

/// The versions whose folders are below `root`, whole ones only.
#[must_use]
pub fn found(root: &Path) -> Vec<Manifest> {
    let entries = root.read_dir().into_iter().flatten().flatten();
    let whole = entries.filter_map(|entry| {
        let manifest = Manifest::read(&entry.path()).ok()?;
        (entry.file_name().to_string_lossy() == manifest.id).then_some(manifest)
    });
    whole.collect()
}

/// Removes the version in `folder`: at once from under its name, then its files.
///
/// # Errors
/// The folder cannot be moved.
pub fn remove(folder: &Path) -> Result<(), Error> {
    if !folder.exists() {
        return Ok(());
    }
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let gone = folder.with_file_name(format!(".removed-{name}"));
    std::fs::rename(folder, &gone).map_err(Error::io(folder))?;
    // What cannot be removed now is swept at the next start.
    drop(std::fs::remove_dir_all(&gone));
    Ok(())
}
