//! The last lines that a server wrote.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most lines kept.
const MAX_LINES: usize = 200;
/// Most bytes kept.
const MAX_BYTES: usize = 64 * 1024;
/// Most bytes of one line.
pub(crate) const MAX_LINE_BYTES: usize = 4 * 1024;

/// Bounded in lines and bytes: a server that writes without end costs no memory.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    inner: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Tail {
    /// Adds a line, cut at [`MAX_LINE_BYTES`]; gives it as it was kept.
    pub(crate) fn push(&self, line: &str) -> String {
        let line = cut(line.trim_end(), MAX_LINE_BYTES);
        let mut inner = self.lock();
        inner.bytes += line.len();
        inner.lines.push_back(line.clone());
        while inner.lines.len() > MAX_LINES || inner.bytes > MAX_BYTES {
            let Some(old) = inner.lines.pop_front() else { break };
            inner.bytes -= old.len();
        }
        line
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lock().lines.iter().cloned().collect()
    }

    /// The last `count` lines as one text.
    pub(crate) fn text(&self, count: usize) -> String {
        let inner = self.lock();
        let skip = inner.lines.len().saturating_sub(count);
        inner.lines.iter().skip(skip).cloned().collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn clear(&self) {
        *self.lock() = Lines::default();
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest prefix of at most `limit` bytes, with a mark where something is missing.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    format!("{} [...]", &text[..text.floor_char_boundary(limit)])
}
