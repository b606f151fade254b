//! What the loss lens shows: a rendered row with its tokens, where each comes from, and whether it is trained.
//!
//! Rows have tens of thousands of tokens: what there is one of a token is a number in a list, what many tokens share
//! stands once.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tw_artifact::{Message, TextField};

use crate::field::{Field, Piece};
use crate::row::{RenderedRow, field_text};

/// A message's part, or the template's own text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenSource {
    /// Which message, from 0; `None` for what the template writes outside of messages.
    pub message: Option<u32>,
    /// Which part.
    pub field: Field,
}

/// Tokens in a row that share their source and whether they are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRun {
    /// How many tokens.
    pub tokens: u32,
    /// Which of the sources.
    pub source: u32,
    /// Whether the loss counts them.
    pub trained: bool,
}

/// A stretch of the text that stands in a field's own text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// First byte in the rendered text.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
    /// Which of the sources.
    pub source: u32,
    /// The character of the field's text at `start`, in Unicode scalar values.
    pub from: u32,
    /// How many characters of the field it stands for.
    pub chars: u32,
    /// Whether they are the same here and there, one by one.
    pub exact: bool,
}

/// Tokens of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageTokens {
    /// All.
    pub tokens: u32,
    /// Those that are trained.
    pub trained: u32,
}

/// A row as the loss lens shows it, beside its text and ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lens {
    /// For each token the bytes from the end of the token before to its own end; 0 for one that shares its last
    /// character with the token before.
    pub lengths: Vec<u32>,
    /// Where tokens come from and which are trained, in order.
    pub runs: Vec<TokenRun>,
    /// What runs and stretches refer to.
    pub sources: Vec<TokenSource>,
    /// Texts, reasoning and arguments of messages, in order.
    pub stretches: Vec<Stretch>,
    /// Counts by message.
    pub messages: Vec<MessageTokens>,
    /// Tokens that are trained.
    pub trained: u32,
}

/// Sources, each with a number.
#[derive(Default)]
struct Sources {
    list: Vec<TokenSource>,
    known: HashMap<TokenSource, u32>,
}

impl Sources {
    fn number(&mut self, source: TokenSource) -> u32 {
        *self.known.entry(source).or_insert_with(|| {
            self.list.push(source);
            short(self.list.len() - 1)
        })
    }
}

impl RenderedRow {
    /// The row as the loss lens shows it. `messages` are those that were rendered.
    #[must_use]
    pub fn lens(&self, messages: &[Message]) -> Lens {
        let mut sources = Sources::default();
        let mut lens = Lens { messages: vec![MessageTokens::default(); messages.len()], ..Lens::default() };
        let mut done = 0;
        let mut first = 0;
        for ((start, end), mask) in self.offsets.iter().zip(&self.mask) {
            lens.lengths.push(short(end.saturating_sub(done)));
            done = done.max(*end);
            // Tokens stand in order: the piece of the last one is where the search begins.
            while self.pieces.get(first).is_some_and(|piece| piece.end <= *start) {
                first += 1;
            }
            let source = self.source_from(first, *start, *end);
            let trained = *mask == 1;
            lens.trained += u32::from(trained);
            if let Some(count) = source.message.and_then(|place| lens.messages.get_mut(place as usize)) {
                count.tokens += 1;
                count.trained += u32::from(trained);
            }
            let source = sources.number(source);
            match lens.runs.last_mut() {
                Some(run) if run.source == source && run.trained == trained => run.tokens += 1,
                _ => lens.runs.push(TokenRun { tokens: 1, source, trained }),
            }
        }
        lens.stretches = self.stretches(messages, &mut sources);
        lens.sources = sources.list;
        lens
    }

    /// Where the most of a token's bytes come from; `first` is the first piece that ends after its start.
    fn source_from(&self, first: usize, start: usize, end: usize) -> TokenSource {
        let overlap = |piece: &Piece| piece.end.min(end).saturating_sub(piece.start.max(start));
        let mut best: Option<(&Piece, usize)> = None;
        for piece in self.pieces.get(first..).unwrap_or_default().iter().take_while(|piece| piece.start < end) {
            if best.is_none_or(|(_, most)| overlap(piece) > most) {
                best = Some((piece, overlap(piece)));
            }
        }
        best.map_or(TokenSource { message: None, field: Field::Preamble }, |(piece, _)| TokenSource {
            message: piece.message,
            field: piece.field,
        })
    }

    fn stretches(&self, messages: &[Message], sources: &mut Sources) -> Vec<Stretch> {
        let mut fields: HashMap<TokenSource, Characters> = HashMap::new();
        let mut stretches: Vec<Stretch> = Vec::new();
        for piece in &self.pieces {
            let (Some(message), Some((place, length))) = (piece.message, piece.place) else { continue };
            let field = match piece.field {
                Field::Content => TextField::Content,
                Field::Reasoning => TextField::Reasoning,
                Field::CallArguments { call } => TextField::Arguments { call },
                _ => continue,
            };
            let Some(owner) = messages.get(message as usize) else { continue };
            let source = TokenSource { message: Some(message), field: piece.field };
            let characters = fields.entry(source).or_insert_with(|| Characters::new(field_text(owner, field)));
            let (from, to) = (characters.before(place), characters.before(place + length));
            let exact = self.text.get(piece.start..piece.end) == characters.text.get(place..place + length);
            let next = Stretch {
                start: short(piece.start),
                end: short(piece.end),
                source: sources.number(source),
                from,
                chars: to - from,
                exact,
            };
            match stretches.last_mut() {
                Some(last)
                    if last.exact
                        && exact
                        && last.end == next.start
                        && last.source == next.source
                        && last.from + last.chars == from =>
                {
                    last.end = next.end;
                    last.chars += next.chars;
                }
                _ => stretches.push(next),
            }
        }
        stretches
    }
}

/// Characters of a text counted from where they were counted last: pieces of a field mostly stand in order.
struct Characters {
    text: String,
    byte: usize,
    count: u32,
}

impl Characters {
    const fn new(text: String) -> Self {
        Self { text, byte: 0, count: 0 }
    }

    /// Characters before a byte.
    fn before(&mut self, byte: usize) -> u32 {
        let byte = byte.min(self.text.len());
        if byte < self.byte {
            (self.byte, self.count) = (0, 0);
        }
        let between = self.text.get(self.byte..byte).unwrap_or_default();
        self.count += short(between.chars().count());
        self.byte = byte;
        self.count
    }
}

fn short(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
