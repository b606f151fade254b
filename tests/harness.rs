//! The app on a workspace of its own, as tests work with it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;
use tokio::sync::broadcast::error::RecvError;
use tw_app::{App, AppOptions};
use tw_artifact::{
    ApprovalPolicy, EndpointConfig, EndpointPreset, PolicyMode, RunSpec, RunState, Trace, Transport as ServerTransport,
};
use tw_contract::{
    ApiError, Client, ContinueRequest, EndpointSave, IdRequest, ImportPlan, ImportProgress, ImportSource, KeyChange,
    NameValue, RunRequest, RunView, ServerDraft, Transport,
};
use tw_store::Store;
use tw_support::drive::{tw_binary, wait_for, worker_binary};
use tw_support::endpoint::{MODEL, ScriptedEndpoint};
use tw_support::mcp::{Behaviour, fake_server_path};
use tw_vault::Vault;

/// How long anything in a test may take before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls an app of this process.
pub(crate) struct Local(Arc<App>);

impl Transport for Local {
    async fn call(&self, command: &'static str, payload: String) -> Result<String, ApiError> {
        self.0.call(command, &payload).await
    }
}

/// A workspace and the app on it.
pub(crate) struct Desk {
    pub(crate) dir: Arc<TempDir>,
    pub(crate) app: Arc<App>,
    pub(crate) vault: Vault,
}

impl Desk {
    pub(crate) async fn open() -> Self {
        Self::open_in(Arc::new(TempDir::new().expect("a temporary folder")), Vault::in_memory()).await
    }

    /// The app on the workspace in a folder that something else has worked in before.
    pub(crate) async fn open_on(dir: TempDir) -> Self {
        Self::open_in(Arc::new(dir), Vault::in_memory()).await
    }

    async fn open_in(dir: Arc<TempDir>, vault: Vault) -> Self {
        let options = AppOptions {
            workspace: workspace_of(&dir),
            guard_exe: Some(tw_binary().expect("tw is built")),
            worker: Some(worker_binary().expect("tw-worker is built")),
            open_url: Arc::new(|_| {}),
            vault: Some(vault.clone()),
        };
        let app = App::open(options).await.expect("the workspace opens");
        Self { dir, app, vault }
    }

    /// Closes the app and opens the workspace again, as after a restart.
    pub(crate) async fn reopen(self) -> Self {
        let Self { dir, app, vault } = self;
        let_go(&dir, app).await;
        Self::open_in(dir, vault).await
    }

    /// Closes the app and leaves the workspace to someone else, a window for example.
    pub(crate) async fn close(self) -> Arc<TempDir> {
        let Self { dir, app, .. } = self;
        let_go(&dir, app).await;
        dir
    }

    /// Imports a file of rows and waits until that is over.
    pub(crate) async fn import(&self, name: &str, text: impl AsRef<[u8]>) -> ImportProgress {
        let base64 = base64::engine::general_purpose::STANDARD.encode(text);
        self.import_all(vec![ImportSource::File { name: name.to_owned(), base64 }]).await
    }

    /// The same for a file on disk.
    pub(crate) async fn import_path(&self, path: &Utf8Path) -> ImportProgress {
        self.import_all(vec![ImportSource::Path(path.to_string())]).await
    }

    async fn import_all(&self, sources: Vec<ImportSource>) -> ImportProgress {
        let plan = ImportPlan { sources, format: None };
        let mut events = self.app.events();
        let id = self.api().import_start(plan).await.expect("the import starts").id;
        within(async {
            loop {
                let progress = self.api().import_view(IdRequest { id: id.clone() }).await.expect("it is known");
                if progress.ended.is_some() {
                    return progress;
                }
                match events.recv().await {
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => panic!("the app ended"),
                }
            }
        })
        .await
    }

    pub(crate) fn workspace(&self) -> Utf8PathBuf {
        workspace_of(&self.dir)
    }

    pub(crate) fn api(&self) -> Client<Local> {
        Client(Local(Arc::clone(&self.app)))
    }

    pub(crate) async fn add_endpoint(&self, base_url: &str, key: KeyChange) -> String {
        let endpoint = EndpointConfig {
            name: "Scripted".to_owned(),
            preset: EndpointPreset::VllmLocal,
            base_url: base_url.to_owned(),
            model: MODEL.to_owned(),
            ..EndpointConfig::default()
        };
        self.api().endpoint_save(EndpointSave { endpoint, key }).await.expect("the endpoint is kept").id
    }

