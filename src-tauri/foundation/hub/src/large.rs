//! Large files on their way to storage (the batch API of Git LFS, as the Hub speaks it).

use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use reqwest::{Body, Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;
use url::Url;

use crate::push::Push;
use crate::work::Step;
use crate::{HubClient, HubError, LocalFile, Update, Work};

/// What both sides of the batch API speak.
const LFS_JSON: &str = "application/vnd.git-lfs+json";
/// Bytes that are read and sent together.
const PIECE_BYTES: usize = 256 << 10;

#[derive(Debug, Deserialize)]
struct Batch {
    transfer: Option<String>,
    objects: Vec<Object>,
}

#[derive(Debug, Deserialize)]
struct Object {
    oid: String,
    /// None: the storage has it already.
    actions: Option<Actions>,
    error: Option<ObjectError>,
}

#[derive(Debug, Deserialize)]
struct ObjectError {
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Actions {
    upload: Option<Action>,
    verify: Option<Action>,
}

#[derive(Debug, Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: BTreeMap<String, Value>,
}

impl HubClient {
    /// Sends what the storage does not have yet. Gives how many bytes that were.
    pub(crate) async fn send_large(&self, push: &Push<'_>, files: &[&LocalFile], work: &Work) -> Result<u64, HubError> {
        if files.is_empty() {
            return Ok(0);
        }
        let mut batch = self.batch(push, files, &["basic", "multipart", "xet"], work).await?;
        if batch.transfer.as_deref() == Some("xet") {
            let wanted = wanted(files, &batch);
            let total = wanted.iter().map(|(file, _)| file.bytes).sum();
            work.begins(Step::Sending, total);
            let wanted: Vec<&LocalFile> = wanted.into_iter().map(|(file, _)| file).collect();
            match self.send_by_xet(push.repo, push.branch, &wanted, work).await {
                Ok(()) => return Ok(total),
                Err(error @ (HubError::Cancelled | HubError::BadToken | HubError::Forbidden { .. })) => {
                    return Err(error);
                }
                // The plain way is open to everybody.
                Err(error) => work.tell(Update::Retrying { reason: format!("{error}; sent the plain way") }),
            }
            batch = self.batch(push, files, &["basic", "multipart"], work).await?;
        }
        let refused = batch.objects.iter().find_map(|object| object.error.as_ref());
        if let Some(error) = refused {
            let message = error.message.clone().unwrap_or_else(|| "no reason was given".to_owned());
            return Err(HubError::Refused { status: 200, message });
        }
        let wanted = wanted(files, &batch);
        let total = wanted.iter().map(|(file, _)| file.bytes).sum();
        work.begins(Step::Sending, total);
        let mut done = 0;
        for (file, actions) in wanted {
            work.tell(Update::File(file.path.clone()));
            if let Some(upload) = &actions.upload {
                self.send_file(file, upload, done, work).await?;
            }
            if let Some(verify) = &actions.verify {
                self.verify(file, verify, work).await?;
            }
            done += file.bytes;
            work.tell(Update::Done(done));
        }
        work.tell(Update::File(String::new()));
        Ok(total)
    }

    async fn batch(
        &self,
        push: &Push<'_>,
        files: &[&LocalFile],
        transfers: &[&str],
        work: &Work,
    ) -> Result<Batch, HubError> {
        let git = format!("{}.git", push.repo.name());
        let prefix = push.repo.kind().prefix().trim_end_matches('/');
        let url = self.url([prefix, push.repo.owner(), &git, "info", "lfs", "objects", "batch"])?;
        let objects: Vec<Value> = files.iter().map(|file| json!({"oid": file.sha256, "size": file.bytes})).collect();
        let body = json!({
            "operation": "upload", "transfers": transfers, "objects": objects, "hash_algo": "sha256",
            "ref": {"name": push.branch},
        });
        let ask = || async {
            let request = self
                .request(Method::POST, url.clone())
                .header(ACCEPT, LFS_JSON)
                .header(CONTENT_TYPE, LFS_JSON)
                .body(body.to_string());
            self.json::<Batch>(request, &push.repo.to_string()).await
        };
        self.patience.with(work, ask).await
    }

    async fn send_file(&self, file: &LocalFile, upload: &Action, done: u64, work: &Work) -> Result<(), HubError> {
        let url = Url::parse(&upload.href).map_err(HubError::strange)?;
        match upload.header.get("chunk_size").and_then(number) {
            Some(chunk) if chunk > 0 => self.send_parts(file, upload, url, chunk, done, work).await,
            _ => {
                let send = || async {
                    let mut request = self.request(Method::PUT, url.clone());
                    for (name, value) in headers_of(upload) {
                        request = request.header(name, value);
                    }
                    let body = part(file, 0, file.bytes, done, work).await?;
                    let sent = request.header(CONTENT_LENGTH, file.bytes).body(body).send().await;
                    self.stored(file, sent).await.map(drop)
                };
                self.patience.with(work, send).await
            }
        }
    }

    /// Sends a file in parts, each to an address of its own, and then says that they are all there.
    async fn send_parts(
        &self,
        file: &LocalFile,
        upload: &Action,
        whole: Url,
        chunk: u64,
        done: u64,
        work: &Work,
    ) -> Result<(), HubError> {
        let mut parts: Vec<(u64, &str)> =
            upload.header.iter().filter_map(|(name, href)| Some((name.parse().ok()?, href.as_str()?))).collect();
        parts.sort_unstable();
        if parts.len() as u64 != file.bytes.div_ceil(chunk) {
            return Err(HubError::strange(format!("it gives {} places for the parts of {}", parts.len(), file.path)));
        }
        let mut tags = Vec::with_capacity(parts.len());
        for (place, (number, href)) in (0_u64..).zip(parts) {
            let url = Url::parse(href).map_err(HubError::strange)?;
            let from = place * chunk;
            let length = chunk.min(file.bytes - from);
            let send = || async {
                let body = part(file, from, length, done, work).await?;
                let request = self.request(Method::PUT, url.clone()).header(CONTENT_LENGTH, length).body(body);
                let response = self.stored(file, request.send().await).await?;
                let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
                tag.map(str::to_owned).ok_or_else(|| HubError::strange("a part was stored under no name"))
            };
            tags.push(json!({"partNumber": number, "etag": self.patience.with(work, send).await?}));
        }
        let body = json!({"oid": file.sha256, "parts": tags}).to_string();
        let finish = || async {
            let request = self.request(Method::POST, whole.clone()).header(ACCEPT, LFS_JSON);
            self.stored(file, request.header(CONTENT_TYPE, LFS_JSON).body(body.clone()).send().await).await.map(drop)
        };
        self.patience.with(work, finish).await
    }

    /// What the storage said to a file or a part of it.
    async fn stored(&self, file: &LocalFile, sent: Result<Response, reqwest::Error>) -> Result<Response, HubError> {
        let response = match sent {
            Ok(response) => response,
            // The body's own error stands at its bottom: the file could not be read.
            Err(error) => return Err(self.lost(&error)),
        };
        match self.accept(response, &file.path).await {
            // The storage knows no accounts: it refuses an address that is too old, or bytes that are others.
            Err(
                HubError::Refused { message, .. } | HubError::Forbidden { message } | HubError::Conflict { message },
            ) => Err(HubError::NotStored { path: file.path.clone(), message }),
            result => result,
        }
    }

    async fn verify(&self, file: &LocalFile, verify: &Action, work: &Work) -> Result<(), HubError> {
        let url = Url::parse(&verify.href).map_err(HubError::strange)?;
        let body = json!({"oid": file.sha256, "size": file.bytes});
        let ask = || async {
            let mut request = self.request(Method::POST, url.clone()).json(&body);
            for (name, value) in headers_of(verify) {
                request = request.header(name, value);
            }
            self.send(request, &file.path).await.map(drop)
        };
        match self.patience.with(work, ask).await {
            Err(HubError::NotFound { .. } | HubError::Refused { .. }) => {
                let message = "the Hub did not find it in its storage afterwards".to_owned();
                Err(HubError::NotStored { path: file.path.clone(), message })
            }
            result => result,
        }
    }
}

/// The files that the storage does not have.
fn wanted<'a, 'b>(files: &[&'a LocalFile], batch: &'b Batch) -> Vec<(&'a LocalFile, &'b Actions)> {
    let mut wanted: Vec<(&LocalFile, &Actions)> = Vec::new();
    for file in files {
        let object = batch.objects.iter().find(|object| object.oid == file.sha256);
        let is_known = wanted.iter().any(|(other, _)| other.sha256 == file.sha256);
        if let (Some(actions), false) = (object.and_then(|object| object.actions.as_ref()), is_known) {
            wanted.push((file, actions));
        }
    }
    wanted
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Headers that the Hub wants to see again; our own account is added only for its own origin.
fn headers_of(action: &Action) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    action.header.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let mut value = HeaderValue::from_str(value.as_str()?).ok()?;
        value.set_sensitive(true);
        (name != reqwest::header::AUTHORIZATION).then_some((name, value))
    })
}

/// Part of a file as the body of a request. `done` bytes of other files were sent before.
async fn part(file: &LocalFile, from: u64, length: u64, done: u64, work: &Work) -> Result<Body, HubError> {
    let failed = |error| HubError::reading(&file.source, error);
    let mut source = tokio::fs::File::open(&file.source).await.map_err(failed)?;
    if source.metadata().await.map_err(failed)?.len() != file.bytes {
        let message = "the file on this machine changed while it was being pushed".to_owned();
        return Err(HubError::NotStored { path: file.path.clone(), message });
    }
    source.seek(SeekFrom::Start(from)).await.map_err(failed)?;
    let watch = work.watch();
    let sent = Arc::new(AtomicU64::new(done + from));
    let pieces = ReaderStream::with_capacity(source.take(length), PIECE_BYTES).inspect(move |piece| {
        if let Ok(piece) = piece {
            let now = sent.fetch_add(piece.len() as u64, Ordering::Relaxed) + piece.len() as u64;
            watch(Update::Done(now));
        }
    });
    Ok(Body::wrap_stream(pieces))
}
