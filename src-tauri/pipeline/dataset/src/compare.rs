//! What differs between two versions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tw_artifact::{DatasetPlan, Json, SourceTrace};

use crate::Manifest;
use crate::index::IndexRow;

/// Rows that are named.
const EXAMPLES: usize = 200;

/// What differs of one trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceComparison {
    /// The trace.
    pub trace_id: String,
    /// Its title, of the later version that has it.
    pub title: String,
    /// As it was; `None` where it came.
    pub before: Option<SourceTrace>,
    /// As it is; `None` where it went.
    pub after: Option<SourceTrace>,
    /// Rows that went.
    pub removed: u32,
    /// Rows that came.
    pub added: u32,
    /// Rows with the same id and another content.
    pub changed: u32,
}

/// What differs between two versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Settings that differ: name, before, after.
    pub settings: Vec<(String, String, String)>,
    /// Traces that differ.
    pub traces: Vec<TraceComparison>,
    /// Rows that came.
    pub added: u32,
    /// Rows that went.
    pub removed: u32,
    /// Rows with the same id and another content.
    pub changed: u32,
    /// Rows that are the same and in the same part.
    pub same: u32,
    /// Rows that are the same and moved to the other part.
    pub moved: u32,
    /// Ids of the first rows that are not the same, and what became of them.
    pub examples: Vec<(String, String)>,
}

/// Compares two versions by their manifests and indexes.
#[must_use]
pub fn compare(from: (&Manifest, &[IndexRow]), to: (&Manifest, &[IndexRow])) -> Comparison {
    fn kept(index: &[IndexRow]) -> HashMap<&str, &IndexRow> {
        index.iter().filter(|row| row.number.is_some()).map(|row| (row.row.id.as_str(), row)).collect()
    }
    let (before, after) = (kept(from.1), kept(to.1));
    let mut this = Comparison { settings: settings(from.0, to.0), ..Comparison::default() };
    let mut traces: BTreeMap<&str, TraceComparison> = BTreeMap::new();
    let note = |this: &mut Comparison, id: &str, what: &str| {
        if this.examples.len() < EXAMPLES {
            this.examples.push((id.to_owned(), what.to_owned()));
        }
    };
    for row in from.1.iter().filter(|row| row.number.is_some() && !after.contains_key(row.row.id.as_str())) {
        this.removed += 1;
        traces.entry(&row.trace_id).or_default().removed += 1;
        note(&mut this, &row.row.id, "removed");
    }
    for row in to.1.iter().filter(|row| row.number.is_some()) {
        match before.get(row.row.id.as_str()) {
            None => {
                this.added += 1;
                traces.entry(&row.trace_id).or_default().added += 1;
                note(&mut this, &row.row.id, "added");
            }
            Some(old) if old.hash != row.hash => {
                this.changed += 1;
                traces.entry(&row.trace_id).or_default().changed += 1;
                note(&mut this, &row.row.id, "changed");
            }
            Some(old) if old.split != row.split => {
                this.moved += 1;
                traces.entry(&row.trace_id).or_default();
                note(&mut this, &row.row.id, "moved");
            }
            Some(_) => this.same += 1,
        }
    }
    let sources = |manifest: &Manifest| -> HashMap<String, SourceTrace> {
        manifest.sources.iter().map(|source| (source.id.clone(), source.clone())).collect()
    };
    let (old, new) = (sources(from.0), sources(to.0));
    let ids: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for id in ids {
        if old.get(id) != new.get(id) {
            traces.entry(id).or_default();
        }
    }
    let titles: HashMap<&str, &str> =
        from.1.iter().chain(to.1).map(|row| (row.trace_id.as_str(), row.title.as_str())).collect();
    this.traces = traces
        .into_iter()
        .map(|(id, mut trace)| {
            id.clone_into(&mut trace.trace_id);
            trace.title = titles.get(id).copied().unwrap_or_default().to_owned();
            trace.before = old.get(id).cloned();
            trace.after = new.get(id).cloned();
            trace
        })
        .collect();
    this
}

/// The settings of two plans that are not the same, each with the text of its JSON.
fn settings(from: &Manifest, to: &Manifest) -> Vec<(String, String, String)> {
    let fields = |plan: &DatasetPlan| -> BTreeMap<String, String> {
        let text = serde_json::to_string(plan).unwrap_or_default();
        let json = Json::parse(&text).unwrap_or_default();
        let words = |value: &Json| value.as_str().map_or_else(|| value.to_text(), str::to_owned);
        json.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), words(value))).collect()
    };
    let (before, after) = (fields(&from.plan), fields(&to.plan));
    let mut changed: Vec<(String, String, String)> = after
        .into_iter()
        .filter_map(|(name, value)| {
            let old = before.get(&name).cloned().unwrap_or_default();
            (old != value).then_some((name, old, value))
        })
        .collect();
    let model = |manifest: &Manifest| manifest.model.clone().unwrap_or_default();
    let (old, new) = (model(from), model(to));
    if old.tokenizer_sha256 != new.tokenizer_sha256 {
        changed.push(("tokenizer".to_owned(), old.tokenizer_sha256, new.tokenizer_sha256));
    }
    if old.template_sha256 != new.template_sha256 {
        changed.push(("template".to_owned(), old.template_sha256, new.template_sha256));
    }
    changed
}
