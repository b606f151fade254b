//! An adapter added to its base model for good: a folder that transformers and vLLM load.

use std::fs;
use std::path::Path;

use candle_core::{DType, Tensor};
use serde_json::json;
use tw_jobs::{sync_folder, write_whole};
use tw_model::Architecture;
use tw_model::checkpoint::Checkpoint;
use tw_model::kernel::linear;

use crate::adapter::{Adapter, Module};
use crate::error::{Error, Result};
use crate::peft::write_tensors;

/// A shard holds at most so many bytes.
const SHARD_BYTES: usize = 2_000_000_000;

/// Writes the merged model's folder: weights in shards, in 16 bits (`bf16`) or 32, and every other file of the base model
/// that is not weights. The addition is done in 32 bits.
///
/// # Errors
/// When the base cannot be read or the folder cannot be written.
pub fn merge(base: &Path, adapter: &Adapter, folder: &Path, bf16: bool) -> Result<()> {
    merge_telling(base, adapter, folder, bf16, &|_, _| {})
}

/// As [`merge`]; `tell` hears how many tensors are done, of how many.
///
/// # Errors
/// As [`merge`].
pub fn merge_telling(
    base: &Path,
    adapter: &Adapter,
    folder: &Path,
    bf16: bool,
    tell: &dyn Fn(usize, usize),
) -> Result<()> {
    let architecture = Architecture::read(base)?;
    let checkpoint = Checkpoint::open(base)?;
    fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let dtype = if bf16 { DType::BF16 } else { DType::F32 };
    let names: Vec<&str> =
        checkpoint.names().filter(|name| !(architecture.tied && *name == "lm_head.weight")).collect();
    let (mut shards, mut shard, mut size) = (Vec::new(), Vec::new(), 0);
    let total = names.len();
    for (done, name) in names.into_iter().enumerate() {
        tell(done, total);
        let tensor = merged(&checkpoint, adapter, name)?.to_dtype(dtype)?;
        let bytes = tensor.elem_count() * dtype.size_in_bytes();
        if size + bytes > SHARD_BYTES && !shard.is_empty() {
            shards.push(write_shard(folder, shards.len(), std::mem::take(&mut shard))?);
            size = 0;
        }
        size += bytes;
        shard.push((name.to_owned(), tensor));
    }
    shards.push(write_shard(folder, shards.len(), shard)?);
    finish(folder, &shards)?;
    copy_others(base, folder, if bf16 { "bfloat16" } else { "float32" })?;
    Ok(sync_folder(folder)?)
}

fn merged(checkpoint: &Checkpoint, adapter: &Adapter, name: &str) -> Result<Tensor> {
    let tensor = checkpoint.tensor(name)?.to_dtype(DType::F32)?;
    let slot = adapter.slots.iter().find(|slot| {
        let path: &str = Module::path(slot.module);
        name.strip_prefix("model.layers.")
            .and_then(|rest| rest.strip_suffix(".weight"))
            .is_some_and(|rest| rest == format!("{}.{path}", slot.layer))
    });
    if let Some(slot) = slot {
        let (a, b) = adapter.matrices(&adapter.values, slot)?;
        linear::add_product(&tensor, adapter.scale(), &b, &a)?;
    }
    Ok(tensor)
}

/// A shard's name while their number is not known, and the names of its tensors.
type Shard = (String, Vec<String>, usize);

fn write_shard(folder: &Path, number: usize, tensors: Vec<(String, Tensor)>) -> Result<Shard> {
    let file = format!("model-{:05}.safetensors", number + 1);
    write_tensors(&folder.join(&file), &tensors)?;
    let size = tensors.iter().map(|(_, tensor)| tensor.elem_count() * tensor.dtype().size_in_bytes()).sum();
    Ok((file, tensors.into_iter().map(|(name, _)| name).collect(), size))
}

/// Gives the shards their final names, and writes their index where there are several.
fn finish(folder: &Path, shards: &[Shard]) -> Result<()> {
    let rename = |from: &str, to: &str| fs::rename(folder.join(from), folder.join(to)).map_err(Error::file(folder));
    if let [(file, _, _)] = shards {
        return rename(file, "model.safetensors");
    }
    let mut places = serde_json::Map::new();
    for (number, (file, names, _)) in shards.iter().enumerate() {
        let last = format!("model-{:05}-of-{:05}.safetensors", number + 1, shards.len());
        rename(file, &last)?;
        places.extend(names.iter().map(|name| (name.clone(), json!(last))));
    }
    let total: usize = shards.iter().map(|(_, _, size)| size).sum();
    let index = json!({"metadata": {"total_size": total}, "weight_map": places});
    Ok(write_whole(&folder.join("model.safetensors.index.json"), index.to_string().as_bytes())?)
}

/// Copies tokenizer, template and the like, and the config with the number format of the new weights.
fn copy_others(base: &Path, folder: &Path, dtype: &str) -> Result<()> {
    for entry in fs::read_dir(base).map_err(Error::file(base))? {
        let path = entry.map_err(Error::file(base))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let ending = name.rsplit('.').next().unwrap_or_default();
        let text = ["json", "jinja", "txt", "model"].contains(&ending) && !name.ends_with("index.json");
        if name == "config.json" {
            let text = fs::read(&path).map_err(Error::file(&path))?;
            let mut config: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&text)
                .map_err(|source| tw_model::Error::Config { path: path.clone(), source })?;
            config.remove("torch_dtype");
            config.insert("dtype".to_owned(), json!(dtype));
            let text = serde_json::to_vec_pretty(&config).map_err(|error| Error::Spec(error.to_string()))?;
            write_whole(&folder.join(name), &text)?;
        } else if text && path.is_file() && !name.starts_with("adapter_") {
            fs::copy(&path, folder.join(name)).map_err(Error::file(&path))?;
        }
    }
    Ok(())
}
