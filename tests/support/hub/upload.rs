//! Uploads: which files go where, the storage of large ones, and the commit that makes them to be seen.

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::api::{visible, writer};
use super::repo::{Kind, sha256_hex};
use super::server::{Ask, Shared, error, json_reply, reply};

/// From this size on a file goes to storage whatever it is.
const LARGE_BYTES: u64 = 10 << 20;
/// What a commit may hold of files in itself.
const MOST_INLINE_BYTES: usize = 64 << 20;
/// Endings of files that go to storage whatever their size.
const ENDINGS: &[&str] =
    &[".parquet", ".safetensors", ".bin", ".gguf", ".zip", ".gz", ".arrow", ".png", ".pt", ".onnx"];

/// Whether a file goes to storage.
pub(super) fn goes_to_storage(path: &str, size: u64, sample: &[u8]) -> bool {
    size > LARGE_BYTES || ENDINGS.iter().any(|ending| path.ends_with(ending)) || sample.contains(&0)
}

pub(super) fn preupload(shared: &Shared, ask: &Ask, kind: Kind, id: &str, revision: &str) -> Response {
    if let Err(refused) = writer(ask) {
        return *refused;
    }
    let shelves = shared.shelves();
    let repo = match visible(&shelves, ask, kind, id) {
        Ok(repo) => repo,
        Err(refused) => return *refused,
    };
    let Some(commit) = repo.commit_of(revision) else {
        return error(404, "RevisionNotFound", &format!("Invalid rev id: {revision}"));
    };
    let body = ask.json();
    let files: Vec<Value> = body["files"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|file| {
            let path = file["path"].as_str().unwrap_or_default();
            let sample = STANDARD.decode(file["sample"].as_str().unwrap_or_default()).unwrap_or_default();
            let large = goes_to_storage(path, file["size"].as_u64().unwrap_or_default(), &sample);
            let mut answer =
                json!({"path": path, "uploadMode": if large { "lfs" } else { "regular" }, "shouldIgnore": false});
            if let Some(there) = repo.files_at(&commit).and_then(|files| files.get(path)) {
                answer["oid"] = if there.is_large { there.sha256.clone() } else { there.oid.clone() }.into();
            }
            answer
        })
        .collect();
    json_reply(200, &json!({"files": files, "commitOid": commit}))
}

