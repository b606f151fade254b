//! What is refused, and with which words.

use candle_core::DType;
use tw_infer::{Adapter, Branch, Engine, Error, Model, Module, Options};

use crate::support::{LLAMA, QWEN3, engine, folder, greedy, small};

#[test]
fn requests_that_can_never_be_answered_are_refused() {
    let engine = engine(LLAMA, &small());
    for (prompt, max_tokens, reason) in [
        (vec![], 5, "empty"),
        (vec![1, 199], 5, "vocabulary of 199"),
        (vec![1; 500], 13, "a context of 512"),
        (vec![1], 0, "a context"),
    ] {
        let said = engine.submit(greedy(&prompt, max_tokens)).unwrap_err().to_string();
        assert!(said.contains(reason), "{said}");
    }
    assert!(engine.submit(greedy(&[1; 500], 12)).is_ok());
}

#[test]
fn too_little_memory_is_said_with_what_is_needed() {
    let folder = folder(QWEN3, DType::F32);
    let model = Model::read(folder.path()).unwrap();
    let error = Engine::start(model, &Options { cache_bytes: 300_000, ..small() }).unwrap_err();
    assert!(matches!(error, Error::Memory { needed_mb: 1, .. }), "{error}");
}

#[test]
fn a_folder_without_a_model_is_refused_by_name() {
    let empty = tempfile::tempdir().unwrap();
    let said = Model::read(empty.path()).unwrap_err().to_string();
    assert!(said.contains("config.json"), "{said}");
    let file = empty.path().join("some.gguf");
    std::fs::write(&file, b"GGUF\x03\0\0\0").unwrap();
    let said = Model::read(&file).unwrap_err().to_string();
    assert!(said.contains("some.gguf cannot be used"), "{said}");
}

#[test]
fn an_adapter_for_another_model_is_refused() {
    let engine = engine(LLAMA, &small());
    let branch = |layer, inputs: usize| Branch {
        layer,
        module: Module::Q,
        rank: 2,
        a: vec![0.0; 2 * inputs],
        b: vec![0.0; 2 * 48],
        scale: 1.0,
    };
    let a = engine.architecture();
    assert!(Adapter::new(a, [branch(1, 48)]).is_ok());
    for (branches, reason) in [
        (vec![branch(2, 48)], "layer 2, the model has 2"),
        (vec![branch(0, 64)], "asks for 2 x 48"),
        (vec![branch(0, 48), branch(0, 48)], "two branches"),
    ] {
        let said = Adapter::new(a, branches).unwrap_err().to_string();
        assert!(said.contains(reason), "{said}");
    }
}
