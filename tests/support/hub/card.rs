//! The front matter of a card as the Hub's information about a repository has it: enough of YAML for cards that tools
//! write (maps, lists, plain and quoted words by indentation).

use serde_json::{Map, Value};

struct Line<'a> {
    indent: usize,
    text: &'a str,
}

/// The front matter of a README as JSON; `None` where there is none.
pub(super) fn card_data(readme: &str) -> Option<Value> {
    let rest = readme.strip_prefix("---\n")?;
    let end = rest.find("\n---")?;
    let lines: Vec<Line<'_>> = rest[..end]
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .map(|line| Line { indent: line.len() - line.trim_start().len(), text: line.trim() })
        .collect();
    let mut at = 0;
    Some(block(&lines, &mut at, 0))
}

fn block(lines: &[Line<'_>], at: &mut usize, indent: usize) -> Value {
    let is_list = lines.get(*at).is_some_and(|line| line.text.starts_with("- ") || line.text == "-");
    if is_list { list(lines, at, indent) } else { map(lines, at, indent, None) }
}

fn list(lines: &[Line<'_>], at: &mut usize, indent: usize) -> Value {
    let mut items = Vec::new();
    while let Some(line) = lines.get(*at) {
        if line.indent < indent || !line.text.starts_with('-') {
            break;
        }
        let (own, rest) = (line.indent, line.text[1..].trim_start());
        if rest.contains(": ") || rest.ends_with(':') {
            let inner = own + (line.text.len() - rest.len());
            items.push(map(lines, at, inner, Some(rest)));
        } else {
            *at += 1;
            items.push(word(rest));
        }
    }
    Value::Array(items)
}

/// `first` is the entry that stands behind a list's dash.
fn map(lines: &[Line<'_>], at: &mut usize, indent: usize, mut first: Option<&str>) -> Value {
    let mut out = Map::new();
    while let Some(line) = lines.get(*at) {
        let text = match first.take() {
            Some(text) => text,
            None if line.indent >= indent && !line.text.starts_with("- ") => line.text,
            None => break,
        };
        let Some((key, value)) = text.split_once(':') else {
            *at += 1;
            continue;
        };
        *at += 1;
        let value = value.trim();
        let key = key.trim().trim_matches(['"', '\'']).to_owned();
        let value = if value.is_empty() {
            match lines.get(*at) {
                Some(next) if next.indent > indent || (next.indent == indent && next.text.starts_with('-')) => {
                    let deeper = next.indent;
                    block(lines, at, deeper)
                }
                _ => Value::Null,
            }
        } else {
            word(value)
        };
        out.insert(key, value);
    }
    Value::Object(out)
}

fn word(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match text.parse::<i64>() {
            Ok(number) => number.into(),
            Err(_) => Value::String(text.trim_matches(['"', '\'']).to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn the_front_matter_that_tools_write_is_understood() {
        let readme = "---\nlicense: mit\ntags:\n- a\n- 'b'\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n  default: true\n---\n# Title\n";
        let expected = json!({
            "license": "mit",
            "tags": ["a", "b"],
            "configs": [{
                "config_name": "default",
                "data_files": [{"split": "train", "path": "data/train-*"}],
                "default": true,
            }],
        });
        assert_eq!(card_data(readme).unwrap(), expected);
    }
}
