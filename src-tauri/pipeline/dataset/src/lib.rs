//! Traces become rows, and rows become dataset versions that never change.
//!
//! In: traces at their revisions ([`Source`]), a [`DatasetPlan`](tw_artifact::DatasetPlan), and a [`Renderer`] that gives
//! rows their text and tokens. Out: rows ([`Made`]), figures ([`Tally`]), versions on disk ([`Build`], [`Manifest`]), what
//! differs between two of them ([`compare`]), and files for other tools ([`export()`]).
//! Never: an answer trained twice where the mode promises once, or after something else than the model sees; a row of one
//! trace in two parts; half a version under a version's name; other bytes of the same inputs; all rows in memory.

mod build;
mod compare;
mod error;
mod estimate;
mod export;
mod file;
mod index;
mod limit;
mod manifest;
mod preference;
mod pushes;
mod render;
mod row;
mod source;
mod split;
mod stored;
mod table;
mod tally;
mod unroll;

#[cfg(test)]
mod tests;

pub use build::{Build, Built, found, remove, sweep};
pub use compare::{Comparison, TraceComparison, compare};
pub use error::Error;
pub use estimate::{ModelSize, estimates};
pub use export::{Exported, Target, export};
pub use index::{IndexRow, families, read_index};
pub use manifest::Manifest;
pub use preference::{PreferenceRow, preferences};
pub use pushes::{add_push, pushes};
pub use render::{Rendered, Renderer, RowText, Trimmed};
pub use row::{Made, Row, RowHash};
pub use source::{Prepared, Source};
pub use split::Splits;
pub use stored::{StoredRow, each_row, row_at};
pub use tally::Tally;
pub use unroll::{Shape, unroll};
