//! Imports: files read on a thread of their own, traces made ready on others, kept batch by batch in the order of the
//! files, with progress and cancel.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tw_contract::{
    ApiError, Event, EventBody, ImportPlan, ImportPreview, ImportProgress, ImportRefusal, ImportSource, ImportStarted,
    ImportedTrace,
};
use tw_formats::{Format, Refusal};
use tw_store::{PreparedImport, Store, StoreError};

use crate::App;
use crate::endpoints::new_id;
use crate::errors::IntoApi;
use crate::hub::Hub;
use crate::incoming::{Incoming, incoming, incoming_workshop};
use crate::linters::with_linter;
use crate::lock;

/// Traces that are kept together: all or none of them.
const BATCH: usize = 256;
/// A batch ends early at so much text, so that a few large traces do not wait for many.
const BATCH_BYTES: u64 = 8 << 20;
/// Batches that are worked on or wait to be written, at least and at most.
const BATCHES_AHEAD: (usize, usize) = (2, 8);
/// Between two words of progress.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// Refusals that are told one by one; more are counted.
const MAX_REFUSALS: usize = 1_000;
/// Bytes by which a format is recognised.
const HEAD_BYTES: u64 = 64 << 10;
/// Traces of a file that a preview reads, and for how long.
const PREVIEW_TRACES: u32 = 200;
const PREVIEW_TIME: Duration = Duration::from_millis(300);
/// Titles that a preview shows.
const PREVIEW_TITLES: usize = 5;
/// Imports whose end is remembered.
const KEPT_JOBS: usize = 32;
/// Endings of files that are looked at in a folder.
const ENDINGS: [&str; 3] = ["json", "jsonl", "parquet"];

/// The imports of this process.
pub(crate) struct Imports {
    hub: Arc<Hub>,
    jobs: Mutex<HashMap<String, Arc<Job>>>,
}

struct Job {
    cancel: CancellationToken,
    progress: Mutex<ImportProgress>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Imports {
    pub(crate) fn new(hub: Arc<Hub>) -> Arc<Self> {
        Arc::new(Self { hub, jobs: Mutex::default() })
    }

    fn job(&self, id: &str) -> Result<Arc<Job>, ApiError> {
        lock(&self.jobs).get(id).cloned().ok_or_else(|| ApiError::not_found("import"))
    }

    /// Those that go on. Ids are uuid v7: they sort by age.
    pub(crate) fn active(&self) -> Vec<ImportProgress> {
        let jobs = lock(&self.jobs);
        let mut active: Vec<ImportProgress> = jobs
            .values()
            .map(|job| lock(&job.progress))
            .filter(|progress| progress.ended.is_none())
            .map(|progress| ImportProgress { traces: Vec::new(), ..progress.clone() })
            .collect();
        active.sort_by(|one, other| one.id.cmp(&other.id));
        active
    }

    pub(crate) fn view(&self, id: &str) -> Result<ImportProgress, ApiError> {
        Ok(lock(&self.job(id)?.progress).clone())
    }

    pub(crate) fn cancel(&self, id: &str) -> Result<(), ApiError> {
        self.job(id)?.cancel.cancel();
        Ok(())
    }

    pub(crate) async fn shutdown(&self) {
        let jobs: Vec<Arc<Job>> = lock(&self.jobs).values().cloned().collect();
        for job in jobs {
            job.cancel.cancel();
            let task = lock(&job.task).take();
            if let Some(task) = task
                && task.await.is_err()
            {
                tracing::warn!("an import ended unexpectedly");
            }
        }
    }

    /// Forgets the oldest that are over. Ids are uuid v7: they sort by age.
    fn forget_old(&self) {
        let mut jobs = lock(&self.jobs);
        let mut over: Vec<String> =
            jobs.iter().filter(|(_, job)| lock(&job.progress).ended.is_some()).map(|(id, _)| id.clone()).collect();
        over.sort();
        let excess = over.len().saturating_sub(KEPT_JOBS);
        for id in over.into_iter().take(excess) {
            jobs.remove(&id);
        }
    }

    fn tell(&self, job: &Job, change: impl FnOnce(&mut ImportProgress)) {
        let progress = {
            let mut progress = lock(&job.progress);
            change(&mut progress);
            // A hundred thousand names are not copied ten times a second.
            let traces = std::mem::take(&mut progress.traces);
            let told = progress.clone();
            progress.traces = traces;
            told
        };
        self.hub.emit(&Event::import_topic(&progress.id), EventBody::ImportProgress(progress));
    }
}

impl App {
    pub(crate) async fn preview_import(&self, plan: ImportPlan) -> Result<Vec<ImportPreview>, ApiError> {
        let format = named_format(plan.format.as_deref())?;
        crate::blocking(move || {
            let sources = found_sources(plan.sources)?;
            Ok(sources.into_iter().map(|source| preview(&source, format)).collect())
        })
        .await?
    }

