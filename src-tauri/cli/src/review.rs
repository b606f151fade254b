//! `tw edit`, `tw undo`, `tw redo`, `tw history`, `tw reset`, `tw lint`.

use anyhow::Context;
use serde::Serialize;
use tw_artifact::{EditOp, Finding};
use tw_contract::{EditOutcome, EditRequest, IdRequest, RevisionRequest};

use crate::args::{Edit, Lint, OfTrace};
use crate::open::{Place, client};
use crate::report::Report;
use crate::traces::all;

pub(crate) async fn edit(place: &Place, args: &Edit, report: &Report) -> anyhow::Result<()> {
    let op: EditOp = serde_json::from_str(&args.op).context("--op is not an edit")?;
    make(place, &args.id, op, report).await
}

pub(crate) async fn reset(place: &Place, args: &OfTrace, report: &Report) -> anyhow::Result<()> {
    make(place, &args.id, EditOp::Reset, report).await
}

async fn make(place: &Place, id: &str, op: EditOp, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let history = client(&app).review_history(IdRequest { id: id.to_owned() }).await?;
    let request = EditRequest { id: id.to_owned(), base: history.head, op, author: String::new() };
    let outcome = client(&app).review_edit(request).await?;
    app.shutdown().await;
    tell(&outcome, report)
}

pub(crate) async fn undo(place: &Place, args: &OfTrace, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let outcome = client(&app).review_undo(IdRequest { id: args.id.clone() }).await?;
    app.shutdown().await;
    tell(&outcome, report)
}

pub(crate) async fn redo(place: &Place, args: &OfTrace, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let outcome = client(&app).review_redo(IdRequest { id: args.id.clone() }).await?;
    app.shutdown().await;
    tell(&outcome, report)
}

fn tell(outcome: &EditOutcome, report: &Report) -> anyhow::Result<()> {
    report.result(outcome, || match outcome.did.as_str() {
        "" => "nothing to do".to_owned(),
        did => format!("{did} (revision {})", outcome.state.revision),
    })
}

pub(crate) async fn history(place: &Place, args: &OfTrace, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let history = client(&app).review_history(IdRequest { id: args.id.clone() }).await?;
    app.shutdown().await;
    report.result(&history, || {
        let mark = |number: u32| if number == history.head { '*' } else { ' ' };
        let mut lines = vec![format!("{}   0  as captured", mark(0))];
        for revision in &history.revisions {
            let at = jiff::Timestamp::from_millisecond(revision.at_ms).map(|at| at.to_string()).unwrap_or_default();
            lines.push(format!(
                "{} {:>3}  on {}  {at}  {}  {}",
                mark(revision.number),
                revision.number,
                revision.parent,
                revision.author,
                revision.label
            ));
        }
        lines.join("\n")
    })
}

/// What lint found in one trace, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Linted {
    id: String,
    title: String,
    findings: Vec<Finding>,
}

pub(crate) async fn lint(place: &Place, args: &Lint, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let mut linted = Vec::new();
    for summary in all(&app, args.query.as_deref()).await? {
        let view = client(&app).review_open(RevisionRequest { id: summary.id, ..RevisionRequest::default() }).await?;
        let findings = view.state.findings;
        if !findings.is_empty() {
            linted.push(Linted { id: view.summary.id, title: view.summary.title, findings });
        }
    }
    app.shutdown().await;
    report.result(&linted, || {
        let mut lines = Vec::new();
        for trace in &linted {
            lines.push(format!("{}  {}", trace.id, trace.title));
            for finding in &trace.findings {
                let place = finding.place.map(|place| format!(" [{}]", place.id)).unwrap_or_default();
                let repair = finding.repair.as_ref().map(|repair| format!(" -> {}", repair.label)).unwrap_or_default();
                lines.push(format!("  {}{place}: {}{repair}", finding.rule.as_str(), finding.reason));
            }
        }
        if lines.is_empty() { "nothing found".to_owned() } else { lines.join("\n") }
    })
}
