//! `tw hub`.

use std::path::absolute;
use std::sync::Arc;

use anyhow::{Context, bail};
use camino::Utf8PathBuf;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use tw_app::App;
use tw_contract::{
    CardChoice, Empty, Event, EventBody, FileChange, HitAction, HitDecision, HitTarget, HubDownload, HubEnd, HubJob,
    HubOutcome, HubPhase, HubPull, HubRepoKind, IdRequest, PublishCheck, PublishPlan, PublishWhat, RowChoice,
};

use crate::open::{Place, client};
use crate::report::Report;

/// `tw hub`
#[derive(Debug, Subcommand)]
pub(crate) enum HubCommand {
    /// Which Hub, who is signed in, where the token comes from (HF_ENDPOINT, HF_TOKEN)
    Whoami,
    /// Push to a repository, as one commit
    Push(Box<PushArgs>),
    /// Read the rows of a dataset into the workspace as traces
    Pull(PullArgs),
    /// Fetch a model into a folder, or go on with what is there of it
    Download(DownloadArgs),
}

/// What is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PushWhat {
    /// A version of a dataset
    Dataset,
    /// A trained adapter
    Adapter,
    /// A model
    Model,
}

/// `tw hub push`
#[derive(Debug, ClapArgs)]
pub(crate) struct PushArgs {
    /// What
    #[arg(value_enum)]
    pub(crate) what: PushWhat,
    /// Its id; of a dataset the first characters will do
    pub(crate) id: String,
    /// Where to
    #[arg(long, value_name = "OWNER/NAME")]
    pub(crate) repo: String,
    /// Everybody may see it, where the repository is made; otherwise it is private
    #[arg(long)]
    pub(crate) public: bool,
    /// The licence, such as apache-2.0
    #[arg(long, visible_alias = "license", value_name = "WORD")]
    pub(crate) licence: Option<String>,
    /// What it is, for the card
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) description: String,
    /// The commit's title
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) message: String,
    /// Each trace goes along as a session file
    #[arg(long)]
    pub(crate) sessions: bool,
    /// The card in the repository stays as it is
    #[arg(long)]
    pub(crate) keep_card: bool,
    /// Finds of the publish gate that are redacted: a kind (e-mail), an id, or all
    #[arg(long, value_name = "FIND")]
    pub(crate) redact: Vec<String>,
    /// Finds that are pushed as they are: a kind, an id, or all
    #[arg(long, value_name = "FIND")]
    pub(crate) allow: Vec<String>,
    /// Only say what would be pushed
    #[arg(long)]
    pub(crate) check: bool,
}

/// `tw hub pull`
#[derive(Debug, ClapArgs)]
pub(crate) struct PullArgs {
    /// The dataset
    #[arg(value_name = "OWNER/NAME")]
    pub(crate) repo: String,
    /// A branch, a tag or a commit
    #[arg(long, value_name = "NAME")]
    pub(crate) revision: Option<String>,
    /// A file of it; can be said again [default: those of its first configuration]
    #[arg(long = "file", value_name = "PATH")]
    pub(crate) files: Vec<String>,
    /// Only the first rows of each file
    #[arg(long, value_name = "N")]
    pub(crate) first: Option<u64>,
    /// What the rows are, as in `tw import`
    #[arg(long, default_value = "auto")]
    pub(crate) format: String,
}

/// `tw hub download`
#[derive(Debug, ClapArgs)]
pub(crate) struct DownloadArgs {
    /// The model
    #[arg(value_name = "OWNER/NAME")]
    pub(crate) repo: String,
    /// The folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Utf8PathBuf,
    /// A branch, a tag or a commit
    #[arg(long, value_name = "NAME")]
    pub(crate) revision: Option<String>,
    /// It is a dataset
    #[arg(long)]
    pub(crate) dataset: bool,
    /// Every file, not only those that are used here
    #[arg(long)]
    pub(crate) all: bool,
}

pub(crate) async fn hub(place: &Place, command: &HubCommand, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let done = match command {
        HubCommand::Whoami => whoami(&app, report).await,
        HubCommand::Push(args) => Box::pin(push(&app, args, report)).await,
        HubCommand::Pull(args) => pull(&app, args, report).await,
        HubCommand::Download(args) => download(&app, args, report).await,
    };
    app.shutdown().await;
    done
}

