//! Edits: each makes a revision over the captured messages; undo and redo move between them. Nothing removes one.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};
use tw_artifact::{EditOp, EditedMessage, FindingCount, Marks, Message, Patch, Revision, ToolDefinition};

use crate::config::{parse, to_json};
use crate::finding::put_findings;
use crate::head::move_head;
use crate::message_list::{Splice, count_captured, difference, list_at};
use crate::trace::{MessageRow, find_trace};
use crate::{Store, StoreError};

/// Revisions after which one is kept with its whole list.
const REVISIONS_PER_LIST: usize = 64;

/// A trace at a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edition {
    /// Which; 0 is what was captured.
    pub revision: u32,
    /// What *undo* would take back, in words; `None` when there is nothing, or this is not where the trace stands.
    pub undo: Option<String>,
    /// What *redo* would do again.
    pub redo: Option<String>,
    /// The messages, in order.
    pub messages: Vec<EditedMessage>,
    /// The tools as the model was told of them.
    pub tools: Vec<ToolDefinition>,
    /// The id for the next message that a person adds; further ones count on from it. From
    /// [`EditedMessage::FIRST_ADDED_ID`] on, never one that a revision of this trace has had.
    pub next_id: u64,
}

/// An edit to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRevision {
    /// The revision that it was made on.
    pub base: u32,
    /// Who made it.
    pub author: String,
    /// What was done.
    pub op: EditOp,
    /// The same in words.
    pub label: String,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// All messages afterwards. Those with a key are taken from the store, whatever else they say here; those with
    /// [`EditedMessage::UNSAVED`] are kept as they are here: with the id of the message that they are another text of,
    /// or with one from [`Edition::next_id`] on.
    pub messages: Vec<EditedMessage>,
    /// What lint finds in them.
    pub findings: Vec<FindingCount>,
    /// The version of that lint.
    pub lint_version: u32,
}

/// Where a trace stands after an edit, an undo or a redo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The revision that it stood at before: the patches are made for the messages of that one.
    pub base: u32,
    /// The revision; that of before where an edit changed nothing, which keeps no revision.
    pub revision: u32,
    /// What was done, taken back, or done again, in words.
    pub did: String,
    /// What *undo* would take back now.
    pub undo: Option<String>,
    /// What *redo* would do again now.
    pub redo: Option<String>,
    /// What changes in the messages of the revision before, to be applied in order.
    pub patches: Vec<Patch>,
}

