//! Reads what transports and servers say about a failure.

use std::error::Error as StdError;
use std::io;

use tw_artifact::Json;

use crate::EndpointError;

/// Longest part of a server's message that is shown.
const MESSAGE_CHARS: usize = 2_000;

/// An error of `reqwest` before the response's head had come. `host` is for people.
pub(crate) fn from_transport(error: &reqwest::Error, host: &str, connect_secs: f64) -> EndpointError {
    let host = host.to_owned();
    if error.is_dns() {
        return EndpointError::Dns { host };
    }
    if let Some(why) = tls_reason(error) {
        return EndpointError::Tls { host, why };
    }
    if error.is_connect() {
        if error.is_timeout() || io_kind(error) == Some(io::ErrorKind::TimedOut) {
            return EndpointError::ConnectTimeout { host, secs: connect_secs.to_string() };
        }
        return match io_kind(error) {
            Some(io::ErrorKind::ConnectionRefused) => EndpointError::Refused { host },
            _ => EndpointError::Connect { host, why: deepest(error) },
        };
    }
    if error.is_timeout() {
        return EndpointError::ConnectTimeout { host, secs: connect_secs.to_string() };
    }
    EndpointError::Dropped { host }
}

/// The words of the innermost cause: the outer ones only say "error sending request".
pub(crate) fn deepest(error: &(dyn StdError + 'static)) -> String {
    let mut current = error;
    while let Some(next) = current.source() {
        current = next;
    }
    current.to_string()
}

/// Walks the causes, looking also inside `io::Error`, whose `source` skips the error that it wraps.
fn find<'a, T>(
    error: &'a (dyn StdError + 'static),
    pick: &dyn Fn(&'a (dyn StdError + 'static)) -> Option<T>,
) -> Option<T> {
    let mut current = Some(error);
    while let Some(cause) = current {
        if let Some(found) = pick(cause) {
            return Some(found);
        }
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        current = match inner {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    None
}

fn io_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    find(error, &|cause| cause.downcast_ref::<io::Error>().map(io::Error::kind))
}

fn tls_reason(error: &(dyn StdError + 'static)) -> Option<String> {
    let tls = find(error, &|cause| cause.downcast_ref::<rustls::Error>())?;
    Some(match tls {
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS on this port".to_owned(),
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            "its certificate is not signed by an authority that this machine trusts".to_owned()
        }
        rustls::Error::InvalidCertificate(
            rustls::CertificateError::Expired | rustls::CertificateError::ExpiredContext { .. },
        ) => "its certificate has expired".to_owned(),
        rustls::Error::InvalidCertificate(
            rustls::CertificateError::NotValidForName | rustls::CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name".to_owned(),
        other => other.to_string(),
    })
}

/// What a response with an error status says.
pub(crate) struct ErrorReply<'a> {
    pub(crate) status: u16,
    /// The path that was asked for.
    pub(crate) path: &'a str,
    /// The model that was asked for; empty where none was.
    pub(crate) model: &'a str,
    pub(crate) retry_after_ms: Option<u64>,
    pub(crate) location: Option<String>,
    pub(crate) body: &'a str,
}

/// Reads an error response. Bodies seen: `{"error":{message,type,param,code}}` (OpenAI, vLLM, llama.cpp),
/// `{"error":"text"}` (Ollama), `{"detail":...}` (FastAPI), `{"message":...}` (older vLLM), text and pages of proxies.
pub(crate) fn from_reply(reply: &ErrorReply<'_>) -> EndpointError {
    let details = Details::read(reply.body);
    let status = reply.status;
    if (300..400).contains(&status) {
        return EndpointError::Redirected {
            to: reply.location.clone().unwrap_or_else(|| "an unknown place".to_owned()),
        };
    }
    if let Some(error) = context_too_long(status, &details) {
        return error;
    }
    match status {
        401 | 403 => EndpointError::KeyRefused { status, message: details.message },
        404 if details.is_about_model() => EndpointError::ModelNotFound {
            model: reply.model.to_owned(),
            offered: valid_aliases(&details.message),
            message: details.message,
        },
        404 | 405 => EndpointError::NotFound { status, path: reply.path.to_owned() },
        429 => EndpointError::RateLimited { retry_after_ms: reply.retry_after_ms, message: details.message },
        500.. => EndpointError::Server { status, retry_after_ms: reply.retry_after_ms, message: details.message },
        _ => EndpointError::Rejected { status, message: details.message },
    }
}

/// Reads `{"error": ...}` that came in the middle of a stream.
pub(crate) fn from_stream(chunk: &Json) -> EndpointError {
    let details = Details::from_json(chunk).unwrap_or_default();
    context_too_long(400, &details).unwrap_or(EndpointError::Stopped { message: details.message })
}

#[derive(Default)]
struct Details {
    message: String,
    kind: String,
    param: String,
    code: String,
    limit: Option<u32>,
    asked: Option<u32>,
}

impl Details {
    fn read(body: &str) -> Self {
        if let Some(details) = Json::parse(body).ok().as_ref().and_then(Self::from_json) {
            return details;
        }
        Self { message: plain_message(body), ..Self::default() }
    }

    fn from_json(json: &Json) -> Option<Self> {
        let error = json.get("error").filter(|error| !error.is_null());
        let source = match error {
            Some(Json::String(text)) => return Some(Self { message: shorten(text), ..Self::default() }),
            Some(object @ Json::Object(_)) => object,
            _ => json,
        };
        let text = |key: &str| match source.get(key) {
            Some(Json::String(text)) => text.clone(),
            None | Some(Json::Null) => String::new(),
            Some(other) => other.to_text(),
        };
        let number = |key: &str| source.get(key).and_then(Json::as_i64).and_then(|it| u32::try_from(it).ok());
        let message = [text("message"), text("detail")].into_iter().find(|text| !text.is_empty())?;
        Some(Self {
            message: shorten(&message),
            kind: text("type"),
            param: text("param"),
            code: text("code"),
            limit: number("n_ctx"),
            asked: number("n_prompt_tokens"),
        })
    }

    fn is_about_model(&self) -> bool {
        let message = self.message.to_lowercase();
        self.param == "model"
            || self.code == "model_not_found"
            || (message.contains("model") && (message.contains("not exist") || message.contains("not found")))
    }
}

/// Forms seen: vLLM "maximum context length is 8192 tokens. However, your prompt contains at least 8193 input tokens"
/// and "max_tokens=9000 cannot be greater than max_model_len=8192"; OpenAI's code `context_length_exceeded` with
/// "However, your messages resulted in 130000 tokens"; llama.cpp's type `exceed_context_size_error` with the fields
/// `n_ctx` and `n_prompt_tokens`; SGLang "is longer than the model's context length".
fn context_too_long(status: u16, details: &Details) -> Option<EndpointError> {
    if !matches!(status, 400 | 413 | 422 | 500) {
        return None;
    }
    let message = details.message.to_lowercase();
    let known = details.code == "context_length_exceeded"
        || details.kind == "exceed_context_size_error"
        || message.contains("maximum context length")
        || message.contains("exceeds the available context size")
        || message.contains("max_model_len")
        || (message.contains("longer than") && message.contains("context length"));
    if !known {
        return None;
    }
    let limit = details.limit.or_else(|| {
        ["context length is ", "max_model_len=", "context length (", "context size ("]
            .iter()
            .find_map(|before| number_after(&message, before))
    });
    let asked = details.asked.or_else(|| {
        ["contains at least ", "resulted in ", "you requested ", "max_tokens=", "input (", "request ("]
            .iter()
            .find_map(|before| number_after(&message, before))
    });
    Some(EndpointError::ContextTooLong { limit, asked, message: details.message.clone() })
}

fn number_after(text: &str, before: &str) -> Option<u32> {
    let rest = &text[text.find(before)? + before.len()..];
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    rest[..digits].parse().ok()
}

/// vLLM: "The model `nope` does not exist. Valid aliases: a, b."
fn valid_aliases(message: &str) -> Vec<String> {
    let Some((_, list)) = message.split_once("Valid aliases: ") else {
        return Vec::new();
    };
    let list = list.strip_suffix('.').unwrap_or(list);
    list.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// A body that is not JSON: a page becomes its title, text is shortened.
fn plain_message(body: &str) -> String {
    let lower = body.to_ascii_lowercase();
    if lower.contains("<html") || lower.contains("<!doctype") {
        let title = lower.find("<title>").and_then(|start| {
            let end = lower[start..].find("</title>")? + start;
            body.get(start + "<title>".len()..end)
        });
        return title.map_or_else(
            || "a web page instead of an answer".to_owned(),
            |title| format!("a web page: {}", shorten(title.trim())),
        );
    }
    let text = body.trim();
    if text.is_empty() { "it gave no reason".to_owned() } else { shorten(text) }
}

/// At most [`MESSAGE_CHARS`] characters.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check_tls(certificate: rustls::CertificateError, expected: &str) {
        // As the layers below `reqwest` wrap it.
        let inner = io::Error::other(rustls::Error::InvalidCertificate(certificate));
        let error = io::Error::other(inner);
        assert_eq!(tls_reason(&error).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_said_in_plain_words() {
        check_tls(
            rustls::CertificateError::UnknownIssuer,
            "its certificate is not signed by an authority that this machine trusts",
        );
        check_tls(rustls::CertificateError::Expired, "its certificate has expired");
        check_tls(rustls::CertificateError::NotValidForName, "its certificate is for another name");
        assert_eq!(tls_reason(&io::Error::other("something else")), None);
    }

    fn check(status: u16, body: &str, expected: &str) {
        let reply =
            ErrorReply { status, path: "/chat/completions", model: "m", retry_after_ms: None, location: None, body };
        assert_eq!(from_reply(&reply).to_string(), expected);
    }

    #[test]
    fn every_form_of_an_error_body_is_read() {
        let refused = |message: &str| format!("the server refused the request (HTTP 400): {message}");
        check(400, r#"{"error":{"message":"a","type":"BadRequestError","param":null,"code":400}}"#, &refused("a"));
        check(400, r#"{"error":"a"}"#, &refused("a"));
        check(400, r#"{"object":"error","message":"a","code":400}"#, &refused("a"));
        check(400, r#"{"detail":[{"loc":["body"],"msg":"a"}]}"#, &refused(r#"[{"loc":["body"],"msg":"a"}]"#));
        check(400, "a\n", &refused("a"));
        check(400, "", &refused("it gave no reason"));
        check(
            502,
            "<!DOCTYPE html><title>Bad Gateway</title>",
            "the server failed (HTTP 502): a web page: Bad Gateway",
        );
        check(
            404,
            r#"{"error":{"message":"model \"m\" not found, try pulling it first","type":"not_found_error"}}"#,
            "the server does not know the model \"m\": model \"m\" not found, try pulling it first",
        );
        check(404, r#"{"detail":"Not Found"}"#, "the server has no /chat/completions (HTTP 404)");
    }

    #[test]
    fn a_long_message_is_shortened_between_characters() {
        let text = "é".repeat(MESSAGE_CHARS + 10);
        assert_eq!(shorten(&text).chars().count(), MESSAGE_CHARS + 4);
    }
}
