//! The traces that a query finds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use tw_artifact::RunState;

use crate::StoreError;
use crate::config::to_json;
use crate::finding::severity_word;
use crate::list::{TraceQuery, TraceSort};
use crate::query::{Condition, NumberField, Term, read_query};
use crate::review::status_number;
use crate::search::{HitCache, Hits, row_with_words, snippets_of};
use crate::trace::origin_word;
use crate::words::now_ms;

/// Traces with the words up to which the database is told of each; beyond, it is asked for all, and these are picked
/// from its answer.
pub(crate) const FEW: usize = 5_000;

/// How long single traces are asked whether they have words that very many have.
const ASKING_TIME: Duration = Duration::from_millis(40);

/// A query as the database is asked it.
pub(crate) struct Selection {
    /// Joined by AND; empty for all traces.
    filters: Vec<String>,
    values: Vec<Value>,
    /// Only those that have the words.
    having: Option<Arc<Hits>>,
    /// Not those that have these words.
    lacking: Vec<Arc<Hits>>,
    /// Words that very many have, of which each trace is asked: whether it must have them or must not.
    asked: Vec<(String, bool)>,
    finds_nothing: bool,
    order: String,
    by_score: bool,
    descending: bool,
    /// For snippets.
    pub(crate) expression: Option<String>,
    pub(crate) problems: Vec<String>,
}

/// A part of what was found, and how much that is.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The traces' rows.
    pub(crate) keys: Vec<i64>,
    pub(crate) total: u32,
    /// Those that are accepted or rejected.
    pub(crate) reviewed: u32,
    /// Whether these are all.
    pub(crate) counted: bool,
    /// The rows to show, by trace, where they are not among the hits.
    rows: HashMap<i64, i64>,
}

impl Selection {
    /// Readers give the hits that are kept.
    pub(crate) fn of(connection: &Connection, query: &TraceQuery, kept: Option<&HitCache>) -> Result<Self, StoreError> {
        let find = |expression: &str, with_scores: bool| match kept {
            Some(cache) if query.quick => cache.find_few(connection, expression, with_scores),
            Some(cache) => cache.find(connection, expression, with_scores).map(Some),
            None => Hits::find(connection, expression, with_scores).map(Arc::new).map(Some),
        };
        let read = read_query(&query.search, now_ms());
        let by_score = query.sort == TraceSort::Relevance && read.words.is_some();
        let mut this = Self {
            filters: Vec::new(),
            values: Vec::new(),
            having: None,
            lacking: Vec::new(),
            asked: Vec::new(),
            finds_nothing: read.finds_nothing,
            order: order(query),
            by_score,
            descending: query.descending,
            expression: read.words,
            problems: read.problems,
        };
        this.add_fields(query);
        for term in &read.terms {
            match &term.condition {
                Condition::Words(expression) => match find(expression, false)? {
                    Some(hits) => this.lacking.push(hits),
                    None => this.asked.push((expression.clone(), false)),
                },
                _ => this.add_term(connection, term)?,
            }
        }
        if let Some(expression) = &this.expression {
            match find(expression, by_score)? {
                Some(hits) => {
                    if hits.len() <= FEW {
                        let keys: Vec<i64> = hits.traces().collect();
                        this.filters.push("traces.key IN (SELECT value FROM json_each(?))".to_owned());
                        this.values.push(to_json("rows", &keys)?.into());
                    }
                    this.by_score = by_score && hits.has_scores();
                    this.having = Some(hits);
                }
                None => {
                    this.by_score = false;
                    this.asked.push((expression.clone(), true));
                }
            }
        }
        Ok(this)
    }

    /// All of them, in order.
    pub(crate) fn keys(&self, connection: &Connection) -> Result<Vec<i64>, StoreError> {
        Ok(self.picked(connection, "traces.key, FALSE", &self.condition())?.0)
    }

    /// Those from `offset` on, `limit` at most.
    pub(crate) fn page(&self, connection: &Connection, offset: u32, limit: u32) -> Result<Page, StoreError> {
        if self.finds_nothing {
            return Ok(Page { counted: true, ..Page::default() });
        }
        if !self.asked.is_empty() {
            return self.page_by_asking(connection, offset, limit);
        }
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let has_words = self.having.is_some() || !self.lacking.is_empty();
        let (keys, reviewed) = match (self.filters.is_empty(), has_words) {
            (true, false) => return self.page_of_all(connection, offset, limit),
            // Two indexes that are read alone take less time than all rows.
            (true, true) => {
                let decided = self.picked(connection, "traces.key, TRUE", " WHERE traces.status > 0")?.1;
                (self.keys(connection)?, decided)
            }
            (false, _) => self.picked(connection, "traces.key, traces.status > 0", &self.condition())?,
        };
        let total = count(keys.len());
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let take = usize::try_from(limit).unwrap_or(usize::MAX);
        let keys = keys.into_iter().skip(skip).take(take).collect();
        Ok(Page { keys, total, reviewed: count(reviewed), counted: true, ..Page::default() })
    }

