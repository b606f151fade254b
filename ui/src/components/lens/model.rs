//! A rendered row as the lens draws it: whose each token is, where it stands, what it is called. Pure.

use std::ops::Range;

use tw_artifact::Role;
use tw_contract::{LensField, LensRun, LensSource, LensView};

use super::cells::{Block, Cell, block_at, blocks, cells};
use super::minimap::Region;

/// Whose a stretch of text is: the colour it is drawn in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// A system message, or the tools.
    System,
    /// A user's message.
    User,
    /// What the model thought.
    Reasoning,
    /// What the model answered.
    Answer,
    /// A call of the model.
    Call,
    /// What a tool gave.
    Result,
    /// What the template writes.
    Template,
}

impl Face {
    /// All, in the order of a conversation.
    pub(crate) const ALL: [Self; 7] =
        [Self::System, Self::User, Self::Reasoning, Self::Answer, Self::Call, Self::Result, Self::Template];

    /// In a word.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::User => "User",
            Self::Reasoning => "Reasoning",
            Self::Answer => "Answer",
            Self::Call => "Call",
            Self::Result => "Result",
            Self::Template => "Template",
        }
    }

    /// The class that colours it.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::System => "face-system",
            Self::User => "face-user",
            Self::Reasoning => "face-reasoning",
            Self::Answer => "face-answer",
            Self::Call => "face-call",
            Self::Result => "face-result",
            Self::Template => "face-template",
        }
    }
}

/// A row, ready to be drawn.
#[derive(Debug)]
pub(crate) struct Lens {
    /// What the host said.
    pub(crate) view: LensView,
    /// The text's cells.
    pub(crate) cells: Vec<Cell>,
    /// The cells by blocks.
    pub(crate) blocks: Vec<Block>,
    /// The first token of each run.
    run_starts: Vec<usize>,
}

impl Lens {
    /// Cuts a row for drawing.
    pub(crate) fn new(view: LensView) -> Self {
        let cells = cells(&view.text, &view.lengths);
        let blocks = blocks(&view.text, &cells);
        let run_starts = view
            .runs
            .iter()
            .scan(0, |at, run| {
                let start = *at;
                *at += run.tokens as usize;
                Some(start)
            })
            .collect();
        Self { view, cells, blocks, run_starts }
    }

    /// How many tokens.
    pub(crate) const fn tokens(&self) -> usize {
        self.view.ids.len()
    }

    /// The run of a token.
    pub(crate) fn run_of(&self, token: usize) -> Option<LensRun> {
        let place = self.run_starts.partition_point(|start| *start <= token).checked_sub(1)?;
        self.view.runs.get(place).copied()
    }

    /// Where a token comes from.
    pub(crate) fn source_of(&self, token: usize) -> Option<LensSource> {
        self.view.sources.get(self.run_of(token)?.source as usize).copied()
    }

    /// The text of a stretch; empty for one that is none.
    pub(crate) fn text_of(&self, stretch: Range<usize>) -> &str {
        self.view.text.get(stretch).unwrap_or_default()
    }

    /// Whose a source is.
    pub(crate) fn face_of(&self, source: LensSource) -> Face {
        let role = source.message.and_then(|place| self.view.messages.get(place as usize)).map(|message| message.role);
        match (source.field, role) {
            (LensField::Tools, _) => Face::System,
            (LensField::Reasoning, _) => Face::Reasoning,
            (LensField::CallName { .. } | LensField::CallArguments { .. }, _) => Face::Call,
            (LensField::Content | LensField::Other, Some(Role::System)) => Face::System,
            (LensField::Content | LensField::Other, Some(Role::User)) => Face::User,
            (LensField::Content, Some(Role::Assistant)) => Face::Answer,
            (LensField::Other, Some(Role::Assistant)) => Face::Call,
            (LensField::Content | LensField::Other, Some(Role::Tool)) => Face::Result,
            _ => Face::Template,
        }
    }

    /// Whose a cell is, and whether any of its tokens is trained. A cell without tokens is the template's.
    pub(crate) fn look_of(&self, cell: &Cell) -> (Face, bool) {
        let face = (cell.tokens > 0)
            .then(|| self.source_of(cell.first_token))
            .flatten()
            .map_or(Face::Template, |source| self.face_of(source));
        let trained = cell.token_range().any(|token| self.run_of(token).is_some_and(|run| run.trained));
        (face, trained)
    }

    /// The stretches of the text about which the same holds, in order.
    pub(crate) fn regions(&self) -> Vec<Region<Face>> {
        let (mut token, mut byte) = (0, 0);
        self.view
            .runs
            .iter()
            .map(|run| {
                let lengths = self.view.lengths.iter().skip(token).take(run.tokens as usize);
                let bytes: usize = lengths.map(|length| *length as usize).sum();
                let start = byte;
                token += run.tokens as usize;
                byte += bytes;
                let source = self.view.sources.get(run.source as usize).copied().unwrap_or_default();
                Region { start, end: byte, trained: run.trained, kind: self.face_of(source) }
            })
            .collect()
    }

    /// The bytes of a token.
    pub(crate) fn bytes_of(&self, token: usize) -> Option<Range<usize>> {
        let place = self.cells.partition_point(|cell| cell.tokens > 0 && cell.token_range().end <= token);
        let cell = self.cells.get(place).filter(|cell| cell.token_range().contains(&token))?;
        Some(cell.start..cell.end)
    }

