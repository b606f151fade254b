//! Pushing: what would leave the machine, what was decided about it, and the one commit that brings it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tw_artifact::{DatasetPush, Json};
use tw_contract::{
    ApiError, CardChoice, Commands, DatasetView, ErrorCode, Event, EventBody, FileChange, HitAction, HubEnd, HubJob,
    HubOutcome, HubPhase, IdRequest, PublishCheck, PublishFile, PublishHit, PublishPlan, PublishWhat,
};
use tw_formats::{Format, FormatTrace};
use tw_hub::{Change, FileDiff, HubClient, HubError, LocalFile, Push, RemoteFile, RepoId, RepoInfo, RepoKind, diff};

use crate::App;
use crate::card::{CardFacts, is_edited, write_card};
use crate::errors::{Api, IntoApi};
use crate::export::format_message;
use crate::gate::{Decisions, Gate};
use crate::remote::{Job, Order};

/// The setting with the finds that were allowed once.
const ALLOWED_KEY: &str = "publish-allowed";
/// Where the card lies.
const CARD: &str = "README.md";
/// The largest card that is read.
const MOST_CARD_BYTES: u64 = 4 << 20;

/// What is pushed, ready on disk.
struct Staged {
    /// Removed with it.
    folder: PathBuf,
    files: Vec<(String, PathBuf)>,
    hits: Vec<PublishHit>,
    /// Finds about which nothing was decided.
    open: u32,
    rows: u64,
    card: Option<String>,
    view: DatasetView,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What is left of it is overwritten by the next push.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// What is in the repository.
struct There {
    info: RepoInfo,
    files: Vec<RemoteFile>,
}

impl App {
    pub(crate) async fn check_publish(&self, plan: PublishPlan) -> Result<PublishCheck, ApiError> {
        let PublishWhat::Dataset { id, .. } = &plan.what;
        let job = self.remote.enter(&self.hub, id, Order::Check, &plan.repo);
        let checked = Box::pin(self.check(&plan, &job)).await;
        let cancelled = job.cancel_token().is_cancelled();
        job.tell(true, |job| {
            job.ended = Some(match &checked {
                Ok(_) => HubEnd::Done(HubOutcome::default()),
                Err(_) if cancelled => HubEnd::Cancelled,
                Err(error) => HubEnd::Failed(error.clone()),
            });
        });
        self.remote.leave(id);
        checked
    }

    async fn check(&self, plan: &PublishPlan, job: &Arc<Job>) -> Result<PublishCheck, ApiError> {
        let repo = RepoId::parse(RepoKind::Dataset, &plan.repo).api()?;
        let client = self.hub_client().await?;
        let staged = self.stage(plan, &repo, job).await?;
        let mut problems = self.problems(&client, &repo).await;
        let there = match look(&client, &repo, job).await {
            Ok(there) => there,
            Err(error) => {
                problems.push(error.into_api().to_string());
                None
            }
        };
        let local = local_files(&staged).await?;
        let changes = diff(&local, there.as_ref().map_or(&[][..], |there| there.files.as_slice()), is_ours);
        let card_there = match &there {
            Some(there) => edited_card(&client, &repo, there).await,
            None => None,
        };
        let send_bytes = sent_bytes(&changes);
        if !changes.is_empty() && changes.iter().all(|change| change.change == Change::Same) {
            problems.push("The repository has all of this already: nothing would change.".to_owned());
        }
        let message = message_of(plan, &staged.view, &changes);
        Ok(PublishCheck {
            url: client.page_of(&repo),
            exists: there.is_some(),
            is_private: there.as_ref().map_or(plan.private, |there| there.info.is_private),
            files: changes.iter().map(publish_file).collect(),
            send_bytes,
            card: staged.card.clone().unwrap_or_default(),
            card_there,
            hits: staged.hits.clone(),
            open_hits: staged.open,
            rows: staged.rows,
            message,
            problems,
        })
    }

    /// What speaks against a push, as far as the account tells.
    async fn problems(&self, client: &HubClient, repo: &RepoId) -> Vec<String> {
        match client.whoami().await {
            Err(error) => vec![error.into_api().to_string()],
            Ok(account) => {
                let mut problems = Vec::new();
                if account.can_write == Some(false) {
                    problems.push("The token may only read. Sign in with one that may write.".to_owned());
                }
                if account.name != repo.owner() && !account.organisations.iter().any(|name| name == repo.owner()) {
                    problems.push(format!("The account {} is not part of {}.", account.name, repo.owner()));
                }
                problems
            }
        }
    }

