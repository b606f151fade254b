//! The head of a GGUF file: its metadata, without the tensors.
//!
//! Format (ggml's gguf specification): `GGUF`, version (u32), tensor count and key/value count (u64 each; u32 in version
//! 1), then key/values: a string, a type (u32), a value. Little endian; a file of version 2 or 3 may be big endian,
//! which is refused.

use std::io::{BufReader, Read};
use std::path::Path;

use crate::error::Error;

/// Most bytes of metadata that are read. Vocabularies of 250,000 tokens take about 10 MB.
const MAX_BYTES: u64 = 256 << 20;

/// Longest string that is kept, in bytes.
const MAX_STRING: u64 = 4 << 20;

/// Most entries of a list that is kept.
const MAX_ITEMS: u64 = 4 << 20;

/// What a chat needs of the metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GgufChat {
    /// Templates by name; the model's own is `default`.
    pub(crate) templates: Vec<(String, String)>,
    /// Special tokens by name (`bos_token`, `eos_token`, ...).
    pub(crate) special_tokens: Vec<(String, String)>,
    /// What a tokenizer can be made of.
    pub(crate) vocabulary: Vocabulary,
}

/// The tokenizer's part of the metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vocabulary {
    /// `tokenizer.ggml.model`: `gpt2` for byte-level BPE, `llama` for SentencePiece.
    pub(crate) model: String,
    /// `tokenizer.ggml.pre`: how a text is cut before.
    pub(crate) pre: String,
    /// Tokens by id.
    pub(crate) tokens: Vec<String>,
    /// `tokenizer.ggml.token_type` by id: 3 is a control token, 4 one that a person added.
    pub(crate) types: Vec<i32>,
    /// Merges, in order: two tokens with a space between.
    pub(crate) merges: Vec<String>,
}

const TOKEN_IDS: [(&str, &str); 5] = [
    ("tokenizer.ggml.bos_token_id", "bos_token"),
    ("tokenizer.ggml.eos_token_id", "eos_token"),
    ("tokenizer.ggml.padding_token_id", "pad_token"),
    ("tokenizer.ggml.unknown_token_id", "unk_token"),
    ("tokenizer.ggml.seperator_token_id", "sep_token"),
];

/// Reads the templates, special tokens and vocabulary of a file.
pub(crate) fn read(path: &Path) -> Result<GgufChat, Error> {
    let shown = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|source| Error::Read { path: shown.clone(), source })?;
    read_from(BufReader::new(file)).map_err(|message| Error::Content { path: shown, message })
}

fn read_from(reader: impl Read) -> Result<GgufChat, String> {
    let mut input = Input { reader: reader.take(MAX_BYTES) };
    if input.bytes::<4>()? != *b"GGUF" {
        return Err("this is not a GGUF file".to_owned());
    }
    let version = u32::from_le_bytes(input.bytes()?);
    if !(1..=3).contains(&version) {
        return Err(format!("a GGUF file of version {version} cannot be read"));
    }
    input.count(version)?;
    let count = input.count(version)?;
    let mut chat = GgufChat::default();
    let mut ids = Vec::new();
    for _ in 0..count {
        let key = input.string(version)?;
        let kind = u32::from_le_bytes(input.bytes()?);
        let vocabulary = &mut chat.vocabulary;
        match (key.as_str(), kind) {
            ("tokenizer.ggml.tokens", ARRAY) => {
                vocabulary.tokens = input.list(STRING, version, |input| input.string(version))?;
                continue;
            }
            ("tokenizer.ggml.merges", ARRAY) => {
                vocabulary.merges = input.list(STRING, version, |input| input.string(version))?;
                continue;
            }
            ("tokenizer.ggml.token_type", ARRAY) => {
                vocabulary.types = input.list(INT32, version, |input| Ok(i32::from_le_bytes(input.bytes()?)))?;
                continue;
            }
            ("tokenizer.ggml.model", STRING) => {
                vocabulary.model = input.string(version)?;
                continue;
            }
            ("tokenizer.ggml.pre", STRING) => {
                vocabulary.pre = input.string(version)?;
                continue;
            }
            _ => {}
        }
        if let Some(name) = key.strip_prefix("tokenizer.chat_template").filter(|_| kind == STRING) {
            let name = name.strip_prefix('.').filter(|name| !name.is_empty()).unwrap_or("default");
            chat.templates.push((name.to_owned(), input.string(version)?));
        } else if let Some((_, name)) = TOKEN_IDS.iter().find(|(known, _)| *known == key)
            && matches!(kind, 4 | 5)
        {
            ids.push((*name, u32::from_le_bytes(input.bytes()?)));
        } else {
            input.skip_value(kind, version, 0)?;
        }
    }
    for (name, id) in ids {
        if let Some(token) = chat.vocabulary.tokens.get(id as usize) {
            chat.special_tokens.push((name.to_owned(), token.clone()));
        }
    }
    Ok(chat)
}

