//! Hermes, Qwen2.5 and Qwen3: `<tool_call>\n{"name": ..., "arguments": {...}}\n</tool_call>`, one block a call.

use tw_artifact::AnswerSource;

use super::json::{arguments_text, broken_call, call_object, value_at};
use super::{Block, Offered, TextCall};

pub(super) const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";

/// The block that `text` begins with. The end of the JSON, not the next tag, ends it: tags may stand in its strings.
/// Without a closing tag (a stop string, a limit) it ends with its JSON.
pub(super) fn block(text: &str, offered: &Offered<'_>) -> Option<Block> {
    let body = text.strip_prefix(OPEN)?;
    let inner = body.trim_start();
    if !inner.starts_with('{') {
        return None;
    }
    if let Some((source, length)) = value_at(inner)
        && let Some(object) = call_object(source)
    {
        let rest = inner[length..].trim_start();
        let rest = rest.strip_prefix(CLOSE).map_or(&inner[length..], |rest| rest);
        let call = TextCall { id: object.id, name: object.name, arguments: object.arguments };
        return Some(Block { source: AnswerSource::Hermes, length: text.len() - rest.len(), calls: vec![call] });
    }
    // Not JSON as a whole. A known name at its beginning still makes it a call, so that the model hears of its mistake.
    let (name, written) = broken_call(inner)?;
    if !offered.knows(&name) {
        return None;
    }
    // Where this block's own end is missing, the next block's is not its end.
    let before = inner.len() - written.len();
    let until_next = written.find("\n<tool_call>").map_or(written, |end| &written[..end]);
    let (written, length) = match until_next.find(CLOSE) {
        Some(end) => (&until_next[..end], before + end + CLOSE.len()),
        None => (until_next, before + until_next.len()),
    };
    let call = TextCall { id: None, name, arguments: arguments_text(written.trim_end()) };
    let length = text.len() - inner.len() + length;
    Some(Block { source: AnswerSource::Hermes, length, calls: vec![call] })
}
