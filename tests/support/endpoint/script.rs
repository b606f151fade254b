//! What the endpoint does with one chat request.

use std::time::Duration;

use serde_json::{Value, json};

use super::AnswerScript;

/// One step of a raw body.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Waits.
    Wait(Duration),
    /// Says nothing more and keeps the connection open.
    Hang,
    /// Tears the connection.
    Tear,
}

/// What happens to one chat request.
#[derive(Clone, Debug)]
pub struct Script {
    pub(super) before: Duration,
    pub(super) act: Act,
}

#[derive(Clone, Debug)]
pub(super) enum Act {
    Answer(Box<AnswerScript>),
    Reply { status: u16, headers: Vec<(String, String)>, steps: Vec<Step> },
    CloseBeforeHead,
    HangBeforeHead,
}

impl Script {
    fn of(act: Act) -> Self {
        Self { before: Duration::ZERO, act }
    }

    /// A reply with this status and JSON body.
    #[must_use]
    pub fn error(status: u16, body: &Value) -> Self {
        Self::reply(status, &[("content-type", "application/json")], vec![Step::Send(body.to_string().into_bytes())])
    }

    /// An error in vLLM's form.
    #[must_use]
    pub fn vllm_error(status: u16, kind: &str, param: Option<&str>, message: &str) -> Self {
        Self::error(status, &json!({"error": {"message": message, "type": kind, "param": param, "code": status}}))
    }

    /// A reply of any kind.
    #[must_use]
    pub fn reply(status: u16, headers: &[(&str, &str)], steps: Vec<Step>) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::of(Act::Reply { status, headers, steps })
    }

    /// The same reply with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Act::Reply { headers, .. } = &mut self.act {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// A recorded stream, byte for byte.
    #[must_use]
    pub fn replay(sse: &str) -> Self {
        Self::stream(vec![Step::Send(sse.as_bytes().to_vec())])
    }

    /// A recorded stream in pieces of `size` bytes.
    #[must_use]
    pub fn replay_in_pieces(sse: &str, size: usize) -> Self {
        Self::stream(sse.as_bytes().chunks(size.max(1)).map(|piece| Step::Send(piece.to_vec())).collect())
    }

    /// An event stream with these steps.
    #[must_use]
    pub fn stream(steps: Vec<Step>) -> Self {
        Self::reply(200, &[("content-type", "text/event-stream; charset=utf-8")], steps)
    }

    /// Closes the connection without a word.
    #[must_use]
    pub fn close_before_head() -> Self {
        Self::of(Act::CloseBeforeHead)
    }

    /// Never answers.
    #[must_use]
    pub fn hang() -> Self {
        Self::of(Act::HangBeforeHead)
    }

    /// The same after a wait.
    #[must_use]
    pub const fn after(mut self, wait: Duration) -> Self {
        self.before = wait;
        self
    }
}

impl From<AnswerScript> for Script {
    fn from(answer: AnswerScript) -> Self {
        Self::of(Act::Answer(Box::new(answer)))
    }
}
