//! `cargo xtask test`: everything, and one closing line with the totals.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::child;
use crate::house::House;
use crate::native::{self, SELECTION};
use crate::need::{self, For};
use crate::node::{self, TestTools};
use crate::python;
use crate::say::{self, Stop};
use crate::setup;
use crate::ui::{self, Profile};

/// Sets up, builds and runs the tests. `cargo_args` go to `cargo test`; with `-p` among them only that package runs.
pub(crate) fn test(house: &House, cargo_args: &[String]) -> Result<()> {
    setup::prepare(For::Tests)?;
    let tools = node::test_tools(house)?;
    let python = python::test_python(house)?;
    let old_python = python::old_python(house)?;
    let templates = python::template_corpus(house, &python)?;
    ui::build(house, Profile::Dev)?;

    let step = say::step("Building the app and the tests");
    native::build(house, &["--bins", "--tests"], false, "Building the app and the tests")?;
    step.done();

    let step = say::step("Running the tests");
    let mut total = Total::default();
    let mut passed = true;
    for arguments in calls(cargo_args) {
        let mut tests = child::cargo();
        tests.current_dir(house.root()).args(&arguments);
        equip(&mut tests, house, "debug", &tools);
        tests
            .env("TW_TEST_PYTHON", &python)
            .env("TW_TEST_PYTHON_OLD", &old_python)
            .env("TW_TEST_TEMPLATES", &templates);
        passed &= run_and_count(&mut tests, &mut total)?;
    }
    step.done();
    print_total(&total)?;
    if passed {
        return Ok(());
    }
    Err(Stop::new(
        "Some tests did not pass.",
        "To run one again, type: cargo xtask test -p PACKAGE NAME\n(the lines marked FAILED above name them)",
    )
    .into())
}

/// The calls of cargo: everything, or what the person picked.
fn calls(cargo_args: &[String]) -> Vec<Vec<String>> {
    let call = |selection: &[&str]| {
        let mut call = vec!["test".to_owned(), "--no-fail-fast".to_owned()];
        call.extend(selection.iter().map(|word| (*word).to_owned()));
        call.extend(cargo_args.iter().cloned());
        call
    };
    let before_dashes = cargo_args.iter().take_while(|word| *word != "--");
    let picked =
        |word: &String| word == "-p" || word == "--package" || word.starts_with("--package=") || word == "--workspace";
    if before_dashes.clone().any(picked) {
        vec![call(&[])]
    } else if before_dashes.clone().any(|word| word == "--test") {
        // Only the workspace has integration tests; xtask would answer that it has none.
        vec![call(SELECTION)]
    } else {
        vec![call(SELECTION), call(&["--package", "xtask"])]
    }
}

/// Tells the tests, or a bench, where everything is: `profile_folder` is cargo's, `debug` or `release`.
pub(crate) fn equip(tests: &mut Command, house: &House, profile_folder: &str, tools: &TestTools) {
    tests
        .env("PATH", &tools.path)
        .env("TW_TEST_NODE_MODULES", &tools.node_modules)
        .env("TW_TEST_TRACEWRIGHT", house.binary(profile_folder, "tracewright"))
        .env("TW_TEST_TW", house.binary(profile_folder, "tw"))
        .env("TW_TEST_WORKER", house.binary(profile_folder, "tw-worker"))
        .env("TW_TEST_UI_DIST", house.ui_dist());
    if let Some(chromium) = child::on_path(need::CHROMIUM) {
        tests.env("TW_TEST_CHROMIUM", chromium);
    }
}

/// Sums of the runner's own result lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Total {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Total {
    /// Takes in a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; ...`; other lines say nothing.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.trim_start().strip_prefix("test result: ") else {
            return;
        };
        for part in counts.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) else {
                continue;
            };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.skipped += count,
                _ => {}
            }
        }
    }
}

/// Runs the tests with their output passed through line by line; gives whether all passed.
fn run_and_count(tests: &mut Command, total: &mut Total) -> Result<bool> {
    let mut child = tests.stdout(Stdio::piped()).spawn().context("cargo test could not start")?;
    let stdout = child.stdout.take().context("cargo test has no stdout")?;
    let mut ours = std::io::stdout().lock();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        total.add(&line);
        writeln!(ours, "{line}")?;
    }
    Ok(child.wait()?.success())
}

fn print_total(total: &Total) -> Result<()> {
    let Total { passed, failed, skipped } = total;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{passed} passed, {failed} failed, {skipped} skipped")?;
    Ok(stdout.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_summed_and_other_lines_ignored() {
        let mut total = Total::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s",
        ] {
            total.add(line);
        }
        assert_eq!(total, Total { passed: 4, failed: 2, skipped: 1 });
    }

    #[test]
    fn a_picked_package_runs_alone_and_a_mere_name_runs_everywhere() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(calls(&words("-p tw-mcp stdio")), [words("test --no-fail-fast -p tw-mcp stdio")]);
        assert_eq!(calls(&words("--test tests")).len(), 1);
        let everywhere = calls(&words("reasoning -- --nocapture -p"));
        assert_eq!(everywhere.len(), 2);
        assert_eq!(
            everywhere[0],
            words("test --no-fail-fast --workspace --exclude tw-ui --exclude xtask reasoning -- --nocapture -p")
        );
        assert_eq!(everywhere[1], words("test --no-fail-fast --package xtask reasoning -- --nocapture -p"));
    }
}
