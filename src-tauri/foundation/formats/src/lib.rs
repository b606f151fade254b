//! Reading and writing traces in the formats that other tools use.
//!
//! In: files of agents, trainers and the Hub, a trace at a time, however large and however broken. Out: traces as
//! messages and tools with an [`Envelope`] of what only their format knows, or what was refused and why; and the same
//! files again. Written in the format that it came from, a trace is equal in content: unknown fields, key order and the
//! text of numbers included, also where messages were edited, removed or inserted between.
//! Never: a panic on what a file holds, a whole dataset in memory, or a loss that is not named ([`Loss`]).

mod atif;
mod cells;
mod chat;
mod claude;
mod codex;
mod distant;
mod error;
mod format;
mod frame;
mod holes;
mod input;
mod loss;
mod parts;
mod pi;
mod read;
mod recognise;
mod rows;
mod rows_new;
mod session;
mod sharegpt;
mod spelling;
mod sts;
mod table;
mod time;
mod tools;
mod trace;
mod weave;
mod write;

#[cfg(test)]
mod tests;

pub use cells::{TextCell, each_text, rewrite_texts};
pub use distant::{Pieces, TableRows};
pub use error::{Refusal, WriteError};
pub use format::Format;
pub use input::Limits;
pub use loss::{Loss, LossKind};
pub use read::{Record, Records, open, read, read_within};
pub use recognise::{Recognised, recognise};
pub use table::{Columns, TableWriter};
pub use trace::{Envelope, FormatMessage, FormatTrace, Preference};
pub use write::{file_name, losses, write};
