//! The weights of a model's folder: one or many safetensors files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, Metadata};
use serde::Deserialize;

use crate::error::{Error, Result};

/// The longest header that is believed: a longer one is a damaged file.
const HEADER_MAX_BYTES: u64 = 100 * 1024 * 1024;

/// The tensors of a folder, found but not yet read.
#[derive(Debug)]
pub struct Checkpoint {
    shards: Vec<Shard>,
    /// Which shard holds a tensor.
    places: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Shard {
    path: PathBuf,
    header: Metadata,
    /// Where the numbers begin.
    start: u64,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

fn read_error(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
    |source| Error::Read { path: path.to_owned(), source }
}

impl Checkpoint {
    /// Finds the tensors of a model's folder, and checks that no file is cut short.
    ///
    /// # Errors
    /// When there are no weights, a file is missing or damaged, or the index names a tensor that its file lacks.
    pub fn open(folder: &Path) -> Result<Self> {
        let index_path = folder.join("model.safetensors.index.json");
        if index_path.is_file() {
            let text = fs::read_to_string(&index_path).map_err(read_error(&index_path))?;
            let index: Index =
                serde_json::from_str(&text).map_err(|source| Error::Config { path: index_path, source })?;
            let files: BTreeSet<&str> = index.weight_map.values().map(String::as_str).collect();
            let checkpoint = Self::of(files.into_iter().map(|name| folder.join(name)).collect())?;
            match index.weight_map.keys().find(|name| !checkpoint.places.contains_key(*name)) {
                Some(missing) => Err(Error::MissingTensor(missing.clone())),
                None => Ok(checkpoint),
            }
        } else if folder.join("model.safetensors").is_file() {
            Self::of(vec![folder.join("model.safetensors")])
        } else {
            Err(Error::NoWeights(folder.to_owned()))
        }
    }

    /// Finds the tensors of one file.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn file(path: &Path) -> Result<Self> {
        Self::of(vec![path.to_owned()])
    }

    fn of(paths: Vec<PathBuf>) -> Result<Self> {
        let shards = paths.into_iter().map(Shard::open).collect::<Result<Vec<_>>>()?;
        let mut places = BTreeMap::new();
        for (place, shard) in shards.iter().enumerate() {
            places.extend(shard.header.offset_keys().into_iter().map(|name| (name, place)));
        }
        Ok(Self { shards, places })
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Whether there is a tensor of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// Reads a tensor as it is stored.
    ///
    /// # Errors
    /// When it is missing, or in another number format than 16 or 32-bit floats.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let place = self.places.get(name).ok_or_else(|| Error::MissingTensor(name.to_owned()))?;
        self.shards[*place].tensor(name, &[Dtype::F32, Dtype::BF16, Dtype::F16])
    }

    /// Reads a tensor of bytes: codes, not numbers.
    ///
    /// # Errors
    /// When it is missing, or holds something else.
    pub fn bytes(&self, name: &str) -> Result<Tensor> {
        let place = self.places.get(name).ok_or_else(|| Error::MissingTensor(name.to_owned()))?;
        self.shards[*place].tensor(name, &[Dtype::U8])
    }

    /// Reads a tensor as 32-bit floats, and checks its shape.
    ///
    /// # Errors
    /// When it is missing, of another shape, or in another number format than 16 or 32-bit floats.
    pub fn floats(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let tensor = self.tensor(name)?;
        if tensor.dims() != shape {
            return Err(Error::Shape {
                name: name.to_owned(),
                found: tensor.dims().to_vec(),
                expected: shape.to_vec(),
            });
        }
        Ok(tensor.to_dtype(DType::F32)?)
    }
}

impl Shard {
    fn open(path: PathBuf) -> Result<Self> {
        let damaged = |reason: String| Error::Damaged { path: path.clone(), reason };
        let mut file = File::open(&path).map_err(read_error(&path))?;
        let length = file.metadata().map_err(read_error(&path))?.len();
        let mut size = [0_u8; 8];
        file.read_exact(&mut size).map_err(|_| damaged(format!("it has only {length} bytes")))?;
        let header_bytes = u64::from_le_bytes(size);
        if header_bytes > HEADER_MAX_BYTES || header_bytes + 8 > length {
            return Err(damaged(format!("its header should be {header_bytes} bytes long, the file is {length}")));
        }
        let mut header = Vec::new();
        (&mut file).take(header_bytes).read_to_end(&mut header).map_err(read_error(&path))?;
        let header: Metadata = serde_json::from_slice(&header).map_err(|error| damaged(error.to_string()))?;
        let start = header_bytes + 8;
        let expected = start + header.data_len() as u64;
        if expected != length {
            return Err(damaged(format!("it should be {expected} bytes long and is {length}")));
        }
        Ok(Self { path, header, start })
    }

