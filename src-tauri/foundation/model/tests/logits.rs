use std::fs;
use std::path::Path;

use candle_core::DType;
use serde_json::Value;
use tw_model::decoder::logits;
use tw_model::{Layout, Segment, Weights, synthetic};

fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/parity/goldens/train").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn tokens_of(row: &Value) -> Vec<u32> {
    row["tokens"].as_array().unwrap().iter().map(|token| token.as_u64().unwrap() as u32).collect()
}

/// The largest difference between our logits and the golden's.
fn worst_difference(name: &str, shards: usize) -> f64 {
    let golden = golden(&format!("{name}.json"));
    let folder = tempfile::tempdir().unwrap();
    synthetic::write_folder(folder.path(), &golden["config"].to_string(), shards, DType::F32).unwrap();
    let weights = Weights::read(folder.path()).unwrap();
    let mut worst = 0.0_f64;
    for sample in golden["logits"].as_array().unwrap() {
        let tokens = tokens_of(&golden["rows"][sample["row"].as_u64().unwrap() as usize]);
        let asked = [sample["position"].as_u64().unwrap() as u32];
        let found = logits(&weights, &weights, &tokens, &Layout::row(tokens.len()), &asked).unwrap();
        let found = found.to_vec2::<f32>().unwrap().remove(0);
        for (index, expected) in sample["values"].as_array().unwrap().iter().enumerate() {
            worst = worst.max((f64::from(found[index * 13]) - expected.as_f64().unwrap()).abs());
        }
    }
    worst
}

#[test]
fn logits_are_those_of_transformers_for_every_family_and_rope_scaling() {
    for (name, shards) in [("qwen3", 3), ("qwen2", 1), ("llama", 2), ("qwen3-yarn", 1), ("llama-linear", 1)] {
        let worst = worst_difference(name, shards);
        println!("{name}: {worst:.2e}");
        assert!(worst < 1e-4, "{name}: {worst:.2e}");
    }
}

#[test]
fn rows_that_share_a_prefix_give_the_same_logits_in_one_pack() {
    let golden = golden("qwen3.json");
    let folder = tempfile::tempdir().unwrap();
    synthetic::write_folder(folder.path(), &golden["config"].to_string(), 1, DType::F32).unwrap();
    let weights = Weights::read(folder.path()).unwrap();
    let rows: Vec<Vec<u32>> = golden["rows"].as_array().unwrap().iter().map(tokens_of).collect();
    // 17 tokens are shared by all; 23 more by the first two; then 21 of the second; 29 of the third beside them.
    let pack: Vec<u32> = [&rows[1][..], &rows[2][17..]].concat();
    let segment = |tokens, parent| Segment { tokens, parent };
    let layout = Layout {
        positions: (0..61).chain(17..46).collect(),
        segments: vec![segment(0..17, None), segment(17..61, Some(0)), segment(61..90, Some(0))],
    };
    assert_eq!(layout.pairs(), 61 * 62 / 2 + 29 * 17 + 29 * 30 / 2);
    let both = logits(&weights, &weights, &pack, &layout, &[16, 60, 89]).unwrap().to_vec2::<f32>().unwrap();
    for (place, row, position) in [(0, 0, 16), (1, 1, 60), (2, 2, 45)] {
        let alone = logits(&weights, &weights, &rows[row], &Layout::row(rows[row].len()), &[position]).unwrap();
        let alone = alone.to_vec2::<f32>().unwrap().remove(0);
        for (a, b) in both[place].iter().zip(&alone) {
            assert!((a - b).abs() < 1e-5, "{a} and {b}");
        }
    }
}

#[test]
fn a_token_beyond_the_vocabulary_is_refused_as_another_models_tokenizer() {
    let golden = golden("llama.json");
    let folder = tempfile::tempdir().unwrap();
    synthetic::write_folder(folder.path(), &golden["config"].to_string(), 1, DType::BF16).unwrap();
    let weights = Weights::read(folder.path()).unwrap();
    let said = logits(&weights, &weights, &[5, 199], &Layout::row(2), &[1]).unwrap_err().to_string();
    assert!(said.contains("199") && said.contains("tokenizer"), "{said}");
}
