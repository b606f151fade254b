//! Llama 3: `{"name": ..., "parameters": {...}}`, possibly behind `<|python_tag|>`, several separated by `;`.

use tw_artifact::AnswerSource;

use super::json::{arguments_text, broken_call, call_object, value_at};
use super::{Block, Offered, TextCall};

pub(super) const OPEN: &str = "<|python_tag|>";
const ENDS: [&str; 2] = ["<|eom_id|>", "<|eot_id|>"];

/// The block that `text` begins with: the mark says that a call follows.
pub(super) fn block(text: &str, offered: &Offered<'_>) -> Option<Block> {
    let body = text.strip_prefix(OPEN)?;
    let (calls, rest) = read_list(body, offered, false)?;
    Some(Block { source: AnswerSource::LlamaJson, length: text.len() - rest.len(), calls })
}

/// Calls without a mark: the whole text must be nothing but calls of tools that are on offer, with no other fields, so
/// that a JSON answer stays an answer.
pub(super) fn read_bare(text: &str, offered: &Offered<'_>) -> Option<Vec<TextCall>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let (calls, rest) = read_list(text, offered, true)?;
    rest.trim().is_empty().then_some(calls)
}

/// The calls that `text` begins with, and what follows them.
fn read_list<'a>(text: &'a str, offered: &Offered<'_>, bare: bool) -> Option<(Vec<TextCall>, &'a str)> {
    let mut calls = Vec::new();
    let mut rest = text;
    loop {
        let begun = rest.trim_start();
        if !begun.starts_with('{') {
            break;
        }
        let (call, after) = read_one(begun, offered, bare)?;
        calls.push(call);
        rest = after.trim_start();
        for end in ENDS {
            rest = rest.strip_prefix(end).unwrap_or(rest).trim_start();
        }
        match rest.strip_prefix(';') {
            Some(next) => rest = next,
            None => break,
        }
    }
    (!calls.is_empty()).then_some((calls, rest))
}

fn read_one<'a>(text: &'a str, offered: &Offered<'_>, bare: bool) -> Option<(TextCall, &'a str)> {
    if let Some((source, length)) = value_at(text) {
        let object = call_object(source)?;
        if bare && (object.has_others || !object.has_arguments || !offered.knows(&object.name)) {
            return None;
        }
        let call = TextCall { id: None, name: object.name, arguments: object.arguments };
        return Some((call, &text[length..]));
    }
    let (name, written) = broken_call(text)?;
    let written = ENDS.iter().fold(written.trim_end(), |text, end| text.strip_suffix(end).unwrap_or(text)).trim_end();
    offered.knows(&name).then(|| (TextCall { id: None, name, arguments: arguments_text(written) }, ""))
}

/// Whether a text that begins with `{` may still turn out to be a call, judged by its first key. For holding it back
/// while it streams.
pub(crate) fn could_be_bare_call(text: &str) -> bool {
    let Some(rest) = text.trim_start().strip_prefix('{') else {
        return false;
    };
    let rest = rest.trim_start();
    ["\"name\"", "\"type\"", "\"parameters\"", "\"arguments\"", "\"id\""]
        .iter()
        .any(|key| rest.starts_with(key) || key.starts_with(rest))
}
