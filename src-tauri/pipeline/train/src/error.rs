//! What can go wrong while training.

use std::path::{Path, PathBuf};

/// Why a training could not begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model could not be read or computed.
    #[error(transparent)]
    Model(#[from] tw_model::Error),
    /// The job's folder could not be read or written.
    #[error(transparent)]
    Job(#[from] tw_jobs::Error),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The spec asks for what cannot be.
    #[error("{0}")]
    Spec(String),
    /// A row has more tokens than the spec allows.
    #[error(
        "row {row} has {tokens} tokens, more than the {max} allowed: raise the maximum length or leave the row out"
    )]
    RowTooLong {
        /// The row's id.
        row: String,
        /// Its tokens.
        tokens: usize,
        /// The most allowed.
        max: usize,
    },
    /// No token of any row counts in the loss.
    #[error("no token of the {rows} rows is trained on: check what the rows are there for")]
    NothingToLearn {
        /// How many rows there are.
        rows: usize,
    },
    /// The loss or its gradient is no longer a number.
    #[error(
        "the loss stopped being a number in step {step}: lower the learning rate, and train on from the adapter of an earlier checkpoint"
    )]
    NotANumber {
        /// The step, from 1. It changed nothing.
        step: u64,
    },
    /// It does not fit into memory even when everything possible is computed twice.
    #[error(
        "a pack of {tokens} tokens needs {} MB and {} MB are allowed: lower the tokens per pack or the maximum length",
        .needed / 1_000_000, .allowed / 1_000_000
    )]
    Memory {
        /// Tokens of the largest pack.
        tokens: usize,
        /// Bytes it needs at least.
        needed: u64,
        /// Bytes it may take.
        allowed: u64,
    },
    /// An adapter's folder cannot be used.
    #[error("the adapter in {} cannot be used: {reason}", path.display())]
    Adapter {
        /// Its folder.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A checkpoint belongs to another job, or is damaged.
    #[error("the checkpoint {} cannot be gone on from: {reason}", path.display())]
    Checkpoint {
        /// Its folder.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl Error {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::File { path: path.to_owned(), source }
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Model(error.into())
    }
}

/// What the functions of this crate give.
pub type Result<T> = std::result::Result<T, Error>;
