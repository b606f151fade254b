//! What is asked of a model, and what comes back.

use std::fmt;

use tokio::sync::mpsc::Receiver;

use crate::sampling::Sampling;

/// Narrows what may come next, token by token.
pub trait Constraint: Send {
    /// Whether this token may come next.
    fn allows(&mut self, token: u32) -> bool;
    /// It came.
    fn accept(&mut self, token: u32);
    /// Whether what came so far is whole, so that the answer may end.
    fn may_end(&self) -> bool;
    /// Whether nothing more may come.
    fn must_end(&self) -> bool;
}

/// One request.
#[derive(Default)]
pub struct Request {
    /// The prompt.
    pub prompt: Vec<u32>,
    /// The adapter's name; `None` for the model itself.
    pub adapter: Option<String>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Most tokens of the answer; at least 1. Prompt and answer together must fit the context.
    pub max_tokens: usize,
    /// Tokens that end the answer. The one that did is not part of it.
    pub stop_tokens: Vec<u32>,
    /// How many of the likeliest tokens are told beside each token's own log-probability; `None` for neither.
    pub logprobs: Option<usize>,
    /// What narrows the answer.
    pub constraint: Option<Box<dyn Constraint>>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("prompt_tokens", &self.prompt.len())
            .field("adapter", &self.adapter)
            .field("sampling", &self.sampling)
            .field("max_tokens", &self.max_tokens)
            .finish_non_exhaustive()
    }
}

/// A token of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenInfo {
    /// Its id.
    pub id: u32,
    /// The natural logarithm of its probability, before temperature and filters; where asked for.
    pub logprob: Option<f32>,
    /// The likeliest tokens at its place with theirs, the likeliest first.
    pub top: Vec<(u32, f32)>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// This stop token came.
    Stop(u32),
    /// Its constraint lets nothing more come.
    Complete,
    /// It has as many tokens as were allowed.
    Length,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Why.
    pub reason: Reason,
    /// Tokens of the prompt that were in the cache already.
    pub cached_tokens: usize,
}

/// What comes of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The next token.
    Token(TokenInfo),
    /// The answer is whole; nothing follows.
    Ended(Ended),
    /// The model could not go on; nothing follows.
    Failed(String),
}

/// An answer while it comes. Dropping it cancels the request.
#[derive(Debug)]
pub struct Generation(pub(crate) Receiver<Event>);

impl Generation {
    /// The next event; `None` after the last one, or when the engine was stopped.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }

    /// The same for a thread that may wait.
    pub fn wait(&mut self) -> Option<Event> {
        self.0.blocking_recv()
    }
}
