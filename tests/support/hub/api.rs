//! Accounts and repositories: who am I, make one, look into one.

use std::collections::{BTreeMap, BTreeSet};

use axum::response::Response;
use serde_json::{Value, json};

use super::card::card_data;
use super::repo::{FileRef, Kind, Repo, Shelves, hex, pointer};
use super::server::{Ask, Caller, Shared, error, json_reply, reply};

pub(super) fn whoami(ask: &Ask) -> Response {
    let Some(caller) = &ask.caller else { return error(401, "", "Invalid username or password.") };
    let role = if caller.can_write { "write" } else { "read" };
    json_reply(
        200,
        &json!({
            "type": "user", "id": "0".repeat(24), "name": caller.name, "fullname": "A Tester",
            "email": format!("{}@example.com", caller.name), "emailVerified": true, "canPay": false, "isPro": false,
            "periodEnd": null, "avatarUrl": "/avatars/x.svg",
            "orgs": [{"type": "org", "id": "1".repeat(24), "name": "test-org", "fullname": "Test Org", "isEnterprise": false,
                      "avatarUrl": "/avatars/o.svg", "roleInOrg": "write"}],
            "auth": {"type": "access_token", "accessToken": {"displayName": "loopback", "role": role, "createdAt": "2026-01-01T00:00:00.000Z"}},
        }),
    )
}

/// The caller, when it may write.
pub(super) fn writer(ask: &Ask) -> Result<Caller, Box<Response>> {
    match &ask.caller {
        None => Err(Box::new(error(401, "", "Invalid username or password."))),
        Some(caller) if !caller.can_write => {
            Err(Box::new(error(403, "", "You don't have the required permissions: the token is read-only.")))
        }
        Some(caller) => Ok(caller.clone()),
    }
}

/// The repository, when it is there and the caller may see it.
pub(super) fn visible<'a>(shelves: &'a Shelves, ask: &Ask, kind: Kind, id: &str) -> Result<&'a Repo, Box<Response>> {
    let owner = id.split('/').next().unwrap_or_default();
    let repo = shelves.repos.get(&(kind, id.to_owned()));
    let may_see = |repo: &Repo| !repo.private || ask.caller.as_ref().is_some_and(|caller| may_act_for(caller, owner));
    match repo.filter(|repo| may_see(repo)) {
        Some(repo) => Ok(repo),
        None if ask.caller.is_none() => Err(Box::new(error(401, "RepoNotFound", "Repository not found"))),
        None => Err(Box::new(error(404, "RepoNotFound", "Repository not found"))),
    }
}

fn may_act_for(caller: &Caller, owner: &str) -> bool {
    caller.name == owner || owner == "test-org"
}

/// `owner/name` of a request that makes or removes a repository.
fn named(ask: &Ask, caller: &Caller) -> Option<(Kind, String)> {
    let body = ask.json();
    let kind = Kind::parse(body["type"].as_str().unwrap_or("model"))?;
    let name = body["name"].as_str()?;
    let id = match (name.split_once('/'), body["organization"].as_str()) {
        (Some(_), _) => name.to_owned(),
        (None, Some(owner)) => format!("{owner}/{name}"),
        (None, None) => format!("{}/{name}", caller.name),
    };
    Some((kind, id))
}

