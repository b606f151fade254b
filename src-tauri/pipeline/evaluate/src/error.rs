//! What can be wrong with what is to be evaluated.

/// This crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a rule cannot be used, or a judge's answer cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A regular expression that is none, or too large.
    #[error("the expression \"{pattern}\" cannot be used: {reason}")]
    Pattern {
        /// The expression.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A JSON pointer that is none.
    #[error("\"{0}\" is no JSON pointer: it must be empty or begin with \"/\"")]
    Pointer(String),
    /// A rule without content, which would hold for every run or for none.
    #[error("{0}")]
    Empty(&'static str),
    /// A judge's answer without a verdict.
    #[error("the judge gave no verdict: its answer must hold PASS or FAIL on a line of its own, as the last of these")]
    NoVerdict,
}
