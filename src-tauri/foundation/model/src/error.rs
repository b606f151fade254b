//! What can go wrong with a model's folder or its arithmetic.

use std::io;
use std::path::PathBuf;

/// Why a model could not be read or computed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// `config.json` is not JSON, or a value in it has the wrong type.
    #[error("{} is not a model's config: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: serde_json::Error,
    },
    /// The config asks for something that these layers do not compute.
    #[error("this model cannot be used: {0}")]
    Unsupported(String),
    /// A weights file is cut short or damaged.
    #[error("{} is damaged: {reason}. Download it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The folder holds no weights in the safetensors format.
    #[error("{} holds no safetensors weights (model.safetensors or model.safetensors.index.json)", .0.display())]
    NoWeights(PathBuf),
    /// A tensor that the config promises is in none of the files.
    #[error("the weights lack the tensor {0}")]
    MissingTensor(String),
    /// A tensor has another shape than the config says.
    #[error("the tensor {name} has the shape {found:?}, the config asks for {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// What the config asks for.
        expected: Vec<usize>,
    },
    /// A tensor is stored in a number format that cannot be trained on.
    #[error("the tensor {name} is stored as {dtype}: use a model in 16 or 32 bits, not a quantised one")]
    Dtype {
        /// The tensor.
        name: String,
        /// The format in the file.
        dtype: String,
    },
    /// A token id is not in the model's vocabulary: most often another model's tokenizer was used.
    #[error("token {token} is outside of the model's vocabulary of {vocab}: was another model's tokenizer used?")]
    Vocabulary {
        /// The token id.
        token: u32,
        /// How many tokens the model knows.
        vocab: usize,
    },
    /// A kernel was given tensors that it does not compute with. A fault of the caller's, not of the model.
    #[error("{0}")]
    Kernel(String),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// What the functions of this crate give.
pub type Result<T> = std::result::Result<T, Error>;
