//! One message of a conversation, in the form of OpenAI's chat API, with every field kept.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::{Json, Map};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions that stand before the conversation.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

impl Role {
    /// The word in the JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an object is not a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageError(String);

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MessageError {}

/// A message: an object with a known `role`. All fields stay, known or not, in their order. Clones share the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(Arc<Map>);

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Json::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl TryFrom<Json> for Message {
    type Error = MessageError;

    fn try_from(value: Json) -> Result<Self, MessageError> {
        let Json::Object(map) = value else {
            return Err(MessageError("a message must be an object".to_owned()));
        };
        match map.get("role").and_then(Json::as_str) {
            Some("system" | "developer" | "user" | "assistant" | "tool") => Ok(Self(Arc::new(map))),
            Some(other) => Err(MessageError(format!(
                "the role \"{other}\" is not known; expected system, developer, user, assistant or tool"
            ))),
            None => Err(MessageError("a message must have a role".to_owned())),
        }
    }
}

/// The arguments of a tool call as they stand in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments<'a> {
    /// An object: the form for storage and templates.
    Object(&'a Map),
    /// Text: the OpenAI wire form, or what a model wrote when it is not a JSON object.
    Text(&'a str),
    /// Neither, or missing.
    Other,
}

/// A view on one entry of `tool_calls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToolCallView<'a> {
    /// `id`, empty when missing.
    pub id: &'a str,
    /// `function.name`, empty when missing.
    pub name: &'a str,
    /// `function.arguments`.
    pub arguments: Arguments<'a>,
}

/// The two names under which endpoints and templates know reasoning, newest first.
const REASONING_FIELDS: [&str; 2] = ["reasoning_content", "reasoning"];

impl Message {
    /// A system message.
    #[must_use]
    pub fn system(text: impl Into<String>) -> Self {
        Self::new(Role::System, text)
    }