pub(super) fn create(shared: &Shared, ask: &Ask) -> Response {
    let caller = match writer(ask) {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    let Some((kind, id)) = named(ask, &caller) else { return error(400, "", "The request names no repository.") };
    let owner = id.split('/').next().unwrap_or_default();
    if !may_act_for(&caller, owner) {
        return error(
            403,
            "",
            &format!("You don't have the rights to create a repository under the namespace \"{owner}\""),
        );
    }
    let url = format!("{}/{}{id}", shared.endpoint, kind.prefix());
    let mut shelves = shared.shelves();
    if shelves.repos.contains_key(&(kind, id.clone())) {
        let message = format!("You already created this repo: {id}");
        return json_reply(409, &json!({"error": message, "url": url, "name": id, "id": id}));
    }
    let body = ask.json();
    let private = body["private"].as_bool().unwrap_or(body["visibility"] == "private");
    shelves.create(kind, &id, private, &caller.name);
    json_reply(200, &json!({"url": url, "name": id, "id": id, "private": private}))
}

pub(super) fn delete(shared: &Shared, ask: &Ask) -> Response {
    let caller = match writer(ask) {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    let Some((kind, id)) = named(ask, &caller) else { return error(400, "", "The request names no repository.") };
    match shared.shelves().repos.remove(&(kind, id)) {
        Some(_) => reply(200, "text/plain", "OK"),
        None => error(404, "RepoNotFound", "Repository not found"),
    }
}

/// What is asked of one repository.
pub(super) fn repository(shared: &Shared, ask: &Ask, kind: Kind, id: &str, rest: &[&str]) -> Response {
    let shelves = shared.shelves();
    let repo = match visible(&shelves, ask, kind, id) {
        Ok(repo) => repo,
        Err(refused) => return *refused,
    };
    let revision = rest.get(1).copied().unwrap_or("main");
    let Some(commit) = repo.commit_of(revision) else {
        return error(404, "RevisionNotFound", &format!("Invalid rev id: {revision}"));
    };
    match rest {
        [] | ["revision", _] => json_reply(200, &info(&shelves, repo, kind, id, &commit, ask.flag("blobs"))),
        ["tree", _, folder @ ..] => tree(shared, ask, repo, &commit, &folder.join("/")),
        ["paths-info", _] => paths_info(ask, repo, &commit),
        ["refs"] => refs(repo),
        ["commits", _] => commits(repo, revision),
        _ => error(404, "", "Not Found"),
    }
}

fn info(shelves: &Shelves, repo: &Repo, kind: Kind, id: &str, commit: &str, blobs: bool) -> Value {
    let none = BTreeMap::new();
    let files = repo.files_at(commit).unwrap_or(&none);
    let siblings: Vec<Value> = files
        .iter()
        .map(|(path, file)| {
            let mut sibling = json!({"rfilename": path});
            if blobs {
                sibling["size"] = file.size.into();
                sibling["blobId"] = file.oid.clone().into();
                if file.is_large {
                    sibling["lfs"] = json!({"sha256": file.sha256, "size": file.size, "pointerSize": 134});
                }
            }
            sibling
        })
        .collect();
    let mut value = json!({
        "_id": &hex(id.as_bytes()).chars().chain("0".repeat(24).chars()).take(24).collect::<String>(), "id": id,
        "author": id.split('/').next(), "sha": commit, "lastModified": repo.changed, "createdAt": "2026-01-01T00:00:00.000Z",
        "private": repo.private, "gated": false, "disabled": false, "downloads": 0, "likes": 0, "tags": [], "usedStorage": 0,
        "siblings": siblings,
    });
    if kind == Kind::Model {
        value["modelId"] = id.into();
    }
    let readme = files.get("README.md").and_then(|file| shelves.blobs.get(&file.sha256));
    if let Some(card) = readme.and_then(|bytes| card_data(&String::from_utf8_lossy(bytes))) {
        value["cardData"] = card;
    }
    value
}

fn entry(path: &str, file: &FileRef) -> Value {
    let mut entry = json!({"type": "file", "oid": file.oid, "size": file.size, "path": path});
    if file.is_large {
        let size = pointer(&file.sha256, file.size).len();
        entry["lfs"] = json!({"oid": file.sha256, "size": file.size, "pointerSize": size});
    }
    entry
}

fn folder_entry(path: &str) -> Value {
    json!({"type": "directory", "oid": super::repo::git_oid(path.as_bytes()), "size": 0, "path": path})
}

/// What `expand` adds to entries.
fn expanded(mut entry: Value, repo: &Repo, commit: &str) -> Value {
    if let Some(data) = repo.commits.get(commit) {
        entry["lastCommit"] = json!({"id": commit, "title": data.title, "date": data.date});
    }
    if entry["type"] == "file" {
        entry["securityFileStatus"] = json!({"status": "safe"});
    }
    entry
}

fn tree(shared: &Shared, ask: &Ask, repo: &Repo, commit: &str, folder: &str) -> Response {
    let none = BTreeMap::new();
    let files = repo.files_at(commit).unwrap_or(&none);
    let folder = folder.trim_matches('/');
    let before = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    if !folder.is_empty() && !files.keys().any(|path| path.starts_with(&before)) {
        return error(404, "EntryNotFound", &format!("{folder} does not exist on \"{commit}\""));
    }
    let recursive = ask.flag("recursive");
    let mut folders = BTreeSet::new();
    let mut entries = Vec::new();
    for (path, file) in files {
        let Some(rest) = path.strip_prefix(&before) else { continue };
        let parts: Vec<&str> = rest.split('/').collect();
        for depth in 1..parts.len() {
            let name = format!("{before}{}", parts[..depth].join("/"));
            if (recursive || depth == 1) && folders.insert(name.clone()) {
                entries.push(folder_entry(&name));
            }
        }
        if recursive || parts.len() == 1 {
            entries.push(entry(path, file));
        }
    }
    if ask.flag("expand") {
        entries = entries.into_iter().map(|entry| expanded(entry, repo, commit)).collect();
    }
    let number =
        |name: &str, otherwise: usize| ask.query.get(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (limit, cursor) = (number("limit", 1000).max(1), number("cursor", 0));
    let more = cursor + limit < entries.len();
    let page: Vec<Value> = entries.into_iter().skip(cursor).take(limit).collect();
    let mut response = json_reply(200, &Value::Array(page));
    if more {
        let mut query: Vec<String> =
            ask.query.iter().filter(|(key, _)| *key != "cursor").map(|(key, value)| format!("{key}={value}")).collect();
        query.push(format!("cursor={}", cursor + limit));
        let path: Vec<String> = ask.path.iter().map(|part| part.replace('%', "%25").replace(' ', "%20")).collect();
        let link = format!("<{}/{}?{}>; rel=\"next\"", shared.endpoint, path.join("/"), query.join("&"));
        if let Ok(link) = link.parse() {
            response.headers_mut().insert("link", link);
        }
    }
    response
}

/// Paths come as JSON, or as a form from older clients.
fn paths_info(ask: &Ask, repo: &Repo, commit: &str) -> Response {
    let body = ask.json();
    let (paths, expand) = if body.is_object() {
        let paths = body["paths"].as_array().cloned().unwrap_or_else(|| vec![body["paths"].clone()]);
        let paths = paths.iter().filter_map(|path| path.as_str().map(str::to_owned)).collect();
        (paths, body["expand"].as_bool().unwrap_or(false))
    } else {
        let form = String::from_utf8_lossy(&ask.body).into_owned();
        let paths: Vec<String> = form
            .split('&')
            .filter_map(|pair| pair.strip_prefix("paths="))
            .map(|path| path.replace("%2F", "/").replace('+', " "))
            .collect();
        (paths, form.contains("expand=True") || form.contains("expand=true"))
    };
    let none = BTreeMap::new();
    let files = repo.files_at(commit).unwrap_or(&none);
    let found: Vec<Value> = paths
        .iter()
        .filter_map(|path| {
            let path = path.trim_matches('/');
            let found = match files.get(path) {
                Some(file) => entry(path, file),
                None if files.keys().any(|other| other.starts_with(&format!("{path}/"))) => folder_entry(path),
                None => return None,
            };
            Some(if expand { expanded(found, repo, commit) } else { found })
        })
        .collect();
    json_reply(200, &Value::Array(found))
}

fn refs(repo: &Repo) -> Response {
    let branches: Vec<Value> = repo
        .refs
        .iter()
        .map(|(name, commit)| json!({"name": name, "ref": format!("refs/heads/{name}"), "targetCommit": commit}))
        .collect();
    json_reply(200, &json!({"branches": branches, "converts": [], "tags": [], "pullRequests": []}))
}

fn commits(repo: &Repo, revision: &str) -> Response {
    let list: Vec<Value> = repo
        .history(revision)
        .into_iter()
        .map(|commit| {
            let data = repo.commits.get(&commit.id);
            json!({
                "id": commit.id, "title": commit.title, "message": commit.description,
                "authors": [{"user": data.map(|data| data.author.clone())}], "date": data.map(|data| data.date.clone()),
            })
        })
        .collect();
    let count = list.len();
    let mut response = json_reply(200, &Value::Array(list));
    response.headers_mut().insert("x-total-count", count.into());
    response
}
