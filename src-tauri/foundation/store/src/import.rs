//! Traces that come in whole, many at a time.

use rusqlite::config::DbConfig;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OptionalExtension, params};
use tw_artifact::{FindingCount, Json, Review, Role, RunState, ToolDefinition, TraceOrigin};

use crate::config::{parse, to_json};
use crate::finding::put_findings;
use crate::review::status_number;
use crate::search::BITS_OF_PLACE;
use crate::trace::{MarkedMessage, MessageRow, find_trace, origin_word};
use crate::words::{now_ms, title_of};
use crate::{Store, StoreError};

/// A trace that was read from a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewImport {
    /// The name of its format.
    pub format: String,
    /// What of the record is kept nowhere else: any JSON, [`Store::envelope`] gives it back as it is.
    pub envelope: Json,
    /// The model's name; empty where it is not known.
    pub model: String,
    /// When it was made, unix milliseconds; `None` for now.
    pub timestamp_ms: Option<i64>,
    /// Its title; where it is empty, the first user message gives one.
    pub title: String,
    /// The messages, in order, with what the record says of them beside their text.
    pub messages: Vec<MarkedMessage>,
    /// The tools as the model was told of them.
    pub tools: Vec<ToolDefinition>,
    /// Tool results that are errors.
    pub errors: u32,
    /// What was decided about it.
    pub review: Review,
    /// What lint found in it.
    pub findings: Vec<FindingCount>,
    /// The version of that lint; 0 when nobody looked.
    pub lint_version: u32,
    /// What near-duplicates are found by; see [`Store::fingerprints`].
    pub fingerprint: Option<Vec<u8>>,
}

/// A trace that was read from a file, as its rows have it: what there is to work out is done, and the writer only writes.
#[derive(Debug)]
pub struct PreparedImport {
    id: String,
    title: String,
    messages: Vec<MessageRow>,
    tools: String,
    envelope: String,
    new: NewImport,
}

impl PreparedImport {
    /// Makes the rows of a trace. Takes time that grows with the trace; can be done on any thread.
    ///
    /// # Errors
    /// A part of it has no JSON form.
    pub fn of(mut new: NewImport) -> Result<Self, StoreError> {
        let messages: Vec<MessageRow> = std::mem::take(&mut new.messages)
            .iter()
            .map(|it| MessageRow::of(&it.new.message, &it.marks, it.new.step, it.new.tokens))
            .collect::<Result<_, _>>()?;
        let mut title = title_of(&new.title);
        if title.is_empty()
            && let Some(first) = messages.iter().find(|row| row.role == Role::User)
        {
            title.clone_from(&first.title);
        }
        Ok(Self {
            id: Store::new_id(),
            title,
            messages,
            tools: to_json("tools", &new.tools)?,
            envelope: to_json("envelope", &std::mem::take(&mut new.envelope))?,
            new,
        })
    }
}

impl Store {
    /// Keeps traces that were read from files, all or nothing, and gives their new ids in the same order. On disk when
    /// this returns.
    ///
    /// # Errors
    /// The write failed; then none of them is kept.
    pub async fn import_many(&self, imports: Vec<NewImport>) -> Result<Vec<String>, StoreError> {
        self.import_prepared(imports.into_iter().map(PreparedImport::of).collect::<Result<_, _>>()?).await
    }

    /// The same for traces that are prepared.
    ///
    /// # Errors
    /// The write failed; then none of them is kept.
    pub async fn import_prepared(&self, rows: Vec<PreparedImport>) -> Result<Vec<String>, StoreError> {
        self.write(move |connection| {
            let now_ms = now_ms();
            let _quiet = WithoutTriggers::begin(connection)?;
            rows.iter().map(|rows| insert(connection, rows, now_ms).map(|()| rows.id.clone())).collect()
        })
        .await
    }

    /// The format that a trace was imported from and what of its record is kept nowhere else; `None` when it was
    /// collected.
    ///
    /// # Errors
    /// There is no such trace, or the read failed.
    pub async fn envelope(&self, id: &str) -> Result<Option<(String, Json)>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| read_envelope(connection, find_trace(connection, &id)?)).await
    }
}

