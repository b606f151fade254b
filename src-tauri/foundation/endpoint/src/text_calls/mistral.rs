//! Mistral: `[TOOL_CALLS][{"name": ..., "arguments": {...}, "id": ...}, ...]`, and since its tokenizer v11
//! `[TOOL_CALLS]name{...}`, v13 `[TOOL_CALLS]name[ARGS]{...}` with `[CALL_ID]...` in between at times, repeated.

use tw_artifact::AnswerSource;

use super::json::{arguments_text, call_object, value_at};
use super::{Block, Offered, TextCall};

pub(super) const OPEN: &str = "[TOOL_CALLS]";
const CALL_ID: &str = "[CALL_ID]";
const ARGS: &str = "[ARGS]";
const END: &str = "</s>";

/// The block that `text` begins with.
pub(super) fn block(text: &str, offered: &Offered<'_>) -> Option<Block> {
    let body = text.strip_prefix(OPEN)?.trim_start();
    let (calls, rest) = match body.chars().next()? {
        '[' => read_list(body)?,
        '{' => {
            let (source, length) = value_at(body)?;
            (vec![read_object(source)?], &body[length..])
        }
        _ => {
            let (call, rest) = read_named(body, offered)?;
            (vec![call], rest)
        }
    };
    let rest = rest.strip_prefix(END).unwrap_or(rest);
    Some(Block { source: AnswerSource::Mistral, length: text.len() - rest.len(), calls })
}

fn read_list(body: &str) -> Option<(Vec<TextCall>, &str)> {
    let (source, length) = value_at(body)?;
    let mut calls = Vec::new();
    let mut rest = source.strip_prefix('[')?.trim_start();
    while rest.starts_with('{') {
        let (object, end) = value_at(rest)?;
        calls.push(read_object(object)?);
        rest = rest[end..].trim_start().trim_start_matches(',').trim_start();
    }
    (!calls.is_empty() && rest == "]").then_some((calls, &body[length..]))
}

fn read_object(source: &str) -> Option<TextCall> {
    let object = call_object(source)?;
    Some(TextCall { id: object.id, name: object.name, arguments: object.arguments })
}

/// `name{...}`.
fn read_named<'a>(body: &'a str, offered: &Offered<'_>) -> Option<(TextCall, &'a str)> {
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/');
    let rest = body.trim_start_matches(in_name);
    let name = &body[..body.len() - rest.len()];
    if name.is_empty() {
        return None;
    }
    let (id, rest) = match rest.strip_prefix(CALL_ID) {
        Some(rest) => {
            let after = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
            (Some(rest[..rest.len() - after.len()].to_owned()), after)
        }
        None => (None, rest),
    };
    let marked = rest.strip_prefix(ARGS);
    let rest = marked.unwrap_or(rest).trim_start();
    if rest.starts_with('{')
        && let Some((source, length)) = value_at(rest)
    {
        let call = TextCall { id, name: name.to_owned(), arguments: arguments_text(source) };
        return Some((call, &rest[length..]));
    }
    if !offered.knows(name) || !(marked.is_some() || rest.starts_with('{')) {
        return None;
    }
    let end = rest.find(OPEN).unwrap_or(rest.len());
    let written = rest[..end].trim_end();
    let written = written.strip_suffix(END).unwrap_or(written);
    let call = TextCall { id, name: name.to_owned(), arguments: arguments_text(written) };
    Some((call, &rest[end..]))
}
