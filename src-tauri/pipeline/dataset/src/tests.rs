//! Rows as they must be, over made-up traces and a renderer whose text can be read.

#![allow(clippy::unwrap_used, clippy::panic)]

mod build;
mod limits;
mod modes;
mod splits;

use tw_artifact::{DatasetPlan, Json, Map, Marks, Message, Role, TextField, ToolDefinition};

use crate::{Rendered, Renderer, RowText, Source, Trimmed};

/// One token a character. Like Qwen3, it leaves reasoning out before the last question.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plain {
    pub(super) drops_reasoning: bool,
}

impl Plain {
    fn pieces(self, messages: &[Message]) -> Vec<String> {
        let question = messages.iter().rposition(|it| it.role() == Role::User).unwrap_or_default();
        let piece = |(place, message): (usize, &Message)| {
            let shows = !self.drops_reasoning || place > question;
            let reasoning = message.reasoning().filter(|_| shows).map(|it| format!("({it})")).unwrap_or_default();
            let calls: String = message.tool_calls().iter().map(|call| format!("[{}]", call.name)).collect();
            format!("<{}>{reasoning}{}{calls}</>", message.role().as_str(), message.text())
        };
        messages.iter().enumerate().map(piece).collect()
    }
}

impl Renderer for Plain {
    fn render(&self, row: &RowText<'_>) -> Result<Rendered, String> {
        let mut rendered = Rendered::default();
        for (place, piece) in self.pieces(row.messages).into_iter().enumerate() {
            let trained = row.train[place] || !row.spans[place].is_empty();
            for c in piece.chars() {
                rendered.units.push((u64::from(c), 1));
                rendered.mask.push(u8::from(trained));
                rendered.trained += u32::from(trained);
            }
        }
        Ok(rendered)
    }

    fn text(&self, messages: &[Message], _: &[ToolDefinition], _: i64) -> Result<String, String> {
        Ok(self.pieces(messages).concat())
    }

    fn normalise(&self, messages: Vec<Message>) -> (Vec<Message>, Vec<Trimmed>) {
        let mut trimmed = Vec::new();
        let messages = messages.into_iter().enumerate().map(|(place, message)| {
            let text = message.text();
            let new = text.trim_start_matches('\n');
            if new.len() == text.len() || message.role() != Role::Assistant {
                return message;
            }
            let before = u32::try_from(text.len() - new.len()).unwrap();
            trimmed.push(Trimmed { place, field: TextField::Content, before });
            message.with_field("content", new.into())
        });
        let messages = messages.collect();
        (messages, trimmed)
    }

    fn is_estimate(&self) -> bool {
        false
    }
}

pub(super) fn call(id: &str) -> Json {
    Message::tool_call(id, "look", Json::Object(Map::new()))
}

/// A trace in letters: s system, u question, a answer, c answer with a call and its result.
pub(super) fn source(id: &str, letters: &str) -> Source {
    let mut messages = Vec::new();
    for (place, letter) in letters.chars().enumerate() {
        match letter {
            's' => messages.push(Message::system("be kind")),
            'u' => messages.push(Message::user(format!("question {place} of {id}"))),
            'a' => {
                messages.push(Message::assistant(format!("answer {place}"), Some(format!("thought {place}")), vec![]));
            }
            'c' => {
                let name = format!("call{place}");
                messages.push(Message::assistant("", Some(format!("thought {place}")), vec![call(&name)]));
                messages.push(Message::tool(name, "look", format!("result {place} {}", "x".repeat(300))));
            }
            other => panic!("{other}"),
        }
    }
    let marks = vec![Marks::default(); messages.len()];
    let tool = ToolDefinition::new("look", "looks", Json::Object(Map::new()));
    Source { id: id.to_owned(), title: format!("Trace {id}"), messages, marks, tools: vec![tool], ..Source::default() }
}

pub(super) fn plan() -> DatasetPlan {
    DatasetPlan { name: "test".to_owned(), ..DatasetPlan::default() }
}
