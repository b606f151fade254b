//! Review: corrects traces without breaking them.
//!
//! In: the messages of a trace at a revision, and what a person wants done ([`EditOp`](tw_artifact::EditOp)). Out: the
//! messages after it, or the reason why it cannot be done; what may be wrong with a trace and how it could be mended;
//! what changed between two revisions; which traces are nearly the same.
//! Never: an edit that parts a call from its result or makes a sound trace unsound; a lost field; I/O; the loss of what
//! was there before, which the store keeps.

mod apply;
mod describe;
mod diff;
mod error;
mod likeness;
mod lint;
mod spans;
mod text;

pub use apply::apply;
pub use describe::describe;
pub use diff::{Chunk, ChunkKind, FieldChange, MessageDiff, compare, text_diff};
pub use error::EditError;
pub use likeness::{fingerprint, group_alike, likeness_percent};
pub use lint::{
    LINT_VERSION, LintInput, LintMemory, Linter, SchemaProblem, Sensitive, lint, schema_problems, sensitive,
    stands_alone,
};

#[cfg(test)]
mod tests;
