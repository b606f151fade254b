//! Edits: what a person does to a trace under review, and what of it is kept.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Arguments, Json, Message};

/// Which text of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextField {
    /// The text: `content`.
    Content,
    /// The reasoning, under whichever of its names it stands.
    Reasoning,
    /// The arguments of one call, as JSON text indented by two spaces.
    Arguments {
        /// Which call of the message, from 0.
        call: u32,
    },
}

impl TextField {
    /// The text in a message, as it is read and edited; `None` where the message has no such text: no reasoning, no call
    /// of that place. Arguments that are neither an object nor text are empty.
    #[must_use]
    pub fn text_in(self, message: &Message) -> Option<String> {
        match self {
            Self::Content => Some(message.text()),
            Self::Reasoning => message.reasoning().map(str::to_owned),
            Self::Arguments { call } => {
                let place = usize::try_from(call).ok()?;
                Some(match message.tool_calls().get(place)?.arguments {
                    Arguments::Object(map) => Json::Object(map.clone()).to_pretty(),
                    Arguments::Text(text) => text.to_owned(),
                    Arguments::Other => String::new(),
                })
            }
        }
    }
}

/// A stretch of a text that is trained on, or not, whatever holds for the rest of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainSpan {
    /// Which text.
    pub field: TextField,
    /// The first character, counted in Unicode scalar values.
    pub begin: u32,
    /// The character after the last.
    pub end: u32,
    /// Trained on or not.
    pub train: bool,
}

/// What a person said about a message, beside its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// Whether it is trained on; `None` leaves that to the dataset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<bool>,
    /// Stretches of which something else holds. They do not overlap and stand in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<TrainSpan>,
    /// Whether it is kept out of datasets.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub excluded: bool,
}

impl Marks {
    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A message of a trace under review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditedMessage {
    /// Names the message over all revisions. Of a captured one it is its `seq`.
    pub id: u64,
    /// Names its text: two messages with the same key are the same in every field. Of captured ones it is the `seq`,
    /// of others it is negative.
    pub key: i64,
    /// The message.
    pub message: Message,
    /// What was said about it.
    pub marks: Marks,
    /// Tokens of it, estimated from its text.
    pub tokens: u32,
}

impl EditedMessage {
    /// The key of a message that is not kept yet.
    pub const UNSAVED: i64 = i64::MIN;
    /// Ids of messages that a person added begin here; it leaves room for every captured one and is exact in
    /// JavaScript's numbers.
    pub const FIRST_ADDED_ID: u64 = 1 << 32;

    /// A captured message, as it was.
    #[must_use]
    pub fn captured(seq: u32, message: Message, tokens: u32) -> Self {
        Self { id: seq.into(), key: seq.into(), message, marks: Marks::default(), tokens }
    }

    /// The place of the captured message that it comes from; `None` when a person added it.
    #[must_use]
    pub fn captured_seq(&self) -> Option<u32> {
        if self.id < Self::FIRST_ADDED_ID { u32::try_from(self.id).ok() } else { None }
    }

    /// Whether it differs from what was captured.
    #[must_use]
    pub const fn is_changed(&self) -> bool {
        self.key < 0
    }
}

/// One thing that a person does to a trace. Messages are named by their ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EditOp {
    /// Another text.
    SetText {
        /// The message.
        id: u64,
        /// Which of its texts. [`TextField::Arguments`] is set with [`EditOp::SetArguments`].
        field: TextField,
        /// The new text. Empty reasoning removes the field.
        text: String,
    },
    /// Other arguments of a call.
    SetArguments {
        /// The message.
        id: u64,
        /// Which call, from 0.
        call: u32,
        /// An object.
        arguments: Json,
    },
    /// Another tool for a call; the `name` of its result follows.
    SetTool {
        /// The message.
        id: u64,
        /// Which call, from 0.
        call: u32,
        /// The tool's exposed name.
        name: String,
    },
    /// The whole message, every field. Role, calls and what it answers stay.
    SetMessage {
        /// The message.
        id: u64,
        /// The new one.
        message: Message,
    },
    /// Removes messages. Calls go with their results, results with their calls.
    Delete {
        /// The messages.
        ids: Vec<u64>,
    },
    /// Removes one call with its result.
    DeleteCall {
        /// The message.
        id: u64,
        /// Which call, from 0.
        call: u32,
    },
    /// Makes one message of neighbours of the same role: reasoning, texts and calls each joined.
    Merge {
        /// The messages, at least two.
        ids: Vec<u64>,
    },
    /// Makes two messages of one. What follows the text (content after reasoning, calls after content) goes with the
    /// second.
    Split {
        /// The message.
        id: u64,
        /// Which of its texts.
        field: TextField,
        /// The first character of the second part, in Unicode scalar values.
        at: u32,
    },
    /// Puts messages elsewhere, each call with its results.
    Move {
        /// The messages.
        ids: Vec<u64>,
        /// Before this message; `None` for the end.
        before: Option<u64>,
    },
    /// Puts copies after the last of the messages; copied calls get new ids.
    Duplicate {
        /// The messages.
        ids: Vec<u64>,
    },
    /// Adds messages: a single one, or calls with their results.
    Insert {
        /// Before this message; `None` for the end.
        before: Option<u64>,
        /// The messages.
        messages: Vec<Message>,
    },
    /// Trims a text to one stretch of it.
    KeepOnly {
        /// The message.
        id: u64,
        /// The first character that stays, in Unicode scalar values.
        begin: u32,
        /// The character after the last that stays.
        end: u32,
    },
    /// Says whether messages are trained on.
    Train {
        /// The messages.
        ids: Vec<u64>,
        /// `None` leaves it to the dataset.
        train: Option<bool>,
    },
    /// Says whether a stretch of text is trained on.
    TrainSpan {
        /// The message.
        id: u64,
        /// The stretch.
        span: TrainSpan,
    },
    /// Takes back what was said about stretches of a message.
    ClearSpans {
        /// The message.
        id: u64,
    },
    /// Keeps messages out of datasets, or lets them in again.
    Exclude {
        /// The messages.
        ids: Vec<u64>,
        /// Out or in.
        excluded: bool,
    },
    /// Everything as it was captured.
    Reset,
    /// Everything as it was at a revision.
    Restore {
        /// Its number; 0 is what was captured.
        revision: u32,
    },
    /// Several, kept and undone as one.
    Many {
        /// What they do together, in words.
        label: String,
        /// In order; each sees what the ones before it did.
        ops: Vec<Self>,
    },
}

/// One kept edit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// From 1; 0 is what was captured.
    pub number: u32,
    /// The revision it was made on.
    pub parent: u32,
    /// Who made it: the person's name, or a model's for an accepted proposal.
    pub author: String,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// What was done.
    pub op: EditOp,
    /// The same in words.
    pub label: String,
}

/// Messages of a trace that others take the place of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// From this place on.
    pub at: u32,
    /// So many go.
    pub remove: u32,
    /// These come.
    pub insert: Vec<EditedMessage>,
}

impl fmt::Display for TextField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content => f.write_str("text"),
            Self::Reasoning => f.write_str("reasoning"),
            Self::Arguments { .. } => f.write_str("arguments"),
        }
    }
}
