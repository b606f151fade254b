//! Emitted = trained: what is trained of a turn must be what the model writes when it runs.
//!
//! A server cuts the model's text at its marks (`</think>`, `<tool_call>`) and leaves the line breaks around them in the
//! reasoning and the content. A template writes line breaks of its own there. Rendered as it came, the turn would hold
//! both: a text that the model never wrote.

use serde::{Deserialize, Serialize};
use tw_artifact::{Json, Map, Message};

use crate::field::{Field, Piece};
use crate::template::{RenderInput, Rendered, SpecialTokens, Template};
use crate::warning::{Warning, WarningKind, named};

/// How many line breaks a template writes itself around the fields of an assistant message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaks {
    /// Before the reasoning.
    pub before_reasoning: usize,
    /// After the reasoning.
    pub after_reasoning: usize,
    /// Between the end of the reasoning's mark and the text.
    pub before_content: usize,
    /// Between the text and the first call.
    pub before_call: usize,
}

impl Default for Breaks {
    /// Those of the Qwen3 and Hermes families, which most others follow.
    fn default() -> Self {
        Self { before_reasoning: 1, after_reasoning: 1, before_content: 2, before_call: 1 }
    }
}

/// White space that was taken from a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Normalised {
    /// Which message, from 0.
    pub message: u32,
    /// Of which field.
    pub field: Field,
    /// What stood at its beginning.
    pub before: String,
    /// What stood at its end.
    pub after: String,
}

impl Breaks {
    /// Asks the template: renders a turn with every field and looks at what stands around them. What the template does
    /// not show stays as in the default.
    #[must_use]
    pub fn of(template: &Template, special_tokens: &SpecialTokens, kwargs: &Map, now: jiff::civil::DateTime) -> Self {
        let call = Message::tool_call("call00001", "probe", Json::Object(Map::new()));
        let with_call =
            [Message::user("q"), Message::assistant("text", Some("thought".to_owned()), vec![call.clone()])];
        let without_thought = [Message::user("q"), Message::assistant("text", None, vec![call])];
        let without_call = [Message::user("q"), Message::assistant("text", Some("thought".to_owned()), Vec::new())];
        let render =
            |messages: &[Message]| template.render(&RenderInput::new(messages, kwargs, special_tokens, now)).ok();
        let mut breaks = Self::default();
        let seen = [&with_call[..], &without_call[..]].into_iter().filter_map(render).next();
        if let Some(rendered) = seen
            && let (Some(thought), Some(text)) = (place(&rendered, Field::Reasoning), place(&rendered, Field::Content))
            && thought.end <= text.start
        {
            let between = &rendered.text[thought.end..text.start];
            breaks.before_reasoning = ending_breaks(&rendered.text[..thought.start]);
            breaks.after_reasoning = leading_breaks(between);
            breaks.before_content = ending_breaks(between);
        }
        let seen = [&with_call[..], &without_thought[..]].into_iter().filter_map(render).next();
        if let Some(rendered) = seen
            && let Some(text) = place(&rendered, Field::Content)
            && let Some(name) = place(&rendered, Field::CallName { call: 0 })
            && text.end <= name.start
        {
            breaks.before_call = leading_breaks(&rendered.text[text.end..name.start]);
        }
        breaks
    }

    /// Takes from an assistant message the line breaks that the template writes itself, and content that is nothing but
    /// white space beside a call. Other messages stay.
    #[must_use]
    pub fn normalise(&self, message: Message, index: u32) -> (Message, Vec<Normalised>) {
        let mut changes = Vec::new();
        if message.role() != tw_artifact::Role::Assistant {
            return (message, changes);
        }
        let mut message = message;
        let mut change = |field, old: &str, new: &str, start: usize| {
            if old.len() != new.len() {
                let (before, after) = (old[..start].to_owned(), old[start + new.len()..].to_owned());
                changes.push(Normalised { message: index, field, before, after });
            }
        };
        let has_reasoning = message.reasoning().is_some_and(|it| !it.trim().is_empty());
        if let Some(old) = message.reasoning().filter(|_| has_reasoning).map(str::to_owned) {
            let (start, new) = trim_breaks(&old, self.before_reasoning, self.after_reasoning);
            change(Field::Reasoning, &old, new, start);
            message = message.with_reasoning(new);
        }
        let has_calls = !message.calls().is_empty();
        if let Some(Json::String(old)) = message.fields().get("content").cloned() {
            let (start, new) = if has_calls && old.trim().is_empty() {
                (old.len(), "")
            } else {
                let leading = if has_reasoning { self.before_content } else { 0 };
                trim_breaks(&old, leading, if has_calls { self.before_call } else { 0 })
            };
            change(Field::Content, &old, new, start);
            message = message.with_field("content", new.into());
        }
        (message, changes)
    }

