//! Rows that share prefixes, flattened into packs in which every shared token stands once.

use std::collections::BTreeMap;

use tw_jobs::Row;
use tw_model::kernel::cross_entropy::Target;
use tw_model::{Layout, Segment};

use crate::error::{Error, Result};

/// A row that can be trained on: as many weights as tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// Token ids.
    pub tokens: Vec<u32>,
    /// How much each token counts in the loss. The first one's is not used: nothing comes before it.
    pub weights: Vec<f32>,
}

/// A prefix trie of rows, flattened depth first.
///
/// The loss lives on the trie's edges: a token that several rows are trained on after the same prefix counts with the sum
/// of their weights, and a token where rows part is asked for several next ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Pack {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// Which sees which.
    pub layout: Layout,
    /// The tokens whose next ones are trained on, ascending.
    pub asked: Vec<u32>,
    /// For each of them the next tokens.
    pub targets: Vec<Vec<Target>>,
    /// The sum of all targets' weights.
    pub weight: f64,
    /// Tokens of its rows, counted row by row.
    pub row_tokens: usize,
}

impl Pack {
    /// The pack of these rows, in the order of their tokens whatever order they are given in.
    #[must_use]
    pub fn new<'a>(rows: impl IntoIterator<Item = &'a Sequence>) -> Self {
        let mut rows: Vec<&Sequence> = rows.into_iter().collect();
        rows.sort_by(|a, b| a.tokens.cmp(&b.tokens));
        Self::from_sorted(&rows, true)
    }

    fn from_sorted(rows: &[&Sequence], share: bool) -> Self {
        let (mut tokens, mut parents, mut positions) = (Vec::new(), Vec::new(), Vec::new());
        let mut weights: Vec<f64> = Vec::new();
        // The nodes of the row before, by depth.
        let mut path: Vec<usize> = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let shared = if index == 0 || !share { 0 } else { shared_prefix(&rows[index - 1].tokens, &row.tokens) };
            path.truncate(shared);
            for (depth, token) in row.tokens.iter().enumerate().skip(shared) {
                parents.push(path.last().copied());
                path.push(tokens.len());
                tokens.push(*token);
                positions.push(narrow(depth));
                weights.push(0.0);
            }
            for (node, weight) in path.iter().zip(&row.weights).skip(1) {
                weights[*node] += f64::from(*weight);
            }
        }
        let mut asked: BTreeMap<u32, Vec<Target>> = BTreeMap::new();
        for (node, parent) in parents.iter().enumerate() {
            if let (Some(parent), true) = (parent, weights[node] > 0.0) {
                #[expect(clippy::cast_possible_truncation, reason = "weights are small numbers")]
                let target = Target { token: tokens[node], weight: weights[node] as f32 };
                asked.entry(narrow(*parent)).or_default().push(target);
            }
        }
        let weight = asked.values().flatten().map(|target| f64::from(target.weight)).sum();
        let (asked, targets) = asked.into_iter().unzip();
        let row_tokens = rows.iter().map(|row| row.tokens.len()).sum();
        Self { layout: Layout { segments: segments(&parents), positions }, tokens, asked, targets, weight, row_tokens }
    }
}

fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn shared_prefix(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Runs of nodes without a branch, from each node's parent.
fn segments(parents: &[Option<usize>]) -> Vec<Segment> {
    let mut children = vec![0_u32; parents.len()];
    for parent in parents.iter().flatten() {
        children[*parent] += 1;
    }
    let mut segments: Vec<Segment> = Vec::new();
    let mut segment_of = vec![0; parents.len()];
    for (node, parent) in parents.iter().enumerate() {
        let goes_on = parent.is_some_and(|parent| parent + 1 == node && children[parent] == 1);
        match segments.last_mut() {
            Some(segment) if goes_on => segment.tokens.end = node + 1,
            _ => segments.push(Segment { tokens: node..node + 1, parent: parent.map(|parent| segment_of[parent]) }),
        }
        segment_of[node] = segments.len() - 1;
    }
    segments
}

/// Checks rows: their weights, and that none is longer than allowed.
///
/// # Errors
/// Names the first row that cannot be trained on.
pub fn sequences(rows: &[Row], max_length: usize) -> Result<Vec<Sequence>> {
    rows.iter()
        .map(|row| {
            let tokens = row.tokens.len();
            if tokens > max_length {
                return Err(Error::RowTooLong { row: row.id.clone(), tokens, max: max_length });
            }
            Ok(Sequence { tokens: row.tokens.clone(), weights: row.weights()? })
        })
        .collect()
}

/// Packs rows into as few computed tokens as fit `budget` tokens per pack, in the order of their tokens; among equally good
/// ways, the one with the fewest packs. Where a trie is cut, each part carries its path to the root.
///
/// Rows without any trained token are left out.
///
/// # Errors
/// When nothing is trained on, or a row alone is longer than the budget.
pub fn pack(sequences: &[Sequence], budget: usize) -> Result<Vec<Pack>> {
    pack_rows(sequences, budget, true)
}

/// As [`pack`]; without `share`, every row stands by itself and nothing is computed for two at once.
///
/// # Errors
/// As [`pack`].
pub fn pack_rows(sequences: &[Sequence], budget: usize, share: bool) -> Result<Vec<Pack>> {
    let mut rows: Vec<&Sequence> =
        sequences.iter().filter(|row| row.weights.iter().skip(1).any(|weight| *weight > 0.0)).collect();
    if rows.is_empty() {
        return Err(Error::NothingToLearn { rows: sequences.len() });
    }
    rows.sort_by(|a, b| a.tokens.cmp(&b.tokens));
    if let Some(longest) = rows.iter().find(|row| row.tokens.len() > budget) {
        let (row, tokens) = ("of the data".to_owned(), longest.tokens.len());
        return Err(Error::RowTooLong { row, tokens, max: budget });
    }
    // What a row adds to a pack that holds the row before it.
    let added: Vec<usize> = (0..rows.len())
        .map(|index| {
            let alone = index == 0 || !share;
            let shared = if alone { 0 } else { shared_prefix(&rows[index - 1].tokens, &rows[index].tokens) };
            rows[index].tokens.len() - shared
        })
        .collect();
    // The best way to pack the first n rows: computed tokens, packs, and where the last pack begins.
    let mut best: Vec<(usize, usize, usize)> = vec![(0, 0, 0)];
    for end in 1..=rows.len() {
        let mut choice = (usize::MAX, usize::MAX, 0);
        let mut more = 0;
        for start in (0..end).rev() {
            let nodes = rows[start].tokens.len() + more;
            // More rows never make fewer tokens.
            if nodes > budget {
                break;
            }
            choice = choice.min((best[start].0 + nodes, best[start].1 + 1, start));
            more += added[start];
        }
        best.push(choice);
    }
    let mut packs = Vec::new();
    let mut end = rows.len();
    while end > 0 {
        let start = best[end].2;
        packs.push(Pack::from_sorted(&rows[start..end], share));
        end = start;
    }
    packs.reverse();
    Ok(packs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tokens: &[u32], from: usize) -> Sequence {
        let weights = (0..tokens.len()).map(|place| if place >= from { 1.0 } else { 0.0 }).collect();
        Sequence { tokens: tokens.to_vec(), weights }
    }

    #[test]
    fn shared_tokens_stand_once_and_a_fork_is_asked_for_both_ways() {
        let pack = Pack::new(&[row(&[1, 2, 3, 4], 2), row(&[1, 2, 5], 2), row(&[1, 2, 3], 2), row(&[9, 9], 1)]);
        assert_eq!(pack.tokens, [1, 2, 3, 4, 5, 9, 9]);
        assert_eq!(pack.layout.positions, [0, 1, 2, 3, 2, 0, 1]);
        let segment = |tokens, parent| Segment { tokens, parent };
        let expected = [segment(0..2, None), segment(2..4, Some(0)), segment(4..5, Some(0)), segment(5..7, None)];
        assert_eq!(pack.layout.segments, expected);
        assert_eq!(pack.asked, [1, 2, 5]);
        let target = |token, weight| Target { token, weight };
        assert_eq!(pack.targets[0], [target(3, 2.0), target(5, 1.0)], "two rows are trained on 3 after 1 2");
        assert_eq!(pack.targets[1..], [vec![target(4, 1.0)], vec![target(9, 1.0)]]);
        assert!((pack.weight - 5.0).abs() < 1e-9 && pack.row_tokens == 12);
    }

    #[test]
    fn packs_hold_the_budget_and_cut_where_the_least_is_computed_twice() {
        // Two families of three rows; a cut between the families costs nothing.
        let family = |root: u32| (0..3).map(move |leaf| row(&[root, root, root, root, leaf], 4));
        let rows: Vec<Sequence> = family(7).chain(family(8)).collect();
        let packs = pack(&rows, 9).unwrap();
        assert_eq!(packs.iter().map(|pack| pack.tokens.len()).collect::<Vec<_>>(), [7, 7]);
        assert_eq!(pack(&rows, 14).unwrap().len(), 1);
        let tight = pack(&rows, 6).unwrap();
        assert!(tight.iter().all(|pack| pack.tokens.len() <= 6));
        assert_eq!(tight.iter().map(|pack| pack.tokens.len()).sum::<usize>(), 22, "each family cut once");
        let all: f64 = tight.iter().map(|pack| pack.weight).sum();
        assert!((all - 6.0).abs() < 1e-9, "every trained token once");
        assert!(matches!(pack(&rows, 4), Err(Error::RowTooLong { .. })));
    }

    #[test]
    fn rows_that_cannot_be_trained_on_are_named() {
        let long = Row::from_weights("trace_3_trunc_2", &[1; 11], &[1.0; 11]);
        let said = sequences(&[long], 10).unwrap_err().to_string();
        assert!(said.contains("trace_3_trunc_2") && said.contains("11") && said.contains("10"), "{said}");
        assert!(matches!(pack(&[row(&[1, 2], 5)], 10), Err(Error::NothingToLearn { rows: 1 })));
    }
}
