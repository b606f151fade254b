//! Base models: whether a folder's weights can be trained, seen from its config and its files' headers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tw_contract::{ApiError, BaseModel, ErrorCode, ModelEntry};

use crate::App;
use crate::models::full_path;

/// The families that the worker computes.
const FAMILIES: [&str; 3] = ["qwen3", "qwen2", "llama"];
/// The longest header that is believed.
const HEADER_MAX_BYTES: u64 = 100 << 20;

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// A base, and what only its config tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Base {
    pub(crate) model: BaseModel,
    /// Tokens that it was pre-trained for in a row.
    pub(crate) max_positions: Option<u64>,
}

/// Looks at a model's folder or file.
pub(crate) fn look(entry: &ModelEntry) -> Base {
    let mut base = Base {
        model: BaseModel {
            id: entry.id.clone(),
            name: entry.name.clone(),
            path: entry.path.clone(),
            ..BaseModel::default()
        },
        max_positions: None,
    };
    base.model.problem = entry.problem.clone().or_else(|| read(Path::new(&entry.path), &mut base).err());
    base
}

fn read(path: &Path, base: &mut Base) -> Result<(), String> {
    if !path.is_dir() {
        let is_gguf = path.extension().is_some_and(|ending| ending == "gguf");
        return Err(if is_gguf {
            "This is a GGUF file: its tokenizer can be used, but its weights cannot be trained. Choose the model's folder with safetensors files."
        } else {
            "This is a file: choose the model's folder."
        }
        .to_owned());
    }
    let text = std::fs::read(path.join("config.json"))
        .map_err(|_| "Its folder has no config.json, so nothing is known of its layers.".to_owned())?;
    let config: Value =
        serde_json::from_slice(&text).map_err(|error| format!("Its config.json cannot be read: {error}."))?;
    let number = |name: &str| config.get(name).and_then(Value::as_u64);
    base.model.family = config.get("model_type").and_then(Value::as_str).unwrap_or_default().to_owned();
    base.max_positions = number("max_position_embeddings");
    let counted = parameters(&config);
    let family = &base.model.family;
    if !FAMILIES.contains(&family.as_str()) {
        base.model.parameters = counted_in_headers(path).unwrap_or_default();
        let named = if family.is_empty() { "not named in its config.json".to_owned() } else { format!("\"{family}\"") };
        return Err(format!(
            "Its family is {named}; trained can be Qwen3 (dense), Qwen2 and 2.5, and Llama 2 and 3 (SmolLM2 too)."
        ));
    }
    base.model.parameters = counted.or_else(|| counted_in_headers(path)).unwrap_or_default();
    if config.get("quantization_config").is_some_and(|it| !it.is_null()) {
        return Err("Its weights are quantised: choose the 16-bit version of this model.".to_owned());
    }
    shards(path).map(drop)
}

/// The files of its weights, each of which is there and has a header.
fn shards(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let index = folder.join("model.safetensors.index.json");
    let files: Vec<PathBuf> = if index.is_file() {
        let read = std::fs::read(&index).map_err(|error| error.to_string());
        let read = read.and_then(|text| serde_json::from_slice::<Index>(&text).map_err(|error| error.to_string()));
        let index = read.map_err(|error| format!("Its model.safetensors.index.json cannot be read: {error}."))?;
        let mut names: Vec<String> = index.weight_map.into_values().collect();
        names.sort();
        names.dedup();
        names.iter().map(|name| folder.join(name)).collect()
    } else {
        vec![folder.join("model.safetensors")]
    };
    if files.len() == 1 && !files[0].is_file() {
        return Err(
            "Its folder has no weights in the safetensors format: download them too, or choose another folder."
                .to_owned(),
        );
    }
    match files.iter().find(|file| !file.is_file()) {
        Some(file) => Err(format!("{} is missing: download the model again.", file.display())),
        None => Ok(files),
    }
}

