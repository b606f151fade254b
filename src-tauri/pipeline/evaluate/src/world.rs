//! A recorded world: tool results come from traces instead of live tools.

use std::collections::HashMap;

use tw_artifact::{Message, Role, ToolCallView};

use crate::calls::call_key;

/// What a recorded world says to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded<'a> {
    /// The result that was recorded for the same call.
    Known {
        /// The result's message.
        result: &'a Message,
        /// Whether it is what came at this point of the recording, in the order of the calls. Otherwise the recording has
        /// the call elsewhere, and the world may have been another one there.
        in_order: bool,
    },
    /// No recording has this call.
    Unknown {
        /// A text for the model in place of a result.
        answer: String,
    },
}

/// Recorded calls with their results, asked one after the other as a run makes them.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Results by call, each with its place among all results of the recordings.
    results: HashMap<(String, String), Vec<(usize, Message)>>,
    /// The place after the last result that was given.
    next: usize,
    unknown: u32,
}

impl World {
    /// The world of some recordings, in their order. Calls without a result are left out.
    #[must_use]
    pub fn of<'a>(recordings: impl IntoIterator<Item = &'a [Message]>) -> Self {
        let mut world = Self::default();
        let mut place = 0;
        for messages in recordings {
            let mut open: HashMap<&str, (String, String)> = HashMap::new();
            for message in messages {
                if message.role() == Role::Assistant {
                    open.extend(message.tool_calls().iter().map(|call| (call.id, call_key(call))));
                } else if let Some(key) = message.tool_call_id().and_then(|id| open.remove(id)) {
                    world.results.entry(key).or_default().push((place, message.clone()));
                    place += 1;
                }
            }
        }
        world
    }

    /// The result of a call: that of the next same call in the recordings, else of the last one before.
    pub fn answer(&mut self, call: &ToolCallView<'_>) -> Recorded<'_> {
        let Some(results) = self.results.get(&call_key(call)) else {
            self.unknown += 1;
            let answer = format!(
                "This call of \"{}\" is not in the recording, so there is no result. Tools are replayed here.",
                call.name
            );
            return Recorded::Unknown { answer };
        };
        let chosen = results.iter().find(|(place, _)| *place >= self.next).or_else(|| results.last());
        let Some((place, result)) = chosen else {
            return Recorded::Unknown { answer: String::new() };
        };
        let in_order = *place == self.next;
        self.next = place + 1;
        Recorded::Known { result, in_order }
    }

    /// How many calls were not in the recordings so far.
    #[must_use]
    pub const fn unknown(&self) -> u32 {
        self.unknown
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tw_artifact::Json;

    fn step(id: &str, tool: &str, arguments: &str, result: &str) -> [Message; 2] {
        let call = Message::tool_call(id, tool, Json::parse(arguments).unwrap());
        [Message::assistant("", None, vec![call]), Message::tool(id, tool, result)]
    }

    fn said(world: &mut World, tool: &str, arguments: &str) -> (String, bool) {
        let asked = &step("x", tool, arguments, "")[0];
        match world.answer(&asked.tool_calls()[0]) {
            Recorded::Known { result, in_order } => (result.text(), in_order),
            Recorded::Unknown { answer } => (answer, false),
        }
    }

    #[test]
    fn the_same_call_gives_what_it_gave_then() {
        let recording: Vec<Message> =
            [step("1", "look", "{}", "closed"), step("2", "open", r#"{"n":1}"#, "ok"), step("3", "look", "{}", "open")]
                .concat();
        let mut world = World::of([recording.as_slice()]);
        assert_eq!(said(&mut world, "look", "{}"), ("closed".to_owned(), true));
        assert_eq!(said(&mut world, "open", r#"{"n":1.0}"#), ("ok".to_owned(), true));
        assert_eq!(said(&mut world, "look", "{}"), ("open".to_owned(), true));
        assert_eq!(said(&mut world, "look", "{}"), ("open".to_owned(), false), "the recording is at its end");
        assert_eq!(world.unknown(), 0);
    }

    #[test]
    fn what_was_never_called_is_said_to_be_unknown() {
        let recording = step("1", "look", "{}", "closed");
        let mut world = World::of([recording.as_slice()]);
        assert!(said(&mut world, "look", r#"{"deep":true}"#).0.contains("not in the recording"));
        assert_eq!(world.unknown(), 1);
        assert_eq!(said(&mut world, "look", "{}"), ("closed".to_owned(), true));
    }

    #[test]
    fn a_call_that_comes_later_is_marked() {
        let recording = [step("1", "a", "{}", "A"), step("2", "b", "{}", "B")].concat();
        let mut world = World::of([recording.as_slice()]);
        assert_eq!(said(&mut world, "b", "{}"), ("B".to_owned(), false));
        assert_eq!(said(&mut world, "a", "{}"), ("A".to_owned(), false));
    }
}
