//! Qwen3-Coder and Qwen3.5: `<tool_call>\n<function=NAME>\n<parameter=KEY>\nVALUE\n</parameter>\n</function>\n</tool_call>`.
//! Values are plain text: the tool's schema says what they are.

use tw_artifact::{AnswerSource, Json, Map};

use super::{Block, Broken, Offered, TextCall, hermes};

pub(super) const OPEN: &str = "<function=";
const CLOSE: &str = "</function>";
const PARAMETER: &str = "<parameter=";
const PARAMETER_END: &str = "</parameter>";
const CALL_END: &str = "</tool_call>";

/// The block that `text` begins with. The models leave out `<tool_call>` at times: then the tool must be known.
pub(super) fn block(text: &str, offered: &Offered<'_>) -> Option<Block> {
    let wrapped = text.strip_prefix(hermes::OPEN);
    let mut rest = wrapped.unwrap_or(text).trim_start();
    let mut calls = Vec::new();
    while rest.starts_with(OPEN) {
        let Some((call, after)) = read_function(rest, offered, wrapped.is_some()) else {
            break;
        };
        calls.push(call);
        rest = after;
        let next = rest.trim_start();
        if wrapped.is_some() && next.starts_with(OPEN) {
            rest = next;
        }
    }
    if calls.is_empty() {
        return None;
    }
    let rest = rest.trim_start().strip_prefix(CALL_END).unwrap_or(rest);
    Some(Block { source: AnswerSource::QwenXml, length: text.len() - rest.len(), calls })
}

/// One function. `None` when the name or the layout says that it is text.
fn read_function<'a>(text: &'a str, offered: &Offered<'_>, wrapped: bool) -> Option<(TextCall, &'a str)> {
    let (name, body) = split_name(text.strip_prefix(OPEN)?)?;
    let name = name.trim().trim_matches('"');
    if name.is_empty() || name.contains(['\n', '<']) || !(wrapped || offered.knows(name)) {
        return None;
    }
    let call = |arguments| TextCall { id: None, name: name.to_owned(), arguments };
    let mut fields = Map::new();
    let mut twice = None;
    let mut rest = body;
    loop {
        let next = rest.trim_start();
        if let Some(after) = next.strip_prefix(CLOSE) {
            let written = &body[..body.len() - next.len()];
            return Some((finish(call, fields, twice, written), after));
        }
        if let Some(after) = next.strip_prefix(PARAMETER)
            && let Some((key, after)) = split_name(after)
            && let Some((value, after)) = read_value(after)
        {
            let key = key.trim().trim_matches('"');
            let value = typed_value(value, offered.schema(name), key);
            if fields.insert(key.to_owned(), value).is_some() {
                twice.get_or_insert_with(|| key.to_owned());
            }
            rest = after;
            continue;
        }
        if next.starts_with(CALL_END) && wrapped {
            // `</function>` is left out at times.
            let written = &body[..body.len() - next.len()];
            return Some((finish(call, fields, twice, written), next));
        }
        break;
    }
    if !offered.knows(name) {
        return None;
    }
    // Cut, or not in this layout: up to its end it is the call's text.
    let (end, after) = match nearest(body, &[CLOSE, CALL_END]) {
        Some(at) if body[at..].starts_with(CLOSE) => (at, at + CLOSE.len()),
        Some(at) => (at, at),
        None => (body.len(), body.len()),
    };
    let why = "the call is not in the form <parameter=name>value</parameter>, or it was cut".to_owned();
    Some((call(Err(Broken { why, text: body[..end].trim().to_owned() })), &body[after..]))
}

/// A name in a tag, and what stands behind the tag.
fn split_name(text: &str) -> Option<(&str, &str)> {
    const LONGEST_NAME_BYTES: usize = 512;
    let at = text.bytes().take(LONGEST_NAME_BYTES).position(|byte| byte == b'>')?;
    Some((&text[..at], &text[at + 1..]))
}

fn finish(
    call: impl Fn(Result<Json, Broken>) -> TextCall,
    fields: Map,
    twice: Option<String>,
    written: &str,
) -> TextCall {
    call(match twice {
        None => Ok(fields.into()),
        Some(key) => {
            Err(Broken { why: format!("the parameter \"{key}\" is given twice"), text: written.trim().to_owned() })
        }
    })
}

