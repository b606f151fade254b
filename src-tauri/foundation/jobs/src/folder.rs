//! A job's folder: where what lies, and who works in it.
//!
//! ```text
//! spec.json            what is to be done            events.jsonl         what was done, appended
//! rows.jsonl           the rows                      commands.jsonl       what hosts asked later, appended
//! checkpoints/         step-00000050/ ...            adapter/             the finished adapter
//! tensorboard/         the curves, for TensorBoard   worker.lock          held by the worker for as long as it lives
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::protocol::{Command, Event};
use crate::spec::TrainSpec;

/// How often, and how far apart, the lock is tried: whoever looks whether a worker is here holds it for a moment.
const LOCK_TRIES: u32 = 10;
const LOCK_MILLIS: u64 = 20;

/// A job's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFolder {
    path: PathBuf,
}

/// The right to work in a job's folder, until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl JobFolder {
    /// A folder that may or may not be there.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Makes a job's folder with its spec.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path, spec: &TrainSpec) -> Result<Self> {
        fs::create_dir_all(path).map_err(Error::file(path))?;
        let folder = Self::at(path);
        let text = serde_json::to_vec_pretty(spec).map_err(Error::format(path))?;
        write_whole(&path.join("spec.json"), &text)?;
        Ok(folder)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where checkpoints lie.
    #[must_use]
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Where the finished adapter lies.
    #[must_use]
    pub fn adapter(&self) -> PathBuf {
        self.path.join("adapter")
    }

    /// Where TensorBoard finds the curves.
    #[must_use]
    pub fn tensorboard(&self) -> PathBuf {
        self.path.join("tensorboard")
    }

    /// Where events are appended.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    /// Where later commands are appended.
    #[must_use]
    pub fn commands(&self) -> PathBuf {
        self.path.join("commands.jsonl")
    }

    /// Reads the spec.
    ///
    /// # Errors
    /// When it is missing or not a spec.
    pub fn spec(&self) -> Result<TrainSpec> {
        let path = self.path.join("spec.json");
        let text = fs::read(&path).map_err(Error::file(&path))?;
        serde_json::from_slice(&text).map_err(Error::format(&path))
    }

    /// Takes the right to work in the folder.
    ///
    /// # Errors
    /// When another worker has it, or the folder cannot be written.
    pub fn lock(&self) -> Result<Lock> {
        let mut tries = LOCK_TRIES;
        loop {
            match self.try_lock() {
                // It may be only someone who looks whether a worker is here.
                Err(Error::Running(_)) if tries > 0 => std::thread::park_timeout(Duration::from_millis(LOCK_MILLIS)),
                settled => return settled,
            }
            tries -= 1;
        }
    }

    fn try_lock(&self) -> Result<Lock> {
        let path = self.path.join("worker.lock");
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(Error::file(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(Error::Running(self.path.clone())),
            Err(fs::TryLockError::Error(source)) => Err(Error::File { path, source }),
        }
    }

    /// Whether a worker works in it now.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.try_lock(), Err(Error::Running(_)))
    }

    /// Asks the worker that works in the folder for something, whoever started it.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn command(&self, command: &Command) -> Result<()> {
        append_line(&self.commands(), command)
    }

    /// Appends an event; `durable` waits until it is on disk.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn append_event(&self, event: &Event, durable: bool) -> Result<()> {
        let path = self.events();
        append_line(&path, event)?;
        if durable {
            File::open(&path).and_then(|file| file.sync_all()).map_err(Error::file(&path))?;
        }
        Ok(())
    }
}

fn append_line(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(value).map_err(Error::format(path))?;
    line.push(b'\n');
    let mut file = OpenOptions::new().create(true).append(true).read(true).open(path).map_err(Error::file(path))?;
    // A worker that was killed may have left half a line: what follows begins on its own.
    let mut last = [0_u8];
    let torn = file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).is_ok() && last != *b"\n";
    if torn {
        line.insert(0, b'\n');
    }
    file.write_all(&line).map_err(Error::file(path))
}

/// Writes a file so that it is there whole or not at all, also when the power goes.
///
/// # Errors
/// When it cannot be written; what was there before then still is.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension("part");
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&beside, path)).map_err(Error::file(path))?;
    match path.parent() {
        Some(parent) => sync_folder(parent),
        None => Ok(()),
    }
}

/// Makes a folder's entries durable, where the system has such a call.
///
/// # Errors
/// When the system refuses.
pub fn sync_folder(path: &Path) -> Result<()> {
    if cfg!(unix) { File::open(path).and_then(|folder| folder.sync_all()).map_err(Error::file(path)) } else { Ok(()) }
}

/// Lines of a file that others append to, each given once, as soon as it is whole.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    offset: u64,
}

impl Tail {
    /// From the beginning of a file that may not be there yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, offset: 0 }
    }

    /// From the end of a file as it is now.
    #[must_use]
    pub fn from_end(path: PathBuf) -> Self {
        let offset = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        Self { path, offset }
    }

    /// The values of all lines that came since. Lines that cannot be understood are left out: half a line of a worker
    /// that was killed, or what a newer one says.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read<T: serde::de::DeserializeOwned>(&mut self) -> Result<Vec<T>> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(Error::File { path: self.path.clone(), source }),
        };
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.offset))
            .and_then(|_| file.read_to_end(&mut bytes))
            .map_err(Error::file(&self.path))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        self.offset += whole as u64;
        Ok(bytes[..whole].split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_workers_never_share_a_folder() {
        let place = tempfile::tempdir().unwrap();
        let folder = JobFolder::create(place.path(), &TrainSpec::default()).unwrap();
        assert_eq!(folder.spec().unwrap(), TrainSpec::default());
        assert!(!folder.is_running());
        let lock = folder.lock().unwrap();
        assert!(folder.is_running() && matches!(folder.lock(), Err(Error::Running(_))));
        drop(lock);
        assert!(!folder.is_running());
    }

    #[test]
    fn a_torn_line_is_left_out_and_what_follows_is_read() {
        let place = tempfile::tempdir().unwrap();
        let folder = JobFolder::at(place.path());
        let mut tail = Tail::new(folder.events());
        assert!(tail.read::<Event>().unwrap().is_empty());
        folder.append_event(&Event::Paused { step: 1 }, true).unwrap();
        let mut file = OpenOptions::new().append(true).open(folder.events()).unwrap();
        file.write_all(br#"{"event":"pau"#).unwrap();
        assert_eq!(tail.read::<Event>().unwrap(), [Event::Paused { step: 1 }]);
        assert!(tail.read::<Event>().unwrap().is_empty());
        folder.append_event(&Event::Paused { step: 2 }, false).unwrap();
        assert_eq!(tail.read::<Event>().unwrap(), [Event::Paused { step: 2 }]);
    }
}