async fn whoami(app: &Arc<App>, report: &Report) -> anyhow::Result<()> {
    let status = client(app).hub_status(Empty {}).await?;
    if let Some(problem) = status.problem {
        return Err(problem.into());
    }
    let Some(account) = &status.account else {
        bail!("nobody is signed in to {}. Set HF_TOKEN, or sign in in the window's settings", status.endpoint);
    };
    report.result(&status, || {
        let rights = match account.can_write {
            Some(true) => "may write",
            Some(false) => "may only read",
            None => "has rights set one by one",
        };
        format!("{} at {}, with a token that {rights}", account.name, status.endpoint)
    })
}

fn decisions(args: &PushArgs, check: &PublishCheck) -> Vec<HitDecision> {
    let mut all = Vec::new();
    for (words, action) in [(&args.redact, HitAction::Redact), (&args.allow, HitAction::Allow)] {
        for word in words {
            if word == "all" {
                let kinds = check.hits.iter().map(|hit| HitTarget::Kind(hit.kind.clone()));
                all.extend(kinds.map(|target| HitDecision { target, action }));
            } else if check.hits.iter().any(|hit| hit.id == *word) {
                all.push(HitDecision { target: HitTarget::Hit(word.clone()), action });
            } else {
                all.push(HitDecision { target: HitTarget::Kind(word.clone()), action });
            }
        }
    }
    all
}

/// The version whose id begins so.
async fn version_of(app: &Arc<App>, id: &str) -> anyhow::Result<String> {
    let versions = client(app).dataset_list(Empty {}).await?;
    let mut fitting = versions.iter().filter(|version| version.id.starts_with(id));
    match (fitting.next(), fitting.next()) {
        (Some(version), None) if !id.is_empty() => Ok(version.id.clone()),
        (Some(_), Some(_)) => bail!("more than one version begins with {id}"),
        _ => bail!("there is no version {id}. `tw dataset list` shows them"),
    }
}

async fn push(app: &Arc<App>, args: &PushArgs, report: &Report) -> anyhow::Result<()> {
    if args.what != PushWhat::Dataset {
        bail!("this workspace has no adapters and models of its own yet: only datasets can be pushed");
    }
    let id = version_of(app, &args.id).await?;
    let mut plan = PublishPlan {
        what: PublishWhat::Dataset { id, sessions: args.sessions },
        repo: args.repo.clone(),
        private: !args.public,
        licence: args.licence.clone(),
        description: args.description.clone(),
        card: if args.keep_card { CardChoice::Keep } else { CardChoice::Written },
        decisions: Vec::new(),
        message: args.message.clone(),
    };
    let mut check = client(app).publish_check(plan.clone()).await?;
    let decided = decisions(args, &check);
    if !decided.is_empty() {
        plan.decisions = decided;
        check = client(app).publish_check(plan.clone()).await?;
    }
    if args.check {
        return report.result(&check, || said(&check));
    }
    if check.open_hits > 0 {
        for hit in check.hits.iter().filter(|hit| hit.action.is_none()) {
            let place = hit
                .places
                .first()
                .map(|place| format!("{} row {} {}: {}", place.path, place.row, place.field, place.excerpt));
            report.progress(&format!(
                "{} {} ({}), {} times; {}",
                hit.kind,
                hit.masked,
                hit.id,
                hit.count,
                place.unwrap_or_default()
            ));
        }
        bail!(
            "{} finds of the publish gate are undecided, nothing was pushed. Decide with --redact FIND and --allow FIND, \
             where FIND is a kind, an id or all",
            check.open_hits
        );
    }
    let job = client(app).publish_start(plan).await?;
    let outcome = wait(app, job, report).await?;
    report.result(&outcome, || format!("{}\n{}", outcome.summary, outcome.url))
}

