//! The only code that talks to the host: Tauri's IPC inside the window, HTTP and WebSocket in a browser.

mod events;
mod http;
mod ipc;

use leptos::prelude::*;
use tw_contract::{ApiError, Client, Transport};

pub(crate) use events::{Accept, Connection, Events, Sequence, Tail, use_connection, use_events};

/// Calls every command of the contract. Cheap to clone.
pub(crate) type Api = Client<Host>;

/// The host behind this page.
#[derive(Clone, Debug)]
pub(crate) enum Host {
    /// The shell around this window.
    Ipc,
    /// A server that also served this page.
    Http(http::Server),
}

impl Host {
    /// Finds out what this page runs in. In a browser this takes the token out of the address bar.
    pub(crate) fn find() -> Self {
        if ipc::is_present() { Self::Ipc } else { Self::Http(http::Server::of_this_page()) }
    }
}

impl Transport for Host {
    async fn call(&self, command: &'static str, payload: String) -> Result<String, ApiError> {
        match self {
            Self::Ipc => ipc::call(command, &payload).await,
            Self::Http(server) => server.call(command, payload).await,
        }
    }
}

/// Gives the host, its events and the state of the connection to everything below, and connects.
pub(crate) fn provide() {
    let host = Host::find();
    provide_context(Client(host.clone()));
    events::provide(host);
}

/// The host's commands.
pub(crate) fn use_api() -> Api {
    expect_context()
}
