//! The publish gate: every text of what is to be pushed is looked at, and what was decided is done to it.
//!
//! It reads the files as they would leave the machine: each row's JSON taken apart into its texts, each line of a session,
//! the card. What is redacted is replaced in a copy; the copy is then looked at again.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::ops::Range;
use std::path::Path;

use aho_corasick::{AhoCorasick, MatchKind};
use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use tw_artifact::{Json, Map, hex};
use tw_contract::{ApiError, ErrorCode, HitAction, HitDecision, HitPlace, HitTarget, PublishHit};
use tw_formats::TextCell;
use tw_review::{sensitive, stands_alone};

/// Places that are told of each find.
const MOST_PLACES: usize = 5;
/// Different finds that are told apart.
const MOST_HITS: usize = 5_000;
/// Characters around a find that a person sees.
const AROUND: usize = 40;
/// Models and tools that the card names.
const MOST_NAMES: usize = 200;

/// What was decided, and what is remembered from earlier.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decisions {
    hits: HashMap<String, HitAction>,
    kinds: HashMap<String, HitAction>,
    allowed_before: HashSet<String>,
}

impl Decisions {
    pub(crate) fn new(decisions: &[HitDecision], allowed_before: impl IntoIterator<Item = String>) -> Self {
        let mut all = Self { allowed_before: allowed_before.into_iter().collect(), ..Self::default() };
        for decision in decisions {
            match &decision.target {
                HitTarget::Hit(id) => all.hits.insert(id.clone(), decision.action),
                HitTarget::Kind(kind) => all.kinds.insert(kind.clone(), decision.action),
            };
        }
        all
    }

    fn of(&self, id: &str, kind: &str) -> Option<HitAction> {
        let now = self.hits.get(id).or_else(|| self.kinds.get(kind)).copied();
        now.or_else(|| self.allowed_before.contains(id).then_some(HitAction::Allow))
    }

    fn is_remembered(&self, id: &str, kind: &str) -> bool {
        !self.hits.contains_key(id) && !self.kinds.contains_key(kind) && self.allowed_before.contains(id)
    }
}

struct Found {
    kind: String,
    label: &'static str,
    is_secret: bool,
    value: String,
    count: u64,
    places: Vec<HitPlace>,
}

/// A value that was found, the same wherever it stands: its id.
fn id_of(kind: &str, value: &str) -> String {
    let mut hash = Sha256::new();
    hash.update("tracewright publish gate\0");
    hash.update(kind);
    hash.update("\0");
    // Addresses are the same in any case.
    if kind == "e-mail" {
        hash.update(value.to_ascii_lowercase());
    } else {
        hash.update(value);
    }
    hex(&hash.finalize()[..12])
}

/// Enough to recognise one's own value, not enough to use it.
fn masked(kind: &str, value: &str) -> String {
    let first = |count: usize| value.chars().take(count).collect::<String>();
    let length = value.chars().count();
    match value.split_once('@') {
        Some((_, domain)) if kind == "e-mail" => format!("{}…@{domain}", first(1)),
        _ if length >= 16 => format!("{}… ({length} characters)", first(4)),
        _ => format!("{}…", first(1)),
    }
}

/// Looks at texts, and keeps what it finds.
#[derive(Default)]
pub(crate) struct Gate {
    found: IndexMap<String, Found>,
    /// Secrets that are also looked for where nothing around them tells.
    elsewhere: Option<(AhoCorasick, Vec<String>)>,
    overflow: u64,
    pub(crate) rows: u64,
    /// Who wrote the answers, by name.
    pub(crate) models: BTreeSet<String>,
    /// The tools' names.
    pub(crate) tools: BTreeSet<String>,
}

/// Where a text stands.
struct Spot<'a> {
    path: &'a str,
    row: u64,
    row_id: &'a str,
}

