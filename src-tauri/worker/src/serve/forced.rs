//! An answer that has to be a call: `tool_choice` required, or a named tool.

use std::sync::Arc;

use tw_artifact::{Json, ToolDefinition};
use tw_infer::Constraint;

use super::chat::Chat;
use super::grammar::Grammar;

/// Lets the model think first, where it does, and then write one call as Hermes and Qwen write it.
pub(crate) struct ForcedCall {
    chat: Arc<Chat>,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    /// Nothing was written; the model may begin with `<think>`.
    Begin {
        typed: String,
        grammar: Grammar,
    },
    /// In the reasoning: its last characters.
    Thinking {
        tail: String,
        grammar: Grammar,
    },
    /// Behind it, after so many line breaks.
    Gap {
        breaks: usize,
        grammar: Grammar,
    },
    Call(Grammar),
}

const THINK: &str = "<think>";
const THINK_END: &str = "</think>";
/// Line breaks between reasoning and call.
const MOST_BREAKS: usize = 2;

impl ForcedCall {
    pub(crate) fn new(chat: Arc<Chat>, tools: &[&ToolDefinition], is_thinking: bool, may_think: bool) -> Self {
        let heads = tools.iter().map(|tool| {
            let parameters = tool.0.get("function").and_then(|function| function.get("parameters"));
            let name = Json::from(tool.name()).to_text();
            let schema = parameters.filter(|schema| schema.as_object().is_some()).cloned().map(Arc::new);
            (format!("<tool_call>\n{{\"name\": {name}, \"arguments\": "), schema)
        });
        let grammar = Grammar::call(heads.collect(), "}\n</tool_call>");
        let place = match (is_thinking, may_think) {
            (true, _) => Place::Thinking { tail: String::new(), grammar },
            (false, true) => Place::Begin { typed: String::new(), grammar },
            (false, false) => Place::Call(grammar),
        };
        Self { chat, place }
    }
}

impl Place {
    /// The place after a character, if it may come here.
    fn after(self, c: char) -> Option<Self> {
        match self {
            Self::Begin { mut typed, grammar } => {
                typed.push(c);
                if typed == THINK {
                    return Some(Self::Thinking { tail: String::new(), grammar });
                }
                if THINK.starts_with(&typed) {
                    return Some(Self::Begin { typed, grammar });
                }
                typed.chars().try_fold(Self::Call(grammar), Self::after)
            }
            Self::Thinking { mut tail, grammar } => {
                tail.push(c);
                if tail.ends_with(THINK_END) {
                    return Some(Self::Gap { breaks: 0, grammar });
                }
                while tail.len() > THINK_END.len() {
                    tail.remove(0);
                }
                Some(Self::Thinking { tail, grammar })
            }
            Self::Gap { breaks, grammar } if c == '\n' && breaks < MOST_BREAKS => {
                Some(Self::Gap { breaks: breaks + 1, grammar })
            }
            Self::Gap { mut grammar, .. } | Self::Call(mut grammar) => grammar.take(c).then_some(Self::Call(grammar)),
        }
    }
}

impl Constraint for ForcedCall {
    fn allows(&mut self, token: u32) -> bool {
        let text = self.chat.token(token);
        !text.is_empty() && text.chars().try_fold(self.place.clone(), Place::after).is_some()
    }

    fn accept(&mut self, token: u32) {
        if let Some(place) = self.chat.token(token).chars().try_fold(self.place.clone(), Place::after) {
            self.place = place;
        }
    }

    fn may_end(&self) -> bool {
        self.must_end()
    }

    fn must_end(&self) -> bool {
        matches!(&self.place, Place::Call(grammar) if grammar.is_done())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tools() -> Vec<ToolDefinition> {
        let schema = r#"{"type":"object","properties":{"n":{"type":"integer"},"mode":{"enum":["fast","far"]},
            "words":{"type":"array","items":{"type":"string","maxLength":3}},"deep":{"type":"object","properties":
            {"x":{"type":"number"}}}},"required":["n"],"additionalProperties":false}"#;
        vec![
            ToolDefinition::new("go", "", Json::parse(schema).unwrap()),
            ToolDefinition::new("go_far", "", Json::parse(r#"{"type":"object"}"#).unwrap()),
        ]
    }

    fn ends(text: &str, place: Place) -> Option<bool> {
        let place = text.chars().try_fold(place, Place::after)?;
        Some(matches!(&place, Place::Call(grammar) if grammar.is_done()))
    }

    fn grammar() -> Grammar {
        let tools = tools();
        let heads = tools.iter().map(|tool| {
            let schema = tool.0.get("function").and_then(|it| it.get("parameters")).cloned().map(Arc::new);
            (format!("<tool_call>\n{{\"name\": \"{}\", \"arguments\": ", tool.name()), schema)
        });
        Grammar::call(heads.collect(), "}\n</tool_call>")
    }

    fn call(name: &str, arguments: &str) -> Option<bool> {
        let text = format!("<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n</tool_call>");
        ends(&text, Place::Call(grammar()))
    }

    #[test]
    fn arguments_keep_to_their_schema() {
        for good in [
            r#"{"n": 5}"#,
            r#"{"n":-12,"mode":"far","words":["abc", "\u00e9\n"],"deep":{"x":1.5e-3}}"#,
            r#"{"deep": {}, "n": 0}"#,
        ] {
            assert_eq!(call("go", good), Some(true), "{good}");
        }
        for bad in [
            "{}",
            r#"{"n": 1.5}"#,
            r#"{"n": 01}"#,
            r#"{"m": 1}"#,
            r#"{"n": 1, "n": 2}"#,
            r#"{"n": 1,}"#,
            r#"{"n": "1"}"#,
            r#"{"n": 1, "mode": "slow"}"#,
            r#"{"n": 1, "words": ["long word"]}"#,
            "5",
            r#"{"n":  1}"#,
            r#"{"n": -}"#,
        ] {
            assert_eq!(call("go", bad), None, "{bad}");
        }
        for good in ["{}", r#"{"anything": [1, {"a": null}, true], "b": "c"}"#] {
            assert_eq!(call("go_far", good), Some(true), "{good}");
        }
        assert_eq!(call("go_far", "[]"), None, "arguments are an object");
        assert_eq!(call("fly", "{}"), None);
        assert_eq!(ends("<tool_call>\n{\"name\": \"go_f", Place::Call(grammar())), Some(false));
    }

    #[test]
    fn the_model_may_think_before_it_calls() {
        let call = "<tool_call>\n{\"name\": \"go\", \"arguments\": {\"n\": 1}}\n</tool_call>";
        let begin = || Place::Begin { typed: String::new(), grammar: grammar() };
        assert_eq!(ends(call, begin()), Some(true));
        assert_eq!(ends(&format!("<think>\nwell </thin </think>\n\n{call}"), begin()), Some(true));
        assert_eq!(ends("<think>never ends", begin()), Some(false));
        assert_eq!(ends("Sure!", begin()), None);
        assert_eq!(ends(&format!("<think>\n</think>\n\n\n{call}"), begin()), None);
        let thinking = Place::Thinking { tail: String::new(), grammar: grammar() };
        assert_eq!(ends(&format!("so</think>{call}"), thinking), Some(true));
    }
}