/// As the worker counts them.
fn parameters(config: &Value) -> Option<u64> {
    let number = |name: &str| config.get(name).and_then(Value::as_u64);
    let (hidden, layers, vocabulary) = (number("hidden_size")?, number("num_hidden_layers")?, number("vocab_size")?);
    let (inner, heads) = (number("intermediate_size")?, number("num_attention_heads")?);
    let head = number("head_dim").or_else(|| hidden.checked_div(heads))?;
    let kv_heads = number("num_key_value_heads").unwrap_or(heads);
    let family = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
    let biases = if family == "qwen2" { (heads + 2 * kv_heads) * head } else { 0 };
    let norms = 2 * hidden + if family == "qwen3" { 2 * head } else { 0 };
    let layer = hidden * head * 2 * (heads + kv_heads) + biases + norms + 3 * hidden * inner;
    let tied = config.get("tie_word_embeddings").and_then(Value::as_bool).unwrap_or(false);
    Some(layers * layer + hidden + if tied { 1 } else { 2 } * vocabulary * hidden)
}

/// The numbers of all tensors, by the files' headers.
fn counted_in_headers(folder: &Path) -> Option<u64> {
    let mut sum = 0_u64;
    for file in shards(folder).ok()? {
        let mut file = File::open(file).ok()?;
        let mut size = [0_u8; 8];
        file.read_exact(&mut size).ok()?;
        let size = u64::from_le_bytes(size);
        if size > HEADER_MAX_BYTES {
            return None;
        }
        let mut text = Vec::new();
        file.take(size).read_to_end(&mut text).ok()?;
        let header: BTreeMap<String, Value> = serde_json::from_slice(&text).ok()?;
        let shape = |tensor: &Value| {
            let sizes = tensor.get("shape")?.as_array()?;
            Some(sizes.iter().filter_map(Value::as_u64).product::<u64>())
        };
        sum += header.values().filter_map(shape).sum::<u64>();
    }
    (sum > 0).then_some(sum)
}

impl App {
    /// The models of the list as bases.
    pub(crate) async fn bases(&self) -> Result<Vec<BaseModel>, ApiError> {
        let models = self.list_models().await?;
        crate::blocking(move || models.iter().map(|entry| look(entry).model).collect()).await
    }

    /// A base by its entry in the list, or by its folder, one that need not have a tokenizer.
    pub(crate) async fn base(&self, reference: &str) -> Result<Base, ApiError> {
        let reference = reference.trim();
        if reference.is_empty() {
            return Err(ApiError::invalid("No base model is chosen.").with_hint("Choose one of the list."));
        }
        let kept = self.list_models().await?;
        let entry = match kept.into_iter().find(|model| model.id == reference || model.path == reference) {
            Some(entry) => entry,
            None if Path::new(reference).is_absolute() || reference.starts_with('~') => {
                let path = full_path(reference)?;
                let name = crate::models::own_name(&path);
                ModelEntry { name, path: path.display().to_string(), ..ModelEntry::default() }
            }
            None => {
                let error = ApiError::new(ErrorCode::NotFound, "The base model is not in the list (any more).");
                return Err(error.with_hint("Choose another one, or add its folder again."));
            }
        };
        crate::blocking(move || look(&entry)).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn problem(files: &[(&str, &str)]) -> BaseModel {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let path = folder.path().display().to_string();
        look(&ModelEntry { path, ..ModelEntry::default() }).model
    }

    #[test]
    fn a_folder_says_whether_it_can_be_a_base() {
        let config = r#"{"model_type":"llama","vocab_size":49152,"hidden_size":576,"intermediate_size":1536,
            "num_hidden_layers":30,"num_attention_heads":9,"num_key_value_heads":3,"tie_word_embeddings":true}"#;
        let good = problem(&[("config.json", config), ("model.safetensors", "")]);
        assert_eq!((good.family.as_str(), good.parameters, good.problem), ("llama", 134_515_008, None));
        let said = |files: &[(&str, &str)]| problem(files).problem.unwrap();
        assert!(said(&[]).contains("config.json"));
        assert!(said(&[("config.json", config)]).contains("no weights"));
        assert!(said(&[("config.json", &config.replace("llama", "mamba"))]).contains("mamba"));
        let index = r#"{"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}"#;
        let half = [("config.json", config), ("model.safetensors.index.json", index), ("model-1.safetensors", "")];
        assert!(said(&half).contains("model-2.safetensors"));
        let quantised = config.replace("\"llama\"", "\"llama\",\"quantization_config\":{}");
        assert!(said(&[("config.json", &quantised), ("model.safetensors", "")]).contains("quantised"));
        let file = ModelEntry { path: "/x/model.gguf".to_owned(), ..ModelEntry::default() };
        assert!(look(&file).model.problem.unwrap().contains("GGUF"));
    }
}
