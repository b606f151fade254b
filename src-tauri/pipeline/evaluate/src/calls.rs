//! Tool calls as values: two are the same when name and arguments say the same, however they are written.

use tw_artifact::{Arguments, Json, ToolCallView};

/// A value's text with keys in order and numbers in one form: equal texts mean equal values. `1`, `1.0` and `1e0` are the
/// same number; integers beyond what a double holds keep their digits.
#[must_use]
pub fn canonical(value: &Json) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Json, text: &mut String) {
    match value {
        Json::Number(number) => {
            let digits = number.as_str().bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
            let whole = number.as_f64().filter(|value| value.fract() == 0.0 && value.abs() < 9e15);
            match (whole, number.as_f64()) {
                (Some(whole), _) => text.push_str(&format!("{whole:.0}")),
                (None, Some(double)) if !digits => text.push_str(&double.to_string()),
                _ => text.push_str(number.as_str()),
            }
        }
        Json::Array(items) => {
            text.push('[');
            for item in items {
                write_canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Json::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            text.push('{');
            for (key, item) in entries {
                text.push_str(&Json::from(key.as_str()).to_text());
                text.push(':');
                write_canonical(item, text);
                text.push(',');
            }
            text.push('}');
        }
        Json::Null | Json::Bool(_) | Json::String(_) => text.push_str(&value.to_text()),
    }
}

/// The arguments as a value: text that holds JSON is read, other text stays text; missing ones are an empty object.
pub(crate) fn arguments_of(call: &ToolCallView<'_>) -> Json {
    match call.arguments {
        Arguments::Object(map) => Json::Object(map.clone()),
        Arguments::Text(text) if text.trim().is_empty() => Json::Object(tw_artifact::Map::new()),
        Arguments::Text(text) => Json::parse(text).unwrap_or_else(|_| text.into()),
        Arguments::Other => Json::Object(tw_artifact::Map::new()),
    }
}

/// What makes a call the same as another: its tool and its arguments' canonical text.
#[must_use]
pub fn call_key(call: &ToolCallView<'_>) -> (String, String) {
    (call.name.to_owned(), canonical(&arguments_of(call)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_are_the_same_however_they_are_written() {
        let text = |json: &str| canonical(&Json::parse(json).unwrap());
        assert_eq!(text(r#"{"a":1.0,"b":[1e2,"x"]}"#), text(r#"{ "b": [100, "x"], "a": 1 }"#));
        assert_ne!(text("[1,2]"), text("[2,1]"));
        assert_ne!(text("\"1\""), text("1"));
        assert_ne!(text("12345678901234567890"), text("12345678901234567891"));
        assert_eq!(text("0.5"), text("5e-1"));
        assert_ne!(text(r#"{"a":"b,c"}"#), text(r#"{"a":"b","c":""}"#));
    }
}
