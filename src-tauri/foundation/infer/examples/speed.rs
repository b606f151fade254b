//! How fast a model reads and writes: `cargo run -p tw-infer --example speed [MODEL] [THREADS]`.
//!
//! Without a model: the shape of SmolLM2-135M with numbers from a formula, in 16 bits.

#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "token ids are small")]

use std::path::PathBuf;
use std::time::Instant;

use candle_core::DType;
use tw_infer::{Engine, Event, Model, Options, Request};
use tw_model::synthetic;

const SMOLLM2: &str = r#"{"model_type":"llama","vocab_size":49152,"hidden_size":576,"intermediate_size":1536,
    "num_hidden_layers":30,"num_attention_heads":9,"num_key_value_heads":3,"rms_norm_eps":1e-5,
    "tie_word_embeddings":true,"max_position_embeddings":8192,"rope_theta":100000,"hidden_act":"silu"}"#;

/// Seconds until the first token of each, and until the last of all.
fn run(engine: &Engine, prompts: &[Vec<u32>], max_tokens: usize) -> (f64, f64) {
    let start = Instant::now();
    let running: Vec<_> = prompts
        .iter()
        .map(|prompt| engine.submit(Request { prompt: prompt.clone(), max_tokens, ..Request::default() }).unwrap())
        .collect();
    let (mut first, mut last) = (0.0_f64, 0.0_f64);
    for mut one in running {
        let mut begun = false;
        while let Some(event) = one.wait() {
            if !begun {
                first = first.max(start.elapsed().as_secs_f64());
                begun = true;
            }
            assert!(!matches!(event, Event::Failed(_)), "{event:?}");
        }
        last = last.max(start.elapsed().as_secs_f64());
    }
    (first, last)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let given = arguments.next().filter(|path| path != "-").map(PathBuf::from);
    let threads = arguments.next().map_or(0, |threads| threads.parse().unwrap());
    let path = given.unwrap_or_else(|| {
        let path = std::env::temp_dir().join("speed-smollm2-135m");
        if !path.join("model.safetensors").is_file() {
            synthetic::write_folder(&path, SMOLLM2, 1, DType::BF16).unwrap();
        }
        path
    });
    let start = Instant::now();
    let model = Model::read(&path).unwrap();
    let bytes = model.bytes() as f64;
    println!("read in {:.2} s, weights {:.0} MB", start.elapsed().as_secs_f64(), bytes / 1e6);
    let engine = Engine::start(model, &Options { threads, cache_bytes: 2 << 30, ..Options::default() }).unwrap();
    let vocab = engine.architecture().vocab as f64;
    let prompt = |name: &str, count| {
        synthetic::numbers(name, count, vocab / 2.0 - 1.0, vocab / 2.0).iter().map(|id| *id as u32).collect::<Vec<_>>()
    };
    run(&engine, &[prompt("warm", 64)], 8);
    for tokens in [512, 2_048] {
        let (first, _) = run(&engine, &[prompt("read", tokens)], 1);
        println!("prefill of {tokens}: {:.0} tokens/s", tokens as f64 / first);
    }
    for (count, before) in [(1, 32), (8, 32), (1, 2_016)] {
        let prompts: Vec<_> = (0..count).map(|place| prompt(&format!("write {place}"), before)).collect();
        // Once, so that the second time all prompts are in the cache but for their last block.
        run(&engine, &prompts, 1);
        let (_, last) = run(&engine, &prompts, 96);
        println!("decode of {count} after {before}: {:.1} tokens/s", 96.0 * count as f64 / last);
    }
    let (one, _) = run(&engine, &[prompt("single", 32)], 1);
    let (_, all) = run(&engine, &[prompt("single", 32)], 128);
    let seconds = (all - one) / 127.0;
    println!("one token: {:.2} ms, {:.1} GB/s of weights", seconds * 1e3, bytes / seconds / 1e9);
}
