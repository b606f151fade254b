//! A push: files are sent first, and seen when the commit at the end is made.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::work::Step;
use crate::{Change, FileDiff, HubClient, HubError, LocalFile, RepoId, Work, diff};

/// What a commit may hold of files in itself: small texts. Larger files go to storage.
const MOST_INLINE_BYTES: u64 = 48 << 20;
/// Files that are asked about together.
const ASKED_TOGETHER: usize = 200;

/// What is to be pushed.
#[derive(Clone, Debug)]
pub struct Push<'a> {
    /// The repository, which is there.
    pub repo: &'a RepoId,
    /// The branch.
    pub branch: &'a str,
    /// The commit on which `changes` is based: with another one there, nothing is pushed.
    pub parent: &'a str,
    /// The files; those that are the same there are not sent.
    pub files: &'a [LocalFile],
    /// What changes, of [`diff`].
    pub changes: &'a [FileDiff],
    /// The commit's first line.
    pub title: &'a str,
    /// The rest of its message.
    pub description: &'a str,
}

/// A push that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// The commit; that which was there, when nothing changed.
    pub commit: String,
    /// Its page.
    pub url: String,
    /// Bytes that were sent.
    pub sent_bytes: u64,
}

#[derive(Deserialize)]
struct Preupload {
    files: Vec<UploadMode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UploadMode {
    path: String,
    upload_mode: String,
    #[serde(default)]
    should_ignore: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Committed {
    commit_oid: Option<String>,
    commit_url: Option<String>,
}

impl HubClient {
    /// Pushes. One commit is made, or none.
    ///
    /// # Errors
    /// Any of the Hub's; what was sent is not sent again when the same is pushed anew.
    pub async fn push(&self, push: &Push<'_>, work: &Work) -> Result<Pushed, HubError> {
        work.begins(Step::Asking, 0);
        let changed = |file: &&LocalFile| {
            push.changes
                .iter()
                .any(|diff| diff.path == file.path && matches!(diff.change, Change::Added | Change::Changed))
        };
        let files: Vec<&LocalFile> = push.files.iter().filter(changed).collect();
        let removed: Vec<&str> =
            push.changes.iter().filter(|diff| diff.change == Change::Removed).map(|diff| diff.path.as_str()).collect();
        if files.is_empty() && removed.is_empty() {
            return Ok(Pushed { commit: push.parent.to_owned(), url: self.page_of(push.repo), sent_bytes: 0 });
        }
        let (large, inline) = self.sort_out(push, &files, work).await?;
        let inline_bytes: u64 = inline.iter().map(|file| file.bytes).sum();
        if inline_bytes > MOST_INLINE_BYTES {
            let message = format!(
                "{} small files are {} MiB together, and a commit takes {} MiB",
                inline.len(),
                inline_bytes >> 20,
                MOST_INLINE_BYTES >> 20
            );
            return Err(HubError::TooLarge { message });
        }
        let sent_bytes = self.send_large(push, &large, work).await?;
        let body = commit_body(push, &large, &inline, &removed)?;
        work.begins(Step::Committing, 0);
        let (commit, url) = self.commit(push, body, work).await?;
        Ok(Pushed { commit, url, sent_bytes: sent_bytes + inline_bytes })
    }

    /// Which files go to storage and which into the commit: the Hub decides.
    async fn sort_out<'a>(
        &self,
        push: &Push<'_>,
        files: &[&'a LocalFile],
        work: &Work,
    ) -> Result<(Vec<&'a LocalFile>, Vec<&'a LocalFile>), HubError> {
        let (mut large, mut inline) = (Vec::new(), Vec::new());
        let url = self.api_url(push.repo, &["preupload", push.branch])?;
        for group in files.chunks(ASKED_TOGETHER) {
            let asked: Vec<Value> = group
                .iter()
                .map(|file| json!({"path": file.path, "size": file.bytes, "sample": STANDARD.encode(&file.sample)}))
                .collect();
            let body = json!({ "files": asked });
            let ask = || async {
                let request = self.request(Method::POST, url.clone()).json(&body);
                self.json::<Preupload>(request, &push.repo.to_string()).await
            };
            let modes = self.patience.with(work, ask).await?.files;
            for file in group {
                let Some(mode) = modes.iter().find(|mode| mode.path == file.path) else {
                    return Err(HubError::strange(format!("it does not say how {} is sent", file.path)));
                };
                if mode.should_ignore {
                    let message = format!("the repository's rules leave out {}", file.path);
                    return Err(HubError::Refused { status: 200, message });
                }
                // Nothing can be fetched of nothing: empty files are always part of the commit.
                if mode.upload_mode == "lfs" && file.bytes > 0 { large.push(*file) } else { inline.push(*file) }
            }
        }
        Ok((large, inline))
    }

    /// Makes the commit. It names the commit before it, so that it is never made twice, nor over somebody else's.
    async fn commit(&self, push: &Push<'_>, body: Vec<u8>, work: &Work) -> Result<(String, String), HubError> {
        let url = self.api_url(push.repo, &["commit", push.branch])?;
        let what = push.repo.to_string();
        let body = bytes::Bytes::from(body);
        let make = || async {
            let request = self.request(Method::POST, url.clone()).header(CONTENT_TYPE, "application/x-ndjson");
            self.json::<Committed>(request.body(body.clone()), &what).await
        };
        match self.patience.with(work, make).await {
            Ok(made) => {
                let commit = made.commit_oid.unwrap_or_default();
                let url = made.commit_url.unwrap_or_else(|| format!("{}/commit/{commit}", self.page_of(push.repo)));
                Ok((commit, url))
            }
            // The answer to a commit that was made may have been lost on the way: then the branch is what it should be.
            Err(HubError::HeadMoved | HubError::Cut { .. }) => match self.is_made(push, work).await? {
                Some(commit) => {
                    let url = format!("{}/commit/{commit}", self.page_of(push.repo));
                    Ok((commit, url))
                }
                None => Err(HubError::HeadMoved),
            },
            Err(error) => Err(error),
        }
    }

    /// The branch's commit, where all of the push is in it already.
    async fn is_made(&self, push: &Push<'_>, work: &Work) -> Result<Option<String>, HubError> {
        let info = self.info(push.repo, Some(push.branch), work).await?;
        if info.commit == push.parent {
            return Ok(None);
        }
        let there = self.files(push.repo, &info.commit, work).await?;
        let removed = |path: &str| push.changes.iter().any(|diff| diff.path == path && diff.change == Change::Removed);
        let is_whole = diff(push.files, &there, removed).iter().all(|diff| diff.change == Change::Same);
        Ok(is_whole.then_some(info.commit))
    }
}

/// The commit as lines of JSON: its message, then what it adds and removes.
fn commit_body(
    push: &Push<'_>,
    large: &[&LocalFile],
    inline: &[&LocalFile],
    removed: &[&str],
) -> Result<Vec<u8>, HubError> {
    let header = json!({"summary": push.title, "description": push.description, "parentCommit": push.parent});
    let mut lines = vec![json!({"key": "header", "value": header})];
    for file in inline {
        let content = std::fs::read(&file.source).map_err(|error| HubError::reading(&file.source, error))?;
        if content.len() as u64 != file.bytes {
            let message = "the file on this machine changed while it was being pushed".to_owned();
            return Err(HubError::NotStored { path: file.path.clone(), message });
        }
        let content = STANDARD.encode(content);
        lines.push(json!({"key": "file", "value": {"content": content, "path": file.path, "encoding": "base64"}}));
    }
    for file in large {
        let value = json!({"path": file.path, "algo": "sha256", "oid": file.sha256, "size": file.bytes});
        lines.push(json!({"key": "lfsFile", "value": value}));
    }
    lines.extend(removed.iter().map(|path| json!({"key": "deletedFile", "value": {"path": path}})));
    let mut body = Vec::new();
    for line in lines {
        body.extend_from_slice(line.to_string().as_bytes());
        body.push(b'\n');
    }
    Ok(body)
}
