//! Faults: what a test wants to go wrong, and where.

use std::sync::{Mutex, PoisonError};

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// This status comes instead of an answer.
    Status {
        /// Such as 503.
        status: u16,
        /// `Retry-After`, in seconds.
        retry_after_secs: Option<u32>,
        /// What the answer says.
        message: String,
    },
    /// The connection is cut after so many bytes of what is sent: of an upload's body, of a download's.
    Cut {
        /// After how many.
        after_bytes: usize,
    },
    /// The request is carried out, and the connection is cut after so many bytes of its answer.
    CutAnswer {
        /// After how many.
        after_bytes: usize,
    },
    /// One byte of a download is another.
    Corrupt,
    /// No answer comes until the client gives up.
    Hang,
    /// Somebody else makes a commit just before this request is looked at.
    OtherCommit,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Part of `METHOD /path`: requests that have it are struck.
    pub on: String,
    /// What happens to them.
    pub act: Act,
    /// How often; afterwards all is well.
    pub times: u32,
}

impl Fault {
    /// A status, once.
    #[must_use]
    pub fn status(on: &str, status: u16) -> Self {
        let message = format!("made to fail with {status}");
        Self { on: on.to_owned(), act: Act::Status { status, retry_after_secs: None, message }, times: 1 }
    }

    /// Another fault, once.
    #[must_use]
    pub fn once(on: &str, act: Act) -> Self {
        Self { on: on.to_owned(), act, times: 1 }
    }

    /// The same, as often as said.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

/// The faults that are still to come.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(super) fn add(&self, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What strikes a request, and counts it.
    pub(super) fn strike(&self, request: &str) -> Option<Act> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = faults.iter_mut().find(|fault| fault.times > 0 && request.contains(&fault.on))?;
        fault.times -= 1;
        Some(fault.act.clone())
    }
}
