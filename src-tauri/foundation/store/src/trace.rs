//! Traces: made, grown message by message, read, removed.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tw_artifact::{
    Branch, CallPhase, CallRecord, Marks, Message, Role, RunSettings, RunState, SavedMessage, StepRecord,
    ToolDefinition, Trace, TraceOrigin,
};

use crate::config::{parse, to_json};
use crate::list::read_summary;
use crate::output::{CallOutput, insert_output};
use crate::words::{now_ms, title_of};
use crate::{Store, StoreError};

/// A trace that begins.
#[derive(Clone, Debug, Default)]
pub struct NewTrace {
    /// Its id ([`Store::new_id`]).
    pub id: String,
    /// Its title; where it is empty, the first user message gives one.
    pub title: String,
    /// Where its run is.
    pub state: RunState,
    /// What its run is made with; the model and the queue are read from it.
    pub settings: RunSettings,
    /// The tools as the model is told of them, where they are known yet.
    pub tools: Vec<ToolDefinition>,
    /// When it began, unix milliseconds.
    pub created_at_ms: i64,
    /// Where it branched off from another trace.
    pub branch: Option<Branch>,
}

/// A message that comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// The message.
    pub message: Message,
    /// The step it belongs to: the answer's own, or the one whose call it answers; 0 before the first.
    pub step: u32,
    /// Tokens of it, estimated from its text.
    pub tokens: u32,
}

/// A message that comes in with what was said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkedMessage {
    /// The message.
    pub new: NewMessage,
    /// What was said about it.
    pub marks: Marks,
}

impl From<NewMessage> for MarkedMessage {
    fn from(new: NewMessage) -> Self {
        Self { new, marks: Marks::default() }
    }
}

/// A message as its row has it: made before the writer is asked, which then only writes.
#[derive(Clone, Debug)]
pub(crate) struct MessageRow {
    pub(crate) role: Role,
    pub(crate) step: u32,
    pub(crate) tokens: u32,
    pub(crate) body: String,
    /// The names of the tools that it calls.
    pub(crate) calls: Vec<String>,
    /// The same as JSON; `None` for none.
    pub(crate) calls_json: Option<String>,
    /// `None` for nothing.
    pub(crate) marks: Option<String>,
    /// What it gives a trace as title; empty for all but user messages.
    pub(crate) title: String,
}

impl MessageRow {
    pub(crate) fn of(message: &Message, marks: &Marks, step: u32, tokens: u32) -> Result<Self, StoreError> {
        let role = message.role();
        let calls: Vec<String> = message.tool_calls().iter().map(|call| call.name.to_owned()).collect();
        Ok(Self {
            role,
            step,
            tokens,
            body: to_json("message", message)?,
            calls_json: if calls.is_empty() { None } else { Some(to_json("tool names", &calls)?) },
            calls,
            marks: if marks.is_empty() { None } else { Some(to_json("marks", marks)?) },
            title: if role == Role::User { title_of(&message.text_ref()) } else { String::new() },
        })
    }
}

impl Store {
    /// Begins a trace without messages.
    ///
    /// # Errors
    /// The id is taken, or the write failed.
    pub async fn create_trace(&self, new: NewTrace) -> Result<(), StoreError> {
        self.create_branch(new, Vec::new()).await
    }

