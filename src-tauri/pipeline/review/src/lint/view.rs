//! A message taken apart once, so that every rule reads the same texts that the editor shows.

use std::borrow::Cow;

use tw_artifact::{Arguments, EditedMessage, Json, Role, ToolCallView};

/// A message of the trace.
pub(super) struct Turn<'a> {
    pub(super) id: u64,
    /// Names its text; see [`EditedMessage::key`].
    pub(super) key: i64,
    pub(super) role: Role,
    /// The text as shown.
    pub(super) text: Cow<'a, str>,
    /// Whether the text can be set as one: it is not a list of several parts.
    pub(super) is_one_text: bool,
    /// Whether it holds parts beside text, such as images.
    pub(super) has_parts: bool,
    pub(super) reasoning: Option<&'a str>,
    pub(super) calls: Vec<ToolCallView<'a>>,
    /// The call that it answers.
    pub(super) call_id: Option<&'a str>,
    pub(super) tool: Option<&'a str>,
    /// Whether it differs from what was captured.
    pub(super) is_changed: bool,
    /// Whether it is kept out of datasets.
    pub(super) is_excluded: bool,
}

impl<'a> Turn<'a> {
    pub(super) fn new(edited: &'a EditedMessage) -> Self {
        let message = &edited.message;
        let (text, is_one_text, has_parts) = match message.fields().get("content") {
            None | Some(Json::Null) => (Cow::Borrowed(""), true, false),
            Some(Json::String(text)) => (Cow::Borrowed(text.as_str()), true, false),
            Some(Json::Array(parts)) => {
                let texts = parts.iter().filter(|part| part.get("text").and_then(Json::as_str).is_some()).count();
                (Cow::Owned(message.text()), texts == 1, parts.len() > texts)
            }
            Some(_) => (Cow::Borrowed(""), false, true),
        };
        let role = message.role();
        let is_answer = role == Role::Assistant;
        Self {
            id: edited.id,
            key: edited.key,
            role,
            text,
            is_one_text,
            has_parts,
            reasoning: if is_answer { message.reasoning() } else { None },
            calls: if is_answer { message.tool_calls() } else { Vec::new() },
            call_id: message.tool_call_id(),
            tool: message.name(),
            is_changed: edited.is_changed(),
            is_excluded: edited.marks.excluded,
        }
    }

    pub(super) fn is_answer(&self) -> bool {
        self.role == Role::Assistant
    }

    /// Whether it has reasoning, in its own field or between tags in the text.
    pub(super) fn has_reasoning(&self) -> bool {
        self.reasoning.is_some_and(|reasoning| !reasoning.trim().is_empty())
            || self.text.trim_start().starts_with("<think>")
    }
}

/// The arguments of a call as the editor shows them.
pub(super) fn shown_arguments<'a>(call: &ToolCallView<'a>) -> Cow<'a, str> {
    match call.arguments {
        Arguments::Object(map) => Cow::Owned(serde_json::to_string_pretty(map).unwrap_or_default()),
        Arguments::Text(text) => Cow::Borrowed(text),
        Arguments::Other => Cow::Borrowed(""),
    }
}

/// The arguments of a call where they are an object, also one that stands in a string, as it does on the wire.
pub(super) fn object_of(call: &ToolCallView<'_>) -> Option<Json> {
    match call.arguments {
        Arguments::Object(map) => Some(Json::Object(map.clone())),
        Arguments::Text(text) => Json::parse(text).ok().filter(|json| json.as_object().is_some()),
        Arguments::Other => None,
    }
}
