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
pub(crate) struct Host {
    link: Link,
    saving: RwSignal<u32>,
}

/// How the host is reached.
#[derive(Clone, Debug)]
enum Link {
    /// The shell around this window.
    Ipc,
    /// A server that also served this page.
    Http(http::Server),
}

impl Host {
    /// Finds out what this page runs in. In a browser this takes the token out of the address bar.
    fn find() -> Self {
        let link = if ipc::is_present() { Link::Ipc } else { Link::Http(http::Server::of_this_page()) };
        Self { link, saving: RwSignal::new(0) }
    }
}

impl Transport for Host {
    async fn call(&self, command: &'static str, payload: String) -> Result<String, ApiError> {
        let writes = writes(command);
        if writes {
            self.saving.try_update(|saving| *saving += 1);
        }
        let reply = match &self.link {
            Link::Ipc => ipc::call(command, &payload).await,
            Link::Http(server) => server.call(command, payload).await,
        };
        if writes {
            self.saving.try_update(|saving| *saving = saving.saturating_sub(1));
        }
        reply
    }
}

/// Whether a command changes what the workspace keeps.
fn writes(command: &str) -> bool {
    let (noun, verb) = command.split_once('_').unwrap_or((command, ""));
    match noun {
        "train" => matches!(verb, "start" | "pause" | "resume" | "stop" | "checkpoint" | "delete"),
        "run" => matches!(verb, "start" | "continue" | "decide"),
        "import" | "review" => matches!(verb, "start" | "edit" | "undo" | "redo" | "mark" | "rerun"),
        _ => matches!(verb, "set" | "save" | "delete" | "import" | "switch" | "reply" | "add"),
    }
}

/// Writes to the workspace that were sent and are not yet acknowledged.
#[derive(Clone, Copy)]
struct Saving(RwSignal<u32>);

/// Writes to the workspace that were sent and are not yet acknowledged.
pub(crate) fn use_saving() -> ReadSignal<u32> {
    expect_context::<Saving>().0.read_only()
}

/// Gives the host, its events and the state of the connection to everything below, and connects.
pub(crate) fn provide() {
    let host = Host::find();
    provide_context(Saving(host.saving));
    provide_context(Client(host.clone()));
    events::provide(host);
}

/// The host's commands.
pub(crate) fn use_api() -> Api {
    expect_context()
}
