//! About how long training takes and how much memory, with what is assumed said aloud.

use tw_artifact::{DatasetPreview, TrainingEstimate};

/// How large a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelSize {
    /// Numbers in it.
    pub parameters: u64,
    /// Its layers.
    pub layers: u64,
    /// Numbers of a token's state.
    pub hidden: u64,
    /// Entries of its vocabulary.
    pub vocabulary: u64,
}

impl Default for ModelSize {
    /// Qwen3-0.6B, the smallest model that the workshop trains.
    fn default() -> Self {
        Self { parameters: 596_000_000, layers: 28, hidden: 1_024, vocabulary: 151_936 }
    }
}

struct Device {
    name: &'static str,
    /// Floating-point operations that training really does in a second.
    speed: u64,
    bytes_per_number: u64,
    words: &'static str,
}

const DEVICES: [Device; 2] = [
    Device {
        name: "One data-centre GPU",
        speed: 200_000_000_000_000,
        bytes_per_number: 2,
        words: "200 TFLOP/s are reached (an H100 or H200 in bf16)",
    },
    Device {
        name: "CPU",
        speed: 200_000_000_000,
        bytes_per_number: 4,
        words: "200 GFLOP/s are reached (eight cores with AVX2, in f32)",
    },
];

/// Positions whose logits are held at a time.
const LOGIT_CHUNK: u64 = 1_024;
/// States that a layer keeps of a token for the way back, in units of the hidden size.
const KEPT_STATES: u64 = 16;

/// What training on these rows would take: a forward pass costs two operations a parameter and token, the way back to
/// the adapter's numbers two more where the base model stays as it is.
#[must_use]
pub fn estimates(figures: &DatasetPreview, size: Option<ModelSize>) -> Vec<TrainingEstimate> {
    let known = size.is_some();
    let size = size.unwrap_or_default();
    let (tokens, nodes) = (figures.trie.tokens, figures.trie.nodes);
    if tokens == 0 {
        return Vec::new();
    }
    DEVICES
        .iter()
        .map(|device| {
            let secs = |tokens: u64| tokens.saturating_mul(size.parameters).saturating_mul(4) / device.speed + 1;
            let states = u64::from(figures.longest) * size.hidden * (size.layers * 2 + KEPT_STATES);
            let logits = LOGIT_CHUNK * size.vocabulary * 2;
            let numbers = size.parameters + states + logits;
            let billions = size.parameters / 10_000_000;
            let model = format!("{}.{:02} billion parameters", billions / 100, billions % 100);
            TrainingEstimate {
                device: device.name.to_owned(),
                secs_by_rows: secs(tokens),
                secs_by_trie: secs(nodes),
                memory_mib: numbers.saturating_mul(device.bytes_per_number) >> 20,
                assumptions: vec![
                    if known { format!("the chosen model, {model}") } else { format!("a model of {model}") },
                    "a LoRA adapter, one pass over the rows, one row at a time".to_owned(),
                    device.words.to_owned(),
                    "each layer's input is kept, the rest computed again".to_owned(),
                ],
            }
        })
        .collect()
}
