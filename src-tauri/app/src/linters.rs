//! Linters that are kept: each has the schemas of tools ready that come again and again.

use std::sync::{Mutex, PoisonError};

use tw_review::Linter;

/// Linters that nobody works with at the moment; never more than were at work at once.
static IDLE: Mutex<Vec<Linter>> = Mutex::new(Vec::new());

/// Works with a linter that is lent for as long.
pub(crate) fn with_linter<T>(work: impl FnOnce(&mut Linter) -> T) -> T {
    let idle = || IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let lent = idle().pop();
    let mut linter = lent.unwrap_or_default();
    let done = work(&mut linter);
    idle().push(linter);
    done
}
