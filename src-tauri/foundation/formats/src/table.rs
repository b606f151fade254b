//! Parquet tables of rows. Messages and tools stand in lists of JSON texts (`datasets`' `List(Json())`), so that no
//! two schemas are merged into one and no gap is filled with `null`.

use std::fmt;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use indexmap::IndexMap;
use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::reader::{ReaderIter, TreeBuilder};
use parquet::record::{Field, Row};
use parquet::schema::types::{Type, TypePtr};
use tw_artifact::{Json, Map};

use crate::loss::Losses;
use crate::{FormatTrace, Loss, WriteError, rows};

/// Rows that are held before they are written together.
const GROUP_ROWS: usize = 1_000;
/// Bytes that are held before they are written together, about.
const GROUP_BYTES: usize = 32 << 20;

/// A Parquet file that is read row by row.
pub(crate) struct Table {
    reader: Box<dyn FileReader>,
    group: usize,
    rows: Option<ReaderIter>,
    /// The row that was read last, from 1.
    row: u64,
    bytes: u64,
    broken: bool,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("row", &self.row).finish_non_exhaustive()
    }
}

/// Runs the Parquet library, which gives up on some broken files by a panic.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("the Parquet data is broken".to_owned()))
}

impl Table {
    pub(crate) fn open(source: impl ChunkReader + 'static) -> Result<Self, String> {
        let reader = guarded(|| {
            SerializedFileReader::new(source)
                .map_err(|error| format!("it is not a Parquet file that can be read: {error}"))
        })?;
        Ok(Self { reader: Box::new(reader), group: 0, rows: None, row: 0, bytes: 0, broken: false })
    }

    pub(crate) const fn bytes_read(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn total_rows(&self) -> u64 {
        u64::try_from(self.reader.metadata().file_metadata().num_rows()).unwrap_or_default()
    }

    pub(crate) fn column_names(&self) -> Vec<String> {
        let schema = self.reader.metadata().file_metadata().schema();
        schema.get_fields().iter().map(|field| field.name().to_owned()).collect()
    }

    /// Leaves out rows; whole row groups without reading them.
    pub(crate) fn skip(&mut self, mut rows: u64) {
        while rows > 0 && self.rows.is_none() {
            let Some(group) = self.reader.metadata().row_groups().get(self.group) else { return };
            let here = u64::try_from(group.num_rows()).unwrap_or_default();
            if here > rows {
                break;
            }
            self.group += 1;
            self.row += here;
            rows -= here;
        }
        for _ in 0..rows {
            if self.next_row().is_none() {
                return;
            }
        }
    }

    /// The next row's number, from 1, and the row. A row group that breaks off is left for the next one.
    pub(crate) fn next_row(&mut self) -> Option<(u64, Result<Json, String>)> {
        if self.broken {
            return None;
        }
        loop {
            if self.rows.is_none() {
                let groups = self.reader.metadata().row_groups();
                let compressed = groups.get(self.group)?.compressed_size();
                let group = self.group;
                self.group += 1;
                let reader = &self.reader;
                let schema = reader.metadata().file_metadata().schema_descr_ptr();
                let opened = guarded(|| {
                    let group = reader.get_row_group(group).map_err(|error| error.to_string())?;
                    TreeBuilder::new().as_iter(schema, group.as_ref()).map_err(|error| error.to_string())
                });
                self.bytes += u64::try_from(compressed).unwrap_or_default();
                match opened {
                    Ok(rows) => self.rows = Some(rows),
                    Err(reason) => return Some((self.row + 1, Err(format!("row group {}: {reason}", group + 1)))),
                }
            }
            let rows = self.rows.as_mut()?;
            let next = guarded(|| rows.next().transpose().map_err(|error| error.to_string()));
            match next {
                Ok(None) => self.rows = None,
                Ok(Some(row)) => {
                    self.row += 1;
                    let schema = self.reader.metadata().file_metadata().schema();
                    return Some((self.row, row_to_json(row, Some(schema), true)));
                }
                Err(reason) => {
                    // The group's columns are no longer in step.
                    self.rows = None;
                    return Some((self.row + 1, Err(format!("the rest of row group {}: {reason}", self.group))));
                }
            }
        }
    }
}

fn is_json(kind: &Type) -> bool {
    kind.is_primitive()
        && (kind.get_basic_info().logical_type_ref() == Some(&LogicalType::Json)
            || kind.get_basic_info().converted_type() == ConvertedType::JSON)
}

fn child<'a>(group: &'a Type, name: &str) -> Option<&'a TypePtr> {
    if group.is_primitive() { None } else { group.get_fields().iter().find(|field| field.name() == name) }
}

