//! Where two runs of one task part.

use tw_artifact::{Message, Role};

use crate::calls::call_key;

/// The first point at which two runs are not alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Which message of both, from 0.
    pub message: usize,
    /// Whether they differ in what they do there (calls, results); otherwise only in their words.
    pub in_action: bool,
}

/// The first message in which two runs differ; `None` where one is the other. Ids of calls are of no account, and neither
/// is white space around texts. A run that ends earlier parts there.
#[must_use]
pub fn divergence(one: &[Message], other: &[Message]) -> Option<Divergence> {
    for place in 0..one.len().max(other.len()) {
        let (Some(a), Some(b)) = (one.get(place), other.get(place)) else {
            return Some(Divergence { message: place, in_action: true });
        };
        let keys = |message: &Message| message.tool_calls().iter().map(call_key).collect::<Vec<_>>();
        let same_words = a.text().trim() == b.text().trim()
            && a.reasoning().unwrap_or_default().trim() == b.reasoning().unwrap_or_default().trim();
        let in_action = a.role() != b.role() || keys(a) != keys(b) || (a.role() == Role::Tool && !same_words);
        if in_action || !same_words {
            return Some(Divergence { message: place, in_action });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tw_artifact::Json;

    #[test]
    fn words_and_actions_part_at_different_places() {
        let call = |id: &str, n: &str| {
            Message::assistant("", None, vec![Message::tool_call(id, "f", Json::parse(n).unwrap())])
        };
        let base = vec![Message::user("Go"), call("a", r#"{"n":1}"#), Message::tool("a", "f", "ok")];
        let same = vec![Message::user("Go "), call("b", r#"{"n":1.0}"#), Message::tool("b", "f", "ok")];
        assert_eq!(divergence(&base, &same), None);
        let acts = vec![Message::user("Go"), call("a", r#"{"n":2}"#)];
        assert_eq!(divergence(&base, &acts), Some(Divergence { message: 1, in_action: true }));
        let words = vec![Message::user("Go!")];
        assert_eq!(divergence(&base, &words), Some(Divergence { message: 0, in_action: false }));
        assert_eq!(divergence(&base, &base[..2]), Some(Divergence { message: 2, in_action: true }));
    }
}
