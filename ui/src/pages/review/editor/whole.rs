//! A whole message as JSON: what may be written, and where what may not stands. Pure.

use tw_artifact::{Json, Message};

/// Why a text is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// In words.
    pub(crate) words: String,
    /// The byte of the text at which it is wrong, where that is known.
    pub(crate) at: Option<usize>,
}

/// Reads a message that takes the place of another. Every field may change but those that bind it to its neighbours.
///
/// # Errors
/// The text is no message, or one that cannot stand there.
pub(crate) fn read_whole(text: &str, before: &Message) -> Result<Message, Wrong> {
    if text.trim().is_empty() {
        return Err(Wrong { words: "A message is an object: {\"role\": ...}.".to_owned(), at: None });
    }
    let json: Json = serde_json::from_str(text).map_err(|error| {
        let words = error.to_string();
        let words = words.split(" at line ").next().unwrap_or_default();
        Wrong {
            words: format!("This is not JSON that can be kept: {words}."),
            at: Some(byte_of(text, error.line(), error.column())),
        }
    })?;
    let message = Message::try_from(json).map_err(|error| {
        let words = error.to_string();
        let mut letters = words.chars();
        let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        Wrong { words: format!("{first}{}.", letters.as_str()), at: key_place(text, "role") }
    })?;
    let bound = |what: &str, key: &str| Wrong {
        words: format!("{what} binds this turn to others and must stay as it is."),
        at: key_place(text, key),
    };
    let ids =
        |message: &Message| -> Vec<String> { message.tool_calls().iter().map(|call| call.id.to_owned()).collect() };
    if message.role() != before.role() {
        return Err(bound("The role", "role"));
    }
    if ids(&message) != ids(before) {
        return Err(bound("Which calls it makes, by their ids,", "tool_calls"));
    }
    if message.tool_call_id() != before.tool_call_id() {
        return Err(bound("The id of the call that it answers", "tool_call_id"));
    }
    if !matches!(message.fields().get("content"), None | Some(Json::Null | Json::String(_) | Json::Array(_))) {
        return Err(Wrong {
            words: "The content is a text or a list of parts.".to_owned(),
            at: key_place(text, "content"),
        });
    }
    Ok(message)
}

/// The line and the column of a byte, both from 1; columns count characters.
pub(crate) fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    let before = &text[..byte];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The byte of a place as the JSON reader tells it: lines from 1, columns in bytes, counted up to the byte that was read
/// last.
fn byte_of(text: &str, line: usize, column: usize) -> usize {
    let start = match line.checked_sub(2) {
        None => 0,
        Some(breaks) => text.match_indices('\n').nth(breaks).map_or(text.len(), |(at, _)| at + 1),
    };
    (start + column.saturating_sub(1)).min(text.len())
}

/// The byte at which a key of the outermost object stands. `text` is JSON.
fn key_place(text: &str, key: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let end = string_end(text, at);
                let is_key = text.get(end..).is_some_and(|after| after.trim_start().starts_with(':'));
                if depth == 1
                    && is_key
                    && Json::parse(&text[at..end]).ok().and_then(|it| it.as_str().map(|it| it == key)) == Some(true)
                {
                    return Some(at);
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The byte behind the string that begins at `start`.
fn string_end(text: &str, start: usize) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Message {
        let call = Message::tool_call("c1", "look", Json::parse(r#"{"at":"home"}"#).unwrap());
        Message::assistant("Done", Some("I look.".to_owned()), vec![call])
    }

    fn refusal(text: &str, before: &Message) -> (String, Option<(usize, usize)>) {
        let wrong = read_whole(text, before).unwrap_err();
        (wrong.words, wrong.at.map(|at| line_and_column(text, at)))
    }

    #[test]
    fn every_field_may_change_and_unknown_ones_stay_in_their_order() {
        let before = answer();
        let text = Json::from(before.clone()).to_pretty();
        assert_eq!(read_whole(&text, &before), Ok(before.clone()));
        let text = text.replace("\"Done\"", "\"Hübsch\"").replacen('{', "{\n  \"z\": 1e3,\n  \"a\": null,", 1);
        let read = read_whole(&text, &before).unwrap();
        assert_eq!(read.text(), "Hübsch");
        let keys: Vec<&str> = read.fields().keys().map(String::as_str).collect();
        assert_eq!(keys, ["z", "a", "role", "content", "reasoning_content", "tool_calls"]);
        assert!(Json::from(read).to_text().contains("\"z\":1e3"));
    }

    #[test]
    fn what_is_not_json_is_told_with_its_place() {
        let user = Message::user("hi");
        let (words, at) = refusal("{\n  \"role\": \"user\",\n  \"content\": \"é\" x\n}", &user);
        assert!(words.starts_with("This is not JSON") && !words.contains("line"), "{words}");
        assert_eq!(at, Some((3, 18)));
        let (_, at) = refusal("{\"role\": \"user\"", &user);
        assert_eq!(at.map(|(line, _)| line), Some(1));
        let (words, _) = refusal("{\"role\": \"user\", \"role\": \"user\"}", &user);
        assert!(words.contains("role"), "{words}");
        assert_eq!(refusal(" \n", &user).1, None);
    }

    #[test]
    fn what_binds_a_turn_to_others_stays_and_the_place_is_shown() {
        let text = |message: Message| Json::from(message).to_pretty();
        let before = answer();
        let (words, at) = refusal(&text(Message::user("x")), &before);
        assert!(words.contains("The role binds"), "{words}");
        assert_eq!(at, Some((2, 3)));
        let (words, at) = refusal(&text(before.clone()).replace("c1", "c2"), &before);
        assert!(words.contains("calls it makes"), "{words}");
        assert_eq!(at, Some((5, 3)));
        let result = Message::tool("c1", "look", "a \"role\": of its own");
        let (words, _) = refusal(&text(result.clone()).replace("\"c1\"", "\"c9\""), &result);
        assert!(words.contains("that it answers"), "{words}");
        let (words, at) = refusal("{\"role\": \"wizard\"}", &before);
        assert!(words.contains("The role \"wizard\" is not known"), "{words}");
        assert_eq!(at, Some((1, 2)));
        assert_eq!(refusal("[1]", &before).0, "A message must be an object.");
        assert_eq!(refusal("{\"role\": \"user\", \"content\": 7}", &Message::user("7")).1, Some((1, 18)));
    }

    #[test]
    fn a_key_is_not_mistaken_for_text_that_looks_like_one() {
        let text = r#"{"content": "\"role\": 1, {", "deep": [{"role": 2}], "role": "user"}"#;
        assert_eq!(key_place(text, "role"), text.rfind("\"role\""));
        assert_eq!(key_place("{\"unfinished", "role"), None);
        assert_eq!(line_and_column("é\nüx", 99), (2, 3));
    }
}