    pub(crate) async fn add_fake_server(&self, name: &str, behaviour: &Behaviour) -> String {
        let command = fake_server_path().expect("the double is built").display().to_string();
        self.add_server(name, &command, behaviour.to_args(), &[]).await
    }

    pub(crate) async fn add_server(
        &self,
        name: &str,
        command: &str,
        args: Vec<String>,
        env: &[(&str, &str)],
    ) -> String {
        let config = tw_artifact::ServerConfig {
            id: String::new(),
            name: name.to_owned(),
            transport: ServerTransport::Stdio { command: command.to_owned(), args, cwd: self.workspace().to_string() },
            env_names: Vec::new(),
            header_names: Vec::new(),
            enabled: true,
            disabled_tools: Vec::new(),
            call_timeout_secs: 60,
            extra: tw_artifact::Map::new(),
        };
        let env = env
            .iter()
            .map(|(name, value)| NameValue { name: (*name).to_owned(), value: Some((*value).to_owned()) })
            .collect();
        let draft = ServerDraft { config, env, headers: Vec::new() };
        self.api().server_save(draft).await.expect("the server is kept").config.id
    }

    /// A run on the scripted endpoint in which every call runs.
    pub(crate) async fn spec(&self, endpoint: &ScriptedEndpoint, servers: &[&str], task: &str) -> RunSpec {
        RunSpec {
            task: task.to_owned(),
            endpoint_id: self.add_endpoint(&endpoint.base_url(), KeyChange::Keep).await,
            model: MODEL.to_owned(),
            server_ids: servers.iter().map(|id| (*id).to_owned()).collect(),
            policy: ApprovalPolicy { mode: PolicyMode::NeverAsk, rules: Vec::new() },
            ..RunSpec::default()
        }
    }

    pub(crate) async fn start(&self, spec: RunSpec) -> String {
        let request = RunRequest { spec, tasks: Vec::new(), samples: 1, concurrency: 1 };
        let started = self.api().run_start(request).await.expect("the run starts");
        started.trace_ids.into_iter().next().expect("one run")
    }

    /// Starts a run and waits until it is over.
    pub(crate) async fn run(&self, spec: RunSpec) -> Trace {
        let id = self.start(spec).await;
        self.until_over(&id).await
    }

    pub(crate) async fn go_on(&self, id: &str, message: Option<&str>) {
        let request = ContinueRequest { trace_id: id.to_owned(), message: message.map(str::to_owned) };
        self.api().run_continue(request).await.expect("the run goes on");
    }

    pub(crate) async fn until_over(&self, id: &str) -> Trace {
        self.until(id, |view| view.trace.summary.state.is_final()).await.trace
    }

    pub(crate) async fn until_state(&self, id: &str, state: RunState) -> RunView {
        self.until(id, |view| view.trace.summary.state == state).await
    }

    /// Waits until the run looks as `wanted` says.
    pub(crate) async fn until(&self, id: &str, wanted: impl Fn(&RunView) -> bool) -> RunView {
        let mut events = self.app.events();
        within(async {
            loop {
                let view = self.api().run_view(IdRequest { id: id.to_owned() }).await.expect("the run is there");
                if wanted(&view) {
                    return view;
                }
                match events.recv().await {
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => panic!("the app ended"),
                }
            }
        })
        .await
    }
}

/// Ends the app and waits until its workspace is free.
async fn let_go(dir: &TempDir, app: Arc<App>) {
    app.shutdown().await;
    drop(app);
    // Work that was just begun in the background may hold the workspace a moment longer.
    let free = wait_for("a workspace that is free", PATIENCE, async || Store::open(&workspace_of(dir)).ok());
    drop(free.await.expect("the app lets go of its workspace"));
}

/// Fails a test that hangs.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it takes far too long")
}

fn workspace_of(dir: &TempDir) -> Utf8PathBuf {
    Utf8Path::from_path(dir.path()).expect("a UTF-8 path").join("workspace")
}

/// Roles of the messages, for a glance.
pub(crate) fn roles(trace: &Trace) -> Vec<&'static str> {
    trace.messages.iter().map(|saved| saved.message.role().as_str()).collect()
}
