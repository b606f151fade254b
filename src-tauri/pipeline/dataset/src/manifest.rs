//! A version's manifest: what it was made of, and what it is.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tw_artifact::{DatasetFile, DatasetModel, DatasetPlan, DatasetPreview, DatasetVersion, SourceTrace, hex};

use crate::Error;

/// The form of what this app writes.
const FORM: &str = "tracewright-dataset/1";
/// The manifest's file.
pub(crate) const FILE: &str = "manifest.json";

/// What a version was made of, and what it is. No date is in it: the same inputs give the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the version's files.
    pub form: String,
    /// The version's id.
    pub id: String,
    /// What it was built with.
    pub plan: DatasetPlan,
    /// What counted its tokens; `None` where they are estimates.
    pub model: Option<DatasetModel>,
    /// What it was built of, in the order of its rows.
    pub sources: Vec<SourceTrace>,
    /// Its figures, without families and estimates of training.
    pub figures: DatasetPreview,
    /// Its files.
    pub files: Vec<DatasetFile>,
}

/// What an id is made over. Where the model's files lie does not count, what they hold does.
#[derive(Serialize)]
struct Identity<'a> {
    form: &'a str,
    plan: &'a DatasetPlan,
    model: &'a Option<DatasetModel>,
    sources: &'a [SourceTrace],
    files: &'a [DatasetFile],
}

impl Manifest {
    /// The manifest of files that are written.
    ///
    /// # Errors
    /// The plan has no JSON form.
    pub(crate) fn new(
        plan: &DatasetPlan,
        model: Option<DatasetModel>,
        sources: Vec<SourceTrace>,
        figures: DatasetPreview,
        files: Vec<DatasetFile>,
    ) -> Result<Self, Error> {
        let nameless = DatasetPlan { model: None, ..plan.clone() };
        let identity = Identity { form: FORM, plan: &nameless, model: &model, sources: &sources, files: &files };
        let text = serde_json::to_vec(&identity).map_err(|error| Error::Plan(error.to_string()))?;
        let figures = DatasetPreview { families: Vec::new(), estimates: Vec::new(), ..figures };
        let id = hex(Sha256::digest(&text));
        Ok(Self { form: FORM.to_owned(), id, plan: plan.clone(), model, sources, figures, files })
    }

    /// Reads the manifest of the version in `folder`.
    ///
    /// # Errors
    /// There is none, or it is from a later app or no manifest.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let text = std::fs::read(&path).map_err(Error::io(&path))?;
        let wrong = |message: String| Error::Manifest { path: path.clone(), message };
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        if manifest.form != FORM {
            return Err(wrong(format!("its form is \"{}\", this app knows \"{FORM}\"", manifest.form)));
        }
        Ok(manifest)
    }

    /// The version as lists show it.
    #[must_use]
    pub fn version(&self, built_at_ms: i64) -> DatasetVersion {
        DatasetVersion {
            id: self.id.clone(),
            name: self.plan.name.clone(),
            built_at_ms,
            train: self.figures.train,
            validation: self.figures.validation,
            unroll: self.plan.unroll,
            train_on: self.plan.train,
            model: self.model.clone(),
            bytes: self.files.iter().map(|file| file.bytes).sum(),
            problem: None,
            pushes: Vec::new(),
        }
    }

    /// Why the files in `folder` are not those of this version any more; `None` where each is there with its length.
    #[must_use]
    pub fn problem(&self, folder: &Path) -> Option<String> {
        self.files.iter().find_map(|file| match std::fs::metadata(folder.join(&file.name)) {
            Ok(found) if found.len() == file.bytes => None,
            Ok(_) => Some(format!("{} was changed.", file.name)),
            Err(_) => Some(format!("{} is gone.", file.name)),
        })
    }
}
