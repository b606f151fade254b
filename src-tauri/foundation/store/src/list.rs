//! Lists of traces: filtered, searched, sorted, a page at a time.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};
use serde::{Deserialize, Serialize};
use tw_artifact::{RunState, TraceOrigin, TraceSummary};

use crate::config::{parse, to_json};
use crate::search::match_expression;
use crate::trace::{find_trace, origin_word};
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
    /// How well it fits the search, best first when descending; as `Created` without a search.
    Relevance,
}

/// Which traces, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceQuery {
    /// Words that one message, or the title, must have; empty for all traces. Any text is allowed.
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
}

/// What lists can be filtered by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceFacets {
    /// The models, each once, by name.
    pub models: Vec<String>,
    /// The tools that were called, each once, by name.
    pub tools: Vec<String>,
}

/// The columns that [`read_row`] reads.
const COLUMNS: &str = "traces.id, traces.title, traces.model, traces.state, traces.origin, traces.created_at_ms,
    traces.updated_at_ms, traces.steps, traces.messages, coalesce(traces.counted_tokens, traces.estimated_tokens),
    (SELECT json_group_array(name) FROM (SELECT name FROM used_tools WHERE trace = traces.key ORDER BY position)),
    traces.batch_id";

/// The traces that have the words of the first parameter, each with its best score and the row to show: the first
/// message that has them, rather than the title, which is shown anyway.
const HITS: &str = "WITH hits AS MATERIALIZED (
        SELECT rowid AS row, bm25(search, 4.0, 1.0, 0.5, 0.5) AS score FROM search WHERE search MATCH ?
    ), best AS MATERIALIZED (
        SELECT
            coalesce(messages.trace, -hits.row) AS trace,
            coalesce(min(messages.key), min(hits.row)) AS row,
            min(hits.score) AS score
        FROM hits LEFT JOIN messages ON messages.key = hits.row GROUP BY 1
    ) ";

/// The plus keeps FTS5 from looking up each row by itself, which would read the words' whole index every time.
const SNIPPETS: &str = "SELECT rowid, snippet(search, -1, char(2), char(3), '…', 24) FROM search
    WHERE search MATCH ? AND +rowid IN (SELECT value FROM json_each(?))";

impl Store {
    /// A page of traces. With a search, each has a snippet with its hits between U+0002 and U+0003.
    ///
    /// # Errors
    /// The read failed.
    pub async fn list(&self, query: TraceQuery) -> Result<TraceList, StoreError> {
        self.read(move |connection| list(connection, &query)).await
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
            let names = |sql: &str| -> Result<Vec<String>, StoreError> {
                let mut select = connection.prepare_cached(sql)?;
                let rows = select.query_map([], |row| row.get(0))?;
                Ok(rows.collect::<Result<_, _>>()?)
            };
            Ok(TraceFacets {
                models: names("SELECT DISTINCT model FROM traces WHERE model <> '' ORDER BY model COLLATE NOCASE")?,
                tools: names("SELECT DISTINCT name FROM used_tools ORDER BY name COLLATE NOCASE")?,
            })
        })
        .await
    }
}

fn list(connection: &Connection, query: &TraceQuery) -> Result<TraceList, StoreError> {
    let is_search = !query.search.trim().is_empty();
    let expression = if is_search { match_expression(&query.search) } else { None };
    if is_search && expression.is_none() {
        return Ok(TraceList::default());
    }
    let mut values: Vec<Value> = expression.iter().cloned().map(Value::from).collect();
    let filters = filters(query, &mut values);
    let (hits, from, row) = match expression {
        Some(_) => (HITS, "FROM traces JOIN best ON best.trace = traces.key", "best.row"),
        None => ("", "FROM traces", "NULL"),
    };
    let order = order(query, expression.is_some());
    let sql = format!(
        "{hits} SELECT {COLUMNS}, {row}, count(*) OVER () {from} WHERE {filters} ORDER BY {order} LIMIT ? OFFSET ?"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let of_page = [query.limit.into(), query.offset.into()];
    let mut rows = select.query(params_from_iter(values.iter().chain(&of_page)))?;
    let mut list = TraceList::default();
    let mut hit_rows: Vec<i64> = Vec::new();
    while let Some(row) = rows.next()? {
        list.traces.push(read_row(row)?);
        hit_rows.extend(row.get::<_, Option<i64>>(12)?);
        list.total = row.get(13)?;
    }
    if list.traces.is_empty() {
        // The page is beyond the end, or there is nothing.
        list.total = connection
            .prepare_cached(&format!("{hits} SELECT count(*) {from} WHERE {filters}"))?
            .query_row(params_from_iter(&values), |row| row.get(0))?;
    }
    if let Some(expression) = expression {
        let mut snippets = snippets(connection, &expression, &hit_rows)?;
        for (summary, row) in list.traces.iter_mut().zip(&hit_rows) {
            summary.snippet = snippets.remove(row);
        }
    }
    Ok(list)
}

fn snippets(connection: &Connection, expression: &str, rows: &[i64]) -> Result<HashMap<i64, String>, StoreError> {
    let mut select = connection.prepare_cached(SNIPPETS)?;
    let found = select.query_map(params![expression, to_json("rows", rows)?], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn filters(query: &TraceQuery, values: &mut Vec<Value>) -> String {
    let mut filters = vec!["TRUE"];
    let mut add = |filter: &'static str, value: Option<&str>| {
        if let Some(value) = value {
            filters.push(filter);
            values.push(Value::from(value.to_owned()));
        }
    };
    add("traces.model = ?", query.model.as_deref());
    add("traces.state = ?", query.state.map(RunState::as_str));
    add("traces.origin = ?", query.origin.map(origin_word));
    add("traces.batch_id = ?", query.batch_id.as_deref());
    add(
        "EXISTS (SELECT 1 FROM used_tools WHERE used_tools.trace = traces.key AND used_tools.name = ?)",
        query.tool.as_deref(),
    );
    filters.join(" AND ")
}

fn order(query: &TraceQuery, is_search: bool) -> String {
    let direction = if query.descending { "DESC" } else { "ASC" };
    let column = match query.sort {
        TraceSort::Relevance if is_search => "-best.score",
        TraceSort::Created | TraceSort::Relevance => "traces.created_at_ms",
        TraceSort::Updated => "traces.updated_at_ms",
        TraceSort::Title => "traces.title COLLATE NOCASE",
        TraceSort::Model => "traces.model COLLATE NOCASE",
        TraceSort::Steps => "traces.steps",
        TraceSort::Tokens => "coalesce(traces.counted_tokens, traces.estimated_tokens)",
    };
    format!("{column} {direction}, traces.key {direction}")
}

/// The trace of this row as a list shows it.
pub(crate) fn read_summary(connection: &Connection, trace: i64) -> Result<TraceSummary, StoreError> {
    let mut select = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM traces WHERE key = ?1"))?;
    let mut rows = select.query([trace])?;
    match rows.next()? {
        Some(row) => read_row(row),
        None => Err(rusqlite::Error::QueryReturnedNoRows.into()),
    }
}

fn read_row(row: &Row<'_>) -> Result<TraceSummary, StoreError> {
    let tokens: i64 = row.get(9)?;
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
        tools_used: parse("tool names", &row.get::<_, String>(10)?)?,
        snippet: None,
        batch_id: row.get(11)?,
    })
}

/// A word of ours as a JSON string, which is how the artifact types spell it.
fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}
