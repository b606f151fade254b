//! MCP servers: kept, imported, and started for the window, which lists their tools from a session of its own.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use tw_artifact::{Elicitation, ElicitationAnswer, Json, ServerConfig, ServerPhase, ServerStatus, ToolInfo, Transport};
use tw_collect::{ServerLaunch, sentence};
use tw_contract::{
    ApiError, ErrorCode, Event, EventBody, ImportKnown, KnownConfig, NameValue, ParsedServers, ServerDraft,
    ServerEntry, ToolSwitch,
};
use tw_mcp::{LaunchContext, ServerEvent, ServerEventKind, ServerListener, ServerSecrets, Session};
use tw_store::Store;
use tw_vault::Vault;

use crate::blocking;
use crate::endpoints::new_id;
use crate::errors::{Api, IntoApi};
use crate::hub::Hub;
use crate::lock;

/// The window is told of a server at most this often: some write hundreds of lines a second.
const TELL_EVERY: Duration = Duration::from_millis(120);

/// What is known of one server.
#[derive(Default)]
struct Managed {
    session: Option<Session>,
    /// Ends the start that is under way.
    starting: Option<CancellationToken>,
    phase: ServerPhase,
    /// The page of the sign-in that is under way.
    sign_in_url: Option<String>,
    /// What was last known of a session that has ended.
    last: ServerStatus,
}

struct Shared {
    hub: Arc<Hub>,
    open_url: Arc<dyn Fn(&str) + Send + Sync>,
    managed: Mutex<HashMap<String, Managed>>,
    questions: Mutex<HashMap<String, oneshot::Sender<ElicitationAnswer>>>,
    changed: Mutex<HashSet<String>>,
    wake: Notify,
}

/// The servers of a workspace.
pub(crate) struct Servers {
    store: Store,
    vault: Vault,
    context: LaunchContext,
    shared: Arc<Shared>,
    teller: tokio::task::JoinHandle<()>,
}

impl Shared {
    fn mark(&self, server_id: &str) {
        lock(&self.changed).insert(server_id.to_owned());
        self.wake.notify_one();
    }

    /// Keeps what came of a start, unless that was ended meanwhile: then nothing changes, and it gives `false`.
    fn settle(&self, server_id: &str, stop: &CancellationToken, change: impl FnOnce(&mut Managed)) -> bool {
        let mut managed = lock(&self.managed);
        // The token is cancelled under this lock alone.
        let Some(known) = managed.get_mut(server_id).filter(|_| !stop.is_cancelled()) else { return false };
        known.starting = None;
        known.sign_in_url = None;
        change(known);
        true
    }

    fn status(&self, server_id: &str) -> ServerStatus {
        let managed = lock(&self.managed);
        let Some(known) = managed.get(server_id) else {
            return ServerStatus { server_id: server_id.to_owned(), ..ServerStatus::default() };
        };
        match &known.session {
            Some(session) => session.status(),
            None => {
                let (server_id, sign_in_url) = (server_id.to_owned(), known.sign_in_url.clone());
                ServerStatus { server_id, phase: known.phase.clone(), sign_in_url, ..known.last.clone() }
            }
        }
    }
}

/// Hears what one of the window's sessions has to say.
struct WindowListener {
    shared: Arc<Shared>,
    server_id: String,
}

#[async_trait]
impl ServerListener for WindowListener {
    async fn elicit(&self, elicitation: Elicitation) -> ElicitationAnswer {
        let (sender, receiver) = oneshot::channel();
        let id = elicitation.id.clone();
        lock(&self.shared.questions).insert(id.clone(), sender);
        self.shared.hub.emit(Event::SERVERS, EventBody::Elicitation { trace_id: None, elicitation });
        let answer = receiver.await.unwrap_or(ElicitationAnswer::Cancel);
        self.shared.hub.emit(Event::SERVERS, EventBody::ElicitationClosed { trace_id: None, id });
        answer
    }

    fn on_status(&self, event: ServerEvent) {
        if let ServerEventKind::Phase(phase) = event.kind
            && let Some(known) = lock(&self.shared.managed).get_mut(&event.server_id)
        {
            if phase != ServerPhase::NeedsSignIn {
                known.sign_in_url = None;
            }
            known.phase = phase;
        }
        self.shared.mark(&event.server_id);
    }

    /// The window shows the address as well: the system may have no browser here, or the person another one.
    fn open_url(&self, url: &str) {
        if let Some(known) = lock(&self.shared.managed).get_mut(&self.server_id) {
            known.sign_in_url = Some(url.to_owned());
        }
        self.shared.mark(&self.server_id);
        (self.shared.open_url)(url);
    }
}

