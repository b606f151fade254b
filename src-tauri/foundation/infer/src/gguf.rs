//! Models from GGUF files: quantised weights stay so, candle's kernels multiply them.
//!
//! Names of metadata and tensors are those of llama.cpp's `gguf-py/gguf/constants.py`. Llama's queries and keys stand in
//! another order in these files than in safetensors: the numbers of a rotary pair side by side.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use tw_model::Architecture;

use crate::adapter::Module;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::model::{Layer, Model};
use crate::projection::Projection;

struct Reader<'a> {
    path: &'a Path,
    content: Content,
    file: BufReader<File>,
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Model> {
    let wrong = |reason: String| Error::Gguf { path: path.to_owned(), reason };
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let length = file.metadata().map_err(|error| wrong(error.to_string()))?.len();
    let mut file = BufReader::new(file);
    let content = Content::read(&mut file).map_err(|error| wrong(first_line(&error)))?;
    // A download that broke off is said before anything is read.
    for (name, info) in &content.tensor_infos {
        let blocks = info.shape.elem_count() / info.ggml_dtype.block_size();
        let end = content.tensor_data_offset + info.offset + (blocks * info.ggml_dtype.type_size()) as u64;
        if end > length {
            return Err(wrong(format!("it is cut short: {name} should reach to byte {end}, the file has {length}")));
        }
    }
    Reader { path, content, file }.model()
}

fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

