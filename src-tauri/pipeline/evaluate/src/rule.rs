//! Whether a run did its task, by rules.

use regex::RegexBuilder;
use tw_artifact::{Json, Message, Role, RuleVerdict, SuccessRule};

use crate::calls::{arguments_of, canonical};
use crate::error::{Error, Result};

/// Bytes that a compiled expression may take.
const PATTERN_BYTES: usize = 1 << 20;

/// Looks whether a rule can be used, before anything is run for it.
///
/// # Errors
/// When an expression or a pointer in it is none, or a part of it is empty.
pub fn check(rule: &SuccessRule) -> Result<()> {
    match rule {
        SuccessRule::Contains { text, .. } | SuccessRule::ResultContains { text, .. } if text.trim().is_empty() => {
            Err(Error::Empty("the text to look for is empty: every run would pass"))
        }
        SuccessRule::Called { tool, .. }
        | SuccessRule::NotCalled { tool }
        | SuccessRule::ResultContains { tool, .. }
            if tool.is_empty() =>
        {
            Err(Error::Empty("the tool has no name"))
        }
        SuccessRule::Matches { pattern } => compiled(pattern).map(drop),
        SuccessRule::Json { pointer, .. } if !pointer.is_empty() && !pointer.starts_with('/') => {
            Err(Error::Pointer(pointer.clone()))
        }
        SuccessRule::All(rules) | SuccessRule::Any(rules) if rules.is_empty() => {
            Err(Error::Empty("a group of rules is empty"))
        }
        SuccessRule::All(rules) | SuccessRule::Any(rules) => rules.iter().try_for_each(check),
        SuccessRule::Not(rule) => check(rule),
        SuccessRule::Judge { rubric } if rubric.trim().is_empty() => Err(Error::Empty("the judge's rubric is empty")),
        _ => Ok(()),
    }
}

fn compiled(pattern: &str) -> Result<regex::Regex> {
    // The expressions of this crate take time linear in the text: a hostile one cannot hang.
    RegexBuilder::new(pattern)
        .size_limit(PATTERN_BYTES)
        .build()
        .map_err(|error| Error::Pattern { pattern: pattern.to_owned(), reason: error.to_string() })
}

/// The last answer in words.
fn final_answer(messages: &[Message]) -> Option<String> {
    messages
        .iter()
        .rev()
        .find(|message| message.role() == Role::Assistant)
        .filter(|message| message.tool_calls().is_empty())
        .map(Message::text)
        .filter(|text| !text.trim().is_empty())
}

/// What a rule says of a run. `is_error` tells whether the result of a call (by its id) is an error. A judge and a person
/// decide later: until then their verdict is open.
#[must_use]
pub fn verdict(rule: &SuccessRule, messages: &[Message], is_error: &dyn Fn(&str) -> bool) -> RuleVerdict {
    let decided = |passed: bool, reason: String| RuleVerdict { passed: Some(passed), reason };
    match rule {
        SuccessRule::Contains { text, exact } => with_answer(messages, |answer| {
            let found = if *exact {
                answer.contains(text.as_str())
            } else {
                answer.to_lowercase().contains(&text.to_lowercase())
            };
            decided(found, format!("The final answer {} \"{text}\".", if found { "has" } else { "does not have" }))
        }),
        SuccessRule::Matches { pattern } => with_answer(messages, |answer| match compiled(pattern) {
            Ok(expression) => {
                let found = expression.is_match(answer);
                let how = if found { "matches" } else { "does not match" };
                decided(found, format!("The final answer {how} \"{pattern}\"."))
            }
            Err(error) => RuleVerdict { passed: None, reason: format!("Not decided: {error}.") },
        }),
        SuccessRule::Json { pointer, equals } => with_answer(messages, |answer| {
            let Some(value) = json_in(answer) else {
                return decided(false, "The final answer is not JSON.".to_owned());
            };
            match at(&value, pointer) {
                Some(found) if canonical(found) == canonical(equals) => {
                    decided(true, format!("\"{pointer}\" is {}.", equals.to_text()))
                }
                Some(found) => {
                    decided(false, format!("\"{pointer}\" is {}, not {}.", found.to_text(), equals.to_text()))
                }
                None => decided(false, format!("The final answer has nothing at \"{pointer}\".")),
            }
        }),
        SuccessRule::Called { tool, arguments } => {
            let mut near = format!("\"{tool}\" was not called.");
            for message in messages {
                for call in message.tool_calls().iter().filter(|call| call.name == tool) {
                    if !holds(&arguments_of(call), arguments) {
                        near = format!("\"{tool}\" was called with other arguments only.");
                    } else if is_error(call.id) {
                        near = format!("\"{tool}\" was called so, and failed.");
                    } else {
                        return decided(true, format!("\"{tool}\" was called so."));
                    }
                }
            }
            decided(false, near)
        }
        SuccessRule::NotCalled { tool } => {
            let called = messages.iter().any(|message| message.tool_calls().iter().any(|call| call.name == tool));
            decided(!called, format!("\"{tool}\" was {}called.", if called { "" } else { "not " }))
        }
        SuccessRule::ResultContains { tool, text } => {
            let calls: Vec<_> =
                messages.iter().flat_map(Message::tool_calls).filter(|call| call.name == tool).collect();
            let result = messages.iter().rev().find(|message| {
                message.role() == Role::Tool
                    && message.tool_call_id().is_some_and(|id| calls.iter().any(|it| it.id == id))
            });
            match result {
                Some(result) => {
                    let found = result.text().contains(text.as_str());
                    let how = if found { "has" } else { "does not have" };
                    decided(found, format!("The last result of \"{tool}\" {how} \"{text}\"."))
                }
                None => decided(false, format!("There is no result of \"{tool}\".")),
            }
        }
        SuccessRule::Steps { most } => {
            let steps = messages.iter().filter(|message| message.role() == Role::Assistant).count();
            decided(steps as u64 <= u64::from(*most), format!("It took {steps} answers; at most {most} are allowed."))
        }
        SuccessRule::All(rules) => joined(rules, messages, is_error, false),
        SuccessRule::Any(rules) => joined(rules, messages, is_error, true),
        SuccessRule::Not(rule) => {
            let inner = verdict(rule, messages, is_error);
            RuleVerdict { passed: inner.passed.map(|passed| !passed), reason: inner.reason }
        }
        SuccessRule::Judge { .. } => RuleVerdict { passed: None, reason: "A judge has not decided yet.".to_owned() },
        SuccessRule::Person => RuleVerdict { passed: None, reason: "A person has not decided yet.".to_owned() },
    }
}

