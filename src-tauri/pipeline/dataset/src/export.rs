//! Versions written for other tools, with what each form cannot hold.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use tw_artifact::{Arguments, Json, Map, Message, Role, SplitName, ToolCallView};
use tw_formats::{Format, FormatMessage, FormatTrace, Preference};

use crate::file::Hashed;
use crate::render::{Renderer, RowText};
use crate::stored::{StoredRow, each_row, file_of, text_columns};
use crate::table::{Cell, Kind, Table};
use crate::{Error, PreferenceRow, preference, preferences};

/// What a version is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The version's own Parquet files.
    Parquet,
    /// Parquet with messages and tools as JSON texts.
    ParquetText,
    /// A JSON object a row, with every column.
    Jsonl,
    /// TRL's `messages`, and `prompt`, `chosen`, `rejected` of pairs.
    Trl,
    /// TRL's `prompt` and `completion`.
    TrlCompletion,
    /// Axolotl's `chat_template` rows.
    Axolotl,
    /// `OpenAI`'s fine-tuning rows.
    OpenAi,
    /// ShareGPT as `LLaMA-Factory` reads it.
    ShareGpt,
    /// `input_ids` and `labels`.
    Tokens,
}

impl Target {
    /// All of them, in the order in which a person is offered them.
    pub const ALL: [Self; 9] = [
        Self::Parquet,
        Self::ParquetText,
        Self::Jsonl,
        Self::Trl,
        Self::TrlCompletion,
        Self::Axolotl,
        Self::OpenAi,
        Self::ShareGpt,
        Self::Tokens,
    ];

    /// The word for it on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::ParquetText => "parquet-text",
            Self::Jsonl => "jsonl",
            Self::Trl => "trl",
            Self::TrlCompletion => "trl-completion",
            Self::Axolotl => "axolotl",
            Self::OpenAi => "openai",
            Self::ShareGpt => "sharegpt",
            Self::Tokens => "tokens",
        }
    }

    /// What a person reads.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Parquet => "Parquet",
            Self::ParquetText => "Parquet, JSON as text",
            Self::Jsonl => "JSONL",
            Self::Trl => "TRL messages",
            Self::TrlCompletion => "TRL prompt and completion",
            Self::Axolotl => "Axolotl chat_template rows",
            Self::OpenAi => "OpenAI fine-tuning JSONL",
            Self::ShareGpt => "ShareGPT (LLaMA-Factory)",
            Self::Tokens => "Tokens and labels",
        }
    }

    /// What it is for, a sentence.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Parquet => {
                "Every column; Python's datasets from 4.7 on loads messages and tools nested, with nothing added."
            }
            Self::ParquetText => {
                "Every column; messages and tools are JSON text, for datasets before 4.7 and tools without JSON columns."
            }
            Self::Jsonl => "Every column, a JSON object a line.",
            Self::Trl => "Rows of messages, and prompt, chosen and rejected of pairs; trains every answer of a row.",
            Self::TrlCompletion => "The last answer as the completion: TRL trains exactly that.",
            Self::Axolotl => "Rows of messages with what is trained: `train` and `train_detail`.",
            Self::OpenAi => "Rows for OpenAI's fine-tuning; answers that are not trained have the weight 0.",
            Self::ShareGpt => "Conversations for LLaMA-Factory; they hold no text beside a call.",
            Self::Tokens => "input_ids, and labels that are -100 where nothing is trained: the exact mask.",
        }
    }

    /// The form of a name; `None` for a word that names none.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    const fn is_table(self) -> bool {
        matches!(self, Self::Parquet | Self::ParquetText | Self::Tokens)
    }

    const fn extension(self) -> &'static str {
        if self.is_table() { "parquet" } else { "jsonl" }
    }

    const fn format(self) -> Option<Format> {
        match self {
            Self::Trl => Some(Format::Trl),
            Self::Axolotl => Some(Format::Axolotl),
            Self::OpenAi => Some(Format::OpenAi),
            Self::ShareGpt => Some(Format::ShareGpt),
            _ => None,
        }
    }
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// The files; none when it was only looked at.
    pub files: Vec<PathBuf>,
    /// Rows in them.
    pub rows: u32,
    /// What the form cannot hold, in words, and in how many rows.
    pub losses: BTreeMap<String, u32>,
}