/// Where large files are to be sent: to this server's other origin, each to a place of its own.
pub(super) fn batch(shared: &Shared, ask: &Ask, kind: Kind, id: &str) -> Response {
    let caller = match writer(ask) {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    let shelves = shared.shelves();
    if let Err(refused) = visible(&shelves, ask, kind, id) {
        return *refused;
    }
    let body = ask.json();
    let ways = shared.ways();
    let knows_xet = body["transfers"].as_array().is_some_and(|all| all.iter().any(|way| way == "xet"));
    let transfer = match ways.part_bytes {
        _ if ways.offers_xet && knows_xet => "xet",
        Some(_) => "multipart",
        None => "basic",
    };
    let objects: Vec<Value> = body["objects"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|object| {
            let oid = object["oid"].as_str().unwrap_or_default();
            let mut answer = json!({"oid": oid, "size": object["size"]});
            if !shelves.blobs.contains_key(oid) {
                let place = format!("{}/_storage/{oid}", shared.storage);
                let upload = match ways.part_bytes {
                    None => json!({"href": format!("{place}?sig={}", caller.name), "header": {}, "expires_in": 900}),
                    Some(bytes) => {
                        let size = object["size"].as_u64().unwrap_or_default();
                        let parts = size.div_ceil(bytes as u64);
                        let mut header = json!({"chunk_size": bytes.to_string()});
                        for part in 1..=parts {
                            header[format!("{part:05}")] = format!("{place}/{part}").into();
                        }
                        json!({"href": format!("{place}/whole"), "header": header, "expires_in": 900})
                    }
                };
                let verify = json!({"href": format!("{}/_storage/verify", shared.endpoint), "header": {}});
                answer["authenticated"] = true.into();
                answer["actions"] = json!({"upload": upload, "verify": verify});
            }
            answer
        })
        .collect();
    let mut response = json_reply(200, &json!({"transfer": transfer, "objects": objects}));
    if let Ok(kind) = "application/vnd.git-lfs+json; charset=utf-8".parse() {
        response.headers_mut().insert("content-type", kind);
    }
    response
}

pub(super) fn store(shared: &Shared, sha: &str, ask: &Ask) -> Response {
    if sha256_hex(&ask.body) != sha {
        return reply(400, "application/xml", "<Error><Code>BadDigest</Code></Error>");
    }
    shared.shelves().blobs.insert(sha.to_owned(), ask.body.clone());
    let mut response = reply(200, "text/plain", "");
    if let Ok(tag) = format!("\"{sha}\"").parse() {
        response.headers_mut().insert("etag", tag);
    }
    response
}

/// One of the parts of a large file.
pub(super) fn store_part(shared: &Shared, sha: &str, part: &str, ask: &Ask) -> Response {
    shared.shelves().blobs.insert(format!("{sha}/{part}"), ask.body.clone());
    let mut response = reply(200, "text/plain", "");
    if let Ok(tag) = format!("\"part-{part}\"").parse() {
        response.headers_mut().insert("etag", tag);
    }
    response
}

/// Puts the parts of a large file together.
pub(super) fn join(shared: &Shared, sha: &str, ask: &Ask) -> Response {
    let body = ask.json();
    let mut shelves = shared.shelves();
    let mut whole = Vec::new();
    for part in body["parts"].as_array().into_iter().flatten() {
        let number = part["partNumber"].as_u64().unwrap_or_default();
        match shelves.blobs.remove(&format!("{sha}/{number}")) {
            Some(bytes) if part["etag"] == format!("\"part-{number}\"") => whole.extend_from_slice(&bytes),
            _ => return error(400, "", "a part is missing"),
        }
    }
    if sha256_hex(&whole) != sha {
        return error(400, "", "BadDigest");
    }
    shelves.put_blob(whole.into());
    json_reply(200, &json!({}))
}

pub(super) fn verify(shared: &Shared, ask: &Ask) -> Response {
    let body = ask.json();
    let shelves = shared.shelves();
    let there = body["oid"].as_str().and_then(|oid| shelves.blobs.get(oid));
    if there.is_some_and(|bytes| Some(bytes.len() as u64) == body["size"].as_u64()) {
        json_reply(200, &json!({}))
    } else {
        error(404, "", "Object does not exist or has another size")
    }
}

/// All of it, or nothing.
pub(super) fn commit(shared: &Shared, ask: &Ask, kind: Kind, id: &str, branch: &str) -> Response {
    let caller = match writer(ask) {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    if ask.body.len() > MOST_INLINE_BYTES {
        return error(413, "", "Payload too large");
    }
    let mut shelves = shared.shelves();
    let (head, mut files) = match visible(&shelves, ask, kind, id) {
        Err(refused) => return *refused,
        Ok(repo) => match repo.refs.get(branch) {
            None => return error(404, "RevisionNotFound", &format!("Invalid rev id: {branch}")),
            Some(head) => (head.clone(), repo.files_at(head).cloned().unwrap_or_default()),
        },
    };
    let (mut title, mut description) = (String::new(), String::new());
    for line in ask.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Ok(operation) = serde_json::from_slice::<Value>(line) else {
            return error(400, "", "A line of the commit is not JSON");
        };
        let value = &operation["value"];
        let path = value["path"].as_str().unwrap_or_default().to_owned();
        match operation["key"].as_str().unwrap_or_default() {
            "header" => {
                value["summary"].as_str().unwrap_or_default().clone_into(&mut title);
                value["description"].as_str().unwrap_or_default().clone_into(&mut description);
                if value["parentCommit"].as_str().is_some_and(|parent| parent != head) {
                    return error(412, "", "A commit has happened since. Please refresh and try again.");
                }
            }
            "file" => {
                let content = value["content"].as_str().unwrap_or_default();
                let bytes = match value["encoding"].as_str() {
                    Some("utf-8") => content.as_bytes().to_vec(),
                    _ => match STANDARD.decode(content) {
                        Ok(bytes) => bytes,
                        Err(_) => return error(400, "", "A file of the commit is not base64"),
                    },
                };
                let file = shelves.regular(bytes);
                files.insert(path, file);
            }
            "lfsFile" => {
                let Some(file) = shelves.large(value["oid"].as_str().unwrap_or_default()) else {
                    return error(
                        400,
                        "",
                        &format!("A pointer points to a file that does not exist. Offending file: {path}"),
                    );
                };
                files.insert(path, file);
            }
            "deletedFile" => {
                files.remove(&path);
            }
            "deletedFolder" => {
                let folder = format!("{}/", path.trim_end_matches('/'));
                files.retain(|path, _| !path.starts_with(&folder));
            }
            other => return error(400, "", &format!("unknown key {other}")),
        }
    }
    let made = shelves.commit(kind, id, branch, files, &title, &description, &caller.name);
    let sha = made.unwrap_or_default();
    let url = format!("{}/{}{id}/commit/{sha}", shared.endpoint, kind.prefix());
    json_reply(200, &json!({"success": true, "commitOid": sha, "commitUrl": url, "hookOutput": ""}))
}
