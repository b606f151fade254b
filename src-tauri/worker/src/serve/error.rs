//! Errors as vLLM 0.32 answers them: `{"error":{message, type, param, code}}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    kind: &'static str,
    message: String,
    param: Option<String>,
}

impl Refusal {
    /// A value that cannot be.
    pub(crate) fn bad(param: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let message = if param.is_empty() { message } else { format!("{message} (parameter={param})") };
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "BadRequestError",
            message,
            param: (!param.is_empty()).then(|| param.to_owned()),
        }
    }

    /// The same for a value that is told.
    pub(crate) fn value(param: &str, value: usize, message: impl std::fmt::Display) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "BadRequestError",
            message: format!("{message} (parameter={param}, value={value})"),
            param: Some(param.to_owned()),
        }
    }

    /// A body that is not in the form of a request: `kind` and `what` are pydantic's words.
    pub(crate) fn form(place: &str, kind: &str, what: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "Bad Request",
            message: format!("1 validation error:\n  {{'type': '{kind}', 'loc': '{place}', 'msg': '{what}'}}"),
            param: Some(place.to_owned()),
        }
    }

    /// A field that is missing.
    pub(crate) fn missing(field: &str) -> Self {
        Self::form(&format!("body.{field}"), "missing", "Field required")
    }

    /// A model or an adapter that is not there.
    pub(crate) fn not_found(param: Option<&str>, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            kind: "NotFoundError",
            message: message.into(),
            param: param.map(str::to_owned),
        }
    }

    /// A wish that contradicts what is there.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "InvalidUserInput", message: message.into(), param: None }
    }

    /// A request from another site's page.
    pub(crate) fn forbidden() -> Self {
        let message = "This server answers programs on this machine only, not pages of other sites.".to_owned();
        Self { status: StatusCode::FORBIDDEN, kind: "Forbidden", message, param: None }
    }

    /// Something that failed here.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "InternalServerError",
            message: message.into(),
            param: None,
        }
    }

    /// The body; in a stream it is an event of its own.
    pub(crate) fn body(&self) -> serde_json::Value {
        let Self { status, kind, message, param } = self;
        json!({"error": {"message": message, "type": kind, "param": param, "code": status.as_u16()}})
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}
