//! Byte-level BPE without the library's detours: a stretch cut into words by the tokenizer's own patterns, each word's
//! tokens by its own model, both kept.
//!
//! Used only where that is all that the tokenizer does: patterns that cut (`Split`, `Isolated`), then `ByteLevel` as it is,
//! no normaliser or NFC over text that is NFC already. Everything else goes through the library. The library's own way keeps
//! for every byte where it came from, through every step; here a byte is a byte.

use std::collections::HashMap;

use fancy_regex::Regex;
use serde_json::Value;
use tokenizers::Model;

use crate::error::Error;

/// Words that are kept, before all are forgotten.
const MOST_WORDS: usize = 400_000;
/// Longer words are seen once.
const LONGEST: usize = 256;

/// A token: its id, its first byte and the byte after its last, from the stretch's beginning.
pub(crate) type Token = (u32, u32, u32);

/// What cuts a stretch, and how a byte is written in the vocabulary.
pub(crate) struct Cutter {
    patterns: Vec<Regex>,
    is_nfc: bool,
    letters: [char; 256],
}

/// Words that were seen: where their tokens stand in the list of all.
#[derive(Default)]
pub(crate) struct Words {
    known: HashMap<Box<str>, (u32, u32)>,
    tokens: Vec<Token>,
}

impl Cutter {
    /// Reads a `tokenizer.json`; `None` where the library must be asked.
    pub(crate) fn of(json: &[u8]) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Parts {
            normalizer: Value,
            pre_tokenizer: Value,
            post_processor: Value,
            added_tokens: Vec<Value>,
        }
        let parts: Parts = serde_json::from_slice(json).ok()?;
        let is_nfc = match parts.normalizer["type"].as_str() {
            None if parts.normalizer.is_null() => false,
            Some("NFC") => true,
            _ => return None,
        };
        if parts.added_tokens.iter().any(|token| token["normalized"] == true) || trims(&parts.post_processor) {
            return None;
        }
        let steps = match parts.pre_tokenizer["type"].as_str() {
            Some("Sequence") => parts.pre_tokenizer["pretokenizers"].as_array()?.as_slice(),
            _ => return None,
        };
        let (last, cuts) = steps.split_last()?;
        if last["type"] != "ByteLevel" || last["add_prefix_space"] == true || last["use_regex"] != false {
            return None;
        }
        let pattern = |step: &Value| {
            let plain = step["type"] == "Split" && step["behavior"] == "Isolated" && step["invert"] == false;
            Regex::new(step["pattern"]["Regex"].as_str().filter(|_| plain)?).ok()
        };
        let patterns = cuts.iter().map(pattern).collect::<Option<Vec<_>>>()?;
        Some(Self { patterns, is_nfc, letters: letters() })
    }

    /// The tokens of a stretch; `None` where the library must be asked after all.
    pub(crate) fn tokens(
        &self,
        inner: &tokenizers::Tokenizer,
        words: &mut Words,
        stretch: &str,
    ) -> Option<Result<Vec<Token>, Error>> {
        if self.is_nfc && !stretch.chars().all(stays) {
            return None;
        }
        let mut pieces = vec![(0, stretch.len())];
        for pattern in &self.patterns {
            let mut finer = Vec::with_capacity(pieces.len() * 4);
            for (start, end) in pieces {
                let mut done = start;
                for found in pattern.find_iter(&stretch[start..end]) {
                    // A pattern that is too much work here is the library's to report.
                    let found = found.ok()?;
                    let (from, to) = (start + found.start(), start + found.end());
                    finer.extend([(done, from), (from, to)].into_iter().filter(|(from, to)| from < to));
                    done = to;
                }
                finer.extend(Some((done, end)).filter(|(from, to)| from < to));
            }
            pieces = finer;
        }
        let mut tokens = Vec::with_capacity(pieces.len() + pieces.len() / 4);
        for (start, end) in pieces {
            if let Err(error) = self.word(inner, words, &stretch[start..end], short(start), &mut tokens) {
                return Some(Err(error));
            }
        }
        Some(Ok(tokens))
    }

    fn word(
        &self,
        inner: &tokenizers::Tokenizer,
        words: &mut Words,
        word: &str,
        start: u32,
        tokens: &mut Vec<Token>,
    ) -> Result<(), Error> {
        let moved = |(id, from, to): &Token| (*id, start + from, start + to);
        if let Some((first, count)) = words.known.get(word) {
            let (first, count) = (*first as usize, *count as usize);
            tokens.extend(words.tokens[first..first + count].iter().map(moved));
            return Ok(());
        }
        let found = self.model(inner, word)?;
        tokens.extend(found.iter().map(moved));
        if word.len() <= LONGEST {
            if words.known.len() >= MOST_WORDS {
                *words = Words::default();
            }
            let place = (short(words.tokens.len()), short(found.len()));
            words.tokens.extend(found);
            words.known.insert(word.into(), place);
        }
        Ok(())
    }

    /// What the model makes of a word. A token that holds a part of a character has the whole character's bytes.
    fn model(&self, inner: &tokenizers::Tokenizer, word: &str) -> Result<Vec<Token>, Error> {
        let mut letters = String::with_capacity(word.len() * 2);
        // By byte of `letters`: the byte of the word.
        let mut places = Vec::with_capacity(word.len() * 2 + 1);
        for (place, byte) in word.bytes().enumerate() {
            let letter = self.letters[usize::from(byte)];
            letters.push(letter);
            places.extend(std::iter::repeat_n(place, letter.len_utf8()));
        }
        places.push(word.len());
        let found = inner.get_model().tokenize(&letters).map_err(|error| Error::Tokenizer(error.to_string()))?;
        let place = |at: usize| places.get(at).copied().unwrap_or(word.len());
        let token = |token: tokenizers::Token| {
            let (mut from, mut to) = (place(token.offsets.0), place(token.offsets.1));
            while !word.is_char_boundary(from) {
                from -= 1;
            }
            while !word.is_char_boundary(to) {
                to += 1;
            }
            (token.id, short(from), short(to))
        };
        Ok(found.into_iter().map(token).collect())
    }
}

/// Whether the offsets of tokens are trimmed of white space afterwards.
fn trims(processor: &Value) -> bool {
    match processor["type"].as_str() {
        Some("ByteLevel") => processor["trim_offsets"] != false,
        Some("Sequence") => processor["processors"].as_array().is_none_or(|parts| parts.iter().any(trims)),
        Some("TemplateProcessing") => false,
        None => !processor.is_null(),
        Some(_) => true,
    }
}

/// The letters that GPT-2's vocabulary and its heirs write bytes with: printable Latin-1 as it is, the rest from U+0100 on.
fn letters() -> [char; 256] {
    let mut next = 0x100;
    std::array::from_fn(|byte| {
        let byte = u32::try_from(byte).unwrap_or_default();
        let code = if matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) {
            byte
        } else {
            next += 1;
            next - 1
        };
        char::from_u32(code).unwrap_or_default()
    })
}

/// Characters that NFC leaves alone whatever stands beside them, as long as all of the text is of them.
const fn stays(character: char) -> bool {
    matches!(
        character as u32,
        0..=0x2ff | 0x400..=0x482 | 0x2010..=0x2027 | 0x2030..=0x205e | 0x20a0..=0x20bf | 0x2500..=0x2775
            | 0x3041..=0x3096 | 0x30a1..=0x30fa | 0x4e00..=0x9fff | 0xac00..=0xd7a3 | 0x1f300..=0x1faff
    )
}

fn short(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