    pub(crate) async fn start_import(&self, plan: ImportPlan) -> Result<ImportStarted, ApiError> {
        let format = named_format(plan.format.as_deref())?;
        let sources = crate::blocking(move || found_sources(plan.sources)).await??;
        let id = new_id();
        let total_bytes = sources.iter().map(|source| source.bytes).sum();
        let job = Arc::new(Job {
            cancel: CancellationToken::new(),
            progress: Mutex::new(ImportProgress { id: id.clone(), total_bytes, ..ImportProgress::default() }),
            task: Mutex::default(),
        });
        self.imports.forget_old();
        lock(&self.imports.jobs).insert(id.clone(), Arc::clone(&job));
        let work = work(Arc::clone(&self.imports), Arc::clone(&job), self.store.clone(), sources, format);
        *lock(&job.task) = Some(tokio::spawn(work));
        Ok(ImportStarted { id })
    }
}

fn named_format(name: Option<&str>) -> Result<Option<Format>, ApiError> {
    match name {
        None => Ok(None),
        Some(name) => Format::parse(name).map(Some).ok_or_else(|| unknown_format(name)),
    }
}

pub(crate) fn unknown_format(name: &str) -> ApiError {
    let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
    ApiError::invalid(format!("There is no format \"{name}\".")).with_hint(format!("There are: {}.", names.join(", ")))
}

/// One file to read.
struct Source {
    name: String,
    bytes: u64,
    from: From,
}

enum From {
    Disk(PathBuf),
    Memory(Vec<u8>),
}

impl Source {
    fn open(&self) -> std::io::Result<Box<dyn Read + '_>> {
        Ok(match &self.from {
            From::Disk(path) => Box::new(File::open(path)?),
            From::Memory(bytes) => Box::new(Cursor::new(bytes)),
        })
    }

    /// The format of its first bytes.
    fn recognise(&self) -> Result<Format, String> {
        let mut head = Vec::new();
        let read = self.open().and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
        read.map_err(|error| format!("It cannot be read: {error}."))?;
        tw_formats::recognise(&self.name, &head).map(|seen| seen.format).ok_or_else(|| {
            "It is in none of the formats that are known here. Pick the format by hand if you know it.".to_owned()
        })
    }
}

/// The files that were named, and those in the folders that were, by name.
fn found_sources(sources: Vec<ImportSource>) -> Result<Vec<Source>, ApiError> {
    let mut found = Vec::new();
    for source in sources {
        match source {
            ImportSource::Path(path) => {
                let path = PathBuf::from(path);
                if !path.exists() {
                    return Err(ApiError::invalid(format!("{} is not there.", path.display())));
                }
                let mut files = Vec::new();
                if path.is_dir() {
                    walk(&path, &mut files);
                } else {
                    files.push(path);
                }
                for path in files {
                    let bytes = std::fs::metadata(&path).map(|it| it.len()).unwrap_or_default();
                    found.push(Source { name: path.display().to_string(), bytes, from: From::Disk(path) });
                }
            }
            ImportSource::File { name, base64 } => {
                let bytes = base64::engine::general_purpose::STANDARD
                    .decode(base64)
                    .map_err(|error| ApiError::invalid(format!("{name} did not arrive whole: {error}.")))?;
                found.push(Source { name, bytes: bytes.len() as u64, from: From::Memory(bytes) });
            }
        }
    }
    if found.is_empty() {
        return Err(ApiError::invalid("There is no .json, .jsonl or .parquet file there."));
    }
    Ok(found)
}

/// Every file of a folder and of those in it that may hold traces, sorted. Links to folders are not followed: they may
/// go in circles.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = folder.read_dir() else { return };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&path, files),
            Ok(_) if path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) => {
                files.push(path);
            }
            _ => {}
        }
    }
}

fn refusal(refusal: Refusal) -> ImportRefusal {
    ImportRefusal { name: refusal.file, line: refusal.line, reason: tw_collect::sentence(&refusal.reason) }
}

