//! Looking into a repository of the Hub: its folders, and rows of its files, of which only the needed bytes are fetched.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use tokio::runtime::Handle;
use tw_artifact::Json;
use tw_contract::{ApiError, ErrorCode, HubBrowse, HubEntry, HubListing, HubRepoKind, HubRowPage, HubRows, HubSplit};
use tw_formats::{Pieces, TableRows};
use tw_hub::{Entry, RangeFile, RepoId, RepoKind, Work};

use crate::App;
use crate::errors::Api;

/// Bytes that are fetched together.
const BLOCK_BYTES: u64 = 256 << 10;
/// Blocks that are kept: parts of a table are asked for again and again.
const KEPT_BLOCKS: usize = 256;
/// Rows of a page where nothing else is said.
const USUAL_ROWS: u32 = 20;
/// Most rows of a page.
const MOST_ROWS: u32 = 500;
/// Characters of a text in a row.
const MOST_CHARS: usize = 4_000;
/// The longest line that is read.
const MOST_LINE_BYTES: u64 = 64 << 20;
/// The largest JSON document that is read for its rows.
const MOST_DOCUMENT_BYTES: u64 = 32 << 20;
/// By how many bytes a format is recognised.
const HEAD_BYTES: usize = 64 << 10;

pub(crate) const fn repo_kind(kind: HubRepoKind) -> RepoKind {
    match kind {
        HubRepoKind::Dataset => RepoKind::Dataset,
        HubRepoKind::Model => RepoKind::Model,
    }
}

/// Whether rows of a file can be shown.
pub(crate) fn has_rows(path: &str) -> bool {
    [".parquet", ".jsonl", ".json"].iter().any(|ending| path.ends_with(ending))
}

/// A file on the Hub, read in blocks. Its reading blocks: it belongs on a thread of its own.
pub(crate) struct DistantFile {
    file: RangeFile,
    handle: Handle,
    total: u64,
    blocks: Mutex<HashMap<u64, Bytes>>,
    read: AtomicU64,
}

impl DistantFile {
    /// Asks how long it is, and gets its beginning. Blocks.
    pub(crate) fn open(file: RangeFile, handle: Handle) -> Result<Self, ApiError> {
        let (head, total) = handle.block_on(file.read(0, BLOCK_BYTES)).api()?;
        let read = AtomicU64::new(head.len() as u64);
        Ok(Self { file, handle, total, blocks: Mutex::new(HashMap::from([(0, head)])), read })
    }

    pub(crate) fn read_bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    fn block(&self, number: u64) -> Option<Bytes> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    /// Fetches blocks that are not here, those beside each other together.
    fn make_room_for(&self, first: u64, last: u64) -> io::Result<()> {
        let mut at = first;
        while at <= last {
            if self.block(at).is_some() {
                at += 1;
                continue;
            }
            let mut end = at;
            while end < last && self.block(end + 1).is_none() {
                end += 1;
            }
            let wanted = (end - at + 1) * BLOCK_BYTES;
            let fetched = self.handle.block_on(self.file.read(at * BLOCK_BYTES, wanted));
            let (mut bytes, _) = fetched.map_err(io::Error::other)?;
            self.read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
            if blocks.len() > KEPT_BLOCKS {
                blocks.clear();
            }
            for number in at..=end {
                let length = bytes.len().min(usize::try_from(BLOCK_BYTES).unwrap_or(usize::MAX));
                blocks.insert(number, bytes.split_to(length));
            }
            at = end + 1;
        }
        Ok(())
    }
}

impl Pieces for DistantFile {
    fn bytes(&self) -> u64 {
        self.total
    }

    fn fetch(&self, from: u64, length: usize) -> io::Result<Bytes> {
        let until = from.saturating_add(length as u64).min(self.total);
        if from >= until {
            return Ok(Bytes::new());
        }
        let (first, last) = (from / BLOCK_BYTES, (until - 1) / BLOCK_BYTES);
        self.make_room_for(first, last)?;
        let mut whole = BytesMut::with_capacity(length);
        for number in first..=last {
            let block = self.block(number).ok_or_else(|| io::Error::other("a part of the file was not fetched"))?;
            let begin = number * BLOCK_BYTES;
            let place = |at: u64| usize::try_from(at.saturating_sub(begin)).unwrap_or(usize::MAX).min(block.len());
            whole.extend_from_slice(&block[place(from)..place(until)]);
        }
        Ok(whole.freeze())
    }
}