impl Gate {
    /// What stands in a text: where, and of which find. Values that are new are kept.
    fn look(&mut self, text: &str) -> Vec<(Range<usize>, String)> {
        let mut seen: Vec<(Range<usize>, String)> = Vec::new();
        for hit in sensitive(text) {
            let value = &text[hit.range.clone()];
            let id = id_of(&hit.kind, value);
            if !self.found.contains_key(&id) {
                if self.found.len() >= MOST_HITS {
                    self.overflow += 1;
                    continue;
                }
                let found = Found {
                    kind: hit.kind,
                    label: hit.label,
                    is_secret: hit.is_secret,
                    value: value.to_owned(),
                    count: 0,
                    places: Vec::new(),
                };
                self.found.insert(id.clone(), found);
            }
            seen.push((hit.range, id));
        }
        if let Some((finder, ids)) = &self.elsewhere {
            for place in finder.find_iter(text) {
                let range = place.range();
                let overlaps = |other: &Range<usize>| other.start < range.end && range.start < other.end;
                if !seen.iter().any(|(other, _)| overlaps(other)) {
                    seen.push((range, ids[place.pattern().as_usize()].clone()));
                }
            }
            seen.sort_by_key(|(range, _)| range.start);
        }
        seen
    }

    fn note(&mut self, spot: &Spot<'_>, field: &str, text: &str) {
        let seen = self.look(text);
        for (range, id) in &seen {
            let excerpt = excerpt(text, range, &seen);
            if let Some(found) = self.found.get_mut(id) {
                found.count += 1;
                if found.places.len() < MOST_PLACES {
                    found.places.push(HitPlace {
                        path: spot.path.to_owned(),
                        row: spot.row,
                        row_id: spot.row_id.to_owned(),
                        field: field.to_owned(),
                        excerpt,
                    });
                }
            }
        }
    }

    /// Looks at every text of JSON, keys included.
    fn note_json(&mut self, spot: &Spot<'_>, field: &str, json: &Json) {
        match json {
            Json::String(text) => self.note(spot, field, text),
            Json::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    self.note_json(spot, &format!("{field}[{place}]"), item);
                }
            }
            Json::Object(map) => {
                for (key, value) in map {
                    self.note(spot, field, key);
                    let place = if field.is_empty() { key.clone() } else { format!("{field}.{key}") };
                    self.note_json(spot, &place, value);
                }
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }

    fn note_text(&mut self, spot: &Spot<'_>, field: &str, text: &str) {
        match json_of(text) {
            Some(json) => {
                self.learn(field, &json);
                self.note_json(spot, field, &json);
            }
            None => {
                if field == "model" && !text.is_empty() && self.models.len() < MOST_NAMES {
                    self.models.insert(text.to_owned());
                }
                self.note(spot, field, text);
            }
        }
    }

    /// What the card says of the data.
    fn learn(&mut self, field: &str, json: &Json) {
        if field.starts_with("tools") && self.tools.len() < MOST_NAMES {
            let tools = json.as_array().unwrap_or(std::slice::from_ref(json));
            let name = |tool: &Json| tool.get("function").unwrap_or(tool).get("name")?.as_str().map(str::to_owned);
            self.tools.extend(tools.iter().filter_map(name));
        }
    }