    /// Normalises a conversation; the warning says which messages changed.
    #[must_use]
    pub fn normalise_all(&self, messages: Vec<Message>) -> (Vec<Message>, Vec<Normalised>, Option<Warning>) {
        let mut changes = Vec::new();
        let messages = (0u32..)
            .zip(messages)
            .map(|(place, message)| {
                let (message, changed) = self.normalise(message, place);
                changes.extend(changed);
                message
            })
            .collect();
        let warning = Self::warning(&changes);
        (messages, changes, warning)
    }

    /// What a person is told of changes; `None` without any.
    #[must_use]
    pub fn warning(changes: &[Normalised]) -> Option<Warning> {
        let mut which: Vec<u32> = changes.iter().map(|change| change.message).collect();
        which.dedup();
        (!which.is_empty()).then(|| {
            let text = format!(
                "line breaks that the server left around reasoning and calls were taken from {}, so that the text is \
                 what the model writes",
                named(&which)
            );
            Warning::new(WarningKind::WhitespaceNormalised, which, text)
        })
    }
}

fn place(rendered: &Rendered, field: Field) -> Option<&Piece> {
    rendered.pieces.iter().find(|piece| piece.field == field && piece.message == Some(1))
}

fn leading_breaks(text: &str) -> usize {
    text.bytes().take_while(|byte| *byte == b'\n').count()
}

fn ending_breaks(text: &str) -> usize {
    text.bytes().rev().take_while(|byte| *byte == b'\n').count()
}

/// The text without so many line breaks at its ends, and where that begins in it.
fn trim_breaks(text: &str, before: usize, after: usize) -> (usize, &str) {
    let start = leading_breaks(text).min(before);
    let rest = &text[start..];
    (start, &rest[..rest.len() - ending_breaks(rest).min(after)])
}

/// How a rendered turn stands to what the model wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Emitted {
    /// They are the same, but for the token that ends the turn where one of them has none.
    Same,
    /// They differ.
    Differs {
        /// Characters (or tokens) that are the same.
        after: usize,
        /// What the row would train from there on, cut to a few words (or ids).
        trained: String,
        /// What the model wrote from there on.
        emitted: String,
    },
}

/// Compares the text of a turn ([`crate::TurnSpan`]) with the model's own text. `endings` are the special tokens' texts.
#[must_use]
pub fn matches_emitted_text(trained: &str, emitted: &str, endings: &[String]) -> Emitted {
    let cut = |text: &'_ str| -> usize {
        endings
            .iter()
            .filter(|ending| !ending.is_empty())
            .find_map(|ending| text.strip_suffix(ending.as_str()))
            .map_or(text.len(), str::len)
    };
    let (trained, emitted) = (&trained[..cut(trained)], &emitted[..cut(emitted)]);
    if trained == emitted {
        return Emitted::Same;
    }
    let same: usize = trained.chars().zip(emitted.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum();
    let few = |text: &str| text.chars().take(60).collect::<String>();
    Emitted::Differs {
        after: trained[..same].chars().count(),
        trained: few(&trained[same..]),
        emitted: few(&emitted[same..]),
    }
}

/// Compares the ids of a turn with those that the model gave. `endings` are the ids that end a turn.
#[must_use]
pub fn matches_emitted_ids(trained: &[u32], emitted: &[u32], endings: &[u32]) -> Emitted {
    fn cut<'a>(ids: &'a [u32], endings: &[u32]) -> &'a [u32] {
        match ids.split_last() {
            Some((last, rest)) if endings.contains(last) => rest,
            _ => ids,
        }
    }
    let (trained, emitted) = (cut(trained, endings), cut(emitted, endings));
    if trained == emitted {
        return Emitted::Same;
    }
    let same = trained.iter().zip(emitted).take_while(|(a, b)| a == b).count();
    let few = |ids: &[u32]| {
        let texts: Vec<String> = ids.iter().take(12).map(u32::to_string).collect();
        texts.join(" ")
    };
    Emitted::Differs { after: same, trained: few(&trained[same..]), emitted: few(&emitted[same..]) }
}
