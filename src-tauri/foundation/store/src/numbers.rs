//! Traces in numbers, and what near-duplicates are found by.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};
use tw_artifact::{FindingCount, LintRule, ReviewStatus};

use crate::finding::read_severity;
use crate::list::TraceQuery;
use crate::review::read_status;
use crate::search::TraceSet;
use crate::{Store, StoreError};

/// Some traces in numbers. Pairs are a value and how many traces have it, by value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceNumbers {
    /// How many.
    pub traces: u32,
    /// How many are accepted.
    pub accepted: u32,
    /// How many are rejected.
    pub rejected: u32,
    /// By answers of the model.
    pub steps: Vec<(u32, u32)>,
    /// By tokens.
    pub tokens: Vec<(u32, u32)>,
    /// By tool results that are errors.
    pub errors: Vec<(u32, u32)>,
    /// By the tools that they called, most first.
    pub tools: Vec<(String, u32)>,
    /// By model, most first; not those of which it is not known.
    pub models: Vec<(String, u32)>,
    /// By what lint found: the worst it was, and in how many traces; in the order of [`LintRule::ALL`].
    pub findings: Vec<FindingCount>,
}

impl Store {
    /// The traces of a query in numbers, whatever its offset and limit say.
    ///
    /// # Errors
    /// The read failed.
    pub async fn stats(&self, query: &TraceQuery) -> Result<TraceNumbers, StoreError> {
        self.read_found(query, |connection, selection| {
            let keys = selection.keys(connection)?;
            count(connection, &keys)
        })
        .await
    }

    /// The fingerprints of the traces of a query, oldest first; of those that have one.
    ///
    /// # Errors
    /// The read failed.
    pub async fn fingerprints(&self, query: &TraceQuery) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.read_found(query, |connection, selection| {
            let mut keys = selection.keys(connection)?;
            keys.sort_unstable();
            let mut select = connection.prepare_cached(
                "SELECT traces.id, fingerprints.body FROM fingerprints JOIN traces ON traces.key = fingerprints.trace
                 WHERE fingerprints.trace = ?1",
            )?;
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                found.extend(select.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?);
            }
            Ok(found)
        })
        .await
    }
}

fn count(connection: &Connection, keys: &[i64]) -> Result<TraceNumbers, StoreError> {
    let set: TraceSet = keys.iter().copied().collect();
    let mut numbers = TraceNumbers {
        traces: u32::try_from(keys.len()).unwrap_or(u32::MAX),
        tools: by_name(connection, &set, "SELECT trace, name FROM used_tools ORDER BY name")?,
        models: by_name(connection, &set, "SELECT key, model FROM traces ORDER BY model")?,
        ..TraceNumbers::default()
    };
    let mut by_value = [BTreeMap::<u32, u32>::new(), BTreeMap::new(), BTreeMap::new()];
    let mut select = connection.prepare_cached("SELECT key, steps, tokens, errors, status FROM traces")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if !set.has(row.get(0)?) {
            continue;
        }
        for (place, values) in by_value.iter_mut().enumerate() {
            let value: i64 = row.get(place + 1)?;
            *values.entry(u32::try_from(value).unwrap_or(u32::MAX)).or_default() += 1;
        }
        match read_status(row.get(4)?) {
            ReviewStatus::Accepted => numbers.accepted += 1,
            ReviewStatus::Rejected => numbers.rejected += 1,
            ReviewStatus::Open => {}
        }
    }
    let mut findings = BTreeMap::<LintRule, FindingCount>::new();
    let mut select = connection.prepare_cached("SELECT trace, rule, severity FROM findings")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if !set.has(row.get(0)?) {
            continue;
        }
        let Some(rule) = LintRule::parse(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?) else { continue };
        let severity = read_severity(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?);
        let found = findings.entry(rule).or_insert(FindingCount { rule, severity, count: 0 });
        found.count += 1;
        found.severity = found.severity.min(severity);
    }
    let [steps, tokens, errors] = by_value.map(|values| values.into_iter().collect());
    Ok(TraceNumbers { steps, tokens, errors, findings: findings.into_values().collect(), ..numbers })
}

/// How many of the traces have each name, most first; the statement gives traces and names, by name.
fn by_name(connection: &Connection, set: &TraceSet, sql: &str) -> Result<Vec<(String, u32)>, StoreError> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query([])?;
    let mut names: Vec<(String, u32)> = Vec::new();
    while let Some(row) = rows.next()? {
        if !set.has(row.get(0)?) {
            continue;
        }
        let name = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        match names.last_mut() {
            Some((last, count)) if last == name => *count += 1,
            _ => names.push((name.to_owned(), 1)),
        }
    }
    names.retain(|(name, _)| !name.is_empty());
    names.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Ok(names)
}