/// The type of a list's elements: below the repeated group, or the repeated field itself in the older layouts.
fn element(list: &Type) -> Option<&TypePtr> {
    if list.is_primitive() {
        return None;
    }
    let repeated = list.get_fields().first()?;
    if repeated.is_primitive() { Some(repeated) } else { repeated.get_fields().first() }
}

fn row_to_json(row: Row, schema: Option<&Type>, top: bool) -> Result<Json, String> {
    let mut map = Map::new();
    for (name, field) in row.into_columns() {
        // Below the top a `null` is a gap that a shared schema made.
        if !top && matches!(field, Field::Null) {
            continue;
        }
        let kind = schema.and_then(|it| child(it, &name)).map(Arc::as_ref);
        let value = to_json(field, kind).map_err(|error| format!("column \"{name}\": {error}"))?;
        map.insert(name, value);
    }
    Ok(map.into())
}

fn number(text: &str) -> Json {
    // What is no number in JSON (infinities) has no value there.
    Json::parse(text).unwrap_or_default()
}

fn to_json(field: Field, kind: Option<&Type>) -> Result<Json, String> {
    Ok(match field {
        Field::Null => Json::Null,
        Field::Bool(value) => value.into(),
        Field::Byte(value) => i64::from(value).into(),
        Field::Short(value) => i64::from(value).into(),
        Field::Int(value) | Field::Date(value) | Field::TimeMillis(value) => i64::from(value).into(),
        Field::Long(value) | Field::TimeMicros(value) | Field::TimestampMillis(value) => value.into(),
        Field::TimestampMicros(value) => (value / 1000).into(),
        Field::UByte(value) => i64::from(value).into(),
        Field::UShort(value) => i64::from(value).into(),
        Field::UInt(value) => i64::from(value).into(),
        Field::ULong(value) => number(&value.to_string()),
        Field::Float16(value) => number(&value.to_string()),
        Field::Float(value) => number(&format!("{value:?}")),
        Field::Double(value) => number(&format!("{value:?}")),
        Field::Decimal(_) => return Err("it holds decimal numbers, which no row format has".to_owned()),
        Field::Bytes(bytes) => match bytes.as_utf8() {
            Ok(text) => text.into(),
            Err(_) => return Err("it holds bytes that are no text".to_owned()),
        },
        Field::Str(text) if kind.is_some_and(is_json) => match Json::parse(&text) {
            Ok(json) => json,
            Err(error) => return Err(format!("it holds what is not JSON: {error}")),
        },
        Field::Str(text) => text.into(),
        Field::Group(row) => row_to_json(row, kind, false)?,
        Field::ListInternal(list) => {
            let kind = kind.and_then(element).map(Arc::as_ref);
            let items = list.elements().iter().map(|item| to_json(item.clone(), kind)).collect::<Result<_, _>>()?;
            Json::Array(items)
        }
        Field::MapInternal(map) => {
            let mut out = Map::new();
            for (key, value) in map.entries() {
                let key = match key {
                    Field::Str(text) => text.clone(),
                    other => other.to_string(),
                };
                out.insert(key, to_json(value.clone(), None)?);
            }
            out.into()
        }
    })
}

