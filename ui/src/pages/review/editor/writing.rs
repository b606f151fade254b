//! What of a message is written in a field, and what was being written when the page went away. Pure.

use serde::{Deserialize, Serialize};
use tw_artifact::{Json, Message, TextField};

/// What of a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Writing {
    /// One of its texts.
    Text(TextField),
    /// All of it, as JSON.
    Whole,
}

impl From<TextField> for Writing {
    fn from(field: TextField) -> Self {
        Self::Text(field)
    }
}

impl Writing {
    /// The text that a field for it begins with.
    pub(crate) fn text_in(self, message: &Message) -> String {
        match self {
            Self::Whole => Json::from(message.clone()).to_pretty(),
            Self::Text(field) => {
                let text = field.text_in(message).unwrap_or_default();
                // Arguments are an object, also where there are none yet.
                if matches!(field, TextField::Arguments { .. }) && text.is_empty() { "{}".to_owned() } else { text }
            }
        }
    }
}

/// A text that was being written and is not saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The message.
    pub(crate) id: u64,
    /// What of it.
    pub(crate) what: Writing,
    /// What stood there.
    pub(crate) before: String,
    /// What was written.
    pub(crate) text: String,
}

/// What becomes of a kept text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Return {
    /// It stands in the trace by now.
    Saved,
    /// It goes on in its field, over the text that stands there now; `changed` where that is another one than the one it
    /// was begun on.
    Open {
        /// What stands there now.
        now: String,
        /// Whether that changed meanwhile.
        changed: bool,
    },
    /// Its message is gone.
    Homeless,
}

impl Kept {
    /// Where it goes in the trace as it is now.
    pub(crate) fn returns_to(&self, message: Option<&Message>) -> Return {
        let Some(message) = message else { return Return::Homeless };
        let now = self.what.text_in(message);
        if now == self.text { Return::Saved } else { Return::Open { changed: now != self.before, now } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(what: Writing, before: &str, text: &str) -> Kept {
        Kept { id: 3, what, before: before.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_kept_text_goes_on_where_it_was_begun() {
        let content = Writing::Text(TextField::Content);
        let half = kept(content, "One", "One and a h");
        let open = |now: &str, changed: bool| Return::Open { now: now.to_owned(), changed };
        assert_eq!(half.returns_to(Some(&Message::user("One"))), open("One", false));
        assert_eq!(half.returns_to(Some(&Message::user("Two"))), open("Two", true));
        assert_eq!(half.returns_to(Some(&Message::user("One and a h"))), Return::Saved);
        assert_eq!(half.returns_to(None), Return::Homeless);
    }

    #[test]
    fn a_kept_text_is_read_as_it_was_written() {
        for what in
            [Writing::Text(TextField::Reasoning), Writing::Text(TextField::Arguments { call: 2 }), Writing::Whole]
        {
            let all = vec![kept(what, "a\u{202e}b", "{\"half")];
            assert_eq!(serde_json::from_str::<Vec<Kept>>(&serde_json::to_string(&all).unwrap()).unwrap(), all);
        }
    }

    #[test]
    fn arguments_begin_as_an_object_also_where_there_are_none() {
        let call = |arguments| Message::assistant("", None, vec![Message::tool_call("c", "look", arguments)]);
        let what = Writing::Text(TextField::Arguments { call: 0 });
        assert_eq!(what.text_in(&call(Json::Null)), "{}");
        assert_eq!(what.text_in(&call("".into())), "{}");
        assert_eq!(what.text_in(&call(Json::parse(r#"{"a":1}"#).unwrap())), "{\n  \"a\": 1\n}");
    }
}