    /// Looks at a whole file. `goes_on` is asked with each row.
    pub(crate) fn read(
        &mut self,
        path: &str,
        file: &Path,
        goes_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), ApiError> {
        if path.ends_with(".parquet") {
            let mut row_id = (u64::MAX, String::new());
            let read = tw_formats::each_text(file, &mut |cell: TextCell<'_>| {
                if cell.column == "id" {
                    row_id = (cell.row, cell.text.to_owned());
                }
                let known = if row_id.0 == cell.row { row_id.1.clone() } else { String::new() };
                let spot = Spot { path, row: cell.row + 1, row_id: &known };
                self.note_text(&spot, &field_of(&cell), cell.text);
                goes_on(self.rows + cell.row)
            });
            self.rows += read.map_err(|reason| unreadable(path, &reason))?;
            return Ok(());
        }
        let lines = std::fs::File::open(file).map(BufReader::new).map_err(|error| unreadable(path, &error))?;
        let has_rows = path.ends_with(".jsonl");
        for (number, line) in (1..).zip(lines.lines()) {
            let line = line.map_err(|error| unreadable(path, &error))?;
            let spot = Spot { path, row: if has_rows { number } else { 0 }, row_id: "" };
            self.note_text(&spot, "", &line);
            if !goes_on(self.rows) {
                break;
            }
        }
        Ok(())
    }

    /// Looks at a text that becomes a file, such as the card.
    pub(crate) fn read_text(&mut self, path: &str, text: &str) {
        let spot = Spot { path, row: 0, row_id: "" };
        for line in text.lines() {
            self.note(&spot, "", line);
        }
    }

    /// Whether everything must be looked at once more, for secrets that stand elsewhere without anything around them that
    /// tells. What was counted so far is forgotten then.
    pub(crate) fn looks_again(&mut self) -> bool {
        let strong: Vec<(String, String)> = self
            .found
            .iter()
            .filter(|(_, found)| found.is_secret && stands_alone(&found.value))
            .map(|(id, found)| (id.clone(), found.value.clone()))
            .collect();
        if strong.is_empty() || self.elsewhere.is_some() {
            return false;
        }
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(strong.iter().map(|(_, value)| value.as_str()));
        let Ok(finder) = finder else { return false };
        self.elsewhere = Some((finder, strong.into_iter().map(|(id, _)| id).collect()));
        for found in self.found.values_mut() {
            found.count = 0;
            found.places.clear();
        }
        self.overflow = 0;
        self.rows = 0;
        true
    }

    /// A gate that looks for the same secrets and has seen nothing yet.
    pub(crate) fn again(&self) -> Self {
        let found = self.found.iter().map(|(id, found)| {
            let fresh = Found {
                kind: found.kind.clone(),
                label: found.label,
                is_secret: found.is_secret,
                value: found.value.clone(),
                count: 0,
                places: Vec::new(),
            };
            (id.clone(), fresh)
        });
        Self { found: found.collect(), elsewhere: self.elsewhere.clone(), ..Self::default() }
    }

    /// The finds: secrets first, then by how often.
    pub(crate) fn hits(&self, decisions: &Decisions) -> Vec<PublishHit> {
        let mut hits: Vec<PublishHit> = self
            .found
            .iter()
            .filter(|(_, found)| found.count > 0)
            .map(|(id, found)| PublishHit {
                id: id.clone(),
                kind: found.kind.clone(),
                label: found.label.to_owned(),
                is_secret: found.is_secret,
                masked: masked(&found.kind, &found.value),
                count: found.count,
                places: found.places.clone(),
                action: decisions.of(id, &found.kind),
                is_remembered: decisions.is_remembered(id, &found.kind),
            })
            .collect();
        hits.sort_by(|one, other| {
            other.is_secret.cmp(&one.is_secret).then(other.count.cmp(&one.count)).then(one.id.cmp(&other.id))
        });
        hits
    }

    /// Finds that are more than can be told apart: nothing can be decided about them.
    pub(crate) const fn untold(&self) -> u64 {
        self.overflow
    }

    pub(crate) fn redacts_any(&self, decisions: &Decisions) -> bool {
        self.found.iter().any(|(id, found)| decisions.of(id, &found.kind) == Some(HitAction::Redact))
    }

    /// The text with marks in place of what is redacted; `None` where nothing is.
    pub(crate) fn redacted(&mut self, text: &str, decisions: &Decisions) -> Option<String> {
        let seen = self.look(text);
        let mut new = String::with_capacity(text.len());
        let mut from = 0;
        for (range, id) in seen {
            let kind = self.found.get(&id).map(|found| found.kind.clone()).unwrap_or_default();
            if decisions.of(&id, &kind) == Some(HitAction::Redact) && range.start >= from {
                new.push_str(&text[from..range.start]);
                new.push_str(&format!("[redacted: {kind}]"));
                from = range.end;
            }
        }
        if from == 0 {
            return None;
        }
        new.push_str(&text[from..]);
        Some(new)
    }

    fn redacted_json(&mut self, json: &Json, decisions: &Decisions) -> Option<Json> {
        match json {
            Json::String(text) => self.redacted(text, decisions).map(Json::String),
            Json::Array(items) => {
                let new: Vec<Option<Json>> = items.iter().map(|item| self.redacted_json(item, decisions)).collect();
                let any = new.iter().any(Option::is_some);
                let all = new.into_iter().zip(items).map(|(new, old)| new.unwrap_or_else(|| old.clone()));
                any.then(|| Json::Array(all.collect()))
            }
            Json::Object(map) => {
                let mut any = false;
                let mut all = Map::with_capacity(map.len());
                for (key, value) in map {
                    let new_key = self.redacted(key, decisions);
                    let new_value = self.redacted_json(value, decisions);
                    any |= new_key.is_some() || new_value.is_some();
                    let mut name = new_key.unwrap_or_else(|| key.clone());
                    // Two keys that became the same keep both of their values.
                    while all.contains_key(&name) {
                        name.push('_');
                    }
                    all.insert(name, new_value.unwrap_or_else(|| value.clone()));
                }
                any.then_some(Json::Object(all))
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => None,
        }
    }

    /// The same for a text that may be JSON.
    fn redacted_text(&mut self, text: &str, decisions: &Decisions) -> Option<String> {
        match json_of(text) {
            Some(json) => self.redacted_json(&json, decisions).map(|json| json.to_text()),
            None => self.redacted(text, decisions),
        }
    }

    /// Writes a copy of a file with marks in place of what is redacted.
    pub(crate) fn rewrite(
        &mut self,
        path: &str,
        file: &Path,
        out: &Path,
        decisions: &Decisions,
    ) -> Result<(), ApiError> {
        if path.ends_with(".parquet") {
            let written = tw_formats::rewrite_texts(file, out, &mut |cell| self.redacted_text(cell.text, decisions));
            return written.map(drop).map_err(|reason| unreadable(path, &reason));
        }
        let failed = |error: &std::io::Error| unwritable(out, error);
        let lines = std::fs::File::open(file).map(BufReader::new).map_err(|error| unreadable(path, &error))?;
        let mut copy = BufWriter::new(std::fs::File::create(out).map_err(|error| failed(&error))?);
        for line in lines.lines() {
            let line = line.map_err(|error| unreadable(path, &error))?;
            let new = self.redacted_text(&line, decisions).unwrap_or(line);
            writeln!(copy, "{new}").map_err(|error| failed(&error))?;
        }
        copy.flush().map_err(|error| failed(&error))
    }
}

