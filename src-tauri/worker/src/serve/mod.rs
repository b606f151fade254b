//! `tw-worker serve`: a local model as an OpenAI-style endpoint on loopback, with the shapes and errors of vLLM 0.32.
//!
//! In: a model's folder or GGUF file, adapters' folders by name. Out: one line of JSON on stdout when it is ready, then
//! answers over HTTP. Never: a request from another machine or another site's page, a shape that OpenAI's clients do not
//! know, or an end that leaves an answer without one.
//!
//! Not known here, and refused by name: `response_format`, `structured_outputs`, images, `prompt_logprobs`. A prescribed
//! call (`tool_choice` required or a named tool) is always exactly one.

mod adapters;
mod answer;
mod body;
mod chat;
mod choice;
mod error;
mod forced;
mod grammar;
mod routes;
mod text;
mod wire;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tw_infer::{Engine, Model, Options};

use crate::machine;
use crate::serve::chat::Chat;
use crate::serve::routes::Server;

/// A local model as an OpenAI-style endpoint on loopback
#[derive(Debug, Parser)]
#[command(name = "tw-worker serve", version)]
struct Arguments {
    /// The model's folder (config.json, safetensors, tokenizer.json) or GGUF file
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The name that requests call it by [default: the folder's]
    #[arg(long)]
    name: Option<String>,
    /// A LoRA adapter in PEFT's layout, and the name that requests call it by
    #[arg(long = "adapter", value_name = "NAME=DIR", value_parser = named)]
    adapters: Vec<(String, PathBuf)>,
    /// The port; 0 for a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Threads that compute [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Most tokens of a prompt and its answer [default: the model's own limit, as far as memory allows]
    #[arg(long, value_name = "TOKENS")]
    max_context: Option<usize>,
    /// Memory for keys and values [default: half of what is free, at most 4096]
    #[arg(long, value_name = "MB")]
    cache_mb: Option<usize>,
    /// End when stdin ends
    #[arg(long)]
    with_parent: bool,
}

fn named(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, folder)) if !name.is_empty() && !folder.is_empty() => Ok((name.to_owned(), folder.into())),
        _ => Err("give it as NAME=DIR".to_owned()),
    }
}

/// Bytes for keys and values where nothing is said, at most and at least.
const MOST_CACHE: u64 = 4 << 30;
const LEAST_CACHE: u64 = 256 << 20;

/// The whole program for `serve`.
pub(crate) fn main() -> ExitCode {
    // The word itself stands where the program's name would.
    let arguments = Arguments::parse_from(std::env::args_os().skip(1));
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody reads it: the exit code still says it.
            drop(writeln!(std::io::stderr(), "{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Serves until it is told to end.
fn run(arguments: Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    // The port first: a model takes long to read.
    let port = arguments.port;
    let listener = TcpListener::bind(("127.0.0.1", port)).await.with_context(|| {
        format!("port {port} cannot be used, most likely another program has it; name another with --port")
    })?;
    let port = listener.local_addr()?.port();
    let with_parent = arguments.with_parent;
    let server = Arc::new(tokio::task::spawn_blocking(move || load(&arguments)).await??);
    let ready = json!({
        "url": format!("http://127.0.0.1:{port}/v1"),
        "port": port,
        "model": server.name,
        "adapters": server.engine.adapter_names(),
        "max_context": server.engine.max_context(),
    });
    say(&ready.to_string()).context("nobody reads where the model is served")?;
    let serving = axum::serve(listener, routes::routes(server));
    tokio::select! {
        result = async { serving.await } => Ok(result?),
        () = parent_gone(with_parent) => Ok(()),
    }
}

/// Waits for the end of stdin, where that is asked for.
async fn parent_gone(asked: bool) {
    if !asked {
        return std::future::pending().await;
    }
    let (end, ended) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        // Whatever comes is not meant for this; its end is.
        let mut rest = [0_u8; 256];
        while std::io::stdin().lock().read(&mut rest).is_ok_and(|count| count > 0) {}
        drop(end);
    });
    // An error is the end.
    ended.await.unwrap_or_default();
}

fn load(arguments: &Arguments) -> anyhow::Result<Server> {
    let Arguments { model: path, name, adapters, threads, max_context, cache_mb, .. } = arguments;
    let model = Model::read(path).with_context(|| format!("the model in {} cannot be served", path.display()))?;
    let chat = Chat::read(path).with_context(|| format!("the model in {} cannot be served", path.display()))?;
    let (known, vocab) = (chat.vocabulary() as usize, model.architecture().vocab);
    if known > vocab {
        anyhow::bail!("the tokenizer knows {known} tokens, the model only {vocab}: it is another model's tokenizer");
    }
    let free = machine::available_bytes().map_or(LEAST_CACHE, |free| (free / 2).clamp(LEAST_CACHE, MOST_CACHE));
    let cache_bytes = cache_mb.map_or_else(|| usize::try_from(free).unwrap_or(usize::MAX), |mb| mb << 20);
    let options =
        Options { threads: threads.unwrap_or(0), cache_bytes, max_context: *max_context, ..Options::default() };
    let engine = Engine::start(model, &options)?;
    let whole = std::path::absolute(path)?;
    let name = name.clone().unwrap_or_else(|| {
        let stem = if path.is_dir() { whole.file_name() } else { whole.file_stem() };
        stem.map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
    });
    let server = Server::new(engine, chat, name, whole.display().to_string());
    for (name, folder) in adapters {
        server.load(name, folder).with_context(|| format!("the adapter {name} cannot be loaded"))?;
    }
    Ok(server)
}

fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
