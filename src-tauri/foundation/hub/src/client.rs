//! The client: requests, and what their answers mean.

use std::time::Duration;

use hf_hub::{HFClient, HFError};
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use tw_vault::Secret;
use url::Url;

use crate::work::Patience;
use crate::{HubError, RepoId};

/// Redirects that are followed.
const MOST_REDIRECTS: usize = 5;
/// Of an answer that is an error, so much is read.
const MOST_ERROR_BYTES: usize = 64 << 10;

/// Which Hub, and as whom.
#[derive(Clone, Debug)]
pub struct HubOptions {
    /// `https://huggingface.co`, or that of another Hub.
    pub endpoint: String,
    /// The token; `None` asks as nobody.
    pub token: Option<Secret>,
    /// How long a connection may be silent.
    pub silence: Duration,
    /// How long the first wait before another try is; it doubles.
    pub first_wait: Duration,
}

impl HubOptions {
    /// A Hub with the usual patience.
    #[must_use]
    pub fn new(endpoint: &str, token: Option<Secret>) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            token,
            silence: Duration::from_secs(60),
            first_wait: Duration::from_millis(500),
        }
    }
}

/// A client of one Hub.
#[derive(Clone, Debug)]
pub struct HubClient {
    /// Follows no redirects: the token must not go along to another origin.
    http: reqwest::Client,
    pub(crate) official: HFClient,
    endpoint: Url,
    token: Option<Secret>,
    pub(crate) patience: Patience,
}

impl HubClient {
    /// A client; asks nothing yet.
    ///
    /// # Errors
    /// [`HubError::BadEndpoint`] for an address that is none, or one to which a token would go unencrypted.
    pub fn new(options: HubOptions) -> Result<Self, HubError> {
        let bad = |message: String| HubError::BadEndpoint { endpoint: options.endpoint.clone(), message };
        let endpoint = Url::parse(&options.endpoint).map_err(|error| bad(error.to_string()))?;
        let host = endpoint.host_str().unwrap_or_default();
        let is_here = host == "localhost" || host == "[::1]" || host.starts_with("127.");
        match endpoint.scheme() {
            "https" => {}
            "http" if is_here || options.token.is_none() => {}
            "http" => return Err(bad("the token would be sent unencrypted".to_owned())),
            other => return Err(bad(format!("{other} is not http"))),
        }
        let agent = concat!("tracewright/", env!("CARGO_PKG_VERSION"));
        let build = |redirects| {
            reqwest::Client::builder()
                .user_agent(agent)
                .connect_timeout(Duration::from_secs(15))
                .read_timeout(options.silence)
                .redirect(redirects)
                .build()
                .map_err(|error| bad(error.to_string()))
        };
        let http = build(reqwest::redirect::Policy::none())?;
        let mut official = HFClient::builder()
            .endpoint(options.endpoint.as_str())
            .user_agent(agent)
            .client(build(reqwest::redirect::Policy::limited(MOST_REDIRECTS))?)
            .cache_enabled(false)
            // Tried again here, where a server's own word on when is heard.
            .retry_max_attempts(0);
        if let Some(token) = &options.token {
            official = official.token(token.expose());
        }
        let official = official.build().map_err(|error| bad(error.to_string()))?;
        let patience = Patience { tries: 5, first_wait: options.first_wait };
        Ok(Self { http, official, endpoint, token: options.token, patience })
    }

    /// Whether requests say who asks.
    #[must_use]
    pub const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// The page of a repository.
    #[must_use]
    pub fn page_of(&self, repo: &RepoId) -> String {
        format!("{}/{}{}", self.base(), repo.kind().prefix(), repo.id())
    }

    pub(crate) fn base(&self) -> &str {
        self.endpoint.as_str().trim_end_matches('/')
    }

    pub(crate) fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    /// An address below the Hub's: each part is one part of the path, whatever is in it.
    pub(crate) fn url<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> Result<Url, HubError> {
        let mut url = self.endpoint.clone();
        url.path_segments_mut()
            .map_err(|()| HubError::strange("the Hub's address cannot have a path"))?
            .pop_if_empty()
            .extend(parts.into_iter().filter(|part| !part.is_empty()));
        Ok(url)
    }

    /// `/api/datasets/owner/name/...`
    pub(crate) fn api_url(&self, repo: &RepoId, rest: &[&str]) -> Result<Url, HubError> {
        let parts = ["api", repo.kind().plural(), repo.owner(), repo.name()];
        self.url(parts.into_iter().chain(rest.iter().copied()))
    }

