//! `tw eval exam`, `list`, `show`, `export`, `delete`.

use anyhow::bail;
use clap::{Args as ClapArgs, Subcommand};
use tw_artifact::{SplitName, TraceChoice};
use tw_contract::{
    Empty, EvalExport, EvalProgress, Event, EventBody, ExamRequest, ExamSource, IdRequest, SubjectChoice,
};

use crate::args::EndpointArgs;
use crate::open::{Place, client};
use crate::report::Report;
use crate::run::endpoint_of;

/// `tw eval`
#[derive(Debug, Subcommand)]
pub(crate) enum EvalCommand {
    /// The next-call exam: what a model does at every step of traces, against what the trace did
    Exam(Box<Exam>),
    /// All reports
    List,
    /// One report, as Markdown
    Show(OfReport),
    /// Writes a report to a file
    Export(ExportReport),
    /// Removes a report
    Delete(OfReport),
}

/// `tw eval exam`
#[derive(Debug, ClapArgs)]
pub(crate) struct Exam {
    /// Which traces, in the words of `tw list`; all without
    query: Option<String>,
    #[command(flatten)]
    endpoint: EndpointArgs,
    /// A further model of the endpoint, compared with --model; can be given again
    #[arg(long, value_name = "NAME")]
    against: Vec<String>,
    /// A dataset version instead of a query
    #[arg(long, value_name = "ID", conflicts_with = "query")]
    dataset: Option<String>,
    /// Which part of the version
    #[arg(long, value_enum, default_value = "validation", requires = "dataset")]
    split: Part,
    /// The report's name
    #[arg(long, default_value = "")]
    name: String,
    /// At most so many steps, chosen by the seed
    #[arg(long, value_name = "N")]
    max_steps: Option<u32>,
    /// Most tokens of an answer
    #[arg(long, value_name = "N", default_value_t = 2_048)]
    max_tokens: u32,
    /// 0 answers greedily
    #[arg(long, default_value_t = 0.0)]
    temperature: f64,
    /// Chooses the steps, and is the seed of sampling
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Requests at the same time
    #[arg(long, default_value_t = 4)]
    concurrency: u32,
}

/// A part of a dataset version.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Part {
    Train,
    Validation,
}

/// A report by its id.
#[derive(Debug, ClapArgs)]
pub(crate) struct OfReport {
    /// The report's id
    id: String,
}

/// `tw eval export`
#[derive(Debug, ClapArgs)]
pub(crate) struct ExportReport {
    /// The report's id
    id: String,
    /// json, markdown or csv
    #[arg(long, default_value = "markdown")]
    format: String,
    /// The file to write
    #[arg(long, value_name = "PATH")]
    out: Option<String>,
}

pub(crate) async fn run(place: &Place, command: &EvalCommand, report: &Report) -> anyhow::Result<()> {
    match command {
        EvalCommand::Exam(args) => exam(place, args, report).await,
        EvalCommand::List => {
            let app = place.open().await?;
            let reports = client(&app).eval_list(Empty {}).await?;
            app.shutdown().await;
            report.result(&reports, || {
                let line = |it: &tw_contract::EvalSummary| format!("{}  {}  {}", it.id, it.name, it.about);
                reports.iter().map(line).collect::<Vec<_>>().join("\n")
            })
        }
        EvalCommand::Show(of) => {
            let app = place.open().await?;
            let view = client(&app).eval_view(IdRequest { id: of.id.clone() }).await?;
            app.shutdown().await;
            report.result(&view, || tw_app::report_as_markdown(&view))
        }
        EvalCommand::Export(args) => {
            let app = place.open().await?;
            let request = EvalExport { id: args.id.clone(), format: args.format.clone(), out: absolute(&args.out)? };
            let written = client(&app).eval_export(request).await?;
            app.shutdown().await;
            report.result(&written, || written.path.clone())
        }
        EvalCommand::Delete(of) => {
            let app = place.open().await?;
            client(&app).eval_delete(IdRequest { id: of.id.clone() }).await?;
            app.shutdown().await;
            report.result(&of.id, || format!("{} is removed", of.id))
        }
    }
}

fn absolute(path: &Option<String>) -> anyhow::Result<Option<String>> {
    let Some(path) = path else { return Ok(None) };
    Ok(Some(std::path::absolute(path)?.to_string_lossy().into_owned()))
}

async fn exam(place: &Place, args: &Exam, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let done = ask(&app, args, report).await;
    app.shutdown().await;
    let (done, text, value) = done?;
    report.result(&value, || text)?;
    match done.ended.as_deref() {
        Some("done") => Ok(()),
        Some(other) => bail!("{other}"),
        None => bail!("the exam did not end"),
    }
}

async fn ask(
    app: &std::sync::Arc<tw_app::App>,
    args: &Exam,
    report: &Report,
) -> anyhow::Result<(EvalProgress, String, tw_artifact::EvalReport)> {
    let api = client(app);
    let mut events = app.events();
    let endpoint_id = endpoint_of(app, &args.endpoint).await?;
    let models = std::iter::once(&args.endpoint.model).chain(&args.against);
    let mut request = ExamRequest {
        name: args.name.clone(),
        source: match &args.dataset {
            Some(id) => {
                let split = match args.split {
                    Part::Train => SplitName::Train,
                    Part::Validation => SplitName::Validation,
                };
                ExamSource::Dataset { id: id.clone(), split }
            }
            None => ExamSource::Traces(TraceChoice::Query(args.query.clone().unwrap_or_default())),
        },
        subjects: models
            .map(|model| SubjectChoice { name: String::new(), endpoint_id: endpoint_id.clone(), model: model.clone() })
            .collect(),
        most_steps: args.max_steps,
        seed: u64::from(args.seed),
        concurrency: args.concurrency,
        ..ExamRequest::default()
    };
    request.sampling.temperature = Some(args.temperature);
    request.sampling.max_tokens = Some(args.max_tokens);
    request.sampling.seed = Some(i64::from(args.seed));
    let id = api.eval_exam(request).await?.id;
    let topic = Event::eval_topic(&id);
    let done = loop {
        let view = api.eval_progress(IdRequest { id: id.clone() }).await?;
        if view.ended.is_some() {
            break view;
        }
        // The next word of it, or, where too many came at once, a look at how it stands.
        while let Ok(event) = events.recv().await {
            if event.topic == topic
                && let EventBody::EvalProgress(progress) = event.body
            {
                report
                    .progress(&format!("{} of {} answers, {} failed", progress.done, progress.total, progress.failed));
                if progress.ended.is_some() {
                    break;
                }
            }
        }
    };
    let view = api.eval_view(IdRequest { id }).await?;
    Ok((done, tw_app::report_as_markdown(&view), view))
}
