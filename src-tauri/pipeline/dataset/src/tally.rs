//! What is counted while rows come in: the figures of a preview, and of a version.

use std::collections::{BTreeMap, HashSet};

use tw_artifact::{
    DatasetFamily, DatasetPreview, DatasetWarning, DatasetWarningKind, FamilyRow, LeftOut, RowBar, RowFate,
    SourceTrace, SplitName, SplitTotals, TrieTotals,
};

use crate::row::{Made, Row, RowHash};
use crate::source::Source;
use crate::split::Splits;

/// Families that a preview shows.
const FAMILIES: usize = 200;
/// Rows that a warning names.
const EXAMPLES: usize = 20;
/// Beginnings that are remembered to find those that traces share: beyond, only those within a trace are found.
const MOST_NODES: usize = 4_000_000;
/// Bars of a histogram, at most.
const MOST_BARS: u32 = 24;

/// Counts rows as they come, and knows which of them came before.
#[derive(Debug, Default)]
pub struct Tally {
    seen: HashSet<RowHash>,
    dedupe: bool,
    totals: [SplitTotals; 2],
    tokens: BTreeMap<u32, u32>,
    trained: BTreeMap<u32, u32>,
    longest: u32,
    nodes: HashSet<u64>,
    trie: TrieTotals,
    warnings: BTreeMap<DatasetWarningKind, DatasetWarning>,
    duplicates: u32,
    families: Vec<DatasetFamily>,
    families_total: u32,
    left_out: BTreeMap<String, u32>,
    sources: Vec<SourceTrace>,
    /// Whether tokens are estimates.
    pub estimated: bool,
    /// What was not understood or could not be done.
    pub problems: Vec<String>,
}

impl Tally {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(dedupe: bool, estimated: bool) -> Self {
        Self { dedupe, estimated, ..Self::default() }
    }

    /// A trace that no rows are made of.
    pub fn leave_out(&mut self, reason: &str) {
        *self.left_out.entry(reason.to_owned()).or_default() += 1;
    }

    /// Takes in a trace's rows: duplicates among them are found here. Gives the family.
    pub fn add(&mut self, source: &Source, made: &mut Made, splits: &Splits, by_hand: bool) -> DatasetFamily {
        let split = splits.part(&source.id);
        let mut kept = 0;
        for row in &mut made.rows {
            if row.is_kept() && self.dedupe && !self.seen.insert(row.hash) {
                row.fate = RowFate::Duplicate;
                row.warnings.push((DatasetWarningKind::Duplicate, "the same row was there before".to_owned()));
                self.duplicates += 1;
            }
            for (kind, text) in &row.warnings {
                let warning = self.warnings.entry(*kind).or_insert_with(|| DatasetWarning {
                    kind: *kind,
                    rows: 0,
                    examples: Vec::new(),
                    text: text.clone(),
                });
                warning.rows += 1;
                if warning.examples.len() < EXAMPLES {
                    warning.examples.push(row.id.clone());
                }
            }
            if row.is_kept() {
                kept += 1;
                self.count(row, split);
            }
        }
        if kept > 0 {
            self.total(split).traces += 1;
            for (node, tokens) in &made.nodes {
                if !self.nodes.contains(node) {
                    self.trie.nodes += u64::from(*tokens);
                    if self.nodes.len() < MOST_NODES {
                        self.nodes.insert(*node);
                    }
                }
            }
            self.sources.push(SourceTrace { id: source.id.clone(), revision: source.revision, split, rows: kept });
        } else {
            let why = match &made.problem {
                Some(problem) => problem.clone(),
                None if made.rows.iter().all(|row| row.fate == RowFate::Duplicate) => {
                    "every row of them is the same as another".to_owned()
                }
                None => "no row of them can be trained on".to_owned(),
            };
            self.leave_out(&why);
        }
        let family = family_of(source, made, split, by_hand, splits);
        self.families_total += 1;
        if self.families.len() < FAMILIES {
            self.families.push(family.clone());
        }
        family
    }

    /// A pair that became a row.
    pub const fn add_preference(&mut self, split: SplitName) {
        self.totals[split as usize].preferences += 1;
    }

