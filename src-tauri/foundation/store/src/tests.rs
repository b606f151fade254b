#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod config;
mod crash;
mod datasets;
mod full;
mod list;
mod migrate;
mod open;
mod review;
mod revisions;
mod round_trip;
mod speed;
mod traces;

use camino::{Utf8Path, Utf8PathBuf};
use tw_artifact::{
    CallPhase, CallRecord, Json, Message, RunSettings, RunSpec, RunState, SavedMessage, StepRecord, Usage,
};

use crate::{CallOutput, NewMessage, NewTrace, Store, StoreError};

/// A workspace in a folder that goes with it.
struct Workspace {
    store: Store,
    folder: tempfile::TempDir,
}

impl Workspace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Store::open(path_of(&folder)).unwrap(), folder }
    }

    fn dir(&self) -> Utf8PathBuf {
        path_of(&self.folder).to_owned()
    }

    /// Closes it and opens it again, as the next start of the app does.
    fn reopen(self) -> Self {
        let Self { store, folder } = self;
        drop(store);
        Self { store: Store::open(path_of(&folder)).unwrap(), folder }
    }
}

fn path_of(folder: &tempfile::TempDir) -> &Utf8Path {
    Utf8Path::from_path(folder.path()).unwrap()
}

async fn begin(store: &Store, state: RunState) -> String {
    let id = Store::new_id();
    let spec = RunSpec { model: "Qwen/Qwen3-8B".to_owned(), ..RunSpec::default() };
    let settings = RunSettings { spec, ..RunSettings::default() };
    let new = NewTrace { id: id.clone(), state, settings, created_at_ms: 1_748_548_570_000, ..NewTrace::default() };
    store.create_trace(new).await.unwrap();
    id
}

async fn add(store: &Store, id: &str, message: Message) -> Result<SavedMessage, StoreError> {
    store.append(id, NewMessage { message, step: 0, tokens: 3 }, None, Vec::new(), Vec::new()).await
}

/// An answer with one call, as a run keeps it.
async fn answer(store: &Store, id: &str, step: u32, call: &CallRecord) -> SavedMessage {
    let entry = Message::tool_call(&call.call_id, &call.tool, call.arguments.clone());
    let message = Message::assistant("", Some("Let me look.".to_owned()), vec![entry]);
    let usage = Usage { prompt_tokens: 100, completion_tokens: 20, ..Usage::default() };
    let record = StepRecord { step, usage: Some(usage), token_ids: Some(vec![1, 151_645]), ..StepRecord::default() };
    store
        .append(id, NewMessage { message, step, tokens: 9 }, Some(record), vec![call.clone()], Vec::new())
        .await
        .unwrap()
}

fn call(id: &str, tool: &str, step: u32) -> CallRecord {
    CallRecord {
        call_id: id.to_owned(),
        step,
        index: 0,
        tool: tool.to_owned(),
        server_id: None,
        server_name: None,
        server_tool: None,
        read_only: false,
        destructive: false,
        arguments: Json::parse(r#"{"url":"https://example.org","n":1.0}"#).unwrap(),
        phase: CallPhase::Waiting,
        verdict: None,
        started_at_ms: None,
        duration_ms: None,
        is_error: false,
        result_tokens: None,
        cut: None,
        images: Vec::new(),
        has_output: false,
        replay: None,
    }
}

/// The result of a call, as a run keeps it.
async fn result(store: &Store, id: &str, call: &CallRecord, output: CallOutput) -> Result<SavedMessage, StoreError> {
    let message = Message::tool(&call.call_id, &call.tool, "the page");
    let done = CallRecord { phase: CallPhase::Done, has_output: true, ..call.clone() };
    store.append(id, NewMessage { message, step: call.step, tokens: 2 }, None, vec![done], vec![output]).await
}

/// The database is whole, and the full-text index says what the messages say.
async fn check_integrity(store: &Store) {
    store
        .write(|connection| {
            let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
            assert_eq!(found, "ok");
            let dangling: u32 =
                connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))?;
            assert_eq!(dangling, 0);
            connection.execute("INSERT INTO search (search) VALUES ('integrity-check')", [])?;
            // What an index made now of all texts would hold.
            connection.execute_batch(
                "CREATE VIRTUAL TABLE temp.again USING fts5 (
                     title, text, reasoning, tools, content = '', tokenize = \"unicode61 remove_diacritics 2\"
                 );
                 INSERT INTO again (rowid, title, text, reasoning, tools)
                 SELECT row, title, text, reasoning, tools FROM texts;
                 CREATE VIRTUAL TABLE temp.found USING fts5vocab ('main', 'search', 'col');
                 CREATE VIRTUAL TABLE temp.expected USING fts5vocab ('temp', 'again', 'col');",
            )?;
            let differences: u32 = connection.query_row(
                "SELECT (SELECT count(*) FROM (SELECT * FROM found EXCEPT SELECT * FROM expected))
                      + (SELECT count(*) FROM (SELECT * FROM expected EXCEPT SELECT * FROM found))",
                [],
                |row| row.get(0),
            )?;
            assert_eq!(differences, 0);
            Ok(connection.execute_batch("DROP TABLE found; DROP TABLE expected; DROP TABLE again;")?)
        })
        .await
        .unwrap();
}
