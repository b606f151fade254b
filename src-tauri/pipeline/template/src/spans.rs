//! Which part of a rendered text is which turn, and what of it the model writes.
//!
//! Nothing is searched for in text that a conversation can hold: a turn begins where the prompt ends that the model
//! saw (the conversation before it, rendered with the generation prompt), and it ends with the token that the template
//! writes after the turn's last field. Where each field is, the rendering itself knows.

use std::ops::Range;

use tw_artifact::{Marks, Role, TextField};

use crate::field::{Field, Piece};
use crate::template::{RenderInput, Rendered, Template};
use crate::warning::{Warning, WarningKind, named};

/// The part of the text that the model writes for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnSpan {
    /// Which message.
    pub message: u32,
    /// First byte: after the generation prompt.
    pub start: usize,
    /// Byte after the last: after the token that ends the turn.
    pub end: usize,
    /// Where the token that ends the turn begins; `end` where there is none.
    pub ending: usize,
}

/// What the pieces say about one message.
#[derive(Clone, Copy, Debug, Default)]
struct Region {
    /// Everything that was written while the template was at the message, or came from it.
    whole: Option<(usize, usize)>,
    /// From its first to its last field.
    body: Option<(usize, usize)>,
}

/// A stretch of text without a piece of another message in it.
#[derive(Clone, Copy)]
struct Run {
    message: u32,
    whole: (usize, usize),
    body: Option<(usize, usize)>,
    /// Bytes of the message's own fields.
    weight: usize,
}

/// The regions of the messages. A message's fields can stand at other messages too (a result is shown with the name of
/// the call that it answers), so the region is the one run of its pieces that holds the most of it.
fn regions(rendered: &Rendered, messages: usize) -> Vec<Region> {
    let mut best: Vec<Option<Run>> = vec![None; messages];
    let mut keep = |run: Run| {
        if let Some(slot) = best.get_mut(run.message as usize)
            && slot.is_none_or(|known| run.weight > known.weight)
        {
            *slot = Some(run);
        }
    };
    let mut open: Option<Run> = None;
    for piece in &rendered.pieces {
        // What stands outside of messages does not end a run: the message may go on after it.
        let Some(message) = piece.message else { continue };
        if open.is_some_and(|run| run.message != message)
            && let Some(run) = open.take()
        {
            keep(run);
        }
        let run = open.get_or_insert(Run { message, whole: (piece.start, piece.end), body: None, weight: 0 });
        run.whole.1 = piece.end;
        if piece.field.is_body() {
            run.body.get_or_insert((piece.start, piece.end)).1 = piece.end;
            run.weight += piece.end - piece.start;
        }
    }
    if let Some(run) = open {
        keep(run);
    }
    let region =
        |run: Option<Run>| run.map_or_else(Region::default, |run| Region { whole: Some(run.whole), body: run.body });
    best.into_iter().map(region).collect()
}

/// Finds what the model writes for each of the wanted messages.
///
/// `special` are the texts of the special tokens: the last of them after a turn's last field ends the turn.
pub(crate) fn find(
    template: &Template,
    input: &RenderInput<'_>,
    rendered: &Rendered,
    wanted: &[u32],
    special: &[String],
    warnings: &mut Vec<Warning>,
) -> Vec<TurnSpan> {
    let regions = regions(rendered, input.messages.len());
    let mut spans = Vec::new();
    let (mut unknown, mut endless) = (Vec::new(), Vec::new());
    // The generation prompt is the same for most turns: it is rendered once for each way in which it is not.
    let mut prompt: Option<String> = None;
    for message in wanted.iter().copied() {
        let region = regions.get(message as usize).copied().unwrap_or_default();
        let Some((from, to)) = region.whole else {
            unknown.push(message);
            continue;
        };
        let start = start_of(template, input, rendered, message as usize, (from, to), region.body, &mut prompt);
        let to = to.min(latest_end(template, input, rendered, message as usize).unwrap_or(to)).max(start);
        let body_end = region.body.map_or(start, |body| body.1).clamp(start, to);
        let (ending, end) = end_of(&rendered.text, body_end, to.max(body_end), special);
        if ending == end {
            endless.push(message);
        }
        spans.push(TurnSpan { message, start, end, ending });
    }
    if !unknown.is_empty() {
        let text = format!("this template does not show {}, so nothing of it can be trained", named(&unknown));
        warnings.push(Warning::new(WarningKind::SpanUnknown, unknown, text));
    }
    if !endless.is_empty() {
        let text = format!(
            "after {} the template writes no token that ends the turn, so the model does not learn to stop there",
            named(&endless)
        );
        warnings.push(Warning::new(WarningKind::NoEndOfTurn, endless, text));
    }
    spans
}

