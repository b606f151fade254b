//! The host is the server that this page came from.

use futures::StreamExt;
use gloo_net::http::Request;
use gloo_net::websocket::{Message, futures::WebSocket};
use leptos::prelude::window;
use tw_contract::{ApiError, ErrorCode};
use wasm_bindgen::JsValue;

/// Where the token stays while this browser tab is open.
const TOKEN_KEY: &str = "tracewright-token";

/// The subprotocol of the events; the token is offered as a second one, because a WebSocket cannot have headers.
const SUBPROTOCOL: &str = "tracewright";

/// The server that this page came from.
#[derive(Clone)]
pub(crate) struct Server {
    token: String,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// Takes the token from the address (`#token=...`), where the server's link put it, or from an earlier load of this
    /// tab, and removes it from the address bar.
    pub(crate) fn of_this_page() -> Self {
        let window = window();
        let storage = window.session_storage().ok().flatten();
        let hash = window.location().hash().unwrap_or_default();
        let given = hash.trim_start_matches('#').split('&').find_map(|pair| pair.strip_prefix("token="));
        let token = match given {
            Some(token) => {
                if let Some(storage) = &storage {
                    // Without storage the token lives as long as this load of the page.
                    storage.set_item(TOKEN_KEY, token).unwrap_or_default();
                }
                let location = window.location();
                let clean =
                    location.pathname().unwrap_or_else(|_| "/".to_owned()) + &location.search().unwrap_or_default();
                if let Ok(history) = window.history() {
                    history.replace_state_with_url(&JsValue::NULL, "", Some(&clean)).unwrap_or_default();
                }
                token.to_owned()
            }
            None => storage.and_then(|it| it.get_item(TOKEN_KEY).ok().flatten()).unwrap_or_default(),
        };
        Self { token }
    }

    /// Sends one call.
    pub(crate) async fn call(&self, command: &str, payload: String) -> Result<String, ApiError> {
        let request = Request::post(&format!("/api/call/{command}"))
            .header("Authorization", &format!("Bearer {}", self.token))
            .header("Content-Type", "application/json")
            .body(payload)
            .map_err(|error| offline(&error.to_string()))?;
        let response = request.send().await.map_err(|error| offline(&error.to_string()))?;
        let status = response.status();
        let body = response.text().await.map_err(|error| offline(&error.to_string()))?;
        if response.ok() {
            return Ok(body);
        }
        Err(serde_json::from_str(&body).unwrap_or_else(|_| match status {
            401 | 403 => unauthorized(),
            _ => ApiError::new(ErrorCode::Internal, format!("The host answered {status} to \"{command}\"."))
                .with_detail((!body.is_empty()).then_some(body)),
        }))
    }

    /// Sends every event to `on_event`, as JSON text, until the connection ends. `on_open` is called once it stands.
    /// Gives whether it ever stood.
    pub(crate) async fn listen(&self, on_open: impl FnOnce(), on_event: impl Fn(String)) -> bool {
        let location = window().location();
        let scheme = if location.protocol().is_ok_and(|it| it == "https:") { "wss" } else { "ws" };
        let address = format!("{scheme}://{}/api/events", location.host().unwrap_or_default());
        let Ok(socket) = WebSocket::open_with_protocols(&address, &[SUBPROTOCOL, &self.token]) else {
            return false;
        };
        if !wait_open(&socket).await {
            return false;
        }
        on_open();
        let mut socket = socket;
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(text) = message {
                on_event(text);
            }
        }
        true
    }
}

/// Waits until the socket stands or is refused. The library tells neither, so its state is read.
async fn wait_open(socket: &WebSocket) -> bool {
    use gloo_net::websocket::State;
    loop {
        match socket.state() {
            State::Connecting => gloo_timers::future::TimeoutFuture::new(20).await,
            State::Open => return true,
            State::Closing | State::Closed => return false,
        }
    }
}

fn offline(detail: &str) -> ApiError {
    ApiError::new(ErrorCode::Offline, "The host cannot be reached.")
        .with_hint("It is tried again by itself; start `tw serve` if it has ended.")
        .with_detail(Some(detail.to_owned()))
        .retryable(true)
}

fn unauthorized() -> ApiError {
    ApiError::new(ErrorCode::Unauthorized, "The host does not accept this page's token.")
        .with_hint("Open the page again from the link that `tw serve` printed.")
}
