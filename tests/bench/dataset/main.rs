//! `cargo xtask bench dataset`: a version of very many rows written as Parquet, beside Python's `datasets`.
//!
//! Out: a table on stdout, and with `--json` one JSON object as the last line: seconds, bytes and peak memory of both, each
//! in a process of its own, over the same rows. Never: a figure of files that do not hold the same rows; the bench reads
//! both back and fails then.

#[path = "../collect/figures.rs"]
#[expect(dead_code, reason = "this bench needs a part of what the other does")]
mod figures;
mod made;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tw_artifact::{DatasetPlan, SplitName};
use tw_dataset::{Build, Made, Prepared, Splits, Tally, Target};

use crate::figures::Report;
use crate::made::{Letters, traces};

/// Measures the writing of datasets.
#[derive(Debug, Parser)]
struct Args {
    /// One JSON object as the last line.
    #[arg(long)]
    json: bool,
    /// How many rows.
    #[arg(long, default_value_t = 100_000)]
    rows: u32,
    /// Leaves Python out.
    #[arg(long)]
    no_peers: bool,
    /// Builds into this folder and prints its figures: the process that is measured.
    #[arg(long, hide = true)]
    build_into: Option<PathBuf>,
}

/// What one process measured of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    secs: f64,
    peak_mib: f64,
    bytes: u64,
    rows: u32,
}

/// Most memory that this process has had, and what it had before it began its work, mebibytes.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib: f64 = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or_default();
    kib / 1_024.0
}

/// Builds a version: traces are made one by one, unrolled, counted, hashed and written, as the app does.
fn build(root: &Path, rows: u32) -> Result<Measured> {
    let plan = DatasetPlan { name: "bench".to_owned(), ..DatasetPlan::default() };
    let splits = Splits::default();
    let mut tally = Tally::new(true, true);
    let begun = Instant::now();
    let mut build = Build::begin(root, "bench", &plan)?;
    for source in traces(rows) {
        let prepared = Prepared::of(&source, &plan, &Letters);
        let made = Made::of(&source, &prepared, &plan, &Letters);
        build.add(&mut tally, &source, &prepared, made, &splits)?;
    }
    let built = build.finish(&tally, None)?;
    let secs = begun.elapsed().as_secs_f64();
    let bytes = built.manifest.files.iter().find(|file| file.name == "train.parquet").map_or(0, |file| file.bytes);
    Ok(Measured { secs, peak_mib: peak_mib(), bytes, rows: tally.rows() })
}

fn run(command: &mut Command, what: &str) -> Result<Measured> {
    let output = command.output().with_context(|| format!("{what} cannot be started"))?;
    ensure!(output.status.success(), "{what} failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    Ok(serde_json::from_str(text.lines().last().unwrap_or_default())?)
}

fn main() -> Result<()> {
    let args = Args::parse();
    let mut out = std::io::stdout();
    if let Some(root) = &args.build_into {
        writeln!(out, "{}", serde_json::to_string(&build(root, args.rows)?)?)?;
        return Ok(());
    }
    let scratch = tempfile::tempdir()?;
    let root = scratch.path().join("datasets");
    let rows = args.rows.to_string();
    let this = std::env::current_exe()?;
    let ours = run(Command::new(this).args(["--rows", &rows, "--build-into"]).arg(&root), "the build")?;
    ensure!(ours.rows == args.rows, "{} rows were built, {} were meant", ours.rows, args.rows);
    let mut report = Report::default();
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    let note = "traces unrolled, counted, hashed, written, synced";
    report.row("rows to Parquet, Tracewright", format!("{:.2} s", ours.secs), note);
    report.row("peak memory, Tracewright", format!("{:.0} MiB", ours.peak_mib), "rows stream");
    report.row("train.parquet, Tracewright", mib(ours.bytes), format!("{rows} rows"));
    if args.no_peers {
        report.figures("tracewright", serde_json::to_value(&ours)?);
    } else {
        let version = tw_dataset::found(&root).pop().context("the version is not there")?;
        let lines = scratch.path().join("rows.jsonl");
        tw_dataset::export(Target::Jsonl, &root.join(&version.id), Some(&lines), None, &|| true)?;
        let python = std::env::var_os("TW_TEST_PYTHON").context("TW_TEST_PYTHON names the Python with datasets")?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/bench_dataset.py");
        let parquet = root.join(&version.id).join(format!("{}.parquet", SplitName::Train));
        let mut peer = Command::new(python);
        peer.arg(script).arg(&lines).arg(scratch.path().join("peer.parquet")).arg(parquet).env("HF_HUB_OFFLINE", "1");
        let theirs = run(&mut peer, "datasets")?;
        ensure!(theirs.rows == args.rows, "datasets wrote {} rows", theirs.rows);
        let times = theirs.secs / ours.secs;
        report.row("rows to Parquet, datasets", format!("{:.2} s", theirs.secs), "Dataset.from_list(rows).to_parquet");
        report.row(
            "peak memory, datasets",
            format!("{:.0} MiB", theirs.peak_mib),
            "over what the rows themselves take",
        );
        report.row("its file", mib(theirs.bytes), "compressed as it does by itself");
        report.row("times faster", format!("{times:.1}"), "");
        report.figures("tracewright", serde_json::to_value(&ours)?);
        report.figures("datasets", serde_json::to_value(&theirs)?);
        report.figures("times_faster", json!(times));
    }
    writeln!(out, "{}", report.table())?;
    if args.json {
        writeln!(out, "{}", report.json("dataset"))?;
    }
    Ok(())
}
