//! Files as they are fetched: by path and revision, in parts, large ones from another origin.

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use futures::stream;

use super::api::visible;
use super::repo::Kind;
use super::server::{Ask, Shared, error, reply};
use crate::endpoint::connection::Line;

pub(super) fn file(shared: &Shared, ask: &Ask, kind: Kind, id: &str, revision: &str, path: &str) -> Response {
    let shelves = shared.shelves();
    let repo = match visible(&shelves, ask, kind, id) {
        Ok(repo) => repo,
        Err(refused) => return *refused,
    };
    let Some(commit) = repo.commit_of(revision) else {
        return error(404, "RevisionNotFound", &format!("Invalid rev id: {revision}"));
    };
    let found = repo.files_at(&commit).and_then(|files| files.get(path));
    let Some(file) = found else {
        let mut response = error(404, "EntryNotFound", "Entry not found");
        set(response.headers_mut(), "x-repo-commit", &commit);
        return response;
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    if file.is_large {
        let mut response = reply(302, "text/plain", "");
        let headers = response.headers_mut();
        set(headers, "x-repo-commit", &commit);
        set(headers, "etag", &format!("\"{}\"", file.sha256));
        set(headers, "x-linked-etag", &format!("\"{}\"", file.sha256));
        set(headers, "x-linked-size", &file.size.to_string());
        set(headers, "accept-ranges", "bytes");
        set(headers, "location", &format!("{}/_storage/{}?filename={name}", shared.storage, file.sha256));
        return response;
    }
    let bytes = shelves.blobs.get(&file.sha256).cloned().unwrap_or_default();
    let mut response = part(&bytes, &ask.headers, "text/plain; charset=utf-8");
    set(response.headers_mut(), "x-repo-commit", &commit);
    set(response.headers_mut(), "etag", &format!("\"{}\"", file.oid));
    response
}

/// A large file, from the other origin. A token that came this far was sent to a stranger.
pub(super) fn stored(shared: &Shared, ask: &Ask, sha: &str) -> Response {
    if ask.headers.contains_key(header::AUTHORIZATION) {
        return error(400, "", "Only one auth mechanism allowed");
    }
    let shelves = shared.shelves();
    let Some(bytes) = shelves.blobs.get(sha) else { return error(404, "", "Not Found") };
    let mut response = part(bytes, &ask.headers, "application/octet-stream");
    set(response.headers_mut(), "etag", &format!("\"{sha}\""));
    response
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = value.parse() {
        headers.insert(name, value);
    }
}

fn part(bytes: &Bytes, headers: &HeaderMap, content_type: &str) -> Response {
    let whole = bytes.len();
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok()).and_then(|text| range(text, whole));
    let mut response = match range {
        None => reply(200, content_type, bytes.clone()),
        Some((from, to)) if from < to => {
            let mut response = reply(206, content_type, bytes.slice(from..to));
            set(response.headers_mut(), "content-range", &format!("bytes {from}-{}/{whole}", to - 1));
            response
        }
        Some(_) => {
            let mut response = reply(416, content_type, "");
            set(response.headers_mut(), "content-range", &format!("bytes */{whole}"));
            response
        }
    };
    set(response.headers_mut(), "accept-ranges", "bytes");
    response
}

/// `bytes=4-9`, `bytes=4-`, `bytes=-5`: from and to, without the last.
fn range(text: &str, whole: usize) -> Option<(usize, usize)> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    if from.is_empty() {
        return Some((whole.saturating_sub(to.parse().ok()?), whole));
    }
    let from: usize = from.parse().ok()?;
    let to = if to.is_empty() { whole } else { to.parse::<usize>().ok()?.saturating_add(1).min(whole) };
    Some((from.min(whole), to))
}

/// The same answer, broken off after some bytes.
pub(super) async fn cut(response: Response, after_bytes: usize, line: &Line) -> Response {
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let whole = bytes.len();
    let sent = bytes.slice(..after_bytes.min(whole));
    let line = line.clone();
    let pieces = stream::unfold(Some(sent), move |piece| {
        let line = line.clone();
        async move {
            match piece {
                Some(bytes) => Some((Ok(bytes), None)),
                None => {
                    // What was sent before goes out while this waits for its next turn.
                    tokio::task::yield_now().await;
                    line.tear();
                    Some((Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)), None))
                }
            }
        }
    });
    let mut response = Response::from_parts(parts, Body::from_stream(pieces));
    response.headers_mut().insert(header::CONTENT_LENGTH, whole.into());
    response
}

/// The same answer with one byte changed.
pub(super) async fn corrupt(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let mut bytes = to_bytes(body, usize::MAX).await.unwrap_or_default().to_vec();
    if let Some(byte) = bytes.last_mut() {
        *byte ^= 0xFF;
    }
    Response::from_parts(parts, Body::from(bytes))
}
