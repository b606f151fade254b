//! The texts of a message, and places in them.

use tw_artifact::{Json, Message, Role, TextField};

use crate::EditError;

/// The text of a field as the editor shows it.
///
/// # Errors
/// The message has no such field, or its content is not one text.
pub(crate) fn text_of(message: &Message, field: TextField) -> Result<String, EditError> {
    match field {
        TextField::Content => match message.fields().get("content") {
            None | Some(Json::Null) => Ok(String::new()),
            Some(Json::String(text)) => Ok(text.clone()),
            Some(Json::Array(parts)) => match only_text(parts) {
                Some((_, text)) => Ok(text.to_owned()),
                None => Err(EditError::Parts),
            },
            Some(_) => Err(EditError::Parts),
        },
        TextField::Reasoning if message.role() != Role::Assistant => {
            Err(EditError::NoField { role: message.role(), field })
        }
        TextField::Reasoning => Ok(field.text_in(message).unwrap_or_default()),
        TextField::Arguments { call } => field.text_in(message).ok_or(EditError::NoCall(call)),
    }
}

/// The message with another content or reasoning.
///
/// # Errors
/// As [`text_of`]; arguments are not set as text.
pub(crate) fn with_text(message: Message, field: TextField, text: &str) -> Result<Message, EditError> {
    let role = message.role();
    match field {
        TextField::Content => match message.fields().get("content") {
            None | Some(Json::Null | Json::String(_)) => Ok(message.with_field("content", text.into())),
            Some(Json::Array(parts)) => {
                let (place, _) = only_text(parts).ok_or(EditError::Parts)?;
                let mut parts = parts.clone();
                if let Some(Json::Object(part)) = parts.get_mut(place) {
                    part.insert("text".to_owned(), text.into());
                }
                Ok(message.with_field("content", Json::Array(parts)))
            }
            Some(_) => Err(EditError::Parts),
        },
        TextField::Reasoning if role == Role::Assistant => Ok(message.with_reasoning(text)),
        TextField::Reasoning | TextField::Arguments { .. } => Err(EditError::NoField { role, field }),
    }
}

/// The one part that has text, when there is exactly one.
fn only_text(parts: &[Json]) -> Option<(usize, &str)> {
    let mut texts =
        parts.iter().enumerate().filter_map(|(place, part)| Some((place, part.get("text").and_then(Json::as_str)?)));
    let first = texts.next()?;
    texts.next().is_none().then_some(first)
}

/// How many characters a text has.
pub(crate) fn length(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// The byte at which a character begins; the end for the place after the last.
///
/// # Errors
/// The place lies outside of the text.
pub(crate) fn byte_at(text: &str, place: u32) -> Result<usize, EditError> {
    let mut left = place;
    for (byte, _) in text.char_indices() {
        if left == 0 {
            return Ok(byte);
        }
        left -= 1;
    }
    if left == 0 { Ok(text.len()) } else { Err(EditError::Outside { length: length(text) }) }
}
