//! The server itself: who asks, what strikes the request, and where it goes.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::fault::{Act, Fault, Faults};
use super::repo::{Commit, Kind, Shelves};
use super::{READ_TOKEN, USER, WRITE_TOKEN, api, resolve, upload};
use crate::endpoint::connection::{Doors, Line, Lines};

/// A request that came, and what it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `GET /api/whoami-v2`
    pub request: String,
    /// The token that came with it.
    pub token: Option<String>,
    /// Bytes of its body that were read.
    pub body_bytes: usize,
    /// The part of the file that was asked for.
    pub range: Option<String>,
    /// The answer's status; 0 where the connection was cut.
    pub status: u16,
}

pub(super) struct Shared {
    pub(super) endpoint: String,
    /// The other origin, from which large files come.
    pub(super) storage: String,
    pub(super) shelves: Mutex<Shelves>,
    /// Account and whether it may write, by token.
    tokens: Mutex<HashMap<String, (String, bool)>>,
    faults: Faults,
    pub(super) ways: Mutex<Ways>,
    seen: Mutex<Vec<Seen>>,
}

/// How large files are to be sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ways {
    /// In parts of so many bytes.
    pub(super) part_bytes: Option<usize>,
    /// By Xet, as the batch says; this Hub has none behind it.
    pub(super) offers_xet: bool,
}

/// The data are whole after any panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) name: String,
    pub(super) can_write: bool,
}

/// A request, taken apart.
pub(super) struct Ask {
    pub(super) method: Method,
    /// The parts of the path, each decoded.
    pub(super) path: Vec<String>,
    pub(super) query: HashMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) caller: Option<Caller>,
}

impl Ask {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.query.get(name).is_some_and(|value| ["1", "true", "True"].contains(&value.as_str()))
    }
}

impl Shared {
    pub(super) fn ways(&self) -> Ways {
        *lock(&self.ways)
    }

    pub(super) fn shelves(&self) -> MutexGuard<'_, Shelves> {
        lock(&self.shelves)
    }
}

/// A Hub. It ends, with all its connections, when it is dropped.
pub struct LoopbackHub {
    shared: Arc<Shared>,
    lines: Lines,
    tasks: [JoinHandle<io::Result<()>>; 2],
}

impl LoopbackHub {
    /// An empty Hub on two free ports: one for the API, one from which large files come.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start() -> io::Result<Self> {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = |address: SocketAddr| format!("http://{address}");
        let tokens = HashMap::from([
            (WRITE_TOKEN.to_owned(), (USER.to_owned(), true)),
            (READ_TOKEN.to_owned(), (USER.to_owned(), false)),
        ]);
        let shared = Arc::new(Shared {
            endpoint: address(first.local_addr()?),
            storage: address(second.local_addr()?),
            shelves: Mutex::default(),
            tokens: Mutex::new(tokens),
            faults: Faults::default(),
            ways: Mutex::default(),
            seen: Mutex::default(),
        });
        let lines = Lines::default();
        let serve = |listener: TcpListener| {
            let app = Router::new().fallback(handle).with_state(Arc::clone(&shared));
            let doors = Doors { listener, lines: lines.clone() };
            tokio::spawn(async move { axum::serve(doors, app.into_make_service_with_connect_info::<Line>()).await })
        };
        let tasks = [serve(first), serve(second)];
        Ok(Self { shared, lines, tasks })
    }

    /// What `HF_ENDPOINT` is to be.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.shared.endpoint.clone()
    }

    /// Lets a token in.
    pub fn add_token(&self, token: &str, account: &str, can_write: bool) {
        lock(&self.shared.tokens).insert(token.to_owned(), (account.to_owned(), can_write));
    }

    /// Makes something go wrong.
    pub fn fail(&self, fault: Fault) {
        self.shared.faults.add(fault);
    }

    /// Takes back the faults that did not strike yet.
    pub fn heal(&self) {
        self.shared.faults.clear();
    }

    /// From now on large files are to be sent in parts of so many bytes.
    pub fn want_parts(&self, bytes: usize) {
        lock(&self.shared.ways).part_bytes = Some(bytes);
    }

    /// From now on says that it has Xet, and fails where that is used.
    pub fn offer_xet(&self) {
        lock(&self.shared.ways).offers_xet = true;
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// Forgets the requests so far.
    pub fn forget_seen(&self) {
        lock(&self.shared.seen).clear();
    }

    /// Puts files into a repository, as one commit over what is there; makes it, public, where it is not there.
    pub fn put(&self, kind: Kind, id: &str, title: &str, files: &[(&str, &[u8])]) {
        let mut shelves = self.shared.shelves();
        if !shelves.repos.contains_key(&(kind, id.to_owned())) {
            shelves.create(kind, id, false, USER);
        }
        let mut all = shelves
            .repos
            .get(&(kind, id.to_owned()))
            .and_then(|repo| repo.files_at("main"))
            .cloned()
            .unwrap_or_default();
        for (path, bytes) in files {
            let file = if upload::goes_to_storage(path, bytes.len() as u64, bytes) {
                let sha = shelves.put_blob(Bytes::copy_from_slice(bytes));
                shelves.large(&sha)
            } else {
                Some(shelves.regular(bytes.to_vec()))
            };
            all.extend(file.map(|file| ((*path).to_owned(), file)));
        }
        shelves.commit(kind, id, "main", all, title, "", USER);
    }

    /// Whether a repository is private; `None` where there is none.
    #[must_use]
    pub fn is_private(&self, kind: Kind, id: &str) -> Option<bool> {
        self.shared.shelves().repos.get(&(kind, id.to_owned())).map(|repo| repo.private)
    }

    /// The files of a repository's main branch and their bytes; empty where there is none.
    #[must_use]
    pub fn files(&self, kind: Kind, id: &str) -> BTreeMap<String, Vec<u8>> {
        let shelves = self.shared.shelves();
        let Some(files) = shelves.repos.get(&(kind, id.to_owned())).and_then(|repo| repo.files_at("main")) else {
            return BTreeMap::new();
        };
        files
            .iter()
            .filter_map(|(path, file)| Some((path.clone(), shelves.blobs.get(&file.sha256)?.to_vec())))
            .collect()
    }

    /// The commits of the main branch, the newest first; empty where there is no repository.
    #[must_use]
    pub fn commits(&self, kind: Kind, id: &str) -> Vec<Commit> {
        let shelves = self.shared.shelves();
        shelves.repos.get(&(kind, id.to_owned())).map(|repo| repo.history("main")).unwrap_or_default()
    }
}