    /// Begins a trace with its first messages, such as those that it shares with the one it branched off from: all or
    /// nothing.
    ///
    /// # Errors
    /// The id is taken, or the write failed.
    pub async fn create_branch(&self, new: NewTrace, messages: Vec<MarkedMessage>) -> Result<(), StoreError> {
        let settings = to_json("settings", &new.settings)?;
        let tools = to_json("tools", &new.tools)?;
        let rows: Vec<MessageRow> = messages
            .iter()
            .map(|it| MessageRow::of(&it.new.message, &it.marks, it.new.step, it.new.tokens))
            .collect::<Result<_, _>>()?;
        self.write(move |connection| {
            let branch = new.branch.as_ref();
            connection
                .prepare_cached(
                    "INSERT INTO traces (id, title, model, state, origin, created_at_ms, updated_at_ms, batch_id,
                                         branch_of, branch_revision, branch_shared)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10)",
                )?
                .execute(params![
                    new.id,
                    title_of(&new.title),
                    new.settings.spec.model,
                    new.state.as_str(),
                    origin_word(TraceOrigin::Collected),
                    new.created_at_ms,
                    new.settings.batch_id,
                    branch.map(|it| &it.trace_id),
                    branch.map_or(0, |it| it.revision),
                    branch.map_or(0, |it| it.shared),
                ])?;
            let trace = connection.last_insert_rowid();
            connection
                .prepare_cached("INSERT INTO details (trace, settings, tools) VALUES (?1, ?2, ?3)")?
                .execute(params![trace, settings, tools])?;
            let saved_at_ms = now_ms();
            for row in &rows {
                insert_message(connection, trace, row, saved_at_ms)?;
            }
            Ok(())
        })
        .await
    }

    /// Changes what the run is made with, such as the servers once they are connected.
    ///
    /// # Errors
    /// There is no such trace, or the write failed.
    pub async fn set_settings(&self, id: &str, settings: &RunSettings) -> Result<(), StoreError> {
        let json = to_json("settings", settings)?;
        let (id, model, batch_id) = (id.to_owned(), settings.spec.model.clone(), settings.batch_id.clone());
        self.write(move |connection| {
            let trace = find_trace(connection, &id)?;
            connection
                .prepare_cached("UPDATE traces SET model = ?2, batch_id = ?3, updated_at_ms = ?4 WHERE key = ?1")?
                .execute(params![trace, model, batch_id, now_ms()])?;
            connection
                .prepare_cached("UPDATE details SET settings = ?2 WHERE trace = ?1")?
                .execute(params![trace, json])?;
            Ok(())
        })
        .await
    }

    /// Keeps the tools as the model is told of them.
    ///
    /// # Errors
    /// There is no such trace, or the write failed.
    pub async fn set_tools(&self, id: &str, tools: &[ToolDefinition]) -> Result<(), StoreError> {
        let json = to_json("tools", tools)?;
        let id = id.to_owned();
        self.write(move |connection| {
            let trace = find_trace(connection, &id)?;
            connection
                .prepare_cached("UPDATE details SET tools = ?2 WHERE trace = ?1")?
                .execute(params![trace, json])?;
            changed(connection, trace)
        })
        .await
    }

    /// Says where the run is, and why it ended where it failed or hit a limit.
    ///
    /// # Errors
    /// There is no such trace, or the write failed.
    pub async fn set_state(&self, id: &str, state: RunState, ending: Option<String>) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |connection| {
            let trace = find_trace(connection, &id)?;
            connection
                .prepare_cached("UPDATE traces SET state = ?2 WHERE key = ?1")?
                .execute(params![trace, state.as_str()])?;
            connection
                .prepare_cached("UPDATE details SET ending = ?2 WHERE trace = ?1")?
                .execute(params![trace, ending])?;
            changed(connection, trace)
        })
        .await
    }

    /// Adds a message and what belongs to it, all or nothing: an answer with its step record and its calls, or a
    /// tool result with its finished call and whole output. On disk when this returns.
    ///
    /// # Errors
    /// There is no such trace, an output names no call of it, or the write failed.
    pub async fn append(
        &self,
        id: &str,
        new: NewMessage,
        step: Option<StepRecord>,
        calls: Vec<CallRecord>,
        outputs: Vec<CallOutput>,
    ) -> Result<SavedMessage, StoreError> {
        let id = id.to_owned();
        let row = MessageRow::of(&new.message, &Marks::default(), new.step, new.tokens)?;
        self.write(move |connection| {
            let trace = find_trace(connection, &id)?;
            let saved_at_ms = now_ms();
            let seq = insert_message(connection, trace, &row, saved_at_ms)?;
            let NewMessage { message, step: of_step, tokens } = new;
            let saved = SavedMessage { seq, saved_at_ms, step: of_step, message, captured: None, tokens };
            if let Some(step) = &step {
                put_step(connection, trace, step)?;
            }
            for call in &calls {
                insert_call(connection, trace, call)?;
            }
            for output in &outputs {
                insert_output(connection, trace, output)?;
            }
            Ok(saved)
        })
        .await
    }

    /// Sets the message as a person corrected it before it was acted on; the captured one stays beside it. A later
    /// correction takes the place of an earlier one.
    ///
    /// # Errors
    /// There is no such trace or message, or the write failed.
    pub async fn amend_message(&self, id: &str, seq: u32, message: &Message) -> Result<SavedMessage, StoreError> {
        let row = MessageRow::of(message, &Marks::default(), 0, 0)?;
        let id = id.to_owned();
        self.write(move |connection| {
            let trace = find_trace(connection, &id)?;
            let found = connection
                .prepare_cached("UPDATE messages SET amended = ?3, calls = ?4 WHERE trace = ?1 AND seq = ?2")?
                .execute(params![trace, seq, row.body, row.calls_json])?;
            if found == 0 {
                return Err(StoreError::NotFound { what: "message", id: format!("{id}/{seq}") });
            }
            changed(connection, trace)?;
            let mut found = read_messages(connection, trace, Some(seq))?;
            found.pop().ok_or_else(|| StoreError::NotFound { what: "message", id: format!("{id}/{seq}") })
        })
        .await
    }

    /// Adds a call, or changes the one at its step and index.
    ///
    /// # Errors
    /// There is no such trace, or the write failed.
    pub async fn put_call(&self, id: &str, call: CallRecord) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |connection| {
            let trace = find_trace(connection, &id)?;
            insert_call(connection, trace, &call)?;
            changed(connection, trace)
        })
        .await
    }

    /// Adds a step's record without a message: of an answer that broke off. Replaces the record of the same step.
    ///
    /// # Errors
    /// There is no such trace, or the write failed.
    pub async fn put_step(&self, id: &str, step: StepRecord) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |connection| {
            let trace = find_trace(connection, &id)?;
            put_step(connection, trace, &step)?;
            changed(connection, trace)
        })
        .await
    }

    /// A whole trace, but for the tools' outputs and images ([`Store::output`], [`Store::output_media`]).
    ///
    /// # Errors
    /// There is no such trace, or the read failed.
    pub async fn trace(&self, id: &str) -> Result<Trace, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| {
            let trace = find_trace(connection, &id)?;
            let summary = read_summary(connection, trace)?;
            let (settings, tools, ending): (Option<String>, String, Option<String>) = connection
                .prepare_cached("SELECT settings, tools, ending FROM details WHERE trace = ?1")?
                .query_row([trace], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok(Trace {
                summary,
                settings: settings.map(|json| parse("settings", &json)).transpose()?,
                messages: read_messages(connection, trace, None)?,
                tools: parse("tools", &tools)?,
                steps: read_steps(connection, trace)?,
                calls: read_calls(connection, trace)?,
                ending,
            })
        })
        .await
    }

    /// Removes a trace with all that belongs to it.
    ///
    /// # Errors
    /// There is no such trace, or the write failed.
    pub async fn delete_trace(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |connection| {
            match connection.prepare_cached("DELETE FROM traces WHERE id = ?1")?.execute([&id])? {
                0 => Err(StoreError::no_trace(&id)),
                _ => Ok(()),
            }
        })
        .await
    }
}

