//! `cargo xtask bench review`: a workspace of very many traces, imported, listed, searched, opened.
//!
//! Out: a table on stdout, and with `--json` one JSON object as the last line; beside the app's figures those of Python's
//! `datasets` and of DuckDB over the same file. Never: a figure of an import that lost a trace, or of a search that found
//! something else than what the generator put there; the bench fails then.

#[path = "../collect/figures.rs"]
#[expect(dead_code, reason = "this bench needs a part of what the other does")]
mod figures;
mod made;
mod peers;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use camino::Utf8PathBuf;
use clap::Parser;
use serde_json::json;
use tw_app::{App, AppOptions};
use tw_artifact::EditOp;
use tw_contract::{ApiError, Client, EditRequest, RevisionRequest, TraceOrder, TracePage, TraceQuery, Transport};
use tw_support::drive;
use tw_vault::Vault;

use crate::figures::{Report, Sample, machine, millis};

/// Measures the Review stage.
#[derive(Debug, Parser)]
struct Args {
    /// One JSON object as the last line.
    #[arg(long)]
    json: bool,
    /// How many traces.
    #[arg(long, default_value_t = 100_000)]
    traces: u32,
    /// A folder of published traces that the made ones take their texts from; own texts without.
    #[arg(long, value_name = "DIR")]
    seeds: Option<PathBuf>,
    /// Leaves Python and DuckDB out.
    #[arg(long)]
    no_peers: bool,
}

/// Times that a query is asked; the median counts.
const ASKED: usize = 15;
/// Traces of 5 MB.
const LARGE: u32 = 5;
/// Rows of a page, as the window asks for them.
const PAGE: u32 = 100;

struct Local(Arc<App>);

impl Transport for Local {
    async fn call(&self, command: &'static str, payload: String) -> Result<String, ApiError> {
        self.0.call(command, &payload).await
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure(&args))
}

async fn measure(args: &Args) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("traces.jsonl");
    let made = made::write(&file, args.traces, args.seeds.as_deref())?;
    let large = folder.path().join("large.jsonl");
    made::write_large(&large, LARGE, 5 << 20)?;
    let workspace = Utf8PathBuf::from_path_buf(folder.path().join("workspace")).map_err(|path| anyhow!("{path:?}"))?;
    let mut report = Report::default();
    let megabytes = made.bytes as f64 / 1e6;

    let begun = Instant::now();
    import(&workspace, &file, made.traces)?;
    let import_secs = begun.elapsed().as_secs_f64();
    import(&workspace, &large, LARGE)?;
    let note = format!("{} traces, {megabytes:.0} MB of JSON, with search, lint and likeness", made.traces);
    report.row("import", format!("{import_secs:.0} s ({:.1} MB/s)", megabytes / import_secs), note);

    let begun = Instant::now();
    let app = open(&workspace).await?;
    let api = Client(Local(Arc::clone(&app)));
    let first = list(&api, TraceQuery { limit: PAGE, ..TraceQuery::default() }).await?;
    let first_row = millis(begun.elapsed());
    ensure!(first.total == made.traces + LARGE, "{} traces are there", first.total);
    report.row("first row", format!("{first_row:.0} ms"), "the workspace opened and the first page listed; aim 100 ms");

    let search = TraceQuery { search: made.word.clone(), limit: PAGE, ..TraceQuery::default() };
    let found = list(&api, search.clone()).await?;
    ensure!(found.total == made.with_word, "{} traces have the word, {} were found", made.with_word, found.total);
    let search_ms = asked(&api, &search).await?;
    let note = format!("a word of {} traces, with snippets, median of {ASKED}; aim 50 ms", made.with_word);
    report.row("search", format!("{:.1} ms", search_ms.median()), note);

    // The last answer of every trace has it.
    let common = TraceQuery { search: "\"there\"".to_owned(), quick: true, limit: PAGE, ..TraceQuery::default() };
    let common_ms = asked(&api, &common).await?;
    let begun = Instant::now();
    let found = list(&api, TraceQuery { quick: false, ..common.clone() }).await?;
    let counted_ms = millis(begun.elapsed());
    ensure!(found.total >= made.traces, "{} of {} traces have it", found.total, made.traces);
    let half = TraceQuery { search: "ther".to_owned(), ..common };
    let begun = Instant::now();
    list(&api, half).await?;
    let half_ms = millis(begun.elapsed());
    let figure = format!("{:.1} / {counted_ms:.0} ms", common_ms.median());
    report.row("search for a word of all", figure, "the first page, with snippets / how many there are; aim 50 ms");
    report.row("the same, half typed", format!("{half_ms:.0} ms"), "all words that begin so, for the first time");

    let filter = TraceQuery {
        search: format!("model:{} tokens:<4000 tool:{}", made.model, made.tool),
        order: TraceOrder::Tokens,
        limit: PAGE,
        ..TraceQuery::default()
    };
    let filtered = list(&api, filter.clone()).await?;
    let filter_ms = asked(&api, &filter).await?;
    let note = format!("model, tool and tokens, sorted by tokens: {} traces", filtered.total);
    report.row("filter", format!("{:.1} ms", filter_ms.median()), note);

    let mut pages = Vec::new();
    let step = (made.traces / PAGE).max(1) / 100;
    for page in 0..100 {
        let offset = page * step.max(1) * PAGE;
        let begun = Instant::now();
        list(&api, TraceQuery { limit: PAGE, offset, ..TraceQuery::default() }).await?;
        pages.push(millis(begun.elapsed()));
    }
    let pages = Sample::new(pages);
    let figure = format!("{:.1} / {:.1} ms", pages.median(), pages.percentile(99));
    report.row("a page while scrolling", figure, "10,000 rows over the whole list, 100 at a time; median / p99");

    let largest = list(&api, TraceQuery { order: TraceOrder::Tokens, limit: LARGE, ..TraceQuery::default() }).await?;
    let (mut opened, mut again, mut edited) = (Vec::new(), Vec::new(), Vec::new());
    for trace in &largest.traces {
        opened.push(review(&app, &trace.id).await?);
        again.push(review(&app, &trace.id).await?);
        for (base, train) in (0..).zip([Some(false), Some(true), None]) {
            let op = EditOp::Train { ids: vec![2], train };
            let edit = EditRequest { id: trace.id.clone(), base, op, author: String::new() };
            let begun = Instant::now();
            api.review_edit(edit).await.map_err(|error| anyhow!("{error}"))?;
            edited.push(millis(begun.elapsed()));
        }
    }
    let (opened, again, edited) = (Sample::new(opened), Sample::new(again), Sample::new(edited));
    let note = format!("read, checked by lint, handed over; {LARGE} traces, each for the first time; aim 150 ms");
    report.row("open a trace of 5 MB", format!("{:.0} ms", opened.median()), note);
    report.row("open it again", format!("{:.0} ms", again.median()), "it still lies open");
    report.row("edit it", format!("{:.0} ms", edited.median()), "one turn changed, checked by lint, on disk");
    let memory = drive_memory()?;
    report.row("resident memory", format!("{memory:.0} MB"), "this process at its greatest; aim 400 MB");
    app.shutdown().await;
    drop(api);

    let mut figures = json!({
        "traces": made.traces, "megabytes": megabytes, "import_secs": import_secs, "first_row_ms": first_row,
        "search_ms": search_ms.median(), "common_ms": common_ms.median(), "common_counted_ms": counted_ms,
        "half_typed_ms": half_ms, "filter_ms": filter_ms.median(), "page_ms": pages.median(),
        "page_p99_ms": pages.percentile(99), "open_ms": opened.median(), "reopen_ms": again.median(),
        "edit_ms": edited.median(), "memory_mb": memory,
    });
    if !args.no_peers {
        let peers = peers::measure(&file, folder.path(), &made)?;
        for (name, peer) in [("datasets", &peers.datasets), ("DuckDB", &peers.duckdb)] {
            let load = format!("{:.2}x", peer.load_secs / import_secs);
            report.row(&format!("{name}: load / import"), load, format!("{:.1} s, without an index", peer.load_secs));
            let find = format!("{:.0}x", peer.find_secs * 1_000.0 / search_ms.median());
            report.row(&format!("{name}: find the word / search"), find, format!("{:.2} s", peer.find_secs));
        }
        figures["datasets"] = json!({ "load_secs": peers.datasets.load_secs, "find_secs": peers.datasets.find_secs });
        figures["duckdb"] = json!({ "load_secs": peers.duckdb.load_secs, "find_secs": peers.duckdb.find_secs });
    }
    report.figures("review", figures);
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}\n\n{}", machine(), report.table())?;
    if args.json {
        writeln!(stdout, "{}", report.json("review"))?;
    }
    Ok(stdout.flush()?)
}

