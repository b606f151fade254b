//! Which token of a pack sees which.
//!
//! A pack is a forest of token sequences that share prefixes, flattened depth first. Runs of tokens without a branch are
//! segments. A token sees itself, the tokens before it in its segment, and all tokens of its segment's ancestors.

use std::ops::Range;

/// A run of tokens without a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The tokens, as places in the pack. Never empty.
    pub tokens: Range<usize>,
    /// The segment that this one goes on from, at its end. Always an earlier one.
    pub parent: Option<usize>,
}

/// The shape of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Each token's position in its row, from 0.
    pub positions: Vec<u32>,
    /// The segments in the order of their tokens: together they cover the pack without a gap.
    pub segments: Vec<Segment>,
}

impl Layout {
    /// The layout of one plain row.
    #[must_use]
    pub fn row(tokens: usize) -> Self {
        let positions = (0..tokens).map(|position| u32::try_from(position).unwrap_or(u32::MAX)).collect();
        Self { positions, segments: vec![Segment { tokens: 0..tokens, parent: None }] }
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// What a segment's tokens see before their own segment, root first, with neighbours joined.
    #[must_use]
    pub fn ancestors(&self, segment: usize) -> Vec<Range<usize>> {
        let mut path: Vec<Range<usize>> = Vec::new();
        let mut next = self.segments[segment].parent;
        while let Some(index) = next {
            let tokens = &self.segments[index].tokens;
            match path.last_mut() {
                Some(later) if later.start == tokens.end => later.start = tokens.start,
                _ => path.push(tokens.clone()),
            }
            next = self.segments[index].parent;
        }
        path.reverse();
        path
    }

    /// How many (query, key) pairs attention computes.
    #[must_use]
    pub fn pairs(&self) -> usize {
        let mut depth = vec![0_usize; self.segments.len()];
        let mut pairs = 0;
        for (index, segment) in self.segments.iter().enumerate() {
            let before = segment.parent.map_or(0, |parent| depth[parent]);
            let own = segment.tokens.len();
            depth[index] = before + own;
            pairs += own * before + own * (own + 1) / 2;
        }
        pairs
    }
}
