//! `cargo xtask run | test | ci | bench | bundle | ui | setup`: the build house.
//!
//! In: a clean clone and a Rust toolchain. Out: the window opened, or the tests run, after whatever was missing has
//! been installed or named with the exact line to type. Progress goes to stderr in plain words; stdout belongs to the
//! program that is run. Never: an install without root or passwordless sudo, a change outside the repository other
//! than system packages, the toolchain's wasm32 target and this project's cache folder.

mod bench;
mod bundle;
mod checks;
mod child;
mod house;
mod native;
mod need;
mod node;
mod page;
mod platform;
mod python;
mod say;
mod setup;
mod testing;
mod ui;
mod wasm_std;
mod window;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::house::House;
use crate::ui::Profile;

/// What the person typed.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Sets up what is missing, then does it", disable_help_subcommand = true)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Open the window: sets up what is missing, builds the UI and the app, starts it.
    Run {
        /// Optimised build: slow to build, as fast as the shipped app.
        #[arg(long)]
        release: bool,
        /// Handed on to the app.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        app_args: Vec<String>,
    },
    /// Run every test, the ones in the real window and in a browser included.
    Test {
        /// Handed on to `cargo test`, for example `-p tw-mcp` or a test's name.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        cargo_args: Vec<String>,
    },
    /// Formatting, lints, licences and layers, then `test`.
    Ci {
        /// Stop before the tests.
        #[arg(long)]
        checks_only: bool,
    },
    /// Measure: runs tests/bench/NAME.
    Bench {
        /// Which bench, for example `collect`.
        name: String,
        /// Optimised build, for figures worth publishing.
        #[arg(long)]
        release: bool,
        /// Handed on to the bench, for example `--json`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        bench_args: Vec<String>,
    },
    /// Make the installers, with the program that trains.
    Bundle {
        /// Handed on to `cargo tauri build`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        tauri_args: Vec<String>,
    },
    /// Build the UI into ui/dist.
    Ui {
        /// Small and fast instead of quick to build.
        #[arg(long)]
        release: bool,
    },
    /// Install what is missing, or say what to type.
    Setup {
        /// Also what only the tests need: browsers' drivers, a virtual display, a keyring.
        #[arg(long)]
        tests: bool,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = House::find().and_then(|house| match args.task {
        Task::Run { release, app_args } => window::run(&house, release, &app_args),
        Task::Test { cargo_args } => testing::test(&house, &cargo_args),
        Task::Ci { checks_only } => checks::ci(&house, checks_only),
        Task::Bench { name, release, bench_args } => bench::run(&house, &name, release, &bench_args),
        Task::Bundle { tauri_args } => bundle::bundle(&house, &tauri_args),
        Task::Ui { release } => {
            setup::prepare(need::For::Ui)?;
            ui::build(&house, if release { Profile::Release } else { Profile::Dev })
        }
        Task::Setup { tests } => setup::all(&house, tests),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::trouble(&error);
            ExitCode::FAILURE
        }
    }
}