/// Where the model begins to write a message.
fn start_of(
    template: &Template,
    input: &RenderInput<'_>,
    rendered: &Rendered,
    message: usize,
    (from, to): (usize, usize),
    body: Option<(usize, usize)>,
    known_prompt: &mut Option<String>,
) -> usize {
    let text = &rendered.text;
    // The prompt never reaches into what the model wrote.
    let latest = body.map_or(to, |body| body.0);
    if let Some(prompt) = known_prompt.as_ref()
        && !prompt.is_empty()
        && text[from..latest].starts_with(prompt.as_str())
    {
        return from + prompt.len();
    }
    let before = RenderInput { messages: &input.messages[..message], continue_final: None, ..input.clone() };
    let with = template.render(&RenderInput { add_generation_prompt: true, ..before.clone() });
    if let Ok(with) = &with
        && (from..=latest).contains(&with.text.len())
        && text.starts_with(&with.text)
    {
        *known_prompt = Some(text[from..with.text.len()].to_owned());
        return with.text.len();
    }
    // The conversation before it looks otherwise in this text (dropped reasoning), or the template refuses it (nothing
    // stands before the message): the prompt is then what the template adds at an end, as far as it stands here too.
    let added = |with: &Rendered, before: &RenderInput<'_>| {
        let without = template.render(&RenderInput { add_generation_prompt: false, ..before.clone() }).ok()?;
        with.text.strip_prefix(without.text.as_str()).map(str::to_owned)
    };
    let whole = RenderInput { continue_final: None, add_generation_prompt: true, ..input.clone() };
    let prompt = with
        .ok()
        .and_then(|with| added(&with, &before))
        .or_else(|| template.render(&whole).ok().and_then(|with| added(&with, &whole)));
    // Without any, what stands before the first field is the header.
    let Some(prompt) = prompt else { return latest };
    let same = text[from..latest].chars().zip(prompt.chars()).take_while(|(a, b)| a == b);
    let mut length: usize = same.map(|(a, _)| a.len_utf8()).sum();
    if length < prompt.len() {
        length = whole_marks(&prompt[..length]);
    }
    if length == prompt.len() {
        *known_prompt = Some(prompt);
    }
    from + length
}

/// Where a message ends at the latest, for templates that show the results of its calls while they are at the message
/// itself: where the text without the results goes another way. `None` where results are shown by themselves.
fn latest_end(template: &Template, input: &RenderInput<'_>, rendered: &Rendered, message: usize) -> Option<usize> {
    let next = input.messages.get(message + 1).filter(|next| next.role() == Role::Tool)?;
    let place = u32::try_from(message + 1).ok();
    let mut own = rendered.pieces.iter().filter(|piece| piece.message == place);
    if next.text().is_empty() || own.any(|piece| piece.field == Field::Markup) {
        return None;
    }
    let alone = RenderInput {
        messages: &input.messages[..=message],
        add_generation_prompt: false,
        continue_final: None,
        ..input.clone()
    };
    let alone = template.render(&alone).ok()?;
    let same = rendered.text.chars().zip(alone.text.chars()).take_while(|(a, b)| a == b);
    let length: usize = same.map(|(a, _)| a.len_utf8()).sum();
    Some(if length == alone.text.len() { length } else { whole_marks(&rendered.text[..length]) })
}

/// The length up to the last whole mark: two texts can go on with marks that begin alike (`<think>`, `<tool_call>`).
fn whole_marks(text: &str) -> usize {
    text.rfind(['\n', '>', ']', ' ']).map_or(0, |place| place + 1)
}

/// The token that ends a turn, in what the template writes after the turn's last field.
fn end_of(text: &str, body_end: usize, region_end: usize, special: &[String]) -> (usize, usize) {
    let tail = text.get(body_end..region_end).unwrap_or_default();
    let last = special
        .iter()
        .filter(|token| !token.is_empty())
        .filter_map(|token| tail.rfind(token.as_str()).map(|place| (place, place + token.len())))
        .max_by_key(|(_, end)| *end);
    match last {
        Some((start, end)) => (body_end + start, body_end + end),
        None => {
            let end = body_end + tail.trim_end().len();
            (end, end)
        }
    }
}

/// The `{% generation %}` blocks as turns, each of the message whose text it holds.
pub(crate) fn from_blocks(rendered: &Rendered) -> Vec<TurnSpan> {
    let mut spans: Vec<TurnSpan> = Vec::new();
    for range in &rendered.generation {
        let inside = rendered.pieces.iter().filter(|piece| piece.start < range.end && piece.end > range.start);
        // A block after the loop over the messages (the end of the text) is the last message's.
        let before = rendered.pieces.iter().take_while(|piece| piece.end <= range.start);
        let message = inside.filter_map(|piece| piece.message).next();
        if let Some(message) = message.or_else(|| before.filter_map(|piece| piece.message).last()) {
            spans.push(TurnSpan { message, start: range.start, end: range.end, ending: range.end });
        }
    }
    spans
}

