//! The texts in a Parquet table, whatever its columns: looked at one by one, or replaced in a copy that is otherwise the
//! same (schema, levels, metadata).

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};

use crate::table::guarded;

/// A text in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextCell<'a> {
    /// Its row, from 0.
    pub row: u64,
    /// Its column, without the names that lists have inside: `messages`, `messages.content`.
    pub column: &'a str,
    /// Its place, where the column is in a list.
    pub item: Option<u32>,
    /// The text.
    pub text: &'a str,
}

/// One column of a row group: its values, how deep each is defined, and whether it goes on with the list before.
struct Column<T> {
    values: Vec<T>,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

fn read_column<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    levels: (i16, i16),
) -> Result<Column<T::T>, ParquetError> {
    let mut column = Column { values: Vec::new(), definitions: Vec::new(), repetitions: Vec::new() };
    let mut left = rows;
    while left > 0 {
        let definitions = (levels.0 > 0).then_some(&mut column.definitions);
        let repetitions = (levels.1 > 0).then_some(&mut column.repetitions);
        let (records, _, _) = reader.read_records(left, definitions, repetitions, &mut column.values)?;
        if records == 0 {
            break;
        }
        left -= records;
    }
    Ok(column)
}

impl<T> Column<T> {
    fn write<D: DataType<T = T>>(
        &self,
        mut writer: SerializedColumnWriter<'_>,
        levels: (i16, i16),
    ) -> Result<(), ParquetError> {
        let definitions = (levels.0 > 0).then_some(self.definitions.as_slice());
        let repetitions = (levels.1 > 0).then_some(self.repetitions.as_slice());
        writer.typed::<D>().write_batch(&self.values, definitions, repetitions)?;
        writer.close()
    }
}

