//! What can go wrong with a job's folder or its worker.

use std::io;
use std::path::{Path, PathBuf};

/// Why a job could not be written, started or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the job could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the job is not what it should be.
    #[error("{} cannot be understood: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: serde_json::Error,
    },
    /// A row of the job's data cannot be trained on.
    #[error("row {row}: {reason}")]
    Row {
        /// The row's id.
        row: String,
        /// Why not.
        reason: String,
    },
    /// The worker's program could not be started.
    #[error("the worker {} could not be started: {source}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another worker already works in the job's folder.
    #[error("a worker already runs in {}", .0.display())]
    Running(PathBuf),
    /// The worker speaks another version of the protocol.
    #[error(
        "the worker speaks version {found} of the protocol, this app version {expected}: install both from one release"
    )]
    Protocol {
        /// The worker's version.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// The worker ended before it said who it is.
    #[error("the worker ended before it answered: {0}")]
    Silent(String),
}

impl Error {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::File { path: path.to_owned(), source }
    }

    pub(crate) fn format(path: &Path) -> impl FnOnce(serde_json::Error) -> Self + '_ {
        |source| Self::Format { path: path.to_owned(), source }
    }
}

/// What the functions of this crate give.
pub type Result<T> = std::result::Result<T, Error>;
