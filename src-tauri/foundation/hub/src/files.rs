//! Files on this machine, compared with those of a repository.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha1::Sha1;
use sha2::{Digest, Sha256};
use tw_artifact::hex;

use crate::{HubError, RemoteFile};

/// By how many of its first bytes the Hub tells what a file is.
const SAMPLE_BYTES: usize = 512;

/// A file to push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalFile {
    /// Where it goes in the repository.
    pub path: String,
    /// Where it is here.
    pub source: PathBuf,
    /// Bytes.
    pub bytes: u64,
    /// Its checksum.
    pub sha256: String,
    /// What git calls its content.
    pub oid: String,
    pub(crate) sample: Vec<u8>,
}

/// What becomes of a file in the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It takes the place of another content.
    Changed,
    /// It is there already.
    Same,
    /// It goes.
    Removed,
}

/// One file of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDiff {
    /// Its path.
    pub path: String,
    /// Bytes; of a removed one, those that it had.
    pub bytes: u64,
    /// What becomes of it.
    pub change: Change,
}

/// The checksums of a file: SHA-256, and what git calls it. Reads all of it: blocks.
///
/// # Errors
/// It cannot be read.
pub fn file_sums(path: &Path) -> Result<(String, String), HubError> {
    sums(path).map(|(_, sha256, oid, _)| (sha256, oid))
}

fn sums(path: &Path) -> Result<(u64, String, String, Vec<u8>), HubError> {
    let failed = |error| HubError::reading(path, error);
    let mut file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let mut sums = Sums::new(bytes);
    let mut sample = Vec::new();
    let mut buffer = vec![0_u8; 256 << 10];
    loop {
        let count = file.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            break;
        }
        if sample.len() < SAMPLE_BYTES {
            sample.extend_from_slice(&buffer[..count.min(SAMPLE_BYTES - sample.len())]);
        }
        sums.add(&buffer[..count]);
    }
    let (sha256, oid) = sums.finish();
    Ok((bytes, sha256, oid, sample))
}

/// Both checksums of what is added, of which the length must be known before.
pub(crate) struct Sums {
    sha256: Sha256,
    git: Sha1,
}

impl Sums {
    pub(crate) fn new(bytes: u64) -> Self {
        let mut git = Sha1::new();
        git.update(format!("blob {bytes}\0"));
        Self { sha256: Sha256::new(), git }
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.git.update(bytes);
    }

    pub(crate) fn finish(self) -> (String, String) {
        (hex(self.sha256.finalize()), hex(self.git.finalize()))
    }
}

impl LocalFile {
    /// Reads a file's checksums. Blocks.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(path: &str, source: &Path) -> Result<Self, HubError> {
        let (bytes, sha256, oid, sample) = sums(source)?;
        Ok(Self { path: path.to_owned(), source: source.to_owned(), bytes, sha256, oid, sample })
    }

    /// Whether the repository's file has the same content.
    #[must_use]
    pub fn is_same_as(&self, there: &RemoteFile) -> bool {
        match &there.sha256 {
            Some(sha256) => *sha256 == self.sha256,
            None => there.oid == self.oid,
        }
    }
}

/// What a push of `local` changes, by path. Files there that `is_ours` takes for parts of an earlier push, and that are
/// not among `local`, go.
#[must_use]
pub fn diff(local: &[LocalFile], remote: &[RemoteFile], is_ours: impl Fn(&str) -> bool) -> Vec<FileDiff> {
    let there: BTreeMap<&str, &RemoteFile> = remote.iter().map(|file| (file.path.as_str(), file)).collect();
    let mut all: Vec<FileDiff> = local
        .iter()
        .map(|file| {
            let change = match there.get(file.path.as_str()) {
                None => Change::Added,
                Some(there) if file.is_same_as(there) => Change::Same,
                Some(_) => Change::Changed,
            };
            FileDiff { path: file.path.clone(), bytes: file.bytes, change }
        })
        .collect();
    let gone = remote.iter().filter(|file| is_ours(&file.path) && !local.iter().any(|local| local.path == file.path));
    all.extend(gone.map(|file| FileDiff { path: file.path.clone(), bytes: file.bytes, change: Change::Removed }));
    all.sort_by(|one, other| one.path.cmp(&other.path));
    all
}
