//! Tool calls in a text that a model wrote: for whoever runs a model itself and has to tell them apart.

use tw_artifact::ToolDefinition;

use crate::text_calls::{self, Offered};

/// What calls begin with, but for the bare JSON of Llama 3 ([`could_be_written_call`]).
pub const CALL_MARKERS: [&str; 4] = text_calls::MARKERS;

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenCall {
    /// The tool's name.
    pub name: String,
    /// Its arguments: the text of a JSON object, or what the model wrote in place of one.
    pub arguments: String,
}

/// The calls of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenCalls {
    /// The text without them.
    pub content: String,
    /// The calls in order; never empty.
    pub calls: Vec<WrittenCall>,
}

/// Reads the calls in a text that holds no reasoning; `None` when there are none.
#[must_use]
pub fn written_calls(text: &str, tools: &[ToolDefinition]) -> Option<WrittenCalls> {
    let found = text_calls::read(text, &Offered::new(tools))?;
    let calls = found.calls.into_iter().map(|call| WrittenCall {
        name: call.name,
        arguments: call.arguments.map_or_else(|broken| broken.text, |object| object.to_text()),
    });
    Some(WrittenCalls { content: found.content, calls: calls.collect() })
}

/// Whether a text that begins with `{` may still turn out to be a call.
#[must_use]
pub fn could_be_written_call(text: &str) -> bool {
    text_calls::could_be_bare_call(text)
}
