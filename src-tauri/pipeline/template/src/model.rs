//! A template and a tokenizer made ready for many rows: what the lens and the build of a dataset render with.

use jiff::civil::DateTime;
use tw_artifact::{Map, Marks, Message, TextField, ToolDefinition};

use crate::emitted::{Breaks, Normalised};
use crate::error::{Error, TemplateError};
use crate::field::Field;
use crate::row::{RenderedRow, Row, RowRenderer, RowSettings, Train};
use crate::template::{RenderInput, SpecialTokens, Template};
use crate::tokenizer::Tokenizer;
use crate::warning::WarningKind;

/// What is the same for all rows of a dataset.
#[derive(Clone, Debug)]
pub struct RowMaker {
    template: Template,
    special_tokens: SpecialTokens,
    kwargs: Map,
    breaks: Breaks,
}

impl RowMaker {
    /// Asks the template once what it writes around the fields of a message.
    #[must_use]
    pub fn new(template: Template, special_tokens: SpecialTokens, kwargs: Map, now: DateTime) -> Self {
        let breaks = Breaks::of(&template, &special_tokens, &kwargs, now);
        Self { template, special_tokens, kwargs, breaks }
    }

    /// The template.
    #[must_use]
    pub const fn template(&self) -> &Template {
        &self.template
    }

    /// The line breaks that the template writes itself.
    #[must_use]
    pub const fn breaks(&self) -> &Breaks {
        &self.breaks
    }

    /// Renders, tokenises and masks a row; the warnings that matter most stand first.
    ///
    /// # Errors
    /// A template that gives no text for it, or a tokenizer that fails.
    pub fn make(&self, tokenizer: &Tokenizer, row: &Row, settings: MakeSettings) -> Result<RenderedRow, Error> {
        let MakeSettings { train, max_tokens, headers, now } = settings;
        let renderer = RowRenderer { template: &self.template, special_tokens: &self.special_tokens, tokenizer };
        let settings = RowSettings { train, max_tokens, headers, kwargs: self.kwargs.clone(), ..RowSettings::new(now) };
        let mut rendered = renderer.render(row, &settings)?;
        rendered.warnings.sort_by_key(|warning| rank(warning.kind));
        Ok(rendered)
    }

    /// The text of a conversation.
    ///
    /// # Errors
    /// A template that gives none.
    pub fn text(
        &self,
        messages: &[Message],
        tools: Option<&[ToolDefinition]>,
        now: DateTime,
    ) -> Result<String, TemplateError> {
        let input = RenderInput { tools, ..RenderInput::new(messages, &self.kwargs, &self.special_tokens, now) };
        Ok(self.template.render(&input)?.text)
    }
}

/// What can differ from row to row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MakeSettings {
    /// Which answers are trained, where marks say nothing.
    pub train: Train,
    /// Most tokens: a warning says what a longer row loses.
    pub max_tokens: Option<usize>,
    /// Whether headers are told from bodies in answers that are not trained, too: for a person to look at.
    pub headers: bool,
    /// What `strftime_now` says.
    pub now: DateTime,
}

/// What matters most stands first.
const fn rank(kind: WarningKind) -> u8 {
    match kind {
        WarningKind::NothingTrained => 0,
        WarningKind::OverLimit => 1,
        WarningKind::EverythingTrained => 2,
        WarningKind::SpanUnknown => 3,
        WarningKind::CallsDropped | WarningKind::ParallelCallsDropped | WarningKind::ToolsDropped => 4,
        WarningKind::TextDropped => 5,
        WarningKind::ReasoningDropped => 6,
        WarningKind::StringArguments => 7,
        WarningKind::NoEndOfTurn => 8,
        WarningKind::WhitespaceNormalised => 9,
    }
}

impl Breaks {
    /// Normalises a row: its messages, and the places that marks name in them.
    #[must_use]
    pub fn normalise_row(&self, row: Row) -> (Row, Vec<Normalised>) {
        let Row { messages, tools, mut marks } = row;
        let (messages, changes, _) = self.normalise_all(messages);
        for change in &changes {
            if let Some(marks) = marks.get_mut(change.message as usize) {
                move_spans(marks, change, &messages[change.message as usize]);
            }
        }
        (Row { messages, tools, marks }, changes)
    }
}

/// Marks count characters of the text as it was before.
fn move_spans(marks: &mut Marks, change: &Normalised, message: &Message) {
    let before = u32::try_from(change.before.chars().count()).unwrap_or(u32::MAX);
    for span in &mut marks.spans {
        let (own, text) = match span.field {
            TextField::Content => (Field::Content, message.text()),
            TextField::Reasoning => (Field::Reasoning, message.reasoning().unwrap_or_default().to_owned()),
            TextField::Arguments { .. } => continue,
        };
        if own != change.field {
            continue;
        }
        let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        span.begin = span.begin.saturating_sub(before).min(length);
        span.end = span.end.saturating_sub(before).min(length);
    }
    marks.spans.retain(|span| span.begin < span.end);
}
