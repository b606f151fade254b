//! From a selection in the rendered text to the field of a message that it stands in. Pure.

use std::ops::Range;

use tw_artifact::{Role, TextField, TrainSpan};
use tw_contract::{LensField, LensStretch};

use super::model::Lens;

/// A selection, as marks name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Picked {
    /// The message, by its place in the row.
    pub(crate) message: u32,
    /// The field.
    pub(crate) field: TextField,
    /// First character.
    pub(crate) begin: u32,
    /// Character after the last.
    pub(crate) end: u32,
    /// Whether more was taken than was selected: what the template escapes can only be taken whole.
    pub(crate) grown: bool,
}

impl Picked {
    /// The mark that says whether it is trained.
    pub(crate) const fn span(self, train: bool) -> TrainSpan {
        TrainSpan { field: self.field, begin: self.begin, end: self.end, train }
    }
}

/// The part of a message that a selection means: of several fields that it crosses, the one with the most of it.
///
/// # Errors
/// Why nothing in it can be marked, in words.
pub(crate) fn pick(lens: &Lens, selected: Range<usize>) -> Result<Picked, &'static str> {
    let overlap = |stretch: &LensStretch| {
        let (start, end) = (stretch.start as usize, stretch.end as usize);
        end.min(selected.end).saturating_sub(start.max(selected.start))
    };
    let touched = || lens.view.stretches.iter().filter(|stretch| overlap(stretch) > 0);
    let mut shares: Vec<(u32, usize)> = Vec::new();
    for stretch in touched() {
        match shares.iter_mut().find(|(source, _)| *source == stretch.source) {
            Some((_, bytes)) => *bytes += overlap(stretch),
            None => shares.push((stretch.source, overlap(stretch))),
        }
    }
    // Of the same size, the first.
    shares.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let mut refusal = "The template writes this: only what a message says can be marked.";
    for (source, _) in shares {
        let Some(source_of) = lens.view.sources.get(source as usize) else { continue };
        let Some(message) = source_of.message else { continue };
        let role = lens.view.messages.get(message as usize).map(|message| message.role);
        if role != Some(Role::Assistant) {
            refusal = "Only what the model writes can be trained: this is not its message.";
            continue;
        }
        let field = match source_of.field {
            LensField::Content => TextField::Content,
            LensField::Reasoning => TextField::Reasoning,
            LensField::CallArguments { call } => TextField::Arguments { call },
            _ => {
                refusal = "This part goes with its message: mark the whole message.";
                continue;
            }
        };
        let mut picked = Picked { message, field, begin: u32::MAX, end: 0, grown: false };
        for stretch in touched().filter(|stretch| stretch.source == source) {
            let (begin, end, whole) = chars_of(lens, stretch, &selected);
            picked.begin = picked.begin.min(begin);
            picked.end = picked.end.max(end);
            picked.grown |= whole;
        }
        if picked.begin < picked.end {
            return Ok(picked);
        }
    }
    Err(refusal)
}

/// The characters of a field that a part of the text means, and whether that is more than the part.
fn chars_of(lens: &Lens, stretch: &LensStretch, selected: &Range<usize>) -> (u32, u32, bool) {
    let (start, end) = (stretch.start as usize, stretch.end as usize);
    let from = selected.start.max(start);
    let to = selected.end.min(end);
    if !stretch.exact {
        return (stretch.from, stretch.from + stretch.chars, from > start || to < end);
    }
    let count = |part: Range<usize>| u32::try_from(lens.text_of(part).chars().count()).unwrap_or(u32::MAX);
    let begin = stretch.from + count(start..from).min(stretch.chars);
    (begin, begin + count(from..to), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tw_contract::{LensMessage, LensSource, LensView};

    /// `user: wörld | assistant: thöught, ans"wer` with an escaped quote in the answer.
    fn lens() -> Lens {
        let text = "[wörld]{thöught}{ans\\\"wer}".to_owned();
        let at = |part: &str| u32::try_from(text.find(part).unwrap()).unwrap();
        let stretch = |part: &str, source: u32, from: u32, chars: u32, exact: bool| {
            let start = at(part);
            LensStretch { start, end: start + u32::try_from(part.len()).unwrap(), source, from, chars, exact }
        };
        let message =
            |role: Role| LensMessage { id: None, role, tokens: 0, trained: 0, marked: None, has_spans: false };
        let source = |message: u32, field: LensField| LensSource { message: Some(message), field };
        let stretches = vec![
            stretch("wörld", 0, 0, 5, true),
            stretch("thöught", 1, 0, 7, true),
            stretch("ans", 2, 2, 3, true),
            stretch("\\\"", 2, 5, 1, false),
            stretch("wer", 2, 6, 3, true),
        ];
        Lens::new(LensView {
            stretches,
            sources: vec![
                source(0, LensField::Content),
                source(1, LensField::Reasoning),
                source(1, LensField::Content),
            ],
            messages: vec![message(Role::User), message(Role::Assistant)],
            text,
            ..LensView::default()
        })
    }

    fn picked(part: &str) -> Result<(TextField, u32, u32, bool), &'static str> {
        let lens = lens();
        let start = lens.view.text.find(part).unwrap();
        pick(&lens, start..start + part.len()).map(|it| (it.field, it.begin, it.end, it.grown))
    }

    #[test]
    fn a_selection_is_counted_in_characters_of_its_field() {
        assert_eq!(picked("hö"), Ok((TextField::Reasoning, 1, 3, false)));
        assert_eq!(picked("thöught"), Ok((TextField::Reasoning, 0, 7, false)));
        assert_eq!(picked("ns\\\"w"), Ok((TextField::Content, 3, 7, false)), "the field began before the row shows it");
    }

    #[test]
    fn what_is_escaped_is_taken_whole() {
        assert_eq!(picked("\""), Ok((TextField::Content, 5, 6, true)));
    }

    #[test]
    fn of_two_fields_the_one_with_more_of_the_selection_is_meant() {
        assert_eq!(picked("ght}{ans\\\"wer"), Ok((TextField::Content, 2, 9, false)));
        assert_eq!(picked("öught}{a"), Ok((TextField::Reasoning, 2, 7, false)));
    }

    #[test]
    fn what_the_model_does_not_write_is_refused_in_words() {
        assert!(picked("wörl").unwrap_err().contains("not its message"));
        assert!(picked("}{").unwrap_err().contains("template"));
        assert_eq!(picked("ld]{thö"), Ok((TextField::Reasoning, 0, 3, false)), "a part that can be marked is");
    }
}
