//! Files on their way here: whole, going on where they were; or in parts.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Method, StatusCode};
use tokio::io::AsyncWriteExt;
use url::Url;

use crate::{HubClient, HubError, RemoteFile, RepoId, Step, Update, Work, file_sums};

/// What a download brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Files in the folder.
    pub files: u32,
    /// Their bytes.
    pub bytes: u64,
    /// How many of those were fetched now; the others were there.
    pub fetched_bytes: u64,
}

/// A file of a repository that is read in parts.
#[derive(Clone, Debug)]
pub struct RangeFile {
    client: HubClient,
    url: Url,
    path: String,
}

/// Whether training and inference here need a file of a model.
#[must_use]
pub fn model_needs(path: &str) -> bool {
    // Other forms of the same weights stand in folders: original/, onnx/, openvino/ ...
    if path.contains('/') {
        return path.starts_with("additional_chat_templates/") || path.starts_with("chat_templates/");
    }
    let ending = path.rsplit('.').next().unwrap_or_default();
    match ending {
        "safetensors" | "json" | "jinja" | "model" | "tiktoken" => true,
        "md" | "txt" => true,
        _ => path.starts_with("LICENSE"),
    }
}

impl HubClient {
    /// The address of a file.
    fn file_url(&self, repo: &RepoId, revision: &str, path: &str) -> Result<Url, HubError> {
        let prefix = repo.kind().prefix().trim_end_matches('/');
        let parts = [prefix, repo.owner(), repo.name(), "resolve", revision];
        self.url(parts.into_iter().chain(path.split('/')))
    }

    /// A file to be read in parts. Asks nothing yet.
    ///
    /// # Errors
    /// Its address cannot be made.
    pub fn range_file(&self, repo: &RepoId, revision: &str, path: &str) -> Result<RangeFile, HubError> {
        Ok(RangeFile {
            client: self.clone(),
            url: self.file_url(repo, revision, path)?,
            path: format!("file {path} of {repo}"),
        })
    }

    /// A whole file of at most `most` bytes.
    ///
    /// # Errors
    /// It is not there, is larger, or the Hub cannot be asked.
    pub async fn small_file(&self, repo: &RepoId, revision: &str, path: &str, most: u64) -> Result<Bytes, HubError> {
        let file = self.range_file(repo, revision, path)?;
        let (bytes, total) = file.read(0, most).await?;
        if total > most {
            return Err(HubError::TooLarge { message: format!("{path} has {total} bytes") });
        }
        Ok(bytes)
    }

    /// Fetches files into a folder, as they lie in the repository. What is there whole stays; what is there in part is
    /// gone on with. Each file gets its name when its checksum is right.
    ///
    /// # Errors
    /// The Hub's, the disk's, or [`HubError::Checksum`].
    pub async fn download(
        &self,
        repo: &RepoId,
        revision: &str,
        files: &[RemoteFile],
        folder: &Path,
        work: &Work,
    ) -> Result<Fetched, HubError> {
        let total = files.iter().map(|file| file.bytes).sum();
        let mut fetched = Fetched { files: 0, bytes: total, fetched_bytes: 0 };
        let mut done = 0;
        work.begins(Step::Fetching, total);
        for file in files {
            let target = target_of(folder, &file.path)?;
            work.tell(Update::File(file.path.clone()));
            if !is_there(&target, file).await? {
                fetched.fetched_bytes += self.download_file(repo, revision, file, &target, done, work).await?;
            }
            done += file.bytes;
            fetched.files += 1;
            work.tell(Update::Done(done));
            if work.is_cancelled() {
                return Err(HubError::Cancelled);
            }
        }
        work.tell(Update::File(String::new()));
        Ok(fetched)
    }

    async fn download_file(
        &self,
        repo: &RepoId,
        revision: &str,
        file: &RemoteFile,
        target: &Path,
        done: u64,
        work: &Work,
    ) -> Result<u64, HubError> {
        if let Some(parent) = target.parent() {
            tokio::fs::create_dir_all(parent).await.map_err(|error| HubError::writing(parent, error))?;
        }
        let part = part_of(target, file);
        let url = self.file_url(repo, revision, &file.path)?;
        let what = format!("file {} of {repo}", file.path);
        let mut fetched = 0;
        // Each new try goes on behind what the one before brought.
        let mut tried = 0;
        loop {
            let begun = length(&part).await;
            let result = work.until(self.append(&url, &what, file, &part, done, work)).await;
            let now = length(&part).await;
            fetched += now.saturating_sub(begun);
            match result {
                Ok(()) => break,
                Err(error) if error.is_passing() && now > begun => {
                    tried = 0;
                    work.tell(Update::Retrying { reason: format!("{error}; it goes on where it was") });
                }
                Err(error) if error.is_passing() && tried < 4 => {
                    tried += 1;
                    let pause = match &error {
                        HubError::TooMany { retry_after_secs: Some(secs) } if *secs > 60 => return Err(error),
                        HubError::TooMany { retry_after_secs: Some(secs) } => std::time::Duration::from_secs(*secs),
                        _ => self.patience.first_wait * 2_u32.pow(tried),
                    };
                    work.tell(Update::Retrying { reason: format!("{error}; tried again") });
                    work.until(async {
                        tokio::time::sleep(pause).await;
                        Ok(())
                    })
                    .await?;
                }
                Err(error) => return Err(error),
            }
        }
        work.begins_verifying(file);
        let checked = check(&part, file).await;
        if checked.is_err() {
            // Going on with it could never make it right.
            drop(tokio::fs::remove_file(&part).await);
        }
        checked?;
        tokio::fs::rename(&part, target).await.map_err(|error| HubError::writing(target, error))?;
        Ok(fetched)
    }

