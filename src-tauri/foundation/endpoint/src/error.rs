//! What can go wrong between this app and an endpoint, in words for people.

use thiserror::Error;

/// An error of an endpoint. The message says what happened; [`EndpointError::hint`] what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// The base URL cannot be used.
    #[error("the address \"{url}\" cannot be used: {why}")]
    BadUrl {
        /// As typed, without a password.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The key cannot be sent in a header.
    #[error("the API key holds characters that cannot be sent")]
    BadKey,
    /// The sampling settings hold a field that the request itself sets.
    #[error("the extra request field \"{field}\" is set by the app itself")]
    ReservedField {
        /// The field.
        field: String,
    },
    /// Nothing listens there.
    #[error("nothing answers at {host}: the connection was refused")]
    Refused {
        /// Host and port.
        host: String,
    },
    /// The name of the host is not known.
    #[error("the name of the host {host} is not known")]
    Dns {
        /// Host and port.
        host: String,
    },
    /// The encrypted connection could not be made.
    #[error("no secure connection to {host}: {why}")]
    Tls {
        /// Host and port.
        host: String,
        /// What the TLS layer says.
        why: String,
    },
    /// The connection could not be made for another reason.
    #[error("no connection to {host}: {why}")]
    Connect {
        /// Host and port.
        host: String,
        /// What the system says.
        why: String,
    },
    /// The connection took too long to be made.
    #[error("no connection to {host} within {secs} s")]
    ConnectTimeout {
        /// Host and port.
        host: String,
        /// The limit, in seconds.
        secs: String,
    },
    /// The server closed the connection before it answered.
    #[error("{host} closed the connection before it answered")]
    Dropped {
        /// Host and port.
        host: String,
    },
    /// 401 or 403.
    #[error("the server refused the key (HTTP {status}): {message}")]
    KeyRefused {
        /// HTTP status.
        status: u16,
        /// What the server says.
        message: String,
    },
    /// 404 for a model.
    #[error("the server does not know the model \"{model}\": {message}")]
    ModelNotFound {
        /// What was asked for.
        model: String,
        /// What it offers, where its message says.
        offered: Vec<String>,
        /// What the server says.
        message: String,
    },
    /// 404 or 405 for a path.
    #[error("the server has no {path} (HTTP {status})")]
    NotFound {
        /// HTTP status.
        status: u16,
        /// The path that was asked for.
        path: String,
    },
    /// The prompt, or prompt and answer, do not fit into the model's context.
    #[error("the conversation is too long for the model: {message}")]
    ContextTooLong {
        /// The context length in tokens, where the server says.
        limit: Option<u32>,
        /// The tokens that were asked for, where the server says.
        asked: Option<u32>,
        /// What the server says.
        message: String,
    },
    /// Another 4xx.
    #[error("the server refused the request (HTTP {status}): {message}")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// What the server says.
        message: String,
    },
    /// 429.
    #[error("the server asks to slow down (HTTP 429): {message}")]
    RateLimited {
        /// How long to wait, where the server says, in milliseconds.
        retry_after_ms: Option<u64>,
        /// What the server says.
        message: String,
    },
    /// 5xx.
    #[error("the server failed (HTTP {status}): {message}")]
    Server {
        /// HTTP status.
        status: u16,
        /// How long to wait, where the server says, in milliseconds.
        retry_after_ms: Option<u64>,
        /// What the server says.
        message: String,
    },
    /// 3xx. Redirects are not followed: a request with a key goes only where the person said.
    #[error("the server redirects to {to}")]
    Redirected {
        /// Where to.
        to: String,
    },
    /// An error in the middle of the stream.
    #[error("the server stopped the answer: {message}")]
    Stopped {
        /// What the server says.
        message: String,
    },
    /// Nothing came in time.
    #[error("the server did not begin to answer within {secs} s")]
    FirstByteTimeout {
        /// The limit, in seconds.
        secs: String,
    },
    /// The stream stood still.
    #[error("the answer stood still for {secs} s")]
    ChunkTimeout {
        /// The limit, in seconds.
        secs: String,
    },
    /// The stream ended before the answer did.
    #[error("the connection broke before the answer was whole: {why}")]
    StreamCut {
        /// What the transport says.
        why: String,
    },
    /// A chunk that is not JSON.
    #[error("the server sent a chunk that is not JSON: {why}")]
    BadChunk {
        /// What is wrong, with the beginning of the chunk.
        why: String,
    },
    /// An answer that is not one of this API.
    #[error("this is not an answer of an OpenAI-style API: {what}")]
    NotTheApi {
        /// What came instead.
        what: String,
    },
    /// An answer without text, reasoning or calls.
    #[error("the model's answer is empty")]
    EmptyAnswer,
    /// An answer over the limit of what is read.
    #[error("the answer is larger than {mib} MiB")]
    TooLarge {
        /// The limit in MiB.
        mib: u64,
    },
    /// Stopped on request.
    #[error("stopped")]
    Cancelled,
}

