//! What can be shown of an answer's text while it still streams.
//!
//! The final split of the whole text ([`crate::think`], [`crate::text_calls`]) decides; this only shows as early as it
//! can what that split will say, and holds back what could become a tag or a call.

use crate::answer::AnswerDelta;
use crate::code::CodeTracker;
use crate::text_calls::{MARKERS, could_be_bare_call};
use crate::think;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing but whitespace so far.
    Start,
    Thinking,
    Text,
    /// A `{` at the start: text, or a call without marks.
    MaybeBareCall,
    /// From a call's mark on nothing is shown before the end.
    Held,
}

/// Turns pieces of text into pieces to show.
#[derive(Debug)]
pub(crate) struct Live {
    phase: Phase,
    /// Came in and not shown yet.
    pending: String,
    code: CodeTracker,
    /// The last character shown as text, for the edges of lines.
    last: Option<char>,
    with_tools: bool,
    may_think: bool,
}

impl Live {
    pub(crate) fn new(with_tools: bool) -> Self {
        Self {
            phase: Phase::Start,
            pending: String::new(),
            code: CodeTracker::default(),
            last: None,
            with_tools,
            may_think: true,
        }
    }

    /// The server splits reasoning itself.
    pub(crate) const fn expect_no_reasoning(&mut self) {
        self.may_think = false;
    }

    /// Takes more text.
    pub(crate) fn push(&mut self, text: &str, show: &mut dyn FnMut(AnswerDelta)) {
        self.pending.push_str(text);
        while self.step(show) {}
    }

    /// Goes one phase further; `false` when more text is needed.
    fn step(&mut self, show: &mut dyn FnMut(AnswerDelta)) -> bool {
        match self.phase {
            Phase::Held => false,
            Phase::Start => self.start(),
            Phase::Thinking => self.think(show),
            Phase::MaybeBareCall => {
                if could_be_bare_call(&self.pending) {
                    return false;
                }
                self.phase = Phase::Text;
                true
            }
            Phase::Text => self.text(show),
        }
    }

    fn start(&mut self) -> bool {
        let begun = self.pending.trim_start();
        if begun.is_empty() {
            return false;
        }
        if self.may_think && think::OPEN.starts_with(begun) && begun.len() < think::OPEN.len() {
            return false;
        }
        if self.may_think
            && let Some(rest) = begun.strip_prefix(think::OPEN)
        {
            self.pending = rest.to_owned();
            self.phase = Phase::Thinking;
            self.may_think = false;
            return true;
        }
        let bare = self.with_tools && begun.starts_with('{');
        self.phase = if bare { Phase::MaybeBareCall } else { Phase::Text };
        true
    }

    fn think(&mut self, show: &mut dyn FnMut(AnswerDelta)) -> bool {
        if let Some((reasoning, rest)) = self.pending.split_once(think::CLOSE) {
            if !reasoning.is_empty() {
                show(AnswerDelta::Reasoning(reasoning.to_owned()));
            }
            self.pending = rest.to_owned();
            self.phase = Phase::Start;
            return true;
        }
        let held = partial_suffix(&self.pending, think::CLOSE);
        let ready = self.pending.len() - held;
        if ready > 0 {
            let rest = self.pending.split_off(ready);
            show(AnswerDelta::Reasoning(std::mem::replace(&mut self.pending, rest)));
        }
        false
    }

    fn text(&mut self, show: &mut dyn FnMut(AnswerDelta)) -> bool {
        let mut stop = Stop::Never;
        let mut ready = self.pending.len();
        for (at, c) in self.pending.char_indices() {
            if matches!(c, '<' | '[') && !self.code.in_code() {
                stop = self.stop_at(at);
                if stop != Stop::Never {
                    ready = at;
                    break;
                }
            }
            self.code.feed(c);
            self.last = Some(c);
        }
        let rest = self.pending.split_off(ready);
        let text = std::mem::replace(&mut self.pending, rest);
        if !text.is_empty() {
            show(AnswerDelta::Content(text));
        }
        match stop {
            Stop::Never | Stop::NeedsMore => false,
            Stop::Call => {
                self.phase = Phase::Held;
                false
            }
            Stop::ThinkEnds => {
                show(AnswerDelta::ContentWasReasoning);
                self.pending.drain(..think::CLOSE.len());
                self.may_think = false;
                self.code = CodeTracker::default();
                self.last = None;
                self.phase = Phase::Start;
                true
            }
        }
    }

    /// What a `<` or `[` at `at` begins.
    fn stop_at(&self, at: usize) -> Stop {
        let rest = &self.pending[at..];
        if self.with_tools {
            if MARKERS.iter().any(|marker| rest.starts_with(marker)) {
                return Stop::Call;
            }
            if MARKERS.iter().any(|marker| marker.starts_with(rest)) {
                return Stop::NeedsMore;
            }
        }
        if !self.may_think {
            return Stop::Never;
        }
        if let Some(after) = rest.strip_prefix(think::CLOSE) {
            let at_start = self.last.is_none_or(|last| last == '\n');
            if at_start || after.starts_with(['\n', '\r']) {
                return Stop::ThinkEnds;
            }
            return if after.is_empty() { Stop::NeedsMore } else { Stop::Never };
        }
        if think::CLOSE.starts_with(rest) { Stop::NeedsMore } else { Stop::Never }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Ordinary text.
    Never,
    /// The beginning of a mark, perhaps.
    NeedsMore,
    /// A call's mark.
    Call,
    /// The end of reasoning that nothing opened.
    ThinkEnds,
}

/// Length of the longest end of `text` that `tag` begins with.
fn partial_suffix(text: &str, tag: &str) -> usize {
    (1..tag.len()).rev().find(|length| text.ends_with(&tag[..*length])).unwrap_or(0)
}

/// What the sink was shown so far.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    reasoning: String,
    content: String,
}

impl Shown {
    pub(crate) fn show(&mut self, delta: AnswerDelta, sink: &mut (dyn FnMut(AnswerDelta) + Send)) {
        match &delta {
            AnswerDelta::Reasoning(text) => self.reasoning.push_str(text),
            AnswerDelta::Content(text) => self.content.push_str(text),
            AnswerDelta::ContentWasReasoning => self.reasoning.push_str(&std::mem::take(&mut self.content)),
            AnswerDelta::CallStart { .. } | AnswerDelta::CallArguments { .. } | AnswerDelta::Retrying { .. } => {}
        }
        sink(delta);
    }

    /// Shows what the final message has beyond what was shown.
    pub(crate) fn complete(
        &mut self,
        reasoning: Option<&str>,
        content: &str,
        sink: &mut (dyn FnMut(AnswerDelta) + Send),
    ) {
        let reasoning = reasoning.unwrap_or_default();
        if !self.content.is_empty() && !content.starts_with(&self.content) {
            self.show(AnswerDelta::ContentWasReasoning, sink);
        }
        if let Some(rest) = reasoning.strip_prefix(self.reasoning.as_str())
            && !rest.is_empty()
        {
            self.show(AnswerDelta::Reasoning(rest.to_owned()), sink);
        }
        if let Some(rest) = content.strip_prefix(self.content.as_str())
            && !rest.is_empty()
        {
            self.show(AnswerDelta::Content(rest.to_owned()), sink);
        }
    }
}
