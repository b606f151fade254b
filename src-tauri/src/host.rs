//! The app behind the window: opened while the window comes up, closed before the process ends.

use std::sync::Arc;

use camino::Utf8PathBuf;
use tauri::Url;
use tokio::sync::OnceCell;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tw_app::{App, AppOptions};
use tw_contract::{ApiError, ErrorCode, Event};

use crate::options::Options;
use crate::window;

/// The app, as soon as it is open. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Host {
    options: Arc<Options>,
    app: Arc<OnceCell<Arc<App>>>,
}

impl Host {
    /// Begins to open the workspace; the page's first command waits for it. A workspace that cannot be opened is told
    /// to the page with every command, and tried again with the next.
    pub(crate) fn open(options: Options) -> Self {
        let host = Self { options: Arc::new(options), app: Arc::default() };
        let opening = host.clone();
        tauri::async_runtime::spawn(async move {
            if let Err(error) = opening.app().await {
                tracing::error!(%error, "the workspace could not be opened");
            }
        });
        host
    }

    /// Carries out a command of the contract. The error is an [`ApiError`] as JSON.
    pub(crate) async fn call(&self, cmd: &str, payload: &str) -> Result<String, String> {
        let app = self.app().await.map_err(|error| json(&error))?;
        app.call(cmd, payload).await.map_err(|error| json(&error))
    }

    /// All events from now on. The error is an [`ApiError`] as JSON.
    pub(crate) async fn events(&self) -> Result<Events, String> {
        self.app().await.map(|app| Events(app.events())).map_err(|error| json(&error))
    }

    /// Ends runs and MCP servers. An app that was not open has none.
    pub(crate) async fn shutdown(&self) {
        if let Some(app) = self.app.get() {
            app.shutdown().await;
        }
    }

    async fn app(&self) -> Result<&Arc<App>, ApiError> {
        self.app
            .get_or_try_init(|| async {
                let workspace = self.options.workspace().map(Utf8PathBuf::from).or_else(tw_app::default_workspace);
                let workspace = workspace.ok_or_else(|| {
                    ApiError::new(ErrorCode::Internal, "The system names no folder for the app's data.")
                        .with_hint("Set HOME, or start with --workspace DIR.")
                })?;
                App::open(AppOptions {
                    workspace,
                    guard_exe: std::env::current_exe().ok(),
                    worker: None,
                    open_url: Arc::new(open_link),
                    vault: None,
                })
                .await
            })
            .await
    }
}

/// The app's events, each as JSON.
pub(crate) struct Events(Receiver<Event>);

impl Events {
    /// The next event; `None` when there will be none. After a gap the page sees it by the numbers and fetches anew.
    pub(crate) async fn next(&mut self) -> Option<String> {
        loop {
            match self.0.recv().await {
                Ok(event) => match serde_json::to_string(&event) {
                    Ok(text) => return Some(text),
                    Err(error) => tracing::error!(%error, "an event has no JSON"),
                },
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "the window fell behind"),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

fn open_link(address: &str) {
    match Url::parse(address) {
        Ok(url) => window::open_in_browser(&url),
        Err(error) => tracing::warn!(%error, "a link that is no address is not opened"),
    }
}

fn json(error: &ApiError) -> String {
    serde_json::to_string(error).unwrap_or_else(|_| error.to_string())
}
