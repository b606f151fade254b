//! Full-text search: which traces have the words, and where.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, params};

use crate::StoreError;

/// Bits of a row in the full-text index that are not its trace's key; see `schema/v2.sql`.
pub(crate) const BITS_OF_PLACE: u32 = 25;
/// Bytes of each text that a snippet is looked for in first.
const SNIPPET_BYTES: usize = 1_000;
/// Searches whose hits are kept.
const MOST_KEPT: usize = 6;
/// Rows up to which hits are gathered before a page is shown without them all, and up to which they are ranked.
const MANY_ROWS: usize = 30_000;

/// The traces that have some words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hits {
    /// By trace: its key and the row to show: the first message that has the words, rather than the title, which is
    /// shown anyway.
    rows: Vec<(i64, i64)>,
    /// By place in `rows`; the smaller the better. Empty unless asked for, and where there are very many.
    scores: Vec<f64>,
    traces: TraceSet,
    /// Rows of the index.
    found: usize,
}

/// Some traces, a bit for each.
#[derive(Clone, Debug, Default)]
pub(crate) struct TraceSet(Vec<u64>);

impl TraceSet {
    pub(crate) fn insert(&mut self, trace: i64) {
        let Ok(place) = usize::try_from(trace) else { return };
        let word = place / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (place % 64);
    }

    pub(crate) fn has(&self, trace: i64) -> bool {
        usize::try_from(trace)
            .ok()
            .is_some_and(|place| self.0.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1))
    }
}

impl FromIterator<i64> for TraceSet {
    fn from_iter<I: IntoIterator<Item = i64>>(traces: I) -> Self {
        let mut set = Self::default();
        traces.into_iter().for_each(|trace| set.insert(trace));
        set
    }
}

impl Hits {
    /// Looks for what an `FTS5` expression says. Scores take several times as long: they are left out where there are
    /// very many rows, of which none says more than the others.
    pub(crate) fn find(connection: &Connection, expression: &str, with_scores: bool) -> Result<Self, StoreError> {
        let all = Self::find_some(connection, expression, usize::MAX)?.0;
        if with_scores && all.found <= MANY_ROWS { Self::find_scores(connection, expression) } else { Ok(all) }
    }

    /// The first rows, and whether these are all.
    fn find_some(connection: &Connection, expression: &str, most: usize) -> Result<(Self, bool), StoreError> {
        let mut hits = Self::default();
        let mut select = connection.prepare_cached("SELECT rowid FROM search WHERE search MATCH ?1 ORDER BY rowid")?;
        let mut found = select.query([expression])?;
        while let Some(row) = found.next()? {
            if hits.found >= most {
                return Ok((hits, false));
            }
            hits.push(row.get(0)?);
        }
        Ok((hits, true))
    }

    fn find_scores(connection: &Connection, expression: &str) -> Result<Self, StoreError> {
        let mut hits = Self::default();
        let mut select = connection.prepare_cached(
            "SELECT rowid, bm25(search, 4.0, 1.0, 0.5, 0.5) FROM search WHERE search MATCH ?1 ORDER BY rowid",
        )?;
        let mut found = select.query([expression])?;
        while let Some(row) = found.next()? {
            let score: f64 = row.get(1)?;
            if hits.push(row.get(0)?) {
                hits.scores.push(score);
            } else if let Some(best) = hits.scores.last_mut() {
                *best = best.min(score);
            }
        }
        Ok(hits)
    }

    /// Rows come in order, and those of a trace are neighbours. Whether its trace is a new one.
    fn push(&mut self, row: i64) -> bool {
        self.found += 1;
        let trace = row >> BITS_OF_PLACE;
        if let Some((last, shown)) = self.rows.last_mut()
            && *last == trace
        {
            // The title has the first row of a trace.
            if *shown == trace << BITS_OF_PLACE {
                *shown = row;
            }
            return false;
        }
        self.rows.push((trace, row));
        self.traces.insert(trace);
        true
    }

