//! `tw dataset build`, `list`, `show`, `diff`, `export`.

use std::path::absolute;

use anyhow::{Context, bail};
use serde::Serialize;
use tw_artifact::{
    DatasetPlan, DatasetPreview, DatasetVersion, Json, OverLimit, SplitName, TraceChoice, TrainOn, Unroll,
};
use tw_contract::{DatasetDiffRequest, DatasetExportRequest, DatasetProgress, Empty, Event, EventBody, IdRequest};

use crate::args::{Build, DatasetCommand, DatasetDiff, DatasetExport, Fit, OfDataset, Train, Unrolling};
use crate::open::{Place, client};
use crate::report::Report;

/// What a build gives, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Built {
    #[serde(flatten)]
    version: DatasetVersion,
    was_there: bool,
    preview: DatasetPreview,
}

pub(crate) async fn run(place: &Place, command: &DatasetCommand, report: &Report) -> anyhow::Result<()> {
    match command {
        DatasetCommand::Build(args) => build(place, args, report).await,
        DatasetCommand::List => list(place, report).await,
        DatasetCommand::Show(args) => show(place, args, report).await,
        DatasetCommand::Diff(args) => diff(place, args, report).await,
        DatasetCommand::Export(args) => export(place, args, report).await,
        DatasetCommand::Delete(args) => delete(place, args, report).await,
    }
}

fn plan(args: &Build) -> anyhow::Result<DatasetPlan> {
    let kwargs = match &args.kwargs {
        Some(text) => Json::parse(text).map_err(|error| anyhow::anyhow!("--kwargs is not JSON: {error}"))?,
        None => Json::Null,
    };
    let model = match &args.tokenizer {
        Some(path) => Some(absolute(path).with_context(|| format!("{path} cannot be found"))?),
        None => None,
    };
    Ok(DatasetPlan {
        name: args.name.clone(),
        traces: TraceChoice::Query(args.query.clone().unwrap_or_default()),
        accepted_only: args.accepted_only,
        unroll: match args.unroll {
            Unrolling::None => Unroll::None,
            Unrolling::User => Unroll::User,
            Unrolling::Step => Unroll::Step,
            Unrolling::Minimal => Unroll::Minimal,
        },
        train: match args.train {
            Train::Last => TrainOn::Last,
            Train::Turn => TrainOn::Turn,
            Train::All => TrainOn::All,
        },
        drop_steering: !args.keep_steering,
        max_tokens: args.max_tokens,
        over_limit: match args.over_limit {
            Fit::Drop => OverLimit::Drop,
            Fit::Cut => OverLimit::CutResults,
            Fit::Split => OverLimit::Split,
        },
        validation_fraction: args.val_fraction,
        seed: args.seed,
        dedupe: !args.keep_duplicates,
        model: model.map(|path| path.to_string_lossy().into_owned()),
        kwargs,
        ..DatasetPlan::default()
    })
}

async fn build(place: &Place, args: &Build, report: &Report) -> anyhow::Result<()> {
    let plan = plan(args)?;
    let app = place.open().await?;
    let mut events = app.events();
    let work =
        if args.dry_run { client(&app).dataset_preview(plan).await? } else { client(&app).dataset_build(plan).await? };
    let topic = Event::dataset_topic(&work.id);
    let done: DatasetProgress = loop {
        let view = client(&app).dataset_progress(IdRequest { id: work.id.clone() }).await?;
        if view.ended.is_some() {
            break view;
        }
        // The next word of it, or, where too many came at once, a look at how it stands.
        while let Ok(event) = events.recv().await {
            if event.topic == topic
                && let EventBody::DatasetProgress(progress) = event.body
            {
                let (done, total) = (progress.done_traces, progress.total_traces);
                report.progress(&format!("{done} of {total} traces, {} rows", progress.rows));
                if progress.ended.is_some() {
                    break;
                }
            }
        }
    };
    app.shutdown().await;
    let preview = done.preview.map(|preview| *preview).unwrap_or_default();
    match done.ended.as_deref() {
        Some("done") => {}
        Some(other) => bail!("{other}"),
        None => bail!("the build did not end"),
    }
    match done.version {
        Some(version) => {
            let built = Built { version, was_there: done.was_there, preview };
            report.result(&built, || {
                let again = if built.was_there { " (it was there before)" } else { "" };
                format!("{}{again}\n{}", built.version.id, figures(&built.preview))
            })
        }
        None => report.result(&preview, || figures(&preview)),
    }
}

