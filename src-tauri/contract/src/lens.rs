//! Models that rows are rendered with, and the loss lens: a row as a model is given it, token by token.
//!
//! Made for rows of 32,000 tokens and more: what there is one of a token travels as plain numbers in lists of the same
//! length, what many tokens share travels once.

use serde::{Deserialize, Serialize};
use tw_artifact::{Json, Role, TrainOn, Unroll};

/// Files on the host's disk that give a tokenizer and a chat template, as the workspace keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelEntry {
    /// Unique in the workspace; what a [`LensRequest`] and a dataset's plan name. Of one that is not in the list, its path.
    pub id: String,
    /// The person's name for it.
    pub name: String,
    /// A model's folder, or a GGUF file.
    pub path: String,
    /// When it was added, unix milliseconds.
    pub added_at_ms: i64,
    /// What the files hold.
    pub found: ModelFound,
    /// Why it cannot be used now (its files are gone or changed into something else); `None` where all is well.
    pub problem: Option<String>,
}

/// What a model's files hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelFound {
    /// The file that the tokenizer was read from.
    pub tokenizer: String,
    /// Its SHA-256, in hex.
    pub tokenizer_sha256: String,
    /// Entries of its vocabulary, added tokens included.
    pub vocabulary: u32,
    /// Names of the templates: `default` first, then the others (`tool_use`, `rag` ...). Empty where there is none, so
    /// that a template must be given.
    pub templates: Vec<String>,
    /// SHA-256 of the template that rows with tools are rendered with, in hex; empty where there is none.
    pub template_sha256: String,
    /// The special tokens that have a name: `("eos_token", "<|im_end|>")`.
    pub special_tokens: Vec<(String, String)>,
    /// Whether the template itself says what the model writes (`{% generation %}`).
    pub says_what_is_written: bool,
    /// Whether the template shows tools and calls.
    pub knows_tools: bool,
    /// The same in a sentence or two, for the window.
    pub summary: String,
}

/// A model to add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelAdd {
    /// A folder with `tokenizer.json`, or a GGUF file, on the host's disk. `~` is the home folder.
    pub path: String,
    /// A name; empty for the folder's or file's own.
    pub name: String,
}

/// What the lens looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LensSubject {
    /// A row that would be made of a trace.
    Trace {
        /// The trace.
        id: String,
        /// The revision; `None` for where it stands.
        revision: Option<u32>,
        /// How the trace is unrolled into rows.
        unroll: Unroll,
        /// Which of the rows, from 0; `None` for the last.
        row: Option<u32>,
    },
    /// A row of a dataset that was built.
    Dataset {
        /// The version's id.
        version: String,
        /// The row's `id`.
        row: String,
    },
}

/// A row to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LensRequest {
    /// Which.
    pub subject: LensSubject,
    /// The model ([`ModelEntry::id`], or its path); `None` for the dataset version's own, else the first of the list.
    pub model: Option<String>,
    /// A template's text in place of the model's own.
    pub template: Option<String>,
    /// Which of the answers are trained.
    pub train: TrainOn,
    /// Whether the steering prompt is left out, as datasets do by default.
    pub drop_steering: bool,
    /// Whether line breaks that servers leave around reasoning and calls are taken away, as datasets do by default.
    pub normalise: bool,
    /// More variables of the template (`enable_thinking`): an object. `null` is none; of a dataset's row, those that its
    /// version was built with.
    pub kwargs: Json,
    /// Most tokens of a row: a warning says what a longer one loses.
    pub max_tokens: Option<u32>,
}

impl LensRequest {
    /// The last row of a trace as a dataset makes it by default.
    #[must_use]
    pub fn of_trace(id: impl Into<String>) -> Self {
        let subject = LensSubject::Trace { id: id.into(), revision: None, unroll: Unroll::default(), row: None };
        Self::of(subject)
    }

    /// A subject with the default of every setting.
    #[must_use]
    pub fn of(subject: LensSubject) -> Self {
        Self {
            subject,
            model: None,
            template: None,
            train: TrainOn::default(),
            drop_steering: true,
            normalise: true,
            kwargs: Json::Null,
            max_tokens: None,
        }
    }
}

