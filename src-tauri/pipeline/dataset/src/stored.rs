//! Rows as the files of a version have them.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::data_type::ByteArray;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::TreeBuilder;
use parquet::record::{Field, Row as Record, RowAccessor};
use serde::{Deserialize, Serialize};
use tw_artifact::{Json, Message, SplitName, ToolDefinition, TrainSpan};

use crate::Error;
use crate::row::{Row, message_text};
use crate::source::{Prepared, Source, moment, stamp};
use crate::table::{Cell, Kind};

/// The columns of a version's rows.
pub(crate) const COLUMNS: [(&str, Kind); 14] = [
    ("id", Kind::Text),
    ("timestamp", Kind::Text),
    ("model", Kind::Text),
    ("messages", Kind::Jsons),
    ("tools", Kind::Jsons),
    ("truncated", Kind::Truth),
    ("original_id", Kind::Text),
    ("truncation_point", Kind::Whole),
    ("split", Kind::Text),
    ("tags", Kind::Texts),
    ("rating", Kind::Whole),
    ("train", Kind::Truths),
    ("train_spans", Kind::Json),
    ("results_cut", Kind::Whole),
];

/// The same where JSON stands as plain text: for `datasets` before 4.7.
pub(crate) fn text_columns() -> Vec<(&'static str, Kind)> {
    let plain = |kind| if matches!(kind, Kind::Jsons | Kind::Json) { Kind::Text } else { kind };
    COLUMNS.iter().map(|(name, kind)| (*name, plain(*kind))).collect()
}

/// A stretch of a message, by the message's place in its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PlacedSpan {
    message: usize,
    span: TrainSpan,
}

/// A row of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredRow {
    /// Its id.
    pub id: String,
    /// When its trace was made: `%Y%m%d_%H%M%S`, UTC.
    pub timestamp: String,
    /// The model that wrote it.
    pub model: String,
    /// The conversation.
    pub messages: Vec<Message>,
    /// The tools.
    pub tools: Vec<ToolDefinition>,
    /// The trace that it is a beginning of; `None` of a whole one.
    pub original_id: Option<String>,
    /// Messages of that trace that it shows.
    pub truncation_point: Option<u32>,
    /// Its part.
    pub split: SplitName,
    /// The trace's tags.
    pub tags: Vec<String>,
    /// The trace's rating.
    pub rating: Option<u8>,
    /// Whether each message is trained.
    pub train: Vec<bool>,
    /// For each message the stretches for which the other holds.
    pub spans: Vec<Vec<TrainSpan>>,
    /// Tool results that were cut to fit the limit.
    pub results_cut: u32,
}

/// The texts of a trace's messages and tools, each made once for all of its rows.
pub(crate) struct Texts {
    messages: Vec<ByteArray>,
    tools: Vec<ByteArray>,
}

fn bytes(text: String) -> ByteArray {
    ByteArray::from(text.into_bytes())
}

impl Texts {
    pub(crate) fn of(prepared: &Prepared) -> Self {
        Self {
            messages: prepared.messages.iter().map(|message| bytes(message_text(message))).collect(),
            tools: prepared.tools.iter().map(|tool| bytes(tool.0.to_text())).collect(),
        }
    }
}

fn optional<T>(value: Option<T>, cell: impl FnOnce(T) -> Cell) -> Cell {
    value.map_or(Cell::None, cell)
}

fn spans_text(spans: &[Vec<TrainSpan>]) -> Option<String> {
    let placed: Vec<PlacedSpan> = spans
        .iter()
        .enumerate()
        .flat_map(|(message, spans)| spans.iter().map(move |span| PlacedSpan { message, span: *span }))
        .collect();
    if placed.is_empty() { None } else { serde_json::to_string(&placed).ok() }
}

