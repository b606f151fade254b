//! Tiny models with numbers from a formula, and what they answer.

use candle_core::DType;
use tempfile::TempDir;
use tw_infer::{Adapter, Branch, Ended, Engine, Event, Generation, Model, Module, Options, Reason, Request, TokenInfo};
use tw_model::{Architecture, synthetic};

pub(crate) const QWEN3: &str = r#"{"model_type":"qwen3","vocab_size":199,"hidden_size":64,"intermediate_size":96,
    "num_hidden_layers":3,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":32,"rms_norm_eps":1e-6,
    "tie_word_embeddings":true,"max_position_embeddings":512,"rope_theta":1000000.0}"#;
pub(crate) const QWEN2: &str = r#"{"model_type":"qwen2","vocab_size":199,"hidden_size":60,"intermediate_size":90,
    "num_hidden_layers":2,"num_attention_heads":6,"num_key_value_heads":3,"rms_norm_eps":1e-6,
    "tie_word_embeddings":false,"max_position_embeddings":512,"rope_theta":10000.0}"#;
pub(crate) const LLAMA: &str = r#"{"model_type":"llama","vocab_size":199,"hidden_size":48,"intermediate_size":80,
    "num_hidden_layers":2,"num_attention_heads":3,"num_key_value_heads":1,"rms_norm_eps":1e-5,
    "tie_word_embeddings":true,"max_position_embeddings":512,"rope_theta":100000.0}"#;

pub(crate) fn folder(config: &str, dtype: DType) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    synthetic::write_folder(folder.path(), config, 1, dtype).unwrap();
    folder
}

pub(crate) fn small() -> Options {
    Options { threads: 2, cache_bytes: 8 << 20, prompt_piece: 64, ..Options::default() }
}

pub(crate) fn engine(config: &str, options: &Options) -> Engine {
    let folder = folder(config, DType::BF16);
    Engine::start(Model::read(folder.path()).unwrap(), options).unwrap()
}

/// Tokens that look like chance.
pub(crate) fn tokens(name: &str, count: usize) -> Vec<u32> {
    synthetic::numbers(name, count, 99.0, 99.5).iter().map(|number| *number as u32).collect()
}

pub(crate) fn greedy(prompt: &[u32], max_tokens: usize) -> Request {
    Request { prompt: prompt.to_vec(), max_tokens, logprobs: Some(1), ..Request::default() }
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Whole {
    pub(crate) tokens: Vec<TokenInfo>,
    pub(crate) ended: Ended,
}

impl Whole {
    pub(crate) fn ids(&self) -> Vec<u32> {
        self.tokens.iter().map(|token| token.id).collect()
    }
}

pub(crate) fn whole(mut generation: Generation) -> Whole {
    let mut tokens = Vec::new();
    loop {
        match generation.wait().expect("an answer ends") {
            Event::Token(token) => tokens.push(token),
            Event::Ended(ended) => return Whole { tokens, ended },
            Event::Failed(why) => panic!("{why}"),
        }
    }
}

pub(crate) fn ask(engine: &Engine, request: Request) -> Whole {
    let length = request.max_tokens;
    let answer = whole(engine.submit(request).unwrap());
    assert!(answer.ended.reason != Reason::Length || answer.tokens.len() == length);
    answer
}

/// An adapter with a branch at every module, its numbers from the formula of the goldens.
pub(crate) fn adapter(a: &Architecture, rank: usize, scale: f32, name: &str) -> Adapter {
    let branches = (0..a.layers).flat_map(|layer| Module::ALL.map(|module| (layer, module)));
    let branches = branches.map(|(layer, module)| {
        let (outputs, inputs) = module.shape(a);
        let path = format!("{name}layers.{layer}.{}", module.path());
        let numbers = synthetic::numbers;
        Branch {
            layer,
            module,
            rank,
            a: numbers(&format!("{path}.lora_A"), rank * inputs, 1.0 / (inputs as f64).sqrt(), 0.0),
            b: numbers(&format!("{path}.lora_B"), outputs * rank, 0.1, 0.0),
            scale,
        }
    });
    Adapter::new(a, branches).unwrap()
}
