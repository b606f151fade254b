//! `/tokenize` as vLLM 0.32 answers it.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

type Tokens = dyn Fn(&Value) -> Vec<u32> + Send + Sync;

/// What makes tokens of a request's body, in place of a count by length.
#[derive(Clone)]
pub struct Tokenize(Arc<Tokens>);

impl Tokenize {
    /// A tokenizer; it is given the body as vLLM sees it.
    #[must_use]
    pub fn new(tokens: impl Fn(&Value) -> Vec<u32> + Send + Sync + 'static) -> Self {
        Self(Arc::new(tokens))
    }
}

impl fmt::Debug for Tokenize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokenize")
    }
}

/// The answer: the older name of reasoning in history is dropped without a word, arguments that are not JSON objects
/// in text are refused.
pub(crate) fn reply(body: &Value, tokenize: Option<&Tokenize>, context_tokens: u32) -> (u16, Value) {
    let mut body = body.clone();
    for message in body["messages"].as_array_mut().into_iter().flatten() {
        if let Some(fields) = message.as_object_mut() {
            fields.remove("reasoning_content");
        }
        for call in message["tool_calls"].as_array_mut().into_iter().flatten() {
            let arguments = &mut call["function"]["arguments"];
            match arguments.as_str().map(serde_json::from_str::<Value>) {
                Some(Ok(object)) if object.is_object() => *arguments = object,
                _ => return (400, refusal("arguments of a call in the history are not a JSON object in text")),
            }
        }
    }
    let tokens = match tokenize {
        Some(tokenize) => (tokenize.0)(&body),
        None => (0..u32::try_from(body["messages"].to_string().len() / 4).unwrap_or(u32::MAX)).collect(),
    };
    let count = tokens.len();
    (200, json!({"count": count, "max_model_len": context_tokens, "tokens": tokens, "token_strs": null}))
}

fn refusal(message: &str) -> Value {
    json!({"error": {"message": message, "type": "BadRequestError", "param": null, "code": 400}})
}
