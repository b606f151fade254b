//! What repositories are and hold.

use hf_hub::{RepoTypeDataset, RepoTypeModel};
use reqwest::Method;
use reqwest::header::LINK;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{HubClient, HubError, RepoId, RepoKind, Work};

/// Entries of a page.
const PAGE: u32 = 200;

/// What is known of a repository at a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepoInfo {
    /// The commit.
    pub commit: String,
    /// Whether it is private.
    pub is_private: bool,
    /// When it last changed, ISO 8601; may be empty.
    pub changed_at: String,
    /// Downloads of the last month.
    pub downloads: u64,
    /// Its tags.
    pub tags: Vec<String>,
    /// The front matter of its card; `null` where there is none.
    pub card: Value,
}

/// A file in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its path.
    pub path: String,
    /// Bytes.
    pub bytes: u64,
    /// What git calls its content: of a file in storage, that of the pointer.
    pub oid: String,
    /// The checksum of a file in storage.
    pub sha256: Option<String>,
}

/// A file or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file.
    File(RemoteFile),
    /// A folder, by its path.
    Folder(String),
}

/// Part of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// As the Hub orders them.
    pub entries: Vec<Entry>,
    /// Where the list goes on.
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct TreeEntry {
    #[serde(rename = "type")]
    kind: String,
    oid: String,
    #[serde(default)]
    size: u64,
    path: String,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

impl HubClient {
    /// What is known of a repository.
    ///
    /// # Errors
    /// It is not there, may not be seen, or the Hub cannot be asked.
    pub async fn info(&self, repo: &RepoId, revision: Option<&str>, work: &Work) -> Result<RepoInfo, HubError> {
        let what = repo.to_string();
        let ask = || async {
            let revision = revision.map(str::to_owned);
            // Two types of the library that say the same of a repository.
            macro_rules! described {
                ($repository:expr) => {{
                    let said = $repository.info().maybe_revision(revision).send().await;
                    let said = said.map_err(|error| self.meaning_of(error, &what))?;
                    RepoInfo {
                        commit: said.sha.unwrap_or_default(),
                        is_private: said.private.unwrap_or_default(),
                        changed_at: said.last_modified.unwrap_or_default(),
                        downloads: said.downloads.unwrap_or_default(),
                        tags: said.tags.unwrap_or_default(),
                        card: said.card_data.unwrap_or_default(),
                    }
                }};
            }
            Ok(match repo.kind() {
                RepoKind::Dataset => described!(self.official.dataset(repo.owner(), repo.name())),
                RepoKind::Model => described!(self.official.model(repo.owner(), repo.name())),
            })
        };
        self.patience.with(work, ask).await
    }

    /// Makes a repository.
    ///
    /// # Errors
    /// [`HubError::NameTaken`], no right to, or the Hub cannot be asked.
    pub async fn create(&self, repo: &RepoId, private: bool, work: &Work) -> Result<(), HubError> {
        let id = repo.id();
        let make = || async {
            let made = match repo.kind() {
                RepoKind::Dataset => {
                    let builder = self.official.create_repository().repo_id(&id).repo_type(RepoTypeDataset);
                    builder.private(private).send().await
                }
                RepoKind::Model => {
                    let builder = self.official.create_repository().repo_id(&id).repo_type(RepoTypeModel);
                    builder.private(private).send().await
                }
            };
            match made.map_err(|error| self.meaning_of(error, &repo.to_string())) {
                Ok(_) => Ok(()),
                Err(HubError::Conflict { .. }) => Err(HubError::NameTaken { repo: id.clone() }),
                Err(error) => Err(error),
            }
        };
        self.patience.with(work, make).await
    }

    /// Every file of a repository, by path.
    ///
    /// # Errors
    /// It is not there, may not be seen, or the Hub cannot be asked.
    pub async fn files(&self, repo: &RepoId, revision: &str, work: &Work) -> Result<Vec<RemoteFile>, HubError> {
        let mut files = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut url = self.api_url(repo, &["tree", revision])?;
            url.query_pairs_mut().append_pair("recursive", "true");
            let page = self.tree_page(url, cursor.as_deref(), &repo.to_string(), work).await?;
            files.extend(page.entries.into_iter().filter_map(|entry| match entry {
                Entry::File(file) => Some(file),
                Entry::Folder(_) => None,
            }));
            // A page that leads to itself would have no end.
            if page.next.is_none() || page.next == cursor {
                break;
            }
            cursor = page.next;
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(files)
    }

    /// Part of a folder. `cursor` is that of the page before.
    ///
    /// # Errors
    /// It is not there, may not be seen, or the Hub cannot be asked.
    pub async fn folder(
        &self,
        repo: &RepoId,
        revision: &str,
        folder: &str,
        cursor: Option<&str>,
    ) -> Result<Page, HubError> {
        let rest: Vec<&str> = ["tree", revision].into_iter().chain(folder.split('/')).collect();
        let mut url = self.api_url(repo, &rest)?;
        url.query_pairs_mut().append_pair("limit", &PAGE.to_string());
        let what = if folder.is_empty() { repo.to_string() } else { format!("folder {folder} of {repo}") };
        self.tree_page(url, cursor, &what, &Work::unwatched()).await
    }

    /// `hf-hub` lists trees too, but without the checksums of large files.
    async fn tree_page(&self, mut url: Url, cursor: Option<&str>, what: &str, work: &Work) -> Result<Page, HubError> {
        if let Some(cursor) = cursor {
            url.query_pairs_mut().append_pair("cursor", cursor);
        }
        let ask = || async {
            let response = self.fetch(Method::GET, url.clone(), what, |request| request).await?;
            let next = response.headers().get(LINK).and_then(|value| value.to_str().ok()).and_then(next_cursor);
            let bytes = response.bytes().await.map_err(|error| self.lost(&error))?;
            let entries: Vec<TreeEntry> = serde_json::from_slice(&bytes).map_err(HubError::strange)?;
            Ok((entries, next))
        };
        let (entries, next) = self.patience.with(work, ask).await?;
        let entries = entries
            .into_iter()
            .map(|entry| match (entry.kind.as_str(), entry.lfs) {
                ("directory", _) => Entry::Folder(entry.path),
                (_, Some(lfs)) => {
                    Entry::File(RemoteFile { path: entry.path, bytes: lfs.size, oid: entry.oid, sha256: Some(lfs.oid) })
                }
                (_, None) => {
                    Entry::File(RemoteFile { path: entry.path, bytes: entry.size, oid: entry.oid, sha256: None })
                }
            })
            .collect();
        Ok(Page { entries, next })
    }
}

/// The cursor in `<...?cursor=X>; rel="next"`.
fn next_cursor(link: &str) -> Option<String> {
    let part = link.split(',').find(|part| part.contains("rel=\"next\""))?;
    let url = part.split_once('<')?.1.split_once('>')?.0;
    let url = Url::parse(url).ok()?;
    url.query_pairs().find(|(key, _)| key == "cursor").map(|(_, value)| value.into_owned())
}
