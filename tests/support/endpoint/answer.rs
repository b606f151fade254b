//! An answer, and the chunks or the document that a server sends it in.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Step;
use super::shape::{ScriptedCall, Shape, as_text};

/// An answer of the model, in the shape of vLLM 0.32 unless told otherwise.
#[must_use]
pub fn answer() -> AnswerScript {
    AnswerScript::default()
}

/// An answer to be built up. Text is sent in pieces of a few characters, as tokens are.
#[derive(Clone, Debug, Default)]
pub struct AnswerScript {
    reasoning: String,
    content: String,
    calls: Vec<ScriptedCall>,
    shape: Shape,
    finish: Option<String>,
    usage: Option<(u32, u32)>,
    ids: Option<Vec<u32>>,
    no_usage: bool,
    no_done: bool,
    no_finish: bool,
    events_per_sec: Option<f64>,
    fault: Option<(Place, Fault)>,
}

/// Where in the stream a fault happens.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// After so many events.
    Events(usize),
    /// In the middle of the last call's arguments.
    InCall,
}

#[derive(Clone, Debug)]
enum Fault {
    /// Half of the next event, then the connection tears.
    Tear,
    Hang,
    /// A data line that is not JSON, then the rest.
    Nonsense,
    /// `{"error": ...}`, then `[DONE]`.
    Error(String),
    /// The body ends as if it were whole.
    End,
}

impl AnswerScript {
    /// Adds reasoning.
    #[must_use]
    pub fn reasoning(mut self, text: &str) -> Self {
        self.reasoning.push_str(text);
        self
    }

    /// Adds text.
    #[must_use]
    pub fn content(mut self, text: &str) -> Self {
        self.content.push_str(text);
        self
    }

    /// Adds a call.
    #[must_use]
    pub fn call(self, id: &str, name: &str, arguments: &Value) -> Self {
        self.call_text(id, name, &arguments.to_string())
    }

    /// Adds a call whose arguments are this text, JSON or not.
    #[must_use]
    pub fn call_text(mut self, id: &str, name: &str, arguments: &str) -> Self {
        self.calls.push(ScriptedCall { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned() });
        self
    }

    /// Sends it in another server's shape.
    #[must_use]
    pub const fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// Ends with this reason instead of `stop` or `tool_calls`.
    #[must_use]
    pub fn finish(mut self, reason: &str) -> Self {
        self.finish = Some(reason.to_owned());
        self
    }

    /// Says this usage (prompt and completion tokens) instead of one from its length.
    #[must_use]
    pub const fn usage(mut self, prompt_tokens: u32, completion_tokens: u32) -> Self {
        self.usage = Some((prompt_tokens, completion_tokens));
        self
    }

    /// Gives these ids of its tokens instead of made ones.
    #[must_use]
    pub fn token_ids(mut self, ids: Vec<u32>) -> Self {
        self.ids = Some(ids);
        self
    }

    /// Says no usage, even where it is asked for.
    #[must_use]
    pub const fn without_usage(mut self) -> Self {
        self.no_usage = true;
        self
    }

    /// Leaves out `[DONE]`.
    #[must_use]
    pub const fn without_done(mut self) -> Self {
        self.no_done = true;
        self
    }

    /// Leaves out the finish reason.
    #[must_use]
    pub const fn without_finish(mut self) -> Self {
        self.no_finish = true;
        self
    }

    /// Sends so many events (about tokens) a second instead of all at once.
    #[must_use]
    pub const fn pace(mut self, events_per_sec: f64) -> Self {
        self.events_per_sec = Some(events_per_sec);
        self
    }

    /// After `events` events sends half of the next one and tears the connection.
    #[must_use]
    pub fn tear_after(mut self, events: usize) -> Self {
        self.fault = Some((Place::Events(events), Fault::Tear));
        self
    }

    /// Tears the connection in the middle of the last call's arguments.
    #[must_use]
    pub fn tear_in_call(mut self) -> Self {
        self.fault = Some((Place::InCall, Fault::Tear));
        self
    }

    /// After `events` events ends the body as if it were whole.
    #[must_use]
    pub fn end_after(mut self, events: usize) -> Self {
        self.fault = Some((Place::Events(events), Fault::End));
        self
    }

    /// After `events` events says nothing more.
    #[must_use]
    pub fn hang_after(mut self, events: usize) -> Self {
        self.fault = Some((Place::Events(events), Fault::Hang));
        self
    }

    /// After `events` events sends a chunk that is not JSON.
    #[must_use]
    pub fn nonsense_after(mut self, events: usize) -> Self {
        self.fault = Some((Place::Events(events), Fault::Nonsense));
        self
    }

    /// After `events` events sends an error in the stream.
    #[must_use]
    pub fn error_after(mut self, events: usize, message: &str) -> Self {
        self.fault = Some((Place::Events(events), Fault::Error(message.to_owned())));
        self
    }