    /// The bytes of a message: from the first of its tokens to the last.
    pub(crate) fn bytes_of_message(&self, message: u32) -> Option<Range<usize>> {
        let (mut token, mut first, mut last) = (0, None, None);
        for run in &self.view.runs {
            let own = self.view.sources.get(run.source as usize).is_some_and(|it| it.message == Some(message));
            if own && run.tokens > 0 {
                first = first.or(Some(token));
                last = Some(token + run.tokens as usize - 1);
            }
            token += run.tokens as usize;
        }
        Some(self.bytes_of(first?)?.start..self.bytes_of(last?)?.end)
    }

    /// The first trained token at or behind a byte, else the first of all.
    pub(crate) fn next_trained(&self, byte: usize) -> Option<usize> {
        let regions = self.regions();
        let trained = || regions.iter().filter(|region| region.trained);
        trained().find(|region| region.start >= byte).or_else(|| trained().next()).map(|region| region.start)
    }

    /// The block in which a byte stands.
    pub(crate) fn block_at(&self, byte: usize) -> Option<usize> {
        block_at(&self.blocks, byte)
    }

    /// Whether a block of this row is drawn like one of another.
    pub(crate) fn draws_like(&self, block: usize, other: &Self, other_block: usize) -> bool {
        let (Some(own), Some(others)) = (self.blocks.get(block), other.blocks.get(other_block)) else { return false };
        let looks = |lens: &Self, block: &Block| {
            let cells = lens.cells.get(block.cells.clone()).unwrap_or_default();
            cells.iter().map(|cell| (cell.end - block.start, lens.look_of(cell))).collect::<Vec<_>>()
        };
        self.text_of(own.start..own.end) == other.text_of(others.start..others.end)
            && looks(self, own) == looks(other, others)
    }

    /// `message 5 (assistant)`, counted from 1, as warnings count.
    pub(crate) fn message_name(&self, message: u32) -> String {
        let role = self.view.messages.get(message as usize).map(|message| message.role.as_str());
        format!("message {} ({})", message + 1, role.unwrap_or("unknown"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tw_contract::LensMessage;

    /// `<u>Hi</u><a>Yo</a>` with one token for each part.
    fn lens() -> Lens {
        let message =
            |role: Role| LensMessage { id: None, role, tokens: 3, trained: 0, marked: None, has_spans: false };
        let source = |message: u32, field: LensField| LensSource { message: Some(message), field };
        let run = |source: u32, trained: bool| LensRun { tokens: 1, source, trained };
        Lens::new(LensView {
            text: "<u>Hi</u><a>Yo</a>".to_owned(),
            ids: vec![1, 2, 3, 1, 4, 3],
            lengths: vec![3, 2, 4, 3, 2, 4],
            runs: vec![run(0, false), run(1, false), run(2, false), run(3, false), run(4, true), run(5, true)],
            sources: vec![
                source(0, LensField::Header),
                source(0, LensField::Content),
                source(0, LensField::EndOfTurn),
                source(1, LensField::Header),
                source(1, LensField::Content),
                source(1, LensField::EndOfTurn),
            ],
            messages: vec![message(Role::User), message(Role::Assistant)],
            ..LensView::default()
        })
    }

    #[test]
    fn every_token_knows_its_source_and_whether_it_is_trained() {
        let lens = lens();
        let looks: Vec<_> = lens.cells.iter().map(|cell| lens.look_of(cell)).collect();
        assert_eq!(
            looks,
            [
                (Face::Template, false),
                (Face::User, false),
                (Face::Template, false),
                (Face::Template, false),
                (Face::Answer, true),
                (Face::Template, true)
            ]
        );
        assert_eq!(lens.source_of(6), lens.source_of(5), "behind the end it is the last one's");
        assert_eq!(lens.bytes_of(4), Some(12..14));
        assert_eq!(lens.bytes_of(6), None);
        assert_eq!(lens.bytes_of_message(1), Some(9..18));
        assert_eq!(lens.bytes_of_message(7), None);
        assert_eq!(lens.message_name(1), "message 2 (assistant)");
    }

    #[test]
    fn regions_cover_the_text_and_lead_to_what_is_trained() {
        let lens = lens();
        let regions = lens.regions();
        assert_eq!(regions.first().map(|it| it.start), Some(0));
        assert!(regions.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert_eq!(regions.last().map(|it| it.end), Some(lens.view.text.len()));
        assert_eq!(lens.next_trained(0), Some(12));
        assert_eq!(lens.next_trained(17), Some(12), "it goes round");
        assert_eq!(lens.block_at(17), Some(0));
    }

    #[test]
    fn a_block_is_drawn_anew_only_when_its_look_changed() {
        let (one, mut two) = (lens(), lens());
        assert!(one.draws_like(0, &two, 0));
        two.view.ids[1] = 99;
        assert!(one.draws_like(0, &two, 0), "ids are not drawn");
        two.view.runs[1].trained = true;
        assert!(!one.draws_like(0, &two, 0));
        assert!(!one.draws_like(0, &lens(), 1));
    }
}
