//! A dataset version as rows of tokens for the worker, exactly as the `tokens` export makes them, kept so that other
//! settings of the same rows do not make them again.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use tw_artifact::{Map, SplitName};
use tw_contract::{ApiError, ErrorCode};
use tw_dataset::{Renderer, RowText, StoredRow, each_row};
use tw_jobs::Row;

use crate::errors::IntoApi;
use crate::lock;
use crate::render::RowModel;
use crate::train_curves::count;

/// The form of what is kept.
const FORM: &str = "tracewright-rows/1";
/// Row sets that are kept.
const MOST_KEPT: usize = 8;
/// Rows that are made at the same time, for each thread.
const ROWS_AT_ONCE: usize = 8;
const MOST_THREADS: usize = 16;

pub(crate) const ROWS: &str = "rows.jsonl";
pub(crate) const VALIDATION: &str = "validation.jsonl";
const FACTS: &str = "facts.json";

/// What is known of a set of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    pub(crate) rows: u32,
    pub(crate) validation_rows: u32,
    pub(crate) too_long: u32,
    pub(crate) untrained: u32,
    /// Rows for which the template gives no text, and what it says of the first.
    pub(crate) not_rendered: u32,
    pub(crate) not_rendered_why: String,
    /// Tokens of the rows that are trained on, and those that the loss counts.
    pub(crate) row_tokens: u64,
    pub(crate) trained_tokens: u64,
    /// The longest row that is used, and the longest of all.
    pub(crate) longest: u32,
    pub(crate) longest_of_all: u32,
}

/// Rows on disk.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) folder: PathBuf,
    pub(crate) facts: Facts,
}

impl Prepared {
    /// The file of the rows, and of those for validation, if there are any.
    pub(crate) fn files(&self) -> (PathBuf, Option<PathBuf>) {
        let validation = (self.facts.validation_rows > 0).then(|| self.folder.join(VALIDATION));
        (self.folder.join(ROWS), validation)
    }
}

/// What rows are made of.
pub(crate) struct Order {
    /// The version's id and folder, and its rows.
    pub(crate) dataset: String,
    pub(crate) version: PathBuf,
    pub(crate) total: u32,
    pub(crate) model: RowModel,
    pub(crate) kwargs: Map,
    pub(crate) max_tokens: u32,
    /// Where rows are kept.
    pub(crate) cache: PathBuf,
}

/// What a row became.
enum Made {
    Row(Row, u64),
    TooLong(u32),
    Untrained,
    NotRendered(String),
}

impl Order {
    /// Names the rows by all that they are made of.
    fn key(&self) -> String {
        let known = self.model.model();
        let without_tools = tw_template::sha256_hex(self.model.maker(false).template().source().as_bytes());
        let kwargs = serde_json::to_string(&tw_artifact::Json::Object(self.kwargs.clone())).unwrap_or_default();
        let parts = [
            FORM,
            &self.dataset,
            &known.tokenizer_sha256,
            &known.template_sha256,
            &without_tools,
            &kwargs,
            &self.max_tokens.to_string(),
        ];
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part.len().to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The rows, from where they are kept or made now. `None` when it was cancelled.
    pub(crate) fn carry_out(
        &self,
        cancel: &CancellationToken,
        tell: &dyn Fn(u32),
    ) -> Result<Option<Prepared>, ApiError> {
        let folder = self.cache.join(self.key());
        if let Some(facts) = read_facts(&folder) {
            // It was used now: others go first when room is made.
            if let Ok(file) = File::options().append(true).open(folder.join(FACTS)) {
                drop(file.set_modified(std::time::SystemTime::now()));
            }
            return Ok(Some(Prepared { folder, facts }));
        }
        let unfinished = self.cache.join(format!("{}.part", uuid::Uuid::now_v7()));
        let made = self.make(&unfinished, cancel, tell);
        let facts = match made {
            Ok(Some(facts)) => facts,
            other => {
                drop(std::fs::remove_dir_all(&unfinished));
                return other.map(|_| None);
            }
        };
        if std::fs::rename(&unfinished, &folder).is_err() {
            drop(std::fs::remove_dir_all(&unfinished));
            // Somebody else was faster with the same rows.
            return match read_facts(&folder) {
                Some(facts) => Ok(Some(Prepared { folder, facts })),
                None => {
                    Err(ApiError::new(ErrorCode::Internal, format!("{} cannot be written to.", self.cache.display())))
                }
            };
        }
        make_room(&self.cache, &folder);
        Ok(Some(Prepared { folder, facts }))
    }

    fn make(&self, folder: &Path, cancel: &CancellationToken, tell: &dyn Fn(u32)) -> Result<Option<Facts>, ApiError> {
        std::fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
        let mut facts = Facts::default();
        let mut done = 0;
        for (split, name) in [(SplitName::Train, ROWS), (SplitName::Validation, VALIDATION)] {
            let path = folder.join(name);
            let mut out = BufWriter::new(File::create(&path).map_err(|error| unwritten(&path, &error))?);
            let mut waiting: Vec<StoredRow> = Vec::new();
            let at_once = threads() * ROWS_AT_ONCE;
            let mut failed = None;
            let mut flush = |waiting: &mut Vec<StoredRow>, facts: &mut Facts| -> bool {
                let rows = std::mem::take(waiting);
                for made in self.make_all(&rows) {
                    if let Err(error) = put(made, split, facts, &mut out) {
                        failed = Some(unwritten(&path, &error));
                        return false;
                    }
                }
                done += count(rows.len());
                tell(done);
                !cancel.is_cancelled()
            };
            each_row(&self.version, split, &mut |row| {
                waiting.push(row);
                Ok(waiting.len() < at_once || flush(&mut waiting, &mut facts))
            })
            .map_err(IntoApi::into_api)?;
            if !waiting.is_empty() && !cancel.is_cancelled() {
                flush(&mut waiting, &mut facts);
            }
            if let Some(error) = failed {
                return Err(error);
            }
            if cancel.is_cancelled() {
                return Ok(None);
            }
            let file = out.into_inner().map_err(|error| unwritten(&path, error.error()))?;
            file.sync_all().map_err(|error| unwritten(&path, &error))?;
        }
        let text =
            serde_json::to_vec_pretty(&facts).map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
        tw_jobs::write_whole(&folder.join(FACTS), &text).map_err(IntoApi::into_api)?;
        Ok(Some(facts))
    }

    /// Makes rows on all threads, and gives them in their order.
    fn make_all(&self, rows: &[StoredRow]) -> Vec<Made> {
        let next = AtomicUsize::new(0);
        let made: Vec<Mutex<Option<Made>>> = rows.iter().map(|_| Mutex::default()).collect();
        std::thread::scope(|scope| {
            for _ in 0..threads().min(rows.len()) {
                scope.spawn(|| {
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let (Some(row), Some(made)) = (rows.get(place), made.get(place)) else { break };
                        *lock(made) = Some(self.make_one(row));
                    }
                });
            }
        });
        made.into_iter().filter_map(|made| made.into_inner().unwrap_or_default()).collect()
    }