    /// Fetches what is missing of a file, up to its end or to where the connection breaks off.
    async fn append(
        &self,
        url: &Url,
        what: &str,
        file: &RemoteFile,
        part: &Path,
        done: u64,
        work: &Work,
    ) -> Result<(), HubError> {
        let failed = |error| HubError::writing(part, error);
        let mut begun = length(part).await;
        if begun >= file.bytes && begun > 0 {
            return Ok(());
        }
        let with = |request: reqwest::RequestBuilder| {
            if begun > 0 { request.header(RANGE, format!("bytes={begun}-")) } else { request }
        };
        let mut response = self.fetch(Method::GET, url.clone(), what, with).await?;
        let mut open = tokio::fs::OpenOptions::new();
        open.create(true);
        if response.status() == StatusCode::PARTIAL_CONTENT && starts_at(&response) == Some(begun) {
            open.append(true);
        } else {
            // Parts are not given here: it begins anew.
            begun = 0;
            open.write(true).truncate(true);
        }
        let mut out = open.open(part).await.map_err(failed)?;
        let mut here = begun;
        let result = loop {
            match response.chunk().await {
                Ok(None) => break Ok(()),
                Ok(Some(chunk)) => {
                    if let Err(error) = out.write_all(&chunk).await {
                        break Err(failed(error));
                    }
                    here += chunk.len() as u64;
                    work.tell(Update::Done(done + here));
                }
                Err(error) => break Err(HubError::Cut { message: self.lost(&error).to_string() }),
            }
        };
        // What came is kept, also where the rest did not.
        out.flush().await.map_err(failed)?;
        result?;
        out.sync_all().await.map_err(failed)?;
        if here < file.bytes {
            return Err(HubError::Cut { message: format!("{here} of {} bytes came", file.bytes) });
        }
        Ok(())
    }
}

impl Work {
    fn begins_verifying(&self, file: &RemoteFile) {
        self.tell(Update::File(format!("{} (checksum)", file.path)));
    }
}

impl RangeFile {
    /// `length` bytes from `from` on, fewer at the end; and how many the file has.
    ///
    /// # Errors
    /// It is not there, may not be read, or the Hub cannot be asked.
    pub async fn read(&self, from: u64, length: u64) -> Result<(Bytes, u64), HubError> {
        let client = &self.client;
        let until = from.saturating_add(length).saturating_sub(1);
        let read = || async {
            let with = |request: reqwest::RequestBuilder| request.header(RANGE, format!("bytes={from}-{until}"));
            let response = match client.fetch(Method::GET, self.url.clone(), &self.path, with).await {
                // Nothing is asked of an empty file.
                Err(HubError::Refused { status: 416, .. }) => return Ok((Bytes::new(), from)),
                result => result?,
            };
            let total = whole_length(&response);
            let is_part = response.status() == StatusCode::PARTIAL_CONTENT;
            let known = if is_part { total } else { response.content_length() };
            let total = known.ok_or_else(|| HubError::strange(format!("{} has no length", self.path)))?;
            if !is_part && total > length.max(16 << 20) {
                return Err(HubError::strange(format!("{} is not given in parts", self.path)));
            }
            let bytes = response.bytes().await.map_err(|error| client.lost(&error))?;
            if is_part {
                return Ok((bytes, total));
            }
            let whole = bytes.len();
            let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(whole);
            Ok((bytes.slice(place(from)..place(from.saturating_add(length))), total))
        };
        client.patience.with(&Work::unwatched(), read).await
    }
}

/// Where a part of an answer begins: `bytes 4-9/20`.
fn starts_at(response: &reqwest::Response) -> Option<u64> {
    let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    text.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

fn whole_length(response: &reqwest::Response) -> Option<u64> {
    let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    text.rsplit_once('/')?.1.parse().ok()
}

/// Where a file goes. Its path comes from the Hub: it must not lead out of the folder.
fn target_of(folder: &Path, path: &str) -> Result<PathBuf, HubError> {
    let is_safe = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '\0']);
    if path.split('/').all(is_safe) {
        Ok(path.split('/').fold(folder.to_owned(), |target, part| target.join(part)))
    } else {
        Err(HubError::strange(format!("a file is called \"{path}\"")))
    }
}

/// The name of a file that is not whole yet; another content has another.
fn part_of(target: &Path, file: &RemoteFile) -> PathBuf {
    let sum = file.sha256.as_deref().unwrap_or(&file.oid);
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!("{name}.{}.part", sum.get(..16).unwrap_or(sum)))
}

async fn length(path: &Path) -> u64 {
    tokio::fs::metadata(path).await.map(|metadata| metadata.len()).unwrap_or_default()
}

/// Whether the file is there with the right content.
async fn is_there(target: &Path, file: &RemoteFile) -> Result<bool, HubError> {
    match tokio::fs::metadata(target).await {
        Ok(metadata) if metadata.is_file() && metadata.len() == file.bytes => Ok(check(target, file).await.is_ok()),
        Ok(metadata) if metadata.is_dir() => {
            let source = std::io::Error::from(std::io::ErrorKind::IsADirectory);
            Err(HubError::Disk { path: target.to_owned(), verb: "written", source })
        }
        _ => Ok(false),
    }
}

async fn check(path: &Path, file: &RemoteFile) -> Result<(), HubError> {
    let here = path.to_owned();
    let sums = tokio::task::spawn_blocking(move || file_sums(&here)).await;
    let (sha256, oid) = sums.map_err(HubError::strange)??;
    let (expected, found) = match &file.sha256 {
        Some(expected) => (expected, sha256),
        None => (&file.oid, oid),
    };
    if *expected == found {
        Ok(())
    } else {
        Err(HubError::Checksum { path: file.path.clone(), expected: expected.clone(), found })
    }
}
