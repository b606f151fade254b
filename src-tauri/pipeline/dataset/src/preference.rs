//! Preference rows: what two traces share, and the better and the worse way to go on.

use std::path::Path;

use parquet::data_type::ByteArray;
use parquet::record::RowAccessor;
use tw_artifact::{Json, Message, Role, SplitName, ToolDefinition};

use crate::Error;
use crate::row::message_text;
use crate::source::{Prepared, Source, stamp};
use crate::stored::{each_record, texts};
use crate::table::{Cell, Kind};

pub(crate) const COLUMNS: [(&str, Kind); 10] = [
    ("id", Kind::Text),
    ("timestamp", Kind::Text),
    ("model", Kind::Text),
    ("prompt", Kind::Jsons),
    ("chosen", Kind::Jsons),
    ("rejected", Kind::Jsons),
    ("tools", Kind::Jsons),
    ("split", Kind::Text),
    ("tags", Kind::Texts),
    ("rating", Kind::Whole),
];

/// A pair as a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreferenceRow {
    /// `<chosen trace>_over_<rejected trace>`.
    pub id: String,
    /// When the better one was made.
    pub timestamp: String,
    /// The model that wrote the better one.
    pub model: String,
    /// What both share.
    pub prompt: Vec<Message>,
    /// How the better one goes on, to its last answer.
    pub chosen: Vec<Message>,
    /// How the other goes on, to its last answer.
    pub rejected: Vec<Message>,
    /// The tools of the better one.
    pub tools: Vec<ToolDefinition>,
    /// Its part.
    pub split: SplitName,
    /// Tags of the better one.
    pub tags: Vec<String>,
    /// Rating of the better one.
    pub rating: Option<u8>,
}

impl PreferenceRow {
    /// The row of a pair; `None` where one is the beginning of the other, or they part elsewhere than before an answer.
    #[must_use]
    pub fn of(chosen: (&Source, &Prepared), rejected: (&Source, &Prepared), split: SplitName) -> Option<Self> {
        let (source, better) = chosen;
        let worse = &rejected.1.messages;
        let better_messages = &better.messages;
        let shared = better_messages.iter().zip(worse).take_while(|(a, b)| a == b).count();
        let rest = |messages: &[Message]| -> Option<Vec<Message>> {
            let last = messages.iter().rposition(|it| it.role() == Role::Assistant)?;
            let rest = messages.get(shared..=last)?;
            rest.first().filter(|it| it.role() == Role::Assistant)?;
            Some(rest.to_vec())
        };
        Some(Self {
            id: format!("{}_over_{}", source.id, rejected.0.id),
            timestamp: stamp(source.timestamp_ms),
            model: source.model.clone(),
            prompt: better_messages[..shared].to_vec(),
            chosen: rest(better_messages)?,
            rejected: rest(worse)?,
            tools: better.tools.clone(),
            split,
            tags: source.tags.clone(),
            rating: source.rating,
        })
    }

    /// Its columns as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let messages = |messages: &[Message]| Json::Array(messages.iter().cloned().map(Json::from).collect());
        let fields: [(&str, Json); 10] = [
            ("id", self.id.as_str().into()),
            ("timestamp", self.timestamp.as_str().into()),
            ("model", self.model.as_str().into()),
            ("prompt", messages(&self.prompt)),
            ("chosen", messages(&self.chosen)),
            ("rejected", messages(&self.rejected)),
            ("tools", Json::Array(self.tools.iter().map(|tool| tool.0.clone()).collect())),
            ("split", self.split.as_str().into()),
            ("tags", Json::Array(self.tags.iter().map(|tag| tag.as_str().into()).collect())),
            ("rating", self.rating.map_or(Json::Null, |rating| i64::from(rating).into())),
        ];
        Json::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    pub(crate) fn cells(&self) -> Vec<Cell> {
        let bytes = |text: String| ByteArray::from(text.into_bytes());
        let messages = |messages: &[Message]| Cell::Texts(messages.iter().map(|it| bytes(message_text(it))).collect());
        vec![
            Cell::text(self.id.clone()),
            Cell::text(self.timestamp.clone()),
            Cell::text(self.model.clone()),
            messages(&self.prompt),
            messages(&self.chosen),
            messages(&self.rejected),
            Cell::Texts(self.tools.iter().map(|tool| bytes(tool.0.to_text())).collect()),
            Cell::text(self.split.as_str()),
            Cell::Texts(self.tags.iter().map(|tag| bytes(tag.clone())).collect()),
            self.rating.map_or(Cell::None, |rating| Cell::Whole(rating.into())),
        ]
    }
}

/// The file of a part's pairs.
pub(crate) fn file_name(split: SplitName) -> String {
    format!("preferences-{split}.parquet")
}

/// The preference rows of one part of the version in `folder`; none where it has none.
///
/// # Errors
/// The file cannot be read.
pub fn preferences(folder: &Path, split: SplitName) -> Result<Vec<PreferenceRow>, Error> {
    let path = folder.join(file_name(split));
    let mut rows = Vec::new();
    if !path.exists() {
        return Ok(rows);
    }
    each_record(&path, 0, &mut |record| {
        let read = || -> Result<PreferenceRow, String> {
            let text = |place: usize| record.get_string(place).cloned().map_err(|error| error.to_string());
            let jsons = |place: usize| -> Result<Vec<Json>, String> {
                let list = texts(&record, place)?;
                list.iter().map(|text| Json::parse(text).map_err(|error| error.to_string())).collect()
            };
            let messages = |place: usize| -> Result<Vec<Message>, String> {
                let list = jsons(place)?.into_iter();
                list.map(|json| Message::try_from(json).map_err(|error| error.to_string())).collect()
            };
            Ok(PreferenceRow {
                id: text(0)?,
                timestamp: text(1)?,
                model: text(2)?,
                prompt: messages(3)?,
                chosen: messages(4)?,
                rejected: messages(5)?,
                tools: jsons(6)?.into_iter().map(ToolDefinition).collect(),
                split,
                tags: texts(&record, 8)?,
                rating: record.get_long(9).ok().and_then(|it| u8::try_from(it).ok()),
            })
        };
        rows.push(read().map_err(|message| Error::Table { path: path.clone(), message })?);
        Ok(true)
    })?;
    Ok(rows)
}
