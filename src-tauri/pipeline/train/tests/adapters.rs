use std::fs;
use std::path::Path;

use serde_json::Value;
use tw_model::decoder::{Linears, logits};
use tw_model::{Layout, Weights};
use tw_train::adapted::Adapted;
use tw_train::{Adapter, Error, merge, peft};

use crate::tiny::{adapter, bits, golden, goldens, model, rows_of, spec_of};

/// The largest difference from the golden's logits with the adapter.
fn worst(golden: &Value, weights: &Weights, linears: &dyn Linears) -> f64 {
    let rows = rows_of(golden);
    let mut worst = 0.0_f64;
    for sample in golden["adapted_logits"].as_array().unwrap() {
        let tokens = &rows[sample["row"].as_u64().unwrap() as usize].tokens;
        let asked = [sample["position"].as_u64().unwrap() as u32];
        let found = logits(weights, linears, tokens, &Layout::row(tokens.len()), &asked).unwrap();
        let found = found.to_vec2::<f32>().unwrap().remove(0);
        for (index, expected) in sample["values"].as_array().unwrap().iter().enumerate() {
            worst = worst.max((f64::from(found[index * 13]) - expected.as_f64().unwrap()).abs());
        }
    }
    worst
}

fn with<'a>(weights: &'a Weights, adapter: &'a Adapter) -> Adapted<'a> {
    Adapted { weights, adapter, gradients: None, dropout: None }
}

#[test]
fn an_adapter_that_peft_saved_gives_pefts_logits() {
    let golden = golden("llama");
    let folder = model(&golden["config"].to_string());
    let weights = Weights::read(folder.path()).unwrap();
    let adapter = peft::read(&goldens().join("peft-adapter"), &weights.architecture).unwrap();
    assert_eq!(adapter.spec.targets, ["q_proj", "v_proj", "down_proj"]);
    let worst = worst(&golden, &weights, &with(&weights, &adapter));
    assert!(worst < 1e-4, "{worst:.2e}");
}

#[test]
fn an_adapter_that_is_written_and_read_is_the_same_and_so_is_the_merged_model() {
    for name in ["qwen3", "qwen2"] {
        let golden = golden(name);
        let folder = model(&golden["config"].to_string());
        fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
        let weights = Weights::read(folder.path()).unwrap();
        let adapter = adapter(&weights, &spec_of(&golden, folder.path()).lora);
        assert!(worst(&golden, &weights, &with(&weights, &adapter)) < 1e-4);
        let place = tempfile::tempdir().unwrap();
        peft::write(place.path(), &adapter, "tiny").unwrap();
        let read = peft::read(place.path(), &weights.architecture).unwrap();
        assert_eq!((bits(&read.values), &read.spec), (bits(&adapter.values), &adapter.spec));

        let merged = tempfile::tempdir().unwrap();
        merge(folder.path(), &adapter, merged.path(), false).unwrap();
        assert!(merged.path().join("tokenizer.json").is_file());
        let merged = Weights::read(merged.path()).unwrap();
        let worst = worst(&golden, &merged, &merged);
        assert!(worst < 1e-4, "{name} merged: {worst:.2e}");
    }
}

#[test]
fn adapters_that_cannot_be_used_are_refused_with_their_reason() {
    let golden = golden("llama");
    let folder = model(&golden["config"].to_string());
    let architecture = Weights::read(folder.path()).unwrap().architecture;
    let copy = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(goldens().join("peft-adapter/adapter_config.json")).unwrap();
    let said = |config: &str, weights: &Path| {
        fs::write(copy.path().join("adapter_config.json"), config).unwrap();
        fs::copy(weights, copy.path().join("adapter_model.safetensors")).unwrap();
        peft::read(copy.path(), &architecture).unwrap_err().to_string()
    };
    let weights = goldens().join("peft-adapter/adapter_model.safetensors");
    assert!(said(&text.replace("\"use_dora\": false", "\"use_dora\": true"), &weights).contains("use_dora"));
    assert!(said(&text.replace("LORA", "IA3"), &weights).contains("not a LoRA"));
    assert!(said(&text.replace("\"r\": 3", "\"r\": 4"), &weights).contains("shape"));
    assert!(said("{", &weights).contains("adapter_config.json"));
    assert!(said(&text, &folder.path().join("model.safetensors")).contains("not a LoRA branch"));
    let cut = copy.path().join("cut");
    fs::write(&cut, &fs::read(&weights).unwrap()[..9_000]).unwrap();
    assert!(said(&text, &cut).contains("damaged"));
    assert!(matches!(peft::read(&copy.path().join("nowhere"), &architecture), Err(Error::File { .. })));
}
