//! Checkpoints: an adapter in PEFT's layout with the optimiser's states beside it, from which training goes on with the
//! same bits.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tw_jobs::{sync_folder, write_whole};
use tw_model::Architecture;
use tw_model::checkpoint::Checkpoint as Tensors;

use crate::adapter::Adapter;
use crate::error::{Error, Result};
use crate::moments::Moments;
use crate::peft;

const STATE: &str = "state.json";
const OPTIMIZER: &str = "optimizer.safetensors";
/// What a folder is called until it is whole.
const UNFINISHED: &str = ".part";

/// Where training stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Steps that are done.
    pub(crate) step: u64,
    /// Names the spec and the rows: with others the steps would mean something else.
    pub(crate) job: String,
}

pub(crate) fn name_of(step: u64) -> String {
    format!("step-{step:08}")
}

/// Writes a checkpoint into `checkpoints`: under another name first, then renamed when every byte is on disk. Afterwards
/// only the newest `keep` remain (0: all).
pub(crate) fn write(
    checkpoints: &Path,
    adapter: &Adapter,
    base: &str,
    moments: &Moments,
    state: &State,
    keep: usize,
) -> Result<PathBuf> {
    let target = checkpoints.join(name_of(state.step));
    let unfinished = checkpoints.join(format!("{}{UNFINISHED}", name_of(state.step)));
    let attempt = || -> Result<()> {
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(Error::file(&unfinished))?;
        }
        fs::create_dir_all(&unfinished).map_err(Error::file(&unfinished))?;
        peft::write(&unfinished, adapter, base)?;
        peft::write_tensors(&unfinished.join(OPTIMIZER), &moments.tensors()?)?;
        let text = serde_json::to_vec_pretty(state).map_err(|error| Error::Spec(error.to_string()))?;
        write_whole(&unfinished.join(STATE), &text)?;
        sync_folder(&unfinished)?;
        if target.exists() {
            fs::remove_dir_all(&target).map_err(Error::file(&target))?;
        }
        fs::rename(&unfinished, &target).map_err(Error::file(&target))?;
        Ok(sync_folder(checkpoints)?)
    };
    if let Err(error) = attempt() {
        // What was written of it only takes room that is perhaps what is missing.
        drop(fs::remove_dir_all(&unfinished));
        return Err(error);
    }
    if keep > 0 {
        let all = list(checkpoints)?;
        for old in &all[..all.len().saturating_sub(keep)] {
            fs::remove_dir_all(old).map_err(Error::file(old))?;
        }
    }
    Ok(target)
}

/// All whole checkpoints, oldest first.
pub(crate) fn list(checkpoints: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(checkpoints) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::File { path: checkpoints.to_owned(), source }),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::file(checkpoints))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.strip_prefix("step-").is_some_and(|step| step.parse::<u64>().is_ok()) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a checkpoint of the job that `job` names.
pub(crate) fn read(folder: &Path, architecture: &Architecture, job: &str) -> Result<(Adapter, Moments, State)> {
    let wrong = |reason: String| Error::Checkpoint { path: folder.to_owned(), reason };
    let path = folder.join(STATE);
    let text = fs::read(&path).map_err(Error::file(&path))?;
    let state: State = serde_json::from_slice(&text).map_err(|error| wrong(format!("{STATE}: {error}")))?;
    if state.job != job {
        return Err(wrong("it was made with another spec or other rows".to_owned()));
    }
    let adapter = peft::read(folder, architecture)?;
    let tensors = Tensors::file(&folder.join(OPTIMIZER))?;
    let moments = Moments::read(&tensors, &adapter)?;
    Ok((adapter, moments, state))
}
