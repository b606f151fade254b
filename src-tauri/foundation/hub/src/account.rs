//! Accounts.

use reqwest::Method;
use serde::Deserialize;

use crate::{HubClient, HubError};

/// Whose a token is, and what it may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The name, as it stands before the slash of a repository.
    pub name: String,
    /// The person's name; may be empty.
    pub full_name: String,
    /// Names of the organisations that the account is in.
    pub organisations: Vec<String>,
    /// What the token is called; may be empty.
    pub token_name: String,
    /// Whether it may write; `None` for one whose rights are set one by one.
    pub can_write: Option<bool>,
}

#[derive(Deserialize)]
struct WhoAmI {
    name: String,
    fullname: Option<String>,
    #[serde(default)]
    orgs: Vec<Organisation>,
    auth: Option<Auth>,
}

#[derive(Deserialize)]
struct Organisation {
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Auth {
    access_token: Option<AccessToken>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessToken {
    display_name: Option<String>,
    role: Option<String>,
}

impl HubClient {
    /// Whose the token is (`GET /api/whoami-v2`, of which `hf-hub` does not give the token's rights).
    ///
    /// # Errors
    /// No token, one that the Hub does not accept, or no connection.
    pub async fn whoami(&self) -> Result<Account, HubError> {
        if !self.has_token() {
            return Err(HubError::NotSignedIn);
        }
        let url = self.url(["api", "whoami-v2"])?;
        let said: WhoAmI = self.json(self.request(Method::GET, url), "account").await?;
        let token = said.auth.and_then(|auth| auth.access_token);
        let role = token.as_ref().and_then(|token| token.role.as_deref());
        Ok(Account {
            name: said.name,
            full_name: said.fullname.unwrap_or_default(),
            organisations: said.orgs.into_iter().filter_map(|organisation| organisation.name).collect(),
            can_write: match role {
                Some("write") => Some(true),
                Some("read") => Some(false),
                _ => None,
            },
            token_name: token.and_then(|token| token.display_name).unwrap_or_default(),
        })
    }
}