/// Writes the version in `folder` as `target` to `out`: a file, beside which further parts get names of their own, or a
/// folder. `None` only says what would be lost. [`Target::Tokens`] takes a renderer that is no estimate.
///
/// # Errors
/// A file cannot be read or written, a row cannot be rendered, or a renderer is missing.
pub fn export(
    target: Target,
    folder: &Path,
    out: Option<&Path>,
    renderer: Option<&dyn Renderer>,
    goes_on: &dyn Fn() -> bool,
) -> Result<Exported, Error> {
    if target == Target::Tokens && renderer.is_none_or(Renderer::is_estimate) {
        let why = "tokens need a model's tokenizer and template; choose a model for the version or for this export";
        return Err(Error::Plan(why.to_owned()));
    }
    let mut done = Exported::default();
    for split in SplitName::ALL {
        let has_rows = file_of(folder, split).exists();
        if has_rows {
            let path = out.map(|out| place(out, target, split, false)).transpose()?;
            let mut sheet = Sheet::begin(target, path.as_deref())?;
            each_row(folder, split, &mut |row| {
                sheet.add(&row, renderer, &mut done.losses)?;
                done.rows += 1;
                Ok(goes_on())
            })?;
            done.files.extend(sheet.finish()?);
        }
        let pairs = preferences(folder, split)?;
        if !pairs.is_empty() {
            let path = out.map(|out| place(out, target, split, true)).transpose()?;
            let file = write_pairs(target, &pairs, path.as_deref(), &mut done.losses)?;
            done.rows += if file.is_some() || out.is_none() { count(pairs.len()) } else { 0 };
            done.files.extend(file);
        }
        if !goes_on() {
            return Err(Error::Plan("the export was cancelled".to_owned()));
        }
    }
    Ok(done)
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Where a part goes: `train.jsonl` in a folder; `x.jsonl`, `x-validation.jsonl`, `x-preferences.jsonl` beside a file.
fn place(out: &Path, target: Target, split: SplitName, pairs: bool) -> Result<PathBuf, Error> {
    if out.is_dir() || out.extension().is_none() {
        std::fs::create_dir_all(out).map_err(Error::io(out))?;
        let pairs = if pairs { "preferences-" } else { "" };
        return Ok(out.join(format!("{pairs}{split}.{}", target.extension())));
    }
    if let Some(parent) = out.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(Error::io(parent))?;
    }
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let ending = out.extension().unwrap_or_default().to_string_lossy();
    let mut name = stem.into_owned();
    if pairs {
        name.push_str("-preferences");
    }
    if split == SplitName::Validation {
        name.push_str("-validation");
    }
    Ok(out.with_file_name(format!("{name}.{ending}")))
}

/// A file that has its name only once it is whole.
struct Part {
    path: PathBuf,
    part: PathBuf,
    whole: bool,
}

impl Part {
    fn new(path: &Path) -> Self {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        Self { path: path.to_owned(), part: path.with_file_name(name), whole: false }
    }

    fn finish(mut self) -> Result<PathBuf, Error> {
        std::fs::rename(&self.part, &self.path).map_err(Error::io(&self.path))?;
        self.whole = true;
        Ok(self.path.clone())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.whole {
            drop(std::fs::remove_file(&self.part));
        }
    }
}

/// What Axolotl 0.19 makes otherwise of a row, seen by tests/parity/axolotl_rows.py: an answer is trained from the first
/// character of its own on, and values of nothing are taken out of calls.
fn tell_of_axolotl(row: &StoredRow, losses: &mut BTreeMap<String, u32>) {
    let thinks = |(message, train): (&Message, &bool)| *train && message.reasoning().is_some_and(|it| !it.is_empty());
    if row.messages.iter().zip(&row.train).any(thinks) {
        let said =
            "Axolotl does not train what a template writes before the reasoning (<think>); tokens holds the exact mask";
        *losses.entry(said.to_owned()).or_default() += 1;
    }
    let empty = |message: &Message| {
        let misses = |call: &ToolCallView<'_>| match call.arguments {
            Arguments::Object(map) => map.values().any(has_null),
            Arguments::Text(_) | Arguments::Other => false,
        };
        message.tool_calls().iter().any(misses)
    };
    if row.messages.iter().any(empty) {
        let said = "Axolotl leaves null values of calls out";
        *losses.entry(said.to_owned()).or_default() += 1;
    }
}