/// A part of a row's text, by where it comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LensField {
    /// What the template writes before a message's text: the name of the role and what marks it.
    Header,
    /// The reasoning.
    Reasoning,
    /// The text.
    Content,
    /// The name of a call.
    CallName {
        /// Which call of the message, from 0.
        call: u32,
    },
    /// The arguments of a call.
    CallArguments {
        /// Which call of the message, from 0.
        call: u32,
    },
    /// Another field of the message: a call's id, a tool's name.
    Other,
    /// What the template writes between the fields of a message.
    Markup,
    /// What ends a message.
    EndOfTurn,
    /// What the template writes after the last message so that the model answers.
    GenerationPrompt,
    /// The tools.
    Tools,
    /// What the template writes outside of any message.
    #[default]
    Preamble,
}

impl LensField {
    /// In words, for a hover.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Reasoning => "reasoning",
            Self::Content => "text",
            Self::CallName { .. } => "call name",
            Self::CallArguments { .. } => "call arguments",
            Self::Other => "other field",
            Self::Markup => "template's marks",
            Self::EndOfTurn => "end of turn",
            Self::GenerationPrompt => "generation prompt",
            Self::Tools => "tools",
            Self::Preamble => "template's own text",
        }
    }
}

/// Where tokens come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LensSource {
    /// Which message of [`LensView::messages`]; `None` for what stands outside of messages.
    pub message: Option<u32>,
    /// Which part of it.
    pub field: LensField,
}

/// Tokens in a row that share their source and whether they are trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LensRun {
    /// How many tokens.
    pub tokens: u32,
    /// Which of [`LensView::sources`].
    pub source: u32,
    /// Whether the loss counts them.
    pub trained: bool,
}

/// A stretch of the text that stands in a message's field character by character: what a selection in the lens means
/// there. Text between two of them is the template's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LensStretch {
    /// First byte in the row's text.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
    /// Which of [`LensView::sources`].
    pub source: u32,
    /// The character of the field's text at `start`, counted in Unicode scalar values as [`tw_artifact::TrainSpan`]
    /// counts them. The text of arguments is their JSON, indented by two spaces.
    pub from: u32,
    /// How many characters of the field it stands for.
    pub chars: u32,
    /// Whether the characters are the same here and there, one by one. Where they are not (an escaped quote), the
    /// stretch can only be taken whole.
    pub exact: bool,
}

/// One message of the row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LensMessage {
    /// The message's id under review ([`tw_artifact::EditedMessage::id`]), for edits; `None` in a dataset version, which
    /// never changes.
    pub id: Option<u64>,
    /// Its role.
    pub role: Role,
    /// Its tokens.
    pub tokens: u32,
    /// Those that are trained.
    pub trained: u32,
    /// Whether a person said that it is trained or not; `None` where the settings decide.
    pub marked: Option<bool>,
    /// Whether a person said something else about stretches of it.
    pub has_spans: bool,
}

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LensWarningKind {
    /// The template leaves reasoning out.
    ReasoningDropped,
    /// The template leaves the text of messages out.
    TextDropped,
    /// The template leaves calls out.
    CallsDropped,
    /// The template leaves all but the first call of a message out.
    ParallelCallsDropped,
    /// The template leaves the tools out.
    ToolsDropped,
    /// No token is trained.
    NothingTrained,
    /// Every token is trained.
    EverythingTrained,
    /// More tokens than the limit.
    OverLimit,
    /// Arguments of calls are strings.
    StringArguments,
    /// Where a message begins and ends in the text is not known.
    SpanUnknown,
    /// No token that ends the turn is trained.
    NoEndOfTurn,
    /// White space that a server added was taken away.
    WhitespaceNormalised,
    /// What would be trained is not what the model wrote.
    NotAsEmitted,
    /// The model's files are not those that the dataset version was built with.
    OtherModel,
}