impl Store {
    /// A trace at a revision: `None` for where it stands, 0 for what was captured.
    ///
    /// # Errors
    /// There is no such trace or revision, or the read failed.
    pub async fn edition(&self, id: &str, revision: Option<u32>) -> Result<Edition, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| read_edition(connection, find_trace(connection, &id)?, revision)).await
    }

    /// Keeps an edit as a new revision, and moves the trace to it. On disk when this returns. An edit that changes
    /// nothing keeps nothing.
    ///
    /// # Errors
    /// [`StoreError::Moved`] when the trace stands elsewhere than at the base; there is no such trace; a key is of no
    /// message of it, an id is there twice; the write failed.
    pub async fn commit(&self, id: &str, new: NewRevision) -> Result<Committed, StoreError> {
        let id = id.to_owned();
        let op = to_json("edit", &new.op)?;
        let mut rows = Vec::new();
        for it in new.messages.iter().filter(|it| it.key == EditedMessage::UNSAVED) {
            rows.push((it.id, MessageRow::of(&it.message, &it.marks, 0, it.tokens)?));
        }
        self.write(move |connection| {
            let trace = find_trace(connection, &id)?;
            let head = head_of(connection, trace)?;
            if head != new.base {
                return Err(StoreError::Moved { head });
            }
            let before = list_at(connection, trace, head)?;
            let captured = count_captured(connection, trace)?;
            let keys = keep_new(connection, trace, captured, &new.messages, rows)?;
            let splices = difference(&before.keys, &keys);
            let mut revision = head;
            if !splices.is_empty() {
                let list = if before.walked >= REVISIONS_PER_LIST { Some(to_json("revision", &keys)?) } else { None };
                revision = connection
                    .prepare_cached(
                        "INSERT INTO revisions (trace, number, parent, at_ms, captured, author, label, splices, list, op)
                         VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM revisions WHERE trace = ?1),
                                 ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                         RETURNING number",
                    )?
                    .query_row(
                        params![
                            trace,
                            head,
                            new.at_ms,
                            captured,
                            new.author,
                            new.label,
                            to_json("revision", &splices)?,
                            list,
                            op
                        ],
                        |row| row.get(0),
                    )?;
                move_head(connection, trace, revision, &before.keys, &keys)?;
            }
            put_findings(connection, trace, new.lint_version, &new.findings)?;
            committed(connection, trace, (head, revision), new.label, splices)
        })
        .await
    }

    /// Goes back to the revision that the present one was made on; `None` when it is what was captured.
    ///
    /// # Errors
    /// There is no such trace, or the write failed.
    pub async fn undo(&self, id: &str) -> Result<Option<Committed>, StoreError> {
        self.step(id, |connection, trace, head| {
            Ok(connection
                .prepare_cached("SELECT parent, label FROM revisions WHERE trace = ?1 AND number = ?2")?
                .query_row(params![trace, head], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?)
        })
        .await
    }

    /// Goes forward to the latest revision that was made on the present one; `None` when there is none.
    ///
    /// # Errors
    /// There is no such trace, or the write failed.
    pub async fn redo(&self, id: &str) -> Result<Option<Committed>, StoreError> {
        self.step(id, latest_child).await
    }

    /// Every revision by number, and the one that the trace stands at.
    ///
    /// # Errors
    /// There is no such trace, or the read failed.
    pub async fn history(&self, id: &str) -> Result<(Vec<Revision>, u32), StoreError> {
        let id = id.to_owned();
        self.read(move |connection| {
            let trace = find_trace(connection, &id)?;
            let mut select = connection.prepare_cached(
                "SELECT number, parent, author, at_ms, label, op FROM revisions WHERE trace = ?1 ORDER BY number",
            )?;
            let mut rows = select.query([trace])?;
            let mut revisions = Vec::new();
            while let Some(row) = rows.next()? {
                revisions.push(Revision {
                    number: row.get(0)?,
                    parent: row.get(1)?,
                    author: row.get(2)?,
                    at_ms: row.get(3)?,
                    label: row.get(4)?,
                    op: parse("edit", row.get_ref(5)?.as_str().map_err(rusqlite::Error::from)?)?,
                });
            }
            Ok((revisions, head_of(connection, trace)?))
        })
        .await
    }

    /// Moves the trace to a revision beside the present one, whose number and label `find` gives.
    async fn step(
        &self,
        id: &str,
        find: impl FnOnce(&Connection, i64, u32) -> Result<Option<(u32, String)>, StoreError> + Send + 'static,
    ) -> Result<Option<Committed>, StoreError> {
        let id = id.to_owned();
        self.write(move |connection| {
            let trace = find_trace(connection, &id)?;
            let head = head_of(connection, trace)?;
            let Some((revision, did)) = find(connection, trace, head)? else { return Ok(None) };
            let before = list_at(connection, trace, head)?.keys;
            let after = list_at(connection, trace, revision)?.keys;
            move_head(connection, trace, revision, &before, &after)?;
            committed(connection, trace, (head, revision), did, difference(&before, &after)).map(Some)
        })
        .await
    }
}

/// A trace at a revision; `None` for where it stands.
pub(crate) fn read_edition(connection: &Connection, trace: i64, revision: Option<u32>) -> Result<Edition, StoreError> {
    let head = head_of(connection, trace)?;
    let revision = revision.unwrap_or(head);
    let keys = list_at(connection, trace, revision)?.keys;
    let (undo, redo) = if revision == head { neighbours(connection, trace, head)? } else { (None, None) };
    let tools: String = connection
        .prepare_cached("SELECT tools FROM details WHERE trace = ?1")?
        .query_row([trace], |row| row.get(0))?;
    Ok(Edition {
        revision,
        undo,
        redo,
        messages: read_edited(connection, trace, &keys)?,
        tools: parse("tools", &tools)?,
        next_id: next_id(connection, trace)?,
    })
}

/// The revision that a trace stands at.
pub(crate) fn head_of(connection: &Connection, trace: i64) -> Result<u32, StoreError> {
    Ok(connection.prepare_cached("SELECT head FROM traces WHERE key = ?1")?.query_row([trace], |row| row.get(0))?)
}

