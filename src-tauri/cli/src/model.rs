//! `tw model`: models on this machine.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, bail};
use camino::Utf8PathBuf;
use clap::{Args as ClapArgs, Subcommand};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::report::Report;

/// `tw model`
#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Serve a local model as an OpenAI-style endpoint on loopback
    Serve(ModelServe),
}

/// `tw model serve`
#[derive(Debug, ClapArgs)]
pub(crate) struct ModelServe {
    /// The model's folder (config.json, safetensors, tokenizer.json) or GGUF file
    #[arg(value_name = "DIR")]
    pub(crate) model: Utf8PathBuf,
    /// A LoRA adapter in PEFT's layout, and the name that requests call it by
    #[arg(long = "adapter", value_name = "NAME=DIR")]
    pub(crate) adapters: Vec<String>,
    /// The port; 0 for a free one
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// The name that requests call the model by [default: the folder's]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Threads that compute [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

pub(crate) async fn model(command: &ModelCommand, report: &Report) -> anyhow::Result<()> {
    match command {
        ModelCommand::Serve(serve) => self::serve(serve, report).await,
    }
}

/// The worker's program: the one that is named, else the one beside this.
fn worker() -> anyhow::Result<PathBuf> {
    if let Some(named) = std::env::var_os("TRACEWRIGHT_WORKER") {
        return Ok(named.into());
    }
    let beside = std::env::current_exe()?.with_file_name(format!("tw-worker{}", std::env::consts::EXE_SUFFIX));
    if !beside.is_file() {
        bail!("{} is missing: it belongs beside tw, or TRACEWRIGHT_WORKER names it", beside.display());
    }
    Ok(beside)
}

async fn serve(args: &ModelServe, report: &Report) -> anyhow::Result<()> {
    let program = worker()?;
    let mut command = Command::new(&program);
    command.arg("serve").arg("--with-parent").arg("--model").arg(&args.model);
    command.args(["--port", &args.port.to_string()]);
    for adapter in &args.adapters {
        command.args(["--adapter", adapter]);
    }
    if let Some(name) = &args.name {
        command.args(["--name", name]);
    }
    if let Some(threads) = args.threads {
        command.args(["--threads", &threads.to_string()]);
    }
    // Its errors are for the person who started this; its stdin ends with this process, and it with that.
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    let stdout = child.stdout.take().context("the worker has no output")?;
    // Held here: waiting for a child closes what it still holds.
    let stdin = child.stdin.take();
    let mut lines = BufReader::new(stdout).lines();
    let Some(line) = lines.next_line().await? else {
        let status = child.wait().await?;
        bail!("the model is not served ({status})");
    };
    let ready: Value = serde_json::from_str(&line).with_context(|| format!("the worker said: {line}"))?;
    report.result(&ready, || {
        let text = |key: &str| ready[key].as_str().unwrap_or_default().to_owned();
        format!("{} is served at {}", text("model"), text("url"))
    })?;
    report.progress("Ctrl+C ends it.");
    tokio::select! {
        status = child.wait() => bail!("the worker has ended ({})", status?),
        () = crate::serve::ended() => {}
    }
    // Its stdin ends: it ends by itself, or is ended when this process does.
    drop(stdin);
    drop(tokio::time::timeout(std::time::Duration::from_secs(5), child.wait()).await);
    Ok(())
}
