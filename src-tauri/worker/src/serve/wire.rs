//! Answers as vLLM 0.32 sends them, chunk by chunk or whole.

#![expect(clippy::needless_pass_by_value, reason = "values go into larger ones; the macro that does so borrows them")]

use serde_json::{Map, Value, json};
use tw_infer::{Reason, TokenInfo};

use super::answer::Piece;
use super::chat::Chat;

/// What all parts of one response share.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) model: String,
}

/// A new id, such as `chatcmpl-0123456789abcdef`.
pub(crate) fn new_id(kind: &str) -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    format!("{kind}-{}", &id[..16])
}

/// Tokens counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) prompt: usize,
    pub(crate) cached: usize,
    pub(crate) answer: usize,
    pub(crate) reasoning: usize,
}

impl Counts {
    /// Adds one choice of several.
    pub(crate) fn add(&mut self, one: Self) {
        self.answer += one.answer;
        self.reasoning += one.reasoning;
        self.cached = self.cached.max(one.cached);
    }

    pub(crate) fn usage(self) -> Value {
        json!({
            "prompt_tokens": self.prompt,
            "total_tokens": self.prompt + self.answer,
            "completion_tokens": self.answer,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        })
    }
}

fn fingerprint() -> &'static str {
    concat!("tracewright-", env!("CARGO_PKG_VERSION"))
}

/// Why an answer ended, in the words of the wire, and what ended it.
#[derive(Clone, Debug)]
pub(crate) struct Finish {
    pub(crate) reason: &'static str,
    pub(crate) stop: Value,
}

impl Finish {
    /// `calls` counts the answer's calls, `named` says that one tool was prescribed.
    pub(crate) fn of(reason: Reason, stop_string: Option<&str>, asked_stop: &[u32], calls: usize, named: bool) -> Self {
        let reason_text = match reason {
            Reason::Length if stop_string.is_none() => "length",
            _ if calls > 0 && !named => "tool_calls",
            _ => "stop",
        };
        let stop = match (stop_string, reason) {
            (Some(text), _) => text.into(),
            (None, Reason::Stop(id)) if asked_stop.contains(&id) => id.into(),
            _ => Value::Null,
        };
        Self { reason: reason_text, stop }
    }
}

impl Head {
    pub(crate) fn chunk(&self, choice: Value) -> Value {
        json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "choices": [choice],
        })
    }

    /// The first chunk of a choice.
    pub(crate) fn opening(&self, index: usize, prompt: Option<&[u32]>) -> Value {
        let mut chunk = self.chunk(
            json!({"index": index, "delta": {"role": "assistant", "content": ""}, "logprobs": null, "finish_reason": null}),
        );
        chunk["prompt_token_ids"] = prompt.into();
        chunk
    }

    /// The chunk that tells what was used.
    pub(crate) fn usage(&self, counts: Counts) -> Value {
        json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "choices": [], "usage": counts.usage(), "system_fingerprint": fingerprint(),
        })
    }

    /// The whole response.
    pub(crate) fn whole(&self, choices: Vec<Value>, counts: Counts, prompt: Option<&[u32]>) -> Value {
        json!({
            "id": self.id, "object": "chat.completion", "created": self.created, "model": self.model,
            "choices": choices, "service_tier": null, "system_fingerprint": fingerprint(), "usage": counts.usage(),
            "prompt_logprobs": null, "prompt_token_ids": prompt,
        })
    }
}

/// A piece of a choice.
pub(crate) fn delta(index: usize, delta: Value, logprobs: Value, token_ids: Option<&[u32]>) -> Value {
    json!({"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": null, "token_ids": token_ids})
}

