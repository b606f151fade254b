//! A conversation as the values that a template sees, each string knowing which field it is.

use std::collections::HashMap;

use indexmap::IndexMap;
use tw_artifact::{Json, Message, ToolDefinition};

use crate::field::Field;
use crate::jinja::{Key, Mark, Origin, SourceId, Text, Value, at};

/// Names of the reasoning, the one that templates read first.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// Which message and field each source of a rendering is.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    list: Vec<(Option<u32>, Field)>,
    known: HashMap<(Option<u32>, Field), SourceId>,
}

impl Sources {
    pub(crate) fn id(&mut self, message: Option<u32>, field: Field) -> SourceId {
        *self.known.entry((message, field)).or_insert_with(|| {
            self.list.push((message, field));
            at(self.list.len() - 1)
        })
    }

    pub(crate) fn get(&self, id: SourceId) -> (Option<u32>, Field) {
        self.list.get(id as usize).copied().unwrap_or((None, Field::Preamble))
    }
}

/// The messages as transformers hands them to a template: keys whose value is null are dropped, and reasoning is there
/// under its three names.
pub(crate) fn messages(messages: &[Message], sources: &mut Sources) -> Value {
    let items =
        messages.iter().enumerate().map(|(place, message)| message_value(message, at(place), sources)).collect();
    Value::list(items)
}

/// The tools, all of whose text is of the field [`Field::Tools`].
pub(crate) fn tools(tools: &[ToolDefinition], sources: &mut Sources) -> Value {
    let source = sources.id(None, Field::Tools);
    let items = tools.iter().map(|tool| tagged(&tool.0, source)).collect();
    Value::list_of(items, Origin::Field(source))
}

/// A value that is no part of the conversation.
pub(crate) fn plain(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => number_value(number.as_str()),
        Json::String(text) => Value::str(text.as_str()),
        Json::Array(items) => Value::list(items.iter().map(plain).collect()),
        Json::Object(map) => {
            Value::dict(map.iter().map(|(key, value)| (Key::Str(key.as_str().into()), plain(value))).collect())
        }
    }
}

/// What Python's `json.loads` makes of a number.
fn number_value(text: &str) -> Value {
    if text.contains(['.', 'e', 'E']) {
        return Value::Float(text.parse().unwrap_or(f64::NAN));
    }
    text.parse::<i128>().map_or_else(|_| Value::BigInt(text.into()), Value::Int)
}

/// A value of a field in which places are not counted.
fn tagged(json: &Json, source: SourceId) -> Value {
    Pretty { source, at: None, depth: 0 }.value(json)
}

fn dict(entries: IndexMap<Key, Value>, origin: Origin) -> Value {
    Value::dict_of(entries, origin)
}

fn message_value(message: &Message, index: u32, sources: &mut Sources) -> Value {
    let fields = message.fields();
    let mut entries: IndexMap<Key, Value> = IndexMap::with_capacity(fields.len() + 2);
    let reasoning = REASONING.iter().find_map(|name| fields.get(*name).filter(|value| !value.is_null()));
    let mut put = |key: &str, value: Value| {
        entries.insert(Key::Str(key.into()), value);
    };
    if let Some(reasoning) = reasoning {
        put("thinking", text_field(reasoning, Some(index), Field::Reasoning, sources));
    }
    for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let value = match (key.as_str(), value) {
            ("role", value) => tagged(value, sources.id(Some(index), Field::Header)),
            ("content", value) => text_field(value, Some(index), Field::Content, sources),
            ("reasoning_content" | "thinking" | "reasoning", value) => {
                text_field(value, Some(index), Field::Reasoning, sources)
            }
            ("tool_calls", Json::Array(calls)) => {
                let calls = calls.iter().enumerate().map(|(place, call)| call_value(call, index, at(place), sources));
                Value::list(calls.collect())
            }
            (_, value) => tagged(value, sources.id(Some(index), Field::Other)),
        };
        put(key, value);
    }
    if let Some(reasoning) = reasoning {
        put("reasoning_content", text_field(reasoning, Some(index), Field::Reasoning, sources));
    }
    dict(entries, Origin::Message(index))
}

fn text_field(json: &Json, message: Option<u32>, field: Field, sources: &mut Sources) -> Value {
    let source = sources.id(message, field);
    match json {
        Json::String(text) => Value::Str(Text::tagged(text, source, 0)),
        Json::Array(parts) => {
            // The field's own text is that of its parts, joined by line breaks.
            let mut offset = 0;
            let mut items = Vec::new();
            for part in parts {
                let Json::Object(map) = part else {
                    items.push(tagged(part, source));
                    continue;
                };
                let mut entries = IndexMap::new();
                for (key, value) in map {
                    let value = match (key.as_str(), value) {
                        ("text", Json::String(text)) => {
                            let value = Value::Str(Text::tagged(text, source, at(offset)));
                            offset += text.len() + 1;
                            value
                        }
                        (_, value) => plain(value),
                    };
                    entries.insert(Key::Str(key.as_str().into()), value);
                }
                items.push(dict(entries, Origin::Template));
            }
            Value::list_of(items, Origin::Field(source))
        }
        other => tagged(other, source),
    }
}

