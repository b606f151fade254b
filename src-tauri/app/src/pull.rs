//! From the Hub to this machine: rows into the workspace as traces, and models into a folder.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Handle;
use tw_contract::{
    ApiError, ErrorCode, Event, EventBody, HubDownload, HubJob, HubOutcome, HubPhase, HubPull, HubRepoKind, ImportPlan,
    ImportSource, RowChoice,
};
use tw_hub::{HubClient, HubError, RemoteFile, RepoId, RepoInfo, RepoKind, model_needs};

use crate::App;
use crate::errors::{Api, IntoApi};
use crate::remote::{Job, Order};
use crate::remote_rows::{DistantFile, Rows, has_rows, repo_kind, splits_of};

/// A folder below the workspace that goes with its owner.
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        // Whatever is left of it lies in the workspace's own folder and is never read again.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

impl App {
    pub(crate) fn start_pull(&self, request: HubPull) -> Result<HubJob, ApiError> {
        let repo = RepoId::parse(RepoKind::Dataset, &request.repo).api()?;
        if let Some(name) = &request.format
            && tw_formats::Format::parse(name).is_none()
        {
            return Err(crate::import::unknown_format(name));
        }
        self.start_hub_job(Order::Pull(Box::new(request)), &repo.id())
    }

    pub(crate) fn start_download(&self, request: HubDownload) -> Result<HubJob, ApiError> {
        let repo = RepoId::parse(repo_kind(request.kind), &request.repo).api()?;
        self.start_hub_job(Order::Download(Box::new(request)), &repo.id())
    }

    pub(crate) async fn download(&self, request: HubDownload, job: &Arc<Job>) -> Result<HubOutcome, ApiError> {
        let repo = RepoId::parse(repo_kind(request.kind), &request.repo).api()?;
        let client = self.hub_client().await?;
        let (info, all) = look(&client, &repo, request.revision.as_deref(), job).await?;
        let takes_all = request.all_files || request.kind == HubRepoKind::Dataset;
        let files: Vec<RemoteFile> = all.iter().filter(|file| takes_all || model_needs(&file.path)).cloned().collect();
        if !takes_all && !files.iter().any(|file| file.path.ends_with(".safetensors")) {
            return Err(ApiError::invalid(format!("{} has no weights as safetensors.", repo.id()))
                .with_hint("Fetch all of its files, or choose another copy of the model."));
        }
        let folder = match &request.folder {
            Some(folder) => PathBuf::from(folder),
            None => {
                let name = format!("{}--{}", repo.owner(), repo.name());
                self.workspace.join("models").join(name).into_std_path_buf()
            }
        };
        let fetched = client.download(&repo, &info.commit, &files, &folder, &job.work()).await.api()?;
        let summary = format!(
            "{} files of {} are in {}; {} of {} bytes were fetched.",
            fetched.files,
            repo.id(),
            folder.display(),
            fetched.fetched_bytes,
            fetched.bytes
        );
        Ok(HubOutcome {
            summary,
            url: client.page_of(&repo),
            commit: info.commit,
            folder: Some(folder.display().to_string()),
            ..HubOutcome::default()
        })
    }

