//! Trace files in and out.

use rusqlite::params;
use tw_artifact::{Json, Role, RunState, TraceFile, TraceOrigin};

use crate::config::{parse, to_json};
use crate::trace::{NewMessage, find_trace, insert_message, origin_word, read_messages};
use crate::words::{now_ms, read_stamp, stamp_of, title_of_messages};
use crate::{Store, StoreError};

impl Store {
    /// Keeps a trace file as a finished trace and gives its new id. `tokens` has the estimate for each message, in
    /// order; a missing one counts as 0. The file's `timestamp` is taken for local time; where it has none, the trace
    /// is from now.
    ///
    /// # Errors
    /// The write failed; then nothing of it is kept.
    pub async fn import_file(
        &self,
        file: TraceFile,
        origin: TraceOrigin,
        tokens: &[u32],
    ) -> Result<String, StoreError> {
        let id = Self::new_id();
        let messages = file.messages();
        let model = file.model().to_owned();
        let title = title_of_messages(&messages);
        let tools = to_json("tools", &file.tools())?;
        let saved_at_ms = now_ms();
        let created_at_ms = read_stamp(file.timestamp()).unwrap_or(saved_at_ms);
        let frame = to_json("file", &frame_of(&file))?;
        let tokens = tokens.to_vec();
        let made = id.clone();
        self.write(move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO traces (id, title, model, state, origin, created_at_ms, updated_at_ms, tools, file)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?
                .execute(params![
                    id,
                    title,
                    model,
                    RunState::Done.as_str(),
                    origin_word(origin),
                    created_at_ms,
                    saved_at_ms,
                    tools,
                    frame
                ])?;
            let trace = find_trace(connection, &id)?;
            let mut step = 0;
            let tokens = tokens.into_iter().chain(std::iter::repeat(0));
            for (message, tokens) in messages.into_iter().zip(tokens) {
                step += u32::from(message.role() == Role::Assistant);
                insert_message(connection, trace, NewMessage { message, step, tokens }, saved_at_ms)?;
            }
            Ok(made)
        })
        .await
    }

    /// The trace as a file: messages as the conversation has them. An imported one has every field that its file had,
    /// in its order; a collected one has `timestamp` (local time), `model`, `messages` and `tools`.
    ///
    /// # Errors
    /// There is no such trace, or the read failed.
    pub async fn export_file(&self, id: &str) -> Result<TraceFile, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| {
            let trace = find_trace(connection, &id)?;
            let (model, created_at_ms, tools, frame): (String, i64, String, Option<String>) = connection
                .prepare_cached("SELECT model, created_at_ms, tools, file FROM traces WHERE key = ?1")?
                .query_row([trace], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            let messages: Vec<_> =
                read_messages(connection, trace, None)?.into_iter().map(|saved| saved.message).collect();
            let Some(frame) = frame else {
                return Ok(TraceFile::new(&stamp_of(created_at_ms), &model, messages, parse("tools", &tools)?));
            };
            let Json::Object(mut fields) = parse("file", &frame)? else {
                let message = "it is not an object".to_owned();
                return Err(StoreError::Unreadable { what: "file".to_owned(), message });
            };
            fields.insert("messages".to_owned(), Json::Array(messages.into_iter().map(Json::from).collect()));
            if let Some(slot @ Json::Array(_)) = fields.get_mut("tools") {
                *slot = parse("tools", &tools)?;
            }
            Ok(TraceFile::from_fields(fields))
        })
        .await
    }
}

/// The file's fields in order, with what is kept elsewhere left empty.
fn frame_of(file: &TraceFile) -> Json {
    let fields = file.fields().iter().map(|(name, value)| {
        let value = match (name.as_str(), value) {
            ("messages" | "tools", Json::Array(_)) => Json::Array(Vec::new()),
            _ => value.clone(),
        };
        (name.clone(), value)
    });
    Json::Object(fields.collect())
}
