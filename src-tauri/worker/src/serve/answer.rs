//! What an answer's text says: reasoning, content, calls, piece by piece while it comes.
//!
//! Streamed and whole answers are read by the same code, so they never disagree.

use tw_artifact::ToolDefinition;
use tw_endpoint::{CALL_MARKERS, could_be_written_call, written_calls};

use super::text::beginning_at_end;

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Reasoning(String),
    Content(String),
    /// A call begins; its arguments follow.
    Call {
        name: String,
    },
    /// More of the last call's arguments.
    Arguments(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing but whitespace so far, which may be followed by reasoning.
    Start,
    Thinking,
    Content,
    /// The whole text may be a call without marks.
    Bare,
    /// From a call's mark on; not known yet what it is.
    Held,
    /// In the arguments of a call whose beginning was told.
    Arguments {
        depth: usize,
        in_string: bool,
        escaped: bool,
    },
    /// Behind them, before the call's closing tag.
    Closing,
}

impl State {
    /// Behind the reasoning, or without any.
    fn said(tools: &[ToolDefinition]) -> Self {
        if tools.is_empty() { Self::Content } else { Self::Bare }
    }
}

const THINK: &str = "<think>";
const THINK_END: &str = "</think>";
const CALL: &str = "<tool_call>";
const CALL_END: &str = "</tool_call>";

/// Reads an answer.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    /// Empty where no calls are to be read.
    tools: &'a [ToolDefinition],
    may_think: bool,
    state: State,
    pending: String,
    /// Whether whitespace is layout behind a call.
    after_call: bool,
}

impl<'a> Reader<'a> {
    /// `is_thinking`: the prompt has opened the reasoning. `may_think`: the answer may open it.
    pub(crate) fn new(tools: &'a [ToolDefinition], is_thinking: bool, may_think: bool) -> Self {
        let state = match (is_thinking, may_think) {
            (true, _) => State::Thinking,
            (false, true) => State::Start,
            (false, false) => State::said(tools),
        };
        Self { tools, may_think, state, pending: String::new(), after_call: false }
    }

    /// Whether it is in the reasoning.
    pub(crate) fn is_thinking(&self) -> bool {
        self.state == State::Thinking
    }

    /// Takes more text.
    pub(crate) fn push(&mut self, text: &str, show: &mut impl FnMut(Piece)) {
        self.pending.push_str(text);
        while self.step(show) {}
    }

    /// No more text comes.
    pub(crate) fn finish(&mut self, show: &mut impl FnMut(Piece)) {
        let rest = std::mem::take(&mut self.pending);
        match self.state {
            State::Thinking => tell(show, Piece::Reasoning, &rest),
            State::Arguments { .. } => tell(show, Piece::Arguments, &rest),
            State::Closing => {}
            State::Bare | State::Held => self.read_rest(&rest, show),
            State::Start | State::Content => {
                if !(self.after_call && rest.trim().is_empty()) {
                    tell(show, Piece::Content, &rest);
                }
            }
        }
    }

    /// Goes one state further; `false` when more text is needed.
    fn step(&mut self, show: &mut impl FnMut(Piece)) -> bool {
        match self.state {
            State::Start => self.start(),
            State::Thinking => self.think(show),
            State::Bare => self.bare(),
            State::Content => self.content(show),
            State::Held => self.held(show),
            State::Arguments { depth, in_string, escaped } => self.arguments(depth, in_string, escaped, show),
            State::Closing => self.closing(),
        }
    }

    fn start(&mut self) -> bool {
        let begun = self.pending.trim_start();
        if begun.is_empty() || (THINK.starts_with(begun) && begun.len() < THINK.len()) {
            return false;
        }
        if let Some(rest) = begun.strip_prefix(THINK).filter(|_| self.may_think) {
            self.pending = rest.to_owned();
            self.state = State::Thinking;
            return true;
        }
        self.state = State::said(self.tools);
        true
    }

    fn think(&mut self, show: &mut impl FnMut(Piece)) -> bool {
        if let Some((reasoning, rest)) = self.pending.split_once(THINK_END) {
            let rest = rest.to_owned();
            tell(show, Piece::Reasoning, reasoning);
            self.pending = rest;
            self.state = State::said(self.tools);
            return true;
        }
        self.show_all_but(beginning_at_end(&self.pending, THINK_END), Piece::Reasoning, show);
        false
    }

    fn bare(&mut self) -> bool {
        let begun = self.pending.trim_start();
        if begun.is_empty() || could_be_written_call(begun) {
            // Whitespace alone says nothing; it is shown with what follows.
            return false;
        }
        self.state = State::Content;
        true
    }

