//! Repositories: files by commit, and the bytes of files by their checksum.

use std::collections::{BTreeMap, HashMap};

use axum::body::Bytes;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What kind of repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `models`
    Model,
    /// `datasets`
    Dataset,
}

impl Kind {
    /// What stands before the id in addresses of pages and files.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "models" | "model" => Some(Self::Model),
            "datasets" | "dataset" => Some(Self::Dataset),
            _ => None,
        }
    }
}

/// A file in a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileRef {
    pub(super) sha256: String,
    /// What git calls the blob: of a large file, its pointer.
    pub(super) oid: String,
    pub(super) size: u64,
    pub(super) is_large: bool,
}

/// A commit, as a test looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// Its first line.
    pub title: String,
    /// The rest of its message.
    pub description: String,
    /// The paths in it.
    pub files: Vec<String>,
}

pub(super) struct CommitData {
    pub(super) files: BTreeMap<String, FileRef>,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) parent: Option<String>,
    pub(super) author: String,
    pub(super) date: String,
}

pub(super) struct Repo {
    pub(super) private: bool,
    pub(super) refs: BTreeMap<String, String>,
    pub(super) commits: HashMap<String, CommitData>,
    pub(super) changed: String,
}

impl Repo {
    /// The commit of a branch or of an id.
    pub(super) fn commit_of(&self, revision: &str) -> Option<String> {
        if let Some(id) = self.refs.get(revision) {
            return Some(id.clone());
        }
        self.commits.contains_key(revision).then(|| revision.to_owned())
    }

    pub(super) fn files_at(&self, revision: &str) -> Option<&BTreeMap<String, FileRef>> {
        Some(&self.commits.get(&self.commit_of(revision)?)?.files)
    }

    /// Commits from the newest of a branch to the first.
    pub(super) fn history(&self, revision: &str) -> Vec<Commit> {
        let mut at = self.commit_of(revision);
        let mut list = Vec::new();
        while let Some(id) = at {
            let Some(data) = self.commits.get(&id) else { break };
            list.push(Commit {
                id: id.clone(),
                title: data.title.clone(),
                description: data.description.clone(),
                files: data.files.keys().cloned().collect(),
            });
            at = data.parent.clone();
        }
        list
    }
}

/// Everything that the Hub holds.
#[derive(Default)]
pub(super) struct Shelves {
    pub(super) repos: BTreeMap<(Kind, String), Repo>,
    pub(super) blobs: HashMap<String, Bytes>,
    /// Grows with every commit: it is this Hub's clock.
    ticks: u64,
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn git_oid(bytes: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", bytes.len()));
    hash.update(bytes);
    hex(&hash.finalize())
}

pub(super) fn pointer(sha256: &str, size: u64) -> String {
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n")
}

impl Shelves {
    pub(super) fn put_blob(&mut self, bytes: Bytes) -> String {
        let sha = sha256_hex(&bytes);
        self.blobs.insert(sha.clone(), bytes);
        sha
    }

    pub(super) fn regular(&mut self, bytes: Vec<u8>) -> FileRef {
        let (oid, size) = (git_oid(&bytes), bytes.len() as u64);
        FileRef { sha256: self.put_blob(bytes.into()), oid, size, is_large: false }
    }

    pub(super) fn large(&self, sha256: &str) -> Option<FileRef> {
        let size = self.blobs.get(sha256)?.len() as u64;
        let oid = git_oid(pointer(sha256, size).as_bytes());
        Some(FileRef { sha256: sha256.to_owned(), oid, size, is_large: true })
    }

    pub(super) fn now(&self) -> String {
        let minutes = self.ticks;
        format!("2026-01-{:02}T{:02}:{:02}:00.000Z", 1 + minutes / 1440 % 28, minutes / 60 % 24, minutes % 60)
    }

    pub(super) fn create(&mut self, kind: Kind, id: &str, private: bool, author: &str) {
        let repo = Repo { private, refs: BTreeMap::new(), commits: HashMap::new(), changed: self.now() };
        self.repos.insert((kind, id.to_owned()), repo);
        let attributes =
            "*.parquet filter=lfs diff=lfs merge=lfs -text\n*.safetensors filter=lfs diff=lfs merge=lfs -text\n";
        let file = self.regular(attributes.as_bytes().to_vec());
        self.commit(
            kind,
            id,
            "main",
            BTreeMap::from([(".gitattributes".to_owned(), file)]),
            "initial commit",
            "",
            author,
        );
    }

    /// Makes a commit that holds exactly these files. `None` where there is no such repository.
    #[expect(clippy::too_many_arguments, reason = "a commit is all of these")]
    pub(super) fn commit(
        &mut self,
        kind: Kind,
        id: &str,
        branch: &str,
        files: BTreeMap<String, FileRef>,
        title: &str,
        description: &str,
        author: &str,
    ) -> Option<String> {
        self.ticks += 1;
        let date = self.now();
        let seed = format!("{id}\n{branch}\n{title}\n{}", self.ticks);
        let repo = self.repos.get_mut(&(kind, id.to_owned()))?;
        let sha = hex(&Sha1::digest(seed.as_bytes()));
        let parent = repo.refs.insert(branch.to_owned(), sha.clone());
        repo.changed.clone_from(&date);
        let data = CommitData {
            files,
            title: title.to_owned(),
            description: description.to_owned(),
            parent,
            author: author.to_owned(),
            date,
        };
        repo.commits.insert(sha.clone(), data);
        Some(sha)
    }
}
