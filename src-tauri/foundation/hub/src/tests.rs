//! The client against the Hub on loopback, and against its faults.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod downloads;
mod names;
mod pushes;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tw_support::hub::{LoopbackHub, WRITE_TOKEN};

use crate::{
    Change, FileDiff, HubClient, HubError, HubOptions, LocalFile, Push, Pushed, RepoId, RepoKind, Update, Work, diff,
};

/// A Hub, a client that may write, a folder, and what a work told.
struct Desk {
    hub: LoopbackHub,
    client: HubClient,
    dir: TempDir,
    told: Arc<Mutex<Vec<Update>>>,
    cancel: CancellationToken,
}

impl Desk {
    async fn open() -> Self {
        let hub = LoopbackHub::start().await.unwrap();
        let client = client(&hub, Some(WRITE_TOKEN));
        Self { hub, client, dir: TempDir::new().unwrap(), told: Arc::default(), cancel: CancellationToken::new() }
    }

    fn work(&self) -> Work {
        let told = Arc::clone(&self.told);
        Work::new(Arc::new(move |update| told.lock().unwrap().push(update)), self.cancel.clone())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> LocalFile {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        LocalFile::open(name, &path).unwrap()
    }

    fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Pushes as the app does: looks what is there, then sends what changes.
    async fn push(&self, repo: &RepoId, files: &[LocalFile]) -> Result<(Pushed, Vec<FileDiff>), HubError> {
        let work = self.work();
        let info = match self.client.info(repo, None, &work).await {
            Err(HubError::NotFound { .. }) => {
                self.client.create(repo, true, &work).await?;
                self.client.info(repo, None, &work).await?
            }
            result => result?,
        };
        let there = self.client.files(repo, &info.commit, &work).await?;
        let changes = diff(files, &there, |path| path.starts_with("data/"));
        let push = Push {
            repo,
            branch: "main",
            parent: &info.commit,
            files,
            changes: &changes,
            title: "A push",
            description: "of a test",
        };
        Ok((self.client.push(&push, &work).await?, changes))
    }
}

fn client(hub: &LoopbackHub, token: Option<&str>) -> HubClient {
    HubClient::new(HubOptions {
        silence: Duration::from_secs(10),
        first_wait: Duration::from_millis(5),
        ..HubOptions::new(&hub.endpoint(), token.map(Into::into))
    })
    .unwrap()
}

fn dataset(name: &str) -> RepoId {
    RepoId::parse(RepoKind::Dataset, &format!("tester/{name}")).unwrap()
}

fn changes(list: &[FileDiff]) -> Vec<(&str, Change)> {
    list.iter().map(|diff| (diff.path.as_str(), diff.change)).collect()
}