    /// The stream as one text, for a request that asks for usage and no token ids.
    #[must_use]
    pub fn to_sse(&self) -> String {
        let request = json!({"model": super::MODEL, "stream": true, "stream_options": {"include_usage": true}});
        let mut text: String = self.events(&request, 1).iter().map(line).collect();
        if !self.no_done {
            text.push_str("data: [DONE]\n\n");
        }
        text
    }

    /// What is sent for `request`; `number` is the answer's number on this server.
    pub(super) fn steps(&self, request: &Value, number: u64) -> Vec<Step> {
        let events = self.events(request, number);
        let fault_at = self.fault.as_ref().map(|(place, _)| match place {
            Place::Events(events) => *events,
            Place::InCall => middle_of_call(&events),
        });
        let wait = self.events_per_sec.map(|rate| Duration::from_secs_f64(1.0 / rate));
        let mut steps = Vec::new();
        for (place, event) in events.iter().enumerate() {
            if let (true, Some((_, fault))) = (fault_at == Some(place), &self.fault) {
                match fault {
                    Fault::Tear => {
                        let text = line(event).into_bytes();
                        let half = text.len() / 2;
                        steps.extend([Step::Send(text[..half].to_vec()), Step::Tear]);
                        return steps;
                    }
                    Fault::Hang => {
                        steps.push(Step::Hang);
                        return steps;
                    }
                    Fault::End => return steps,
                    Fault::Error(message) => {
                        let error = json!({"error": {"message": message, "type": "InternalServerError", "param": null, "code": 500}});
                        steps.push(Step::Send(format!("{}data: [DONE]\n\n", line(&error)).into_bytes()));
                        return steps;
                    }
                    Fault::Nonsense => steps.push(Step::Send(b"data: {\"choices\": [{\"delta\n\n".to_vec())),
                }
            }
            steps.extend(wait.map(Step::Wait));
            steps.push(Step::Send(line(event).into_bytes()));
        }
        if !self.no_done {
            steps.push(Step::Send(b"data: [DONE]\n\n".to_vec()));
        }
        steps
    }

    /// The chunks, in order.
    fn events(&self, request: &Value, number: u64) -> Vec<Value> {
        let frame = Frame::new(request, number, self.shape);
        let with_ids = request["return_token_ids"] == true;
        let mut events = vec![frame.first(with_ids)];
        let mut token = 0_u32;
        let mut given = self.ids.clone();
        let mut push = |delta: Value| {
            token += 1;
            let ids = match (&self.ids, given.take()) {
                (Some(_), ids) => ids.unwrap_or_default(),
                (None, _) => vec![token],
            };
            events.push(frame.chunk(&delta, with_ids.then_some(ids)));
        };
        let (reasoning, content, calls) = self.parts();
        let field = if self.shape == Shape::ReasoningContent { "reasoning_content" } else { "reasoning" };
        for piece in pieces(&reasoning) {
            push(json!({field: piece}));
        }
        for piece in pieces(&content) {
            push(json!({"content": piece}));
        }
        for (index, call) in calls.iter().enumerate() {
            let mut start = json!({"id": call.id, "type": "function", "index": index, "function": {"name": call.name}});
            if self.shape == Shape::OpenAi {
                start["function"]["arguments"] = "".into();
            }
            push(frame.calls_delta(&start));
            for piece in pieces(&call.arguments) {
                push(frame.calls_delta(&json!({"index": index, "function": {"arguments": piece}})));
            }
        }
        if !self.no_finish {
            events.push(frame.last(&self.finish_reason(&calls)));
        }
        if request["stream_options"]["include_usage"] == true && !self.no_usage {
            events.push(frame.usage(&self.usage_value(request, &reasoning, &content, &calls)));
        }
        events
    }