    fn make_one(&self, row: &StoredRow) -> Made {
        let text = RowText {
            messages: &row.messages,
            tools: &row.tools,
            train: &row.train,
            spans: &row.spans,
            timestamp_ms: row.timestamp_ms(),
        };
        let rendered = match self.model.render(&text) {
            Ok(rendered) => rendered,
            Err(why) => return Made::NotRendered(why),
        };
        let tokens: Vec<u32> = rendered.units.iter().map(|(id, _)| u32::try_from(*id).unwrap_or(u32::MAX)).collect();
        if count(tokens.len()) > self.max_tokens {
            return Made::TooLong(count(tokens.len()));
        }
        let weights: Vec<f32> = rendered.mask.iter().map(|mask| f32::from(*mask)).collect();
        // Nothing comes before the first token: it cannot be trained.
        let trained = rendered.mask.iter().skip(1).filter(|mask| **mask > 0).count() as u64;
        if trained == 0 { Made::Untrained } else { Made::Row(Row::from_weights(&row.id, &tokens, &weights), trained) }
    }
}

fn put(made: Made, split: SplitName, facts: &mut Facts, out: &mut impl Write) -> std::io::Result<()> {
    match made {
        Made::Row(row, trained) => {
            let tokens = count(row.tokens.len());
            facts.longest = facts.longest.max(tokens);
            facts.longest_of_all = facts.longest_of_all.max(tokens);
            if split == SplitName::Train {
                facts.rows += 1;
                facts.row_tokens += u64::from(tokens);
                facts.trained_tokens += trained;
            } else {
                facts.validation_rows += 1;
            }
            serde_json::to_writer(&mut *out, &row)?;
            out.write_all(b"\n")?;
        }
        Made::TooLong(tokens) => {
            facts.too_long += 1;
            facts.longest_of_all = facts.longest_of_all.max(tokens);
        }
        Made::Untrained => facts.untrained += 1,
        Made::NotRendered(why) => {
            if facts.not_rendered == 0 {
                facts.not_rendered_why = why;
            }
            facts.not_rendered += 1;
        }
    }
    Ok(())
}

fn threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST_THREADS))
}

fn unwritten(path: &Path, error: &std::io::Error) -> ApiError {
    let code = if error.kind() == std::io::ErrorKind::StorageFull { ErrorCode::DiskFull } else { ErrorCode::Internal };
    ApiError::new(code, format!("{} cannot be written: {error}.", path.display()))
        .with_hint("Make sure that the disk of the workspace has room and can be written to.")
}

fn read_facts(folder: &Path) -> Option<Facts> {
    let facts: Facts = serde_json::from_slice(&std::fs::read(folder.join(FACTS)).ok()?).ok()?;
    folder.join(ROWS).is_file().then_some(facts)
}

/// Removes what was not used for the longest time, and what was left unfinished.
fn make_room(cache: &Path, used: &Path) {
    let Ok(entries) = std::fs::read_dir(cache) else { return };
    let mut kept = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        if let (Ok(data), false) = (std::fs::metadata(path.join(FACTS)), path == used) {
            kept.push((data.modified().ok(), path));
        }
    }
    kept.sort();
    let surplus = (kept.len() + 1).saturating_sub(MOST_KEPT);
    for (_, path) in kept.into_iter().take(surplus) {
        // What stays is tried again next time.
        drop(std::fs::remove_dir_all(path));
    }
}

/// Removes what an earlier process left unfinished.
pub(crate) fn sweep(cache: &Path) {
    let Ok(entries) = std::fs::read_dir(cache) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|ending| ending == "part") {
            drop(std::fs::remove_dir_all(path));
        }
    }
}
