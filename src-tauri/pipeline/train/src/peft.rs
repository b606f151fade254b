//! Adapters as PEFT keeps them: `adapter_config.json` and `adapter_model.safetensors`.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use candle_core::{DType, Tensor};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value, json};
use tw_jobs::{LoraSpec, sync_folder, write_whole};
use tw_model::Architecture;
use tw_model::checkpoint::Checkpoint;

use crate::adapter::{Adapter, Module, Slot};
use crate::error::{Error, Result};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

fn key(slot: &Slot, matrix: &str) -> String {
    format!("base_model.model.model.layers.{}.{}.{matrix}.weight", slot.layer, slot.module.path())
}

/// The layer, the module and the matrix that a tensor's name says.
fn read_key(key: &str) -> Option<(usize, Module, &str)> {
    let rest = key.strip_prefix("base_model.model.model.layers.")?.strip_suffix(".weight")?;
    let (layer, rest) = rest.split_once('.')?;
    let (module, matrix) = rest.rsplit_once('.')?;
    let module = Module::ALL.into_iter().find(|known| known.path() == module)?;
    (matrix == "lora_A" || matrix == "lora_B").then_some((layer.parse().ok()?, module, matrix))
}

/// Writes floats, or bytes, with their names and shapes as a safetensors file: whole, or not at all.
pub(crate) fn write_tensors(path: &Path, tensors: &[(String, Tensor)]) -> Result<()> {
    let mut parts = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let (dtype, bytes) = to_bytes(tensor)?;
        parts.push((name, dtype, tensor.dims().to_vec(), bytes));
    }
    let views = parts
        .iter()
        .map(|(name, dtype, shape, bytes)| Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?)))
        .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>();
    let format = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = views
        .and_then(|views| safetensors::serialize(views, Some(format)))
        .map_err(|error| Error::Spec(format!("{} cannot be written: {error}", path.display())))?;
    Ok(write_whole(path, &bytes)?)
}

fn to_bytes(tensor: &Tensor) -> Result<(Dtype, Vec<u8>)> {
    let flat = tensor.flatten_all()?;
    Ok(if tensor.dtype() == DType::U8 {
        (Dtype::U8, flat.to_vec1::<u8>()?)
    } else if tensor.dtype() == DType::BF16 {
        // A bf16 is the upper half of a 32-bit float.
        let numbers = flat.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        (Dtype::BF16, numbers.iter().flat_map(|number| number.to_le_bytes()[2..].to_vec()).collect())
    } else {
        let numbers = flat.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        (Dtype::F32, numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
    })
}

/// Writes an adapter's folder. `base` is what the config names as the base model.
///
/// # Errors
/// When it cannot be written.
pub fn write(folder: &Path, adapter: &Adapter, base: &str) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let mut tensors = Vec::new();
    for slot in &adapter.slots {
        let (a, b) = adapter.matrices(&adapter.values, slot)?;
        tensors.push((key(slot, "lora_A"), a));
        tensors.push((key(slot, "lora_B"), b));
    }
    write_tensors(&folder.join(WEIGHTS), &tensors)?;
    let spec = &adapter.spec;
    let config = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": spec.rank,
        "lora_alpha": number(spec.alpha),
        "use_rslora": spec.rslora,
        "lora_dropout": spec.dropout,
        "bias": "none",
        "target_modules": spec.targets,
        "fan_in_fan_out": false,
        "inference_mode": true,
    });
    let text = serde_json::to_vec_pretty(&config).map_err(|error| Error::Spec(error.to_string()))?;
    write_whole(&folder.join(CONFIG), &text)?;
    Ok(sync_folder(folder)?)
}

/// A whole number without a decimal point, as other readers expect ranks and alphas.
#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e9 { json!(value as i64) } else { json!(value) }
}

/// Reads an adapter's folder for a model.
///
/// # Errors
/// When it is missing or damaged, was made for another model, or is of a kind that is not computed.
pub fn read(folder: &Path, architecture: &Architecture) -> Result<Adapter> {
    let wrong = |reason: String| Error::Adapter { path: folder.to_owned(), reason };
    let path = folder.join(CONFIG);
    let text = fs::read(&path).map_err(Error::file(&path))?;
    let config: Map<String, Value> =
        serde_json::from_slice(&text).map_err(|error| wrong(format!("{CONFIG}: {error}")))?;
    let spec = read_spec(&config).map_err(&wrong)?;
    let checkpoint = Checkpoint::file(&folder.join(WEIGHTS))?;
    let mut places: BTreeMap<(usize, Module), u8> = BTreeMap::new();
    for name in checkpoint.names() {
        let (layer, module, _) = read_key(name)
            .ok_or_else(|| wrong(format!("it trains {name}, which is not a LoRA branch that is known")))?;
        if layer >= architecture.layers {
            return Err(wrong(format!("it has a branch in layer {layer}, the model has {}", architecture.layers)));
        }
        *places.entry((layer, module)).or_default() += 1;
    }
    if places.values().any(|matrices| *matrices != 2) {
        return Err(wrong("a branch lacks one of its matrices".to_owned()));
    }
    let adapter = Adapter::empty(architecture, &spec, places.into_keys())?;
    adapter.fill(|slot, is_a, _| {
        let (name, shape) = if is_a {
            (key(slot, "lora_A"), [spec.rank, slot.shape.1])
        } else {
            (key(slot, "lora_B"), [slot.shape.0, spec.rank])
        };
        Ok(checkpoint.floats(&name, &shape)?.flatten_all()?.to_vec1()?)
    })
}

fn read_spec(config: &Map<String, Value>) -> std::result::Result<LoraSpec, String> {
    let get = |name: &str| config.get(name).filter(|value| !value.is_null());
    if get("peft_type").and_then(Value::as_str) != Some("LORA") {
        return Err("it is not a LoRA adapter".to_owned());
    }
    for kind in ["use_dora", "fan_in_fan_out", "lora_bias", "use_qalora", "use_bdlora"] {
        if get(kind).and_then(Value::as_bool) == Some(true) {
            return Err(format!("it sets {kind}"));
        }
    }
    for kind in ["modules_to_save", "rank_pattern", "alpha_pattern", "layer_replication", "target_parameters"] {
        let empty = get(kind).is_none_or(|value| {
            value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
        });
        if !empty {
            return Err(format!("it sets {kind}"));
        }
    }
    if get("bias").and_then(Value::as_str).is_some_and(|bias| bias != "none") {
        return Err("it trains biases".to_owned());
    }
    let rank = get("r").and_then(Value::as_u64).and_then(|rank| usize::try_from(rank).ok());
    Ok(LoraSpec {
        rank: rank.filter(|rank| *rank > 0).ok_or("its config has no rank")?,
        alpha: get("lora_alpha").and_then(Value::as_f64).ok_or("its config has no lora_alpha")?,
        rslora: get("use_rslora").and_then(Value::as_bool).unwrap_or(false),
        dropout: get("lora_dropout").and_then(Value::as_f64).unwrap_or(0.0),
        targets: Vec::new(),
    })
}
