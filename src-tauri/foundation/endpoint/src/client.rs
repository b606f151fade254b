//! The client: addresses, headers, limits, retries.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method};
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;
use tw_artifact::{DoctorReport, Json, ModelInfo};
use tw_vault::Secret;
use url::Url;

use crate::answer::{Answer, AnswerDelta, ChatFailure};
use crate::request::{ChatRequest, Dialect, TokenizeRequest, chat_body, read_tokens, tokenize_body};
use crate::retry::{RetryPolicy, retry_after_ms};
use crate::stream::{self, Exchange, StreamLimits};
use crate::wire_error::{self, ErrorReply};
use crate::{EndpointError, doctor, models};

/// How long the client waits, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timeouts {
    /// For the connection.
    pub connect_secs: f64,
    /// From the request to the first byte of the answer. Long: a busy server queues, a long prompt is read first.
    pub first_byte_secs: f64,
    /// Between two pieces of the answer.
    pub between_chunks_secs: f64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_secs: 10.0, first_byte_secs: 600.0, between_chunks_secs: 120.0 }
    }
}

/// Longest wait for anything but an answer of a model: lists and probes come at once or not at all.
const QUICK_SECS: f64 = 20.0;
/// Largest body read that is not a stream.
const MAX_BODY_MIB: u64 = 64;

/// A client of one endpoint. Clones share connections and what was learnt about the server.
#[derive(Clone)]
pub struct EndpointClient {
    inner: Arc<Inner>,
    retry: RetryPolicy,
}

struct Inner {
    http: reqwest::Client,
    base: String,
    root: String,
    host: String,
    key: Option<Secret>,
    authorization: Option<HeaderValue>,
    timeouts: Timeouts,
    no_token_ids: AtomicBool,
    no_stream_options: AtomicBool,
    completion_limit: AtomicBool,
}

impl fmt::Debug for EndpointClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointClient")
            .field("base", &self.inner.base)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// A response whose head has come with a 2xx status.
pub(crate) struct Reply {
    pub(crate) response: reqwest::Response,
    pub(crate) sent_at: Instant,
    pub(crate) sent_at_ms: i64,
    /// When the first byte of the body is due.
    pub(crate) first_byte_at: tokio::time::Instant,
}