    /// A request; the token goes along only to the Hub's own origin.
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let is_home = url.origin() == self.endpoint.origin();
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) if is_home => request.bearer_auth(token.expose()),
            _ => request,
        }
    }

    /// Sends a request, and makes an error of an answer that is one.
    pub(crate) async fn send(&self, request: RequestBuilder, what: &str) -> Result<Response, HubError> {
        let response = request.send().await.map_err(|error| self.lost(&error))?;
        self.accept(response, what).await
    }

    pub(crate) async fn accept(&self, response: Response, what: &str) -> Result<Response, HubError> {
        let status = response.status();
        if status.is_success() || status.is_redirection() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        Err(self.refusal(status, &headers, &message_of(response).await, what))
    }

    /// The same, following redirects; on the way to another origin the token stays here.
    pub(crate) async fn fetch(
        &self,
        method: Method,
        mut url: Url,
        what: &str,
        with: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, HubError> {
        for _ in 0..MOST_REDIRECTS {
            let response = self.send(with(self.request(method.clone(), url.clone())), what).await?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let next = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = next.and_then(|next| url.join(next).ok());
            url = next.ok_or_else(|| HubError::strange("it leads nowhere"))?;
        }
        Err(HubError::strange("it leads on and on to other addresses"))
    }

    pub(crate) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder, what: &str) -> Result<T, HubError> {
        let response = self.send(request, what).await?;
        let bytes = response.bytes().await.map_err(|error| self.lost(&error))?;
        serde_json::from_slice(&bytes).map_err(HubError::strange)
    }

    /// A connection that did not come about, or broke off.
    pub(crate) fn lost(&self, error: &reqwest::Error) -> HubError {
        let message = innermost(error);
        if error.is_connect() {
            HubError::Unreachable { endpoint: self.base().to_owned(), message }
        } else if error.is_builder() {
            HubError::strange(message)
        } else {
            HubError::Cut { message }
        }
    }

    pub(crate) fn refusal(&self, status: StatusCode, headers: &HeaderMap, message: &str, what: &str) -> HubError {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let message = if header("x-error-message").is_empty() { message } else { header("x-error-message") };
        let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(retry_after_secs);
        self.meaning(status, header("x-error-code"), message, seconds, what)
    }

    fn meaning(&self, status: StatusCode, code: &str, message: &str, wait: Option<u64>, what: &str) -> HubError {
        let message = if message.is_empty() { status.canonical_reason().unwrap_or("no reason") } else { message };
        let message = message.to_owned();
        match status.as_u16() {
            // The Hub does not say to strangers whether a private repository is there.
            401 if !self.has_token() && code == "RepoNotFound" => HubError::NotFound { what: what.to_owned() },
            401 if !self.has_token() => HubError::NotSignedIn,
            401 => HubError::BadToken,
            403 => HubError::Forbidden { message },
            404 => HubError::NotFound { what: what.to_owned() },
            409 => HubError::Conflict { message },
            412 => HubError::HeadMoved,
            413 => HubError::TooLarge { message },
            429 => HubError::TooMany { retry_after_secs: wait },
            status @ 500.. => HubError::Server { status, message },
            status => HubError::Refused { status, message },
        }
    }

    /// What an error of the official client means.
    pub(crate) fn meaning_of(&self, error: HFError, what: &str) -> HubError {
        let wait = match &error {
            HFError::RateLimited { retry_after, .. } => retry_after.map(|wait| wait.as_secs()),
            _ => None,
        };
        match error {
            HFError::Http { context }
            | HFError::AuthRequired { context }
            | HFError::Forbidden { context }
            | HFError::Conflict { context }
            | HFError::RateLimited { context, .. }
            | HFError::RepoNotFound { context: Some(context), .. }
            | HFError::RevisionNotFound { context: Some(context), .. }
            | HFError::EntryNotFound { context: Some(context), .. } => {
                let code = context.error_code.as_deref().unwrap_or_default();
                let message = context.server_message.as_deref().unwrap_or_default();
                self.meaning(context.status, code, message, wait, what)
            }
            HFError::RepoNotFound { .. } | HFError::RevisionNotFound { .. } | HFError::EntryNotFound { .. } => {
                HubError::NotFound { what: what.to_owned() }
            }
            HFError::Request { source, .. } => self.lost(&source),
            other => HubError::strange(other),
        }
    }
}

/// The reason at the bottom of an error: the layers above it only say that something failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

/// What an answer that is an error says, shortened.
async fn message_of(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST_ERROR_BYTES {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let said = serde_json::from_str::<serde_json::Value>(&text).ok();
    let said = said.as_ref().and_then(|value| {
        let error = value.get("error").or_else(|| value.get("message"))?;
        error.as_str().or_else(|| error.get("message")?.as_str())
    });
    said.unwrap_or(text.trim()).chars().take(300).collect()
}

/// `Retry-After`, in seconds or as a date.
fn retry_after_secs(text: &str) -> Option<u64> {
    if let Ok(secs) = text.trim().parse() {
        return Some(secs);
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_second();
    u64::try_from(at - jiff::Timestamp::now().as_second()).ok().or(Some(0))
}