/// How long it takes until a trace is there as the window asks for it.
async fn review(app: &App, id: &str) -> Result<f64> {
    let begun = Instant::now();
    let payload = serde_json::to_string(&RevisionRequest { id: id.to_owned(), revision: None, shorten: true })?;
    let reply = app.call("review_open", &payload).await.map_err(|error| anyhow!("{error}"))?;
    ensure!(reply.len() > 5 << 20, "the whole trace came");
    Ok(millis(begun.elapsed()))
}

/// As a person would: `tw import`, in a process of its own.
fn import(workspace: &Utf8PathBuf, file: &std::path::Path, expected: u32) -> Result<()> {
    let output = Command::new(drive::tw_binary()?)
        .args(["--quiet", "--json", "--workspace", workspace.as_str(), "import"])
        .arg(file)
        .env("TRACEWRIGHT_VAULT", "memory")
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let count = said["imported"].as_array().map_or(0, Vec::len);
    ensure!(count == usize::try_from(expected)?, "{count} of {expected} traces were imported: {}", said["refused"]);
    Ok(())
}

async fn open(workspace: &Utf8PathBuf) -> Result<Arc<App>> {
    let options = AppOptions {
        workspace: workspace.clone(),
        guard_exe: None,
        worker: None,
        open_url: Arc::new(|_| {}),
        vault: Some(Vault::in_memory()),
    };
    App::open(options).await.map_err(|error| anyhow!("{error}"))
}

async fn list(api: &Client<Local>, query: TraceQuery) -> Result<TracePage> {
    api.trace_list(query).await.map_err(|error| anyhow!("{error}"))
}

async fn asked(api: &Client<Local>, query: &TraceQuery) -> Result<Sample> {
    let mut times: Vec<f64> = Vec::with_capacity(ASKED);
    for _ in 0..ASKED {
        let begun = Instant::now();
        list(api, query.clone()).await?;
        times.push(millis(begun.elapsed()));
    }
    Ok(Sample::new(times))
}

/// The greatest memory of this process so far, in MB.
fn drive_memory() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("this figure is taken on Linux")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("VmHWM")?;
    let kib: f64 = line.split_whitespace().nth(1).context("a number")?.parse()?;
    Ok(kib * 1_024.0 / 1e6)
}