fn with_answer(messages: &[Message], then: impl FnOnce(&str) -> RuleVerdict) -> RuleVerdict {
    match final_answer(messages) {
        Some(answer) => then(&answer),
        None => RuleVerdict { passed: Some(false), reason: "There is no final answer in words.".to_owned() },
    }
}

/// Several rules: the first that settles all of them gives the reason; open ones leave it open.
fn joined(rules: &[SuccessRule], messages: &[Message], is_error: &dyn Fn(&str) -> bool, settles: bool) -> RuleVerdict {
    let verdicts: Vec<RuleVerdict> = rules.iter().map(|rule| verdict(rule, messages, is_error)).collect();
    if let Some(settled) = verdicts.iter().find(|verdict| verdict.passed == Some(settles)) {
        return settled.clone();
    }
    if let Some(open) = verdicts.iter().find(|verdict| verdict.passed.is_none()) {
        return open.clone();
    }
    let reasons: Vec<&str> = verdicts.iter().map(|verdict| verdict.reason.as_str()).collect();
    RuleVerdict { passed: Some(!settles), reason: reasons.join(" ") }
}

/// The JSON of an answer: the whole of it, or that in its one fenced block.
fn json_in(answer: &str) -> Option<Json> {
    if let Ok(value) = Json::parse(answer.trim()) {
        return Some(value);
    }
    let mut blocks = answer.split("```").skip(1).step_by(2);
    let (block, None) = (blocks.next()?, blocks.next()) else { return None };
    let inside = block.split_once('\n').map_or(block, |(_, inside)| inside);
    Json::parse(inside.trim()).ok()
}

/// The value at a JSON pointer (RFC 6901).
fn at<'a>(value: &'a Json, pointer: &str) -> Option<&'a Json> {
    pointer.split('/').skip(1).try_fold(value, |value, key| {
        let key = key.replace("~1", "/").replace("~0", "~");
        match value {
            Json::Array(items) => items.get(key.parse::<usize>().ok()?),
            _ => value.get(&key),
        }
    })
}