fn preview(source: &Source, format: Option<Format>) -> ImportPreview {
    let mut preview = ImportPreview {
        name: source.name.clone(),
        format: None,
        bytes: source.bytes,
        titles: Vec::new(),
        traces: 0,
        complete: false,
        refused: Vec::new(),
    };
    let refuse = |reason: String| ImportRefusal { name: source.name.clone(), line: None, reason };
    let format = match format.map_or_else(|| source.recognise(), Ok) {
        Ok(format) => format,
        Err(reason) => {
            preview.refused.push(refuse(reason));
            return preview;
        }
    };
    preview.format = Some((format.name().to_owned(), format.label().to_owned()));
    let until = Instant::now() + PREVIEW_TIME;
    let mut more = true;
    let read = each_trace(source, format, &AtomicU64::new(0), &mut |item| {
        match item {
            Ok(trace) => {
                preview.traces += 1;
                if preview.titles.len() < PREVIEW_TITLES {
                    preview.titles.push(trace.title());
                }
            }
            Err(refused) => preview.refused.push(refusal(refused)),
        }
        more = preview.traces < PREVIEW_TRACES && preview.refused.len() < MAX_REFUSALS && Instant::now() < until;
        more
    });
    if let Err(reason) = read {
        preview.refused.push(refuse(reason));
    }
    preview.complete = more;
    preview
}

/// Gives every trace and every refusal of a file to `take`, until that says no. Counts the bytes read.
fn each_trace(
    source: &Source,
    format: Format,
    done: &AtomicU64,
    take: &mut dyn FnMut(Result<Incoming, Refusal>) -> bool,
) -> Result<(), String> {
    // A table on disk is read where it is needed, not from its beginning to its end.
    if let (Format::Parquet, From::Disk(path)) = (format, &source.from) {
        let before = done.load(Ordering::Relaxed);
        let mut records = tw_formats::open(format, path).map_err(|refusal| refusal.reason)?;
        let counted = std::iter::from_fn(|| {
            let next = records.next();
            done.store(before + records.bytes_read(), Ordering::Relaxed);
            next
        });
        incoming(counted, take);
        done.store(before + source.bytes, Ordering::Relaxed);
        return Ok(());
    }
    let file = source.open().map_err(|error| format!("It cannot be read: {error}."))?;
    let mut reader = BufReader::with_capacity(1 << 20, Counting { inner: file, done });
    if format == Format::Workshop {
        incoming_workshop(&source.name, &mut reader, take);
    } else {
        incoming(tw_formats::read(format, &source.name, reader), take);
    }
    Ok(())
}

/// Counts what is read through it.
struct Counting<'a, R> {
    inner: R,
    done: &'a AtomicU64,
}

impl<R: Read> Read for Counting<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.done.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// What the reading thread hands over, in the order of the files.
enum Handed {
    /// Traces that another thread works on.
    Batch(JoinHandle<Result<Vec<Ready>, StoreError>>),
    Refused(ImportRefusal),
}

/// A trace that the workspace only has to write.
struct Ready {
    /// The file.
    name: Arc<str>,
    /// As in [`Incoming`].
    is_rejected_of_previous: bool,
    import: PreparedImport,
}

/// Steps, tokens, lint, likeness and rows of traces, which take most of the time of an import.
fn prepare(batch: Vec<(Arc<str>, Incoming)>) -> Result<Vec<Ready>, StoreError> {
    with_linter(|linter| {
        let ready = |(name, incoming): (Arc<str>, Incoming)| {
            let is_rejected_of_previous = incoming.is_rejected_of_previous;
            let import = PreparedImport::of(incoming.into_import(linter))?;
            Ok(Ready { name, is_rejected_of_previous, import })
        };
        batch.into_iter().map(ready).collect()
    })
}

