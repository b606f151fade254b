//! Greedy answers against transformers' own (`tests/parity/serve.py`).

use std::path::Path;

use candle_core::DType;
use serde_json::Value;
use tw_infer::{Adapter, Branch, Engine, Model, Module, Request};
use tw_model::synthetic::numbers;

use crate::support::{folder, greedy, small, whole};

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| u32::try_from(id.as_u64().unwrap()).unwrap()).collect()
}

fn adapter(engine: &Engine, lora: &Value) -> Adapter {
    let a = engine.architecture();
    let (rank, alpha) = (lora["r"].as_u64().unwrap(), lora["alpha"].as_f64().unwrap());
    let scale = alpha / if lora["rslora"] == true { (rank as f64).sqrt() } else { rank as f64 };
    let rank = usize::try_from(rank).unwrap();
    let targets: Vec<&str> = lora["targets"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let modules = Module::ALL.into_iter().filter(|module| targets.iter().any(|name| module.path().ends_with(name)));
    let places = modules.flat_map(|module| (0..a.layers).map(move |layer| (layer, module)));
    let branches = places.map(|(layer, module)| {
        let (outputs, inputs) = module.shape(a);
        let path = format!("layers.{layer}.{}", module.path());
        Branch {
            layer,
            module,
            rank,
            a: numbers(&format!("{path}.lora_A"), rank * inputs, 1.0 / (inputs as f64).sqrt(), 0.0),
            b: numbers(&format!("{path}.lora_B"), outputs * rank, 0.1, 0.0),
            scale: scale as f32,
        }
    });
    Adapter::new(a, branches).unwrap()
}

#[test]
fn fifty_greedy_answers_are_those_of_transformers_with_and_without_adapters() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/parity/goldens/serve/greedy.json");
    let golden: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut compared = 0;
    for case in &golden {
        let folder = folder(&case["config"].to_string(), DType::F32);
        let engine = Engine::start(Model::read(folder.path()).unwrap(), &small()).unwrap();
        let with = case.get("lora").is_some();
        if with {
            engine.add_adapter("one", adapter(&engine, &case["lora"]));
        }
        // All at once: that changes nothing.
        let answers = case["answers"].as_array().unwrap();
        let running: Vec<_> = answers
            .iter()
            .flat_map(|answer| {
                let prompt = ids(&answer["prompt"]);
                let plain = greedy(&prompt, ids(&answer["tokens"]).len());
                let adapted = with.then(|| Request { adapter: Some("one".to_owned()), ..greedy(&prompt, 40) });
                [Some((plain, ids(&answer["tokens"]))), adapted.map(|request| (request, ids(&answer["adapted"])))]
            })
            .flatten()
            .map(|(request, wanted)| (engine.submit(request).unwrap(), wanted))
            .collect();
        for (place, (one, wanted)) in running.into_iter().enumerate() {
            assert_eq!(whole(one).ids(), wanted, "{} {place}", case["name"]);
            compared += 1;
        }
    }
    assert!(compared >= 50, "{compared}");
}
