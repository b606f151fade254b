//! The MCP servers of the workspace, how they are doing, and what they ask outside of runs.

use std::collections::HashSet;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{Elicitation, ServerConfig};
use tw_contract::{
    ApiError, Empty, Event, EventBody, IdRequest, NameValue, ServerDraft, ServerEntry, ToolLoad, ToolSwitch,
};

use crate::backend::{Api, Connection, Tail, use_api, use_connection, use_events};
use crate::state::strip::use_strip;

/// What a person does with a server as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerAction {
    /// Starts it.
    Start,
    /// Stops it.
    Stop,
    /// Stops and starts it.
    Restart,
}

/// The servers. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Servers {
    /// In the order in which they were added.
    pub(crate) entries: RwSignal<Vec<ServerEntry>>,
    /// Whether the list has come.
    pub(crate) loaded: RwSignal<bool>,
    /// Why it did not.
    pub(crate) problem: RwSignal<Option<ApiError>>,
    /// Open questions of servers that were started by hand.
    pub(crate) questions: RwSignal<Vec<Elicitation>>,
    /// Servers whose command is under way, by id.
    busy: RwSignal<HashSet<String>>,
    api: StoredValue<Api>,
}

/// The servers of the app.
pub(crate) fn use_servers() -> Servers {
    expect_context()
}

/// Gives the servers to everything below, fetches them and keeps them up to date.
pub(super) fn provide() {
    let servers = Servers {
        entries: RwSignal::default(),
        loaded: RwSignal::new(false),
        problem: RwSignal::new(None),
        questions: RwSignal::default(),
        busy: RwSignal::default(),
        api: StoredValue::new(use_api()),
    };
    provide_context(servers);
    use_events().listen(Event::SERVERS, move |tail| match tail {
        Tail::Event(event) => servers.apply(&event.body),
        Tail::Gap => servers.load(),
    });
    let connection = use_connection();
    Effect::new(move || {
        if connection.with(|it| matches!(it, Connection::Connecting | Connection::Online)) {
            servers.load();
        }
    });
    let strip = use_strip();
    Effect::new(move || {
        strip.load.set(servers.tool_load());
        let running = servers.entries.with(|entries| entries.iter().filter(|entry| entry.is_running()).count());
        strip.servers_running.set(u32::try_from(running).unwrap_or(u32::MAX));
    });
}

impl Servers {
    /// Fetches the list (again).
    pub(crate) fn load(self) {
        spawn_local(async move {
            match self.api.get_value().server_list(Empty {}).await {
                Ok(entries) => {
                    self.problem.set(None);
                    if self.entries.with_untracked(|old| *old != entries) {
                        self.entries.set(entries);
                    }
                }
                Err(error) => self.problem.set(Some(error)),
            }
            self.loaded.set(true);
        });
    }

    /// The server with this id. Tracks the list.
    pub(crate) fn find(self, id: &str) -> Option<ServerEntry> {
        self.entries.with(|entries| entries.iter().find(|entry| entry.config.id == id).cloned())
    }

    /// The name of the server with this id, the id itself when it is gone. Tracks the list.
    pub(crate) fn name_of(self, id: &str) -> String {
        self.find(id).map_or_else(|| id.to_owned(), |entry| entry.config.name)
    }

    /// What a new run would offer to the model. Tracks the list.
    pub(crate) fn tool_load(self) -> ToolLoad {
        self.entries.with(|entries| ToolLoad::of(entries))
    }

    /// Whether a command for this server is under way. Tracks.
    pub(crate) fn is_busy(self, id: &str) -> bool {
        self.busy.with(|busy| busy.contains(id))
    }

    /// Starts, stops or restarts a server. Its entry carries what came of it; an error is the host's own.
    ///
    /// # Errors
    /// The host's.
    pub(crate) async fn act(self, id: &str, action: ServerAction) -> Result<(), ApiError> {
        let request = IdRequest { id: id.to_owned() };
        let api = self.api.get_value();
        self.busy.update(|busy| {
            busy.insert(id.to_owned());
        });
        let reply = match action {
            ServerAction::Start => api.server_start(request).await,
            ServerAction::Stop => api.server_stop(request).await,
            ServerAction::Restart => api.server_restart(request).await,
        };
        self.busy.update(|busy| {
            busy.remove(id);
        });
        self.put(reply?);
        Ok(())
    }

    /// Adds or changes a server.
    ///
    /// # Errors
    /// The host's.
    pub(crate) async fn save(self, draft: ServerDraft) -> Result<ServerEntry, ApiError> {
        let saved = self.api.get_value().server_save(draft).await?;
        self.put(saved.clone());
        Ok(saved)
    }

    /// Switches a server on or off for new runs.
    ///
    /// # Errors
    /// The host's.
    pub(crate) async fn switch(self, id: &str, enabled: bool) -> Result<(), ApiError> {
        let Some(entry) = self.entries.with_untracked(|entries| entries.iter().find(|it| it.config.id == id).cloned())
        else {
            return Err(ApiError::not_found("server"));
        };
        self.save(draft_keeping_values(ServerConfig { enabled, ..entry.config })).await?;
        Ok(())
    }

    /// Switches one tool, or all of a server's, on or off.
    ///
    /// # Errors
    /// The host's.
    pub(crate) async fn switch_tool(self, switch: ToolSwitch) -> Result<(), ApiError> {
        let entry = self.api.get_value().tool_switch(switch).await?;
        self.put(entry);
        Ok(())
    }

    /// Stops and removes a server and its secrets.
    ///
    /// # Errors
    /// The host's.
    pub(crate) async fn delete(self, id: &str) -> Result<(), ApiError> {
        self.api.get_value().server_delete(IdRequest { id: id.to_owned() }).await?;
        self.entries.update(|entries| entries.retain(|entry| entry.config.id != id));
        Ok(())
    }

    /// Takes over what the host says about one server.
    pub(crate) fn put(self, entry: ServerEntry) {
        self.entries.update(|entries| match entries.iter_mut().find(|old| old.config.id == entry.config.id) {
            Some(old) => *old = entry,
            None => entries.push(entry),
        });
    }

    fn apply(self, body: &EventBody) {
        match body {
            EventBody::ServerChanged { status } => {
                let known = self
                    .entries
                    .with_untracked(|entries| entries.iter().position(|entry| entry.config.id == status.server_id));
                match known {
                    Some(place) => self.entries.update(|entries| entries[place].status = status.clone()),
                    None => self.load(),
                }
            }
            EventBody::Elicitation { trace_id: None, elicitation } => self.questions.update(|questions| {
                questions.retain(|open| open.id != elicitation.id);
                questions.push(elicitation.clone());
            }),
            EventBody::ElicitationClosed { trace_id: None, id } => {
                self.questions.update(|questions| questions.retain(|open| open.id != *id));
            }
            _ => {}
        }
    }
}

/// A draft that changes only what stands in the config: every value stays as the vault has it.
pub(crate) fn draft_keeping_values(config: ServerConfig) -> ServerDraft {
    let keep = |names: &[String]| names.iter().map(|name| NameValue { name: name.clone(), value: None }).collect();
    ServerDraft { env: keep(&config.env_names), headers: keep(&config.header_names), config }
}