    /// Looks at everything first, and refuses while something is undecided.
    pub(crate) async fn start_publish(&self, plan: PublishPlan) -> Result<HubJob, ApiError> {
        let PublishWhat::Dataset { id, .. } = &plan.what;
        let repo = RepoId::parse(RepoKind::Dataset, &plan.repo).api()?;
        let job = self.remote.enter(&self.hub, id, Order::Check, &plan.repo);
        let staged = Box::pin(self.stage(&plan, &repo, &job)).await;
        self.remote.leave(id);
        refuse_open(&staged?)?;
        let repo = plan.repo.clone();
        self.start_hub_job(Order::Publish(Box::new(plan)), &repo)
    }

    /// The whole push, from the files to the commit.
    pub(crate) async fn publish(&self, plan: PublishPlan, job: &Arc<Job>) -> Result<HubOutcome, ApiError> {
        let repo = RepoId::parse(RepoKind::Dataset, &plan.repo).api()?;
        let client = self.hub_client().await?;
        let staged = self.stage(&plan, &repo, job).await?;
        refuse_open(&staged)?;
        let local = local_files(&staged).await?;
        job.begins(HubPhase::Asking, 0);
        let work = job.work();
        let there = match look(&client, &repo, job).await.api()? {
            Some(there) => there,
            None => {
                client.create(&repo, plan.private, &work).await.api()?;
                let made = look(&client, &repo, job).await.api()?;
                made.ok_or_else(|| ApiError::new(ErrorCode::Hub, "The repository was made and is not there."))?
            }
        };
        let changes = diff(&local, &there.files, is_ours);
        let title = message_of(&plan, &staged.view, &changes);
        let push = Push {
            repo: &repo,
            branch: "main",
            parent: &there.info.commit,
            files: &local,
            changes: &changes,
            title: &title,
            description: &description_of(&staged.view, &changes),
        };
        let pushed = client.push(&push, &work).await.api()?;
        self.remember_allowed(&staged.hits).await?;
        self.remember_push(&staged.view.version.id, &repo, &client, &pushed.commit).await;
        let changed = changes.iter().filter(|change| change.change != Change::Same).count();
        let summary = if changed == 0 {
            format!("{} has all of this already: nothing was sent.", repo.id())
        } else {
            format!("{title}: {changed} of {} files changed, {} bytes sent.", changes.len(), pushed.sent_bytes)
        };
        Ok(HubOutcome {
            summary,
            url: pushed.url,
            commit: pushed.commit,
            files: changes.iter().map(publish_file).collect(),
            ..HubOutcome::default()
        })
    }

    /// The push is made: that it cannot be remembered is no reason to call it failed.
    async fn remember_push(&self, version: &str, repo: &RepoId, client: &HubClient, commit: &str) {
        let push = DatasetPush {
            repo: repo.id(),
            commit: commit.to_owned(),
            url: format!("{}/tree/{commit}", client.page_of(repo)),
            at_ms: jiff::Timestamp::now().as_millisecond(),
        };
        let (root, version) = (self.datasets_folder(), version.to_owned());
        match crate::blocking(move || tw_dataset::add_push(&root, &version, &push).api()).await {
            Ok(Ok(())) => {
                self.hub.emit(Event::DATASETS, EventBody::DatasetsChanged);
            }
            Ok(Err(error)) | Err(error) => tracing::warn!(%error, "where the version was pushed to is not remembered"),
        }
    }

    async fn remember_allowed(&self, hits: &[PublishHit]) -> Result<(), ApiError> {
        let mut allowed: Vec<String> = self.store.get_setting(ALLOWED_KEY).await.api()?.unwrap_or_default();
        for hit in hits {
            allowed.retain(|id| *id != hit.id);
            if hit.action == Some(HitAction::Allow) {
                allowed.push(hit.id.clone());
            }
        }
        self.store.set_setting(ALLOWED_KEY, &allowed).await.api()
    }