impl Servers {
    pub(crate) fn new(
        store: Store,
        vault: Vault,
        hub: Arc<Hub>,
        context: LaunchContext,
        open_url: Arc<dyn Fn(&str) + Send + Sync>,
    ) -> Arc<Self> {
        let shared = Arc::new(Shared {
            hub,
            open_url,
            managed: Mutex::default(),
            questions: Mutex::default(),
            changed: Mutex::default(),
            wake: Notify::new(),
        });
        let teller = tokio::spawn(tell(Arc::clone(&shared), store.clone()));
        Arc::new(Self { store, vault, context, shared, teller })
    }

    pub(crate) async fn list(&self) -> Result<Vec<ServerEntry>, ApiError> {
        let configs = self.store.list_servers().await.api()?;
        let mut entries = Vec::with_capacity(configs.len());
        for config in configs {
            entries.push(self.entry(config).await);
        }
        Ok(entries)
    }

    pub(crate) async fn config(&self, id: &str) -> Result<ServerConfig, ApiError> {
        let all = self.store.list_servers().await.api()?;
        let found = all.into_iter().find(|config| config.id == id);
        found.ok_or_else(|| ApiError::not_found("MCP server").with_hint("Add it again, or leave it out of the run."))
    }

    /// A server as the window shows it: the tools of a stopped one are those it had last.
    async fn entry(&self, config: ServerConfig) -> ServerEntry {
        let mut status = self.shared.status(&config.id);
        if status.tools.is_empty() && status.phase != ServerPhase::Running {
            let kept: Result<Option<Vec<ToolInfo>>, _> = self.store.get_setting(&tools_key(&config.id)).await;
            status.tools = kept.ok().flatten().unwrap_or_default();
        }
        for tool in &mut status.tools {
            tool.enabled = !config.disabled_tools.contains(&tool.name);
        }
        ServerEntry { config, status }
    }

