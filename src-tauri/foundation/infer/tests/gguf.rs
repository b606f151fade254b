//! Models from GGUF files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use tempfile::TempDir;
use tw_infer::{Engine, Model, Request};
use tw_model::checkpoint::Checkpoint;
use tw_model::{Architecture, synthetic};

use crate::support::{ask, greedy, small, tokens};

/// Widths are whole blocks of Q4_K.
fn config(family: &str) -> String {
    format!(
        r#"{{"model_type":"{family}","vocab_size":199,"hidden_size":256,"intermediate_size":512,
        "num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":64,"rms_norm_eps":1e-6,
        "tie_word_embeddings":true,"max_position_embeddings":512,"rope_theta":10000.0}}"#
    )
}

/// Llama's queries and keys, with the numbers of a rotary pair side by side.
fn side_by_side(tensor: &Tensor, heads: usize) -> Tensor {
    let (rows, cols) = tensor.dims2().unwrap();
    let halves = tensor.reshape((heads, 2, rows / heads / 2, cols)).unwrap();
    halves.transpose(1, 2).unwrap().contiguous().unwrap().reshape((rows, cols)).unwrap()
}

/// A tensor's name in these files.
fn in_gguf(name: &str) -> String {
    name.replace("model.embed_tokens", "token_embd")
        .replace("model.norm", "output_norm")
        .replace("model.layers.", "blk.")
        .replace("input_layernorm", "attn_norm")
        .replace("post_attention_layernorm", "ffn_norm")
        .replace("self_attn.o_proj", "attn_output")
        .replace("self_attn.", "attn_")
        .replace("mlp.", "ffn_")
        .replace("_proj", "")
}

/// Writes a GGUF file of a model's folder as llama.cpp's converter names things.
fn write(folder: &Path, family: &str, dtype: GgmlDType) -> PathBuf {
    let checkpoint = Checkpoint::open(folder).unwrap();
    let a = Architecture::read(folder).unwrap();
    let mut tensors: Vec<(String, QTensor)> = Vec::new();
    for name in checkpoint.names() {
        let mut tensor = checkpoint.tensor(name).unwrap().to_dtype(DType::F32).unwrap();
        let renamed = in_gguf(name);
        if family == "llama" && name.ends_with("q_proj.weight") {
            tensor = side_by_side(&tensor, a.heads);
        } else if family == "llama" && name.ends_with("k_proj.weight") {
            tensor = side_by_side(&tensor, a.kv_heads);
        }
        let dtype = if tensor.rank() == 1 { GgmlDType::F32 } else { dtype };
        tensors.push((renamed, QTensor::quantize(&tensor, dtype).unwrap()));
    }
    let whole = |value: usize| Value::U32(u32::try_from(value).unwrap());
    let metadata = [
        ("general.architecture".to_owned(), Value::String(family.to_owned())),
        (format!("{family}.embedding_length"), whole(a.hidden)),
        (format!("{family}.feed_forward_length"), whole(a.intermediate)),
        (format!("{family}.block_count"), whole(a.layers)),
        (format!("{family}.attention.head_count"), whole(a.heads)),
        (format!("{family}.attention.head_count_kv"), whole(a.kv_heads)),
        (format!("{family}.attention.key_length"), whole(a.head_dim)),
        (format!("{family}.attention.layer_norm_rms_epsilon"), Value::F32(1e-6)),
        (format!("{family}.rope.freq_base"), Value::F32(10_000.0)),
        (format!("{family}.context_length"), whole(a.max_positions)),
    ];
    let path = folder.join(format!("{dtype:?}.gguf"));
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut file = BufWriter::new(File::create(&path).unwrap());
    gguf_file::write(&mut file, &metadata, &tensors).unwrap();
    file.flush().unwrap();
    path
}

fn folder(family: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    synthetic::write_folder(folder.path(), &config(family), 1, DType::BF16).unwrap();
    folder
}

