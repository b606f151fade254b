//! The endpoints of the workspace, and which of them runs use.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::EndpointConfig;
use tw_contract::{ApiError, Empty, EndpointProbe, EndpointSave, IdRequest, KeyChange};

use crate::backend::{Api, Connection, use_api, use_connection};
use crate::state::settings::use_setting;
use crate::state::strip::use_strip;

/// The endpoints. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Endpoints {
    /// In the order in which they were added.
    pub(crate) list: RwSignal<Vec<EndpointConfig>>,
    /// Whether the list has come.
    pub(crate) loaded: RwSignal<bool>,
    /// Why it did not.
    pub(crate) problem: RwSignal<Option<ApiError>>,
    /// The id of the one that runs use; one that is not in the list stands for the first.
    pub(crate) chosen_id: RwSignal<String>,
    api: StoredValue<Api>,
}

/// The endpoints of the app.
pub(crate) fn use_endpoints() -> Endpoints {
    expect_context()
}

/// Gives the endpoints to everything below, and fetches them now and after each new connection.
pub(super) fn provide() {
    let endpoints = Endpoints {
        list: RwSignal::default(),
        loaded: RwSignal::new(false),
        problem: RwSignal::new(None),
        chosen_id: use_setting("collect.endpoint", String::new()),
        api: StoredValue::new(use_api()),
    };
    provide_context(endpoints);
    let connection = use_connection();
    Effect::new(move || {
        if connection.with(|it| matches!(it, Connection::Connecting | Connection::Online)) {
            endpoints.load();
        }
    });
    let strip = use_strip();
    Effect::new(move || {
        let chosen = endpoints.chosen();
        strip.endpoint.set(chosen.as_ref().map(|endpoint| endpoint.name.clone()));
        strip.model.set(chosen.map(|endpoint| endpoint.model).unwrap_or_default());
    });
}

impl Endpoints {
    /// Fetches the list (again).
    pub(crate) fn load(self) {
        spawn_local(async move {
            match self.api.get_value().endpoint_list(Empty {}).await {
                Ok(list) => {
                    self.problem.set(None);
                    if self.list.with_untracked(|old| *old != list) {
                        self.list.set(list);
                    }
                }
                Err(error) => self.problem.set(Some(error)),
            }
            self.loaded.set(true);
        });
    }

    /// The endpoint that runs use. Tracks.
    pub(crate) fn chosen(self) -> Option<EndpointConfig> {
        let id = self.chosen_id.get();
        self.list.with(|list| list.iter().find(|endpoint| endpoint.id == id).or_else(|| list.first()).cloned())
    }

    /// Adds or changes an endpoint.
    ///
    /// # Errors
    /// The host's.
    pub(crate) async fn save(self, endpoint: EndpointConfig, key: KeyChange) -> Result<EndpointConfig, ApiError> {
        let saved = self.api.get_value().endpoint_save(EndpointSave { endpoint, key }).await?;
        self.list.update(|list| match list.iter_mut().find(|endpoint| endpoint.id == saved.id) {
            Some(old) => *old = saved.clone(),
            None => list.push(saved.clone()),
        });
        Ok(saved)
    }

    /// Removes an endpoint and its key.
    ///
    /// # Errors
    /// The host's.
    pub(crate) async fn delete(self, id: &str) -> Result<(), ApiError> {
        self.api.get_value().endpoint_delete(IdRequest { id: id.to_owned() }).await?;
        self.list.update(|list| list.retain(|endpoint| endpoint.id != id));
        Ok(())
    }
}

/// A question to a saved endpoint, with the key that is in the vault.
pub(crate) const fn probe_saved(endpoint: EndpointConfig) -> EndpointProbe {
    EndpointProbe { endpoint, key: KeyChange::Keep }
}
