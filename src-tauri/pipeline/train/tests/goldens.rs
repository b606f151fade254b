use candle_core::{DType, Device, Tensor};
use tw_model::Weights;
use tw_train::engine::{Pass, gradients, loss};
use tw_train::{Pack, Trainer, peft};

use crate::tiny::{adapter, golden, model, rows_of, spec_of};

const CASES: [&str; 3] = ["qwen3", "qwen2", "llama"];

#[test]
fn loss_and_every_gradient_are_those_of_pytorch() {
    for name in CASES {
        let golden = golden(name);
        let folder = model(&golden["config"].to_string());
        let weights = Weights::read(folder.path()).unwrap();
        let adapter = adapter(&weights, &spec_of(&golden, folder.path()).lora);
        let pack = Pack::new(&rows_of(&golden));
        let found = Tensor::zeros(adapter.values.elem_count(), DType::F32, &Device::Cpu).unwrap();
        let pass = Pass { keep: &[], scale: (1.0 / pack.weight) as f32, dropout: None, noise: None };
        let sum = gradients(&weights, &adapter, &pack, &pass, &found).unwrap();
        let (ours, expected) = (sum / pack.weight, golden["loss"].as_f64().unwrap());
        assert!((ours - expected).abs() < 1e-5, "{name}: loss {ours}, PyTorch {expected}");
        let plain = loss(&weights, Some(&adapter), &pack).unwrap();
        assert!((plain - sum).abs() < 1e-9 * sum, "{name}: the loss alone is the same: {plain}, {sum}");

        let expected = golden["gradients"].as_object().unwrap();
        assert_eq!(expected.len(), adapter.slots.len() * 2);
        let mut worst = 0.0_f64;
        for slot in &adapter.slots {
            let (a, b) = adapter.matrices(&found, slot).unwrap();
            for (matrix, tensor) in [("lora_A", a), ("lora_B", b)] {
                let expected = &expected[&format!("layers.{}.{}.{matrix}", slot.layer, slot.module.path())];
                let numbers = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                let norm = expected["norm"].as_f64().unwrap();
                let ours = numbers.iter().map(|n| f64::from(*n) * f64::from(*n)).sum::<f64>().sqrt();
                worst = worst.max((ours - norm).abs() / norm);
                let apart = (numbers.len() / 5).max(1);
                for (index, sample) in expected["samples"].as_array().unwrap().iter().enumerate() {
                    // Relative to the matrix's typical number: single ones may be as good as 0.
                    let typical = norm / (numbers.len() as f64).sqrt();
                    worst = worst.max((f64::from(numbers[index * apart]) - sample.as_f64().unwrap()).abs() / typical);
                }
            }
        }
        println!("{name}: gradients differ by at most {worst:.1e} of themselves");
        assert!(worst < 1e-4, "{name}: {worst:.2e}");
    }
}

#[test]
fn twenty_steps_with_decay_clipping_and_schedules_follow_pytorchs_losses() {
    for name in CASES {
        let golden = golden(name);
        let folder = model(&golden["config"].to_string());
        let mut spec = spec_of(&golden, folder.path());
        let adapter = adapter(&Weights::read(folder.path()).unwrap(), &spec.lora);
        let start = tempfile::tempdir().unwrap();
        peft::write(start.path(), &adapter, "tiny").unwrap();
        spec.adapter = Some(start.path().to_owned());
        let mut trainer = Trainer::new(spec, &rows_of(&golden), &[]).unwrap();
        assert_eq!((trainer.plan().packs, trainer.plan().pack_tokens, trainer.plan().row_tokens), (1, 90, 147));
        let mut worst = 0.0_f64;
        for expected in golden["losses"].as_array().unwrap() {
            worst = worst.max((trainer.step().unwrap().loss - expected.as_f64().unwrap()).abs());
        }
        println!("{name}: losses differ by at most {worst:.1e}");
        assert!(worst < 1e-4, "{name}: {worst:.2e}");
    }
}