/// Goes over the texts of a column; what `change` gives takes a text's place. Bytes that are no text are left.
fn change_texts(
    column: &mut Column<ByteArray>,
    name: &str,
    first_row: u64,
    levels: (i16, i16),
    change: &mut dyn FnMut(TextCell<'_>) -> Option<String>,
) {
    let (mut row, mut item, mut value) = (first_row, 0_u32, 0);
    let places = if levels.0 > 0 { column.definitions.len() } else { column.values.len() };
    for place in 0..places {
        let goes_on = column.repetitions.get(place).is_some_and(|level| *level > 0);
        if goes_on {
            item += 1;
        } else if place > 0 {
            row += 1;
            item = 0;
        }
        let is_there = column.definitions.get(place).is_none_or(|level| *level == levels.0);
        if !is_there {
            continue;
        }
        if let Some(bytes) = column.values.get_mut(value)
            && let Ok(text) = bytes.as_utf8()
        {
            let cell = TextCell { row, column: name, item: (levels.1 > 0).then_some(item), text };
            if let Some(new) = change(cell) {
                *bytes = ByteArray::from(new.into_bytes());
            }
        }
        value += 1;
    }
}

/// `messages.list.element.content` as people say it: `messages.content`.
fn plain_name(parts: &[String]) -> String {
    let mut name: Vec<&str> = Vec::with_capacity(parts.len());
    let mut at = 0;
    while at < parts.len() {
        let is_list = parts[at] == "list" && parts.get(at + 1).is_some_and(|next| next == "element" || next == "item");
        if at > 0 && is_list {
            at += 2;
        } else {
            name.push(&parts[at]);
            at += 1;
        }
    }
    name.join(".")
}

type Target = SerializedFileWriter<BufWriter<File>>;

/// Looks at every text of a table; `false` ends it. Gives how many rows it has.
///
/// # Errors
/// It cannot be read, in words.
pub fn each_text(path: &Path, visit: &mut dyn FnMut(TextCell<'_>) -> bool) -> Result<u64, String> {
    let mut goes_on = true;
    go_over(path, None, &mut |cell| {
        goes_on = goes_on && visit(cell);
        None
    })
}

/// Writes a copy of a table in which `change` has replaced texts. The same input gives the same bytes.
///
/// # Errors
/// It cannot be read or written, in words.
pub fn rewrite_texts(
    path: &Path,
    out: &Path,
    change: &mut dyn FnMut(TextCell<'_>) -> Option<String>,
) -> Result<u64, String> {
    go_over(path, Some(out), change)
}

fn go_over(
    path: &Path,
    out: Option<&Path>,
    change: &mut dyn FnMut(TextCell<'_>) -> Option<String>,
) -> Result<u64, String> {
    let failed = |error: ParquetError| error.to_string();
    let file = File::open(path).map_err(|error| format!("it cannot be opened: {error}"))?;
    guarded(|| {
        let reader = SerializedFileReader::new(file).map_err(failed)?;
        let about = reader.metadata().file_metadata();
        let schema = about.schema_descr_ptr();
        let mut writer: Option<Target> = match out {
            None => None,
            Some(out) => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .set_key_value_metadata(about.key_value_metadata().cloned())
                    .build();
                let file =
                    File::create(out).map_err(|error| format!("{} cannot be written: {error}", out.display()))?;
                let writer =
                    SerializedFileWriter::new(BufWriter::new(file), schema.root_schema_ptr(), Arc::new(properties));
                Some(writer.map_err(failed)?)
            }
        };
        let mut first_row = 0_u64;
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group).map_err(failed)?;
            let rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
            let mut target = match &mut writer {
                None => None,
                Some(writer) => Some(writer.next_row_group().map_err(failed)?),
            };
            for place in 0..group.num_columns() {
                let kind = schema.column(place);
                let levels = (kind.max_def_level(), kind.max_rep_level());
                let name = plain_name(kind.path().parts());
                let into = match &mut target {
                    None => None,
                    Some(target) => target.next_column().map_err(failed)?,
                };
                macro_rules! copy {
                    ($reader:ident as $kind:ty) => {
                        if let Some(into) = into {
                            let column = read_column(&mut $reader, rows, levels).map_err(failed)?;
                            column.write::<$kind>(into, levels).map_err(failed)?;
                        }
                    };
                }
                match group.get_column_reader(place).map_err(failed)? {
                    ColumnReader::ByteArrayColumnReader(mut reader) => {
                        let mut column = read_column(&mut reader, rows, levels).map_err(failed)?;
                        change_texts(&mut column, &name, first_row, levels, change);
                        if let Some(into) = into {
                            column.write::<parquet::data_type::ByteArrayType>(into, levels).map_err(failed)?;
                        }
                    }
                    ColumnReader::BoolColumnReader(mut reader) => copy!(reader as parquet::data_type::BoolType),
                    ColumnReader::Int32ColumnReader(mut reader) => copy!(reader as parquet::data_type::Int32Type),
                    ColumnReader::Int64ColumnReader(mut reader) => copy!(reader as parquet::data_type::Int64Type),
                    ColumnReader::Int96ColumnReader(mut reader) => copy!(reader as parquet::data_type::Int96Type),
                    ColumnReader::FloatColumnReader(mut reader) => copy!(reader as parquet::data_type::FloatType),
                    ColumnReader::DoubleColumnReader(mut reader) => copy!(reader as parquet::data_type::DoubleType),
                    ColumnReader::FixedLenByteArrayColumnReader(mut reader) => {
                        copy!(reader as parquet::data_type::FixedLenByteArrayType);
                    }
                }
            }
            if let Some(target) = target {
                target.close().map_err(failed)?;
            }
            first_row += rows as u64;
        }
        if let Some(writer) = writer {
            writer.close().map_err(failed)?;
        }
        Ok(first_row)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tw_artifact::{Json, Message};

    use super::*;
    use crate::{Columns, FormatTrace, TableWriter};

    fn trace(number: usize) -> FormatTrace {
        let call = Message::tool_call("c", "go", Json::parse(r#"{"n":1.0}"#).unwrap());
        FormatTrace {
            messages: vec![
                Message::user(format!("Question {number}")).into(),
                Message::assistant("", None, vec![call]).into(),
            ],
            ..FormatTrace::default()
        }
    }

    fn table(path: &Path, rows: usize) {
        let mut columns = Columns::default();
        (0..rows).for_each(|number| columns.add(&trace(number)));
        let mut writer = TableWriter::new(File::create(path).unwrap(), &columns).unwrap();
        for number in 0..rows {
            writer.add(&trace(number)).unwrap();
        }
        writer.finish().unwrap();
    }

    fn texts(path: &Path) -> Vec<(u64, String, Option<u32>, String)> {
        let mut all = Vec::new();
        each_text(path, &mut |cell| {
            all.push((cell.row, cell.column.to_owned(), cell.item, cell.text.to_owned()));
            true
        })
        .unwrap();
        all.sort();
        all
    }

    #[test]
    fn every_text_is_seen_with_its_row_and_place() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("a.parquet");
        table(&path, 2_500);
        let all = texts(&path);
        let second: Vec<_> = all.iter().filter(|(row, ..)| *row == 2_001).collect();
        let messages: Vec<_> = second.iter().filter(|(_, column, ..)| column == "messages").collect();
        assert_eq!(messages.len(), 2, "{second:?}");
        assert_eq!(messages[0].2, Some(0));
        assert!(messages[0].3.contains("Question 2001"), "{messages:?}");
        assert_eq!(messages[1].2, Some(1));
        assert!(messages[1].3.contains("tool_calls"), "{messages:?}");
    }

    #[test]
    fn a_copy_differs_in_the_changed_texts_alone() {
        let dir = tempfile::TempDir::new().unwrap();
        let (path, copy, again) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
        table(&path, 1_500);
        let mut change = |cell: TextCell<'_>| {
            cell.text.contains("Question 1200").then(|| r#"{"role":"user","content":"x"}"#.to_owned())
        };
        assert_eq!(rewrite_texts(&path, &copy, &mut change).unwrap(), 1_500);
        rewrite_texts(&path, &again, &mut change).unwrap();
        assert_eq!(std::fs::read(&copy).unwrap(), std::fs::read(&again).unwrap(), "the same bytes each time");
        let (before, after) = (texts(&path), texts(&copy));
        let differ: Vec<_> = before.iter().filter(|cell| !after.contains(cell)).collect();
        assert_eq!(differ.len(), 1, "{differ:?}");
        let read = |path: &Path| crate::open(crate::Format::Parquet, path).unwrap().filter_map(Result::ok).count();
        assert_eq!(read(&copy), read(&path));
    }

    #[test]
    fn a_file_that_is_no_table_is_an_error() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("a.parquet");
        std::fs::write(&path, b"PAR1 nothing PAR1").unwrap();
        assert!(each_text(&path, &mut |_| true).is_err());
    }
}