/// A row's cells, in the order of [`COLUMNS`].
pub(crate) fn cells(row: &Row, source: &Source, prepared: &Prepared, texts: &Texts, split: SplitName) -> Vec<Cell> {
    let message = |place: usize| match row.cut.iter().find(|(it, _)| *it == place) {
        Some((_, text)) => {
            bytes(message_text(&prepared.messages[place].clone().with_field("content", text.as_str().into())))
        }
        None => texts.messages[place].clone(),
    };
    let truncated = row.truncation_point.is_some();
    vec![
        Cell::text(row.id.clone()),
        Cell::text(stamp(source.timestamp_ms)),
        Cell::text(source.model.clone()),
        Cell::Texts(row.places().map(message).collect()),
        Cell::Texts(texts.tools.clone()),
        Cell::Truth(truncated),
        if truncated { Cell::text(source.id.clone()) } else { Cell::None },
        optional(row.truncation_point, |point| Cell::Whole(point.into())),
        Cell::text(split.as_str()),
        Cell::Texts(source.tags.iter().map(|tag| bytes(tag.clone())).collect()),
        optional(source.rating, |rating| Cell::Whole(rating.into())),
        Cell::Truths(row.train()),
        optional(spans_text(&row.spans(prepared)), Cell::text),
        Cell::Whole(i64::try_from(row.cut.len()).unwrap_or(i64::MAX)),
    ]
}

impl StoredRow {
    /// Its cells, in the order of [`COLUMNS`].
    pub(crate) fn cells(&self) -> Vec<Cell> {
        let mut cells = self.text_cells();
        cells[3] = Cell::Texts(self.messages.iter().map(|message| bytes(message_text(message))).collect());
        cells[4] = Cell::Texts(self.tools.iter().map(|tool| bytes(tool.0.to_text())).collect());
        cells
    }

    /// Its cells with JSON as plain text, in the order of [`text_columns`].
    pub(crate) fn text_cells(&self) -> Vec<Cell> {
        let list = |items: Vec<Json>| Cell::text(Json::Array(items).to_text());
        vec![
            Cell::text(self.id.clone()),
            Cell::text(self.timestamp.clone()),
            Cell::text(self.model.clone()),
            list(self.messages.iter().cloned().map(Json::from).collect()),
            list(self.tools.iter().map(|tool| tool.0.clone()).collect()),
            Cell::Truth(self.is_truncated()),
            optional(self.original_id.clone(), Cell::text),
            optional(self.truncation_point, |point| Cell::Whole(point.into())),
            Cell::text(self.split.as_str()),
            Cell::Texts(self.tags.iter().map(|tag| bytes(tag.clone())).collect()),
            optional(self.rating, |rating| Cell::Whole(rating.into())),
            Cell::Truths(self.train.clone()),
            optional(spans_text(&self.spans), Cell::text),
            Cell::Whole(self.results_cut.into()),
        ]
    }

    /// Its columns as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let texts = |texts: &[String]| Json::Array(texts.iter().map(|text| text.as_str().into()).collect());
        let spans = spans_text(&self.spans).and_then(|text| Json::parse(&text).ok()).unwrap_or_default();
        let whole = |value: Option<i64>| value.map_or(Json::Null, Json::from);
        let fields: [(&str, Json); 14] = [
            ("id", self.id.as_str().into()),
            ("timestamp", self.timestamp.as_str().into()),
            ("model", self.model.as_str().into()),
            ("messages", Json::Array(self.messages.iter().cloned().map(Json::from).collect())),
            ("tools", Json::Array(self.tools.iter().map(|tool| tool.0.clone()).collect())),
            ("truncated", self.is_truncated().into()),
            ("original_id", self.original_id.as_deref().map_or(Json::Null, Json::from)),
            ("truncation_point", whole(self.truncation_point.map(i64::from))),
            ("split", self.split.as_str().into()),
            ("tags", texts(&self.tags)),
            ("rating", whole(self.rating.map(i64::from))),
            ("train", Json::Array(self.train.iter().map(|train| (*train).into()).collect())),
            ("train_spans", spans),
            ("results_cut", i64::from(self.results_cut).into()),
        ];
        Json::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// When its trace was made, unix milliseconds.
    #[must_use]
    pub fn timestamp_ms(&self) -> i64 {
        moment(&self.timestamp)
    }

