//! `tw import`, `tw list`, `tw show`, `tw export`.

use anyhow::{Context, bail};
use camino::{Utf8Path, Utf8PathBuf};
use tw_artifact::TraceSummary;
use tw_contract::{IdRequest, ImportFile, ImportRefusal, ImportReport, ImportRequest, TraceQuery};

use crate::args::{Export, Import, List, Show};
use crate::open::{Place, client};
use crate::report::Report;

/// Traces that are asked for at a time.
const PAGE: u32 = 500;

pub(crate) async fn import(place: &Place, args: &Import, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let mut total = ImportReport::default();
    for path in files_in(&args.paths)? {
        report.progress(&format!("reading {path}"));
        let name = path.to_string();
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let request = ImportRequest { files: vec![ImportFile { name, text }] };
                let one = client(&app).trace_import(request).await?;
                total.imported.extend(one.imported);
                total.refused.extend(one.refused);
            }
            Err(error) => {
                total.refused.push(ImportRefusal { name, reason: format!("It cannot be read as text: {error}.") });
            }
        }
    }
    app.shutdown().await;
    report.result(&total, || {
        let mut text = format!("{} imported, {} refused", total.imported.len(), total.refused.len());
        for refusal in &total.refused {
            text.push_str(&format!("\n{}: {}", refusal.name, refusal.reason));
        }
        text
    })?;
    if total.imported.is_empty() && !total.refused.is_empty() {
        bail!("nothing was imported");
    }
    Ok(())
}

/// The files themselves, and the `.json` files of folders, sorted.
fn files_in(paths: &[Utf8PathBuf]) -> anyhow::Result<Vec<Utf8PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in path.read_dir_utf8().with_context(|| format!("{path} cannot be read"))? {
            let entry = entry.with_context(|| format!("{path} cannot be read"))?;
            if entry.path().extension() == Some("json") {
                inside.push(entry.path().to_owned());
            }
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

pub(crate) async fn list(place: &Place, args: &List, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let traces = all(&app, args.query.as_deref()).await?;
    app.shutdown().await;
    report.result(&traces, || {
        let lines: Vec<String> = traces
            .iter()
            .map(|trace| {
                let TraceSummary { id, state, model, steps, tokens, title, .. } = trace;
                format!("{id}  {:<11} {steps:>3} steps {tokens:>7} tokens  {model}  {title}", state.as_str())
            })
            .collect();
        if lines.is_empty() { "no traces".to_owned() } else { lines.join("\n") }
    })
}

async fn all(app: &std::sync::Arc<tw_app::App>, query: Option<&str>) -> anyhow::Result<Vec<TraceSummary>> {
    let mut traces: Vec<TraceSummary> = Vec::new();
    loop {
        let request = TraceQuery {
            search: query.unwrap_or_default().to_owned(),
            limit: PAGE,
            offset: u32::try_from(traces.len())?,
            ..TraceQuery::default()
        };
        let page = client(app).trace_list(request).await?;
        let end = page.traces.is_empty();
        traces.extend(page.traces);
        if end || traces.len() >= usize::try_from(page.total)? {
            return Ok(traces);
        }
    }
}

pub(crate) async fn show(place: &Place, args: &Show, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let trace = client(&app).trace_get(IdRequest { id: args.id.clone() }).await?;
    app.shutdown().await;
    report.result(&trace, || {
        let mut text = format!("{}\n{} · {}", trace.summary.title, trace.summary.model, trace.summary.state.as_str());
        for saved in &trace.messages {
            let message = &saved.message;
            text.push_str(&format!("\n\n[{} {}]", saved.seq, message.role()));
            if let Some(reasoning) = message.reasoning() {
                text.push_str(&format!("\n(reasoning) {}", reasoning.trim()));
            }
            if !message.text().trim().is_empty() {
                text.push_str(&format!("\n{}", message.text().trim()));
            }
            for call in message.fields().get("tool_calls").and_then(tw_artifact::Json::as_array).unwrap_or_default() {
                text.push_str(&format!("\n(call) {}", call.to_text()));
            }
        }
        text
    })
}

pub(crate) async fn export(place: &Place, args: &Export, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let traces = all(&app, args.query.as_deref()).await?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("{} cannot be made", args.out))?;
    let mut files: Vec<String> = Vec::with_capacity(traces.len());
    for trace in &traces {
        let file = client(&app).trace_text(IdRequest { id: trace.id.clone() }).await?;
        let name = tw_app::free_name(&file.name, &files);
        write_file(&args.out.join(&name), &file.text)?;
        files.push(name);
    }
    app.shutdown().await;
    report.result(&files, || format!("{} traces written to {}", files.len(), args.out))
}

fn write_file(path: &Utf8Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("{path} cannot be written"))
}