    pub(crate) const fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn has(&self, trace: i64) -> bool {
        self.traces.has(trace)
    }

    pub(crate) const fn has_scores(&self) -> bool {
        !self.scores.is_empty()
    }

    pub(crate) fn traces(&self) -> impl Iterator<Item = i64> {
        self.rows.iter().map(|(trace, _)| *trace)
    }

    fn place(&self, trace: i64) -> Option<usize> {
        self.rows.binary_search_by_key(&trace, |(key, _)| *key).ok()
    }

    /// How well a trace fits; the smaller the better.
    pub(crate) fn score(&self, trace: i64) -> f64 {
        self.place(trace).and_then(|place| self.scores.get(place).copied()).unwrap_or_default()
    }

    /// The row of a trace to show.
    pub(crate) fn row(&self, trace: i64) -> Option<i64> {
        Some(self.rows[self.place(trace)?].1)
    }
}

/// Where the texts of these rows have the words, with the hits between U+0002 and U+0003, by trace.
pub(crate) fn snippets_of(
    connection: &Connection,
    expression: &str,
    mut rows: Vec<i64>,
) -> Result<HashMap<i64, String>, StoreError> {
    // FTS5 writes out what it gathered whenever a row is lower than the one before.
    rows.sort_unstable();
    let words = words_of(expression);
    let mut found = snippets(connection, expression, &rows, Some(&words))?;
    let missing: Vec<i64> = rows.into_iter().filter(|row| !found.contains_key(row)).collect();
    if !missing.is_empty() {
        found.extend(snippets(connection, expression, &missing, None)?);
    }
    Ok(found.into_iter().map(|(row, snippet)| (row >> BITS_OF_PLACE, snippet)).collect())
}

/// Whether one trace has the words, and the row to show: for words that very many have, where few traces are asked about.
pub(crate) fn row_with_words(connection: &Connection, expression: &str, trace: i64) -> Result<Option<i64>, StoreError> {
    let title = trace << BITS_OF_PLACE;
    let last = title | ((1 << BITS_OF_PLACE) - 1);
    let mut select = connection
        .prepare_cached("SELECT rowid FROM search WHERE search MATCH ?1 AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid")?;
    let mut found = select.query(params![expression, title, last])?;
    let mut shown = None;
    while let Some(row) = found.next()? {
        shown = Some(row.get(0)?);
        // Rather than the title, which is shown anyway.
        if shown != Some(title) {
            break;
        }
    }
    Ok(shown)
}

/// Whether it can be asked about single traces: for a word that is not typed to its end `FTS5` gathers all rows first.
fn asks_singly(expression: &str) -> bool {
    !expression.ends_with('*')
}

/// What was looked for last, as long as the index is the same: a person scrolls through what they found, and decides.
#[derive(Debug, Default)]
pub(crate) struct HitCache {
    kept: Mutex<VecDeque<Kept>>,
}

#[derive(Debug)]
struct Kept {
    expression: String,
    with_scores: bool,
    /// The index that was asked.
    index: Vec<u8>,
    hits: Arc<Hits>,
}

impl HitCache {
    /// All hits.
    pub(crate) fn find(
        &self,
        connection: &Connection,
        expression: &str,
        with_scores: bool,
    ) -> Result<Arc<Hits>, StoreError> {
        let index = state_of_index(connection)?;
        if let Some(hits) = self.known(expression, with_scores, &index) {
            return Ok(hits);
        }
        let hits = Arc::new(Hits::find(connection, expression, with_scores)?);
        self.keep(expression, with_scores, index, &hits);
        Ok(hits)
    }

