use candle_core::{DType, Device, Tensor};
use tw_model::Weights;
use tw_model::decoder::Keep;
use tw_train::adapted::Dropout;
use tw_train::engine::{Pass, gradients};
use tw_train::pack::pack;
use tw_train::{Adapter, Pack, Sequence};

use crate::tiny::{CONFIG, adapter, bits, forking_rows, model};

fn spec() -> tw_jobs::LoraSpec {
    tw_jobs::LoraSpec { rank: 3, ..tw_jobs::LoraSpec::default() }
}

fn summed(weights: &Weights, adapter: &Adapter, packs: &[Pack], pass: &Pass<'_>) -> (f64, Tensor) {
    let sum = Tensor::zeros(adapter.values.elem_count(), DType::F32, &Device::Cpu).unwrap();
    let loss = packs.iter().map(|pack| gradients(weights, adapter, pack, pass, &sum).unwrap()).sum();
    (loss, sum)
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_vec1::<f32>().unwrap().into_iter().map(f64::from).collect()
}

/// How far two gradients are apart, relative to their length.
fn apart(a: &Tensor, b: &Tensor) -> f64 {
    let (a, b) = (numbers(a), numbers(b));
    let length = a.iter().map(|a| a * a).sum::<f64>().sqrt();
    a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt() / length
}

#[test]
fn a_trie_gives_the_gradients_of_its_rows_one_by_one() {
    let folder = model(CONFIG);
    let weights = Weights::read(folder.path()).unwrap();
    let adapter = adapter(&weights, &spec());
    let pass = Pass { keep: &[], scale: 0.01, dropout: None, noise: None };
    for seed in 0..6 {
        let rows: Vec<Sequence> = forking_rows(seed, 6 + seed as usize, 40, 61);
        let one_by_one: Vec<Pack> =
            rows.iter().map(|row| Pack::new([row])).filter(|pack| !pack.asked.is_empty()).collect();
        let (rows_loss, by_rows) = summed(&weights, &adapter, &one_by_one, &pass);
        for budget in [10_000, 70] {
            let packs = pack(&rows, budget).unwrap();
            let (loss, by_trie) = summed(&weights, &adapter, &packs, &pass);
            let apart = apart(&by_rows, &by_trie);
            println!("seed {seed}, {} packs: {apart:.1e}", packs.len());
            assert!((loss - rows_loss).abs() < 1e-5 * rows_loss, "seed {seed}: losses {loss} and {rows_loss}");
            assert!(apart < 1e-5, "seed {seed}: gradients {apart:.2e} apart");
        }
    }
}

#[test]
fn what_is_computed_twice_changes_no_bit_also_with_dropout() {
    let folder = model(CONFIG);
    let weights = Weights::read(folder.path()).unwrap();
    let adapter = adapter(&weights, &spec());
    let packs = pack(&forking_rows(3, 8, 40, 61), 10_000).unwrap();
    for dropout in [None, Some(Dropout { share: 0.2, seed: 5 })] {
        let found = [[Keep::All, Keep::All], [Keep::WithoutMlp, Keep::Input], [Keep::Input, Keep::Input]].map(|keep| {
            bits(&summed(&weights, &adapter, &packs, &Pass { keep: &keep, scale: 1.0, dropout, noise: None }).1)
        });
        assert!(found[0] == found[1] && found[1] == found[2]);
    }
}

#[test]
fn with_dropout_the_gradient_is_the_slope_of_the_loss_with_the_same_inputs_dropped() {
    let folder = model(CONFIG);
    let weights = Weights::read(folder.path()).unwrap();
    let adapter = adapter(&weights, &spec());
    let packs = pack(&forking_rows(4, 5, 30, 61), 10_000).unwrap();
    let pass = |seed| Pass { keep: &[], scale: 1.0, dropout: Some(Dropout { share: 0.3, seed }), noise: None };
    let (loss, slope) = summed(&weights, &adapter, &packs, &pass(9));
    let (other, _) = summed(&weights, &adapter, &packs, &pass(10));
    assert!((loss - other).abs() > 1e-4, "another seed drops others");
    let direction = tw_model::synthetic::numbers("direction", adapter.values.elem_count(), 1.0, 0.0);
    let direction = Tensor::from_vec(direction, adapter.values.dims(), &Device::Cpu).unwrap();
    let step = 1e-3;
    let at = |sign: f64| {
        let mut moved = adapter.clone();
        moved.values = (&adapter.values + (&direction * (sign * step)).unwrap()).unwrap();
        summed(&weights, &moved, &packs, &pass(9)).0
    };
    let measured = (at(1.0) - at(-1.0)) / (2.0 * step);
    let said: f64 = numbers(&slope).iter().zip(numbers(&direction)).map(|(a, b)| a * b).sum();
    assert!((measured - said).abs() < 5e-3 * said.abs().max(1.0), "{measured} by differences, {said} said");
}
