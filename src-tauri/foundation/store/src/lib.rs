//! The workspace: one folder with `workspace.db`, where every trace is kept message by message.
//!
//! In: settings, endpoints and servers without their secrets, runs as they happen, trace files. Out: traces, lists of
//! them with full-text search, whole tool outputs, trace files that are the same JSON as the ones that came in.
//! Never: a secret, a changed captured message (a person's correction stands beside it), an answer before the data is
//! on disk (WAL, `synchronous=FULL`), two programs that write to one workspace.
//!
//! [`Store`] is a handle that clones cheaply. Its methods are async; SQL runs on threads of the store: one that writes,
//! and takes what is waiting into one transaction, and a few that read. A future that is dropped does not undo its
//! write.

mod config;
mod error;
mod file;
mod list;
mod lock;
mod output;
mod schema;
mod search;
mod store;
mod threads;
mod trace;
mod words;

pub use error::StoreError;
pub use list::{TraceFacets, TraceList, TraceQuery, TraceSort};
pub use output::CallOutput;
pub use store::Store;
pub use trace::{NewMessage, NewTrace};
pub use words::title_of;

#[cfg(test)]
mod tests;