    fn content(&mut self, show: &mut impl FnMut(Piece)) -> bool {
        if self.after_call {
            let begun = self.pending.trim_start();
            if CALL_MARKERS.iter().any(|mark| begun.starts_with(mark)) {
                self.pending = begun.to_owned();
            } else if CALL_MARKERS.iter().any(|mark| mark.starts_with(begun)) {
                return false;
            } else {
                self.after_call = false;
            }
        }
        if self.tools.is_empty() {
            self.show_all_but(0, Piece::Content, show);
            return false;
        }
        if let Some(at) = CALL_MARKERS.iter().filter_map(|mark| self.pending.find(mark)).min() {
            let rest = self.pending.split_off(at);
            tell(show, Piece::Content, &std::mem::replace(&mut self.pending, rest));
            self.state = State::Held;
            return true;
        }
        let held = CALL_MARKERS.iter().map(|mark| beginning_at_end(&self.pending, mark)).max().unwrap_or(0);
        self.show_all_but(held, Piece::Content, show);
        false
    }

    fn held(&mut self, show: &mut impl FnMut(Piece)) -> bool {
        let Some(body) = self.pending.strip_prefix(CALL) else {
            // Forms without an end of their own are read when the answer is whole.
            return false;
        };
        if let Head::Whole { name, arguments } = head(body)
            && self.tools.iter().any(|tool| tool.name() == name)
        {
            let rest = body[arguments..].to_owned();
            self.pending = rest;
            self.state = State::Arguments { depth: 0, in_string: false, escaped: false };
            show(Piece::Call { name });
            return true;
        }
        if head(body) == Head::Cut {
            return false;
        }
        // Another layout: with its closing tag it can be read.
        let Some(end) = self.pending.find(CALL_END) else { return false };
        let rest = self.pending.split_off(end + CALL_END.len());
        let block = std::mem::replace(&mut self.pending, rest);
        self.state = State::Content;
        self.read_rest(&block, show);
        true
    }

    /// Reads calls of a text that is whole; without any it is content.
    fn read_rest(&mut self, text: &str, show: &mut impl FnMut(Piece)) {
        match written_calls(text, self.tools) {
            None => tell(show, Piece::Content, text),
            Some(found) => {
                tell(show, Piece::Content, &found.content);
                for call in found.calls {
                    show(Piece::Call { name: call.name });
                    show(Piece::Arguments(call.arguments));
                }
                self.after_call = true;
            }
        }
    }

    fn arguments(
        &mut self,
        mut depth: usize,
        mut in_string: bool,
        mut escaped: bool,
        show: &mut impl FnMut(Piece),
    ) -> bool {
        for (at, c) in self.pending.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' if in_string => escaped = true,
                '"' => in_string = !in_string,
                '{' | '[' if !in_string => depth += 1,
                '}' | ']' if !in_string => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && !in_string {
                let rest = self.pending.split_off(at + c.len_utf8());
                tell(show, Piece::Arguments, &std::mem::replace(&mut self.pending, rest));
                self.state = State::Closing;
                return true;
            }
        }
        tell(show, Piece::Arguments, &std::mem::take(&mut self.pending));
        self.state = State::Arguments { depth, in_string, escaped };
        false
    }

    fn closing(&mut self) -> bool {
        let rest = self.pending.trim_start();
        let Some(rest) = rest.strip_prefix('}') else {
            if rest.is_empty() {
                return false;
            }
            // Not how a call ends: what follows is text.
            self.after_call = true;
            self.state = State::Content;
            return true;
        };
        let behind = rest.trim_start();
        if let Some(rest) = behind.strip_prefix(CALL_END) {
            self.pending = rest.to_owned();
        } else if CALL_END.starts_with(behind) {
            return false;
        } else {
            self.pending = rest.to_owned();
        }
        self.after_call = true;
        self.state = State::Content;
        true
    }

    fn show_all_but(&mut self, held: usize, piece: fn(String) -> Piece, show: &mut impl FnMut(Piece)) {
        let rest = self.pending.split_off(self.pending.len() - held);
        tell(show, piece, &std::mem::replace(&mut self.pending, rest));
    }
}

fn tell(show: &mut impl FnMut(Piece), piece: fn(String) -> Piece, text: &str) {
    if !text.is_empty() {
        show(piece(text.to_owned()));
    }
}

/// The beginning of a call up to its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Head {
    /// Its name, and where the arguments' object begins.
    Whole { name: String, arguments: usize },
    /// It may become one.
    Cut,
    /// It does not begin in this order.
    Other,
}