/// Whether a value has at least what another has: every key of its objects, with the same value.
fn holds(value: &Json, least: &Json) -> bool {
    match (value, least) {
        (Json::Object(map), Json::Object(least)) => {
            least.iter().all(|(key, least)| map.get(key).is_some_and(|value| holds(value, least)))
        }
        _ => canonical(value) == canonical(least),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    fn run(answer: &str) -> Vec<Message> {
        let call = Message::tool_call("c1", "book", json(r#"{"room":{"nr":7,"name":"Sun"},"day":"Mon"}"#));
        vec![
            Message::user("Book"),
            Message::assistant("", None, vec![call]),
            Message::tool("c1", "book", "booked: room 7"),
            Message::assistant(answer, None, Vec::new()),
        ]
    }

    fn passed(rule: &SuccessRule, messages: &[Message]) -> Option<bool> {
        check(rule).unwrap();
        verdict(rule, messages, &|id| id == "failed").passed
    }

    fn contains(text: &str) -> SuccessRule {
        SuccessRule::Contains { text: text.to_owned(), exact: false }
    }

    fn called(tool: &str, arguments: &str) -> SuccessRule {
        SuccessRule::Called { tool: tool.to_owned(), arguments: json(arguments) }
    }

    #[test]
    fn the_final_answer_is_looked_at_and_nothing_else() {
        let messages = run("Room 7 is yours.");
        assert_eq!(passed(&contains("room 7 is"), &messages), Some(true));
        assert_eq!(passed(&contains("booked"), &messages), Some(false));
        assert_eq!(passed(&contains("room"), &messages[..3]), Some(false), "it ended with a result");
        assert_eq!(passed(&SuccessRule::Matches { pattern: r"Room \d+".into() }, &messages), Some(true));
        let exact = SuccessRule::Contains { text: "room 7".into(), exact: true };
        assert_eq!(passed(&exact, &messages), Some(false));
    }

    #[test]
    fn json_answers_are_read_bare_and_fenced() {
        let rule = SuccessRule::Json { pointer: "/a/1".into(), equals: json("2") };
        for answer in [r#"{"a":[1,2.0]}"#, "Here:\n```json\n{\"a\":[1,2]}\n```\nDone."] {
            assert_eq!(passed(&rule, &run(answer)), Some(true), "{answer}");
        }
        for answer in ["2", "```\n{\"a\":[1,3]}\n```", "```\n1\n```\n```\n{\"a\":[1,2]}\n```"] {
            assert_eq!(passed(&rule, &run(answer)), Some(false), "{answer}");
        }
    }

    #[test]
    fn calls_count_with_at_least_these_arguments_and_without_error() {
        let messages = run("ok");
        assert_eq!(passed(&called("book", r#"{"room":{"nr":7}}"#), &messages), Some(true));
        assert_eq!(passed(&called("book", r#"{"room":{"nr":8}}"#), &messages), Some(false));
        assert_eq!(passed(&called("cancel", "{}"), &messages), Some(false));
        let failed = vec![Message::assistant("", None, vec![Message::tool_call("failed", "book", json("{}"))])];
        assert_eq!(passed(&called("book", "{}"), &failed), Some(false));
        assert_eq!(passed(&SuccessRule::NotCalled { tool: "book".into() }, &messages), Some(false));
        let look = |text: &str| SuccessRule::ResultContains { tool: "book".into(), text: text.into() };
        assert_eq!((passed(&look("room 7"), &messages), passed(&look("room 8"), &messages)), (Some(true), Some(false)));
        assert_eq!(passed(&SuccessRule::Steps { most: 1 }, &messages), Some(false));
    }

    #[test]
    fn groups_settle_as_soon_as_one_rule_does() {
        let messages = run("yes");
        let (yes, no, open) = (contains("yes"), contains("no"), SuccessRule::Person);
        let all = |rules: &[&SuccessRule]| SuccessRule::All(rules.iter().map(|rule| (*rule).clone()).collect());
        let any = |rules: &[&SuccessRule]| SuccessRule::Any(rules.iter().map(|rule| (*rule).clone()).collect());
        assert_eq!(passed(&all(&[&yes, &open]), &messages), None);
        assert_eq!(passed(&all(&[&open, &no]), &messages), Some(false));
        assert_eq!(passed(&any(&[&open, &yes]), &messages), Some(true));
        assert_eq!(passed(&any(&[&no, &no]), &messages), Some(false));
        assert_eq!(passed(&SuccessRule::Not(Box::new(no)), &messages), Some(true));
    }

    #[test]
    fn rules_that_cannot_be_used_are_refused_before_a_run() {
        for rule in [
            SuccessRule::Matches { pattern: "(".into() },
            SuccessRule::Matches { pattern: "(a{1000}){1000}".into() },
            SuccessRule::Json { pointer: "a".into(), equals: Json::Null },
            SuccessRule::All(Vec::new()),
            contains(" "),
            SuccessRule::Judge { rubric: String::new() },
            SuccessRule::Not(Box::new(called("", "{}"))),
        ] {
            assert!(check(&rule).is_err(), "{rule:?}");
        }
    }
}