/// Reads on through a file on the Hub.
struct Stream {
    file: Arc<DistantFile>,
    at: u64,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(BLOCK_BYTES - self.at % BLOCK_BYTES).unwrap_or(usize::MAX);
        let bytes = self.file.fetch(self.at, buffer.len().min(rest))?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}

/// Rows of a file on the Hub, one after the other. Blocks.
pub(crate) enum Rows {
    Table(Box<TableRows>),
    Lines(BufReader<Box<dyn Read + Send>>),
    Held(std::vec::IntoIter<Json>),
}

impl Rows {
    pub(crate) fn open(path: &str, file: &Arc<DistantFile>) -> Result<Self, ApiError> {
        if path.ends_with(".parquet") {
            let source: Arc<dyn Pieces> = Arc::<DistantFile>::clone(file);
            return TableRows::open(source)
                .map(|table| Self::Table(Box::new(table)))
                .map_err(|reason| unread(path, &reason));
        }
        if path.ends_with(".json") {
            if file.bytes() > MOST_DOCUMENT_BYTES {
                let error = ApiError::invalid(format!("{path} is one document of {} MiB.", file.bytes() >> 20));
                return Err(error.with_hint("Pull the whole file to read it."));
            }
            let mut text = String::new();
            let stream = Stream { file: Arc::clone(file), at: 0 };
            BufReader::new(stream).read_to_string(&mut text).map_err(|error| unread(path, &error.to_string()))?;
            // A file called so may hold lines all the same.
            if let Ok(json) = Json::parse(&text) {
                let rows = match json {
                    Json::Array(rows) => rows,
                    other => vec![other],
                };
                return Ok(Self::Held(rows.into_iter()));
            }
        }
        let stream: Box<dyn Read + Send> = Box::new(Stream { file: Arc::clone(file), at: 0 });
        Ok(Self::Lines(BufReader::with_capacity(64 << 10, stream)))
    }

    pub(crate) fn total(&self) -> Option<u64> {
        match self {
            Self::Table(table) => Some(table.total()),
            Self::Held(rows) => Some(rows.len() as u64),
            Self::Lines(_) => None,
        }
    }

