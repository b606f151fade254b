//! Each backward against differences of its own forward.

use candle_core::{Device, Tensor};
use tw_model::decoder::{Decoder, Keep, Prepared};
use tw_model::{Layout, Segment, Weights, synthetic};

const CONFIG: &str = r#"{"model_type":"qwen3","vocab_size":31,"hidden_size":24,"intermediate_size":40,
    "num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":8,"rms_norm_eps":1e-6,
    "tie_word_embeddings":true,"max_position_embeddings":512,"rope_theta":10000.0}"#;

fn forked() -> Layout {
    let segment = |tokens, parent| Segment { tokens, parent };
    Layout {
        positions: (0..150).chain(150..300).chain(150..170).chain(0..5).collect(),
        segments: vec![
            segment(0..150, None),
            segment(150..300, Some(0)),
            segment(300..320, Some(0)),
            segment(320..325, None),
        ],
    }
}

fn sum_of_products(a: &Tensor, b: &Tensor) -> f64 {
    let (a, b) =
        (a.flatten_all().unwrap().to_vec1::<f32>().unwrap(), b.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// Along a random direction, the change of a layer's output must be what its gradient says, whatever was kept.
#[test]
fn a_layers_gradient_is_the_slope_of_its_output_also_where_branches_meet_and_few_tokens_ask() {
    let folder = tempfile::tempdir().unwrap();
    synthetic::write_folder(folder.path(), CONFIG, 1, candle_core::DType::F32).unwrap();
    let weights = Weights::read(folder.path()).unwrap();
    let layout = forked();
    let asked: Vec<u32> = (0..325).filter(|token| token % 7 == 3).collect();
    let pack = Prepared::new(&weights.architecture, &layout, &asked);
    let decoder = Decoder { weights: &weights, linears: &weights, pack: &pack };
    let random = |name: &str, rows: usize, scale: f64| {
        Tensor::from_vec(synthetic::numbers(name, rows * 24, scale, 0.0), (rows, 24), &Device::Cpu).unwrap()
    };
    for (layer, rows_out) in [(0, 325), (1, asked.len())] {
        let (x, direction, dy) = (random("x", 325, 1.0), random("direction", 325, 1.0), random("dy", rows_out, 1.0));
        let mut gradients = Vec::new();
        for keep in [Keep::All, Keep::WithoutMlp, Keep::Input] {
            let (y, saved) = decoder.layer(layer, x.clone()).unwrap();
            assert_eq!(y.dims(), [rows_out, 24]);
            gradients.push(decoder.layer_backward(layer, saved.keeping(keep), &dy, true).unwrap().unwrap());
        }
        for other in &gradients[1..] {
            assert_eq!(
                gradients[0].to_vec2::<f32>().unwrap(),
                other.to_vec2::<f32>().unwrap(),
                "what is kept changes nothing"
            );
        }
        let step = 2e-3;
        let at = |sign: f64| {
            let moved = (&x + (&direction * (sign * step)).unwrap()).unwrap();
            sum_of_products(&decoder.layer(layer, moved).unwrap().0, &dy)
        };
        let slope = (at(1.0) - at(-1.0)) / (2.0 * step);
        let said = sum_of_products(&gradients[0], &direction);
        assert!(
            (slope - said).abs() < 2e-3 * said.abs().max(10.0),
            "layer {layer}: {slope} by differences, {said} said"
        );
    }
}
