//! An open workspace.

use std::sync::Arc;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rusqlite::{Connection, OpenFlags, params};
use tw_artifact::{CallPhase, CallRecord, RunState};
use uuid::Uuid;

use crate::list::TraceQuery;
use crate::lock::WorkspaceLock;
use crate::search::HitCache;
use crate::select::Selection;
use crate::threads::Threads;
use crate::{StoreError, schema};

/// The database's file in the workspace folder.
const FILE: &str = "workspace.db";
/// Connections that read side by side.
const READERS: usize = 3;
/// Only our own connections can be in each other's way, for moments.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Pages of the write-ahead log from which on a commit itself carries it over into the database: only where the writer
/// never has a moment without work.
const LOG_PAGES: i64 = 4_000;
/// What the write-ahead log may keep on disk when it is empty.
const LOG_BYTES: i64 = 64 * 1024 * 1024;
/// What a connection keeps of the database in memory, in KiB; the writer merges the full-text index.
const WRITER_CACHE_KIB: i64 = 32 * 1024;
/// The same for one that reads.
const READER_CACHE_KIB: i64 = 16 * 1024;

/// A workspace that is open for reading and writing. Clones share it; it closes with the last of them, which waits
/// for writes under way.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

/// Fields are dropped in this order: the threads end, then the lock goes.
#[derive(Debug)]
struct Inner {
    threads: Threads,
    dir: Utf8PathBuf,
    interrupted: u32,
    hits: Arc<HitCache>,
    _lock: WorkspaceLock,
}

impl Store {
    /// Opens the workspace in `dir`, which is made where it is missing. Runs that a program left queued, running or
    /// waiting become interrupted, and their open calls abandoned. Blocks for some milliseconds.
    ///
    /// # Errors
    /// Another program has it open ([`StoreError::Locked`]), it is from a newer version, damaged, or the folder cannot
    /// be used.
    pub fn open(dir: &Utf8Path) -> Result<Self, StoreError> {
        let io = |path: &Utf8Path, error: &std::io::Error| match error.kind() {
            std::io::ErrorKind::StorageFull => StoreError::DiskFull,
            _ => StoreError::Io { path: path.to_owned(), message: error.to_string() },
        };
        std::fs::create_dir_all(dir).map_err(|error| io(dir, &error))?;
        let lock = WorkspaceLock::take(dir)?;
        let path = dir.join(FILE);
        let mut writer = connect(&path, WRITER_CACHE_KIB)?;
        schema::migrate(&mut writer)?;
        let interrupted = interrupt_runs(&mut writer)?;
        let readers: Result<Vec<Connection>, StoreError> = (0..READERS)
            .map(|_| {
                let reader = connect(&path, READER_CACHE_KIB)?;
                reader.pragma_update(None, "query_only", true)?;
                Ok(reader)
            })
            .collect();
        let threads = Threads::start(writer, readers?).map_err(|error| io(&path, &error))?;
        let inner = Inner { threads, dir: dir.to_owned(), interrupted, hits: Arc::default(), _lock: lock };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The workspace's folder.
    #[must_use]
    pub fn dir(&self) -> &Utf8Path {
        &self.inner.dir
    }

    /// How many runs were found interrupted when the workspace was opened.
    #[must_use]
    pub fn interrupted(&self) -> u32 {
        self.inner.interrupted
    }

    /// A new id: a uuid v7, which sorts by time.
    #[must_use]
    pub fn new_id() -> String {
        Uuid::now_v7().to_string()
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.threads.write(work).await
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.threads.read(work).await
    }

    /// Runs `work` on a reader with all traces that a query finds. Which have its words is looked up once until a text
    /// changes.
    pub(crate) async fn read_found<T: Send + 'static>(
        &self,
        query: &TraceQuery,
        work: impl FnOnce(&Connection, Selection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.read_page(TraceQuery { quick: false, ..query.clone() }, work).await
    }

    /// The same, where a page is enough if the query says so.
    pub(crate) async fn read_page<T: Send + 'static>(
        &self,
        query: TraceQuery,
        work: impl FnOnce(&Connection, Selection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let hits = Arc::clone(&self.inner.hits);
        self.read(move |connection| {
            let selection = Selection::of(connection, &query, Some(&hits))?;
            work(connection, selection)
        })
        .await
    }
}

/// What is acknowledged must be on disk: WAL with a sync at every commit (`fullfsync` is what that takes on macOS).
fn connect(path: &Utf8Path, cache_kib: i64) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    // Negative: KiB rather than pages.
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

fn interrupt_runs(connection: &mut Connection) -> Result<u32, StoreError> {
    let transaction = connection.transaction()?;
    let open: Vec<(i64, u32, u32, String)> = {
        let mut select =
            transaction.prepare("SELECT trace, step, place, json FROM calls WHERE phase IN ('waiting', 'running')")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    for (trace, step, place, json) in open {
        let mut call: CallRecord =
            serde_json::from_str(&json).map_err(|error| StoreError::unreadable("call record", &error))?;
        call.phase = CallPhase::Abandoned;
        let json = serde_json::to_string(&call).map_err(|error| StoreError::unreadable("call record", &error))?;
        transaction.execute(
            "UPDATE calls SET phase = 'abandoned', json = ?4 WHERE trace = ?1 AND step = ?2 AND place = ?3",
            params![trace, step, place, json],
        )?;
    }
    let interrupted = transaction.execute(
        "UPDATE traces SET state = ?1, linted = 0 WHERE state IN (?2, ?3, ?4)",
        params![
            RunState::Interrupted.as_str(),
            RunState::Queued.as_str(),
            RunState::Running.as_str(),
            RunState::Waiting.as_str()
        ],
    )?;
    transaction.commit()?;
    Ok(u32::try_from(interrupted).unwrap_or(u32::MAX))
}