    pub(crate) fn skip(&mut self, rows: u64) -> Result<(), ApiError> {
        match self {
            Self::Table(table) => table.skip(rows),
            Self::Lines(_) | Self::Held(_) => {
                for _ in 0..rows {
                    if self.next_row().transpose()?.is_none() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    pub(crate) fn next_row(&mut self) -> Option<Result<Json, ApiError>> {
        match self {
            Self::Held(rows) => rows.next().map(Ok),
            Self::Table(table) => Some(table.next_row()?.map_err(|reason| unread("The table", &reason))),
            Self::Lines(lines) => loop {
                let mut line = Vec::new();
                match lines.by_ref().take(MOST_LINE_BYTES).read_until(b'\n', &mut line) {
                    Err(error) => return Some(Err(unread("The file", &error.to_string()))),
                    Ok(0) => return None,
                    Ok(_) if line.iter().all(u8::is_ascii_whitespace) => {}
                    Ok(_) => {
                        let text = String::from_utf8_lossy(&line);
                        return Some(Json::parse(&text).map_err(|error| unread("A line", &error.message)));
                    }
                }
            },
        }
    }
}

fn unread(what: &str, reason: &str) -> ApiError {
    ApiError::new(ErrorCode::Hub, format!("{what} cannot be read: {reason}."))
}

/// The same row with long texts cut.
fn shortened(json: Json) -> Json {
    match json {
        Json::String(text) => match text.char_indices().nth(MOST_CHARS) {
            None => Json::String(text),
            Some((at, _)) => {
                let more = text[at..].chars().count();
                format!("{}… ({more} more characters)", &text[..at]).into()
            }
        },
        Json::Array(items) => Json::Array(items.into_iter().map(shortened).collect()),
        Json::Object(map) => Json::Object(map.into_iter().map(|(key, value)| (key, shortened(value))).collect()),
        other => other,
    }
}

impl App {
    pub(crate) async fn browse_hub(&self, request: HubBrowse) -> Result<HubListing, ApiError> {
        let repo = RepoId::parse(repo_kind(request.kind), &request.repo).api()?;
        let client = self.hub_client().await?;
        let info = client.info(&repo, request.revision.as_deref(), &Work::unwatched()).await.api()?;
        let path = request.path.trim_matches('/');
        let page = client.folder(&repo, &info.commit, path, request.cursor.as_deref()).await.api()?;
        let mut entries: Vec<HubEntry> = page
            .entries
            .into_iter()
            .map(|entry| match entry {
                Entry::Folder(path) => HubEntry { path, is_folder: true, bytes: 0, has_rows: false },
                Entry::File(file) => {
                    HubEntry { has_rows: has_rows(&file.path), path: file.path, is_folder: false, bytes: file.bytes }
                }
            })
            .collect();
        entries.sort_by(|one, other| other.is_folder.cmp(&one.is_folder).then(one.path.cmp(&other.path)));
        let licence = match &info.card["license"] {
            Value::String(licence) => licence.clone(),
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            _ => String::new(),
        };
        Ok(HubListing {
            repo: repo.id(),
            url: client.page_of(&repo),
            splits: splits_of(&info.card),
            commit: info.commit,
            is_private: info.is_private,
            changed_at: info.changed_at,
            downloads: info.downloads,
            tags: info.tags,
            licence,
            entries,
            next: page.next,
        })
    }

    pub(crate) async fn remote_rows(&self, request: HubRows) -> Result<HubRowPage, ApiError> {
        let repo = RepoId::parse(repo_kind(request.kind), &request.repo).api()?;
        let client = self.hub_client().await?;
        let revision = request.revision.as_deref().unwrap_or("main");
        let file = client.range_file(&repo, revision, &request.path).api()?;
        let handle = Handle::current();
        crate::blocking(move || row_page(DistantFile::open(file, handle)?, &request)).await?
    }
}

fn row_page(file: DistantFile, request: &HubRows) -> Result<HubRowPage, ApiError> {
    if !has_rows(&request.path) {
        return Err(ApiError::invalid(format!("{} has no rows that can be shown.", request.path))
            .with_hint("Parquet, JSON lines and JSON can be."));
    }
    let file = Arc::new(file);
    let head = file.fetch(0, HEAD_BYTES).map_err(|error| unread(&request.path, &error.to_string()))?;
    let format = tw_formats::recognise(&request.path, &head).map(|seen| seen.format.label().to_owned());
    let mut rows = Rows::open(&request.path, &file)?;
    let total = rows.total();
    rows.skip(request.offset)?;
    let limit = match request.limit {
        0 => USUAL_ROWS,
        limit => limit.min(MOST_ROWS),
    };
    let mut page = HubRowPage {
        offset: request.offset,
        total,
        format: format.unwrap_or_default(),
        file_bytes: file.bytes(),
        ..HubRowPage::default()
    };
    if let Rows::Table(table) = &rows {
        page.columns = table.columns();
    }
    for _ in 0..limit {
        let Some(row) = rows.next_row().transpose()? else { break };
        for key in row.as_object().into_iter().flat_map(|map| map.keys()) {
            if !page.columns.contains(key) {
                page.columns.push(key.clone());
            }
        }
        page.rows.push(shortened(row));
    }
    page.has_more = match total {
        Some(total) => request.offset + (page.rows.len() as u64) < total,
        None => page.rows.len() == usize::try_from(limit).unwrap_or(usize::MAX) && rows.next_row().is_some(),
    };
    page.read_bytes = file.read_bytes();
    Ok(page)
}

/// What the card says of configurations and their splits.
pub(crate) fn splits_of(card: &Value) -> Vec<HubSplit> {
    let texts = |value: &Value| -> Vec<String> {
        match value {
            Value::String(text) => vec![text.clone()],
            Value::Array(all) => all.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        }
    };
    let mut splits = Vec::new();
    for config in card["configs"].as_array().into_iter().flatten() {
        let name = config["config_name"].as_str().unwrap_or("default").to_owned();
        let split = |split: &str, files: Vec<String>| HubSplit { config: name.clone(), split: split.to_owned(), files };
        match &config["data_files"] {
            Value::Array(all) if all.iter().all(Value::is_object) => {
                for one in all {
                    splits.push(split(one["split"].as_str().unwrap_or("train"), texts(&one["path"])));
                }
            }
            other => splits.push(split("train", texts(other))),
        }
    }
    splits.retain(|split| !split.files.is_empty());
    splits
}
