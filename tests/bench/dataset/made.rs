//! Traces that are made up, and a renderer that counts letters: what is measured is the dataset, not a tokenizer.

use serde_json::json;
use tw_artifact::{Json, Message, ToolDefinition};
use tw_dataset::{Rendered, Renderer, RowText, Source, Trimmed};

/// Answers of a trace, each of which becomes a row.
const STEPS: u32 = 8;

/// Four letters a token.
#[derive(Debug)]
pub(crate) struct Letters;

impl Renderer for Letters {
    fn render(&self, row: &RowText<'_>) -> Result<Rendered, String> {
        let mut rendered = Rendered::default();
        for (message, train) in row.messages.iter().zip(row.train) {
            let text = message.text();
            let tokens = u32::try_from(text.len() / 4 + 1).unwrap_or(u32::MAX);
            let unit = text.bytes().fold(0_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
            rendered.units.push((unit, tokens));
            rendered.trained += if *train { tokens } else { 0 };
        }
        Ok(rendered)
    }

    fn text(&self, messages: &[Message], _: &[ToolDefinition], _: i64) -> Result<String, String> {
        Ok(messages.iter().map(Message::text).collect())
    }

    fn normalise(&self, messages: Vec<Message>) -> (Vec<Message>, Vec<Trimmed>) {
        (messages, Vec::new())
    }

    fn is_estimate(&self) -> bool {
        true
    }
}

/// The finaliser of SplitMix64: numbers that look random and are the same in every run.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn words(seed: u64, count: u64) -> String {
    (0..count).map(|word| format!("w{} ", mix(mix(seed) ^ word) % 4_999)).collect()
}

fn json(value: &serde_json::Value) -> Json {
    Json::parse(&value.to_string()).unwrap_or_default()
}

/// Traces that unroll into so many rows, made one after the other. Their arguments have many shapes.
pub(crate) fn traces(rows: u32) -> impl Iterator<Item = Source> {
    let tools: Vec<ToolDefinition> = (0..6)
        .map(|tool| {
            let schema =
                json!({"type": "object", "properties": {"query": {"type": "string"}, "page": {"type": "integer"}}});
            ToolDefinition::new(&format!("tool_{tool}"), &words(tool, 12), json(&schema))
        })
        .collect();
    (0..rows.div_ceil(STEPS)).map(move |number| {
        let seed = u64::from(number) * 1_000;
        let steps = STEPS.min(rows - number * STEPS);
        let mut messages = vec![Message::system(words(1, 40)), Message::user(words(seed, 12))];
        for step in 0..steps {
            let seed = seed + u64::from(step);
            if step + 1 == steps {
                messages.push(Message::assistant(words(seed, 40), Some(words(seed + 1, 30)), Vec::new()));
                break;
            }
            let arguments = match step % 3 {
                0 => json!({"query": words(seed, 3), "page": step}),
                1 => json!({"url": words(seed, 2), "options": {"deep": [step, null, 1.5]}}),
                _ => json!({}),
            };
            let call = Message::tool_call(&format!("call_{step}"), &format!("tool_{}", step % 6), json(&arguments));
            messages.push(Message::assistant("", Some(words(seed, 25)), vec![call]));
            messages.push(Message::tool(format!("call_{step}"), format!("tool_{}", step % 6), words(seed + 2, 60)));
        }
        let marks = Vec::new();
        let id = format!("trace-{number:07}");
        Source { id, title: words(seed, 5), messages, marks, tools: tools.clone(), ..Source::default() }
    })
}
