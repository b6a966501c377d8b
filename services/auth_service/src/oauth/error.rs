//! The errors of the OAuth endpoints, in the shape and with the statuses of RFC 6749 §5.2.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use storage::StoreError;
use utoipa::ToSchema;

use crate::sessions::SessionError;

/// The body of an error.
#[derive(Serialize, ToSchema)]
pub(crate) struct OAuthErrorBody {
    /// The code, as RFC 6749 §5.2 names it.
    #[schema(example = "invalid_grant")]
    error: &'static str,
    /// What is wrong and how to right it, for people.
    error_description: String,
}

/// Why a request to an OAuth endpoint is refused.
#[derive(Debug)]
pub(crate) struct OAuthError {
    status: StatusCode,
    code: &'static str,
    description: String,
    retry_after: Option<HeaderValue>,
    /// Whether the audit trail needs no further record of it.
    noted: bool,
}

impl OAuthError {
    fn new(status: StatusCode, code: &'static str, description: impl Into<String>) -> Self {
        Self {
            status,
            code,
            description: description.into(),
            retry_after: None,
            noted: false,
        }
    }

    /// The same, where the audit trail has it already.
    #[must_use]
    pub(crate) fn noted(self) -> Self {
        Self {
            noted: true,
            ..self
        }
    }

    /// Whether the audit trail needs no record of it: it has one, the fault is ours, or nothing was
    /// tried because the request breaks a rule or a limit.
    pub(crate) fn is_noted(&self) -> bool {
        self.noted
            || self.status.is_server_error()
            || matches!(self.code, "invalid_request" | "temporarily_unavailable")
    }

    /// The code, as RFC 6749 §5.2 names it.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    fn bad(code: &'static str, description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, description)
    }

    /// A parameter is missing, repeated or malformed.
    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::bad("invalid_request", description)
    }

    /// The client is unknown, or did not prove that it is the one.
    pub(crate) fn invalid_client() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "The client is unknown or its credentials are wrong.",
        )
    }

    /// The code, the refresh token or what it is bound to is wrong.
    pub(crate) fn invalid_grant(description: impl Into<String>) -> Self {
        Self::bad("invalid_grant", description)
    }

    /// The client may not use this grant.
    pub(crate) fn unauthorized_client() -> Self {
        Self::bad(
            "unauthorized_client",
            "This client is not registered for this grant type.",
        )
    }

    /// There is no such grant here.
    pub(crate) fn unsupported_grant_type() -> Self {
        Self::bad(
            "unsupported_grant_type",
            "Known are authorization_code, client_credentials and refresh_token.",
        )
    }

    /// The scope is unknown, or nothing of it may be granted.
    pub(crate) fn invalid_scope() -> Self {
        Self::bad(
            "invalid_scope",
            "The scope names something unknown, or nothing of it may be granted.",
        )
    }

    /// Wait and try again.
    pub(crate) fn too_many(retry_after: Option<&HeaderValue>) -> Self {
        Self {
            retry_after: retry_after.cloned(),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "temporarily_unavailable",
                "Too many failed attempts. Wait for as long as Retry-After says.",
            )
        }
    }

    /// The body is larger than allowed.
    pub(crate) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "invalid_request",
            "The body is larger than allowed.",
        )
    }

    /// A fault of ours; its cause is for the log alone.
    pub(crate) fn fault(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "an OAuth request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "server_error",
            "A fault of ours. Try again later.",
        )
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        if !error.is_retryable() {
            return Self::fault(error);
        }
        tracing::warn!(%error, "an OAuth request found the store busy");
        Self {
            retry_after: Some(HeaderValue::from(1)),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "Try again after Retry-After.",
            )
        }
    }
}

impl From<storage::sqlx::Error> for OAuthError {
    fn from(error: storage::sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl From<SessionError> for OAuthError {
    fn from(error: SessionError) -> Self {
        match error {
            // Where an old token came again, its log-in has a record of that.
            SessionError::Invalid => Self::invalid_grant(
                "The refresh token is not valid or no longer so, or was issued to another client.",
            )
            .noted(),
            SessionError::Store(error) => error.into(),
            other => Self::fault(other),
        }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = OAuthErrorBody {
            error: self.code,
            error_description: self.description,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge =
                HeaderValue::from_static("Basic realm=\"interline\", charset=\"UTF-8\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, wait);
        }
        not_stored(response)
    }
}

/// The answer with the fields that RFC 6749 §5.1 asks for.
pub(crate) fn not_stored(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
