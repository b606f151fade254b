//! The app over a workspace.

use std::sync::Arc;

use anyhow::Context;
use camino::Utf8PathBuf;
use tw_app::{App, AppOptions, TrainDesk};
use tw_contract::{ApiError, Client, Transport};

use crate::args::EndpointArgs;

/// Which workspace a command works on.
pub(crate) struct Place(Option<Utf8PathBuf>);

impl Place {
    pub(crate) const fn new(workspace: Option<Utf8PathBuf>) -> Self {
        Self(workspace)
    }

    fn folder(&self) -> anyhow::Result<Utf8PathBuf> {
        match &self.0 {
            Some(dir) => Ok(dir.clone()),
            None => tw_app::default_workspace().context("no folder for data is known; name one with --workspace"),
        }
    }

    /// Its trainings, also while another program has the workspace open.
    pub(crate) fn trainings(&self) -> anyhow::Result<TrainDesk> {
        Ok(TrainDesk::open(&self.folder()?))
    }

    pub(crate) async fn open(&self) -> anyhow::Result<Arc<App>> {
        let options = AppOptions {
            workspace: self.folder()?,
            guard_exe: std::env::current_exe().ok(),
            worker: None,
            open_url: Arc::new(|url| {
                // There is no window here: the person opens the page.
                drop(std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("Open in a browser: {url}\n")));
            }),
            vault: None,
        };
        Ok(App::open(options).await?)
    }
}

/// Calls the app in this process.
pub(crate) struct Local(pub(crate) Arc<App>);

impl Transport for Local {
    async fn call(&self, command: &'static str, payload: String) -> Result<String, ApiError> {
        self.0.call(command, &payload).await
    }
}

/// The app's commands.
pub(crate) fn client(app: &Arc<App>) -> Client<Local> {
    Client(Local(Arc::clone(app)))
}

impl EndpointArgs {
    /// The key from the variable that was named.
    pub(crate) fn key(&self) -> anyhow::Result<Option<String>> {
        let Some(variable) = &self.api_key_env else { return Ok(None) };
        let key = std::env::var(variable)
            .with_context(|| format!("the environment variable {variable} that should hold the API key is not set"))?;
        Ok(Some(key))
    }
}
