//! What a model's `config.json` says about its layers.
//!
//! A new family of models is added here: give it a line in [`Family`], say in [`Architecture::from_json`] what it has
//! that its config does not spell out, and add a golden for it (`tests/parity/train.py`). Only a layer that computes
//! something new needs more: a kernel beside the others.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::rope::{Rope, RopeConfig};

/// A family of models that share their layers' shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Qwen3, dense: a norm over each head of queries and keys.
    Qwen3,
    /// Qwen2 and Qwen2.5: biases on queries, keys and values.
    Qwen2,
    /// Llama 2 and 3, SmolLM2.
    Llama,
}

/// The shape of a decoder: all that its layers need to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// Which family it belongs to.
    pub family: Family,
    /// Tokens in the vocabulary.
    pub vocab: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width between gate/up and down.
    pub intermediate: usize,
    /// Decoder layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; each serves `heads / kv_heads` query heads.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Added to the mean square in every norm.
    pub norm_eps: f32,
    /// Whether queries and keys are normalised per head.
    pub qk_norm: bool,
    /// Whether queries, keys and values have a bias.
    pub qkv_bias: bool,
    /// Whether the output layer is the embedding.
    pub tied: bool,
    /// Rows longer than this were never seen in pre-training.
    pub max_positions: usize,
    /// Rotary positions.
    pub rope: Rope,
}

/// The keys of `config.json` that matter here.
#[derive(Deserialize)]
struct Config {
    model_type: String,
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    rms_norm_eps: f32,
    tie_word_embeddings: Option<bool>,
    max_position_embeddings: usize,
    hidden_act: Option<String>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    use_sliding_window: Option<bool>,
    quantization_config: Option<serde_json::Value>,
    #[serde(flatten)]
    rope: RopeConfig,
}

impl Architecture {
    /// Reads `config.json` in a model's folder.
    ///
    /// # Errors
    /// When the file is missing, is not a config, or asks for what these layers do not compute.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let text = fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        match Self::from_json(&text) {
            Err(Parsed::Json(source)) => Err(Error::Config { path, source }),
            Err(Parsed::Unsupported(reason)) => Err(Error::Unsupported(reason)),
            Ok(architecture) => Ok(architecture),
        }
    }

    /// The shape that a config's text describes.
    ///
    /// # Errors
    /// When it is not a config, or asks for what these layers do not compute.
    pub fn parse(text: &str) -> Result<Self> {
        Self::from_json(text).map_err(|error| match error {
            Parsed::Json(source) => Error::Unsupported(format!("its config cannot be read: {source}")),
            Parsed::Unsupported(reason) => Error::Unsupported(reason),
        })
    }

    fn from_json(text: &str) -> std::result::Result<Self, Parsed> {
        let config: Config = serde_json::from_str(text).map_err(Parsed::Json)?;
        let unsupported = |reason: String| Err(Parsed::Unsupported(reason));
        let family = match config.model_type.as_str() {
            "qwen3" => Family::Qwen3,
            "qwen2" => Family::Qwen2,
            "llama" => Family::Llama,
            other => {
                return unsupported(format!("its type is {other}; known are qwen3 (dense), qwen2 (2.5 too) and llama"));
            }
        };
        if config.hidden_act.as_deref().is_some_and(|name| name != "silu") {
            return unsupported(format!("its activation is {:?}, only silu is known", config.hidden_act));
        }
        if config.attention_bias == Some(true) || config.mlp_bias == Some(true) {
            return unsupported("it has biases in attention or MLP that its family usually has not".to_owned());
        }
        if config.use_sliding_window == Some(true) {
            return unsupported("it attends through a sliding window".to_owned());
        }
        if config.quantization_config.is_some() {
            return unsupported("its weights are quantised; choose the 16-bit version of this model".to_owned());
        }
        let (heads, kv_heads) =
            (config.num_attention_heads, config.num_key_value_heads.unwrap_or(config.num_attention_heads));
        if heads == 0 || kv_heads == 0 || !heads.is_multiple_of(kv_heads) || config.num_hidden_layers == 0 {
            return unsupported(format!("{heads} heads of queries over {kv_heads} of keys do not divide"));
        }
        let head_dim = config.head_dim.unwrap_or(config.hidden_size / heads);
        if head_dim == 0 || !head_dim.is_multiple_of(2) {
            return unsupported(format!("its heads are {head_dim} wide, rotary positions need an even width"));
        }
        let rope = Rope::new(&config.rope, head_dim, config.max_position_embeddings).map_err(Parsed::Unsupported)?;
        Ok(Self {
            family,
            vocab: config.vocab_size,
            hidden: config.hidden_size,
            intermediate: config.intermediate_size,
            layers: config.num_hidden_layers,
            heads,
            kv_heads,
            head_dim,
            norm_eps: config.rms_norm_eps,
            qk_norm: family == Family::Qwen3,
            qkv_bias: family == Family::Qwen2,
            tied: config.tie_word_embeddings.unwrap_or(false),
            max_positions: config.max_position_embeddings,
            rope,
        })
    }

    /// Width of all query heads together.
    #[must_use]
    pub fn q_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all key heads together; values are as wide.
    #[must_use]
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// How many parameters the frozen model has.
    #[must_use]
    pub fn parameters(&self) -> usize {
        let attention = self.hidden * (2 * self.q_width() + 2 * self.kv_width());
        let biases = if self.qkv_bias { self.q_width() + 2 * self.kv_width() } else { 0 };
        let norms = 2 * self.hidden + if self.qk_norm { 2 * self.head_dim } else { 0 };
        let layer = attention + biases + norms + 3 * self.hidden * self.intermediate;
        let heads = if self.tied { 1 } else { 2 };
        self.layers * layer + self.hidden + heads * self.vocab * self.hidden
    }
}

/// Why a config's text gives no architecture.
#[derive(Debug)]
enum Parsed {
    Json(serde_json::Error),
    Unsupported(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    const LLAMA: &str = r#"{"model_type":"llama","vocab_size":49152,"hidden_size":576,"intermediate_size":1536,
        "num_hidden_layers":30,"num_attention_heads":9,"num_key_value_heads":3,"rms_norm_eps":1e-5,
        "tie_word_embeddings":true,"max_position_embeddings":8192,"rope_theta":100000,"hidden_act":"silu"}"#;

    #[test]
    fn the_shape_of_smollm2_has_as_many_parameters_as_its_name_says() {
        let architecture = Architecture::from_json(LLAMA).unwrap();
        assert_eq!(architecture.parameters(), 134_515_008);
        assert_eq!((architecture.head_dim, architecture.q_width(), architecture.kv_width()), (64, 576, 192));
    }

    #[test]
    fn what_is_not_computed_is_refused_with_its_reason() {
        for (from, to, reason) in [
            ("\"llama\"", "\"mamba\"", "its type is mamba"),
            ("\"silu\"", "\"gelu\"", "activation"),
            ("\"rope_theta\":100000", "\"rope_scaling\":{\"rope_type\":\"longrope\"}", "longrope"),
            ("\"hidden_act\"", "\"attention_bias\":true,\"hidden_act\"", "biases"),
            ("\"hidden_act\"", "\"quantization_config\":{},\"hidden_act\"", "quantised"),
            ("\"num_key_value_heads\":3", "\"num_key_value_heads\":2", "do not divide"),
        ] {
            match Architecture::from_json(&LLAMA.replace(from, to)) {
                Err(Parsed::Unsupported(said)) => assert!(said.contains(reason), "{said}"),
                other => panic!("{to}: {other:?}"),
            }
        }
    }
}
