//! JSON in the middle of text.

use serde_json::value::RawValue;
use tw_artifact::{Json, Map};

use super::Broken;

/// The JSON value at the beginning of `text`, as its source text, and the bytes up to its end.
pub(super) fn value_at(text: &str) -> Option<(&str, usize)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let value = values.next()?.ok()?.get();
    Some((value, values.byte_offset()))
}

/// The string at the beginning of `text`, and what follows it.
fn string_at(text: &str) -> Option<(String, &str)> {
    if !text.starts_with('"') {
        return None;
    }
    let (source, length) = value_at(text)?;
    Some((serde_json::from_str(source).ok()?, &text[length..]))
}

/// `rest` behind `token`, with whitespace around it passed over.
fn after<'a>(rest: &'a str, token: &str) -> Option<&'a str> {
    Some(rest.trim_start().strip_prefix(token)?.trim_start())
}

/// A call's name and what follows from its arguments on, in an object that is not valid JSON as a whole. The name must
/// come first, or right behind Llama's `"type"`.
pub(super) fn broken_call(text: &str) -> Option<(String, &str)> {
    let (mut key, mut rest) = string_at(after(text, "{")?)?;
    if key == "type" {
        let (_, behind) = string_at(after(rest, ":")?)?;
        (key, rest) = string_at(after(behind, ",")?)?;
    }
    if key != "name" {
        return None;
    }
    let (name, rest) = string_at(after(rest, ":")?)?;
    let (key, rest) = string_at(after(rest, ",")?)?;
    if !is_arguments_key(&key) {
        return None;
    }
    Some((name, after(rest, ":")?))
}

pub(super) fn is_arguments_key(key: &str) -> bool {
    matches!(key, "arguments" | "parameters")
}

/// A call's fields from a whole object; `None` when it does not look like a call.
pub(super) struct CallObject {
    pub(super) id: Option<String>,
    pub(super) name: String,
    pub(super) arguments: Result<Json, Broken>,
    /// Whether it has fields that calls do not have.
    pub(super) has_others: bool,
    /// Whether it has arguments at all.
    pub(super) has_arguments: bool,
}

pub(super) fn call_object(source: &str) -> Option<CallObject> {
    let Ok(Json::Object(fields)) = Json::parse(source) else {
        return None;
    };
    let name = fields.get("name").and_then(Json::as_str)?.to_owned();
    if name.is_empty() {
        return None;
    }
    let id = fields.get("id").and_then(Json::as_str).filter(|id| !id.is_empty()).map(str::to_owned);
    let arguments = fields.iter().find(|(key, _)| is_arguments_key(key)).map(|(_, value)| value);
    let has_others = fields.keys().any(|key| !is_arguments_key(key) && !matches!(key.as_str(), "name" | "type" | "id"));
    let has_arguments = arguments.is_some();
    Some(CallObject { id, name, arguments: read_arguments(arguments), has_others, has_arguments })
}

/// Arguments as an object. A string that holds one counts, as on the OpenAI wire; none at all is `{}`.
fn read_arguments(value: Option<&Json>) -> Result<Json, Broken> {
    match value {
        Some(object @ Json::Object(_)) => Ok(object.clone()),
        None | Some(Json::Null) => Ok(Map::new().into()),
        Some(Json::String(text)) => arguments_text(text),
        Some(other) => Err(Broken { why: "the arguments are not a JSON object".to_owned(), text: other.to_text() }),
    }
}

/// Arguments from their own text.
pub(super) fn arguments_text(text: &str) -> Result<Json, Broken> {
    let why = match Json::parse(text) {
        Ok(object @ Json::Object(_)) => return Ok(object),
        Ok(_) => "the arguments are not a JSON object".to_owned(),
        Err(error) => format!("the arguments are not valid JSON: {error}"),
    };
    Err(Broken { why, text: text.to_owned() })
}