impl EndpointError {
    /// What to do next, in one or two sentences; empty where there is nothing to do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::BadUrl { .. } => {
                "Give the whole address, such as http://127.0.0.1:8000/v1. A key goes into its own field.".into()
            }
            Self::BadKey => "Paste the key again, without line breaks.".into(),
            Self::ReservedField { .. } => "Remove it from the extra request fields.".into(),
            Self::Refused { host } => format!(
                "Start the server, or check the port. A server that loads a large model opens its port only when it is \
                 ready; on another machine it must listen on an address that can be reached, not on 127.0.0.1. \
                 Tried: {host}."
            ),
            Self::Dns { .. } => "Check the spelling of the address and the network connection.".into(),
            Self::Tls { .. } => "If the server speaks plain HTTP, write http:// instead of https://. If its \
                                 certificate is of your own making, add it to the system's trusted certificates."
                .into(),
            Self::Connect { .. } | Self::ConnectTimeout { .. } => {
                "Check the address, the network connection and firewalls in between.".into()
            }
            Self::Dropped { .. } => {
                "Look into the server's log: it may have crashed or be restarting. Then try again.".into()
            }
            Self::KeyRefused { .. } => "Check the API key of this endpoint (vLLM: --api-key).".into(),
            Self::ModelNotFound { offered, .. } if offered.is_empty() => {
                "Pick a model that the server lists, or start it with this model.".into()
            }
            Self::ModelNotFound { offered, .. } => format!("It offers: {}. Pick one of these.", offered.join(", ")),
            Self::NotFound { .. } => {
                "Check the base URL: for most servers it ends in /v1. A stopped RunPod pod answers like this, too."
                    .into()
            }
            Self::ContextTooLong { message, .. } if message.contains("max_tokens") => {
                "Lower max_tokens, or start the server with a longer context (vLLM: --max-model-len 32768).".into()
            }
            Self::ContextTooLong { .. } => "Lower the budgets of tool outputs, switch off tools that are not needed, \
                                            or start the server with a longer context (vLLM: --max-model-len 32768; \
                                            llama.cpp: -c 32768)."
                .into(),
            Self::Rejected { message, .. } if message.contains("tool-call-parser") => {
                "Start vLLM with --enable-auto-tool-choice and --tool-call-parser; the doctor shows the whole line."
                    .into()
            }
            Self::Rejected { .. } => "Check the sampling settings and the extra request fields.".into(),
            Self::RateLimited { retry_after_ms: Some(wait), .. } => {
                format!("Wait {} s, or run fewer tasks side by side.", wait.div_ceil(1000))
            }
            Self::RateLimited { .. } => "Wait a while, or run fewer tasks side by side.".into(),
            Self::Server { .. } | Self::Stopped { .. } => "Look into the server's log, then try again.".into(),
            Self::Redirected { to } => format!("If you trust it, use this address as base URL: {to}."),
            Self::FirstByteTimeout { .. } => "The server may be overloaded or still be loading its model. Run fewer \
                                              tasks side by side, or allow more time."
                .into(),
            Self::ChunkTimeout { .. } => "The server may be overloaded or hang: look into its log. What had come is \
                                          kept."
                .into(),
            Self::StreamCut { .. } => {
                "Look into the server's log. What had come is kept; the run can be continued.".into()
            }
            Self::BadChunk { .. } => {
                "Something between here and the model changes its stream: a proxy, or a server of \
                                      another kind. What had come is kept."
                    .into()
            }
            Self::NotTheApi { .. } => "Check the base URL: for most servers it ends in /v1.".into(),
            Self::EmptyAnswer => "Try again. If it stays so, check the model's chat template and max_tokens.".into(),
            Self::TooLarge { .. } => "Set max_tokens for this run.".into(),
            Self::Cancelled => String::new(),
        }
    }

    /// Whether the same request may succeed a little later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Dropped { .. } => true,
            Self::Server { status, .. } => matches!(*status, 502..=504),
            _ => false,
        }
    }

    /// How long the server asked to wait, in milliseconds.
    #[must_use]
    pub const fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after_ms, .. } | Self::Server { retry_after_ms, .. } => *retry_after_ms,
            _ => None,
        }
    }

    /// The same error with its texts from the server changed.
    pub(crate) fn map_text(mut self, change: impl Fn(&str) -> String) -> Self {
        match &mut self {
            Self::KeyRefused { message, .. }
            | Self::ModelNotFound { message, .. }
            | Self::ContextTooLong { message, .. }
            | Self::Rejected { message, .. }
            | Self::RateLimited { message, .. }
            | Self::Server { message, .. }
            | Self::Stopped { message }
            | Self::BadChunk { why: message }
            | Self::NotTheApi { what: message }
            | Self::Redirected { to: message } => *message = change(message),
            Self::BadUrl { .. }
            | Self::BadKey
            | Self::ReservedField { .. }
            | Self::Refused { .. }
            | Self::Dns { .. }
            | Self::Tls { .. }
            | Self::Connect { .. }
            | Self::ConnectTimeout { .. }
            | Self::Dropped { .. }
            | Self::NotFound { .. }
            | Self::FirstByteTimeout { .. }
            | Self::ChunkTimeout { .. }
            | Self::StreamCut { .. }
            | Self::EmptyAnswer
            | Self::TooLarge { .. }
            | Self::Cancelled => {}
        }
        self
    }
}
