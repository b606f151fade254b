//! The index of a version: every row its traces became, also those that were left out, without their texts.

use std::path::Path;

use parquet::data_type::ByteArray;
use parquet::record::{Field, Row as Record, RowAccessor};
use tw_artifact::{DatasetFamily, DatasetWarningKind, FamilyRow, RowFate, SplitName, hex};

use crate::Error;
use crate::row::Row;
use crate::stored::{each_record, texts};
use crate::table::{Cell, Kind};

/// The index's file.
pub(crate) const FILE: &str = "rows.parquet";

pub(crate) const COLUMNS: [(&str, Kind); 17] = [
    ("id", Kind::Text),
    ("trace", Kind::Text),
    ("title", Kind::Text),
    ("revision", Kind::Whole),
    ("split", Kind::Text),
    ("by_hand", Kind::Truth),
    ("bound_to", Kind::Texts),
    // Its place in the file of its part; none of a row that was left out.
    ("number", Kind::Whole),
    ("fate", Kind::Text),
    ("parent", Kind::Whole),
    ("shared", Kind::Whole),
    ("messages", Kind::Whole),
    ("trained", Kind::Wholes),
    ("tokens", Kind::Whole),
    ("trained_tokens", Kind::Whole),
    ("warnings", Kind::Texts),
    ("hash", Kind::Text),
];

/// A row in the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexRow {
    /// The trace.
    pub trace_id: String,
    /// Its title.
    pub title: String,
    /// Its revision.
    pub revision: u32,
    /// Its part.
    pub split: SplitName,
    /// Whether a person chose that part.
    pub by_hand: bool,
    /// Traces that must go to the same part.
    pub bound_to: Vec<String>,
    /// Its place in the file of its part, from 0; `None` of a row that was left out.
    pub number: Option<u32>,
    /// As in its family.
    pub row: FamilyRow,
    /// Warnings about it.
    pub warnings: Vec<DatasetWarningKind>,
    /// Equal hashes mean equal rows.
    pub hash: String,
}

fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn bytes(text: String) -> ByteArray {
    ByteArray::from(text.into_bytes())
}

/// The cells of a row, in the order of [`COLUMNS`].
pub(crate) fn cells(family: &DatasetFamily, of: &FamilyRow, row: &Row, number: Option<u32>) -> Vec<Cell> {
    let whole = |value: Option<u32>| value.map_or(Cell::None, |value| Cell::Whole(value.into()));
    let warnings = row.warnings.iter().map(|(kind, _)| bytes(word(kind))).collect();
    vec![
        Cell::text(of.id.clone()),
        Cell::text(family.trace_id.clone()),
        Cell::text(family.title.clone()),
        Cell::Whole(family.revision.into()),
        Cell::text(family.split.as_str()),
        Cell::Truth(family.by_hand),
        Cell::Texts(family.bound_to.iter().map(|id| bytes(id.clone())).collect()),
        whole(number),
        Cell::text(word(&of.fate)),
        whole(of.parent),
        Cell::Whole(of.shared.into()),
        Cell::Whole(of.messages.into()),
        Cell::Wholes(of.trained.iter().map(|place| i32::try_from(*place).unwrap_or(i32::MAX)).collect()),
        Cell::Whole(of.tokens.into()),
        Cell::Whole(of.trained_tokens.into()),
        Cell::Texts(warnings),
        Cell::text(hex(row.hash)),
    ]
}

fn read(record: &Record) -> Result<IndexRow, String> {
    let text = |place: usize| record.get_string(place).cloned().map_err(|error| error.to_string());
    let maybe = |place: usize| record.get_long(place).ok().and_then(|it| u32::try_from(it).ok());
    let whole = |place: usize| maybe(place).unwrap_or_default();
    let fate: RowFate = serde_json::from_str(&text(8)?).map_err(|error| error.to_string())?;
    let trained = record.get_list(12).map_err(|error| error.to_string())?;
    let place = |field: &Field| match field {
        Field::Int(place) => u32::try_from(*place).ok(),
        _ => None,
    };
    let warnings: Vec<DatasetWarningKind> = texts(record, 15)?
        .iter()
        .map(|kind| serde_json::from_str(kind).map_err(|error| error.to_string()))
        .collect::<Result<_, _>>()?;
    Ok(IndexRow {
        trace_id: text(1)?,
        title: text(2)?,
        revision: whole(3),
        split: if text(4)? == SplitName::Validation.as_str() { SplitName::Validation } else { SplitName::Train },
        by_hand: record.get_bool(5).unwrap_or_default(),
        bound_to: texts(record, 6)?,
        number: maybe(7),
        row: FamilyRow {
            id: text(0)?,
            parent: maybe(9),
            shared: whole(10),
            messages: whole(11),
            trained: trained.elements().iter().filter_map(place).collect(),
            tokens: whole(13),
            trained_tokens: whole(14),
            warnings: u32::try_from(warnings.len()).unwrap_or(u32::MAX),
            fate,
        },
        warnings,
        hash: text(16)?,
    })
}

/// The index of the version in `folder`, in the order of its traces.
///
/// # Errors
/// The file cannot be read.
pub fn read_index(folder: &Path) -> Result<Vec<IndexRow>, Error> {
    let path = folder.join(FILE);
    let mut rows = Vec::new();
    each_record(&path, 0, &mut |record| {
        rows.push(read(&record).map_err(|message| Error::Table { path: path.clone(), message })?);
        Ok(true)
    })?;
    Ok(rows)
}

/// The families of an index.
#[must_use]
pub fn families(index: &[IndexRow]) -> Vec<DatasetFamily> {
    let mut families: Vec<DatasetFamily> = Vec::new();
    for row in index {
        if families.last().is_none_or(|family| family.trace_id != row.trace_id) {
            families.push(DatasetFamily {
                trace_id: row.trace_id.clone(),
                title: row.title.clone(),
                revision: row.revision,
                split: row.split,
                by_hand: row.by_hand,
                bound_to: row.bound_to.clone(),
                rows: Vec::new(),
            });
        }
        if let Some(family) = families.last_mut() {
            family.rows.push(row.row.clone());
        }
    }
    families
}