/// A folder's model whose weights are the file's, widened: what quantising itself costs is in both.
fn widened(folder: &Path, path: &Path, family: &str) -> TempDir {
    let mut file = File::open(path).unwrap();
    let content = gguf_file::Content::read(&mut file).unwrap();
    let a = Architecture::read(folder).unwrap();
    let out = tempfile::tempdir().unwrap();
    std::fs::copy(folder.join("config.json"), out.path().join("config.json")).unwrap();
    let mut tensors = std::collections::HashMap::new();
    for name in Checkpoint::open(folder).unwrap().names() {
        let short = in_gguf(name);
        let found = content.tensor(&mut file, &short, &Device::Cpu).unwrap().dequantize(&Device::Cpu).unwrap();
        let back = |heads: usize| {
            let (rows, cols) = found.dims2().unwrap();
            let pairs = found.reshape((heads, rows / heads / 2, 2, cols)).unwrap();
            pairs.transpose(1, 2).unwrap().contiguous().unwrap().reshape((rows, cols)).unwrap()
        };
        let tensor = match (family, name) {
            ("llama", name) if name.ends_with("q_proj.weight") => back(a.heads),
            ("llama", name) if name.ends_with("k_proj.weight") => back(a.kv_heads),
            _ => found,
        };
        tensors.insert(name.to_owned(), tensor);
    }
    candle_core::safetensors::save(&tensors, out.path().join("model.safetensors")).unwrap();
    out
}

#[test]
fn a_file_answers_as_the_model_that_its_numbers_make() {
    for family in ["qwen3", "llama"] {
        let folder = folder(family);
        for dtype in [GgmlDType::F16, GgmlDType::Q8_0, GgmlDType::Q4K] {
            let path = write(folder.path(), family, dtype);
            let widened = widened(folder.path(), &path, family);
            let ours = Engine::start(Model::read(&path).unwrap(), &small()).unwrap();
            let theirs = Engine::start(Model::read(widened.path()).unwrap(), &small()).unwrap();
            for length in [5, 80] {
                let prompt = tokens(family, length);
                let request = || Request { logprobs: Some(5), ..greedy(&prompt, 1) };
                let (one, two) = (ask(&ours, request()), ask(&theirs, request()));
                let (one, two) = (&one.tokens[0], &two.tokens[0]);
                // candle rounds activations to 8 bits for its products: what leads by little may change its place.
                let allowed = if dtype == GgmlDType::F16 { 1e-3 } else { 0.2 };
                let same = two.top.iter().find(|(id, _)| *id == one.id);
                let (_, logprob) = same.unwrap_or_else(|| panic!("{family} {dtype:?} {length}: {one:?} and {two:?}"));
                let apart = (one.logprob.unwrap() - logprob).abs();
                assert!(apart < allowed, "{family} {dtype:?} {length}: {one:?} and {two:?}");
            }
            let answer = ask(&ours, greedy(&tokens(family, 80), 20));
            assert_eq!(answer.ids(), ask(&ours, greedy(&tokens(family, 80), 20)).ids(), "again, from the cache");
        }
    }
}

#[test]
fn a_file_that_is_cut_short_or_of_another_kind_is_refused() {
    let folder = folder("qwen3");
    let path = write(folder.path(), "qwen3", GgmlDType::Q8_0);
    let whole = std::fs::read(&path).unwrap();
    let cut = folder.path().join("cut.gguf");
    for part in [4, 200, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&cut, &whole[..part]).unwrap();
        let said = Model::read(&cut).unwrap_err().to_string();
        assert!(said.contains("cut.gguf cannot be used"), "{part}: {said}");
    }
    let mut other = whole;
    let at = other.windows(5).position(|bytes| bytes == b"qwen3").unwrap();
    other[at..at + 5].copy_from_slice(b"mamba");
    std::fs::write(&cut, &other).unwrap();
    let said = Model::read(&cut).unwrap_err().to_string();
    assert!(said.contains("a model of the kind mamba"), "{said}");
}
