//! The threads that run SQL: one writes, a few read.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::StoreError;

/// Requests that may wait; callers beyond it wait for their place.
const QUEUE: usize = 64;
/// Commits after which the log is carried over into the database, in a moment in which nobody waits. `SQLite` does that
/// by itself too, but inside of a commit; see `LOG_PAGES` in `store.rs`.
const COMMITS_PER_CHECKPOINT: u32 = 32;
/// Most writes in one transaction: with many runs side by side they share one wait for the disk.
const MOST_WRITES: usize = 32;

/// One write: run inside the transaction, answered after it.
trait Write: Send {
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError>;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct WriteRequest<F, T> {
    work: Option<F>,
    result: Result<T, StoreError>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Write for WriteRequest<F, T>
where
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let Some(work) = self.work.take() else { return Ok(()) };
        self.result = work(connection);
        self.result.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match committed {
            Ok(()) => self.result,
            Err(error) => Err(error),
        };
        if self.reply.send(result).is_err() {
            tracing::debug!("nobody waited for the end of a write");
        }
    }
}

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The threads of one open workspace. Dropping it ends them after the work that they have.
#[derive(Debug)]
pub(crate) struct Threads {
    /// `None` only while they end.
    senders: Option<Senders>,
    handles: Vec<JoinHandle<()>>,
}

#[derive(Clone)]
struct Senders {
    writes: mpsc::Sender<Box<dyn Write>>,
    reads: mpsc::Sender<Read>,
}

impl std::fmt::Debug for Senders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Senders")
    }
}

impl Threads {
    /// Starts a thread for `writer` and one for each of `readers`.
    pub(crate) fn start(writer: Connection, readers: Vec<Connection>) -> std::io::Result<Self> {
        let (writes, inbox) = mpsc::channel(QUEUE);
        let (reads, read_inbox) = mpsc::channel::<Read>(QUEUE);
        let mut this = Self { senders: Some(Senders { writes, reads }), handles: Vec::new() };
        let writer = std::thread::Builder::new()
            .name("tw-store-write".to_owned())
            .spawn(move || write_until_closed(&writer, inbox))?;
        this.handles.push(writer);
        let read_inbox = Arc::new(Mutex::new(read_inbox));
        for reader in readers {
            let read_inbox = Arc::clone(&read_inbox);
            let reader = std::thread::Builder::new()
                .name("tw-store-read".to_owned())
                .spawn(move || read_until_closed(&reader, &read_inbox))?;
            this.handles.push(reader);
        }
        Ok(this)
    }

    /// Runs `work` in a transaction of the writer; it is on disk when this returns `Ok`.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let request = WriteRequest { work: Some(work), result: Err(StoreError::Closed), reply };
        let senders = self.senders.as_ref().ok_or(StoreError::Closed)?;
        senders.writes.send(Box::new(request)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs `work` on a reader; all that it reads is of one moment.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let request: Read = Box::new(move |connection| {
            if reply.send(in_one_moment(connection, work)).is_err() {
                tracing::debug!("nobody waited for the end of a read");
            }
        });
        let senders = self.senders.as_ref().ok_or(StoreError::Closed)?;
        senders.reads.send(request).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.senders = None;
        for handle in self.handles.drain(..) {
            if handle.join().is_err() {
                tracing::error!("a thread of the workspace had panicked");
            }
        }
    }
}

fn read_until_closed(connection: &Connection, inbox: &Mutex<mpsc::Receiver<Read>>) {
    loop {
        // The guard is gone before the work begins: the next reader waits in its place.
        let request = inbox.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        match request {
            Some(request) => request(connection),
            None => return,
        }
    }
}

fn in_one_moment<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = connection.unchecked_transaction()?;
    let result = work(&transaction);
    transaction.finish()?;
    result
}

fn write_until_closed(connection: &Connection, mut inbox: mpsc::Receiver<Box<dyn Write>>) {
    let mut waiting = Vec::with_capacity(MOST_WRITES);
    let mut commits = 0_u32;
    while inbox.blocking_recv_many(&mut waiting, MOST_WRITES) > 0 {
        let mut batch = std::mem::take(&mut waiting).into_iter().peekable();
        while batch.peek().is_some() {
            write_batch(connection, &mut batch);
            commits = commits.saturating_add(1);
        }
        if commits >= COMMITS_PER_CHECKPOINT && inbox.is_empty() {
            commits = 0;
            // What cannot be carried over now, because someone reads an older state, is carried over next time.
            if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
                tracing::warn!(%error, "the log could not be carried over into the database");
            }
        }
    }
}

/// Runs writes in one transaction, each whole or not at all, and answers them once it is on disk. Leaves writes in
/// `batch` when the transaction ended early, as `SQLite` does by itself when the disk is full.
fn write_batch(connection: &Connection, batch: &mut dyn Iterator<Item = Box<dyn Write>>) {
    let mut begun = connection.execute_batch("BEGIN IMMEDIATE").map_err(StoreError::from);
    let mut done: Vec<Box<dyn Write>> = Vec::new();
    if begun.is_ok() {
        for mut write in &mut *batch {
            let result = write_one(connection, &mut *write);
            done.push(write);
            if result.is_err() {
                begun = result;
                break;
            }
        }
    } else {
        done.extend(batch.next());
    }
    let committed = begun.and_then(|()| connection.execute_batch("COMMIT").map_err(StoreError::from));
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
    for write in done {
        write.answer(committed.clone());
    }
}

/// An error means that the transaction cannot go on; an error of the write itself stays in it.
fn write_one(connection: &Connection, write: &mut dyn Write) -> Result<(), StoreError> {
    connection.execute_batch("SAVEPOINT one")?;
    let result = write.run(connection);
    if connection.is_autocommit() {
        return Err(result.err().unwrap_or(StoreError::Closed));
    }
    if result.is_err() {
        connection.execute_batch("ROLLBACK TO one")?;
    }
    Ok(connection.execute_batch("RELEASE one")?)
}
