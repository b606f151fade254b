//! `cargo xtask bundle`: the installers, with the program that trains beside the app.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::child;
use crate::house::House;
use crate::native;
use crate::need::For;
use crate::say::{self, Stop};
use crate::setup;

/// What of the configuration holds for installers only: an ordinary build would ask for the worker's file before it is built.
const CONFIG: &str = "src-tauri/bundle.json";
/// The program that goes along.
const WORKER: &str = "tw-worker";

/// Builds the worker, puts it where Tauri looks for programs that go along, and has Tauri make the installers.
pub(crate) fn bundle(house: &House, tauri_args: &[String]) -> Result<()> {
    setup::prepare(For::Window)?;
    if !child::works(child::cargo().args(["tauri", "--version"])) {
        return Err(Stop::new(
            "The Tauri command line, which makes installers, is not installed.",
            "Type: cargo install tauri-cli --version '^2' --locked",
        )
        .into());
    }
    let step = say::step("Building the program that trains");
    native::build(house, &["--bin", WORKER], true, "Building the program that trains")?;
    let folder = house.root().join("target/sidecar");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let name = format!("{WORKER}-{}{}", host()?, std::env::consts::EXE_SUFFIX);
    let built = house.binary("release", WORKER);
    fs::copy(&built, folder.join(name)).with_context(|| built.display().to_string())?;
    step.done();
    let mut tauri = child::cargo();
    tauri.current_dir(house.root()).args(["tauri", "build", "--config", CONFIG]).args(tauri_args);
    child::run(&mut tauri, "Making the installers")
}

/// This machine's target, as Tauri names programs for it.
fn host() -> Result<String> {
    let said = child::read(Command::new("rustc").arg("-vV"), "Asking the compiler for this machine's target")?;
    host_in(&said).context("rustc does not say for which machine it is")
}

fn host_in(said: &str) -> Option<String> {
    said.lines().find_map(|line| line.strip_prefix("host: ")).map(|host| host.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_read_from_what_the_compiler_says() {
        let said = "rustc 1.95.0\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0";
        assert_eq!(host_in(said).as_deref(), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(host_in("rustc 1.95.0"), None);
    }

    #[test]
    fn the_installers_bring_the_program_that_is_built_for_them() {
        let config = include_str!("../../src-tauri/bundle.json");
        assert!(config.contains(&format!("target/sidecar/{WORKER}")));
    }
}
