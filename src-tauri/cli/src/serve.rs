//! `tw serve`: the window's pages and the app's commands over HTTP and WebSocket, on loopback only.
//!
//! Every call needs the token of this start, and an `Origin` and `Host` that are this server's own: another page in
//! the same browser, or a name that was made to point here, gets nothing.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rust_embed::RustEmbed;
use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;
use tw_app::App;
use tw_contract::{ApiError, ErrorCode};

use crate::args::Serve;
use crate::open::Place;
use crate::report::Report;

/// Largest request: an import of a few large traces.
const MAX_BODY: usize = 512 * 1024 * 1024;
/// The subprotocol of the event socket; the token stands beside it.
const SUBPROTOCOL: &str = "tracewright";
/// What the pages may do: as in the window.
const CSP: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
                   img-src 'self' data: blob:; connect-src 'self'; frame-ancestors 'none'";

/// The built UI. In debug builds read from disk at run time.
#[derive(RustEmbed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Pages;

struct Server {
    app: Arc<App>,
    token: String,
    port: u16,
}

pub(crate) async fn serve(place: &Place, args: &Serve, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let listener = TcpListener::bind(("127.0.0.1", args.port))
        .await
        .with_context(|| format!("port {} cannot be used; name another with --port", args.port))?;
    let port = listener.local_addr()?.port();
    let token = uuid::Uuid::new_v4().simple().to_string();
    let server = Arc::new(Server { app: Arc::clone(&app), token: token.clone(), port });
    let url = format!("http://127.0.0.1:{port}/#token={token}");
    report.result(&serde_json::json!({ "url": url, "port": port }), || format!("Tracewright is at {url}"))?;
    report.progress("Ctrl+C ends it.");
    let serving = axum::serve(listener, routes(server)).with_graceful_shutdown(ended());
    let app_end = Arc::clone(&app);
    // Open event sockets would keep the server from ending: the app's own end is not made to wait for them.
    tokio::select! {
        result = async { serving.await } => result?,
        () = async { ended().await; app_end.shutdown().await; } => return Ok(()),
    }
    app.shutdown().await;
    Ok(())
}

fn routes(server: Arc<Server>) -> Router {
    let api = Router::new()
        .route("/call/{command}", post(call))
        .route("/events", get(events))
        .layer(DefaultBodyLimit::max(MAX_BODY));
    Router::new()
        .nest("/api", api)
        .fallback(page)
        .layer(from_fn_with_state(Arc::clone(&server), own_origin))
        .with_state(server)
}

/// The person's Ctrl+C, or the system's request to end.
pub(crate) async fn ended() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // An error means that the signal cannot be heard: then only the system ends it.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Refuses requests that are made for another host name, or by another site's page.
async fn own_origin(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    if is_own(server.port, request.headers()) {
        next.run(request).await
    } else {
        refuse(StatusCode::FORBIDDEN, "This address is not the app's own.")
    }
}

fn is_own(port: u16, headers: &HeaderMap) -> bool {
    let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host_is_own = text(header::HOST).is_some_and(|host| hosts.iter().any(|own| own == host));
    let origin_is_own = text(header::ORIGIN)
        .is_none_or(|origin| hosts.iter().any(|own| origin.strip_prefix("http://") == Some(own.as_str())));
    host_is_own && origin_is_own
}

fn refuse(status: StatusCode, message: &str) -> Response {
    let error = ApiError::new(ErrorCode::Unauthorized, message).with_hint("Open the link that \"tw serve\" printed.");
    answer(status, serde_json::to_string(&error).unwrap_or_default())
}

fn answer(status: StatusCode, json: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], json).into_response()
}

/// Compared over their whole length: how long it takes tells nothing about the token.
fn is_token(server: &Server, given: Option<&str>) -> bool {
    given.is_some_and(|given| {
        let differences = given.bytes().zip(server.token.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        given.len() == server.token.len() && differences == 0
    })
}

async fn call(
    State(server): State<Arc<Server>>,
    Path(command): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if !is_token(&server, bearer.and_then(|value| value.strip_prefix("Bearer "))) {
        return refuse(StatusCode::UNAUTHORIZED, "The token of this page is not the app's.");
    }
    let result = match std::str::from_utf8(&body) {
        Ok(payload) => server.app.call(&command, payload).await,
        Err(_) => Err(ApiError::invalid("The request is not UTF-8 text.")),
    };
    match result {
        Ok(reply) => answer(StatusCode::OK, reply),
        Err(error) => {
            let status = match error.code {
                ErrorCode::Invalid => StatusCode::BAD_REQUEST,
                ErrorCode::NotFound => StatusCode::NOT_FOUND,
                ErrorCode::Conflict => StatusCode::CONFLICT,
                ErrorCode::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
                ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
                ErrorCode::Offline
                | ErrorCode::Endpoint
                | ErrorCode::UnknownModel
                | ErrorCode::Server
                | ErrorCode::Hub
                | ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            };
            answer(status, serde_json::to_string(&error).unwrap_or_default())
        }
    }
}

/// A browser cannot put a header on a socket: the token comes as a second subprotocol.
async fn events(State(server): State<Arc<Server>>, headers: HeaderMap, socket: WebSocketUpgrade) -> Response {
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
    let token = offered.and_then(|list| list.split(',').map(str::trim).find(|it| *it != SUBPROTOCOL));
    if !is_token(&server, token) {
        return refuse(StatusCode::UNAUTHORIZED, "The token of this page is not the app's.");
    }
    let events = server.app.events();
    socket.protocols([SUBPROTOCOL]).on_upgrade(|socket| forward(socket, events))
}

async fn forward(mut socket: WebSocket, mut events: tokio::sync::broadcast::Receiver<tw_contract::Event>) {
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => {
                    let Ok(text) = serde_json::to_string(&event) else { continue };
                    if socket.send(Message::Text(text.into())).await.is_err() {
                        return;
                    }
                }
                // The next event's number shows the page the gap.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}

async fn page(uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    // Addresses of the app's own pages all get the same document.
    let (name, file) = match Pages::get(path) {
        Some(file) if !path.is_empty() => (path, Some(file)),
        _ if path.starts_with("api/") || path.contains('.') => (path, None),
        _ => ("index.html", Pages::get("index.html")),
    };
    let Some(file) = file else {
        let text = if name == "index.html" {
            "The UI is not built. Build it with `cargo xtask ui`, then load this page again."
        } else {
            "There is no such page."
        };
        return (StatusCode::NOT_FOUND, text).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, file.metadata.mimetype().to_owned()),
        (header::CONTENT_SECURITY_POLICY, CSP.to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    (headers, file.data.into_owned()).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check_own(host: &str, origin: Option<&str>, expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        assert_eq!(is_own(4000, &headers), expected, "{host} {origin:?}");
    }

    #[test]
    fn only_the_apps_own_pages_are_answered() {
        check_own("127.0.0.1:4000", None, true);
        check_own("localhost:4000", Some("http://localhost:4000"), true);
        check_own("127.0.0.1:4000", Some("http://evil.example"), false);
        check_own("127.0.0.1:4000", Some("http://127.0.0.1:4001"), false);
        check_own("127.0.0.1:4000", Some("null"), false);
        check_own("rebound.example:4000", None, false);
    }
}
