//! Tokens of stretches between special tokens, kept: rows of a dataset share most of their messages.
//!
//! A tokenizer first cuts a text at its added tokens and then works on each stretch between them alone, so a stretch has
//! the same tokens wherever it stands. Only the very beginning of a text is told apart by some tokenizers: a stretch
//! there has a key of its own. Where an added token looks at its surroundings (`lstrip`, `rstrip`, `single_word`), nothing
//! is kept, and every text is tokenised whole.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aho_corasick::{AhoCorasick, MatchKind};

use crate::error::Error;
use crate::tokenizer::Encoded;
use crate::words::{Cutter, Token, Words};

/// Most bytes of text whose tokens are kept.
const MOST_BYTES: usize = 64 << 20;
/// Longer stretches are rarely seen twice.
const LONGEST: usize = 1 << 20;

/// The added tokens that cut a text, and the stretches that were seen.
pub(crate) struct Segments {
    cuts: AhoCorasick,
    ids: Vec<u32>,
    /// An added token to stand before a stretch that is not the text's first.
    lead: String,
    cutter: Option<Cutter>,
    seen: Mutex<Seen>,
    words: Mutex<Words>,
}

#[derive(Default)]
struct Seen {
    first: HashMap<Box<str>, Arc<[Token]>>,
    later: HashMap<Box<str>, Arc<[Token]>>,
    bytes: usize,
}

impl Segments {
    /// `None` where stretches cannot be looked at alone. `json` is the text that `inner` was read from.
    pub(crate) fn of(inner: &tokenizers::Tokenizer, json: &[u8]) -> Option<Self> {
        let mut added: Vec<(u32, String)> = Vec::new();
        for (id, token) in inner.get_added_tokens_decoder() {
            if token.normalized || token.content.is_empty() {
                continue;
            }
            if token.lstrip || token.rstrip || token.single_word {
                return None;
            }
            added.push((id, token.content));
        }
        added.sort();
        let lead = added.iter().map(|(_, text)| text).max_by_key(|text| text.len())?.clone();
        let texts = added.iter().map(|(_, text)| text.as_bytes());
        let cuts = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(texts).ok()?;
        let ids = added.iter().map(|(id, _)| *id).collect();
        Some(Self { cuts, ids, lead, cutter: Cutter::of(json), seen: Mutex::default(), words: Mutex::default() })
    }

    /// The tokens of a text, the same as `inner` gives for it.
    pub(crate) fn encode(&self, inner: &tokenizers::Tokenizer, text: &str) -> Result<Encoded, Error> {
        let mut encoded = Encoded::default();
        let mut done = 0;
        for cut in self.cuts.find_iter(text) {
            self.stretch(inner, text, (done, cut.start()), &mut encoded)?;
            encoded.ids.push(self.ids[cut.pattern().as_usize()]);
            encoded.offsets.push((cut.start(), cut.end()));
            done = cut.end();
        }
        self.stretch(inner, text, (done, text.len()), &mut encoded)?;
        Ok(encoded)
    }

    pub(crate) fn forget(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
        *self.words.lock().unwrap_or_else(PoisonError::into_inner) = Words::default();
    }

    fn stretch(
        &self,
        inner: &tokenizers::Tokenizer,
        text: &str,
        (start, end): (usize, usize),
        encoded: &mut Encoded,
    ) -> Result<(), Error> {
        if start == end {
            return Ok(());
        }
        let part = &text[start..end];
        let is_first = start == 0;
        let tokens = match self.known(part, is_first) {
            Some(tokens) => tokens,
            None => {
                let tokens = self.tokens(inner, part, is_first)?;
                self.keep(part, is_first, &tokens);
                tokens
            }
        };
        encoded.ids.extend(tokens.iter().map(|(id, _, _)| *id));
        encoded.offsets.extend(tokens.iter().map(|(_, from, to)| (start + *from as usize, start + *to as usize)));
        Ok(())
    }

    fn known(&self, part: &str, is_first: bool) -> Option<Arc<[Token]>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = if is_first { &seen.first } else { &seen.later };
        known.get(part).cloned()
    }

    fn keep(&self, part: &str, is_first: bool, tokens: &Arc<[Token]>) {
        if part.len() > LONGEST {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.bytes + part.len() > MOST_BYTES {
            *seen = Seen::default();
        }
        seen.bytes += part.len();
        let known = if is_first { &mut seen.first } else { &mut seen.later };
        known.insert(part.into(), Arc::clone(tokens));
    }

    fn tokens(&self, inner: &tokenizers::Tokenizer, part: &str, is_first: bool) -> Result<Arc<[Token]>, Error> {
        if let Some(cutter) = &self.cutter {
            let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(tokens) = cutter.tokens(inner, &mut words, part) {
                return Ok(tokens?.into());
            }
        }
        let fail = |error: tokenizers::Error| Error::Tokenizer(error.to_string());
        let (encoding, skip, lead) = if is_first {
            (inner.encode(part, false).map_err(fail)?, 0, 0)
        } else {
            (inner.encode(format!("{}{part}", self.lead), false).map_err(fail)?, 1, self.lead.len())
        };
        let short = |byte: usize| u32::try_from(byte.saturating_sub(lead)).unwrap_or(u32::MAX);
        let tokens = encoding.get_ids().iter().zip(encoding.get_offsets()).skip(skip);
        Ok(tokens.map(|(id, (from, to))| (*id, short(*from), short(*to))).collect())
    }
}