/// How far behind a tag that could end a value its own closing tag is looked for. Without a bound, text full of tags
/// that nothing closes would be searched to its end for each of them.
const LOOKAHEAD_BYTES: usize = 8 << 10;

/// A value and what follows its closing tag. A closing tag counts only where the layout goes on behind it, so that a
/// value may hold the tag; where it is left out, the next parameter or the end of the function ends the value.
fn read_value(text: &str) -> Option<(&str, &str)> {
    let mut otherwise = None;
    for (at, _) in text.match_indices('<') {
        if otherwise.is_some_and(|otherwise| at - otherwise > LOOKAHEAD_BYTES) {
            break;
        }
        let rest = &text[at..];
        if let Some(after) = rest.strip_prefix(PARAMETER_END) {
            let next = after.trim_start();
            if next.is_empty() || [PARAMETER, CLOSE, CALL_END].iter().any(|tag| next.starts_with(tag)) {
                return Some((strip_layout(&text[..at]), after));
            }
        } else if otherwise.is_none() && (rest.starts_with(PARAMETER) || rest.starts_with(CLOSE)) {
            otherwise = Some(at);
        }
    }
    let end = otherwise?;
    Some((strip_layout(&text[..end]), &text[end..]))
}

/// Where the first of `tags` stands.
fn nearest(text: &str, tags: &[&str]) -> Option<usize> {
    text.match_indices('<').map(|(at, _)| at).find(|at| tags.iter().any(|tag| text[*at..].starts_with(tag)))
}

/// The template writes one line feed before and behind a value.
fn strip_layout(value: &str) -> &str {
    let value = value.strip_prefix('\n').unwrap_or(value);
    value.strip_suffix('\n').unwrap_or(value)
}

/// The value as what the schema says it is; text where that fits, where the schema says nothing, or where the text is
/// not what it says (the schema check behind this then tells the model).
fn typed_value(text: &str, schema: Option<&Json>, key: &str) -> Json {
    let kinds = schema.map(|schema| kinds_of(schema, key)).unwrap_or_default();
    let allows = |kind: &str| kinds.iter().any(|it| it == kind);
    let trimmed = text.trim();
    if allows("null") && matches!(trimmed, "null" | "None") {
        return Json::Null;
    }
    if kinds.is_empty() || allows("string") {
        return text.into();
    }
    if allows("boolean") {
        match trimmed {
            "true" | "True" => return true.into(),
            "false" | "False" => return false.into(),
            _ => {}
        }
    }
    match Json::parse(trimmed) {
        Ok(value @ Json::Number(_)) if allows("number") || allows("integer") => value,
        Ok(value @ Json::Object(_)) if allows("object") => value,
        Ok(value @ Json::Array(_)) if allows("array") => value,
        _ => text.into(),
    }
}

/// The JSON types that the schema allows for `key`: `type`, those of `anyOf` and `oneOf`, and one step of `$ref`.
fn kinds_of(schema: &Json, key: &str) -> Vec<String> {
    let mut kinds = Vec::new();
    if let Some(property) = schema.get("properties").and_then(|it| it.get(key)) {
        collect_kinds(schema, property, 0, &mut kinds);
    }
    kinds
}

fn collect_kinds(root: &Json, schema: &Json, depth: u8, kinds: &mut Vec<String>) {
    const DEEPEST: u8 = 4;
    if depth > DEEPEST {
        return;
    }
    match schema.get("type") {
        Some(Json::String(kind)) => kinds.push(kind.clone()),
        Some(Json::Array(list)) => kinds.extend(list.iter().filter_map(Json::as_str).map(str::to_owned)),
        _ => {}
    }
    for branch in ["anyOf", "oneOf"] {
        for part in schema.get(branch).and_then(Json::as_array).unwrap_or_default() {
            collect_kinds(root, part, depth + 1, kinds);
        }
    }
    let target = schema.get("$ref").and_then(Json::as_str).and_then(|path| path.strip_prefix("#/"));
    if let Some(target) = target.and_then(|path| path.split('/').try_fold(root, |at, step| at.get(step))) {
        collect_kinds(root, target, depth + 1, kinds);
    }
}