fn figures(preview: &DatasetPreview) -> String {
    let mut text = String::new();
    for (name, totals) in [(SplitName::Train, preview.train), (SplitName::Validation, preview.validation)] {
        if totals.rows + totals.preferences > 0 {
            let about = if preview.estimated { "about " } else { "" };
            text.push_str(&format!(
                "{name}: {} rows of {} traces, {about}{} tokens, {} trained",
                totals.rows, totals.traces, totals.tokens, totals.trained_tokens
            ));
            if totals.preferences > 0 {
                text.push_str(&format!(", {} preference pairs", totals.preferences));
            }
            text.push('\n');
        }
    }
    for warning in &preview.warnings {
        text.push_str(&format!("{}: {} rows ({})\n", warning.kind.label(), warning.rows, warning.text));
    }
    for left in &preview.left_out {
        text.push_str(&format!("{} traces left out: {}\n", left.traces, left.reason));
    }
    for problem in &preview.problems {
        text.push_str(problem);
        text.push('\n');
    }
    text.trim_end().to_owned()
}

async fn list(place: &Place, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let versions = client(&app).dataset_list(Empty {}).await?;
    app.shutdown().await;
    report.result(&versions, || {
        let line = |version: &DatasetVersion| {
            let DatasetVersion { name, train, validation, .. } = version;
            let problem = version.problem.as_deref().map(|problem| format!("  {problem}")).unwrap_or_default();
            let pushed = version.pushes.first().map(|push| format!("  at {}", push.url)).unwrap_or_default();
            format!(
                "{}  {name}  {} + {} rows, {} tokens{pushed}{problem}",
                version.short_id(),
                train.rows,
                validation.rows,
                train.tokens + validation.tokens
            )
        };
        versions.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}

async fn show(place: &Place, args: &OfDataset, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let view = client(&app).dataset_view(IdRequest { id: args.id.clone() }).await?;
    app.shutdown().await;
    report.result(&view, || {
        let mut text = format!("{}  {}\n{}\n", view.version.id, view.version.name, figures(&view.figures));
        for file in &view.files {
            text.push_str(&format!("{}/{}  {} rows, {} bytes\n", view.folder, file.name, file.rows, file.bytes));
        }
        for push in &view.version.pushes {
            text.push_str(&format!("pushed to {}\n", push.url));
        }
        if view.changed > 0 {
            text.push_str(&format!("{} of its traces were changed since\n", view.changed));
        }
        text.trim_end().to_owned()
    })
}

async fn diff(place: &Place, args: &DatasetDiff, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let request = DatasetDiffRequest { from: args.from.clone(), to: args.to.clone() };
    let diff = client(&app).dataset_diff(request).await?;
    app.shutdown().await;
    report.result(&diff, || {
        let mut text = format!(
            "{} rows came, {} went, {} changed, {} moved to the other part, {} are the same\n",
            diff.rows_added, diff.rows_removed, diff.rows_changed, diff.rows_moved, diff.rows_same
        );
        for (name, before, after) in &diff.settings {
            text.push_str(&format!("{name}: {before} -> {after}\n"));
        }
        for trace in &diff.traces {
            let revision = |source: &Option<tw_artifact::SourceTrace>| {
                source.as_ref().map_or_else(|| "-".to_owned(), |source| source.revision.to_string())
            };
            let (before, after) = (revision(&trace.before), revision(&trace.after));
            text.push_str(&format!(
                "{}  revision {before} -> {after}: {} rows came, {} went, {} changed  {}\n",
                trace.trace_id, trace.rows_added, trace.rows_removed, trace.rows_changed, trace.title
            ));
        }
        text.trim_end().to_owned()
    })
}

async fn export(place: &Place, args: &DatasetExport, report: &Report) -> anyhow::Result<()> {
    let out = absolute(&args.out).with_context(|| format!("{} cannot be found", args.out))?;
    let model = match &args.tokenizer {
        Some(path) => Some(absolute(path).with_context(|| format!("{path} cannot be found"))?),
        None => None,
    };
    let app = place.open().await?;
    let request = DatasetExportRequest {
        id: args.id.clone(),
        format: args.format.clone(),
        check: false,
        out: Some(out.to_string_lossy().into_owned()),
        model: model.map(|path| path.to_string_lossy().into_owned()),
    };
    let done = client(&app).dataset_export(request).await?;
    app.shutdown().await;
    report.result(&done, || {
        let mut text = format!("{} rows in {}: {}", done.rows, done.folder, done.files.join(", "));
        for loss in &done.losses {
            text.push_str(&format!("\n{}: {} rows", loss.what, loss.traces));
        }
        text
    })
}

async fn delete(place: &Place, args: &OfDataset, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    client(&app).dataset_delete(IdRequest { id: args.id.clone() }).await?;
    app.shutdown().await;
    report.result(&Empty {}, || format!("{} is removed", args.id))
}
