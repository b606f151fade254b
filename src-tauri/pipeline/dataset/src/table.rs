//! Parquet tables with columns that are known from the beginning, written in groups of rows so that memory is bounded.
//!
//! Messages and tools are JSON texts: as `datasets`' `Json()` (from its 4.7 on), or as plain texts for what is older. No
//! two schemas are ever merged into one, so no gap is filled with `null`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type};
use tw_artifact::{Json, Map};

use crate::Error;

/// Rows that are held before they are written together.
const GROUP_ROWS: usize = 1_000;
/// Bytes that are held before they are written together, about.
const GROUP_BYTES: usize = 16 << 20;
/// A column whose values come again and again keeps each once, as long as they fit here.
const DICTIONARY_BYTES: usize = 8 << 20;

/// What one column holds. Every column may be without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Whole,
    Truth,
    /// JSON text.
    Json,
    /// A list of JSON texts.
    Jsons,
    Texts,
    Truths,
    /// A list of 32-bit numbers.
    Wholes,
}

/// A value of a column.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    None,
    Text(ByteArray),
    Whole(i64),
    Truth(bool),
    Texts(Vec<ByteArray>),
    Truths(Vec<bool>),
    Wholes(Vec<i32>),
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(ByteArray::from(text.into().into_bytes()))
    }

    fn bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Text(text) => text.len(),
            Self::Whole(_) | Self::Truth(_) => 8,
            Self::Texts(texts) => texts.iter().map(ByteArray::len).sum(),
            Self::Truths(truths) => truths.len(),
            Self::Wholes(wholes) => wholes.len() * 4,
        }
    }
}

impl Kind {
    const fn is_list(self) -> bool {
        matches!(self, Self::Jsons | Self::Texts | Self::Truths | Self::Wholes)
    }

    fn feature(self) -> Json {
        let object = |fields: &[(&str, Json)]| {
            Json::Object(fields.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
        };
        let value = |dtype: &str| object(&[("dtype", dtype.into()), ("_type", "Value".into())]);
        let list = |of: Json| object(&[("feature", of), ("_type", "List".into())]);
        let json = object(&[("_type", "Json".into())]);
        match self {
            Self::Text => value("string"),
            Self::Whole => value("int64"),
            Self::Truth => value("bool"),
            Self::Json => json,
            Self::Jsons => list(json),
            Self::Texts => list(value("string")),
            Self::Truths => list(value("bool")),
            Self::Wholes => list(value("int32")),
        }
    }

    fn schema(self, name: &str) -> Result<Type, parquet::errors::ParquetError> {
        let leaf = |name: &str| {
            let (physical, logical) = match self {
                Self::Text | Self::Texts => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
                Self::Json | Self::Jsons => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
                Self::Whole => (Physical::INT64, None),
                Self::Wholes => (Physical::INT32, None),
                Self::Truth | Self::Truths => (Physical::BOOLEAN, None),
            };
            Type::primitive_type_builder(name, physical)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(logical)
                .build()
        };
        if !self.is_list() {
            return leaf(name);
        }
        let list = Type::group_type_builder("list")
            .with_repetition(Repetition::REPEATED)
            .with_fields(vec![Arc::new(leaf("element")?)])
            .build()?;
        Type::group_type_builder(name)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(Some(LogicalType::List))
            .with_fields(vec![Arc::new(list)])
            .build()
    }
}

/// The values of a column that are held, as Parquet stores them.
#[derive(Default)]
struct Held {
    texts: Vec<ByteArray>,
    longs: Vec<i64>,
    shorts: Vec<i32>,
    truths: Vec<bool>,
    /// How deep each is defined: 0 nothing, 1 a value or an empty list, 3 an element.
    levels: Vec<i16>,
    /// Whether an element goes on with the list before.
    repeats: Vec<i16>,
}

impl Held {
    fn list<T>(&mut self, values: Vec<T>, keep: impl FnOnce(&mut Self, Vec<T>)) {
        if values.is_empty() {
            self.levels.push(1);
            self.repeats.push(0);
            return;
        }
        self.levels.extend(std::iter::repeat_n(3, values.len()));
        self.repeats.push(0);
        self.repeats.extend(std::iter::repeat_n(1, values.len() - 1));
        keep(self, values);
    }