impl EndpointClient {
    /// A client. `base_url` is read as [`normalize_base_url`] does.
    ///
    /// # Errors
    /// [`EndpointError::BadUrl`], [`EndpointError::BadKey`]; [`EndpointError::Connect`] where the system gives no TLS.
    pub fn new(base_url: &str, key: Option<Secret>, timeouts: Timeouts) -> Result<Self, EndpointError> {
        let base = normalize_base_url(base_url)?;
        let url =
            Url::parse(&base).map_err(|error| EndpointError::BadUrl { url: base.clone(), why: error.to_string() })?;
        let host = host_text(&url);
        let key = key.filter(|key| !key.expose().is_empty());
        let authorization = key.as_ref().map(bearer).transpose()?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(duration(timeouts.connect_secs))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("tracewright/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&url) {
            // A proxy from the environment cannot reach this machine's own ports.
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| EndpointError::Connect { host: host.clone(), why: wire_error::deepest(&error) })?;
        let root = base.strip_suffix("/v1").unwrap_or(&base).to_owned();
        let inner = Inner {
            http,
            base,
            root,
            host,
            key,
            authorization,
            timeouts,
            no_token_ids: AtomicBool::new(false),
            no_stream_options: AtomicBool::new(false),
            completion_limit: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner), retry: RetryPolicy::default() })
    }

    /// The same client with another policy of sending again.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// The base URL that is used.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.inner.base
    }

    /// The models that the server offers, in its order.
    ///
    /// # Errors
    /// Any of the transport, of the status, or [`EndpointError::NotTheApi`].
    pub async fn models(&self) -> Result<Vec<ModelInfo>, EndpointError> {
        let (status, body) = self.quick(Method::GET, &format!("{}/models", self.inner.base), None).await?;
        if status != 200 {
            return Err(self.status_error(status, "/models", "", &body));
        }
        models::read_models(&body)
    }

    /// Asks the model and streams its answer into `sink`. A request that failed before its first streamed byte is sent
    /// again by the client's [`RetryPolicy`]; `cancel` ends it at once, at any point.
    ///
    /// # Errors
    /// Whatever kept the answer from being whole, with the part that had come.
    pub async fn chat(
        &self,
        request: &ChatRequest,
        cancel: &CancellationToken,
        sink: &mut (dyn FnMut(AnswerDelta) + Send),
    ) -> Result<Answer, ChatFailure> {
        Ok(self.exchange(request, cancel, sink).await?.answer)
    }

    /// The tokens of a conversation as the server's own template and tokenizer make them (vLLM `/tokenize`); `None`
    /// where the server does not offer that.
    ///
    /// # Errors
    /// Any of the transport or the status; [`EndpointError::NotTheApi`] for an answer without tokens.
    pub async fn tokenize(&self, request: &TokenizeRequest<'_>) -> Result<Option<Vec<u32>>, EndpointError> {
        let body = tokenize_body(request);
        let url = format!("{}/tokenize", self.inner.root);
        let (status, reply) = self.quick(Method::POST, &url, Some(&body)).await?;
        match status {
            200 => read_tokens(&reply).map(Some),
            404 => match self.status_error(status, "/tokenize", request.model, &reply) {
                EndpointError::NotFound { .. } => Ok(None),
                error => Err(error),
            },
            405 | 501 => Ok(None),
            _ => Err(self.status_error(status, "/tokenize", request.model, &reply)),
        }
    }

    /// Examines the endpoint with one list, one answer with one tool, and one request without effect. Never fails: what
    /// could not be found out is a finding.
    pub async fn doctor(&self, model: &str) -> DoctorReport {
        doctor::examine(self, model).await
    }

    pub(crate) async fn exchange(
        &self,
        request: &ChatRequest,
        cancel: &CancellationToken,
        sink: &mut (dyn FnMut(AnswerDelta) + Send),
    ) -> Result<Exchange, ChatFailure> {
        let mut notes = Vec::new();
        let mut retry = 0;
        let reply = loop {
            let body = chat_body(request, self.dialect())?;
            let sent = tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(EndpointError::Cancelled.into()),
                sent = self.send_chat(&body, &request.model) => sent,
            };
            let error = match sent {
                Ok(reply) => break reply,
                Err(error) => error,
            };
            if let Some(note) = self.adapt(&error, &body) {
                notes.push(note);
                continue;
            }
            let Some(wait) = self.retry.wait(&error, retry) else {
                return Err(error.into());
            };
            retry += 1;
            notes.push(format!("{error}; sent again after {} s", seconds(wait)));
            sink(AnswerDelta::Retrying {
                after_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                reason: error.to_string(),
            });
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(EndpointError::Cancelled.into()),
                () = tokio::time::sleep(wait) => {}
            }
        };
        let limits = StreamLimits {
            first_byte_secs: self.inner.timeouts.first_byte_secs,
            between_chunks_secs: self.inner.timeouts.between_chunks_secs,
        };
        stream::read_answer(reply, request, limits, notes, cancel, sink).await.map_err(|mut failure| {
            failure.error = self.without_key(failure.error);
            failure
        })
    }

    async fn send_chat(&self, body: &Json, model: &str) -> Result<Reply, EndpointError> {
        let sent_at = Instant::now();
        let sent_at_ms = unix_ms();
        let first_byte_secs = self.inner.timeouts.first_byte_secs;
        let first_byte_at = tokio::time::Instant::now() + duration(first_byte_secs);
        let url = format!("{}/chat/completions", self.inner.base);
        let request = self.request(Method::POST, &url, Some(body));
        let late = || EndpointError::FirstByteTimeout { secs: first_byte_secs.to_string() };
        let response = timeout_at(first_byte_at, request.send()).await.map_err(|_| late())?;
        let response = response.map_err(|error| self.transport_error(&error))?;
        let status = response.status().as_u16();
        if response.status().is_success() {
            return Ok(Reply { response, sent_at, sent_at_ms, first_byte_at });
        }
        let retry_after_ms = retry_after_ms(response.headers(), SystemTime::now());
        let location = header_text(&response, &LOCATION);
        let body = timeout_at(first_byte_at, read_body(response)).await.map_err(|_| late())?.unwrap_or_default();
        let reply = ErrorReply { status, path: "/chat/completions", model, retry_after_ms, location, body: &body };
        Err(self.without_key(wire_error::from_reply(&reply)))
    }

    /// One request whose whole reply is wanted, quickly: its status and text.
    pub(crate) async fn quick(
        &self,
        method: Method,
        url: &str,
        body: Option<&Json>,
    ) -> Result<(u16, String), EndpointError> {
        let secs = self.inner.timeouts.first_byte_secs.min(QUICK_SECS);
        let exchange = async {
            let response =
                self.request(method, url, body).send().await.map_err(|error| self.transport_error(&error))?;
            let status = response.status().as_u16();
            if let (300..400, Some(to)) = (status, header_text(&response, &LOCATION)) {
                return Err(EndpointError::Redirected { to });
            }
            Ok((status, read_body(response).await?))
        };
        tokio::time::timeout(duration(secs), exchange)
            .await
            .unwrap_or_else(|_| Err(EndpointError::FirstByteTimeout { secs: secs.to_string() }))
    }

    /// The error that a status other than 200 stands for.
    pub(crate) fn status_error(&self, status: u16, path: &str, model: &str, body: &str) -> EndpointError {
        let reply = ErrorReply { status, path, model, retry_after_ms: None, location: None, body };
        self.without_key(wire_error::from_reply(&reply))
    }

    /// The server's address without `/v1`.
    pub(crate) fn root_url(&self) -> &str {
        &self.inner.root
    }

    fn request(&self, method: Method, url: &str, body: Option<&Json>) -> reqwest::RequestBuilder {
        let mut request = self.inner.http.request(method, url);
        if let Some(authorization) = &self.inner.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_text());
        }
        request
    }

    fn transport_error(&self, error: &reqwest::Error) -> EndpointError {
        wire_error::from_transport(error, &self.inner.host, self.inner.timeouts.connect_secs)
    }

    fn dialect(&self) -> Dialect {
        let inner = &self.inner;
        Dialect {
            no_token_ids: inner.no_token_ids.load(Ordering::Relaxed),
            no_stream_options: inner.no_stream_options.load(Ordering::Relaxed),
            completion_limit: inner.completion_limit.load(Ordering::Relaxed),
        }
    }

    /// Learns from a refusal which field the server does not take. `Some` when the request should be sent again without
    /// it; each field can be learnt only once, so this ends.
    fn adapt(&self, error: &EndpointError, body: &Json) -> Option<String> {
        let EndpointError::Rejected { status: 400 | 422, message } = error else {
            return None;
        };
        let lower = message.to_lowercase();
        let sent = |field: &str| body.get(field).is_some();
        let learn = |flag: &AtomicBool| !flag.swap(true, Ordering::Relaxed);
        let inner = &self.inner;
        if lower.contains("max_completion_tokens") && sent("max_tokens") && learn(&inner.completion_limit) {
            return Some("the server wants max_completion_tokens instead of max_tokens".to_owned());
        }
        if lower.contains("stream_options") && sent("stream_options") && learn(&inner.no_stream_options) {
            return Some("the server does not take stream_options; usage may be missing".to_owned());
        }
        let unknown_field =
            ["unknown", "unrecognized", "unexpected", "unsupported", "extra", "not permitted", "additional"];
        let named = lower.contains("return_token_ids");
        if sent("return_token_ids")
            && (named || unknown_field.iter().any(|word| lower.contains(word)))
            && learn(&inner.no_token_ids)
        {
            return Some("the server does not take return_token_ids".to_owned());
        }
        None
    }

    /// Servers quote keys in their messages.
    fn without_key(&self, error: EndpointError) -> EndpointError {
        let Some(key) = &self.inner.key else {
            return error;
        };
        error.map_text(|text| text.replace(key.expose(), "[key]"))
    }
}

