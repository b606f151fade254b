//! The double over streamable HTTP.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::{get, post};
use futures::StreamExt;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::authorization::{self, Desk};
use super::behaviour::{Behaviour, Era};
use super::engine::{Engine, LINK_ROOM, lock};

pub use super::authorization::Authorization;

const SESSION: &str = "mcp-session-id";

/// A running double. It ends when this is dropped.
pub struct HttpServer {
    /// Its address, `http://127.0.0.1:PORT/mcp`.
    pub url: String,
    state: Served,
    task: tokio::task::JoinHandle<()>,
}

/// What every request sees.
#[derive(Clone)]
pub(super) struct Served {
    engine: Arc<Engine>,
    pub(super) desk: Option<Arc<Desk>>,
    /// Open sessions of the older protocol.
    sessions: Arc<Mutex<Vec<String>>>,
    headers: Arc<Mutex<Vec<HashMap<String, String>>>>,
}

impl HttpServer {
    /// Starts on a free port of loopback; with `authorization` only for those who have signed in at its own
    /// authorization server.
    ///
    /// # Errors
    /// No port could be opened.
    pub async fn start(behaviour: Behaviour, authorization: Option<Authorization>) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let desk = authorization.map(|rules| Arc::new(Desk::new(origin.clone(), rules)));
        let state = Served { engine: Engine::new(behaviour), desk, sessions: Arc::default(), headers: Arc::default() };
        let mcp = post(take_message).get(open_stream).delete(close_session);
        let router = Router::new().route("/mcp", mcp).merge(authorization::routes()).with_state(state.clone());
        let router = router.route("/health", get(|| async { "ok" }));
        let task = tokio::spawn(async move {
            // It ends with the task; an error before that shows in the test as a refused connection.
            drop(axum::serve(listener, router).await);
        });
        Ok(Self { url: format!("{origin}/mcp"), state, task })
    }

    /// All messages that came so far.
    #[must_use]
    pub fn received(&self) -> Vec<Value> {
        self.state.engine.received()
    }

    /// The headers of all posted messages so far, names in lower case.
    #[must_use]
    pub fn headers(&self) -> Vec<HashMap<String, String>> {
        lock(&self.state.headers).clone()
    }

    /// Whether a client listens for what no request asked for.
    #[must_use]
    pub fn is_listened_to(&self) -> bool {
        self.state.engine.has_listener()
    }

    /// How many sessions of the older protocol are open.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        lock(&self.state.sessions).len()
    }

    /// Its authorization server's desk; `None` without authorization.
    #[must_use]
    pub fn desk(&self) -> Option<&Desk> {
        self.state.desk.as_deref()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn plain(status: StatusCode, words: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(words.to_owned()));
    *response.status_mut() = status;
    response
}

/// The refusal of somebody who has not signed in.
fn guard(state: &Served, headers: &HeaderMap) -> Option<Response<Body>> {
    let desk = state.desk.as_ref()?;
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if desk.admits(token) {
        return None;
    }
    let mut response = plain(StatusCode::UNAUTHORIZED, "sign in first");
    if let Ok(challenge) = desk.challenge().parse() {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    Some(response)
}

async fn take_message(State(state): State<Served>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    if let Some(refusal) = guard(&state, &headers) {
        return refusal;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let accepts = text("accept").unwrap_or_default();
    if !accepts.contains("application/json") || !accepts.contains("text/event-stream") {
        return plain(StatusCode::NOT_ACCEPTABLE, "accept both application/json and text/event-stream");
    }
    let Ok(message) = serde_json::from_slice::<Value>(&body) else {
        return plain(StatusCode::BAD_REQUEST, "no JSON");
    };
    let all =
        headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap_or("[bytes]").to_owned()));
    lock(&state.headers).push(all.collect());
    let method = message.get("method").and_then(Value::as_str).unwrap_or_default();
    let mut new_session = None;
    if state.engine.behaviour.era == Era::Stateless {
        // From 2026-07-28 on the method also stands in a header, for those on the way.
        if message.get("id").is_some() && text("mcp-method") != Some(method) {
            return plain(StatusCode::BAD_REQUEST, "the header Mcp-Method is not the message's method");
        }
    } else if method == "initialize" {
        let mut sessions = lock(&state.sessions);
        let id = format!("session-{}", sessions.len() + 1);
        sessions.push(id.clone());
        new_session = Some(id);
    } else {
        match text(SESSION) {
            None => return plain(StatusCode::BAD_REQUEST, "Bad Request: Server not initialized"),
            Some(id) if !lock(&state.sessions).iter().any(|known| known == id) => {
                return plain(StatusCode::NOT_FOUND, "Session not found");
            }
            Some(_) => {}
        }
    }
    let (link, outgoing) = mpsc::channel(LINK_ROOM);
    let wants_answer = message.get("id").is_some() && !method.is_empty();
    state.engine.receive(message, link);
    if !wants_answer {
        return plain(StatusCode::ACCEPTED, "");
    }
    let mut response = stream(outgoing);
    if let Some(id) = new_session.and_then(|id| id.parse().ok()) {
        response.headers_mut().insert(SESSION, id);
    }
    response
}

/// Server-sent events with one message each, until the last sender is gone.
fn stream(outgoing: mpsc::Receiver<Value>) -> Response<Body> {
    let events = ReceiverStream::new(outgoing)
        .map(|message| Ok::<_, io::Error>(Bytes::from(format!("event: message\ndata: {message}\n\n"))));
    let mut response = Response::new(Body::from_stream(events));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/event-stream"));
    response
}

async fn open_stream(State(state): State<Served>, headers: HeaderMap) -> Response<Body> {
    if let Some(refusal) = guard(&state, &headers) {
        return refusal;
    }
    if state.engine.behaviour.era == Era::Stateless {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "there is no standing stream");
    }
    let (link, outgoing) = mpsc::channel(LINK_ROOM);
    state.engine.stand_by(link);
    stream(outgoing)
}

async fn close_session(State(state): State<Served>, headers: HeaderMap) -> Response<Body> {
    let id = headers.get(SESSION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    lock(&state.sessions).retain(|known| known != id);
    plain(StatusCode::NO_CONTENT, "")
}
