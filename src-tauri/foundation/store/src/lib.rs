//! The workspace: one folder with `workspace.db`, where every trace is kept message by message.
//!
//! In: settings, endpoints and servers without their secrets, runs as they happen, imported traces, edits, decisions,
//! findings of lint, the list of dataset versions. Out: traces as they were captured and at every revision, lists of them by full-text search and
//! fields, whole tool outputs, trace files that are the same JSON as the ones that came in.
//! Never: a secret, a changed captured message (corrections and edits stand beside it), a revision that goes, an answer
//! before the data is on disk (WAL, `synchronous=FULL`), two programs that write to one workspace.
//!
//! [`Store`] is a handle that clones cheaply. Its methods are async; SQL runs on threads of the store: one that writes,
//! and takes what is waiting into one transaction, and a few that read. A future that is dropped does not undo its
//! write.

mod branch;
mod config;
mod dataset;
mod error;
mod file;
mod finding;
mod head;
mod import;
mod list;
mod lock;
mod message_list;
mod numbers;
mod opened;
mod output;
mod query;
mod review;
mod revision;
mod schema;
mod search;
mod select;
mod store;
mod threads;
mod trace;
mod words;

pub use error::StoreError;
pub use finding::Look;
pub use import::{NewImport, PreparedImport, steps_of};
pub use list::{TraceFacets, TraceList, TraceQuery, TraceSort};
pub use numbers::TraceNumbers;
pub use opened::OpenTrace;
pub use output::CallOutput;
pub use revision::{Committed, Edition, NewRevision};
pub use store::Store;
pub use trace::{MarkedMessage, NewMessage, NewTrace};
pub use words::{read_stamp, title_of};

#[cfg(test)]
mod tests;
