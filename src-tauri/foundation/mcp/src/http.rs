//! The conversation over streamable HTTP.

use std::collections::HashMap;
use std::time::Duration;

use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::AuthClient;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use url::Url;

use crate::launch::{LaunchContext, expand_strictly};
use crate::stdio::MAX_MESSAGE_BYTES;
use crate::{McpError, ServerSecrets};

/// Whether the connection is made at all; how long an answer takes is the call's own limit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Where a server is and what is sent along.
pub(crate) struct Address {
    pub(crate) url: Url,
    headers: HashMap<HeaderName, HeaderValue>,
    pub(crate) client: reqwest::Client,
}

impl Address {
    /// Checks the address and the headers.
    pub(crate) fn resolve(
        server: &str,
        url: &str,
        secrets: &ServerSecrets,
        context: &LaunchContext,
    ) -> Result<Self, McpError> {
        let wrong = |message: String| McpError::BadConfig { server: server.to_owned(), message };
        let url = expand_strictly(url, context).map_err(|message| wrong(format!("its address {message}")))?;
        let url = Url::parse(&url).map_err(|error| wrong(format!("its address is none: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(format!("its address begins with {}:, not with http: or https:", url.scheme())));
        }
        let mut headers = HashMap::new();
        for (name, value) in &secrets.headers {
            let value = expand_strictly(value, context)
                .map_err(|message| wrong(format!("the value of the header {name} {message}")))?;
            let parsed: Option<(HeaderName, HeaderValue)> = name.parse().ok().zip(value.trim().parse().ok());
            // The value is not told: it may be a secret.
            let (key, mut value) = parsed.ok_or_else(|| wrong(format!("the header {name} is not a valid one")))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::custom(follow_same_origin))
            .build()
            .map_err(|error| wrong(format!("no HTTP client could be made: {error}")))?;
        Ok(Self { url, headers, client })
    }

    /// Whether the person gave credentials: then there is no sign-in beside them.
    pub(crate) fn has_authorization(&self) -> bool {
        self.headers.contains_key(&AUTHORIZATION)
    }

    /// A transport without a sign-in.
    pub(crate) fn plain(&self) -> StreamableHttpClientTransport<reqwest::Client> {
        StreamableHttpClientTransport::with_client(self.client.clone(), self.config())
    }

    /// A transport that sends the token of a sign-in, and refreshes it.
    pub(crate) fn signed_in(
        &self,
        client: AuthClient<reqwest::Client>,
    ) -> StreamableHttpClientTransport<AuthClient<reqwest::Client>> {
        StreamableHttpClientTransport::with_client(client, self.config())
    }

    fn config(&self) -> StreamableHttpClientTransportConfig {
        StreamableHttpClientTransportConfig::with_uri(self.url.as_str())
            .custom_headers(self.headers.clone())
            .max_sse_event_size(MAX_MESSAGE_BYTES)
    }
}

/// Only redirects that keep the message and stay with the same host: the headers may hold a secret.
fn follow_same_origin(attempt: reqwest::redirect::Attempt<'_>) -> reqwest::redirect::Action {
    let same_origin = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
    if matches!(attempt.status().as_u16(), 307 | 308) && same_origin && attempt.previous().len() <= 10 {
        attempt.follow()
    } else {
        attempt.stop()
    }
}
