//! What renders rows: implemented over a model's template and tokenizer, or over an estimate, by whoever calls.

use tw_artifact::{DatasetWarningKind, Message, TextField, ToolDefinition, TrainSpan};

/// A row to render.
#[derive(Clone, Copy, Debug)]
pub struct RowText<'a> {
    /// The conversation.
    pub messages: &'a [Message],
    /// The tools.
    pub tools: &'a [ToolDefinition],
    /// Whether each message is trained.
    pub train: &'a [bool],
    /// For each message the stretches for which the other holds.
    pub spans: &'a [Vec<TrainSpan>],
    /// When its trace was made, unix milliseconds: what a template that asks for the date is told.
    pub timestamp_ms: i64,
}

/// A rendered row.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// What the row is a sequence of, in order: its tokens' ids, each one token; or, where tokens are estimates, a number
    /// for each message's content, and its tokens.
    pub units: Vec<(u64, u32)>,
    /// For each token 1 where the loss counts it; empty where tokens are estimates.
    pub mask: Vec<u8>,
    /// Tokens that the loss counts.
    pub trained: u32,
    /// What a person should know, in plain words.
    pub warnings: Vec<(DatasetWarningKind, String)>,
}

impl Rendered {
    /// Tokens of the row.
    #[must_use]
    pub fn tokens(&self) -> u32 {
        self.units.iter().fold(0, |sum, (_, tokens)| sum.saturating_add(*tokens))
    }
}

/// White space that was taken from a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// Which message.
    pub place: usize,
    /// Which of its texts.
    pub field: TextField,
    /// Characters that stood before what stayed.
    pub before: u32,
}

/// Gives rows their text and their tokens.
pub trait Renderer: Send + Sync {
    /// Renders a row.
    ///
    /// # Errors
    /// The template gives no text for it: why, in words.
    fn render(&self, row: &RowText<'_>) -> Result<Rendered, String>;

    /// The text of a conversation.
    ///
    /// # Errors
    /// As [`Renderer::render`].
    fn text(&self, messages: &[Message], tools: &[ToolDefinition], timestamp_ms: i64) -> Result<String, String>;

    /// Takes away the line breaks that a server left around reasoning and calls and the template writes itself.
    fn normalise(&self, messages: Vec<Message>) -> (Vec<Message>, Vec<Trimmed>);

    /// Whether tokens are estimates.
    fn is_estimate(&self) -> bool;
}
