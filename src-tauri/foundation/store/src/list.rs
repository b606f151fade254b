//! Lists of traces: filtered, searched, sorted, a page at a time.

use std::collections::HashMap;

use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};
use tw_artifact::{Branch, Review, RunState, TraceOrigin, TraceSummary};

use crate::config::parse;
use crate::finding::read_findings;
use crate::review::read_status;
use crate::select::{FEW, Selection, distinct};
use crate::trace::find_trace;
use crate::{Store, StoreError};

/// What a list is sorted by; equal ones by age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceSort {
    /// When it was made.
    #[default]
    Created,
    /// When it last changed.
    Updated,
    /// The title's letters.
    Title,
    /// The model's letters.
    Model,
    /// Answers.
    Steps,
    /// Length in tokens.
    Tokens,
    /// Messages.
    Messages,
    /// The rating; none is lowest.
    Rating,
    /// Tool results that are errors.
    Errors,
    /// How many findings lint has.
    Findings,
    /// How well it fits the search, best first when descending; as `Created` without a search.
    Relevance,
}

/// Which traces, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceQuery {
    /// Words and `"phrases"` that one message, or the title, must have, and fields (`tool:browser_click rating:>=4
    /// -tag:later`); empty for all traces. Any text is allowed: what is not understood is named in
    /// [`TraceList::problems`], and the rest holds.
    pub search: String,
    /// Only of this model.
    pub model: Option<String>,
    /// Only in this state.
    pub state: Option<RunState>,
    /// Only where this tool (its exposed name) was called.
    pub tool: Option<String>,
    /// Only of this queue.
    pub batch_id: Option<String>,
    /// Only of this origin.
    pub origin: Option<TraceOrigin>,
    /// Sorted by.
    pub sort: TraceSort,
    /// From high to low.
    pub descending: bool,
    /// At most so many.
    pub limit: u32,
    /// After so many.
    pub offset: u32,
    /// The page at once is worth more than how many there are; see [`TraceList::counted`].
    pub quick: bool,
}

impl Default for TraceQuery {
    /// The hundred newest.
    fn default() -> Self {
        Self {
            search: String::new(),
            model: None,
            state: None,
            tool: None,
            batch_id: None,
            origin: None,
            sort: TraceSort::Created,
            descending: true,
            limit: 100,
            offset: 0,
            quick: false,
        }
    }
}

/// A page of traces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceList {
    /// The page.
    pub traces: Vec<TraceSummary>,
    /// How many there are over all pages.
    pub total: u32,
    /// How many of them are accepted or rejected.
    pub reviewed: u32,
    /// Whether these two are all: where a quick answer was asked for and very many traces have the words, they are those
    /// that were come across.
    pub counted: bool,
    /// What of the search was not understood, in words.
    pub problems: Vec<String>,
}

/// What lists can be filtered by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceFacets {
    /// The models, each once, by name.
    pub models: Vec<String>,
    /// The tools that were called, each once, by name.
    pub tools: Vec<String>,
    /// The tags, each once, by name.
    pub tags: Vec<String>,
}

/// The columns that [`read_summary`] reads.
const SUMMARY: &str = "SELECT id, title, model, state, origin, created_at_ms, updated_at_ms, steps, messages, tokens,
        batch_id, errors, status, rating, note, head, branch_of, branch_revision, branch_shared
    FROM traces WHERE key = ?1";

impl Store {
    /// A page of traces. With words to search for, each has a snippet with its hits between U+0002 and U+0003.
    ///
    /// # Errors
    /// The read failed.
    pub async fn list(&self, query: TraceQuery) -> Result<TraceList, StoreError> {
        let (offset, limit) = (query.offset, query.limit);
        self.read_page(query, move |connection, selection| list(connection, selection, offset, limit)).await
    }