    const fn total(&mut self, split: SplitName) -> &mut SplitTotals {
        &mut self.totals[split as usize]
    }

    fn count(&mut self, row: &Row, split: SplitName) {
        let total = self.total(split);
        total.rows += 1;
        total.messages += row.len() as u64;
        total.tokens += u64::from(row.tokens);
        total.trained_tokens += u64::from(row.trained_tokens);
        *self.tokens.entry(row.tokens).or_default() += 1;
        *self.trained.entry(row.trained_tokens).or_default() += 1;
        self.longest = self.longest.max(row.tokens);
        self.trie.tokens += u64::from(row.tokens);
    }

    /// Rows that are in the dataset so far.
    #[must_use]
    pub const fn rows(&self) -> u32 {
        self.totals[0].rows + self.totals[1].rows
    }

    /// The traces that rows came of.
    #[must_use]
    pub fn sources(&self) -> &[SourceTrace] {
        &self.sources
    }

    /// The figures so far. Estimates of training are the caller's.
    #[must_use]
    pub fn figures(&self) -> DatasetPreview {
        let mut warnings: Vec<DatasetWarning> = self.warnings.values().cloned().collect();
        warnings.sort_by_key(|it| (!it.kind.leaves_out(), std::cmp::Reverse(it.rows), it.kind));
        DatasetPreview {
            train: self.totals[0],
            validation: self.totals[1],
            left_out: self
                .left_out
                .iter()
                .map(|(reason, traces)| LeftOut { reason: reason.clone(), traces: *traces })
                .collect(),
            tokens: bars(&self.tokens),
            trained_tokens: bars(&self.trained),
            longest: self.longest,
            trie: self.trie,
            estimated: self.estimated,
            warnings,
            duplicates: self.duplicates,
            families: self.families.clone(),
            families_total: self.families_total,
            estimates: Vec::new(),
            problems: self.problems.clone(),
        }
    }
}

fn family_of(source: &Source, made: &Made, split: SplitName, by_hand: bool, splits: &Splits) -> DatasetFamily {
    let short = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut rows: Vec<FamilyRow> = Vec::with_capacity(made.rows.len());
    for (number, row) in made.rows.iter().enumerate() {
        // The row with the most messages in common, the latest of equal ones.
        let common = |other: &Row| row.places().zip(other.places()).take_while(|(a, b)| a == b).count();
        let parent = made.rows[..number].iter().enumerate().map(|(place, other)| (common(other), place)).max();
        let trained = |place: &usize| row.places().position(|it| it == *place).map(short);
        let mut places: Vec<u32> = row.trained.iter().chain(&row.stretches).filter_map(trained).collect();
        places.sort_unstable();
        rows.push(FamilyRow {
            id: row.id.clone(),
            parent: parent.map(|(_, place)| short(place)),
            shared: parent.map_or(0, |(common, _)| short(common)),
            messages: short(row.len()),
            trained: places,
            tokens: row.tokens,
            trained_tokens: row.trained_tokens,
            warnings: short(row.warnings.len()),
            fate: row.fate,
        });
    }
    DatasetFamily {
        trace_id: source.id.clone(),
        title: source.title.clone(),
        revision: source.revision,
        split,
        by_hand,
        bound_to: splits.bound_to(&source.id),
        rows,
    }
}

/// A histogram with bars of a round width: 1, 2 or 5 times a power of ten.
fn bars(values: &BTreeMap<u32, u32>) -> Vec<RowBar> {
    let Some(largest) = values.keys().next_back() else { return Vec::new() };
    let (mut width, mut decade) = (1_u32, 1_u32);
    let mut factors = [2, 5, 10].into_iter().cycle();
    while largest / width >= MOST_BARS {
        let factor = factors.next().unwrap_or(10);
        width = decade.saturating_mul(factor);
        if factor == 10 {
            decade = width;
        }
    }
    let mut bars: Vec<RowBar> = (0..=largest / width)
        .map(|place| RowBar { from: place * width, to: (place * width).saturating_add(width), rows: 0 })
        .collect();
    for (value, count) in values {
        if let Some(bar) = usize::try_from(value / width).ok().and_then(|place| bars.get_mut(place)) {
            bar.rows += count;
        }
    }
    bars
}