fn said(check: &PublishCheck) -> String {
    let mut lines =
        vec![format!("{} ({})", check.url, if check.is_private { "private" } else { "public" }), check.message.clone()];
    for file in &check.files {
        let word = match file.change {
            FileChange::Added => "added",
            FileChange::Changed => "changed",
            FileChange::Same => "same",
            FileChange::Removed => "removed",
        };
        lines.push(format!("{word:<8} {:>12}  {}", file.bytes, file.path));
    }
    for hit in &check.hits {
        let action = match hit.action {
            Some(HitAction::Redact) => "redacted",
            Some(HitAction::Allow) => "allowed",
            None => "undecided",
        };
        lines.push(format!("{action:<9} {} {} ({}), {} times", hit.kind, hit.masked, hit.id, hit.count));
    }
    lines.extend(check.problems.iter().cloned());
    lines.join("\n")
}

async fn pull(app: &Arc<App>, args: &PullArgs, report: &Report) -> anyhow::Result<()> {
    let request = HubPull {
        repo: args.repo.clone(),
        revision: args.revision.clone(),
        files: args.files.clone(),
        rows: args.first.map_or(RowChoice::All, |count| RowChoice::Range { from: 0, count }),
        format: (args.format != "auto").then(|| args.format.clone()),
    };
    let job = client(app).hub_pull_start(request).await?;
    let outcome = wait(app, job, report).await?;
    report.result(&outcome, || {
        let mut text = outcome.summary.clone();
        for refusal in &outcome.refused {
            let line = refusal.line.map(|line| format!(", row {line}")).unwrap_or_default();
            text.push_str(&format!("\n{}{line}: {}", refusal.name, refusal.reason));
        }
        text
    })?;
    if outcome.traces.is_empty() && outcome.refused_count > 0 {
        bail!("nothing was imported");
    }
    Ok(())
}

async fn download(app: &Arc<App>, args: &DownloadArgs, report: &Report) -> anyhow::Result<()> {
    let folder = absolute(&args.out).with_context(|| format!("{} cannot be found", args.out))?;
    let request = HubDownload {
        kind: if args.dataset { HubRepoKind::Dataset } else { HubRepoKind::Model },
        repo: args.repo.clone(),
        revision: args.revision.clone(),
        folder: Some(folder.to_string_lossy().into_owned()),
        all_files: args.all,
    };
    let job = client(app).hub_download_start(request).await?;
    let outcome = wait(app, job, report).await?;
    report.result(&outcome, || outcome.summary.clone())
}

/// Waits for the end of a job and tells how far it is. Ctrl-C cancels it; what was done of it is used by the next try.
async fn wait(app: &Arc<App>, job: HubJob, report: &Report) -> anyhow::Result<HubOutcome> {
    let mut events = app.events();
    let topic = Event::hub_topic(&job.id);
    let id = || IdRequest { id: job.id.clone() };
    loop {
        match client(app).hub_job_view(id()).await?.ended {
            Some(HubEnd::Done(outcome)) => return Ok(outcome),
            Some(HubEnd::Cancelled) => bail!("it was cancelled"),
            Some(HubEnd::Failed(error)) => return Err(error.into()),
            None => {}
        }
        // The next word of it, or, where too many came at once, a look at how it stands.
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted?;
                    client(app).hub_job_cancel(id()).await?;
                    continue;
                }
            };
            let Ok(event) = event else { break };
            if event.topic == topic
                && let EventBody::HubJob(job) = event.body
            {
                report.progress(&progress(&job));
                if job.ended.is_some() {
                    break;
                }
            }
        }
    }
}

fn progress(job: &HubJob) -> String {
    let phase = match job.phase {
        HubPhase::Asking => "asking",
        HubPhase::Checking => "checking",
        HubPhase::Sending => "sending",
        HubPhase::Committing => "committing",
        HubPhase::Fetching => "fetching",
        HubPhase::Verifying => "verifying",
        HubPhase::Importing => "importing",
    };
    let percent = job.done.saturating_mul(100).checked_div(job.total);
    let percent = percent.map(|percent| format!(" {percent} %")).unwrap_or_default();
    let words = [&job.file, &job.note].map(|word| if word.is_empty() { String::new() } else { format!(" {word}") });
    format!("{phase}{percent}{}{}", words[0], words[1])
}
