//! Which characters may come next where JSON of a schema is prescribed.
//!
//! Of a schema are kept: types, properties (no others, unless the schema allows them in so many words), what is required,
//! lists of allowed texts, items, and `maxLength`. Other parts are not: where several types are possible, any JSON is.
//! Between values there is at most one space, so that an answer cannot go on for ever without saying anything.

use std::collections::BTreeSet;
use std::sync::Arc;

use tw_artifact::Json;

/// Objects and lists in each other, at most.
const DEEPEST: usize = 32;

/// What is being written, the innermost last.
#[derive(Clone, Debug)]
pub(crate) struct Grammar {
    stack: Vec<Frame>,
}

type Schema = Option<Arc<Json>>;

#[derive(Clone, Debug)]
enum Frame {
    /// One of these texts, none the beginning of another.
    OneOf {
        options: Arc<[String]>,
        typed: String,
        then: Then,
    },
    Value(Schema),
    Object {
        schema: Schema,
        seen: BTreeSet<String>,
        key: String,
        at: At,
    },
    Array {
        items: Schema,
        at: At,
    },
    Text {
        escape: Escape,
        left: Option<usize>,
    },
    Number {
        typed: String,
        whole: bool,
    },
}

/// What the chosen text means.
#[derive(Clone, Debug)]
enum Then {
    Nothing,
    /// It is a key of the object below; a value follows.
    Key,
    /// Arguments of the tool at its place follow.
    Arguments(Arc<[Schema]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Behind the bracket.
    Begin,
    /// Behind a key.
    Colon,
    /// Before a value, behind at most one space.
    Value { spaced: bool },
    /// Behind a value.
    End,
    /// Behind a comma.
    Next { spaced: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    None,
    Begun,
    Hex(u8),
}

enum Step {
    Taken,
    /// The frame is whole without this character.
    Done,
    Wrong,
}

impl Grammar {
    /// The end of a call that begins with one of these heads, each with its tool's parameters, and the `tail` behind it.
    pub(crate) fn call(heads: Vec<(String, Schema)>, tail: &str) -> Self {
        let (options, schemas): (Vec<String>, Vec<Schema>) = heads.into_iter().unzip();
        let one = |text: &str, then| Frame::OneOf { options: [text.to_owned()].into(), typed: String::new(), then };
        Self {
            stack: vec![
                one(tail, Then::Nothing),
                Frame::OneOf { options: options.into(), typed: String::new(), then: Then::Arguments(schemas.into()) },
            ],
        }
    }

    /// Whether everything was written.
    pub(crate) fn is_done(&self) -> bool {
        self.stack.is_empty()
    }

    /// Takes a character. Whether it may come here.
    pub(crate) fn take(&mut self, c: char) -> bool {
        loop {
            let depth = self.stack.len();
            let Some(frame) = self.stack.pop() else { return false };
            match self.step(frame, c, depth) {
                Step::Taken => return true,
                Step::Done => {}
                Step::Wrong => return false,
            }
        }
    }

    fn step(&mut self, frame: Frame, c: char, depth: usize) -> Step {
        match frame {
            Frame::OneOf { options, mut typed, then } => {
                typed.push(c);
                let Some(place) = options.iter().position(|option| option.starts_with(&typed)) else {
                    return Step::Wrong;
                };
                if options[place] != typed {
                    self.stack.push(Frame::OneOf { options, typed, then });
                    return Step::Taken;
                }
                match then {
                    Then::Nothing => {}
                    Then::Arguments(schemas) => {
                        let schema = schemas.get(place).cloned().flatten();
                        self.stack.push(Frame::Value(Some(schema.unwrap_or_else(any_object))));
                    }
                    Then::Key => {
                        if let Some(Frame::Object { seen, key, at, .. }) = self.stack.last_mut() {
                            *key = serde_json::from_str(&typed).unwrap_or_default();
                            seen.insert(key.clone());
                            *at = At::Colon;
                        }
                    }
                }
                Step::Taken
            }
            Frame::Value(schema) => self.value(schema, c, depth),
            Frame::Object { schema, seen, key, at } => self.object(schema, seen, key, at, c),
            Frame::Array { items, at } => self.array(items, at, c),
            Frame::Text { escape, left } => self.text(escape, left, c),
            Frame::Number { mut typed, whole } => {
                typed.push(c);
                if could_be_number(&typed, whole) {
                    self.stack.push(Frame::Number { typed, whole });
                    return Step::Taken;
                }
                typed.pop();
                if typed.ends_with(|c: char| c.is_ascii_digit()) { Step::Done } else { Step::Wrong }
            }
        }
    }

    fn value(&mut self, schema: Schema, c: char, depth: usize) -> Step {
        let options = schema.as_ref().map(|schema| texts_of(schema)).unwrap_or_default();
        if !options.is_empty() {
            return self.step(
                Frame::OneOf { options: options.into(), typed: String::new(), then: Then::Nothing },
                c,
                depth,
            );
        }
        let kind = schema.as_ref().and_then(|schema| schema.get("type")).and_then(Json::as_str);
        let may = |wanted: &[&str]| kind.is_none_or(|kind| wanted.contains(&kind));
        let word =
            |text: &str| Frame::OneOf { options: [text.to_owned()].into(), typed: c.to_string(), then: Then::Nothing };
        let frame = match c {
            '{' if may(&["object"]) && depth < DEEPEST => {
                Frame::Object { schema, seen: BTreeSet::new(), key: String::new(), at: At::Begin }
            }
            '[' if may(&["array"]) && depth < DEEPEST => {
                let items = schema.as_ref().and_then(|schema| schema.get("items")).cloned().map(Arc::new);
                Frame::Array { items, at: At::Begin }
            }
            '"' if may(&["string"]) => {
                let most = schema.as_ref().and_then(|schema| schema.get("maxLength")).and_then(Json::as_i64);
                Frame::Text { escape: Escape::None, left: most.and_then(|most| usize::try_from(most).ok()) }
            }
            '-' | '0'..='9' if may(&["number", "integer"]) => {
                Frame::Number { typed: c.to_string(), whole: kind == Some("integer") }
            }
            't' if may(&["boolean"]) => word("true"),
            'f' if may(&["boolean"]) => word("false"),
            'n' if may(&["null"]) => word("null"),
            _ => return Step::Wrong,
        };
        self.stack.push(frame);
        Step::Taken
    }

    fn object(&mut self, schema: Schema, seen: BTreeSet<String>, key: String, at: At, c: char) -> Step {
        let properties = schema.as_ref().and_then(|schema| schema.get("properties")).and_then(Json::as_object);
        let closed = properties.is_some_and(|properties| !properties.is_empty())
            && schema
                .as_ref()
                .and_then(|schema| schema.get("additionalProperties"))
                .is_none_or(|more| more.as_bool() == Some(false));
        let left: Vec<String> = properties
            .filter(|_| closed)
            .into_iter()
            .flat_map(|properties| properties.keys())
            .filter(|key| !seen.contains(*key))
            .map(|key| Json::from(key.as_str()).to_text())
            .collect();
        let required = schema.as_ref().and_then(|schema| schema.get("required")).and_then(Json::as_array);
        let lacks = required.unwrap_or_default().iter().filter_map(Json::as_str).any(|key| !seen.contains(key));
        match (at, c) {
            (At::Begin | At::End, '}') if !lacks => return Step::Taken,
            (At::Begin | At::Next { .. }, '"') if !closed || !left.is_empty() => {
                if closed {
                    self.stack.push(Frame::Object { schema, seen, key, at });
                    self.stack.push(Frame::OneOf { options: left.into(), typed: "\"".to_owned(), then: Then::Key });
                } else {
                    self.stack.push(Frame::Object { schema, seen, key: String::new(), at: At::Colon });
                    self.stack.push(Frame::Text { escape: Escape::None, left: None });
                }
                return Step::Taken;
            }
            _ => {}
        }
        let at = match (at, c) {
            (At::Colon, ':') => At::Value { spaced: false },
            (At::Value { spaced: false }, ' ') => At::Value { spaced: true },
            (At::Value { .. }, _) => {
                let value = properties.and_then(|properties| properties.get(&key)).cloned().map(Arc::new);
                self.stack.push(Frame::Object { schema, seen, key, at: At::End });
                return self.value(value, c, self.stack.len());
            }
            (At::End, ',') if !closed || !left.is_empty() => At::Next { spaced: false },
            (At::Next { spaced: false }, ' ') => At::Next { spaced: true },
            _ => return Step::Wrong,
        };
        self.stack.push(Frame::Object { schema, seen, key, at });
        Step::Taken
    }

    fn array(&mut self, items: Schema, at: At, c: char) -> Step {
        let at = match (at, c) {
            (At::Begin | At::End, ']') => return Step::Taken,
            (At::End, ',') => At::Next { spaced: false },
            (At::Next { spaced: false }, ' ') => At::Next { spaced: true },
            (At::Begin | At::Next { .. }, _) => {
                let item = items.clone();
                self.stack.push(Frame::Array { items, at: At::End });
                return self.value(item, c, self.stack.len());
            }
            _ => return Step::Wrong,
        };
        self.stack.push(Frame::Array { items, at });
        Step::Taken
    }

    fn text(&mut self, escape: Escape, left: Option<usize>, c: char) -> Step {
        let fewer = left.map(|left| left.saturating_sub(1));
        let (escape, left) = match (escape, c) {
            (Escape::None, '"') => return Step::Taken,
            (Escape::None, _) if left == Some(0) => return Step::Wrong,
            (Escape::None, '\\') => (Escape::Begun, left),
            (Escape::None, c) if u32::from(c) >= 0x20 => (Escape::None, fewer),
            (Escape::Begun, '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => (Escape::None, fewer),
            (Escape::Begun, 'u') => (Escape::Hex(4), left),
            (Escape::Hex(1), c) if c.is_ascii_hexdigit() => (Escape::None, fewer),
            (Escape::Hex(more), c) if c.is_ascii_hexdigit() => (Escape::Hex(more - 1), left),
            _ => return Step::Wrong,
        };
        self.stack.push(Frame::Text { escape, left });
        Step::Taken
    }
}

fn any_object() -> Arc<Json> {
    Arc::new(Json::Object([("type".to_owned(), "object".into())].into_iter().collect()))
}

/// The texts that a schema lists, as JSON; none where it lists anything else.
fn texts_of(schema: &Json) -> Vec<String> {
    let listed = match (schema.get("enum"), schema.get("const")) {
        (Some(Json::Array(all)), _) => all.clone(),
        (_, Some(one)) => vec![one.clone()],
        _ => Vec::new(),
    };
    if listed.iter().any(|value| value.as_str().is_none()) {
        return Vec::new();
    }
    listed.iter().map(Json::to_text).collect()
}

/// Whether more characters can make a number of this.
fn could_be_number(typed: &str, whole: bool) -> bool {
    const MOST_DIGITS: usize = 40;
    let digits = typed.strip_prefix('-').unwrap_or(typed);
    if digits.is_empty() {
        return true;
    }
    if digits.len() > MOST_DIGITS
        || (digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit())
    {
        return false;
    }
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (before, after) = match mantissa.split_once('.') {
        Some((before, after)) => (before, Some(after)),
        None => (mantissa, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole && (after.is_some() || exponent.is_some()) {
        return false;
    }
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        all_digits(exponent) && exponent.len() <= 3 && after.is_none_or(|after| !after.is_empty())
    });
    !before.is_empty() && all_digits(before) && after.is_none_or(all_digits) && exponent_fits
}