fn latest_child(connection: &Connection, trace: i64, revision: u32) -> Result<Option<(u32, String)>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT number, label FROM revisions WHERE trace = ?1 AND parent = ?2 ORDER BY number DESC LIMIT 1",
        )?
        .query_row(params![trace, revision], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

/// What undo would take back at a revision, and what redo would do again.
fn neighbours(
    connection: &Connection,
    trace: i64,
    revision: u32,
) -> Result<(Option<String>, Option<String>), StoreError> {
    let undo = connection
        .prepare_cached("SELECT label FROM revisions WHERE trace = ?1 AND number = ?2")?
        .query_row(params![trace, revision], |row| row.get(0))
        .optional()?;
    Ok((undo, latest_child(connection, trace, revision)?.map(|(_, label)| label)))
}

fn next_id(connection: &Connection, trace: i64) -> Result<u64, StoreError> {
    let highest: Option<i64> = connection
        .prepare_cached("SELECT max(id) FROM edited_messages WHERE trace = ?1")?
        .query_row([trace], |row| row.get(0))?;
    let after = highest.and_then(|id| u64::try_from(id).ok()).map_or(0, |id| id + 1);
    Ok(after.max(EditedMessage::FIRST_ADDED_ID))
}

fn committed(
    connection: &Connection,
    trace: i64,
    (base, revision): (u32, u32),
    did: String,
    splices: Vec<Splice>,
) -> Result<Committed, StoreError> {
    let (undo, redo) = neighbours(connection, trace, revision)?;
    let mut patches = Vec::with_capacity(splices.len());
    for (at, remove, insert) in splices {
        patches.push(Patch {
            at: u32::try_from(at).unwrap_or(u32::MAX),
            remove: u32::try_from(remove).unwrap_or(u32::MAX),
            insert: read_edited(connection, trace, &insert)?,
        });
    }
    Ok(Committed { base, revision, did, undo, redo, patches })
}

/// Keeps the messages that have no key yet, and gives the keys of all.
fn keep_new(
    connection: &Connection,
    trace: i64,
    captured: i64,
    messages: &[EditedMessage],
    rows: Vec<(u64, MessageRow)>,
) -> Result<Vec<i64>, StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO edited_messages (key, trace, id, tokens, role, calls, marks, body)
         VALUES (
             (SELECT coalesce(max(key) + 1, (?1 << 25) | 16777216) FROM edited_messages
              WHERE key BETWEEN (?1 << 25) | 16777216 AND (?1 << 25) | 33554431),
             ?1, ?2, ?3, ?4, ?5, ?6, ?7
         )",
    )?;
    let mut find = connection.prepare_cached("SELECT id FROM edited_messages WHERE key = ?1 AND trace = ?2")?;
    let mut rows = rows.into_iter();
    let mut ids = HashSet::with_capacity(messages.len());
    let mut keys = Vec::with_capacity(messages.len());
    for message in messages {
        let key = message.key;
        let unknown = || StoreError::NotFound { what: "message", id: key.to_string() };
        let (id, key) = if key == EditedMessage::UNSAVED {
            let Some((id, row)) = rows.next() else { return Err(unknown()) };
            let id = i64::try_from(id).map_err(|_| StoreError::NotFound { what: "message", id: id.to_string() })?;
            insert.execute(params![trace, id, row.tokens, row.role.as_str(), row.calls_json, row.marks, row.body])?;
            (id, -connection.last_insert_rowid())
        } else if key >= 0 {
            if key >= captured {
                return Err(unknown());
            }
            (key, key)
        } else {
            let row = key.checked_neg().ok_or_else(unknown)?;
            (find.query_row(params![row, trace], |row| row.get(0)).optional()?.ok_or_else(unknown)?, key)
        };
        if !ids.insert(id) {
            return Err(StoreError::invalid(format!("the message {id} stands twice in the edited trace")));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// The messages with these keys, in this order. Captured ones that stand as they came are read in one go.
pub(crate) fn read_edited(connection: &Connection, trace: i64, keys: &[i64]) -> Result<Vec<EditedMessage>, StoreError> {
    let mut captured = connection.prepare_cached(
        "SELECT seq, seq, tokens, marks, coalesce(amended, body) FROM messages
         WHERE key BETWEEN (?1 << 25) + 1 + ?2 AND (?1 << 25) + 1 + ?3 AND trace = ?1 ORDER BY key",
    )?;
    let mut edited = connection
        .prepare_cached("SELECT id, -key, tokens, marks, body FROM edited_messages WHERE key = -?2 AND trace = ?1")?;
    let mut messages: Vec<EditedMessage> = Vec::with_capacity(keys.len());
    // A key is in one run with the one before when both are captured and follow each other.
    for run in keys.chunk_by(|a, b| *a >= 0 && a.checked_add(1) == Some(*b)) {
        let (first, last) = (run[0], run[run.len() - 1]);
        let mut rows = if first < 0 {
            edited.query(params![trace, first])?
        } else {
            captured.query(params![trace, first, last])?
        };
        for key in run {
            let Some(row) = rows.next()?.filter(|row| row.get(1).is_ok_and(|found: i64| found == *key)) else {
                return Err(StoreError::NotFound { what: "message", id: key.to_string() });
            };
            let id: i64 = row.get(0)?;
            let marks: Option<String> = row.get(3)?;
            let message: Message = parse("message", row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?)?;
            messages.push(EditedMessage {
                id: id.unsigned_abs(),
                key: *key,
                message,
                marks: marks.map_or(Ok(Marks::default()), |json| parse("marks", &json))?,
                tokens: row.get(2)?,
            });
        }
    }
    Ok(messages)
}
