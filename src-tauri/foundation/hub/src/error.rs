//! What can go wrong with the Hub.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why something was not done.
#[derive(Debug, Error)]
pub enum HubError {
    /// 401 without a token.
    #[error("the Hub wants to know who asks")]
    NotSignedIn,
    /// 401 with a token.
    #[error("the Hub does not accept the token")]
    BadToken,
    /// 403.
    #[error("the Hub does not allow that: {message}")]
    Forbidden {
        /// The Hub's words.
        message: String,
    },
    /// 404, or 401 for a repository that may be private.
    #[error("the Hub knows no {what}")]
    NotFound {
        /// `dataset owner/name`, `file x of model owner/name` ...
        what: String,
    },
    /// 409 when a repository is made.
    #[error("the name {repo} is taken by a repository that this account cannot see")]
    NameTaken {
        /// The name.
        repo: String,
    },
    /// 409 otherwise.
    #[error("the Hub found a conflict: {message}")]
    Conflict {
        /// The Hub's words.
        message: String,
    },
    /// 412: the branch has another head than the one that was looked at.
    #[error("the repository changed while this was being sent")]
    HeadMoved,
    /// 413, or more in one commit than can be.
    #[error("that is too large for one commit: {message}")]
    TooLarge {
        /// What.
        message: String,
    },
    /// 429.
    #[error("the Hub takes no more requests for now")]
    TooMany {
        /// After how long it takes some again, where it says.
        retry_after_secs: Option<u64>,
    },
    /// 5xx, also after several tries.
    #[error("the Hub failed ({status}): {message}")]
    Server {
        /// The status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// Another answer that is an error.
    #[error("the Hub refused that ({status}): {message}")]
    Refused {
        /// The status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// No connection.
    #[error("the Hub at {endpoint} cannot be reached: {message}")]
    Unreachable {
        /// Which.
        endpoint: String,
        /// Why.
        message: String,
    },
    /// A connection that broke off.
    #[error("the connection broke off: {message}")]
    Cut {
        /// Where.
        message: String,
    },
    /// What came is not what was announced.
    #[error("{path} did not arrive as it is on the Hub: its checksum is {found} in place of {expected}")]
    Checksum {
        /// Which file.
        path: String,
        /// The Hub's.
        expected: String,
        /// That of what came.
        found: String,
    },
    /// The storage did not get what was sent.
    #[error("{path} did not reach the Hub whole: {message}")]
    NotStored {
        /// Which file.
        path: String,
        /// The storage's words.
        message: String,
    },
    /// No room.
    #[error("the disk is full: {path} cannot be written")]
    DiskFull {
        /// What was being written.
        path: PathBuf,
    },
    /// Another error of the disk.
    #[error("{path} cannot be {verb}: {source}")]
    Disk {
        /// Which file.
        path: PathBuf,
        /// `read` or `written`.
        verb: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// Not a repository's name.
    #[error("\"{name}\" is not the name of a repository")]
    BadName {
        /// What was given.
        name: String,
    },
    /// Not an address to ask.
    #[error("{endpoint} is not an address at which a Hub can be asked: {message}")]
    BadEndpoint {
        /// What was given.
        endpoint: String,
        /// Why.
        message: String,
    },
    /// An answer in no known form.
    #[error("the Hub's answer was not understood: {message}")]
    Strange {
        /// What.
        message: String,
    },
    /// The person ended it.
    #[error("it was cancelled")]
    Cancelled,
}

impl HubError {
    /// What to do next, a sentence; empty when there is nothing to say.
    #[must_use]
    pub fn hint(&self) -> String {
        let words = match self {
            Self::NotSignedIn => "Sign in with a token in the settings, or set HF_TOKEN.",
            Self::BadToken => "Make a new token on the Hub's page of access tokens and sign in with it.",
            Self::Forbidden { .. } => {
                "Use a token that may write, and a name that begins with your account or an organisation of yours."
            }
            Self::NotFound { .. } => {
                "Check the name; a private repository is seen only by those who are signed in to it."
            }
            Self::NameTaken { .. } => "Choose another name.",
            Self::Conflict { .. } => "Look at the repository on the Hub, then try again.",
            Self::HeadMoved => "Check again what would change, then push.",
            Self::TooLarge { .. } => "Push less in one go, for instance without the session files.",
            Self::TooMany { retry_after_secs: Some(secs) } => return format!("Try again in {secs} seconds."),
            Self::TooMany { retry_after_secs: None } => "Try again in a few minutes.",
            Self::Server { .. } => "Try again a little later: what was sent is not sent twice.",
            Self::Unreachable { .. } => "Check the connection and the address (HF_ENDPOINT), then try again.",
            Self::Cut { .. } => "Try again: it goes on where it was.",
            Self::Checksum { .. } => "Try again: the file is fetched anew.",
            Self::NotStored { .. } => "Try again: the file is sent anew. If it changed meanwhile, check again first.",
            Self::DiskFull { .. } => "Make room, then try again: it goes on where it was.",
            Self::BadName { .. } => "Write it as owner/name, with letters, digits, -, _ and dots.",
            Self::BadEndpoint { .. } => "Set HF_ENDPOINT to an address that begins with https://, or unset it.",
            Self::Refused { .. } | Self::Disk { .. } | Self::Strange { .. } | Self::Cancelled => "",
        };
        words.to_owned()
    }

    /// Whether the same may work a little later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::TooMany { .. }
                | Self::Server { .. }
                | Self::Unreachable { .. }
                | Self::Cut { .. }
                | Self::Checksum { .. }
                | Self::NotStored { .. }
                | Self::HeadMoved
                | Self::DiskFull { .. }
        )
    }

    /// Whether the same is tried again here, without asking anybody.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self, Self::TooMany { .. } | Self::Server { .. } | Self::Unreachable { .. } | Self::Cut { .. })
    }

    pub(crate) fn reading(path: &Path, source: std::io::Error) -> Self {
        Self::Disk { path: path.to_owned(), verb: "read", source }
    }

    pub(crate) fn writing(path: &Path, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path: path.to_owned() }
            }
            _ => Self::Disk { path: path.to_owned(), verb: "written", source },
        }
    }

    pub(crate) fn strange(message: impl std::fmt::Display) -> Self {
        Self::Strange { message: message.to_string() }
    }
}