fn bearer(key: &Secret) -> Result<HeaderValue, EndpointError> {
    let mut value =
        HeaderValue::from_str(&format!("Bearer {}", key.expose().trim())).map_err(|_| EndpointError::BadKey)?;
    value.set_sensitive(true);
    Ok(value)
}

async fn read_body(mut response: reqwest::Response) -> Result<String, EndpointError> {
    let mut bytes = Vec::new();
    let limit = usize::try_from(MAX_BODY_MIB << 20).unwrap_or(usize::MAX);
    loop {
        let chunk = response.chunk().await;
        match chunk.map_err(|error| EndpointError::StreamCut { why: wire_error::deepest(&error) })? {
            Some(chunk) if bytes.len() + chunk.len() > limit => {
                return Err(EndpointError::TooLarge { mib: MAX_BODY_MIB });
            }
            Some(chunk) => bytes.extend_from_slice(&chunk),
            None => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }
}

fn header_text(response: &reqwest::Response, name: &http::HeaderName) -> Option<String> {
    response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// Seconds as a duration; nonsense (negative, not a number) is the longest there is.
pub(crate) fn duration(secs: f64) -> Duration {
    // About thirty years: adding the true maximum to a clock overflows.
    const LONGEST: Duration = Duration::from_secs(1_000_000_000);
    Duration::try_from_secs_f64(secs).unwrap_or(LONGEST).min(LONGEST)
}

fn seconds(wait: Duration) -> String {
    let text = format!("{:.1}", wait.as_secs_f64());
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn host_text(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The base URL in the form in which it is kept: scheme and host, the path without a slash at its end or a trailing
/// `/chat/completions`; a bare host gets `/v1`.
///
/// # Errors
/// [`EndpointError::BadUrl`]: not a URL, not http or https, or one with a user, password, query or fragment.
pub fn normalize_base_url(text: &str) -> Result<String, EndpointError> {
    let text = text.trim();
    let url = Url::parse(text).map_err(|error| {
        let why = if text.is_empty() { "it is empty".to_owned() } else { error.to_string() };
        EndpointError::BadUrl { url: text.to_owned(), why }
    })?;
    let shown = format!("{}://{}{}", url.scheme(), host_text(&url), url.path());
    let bad = |why: &str| EndpointError::BadUrl { url: shown.clone(), why: why.to_owned() };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(EndpointError::BadUrl {
            url: text.to_owned(),
            why: "it must begin with http:// or https://".to_owned(),
        });
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it holds a user or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it has a part after ? or #"));
    }
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/chat/completions").unwrap_or(path).trim_end_matches('/');
    let path = if path.is_empty() { "/v1" } else { path };
    let origin = url.origin().ascii_serialization();
    Ok(format!("{origin}{path}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(normalize_base_url(text).unwrap(), expected);
    }

    #[test]
    fn base_urls_are_brought_into_one_form() {
        check("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1");
        check(" http://127.0.0.1:8000/v1/ ", "http://127.0.0.1:8000/v1");
        check("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1");
        check("https://Example.org:443/v1/chat/completions", "https://example.org/v1");
        check("https://host/api/openai/v1", "https://host/api/openai/v1");
        check("http://[::1]:8000/v1", "http://[::1]:8000/v1");
    }

    #[test]
    fn base_urls_that_cannot_be_used_are_refused_without_showing_a_password() {
        for text in ["", "127.0.0.1:8000", "ftp://x/v1", "http://x/v1?key=1", "http://me:hush@x/v1"] {
            let error = normalize_base_url(text).unwrap_err();
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }

    #[test]
    fn the_key_is_not_in_debug_output() {
        let client = EndpointClient::new("http://x/v1", Some(Secret::new("sk-hush")), Timeouts::default()).unwrap();
        assert!(!format!("{client:?}").contains("hush"));
    }

    #[test]
    fn nonsense_seconds_are_a_long_time_and_no_crash() {
        for secs in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert!(duration(secs) >= Duration::from_secs(1_000_000));
        }
    }
}
