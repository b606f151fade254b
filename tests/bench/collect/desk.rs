//! The app on a workspace in a temporary folder, with the double of an MCP server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tw_app::{App, AppOptions};
use tw_artifact::{
    ApprovalPolicy, EndpointConfig, EndpointPreset, Map, PolicyMode, RunLimits, RunSpec, ServerConfig, Trace,
    Transport as Link,
};
use tw_contract::{
    ApiError, Client, EndpointSave, Event, EventBody, IdRequest, KeyChange, RunRequest, ServerDraft, Transport,
};
use tw_support::endpoint::{EndpointOptions, Recorded, Script, ScriptedEndpoint};
use tw_support::{drive, mcp};
use tw_vault::Vault;

/// How long any part may take before it counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// Calls the app of this process.
pub(crate) struct Local(pub(crate) Arc<App>);

impl Transport for Local {
    async fn call(&self, command: &'static str, payload: String) -> Result<String, ApiError> {
        self.0.call(command, &payload).await
    }
}

/// The app and its workspace, which goes when this is dropped.
pub(crate) struct Desk {
    pub(crate) app: Arc<App>,
    pub(crate) folder: TempDir,
}

impl Desk {
    pub(crate) async fn open() -> Result<Self> {
        let folder = TempDir::new()?;
        let options = AppOptions {
            workspace: workspace_of(&folder)?,
            guard_exe: Some(drive::tw_binary()?),
            worker: None,
            open_url: Arc::new(|_| {}),
            vault: Some(Vault::in_memory()),
        };
        let app = App::open(options).await.map_err(in_words)?;
        Ok(Self { app, folder })
    }

    pub(crate) fn api(&self) -> Client<Local> {
        Client(Local(Arc::clone(&self.app)))
    }

    /// A run on the endpoint, with an MCP server of its own if asked, in which every call runs.
    pub(crate) async fn spec(&self, endpoint: &ScriptedEndpoint, model: &str, with_server: bool) -> Result<RunSpec> {
        let config = EndpointConfig {
            name: "Scripted".to_owned(),
            preset: EndpointPreset::VllmLocal,
            base_url: endpoint.base_url(),
            model: model.to_owned(),
            ..EndpointConfig::default()
        };
        let save = EndpointSave { endpoint: config, key: KeyChange::Keep };
        let endpoint_id = self.api().endpoint_save(save).await.map_err(in_words)?.id;
        let mut server_ids = Vec::new();
        if with_server {
            let config = fake_server(workspace_of(&self.folder)?.as_str())?;
            let draft = ServerDraft { config, env: Vec::new(), headers: Vec::new() };
            server_ids.push(self.api().server_save(draft).await.map_err(in_words)?.config.id);
        }
        Ok(RunSpec {
            endpoint_id,
            model: model.to_owned(),
            server_ids,
            policy: ApprovalPolicy { mode: PolicyMode::NeverAsk, rules: Vec::new() },
            limits: RunLimits { max_steps: 10_000, max_secs: None },
            ..RunSpec::default()
        })
    }

    /// Starts one run of each task, all at the same time, waits until they are over, and gives what is then kept of
    /// them with everything that a listener heard meanwhile.
    pub(crate) async fn run(&self, spec: RunSpec, tasks: Vec<String>) -> Result<(Vec<Trace>, Heard)> {
        let concurrency = u32::try_from(tasks.len())?;
        let listener = listen(self.app.events(), tasks.len());
        let request = RunRequest { spec, tasks, samples: 1, concurrency };
        let started = self.api().run_start(request).await.map_err(in_words)?;
        let heard = tokio::time::timeout(PATIENCE, listener).await.context("the runs did not end")???;
        let mut traces = Vec::with_capacity(started.trace_ids.len());
        for id in started.trace_ids {
            traces.push(self.api().run_view(IdRequest { id }).await.map_err(in_words)?.trace);
        }
        Ok((traces, heard))
    }

    pub(crate) async fn close(self) {
        self.app.shutdown().await;
    }
}

/// An event and when it came.
pub(crate) struct Arrival {
    pub(crate) at: std::time::Instant,
    pub(crate) event: Event,
}

/// What a listener heard, in order, without a gap.
pub(crate) type Heard = Vec<Arrival>;

/// Hears everything until so many runs are over.
///
/// # Errors
/// The listener was left behind: the app let go of events that it had not taken yet.
fn listen(mut events: tokio::sync::broadcast::Receiver<Event>, runs: usize) -> JoinHandle<Result<Heard>> {
    tokio::spawn(async move {
        let mut heard = Vec::new();
        let mut over = 0;
        while over < runs {
            match events.recv().await {
                Ok(event) => {
                    let at = std::time::Instant::now();
                    let is_end = matches!(&event.body, EventBody::RunState { state, .. } if state.is_final());
                    // A run's state is told on two topics.
                    over += usize::from(is_end && event.topic == Event::TRACES);
                    heard.push(Arrival { at, event });
                }
                Err(RecvError::Lagged(missed)) => bail!("the listener missed {missed} events"),
                Err(RecvError::Closed) => bail!("the app ended"),
            }
        }
        Ok(heard)
    })
}

/// An endpoint with threads of its own, which answers as `rule` says.
pub(crate) async fn endpoint(
    doubles: &Handle,
    options: EndpointOptions,
    rule: impl Fn(&Recorded) -> Script + Send + Sync + 'static,
) -> Result<ScriptedEndpoint> {
    Ok(doubles.spawn(ScriptedEndpoint::respond_with(options, rule)).await??)
}

/// The double as a server of the app.
pub(crate) fn fake_server(folder: &str) -> Result<ServerConfig> {
    let command = mcp::fake_server_path()?.display().to_string();
    Ok(ServerConfig {
        id: String::new(),
        name: "fake".to_owned(),
        transport: Link::Stdio { command, args: mcp::Behaviour::default().to_args(), cwd: folder.to_owned() },
        env_names: Vec::new(),
        header_names: Vec::new(),
        enabled: true,
        disabled_tools: Vec::new(),
        call_timeout_secs: 60,
        extra: Map::new(),
    })
}

/// An error of the app with its hint.
pub(crate) fn in_words(error: ApiError) -> anyhow::Error {
    let ApiError { message, hint, .. } = error;
    anyhow!("{message} {hint}")
}

fn workspace_of(folder: &TempDir) -> Result<Utf8PathBuf> {
    Ok(Utf8Path::from_path(folder.path()).context("the temporary folder has no UTF-8 path")?.join("workspace"))
}