fn has_null(json: &Json) -> bool {
    match json {
        Json::Null => true,
        Json::Array(items) => items.iter().any(has_null),
        Json::Object(map) => map.values().any(has_null),
        Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

/// One file in the making; none when nothing is written.
enum Paper {
    None,
    Lines(Part, Box<Hashed>),
    Table(Part, Box<Table<Hashed>>),
}

struct Sheet {
    target: Target,
    paper: Paper,
    rows: u32,
}

impl Sheet {
    fn begin(target: Target, path: Option<&Path>) -> Result<Self, Error> {
        let paper = match path {
            None => Paper::None,
            Some(path) => {
                let part = Part::new(path);
                let file = Hashed::create(&part.part)?;
                match target {
                    // A person may ask for lines of tokens by the file's ending.
                    Target::Tokens if path.extension().is_some_and(|it| it == "jsonl") => {
                        Paper::Lines(part, Box::new(file))
                    }
                    Target::Tokens => {
                        let columns = [("input_ids", Kind::Wholes), ("labels", Kind::Wholes)];
                        let table = Table::begin(file, &part.part, &columns)?;
                        Paper::Table(part, Box::new(table))
                    }
                    Target::ParquetText => {
                        let table = Table::begin(file, &part.part, &text_columns())?;
                        Paper::Table(part, Box::new(table))
                    }
                    Target::Parquet => {
                        let table = Table::begin(file, &part.part, &crate::stored::COLUMNS)?;
                        Paper::Table(part, Box::new(table))
                    }
                    _ => Paper::Lines(part, Box::new(file)),
                }
            }
        };
        Ok(Self { target, paper, rows: 0 })
    }

    fn add(
        &mut self,
        row: &StoredRow,
        renderer: Option<&dyn Renderer>,
        losses: &mut BTreeMap<String, u32>,
    ) -> Result<(), Error> {
        self.rows += 1;
        match self.target {
            Target::Parquet => self.put(|| row.cells(), || row.to_json().to_text()),
            Target::ParquetText => self.put(|| row.text_cells(), || row.to_json().to_text()),
            Target::Jsonl => self.put(Vec::new, || row.to_json().to_text()),
            Target::Tokens => {
                if matches!(self.paper, Paper::None) {
                    return Ok(());
                }
                let (ids, labels) = tokens(row, renderer)?;
                let list = |values: &[i32]| Json::Array(values.iter().map(|it| i64::from(*it).into()).collect());
                self.put(
                    || vec![Cell::Wholes(ids.clone()), Cell::Wholes(labels.clone())],
                    || object([("input_ids", list(&ids)), ("labels", list(&labels))]).to_text(),
                )
            }
            Target::TrlCompletion => {
                let line = completion(row, losses);
                self.put(Vec::new, || line.to_text())
            }
            Target::Trl | Target::Axolotl | Target::OpenAi | Target::ShareGpt => {
                let Some(format) = self.target.format() else { return Ok(()) };
                if self.target == Target::Axolotl {
                    tell_of_axolotl(row, losses);
                }
                let trace = format_trace(row, format);
                self.put_trace(format, &trace, losses)
            }
        }
    }

    fn put(&mut self, cells: impl FnOnce() -> Vec<Cell>, line: impl FnOnce() -> String) -> Result<(), Error> {
        match &mut self.paper {
            Paper::None => Ok(()),
            Paper::Table(_, table) => table.add(cells()),
            Paper::Lines(part, out) => writeln!(out, "{}", line()).map_err(Error::io(&part.path)),
        }
    }

    fn put_trace(
        &mut self,
        format: Format,
        trace: &FormatTrace,
        losses: &mut BTreeMap<String, u32>,
    ) -> Result<(), Error> {
        let lost = match &mut self.paper {
            Paper::Lines(part, out) => tw_formats::write(format, trace, &mut **out).map_err(|error| match error {
                tw_formats::WriteError::Io(error) => Error::io(&part.path)(error),
                other => Error::Table { path: part.path.clone(), message: other.to_string() },
            })?,
            _ => tw_formats::losses(format, trace),
        };
        for loss in lost {
            *losses.entry(loss.kind.words().to_owned()).or_default() += 1;
        }
        Ok(())
    }

    fn finish(self) -> Result<Option<PathBuf>, Error> {
        match self.paper {
            Paper::None => Ok(None),
            Paper::Lines(part, out) => {
                out.finish(self.rows)?;
                part.finish().map(Some)
            }
            Paper::Table(part, table) => {
                table.finish()?.finish(self.rows)?;
                part.finish().map(Some)
            }
        }
    }
}

fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    Json::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn messages_json(messages: &[Message]) -> Json {
    Json::Array(messages.iter().cloned().map(Json::from).collect())
}

fn tools_json(row: &StoredRow) -> Json {
    Json::Array(row.tools.iter().map(|tool| tool.0.clone()).collect())
}

/// Token ids, and labels that are -100 where nothing is trained.
fn tokens(row: &StoredRow, renderer: Option<&dyn Renderer>) -> Result<(Vec<i32>, Vec<i32>), Error> {
    let wrong = |message: String| Error::NotRendered { row: row.id.clone(), message };
    let renderer = renderer.ok_or_else(|| wrong("no model was chosen".to_owned()))?;
    let text = RowText {
        messages: &row.messages,
        tools: &row.tools,
        train: &row.train,
        spans: &row.spans,
        timestamp_ms: row.timestamp_ms(),
    };
    let rendered = renderer.render(&text).map_err(wrong)?;
    let ids: Vec<i32> = rendered.units.iter().map(|(id, _)| i32::try_from(*id).unwrap_or(i32::MAX)).collect();
    let label = |(id, mask): (&i32, &u8)| if *mask == 1 { *id } else { -100 };
    let labels = ids.iter().zip(&rendered.mask).map(label).collect();
    Ok((ids, labels))
}

/// The last answer as the completion.
fn completion(row: &StoredRow, losses: &mut BTreeMap<String, u32>) -> Json {
    let last = row.train.iter().rposition(|train| *train).unwrap_or(row.messages.len().saturating_sub(1));
    let others = row.train.iter().enumerate().any(|(place, train)| *train && place != last);
    let spans = row.spans.iter().any(|spans| !spans.is_empty());
    let mut lose = |lost: bool, what: &str| {
        if lost {
            *losses.entry(what.to_owned()).or_default() += 1;
        }
    };
    lose(others, "answers before the last one are not trained");
    lose(spans, "marks of what is trained on are left out");
    lose(last + 1 < row.messages.len(), "messages after the last trained answer are left out");
    let (prompt, rest) = row.messages.split_at(last.min(row.messages.len()));
    let mut map = Map::new();
    map.insert("prompt".to_owned(), messages_json(prompt));
    map.insert("completion".to_owned(), messages_json(&rest[..rest.len().min(1)]));
    if !row.tools.is_empty() {
        map.insert("tools".to_owned(), tools_json(row));
    }
    Json::Object(map)
}

/// A row as the writers of formats take it.
fn format_trace(row: &StoredRow, format: Format) -> FormatTrace {
    let is_answer = |message: &Message| message.role() == Role::Assistant;
    // What these train by themselves is every answer: then no mark is lost.
    let by_itself = matches!(format, Format::Trl | Format::ShareGpt)
        && row.messages.iter().zip(&row.train).all(|(message, train)| is_answer(message) == *train);
    let message = |place: usize, message: &Message| {
        let train = row.train.get(place).copied().unwrap_or_default();
        FormatMessage {
            message: message.clone(),
            train: (!by_itself && (train || is_answer(message))).then_some(train),
            spans: row.spans.get(place).cloned().unwrap_or_default(),
        }
    };
    FormatTrace {
        messages: row.messages.iter().enumerate().map(|(place, it)| message(place, it)).collect(),
        tools: row.tools.clone(),
        ..FormatTrace::default()
    }
}

fn write_pairs(
    target: Target,
    pairs: &[PreferenceRow],
    path: Option<&Path>,
    losses: &mut BTreeMap<String, u32>,
) -> Result<Option<PathBuf>, Error> {
    let holds = matches!(target, Target::Parquet | Target::Jsonl | Target::Trl | Target::ShareGpt);
    if !holds {
        *losses.entry("preference pairs are left out".to_owned()).or_default() += count(pairs.len());
        return Ok(None);
    }
    let mut sheet = match path {
        Some(path) if target == Target::Parquet => {
            let part = Part::new(path);
            let table = Table::begin(Hashed::create(&part.part)?, &part.part, &preference::COLUMNS)?;
            Sheet { target, paper: Paper::Table(part, Box::new(table)), rows: 0 }
        }
        path => Sheet::begin(if target == Target::Parquet { Target::Jsonl } else { target }, path)?,
    };
    for pair in pairs {
        sheet.rows += 1;
        match target.format() {
            Some(format) => {
                let from = |messages: &[Message]| messages.iter().cloned().map(FormatMessage::from).collect::<Vec<_>>();
                let trace = FormatTrace {
                    messages: [from(&pair.prompt), from(&pair.chosen)].concat(),
                    tools: pair.tools.clone(),
                    preference: Some(Preference { shared: pair.prompt.len(), rejected: from(&pair.rejected) }),
                    ..FormatTrace::default()
                };
                sheet.put_trace(format, &trace, losses)?;
            }
            None => sheet.put(|| pair.cells(), || pair.to_json().to_text())?,
        }
    }
    sheet.finish()
}
