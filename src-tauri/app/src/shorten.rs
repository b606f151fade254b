//! Messages as a window takes them: of texts that no window can lay out, the beginning.

use tw_artifact::{EditedMessage, Json, Map, Message, Patch};
use tw_contract::{MessageChange, Shortened};

/// Bytes of a text that is sent whole. A few times as much fits into what a page has, but each edit copies it.
const LONGEST: usize = 16 << 20;
/// Bytes of all texts together from which on only short ones are sent whole.
const MOST: usize = 64 << 20;
/// Bytes that are sent of a longer text; a page shows less of any.
const SHOWN: usize = 512 << 10;

/// Shortens the texts of messages that are too long to be sent, and names these messages.
pub(crate) fn shorten(messages: &mut [EditedMessage]) -> Vec<Shortened> {
    let sizes: Vec<usize> = messages.iter().map(|message| bytes_of_map(message.message.fields())).collect();
    let longest = if sizes.iter().sum::<usize>() > MOST { SHOWN } else { LONGEST };
    let mut shortened = Vec::new();
    for (message, bytes) in messages.iter_mut().zip(sizes) {
        if bytes > longest && cut_message(&mut message.message, longest) {
            shortened.push(Shortened { id: message.id, bytes: bytes as u64 });
        }
    }
    shortened
}

/// The same for what an edit changed.
pub(crate) fn shorten_patches(patches: &mut [Patch]) -> Vec<Shortened> {
    patches.iter_mut().flat_map(|patch| shorten(&mut patch.insert)).collect()
}

/// The same for one difference.
pub(crate) fn shorten_change(change: &mut MessageChange) {
    let message = match change {
        MessageChange::Same { .. } => return,
        MessageChange::Added { message }
        | MessageChange::Removed { message }
        | MessageChange::Moved { message, .. } => message,
        MessageChange::Edited { message, fields } => {
            for chunk in fields.iter_mut().flat_map(|field| &mut field.chunks) {
                cut_text(&mut chunk.text, LONGEST);
            }
            message
        }
    };
    shorten(std::slice::from_mut(message));
}

/// Whether anything was cut.
fn cut_message(message: &mut Message, longest: usize) -> bool {
    let mut is_cut = false;
    let fields = cut_map(message.fields(), longest, &mut is_cut);
    if is_cut && let Ok(cut) = Message::try_from(Json::Object(fields)) {
        *message = cut;
        return true;
    }
    false
}

fn cut_map(map: &Map, longest: usize, is_cut: &mut bool) -> Map {
    map.iter().map(|(key, value)| (key.clone(), cut_json(value, longest, is_cut))).collect()
}

fn cut_json(json: &Json, longest: usize, is_cut: &mut bool) -> Json {
    match json {
        Json::String(text) if text.len() > longest => {
            *is_cut = true;
            Json::String(text[..text.floor_char_boundary(SHOWN)].to_owned())
        }
        Json::Array(items) => Json::Array(items.iter().map(|item| cut_json(item, longest, is_cut)).collect()),
        Json::Object(map) => Json::Object(cut_map(map, longest, is_cut)),
        other => other.clone(),
    }
}

fn cut_text(text: &mut String, longest: usize) {
    if text.len() > longest {
        text.truncate(text.floor_char_boundary(SHOWN));
        text.push('…');
    }
}

fn bytes_of(json: &Json) -> usize {
    match json {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(bytes_of).sum(),
        Json::Object(map) => bytes_of_map(map),
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
    }
}

fn bytes_of_map(map: &Map) -> usize {
    map.iter().map(|(key, value)| key.len() + bytes_of(value)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_with_texts_that_are_too_long_are_cut() {
        let long = "é".repeat(LONGEST / 2 + 1);
        let arguments = Json::Object([("path".to_owned(), Json::from(long.as_str()))].into_iter().collect());
        let call = Message::tool_call("c1", "write", arguments);
        let mut messages = vec![
            EditedMessage::captured(0, Message::user("short"), 1),
            EditedMessage::captured(1, Message::assistant("", None, vec![call]), 9),
            EditedMessage::captured(2, Message::tool("c1", "write", long), 9),
        ];
        let before = messages.clone();
        let shortened = shorten(&mut messages);
        assert_eq!(shortened.iter().map(|it| it.id).collect::<Vec<_>>(), [1, 2]);
        assert!(shortened.iter().all(|it| it.bytes > LONGEST as u64));
        assert_eq!(messages[0], before[0]);
        assert!(before[2].message.text().starts_with(&messages[2].message.text()));
        assert_eq!(messages[2].message.text().len(), SHOWN);
        assert_eq!(messages[1].message.tool_calls()[0].name, "write");
        assert!(bytes_of_map(messages[1].message.fields()) < SHOWN + 200);
    }

    #[test]
    fn a_trace_that_is_too_large_as_a_whole_sends_short_texts_whole() {
        let text = "x".repeat(MOST / 8);
        let of = |seq: u32| EditedMessage::captured(seq, Message::user(if seq == 3 { "short" } else { &text }), 1);
        let mut few: Vec<EditedMessage> = (0..4).map(of).collect();
        assert_eq!(shorten(&mut few), []);
        let mut many: Vec<EditedMessage> = (0..12).map(of).collect();
        assert_eq!(shorten(&mut many).len(), 11);
        assert_eq!(many[3].message.text(), "short");
    }
}
