//! `cargo xtask bench NAME`: starts the bench of that name; what it measures is its own affair.

use std::fs;

use anyhow::Result;

use crate::child;
use crate::house::House;
use crate::native;
use crate::need::For;
use crate::node;
use crate::python;
use crate::say::{self, Stop};
use crate::setup;
use crate::testing;
use crate::ui::{self, Profile};

/// The benches beside which PyTorch trains.
const TRAINS: &[&str] = &["learn", "train"];

/// The benches there are: one folder each in tests/bench.
fn names(house: &House) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(house.root().join("tests/bench"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// Builds and runs the binary `bench-NAME` of the test crate. With `--json` among `bench_args` the last line of its
/// stdout is one JSON object.
pub(crate) fn run(house: &House, name: &str, release: bool, bench_args: &[String]) -> Result<()> {
    let known = names(house);
    if !known.iter().any(|bench| bench == name) {
        return Err(
            Stop::new(format!("There is no bench `{name}`."), format!("There are: {}", known.join(", "))).into()
        );
    }
    setup::prepare(For::Tests)?;
    let tools = node::test_tools(house)?;
    let python = python::test_python(house)?;
    ui::build(house, if release { Profile::Release } else { Profile::Dev })?;
    let profile_folder = if release { "release" } else { "debug" };

    let step = say::step("Building the app and the bench");
    let binary = format!("bench-{name}");
    let targets =
        ["--bin", "tracewright", "--bin", "tw", "--bin", "tw-worker", "--bin", "tw-fake-mcp", "--bin", &binary];
    native::build(house, &targets, release, "Building the bench")?;
    step.done();

    let mut bench = std::process::Command::new(house.binary(profile_folder, &binary));
    bench.current_dir(house.root()).args(bench_args).env("TW_TEST_PYTHON", &python);
    testing::equip(&mut bench, house, profile_folder, &tools);
    if TRAINS.contains(&name) {
        let python = python::train_python(house)?;
        bench.env("TW_TEST_SMOLLM2", python::smollm2(house, &python)?).env("TW_TEST_TRAIN_PYTHON", python);
    }
    child::run(&mut bench, "The bench")
}
