//! What was recognised in the texts of a trace, kept from one look to the next: an edit changes one message of many.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use tw_artifact::EditedMessage;

use super::shapes::{Hit, hits};

/// Bytes of text from which on several threads look.
const MANY_BYTES: usize = 512 << 10;
/// Threads that look, at most.
const MOST_THREADS: usize = 8;

/// What was recognised in messages that were looked at before. It belongs to one trace, at whatever revision.
#[derive(Clone, Debug, Default)]
pub struct LintMemory {
    /// By the message's key, which names its exact text; for each of its texts in order.
    known: HashMap<i64, Vec<Vec<Hit>>>,
}

impl LintMemory {
    /// What is recognised in each of these texts, which come with the keys of their messages; texts of a message are
    /// neighbours and are always the same ones.
    pub(super) fn look(&mut self, texts: &[(i64, &str)]) -> Vec<Vec<Hit>> {
        let mut found: Vec<Option<Vec<Hit>>> = Vec::with_capacity(texts.len());
        for of_message in texts.chunk_by(|one, other| one.0 == other.0 && one.0 != EditedMessage::UNSAVED) {
            let known = self.known.get(&of_message[0].0).filter(|known| known.len() == of_message.len());
            match known {
                Some(known) => found.extend(known.iter().cloned().map(Some)),
                None => found.extend(of_message.iter().map(|_| None)),
            }
        }
        let unknown: Vec<usize> = (0..texts.len()).filter(|at| found[*at].is_none()).collect();
        let looked_for: Vec<&str> = unknown.iter().map(|at| texts[*at].1).collect();
        for (at, hits) in unknown.into_iter().zip(look_for(&looked_for)) {
            found[at] = Some(hits);
        }
        let found: Vec<Vec<Hit>> = found.into_iter().map(Option::unwrap_or_default).collect();
        self.keep(texts, &found);
        found
    }

    fn keep(&mut self, texts: &[(i64, &str)], found: &[Vec<Hit>]) {
        let mut from = 0;
        for of_message in texts.chunk_by(|one, other| one.0 == other.0) {
            let (key, end) = (of_message[0].0, from + of_message.len());
            if key != EditedMessage::UNSAVED && !self.known.contains_key(&key) {
                self.known.insert(key, found[from..end].to_vec());
            }
            from = end;
        }
    }
}

/// What is recognised in each text. Many are shared out among threads.
fn look_for(texts: &[&str]) -> Vec<Vec<Hit>> {
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MOST_THREADS);
    if bytes < MANY_BYTES || threads < 2 {
        return texts.iter().map(|text| hits(text)).collect();
    }
    // Texts in a row, about as many bytes for each thread.
    let share = bytes / threads;
    let mut shares: Vec<&[&str]> = Vec::with_capacity(threads);
    let (mut from, mut taken) = (0, 0);
    for (at, text) in texts.iter().enumerate() {
        taken += text.len();
        if taken > share && shares.len() + 1 < threads {
            shares.push(&texts[from..=at]);
            (from, taken) = (at + 1, 0);
        }
    }
    shares.push(&texts[from..]);
    let look = |share: &[&str]| -> Vec<Vec<Hit>> { share.iter().map(|text| hits(text)).collect() };
    std::thread::scope(|scope| {
        let (first, others) = shares.split_at(1);
        let others: Vec<_> = others.iter().map(|share| (*share, scope.spawn(|| look(share)))).collect();
        let mut all: Vec<Vec<Hit>> = first.iter().flat_map(|share| look(share)).collect();
        for (share, other) in others {
            // A look that failed is made again here, where its failure is heard.
            all.extend(other.join().unwrap_or_else(|_| look(share)));
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_is_found_anew() {
        let texts: Vec<String> =
            (0..400).map(|n| format!("{} mail jane{n}@corp-mail.net now", "word ".repeat(700))).collect();
        let keyed: Vec<(i64, &str)> = (0_i64..).zip(&texts).map(|(n, text)| (n / 2, text.as_str())).collect();
        let mut memory = LintMemory::default();
        let first = memory.look(&keyed);
        assert_eq!(first, texts.iter().map(|text| hits(text)).collect::<Vec<_>>());
        assert!(first.iter().all(|hits| hits.len() == 1));
        assert_eq!(memory.look(&keyed), first);
        // A message that is not kept yet is looked at each time.
        let mut changed = keyed.clone();
        changed.splice(4..6, [(EditedMessage::UNSAVED, "no address"), (EditedMessage::UNSAVED, "a@corp-mail.net")]);
        let found = memory.look(&changed);
        assert_eq!((found[4].len(), found[5].len()), (0, 1));
        assert_eq!(memory.look(&keyed), first);
    }
}
