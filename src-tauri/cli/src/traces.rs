//! `tw import`, `tw list`, `tw show`, `tw export`.

use std::path::absolute;

use anyhow::{Context, bail};
use camino::Utf8Path;
use serde::Serialize;
use tw_artifact::{EditedMessage, TraceSummary};
use tw_contract::{
    Event, EventBody, ExportRequest, IdRequest, ImportPlan, ImportRefusal, ImportSource, ImportedTrace,
    RevisionRequest, Selection, TraceQuery,
};

use crate::args::{Export, Import, List, Show};
use crate::open::{Place, client};
use crate::report::Report;

/// Traces that are asked for at a time.
const PAGE: u32 = 500;

/// What an import did, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Imported {
    imported: Vec<ImportedTrace>,
    refused: Vec<ImportRefusal>,
    refused_count: u32,
}

pub(crate) async fn import(place: &Place, args: &Import, report: &Report) -> anyhow::Result<()> {
    let mut sources = Vec::with_capacity(args.paths.len());
    for path in &args.paths {
        if !path.exists() {
            bail!("{path} is not there");
        }
        let whole = absolute(path).with_context(|| format!("{path} cannot be found"))?;
        sources.push(ImportSource::Path(whole.to_string_lossy().into_owned()));
    }
    let format = (args.format != "auto").then(|| args.format.clone());
    let app = place.open().await?;
    let mut events = app.events();
    let started = client(&app).import_start(ImportPlan { sources, format }).await?;
    let topic = Event::import_topic(&started.id);
    let done = loop {
        let view = client(&app).import_view(IdRequest { id: started.id.clone() }).await?;
        if view.ended.is_some() {
            break view;
        }
        // The next word of it, or, where too many came at once, a look at how it stands.
        while let Ok(event) = events.recv().await {
            if event.topic == topic
                && let EventBody::ImportProgress(progress) = event.body
            {
                let percent = progress.done_bytes.saturating_mul(100) / progress.total_bytes.max(1);
                report.progress(&format!(
                    "{percent} %, {} imported, {} refused",
                    progress.imported, progress.refused_count
                ));
                if progress.ended.is_some() {
                    break;
                }
            }
        }
    };
    app.shutdown().await;
    let total = Imported { imported: done.traces, refused: done.refused, refused_count: done.refused_count };
    report.result(&total, || {
        let mut text = format!("{} imported, {} refused", total.imported.len(), total.refused_count);
        for refusal in &total.refused {
            let line = refusal.line.map(|line| format!(", line {line}")).unwrap_or_default();
            text.push_str(&format!("\n{}{line}: {}", refusal.name, refusal.reason));
        }
        text
    })?;
    match done.ended.as_deref() {
        Some("done") if !total.imported.is_empty() || total.refused_count == 0 => Ok(()),
        Some("done") => bail!("nothing was imported"),
        Some(other) => bail!("the import ended early: {other}"),
        None => Ok(()),
    }
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

pub(crate) async fn all(app: &std::sync::Arc<tw_app::App>, query: Option<&str>) -> anyhow::Result<Vec<TraceSummary>> {
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
    let view = client(&app)
        .review_open(RevisionRequest { id: args.id.clone(), revision: args.revision, shorten: false })
        .await?;
    app.shutdown().await;
    report.result(&view, || {
        let summary = &view.summary;
        let mut text = format!("{}\n{} · {}", summary.title, summary.model, summary.state.as_str());
        if view.state.revision > 0 {
            text.push_str(&format!(" · revision {}", view.state.revision));
        }
        for message in &view.messages {
            text.push_str(&words(message));
        }
        text
    })
}

/// A message for people.
fn words(edited: &EditedMessage) -> String {
    let message = &edited.message;
    let mut text = format!("\n\n[{} {}]", edited.id, message.role());
    if let Some(reasoning) = message.reasoning() {
        text.push_str(&format!("\n(reasoning) {}", reasoning.trim()));
    }
    if !message.text().trim().is_empty() {
        text.push_str(&format!("\n{}", message.text().trim()));
    }
    for call in message.calls() {
        text.push_str(&format!("\n(call) {}", call.to_text()));
    }
    text
}

pub(crate) async fn export(place: &Place, args: &Export, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let query = TraceQuery { search: args.query.clone().unwrap_or_default(), ..TraceQuery::default() };
    let out = absolute(Utf8Path::new(&args.out)).with_context(|| format!("{} cannot be found", args.out))?;
    let request = ExportRequest {
        traces: Selection::Query(query),
        format: args.format.clone(),
        check: false,
        out: Some(out.to_string_lossy().into_owned()),
    };
    let outcome = client(&app).trace_export(request).await?;
    app.shutdown().await;
    for loss in &outcome.losses {
        report.progress(&format!("{} traces: {}", loss.traces, loss.what));
    }
    report.result(&outcome.files, || format!("{} traces written to {}", outcome.traces, args.out))
}
