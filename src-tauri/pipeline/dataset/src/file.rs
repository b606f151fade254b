//! Files that are whole or not there, and known by their SHA-256.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tw_artifact::{DatasetFile, hex};

use crate::Error;

/// A file that is hashed while it is written.
pub(crate) struct Hashed {
    out: BufWriter<File>,
    hasher: Sha256,
    bytes: u64,
    path: PathBuf,
}

impl Hashed {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path).map_err(Error::io(path))?;
        let out = BufWriter::with_capacity(1 << 20, file);
        Ok(Self { out, hasher: Sha256::new(), bytes: 0, path: path.to_owned() })
    }

    /// Brings it to the disk.
    pub(crate) fn finish(self, rows: u32) -> Result<DatasetFile, Error> {
        let path = self.path;
        let file = self.out.into_inner().map_err(|error| Error::io(&path)(error.into_error()))?;
        file.sync_all().map_err(Error::io(&path))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(DatasetFile { name, bytes: self.bytes, rows, sha256: hex(self.hasher.finalize()) })
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Brings the names in a folder to the disk. Where the system cannot do that (Windows), they are there already.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    if cfg!(unix) {
        File::open(folder).and_then(|file| file.sync_all()).map_err(Error::io(folder))?;
    }
    Ok(())
}