    fn take(&mut self, cell: Cell, is_list: bool) {
        match cell {
            Cell::None => {
                self.levels.push(0);
                self.repeats.push(0);
                return;
            }
            Cell::Text(text) => self.texts.push(text),
            Cell::Whole(whole) => self.longs.push(whole),
            Cell::Truth(truth) => self.truths.push(truth),
            Cell::Texts(values) => return self.list(values, |held, mut values| held.texts.append(&mut values)),
            Cell::Truths(values) => return self.list(values, |held, mut values| held.truths.append(&mut values)),
            Cell::Wholes(values) => return self.list(values, |held, mut values| held.shorts.append(&mut values)),
        }
        self.levels.push(if is_list { 3 } else { 1 });
        self.repeats.push(0);
    }
}

/// Writes a table row by row.
pub(crate) struct Table<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<(Kind, Held)>,
    path: PathBuf,
    held_rows: usize,
    held_bytes: usize,
    rows: u32,
}

impl<W: Write + Send> Table<W> {
    /// Begins a table. `path` is for messages only.
    pub(crate) fn begin(out: W, path: &Path, columns: &[(&str, Kind)]) -> Result<Self, Error> {
        let begun = (|| {
            let fields = columns.iter().map(|(name, kind)| kind.schema(name).map(Arc::new));
            let schema = Type::group_type_builder("schema").with_fields(fields.collect::<Result<_, _>>()?).build()?;
            let features = columns.iter().map(|(name, kind)| ((*name).to_owned(), kind.feature())).collect::<Map>();
            let info = Map::from([("features".to_owned(), Json::Object(features))]);
            let told = Json::Object(Map::from([("info".to_owned(), Json::Object(info))]));
            let mut properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
                .set_dictionary_page_size_limit(DICTIONARY_BYTES)
                .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
                // Without the version of a library: the same rows are the same bytes.
                .set_created_by("tracewright".to_owned())
                .set_key_value_metadata(Some(vec![KeyValue::new("huggingface".to_owned(), told.to_text())]));
            for (name, kind) in columns {
                if matches!(kind, Kind::Wholes) {
                    let path = ColumnPath::new(vec![(*name).to_owned(), "list".to_owned(), "element".to_owned()]);
                    properties = properties.set_column_dictionary_enabled(path, false);
                }
            }
            SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties.build()))
        })();
        let writer = begun.map_err(|error| Error::table(path, error))?;
        let columns = columns.iter().map(|(_, kind)| (*kind, Held::default())).collect();
        Ok(Self { writer, columns, path: path.to_owned(), held_rows: 0, held_bytes: 0, rows: 0 })
    }

    /// Adds a row: a cell for each column, in order.
    pub(crate) fn add(&mut self, cells: Vec<Cell>) -> Result<(), Error> {
        for ((kind, held), cell) in self.columns.iter_mut().zip(cells) {
            self.held_bytes += cell.bytes();
            held.take(cell, kind.is_list());
        }
        self.rows += 1;
        self.held_rows += 1;
        if self.held_rows >= GROUP_ROWS || self.held_bytes >= GROUP_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    pub(crate) const fn rows(&self) -> u32 {
        self.rows
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.held_rows == 0 {
            return Ok(());
        }
        (self.held_rows, self.held_bytes) = (0, 0);
        let (writer, columns) = (&mut self.writer, &mut self.columns);
        let written = (|| {
            let mut group = writer.next_row_group()?;
            for (kind, held) in columns {
                let held = std::mem::take(held);
                let Some(mut column) = group.next_column()? else { break };
                let levels = Some(&held.levels[..]);
                let repeats = kind.is_list().then_some(&held.repeats[..]);
                match kind {
                    Kind::Text | Kind::Json | Kind::Jsons | Kind::Texts => {
                        column.typed::<ByteArrayType>().write_batch(&held.texts, levels, repeats)?;
                    }
                    Kind::Whole => {
                        column.typed::<Int64Type>().write_batch(&held.longs, levels, repeats)?;
                    }
                    Kind::Wholes => {
                        column.typed::<Int32Type>().write_batch(&held.shorts, levels, repeats)?;
                    }
                    Kind::Truth | Kind::Truths => {
                        column.typed::<BoolType>().write_batch(&held.truths, levels, repeats)?;
                    }
                }
                column.close()?;
            }
            group.close()
        })();
        written.map(drop).map_err(|error| Error::table(&self.path, error))
    }

    /// Ends the table and gives back what it was written to; without this the file cannot be read.
    pub(crate) fn finish(mut self) -> Result<W, Error> {
        self.flush()?;
        self.writer.into_inner().map_err(|error| Error::table(&self.path, error))
    }
}
