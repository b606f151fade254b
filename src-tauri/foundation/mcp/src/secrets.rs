//! The values of a server's environment variables and headers.

use std::fmt;

use tw_artifact::{Json, Map};
use tw_vault::Secret;

/// Values that may be secret, by the names that [`ServerConfig`](tw_artifact::ServerConfig) lists. They are kept in
/// the vault as one JSON object: `{"env":{...},"headers":{...}}`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ServerSecrets {
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// HTTP headers.
    pub headers: Vec<(String, String)>,
}

impl ServerSecrets {
    /// Reads what [`ServerSecrets::to_secret`] wrote. Something else gives no values.
    #[must_use]
    pub fn from_secret(secret: &Secret) -> Self {
        let json = Json::parse(secret.expose()).unwrap_or_default();
        Self { env: read_pairs(json.get("env")), headers: read_pairs(json.get("headers")) }
    }

    /// As one text for the vault.
    #[must_use]
    pub fn to_secret(&self) -> Secret {
        let mut map = Map::new();
        map.insert("env".to_owned(), write_pairs(&self.env));
        map.insert("headers".to_owned(), write_pairs(&self.headers));
        Secret::new(Json::Object(map).to_text())
    }

    /// Whether there is no value at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.env.is_empty() && self.headers.is_empty()
    }

    /// The value of one environment variable.
    pub(crate) fn env_value(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for ServerSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |pairs: &[(String, String)]| pairs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        f.debug_struct("ServerSecrets")
            .field("env", &names(&self.env))
            .field("headers", &names(&self.headers))
            .finish_non_exhaustive()
    }
}

fn read_pairs(json: Option<&Json>) -> Vec<(String, String)> {
    let fields = json.and_then(Json::as_object).into_iter().flatten();
    fields.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

fn write_pairs(pairs: &[(String, String)]) -> Json {
    Json::Object(pairs.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect())
}