async fn work(imports: Arc<Imports>, job: Arc<Job>, store: Store, sources: Vec<Source>, format: Option<Format>) {
    let ahead = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let (sender, mut batches) = mpsc::channel(ahead.clamp(BATCHES_AHEAD.0, BATCHES_AHEAD.1));
    let done = Arc::new(AtomicU64::new(0));
    let reading = {
        let (done, cancel) = (Arc::clone(&done), job.cancel.clone());
        tokio::task::spawn_blocking(move || read_all(&sources, format, &done, &cancel, &sender))
    };
    let mut told = Instant::now();
    let mut failed = None;
    while let Some(read) = batches.recv().await {
        if job.cancel.is_cancelled() {
            // What was read and not kept is forgotten; the reader sees it and ends.
            break;
        }
        match read {
            Handed::Refused(refused) => {
                let mut progress = lock(&job.progress);
                progress.refused_count += 1;
                if progress.refused.len() < MAX_REFUSALS {
                    progress.refused.push(refused);
                }
            }
            Handed::Batch(batch) => match keep(&store, batch.await).await {
                Ok(traces) => {
                    let mut progress = lock(&job.progress);
                    progress.imported += u32::try_from(traces.len()).unwrap_or(u32::MAX);
                    progress.traces.extend(traces);
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            },
        }
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            imports.tell(&job, |progress| progress.done_bytes = done.load(Ordering::Relaxed));
            imports.hub.emit(Event::TRACES, EventBody::TraceChanged { trace_id: String::new() });
        }
    }
    // The reader may wait for room: without a receiver it ends.
    drop(batches);
    if reading.await.is_err() {
        failed.get_or_insert_with(|| "Reading ended unexpectedly.".to_owned());
    }
    let ended = match failed {
        Some(reason) => reason,
        None if job.cancel.is_cancelled() => "cancelled".to_owned(),
        None => "done".to_owned(),
    };
    imports.hub.emit(Event::TRACES, EventBody::TraceChanged { trace_id: String::new() });
    imports.tell(&job, |progress| {
        progress.done_bytes = done.load(Ordering::Relaxed);
        progress.ended = Some(ended);
    });
}

/// Keeps a batch, and the pairs that are in it.
async fn keep(
    store: &Store,
    batch: Result<Result<Vec<Ready>, StoreError>, JoinError>,
) -> Result<Vec<ImportedTrace>, String> {
    let words = |error: StoreError| error.into_api().to_string();
    let batch = batch.map_err(|_| "Reading ended unexpectedly.".to_owned())?.map_err(words)?;
    let (mut names, mut pairs, mut imports) = (Vec::new(), Vec::new(), Vec::new());
    for (place, ready) in batch.into_iter().enumerate() {
        if ready.is_rejected_of_previous {
            pairs.push(place);
        }
        names.push(ready.name);
        imports.push(ready.import);
    }
    let ids = store.import_prepared(imports).await.map_err(words)?;
    for place in pairs {
        if let Some(chosen) = place.checked_sub(1).and_then(|before| ids.get(before)) {
            store.add_pair(chosen, &ids[place]).await.map_err(words)?;
        }
    }
    Ok(names.into_iter().zip(ids).map(|(name, id)| ImportedTrace { name: name.to_string(), id }).collect())
}

fn read_all(
    sources: &[Source],
    format: Option<Format>,
    done: &AtomicU64,
    cancel: &CancellationToken,
    sender: &mpsc::Sender<Handed>,
) {
    let mut batch = Vec::new();
    let mut batch_bytes = 0_u64;
    let hand_over = |batch: Vec<(Arc<str>, Incoming)>| {
        let work = tokio::task::spawn_blocking(move || prepare(batch));
        sender.blocking_send(Handed::Batch(work)).is_ok()
    };
    for source in sources {
        let name: Arc<str> = source.name.as_str().into();
        let refuse = |reason: String| Handed::Refused(ImportRefusal { name: source.name.clone(), line: None, reason });
        let format = match format.map_or_else(|| source.recognise(), Ok) {
            Ok(format) => format,
            Err(reason) => {
                done.fetch_add(source.bytes, Ordering::Relaxed);
                if sender.blocking_send(refuse(reason)).is_err() {
                    return;
                }
                continue;
            }
        };
        let mut goes_on = true;
        let read = each_trace(source, format, done, &mut |item| {
            let sent = match item {
                Err(refused) => sender.blocking_send(Handed::Refused(refusal(refused))).is_ok(),
                Ok(incoming) => {
                    batch_bytes += incoming.bytes();
                    // A pair is kept in one batch.
                    let is_full =
                        (batch.len() >= BATCH || batch_bytes >= BATCH_BYTES) && !incoming.is_rejected_of_previous;
                    let full = if is_full {
                        batch_bytes = 0;
                        Some(std::mem::take(&mut batch))
                    } else {
                        None
                    };
                    batch.push((Arc::clone(&name), incoming));
                    full.is_none_or(hand_over)
                }
            };
            goes_on = sent && !cancel.is_cancelled();
            goes_on
        });
        if let Err(reason) = read {
            goes_on = sender.blocking_send(refuse(reason)).is_ok();
        }
        if !goes_on {
            return;
        }
    }
    if !batch.is_empty() {
        // Nobody listens when it was cancelled meanwhile.
        hand_over(batch);
    }
}
