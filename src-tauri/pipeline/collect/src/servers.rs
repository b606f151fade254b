//! The MCP sessions of one run.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tw_artifact::{ServerConfig, ServerUse, ToolDefinition};
use tw_mcp::{LaunchContext, McpError, ServerListener, ServerSecrets, Session, Toolbox, ToolboxEntry};
use tw_vault::Vault;

use crate::CollectError;
use crate::listener::RunListener;

/// A server to start.
#[derive(Clone, Debug)]
pub struct ServerLaunch {
    /// How it is started or reached.
    pub config: ServerConfig,
    /// Its environment and headers.
    pub secrets: ServerSecrets,
}

/// The sessions of one run and the tools that they offer.
pub struct RunServers {
    launches: Vec<ServerLaunch>,
    sessions: Vec<Session>,
    toolbox: Toolbox,
    /// Those of the toolbox: making them anew for every question costs more than to keep them.
    definitions: Vec<ToolDefinition>,
    context: LaunchContext,
    vault: Vault,
    listener: Arc<RunListener>,
}

impl RunServers {
    /// Starts all servers side by side. When one does not start, the others are ended again and the launches given
    /// back, so that it can be tried again.
    pub(crate) async fn connect(
        launches: Vec<ServerLaunch>,
        context: LaunchContext,
        vault: Vault,
        listener: Arc<RunListener>,
    ) -> Result<Self, (Vec<ServerLaunch>, CollectError)> {
        let starting = launches.iter().map(|launch| start(launch, &context, &vault, &listener));
        let mut sessions = Vec::with_capacity(launches.len());
        let mut failure = None;
        for (launch, started) in launches.iter().zip(join_all(starting).await) {
            match started {
                Ok(session) => sessions.push(session),
                Err(source) => {
                    failure.get_or_insert(CollectError::Server { server: launch.config.name.clone(), source });
                }
            }
        }
        if let Some(error) = failure {
            join_all(sessions.iter().map(Session::shutdown)).await;
            return Err((launches, error));
        }
        let toolbox = Toolbox::new(sessions.clone());
        let definitions = toolbox.definitions();
        Ok(Self { launches, sessions, toolbox, definitions, context, vault, listener })
    }

    /// The servers as they are kept with the trace.
    pub(crate) fn uses(&self) -> Vec<ServerUse> {
        let pairs = self.launches.iter().zip(&self.sessions);
        pairs
            .map(|(launch, session)| {
                let status = session.status();
                ServerUse {
                    server_id: launch.config.id.clone(),
                    name: launch.config.name.clone(),
                    identity: status.identity,
                    protocol: status.protocol,
                }
            })
            .collect()
    }

    /// Takes up what the servers list now, and starts again those that ended by themselves. Says whether the tools
    /// that are offered changed.
    pub(crate) async fn refresh(&mut self) -> bool {
        for (launch, session) in self.launches.iter().zip(&mut self.sessions) {
            if !session.is_closed() {
                continue;
            }
            match start(launch, &self.context, &self.vault, &self.listener).await {
                Ok(fresh) => *session = fresh,
                // Its tools stay listed: the model's next call of one says why it cannot run.
                Err(error) => tracing::warn!(server = %launch.config.name, %error, "a server did not start again"),
            }
        }
        join_all(self.sessions.iter().map(Session::settle_tools)).await;
        self.toolbox.replace_sessions(self.sessions.clone());
        let definitions = self.toolbox.definitions();
        let changed = definitions != self.definitions;
        self.definitions = definitions;
        changed
    }

    /// What the model is told.
    pub(crate) fn definitions(&self) -> &[ToolDefinition] {
        &self.definitions
    }

    /// What an exposed name stands for.
    pub(crate) fn find(&self, exposed_name: &str) -> Option<&ToolboxEntry> {
        self.toolbox.get(exposed_name)
    }

    /// The exposed names, in order.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.toolbox.entries().map(|entry| entry.tool.exposed_name.as_str()).collect()
    }

    /// The person's name for a server.
    pub(crate) fn server_name(&self, server_id: &str) -> Option<&str> {
        self.launches.iter().find(|it| it.config.id == server_id).map(|it| it.config.name.as_str())
    }

    /// How long a call on a server may take.
    pub(crate) fn call_timeout(&self, server_id: &str) -> Duration {
        let secs =
            self.launches.iter().find(|it| it.config.id == server_id).map_or(0, |it| it.config.call_timeout_secs);
        Duration::from_secs(if secs == 0 { 60 } else { secs })
    }

    /// Ends all sessions and their processes.
    pub(crate) async fn shutdown(self) {
        join_all(self.sessions.iter().map(Session::shutdown)).await;
    }
}

async fn start(
    launch: &ServerLaunch,
    context: &LaunchContext,
    vault: &Vault,
    listener: &Arc<RunListener>,
) -> Result<Session, McpError> {
    let listener: Arc<dyn ServerListener> = Arc::<RunListener>::clone(listener);
    Session::start(&launch.config, &launch.secrets, context, listener, vault.clone()).await
}
