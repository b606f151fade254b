//! What can go wrong with a model that generates.

use std::path::PathBuf;

/// Why a model could not be loaded or a request not be taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model's folder could not be read, or asks for what is not computed.
    #[error(transparent)]
    Model(#[from] tw_model::Error),
    /// A GGUF file cannot be used.
    #[error("{} cannot be used: {reason}", path.display())]
    Gguf {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// An adapter's branch does not fit the model.
    #[error("the adapter does not fit this model: {0}")]
    Adapter(String),
    /// No adapter has this name.
    #[error("no adapter is named \"{0}\"")]
    UnknownAdapter(String),
    /// A request that can never be answered.
    #[error("{0}")]
    Request(String),
    /// Too little memory is given for keys and values.
    #[error(
        "{given_mb} MB for keys and values hold {tokens} tokens, too few for this model: give at least {needed_mb} MB"
    )]
    Memory {
        /// What was given.
        given_mb: usize,
        /// Tokens that it holds.
        tokens: usize,
        /// The least.
        needed_mb: usize,
    },
    /// The threads that compute could not be started.
    #[error("the threads that compute cannot be started: {0}")]
    Threads(String),
    /// The engine has ended, because it was stopped or because a step failed.
    #[error("the model has stopped: {0}")]
    Stopped(String),
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Model(error.into())
    }
}

/// What the functions of this crate give.
pub type Result<T> = std::result::Result<T, Error>;
