//! What the person reads: progress and trouble, on stderr, in plain words.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// A step that could not be done: what happened and what to do next.
#[derive(Debug)]
pub(crate) struct Stop {
    happened: String,
    next: String,
}

impl Stop {
    /// `happened` is one sentence or more; `next` says what to type or install and may have several lines.
    pub(crate) fn new(happened: impl Into<String>, next: impl Into<String>) -> Self {
        Self { happened: happened.into(), next: next.into() }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.happened, self.next)
    }
}

impl std::error::Error for Stop {}

/// One line of progress.
pub(crate) fn line(text: &str) {
    write("", text);
}

/// A heading for a step that may take a while; `Step::done` says how long it took.
#[must_use]
pub(crate) fn step(text: &str) -> Step {
    write("==> ", text);
    Step { text: text.to_owned(), began: Instant::now() }
}

/// A step under way.
#[derive(Debug)]
pub(crate) struct Step {
    text: String,
    began: Instant,
}

impl Step {
    /// Says how long the step took, when that is worth a line.
    pub(crate) fn done(self) {
        let took = self.began.elapsed();
        if took >= Duration::from_secs(2) {
            write("    ", &format!("{}: done in {}", self.text, seconds(took)));
        }
    }
}

/// The error with its causes: the outermost first, each cause on a line of its own.
pub(crate) fn trouble(error: &anyhow::Error) {
    let mut lines = error.chain().map(ToString::to_string);
    if let Some(first) = lines.next() {
        write("", "");
        write("xtask stopped: ", &first);
    }
    for cause in lines {
        write("  because: ", &cause);
    }
}

fn seconds(took: Duration) -> String {
    let whole = took.as_secs();
    if whole < 60 { format!("{:.1} s", took.as_secs_f64()) } else { format!("{} min {} s", whole / 60, whole % 60) }
}

fn write(mark: &str, text: &str) {
    let mut stderr = std::io::stderr().lock();
    let bold = stderr.is_terminal() && !mark.trim().is_empty();
    let (on, off) = if bold { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
    // A closed stderr is no reason to stop the build.
    drop(writeln!(stderr, "{on}{mark}{off}{text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_over_a_minute_are_told_in_minutes() {
        assert_eq!(seconds(Duration::from_millis(4_240)), "4.2 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 5 s");
    }

    #[test]
    fn a_stop_says_what_happened_and_then_what_to_do() {
        let stop = Stop::new("npm is missing.", "Install it.");
        assert_eq!(stop.to_string(), "npm is missing.\nInstall it.");
    }
}
