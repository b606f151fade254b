//! A tokenizer of the vocabulary in a GGUF file, as the `tokenizer.json` that it was made from would be.

use serde_json::{Map, Value, json};

use crate::gguf::Vocabulary;

/// How Qwen 2 and later cut a text. Source of this and the next two: the models' own tokenizer.json files.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Llama 3.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// ggml's numbers for kinds of tokens.
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;

/// The text of a `tokenizer.json`.
///
/// # Errors
/// A vocabulary of another kind than byte-level BPE, or one that is cut in a way that is not known here.
pub(crate) fn tokenizer_json(vocabulary: &Vocabulary) -> Result<Vec<u8>, String> {
    let Vocabulary { model, pre, tokens, types, merges } = vocabulary;
    if tokens.is_empty() {
        return Err("it has no vocabulary".to_owned());
    }
    let beside = "put the model's tokenizer.json into a folder with it and add that folder";
    if model != "gpt2" {
        return Err(format!("its vocabulary is of the kind \"{model}\", which is not read from GGUF files; {beside}"));
    }
    let split =
        |regex: &str| json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false});
    let bytes = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": use_regex});
    let (normalizer, cut) = match pre.as_str() {
        "qwen2" | "deepseek-r1-qwen" => (json!({"type": "NFC"}), vec![split(QWEN2), bytes(false)]),
        "llama-bpe" | "llama3" | "llama-v3" | "llama4" => (Value::Null, vec![split(LLAMA3), bytes(false)]),
        "gpt-2" | "default" | "" => (Value::Null, vec![bytes(true)]),
        "smollm" => (Value::Null, vec![json!({"type": "Digits", "individual_digits": true}), bytes(true)]),
        other => return Err(format!("its texts are cut as \"{other}\" does, which is not known here; {beside}")),
    };
    let mut words = Map::new();
    let mut added = Vec::new();
    for (id, token) in tokens.iter().enumerate() {
        let kind = types.get(id).copied().unwrap_or_default();
        if matches!(kind, CONTROL | USER_DEFINED) {
            added.push(json!({
                "id": id, "content": token, "special": kind == CONTROL, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false,
            }));
        }
        words.insert(token.clone(), id.into());
    }
    let model = json!({
        "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
        "ignore_merges": pre.starts_with("llama"), "vocab": words, "merges": merges,
    });
    let whole = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": normalizer,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": cut}, "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": model,
    });
    serde_json::to_vec(&whole).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Tokenizer;

    /// The vocabulary of the small tokenizer as GGUF files have it.
    fn vocabulary() -> Vocabulary {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/parity/goldens/template/tokenizer.json");
        let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let mut tokens: Vec<(u64, String, i32)> = Vec::new();
        for (token, id) in json["model"]["vocab"].as_object().unwrap() {
            tokens.push((id.as_u64().unwrap(), token.clone(), 1));
        }
        for token in json["added_tokens"].as_array().unwrap() {
            let kind = if token["special"] == true { CONTROL } else { USER_DEFINED };
            tokens.push((token["id"].as_u64().unwrap(), token["content"].as_str().unwrap().to_owned(), kind));
        }
        tokens.sort();
        let merges = json["model"]["merges"].as_array().unwrap().iter();
        let merge = |pair: &Value| match pair.as_str() {
            Some(text) => text.to_owned(),
            None => format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()),
        };
        Vocabulary {
            model: "gpt2".to_owned(),
            pre: "gpt-2".to_owned(),
            merges: merges.map(merge).collect(),
            types: tokens.iter().map(|(_, _, kind)| *kind).collect(),
            tokens: tokens.into_iter().map(|(_, token, _)| token).collect(),
        }
    }

    #[test]
    fn a_tokenizer_from_a_gguf_file_gives_the_ids_of_the_one_that_it_came_from() {
        let made = Tokenizer::from_bytes(&tokenizer_json(&vocabulary()).unwrap()).unwrap();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/parity/goldens/template");
        let known = Tokenizer::load(folder.as_ref()).unwrap();
        for text in ["<|im_start|>user\nHello there<|im_end|>", "  é🙂 </think>x", "", "<tool_call>{\"a\": 1.50}"] {
            assert_eq!(made.encode(text).unwrap(), known.encode(text).unwrap(), "{text:?}");
        }
    }

    #[test]
    fn a_vocabulary_that_cannot_be_used_says_what_to_do() {
        for (model, pre) in [("llama", "default"), ("gpt2", "tekken")] {
            let other = Vocabulary { model: model.to_owned(), pre: pre.to_owned(), ..vocabulary() };
            let said = tokenizer_json(&other).unwrap_err();
            assert!(said.contains("tokenizer.json"), "{said}");
        }
    }
}
