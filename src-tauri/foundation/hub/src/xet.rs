//! Large files by Xet, the Hub's own storage: what it has in pieces already is not sent.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::Deserialize;
use xet::xet_session::{Sha256Policy, XetConfig, XetSessionBuilder};

use crate::{HubClient, HubError, LocalFile, RepoId, Update, Work};

/// Between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WriteToken {
    access_token: String,
    exp: u64,
    cas_url: String,
}

impl HubClient {
    pub(crate) async fn send_by_xet(
        &self,
        repo: &RepoId,
        branch: &str,
        files: &[&LocalFile],
        work: &Work,
    ) -> Result<(), HubError> {
        let url = self.api_url(repo, &["xet-write-token", branch])?;
        let ask = || async { self.json::<WriteToken>(self.request(Method::GET, url.clone()), &repo.to_string()).await };
        let token = self.patience.with(work, ask).await?;
        let mut config = XetConfig::new();
        // Nobody is told what is transferred and how fast.
        config.telemetry.enabled = false;
        // Where it fails there is another way: no need to wait long.
        config.client.retry_max_attempts = 3;
        config.client.retry_base_delay = Duration::from_millis(500);
        let failed = |error: &dyn std::fmt::Display| HubError::Cut { message: format!("Xet: {error}") };
        let cache = tempdir().map_err(|error| HubError::writing(&std::env::temp_dir(), error))?;
        let session = XetSessionBuilder::new_with_config(config)
            .with_cache_dir(&cache.0)
            .with_tokio_handle(tokio::runtime::Handle::current())
            .build()
            .map_err(|error| failed(&error))?;
        let mut headers = HeaderMap::new();
        if let Some(token) = self.token()
            && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let send = async {
            let commit = session
                .new_upload_commit()
                .map_err(|error| failed(&error))?
                .with_endpoint(token.cas_url)
                .with_token_info(token.access_token, token.exp)
                .with_token_refresh_url(url.to_string(), headers)
                .build()
                .await
                .map_err(|error| failed(&error))?;
            for file in files {
                let queued = commit.upload_from_path(file.source.clone(), Sha256Policy::Compute).await;
                queued.map_err(|error| failed(&error))?;
            }
            let ends = commit.commit();
            tokio::pin!(ends);
            loop {
                tokio::select! {
                    ended = &mut ends => return ended.map(drop).map_err(|error| failed(&error)),
                    () = tokio::time::sleep(LOOK_EVERY) => {
                        work.tell(Update::Done(commit.progress().total_bytes_completed));
                    }
                }
            }
        };
        let sent = work.until(send).await;
        if sent.is_err() {
            // What still runs of it ends.
            drop(session.abort());
        }
        sent
    }
}

/// A folder that goes with its owner.
struct Folder(std::path::PathBuf);

fn tempdir() -> std::io::Result<Folder> {
    let unique = format!("tracewright-xet-{}-{:x}", std::process::id(), jiff::Timestamp::now().as_nanosecond());
    let path = std::env::temp_dir().join(unique);
    std::fs::create_dir(&path)?;
    Ok(Folder(path))
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left-overs in the system's temporary folder go with the system's own sweeping.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