    /// Puts everything that is to be pushed on disk as it would be pushed, and looks at it.
    async fn stage(&self, plan: &PublishPlan, repo: &RepoId, job: &Arc<Job>) -> Result<Staged, ApiError> {
        let PublishWhat::Dataset { id, sessions } = &plan.what;
        let view = self.dataset_view(IdRequest { id: id.clone() }).await?;
        let rows = u64::from(view.version.train.rows) + u64::from(view.version.validation.rows);
        job.begins(HubPhase::Checking, rows);
        let folder = self.workspace.join("publish").join(crate::endpoints::new_id()).into_std_path_buf();
        std::fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, &error))?;
        let mut staged = Staged { folder, files: Vec::new(), hits: Vec::new(), open: 0, rows: 0, card: None, view };
        for file in staged.view.files.iter().filter(|file| file.rows > 0) {
            if let Some(path) = remote_path(&file.name) {
                staged.files.push((path, Path::new(&staged.view.folder).join(&file.name)));
            }
        }
        if *sessions {
            self.write_sessions(&mut staged, job).await?;
        }
        let allowed: Vec<String> = self.store.get_setting(ALLOWED_KEY).await.api()?.unwrap_or_default();
        let decisions = Decisions::new(&plan.decisions, allowed);
        let (plan, job, repo) = (plan.clone(), Arc::clone(job), repo.id());
        crate::blocking(move || pass_gate(staged, &plan, &repo, &decisions, &job)).await?
    }

    /// Each trace of the version as a session file, at the revision that the version was built of.
    async fn write_sessions(&self, staged: &mut Staged, job: &Arc<Job>) -> Result<(), ApiError> {
        let folder = staged.folder.join("sessions");
        std::fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, &error))?;
        for source in &staged.view.sources {
            if job.cancel_token().is_cancelled() {
                return Err(cancelled());
            }
            let edition = match self.store.edition(&source.id, Some(source.revision)).await {
                Ok(edition) => edition,
                // It was removed since: its rows are in the version, its session is not.
                Err(tw_store::StoreError::NotFound { .. }) => continue,
                Err(error) => return Err(error.into_api()),
            };
            let summary = self.store.summary(&source.id).await.api()?;
            let is_kept = |excluded: bool| !(staged.view.plan.honour_keep_out && excluded);
            let trace = FormatTrace {
                title: Some(summary.title),
                timestamp_ms: Some(summary.created_at_ms),
                model: summary.model,
                messages: edition
                    .messages
                    .iter()
                    .filter(|edited| is_kept(edited.marks.excluded))
                    .map(format_message)
                    .collect(),
                tools: edition.tools,
                ..FormatTrace::default()
            };
            let path = folder.join(format!("{}.jsonl", source.id));
            let mut text = Vec::new();
            tw_formats::write(Format::Sts, &trace, &mut text)
                .map_err(|error| ApiError::new(ErrorCode::Internal, tw_collect::sentence(&error.to_string())))?;
            std::fs::write(&path, text).map_err(|error| unwritable(&path, &error))?;
            staged.files.push((format!("sessions/{}.jsonl", source.id), path));
        }
        Ok(())
    }
}

