//! Endpoints: kept, asked, examined.

use tw_artifact::{DoctorReport, EndpointConfig, ModelInfo};
use tw_contract::{ApiError, EndpointProbe, EndpointSave, KeyChange};
use tw_endpoint::{EndpointClient, Timeouts, normalize_base_url};
use tw_vault::Secret;

use crate::errors::Api;
use crate::{App, blocking};

impl App {
    pub(crate) async fn save_endpoint(&self, request: EndpointSave) -> Result<EndpointConfig, ApiError> {
        let mut endpoint = request.endpoint;
        endpoint.base_url = normalize_base_url(&endpoint.base_url).api()?;
        if endpoint.name.trim().is_empty() {
            return Err(ApiError::invalid("The endpoint has no name."));
        }
        if endpoint.id.is_empty() {
            endpoint.id = new_id();
        }
        let name = EndpointConfig::secret_name(&endpoint.id);
        let vault = self.vault.clone();
        match request.key {
            KeyChange::Keep => {}
            KeyChange::Set(key) => {
                let key = Secret::new(key.trim());
                blocking(move || vault.set(&name, key)).await?.api()?;
                endpoint.has_key = true;
            }
            KeyChange::Clear => {
                blocking(move || vault.delete(&name)).await?.api()?;
                endpoint.has_key = false;
            }
        }
        self.store.put_endpoint(&endpoint).await.api()?;
        Ok(endpoint)
    }

    pub(crate) async fn delete_endpoint(&self, id: String) -> Result<(), ApiError> {
        let name = EndpointConfig::secret_name(&id);
        let vault = self.vault.clone();
        blocking(move || vault.delete(&name)).await?.api()?;
        self.store.delete_endpoint(&id).await.api()
    }

    pub(crate) async fn endpoint(&self, id: &str) -> Result<EndpointConfig, ApiError> {
        let all = self.store.list_endpoints().await.api()?;
        all.into_iter()
            .find(|endpoint| endpoint.id == id)
            .ok_or_else(|| ApiError::not_found("endpoint").with_hint("Pick another one, or add it again."))
    }

    pub(crate) async fn probe_models(&self, request: EndpointProbe) -> Result<Vec<ModelInfo>, ApiError> {
        self.client_of(&request.endpoint, request.key).await?.models().await.api()
    }

    pub(crate) async fn probe_doctor(&self, request: EndpointProbe) -> Result<DoctorReport, ApiError> {
        let client = self.client_of(&request.endpoint, request.key).await?;
        Ok(client.doctor(&request.endpoint.model).await)
    }

    /// A client of an endpoint, with the key of the form or of the vault.
    pub(crate) async fn client_of(
        &self,
        endpoint: &EndpointConfig,
        key: KeyChange,
    ) -> Result<EndpointClient, ApiError> {
        let key = match key {
            KeyChange::Set(key) => Some(Secret::new(key.trim())),
            KeyChange::Clear => None,
            KeyChange::Keep if endpoint.has_key && !endpoint.id.is_empty() => {
                let name = EndpointConfig::secret_name(&endpoint.id);
                let vault = self.vault.clone();
                let key = blocking(move || vault.get(&name)).await?.api()?;
                if key.is_none() {
                    let message = format!("The key of \"{}\" is no longer in the keyring.", endpoint.name);
                    return Err(ApiError::invalid(message).with_hint("Edit the endpoint and enter its key again."));
                }
                key
            }
            KeyChange::Keep => None,
        };
        EndpointClient::new(&endpoint.base_url, key, Timeouts::default()).api()
    }
}

/// A new id: sorts by time.
pub(crate) fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
