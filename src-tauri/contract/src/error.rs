//! The one error that reaches the window.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of error it is. A code exists only where the UI does something different for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request itself is wrong; the person can correct it in the form.
    Invalid,
    /// What it names is not there (any more); the list is fetched again.
    NotFound,
    /// The thing changed meanwhile: it is fetched again, and the person decides anew.
    Conflict,
    /// The host does not accept the token: the page must be opened anew from its link.
    Unauthorized,
    /// The host cannot be reached; the UI tries again and says that it is offline.
    Offline,
    /// The endpoint answered with an error; the doctor is offered.
    Endpoint,
    /// The endpoint does not know the model; `detail` lists what it offers, one name a line.
    UnknownModel,
    /// An MCP server failed; its stderr is offered.
    Server,
    /// The Hub refused, or cannot be reached; signing in is offered.
    Hub,
    /// The disk is full.
    DiskFull,
    /// Anything else.
    Internal,
}

/// What happened and what to do next, in the person's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// What kind of error it is.
    pub code: ErrorCode,
    /// What happened, a sentence.
    pub message: String,
    /// What to do next, a sentence; empty when there is nothing to say.
    pub hint: String,
    /// More for those who want it: a server's answer, a child's last lines of stderr.
    pub detail: Option<String>,
    /// Whether the same request may work a little later.
    pub retryable: bool,
}

impl ApiError {
    /// An error without a hint.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: String::new(), detail: None, retryable: false }
    }

    /// A request that is wrong.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Invalid, message)
    }

    /// Something that is not there.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("There is no such {what} (any more)."))
    }

    /// The same error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The same error with details.
    #[must_use]
    pub fn with_detail(mut self, detail: Option<String>) -> Self {
        self.detail = detail;
        self
    }

    /// The same error, marked as one that may pass.
    #[must_use]
    pub const fn retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.hint.is_empty() {
            write!(f, " {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}
