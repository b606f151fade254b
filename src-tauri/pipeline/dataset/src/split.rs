//! Train and validation: by trace, never by row, and traces that know of each other together.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};
use tw_artifact::SplitName;

/// Which part each trace goes to.
#[derive(Clone, Debug, Default)]
pub struct Splits {
    parts: HashMap<String, SplitName>,
    groups: HashMap<String, usize>,
    members: Vec<Vec<String>>,
    /// What could not be done as it was asked, a sentence each.
    pub problems: Vec<String>,
}

impl Splits {
    /// Shares out traces. `bonds` name traces that must stay together, also by way of others that are not among them
    /// (two branches of one trace). The same traces, fraction and seed always give the same parts.
    #[must_use]
    pub fn of(
        traces: &[String],
        bonds: &[(String, String)],
        fraction: f64,
        seed: u64,
        by_hand: &BTreeMap<String, SplitName>,
    ) -> Self {
        let mut this = Self::default();
        this.group(traces, bonds);
        let mut open = Vec::new();
        let mut wanted = share_of(traces.len(), fraction);
        for (group, members) in this.members.clone().into_iter().enumerate() {
            let mut hands = members.iter().filter_map(|id| by_hand.get(id));
            let Some(first) = hands.next() else {
                open.push((digest(seed, &members[0]), group));
                continue;
            };
            let part = if hands.all(|part| part == first) {
                *first
            } else {
                this.problems.push(format!(
                    "Traces that belong together were put into different parts by hand; all {} of them are trained on.",
                    members.len()
                ));
                SplitName::Train
            };
            if part == SplitName::Validation {
                wanted = wanted.saturating_sub(members.len());
            }
            this.put(group, part);
        }
        open.sort();
        let mut taken = 0;
        for (_, group) in &open {
            let size = this.members[*group].len();
            let part = if taken + size <= wanted { SplitName::Validation } else { SplitName::Train };
            if part == SplitName::Validation {
                taken += size;
            }
            this.put(*group, part);
        }
        this.take_smallest(&open, wanted, taken);
        this
    }

    /// Where every group is larger than the share, the smallest goes, rather than none.
    fn take_smallest(&mut self, open: &[([u8; 32], usize)], wanted: usize, taken: usize) {
        if wanted == 0 || taken > 0 {
            return;
        }
        let smallest = open.iter().min_by_key(|(digest, group)| (self.members[*group].len(), *digest));
        match smallest {
            Some((_, group)) if open.len() > 1 => self.put(*group, SplitName::Validation),
            _ if self.parts.values().any(|part| *part == SplitName::Validation) => {}
            _ => self.problems.push(
                "There is nothing for validation: all traces belong together (branches, pairs or near-duplicates)."
                    .to_owned(),
            ),
        }
    }

    fn group(&mut self, traces: &[String], bonds: &[(String, String)]) {
        let mut parents: HashMap<&str, &str> = HashMap::new();
        fn root<'a>(parents: &HashMap<&'a str, &'a str>, mut id: &'a str) -> &'a str {
            while let Some(parent) = parents.get(id).filter(|parent| **parent != id) {
                id = parent;
            }
            id
        }
        for (one, other) in bonds {
            let (one, other) = (root(&parents, one), root(&parents, other));
            // The smaller id is the root, whatever order the bonds come in.
            let (small, large) = if one < other { (one, other) } else { (other, one) };
            parents.insert(large, small);
        }
        let mut by_root: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for id in traces {
            by_root.entry(root(&parents, id)).or_default().push(id.clone());
        }
        for mut members in by_root.into_values() {
            members.sort();
            members.dedup();
            for id in &members {
                self.groups.insert(id.clone(), self.members.len());
            }
            self.members.push(members);
        }
    }

    fn put(&mut self, group: usize, part: SplitName) {
        for id in &self.members[group] {
            self.parts.insert(id.clone(), part);
        }
    }

    /// The part of a trace.
    #[must_use]
    pub fn part(&self, id: &str) -> SplitName {
        self.parts.get(id).copied().unwrap_or_default()
    }

    /// The other traces that a trace must stay with.
    #[must_use]
    pub fn bound_to(&self, id: &str) -> Vec<String> {
        let group = self.groups.get(id).and_then(|group| self.members.get(*group));
        group.into_iter().flatten().filter(|other| *other != id).cloned().collect()
    }
}

/// How many of `count` traces a fraction is; at least one where any is wanted, never all.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a count"
)]
fn share_of(count: usize, fraction: f64) -> usize {
    if fraction <= 0.0 || count < 2 {
        return 0;
    }
    ((count as f64 * fraction).round() as usize).clamp(1, count - 1)
}

fn digest(seed: u64, id: &str) -> [u8; 32] {
    Sha256::new().chain_update(seed.to_le_bytes()).chain_update(id.as_bytes()).finalize().into()
}
