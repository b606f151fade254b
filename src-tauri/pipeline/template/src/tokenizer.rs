//! The model's own tokenizer, from its tokenizer.json.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tw_artifact::hex;

use crate::error::Error;
use crate::segments::Segments;
use crate::{gguf, gguf_tokenizer};

/// A tokenizer, with the tokens that mark rather than say something.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Texts of the special tokens.
    special: Vec<String>,
    /// Of the file, in hex.
    sha256: String,
    segments: Option<Segments>,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("special", &self.special).finish_non_exhaustive()
    }
}

/// The tokens of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Ids.
    pub ids: Vec<u32>,
    /// First byte and byte after the last, by token. Tokens that share a character, as byte-level ones do, share its
    /// bytes.
    pub offsets: Vec<(usize, usize)>,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`, the one in a folder, or the vocabulary of a GGUF file.
    ///
    /// # Errors
    /// No such file, or not a tokenizer.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let path = Self::file(path);
        if path.extension().is_some_and(|it| it == "gguf") {
            let wrong = |message| Error::Content { path: path.display().to_string(), message };
            let bytes = gguf_tokenizer::tokenizer_json(&gguf::read(&path)?.vocabulary).map_err(wrong)?;
            return Self::from_bytes(&bytes);
        }
        let shown = path.display().to_string();
        let bytes = std::fs::read(&path).map_err(|source| Error::Read { path: shown.clone(), source })?;
        Self::from_bytes(&bytes).map_err(|error| match error {
            Error::Tokenizer(message) => Error::Content { path: shown, message },
            other => other,
        })
    }

    /// Reads the text of a `tokenizer.json`.
    ///
    /// # Errors
    /// Not a tokenizer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut inner =
            tokenizers::Tokenizer::from_bytes(bytes).map_err(|error| Error::Tokenizer(error.to_string()))?;
        // A file may bring these along; a training row is never cut or filled up without a word.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| Error::Tokenizer(error.to_string()))?;
        let mut special: Vec<String> = inner
            .get_added_tokens_decoder()
            .into_values()
            .filter(|token| token.special && !token.content.is_empty())
            .map(|token| token.content)
            .collect();
        special.sort();
        let segments = Segments::of(&inner, bytes);
        Ok(Self { inner, special, sha256: sha256_hex(bytes), segments })
    }

    /// The file that [`Self::load`] reads.
    #[must_use]
    pub fn file(path: &Path) -> PathBuf {
        if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() }
    }

    /// SHA-256 of the file, in hex.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Entries of the vocabulary, added tokens included.
    #[must_use]
    pub fn vocabulary(&self) -> u32 {
        u32::try_from(self.inner.get_vocab_size(true)).unwrap_or(u32::MAX)
    }

    /// The tokens of a rendered conversation. No special token is added: the template wrote them all, as in
    /// `apply_chat_template(tokenize=True)`.
    ///
    /// # Errors
    /// What the tokenizer's library refuses.
    pub fn encode(&self, text: &str) -> Result<Encoded, Error> {
        match &self.segments {
            Some(segments) => segments.encode(&self.inner, text),
            None => self.encode_whole(text),
        }
    }

    /// The same by the tokenizer's library alone, nothing kept.
    pub(crate) fn encode_whole(&self, text: &str) -> Result<Encoded, Error> {
        let encoding = self.inner.encode(text, false).map_err(|error| Error::Tokenizer(error.to_string()))?;
        Ok(Encoded { ids: encoding.get_ids().to_vec(), offsets: encoding.get_offsets().to_vec() })
    }

    /// Forgets the tokens of stretches that it keeps, at most 64 MB of text.
    pub fn forget(&self) {
        if let Some(segments) = &self.segments {
            segments.forget();
        }
    }

    /// The text of tokens, special ones included.
    ///
    /// # Errors
    /// What the tokenizer's library refuses.
    pub fn decode(&self, ids: &[u32]) -> Result<String, Error> {
        self.inner.decode(ids, false).map_err(|error| Error::Tokenizer(error.to_string()))
    }

    /// Ids of the special tokens.
    #[must_use]
    pub fn special_ids(&self) -> Vec<u32> {
        self.special.iter().filter_map(|text| self.inner.token_to_id(text)).collect()
    }

    /// The special tokens' texts.
    #[must_use]
    pub fn special_tokens(&self) -> &[String] {
        &self.special
    }
}

/// SHA-256 in hex: what a dataset remembers of a template or a tokenizer.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes))
}
