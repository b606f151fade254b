//! Tells whether a place in Markdown is inside code: there, tags are quoted and not meant.

/// Reads text character by character and knows whether the next one is in a fenced block or an inline span.
#[derive(Clone, Debug)]
pub(crate) struct CodeTracker {
    /// The open fence: its character and length.
    fence: Option<(char, usize)>,
    /// The open inline span: its number of backticks.
    inline: Option<usize>,
    /// The run of backticks or tildes being read.
    run: Option<(char, usize)>,
    run_at_line_start: bool,
    /// Only spaces so far on this line.
    at_line_start: bool,
}

impl Default for CodeTracker {
    fn default() -> Self {
        Self { fence: None, inline: None, run: None, run_at_line_start: false, at_line_start: true }
    }
}

impl CodeTracker {
    /// Takes the next character.
    pub(crate) fn feed(&mut self, c: char) {
        match self.run {
            Some((mark, length)) if mark == c => {
                self.run = Some((mark, length + 1));
                return;
            }
            Some(_) => self.end_run(),
            None => {}
        }
        match c {
            '\n' => {
                self.inline = None;
                self.at_line_start = true;
            }
            '`' | '~' => {
                self.run = Some((c, 1));
                self.run_at_line_start = self.at_line_start;
                self.at_line_start = false;
            }
            ' ' => {}
            _ => self.at_line_start = false,
        }
    }

    /// Whether a tag that begins here would be inside code.
    pub(crate) fn in_code(&self) -> bool {
        let mut ended = self.clone();
        ended.end_run();
        ended.fence.is_some() || ended.inline.is_some()
    }

    fn end_run(&mut self) {
        let Some((mark, length)) = self.run.take() else {
            return;
        };
        match self.fence {
            Some((open, least)) if self.run_at_line_start && open == mark && length >= least => self.fence = None,
            Some(_) => {}
            None if self.run_at_line_start && length >= 3 => self.fence = Some((mark, length)),
            None if mark == '`' => match self.inline {
                Some(open) if open == length => self.inline = None,
                Some(_) => {}
                None => self.inline = Some(length),
            },
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `^` marks the places that must be in code, all others must not be; the marks themselves are not read.
    fn check(text: &str) {
        let mut tracker = CodeTracker::default();
        let mut expected = false;
        for c in text.chars() {
            if c == '^' {
                expected = true;
                continue;
            }
            if c.is_alphabetic() {
                assert_eq!(tracker.in_code(), expected, "before {c:?} in {text:?}");
            }
            expected = false;
            tracker.feed(c);
        }
    }

    #[test]
    fn code_is_known_from_text() {
        check("a `^b` c ``^d ` ^e`` f");
        check("a `^b\nc");
        check("```\n^a\n```\nb");
        check("  ~~~~\n^a\n```\n^b\n~~~\n^c\n~~~~\nd");
        check("a ~~b~~ c");
    }
}
