//! The truth about tokens: a chat template's exact text for a conversation, its tokens, and which of them are trained.
//!
//! In: a template as a model's folder, a GGUF file or a person gives it, a `tokenizer.json`, conversations with tools.
//! Out: the text that transformers' `apply_chat_template` gives, byte for byte; token ids; for every stretch of the text
//! which message and field it is; a mask of what is trained; warnings in plain words.
//! Never: a clock, the network, a file that a template names, or a search for text that a conversation could hold. A
//! template that computes too long, too deep or too much is stopped.

mod conversation;
mod emitted;
mod error;
mod field;
mod gguf;
mod gguf_tokenizer;
mod jinja;
mod lens;
mod model;
mod row;
mod segments;
mod source;
mod spans;
mod template;
mod tokenizer;
mod warning;
mod words;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;

pub use emitted::{Breaks, Emitted, Normalised, matches_emitted_ids, matches_emitted_text};
pub use error::{Error, TemplateError, TemplateFault};
pub use field::{Field, Piece};
pub use jinja::Limits;
pub use lens::{Lens, MessageTokens, Stretch, TokenRun, TokenSource};
pub use model::{MakeSettings, RowMaker};
pub use row::{RenderedRow, Row, RowRenderer, RowReport, RowSettings, Train, render_row};
pub use source::TemplateSource;
pub use spans::TurnSpan;
pub use template::{RenderInput, Rendered, SpecialTokens, Template, on_big_stack};
pub use tokenizer::{Encoded, Tokenizer, sha256_hex};
pub use warning::{Warning, WarningKind};
