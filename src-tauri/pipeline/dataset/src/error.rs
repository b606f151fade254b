//! What can go wrong, in words for a person.

use std::path::{Path, PathBuf};

/// Why a dataset was not built or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{path} cannot be used: {source}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// A Parquet file could not be put together, or is broken.
    #[error("{path}: {message}")]
    Table {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The manifest of a version is missing or is not one.
    #[error("{path} is not a dataset version of this app: {message}")]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The plan cannot be carried out.
    #[error("{0}")]
    Plan(String),
    /// No row came of the traces.
    #[error("no row came of {traces} traces: {why}")]
    NoRows {
        /// Traces that were chosen.
        traces: u32,
        /// What became of them.
        why: String,
    },
    /// There is no such row in the version.
    #[error("there is no row \"{0}\" in this version")]
    NoRow(String),
    /// A row cannot be given as tokens.
    #[error("row {row} has no tokens: {message}")]
    NotRendered {
        /// The row's id.
        row: String,
        /// Why.
        message: String,
    },
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// Parquet hands on what the file said, such as a full disk.
    pub(crate) fn table(path: &Path, error: parquet::errors::ParquetError) -> Self {
        let path = path.to_owned();
        match error {
            parquet::errors::ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
                Ok(source) => Self::Io { path, source: *source },
                Err(other) => Self::Table { path, message: other.to_string() },
            },
            other => Self::Table { path, message: other.to_string() },
        }
    }

    /// Whether the disk had no room left.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull)
    }
}
