//! Python: the official clients that read what the doubles of the tests send, in an environment of their own.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::child;
use crate::house::{self, House};
use crate::say::{self, Stop};

/// The Python with the packages of tests/parity/requirements.txt, made once per change of that file.
///
/// # Errors
/// When there is no Python 3 with venv, or pip fails.
pub(crate) fn test_python(house: &House) -> Result<PathBuf> {
    let requirements = house.root().join("tests/parity/requirements.txt");
    let wanted = fs::read_to_string(&requirements).context("tests/parity/requirements.txt could not be read")?;
    let mut hasher = DefaultHasher::new();
    wanted.hash(&mut hasher);
    let folder = house::cache()?.join("python").join(format!("{:016x}", hasher.finish()));
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let whole = folder.join(".installed");
    if whole.is_file() {
        return Ok(python);
    }
    let step = say::step("Installing the official Python clients for the tests");
    let Some(system) = child::on_path(&["python3", "python"]) else {
        return Err(Stop::new("Python 3 was not found.", "Install Python 3.10 or newer with its venv module.").into());
    };
    let mut venv = Command::new(system);
    venv.args(["-m", "venv", "--clear"]).arg(&folder).stdout(std::io::stderr());
    child::run(&mut venv, "Making a Python environment")?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(&requirements)
        .stdout(std::io::stderr());
    child::run(&mut pip, "pip install")?;
    fs::write(whole, wanted)?;
    step.done();
    Ok(python)
}
