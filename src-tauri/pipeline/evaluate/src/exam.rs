//! The next-call exam: one true answer, one given answer, what they have in common.

use std::collections::HashMap;

use tw_artifact::{Decision, Json, Message, StepScore};

use crate::calls::{arguments_of, call_key, canonical};

/// An answer that came.
#[derive(Clone, Debug)]
pub struct Given {
    /// The message.
    pub message: Message,
    /// Why the endpoint ended it, in its words (`stop`, `tool_calls`, `length` ...).
    pub finish_reason: Option<String>,
}

/// What an answer does.
fn decision(message: &Message) -> Decision {
    if !message.tool_calls().is_empty() {
        Decision::Call
    } else if message.text().trim().is_empty() {
        Decision::Nothing
    } else {
        Decision::Answer
    }
}

fn thinks(message: &Message) -> bool {
    message.reasoning().is_some_and(|text| !text.trim().is_empty())
}

/// How often each of these comes.
fn counted<T: std::hash::Hash + Eq>(items: impl Iterator<Item = T>) -> HashMap<T, usize> {
    let mut counts = HashMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

/// Parameters of the true calls that came with the same value, and parameters in all. Each true call is compared with the
/// given call of the same tool that has most in common with it and was not taken by another; the order of calls in one
/// answer is of no account.
fn parameters(truth: &Message, given: &Message) -> (u32, u32) {
    let mut open: Vec<(String, Json)> =
        given.tool_calls().iter().map(|call| (call.name.to_owned(), arguments_of(call))).collect();
    let (mut right, mut all) = (0, 0);
    for call in truth.tool_calls() {
        let Json::Object(expected) = arguments_of(&call) else {
            continue;
        };
        all += expected.len();
        let same = |arguments: &Json| {
            expected
                .iter()
                .filter(|(name, value)| arguments.get(name).is_some_and(|it| canonical(it) == canonical(value)))
                .count()
        };
        // The earliest of equally good ones, so that calls in the same order meet each other.
        let candidates = open.iter().enumerate().filter(|(_, (name, _))| name == call.name);
        let best =
            candidates.map(|(place, (_, arguments))| (place, same(arguments))).rev().max_by_key(|(_, same)| *same);
        if let Some((place, same)) = best {
            right += same;
            open.remove(place);
        }
    }
    (u32::try_from(right).unwrap_or(u32::MAX), u32::try_from(all).unwrap_or(u32::MAX))
}

/// Compares a given answer with the true one. `schema_valid` says whether a call's arguments keep to the schema of its
/// tool; a tool that the model was not given is no valid one.
#[must_use]
pub fn score(truth: &Message, given: &Given, schema_valid: &dyn Fn(&str, &Json) -> bool) -> StepScore {
    let (true_calls, given_calls) = (truth.tool_calls(), given.message.tool_calls());
    let calls = !true_calls.is_empty();
    let (parameters_right, parameters) = parameters(truth, &given.message);
    StepScore {
        tools: true_calls.iter().map(|call| call.name.to_owned()).collect(),
        expected: if calls { Decision::Call } else { Decision::Answer },
        given: decision(&given.message),
        tool_right: calls.then(|| {
            counted(true_calls.iter().map(|call| call.name)) == counted(given_calls.iter().map(|call| call.name))
        }),
        arguments_right: calls
            .then(|| counted(true_calls.iter().map(call_key)) == counted(given_calls.iter().map(call_key))),
        schema_valid: (!given_calls.is_empty())
            .then(|| given_calls.iter().all(|call| schema_valid(call.name, &arguments_of(call)))),
        parameters_right,
        parameters,
        stopped: given.finish_reason.as_deref() != Some("length"),
        thinking_kept: thinks(truth).then(|| thinks(&given.message)),
        answer: Some(given.message.clone()),
        ..StepScore::default()
    }
}

/// The score of a step for which no answer came.
#[must_use]
pub fn failed(truth: &Message, problem: &str) -> StepScore {
    let nothing = Given { message: Message::assistant("", None, Vec::new()), finish_reason: None };
    let scored = score(truth, &nothing, &|_, _| false);
    StepScore { problem: Some(problem.to_owned()), stopped: false, answer: None, ..scored }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn calling(calls: &[(&str, &str)]) -> Message {
        let entries = calls.iter().enumerate().map(|(place, (name, arguments))| {
            Message::tool_call(&format!("call_{place}"), name, Json::parse(arguments).unwrap())
        });
        Message::assistant("", None, entries.collect())
    }

    fn scored(truth: &Message, given: Message) -> StepScore {
        let given = Given { message: given, finish_reason: Some("stop".to_owned()) };
        score(truth, &given, &|tool, _| tool != "unknown")
    }

    #[test]
    fn the_same_calls_in_another_order_and_writing_are_right() {
        let truth = calling(&[("find", r#"{"q":"a","n":1}"#), ("open", r#"{"id":7}"#)]);
        let score = scored(&truth, calling(&[("open", r#"{"id":7.0}"#), ("find", r#"{"n":1,"q":"a"}"#)]));
        assert!(score.is_right() && score.tool_right == Some(true));
        assert_eq!((score.parameters_right, score.parameters, score.schema_valid), (3, 3, Some(true)));
    }

    #[test]
    fn one_wrong_argument_is_one_wrong_parameter() {
        let truth = calling(&[("find", r#"{"q":"a","n":1}"#)]);
        let score = scored(&truth, calling(&[("find", r#"{"q":"b","n":1,"more":true}"#)]));
        assert_eq!((score.tool_right, score.arguments_right), (Some(true), Some(false)));
        assert_eq!((score.parameters_right, score.parameters), (1, 2));
        assert!(score.decision_right() && !score.is_right());
    }

    #[test]
    fn a_further_call_of_the_same_tool_is_not_the_same() {
        let truth = calling(&[("find", "{}")]);
        let score = scored(&truth, calling(&[("find", "{}"), ("find", "{}")]));
        assert_eq!((score.tool_right, score.arguments_right), (Some(false), Some(false)));
    }

    #[test]
    fn words_instead_of_a_call_and_a_call_instead_of_words() {
        let (call, words) = (calling(&[("find", r#"{"q":1}"#)]), Message::assistant("Done.", None, Vec::new()));
        let score = scored(&call, words.clone());
        assert_eq!((score.expected, score.given, score.parameters), (Decision::Call, Decision::Answer, 1));
        assert!(!score.decision_right() && score.schema_valid.is_none());
        let score = scored(&words, calling(&[("unknown", "{}")]));
        assert_eq!((score.tool_right, score.schema_valid, score.is_right()), (None, Some(false), false));
        assert!(scored(&words, Message::assistant("Otherwise said.", None, Vec::new())).is_right());
        assert_eq!(scored(&words, Message::assistant(" \n", None, Vec::new())).given, Decision::Nothing);
    }

    #[test]
    fn arguments_as_text_are_read_and_broken_ones_are_wrong() {
        let truth = calling(&[("find", r#"{"q":"a"}"#)]);
        let text = |text: &str| Message::assistant("", None, vec![Message::tool_call("1", "find", text.into())]);
        assert!(scored(&truth, text(r#"{"q": "a"}"#)).is_right());
        assert_eq!(scored(&truth, text(r#"{"q": "a""#)).arguments_right, Some(false));
    }

    #[test]
    fn thinking_and_the_end_are_told() {
        let truth = Message::assistant("Yes.", Some("Let me see.".to_owned()), Vec::new());
        let given =
            Given { message: Message::assistant("Yes", None, Vec::new()), finish_reason: Some("length".into()) };
        let score = score(&truth, &given, &|_, _| true);
        assert_eq!((score.thinking_kept, score.stopped), (Some(false), false));
        let none = failed(&truth, "The endpoint answered 500.");
        assert!(!none.is_right() && !none.decision_right() && none.problem.is_some());
    }
}
