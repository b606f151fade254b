//! Splits reasoning from text where no reasoning parser runs on the server.

use crate::code::CodeTracker;

pub(crate) const OPEN: &str = "<think>";
pub(crate) const CLOSE: &str = "</think>";
const CALL_START: &str = "<tool_call>";
const CALL_END: &str = "</tool_call>";

/// An answer's text, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split<'a> {
    /// What stood between the tags, whitespace included; `None` when there were none.
    pub(crate) reasoning: Option<&'a str>,
    /// What came after them.
    pub(crate) content: &'a str,
}

/// Splits a whole text.
///
/// - It begins with `<think>`: reasoning goes on to the first `</think>`, or to the end.
/// - It holds a `</think>` that nothing opened, because the chat template opened it in the prompt: everything before is
///   reasoning. So that text about the tag is not taken for it, the tag must touch the beginning or end of a line, must
///   not be in code, and must not be in the arguments of a call.
pub(crate) fn split(text: &str) -> Split<'_> {
    if let Some(rest) = text.trim_start().strip_prefix(OPEN) {
        return match rest.split_once(CLOSE) {
            Some((reasoning, content)) => Split { reasoning: Some(reasoning), content },
            None => Split { reasoning: Some(rest), content: "" },
        };
    }
    match lone_close(text) {
        Some(at) => Split { reasoning: Some(&text[..at]), content: &text[at + CLOSE.len()..] },
        None => Split { reasoning: None, content: text },
    }
}

fn lone_close(text: &str) -> Option<usize> {
    let last_call_end = text.rfind(CALL_END);
    let mut code = CodeTracker::default();
    let mut in_call = false;
    let mut fed = 0;
    for (at, _) in text.match_indices(CLOSE) {
        let piece = &text[fed..at];
        piece.chars().for_each(|c| code.feed(c));
        match (piece.rfind(CALL_START), piece.rfind(CALL_END)) {
            (None, None) => {}
            (start, end) => in_call = start > end,
        }
        fed = at;
        // A call that is never closed is text about one.
        let in_whole_call = in_call && last_call_end.is_some_and(|end| end > at);
        if touches_line_edge(&text[..at], &text[at + CLOSE.len()..]) && !code.in_code() && !in_whole_call {
            return Some(at);
        }
    }
    None
}

fn touches_line_edge(before: &str, after: &str) -> bool {
    before.is_empty() || before.ends_with('\n') || after.is_empty() || after.starts_with(['\n', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, reasoning: Option<&str>, content: &str) {
        assert_eq!(split(text), Split { reasoning, content }, "{text:?}");
    }

    #[test]
    fn reasoning_is_split_with_its_whitespace() {
        check("<think>\nhm\n</think>\n\nHello", Some("\nhm\n"), "\n\nHello");
        check("\n<think>hm</think>Hello", Some("hm"), "Hello");
        check("<think>\n\n</think>\n\nHello", Some("\n\n"), "\n\nHello");
        check("<think>cut in the mid", Some("cut in the mid"), "");
        check("Hello", None, "Hello");
    }

    #[test]
    fn a_block_that_the_template_opened_is_split() {
        check("hm\n</think>\n\nHello", Some("hm\n"), "\n\nHello");
        check("hm</think>\nHello", Some("hm"), "\nHello");
        check("call <tool_call>{}</tool_call>?\n</think>\nNo", Some("call <tool_call>{}</tool_call>?\n"), "\nNo");
    }

    #[test]
    fn text_about_the_tags_is_text() {
        for text in [
            "The </think> tag closes it.",
            "In code:\n```\n<think>\nx\n</think>\n```\nSo.",
            "Write `</think>`\nat the end",
            "Say <think> to think.",
            "<tool_call>{\"text\":\n\"x\n</think>\n\"}</tool_call>",
        ] {
            check(text, None, text);
        }
    }
}
