//! One writer per workspace, over all programs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};

use camino::Utf8Path;

use crate::StoreError;

/// The lock on a workspace, held until it is dropped or the program ends in any way: the system lets go of it.
#[derive(Debug)]
pub(crate) struct WorkspaceLock {
    _file: File,
}

impl WorkspaceLock {
    /// Takes the lock and leaves our process id in its file.
    pub(crate) fn take(dir: &Utf8Path) -> Result<Self, StoreError> {
        let path = dir.join("workspace.lock");
        let io = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::StorageFull => StoreError::DiskFull,
            _ => StoreError::Io { path: path.clone(), message: error.to_string() },
        };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { dir: dir.to_owned(), pid: read_pid(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        // The id only helps a person: on a full disk the workspace still opens.
        if let Err(error) = write_pid(&mut file) {
            tracing::warn!(%error, "the process id was not written to the lock file");
        }
        Ok(Self { _file: file })
    }
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

/// `None` also where the system does not let others read a locked file.
fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