const INT32: u32 = 5;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

struct Input<R> {
    reader: std::io::Take<R>,
}

impl<R: Read> Input<R> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(|error| self.broken(&error))?;
        Ok(bytes)
    }

    fn broken(&self, error: &std::io::Error) -> String {
        if self.reader.limit() == 0 {
            format!("its metadata is larger than {} MB", MAX_BYTES >> 20)
        } else {
            format!("it ends in the middle of its metadata ({error})")
        }
    }

    fn count(&mut self, version: u32) -> Result<u64, String> {
        if version == 1 { Ok(u32::from_le_bytes(self.bytes()?).into()) } else { Ok(u64::from_le_bytes(self.bytes()?)) }
    }

    fn string(&mut self, version: u32) -> Result<String, String> {
        let length = self.count(version)?;
        if length > MAX_STRING {
            return Err(format!("it holds a text of {length} bytes where at most {MAX_STRING} are read"));
        }
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(length).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if read as u64 != length {
            return Err("it ends in the middle of its metadata".to_owned());
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn list<T>(
        &mut self,
        wanted: u32,
        version: u32,
        mut item: impl FnMut(&mut Self) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let kind = u32::from_le_bytes(self.bytes()?);
        let length = self.count(version)?;
        if kind != wanted {
            return Err("its vocabulary is of a form that is not known here".to_owned());
        }
        if length > MAX_ITEMS {
            return Err(format!("its vocabulary has {length} entries"));
        }
        // Not reserved at once: a length can be said without the items being there.
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), String> {
        let skipped = std::io::copy(&mut self.reader.by_ref().take(bytes), &mut std::io::sink());
        match skipped {
            Ok(count) if count == bytes => Ok(()),
            _ => Err("it ends in the middle of its metadata".to_owned()),
        }
    }

    fn skip_value(&mut self, kind: u32, version: u32, depth: usize) -> Result<(), String> {
        match kind {
            0 | 1 | 7 => self.skip(1),
            2 | 3 => self.skip(2),
            4..=6 => self.skip(4),
            10..=12 => self.skip(8),
            STRING => {
                let length = self.count(version)?;
                self.skip(length)
            }
            ARRAY if depth < 4 => {
                let kind = u32::from_le_bytes(self.bytes()?);
                let length = self.count(version)?;
                // Items without a size of their own would make this loop run for nothing.
                for _ in 0..length {
                    self.skip_value(kind, version, depth + 1)?;
                }
                Ok(())
            }
            other => Err(format!("it holds a value of the unknown type {other}")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]
    use super::*;

    fn string(text: &str) -> Vec<u8> {
        let mut out = (text.len() as u64).to_le_bytes().to_vec();
        out.extend(text.as_bytes());
        out
    }

    fn entry(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
        [string(key), kind.to_le_bytes().to_vec(), value.to_vec()].concat()
    }

    fn file(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend(0u64.to_le_bytes());
        out.extend((entries.len() as u64).to_le_bytes());
        out.extend(entries.concat());
        out
    }

    fn sample() -> Vec<u8> {
        let tokens =
            [STRING.to_le_bytes().to_vec(), 2u64.to_le_bytes().to_vec(), string("<s>"), string("</s>")].concat();
        let numbers = [4u32.to_le_bytes().to_vec(), 2u64.to_le_bytes().to_vec(), vec![0; 8]].concat();
        file(&[
            entry("general.name", STRING, &string("x")),
            entry("some.list", ARRAY, &numbers),
            entry("tokenizer.ggml.tokens", ARRAY, &tokens),
            entry("tokenizer.ggml.eos_token_id", 4, &1u32.to_le_bytes()),
            entry("tokenizer.chat_template", STRING, &string("{{ messages }}")),
            entry("tokenizer.chat_template.tool_use", STRING, &string("{{ tools }}")),
        ])
    }

    #[test]
    fn templates_and_special_tokens_are_read() {
        let chat = read_from(sample().as_slice()).unwrap();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(chat.templates, [pair("default", "{{ messages }}"), pair("tool_use", "{{ tools }}")]);
        assert_eq!(chat.special_tokens, [pair("eos_token", "</s>")]);
    }

    #[test]
    fn a_file_that_ends_early_anywhere_is_refused_and_never_crashes() {
        let whole = sample();
        for end in 0..whole.len() {
            assert!(read_from(&whole[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn lengths_that_no_file_has_are_refused() {
        let mut hostile = b"GGUF".to_vec();
        hostile.extend(3u32.to_le_bytes());
        hostile.extend(0u64.to_le_bytes());
        hostile.extend(u64::MAX.to_le_bytes());
        hostile.extend(u64::MAX.to_le_bytes());
        assert!(read_from(hostile.as_slice()).is_err());
    }
}