impl Drop for LoopbackHub {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.lines.tear_all();
    }
}

async fn handle(State(shared): State<Arc<Shared>>, ConnectInfo(line): ConnectInfo<Line>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let name = format!("{} {}", parts.method, parts.uri.path());
    let token = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let place = {
        let mut seen = lock(&shared.seen);
        let range = parts.headers.get(header::RANGE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        seen.push(Seen { request: name.clone(), token: token.clone(), body_bytes: 0, range, status: 0 });
        seen.len() - 1
    };
    let note = |change: &dyn Fn(&mut Seen)| {
        if let Some(seen) = lock(&shared.seen).get_mut(place) {
            change(seen);
        }
    };
    let act = shared.faults.strike(&name);
    let cut_upload = match &act {
        Some(Act::Cut { after_bytes }) if parts.method == Method::PUT || parts.method == Method::POST => {
            Some(*after_bytes)
        }
        _ => None,
    };
    let mut bytes = Vec::new();
    let mut stream = body.into_data_stream();
    while let Some(Ok(chunk)) = stream.next().await {
        bytes.extend_from_slice(&chunk);
        if cut_upload.is_some_and(|most| bytes.len() >= most) {
            break;
        }
    }
    note(&|seen| seen.body_bytes = bytes.len());
    if cut_upload.is_some() {
        line.tear();
        return std::future::pending().await;
    }
    let caller = token.and_then(|token| {
        let (name, can_write) = lock(&shared.tokens).get(&token).cloned()?;
        Some(Caller { name, can_write })
    });
    let ask = Ask {
        method: parts.method,
        path: parts.uri.path().split('/').skip(1).map(decode).collect(),
        query: parts.uri.query().map(query).unwrap_or_default(),
        headers: parts.headers,
        body: bytes.into(),
        caller,
    };
    let response = match act {
        Some(Act::Hang) => std::future::pending().await,
        Some(Act::Status { status, retry_after_secs, message }) => {
            let mut response = error(status, "", &message);
            if let Some(secs) = retry_after_secs {
                response.headers_mut().insert(header::RETRY_AFTER, secs.into());
            }
            response
        }
        Some(Act::Cut { after_bytes } | Act::CutAnswer { after_bytes }) => {
            resolve::cut(answer(&shared, &ask), after_bytes, &line).await
        }
        Some(Act::Corrupt) => resolve::corrupt(answer(&shared, &ask)).await,
        Some(Act::OtherCommit) => {
            other_commit(&shared, &ask);
            answer(&shared, &ask)
        }
        None => answer(&shared, &ask),
    };
    let status = response.status().as_u16();
    note(&|seen| seen.status = status);
    response
}

fn answer(shared: &Shared, ask: &Ask) -> Response {
    let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
    let refused = || error(404, "", "Not Found");
    let id = |owner: &str, name: &str| format!("{owner}/{name}");
    match path.as_slice() {
        ["api", "whoami-v2"] => api::whoami(ask),
        ["api", "repos", "create"] => api::create(shared, ask),
        ["api", "repos", "delete"] => api::delete(shared, ask),
        ["api", "validate-yaml"] => json_reply(200, &json!({"errors": [], "warnings": []})),
        ["api", kind, owner, name, rest @ ..] => {
            let Some(kind) = Kind::parse(kind) else { return refused() };
            let id = id(owner, name);
            match rest {
                ["preupload", revision] => upload::preupload(shared, ask, kind, &id, revision),
                ["xet-write-token", _] => {
                    // Nothing listens on that port.
                    let cas = "http://127.0.0.1:9";
                    json_reply(200, &json!({"accessToken": "xet", "exp": 4_000_000_000_u64, "casUrl": cas}))
                }
                ["commit", branch] => upload::commit(shared, ask, kind, &id, branch),
                _ => api::repository(shared, ask, kind, &id, rest),
            }
        }
        ["_storage", "verify"] => upload::verify(shared, ask),
        ["_storage", sha] if ask.method == Method::PUT => upload::store(shared, sha, ask),
        ["_storage", sha, "whole"] => upload::join(shared, sha, ask),
        ["_storage", sha, part] => upload::store_part(shared, sha, part, ask),
        ["_storage", sha] => resolve::stored(shared, ask, sha),
        ["datasets", owner, git, "info", "lfs", "objects", "batch"] => {
            upload::batch(shared, ask, Kind::Dataset, &id(owner, git.trim_end_matches(".git")))
        }
        [owner, git, "info", "lfs", "objects", "batch"] => {
            upload::batch(shared, ask, Kind::Model, &id(owner, git.trim_end_matches(".git")))
        }
        ["datasets", owner, name, "resolve", revision, file @ ..] => {
            resolve::file(shared, ask, Kind::Dataset, &id(owner, name), revision, &file.join("/"))
        }
        [owner, name, "resolve", revision, file @ ..] => {
            resolve::file(shared, ask, Kind::Model, &id(owner, name), revision, &file.join("/"))
        }
        _ => refused(),
    }
}

/// Somebody else's commit in the repository that the request is about.
fn other_commit(shared: &Shared, ask: &Ask) {
    let [_, kind, owner, name, ..] = ask.path.as_slice() else { return };
    let (Some(kind), id) = (Kind::parse(kind), format!("{owner}/{name}")) else { return };
    let mut shelves = shared.shelves();
    let files = shelves.repos.get(&(kind, id.clone())).and_then(|repo| repo.files_at("main")).cloned();
    if let Some(mut files) = files {
        let file = shelves.regular(b"somebody else was here\n".to_vec());
        files.insert("OTHER.md".to_owned(), file);
        shelves.commit(kind, &id, "main", files, "Somebody else's commit", "", "other");
    }
}

pub(super) fn reply(status: u16, content_type: &str, body: impl Into<Body>) -> Response {
    let builder = Response::builder().status(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY));
    builder.header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap_or_default()
}

pub(super) fn json_reply(status: u16, value: &Value) -> Response {
    reply(status, "application/json; charset=utf-8", value.to_string())
}

/// An error as the Hub's clients read them: a code and a message in headers, the message in the body.
pub(super) fn error(status: u16, code: &str, message: &str) -> Response {
    let mut response = json_reply(status, &json!({"error": message}));
    let headers = response.headers_mut();
    if let (false, Ok(code)) = (code.is_empty(), code.parse()) {
        headers.insert("x-error-code", code);
    }
    if let Ok(message) = message.parse() {
        headers.insert("x-error-message", message);
    }
    response
}

/// Undoes the percent signs of a part of a path.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match code {
            Some(code) if *first == b'%' => {
                bytes.push(code);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn query(text: &str) -> HashMap<String, String> {
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (decode(key), decode(&value.replace('+', " "))))
        .collect()
}
