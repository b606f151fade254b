//! The repository as the rules see it: packages with their declared dependencies, and source files.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// One package of the workspace.
#[derive(Clone, Debug)]
pub(super) struct Package {
    pub(super) name: String,
    /// Its folder below the repository, with `/`; empty for the package at the root.
    pub(super) folder: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// One line of a package's manifest.
#[derive(Clone, Debug)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// Only for the package's own tests.
    pub(super) dev: bool,
    /// The version that is asked for.
    pub(super) requirement: String,
}

/// One file of the repository.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Below the repository, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

/// The repository that this test crate was compiled in.
pub(super) fn root() -> Result<PathBuf> {
    Ok(Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("tests/ has no parent")?.to_path_buf())
}

/// The workspace's packages, as `cargo metadata` tells them: declared dependencies of every platform and feature.
pub(super) fn packages() -> Result<Vec<Package>> {
    let root = root()?;
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(&root)
        .output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    metadata["packages"]
        .as_array()
        .context("metadata without packages")?
        .iter()
        .map(|package| read_package(package, &root))
        .collect()
}

fn read_package(package: &Value, root: &Path) -> Result<Package> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("metadata lacks a text");
    let manifest = PathBuf::from(text(&package["manifest_path"])?);
    let folder = manifest.parent().context("a manifest without a folder")?.strip_prefix(root)?;
    let dependencies = package["dependencies"].as_array().context("metadata without dependencies")?;
    Ok(Package {
        name: text(&package["name"])?,
        folder: slashed(folder),
        dependencies: dependencies
            .iter()
            .map(|dependency| {
                Ok(Dependency {
                    name: text(&dependency["name"])?,
                    dev: dependency["kind"] == "dev",
                    requirement: text(&dependency["req"])?,
                })
            })
            .collect::<Result<_>>()?,
    })
}

/// Every file with one of the endings, without what is built, fetched or recorded by tests.
pub(super) fn sources(endings: &[&str]) -> Result<Vec<Source>> {
    let root = root()?;
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            let below = slashed(path.strip_prefix(&root)?);
            if entry.file_type()?.is_dir() {
                let skipped = ["target", "node_modules", ".git", "gen", "fixtures", "snapshots"];
                if !skipped.contains(&entry.file_name().to_string_lossy().as_ref()) && !below.starts_with("ui/dist") {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| below.ends_with(ending)) {
                found.push(Source { text: fs::read_to_string(&path).with_context(|| below.clone())?, path: below });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    ensure!(!found.is_empty(), "no file with {endings:?} was found: the rule looks at nothing");
    Ok(found)
}

fn slashed(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
