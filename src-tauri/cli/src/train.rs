//! `tw train`, `tw jobs`, `tw job`, `tw pause`, `tw resume`, `tw stop`, `tw merge`.

use std::path::{PathBuf, absolute};
use std::sync::Arc;

use anyhow::{Context, bail};
use camino::Utf8PathBuf;
use clap::{Args as ClapArgs, ValueEnum};
use serde_json::Value;
use tw_app::App;
use tw_contract::{
    Empty, Event, EventBody, IdRequest, TrainDevice, TrainJob, TrainMerged, TrainNews, TrainPlan, TrainSettings,
    TrainState,
};

use crate::open::{Place, client};
use crate::report::Report;

/// Where to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Device {
    /// A GPU where there is one, else the processor
    Auto,
    /// The processor
    Cpu,
    /// A GPU
    Cuda,
}

/// `tw train`
#[derive(Debug, ClapArgs)]
pub(crate) struct TrainArgs {
    /// The dataset version's id, or the beginning of it
    #[arg(long, value_name = "ID")]
    pub(crate) dataset: String,
    /// The base model's folder
    #[arg(long, value_name = "DIR")]
    pub(crate) base: Utf8PathBuf,
    /// Settings that are not the defaults, such as: steps = 100, [lora] rank = 8, [optimizer] learning_rate = 1e-4
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) config: Option<Utf8PathBuf>,
    /// Where to compute
    #[arg(long, value_enum)]
    pub(crate) device: Option<Device>,
    /// Computes every row by itself, also where rows begin the same: the same gradients, slower
    #[arg(long)]
    pub(crate) no_trie: bool,
    /// Goes on with the last training of this dataset and base that has not come to its end
    #[arg(long)]
    pub(crate) resume: bool,
    /// Only says what it would amount to
    #[arg(long, conflicts_with = "resume")]
    pub(crate) dry_run: bool,
}

/// `tw job`, `tw pause`, `tw resume`, `tw stop`
#[derive(Debug, ClapArgs)]
pub(crate) struct OfJob {
    /// The training's id, or the beginning of it
    pub(crate) id: String,
}

/// `tw merge`
#[derive(Debug, ClapArgs)]
pub(crate) struct MergeArgs {
    /// The base model's folder
    #[arg(long, value_name = "DIR")]
    pub(crate) base: Utf8PathBuf,
    /// The adapter's folder
    #[arg(long, value_name = "DIR")]
    pub(crate) adapter: Utf8PathBuf,
    /// The folder to write; must not be there yet
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Utf8PathBuf,
}

/// What to ask of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Show,
    Pause,
    Resume,
    Stop,
}

fn full(path: &Utf8PathBuf) -> anyhow::Result<PathBuf> {
    absolute(path).with_context(|| format!("{path} cannot be found"))
}

/// The defaults, what the file says otherwise, and what the command line says otherwise than that.
fn settings(args: &TrainArgs) -> anyhow::Result<TrainSettings> {
    let mut settings = match &args.config {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?;
            from_toml(&text).with_context(|| format!("{path} is not a training's settings"))?
        }
        None => TrainSettings::default(),
    };
    settings.dataset.clone_from(&args.dataset);
    settings.base = full(&args.base)?.to_string_lossy().into_owned();
    match args.device {
        Some(Device::Auto) => settings.device = TrainDevice::Auto,
        Some(Device::Cpu) => settings.device = TrainDevice::Cpu,
        Some(Device::Cuda) => settings.device = TrainDevice::Cuda,
        None => {}
    }
    if args.no_trie {
        settings.share_prefixes = false;
    }
    Ok(settings)
}

fn from_toml(text: &str) -> anyhow::Result<TrainSettings> {
    let given: Value = toml::from_str(text)?;
    // A word that is misspelt would be passed over without a word.
    if let Some(unknown) = unknown(&given, &serde_json::to_value(TrainSettings::default())?, "") {
        bail!("there is no setting \"{unknown}\"");
    }
    Ok(serde_json::from_value(given)?)
}