impl Reader<'_> {
    fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Gguf { path: self.path.to_owned(), reason: reason.into() }
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.content.metadata.get(key)
    }

    fn whole(&self, key: &str) -> Option<u64> {
        let value = self.value(key)?;
        value.to_u64().ok().or_else(|| value.to_u32().ok().map(u64::from))
    }

    fn need(&self, key: &str) -> Result<u64> {
        self.whole(key).ok_or_else(|| self.wrong(format!("its metadata lacks {key}")))
    }

    fn float(&self, key: &str) -> Option<f64> {
        self.value(key).and_then(|value| value.to_f32().ok()).map(f64::from)
    }

    fn architecture(&self) -> Result<Architecture> {
        let family = self
            .value("general.architecture")
            .and_then(|value| value.to_string().ok())
            .ok_or_else(|| self.wrong("its metadata does not say what kind of model it is"))?
            .clone();
        if !matches!(family.as_str(), "llama" | "qwen2" | "qwen3") {
            return Err(self.wrong(format!("it is a model of the kind {family}; known are llama, qwen2 and qwen3")));
        }
        let key = |name: &str| format!("{family}.{name}");
        let embedding = self
            .content
            .tensor_infos
            .get("token_embd.weight")
            .ok_or_else(|| self.wrong("it lacks the tensor token_embd.weight"))?;
        let vocab = embedding.shape.dims().first().copied().unwrap_or_default();
        let heads = self.need(&key("attention.head_count"))?;
        let hidden = self.need(&key("embedding_length"))?;
        let mut rope = format!(r#""rope_theta":{}"#, self.float(&key("rope.freq_base")).unwrap_or(10_000.0));
        let kind = self.value(&key("rope.scaling.type")).and_then(|value| value.to_string().ok());
        if let (Some(kind), Some(factor)) = (kind, self.float(&key("rope.scaling.factor")))
            && kind != "none"
        {
            let trained = self.whole(&key("rope.scaling.original_context_length"));
            let trained =
                trained.map_or(String::new(), |tokens| format!(r#","original_max_position_embeddings":{tokens}"#));
            rope.push_str(&format!(r#","rope_scaling":{{"rope_type":"{kind}","factor":{factor}{trained}}}"#));
        }
        let config = format!(
            r#"{{"model_type":"{family}","vocab_size":{vocab},"hidden_size":{hidden},"intermediate_size":{},
                "num_hidden_layers":{},"num_attention_heads":{heads},"num_key_value_heads":{},"head_dim":{},
                "rms_norm_eps":{},"tie_word_embeddings":{},"max_position_embeddings":{},{rope}}}"#,
            self.need(&key("feed_forward_length"))?,
            self.need(&key("block_count"))?,
            self.whole(&key("attention.head_count_kv")).unwrap_or(heads),
            self.whole(&key("attention.key_length")).unwrap_or(hidden / heads.max(1)),
            self.float(&key("attention.layer_norm_rms_epsilon")).unwrap_or(1e-6),
            !self.content.tensor_infos.contains_key("output.weight"),
            self.need(&key("context_length"))?,
        );
        let mut architecture = Architecture::parse(&config)?;
        if self.content.tensor_infos.contains_key("rope_freqs.weight") {
            // Llama 3's scaling, as numbers.
            let factors = self.reopened()?.numbers("rope_freqs.weight", architecture.head_dim / 2)?;
            architecture.rope = architecture.rope.divided(&factors);
        }
        Ok(architecture)
    }

    /// A second reader, for what is needed while the first is borrowed.
    fn reopened(&self) -> Result<Reader<'_>> {
        let open = || {
            let mut file = BufReader::new(File::open(self.path)?);
            Content::read(&mut file).map(|content| (content, file))
        };
        let (content, file) = open().map_err(|error| self.wrong(first_line(&error)))?;
        Ok(Reader { path: self.path, content, file })
    }

    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<QTensor> {
        let wrong = |reason: String| Error::Gguf { path: self.path.to_owned(), reason };
        let info = self.content.tensor_infos.get(name).ok_or_else(|| wrong(format!("it lacks the tensor {name}")))?;
        if info.shape.dims() != shape {
            let found = info.shape.dims();
            return Err(wrong(format!("its tensor {name} has the shape {found:?}, its metadata asks for {shape:?}")));
        }
        self.content.tensor(&mut self.file, name, &Device::Cpu).map_err(|error| wrong(first_line(&error)))
    }

    fn numbers(&mut self, name: &str, count: usize) -> Result<Vec<f32>> {
        Ok(self.tensor(name, &[count])?.dequantize(&Device::Cpu)?.to_vec1()?)
    }

    fn matrix(&mut self, name: &str, rows: usize, cols: usize) -> Result<Matrix> {
        let tensor = self.tensor(name, &[rows, cols])?;
        if matches!(tensor.dtype(), GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16) {
            let numbers = tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
            return Ok(Matrix::new(rows, cols, &numbers));
        }
        Matrix::quantised(tensor)
    }

    fn projection(&mut self, a: &Architecture, layer: usize, modules: &[(Module, &str)]) -> Result<Projection> {
        let (mut parts, mut bias, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
        for (module, name) in modules {
            let (rows, cols) = module.shape(a);
            parts.push(self.matrix(&format!("blk.{layer}.{name}.weight"), rows, cols)?);
            let name = format!("blk.{layer}.{name}.bias");
            if self.content.tensor_infos.contains_key(&name) {
                bias.extend(self.numbers(&name, rows)?);
            }
            outputs.push((*module, rows));
        }
        let width: usize = outputs.iter().map(|(_, rows)| rows).sum();
        if !bias.is_empty() && bias.len() != width {
            return Err(self.wrong(format!("some projections of layer {layer} have a bias and others have none")));
        }
        Ok(Projection::new(parts, (!bias.is_empty()).then_some(bias), &outputs))
    }

    fn model(mut self) -> Result<Model> {
        let architecture = self.architecture()?;
        let a = &architecture;
        let embedding = self.matrix("token_embd.weight", a.vocab, a.hidden)?;
        let head = if a.tied { None } else { Some(self.matrix("output.weight", a.vocab, a.hidden)?) };
        let norm = self.numbers("output_norm.weight", a.hidden)?;
        let mut layers = Vec::with_capacity(a.layers);
        for layer in 0..a.layers {
            let name = |name: &str| format!("blk.{layer}.{name}.weight");
            let head_norms = if a.qk_norm {
                let queries = self.numbers(&name("attn_q_norm"), a.head_dim)?;
                Some((queries, self.numbers(&name("attn_k_norm"), a.head_dim)?))
            } else {
                None
            };
            let qkv = [(Module::Q, "attn_q"), (Module::K, "attn_k"), (Module::V, "attn_v")];
            layers.push(Layer {
                attention_norm: self.numbers(&name("attn_norm"), a.hidden)?,
                qkv: self.projection(a, layer, &qkv)?,
                head_norms,
                output: self.projection(a, layer, &[(Module::O, "attn_output")])?,
                mlp_norm: self.numbers(&name("ffn_norm"), a.hidden)?,
                gate_up: self.projection(a, layer, &[(Module::Gate, "ffn_gate"), (Module::Up, "ffn_up")])?,
                down: self.projection(a, layer, &[(Module::Down, "ffn_down")])?,
            });
        }
        let side_by_side = a.family == tw_model::architecture::Family::Llama;
        Ok(Model { embedding, head, norm, layers, side_by_side, architecture })
    }
}
