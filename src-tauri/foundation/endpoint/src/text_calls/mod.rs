//! Reads tool calls that a server left in the text because it runs no tool parser.
//!
//! A mark ([`MARKERS`]) outside Markdown code begins a block; the form's own file reads it. A block that is no call
//! stays text, so nothing is ever lost, and only with tools on offer is anything read at all.

mod hermes;
mod json;
mod llama;
mod mistral;
mod qwen_xml;

use std::collections::HashMap;

use tw_artifact::{AnswerSource, Json, ToolDefinition};

use crate::code::CodeTracker;

pub(crate) use llama::could_be_bare_call;

/// What calls begin with, but for the bare JSON of Llama 3.
pub(crate) const MARKERS: [&str; 4] = [hermes::OPEN, qwen_xml::OPEN, mistral::OPEN, llama::OPEN];

/// Arguments that are not a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// What is wrong with them.
    pub(crate) why: String,
    /// What the model wrote.
    pub(crate) text: String,
}

/// A call from text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextCall {
    /// The model's own id, where the form has one.
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    /// An object, or what stands there instead.
    pub(crate) arguments: Result<Json, Broken>,
}

/// The calls of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextCalls {
    /// The form of the first call.
    pub(crate) source: AnswerSource,
    /// The text without them. What stood before the first is as it was; whitespace and stray tags behind it are gone.
    pub(crate) content: String,
    pub(crate) calls: Vec<TextCall>,
}

/// A block of one or more calls at the beginning of a text.
struct Block {
    source: AnswerSource,
    /// Bytes that it takes.
    length: usize,
    calls: Vec<TextCall>,
}

/// The tools that the model was told of.
pub(crate) struct Offered<'a> {
    tools: HashMap<&'a str, &'a Json>,
}

impl<'a> Offered<'a> {
    pub(crate) fn new(tools: &'a [ToolDefinition]) -> Self {
        Self { tools: tools.iter().map(|tool| (tool.name(), &tool.0)).filter(|(name, _)| !name.is_empty()).collect() }
    }

    fn knows(&self, name: &str) -> bool {
        self.tools.contains_key(name)
    }

    /// The JSON schema of a tool's arguments.
    fn schema(&self, name: &str) -> Option<&'a Json> {
        self.tools.get(name)?.get("function")?.get("parameters")
    }
}

/// Reads the calls in `text`, which holds no reasoning any more; `None` when there are none.
pub(crate) fn read(text: &str, offered: &Offered<'_>) -> Option<TextCalls> {
    if offered.tools.is_empty() {
        return None;
    }
    if let Some(calls) = llama::read_bare(text, offered) {
        return Some(TextCalls { source: AnswerSource::LlamaJson, content: String::new(), calls });
    }
    if !MARKERS.iter().any(|marker| text.contains(marker)) {
        return None;
    }
    let mut found: Option<TextCalls> = None;
    let mut code = CodeTracker::default();
    let mut gap_start = 0;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let block = if matches!(c, '<' | '[') && !code.in_code() { block_at(&text[at..], offered) } else { None };
        if let Some(block) = block {
            let calls = found.get_or_insert_with(|| TextCalls::new(block.source));
            calls.add_gap(&text[gap_start..at]);
            calls.calls.extend(block.calls);
            at += block.length;
            gap_start = at;
        } else {
            code.feed(c);
            at += c.len_utf8();
        }
    }
    if let Some(calls) = &mut found {
        calls.add_gap(&text[gap_start..]);
    }
    found
}

/// The block that `text` begins with.
fn block_at(text: &str, offered: &Offered<'_>) -> Option<Block> {
    if text.starts_with(hermes::OPEN) {
        return qwen_xml::block(text, offered).or_else(|| hermes::block(text, offered));
    }
    if text.starts_with(qwen_xml::OPEN) {
        return qwen_xml::block(text, offered);
    }
    if text.starts_with(mistral::OPEN) {
        return mistral::block(text, offered);
    }
    if text.starts_with(llama::OPEN) {
        return llama::block(text, offered);
    }
    None
}

/// What servers show of the end of a turn when they show special tokens, and tags without a partner.
const STRAY: [&str; 7] =
    ["<tool_call>", "</tool_call>", "</function>", "<|im_end|>", "<|eom_id|>", "<|eot_id|>", "</s>"];

impl TextCalls {
    const fn new(source: AnswerSource) -> Self {
        Self { source, content: String::new(), calls: Vec::new() }
    }

    /// Adds the text between two blocks. Before the first call it stays as it is; behind, the layout between calls is
    /// no content.
    fn add_gap(&mut self, gap: &str) {
        if self.calls.is_empty() {
            self.content.push_str(gap);
            return;
        }
        let mut rest = gap.trim();
        while let Some(stray) = STRAY.iter().find(|stray| rest.starts_with(**stray)) {
            rest = rest[stray.len()..].trim_start();
        }
        if !rest.is_empty() {
            self.content.push_str(gap);
        }
    }
}

#[cfg(test)]
mod tests;