/// The first setting that the known ones do not have.
fn unknown(given: &Value, known: &Value, path: &str) -> Option<String> {
    let (Value::Object(given), Value::Object(known)) = (given, known) else { return None };
    given.iter().find_map(|(name, value)| {
        let path = format!("{path}{name}");
        match known.get(name) {
            Some(known) => unknown(value, known, &format!("{path}.")),
            None => Some(path),
        }
    })
}

pub(crate) async fn train(place: &Place, args: &TrainArgs, report: &Report) -> anyhow::Result<()> {
    let settings = settings(args)?;
    let app = place.open().await?;
    let done = begin_and_follow(&app, args, settings, report).await;
    app.shutdown().await;
    done
}

async fn begin_and_follow(
    app: &Arc<App>,
    args: &TrainArgs,
    settings: TrainSettings,
    report: &Report,
) -> anyhow::Result<()> {
    if args.dry_run {
        let plan = client(app).train_plan(settings).await?;
        return report.result(&plan, || amounts_to(&plan));
    }
    let mut events = app.events();
    let job = if args.resume { taken_up(app, &settings).await? } else { client(app).train_start(settings).await? };
    report.progress(&format!("{}  {}", job.id, job.name));
    report.progress(&amounts_to(&job.plan));
    let topic = Event::train_topic(&job.id);
    let follow = async {
        loop {
            let now = client(app).train_view(IdRequest { id: job.id.clone() }).await?.job;
            if !now.state.is_live() {
                return Ok::<TrainJob, anyhow::Error>(now);
            }
            // The next word of it, or, where too many came at once, a look at how it stands.
            while let Ok(event) = events.recv().await {
                if event.topic != topic {
                    continue;
                }
                if let EventBody::TrainNews(news) = event.body {
                    tell(&news, report);
                    if !news.job.state.is_live() {
                        break;
                    }
                }
            }
        }
    };
    let interrupted = tokio::signal::ctrl_c();
    let job = tokio::select! {
        ended = follow => ended?,
        _ = interrupted => {
            let now = client(app).train_view(IdRequest { id: job.id.clone() }).await?.job;
            let short = short_id(&now.id);
            report.progress(&match now.state {
                TrainState::Queued => format!(
                    "It waits in the queue, and begins when this workspace is open again. `tw stop {short}` takes it out."
                ),
                _ => format!(
                    "The training goes on without this program. `tw job {short}` shows how it stands, `tw stop {short}` ends it with a checkpoint."
                ),
            });
            now
        }
    };
    report.result(&job, || line(&job))?;
    match job.state {
        TrainState::Failed | TrainState::Lost => bail!("{}", job.error.unwrap_or_default()),
        _ => Ok(()),
    }
}

/// The last training of this dataset and base that did not come to its end.
async fn taken_up(app: &Arc<App>, settings: &TrainSettings) -> anyhow::Result<TrainJob> {
    let jobs = client(app).train_list(Empty {}).await?;
    let fits = |job: &&TrainJob| {
        let state = matches!(job.state, TrainState::Stopped | TrainState::Failed | TrainState::Lost);
        state && job.dataset_id.starts_with(&settings.dataset) && job.settings.base == settings.base
    };
    let Some(job) = jobs.iter().find(fits) else {
        bail!("no training of this dataset and base waits to be taken up again. `tw jobs` shows them all");
    };
    Ok(client(app).train_resume(IdRequest { id: job.id.clone() }).await?)
}

fn tell(news: &TrainNews, report: &Report) {
    for point in &news.points {
        let eval = news.evals.iter().find(|eval| eval.step == point.step);
        let eval = eval.map(|eval| format!(", validation {:.4}", eval.loss)).unwrap_or_default();
        let left = news.job.seconds_left.map(|seconds| format!(", {} left", time(seconds))).unwrap_or_default();
        report.progress(&format!("step {} of {}: loss {:.4}{eval}{left}", point.step, news.job.plan.steps, point.loss));
    }
    for said in &news.log {
        report.progress(&said.text);
    }
}