/// What a piece changes. `calls` counts those that have begun.
pub(crate) fn piece(piece: Piece, calls: &mut usize) -> Value {
    match piece {
        Piece::Reasoning(text) => json!({"reasoning": text}),
        Piece::Content(text) => json!({"content": text}),
        Piece::Call { name } => {
            *calls += 1;
            let call = json!({"id": new_id("chatcmpl-tool"), "type": "function", "index": *calls - 1, "function": {"name": name}});
            json!({"content": null, "tool_calls": [call]})
        }
        Piece::Arguments(text) => {
            let call = json!({"index": calls.saturating_sub(1), "function": {"arguments": text}});
            json!({"content": null, "tool_calls": [call]})
        }
    }
}

/// A choice's end.
pub(crate) fn end(index: usize, logprobs: Value, finish: &Finish, token_ids: Option<&[u32]>) -> Value {
    json!({
        "index": index, "delta": {}, "logprobs": logprobs, "finish_reason": finish.reason, "stop_reason": finish.stop,
        "token_ids": token_ids,
    })
}

/// Tokens' log-probabilities; null for none.
pub(crate) fn logprobs(chat: &Chat, tokens: &[TokenInfo]) -> Value {
    if tokens.iter().all(|token| token.logprob.is_none()) {
        return Value::Null;
    }
    let one = |id: u32, logprob: f32| {
        let token = chat.token(id);
        // What is impossible has no logarithm that JSON knows.
        let logprob = if logprob.is_finite() { logprob } else { -9999.0 };
        json!({"bytes": token.as_bytes(), "token": token, "logprob": logprob})
    };
    let entries = tokens.iter().map(|token| {
        let mut entry = one(token.id, token.logprob.unwrap_or_default());
        entry["top_logprobs"] = token.top.iter().map(|(id, logprob)| one(*id, *logprob)).collect();
        entry
    });
    json!({"content": entries.collect::<Vec<_>>()})
}

/// One entry of the list of models.
pub(crate) fn model(id: &str, created: i64, root: &str, parent: Option<&str>, max_context: Option<usize>) -> Value {
    json!({
        "id": id, "object": "model", "created": created, "owned_by": "tracewright", "root": root, "parent": parent,
        "max_model_len": max_context,
        "permission": [{
            "id": new_id("modelperm"), "object": "model_permission", "created": created, "allow_create_engine": false,
            "allow_sampling": true, "allow_logprobs": true, "allow_search_indices": false, "allow_view": true,
            "allow_fine_tuning": false, "organization": "*", "group": null, "is_blocking": false,
        }],
    })
}

/// A whole answer's message.
#[derive(Clone, Debug, Default)]
pub(crate) struct MessageParts {
    pub(crate) reasoning: String,
    pub(crate) content: String,
    /// Name and arguments.
    pub(crate) calls: Vec<(String, String)>,
    /// Whether a call was prescribed: then vLLM says no text as "" rather than null.
    pub(crate) is_forced: bool,
}

impl MessageParts {
    pub(crate) fn add(&mut self, piece: Piece) {
        match piece {
            Piece::Reasoning(text) => self.reasoning.push_str(&text),
            Piece::Content(text) => self.content.push_str(&text),
            Piece::Call { name } => self.calls.push((name, String::new())),
            Piece::Arguments(text) => {
                if let Some((_, arguments)) = self.calls.last_mut() {
                    arguments.push_str(&text);
                }
            }
        }
    }

    pub(crate) fn message(&self) -> Value {
        let text = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
        let mut message = Map::new();
        message.insert("role".to_owned(), "assistant".into());
        let content = if self.is_forced { self.content.as_str().into() } else { text(&self.content) };
        message.insert("content".to_owned(), content);
        for key in ["refusal", "annotations", "audio", "function_call"] {
            message.insert(key.to_owned(), Value::Null);
        }
        if !self.calls.is_empty() {
            let call = |(name, arguments): &(String, String)| {
                let function = json!({"name": name, "arguments": arguments});
                json!({"id": new_id("chatcmpl-tool"), "type": "function", "function": function})
            };
            message.insert("tool_calls".to_owned(), self.calls.iter().map(call).collect());
        }
        message.insert("reasoning".to_owned(), text(&self.reasoning));
        message.into()
    }
}