/// What one column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Whole,
    Truth,
    /// A list of JSON texts.
    List,
    /// JSON text.
    Json,
}

impl Kind {
    fn of(value: &Json) -> Option<Self> {
        Some(match value {
            Json::Null => return None,
            Json::String(_) => Self::Text,
            Json::Bool(_) => Self::Truth,
            Json::Number(number) if number.as_i64().is_some_and(|it| it.to_string() == number.as_str()) => Self::Whole,
            Json::Array(_) => Self::List,
            Json::Number(_) | Json::Object(_) => Self::Json,
        })
    }

    fn feature(self) -> Json {
        let object = |fields: &[(&str, Json)]| {
            Json::Object(fields.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
        };
        let value = |dtype: &str| object(&[("dtype", dtype.into()), ("_type", "Value".into())]);
        let json = object(&[("_type", "Json".into())]);
        match self {
            Self::Text => value("string"),
            Self::Whole => value("int64"),
            Self::Truth => value("bool"),
            Self::List => object(&[("feature", json), ("_type", "List".into())]),
            Self::Json => json,
        }
    }

    fn schema(self, name: &str) -> Result<Type, parquet::errors::ParquetError> {
        let leaf = |name: &str, physical, logical| {
            Type::primitive_type_builder(name, physical)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(logical)
                .build()
        };
        match self {
            Self::Text => leaf(name, Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Self::Whole => leaf(name, Physical::INT64, None),
            Self::Truth => leaf(name, Physical::BOOLEAN, None),
            Self::Json => leaf(name, Physical::BYTE_ARRAY, Some(LogicalType::Json)),
            Self::List => {
                let element = leaf("element", Physical::BYTE_ARRAY, Some(LogicalType::Json))?;
                let list = Type::group_type_builder("list")
                    .with_repetition(Repetition::REPEATED)
                    .with_fields(vec![Arc::new(element)])
                    .build()?;
                Type::group_type_builder(name)
                    .with_repetition(Repetition::OPTIONAL)
                    .with_logical_type(Some(LogicalType::List))
                    .with_fields(vec![Arc::new(list)])
                    .build()
            }
        }
    }
}

/// The columns of a table: gathered over all traces before the first is written.
#[derive(Clone, Debug, Default)]
pub struct Columns(IndexMap<String, Option<Kind>>);

impl Columns {
    /// Makes room for what this trace's row has.
    pub fn add(&mut self, trace: &FormatTrace) {
        self.add_row(&row_of(trace, &mut Losses::default()));
    }

    fn add_row(&mut self, row: &Json) {
        for (name, value) in row.as_object().into_iter().flatten() {
            let known = self.0.entry(name.clone()).or_default();
            *known = match (*known, Kind::of(value)) {
                (Some(a), Some(b)) if a != b => Some(Kind::Json),
                (a, b) => a.or(b),
            };
        }
    }
}

fn row_of(trace: &FormatTrace, losses: &mut Losses) -> Json {
    rows::write(rows::inner_format(trace), crate::Format::Parquet, trace, losses)
}

/// Writes a Parquet table row by row.
pub struct TableWriter<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: IndexMap<String, Kind>,
    held: Vec<Map>,
    held_bytes: usize,
}

impl<W: Write + Send> fmt::Debug for TableWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableWriter").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl<W: Write + Send> TableWriter<W> {
    /// Begins a table with these columns.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn new(out: W, columns: &Columns) -> Result<Self, WriteError> {
        let columns: IndexMap<String, Kind> =
            columns.0.iter().map(|(name, kind)| (name.clone(), kind.unwrap_or(Kind::Text))).collect();
        let fields = columns.iter().map(|(name, kind)| kind.schema(name).map(Arc::new)).collect::<Result<_, _>>()?;
        let schema = Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?);
        let features = columns.iter().map(|(name, kind)| (name.clone(), kind.feature())).collect::<Map>();
        let info = Map::from([("features".to_owned(), Json::Object(features))]);
        let told = Json::Object(Map::from([("info".to_owned(), Json::Object(info))]));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_key_value_metadata(Some(vec![KeyValue::new("huggingface".to_owned(), told.to_text())]))
            .build();
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
        Ok(Self { writer, columns, held: Vec::new(), held_bytes: 0 })
    }

    /// Adds a row, and says what it cannot hold of the trace.
    ///
    /// # Errors
    /// The file cannot be written, or the row has a column that the table was not begun with.
    pub fn add(&mut self, trace: &FormatTrace) -> Result<Vec<Loss>, WriteError> {
        let mut losses = Losses::default();
        let Json::Object(row) = row_of(trace, &mut losses) else { return Ok(losses.finish()) };
        for (name, value) in &row {
            let known = self.columns.get(name);
            if known.is_none_or(|kind| *kind != Kind::Json && Kind::of(value).is_some_and(|own| own != *kind)) {
                return Err(WriteError::UnknownColumn(name.clone()));
            }
        }
        self.held_bytes += row.values().map(|value| value.to_text().len()).sum::<usize>();
        self.held.push(row);
        if self.held.len() >= GROUP_ROWS || self.held_bytes >= GROUP_BYTES {
            self.flush()?;
        }
        Ok(losses.finish())
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let rows = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        if rows.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for (name, kind) in &self.columns {
            let values: Vec<&Json> = rows.iter().map(|row| row.get(name).unwrap_or(&Json::Null)).collect();
            let Some(mut column) = group.next_column()? else { break };
            let levels: Vec<i16> = values.iter().map(|value| i16::from(!value.is_null())).collect();
            match kind {
                Kind::Whole => {
                    let known: Vec<i64> = values.iter().filter_map(|value| value.as_i64()).collect();
                    column.typed::<Int64Type>().write_batch(&known, Some(&levels), None)?;
                }
                Kind::Truth => {
                    let known: Vec<bool> = values.iter().filter_map(|value| value.as_bool()).collect();
                    column.typed::<BoolType>().write_batch(&known, Some(&levels), None)?;
                }
                Kind::Text => {
                    let known: Vec<ByteArray> =
                        values.iter().filter_map(|value| value.as_str()).map(ByteArray::from).collect();
                    column.typed::<ByteArrayType>().write_batch(&known, Some(&levels), None)?;
                }
                Kind::Json => {
                    let texts = values.iter().filter(|value| !value.is_null());
                    let known: Vec<ByteArray> =
                        texts.map(|value| ByteArray::from(value.to_text().into_bytes())).collect();
                    column.typed::<ByteArrayType>().write_batch(&known, Some(&levels), None)?;
                }
                Kind::List => {
                    let (known, levels, repeats) = shred(&values);
                    column.typed::<ByteArrayType>().write_batch(&known, Some(&levels), Some(&repeats))?;
                }
            }
            column.close()?;
        }
        group.close()?;
        Ok(())
    }

    /// Ends the table; without this the file cannot be read.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(mut self) -> Result<(), WriteError> {
        self.flush()?;
        self.writer.close()?;
        Ok(())
    }
}

/// Lists as Parquet stores them: the elements, how deep each is defined (0 no list, 1 an empty one, 3 an element), and
/// whether it goes on with the list before.
fn shred(values: &[&Json]) -> (Vec<ByteArray>, Vec<i16>, Vec<i16>) {
    let (mut known, mut levels, mut repeats) = (Vec::new(), Vec::new(), Vec::new());
    for value in values {
        match value.as_array() {
            None => {
                levels.push(0);
                repeats.push(0);
            }
            Some([]) => {
                levels.push(1);
                repeats.push(0);
            }
            Some(items) => {
                for (index, item) in items.iter().enumerate() {
                    // A JSON text says `null` itself.
                    known.push(ByteArray::from(item.to_text().into_bytes()));
                    levels.push(3);
                    repeats.push(i16::from(index > 0));
                }
            }
        }
    }
    (known, levels, repeats)
}