pub(crate) fn read_envelope(connection: &Connection, trace: i64) -> Result<Option<(String, Json)>, StoreError> {
    let found: Option<(Option<String>, Option<String>)> = connection
        .prepare_cached("SELECT format, envelope FROM details WHERE trace = ?1")?
        .query_row([trace], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((Some(format), Some(envelope))) = found else { return Ok(None) };
    Ok(Some((format, parse("envelope", &envelope)?)))
}

/// While it lives, this connection's triggers rest, and whoever inserts fills the full-text index itself. `SQLite` begins
/// a savepoint for every statement with a trigger, and at each of these `FTS5` writes out what it gathered: a part of the
/// index for every single message, which are then merged again and again.
struct WithoutTriggers<'a>(&'a Connection);

impl<'a> WithoutTriggers<'a> {
    fn begin(connection: &'a Connection) -> Result<Self, StoreError> {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        Ok(Self(connection))
    }
}

impl Drop for WithoutTriggers<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true) {
            // It is a flag in memory, of a connection that is open.
            tracing::error!(%error, "the triggers of the workspace rest");
        }
    }
}

/// Puts a row into the full-text index, with the texts that it will be taken out with.
fn index(connection: &Connection, row: i64) -> Result<(), StoreError> {
    let mut select = connection.prepare_cached("SELECT title, text, reasoning, tools FROM texts WHERE row = +?1")?;
    let mut insert = connection
        .prepare_cached("INSERT INTO search (rowid, title, text, reasoning, tools) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut found = select.query([row])?;
    if let Some(texts) = found.next()? {
        let text = |index: usize| Ok::<_, rusqlite::Error>(ToSqlOutput::Borrowed(texts.get_ref(index)?));
        insert.execute(params![row, text(0)?, text(1)?, text(2)?, text(3)?])?;
    }
    Ok(())
}

/// The steps of messages that come without: an answer begins one, what follows belongs to it.
pub fn steps_of(roles: impl Iterator<Item = Role>) -> impl Iterator<Item = u32> {
    roles.scan(0, |step, role| {
        *step += u32::from(role == Role::Assistant);
        Some(*step)
    })
}

fn insert(connection: &Connection, rows: &PreparedImport, now_ms: i64) -> Result<(), StoreError> {
    let new = &rows.new;
    let steps = rows.messages.iter().filter(|row| row.role == Role::Assistant).count();
    let tokens: i64 = rows.messages.iter().map(|row| i64::from(row.tokens)).sum();
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "INSERT INTO traces (id, title, model, state, origin, created_at_ms, updated_at_ms, steps, messages,
                                 estimated_tokens, errors, status, rating, note)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            rows.id,
            rows.title,
            new.model,
            RunState::Done.as_str(),
            origin_word(TraceOrigin::Imported),
            new.timestamp_ms.unwrap_or(now_ms),
            now_ms,
            count(steps),
            count(rows.messages.len()),
            tokens,
            new.errors,
            status_number(new.review.status),
            new.review.rating.unwrap_or(0),
            new.review.note,
        ])?;
    let trace = connection.last_insert_rowid();
    index(connection, trace << BITS_OF_PLACE)?;
    connection
        .prepare_cached("INSERT INTO details (trace, format, envelope, tools) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![trace, new.format, rows.envelope, rows.tools])?;
    let mut message = connection.prepare_cached(
        "INSERT INTO messages (key, trace, seq, step, saved_at_ms, tokens, role, calls, marks, body)
         VALUES ((?1 << 25) + 1 + ?2, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut tool =
        connection.prepare_cached("INSERT OR IGNORE INTO used_tools (trace, name, position) VALUES (?1, ?2, ?3)")?;
    let mut position = 0_i64;
    for (seq, row) in (0_i64..).zip(&rows.messages) {
        message.execute(params![
            trace,
            seq,
            row.step,
            now_ms,
            row.tokens,
            row.role.as_str(),
            row.calls_json,
            row.marks,
            row.body
        ])?;
        index(connection, connection.last_insert_rowid())?;
        for name in &row.calls {
            tool.execute(params![trace, name, position])?;
            position += 1;
        }
    }
    let mut tag = connection.prepare_cached("INSERT OR IGNORE INTO tags (trace, tag) VALUES (?1, ?2)")?;
    for name in &new.review.tags {
        tag.execute(params![trace, name])?;
    }
    if new.lint_version > 0 {
        put_findings(connection, trace, new.lint_version, &new.findings)?;
    }
    if let Some(fingerprint) = &new.fingerprint {
        connection
            .prepare_cached("INSERT INTO fingerprints (trace, body) VALUES (?1, ?2)")?
            .execute(params![trace, fingerprint])?;
    }
    Ok(())
}
