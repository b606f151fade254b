//! An answer's text while its tokens come: characters are shown when they are whole, and not while they may still be
//! part of a stop string.

use super::chat::Chat;

/// Turns tokens into text.
#[derive(Debug)]
pub(crate) struct TextStream {
    stop: Vec<String>,
    ids: Vec<u32>,
    /// The tokens from here on are decoded together, so that a space at a word's beginning is kept.
    from: usize,
    /// The tokens up to here have been shown.
    shown: usize,
    /// Text that may be the beginning of a stop string.
    held: String,
    /// The stop string that came.
    stopped: Option<String>,
}

impl TextStream {
    pub(crate) fn new(stop: Vec<String>) -> Self {
        Self { stop, ids: Vec::new(), from: 0, shown: 0, held: String::new(), stopped: None }
    }

    /// Takes a token and gives the text that can be shown.
    pub(crate) fn push(&mut self, chat: &Chat, id: u32) -> String {
        self.ids.push(id);
        let before = chat.decode(&self.ids[self.from..self.shown]);
        let now = chat.decode(&self.ids[self.from..]);
        // A character that is not whole yet; after some tokens it will not become whole any more.
        if now.len() <= before.len() || now.ends_with('\u{FFFD}') && self.ids.len() - self.shown < 8 {
            return String::new();
        }
        let text = now.strip_prefix(before.as_str()).unwrap_or(&now).to_owned();
        self.from = self.shown;
        self.shown = self.ids.len();
        self.hold(&text)
    }

    fn hold(&mut self, text: &str) -> String {
        self.held.push_str(text);
        let first = self.stop.iter().filter_map(|stop| Some((self.held.find(stop.as_str())?, stop))).min();
        if let Some((at, stop)) = first {
            self.stopped = Some(stop.clone());
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        let kept = self.stop.iter().map(|stop| beginning_at_end(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - kept);
        std::mem::replace(&mut self.held, rest)
    }

    /// The stop string that came; then nothing more is to be taken.
    pub(crate) fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// The text that is left when no more tokens come.
    pub(crate) fn finish(&mut self, chat: &Chat) -> String {
        if self.stopped.is_some() {
            return String::new();
        }
        let before = chat.decode(&self.ids[self.from..self.shown]);
        let now = chat.decode(&self.ids[self.from..]);
        let text = now.strip_prefix(before.as_str()).unwrap_or_default().to_owned();
        self.shown = self.ids.len();
        let mut text = self.hold(&text);
        text.push_str(&std::mem::take(&mut self.held));
        text
    }
}

/// Bytes at the end of `text` that `word` could go on from.
pub(crate) fn beginning_at_end(text: &str, word: &str) -> usize {
    let most = text.len().min(word.len().saturating_sub(1));
    (1..=most).rev().find(|length| word.is_char_boundary(*length) && text.ends_with(&word[..*length])).unwrap_or(0)
}
