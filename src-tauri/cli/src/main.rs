//! `tw`: the app without its window, for scripts, servers and tests.
//!
//! In: a command line. Out: one JSON document on stdout with `--json`, else text for people; progress and logs on
//! stderr; exit code 0 done, 1 failed, 2 wrong usage. Never: a key as an argument, or anything that the window could
//! not do through the same app.

mod args;
mod dataset;
mod doctor;
mod eval;
mod hub;
mod model;
mod open;
mod render;
mod report;
mod review;
mod run;
mod serve;
mod traces;
mod train;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};
use crate::report::Report;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // Started as the guard of an MCP server: that and nothing else.
    if let Some(code) = tw_app::run_guard_if_asked(&arguments) {
        return code;
    }
    // Two TLS providers are in the tree; without a choice the first connection would panic. An error only says that
    // the choice was made before.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let args = Args::parse_from(arguments);
    let filter =
        tw_app::log_filter(std::env::var("RUST_LOG").ok().as_deref(), if args.quiet { "error" } else { "warn" });
    let filter = tracing_subscriber::EnvFilter::new(filter);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let report = Report::new(args.json, args.quiet);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report.fail(&anyhow::Error::from(error)),
    };
    let result = runtime.block_on(async {
        let place = open::Place::new(args.workspace);
        match args.command {
            Command::Serve(serve) => serve::serve(&place, &serve, &report).await,
            Command::Run(run) => Box::pin(run::run(&place, &run, &report)).await,
            Command::Doctor(doctor) => doctor::examine(&place, &doctor, &report).await,
            Command::Import(import) => traces::import(&place, &import, &report).await,
            Command::List(list) => traces::list(&place, &list, &report).await,
            Command::Show(show) => traces::show(&place, &show, &report).await,
            Command::Edit(edit) => review::edit(&place, &edit, &report).await,
            Command::Undo(of) => review::undo(&place, &of, &report).await,
            Command::Redo(of) => review::redo(&place, &of, &report).await,
            Command::History(of) => review::history(&place, &of, &report).await,
            Command::Reset(of) => review::reset(&place, &of, &report).await,
            Command::Lint(lint) => review::lint(&place, &lint, &report).await,
            Command::Render(render) => render::render(&place, &render, &report).await,
            Command::Export(export) => traces::export(&place, &export, &report).await,
            Command::Dataset(dataset) => Box::pin(dataset::run(&place, &dataset, &report)).await,
            Command::Train(args) => Box::pin(train::train(&place, &args, &report)).await,
            Command::Jobs => train::list(&place, &report),
            Command::Job(of) => train::ask(&place, &of, train::Ask::Show, &report),
            Command::Pause(of) => train::ask(&place, &of, train::Ask::Pause, &report),
            Command::Resume(of) => train::ask(&place, &of, train::Ask::Resume, &report),
            Command::Stop(of) => train::ask(&place, &of, train::Ask::Stop, &report),
            Command::Merge(args) => train::merge(&args, &report),
            Command::Hub(command) => hub::hub(&place, &command, &report).await,
            Command::Eval(command) => Box::pin(eval::run(&place, &command, &report)).await,
            Command::Model(command) => model::model(&command, &report).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report.fail(&error),
    }
}