    /// Of every trace there is: indexes say where the page is, and how many there are.
    fn page_of_all(&self, connection: &Connection, offset: u32, limit: u32) -> Result<Page, StoreError> {
        let sql = format!("SELECT key FROM traces ORDER BY {} LIMIT ?1 OFFSET ?2", self.order);
        let mut select = connection.prepare_cached(&sql)?;
        let rows = select.query_map([limit, offset], |row| row.get(0))?;
        let keys = rows.collect::<Result<_, _>>()?;
        let count = |sql: &str| -> Result<u32, StoreError> {
            Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
        };
        let reviewed = count("SELECT count(*) FROM traces WHERE status > 0")?;
        Ok(Page { keys, total: count("SELECT count(*) FROM traces")?, reviewed, counted: true, ..Page::default() })
    }

    /// Goes through the traces in their order and asks each for the words, until the page is full or time is up.
    fn page_by_asking(&self, connection: &Connection, offset: u32, limit: u32) -> Result<Page, StoreError> {
        let until = Instant::now() + ASKING_TIME;
        let sql =
            format!("SELECT traces.key, traces.status > 0 FROM traces{} ORDER BY {}", self.condition(), self.order);
        let mut select = connection.prepare_cached(&sql)?;
        let mut rows = select.query(params_from_iter(&self.values))?;
        let mut page = Page::default();
        while let Some(row) = rows.next()? {
            let key = row.get(0)?;
            if !self.fits(key) {
                continue;
            }
            let Some(shown) = self.ask(connection, key)? else {
                if Instant::now() >= until {
                    return Ok(page);
                }
                continue;
            };
            if page.keys.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
                return Ok(page);
            }
            page.total += 1;
            page.reviewed += u32::from(row.get::<_, bool>(1)?);
            if page.total > offset {
                page.keys.push(key);
                page.rows.extend(shown.map(|row| (key, row)));
            } else if Instant::now() >= until {
                return Ok(page);
            }
        }
        page.counted = true;
        Ok(page)
    }

    /// Whether a trace has the words that it must have, and none of the others, with the row to show.
    #[expect(clippy::option_option, reason = "a trace that fits may have no row to show: it only lacks words")]
    fn ask(&self, connection: &Connection, key: i64) -> Result<Option<Option<i64>>, StoreError> {
        let mut shown = None;
        for (expression, must_have) in &self.asked {
            let row = row_with_words(connection, expression, key)?;
            if row.is_some() != *must_have {
                return Ok(None);
            }
            shown = shown.or(row);
        }
        Ok(Some(shown))
    }

    /// Whether a trace is among the hits, as far as they are known.
    fn fits(&self, key: i64) -> bool {
        self.having.as_ref().is_none_or(|hits| hits.has(key)) && !self.lacking.iter().any(|hits| hits.has(key))
    }

    /// Where in the texts of a page the words are.
    pub(crate) fn snippet_of(&self, connection: &Connection, page: &Page) -> Result<HashMap<i64, String>, StoreError> {
        let Some(expression) = &self.expression else { return Ok(HashMap::new()) };
        let row =
            |key: &i64| page.rows.get(key).copied().or_else(|| self.having.as_ref().and_then(|hits| hits.row(*key)));
        let rows: Vec<i64> = page.keys.iter().filter_map(row).collect();
        if rows.is_empty() { Ok(HashMap::new()) } else { snippets_of(connection, expression, rows) }
    }

    /// The traces that fulfil a condition and have, or do not have, the words, in order; and of how many the second of
    /// two columns is true.
    fn picked(&self, connection: &Connection, columns: &str, condition: &str) -> Result<(Vec<i64>, usize), StoreError> {
        if self.finds_nothing {
            return Ok((Vec::new(), 0));
        }
        let order = if self.by_score { String::new() } else { format!(" ORDER BY {}", self.order) };
        let mut select = connection.prepare_cached(&format!("SELECT {columns} FROM traces{condition}{order}"))?;
        let mut rows = select.query(params_from_iter(&self.values))?;
        let (mut keys, mut count) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let key = row.get(0)?;
            if self.fits(key) {
                keys.push(key);
                count += usize::from(row.get::<_, bool>(1)?);
            }
        }
        if let (true, Some(hits)) = (self.by_score, &self.having) {
            keys.sort_by(|a, b| {
                let ordering = hits.score(*a).total_cmp(&hits.score(*b)).then(b.cmp(a));
                if self.descending { ordering } else { ordering.reverse() }
            });
        }
        Ok((keys, count))
    }

    fn condition(&self) -> String {
        if self.filters.is_empty() { String::new() } else { format!(" WHERE {}", self.filters.join(" AND ")) }
    }

    fn add(&mut self, negated: bool, filter: &str, values: impl IntoIterator<Item = Value>) {
        self.filters.push(if negated { format!("NOT ({filter})") } else { format!("({filter})") });
        self.values.extend(values);
    }

    fn add_fields(&mut self, query: &TraceQuery) {
        let text = |text: &str| [Value::from(text.to_owned())];
        if let Some(model) = &query.model {
            self.add(false, "traces.model = ?", text(model));
        }
        if let Some(state) = query.state {
            self.add(false, "traces.state = ?", text(state.as_str()));
        }
        if let Some(origin) = query.origin {
            self.add(false, "traces.origin = ?", text(origin_word(origin)));
        }
        if let Some(batch_id) = &query.batch_id {
            self.add(false, "traces.batch_id = ?", text(batch_id));
        }
        if let Some(tool) = &query.tool {
            self.add(false, WITH_TOOL, text(tool));
        }
    }

    fn add_term(&mut self, connection: &Connection, term: &Term) -> Result<(), StoreError> {
        let negated = term.negated;
        let text = |text: &str| vec![Value::from(text.to_owned())];
        let (filter, values) = match &term.condition {
            // Not a question to the database: see `lacking`.
            Condition::Words(_) => return Ok(()),
            Condition::Tool(name) => (WITH_TOOL, text(name)),
            Condition::Model(part) => {
                let mut names = distinct(connection, "traces", "model")?;
                names.retain(|name| name.to_lowercase().contains(part));
                ("traces.model IN (SELECT value FROM json_each(?))", text(&to_json("models", &names)?))
            }
            Condition::State(state) => ("traces.state = ?", text(RunState::as_str(*state))),
            Condition::Status(status) => ("traces.status = ?", vec![i64::from(status_number(*status)).into()]),
            Condition::Reviewed => ("traces.status > 0", Vec::new()),
            Condition::Edited => ("traces.head > 0", Vec::new()),
            Condition::Branch => ("traces.branch_of IS NOT NULL", Vec::new()),
            Condition::Number(field, range) => {
                let mut from = range.from;
                let filter = match field {
                    NumberField::Rating => {
                        // What nobody rated is not "less than three stars"; `rating:0` asks for it.
                        from = if range.to == 0 { 0 } else { from.max(1) };
                        "traces.rating BETWEEN ? AND ?"
                    }
                    NumberField::Tokens => "traces.tokens BETWEEN ? AND ?",
                    NumberField::Steps => "traces.steps BETWEEN ? AND ?",
                    NumberField::Messages => "traces.messages BETWEEN ? AND ?",
                    NumberField::Errors => "traces.errors BETWEEN ? AND ?",
                };
                (filter, vec![from.into(), range.to.into()])
            }
            Condition::Tag(tag) => ("traces.key IN (SELECT trace FROM tags WHERE tag = ?)", text(tag)),
            Condition::Rule(rule) => ("traces.key IN (SELECT trace FROM findings WHERE rule = ?)", text(rule.as_str())),
            Condition::Severity(severity) => {
                ("traces.key IN (SELECT trace FROM findings WHERE severity = ?)", text(severity_word(*severity)))
            }
            Condition::AnyFinding => ("traces.findings > 0", Vec::new()),
            Condition::Origin(origin) => ("traces.origin = ?", text(origin_word(*origin))),
            // Of a trace without a queue, the comparison alone would be neither true nor false.
            Condition::Queue(id) => ("traces.batch_id IS NOT NULL AND traces.batch_id = ?", text(id)),
            Condition::Title(part) => {
                let part = part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
                ("traces.title LIKE ? ESCAPE '\\'", text(&format!("%{part}%")))
            }
            Condition::Id(begin) => {
                ("traces.id >= ? AND traces.id < ?", [text(begin), text(&format!("{begin}\u{10ffff}"))].concat())
            }
            Condition::Before(at_ms) => ("traces.created_at_ms < ?", vec![(*at_ms).into()]),
            Condition::After(at_ms) => ("traces.created_at_ms >= ?", vec![(*at_ms).into()]),
        };
        self.add(negated, filter, values);
        Ok(())
    }
}

