//! The real window: from the start of its process to its first picture, and the memory that it takes.
//!
//! The start is the process's own (`/proc/PID/stat`), the first picture the page's `first-contentful-paint`: when the
//! web view first drew something that is not empty. Memory is PSS, which counts a shared page once over all processes.
//! It runs on a display in memory, drawn in software and driven through WebDriver: a desk's own display is faster.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tw_support::drive::{self, PATIENCE};
use tw_support::window::{Window, WindowSetup};

use crate::figures::{Report, Sample};

const STARTS: usize = 5;
/// What `/proc` counts in: `USER_HZ`, 100 on every Linux that this runs on.
const TICKS_PER_S: f64 = 100.0;

/// One start of the window.
struct Start {
    first_paint_ms: f64,
    /// By program: the app, then the processes of the web view.
    memory_mib: Vec<(String, f64)>,
}

/// Measures the window that was built with the bench, and the one at `release` where there is one, and reports.
///
/// # Errors
/// The window does not open or does not draw itself.
pub(crate) async fn measure(report: &mut Report, release: Option<&Path>) -> Result<()> {
    if cfg!(not(target_os = "linux")) {
        report.row("start of the window", "not measured", "only on Linux, where /proc and WebKitWebDriver are");
        return Ok(());
    }
    let built = drive::tracewright_binary()?;
    let build = if cfg!(debug_assertions) { "dev build" } else { "release build" };
    let mut figures = measure_one(report, &built, build).await?;
    if let Some(release) = release {
        figures["release"] = measure_one(report, release, "release build").await?;
    }
    report.figures("window", figures);
    Ok(())
}

async fn measure_one(report: &mut Report, binary: &Path, build: &str) -> Result<Value> {
    // Every start finds the same workspace and caches, as a person's second start does.
    let home = tempfile::tempdir()?;
    let mut starts = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        starts.push(Box::pin(start(home.path(), binary.to_path_buf())).await?);
    }
    let paint = Sample::new(starts.iter().map(|start| start.first_paint_ms).collect());
    let total = |start: &Start| start.memory_mib.iter().map(|(_, mib)| mib).sum::<f64>();
    starts.sort_by(|a, b| total(a).total_cmp(&total(b)));
    let middle = starts.get(STARTS / 2).context("nothing was started")?;
    report.row(
        &format!("start to first paint of the window ({build})"),
        format!("{:.0} ms", paint.least()),
        format!("best of {STARTS}, median {:.0} ms; software drawing on a virtual display", paint.median()),
    );
    let parts: Vec<String> = middle.memory_mib.iter().map(|(name, mib)| format!("{name} {mib:.0}")).collect();
    report.row(
        &format!("resident memory, app + web processes ({build})"),
        format!("{:.0} MiB", total(middle)),
        format!("PSS, median of {STARTS}: {}", parts.join(" + ")),
    );
    let memory: serde_json::Map<String, Value> =
        middle.memory_mib.iter().map(|(name, mib)| (name.clone(), json!(mib))).collect();
    Ok(json!({
        "first_paint_ms": {"best": paint.least(), "median": paint.median()},
        "pss_mib": {"total": total(middle), "processes": memory},
        "starts": STARTS,
    }))
}

async fn start(home: &Path, binary: PathBuf) -> Result<Start> {
    let window = WindowSetup::new(home).binary(binary).open().await?;
    window.wait_until_ready().await?;
    let app = window.app_process()?;
    let painted_at = first_paint(&window).await?;
    let first_paint_ms = painted_at - started_at(app).context("/proc does not tell when the app started")?;
    let memory_mib = memory(app);
    window.end(PATIENCE).await?;
    Ok(Start { first_paint_ms, memory_mib })
}

/// When the page first drew something, in unix milliseconds.
async fn first_paint(window: &Window) -> Result<f64> {
    let script = "const [paint] = performance.getEntriesByName('first-contentful-paint');
        return paint ? performance.timeOrigin + paint.startTime : null;";
    let driver = window.driver()?;
    drive::wait_for("the first paint", PATIENCE, async || {
        driver.execute(script, Vec::new()).await.ok()?.json().as_f64()
    })
    .await
}

/// When a process started, in unix milliseconds, to a hundredth of a second.
fn started_at(process: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The 22nd field of proc_pid_stat(5); the third follows the program's name in parentheses.
    let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let uptime: f64 = fs::read_to_string("/proc/uptime").ok()?.split_whitespace().next()?.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
    Some((now - uptime + ticks / TICKS_PER_S) * 1_000.0)
}

/// PSS of a process and all below it, by program.
fn memory(process: u32) -> Vec<(String, f64)> {
    let mut found: Vec<(String, f64)> = Vec::new();
    let mut waiting = vec![process];
    while let Some(process) = waiting.pop() {
        waiting.extend(drive::children_of(process));
        let Some((name, mib)) = name_of(process).zip(pss_mib(process)) else { continue };
        match found.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += mib,
            None => found.push((name, mib)),
        }
    }
    found
}

fn name_of(process: u32) -> Option<String> {
    let program = fs::read_link(format!("/proc/{process}/exe")).ok()?;
    Some(program.file_name()?.to_string_lossy().into_owned())
}

fn pss_mib(process: u32) -> Option<f64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1_024.0)
}