/// A text that is a JSON object or list.
fn json_of(text: &str) -> Option<Json> {
    let begins = text.trim_start().starts_with(['{', '[']);
    begins
        .then(|| Json::parse(text).ok())
        .flatten()
        .filter(|json| json.as_object().is_some() || json.as_array().is_some())
}

/// `messages[3]`, `tools`
fn field_of(cell: &TextCell<'_>) -> String {
    let Some(item) = cell.item else { return cell.column.to_owned() };
    match cell.column.split_once('.') {
        Some((list, rest)) => format!("{list}[{item}].{rest}"),
        None => format!("{}[{item}]", cell.column),
    }
}

/// What stands around a find, with every find in it masked.
fn excerpt(text: &str, range: &Range<usize>, seen: &[(Range<usize>, String)]) -> String {
    let begin = text[..range.start].char_indices().rev().nth(AROUND - 1).map_or(0, |(at, _)| at);
    let after = &text[range.end..];
    let end = after.char_indices().nth(AROUND).map_or(text.len(), |(at, _)| range.end + at);
    let mut shown = String::new();
    let mut from = begin;
    for (other, _) in seen {
        if other.end <= from || other.start >= end {
            continue;
        }
        shown.push_str(text.get(from..other.start.max(from)).unwrap_or_default());
        shown.push_str("•••");
        from = other.end;
    }
    shown.push_str(text.get(from.min(end)..end).unwrap_or_default());
    let shown: String = shown.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let lead = if begin > 0 { "…" } else { "" };
    let tail = if end < text.len() { "…" } else { "" };
    format!("{lead}{shown}{tail}")
}

fn unreadable(path: &str, reason: &dyn std::fmt::Display) -> ApiError {
    ApiError::new(ErrorCode::Internal, format!("{path} cannot be read: {reason}."))
        .with_hint("Build the dataset again: its file may have been changed or removed.")
}

