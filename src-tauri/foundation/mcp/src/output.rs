//! What a tool gave.

use serde_json::{Map, Value};
use tw_artifact::{Json, OutputPart};

/// The result of a call, as the server gave it. Files that it only links to are read in (see the rules in
/// `linked.rs`) and stand right after the part that links to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallOutput {
    /// Its parts, in order.
    pub parts: Vec<OutputPart>,
    /// `structuredContent`, as it was.
    pub structured: Option<Json>,
    /// Whether the tool says that it failed.
    pub is_error: bool,
}

/// Reads the result of `tools/call`. Numbers inside come from `serde_json`: integers of 64 bits and doubles.
///
/// # Errors
/// In words, when it has nothing that a result has.
pub(crate) fn read_output(result: Value) -> Result<CallOutput, String> {
    let Value::Object(mut result) = result else {
        return Err("the result of a tool call is not an object".to_owned());
    };
    let content = result.remove("content");
    let structured = result.remove("structuredContent").map(Json::from);
    let is_error = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
    let blocks = match content {
        Some(Value::Array(blocks)) => blocks,
        None if structured.is_some() => Vec::new(),
        _ => return Err("the result of a tool call has no content".to_owned()),
    };
    let mut parts: Vec<OutputPart> = blocks.into_iter().map(read_part).collect();
    // A server should repeat structured content as text. Where it does not, the model would see nothing.
    if let (true, Some(structured)) = (parts.is_empty(), &structured) {
        parts.push(OutputPart::Text { text: structured.to_text() });
    }
    Ok(CallOutput { parts, structured, is_error })
}

fn read_part(block: Value) -> OutputPart {
    let Value::Object(mut block) = block else {
        return OutputPart::Other { json: Json::from(block) };
    };
    let part = match block.get("type").and_then(Value::as_str) {
        Some("text") => take_text(&mut block, "text").map(|text| OutputPart::Text { text }),
        Some("image" | "audio") => take_media(&mut block, "data"),
        Some("resource") => read_resource(&mut block),
        _ => None,
    };
    part.unwrap_or_else(|| OutputPart::Other { json: Json::from(Value::Object(block)) })
}

/// A file inside the result: its text, or its bytes as a picture or sound where they are one.
fn read_resource(block: &mut Map<String, Value>) -> Option<OutputPart> {
    let resource = block.get_mut("resource")?.as_object_mut()?;
    let path = resource.get("uri")?.as_str()?.to_owned();
    if let Some(text) = take_text(resource, "text") {
        return Some(OutputPart::LinkedFile { path, text });
    }
    let mime = resource.get("mimeType")?.as_str()?;
    if mime.starts_with("image/") || mime.starts_with("audio/") { take_media(resource, "blob") } else { None }
}

fn take_media(block: &mut Map<String, Value>, key: &str) -> Option<OutputPart> {
    let mime = block.get("mimeType")?.as_str()?.to_owned();
    Some(OutputPart::Media { mime, data: take_text(block, key)? })
}

/// Moves the text out, since it may be large; leaves the block as it is when there is none.
fn take_text(block: &mut Map<String, Value>, key: &str) -> Option<String> {
    match block.get_mut(key)? {
        Value::String(text) => Some(std::mem::take(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_part_is_kept() {
        let odd = json!({"type": "hologram", "data": [1, 2]});
        let link = json!({"type": "resource_link", "uri": "file:///a", "name": "a"});
        let output = read_output(json!({
            "content": [
                {"type": "text", "text": "hello"},
                {"type": "image", "mimeType": "image/png", "data": "aGk="},
                {"type": "resource", "resource": {"uri": "file:///x.txt", "text": "inside"}},
                {"type": "resource", "resource": {"uri": "file:///x.png", "mimeType": "image/png", "blob": "aGk="}},
                odd, link, "bare",
            ],
            "structuredContent": {"b": 1, "a": 2.5},
            "isError": true,
        }))
        .unwrap();
        let media = OutputPart::Media { mime: "image/png".to_owned(), data: "aGk=".to_owned() };
        assert_eq!(
            output.parts,
            [
                OutputPart::Text { text: "hello".to_owned() },
                media.clone(),
                OutputPart::LinkedFile { path: "file:///x.txt".to_owned(), text: "inside".to_owned() },
                media,
                OutputPart::Other { json: Json::from(odd) },
                OutputPart::Other { json: Json::from(link) },
                OutputPart::Other { json: "bare".into() },
            ]
        );
        assert_eq!(output.structured.unwrap().to_text(), r#"{"b":1,"a":2.5}"#);
        assert!(output.is_error);
    }

    #[test]
    fn structured_content_alone_is_shown_as_text() {
        let output = read_output(json!({"structuredContent": {"a": 1}})).unwrap();
        assert_eq!(output.parts, [OutputPart::Text { text: r#"{"a":1}"#.to_owned() }]);
    }

    #[test]
    fn a_result_without_content_is_an_error() {
        assert!(read_output(json!({})).is_err());
        assert!(read_output(json!("text")).is_err());
    }
}