/// The row of the trace with this id.
pub(crate) fn find_trace(connection: &Connection, id: &str) -> Result<i64, StoreError> {
    connection
        .prepare_cached("SELECT key FROM traces WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?
        .ok_or_else(|| StoreError::no_trace(id))
}

/// Step and index of the latest call with this id.
pub(crate) fn find_call(connection: &Connection, trace: i64, call_id: &str) -> Result<(u32, u32), StoreError> {
    connection
        .prepare_cached(
            "SELECT step, place FROM calls WHERE trace = ?1 AND call_id = ?2 ORDER BY step DESC, place DESC LIMIT 1",
        )?
        .query_row(params![trace, call_id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .ok_or_else(|| StoreError::NotFound { what: "call", id: call_id.to_owned() })
}

/// Adds a captured message, counts it in its trace and gives its place. It stands behind the messages of every
/// revision.
pub(crate) fn insert_message(
    connection: &Connection,
    trace: i64,
    row: &MessageRow,
    saved_at_ms: i64,
) -> Result<u32, StoreError> {
    let seq: u32 = connection
        .prepare_cached("SELECT coalesce(max(seq) + 1, 0) FROM messages WHERE trace = ?1")?
        .query_row([trace], |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT INTO messages (key, trace, seq, step, saved_at_ms, tokens, role, calls, marks, body)
             VALUES ((?1 << 25) + 1 + ?2, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            trace,
            seq,
            row.step,
            saved_at_ms,
            row.tokens,
            row.role.as_str(),
            row.calls_json,
            row.marks,
            row.body
        ])?;
    connection
        .prepare_cached(
            "UPDATE traces SET messages = messages + 1, steps = steps + ?2, estimated_tokens = estimated_tokens + ?3,
                               updated_at_ms = max(updated_at_ms, ?4), linted = 0
             WHERE key = ?1",
        )?
        .execute(params![trace, u32::from(row.role == Role::Assistant), row.tokens, saved_at_ms])?;
    if row.role == Role::User {
        connection
            .prepare_cached("UPDATE traces SET title = ?2 WHERE key = ?1 AND title = ''")?
            .execute(params![trace, row.title])?;
    }
    for name in &row.calls {
        connection
            .prepare_cached(
                "INSERT INTO used_tools (trace, name, position)
                 VALUES (?1, ?2, (SELECT coalesce(max(position) + 1, 0) FROM used_tools WHERE trace = ?1))
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![trace, name])?;
    }
    Ok(seq)
}

fn put_step(connection: &Connection, trace: i64, step: &StepRecord) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO steps (trace, step, json) VALUES (?1, ?2, ?3)
             ON CONFLICT (trace, step) DO UPDATE SET json = excluded.json",
        )?
        .execute(params![trace, step.step, to_json("step record", step)?])?;
    let counted = step.usage.map(|usage| i64::from(usage.prompt_tokens) + i64::from(usage.completion_tokens));
    connection
        .prepare_cached("UPDATE traces SET counted_tokens = ?2 WHERE key = ?1")?
        .execute(params![trace, counted])?;
    Ok(())
}

fn insert_call(connection: &Connection, trace: i64, call: &CallRecord) -> Result<(), StoreError> {
    let phase = match call.phase {
        CallPhase::Waiting => "waiting",
        CallPhase::Running => "running",
        CallPhase::Done => "done",
        CallPhase::Abandoned => "abandoned",
    };
    let was_error: bool = connection
        .prepare_cached("SELECT is_error FROM calls WHERE trace = ?1 AND step = ?2 AND place = ?3")?
        .query_row(params![trace, call.step, call.index], |row| row.get(0))
        .optional()?
        .unwrap_or(false);
    connection
        .prepare_cached(
            "INSERT INTO calls (trace, step, place, call_id, phase, json, is_error)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (trace, step, place)
             DO UPDATE SET call_id = excluded.call_id, phase = excluded.phase, json = excluded.json,
                           is_error = excluded.is_error",
        )?
        .execute(params![
            trace,
            call.step,
            call.index,
            call.call_id,
            phase,
            to_json("call record", call)?,
            call.is_error
        ])?;
    if was_error != call.is_error {
        connection
            .prepare_cached("UPDATE traces SET errors = errors + ?2 WHERE key = ?1")?
            .execute(params![trace, if call.is_error { 1 } else { -1 }])?;
    }
    Ok(())
}

/// Something of the trace is another now: its time, and what lint found no longer holds.
fn changed(connection: &Connection, trace: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE traces SET updated_at_ms = ?2, linted = 0 WHERE key = ?1")?
        .execute(params![trace, now_ms()])?;
    Ok(())
}

/// All messages in order, or the one at `seq`.
pub(crate) fn read_messages(
    connection: &Connection,
    trace: i64,
    seq: Option<u32>,
) -> Result<Vec<SavedMessage>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT seq, saved_at_ms, step, body, amended, tokens FROM messages
         WHERE trace = ?1 AND (?2 IS NULL OR seq = ?2) ORDER BY seq",
    )?;
    let mut rows = select.query(params![trace, seq])?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        messages.push(read_message(row)?);
    }
    Ok(messages)
}

