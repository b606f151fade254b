//! A model's weights, as they are kept for generating.

use std::path::Path;

use candle_core::DType;
use rayon::prelude::*;
use tw_model::Architecture;
use tw_model::checkpoint::Checkpoint;

use crate::adapter::Module;
use crate::error::Result;
use crate::gguf;
use crate::matrix::Matrix;
use crate::projection::Projection;

/// One layer.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) attention_norm: Vec<f32>,
    pub(crate) qkv: Projection,
    pub(crate) head_norms: Option<(Vec<f32>, Vec<f32>)>,
    pub(crate) output: Projection,
    pub(crate) mlp_norm: Vec<f32>,
    pub(crate) gate_up: Projection,
    pub(crate) down: Projection,
}

/// A model that is ready to generate.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) architecture: Architecture,
    pub(crate) embedding: Matrix,
    pub(crate) norm: Vec<f32>,
    /// To logits; the embedding where the model ties them.
    pub(crate) head: Option<Matrix>,
    pub(crate) layers: Vec<Layer>,
    /// Whether rotary pairs stand side by side.
    pub(crate) side_by_side: bool,
}

impl Model {
    /// Reads a model's folder (`config.json` and safetensors) or a GGUF file.
    ///
    /// # Errors
    /// When it is missing, damaged, or asks for what is not computed.
    pub fn read(path: &Path) -> Result<Self> {
        if path.extension().is_some_and(|extension| extension == "gguf") { gguf::read(path) } else { folder(path) }
    }

    /// The model's shape.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Bytes of memory that its weights take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let layers = self.layers.iter().flat_map(|layer| [&layer.qkv, &layer.output, &layer.gate_up, &layer.down]);
        layers.map(Projection::bytes).sum::<usize>()
            + self.embedding.bytes()
            + self.head.as_ref().map_or(0, Matrix::bytes)
    }

    pub(crate) fn to_logits(&self) -> &Matrix {
        self.head.as_ref().unwrap_or(&self.embedding)
    }
}

fn folder(path: &Path) -> Result<Model> {
    let architecture = Architecture::read(path)?;
    let checkpoint = Checkpoint::open(path)?;
    let a = &architecture;
    let embedding = matrix(&checkpoint, "model.embed_tokens.weight", a.vocab, a.hidden)?;
    let head = if a.tied { None } else { Some(matrix(&checkpoint, "lm_head.weight", a.vocab, a.hidden)?) };
    let norm = numbers(&checkpoint, "model.norm.weight", &[a.hidden])?;
    let layers = (0..a.layers).into_par_iter().map(|layer| read_layer(&checkpoint, a, layer)).collect::<Result<_>>()?;
    Ok(Model { embedding, head, norm, layers, side_by_side: false, architecture })
}

fn numbers(checkpoint: &Checkpoint, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
    Ok(checkpoint.floats(name, shape)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

fn matrix(checkpoint: &Checkpoint, name: &str, rows: usize, cols: usize) -> Result<Matrix> {
    Ok(Matrix::new(rows, cols, &numbers(checkpoint, name, &[rows, cols])?))
}

fn read_layer(checkpoint: &Checkpoint, a: &Architecture, layer: usize) -> Result<Layer> {
    let get = |name: &str, shape: &[usize]| numbers(checkpoint, &format!("model.layers.{layer}.{name}"), shape);
    let projection = |modules: &[Module], biased: bool| {
        let (mut weights, mut bias, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
        let mut inputs = 0;
        for module in modules {
            let (rows, cols) = module.shape(a);
            weights.extend(get(&format!("{}.weight", module.path()), &[rows, cols])?);
            if biased {
                bias.extend(get(&format!("{}.bias", module.path()), &[rows])?);
            }
            outputs.push((*module, rows));
            inputs = cols;
        }
        let rows = outputs.iter().map(|(_, rows)| rows).sum();
        let part = Matrix::new(rows, inputs, &weights);
        Ok::<_, crate::Error>(Projection::new(vec![part], biased.then_some(bias), &outputs))
    };
    let head_norms = if a.qk_norm {
        Some((get("self_attn.q_norm.weight", &[a.head_dim])?, get("self_attn.k_norm.weight", &[a.head_dim])?))
    } else {
        None
    };
    Ok(Layer {
        attention_norm: get("input_layernorm.weight", &[a.hidden])?,
        qkv: projection(&[Module::Q, Module::K, Module::V], a.qkv_bias)?,
        head_norms,
        output: projection(&[Module::O], false)?,
        mlp_norm: get("post_attention_layernorm.weight", &[a.hidden])?,
        gate_up: projection(&[Module::Gate, Module::Up], false)?,
        down: projection(&[Module::Down], false)?,
    })
}