    fn tensor(&self, name: &str, allowed: &[Dtype]) -> Result<Tensor> {
        let info = self.header.info(name).ok_or_else(|| Error::MissingTensor(name.to_owned()))?;
        let dtype = match info.dtype {
            Dtype::F32 if allowed.contains(&Dtype::F32) => DType::F32,
            Dtype::BF16 if allowed.contains(&Dtype::BF16) => DType::BF16,
            Dtype::F16 if allowed.contains(&Dtype::F16) => DType::F16,
            Dtype::U8 if allowed.contains(&Dtype::U8) => DType::U8,
            other => return Err(Error::Dtype { name: name.to_owned(), dtype: format!("{other:?}") }),
        };
        let (from, to) = info.data_offsets;
        let mut bytes = vec![0_u8; to - from];
        let mut file = File::open(&self.path).map_err(read_error(&self.path))?;
        file.seek(SeekFrom::Start(self.start + from as u64)).map_err(read_error(&self.path))?;
        file.read_exact(&mut bytes).map_err(read_error(&self.path))?;
        Ok(Tensor::from_raw_buffer(&bytes, dtype, &info.shape, &Device::Cpu)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, tensors: &[(&str, Tensor)]) -> PathBuf {
        let path = folder.join(name);
        let tensors: std::collections::HashMap<&str, Tensor> = tensors.iter().cloned().collect();
        candle_core::safetensors::save(&tensors, &path).unwrap();
        path
    }

    fn ones(count: usize) -> Tensor {
        Tensor::ones(count, DType::F32, &Device::Cpu).unwrap()
    }

    #[test]
    fn shards_are_found_through_their_index() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.safetensors", &[("one", ones(3))]);
        write(folder.path(), "b.safetensors", &[("two", ones(5).to_dtype(DType::BF16).unwrap())]);
        let index = r#"{"metadata":{},"weight_map":{"one":"a.safetensors","two":"b.safetensors"}}"#;
        fs::write(folder.path().join("model.safetensors.index.json"), index).unwrap();
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(checkpoint.floats("two", &[5]).unwrap().to_vec1::<f32>().unwrap(), [1.0; 5]);
        assert!(matches!(checkpoint.floats("two", &[6]), Err(Error::Shape { .. })));
        assert!(matches!(checkpoint.tensor("three"), Err(Error::MissingTensor(name)) if name == "three"));
        fs::write(folder.path().join("model.safetensors.index.json"), index.replace("\"one\"", "\"other\"")).unwrap();
        assert!(matches!(Checkpoint::open(folder.path()), Err(Error::MissingTensor(name)) if name == "other"));
    }

    #[test]
    fn a_file_that_is_cut_short_or_overwritten_is_called_damaged() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Checkpoint::open(folder.path()), Err(Error::NoWeights(_))));
        let path = write(folder.path(), "model.safetensors", &[("one", ones(100))]);
        let whole = fs::read(&path).unwrap();
        let mut longer = whole.clone();
        longer.push(0);
        let mut header = whole.clone();
        header[9] = b'#';
        for bytes in [&whole[..4], &whole[..40], &whole[..whole.len() - 1], &longer, &header, &[255; 64][..]] {
            fs::write(&path, bytes).unwrap();
            match Checkpoint::open(folder.path()) {
                Err(error @ Error::Damaged { .. }) => assert!(error.to_string().contains("model.safetensors")),
                other => panic!("{} bytes: {other:?}", bytes.len()),
            }
        }
    }

    #[test]
    fn numbers_in_another_format_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = Tensor::new(&[1_u8, 2], &Device::Cpu).unwrap();
        write(folder.path(), "model.safetensors", &[("packed", bytes)]);
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        let said = checkpoint.tensor("packed").unwrap_err().to_string();
        assert!(said.contains("packed") && said.contains("U8") && said.contains("quantised"), "{said}");
        assert_eq!(checkpoint.bytes("packed").unwrap().to_vec1::<u8>().unwrap(), [1, 2]);
    }
}
