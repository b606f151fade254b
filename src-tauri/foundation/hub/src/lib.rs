//! The Hugging Face Hub: who is signed in, what repositories hold, pushes, downloads.
//!
//! In: the address of a Hub and a token, files to push, names of repositories. Out: accounts, listings, bytes, one commit
//! for each push, and typed errors that say what happened and what to do ([`HubError`]).
//! Never: half a push (files are seen when the commit at its end is made, or not at all), a file that is not what its
//! checksum says, a token in Debug, logs or arguments, or sent to another origin than the Hub's own; reports about
//! transfers to anybody.
//!
//! `hf-hub` makes and describes repositories. What it cannot do is done here, over the same protocol: its listings have no
//! checksums of large files; its uploads cannot be cancelled, report about themselves to the storage's owner, and pack
//! whole files into the commit where a Hub has no Xet. Xet itself is `hf-xet`, the crate beneath `hf-hub`.

mod account;
mod client;
mod error;
mod fetch;
mod files;
mod large;
mod listing;
mod push;
mod repo;
mod token;
mod work;
mod xet;

pub use account::Account;
pub use client::{HubClient, HubOptions};
pub use error::HubError;
pub use fetch::{Fetched, RangeFile, model_needs};
pub use files::{Change, FileDiff, LocalFile, diff, file_sums};
pub use listing::{Entry, Page, RemoteFile, RepoInfo};
pub use push::{Push, Pushed};
pub use repo::{RepoId, RepoKind};
pub use token::{DEFAULT_ENDPOINT, FoundToken, TokenSource, endpoint_from_env, find_token};
pub use work::{Step, Update, Watch, Work};

#[cfg(test)]
mod tests;