fn call_value(call: &Json, message: u32, place: u32, sources: &mut Sources) -> Value {
    let Json::Object(map) = call else { return plain(call) };
    let mut entries = IndexMap::new();
    for (key, value) in map {
        let value = match (key.as_str(), value) {
            ("function", Json::Object(_)) => call_value(value, message, place, sources),
            ("name", value) => text_field(value, Some(message), Field::CallName { call: place }, sources),
            ("arguments", value) => {
                let source = sources.id(Some(message), Field::CallArguments { call: place });
                match value {
                    Json::String(text) => Value::Str(Text::tagged(text, source, 0)),
                    value => Pretty { source, at: Some(0), depth: 0 }.value(value),
                }
            }
            (_, value) => tagged(value, sources.id(Some(message), Field::Other)),
        };
        entries.insert(Key::Str(key.as_str().into()), value);
    }
    dict(entries, Origin::Template)
}

/// Walks a JSON value along its text indented by two spaces, so that every string knows its place in that.
struct Pretty {
    source: SourceId,
    /// The next byte of that text; `None` where places are not counted.
    at: Option<usize>,
    depth: usize,
}

impl Pretty {
    fn skip(&mut self, bytes: usize) {
        self.at = self.at.map(|at| at + bytes);
    }

    fn line(&mut self) {
        self.skip(1 + 2 * self.depth);
    }

    fn string(&mut self, text: &str) -> Text {
        let Some(start) = self.at else { return Text::tagged(text, self.source, crate::jinja::NOWHERE) };
        let mut marks = Vec::new();
        let mut from = start + 1;
        // The stretch that is copied as it is.
        let mut copied: Option<(usize, usize)> = None;
        for (place, c) in text.char_indices() {
            let length = escaped_len(c);
            if length == c.len_utf8() {
                copied.get_or_insert((place, from));
            } else {
                if let Some((begin, begin_from)) = copied.take() {
                    marks.push(self.mark(begin, place, begin_from, place - begin));
                }
                marks.push(self.mark(place, place + c.len_utf8(), from, length));
            }
            from += length;
        }
        if let Some((begin, begin_from)) = copied {
            marks.push(self.mark(begin, text.len(), begin_from, text.len() - begin));
        }
        self.at = Some(from + 1);
        Text::with_marks(text, marks)
    }

    fn mark(&self, start: usize, end: usize, from: usize, len: usize) -> Mark {
        Mark { start: at(start), end: at(end), source: self.source, from: at(from), len: at(len) }
    }

    fn value(&mut self, json: &Json) -> Value {
        match json {
            Json::String(text) => Value::Str(self.string(text)),
            Json::Array(items) if items.is_empty() => {
                self.skip(2);
                Value::list_of(Vec::new(), Origin::Field(self.source))
            }
            Json::Array(items) => {
                self.skip(1);
                self.depth += 1;
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    self.line();
                    values.push(self.value(item));
                    self.skip(1);
                }
                self.close();
                Value::list_of(values, Origin::Field(self.source))
            }
            Json::Object(map) if map.is_empty() => {
                self.skip(2);
                dict(IndexMap::new(), Origin::Field(self.source))
            }
            Json::Object(map) => {
                self.skip(1);
                self.depth += 1;
                let mut entries = IndexMap::with_capacity(map.len());
                for (key, item) in map {
                    self.line();
                    let key = self.string(key);
                    self.skip(2);
                    entries.insert(Key::Str(key), self.value(item));
                    self.skip(1);
                }
                self.close();
                dict(entries, Origin::Field(self.source))
            }
            other => {
                self.skip(other.to_text().len());
                plain(other)
            }
        }
    }

    /// After the last item there is no comma, and then a line break and the closing bracket.
    fn close(&mut self) {
        self.depth -= 1;
        self.at = self.at.map(|at| at - 1);
        self.line();
        self.skip(1);
    }
}

/// Bytes of a character in JSON text as `serde_json` writes it.
fn escaped_len(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if u32::from(c) < 0x20 => 6,
        c => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn strings<'a>(value: &'a Value, out: &mut Vec<&'a Text>) {
        match value {
            Value::Str(text) => out.push(text),
            Value::List(list) => list.items.iter().for_each(|item| strings(item, out)),
            Value::Dict(dict) => {
                for (key, value) in &dict.entries {
                    if let Key::Str(key) = key {
                        out.push(key);
                    }
                    strings(value, out);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn every_string_of_arguments_knows_its_place_in_their_indented_text() {
        let json =
            Json::parse(r#"{"a":"x\ny\u0001 é","n":1.50,"list":[1,"two",[],{}],"deep":{"k":{"z":"end\""}},"e":""}"#)
                .unwrap();
        let pretty = json.to_pretty();
        let value = Pretty { source: 7, at: Some(0), depth: 0 }.value(&json);
        let mut found = Vec::new();
        strings(&value, &mut found);
        assert_eq!(found.len(), 11);
        for text in found {
            for mark in text.marks() {
                let there = &pretty[mark.from as usize..(mark.from + mark.len) as usize];
                let here = &text.as_str()[mark.start as usize..mark.end as usize];
                let written = serde_json::to_string(here).unwrap();
                assert_eq!(there, &written[1..written.len() - 1], "{text:?}");
            }
        }
    }

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        assert!(matches!(number_value("1e3"), Value::Float(value) if value == 1000.0));
        assert!(matches!(number_value("-0"), Value::Int(0)));
        assert!(matches!(number_value(&"9".repeat(60)), Value::BigInt(_)));
    }
}