fn read_message(row: &Row<'_>) -> Result<SavedMessage, StoreError> {
    let captured: Message = parse("message", row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?)?;
    let amended: Option<String> = row.get(4)?;
    let (message, captured) = match amended {
        Some(json) => (parse("message", &json)?, Some(captured)),
        None => (captured, None),
    };
    Ok(SavedMessage {
        seq: row.get(0)?,
        saved_at_ms: row.get(1)?,
        step: row.get(2)?,
        message,
        captured,
        tokens: row.get(5)?,
    })
}

/// What is kept of each captured answer, in order.
pub(crate) fn read_steps(connection: &Connection, trace: i64) -> Result<Vec<StepRecord>, StoreError> {
    read_records(connection, trace, "step record", "SELECT json FROM steps WHERE trace = ?1 ORDER BY step")
}

/// What is kept of each captured call, in order.
pub(crate) fn read_calls(connection: &Connection, trace: i64) -> Result<Vec<CallRecord>, StoreError> {
    read_records(connection, trace, "call record", "SELECT json FROM calls WHERE trace = ?1 ORDER BY step, place")
}

fn read_records<T: serde::de::DeserializeOwned>(
    connection: &Connection,
    trace: i64,
    what: &str,
    sql: &str,
) -> Result<Vec<T>, StoreError> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query([trace])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(parse(what, row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(records)
}

/// The word of an origin in the database.
pub(crate) const fn origin_word(origin: TraceOrigin) -> &'static str {
    match origin {
        TraceOrigin::Collected => "collected",
        TraceOrigin::Imported => "imported",
    }
}