fn unwritable(path: &Path, error: &std::io::Error) -> ApiError {
    let full = error.kind() == std::io::ErrorKind::StorageFull;
    let code = if full { ErrorCode::DiskFull } else { ErrorCode::Internal };
    ApiError::new(code, format!("{} cannot be written: {error}.", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TOKEN: &str = "ghp_k9Wq2ZtB7xLm4RvN8sYc1JdF6hPgT3uEaQ5o";

    fn gate_over(lines: &[&str]) -> (Gate, tempfile::TempDir) {
        let dir = tempfile::TempDir::new().unwrap();
        let file = dir.path().join("s.jsonl");
        std::fs::write(&file, lines.join("\n")).unwrap();
        let mut gate = Gate::default();
        gate.read("sessions/s.jsonl", &file, &mut |_| true).unwrap();
        if gate.looks_again() {
            gate.read("sessions/s.jsonl", &file, &mut |_| true).unwrap();
        }
        (gate, dir)
    }

    #[test]
    fn a_find_says_what_it_is_and_where_and_never_its_value() {
        let line = format!(
            r#"{{"message":{{"content":"mail jane.doe@corp-mail.net, key {TOKEN} of jane.doe@corp-mail.net"}}}}"#
        );
        let (gate, _dir) = gate_over(&[&line]);
        let hits = gate.hits(&Decisions::default());
        assert_eq!(
            hits.iter().map(|hit| (hit.kind.as_str(), hit.count)).collect::<Vec<_>>(),
            [("github-token", 1), ("e-mail", 2)]
        );
        let place = &hits[0].places[0];
        assert_eq!((place.row, place.field.as_str()), (1, "message.content"));
        let shown = format!("{hits:?}");
        assert!(!shown.contains(TOKEN) && !shown.contains("jane.doe"), "{shown}");
        assert!(place.excerpt.contains("key •••"), "{}", place.excerpt);
    }

    #[test]
    fn a_secret_is_found_also_where_nothing_around_it_tells() {
        let (gate, _dir) =
            gate_over(&[r#"{"a":"password=Xk29fLq83mZt4Wp"}"#, r#"{"b":["it was Xk29fLq83mZt4Wp then"]}"#]);
        let hits = gate.hits(&Decisions::default());
        assert_eq!(hits.len(), 1, "{hits:?}");
        assert_eq!(hits[0].count, 2);
        assert_eq!(hits[0].places[1].field, "b[0]");
    }

    #[test]
    fn what_is_redacted_is_gone_and_what_is_allowed_stays() {
        let line = format!(r#"{{"n":1.0,"text":"{TOKEN} and jane.doe@corp-mail.net"}}"#);
        let (mut gate, dir) = gate_over(&[&line]);
        let allow = HitDecision { target: HitTarget::Kind("e-mail".to_owned()), action: HitAction::Allow };
        let redact = HitDecision { target: HitTarget::Kind("github-token".to_owned()), action: HitAction::Redact };
        let decisions = Decisions::new(&[allow, redact], []);
        assert!(gate.hits(&decisions).iter().all(|hit| hit.action.is_some()));
        let out = dir.path().join("out.jsonl");
        gate.rewrite("sessions/s.jsonl", &dir.path().join("s.jsonl"), &out, &decisions).unwrap();
        let text = std::fs::read_to_string(out).unwrap();
        assert_eq!(text, "{\"n\":1.0,\"text\":\"[redacted: github-token] and jane.doe@corp-mail.net\"}\n");
    }

    #[test]
    fn what_was_allowed_is_remembered_by_its_value_alone() {
        let (gate, _dir) = gate_over(&[r#"{"a":"jane.doe@corp-mail.net"}"#]);
        let id = gate.hits(&Decisions::default())[0].id.clone();
        let (later, _dir) = gate_over(&[r#"{"b":"ask JANE.DOE@corp-mail.net"}"#]);
        let hits = later.hits(&Decisions::new(&[], [id]));
        assert_eq!((hits[0].action, hits[0].is_remembered), (Some(HitAction::Allow), true));
    }
}