/// The pieces with names for what the template writes around a message: its header, its end, the generation prompt.
pub(crate) fn classify(rendered: &Rendered, roles: &[Role], spans: &[TurnSpan], prompt: bool) -> Vec<Piece> {
    let regions = regions(rendered, roles.len());
    let last_end = regions.iter().filter_map(|region| region.whole).map(|whole| whole.1).max().unwrap_or(0);
    let mut pieces = Vec::with_capacity(rendered.pieces.len() + roles.len() * 2);
    for piece in &rendered.pieces {
        if piece.message.is_none() && piece.field == Field::Preamble && prompt && piece.start >= last_end {
            pieces.push(Piece { field: Field::GenerationPrompt, ..*piece });
            continue;
        }
        let Some(message) = piece.message.filter(|_| piece.field == Field::Markup) else {
            pieces.push(*piece);
            continue;
        };
        let region = regions.get(message as usize).copied().unwrap_or_default();
        let span = spans.iter().find(|span| span.message == message);
        let (header, ending) = match (span, region.body) {
            (Some(span), _) => (span.start, span.ending),
            (None, Some(body)) => body,
            (None, None) => (piece.start, piece.start),
        };
        let cuts = [piece.start, header.clamp(piece.start, piece.end), ending.clamp(piece.start, piece.end), piece.end];
        let ordered = [cuts[0], cuts[1], cuts[2].max(cuts[1]), cuts[3]];
        for (place, field) in [Field::Header, Field::Markup, Field::EndOfTurn].into_iter().enumerate() {
            let (start, end) = (ordered[place], ordered[place + 1]);
            if start < end {
                pieces.push(Piece { start, end, field, ..*piece });
            }
        }
    }
    pieces
}

/// Which bytes are trained.
pub(crate) struct TrainedBytes(Vec<bool>);

impl TrainedBytes {
    pub(crate) fn of(rendered: &Rendered, spans: &[TurnSpan]) -> Self {
        let mut bytes = vec![false; rendered.text.len()];
        for span in spans {
            if let Some(part) = bytes.get_mut(span.start..span.end) {
                part.fill(true);
            }
        }
        Self(bytes)
    }

    fn set(&mut self, range: Range<usize>, train: bool) {
        if let Some(part) = self.0.get_mut(range) {
            part.fill(train);
        }
    }

    /// Trains the fields of a message that is not one of the model's.
    pub(crate) fn train_fields(&mut self, rendered: &Rendered, message: u32) {
        for piece in &rendered.pieces {
            if piece.message == Some(message) && piece.field.is_body() {
                self.set(piece.start..piece.end, true);
            }
        }
    }

    /// Applies what a person said about stretches of a message's texts.
    pub(crate) fn apply(
        &mut self,
        rendered: &Rendered,
        message: u32,
        marks: &Marks,
        texts: impl Fn(TextField) -> String,
    ) {
        for span in &marks.spans {
            let text = texts(span.field);
            let (from, to) = (byte_at(&text, span.begin), byte_at(&text, span.end));
            let field = match span.field {
                TextField::Content => Field::Content,
                TextField::Reasoning => Field::Reasoning,
                TextField::Arguments { call } => Field::CallArguments { call },
            };
            // What the template adds inside of a field (quotes, commas) goes with what stands before it.
            let mut goes_on = from == 0;
            for piece in rendered.pieces.iter().filter(|it| it.message == Some(message) && it.field == field) {
                let length = piece.end - piece.start;
                match piece.place {
                    Some((place, len)) => {
                        let (begin, end) = (from.clamp(place, place + len), to.clamp(place, place + len));
                        if begin < end {
                            if len == length {
                                self.set(piece.start + begin - place..piece.start + end - place, span.train);
                            } else {
                                self.set(piece.start..piece.end, span.train);
                            }
                        }
                        goes_on = from < place + len && to > place + len;
                    }
                    None if goes_on => self.set(piece.start..piece.end, span.train),
                    None => {}
                }
            }
        }
    }

    /// Whether most of a token's bytes are trained; of a token without bytes of its own, nothing is.
    pub(crate) fn holds(&self, start: usize, end: usize) -> bool {
        let bytes = self.0.get(start..end).unwrap_or_default();
        let trained = bytes.iter().filter(|it| **it).count();
        trained > 0 && trained * 2 >= bytes.len()
    }
}

fn byte_at(text: &str, character: u32) -> usize {
    text.char_indices().nth(character as usize).map_or(text.len(), |(place, _)| place)
}