    /// Whether it ends before its trace does.
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        self.truncation_point.is_some()
    }

    fn read(record: &Record) -> Result<Self, String> {
        let text = |place: usize| record.get_string(place).cloned().map_err(|error| error.to_string());
        let jsons = |place: usize| -> Result<Vec<Json>, String> {
            texts(record, place)?.iter().map(|text| Json::parse(text).map_err(|error| error.to_string())).collect()
        };
        let messages: Vec<Message> = jsons(3)?
            .into_iter()
            .map(|json| Message::try_from(json).map_err(|error| error.to_string()))
            .collect::<Result<_, _>>()?;
        let mut spans = vec![Vec::new(); messages.len()];
        if let Ok(text) = record.get_string(12) {
            let placed: Vec<PlacedSpan> = serde_json::from_str(text).map_err(|error| error.to_string())?;
            for placed in placed {
                if let Some(spans) = spans.get_mut(placed.message) {
                    spans.push(placed.span);
                }
            }
        }
        let train = record.get_list(11).map_err(|error| error.to_string())?;
        let whole = |place: usize| record.get_long(place).ok();
        Ok(Self {
            id: text(0)?,
            timestamp: text(1)?,
            model: text(2)?,
            messages,
            tools: jsons(4)?.into_iter().map(ToolDefinition).collect(),
            original_id: text(6).ok(),
            truncation_point: whole(7).and_then(|it| u32::try_from(it).ok()),
            split: if text(8)? == SplitName::Validation.as_str() { SplitName::Validation } else { SplitName::Train },
            tags: texts(record, 9)?,
            rating: whole(10).and_then(|it| u8::try_from(it).ok()),
            train: train.elements().iter().map(|field| matches!(field, Field::Bool(true))).collect(),
            spans,
            results_cut: whole(13).and_then(|it| u32::try_from(it).ok()).unwrap_or_default(),
        })
    }
}

/// The texts of a list.
pub(crate) fn texts(record: &Record, place: usize) -> Result<Vec<String>, String> {
    let list = record.get_list(place).map_err(|error| error.to_string())?;
    let text = |field: &Field| match field {
        Field::Str(text) => Ok(text.clone()),
        other => Err(format!("a list of texts holds {other}")),
    };
    list.elements().iter().map(text).collect()
}

/// Gives the records of a table one after the other to `take`, from the one numbered `from` on, until it says no.
pub(crate) fn each_record(
    path: &Path,
    from: u32,
    take: &mut dyn FnMut(Record) -> Result<bool, Error>,
) -> Result<(), Error> {
    let wrong = |message: String| Error::Table { path: path.to_owned(), message };
    let file = File::open(path).map_err(Error::io(path))?;
    let reader = SerializedFileReader::new(file).map_err(|error| Error::table(path, error))?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let mut before = 0_i64;
    for number in 0..reader.num_row_groups() {
        let rows = reader.metadata().row_group(number).num_rows();
        let skip = usize::try_from((i64::from(from) - before).max(0)).unwrap_or_default();
        before += rows;
        if before <= i64::from(from) {
            continue;
        }
        let group = reader.get_row_group(number).map_err(|error| Error::table(path, error))?;
        let records = TreeBuilder::new().as_iter(schema.clone(), group.as_ref());
        for record in records.map_err(|error| wrong(error.to_string()))?.skip(skip) {
            if !take(record.map_err(|error| wrong(error.to_string()))?)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The file of a part's rows.
#[must_use]
pub(crate) fn file_of(folder: &Path, split: SplitName) -> PathBuf {
    folder.join(format!("{split}.parquet"))
}

/// Gives the rows of one part of the version in `folder` one after the other to `take`, until it says no. A part without
/// rows has no file, and gives none.
///
/// # Errors
/// The file cannot be read, or what `take` gives.
pub fn each_row(
    folder: &Path,
    split: SplitName,
    take: &mut dyn FnMut(StoredRow) -> Result<bool, Error>,
) -> Result<(), Error> {
    let path = file_of(folder, split);
    if !path.exists() {
        return Ok(());
    }
    each_record(&path, 0, &mut |record| {
        let row = StoredRow::read(&record).map_err(|message| Error::Table { path: path.clone(), message })?;
        take(row)
    })
}

/// The row with this number in its part's file, from 0.
///
/// # Errors
/// The file cannot be read, or has fewer rows.
pub fn row_at(folder: &Path, split: SplitName, number: u32) -> Result<StoredRow, Error> {
    let path = file_of(folder, split);
    let mut found = None;
    each_record(&path, number, &mut |record| {
        found = Some(StoredRow::read(&record).map_err(|message| Error::Table { path: path.clone(), message })?);
        Ok(false)
    })?;
    found.ok_or_else(|| Error::NoRow(number.to_string()))
}