    pub(crate) async fn pull(&self, request: HubPull, job: &Arc<Job>) -> Result<HubOutcome, ApiError> {
        let repo = RepoId::parse(RepoKind::Dataset, &request.repo).api()?;
        let client = self.hub_client().await?;
        let (info, all) = look(&client, &repo, request.revision.as_deref(), job).await?;
        let files = wanted(&request, &info, &all)?;
        // The name is that of the job: what was fetched is there when it is taken up again.
        let folder = self.workspace.join("pulled").join(&job.view().id).into_std_path_buf();
        let mut format = request.format.clone();
        match &request.rows {
            RowChoice::All => {
                client.download(&repo, &info.commit, &files, &folder, &job.work()).await.api()?;
            }
            rows => {
                format = format.filter(|name| name != "parquet");
                let (rows, job) = (rows.clone(), Arc::clone(job));
                let folder = folder.clone();
                let handle = Handle::current();
                let sources = files
                    .iter()
                    .map(|file| Ok((file.path.clone(), client.range_file(&repo, &info.commit, &file.path).api()?)))
                    .collect::<Result<Vec<_>, ApiError>>()?;
                crate::blocking(move || {
                    job.begins(HubPhase::Fetching, 0);
                    for (path, file) in sources {
                        job.tell(false, |job| job.file.clone_from(&path));
                        let distant = Arc::new(DistantFile::open(file, handle.clone())?);
                        copy_rows(&path, &distant, &rows, &folder, &job)?;
                    }
                    Ok::<(), ApiError>(())
                })
                .await??;
            }
        }
        // From here on it is either imported or given up: nothing is kept for another try.
        let folder = Passing(folder);
        let mut outcome = self.import_pulled(&folder.0, format, job).await?;
        outcome.url = client.page_of(&repo);
        outcome.commit = info.commit;
        outcome.summary = format!(
            "{} traces of {} were imported, {} refused.",
            outcome.traces.len(),
            repo.id(),
            outcome.refused_count
        );
        Ok(outcome)
    }

    /// Imports what lies in a folder, as any import, and waits for its end.
    async fn import_pulled(
        &self,
        folder: &Path,
        format: Option<String>,
        job: &Arc<Job>,
    ) -> Result<HubOutcome, ApiError> {
        job.begins(HubPhase::Importing, 0);
        let mut events = self.events();
        let plan = ImportPlan { sources: vec![ImportSource::Path(folder.display().to_string())], format };
        let started = self.start_import(plan).await?;
        let topic = Event::import_topic(&started.id);
        let cancel = job.cancel_token();
        loop {
            let view = self.imports.view(&started.id)?;
            if let Some(ended) = &view.ended {
                if ended == "cancelled" {
                    return Err(HubError::Cancelled.into_api());
                }
                if ended != "done" {
                    return Err(ApiError::new(ErrorCode::Internal, format!("The import ended early: {ended}")));
                }
                let prefix = format!("{}/", folder.display());
                let plain = |name: &str| name.strip_prefix(&prefix).unwrap_or(name).to_owned();
                let mut outcome = HubOutcome {
                    traces: view.traces,
                    refused: view.refused,
                    refused_count: view.refused_count,
                    ..HubOutcome::default()
                };
                for trace in &mut outcome.traces {
                    trace.name = plain(&trace.name);
                }
                for refused in &mut outcome.refused {
                    refused.name = plain(&refused.name);
                }
                return Ok(outcome);
            }
            job.tell(false, |job| {
                job.done = view.done_bytes;
                job.total = view.total_bytes;
            });
            tokio::select! {
                () = cancel.cancelled() => self.imports.cancel(&started.id)?,
                () = next_of(&mut events, &topic) => {}
            }
            if cancel.is_cancelled() {
                next_of(&mut events, &topic).await;
            }
        }
    }
}

/// Waits for the next word of an import, or for so many words of others that one of it may be lost.
async fn next_of(events: &mut tokio::sync::broadcast::Receiver<Event>, topic: &str) {
    while let Ok(event) = events.recv().await {
        if event.topic == topic && matches!(event.body, EventBody::ImportProgress(_)) {
            return;
        }
    }
}

async fn look(
    client: &HubClient,
    repo: &RepoId,
    revision: Option<&str>,
    job: &Arc<Job>,
) -> Result<(RepoInfo, Vec<RemoteFile>), ApiError> {
    job.begins(HubPhase::Asking, 0);
    let work = job.work();
    let info = client.info(repo, revision, &work).await.api()?;
    let files = client.files(repo, &info.commit, &work).await.api()?;
    Ok((info, files))
}