/// Looks at the files, redacts them, writes the card, and looks at all of that.
fn pass_gate(
    mut staged: Staged,
    plan: &PublishPlan,
    repo: &str,
    decisions: &Decisions,
    job: &Arc<Job>,
) -> Result<Staged, ApiError> {
    let cancel = job.cancel_token();
    let mut gate = Gate::default();
    loop {
        for (path, file) in &staged.files {
            gate.read(path, file, &mut |row| {
                if row % 64 == 0 {
                    job.tell(false, |job| job.done = row);
                }
                !cancel.is_cancelled()
            })?;
            if cancel.is_cancelled() {
                return Err(cancelled());
            }
        }
        gate.read_text(CARD, &plan.description);
        if let CardChoice::Text(text) = &plan.card {
            gate.read_text(CARD, text);
        }
        if !gate.looks_again() {
            break;
        }
    }
    staged.hits = gate.hits(decisions);
    staged.rows = gate.rows;
    let open = staged.hits.iter().filter(|hit| hit.action.is_none()).count() as u64 + gate.untold();
    staged.open = u32::try_from(open).unwrap_or(u32::MAX);
    if gate.redacts_any(decisions) {
        let folder = staged.folder.join("redacted");
        for (path, file) in &mut staged.files {
            let out = folder.join(&*path);
            if let Some(parent) = out.parent() {
                std::fs::create_dir_all(parent).map_err(|error| unwritable(parent, &error))?;
            }
            gate.rewrite(path, file, &out, decisions)?;
            *file = out;
            if cancel.is_cancelled() {
                return Err(cancelled());
            }
        }
        prove(&staged, &gate, decisions)?;
    }
    let card = match &plan.card {
        CardChoice::Keep => None,
        CardChoice::Text(text) => Some(text.clone()),
        CardChoice::Written => {
            let paths: Vec<String> = staged.files.iter().map(|(path, _)| path.clone()).collect();
            let example = staged
                .files
                .iter()
                .find(|(path, _)| path.starts_with("data/train-"))
                .and_then(|(_, file)| first_row(file));
            Some(write_card(&CardFacts {
                view: &staged.view,
                repo,
                licence: plan.licence.as_deref().filter(|licence| !licence.is_empty()),
                description: &plan.description,
                paths: &paths,
                models: &gate.models,
                tools: &gate.tools,
                example: example.as_ref(),
            }))
        }
    };
    if let Some(card) = card {
        let card = redacted_lines(&mut gate, &card, decisions);
        let path = staged.folder.join(CARD);
        std::fs::write(&path, &card).map_err(|error| unwritable(&path, &error))?;
        staged.files.push((CARD.to_owned(), path));
        staged.card = Some(card);
    }
    Ok(staged)
}

fn redacted_lines(gate: &mut Gate, text: &str, decisions: &Decisions) -> String {
    let mut new = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (words, end) = line.strip_suffix('\n').map_or((line, ""), |words| (words, "\n"));
        new.push_str(&gate.redacted(words, decisions).unwrap_or_else(|| words.to_owned()));
        new.push_str(end);
    }
    new
}

/// Looks at what was redacted once more: nothing of it may be left.
fn prove(staged: &Staged, gate: &Gate, decisions: &Decisions) -> Result<(), ApiError> {
    let mut after = gate.again();
    for (path, file) in &staged.files {
        after.read(path, file, &mut |_| true)?;
    }
    match after.hits(decisions).iter().find(|hit| hit.action != Some(HitAction::Allow)) {
        None => Ok(()),
        Some(hit) => {
            let place =
                hit.places.first().map(|place| format!("{}, row {}", place.path, place.row)).unwrap_or_default();
            Err(ApiError::new(
                ErrorCode::Internal,
                format!("{} is still there after it was redacted ({place}).", hit.label),
            )
            .with_hint("Nothing was pushed. Repair it in Review, and build the dataset again."))
        }
    }
}

fn first_row(file: &Path) -> Option<Json> {
    struct Disk(std::fs::File, u64);
    impl tw_formats::Pieces for Disk {
        fn bytes(&self) -> u64 {
            self.1
        }
        fn fetch(&self, from: u64, length: usize) -> std::io::Result<bytes::Bytes> {
            use std::io::{Read, Seek, SeekFrom};
            let mut file = &self.0;
            file.seek(SeekFrom::Start(from))?;
            let mut held = Vec::new();
            file.take(length as u64).read_to_end(&mut held)?;
            Ok(held.into())
        }
    }
    let open = std::fs::File::open(file).ok()?;
    let bytes = open.metadata().ok()?.len();
    tw_formats::TableRows::open(Arc::new(Disk(open, bytes))).ok()?.next_row()?.ok()
}

fn refuse_open(staged: &Staged) -> Result<(), ApiError> {
    match staged.open {
        0 => Ok(()),
        open => Err(ApiError::invalid(format!("{open} finds of the publish gate are undecided."))
            .with_hint("Choose redact or allow for each of them.")),
    }
}

fn cancelled() -> ApiError {
    HubError::Cancelled.into_api()
}

/// What is there of the repository; `None` where it is not.
async fn look(client: &HubClient, repo: &RepoId, job: &Arc<Job>) -> Result<Option<There>, HubError> {
    let work = job.work();
    let info = match client.info(repo, None, &work).await {
        Err(HubError::NotFound { .. }) => return Ok(None),
        // Without a token nobody is told whether it is there.
        Err(HubError::NotSignedIn) if !client.has_token() => return Ok(None),
        result => result?,
    };
    let files = client.files(repo, &info.commit, &work).await?;
    Ok(Some(There { info, files }))
}