    /// The ids of all traces of a query, in its order, whatever its offset and limit say.
    ///
    /// # Errors
    /// The read failed.
    pub async fn ids(&self, query: &TraceQuery) -> Result<Vec<String>, StoreError> {
        self.read_found(query, |connection, selection| {
            let keys = selection.keys(connection)?;
            if keys.len() <= FEW {
                let mut select = connection.prepare_cached("SELECT id FROM traces WHERE key = ?1")?;
                return keys.into_iter().map(|key| Ok(select.query_row([key], |row| row.get(0))?)).collect();
            }
            let mut select = connection.prepare_cached("SELECT key, id FROM traces")?;
            let mut ids: HashMap<i64, String> =
                select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
            Ok(keys.into_iter().filter_map(|key| ids.remove(&key)).collect())
        })
        .await
    }

    /// The trace as a list shows it.
    ///
    /// # Errors
    /// There is no such trace, or the read failed.
    pub async fn summary(&self, id: &str) -> Result<TraceSummary, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| read_summary(connection, find_trace(connection, &id)?)).await
    }

    /// What the workspace's traces can be filtered by.
    ///
    /// # Errors
    /// The read failed.
    pub async fn facets(&self) -> Result<TraceFacets, StoreError> {
        self.read(|connection| {
            let names = |table: &str, column: &str| -> Result<Vec<String>, StoreError> {
                let mut names = distinct(connection, table, column)?;
                names.sort_by_cached_key(|name| name.to_lowercase());
                Ok(names)
            };
            Ok(TraceFacets {
                models: names("traces", "model")?,
                tools: names("used_tools", "name")?,
                tags: names("tags", "tag")?,
            })
        })
        .await
    }
}

fn list(connection: &Connection, selection: Selection, offset: u32, limit: u32) -> Result<TraceList, StoreError> {
    let page = selection.page(connection, offset, limit)?;
    let mut snippets = selection.snippet_of(connection, &page)?;
    let mut traces = Vec::with_capacity(page.keys.len());
    for key in page.keys {
        let mut summary = read_summary(connection, key)?;
        summary.snippet = snippets.remove(&key);
        traces.push(summary);
    }
    Ok(TraceList {
        traces,
        total: page.total,
        reviewed: page.reviewed,
        counted: page.counted,
        problems: selection.problems,
    })
}

/// The trace of this row as a list shows it.
pub(crate) fn read_summary(connection: &Connection, trace: i64) -> Result<TraceSummary, StoreError> {
    let mut select = connection.prepare_cached(SUMMARY)?;
    let mut rows = select.query([trace])?;
    let Some(row) = rows.next()? else { return Err(rusqlite::Error::QueryReturnedNoRows.into()) };
    let names = |sql: &str| -> Result<Vec<String>, StoreError> {
        let mut select = connection.prepare_cached(sql)?;
        let rows = select.query_map([trace], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    let mut summary = read_row(row)?;
    summary.tools_used = names("SELECT name FROM used_tools WHERE trace = ?1 ORDER BY position")?;
    summary.review.tags = names("SELECT tag FROM tags WHERE trace = ?1 ORDER BY tag")?;
    summary.findings = read_findings(connection, trace)?;
    Ok(summary)
}

fn read_row(row: &Row<'_>) -> Result<TraceSummary, StoreError> {
    let tokens: i64 = row.get(9)?;
    let rating: u8 = row.get(13)?;
    let branch_of: Option<String> = row.get(16)?;
    let branch = match branch_of {
        Some(trace_id) => Some(Branch { trace_id, revision: row.get(17)?, shared: row.get(18)? }),
        None => None,
    };
    Ok(TraceSummary {
        id: row.get(0)?,
        title: row.get(1)?,
        model: row.get(2)?,
        state: parse("state", &quoted(&row.get::<_, String>(3)?))?,
        origin: parse("origin", &quoted(&row.get::<_, String>(4)?))?,
        created_at_ms: row.get(5)?,
        updated_at_ms: row.get(6)?,
        steps: row.get(7)?,
        messages: row.get(8)?,
        tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
        tools_used: Vec::new(),
        snippet: None,
        batch_id: row.get(10)?,
        errors: row.get(11)?,
        review: Review {
            status: read_status(row.get(12)?),
            rating: (rating > 0).then_some(rating),
            tags: Vec::new(),
            note: row.get(14)?,
        },
        findings: Vec::new(),
        revision: row.get(15)?,
        branch,
    })
}

/// A word of ours as a JSON string, which is how the artifact types spell it.
fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}