    pub(crate) async fn save(&self, draft: ServerDraft) -> Result<ServerEntry, ApiError> {
        let mut config = draft.config;
        config.name = config.name.trim().to_owned();
        if config.name.is_empty() {
            return Err(ApiError::invalid("The server has no name."));
        }
        match &config.transport {
            Transport::Stdio { command, .. } if command.trim().is_empty() => {
                return Err(ApiError::invalid("The server has no command.")
                    .with_hint("Give the program to start, such as npx."));
            }
            Transport::Http { url } if !(url.starts_with("http://") || url.starts_with("https://")) => {
                return Err(ApiError::invalid("The address of the server must begin with http:// or https://."));
            }
            Transport::Stdio { .. } | Transport::Http { .. } => {}
        }
        let known = if config.id.is_empty() { ServerSecrets::default() } else { self.secrets(&config.id).await? };
        if config.id.is_empty() {
            config.id = new_id();
        }
        let secrets = ServerSecrets { env: fill(draft.env, &known.env), headers: fill(draft.headers, &known.headers) };
        config.env_names = secrets.env.iter().map(|(name, _)| name.clone()).collect();
        config.header_names = secrets.headers.iter().map(|(name, _)| name.clone()).collect();
        let (vault, name) = (self.vault.clone(), ServerConfig::secret_name(&config.id));
        let text = (!secrets.is_empty()).then(|| secrets.to_secret());
        blocking(move || match text {
            Some(secret) => vault.set(&name, secret),
            None => vault.delete(&name),
        })
        .await?
        .api()?;
        self.store.put_server(&config).await.api()?;
        Ok(self.entry(config).await)
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<(), ApiError> {
        self.stop_session(id).await;
        lock(&self.shared.managed).remove(id);
        let (vault, id) = (self.vault.clone(), id.to_owned());
        let names = [ServerConfig::secret_name(&id), ServerConfig::oauth_secret_name(&id)];
        blocking(move || names.iter().try_for_each(|name| vault.delete(name))).await?.api()?;
        self.store.delete_server(&id).await.api()
    }

    /// Starts the window's session. Also with a sign-in in the browser, where the server asks for one. A stop, or
    /// another start, ends a start that is under way, which is no error.
    pub(crate) async fn start(&self, id: &str) -> Result<ServerEntry, ApiError> {
        let config = self.config(id).await?;
        self.stop_session(id).await;
        let secrets = self.secrets(id).await?;
        let stop = CancellationToken::new();
        {
            let mut managed = lock(&self.shared.managed);
            let known = managed.entry(id.to_owned()).or_default();
            known.phase = ServerPhase::Starting;
            if let Some(other) = known.starting.replace(stop.clone()) {
                other.cancel();
            }
        }
        self.shared.mark(id);
        let (shared, server_id) = (Arc::clone(&self.shared), id.to_owned());
        let listener: Arc<dyn ServerListener> = Arc::new(WindowListener { shared, server_id });
        let mut context = self.context.clone();
        context.login_path = tw_mcp::login_path().await;
        context.may_sign_in = true;
        let starting = Session::start(&config, &secrets, &context, listener, self.vault.clone());
        let Some(started) = stop.run_until_cancelled(starting).await else {
            return Ok(self.entry(config).await);
        };
        match started {
            Ok(session) => {
                let tools = session.status().tools;
                if !self.shared.settle(id, &stop, |known| known.session = Some(session.clone())) {
                    session.shutdown().await;
                    return Ok(self.entry(config).await);
                }
                self.store.set_setting(&tools_key(id), &tools).await.api()?;
                self.shared.mark(id);
                Ok(self.entry(config).await)
            }
            Err(error) => {
                let detail: Vec<String> = error.detail().unwrap_or_default().lines().map(str::to_owned).collect();
                let error = error.into_api();
                let is_ours = self.shared.settle(id, &stop, |known| {
                    known.phase = ServerPhase::Failed { message: error.message.clone(), hint: error.hint.clone() };
                    known.last.stderr_tail = detail;
                });
                self.shared.mark(id);
                if is_ours { Err(error) } else { Ok(self.entry(config).await) }
            }
        }
    }

    pub(crate) async fn stop(&self, id: &str) -> Result<ServerEntry, ApiError> {
        self.stop_session(id).await;
        Ok(self.entry(self.config(id).await?).await)
    }

    async fn stop_session(&self, id: &str) {
        let session = lock(&self.shared.managed).get_mut(id).and_then(|known| {
            if let Some(starting) = known.starting.take() {
                starting.cancel();
            }
            known.sign_in_url = None;
            known.session.take()
        });
        if let Some(session) = session {
            let last = session.status();
            session.shutdown().await;
            if let Some(known) = lock(&self.shared.managed).get_mut(id) {
                known.last = last;
                known.phase = ServerPhase::Stopped;
            }
        } else if let Some(known) = lock(&self.shared.managed).get_mut(id) {
            known.phase = ServerPhase::Stopped;
        }
        self.shared.mark(id);
    }

    pub(crate) async fn switch(&self, request: ToolSwitch) -> Result<ServerEntry, ApiError> {
        let mut config = self.config(&request.server_id).await?;
        let named: Vec<String> = match request.tool {
            Some(tool) => vec![tool],
            None => self.entry(config.clone()).await.status.tools.into_iter().map(|tool| tool.name).collect(),
        };
        config.disabled_tools.retain(|tool| !named.contains(tool));
        if !request.enabled {
            config.disabled_tools.extend(named);
        }
        self.store.put_server(&config).await.api()?;
        Ok(self.entry(config).await)
    }

    /// What a run needs to start its own session.
    pub(crate) async fn launch(&self, id: &str) -> Result<ServerLaunch, ApiError> {
        let config = self.config(id).await?;
        let secrets = self.secrets(id).await?;
        Ok(ServerLaunch { config, secrets })
    }

    async fn secrets(&self, id: &str) -> Result<ServerSecrets, ApiError> {
        let (vault, name) = (self.vault.clone(), ServerConfig::secret_name(id));
        let secret = blocking(move || vault.get(&name)).await?.api()?;
        Ok(secret.as_ref().map(ServerSecrets::from_secret).unwrap_or_default())
    }

    pub(crate) async fn import(&self, request: ImportKnown) -> Result<Vec<ServerEntry>, ApiError> {
        // Only files that this app named itself: the window cannot make it read any other.
        let known = known_files(&self.context.workspace_dir).await?;
        if !known.iter().any(|config| config.path == request.path) {
            return Err(ApiError::not_found("configuration file"));
        }
        let text = tokio::fs::read_to_string(Path::new(&request.path)).await.map_err(|error| {
            ApiError::new(ErrorCode::Internal, format!("{} cannot be read: {error}.", request.path))
        })?;
        let mut parsed = parse(&text);
        parsed.servers.retain(|draft| request.names.contains(&draft.config.name));
        // The file may have changed since it was shown. What was not asked for may be wrong in it.
        let gone = request.names.iter().find(|name| !parsed.servers.iter().any(|draft| draft.config.name == **name));
        if let Some(name) = gone {
            let error = ApiError::invalid(format!("The file has no server \"{name}\" that can be read any more."));
            let detail = format!("{}\n{}", request.path, parsed.problems.join("\n"));
            return Err(error.with_hint("Close the dialog and open it again.").with_detail(Some(detail)));
        }
        let mut entries = Vec::new();
        for draft in parsed.servers {
            entries.push(self.save(draft).await?);
        }
        Ok(entries)
    }

    /// Answers a question of one of the window's sessions. `false` when it is not one of theirs.
    pub(crate) fn answer(&self, id: &str, answer: ElicitationAnswer) -> bool {
        let sender = lock(&self.shared.questions).remove(id);
        sender.is_some_and(|sender| sender.send(answer).is_ok())
    }

    pub(crate) async fn shutdown(&self) {
        self.teller.abort();
        let mut sessions: Vec<Session> = Vec::new();
        for known in lock(&self.shared.managed).values_mut() {
            if let Some(starting) = known.starting.take() {
                starting.cancel();
            }
            sessions.extend(known.session.take());
        }
        futures::future::join_all(sessions.iter().map(Session::shutdown)).await;
    }
}

/// Tells the window which servers changed, not more often than it can show.
async fn tell(shared: Arc<Shared>, store: Store) {
    loop {
        shared.wake.notified().await;
        tokio::time::sleep(TELL_EVERY).await;
        let changed = std::mem::take(&mut *lock(&shared.changed));
        for id in changed {
            let status = shared.status(&id);
            if status.phase == ServerPhase::Running
                && let Err(error) = store.set_setting(&tools_key(&id), &status.tools).await
            {
                tracing::warn!(server = %id, %error, "the tools of a server could not be kept");
            }
            shared.hub.emit(Event::SERVERS, EventBody::ServerChanged { status });
        }
    }
}

/// The setting that holds the tools that a server had last.
fn tools_key(id: &str) -> String {
    format!("server-tools:{id}")
}

/// Values of the form; where it has none, what the vault has.
fn fill(pairs: Vec<NameValue>, known: &[(String, String)]) -> Vec<(String, String)> {
    let value_of = |name: &str| known.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    pairs
        .into_iter()
        .filter(|pair| !pair.name.trim().is_empty())
        .map(|pair| {
            let value = pair.value.or_else(|| value_of(&pair.name)).unwrap_or_default();
            (pair.name.trim().to_owned(), value)
        })
        .collect()
}

/// Reads `mcpServers` JSON. What is wrong with it is a finding, not an error: the person is still writing.
pub(crate) fn parse(text: &str) -> ParsedServers {
    match tw_mcp::parse_config(text) {
        Ok(list) => {
            let drafts = list.servers.into_iter().map(|server| ServerDraft {
                env: named(server.secrets.env),
                headers: named(server.secrets.headers),
                config: server.config,
            });
            ParsedServers { servers: drafts.collect(), problems: list.refused.iter().map(words).collect() }
        }
        Err(error) => ParsedServers { servers: Vec::new(), problems: vec![words(&error)] },
    }
}

fn words(error: &tw_mcp::ConfigError) -> String {
    sentence(&error.to_string())
}

fn named(pairs: Vec<(String, String)>) -> Vec<NameValue> {
    pairs.into_iter().map(|(name, value)| NameValue { name, value: Some(value) }).collect()
}

/// Configuration files of other programs on this machine.
pub(crate) async fn known_files(workspace: &Path) -> Result<Vec<KnownConfig>, ApiError> {
    let workspace = workspace.to_owned();
    let found = blocking(move || tw_mcp::known_config_files(&workspace)).await?;
    Ok(found
        .into_iter()
        .map(|known| {
            let (names, problem) = match known.servers {
                Ok(list) => {
                    let problems: Vec<String> = list.refused.iter().map(words).collect();
                    let names = list.servers.into_iter().map(|server| server.config.name).collect();
                    (names, (!problems.is_empty()).then(|| problems.join(" ")))
                }
                Err(error) => (Vec::new(), Some(words(&error))),
            };
            KnownConfig { app: known.app.to_owned(), path: known.path.display().to_string(), names, problem }
        })
        .collect())
}

/// A setting as JSON, for the window.
pub(crate) async fn setting(store: &Store, key: &str) -> Result<Json, ApiError> {
    Ok(store.get_setting::<Json>(key).await.api()?.unwrap_or_default())
}