/// What a person should know about the row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LensWarning {
    /// What it is about.
    pub kind: LensWarningKind,
    /// Which of [`LensView::messages`]; empty where it is about the whole row.
    pub messages: Vec<u32>,
    /// In plain words.
    pub text: String,
}

/// White space that was taken from a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LensNormalised {
    /// Which of [`LensView::messages`].
    pub message: u32,
    /// Of which field.
    pub field: LensField,
    /// What stood at its beginning.
    pub before: String,
    /// What stood at its end.
    pub after: String,
}

/// With what of the model's answer a turn was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmittedBasis {
    /// The ids of its tokens.
    Ids,
    /// Its text.
    Text,
}

/// How an answer in this row stands to what the model wrote when it was collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LensEmitted {
    /// Which of [`LensView::messages`].
    pub message: u32,
    /// What it was compared by.
    pub basis: EmittedBasis,
    /// Whether they are the same, the token that ends the turn aside.
    pub same: bool,
    /// How many characters, or tokens, are the same from the first on.
    pub same_until: u32,
    /// What the row trains from there on, a few words; empty where they are the same.
    pub trained: String,
    /// What the model wrote from there on.
    pub emitted: String,
    /// Whether a person changed the message since: then a difference is what they wanted.
    pub edited: bool,
}

/// One row of those that the subject unrolls into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LensRow {
    /// Messages in it.
    pub messages: u32,
    /// Its last message, by its place in the trace, from 0.
    pub last: u32,
}

/// A row as a model is given it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LensView {
    /// The whole text.
    pub text: String,
    /// Ids of the tokens.
    pub ids: Vec<u32>,
    /// For each token the bytes of the text from the end of the token before to its own end; 0 for one that shares its
    /// last character with the token before. Their sum is at most the text's length; what is left over is no token's.
    pub lengths: Vec<u32>,
    /// Where tokens come from and which are trained; the sum of their `tokens` is the number of ids.
    pub runs: Vec<LensRun>,
    /// What the runs and stretches refer to.
    pub sources: Vec<LensSource>,
    /// Which stretches of the text are fields of messages, in order.
    pub stretches: Vec<LensStretch>,
    /// The row's messages.
    pub messages: Vec<LensMessage>,
    /// Tokens that are trained.
    pub trained: u32,
    /// What a person should know, what matters most first.
    pub warnings: Vec<LensWarning>,
    /// White space that was taken away before rendering.
    pub normalised: Vec<LensNormalised>,
    /// Answers compared with what the model wrote, where that was kept.
    pub emitted: Vec<LensEmitted>,
    /// Every row that the subject unrolls into; one in a dataset version.
    pub rows: Vec<LensRow>,
    /// Which of them this is.
    pub row: u32,
    /// The trace that the row was made of.
    pub trace_id: String,
    /// The revision of it.
    pub revision: u32,
    /// The model that it was rendered with.
    pub model: String,
    /// Where the template comes from: `the model's own "tool_use"`, `your text`.
    pub template: String,
}

/// A row to compare with what a live server makes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LensCheckRequest {
    /// The row.
    pub row: LensRequest,
    /// Which endpoint; it must be a vLLM server, or one that answers `/tokenize` as vLLM does.
    pub endpoint_id: String,
    /// Which of its models; empty for the endpoint's own.
    pub model: String,
}

/// What the comparison found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LensCheck {
    /// The same tokens.
    Equal {
        /// How many.
        tokens: u32,
    },
    /// Other tokens.
    Differs {
        /// The first token that differs, from 0.
        first: u32,
        /// Tokens here.
        ours: u32,
        /// Tokens there.
        theirs: u32,
        /// The text before the difference, which both share: a few words.
        before: String,
        /// What follows here: a few words.
        here: String,
        /// What follows there, in the words of this model's tokenizer.
        there: String,
        /// The ids from there on here, at most twelve.
        here_ids: Vec<u32>,
        /// The ids there.
        there_ids: Vec<u32>,
        /// What may be the reason, a sentence; empty where nothing is known.
        hint: String,
    },
    /// The server does not offer `/tokenize`.
    NotOffered,
}