/// The card in the repository, where somebody changed it.
async fn edited_card(client: &HubClient, repo: &RepoId, there: &There) -> Option<String> {
    there.files.iter().find(|file| file.path == CARD)?;
    let bytes = client.small_file(repo, &there.info.commit, CARD, MOST_CARD_BYTES).await.ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    is_edited(&text).then_some(text)
}

async fn local_files(staged: &Staged) -> Result<Vec<LocalFile>, ApiError> {
    let files = staged.files.clone();
    crate::blocking(move || {
        files
            .iter()
            .map(|(path, file)| LocalFile::open(path, file))
            .collect::<Result<Vec<_>, _>>()
            .map_err(IntoApi::into_api)
    })
    .await?
}

/// Where a file of a version goes; `None` for one that stays here.
fn remote_path(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".parquet")?;
    let (folder, split) = match stem.strip_prefix("preferences-") {
        Some(split) => ("preferences", split),
        None => ("data", stem),
    };
    ["train", "validation"].contains(&split).then(|| format!("{folder}/{split}-00000-of-00001.parquet"))
}

/// Whether a file of the repository is part of a push: it goes when a later push does not have it.
fn is_ours(path: &str) -> bool {
    let is_table = |folder: &str| path.starts_with(folder) && path.ends_with(".parquet");
    is_table("data/") || is_table("preferences/") || (path.starts_with("sessions/") && path.ends_with(".jsonl"))
}

fn sent_bytes(changes: &[FileDiff]) -> u64 {
    let is_sent = |change: &&FileDiff| matches!(change.change, Change::Added | Change::Changed);
    changes.iter().filter(is_sent).map(|change| change.bytes).sum()
}

fn publish_file(change: &FileDiff) -> PublishFile {
    let becomes = match change.change {
        Change::Added => FileChange::Added,
        Change::Changed => FileChange::Changed,
        Change::Same => FileChange::Same,
        Change::Removed => FileChange::Removed,
    };
    PublishFile { path: change.path.clone(), bytes: change.bytes, change: becomes }
}

fn message_of(plan: &PublishPlan, view: &DatasetView, changes: &[FileDiff]) -> String {
    let own = plan.message.trim();
    if !own.is_empty() {
        return own.lines().next().unwrap_or_default().to_owned();
    }
    let count = |wanted: Change| changes.iter().filter(|change| change.change == wanted).count();
    let mut parts = Vec::new();
    for (wanted, word) in [(Change::Added, "added"), (Change::Changed, "changed"), (Change::Removed, "removed")] {
        match count(wanted) {
            0 => {}
            1 => parts.push(format!("1 file {word}")),
            many => parts.push(format!("{many} files {word}")),
        }
    }
    let what = if parts.is_empty() { "nothing changed".to_owned() } else { parts.join(", ") };
    format!("{} {}: {what}", view.version.name, view.version.short_id())
}

/// What changed, file by file.
fn description_of(view: &DatasetView, changes: &[FileDiff]) -> String {
    /// Files that are named.
    const NAMED: usize = 50;
    let version = &view.version;
    let mut text = format!(
        "Version {}: {} rows to train on, {} to validate on.\n",
        version.short_id(),
        version.train.rows,
        version.validation.rows
    );
    let changed: Vec<&FileDiff> = changes.iter().filter(|change| change.change != Change::Same).collect();
    for change in changed.iter().take(NAMED) {
        let word = match change.change {
            Change::Added => "added",
            Change::Removed => "removed",
            Change::Changed | Change::Same => "changed",
        };
        text.push_str(&format!("\n- {word} {} ({} bytes)", change.path, change.bytes));
    }
    if changed.len() > NAMED {
        text.push_str(&format!("\n- and {} more", changed.len() - NAMED));
    }
    text
}

fn unwritable(path: &Path, error: &std::io::Error) -> ApiError {
    let full = error.kind() == std::io::ErrorKind::StorageFull;
    let code = if full { ErrorCode::DiskFull } else { ErrorCode::Internal };
    ApiError::new(code, format!("{} cannot be written: {error}.", path.display()))
}