const WITH_TOOL: &str = "traces.key IN (SELECT trace FROM used_tools WHERE name = ?)";

/// Each value of an indexed column once: a step of the index for each, however many rows have it.
pub(crate) fn distinct(connection: &Connection, table: &str, column: &str) -> Result<Vec<String>, StoreError> {
    let sql = format!(
        "WITH RECURSIVE names (name) AS (
             SELECT min({column}) FROM {table}
             UNION ALL
             SELECT (SELECT min({column}) FROM {table} WHERE {column} > names.name)
             FROM names WHERE names.name IS NOT NULL
         )
         SELECT name FROM names WHERE name <> ''"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn order(query: &TraceQuery) -> String {
    let direction = if query.descending { "DESC" } else { "ASC" };
    let column = match query.sort {
        TraceSort::Created | TraceSort::Relevance => "traces.created_at_ms",
        TraceSort::Updated => "traces.updated_at_ms",
        TraceSort::Title => "traces.title COLLATE NOCASE",
        TraceSort::Model => "traces.model COLLATE NOCASE",
        TraceSort::Steps => "traces.steps",
        TraceSort::Tokens => "traces.tokens",
        TraceSort::Messages => "traces.messages",
        TraceSort::Rating => "traces.rating",
        TraceSort::Errors => "traces.errors",
        TraceSort::Findings => "traces.findings",
    };
    format!("{column} {direction}, traces.key {direction}")
}