    /// A user message.
    #[must_use]
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, text)
    }

    /// An assistant message: `role`, `content`, then `reasoning_content` and `tool_calls` where there are any.
    /// `tool_calls` are whole entries (`{id, type, function{name, arguments}}`).
    #[must_use]
    pub fn assistant(content: impl Into<String>, reasoning: Option<String>, tool_calls: Vec<Json>) -> Self {
        let mut message = Self::new(Role::Assistant, content);
        if let Some(reasoning) = reasoning {
            message.map_mut().insert("reasoning_content".to_owned(), reasoning.into());
        }
        if !tool_calls.is_empty() {
            message.map_mut().insert("tool_calls".to_owned(), Json::Array(tool_calls));
        }
        message
    }

    /// The result of the call `call_id` of the tool `name`.
    #[must_use]
    pub fn tool(call_id: impl Into<String>, name: impl Into<String>, content: impl Into<String>) -> Self {
        let mut map = Map::new();
        map.insert("role".to_owned(), "tool".into());
        map.insert("tool_call_id".to_owned(), call_id.into().into());
        map.insert("name".to_owned(), name.into().into());
        map.insert("content".to_owned(), content.into().into());
        Self(Arc::new(map))
    }

    /// One entry for `tool_calls`.
    #[must_use]
    pub fn tool_call(id: &str, name: &str, arguments: Json) -> Json {
        let mut function = Map::new();
        function.insert("name".to_owned(), name.into());
        function.insert("arguments".to_owned(), arguments);
        let mut call = Map::new();
        call.insert("id".to_owned(), id.into());
        call.insert("type".to_owned(), "function".into());
        call.insert("function".to_owned(), function.into());
        call.into()
    }

    fn new(role: Role, content: impl Into<String>) -> Self {
        let mut map = Map::new();
        map.insert("role".to_owned(), role.as_str().into());
        map.insert("content".to_owned(), content.into().into());
        Self(Arc::new(map))
    }

    /// Who speaks; `developer` counts as system.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.0.get("role").and_then(Json::as_str) {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("tool") => Role::Tool,
            _ => Role::System,
        }
    }

    /// The text: `content` when it is a string, the text parts joined when it is a list of parts, else empty.
    #[must_use]
    pub fn text(&self) -> String {
        self.text_ref().into_owned()
    }

    /// The same, not copied where it stands in one piece.
    #[must_use]
    pub fn text_ref(&self) -> Cow<'_, str> {
        match self.0.get("content") {
            Some(Json::String(text)) => Cow::Borrowed(text),
            Some(Json::Array(parts)) => {
                let texts: Vec<&str> =
                    parts.iter().filter_map(|part| part.get("text").and_then(Json::as_str)).collect();
                Cow::Owned(texts.join("\n"))
            }
            _ => Cow::Borrowed(""),
        }
    }

    /// The reasoning, under whichever of its two names it stands.
    #[must_use]
    pub fn reasoning(&self) -> Option<&str> {
        REASONING_FIELDS.iter().find_map(|field| self.0.get(*field).and_then(Json::as_str))
    }

    /// The calls, in order.
    #[must_use]
    pub fn tool_calls(&self) -> Vec<ToolCallView<'_>> {
        let calls = self.0.get("tool_calls").and_then(Json::as_array).unwrap_or_default();
        calls.iter().map(view_call).collect()
    }

    /// Which call a tool message answers.
    #[must_use]
    pub fn tool_call_id(&self) -> Option<&str> {
        self.0.get("tool_call_id").and_then(Json::as_str)
    }

    /// The tool's name, on a tool message that has it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.get("name").and_then(Json::as_str)
    }

    /// All fields.
    #[must_use]
    pub fn fields(&self) -> &Map {
        &self.0
    }

    /// The fields of this clone alone.
    fn map_mut(&mut self) -> &mut Map {
        Arc::make_mut(&mut self.0)
    }

    /// The same message with `field` set, in its old place when it was there.
    #[must_use]
    pub fn with_field(mut self, field: &str, value: Json) -> Self {
        self.map_mut().insert(field.to_owned(), value);
        self
    }

    /// The entries of `tool_calls`, whole.
    #[must_use]
    pub fn calls(&self) -> &[Json] {
        self.0.get("tool_calls").and_then(Json::as_array).unwrap_or_default()
    }

    /// The same message with other entries of `tool_calls`, in their old place when there were any; without the field
    /// where there are none.
    #[must_use]
    pub fn with_calls(mut self, calls: Vec<Json>) -> Self {
        if calls.is_empty() {
            self.map_mut().shift_remove("tool_calls");
        } else {
            self.map_mut().insert("tool_calls".to_owned(), Json::Array(calls));
        }
        self
    }

    /// The same message with other reasoning, under the name that it had. New reasoning stands after the content; an
    /// empty one takes the field away.
    #[must_use]
    pub fn with_reasoning(mut self, text: &str) -> Self {
        let field = REASONING_FIELDS.into_iter().find(|field| self.0.contains_key(*field));
        match (field, text.is_empty()) {
            (Some(_), true) => {
                for field in REASONING_FIELDS {
                    self.map_mut().shift_remove(field);
                }
            }
            (Some(field), false) => {
                self.map_mut().insert(field.to_owned(), text.into());
            }
            (None, true) => {}
            (None, false) => {
                let place = self.0.get_index_of("content").map_or(self.0.len(), |place| place + 1);
                self.map_mut().shift_insert(place, REASONING_FIELDS[0].to_owned(), text.into());
            }
        }
        self
    }

    /// The same message with the arguments of call `id` replaced; unchanged when it has no such call.
    #[must_use]
    pub fn with_arguments(mut self, id: &str, arguments: &Json) -> Self {
        if let Some(Json::Array(calls)) = self.map_mut().get_mut("tool_calls") {
            for call in calls {
                if call.get("id").and_then(Json::as_str) != Some(id) {
                    continue;
                }
                if let Json::Object(call) = call
                    && let Some(Json::Object(function)) = call.get_mut("function")
                {
                    function.insert("arguments".to_owned(), arguments.clone());
                }
            }
        }
        self
    }

    /// The same message with the ids of its calls replaced, in order; missing ones stay.
    #[must_use]
    pub fn with_call_ids(mut self, ids: &[String]) -> Self {
        if let Some(Json::Array(calls)) = self.map_mut().get_mut("tool_calls") {
            for (call, id) in calls.iter_mut().zip(ids) {
                if let Json::Object(call) = call {
                    call.insert("id".to_owned(), id.as_str().into());
                }
            }
        }
        self
    }

    /// String arguments that hold a JSON object become that object, the form for storage and templates. Other
    /// arguments (malformed text) stay as they are, so nothing a model wrote is lost.
    #[must_use]
    pub fn with_object_arguments(self) -> Self {
        self.map_arguments(|arguments| match arguments {
            Json::String(text) => match Json::parse(text) {
                Ok(object @ Json::Object(_)) => Some(object),
                _ => None,
            },
            _ => None,
        })
    }

    /// Object arguments become strings, the form on the OpenAI wire.
    #[must_use]
    pub fn with_text_arguments(self) -> Self {
        self.map_arguments(|arguments| match arguments {
            Json::Object(_) => Some(Json::String(arguments.to_text())),
            _ => None,
        })
    }

    fn map_arguments(mut self, change: impl Fn(&Json) -> Option<Json>) -> Self {
        if let Some(Json::Array(calls)) = self.map_mut().get_mut("tool_calls") {
            for call in calls {
                if let Json::Object(call) = call
                    && let Some(Json::Object(function)) = call.get_mut("function")
                    && let Some(arguments) = function.get_mut("arguments")
                    && let Some(changed) = change(arguments)
                {
                    *arguments = changed;
                }
            }
        }
        self
    }
}