    /// All hits where they are known or few; `None` where there are very many and it can be asked about single traces.
    pub(crate) fn find_few(
        &self,
        connection: &Connection,
        expression: &str,
        with_scores: bool,
    ) -> Result<Option<Arc<Hits>>, StoreError> {
        if !asks_singly(expression) {
            return self.find(connection, expression, with_scores).map(Some);
        }
        let index = state_of_index(connection)?;
        if let Some(hits) = self.known(expression, with_scores, &index) {
            return Ok(Some(hits));
        }
        let (hits, are_all) = Hits::find_some(connection, expression, MANY_ROWS)?;
        if !are_all {
            return Ok(None);
        }
        let hits = Arc::new(if with_scores { Hits::find_scores(connection, expression)? } else { hits });
        self.keep(expression, with_scores, index, &hits);
        Ok(Some(hits))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, expression: &str, with_scores: bool, index: &[u8]) -> Option<Arc<Hits>> {
        let all = self.lock();
        let kept =
            all.iter().find(|it| it.with_scores == with_scores && it.expression == expression && it.index == index)?;
        Some(Arc::clone(&kept.hits))
    }

    fn keep(&self, expression: &str, with_scores: bool, index: Vec<u8>, hits: &Arc<Hits>) {
        let kept = Kept { expression: expression.to_owned(), with_scores, index, hits: Arc::clone(hits) };
        let mut all = self.lock();
        all.retain(|it| it.expression != expression || it.with_scores != with_scores);
        all.push_front(kept);
        all.truncate(MOST_KEPT);
    }
}

/// `FTS5`'s record of the parts of its index, with the number of pages ever written: another one after every change of a
/// text, and the same when only a rating changed.
fn state_of_index(connection: &Connection) -> Result<Vec<u8>, StoreError> {
    const STRUCTURE: i64 = 10;
    let mut select = connection.prepare_cached("SELECT block FROM search_data WHERE id = ?1")?;
    Ok(select.query_row([STRUCTURE], |row| row.get(0))?)
}

/// The words of an expression, in small letters, without what quotes them.
fn words_of(expression: &str) -> Vec<String> {
    expression.split(|c: char| !c.is_alphanumeric()).filter(|it| !it.is_empty()).map(str::to_lowercase).collect()
}

/// A stretch of a text around the first of some words, found by its letters alone; the beginning where none is.
fn around(text: &str, words: &[String]) -> String {
    if text.len() <= SNIPPET_BYTES {
        return text.to_owned();
    }
    let same = |at: usize, word: &str| {
        text.as_bytes().get(at..at + word.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(word.as_bytes()))
    };
    let hit = (0..text.len()).find(|at| words.iter().any(|word| same(*at, word))).unwrap_or(0);
    let begin = text.floor_char_boundary(hit.saturating_sub(SNIPPET_BYTES / 4));
    let end = text.floor_char_boundary(text.len().min(begin + SNIPPET_BYTES));
    text[begin..end].to_owned()
}

/// Snippets of some rows, from a small index of only these: the large one would read all places of the words again.
/// With `words` it holds of long texts only what stands around one of them.
fn snippets(
    connection: &Connection,
    expression: &str,
    rows: &[i64],
    words: Option<&[String]>,
) -> Result<HashMap<i64, String>, StoreError> {
    let small = Connection::open_in_memory()?;
    small.execute_batch(
        "PRAGMA journal_mode = OFF;
         CREATE VIRTUAL TABLE shown USING fts5 (
             title, text, reasoning, tools, tokenize = \"unicode61 remove_diacritics 2\"
         );
         BEGIN;",
    )?;
    let mut read = connection.prepare_cached("SELECT title, text, reasoning, tools FROM texts WHERE row = ?1")?;
    let mut insert =
        small.prepare("INSERT INTO shown (rowid, title, text, reasoning, tools) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for row in rows {
        let mut found = read.query([row])?;
        if let Some(text) = found.next()? {
            let part = |index: usize| -> Result<String, rusqlite::Error> {
                let text = text.get_ref(index)?.as_str()?;
                Ok(words.map_or_else(|| text.to_owned(), |words| around(text, words)))
            };
            insert.execute(params![row, part(0)?, part(1)?, part(2)?, part(3)?])?;
        }
    }
    let mut select =
        small.prepare("SELECT rowid, snippet(shown, -1, char(2), char(3), '…', 24) FROM shown WHERE shown MATCH ?1")?;
    let found = select.query_map([expression], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}