fn time(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

fn amounts_to(plan: &TrainPlan) -> String {
    let share = 100.0 * plan.trained_parameters as f64 / plan.base_parameters.max(1) as f64;
    let mut text = format!(
        "{} rows of {} tokens, {} computed in an epoch ({} packs); {} steps; {:.2} % of the base's size is trained; about {:.1} GB of memory on {}",
        plan.rows,
        plan.row_tokens,
        plan.pack_tokens,
        plan.packs,
        plan.steps,
        share,
        plan.peak_bytes as f64 / 1e9,
        if plan.device.is_empty() { "an unknown device" } else { &plan.device },
    );
    if let Some(seconds) = plan.seconds {
        text.push_str(&format!("; about {}", time(seconds)));
    }
    for warning in &plan.warnings {
        text.push('\n');
        text.push_str(warning);
    }
    if let Some(refusal) = &plan.refusal {
        text.push_str(&format!("\nIt cannot start: {} {}", refusal.reason, refusal.suggestion));
    }
    text
}

/// Ids are uuid v7: their first part is the time, which trainings of one hour share.
fn short_id(id: &str) -> &str {
    id.get(..18).unwrap_or(id)
}

fn word(state: TrainState) -> &'static str {
    match state {
        TrainState::Queued => "waits",
        TrainState::Preparing => "is made ready",
        TrainState::Running => "runs",
        TrainState::Paused => "is paused",
        TrainState::Stopping => "is stopping",
        TrainState::Stopped => "stopped",
        TrainState::Done => "done",
        TrainState::Failed => "failed",
        TrainState::Lost => "lost",
    }
}

fn line(job: &TrainJob) -> String {
    let loss = job.loss.map(|loss| format!(", loss {loss:.4}")).unwrap_or_default();
    let left = job.seconds_left.map(|seconds| format!(", {} left", time(seconds))).unwrap_or_default();
    let mut text = format!(
        "{}  {}  {}, step {} of {}{loss}{left}",
        short_id(&job.id),
        job.name,
        word(job.state),
        job.step,
        job.plan.steps
    );
    if let Some(adapter) = &job.adapter {
        text.push_str(&format!("\n  {adapter}"));
    }
    if let Some(error) = &job.error {
        text.push_str(&format!("\n  {error}"));
    }
    text
}

/// `tw jobs`
pub(crate) fn list(place: &Place, report: &Report) -> anyhow::Result<()> {
    let jobs = place.trainings()?.list();
    report.result(&jobs, || jobs.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// `tw job`, `tw pause`, `tw resume`, `tw stop`: also while a window has the workspace open.
pub(crate) fn ask(place: &Place, of: &OfJob, ask: Ask, report: &Report) -> anyhow::Result<()> {
    let desk = place.trainings()?;
    let job = match ask {
        Ask::Show => {
            let view = desk.view(&of.id)?;
            return report.result(&view, || {
                let mut text = line(&view.job);
                for said in &view.log {
                    text.push_str(&format!("\n{:>8}  {}", said.step, said.text));
                }
                text
            });
        }
        Ask::Pause => desk.pause(&of.id)?,
        Ask::Resume => desk.resume(&of.id)?,
        Ask::Stop => desk.stop(&of.id)?,
    };
    report.result(&job, || line(&job))
}

/// `tw merge`
pub(crate) fn merge(args: &MergeArgs, report: &Report) -> anyhow::Result<()> {
    let (base, adapter, out) = (full(&args.base)?, full(&args.adapter)?, full(&args.out)?);
    tw_app::merge_folders(&base, &adapter, &out, &|text| report.progress(text))?;
    let merged = TrainMerged { folder: out.to_string_lossy().into_owned(), model: None };
    report.result(&merged, || merged.folder.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_says_only_what_differs_and_a_misspelt_word_is_named() {
        let read = from_toml("steps = 7\n[lora]\nrank = 4\nalpha = 8\n[optimizer]\nschedule = \"cosine\"\n").unwrap();
        assert_eq!((read.steps, read.lora.rank, read.lora.targets.len(), read.max_tokens), (Some(7), 4, 7, 32_768));
        let said = |text: &str| from_toml(text).unwrap_err().to_string();
        assert!(said("stepps = 7").contains("stepps"));
        assert!(said("[lora]\nrang = 7").contains("lora.rang"));
        assert!(!said("steps = \"many\"").is_empty());
    }
}
