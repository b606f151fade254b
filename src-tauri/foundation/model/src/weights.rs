//! The frozen weights of a decoder, in memory.

use std::path::Path;

use candle_core::Tensor;

use crate::architecture::Architecture;
use crate::checkpoint::Checkpoint;
use crate::decoder::{Linear, Linears};
use crate::error::{Error, Result};
use crate::kernel::linear;

/// One layer's weights. Projections that read the same input are one matrix.
#[derive(Clone, Debug)]
pub struct LayerWeights {
    /// Norm before attention: [hidden].
    pub attention_norm: Tensor,
    /// Queries, then keys, then values: [q width + 2 * kv width, hidden].
    pub qkv: Tensor,
    /// Their biases, where the model has them.
    pub qkv_bias: Option<Tensor>,
    /// Norms over each query and each key head, where the model has them: [`head_dim`] each.
    pub head_norms: Option<(Tensor, Tensor)>,
    /// From the heads back: [hidden, q width].
    pub output: Tensor,
    /// Norm before the MLP: [hidden].
    pub mlp_norm: Tensor,
    /// Gate, then up: [2 * intermediate, hidden].
    pub gate_up: Tensor,
    /// Back from the MLP: [hidden, intermediate].
    pub down: Tensor,
}

/// All weights of a decoder, as 32-bit floats.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Their shape.
    pub architecture: Architecture,
    /// Token embeddings: [vocab, hidden].
    pub embedding: Tensor,
    /// Norm after the last layer: [hidden].
    pub norm: Tensor,
    /// To logits: [vocab, hidden]. The embedding itself where the model ties them.
    pub head: Tensor,
    /// The layers in order.
    pub layers: Vec<LayerWeights>,
}

impl Weights {
    /// Reads a model's folder (`config.json` and safetensors, in one file or many).
    ///
    /// # Errors
    /// When the config asks for what is not computed, or a file is missing or damaged, or a tensor is missing or of
    /// another shape or number format than it should be.
    pub fn read(folder: &Path) -> Result<Self> {
        let architecture = Architecture::read(folder)?;
        let checkpoint = Checkpoint::open(folder)?;
        let a = &architecture;
        let embedding = checkpoint.floats("model.embed_tokens.weight", &[a.vocab, a.hidden])?;
        let head =
            if a.tied { embedding.clone() } else { checkpoint.floats("lm_head.weight", &[a.vocab, a.hidden])? };
        let norm = checkpoint.floats("model.norm.weight", &[a.hidden])?;
        let layers = (0..a.layers).map(|layer| LayerWeights::read(&checkpoint, a, layer)).collect::<Result<_>>()?;
        Ok(Self { embedding, norm, head, layers, architecture })
    }

    /// Checks that every token is one of the vocabulary.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn check_tokens(&self, tokens: &[u32]) -> Result<()> {
        let vocab = self.architecture.vocab;
        match tokens.iter().find(|token| **token as usize >= vocab) {
            Some(token) => Err(Error::Vocabulary { token: *token, vocab }),
            None => Ok(()),
        }
    }
}

impl LayerWeights {
    fn read(checkpoint: &Checkpoint, a: &Architecture, layer: usize) -> Result<Self> {
        let get = |name: &str, shape: &[usize]| checkpoint.floats(&format!("model.layers.{layer}.{name}"), shape);
        let stack = |names: &[(&str, usize)], suffix: &str, width: Option<usize>| {
            let parts = names
                .iter()
                .map(|(name, rows)| {
                    let shape: Vec<usize> = [Some(*rows), width].into_iter().flatten().collect();
                    get(&format!("{name}.{suffix}"), &shape)
                })
                .collect::<Result<Vec<_>>>()?;
            Ok::<_, Error>(Tensor::cat(&parts, 0)?)
        };
        let (q, kv) = (a.q_width(), a.kv_width());
        let qkv = [("self_attn.q_proj", q), ("self_attn.k_proj", kv), ("self_attn.v_proj", kv)];
        Ok(Self {
            attention_norm: get("input_layernorm.weight", &[a.hidden])?,
            qkv: stack(&qkv, "weight", Some(a.hidden))?,
            qkv_bias: if a.qkv_bias { Some(stack(&qkv, "bias", None)?) } else { None },
            head_norms: if a.qk_norm {
                Some((get("self_attn.q_norm.weight", &[a.head_dim])?, get("self_attn.k_norm.weight", &[a.head_dim])?))
            } else {
                None
            },
            output: get("self_attn.o_proj.weight", &[a.hidden, q])?,
            mlp_norm: get("post_attention_layernorm.weight", &[a.hidden])?,
            gate_up: stack(
                &[("mlp.gate_proj", a.intermediate), ("mlp.up_proj", a.intermediate)],
                "weight",
                Some(a.hidden),
            )?,
            down: get("mlp.down_proj.weight", &[a.hidden, a.intermediate])?,
        })
    }

    /// The matrix of a projection, [out, in], sharing its numbers.
    ///
    /// # Errors
    /// Never for weights that were read.
    pub fn weight(&self, a: &Architecture, linear: Linear) -> Result<Tensor> {
        Ok(match linear {
            Linear::Qkv => self.qkv.clone(),
            Linear::Queries => self.qkv.narrow(0, 0, a.q_width())?,
            Linear::KeysValues => self.qkv.narrow(0, a.q_width(), 2 * a.kv_width())?,
            Linear::Output => self.output.clone(),
            Linear::GateUp => self.gate_up.clone(),
            Linear::Down => self.down.clone(),
        })
    }

    /// The bias of a projection, where it has one.
    ///
    /// # Errors
    /// Never for weights that were read.
    pub fn bias(&self, a: &Architecture, linear: Linear) -> Result<Option<Tensor>> {
        let Some(bias) = &self.qkv_bias else { return Ok(None) };
        Ok(match linear {
            Linear::Qkv => Some(bias.clone()),
            Linear::Queries => Some(bias.narrow(0, 0, a.q_width())?),
            Linear::KeysValues => Some(bias.narrow(0, a.q_width(), 2 * a.kv_width())?),
            Linear::Output | Linear::GateUp | Linear::Down => None,
        })
    }
}

/// The frozen projections, without any adapter.
impl Linears for Weights {
    fn forward(&self, layer: usize, linear: Linear, x: &Tensor) -> Result<Tensor> {
        let weights = &self.layers[layer];
        let y = linear::forward(x, &weights.weight(&self.architecture, linear)?)?;
        if let Some(bias) = weights.bias(&self.architecture, linear)? {
            linear::add_bias(&y, &bias)?;
        }
        Ok(y)
    }

    fn backward(
        &self,
        layer: usize,
        linear: Linear,
        _: &Tensor,
        dy: &Tensor,
        wants_dx: bool,
    ) -> Result<Option<Tensor>> {
        let weight = self.layers[layer].weight(&self.architecture, linear)?;
        wants_dx.then(|| linear::backward(dy, &weight)).transpose()
    }
}