    /// The whole answer as one `chat.completion`, for `stream: false`.
    pub(super) fn document(&self, request: &Value, number: u64) -> Value {
        let frame = Frame::new(request, number, self.shape);
        let (reasoning, content, calls) = self.parts();
        let entries: Vec<Value> = calls
            .iter()
            .map(|call| json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}))
            .collect();
        let mut message = Map::new();
        message.insert("role".to_owned(), "assistant".into());
        let empty = content.is_empty() && !entries.is_empty();
        message.insert("content".to_owned(), if empty { Value::Null } else { content.clone().into() });
        message.insert("refusal".to_owned(), Value::Null);
        if !entries.is_empty() {
            message.insert("tool_calls".to_owned(), entries.into());
        }
        if !reasoning.is_empty() {
            let field = if self.shape == Shape::ReasoningContent { "reasoning_content" } else { "reasoning" };
            message.insert(field.to_owned(), reasoning.clone().into());
        }
        json!({
            "id": frame.id,
            "object": "chat.completion",
            "created": frame.created,
            "model": frame.model,
            "choices": [{
                "index": 0,
                "message": message,
                "logprobs": null,
                "finish_reason": self.finish_reason(&calls),
            }],
            "system_fingerprint": frame.fingerprint,
            "usage": self.usage_value(request, &reasoning, &content, &calls),
        })
    }

    /// Reasoning, content and parsed calls as this shape separates them.
    fn parts(&self) -> (String, String, Vec<ScriptedCall>) {
        match self.shape {
            Shape::Text(form) => {
                (String::new(), as_text(form, &self.reasoning, &self.content, &self.calls), Vec::new())
            }
            Shape::OpenAi => (String::new(), self.content.clone(), self.calls.clone()),
            Shape::Vllm | Shape::ReasoningContent => (self.reasoning.clone(), self.content.clone(), self.calls.clone()),
        }
    }

    fn finish_reason(&self, calls: &[ScriptedCall]) -> String {
        let usual = if calls.is_empty() { "stop" } else { "tool_calls" };
        self.finish.clone().unwrap_or_else(|| usual.to_owned())
    }

    fn usage_value(&self, request: &Value, reasoning: &str, content: &str, calls: &[ScriptedCall]) -> Value {
        let count = |text: &str| pieces(text).len();
        let reasoning_tokens = count(reasoning);
        let answer: usize = count(content) + calls.iter().map(|call| 4 + count(&call.arguments)).sum::<usize>();
        let prompt = request["messages"].to_string().len() / 4;
        let counted = (u32::try_from(prompt).unwrap_or(0), u32::try_from(reasoning_tokens + answer).unwrap_or(0));
        let (prompt, completion) = self.usage.unwrap_or(counted);
        json!({
            "prompt_tokens": prompt,
            "total_tokens": prompt + completion,
            "completion_tokens": completion,
            "completion_tokens_details": {"reasoning_tokens": reasoning_tokens},
        })
    }
}

/// What all chunks of one answer share.
struct Frame {
    id: String,
    created: u64,
    model: String,
    fingerprint: &'static str,
    shape: Shape,
}

impl Frame {
    fn new(request: &Value, number: u64, shape: Shape) -> Self {
        Self {
            id: format!("chatcmpl-{number:016x}"),
            created: 1_795_000_000 + number,
            model: request["model"].as_str().unwrap_or_default().to_owned(),
            fingerprint: if shape == Shape::OpenAi { "fp_scripted" } else { "vllm-0.32.0-scripted" },
            shape,
        }
    }

    fn envelope(&self, choices: &Value) -> Value {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if self.shape == Shape::OpenAi {
            chunk["service_tier"] = "default".into();
            chunk["system_fingerprint"] = self.fingerprint.into();
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn first(&self, with_ids: bool) -> Value {
        let mut delta = json!({"role": "assistant", "content": ""});
        if self.shape == Shape::OpenAi {
            delta["refusal"] = Value::Null;
        }
        let mut chunk = self.envelope(&json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": null}]));
        if self.shape != Shape::OpenAi {
            chunk["prompt_token_ids"] = if with_ids { json!([151_644, 8_948, 198]) } else { Value::Null };
            chunk["prompt_text"] = Value::Null;
        }
        chunk
    }

    fn chunk(&self, delta: &Value, ids: Option<Vec<u32>>) -> Value {
        let mut choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": null});
        if self.shape != Shape::OpenAi {
            choice["token_ids"] = ids.map_or(Value::Null, |ids| json!(ids));
        }
        self.envelope(&json!([choice]))
    }

    fn calls_delta(&self, fragment: &Value) -> Value {
        if self.shape == Shape::OpenAi {
            return json!({"tool_calls": [fragment]});
        }
        json!({"content": null, "tool_calls": [fragment]})
    }

    fn last(&self, reason: &str) -> Value {
        let mut choice = json!({"index": 0, "delta": {}, "logprobs": null, "finish_reason": reason});
        if self.shape != Shape::OpenAi {
            choice["stop_reason"] = Value::Null;
            choice["token_ids"] = Value::Null;
        }
        self.envelope(&json!([choice]))
    }

    fn usage(&self, usage: &Value) -> Value {
        let mut chunk = self.envelope(&json!([]));
        chunk["usage"] = usage.clone();
        chunk["system_fingerprint"] = self.fingerprint.into();
        chunk
    }
}

fn line(event: &Value) -> String {
    format!("data: {event}\n\n")
}

/// The event in the middle of the last call's arguments.
fn middle_of_call(events: &[Value]) -> usize {
    let has_arguments =
        |event: &Value| event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].is_string();
    let all: Vec<usize> =
        events.iter().enumerate().filter(|(_, event)| has_arguments(event)).map(|(place, _)| place).collect();
    all.get(all.len() / 2).copied().unwrap_or(events.len() / 2)
}

/// Text in pieces of at most five characters that begin at spaces, about as tokens do.
fn pieces(text: &str) -> Vec<String> {
    const LONGEST: usize = 5;
    let mut pieces: Vec<String> = Vec::new();
    let mut length = LONGEST;
    for c in text.chars() {
        if length >= LONGEST || c == ' ' {
            pieces.push(String::new());
            length = 0;
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
            length += 1;
        }
    }
    pieces
}
