//! What comes back from a chat request.

use thiserror::Error;
use tw_artifact::{Json, Message, StepRecord};

use crate::EndpointError;

/// A piece of an answer while it streams. Joined in order, the pieces make up the answer's message, with
/// [`AnswerDelta::ContentWasReasoning`] moving what came before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerDelta {
    /// More reasoning.
    Reasoning(String),
    /// More text.
    Content(String),
    /// All text so far was reasoning: the server's template opened the block, so that only its end was seen.
    ContentWasReasoning,
    /// A call begins. Its name is whole.
    CallStart {
        /// Which call of this answer, from 0.
        index: u32,
        /// The tool's name as the model wrote it.
        name: String,
    },
    /// More of a call's arguments, as JSON text.
    CallArguments {
        /// Which call of this answer, from 0.
        index: u32,
        /// The piece.
        text: String,
    },
    /// The request failed before anything came and is sent again.
    Retrying {
        /// The wait before it, in milliseconds.
        after_ms: u64,
        /// What failed, in words.
        reason: String,
    },
}

/// One call of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedCall {
    /// The id under which it stands in the message. Made here where the server gave none or gave one twice.
    pub id: String,
    /// The tool's name as the model wrote it.
    pub name: String,
    /// The arguments, always an object; or why what the model wrote is not one. The text itself is in the message.
    pub arguments: Result<Json, String>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// In storage form: `content` is `""` rather than null, reasoning stands under `reasoning_content`, arguments are
    /// objects or, where they are not a JSON object, the text as written. Whitespace is as the server sent it. Fields
    /// that the server added stay.
    pub message: Message,
    /// The calls, in the message's order.
    pub calls: Vec<ParsedCall>,
    /// Everything else that is kept. `step` is 0: the caller counts.
    pub step: StepRecord,
}

/// A chat request that did not end with a whole answer.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{error}")]
pub struct ChatFailure {
    /// What happened.
    pub error: EndpointError,
    /// What had come until then; `None` when nothing had. Its calls are not to be run: they may be cut.
    pub partial: Option<Box<Answer>>,
}

impl From<EndpointError> for ChatFailure {
    fn from(error: EndpointError) -> Self {
        Self { error, partial: None }
    }
}