/// Reads `{"name": "...", "arguments": {`.
fn head(body: &str) -> Head {
    let mut rest = body;
    let mut name = String::new();
    for (place, wanted) in ["{", "\"name\"", ":", "", ",", "\"arguments\"", ":"].into_iter().enumerate() {
        rest = rest.trim_start();
        if place == 3 {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            match values.next() {
                Some(Ok(text)) => {
                    rest = &rest[values.byte_offset()..];
                    name = text;
                }
                Some(Err(error)) if !error.is_eof() => return Head::Other,
                _ => return Head::Cut,
            }
        } else if let Some(after) = rest.strip_prefix(wanted) {
            rest = after;
        } else if wanted.starts_with(rest) {
            return Head::Cut;
        } else {
            return Head::Other;
        }
    }
    let rest = rest.trim_start();
    match rest.chars().next() {
        None => Head::Cut,
        Some('{') => Head::Whole { name, arguments: body.len() - rest.len() },
        Some(_) => Head::Other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tw_artifact::Json;

    use super::*;

    fn tools() -> Vec<ToolDefinition> {
        let schema = Json::parse(r#"{"type":"object","properties":{"n":{"type":"integer"}}}"#).unwrap();
        ["go", "stop"].map(|name| ToolDefinition::new(name, "", schema.clone())).to_vec()
    }

    /// The pieces of a text that comes in parts of so many characters, neighbours joined.
    fn pieces(text: &str, step: usize, thinks: (bool, bool)) -> Vec<Piece> {
        let tools = tools();
        let mut reader = Reader::new(&tools, thinks.0, thinks.1);
        let mut found: Vec<Piece> = Vec::new();
        let mut show = |piece: Piece| match (found.last_mut(), &piece) {
            (Some(Piece::Reasoning(last)), Piece::Reasoning(text))
            | (Some(Piece::Content(last)), Piece::Content(text))
            | (Some(Piece::Arguments(last)), Piece::Arguments(text)) => last.push_str(text),
            _ => found.push(piece),
        };
        let characters: Vec<char> = text.chars().collect();
        for part in characters.chunks(step) {
            reader.push(&part.iter().collect::<String>(), &mut show);
        }
        reader.finish(&mut show);
        found
    }

    fn check(text: &str, thinks: (bool, bool), wanted: &[Piece]) {
        for step in [1, 2, 3, 7, 1_000] {
            assert_eq!(pieces(text, step, thinks), wanted, "{text:?} in steps of {step}");
        }
    }

    fn content(text: &str) -> Piece {
        Piece::Content(text.to_owned())
    }
    fn reasoning(text: &str) -> Piece {
        Piece::Reasoning(text.to_owned())
    }
    fn call(name: &str) -> Piece {
        Piece::Call { name: name.to_owned() }
    }
    fn arguments(text: &str) -> Piece {
        Piece::Arguments(text.to_owned())
    }

    #[test]
    fn reasoning_is_told_apart_with_its_whitespace() {
        check("<think>\nhm\n</think>\n\nHello", (false, true), &[reasoning("\nhm\n"), content("\n\nHello")]);
        check("\nhm\n</think>\n\nHello", (true, true), &[reasoning("\nhm\n"), content("\n\nHello")]);
        check("hm, and then it was cut", (true, true), &[reasoning("hm, and then it was cut")]);
        check("Hello <b>you</b>", (false, true), &[content("Hello <b>you</b>")]);
        check("<think> is a tag", (false, false), &[content("<think> is a tag")]);
    }

    #[test]
    fn calls_are_told_while_they_come() {
        let text = "\n\nOK.\n<tool_call>\n{\"name\": \"go\", \"arguments\": {\"s\": \"a}\\\"{\", \"n\": [1]}}\n</tool_call>\n\
                    <tool_call>\n{\"name\": \"stop\", \"arguments\": {}}\n</tool_call>";
        let wanted = [
            content("\n\nOK.\n"),
            call("go"),
            arguments("{\"s\": \"a}\\\"{\", \"n\": [1]}"),
            call("stop"),
            arguments("{}"),
        ];
        check(text, (false, false), &wanted);
        check(
            &format!("{text}\n\nSo <b>it</b>\n<i> is."),
            (false, false),
            &[&wanted, [content("\n\nSo <b>it</b>\n<i> is.")].as_slice()].concat(),
        );
        check(&format!("<think>x</think>{text}"), (false, true), &[&[reasoning("x")], wanted.as_slice()].concat());
        let cut = "<tool_call>\n{\"name\": \"go\", \"arguments\": {\"s\": \"half";
        check(cut, (false, false), &[call("go"), arguments("{\"s\": \"half")]);
    }

    #[test]
    fn other_forms_are_read_when_they_are_whole() {
        check(
            "<tool_call>\n<function=go>\n<parameter=n>\n5\n</parameter>\n</function>\n</tool_call>",
            (false, false),
            &[call("go"), arguments("{\"n\":5}")],
        );
        check("{\"name\": \"go\", \"parameters\": {\"n\": 1}}", (false, false), &[call("go"), arguments("{\"n\":1}")]);
        check(
            "<tool_call>{\"arguments\": {\"n\": 2}, \"name\": \"go\"}</tool_call>",
            (false, false),
            &[call("go"), arguments("{\"n\":2}")],
        );
    }

    #[test]
    fn text_that_is_no_call_stays_text() {
        for text in [
            "<tool_call>\nI would call it\n</tool_call> but no",
            "{\"answer\": 5}",
            "a < b <tool",
            "Write <tool_call> to call.",
        ] {
            check(text, (false, false), &[content(text)]);
        }
    }
}
