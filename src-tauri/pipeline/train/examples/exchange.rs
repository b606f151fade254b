//! Writes a tiny model, an adapter, the merged model and logits into a folder, for `tests/parity/train.py --exchange`.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use tw_jobs::LoraSpec;
use tw_model::decoder::logits;
use tw_model::{Layout, Weights, synthetic};
use tw_train::adapted::Adapted;
use tw_train::{Adapter, merge, peft};

const CONFIG: &str = r#"{"architectures":["Qwen3ForCausalLM"],"model_type":"qwen3","vocab_size":199,"hidden_size":64,
    "intermediate_size":96,"num_hidden_layers":3,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":32,
    "rms_norm_eps":1e-6,"tie_word_embeddings":true,"max_position_embeddings":512,"rope_theta":1000000.0,
    "hidden_act":"silu","torch_dtype":"float32"}"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("give a folder to write to")?;
    let folder = Path::new(&folder);
    let model = folder.join("model");
    synthetic::write_folder(&model, CONFIG, 2, DType::F32)?;
    let weights = Weights::read(&model)?;
    let spec = LoraSpec { rank: 5, alpha: 7.0, rslora: true, ..LoraSpec::default() };
    let mut adapter = Adapter::fresh(&weights.architecture, &spec, 3)?;
    let count = adapter.values.elem_count();
    adapter.values = Tensor::from_vec(synthetic::numbers("exchange", count, 0.1, 0.0), count, &Device::Cpu)?;
    peft::write(&folder.join("adapter"), &adapter, &model.to_string_lossy())?;
    merge(&model, &adapter, &folder.join("merged-f32"), false)?;
    merge(&model, &adapter, &folder.join("merged-bf16"), true)?;
    let tokens: Vec<u32> = (0..50_u32).map(|place| place * 37 % 199).collect();
    let asked: Vec<u32> = (0..50).collect();
    let linears = Adapted { weights: &weights, adapter: &adapter, gradients: None, dropout: None };
    let found = logits(&weights, &linears, &tokens, &Layout::row(50), &asked)?.to_vec2::<f32>()?;
    std::fs::write(folder.join("logits.json"), serde_json::json!({"tokens": tokens, "logits": found}).to_string())?;
    Ok(())
}
