//! Models whose numbers come from a formula: for tests against other programs and for measuring, without any weights
//! on disk.
//!
//! The formula is a hash of a tensor's name and of the place in it. `tests/parity/train.py` computes the same.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use crate::architecture::Architecture;
use crate::error::{Error, Result};

/// `count` numbers, spread evenly over `offset - scale .. offset + scale`: Splitmix64 over the FNV-1a hash of the name
/// plus the place.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "24 bits of a hash are what a 32-bit float holds")]
pub fn numbers(name: &str, count: usize, scale: f64, offset: f64) -> Vec<f32> {
    let mut seed = 0xCBF2_9CE4_8422_2325_u64;
    for byte in name.bytes() {
        seed = (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    }
    (1..=count as u64)
        .map(|place| {
            let mut x = seed.wrapping_add(place.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            x ^= x >> 31;
            let unit = (x >> 40) as f64 / f64::from(1 << 24);
            ((unit * 2.0 - 1.0) * scale + offset) as f32
        })
        .collect()
}

/// The numbers of one of a model's tensors, by its name in the files.
///
/// # Errors
/// Never: the numbers fill the shape.
pub fn weight(name: &str, shape: &[usize]) -> Result<Tensor> {
    let (scale, offset) = match name {
        _ if name.ends_with("norm.weight") => (0.2, 1.0),
        _ if name.ends_with("bias") => (0.3, 0.0),
        "model.embed_tokens.weight" => (0.3, 0.0),
        _ => (1.7 / (shape.last().copied().unwrap_or(1) as f64).sqrt(), 0.0),
    };
    Ok(Tensor::from_vec(numbers(name, shape.iter().product(), scale, offset), shape, &Device::Cpu)?)
}

/// Writes a model's folder for a config: `config.json`, and safetensors in so many files with their index.
///
/// # Errors
/// When the config cannot be used, or the folder cannot be written.
pub fn write_folder(folder: &Path, config: &str, shards: usize, dtype: DType) -> Result<Architecture> {
    let written =
        |result: std::io::Result<()>| result.map_err(|source| Error::Read { path: folder.to_owned(), source });
    written(fs::create_dir_all(folder))?;
    written(fs::write(folder.join("config.json"), config))?;
    let architecture = Architecture::read(folder)?;
    let names = tensors(&architecture);
    let mut index = serde_json::Map::new();
    for (number, part) in names.chunks(names.len().div_ceil(shards)).enumerate() {
        let file = if shards == 1 {
            "model.safetensors".to_owned()
        } else {
            format!("model-{:05}-of-{shards:05}.safetensors", number + 1)
        };
        let mut tensors = HashMap::new();
        for (name, shape) in part {
            tensors.insert(name.clone(), weight(name, shape)?.to_dtype(dtype)?);
            index.insert(name.clone(), file.clone().into());
        }
        candle_core::safetensors::save(&tensors, folder.join(&file))?;
    }
    if shards > 1 {
        let text = serde_json::json!({"metadata": {}, "weight_map": index}).to_string();
        written(fs::write(folder.join("model.safetensors.index.json"), text))?;
    }
    Ok(architecture)
}

/// Every tensor that a model of this shape keeps, with its shape.
fn tensors(a: &Architecture) -> Vec<(String, Vec<usize>)> {
    let mut all = vec![("model.embed_tokens.weight".to_owned(), vec![a.vocab, a.hidden])];
    for layer in 0..a.layers {
        let mut add = |name: &str, shape: &[usize]| all.push((format!("model.layers.{layer}.{name}"), shape.to_vec()));
        add("input_layernorm.weight", &[a.hidden]);
        for (name, rows) in [("q", a.q_width()), ("k", a.kv_width()), ("v", a.kv_width())] {
            add(&format!("self_attn.{name}_proj.weight"), &[rows, a.hidden]);
            if a.qkv_bias {
                add(&format!("self_attn.{name}_proj.bias"), &[rows]);
            }
            if a.qk_norm && name != "v" {
                add(&format!("self_attn.{name}_norm.weight"), &[a.head_dim]);
            }
        }
        add("self_attn.o_proj.weight", &[a.hidden, a.q_width()]);
        add("post_attention_layernorm.weight", &[a.hidden]);
        add("mlp.gate_proj.weight", &[a.intermediate, a.hidden]);
        add("mlp.up_proj.weight", &[a.intermediate, a.hidden]);
        add("mlp.down_proj.weight", &[a.hidden, a.intermediate]);
    }
    all.push(("model.norm.weight".to_owned(), vec![a.hidden]));
    if !a.tied {
        all.push(("lm_head.weight".to_owned(), vec![a.vocab, a.hidden]));
    }
    all
}