/// The files that rows are read from.
fn wanted(request: &HubPull, info: &RepoInfo, all: &[RemoteFile]) -> Result<Vec<RemoteFile>, ApiError> {
    if !request.files.is_empty() {
        let find = |path: &String| {
            let file = all.iter().find(|file| file.path == *path).cloned();
            file.ok_or_else(|| ApiError::not_found(&format!("file {path} in {}", request.repo)))
        };
        return request.files.iter().map(find).collect();
    }
    let splits = splits_of(&info.card);
    // The first configuration is the usual one; the others show the same data in other ways.
    let config = splits.first().map(|split| split.config.clone());
    let patterns: Vec<&str> = splits
        .iter()
        .filter(|split| Some(&split.config) == config.as_ref())
        .flat_map(|split| split.files.iter().map(String::as_str))
        .collect();
    // A card that says nothing: tables, where there are any, are the data, and what stands beside them is not.
    let has_tables = all.iter().any(|file| file.path.ends_with(".parquet"));
    let is_wanted = |path: &str| match patterns.is_empty() {
        true => !has_tables || path.ends_with(".parquet"),
        false => patterns.iter().any(|pattern| fits(pattern, path)),
    };
    let files: Vec<RemoteFile> =
        all.iter().filter(|file| has_rows(&file.path) && is_wanted(&file.path)).cloned().collect();
    if files.is_empty() {
        return Err(ApiError::invalid(format!("{} has no Parquet, JSON lines or JSON files.", request.repo)));
    }
    Ok(files)
}

/// Whether a path is meant by a pattern in which `*` stands for anything.
fn fits(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((before, rest)) => {
            let rest = rest.trim_start_matches('*');
            path.strip_prefix(before)
                .is_some_and(|path| (0..=path.len()).any(|at| path.is_char_boundary(at) && fits(rest, &path[at..])))
        }
    }
}

/// Writes the rows that are wanted as lines.
fn copy_rows(
    path: &str,
    file: &Arc<DistantFile>,
    wanted: &RowChoice,
    folder: &Path,
    job: &Arc<Job>,
) -> Result<(), ApiError> {
    let name: String = path.chars().map(|c| if c == '/' || c == '\\' { '_' } else { c }).collect();
    let out = folder.join(format!("{name}.jsonl"));
    let failed = |error: &std::io::Error| {
        let full = error.kind() == std::io::ErrorKind::StorageFull;
        let code = if full { ErrorCode::DiskFull } else { ErrorCode::Internal };
        ApiError::new(code, format!("{} cannot be written: {error}.", out.display()))
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    let mut lines = BufWriter::new(std::fs::File::create(&out).map_err(|error| failed(&error))?);
    let mut rows = Rows::open(path, file)?;
    let mut at = 0_u64;
    let mut numbers: Vec<u64> = match wanted {
        RowChoice::These(numbers) => numbers.clone(),
        RowChoice::All | RowChoice::Range { .. } => Vec::new(),
    };
    numbers.sort_unstable();
    numbers.dedup();
    let ranges: Vec<(u64, u64)> = match wanted {
        RowChoice::All => vec![(0, u64::MAX)],
        RowChoice::Range { from, count } => vec![(*from, *count)],
        RowChoice::These(_) => numbers.into_iter().map(|number| (number, 1)).collect(),
    };
    for (from, count) in ranges {
        rows.skip(from.saturating_sub(at))?;
        at = from;
        for _ in 0..count {
            if job.cancel_token().is_cancelled() {
                return Err(HubError::Cancelled.into_api());
            }
            let Some(row) = rows.next_row().transpose()? else { break };
            writeln!(lines, "{}", row.to_text()).map_err(|error| failed(&error))?;
            at += 1;
            job.tell(false, |job| job.done = file.read_bytes());
        }
    }
    lines.flush().map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_of_cards_mean_what_they_say() {
        assert!(fits("data/train-*", "data/train-00000-of-00001.parquet"));
        assert!(fits("**/*.jsonl", "a/b/c.jsonl"));
        assert!(fits("sessions/*.jsonl", "sessions/x.jsonl"));
        assert!(!fits("data/train-*", "data/validation-00000.parquet"));
        assert!(!fits("a.json", "a.jsonl"));
    }
}