impl From<Message> for Json {
    fn from(message: Message) -> Self {
        Self::Object(Arc::unwrap_or_clone(message.0))
    }
}

fn view_call(call: &Json) -> ToolCallView<'_> {
    let function = call.get("function");
    ToolCallView {
        id: call.get("id").and_then(Json::as_str).unwrap_or_default(),
        name: function.and_then(|it| it.get("name")).and_then(Json::as_str).unwrap_or_default(),
        arguments: match function.and_then(|it| it.get("arguments")) {
            Some(Json::Object(map)) => Arguments::Object(map),
            Some(Json::String(text)) => Arguments::Text(text),
            _ => Arguments::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(text: &str) -> Message {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn unknown_fields_and_their_order_stay() {
        let text = r#"{"x_first":1.50,"role":"assistant","content":"","zeta":[1e2]}"#;
        assert_eq!(serde_json::to_string(&parse(text)).unwrap(), text);
    }

    #[test]
    fn string_arguments_become_objects_and_malformed_ones_stay() {
        let message = parse(
            r#"{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"t","arguments":"{\"n\": 1.0}"}},{"id":"b","type":"function","function":{"name":"t","arguments":"{\"n\": "}}]}"#,
        )
        .with_object_arguments();
        let calls = message.tool_calls();
        let Arguments::Object(first) = calls[0].arguments else { panic!("{calls:?}") };
        assert_eq!(Json::from(first.clone()).to_text(), r#"{"n":1.0}"#);
        assert_eq!(calls[1].arguments, Arguments::Text("{\"n\": "));
    }

    #[test]
    fn reasoning_is_found_under_both_names() {
        assert_eq!(parse(r#"{"role":"assistant","reasoning":"a"}"#).reasoning(), Some("a"));
        assert_eq!(parse(r#"{"role":"assistant","reasoning_content":"b"}"#).reasoning(), Some("b"));
    }

    #[test]
    fn a_role_that_nobody_knows_is_refused_by_name() {
        let error = serde_json::from_str::<Message>(r#"{"role":"robot"}"#).unwrap_err();
        assert!(error.to_string().contains("\"robot\""), "{error}");
    }
}
