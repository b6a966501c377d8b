//! The one error type of the public interface, and the table of its codes. Whatever went wrong inside
//! is logged with the request's id; the answer carries a stable code, words for people, and nothing
//! of the inside.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use storage::StoreError;
use telemetry::Correlation;
use travel_types::{Clock, FieldErrors};
use utoipa::ToSchema;

use crate::envelope::Meta;

/// A stable error code: what it is answered with and what the caller should do.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// `UPPER_SNAKE`, never renamed.
    pub code: &'static str,
    /// The HTTP status it comes with.
    pub status: u16,
    /// Whether the same request may succeed later without being changed.
    pub retryable: bool,
    /// What happened.
    pub meaning: &'static str,
    /// What the caller should do.
    pub remedy: &'static str,
}

macro_rules! codes {
    ($($name:ident $status:literal $retryable:literal $meaning:literal $remedy:literal)*) => {
        /// Every code, one constant each; `docs/errors.md` is this table.
        pub mod codes {
            use super::ErrorCode;
            $(
                #[doc = $meaning]
                pub const $name: ErrorCode = ErrorCode {
                    code: stringify!($name),
                    status: $status,
                    retryable: $retryable,
                    meaning: $meaning,
                    remedy: $remedy,
                };
            )*
            /// All of them, by status and then as listed.
            pub const TABLE: &[&ErrorCode] = &[$(&$name),*];
        }
    };
}

// A table is what this is: a function could not make a constant per row and a list of all rows.
codes! {
    BAD_REQUEST 400 false "The request is not well-formed HTTP for this interface." "Correct the request."
    INVALID_JSON 400 false "The body is not valid JSON." "Send one JSON object in UTF-8."
    UNKNOWN_FIELD 400 false "The body has a field that does not exist." "Remove the named field, or correct its spelling."
    DUPLICATE_FIELD 400 false "The body has the same field twice." "Send each field once."
    UNKNOWN_PARAMETER 400 false "The query has a parameter that does not exist." "Remove the named parameter, or correct its spelling."
    REPEATED_PARAMETER 400 false "The query has the same parameter twice." "Send each parameter once."
    AMBIGUOUS_PATH 400 false "The path could be read in two ways." "Send the plain path, without dot segments, double slashes or encoded slashes."
    IDEMPOTENCY_KEY_REQUIRED 400 false "The operation can cost money and needs an Idempotency-Key." "Send a fresh random key with each new operation, and the same key when repeating one."
    INVALID_IDEMPOTENCY_KEY 400 false "The Idempotency-Key is not 1 to 255 visible ASCII characters, or stands twice." "Send one key, for example a UUID."
    UNAUTHENTICATED 401 false "There are no valid credentials." "Log in, then send `Authorization: Bearer <access_token>`, or send an API key as `X-API-Key`."
    INVALID_CREDENTIALS 401 false "The e-mail address or the password is wrong." "Check both and try again."
    PAYMENT_DECLINED 402 false "The payment was declined." "Use another means of payment."
    FORBIDDEN 403 false "The caller is known, but its role does not allow this." "Use an account whose role has the named permission."
    LOGIN_REQUIRED 403 false "This is for a person's own log-in, not for API keys or OAuth clients." "Log in with e-mail address and password, and use that access token."
    EMAIL_NOT_CONFIRMED 403 false "The e-mail address of this account is not confirmed yet." "Open the link that was sent to the address, then log in."
    NOT_FOUND 404 false "There is nothing here, or nothing that the caller may see." "Check the path and the id."
    METHOD_NOT_ALLOWED 405 false "The path exists, but not with this method." "Use a method of the Allow header."
    NOT_ACCEPTABLE 406 false "No representation fits the Accept header." "Accept application/json."
    REQUEST_TIMEOUT 408 true "The request did not arrive in time." "Send it without pauses."
    CONFLICT 409 false "The object's state does not allow this." "Read the object and decide again."
    IDEMPOTENCY_KEY_IN_USE 409 true "A request with this key is still running." "Wait and repeat the request with the same key."
    PRICE_CHANGED 409 false "The price is not the one that was offered; nothing was ordered." "Show the new price; order again with it as max_total if it is accepted."
    SOLD_OUT 409 false "What was offered is no longer available; nothing was ordered." "Search again."
    SUPPLIER_REFUSED 409 false "The supplier refused; nothing was ordered or changed." "`details.supplier_code` is the supplier's own code; change the order or choose another offer."
    OFFER_EXPIRED 410 false "The offer's time is over." "Search again."
    QUOTE_EXPIRED 410 false "The cancellation quote's time is over; nothing was cancelled." "Ask for a new quote."
    LINK_EXPIRED 410 false "The link or its token is not valid, was used already, or its time is over." "Ask for a new one."
    BODY_TOO_LARGE 413 false "The body is larger than allowed." "Send less at once."
    TARGET_TOO_LONG 414 false "The target is longer than allowed." "Send fewer or shorter parameters."
    UNSUPPORTED_MEDIA_TYPE 415 false "The body is not application/json." "Send JSON with Content-Type: application/json."
    EXPECTATION_FAILED 417 false "The Expect header asks for something unknown." "Expect 100-continue or nothing."
    INVALID_PARAMETER 422 false "A parameter or field breaks a rule." "Correct the named field."
    IDEMPOTENCY_KEY_REUSED 422 false "The key was used before with another body." "Use a fresh key for a new operation."
    NOT_SUPPORTED 422 false "The supplier of this object cannot do this." "Choose another offer, or do without."
    RATE_LIMITED 429 true "Too many requests." "Wait for as long as Retry-After says."
    HEADERS_TOO_LARGE 431 false "The header fields are larger than allowed." "Send fewer or shorter header fields."
    INTERNAL_ERROR 500 true "A fault of ours." "Try again later; report the request_id if it persists."
    NOT_IMPLEMENTED 501 false "The transfer coding is not known." "Send the body with Content-Length or chunked."
    SUPPLIER_ERROR 502 true "The supplier failed or gave an answer that cannot be read." "Try again later."
    SUPPLIER_UNAVAILABLE 502 true "The supplier is not reachable or is being spared." "Try again after Retry-After."
    SERVICE_UNAVAILABLE 503 true "A part of the system is down or overloaded." "Try again after Retry-After."
    DEADLINE_EXCEEDED 504 true "There was no answer in time." "Try again later."
    SUPPLIER_TIMEOUT 504 true "The supplier did not answer in time." "Try again later."
    VERSION_NOT_SUPPORTED 505 false "This version of HTTP is not spoken here." "Use HTTP/1.1 or HTTP/2."
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorEntry {
    /// Stable `UPPER_SNAKE` code.
    #[schema(example = "INVALID_PARAMETER")]
    pub code: String,
    /// What is wrong and how to right it, for people.
    pub message: String,
    /// JSON path of the field, or the parameter's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Facts for programs, e.g. the old and the new price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub details: Option<serde_json::Value>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Whether the operation may have taken place although this error is answered.
    pub may_have_booked: bool,
}

/// The envelope of an error, its keys in the order of a success.
#[derive(Serialize)]
struct ErrorEnvelope<'e> {
    status: &'static str,
    data: Option<()>,
    errors: &'e [ErrorEntry],
    meta: Meta,
}

/// An error on its way to the caller.
#[derive(Debug, Clone)]
pub struct ApiError(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    entries: Vec<ErrorEntry>,
    headers: HeaderMap,
    /// For the log only.
    cause: Option<String>,
}

impl ApiError {
    /// An error of one entry. The message is the code's own meaning and remedy unless
    /// [`ApiError::message`] replaces it.
    pub fn new(code: &'static ErrorCode) -> Self {
        let entry = ErrorEntry {
            code: code.code.to_owned(),
            message: format!("{} {}", code.meaning, code.remedy),
            field: None,
            details: None,
            retryable: code.retryable,
            may_have_booked: false,
        };
        Self(Box::new(Inner {
            status: StatusCode::from_u16(code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            entries: vec![entry],
            headers: HeaderMap::new(),
            cause: None,
        }))
    }

    /// 422 with one entry per bad field.
    pub fn invalid(fields: FieldErrors) -> Self {
        let mut error = Self::new(&codes::INVALID_PARAMETER);
        error.0.entries = fields
            .into_vec()
            .into_iter()
            .map(|field| ErrorEntry {
                code: field.code.to_owned(),
                message: format!("{} {}", field.field, field.message),
                field: Some(field.field),
                details: None,
                retryable: false,
                may_have_booked: false,
            })
            .collect();
        error
    }

    /// Replaces the words. They must not carry anything of the inside, nor an id that was asked for.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        if let Some(entry) = self.0.entries.first_mut() {
            entry.message = message.into();
        }
        self
    }

    /// Names the field that is wrong.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        if let Some(entry) = self.0.entries.first_mut() {
            entry.field = Some(field.into());
        }
        self
    }

    /// Adds facts for programs.
    #[must_use]
    pub fn details(mut self, details: serde_json::Value) -> Self {
        if let Some(entry) = self.0.entries.first_mut() {
            entry.details = Some(details);
        }
        self
    }

    /// Says that the operation may have taken place. Only where the outcome is truly unknown.
    #[must_use]
    pub fn may_have_booked(mut self) -> Self {
        if let Some(entry) = self.0.entries.first_mut() {
            entry.may_have_booked = true;
        }
        self
    }

    /// Adds `Retry-After`, in whole seconds rounded up, at least one.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.0
            .headers
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Remembers the cause for the log. It never reaches the caller.
    #[must_use]
    pub fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The headers that the answer adds.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The first entry's code.
    pub fn code(&self) -> &str {
        self.0.entries.first().map_or("", |entry| &entry.code)
    }

    /// What is wrong, entry by entry.
    pub fn entries(&self) -> &[ErrorEntry] {
        &self.0.entries
    }

    /// The cause, for the log.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The answer: the envelope, or RFC 9457 where the caller accepts `application/problem+json`.
    pub fn render(
        &self,
        correlation: &Correlation,
        clock: &Clock,
        problem_json: bool,
        instance: &str,
    ) -> Response {
        let (content_type, body) = if problem_json {
            (
                "application/problem+json",
                serde_json::to_string(&self.problem(correlation, instance)),
            )
        } else {
            let meta = Meta::new(correlation, clock);
            let body = ErrorEnvelope {
                status: "error",
                data: None,
                errors: &self.0.entries,
                meta,
            };
            ("application/json", serde_json::to_string(&body))
        };
        let mut response = (self.0.status, body.unwrap_or_default()).into_response();
        response.headers_mut().extend(self.0.headers.clone());
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response.headers_mut().insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-store"),
        );
        response
    }

    fn problem(&self, correlation: &Correlation, instance: &str) -> serde_json::Value {
        let first = self.0.entries.first();
        serde_json::json!({
            "type": "about:blank",
            "title": self.0.status.canonical_reason(),
            "status": self.0.status.as_u16(),
            "detail": first.map(|entry| &entry.message),
            "instance": instance,
            "code": first.map(|entry| &entry.code),
            "request_id": correlation.request_id(),
            "errors": self.0.entries,
        })
    }
}

/// Handlers return the error itself; the outermost layer renders it, for it knows the request.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Contended => {
                Self::new(&codes::SERVICE_UNAVAILABLE)
                    .retry_after(Duration::from_secs(1))
                    .because(error)
            }
            other => Self::new(&codes::INTERNAL_ERROR).because(other),
        }
    }
}

impl From<FieldErrors> for ApiError {
    fn from(fields: FieldErrors) -> Self {
        Self::invalid(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_ordered_by_status() {
        let statuses: Vec<u16> = codes::TABLE.iter().map(|code| code.status).collect();
        assert!(statuses.is_sorted());
        let mut names: Vec<&str> = codes::TABLE.iter().map(|code| code.code).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), codes::TABLE.len());
    }

    #[test]
    fn the_documentation_has_this_very_table() {
        let rows: String = codes::TABLE
            .iter()
            .map(|c| {
                format!(
                    "| `{}` | {} | {} | {} {} |\n",
                    c.code,
                    c.status,
                    if c.retryable { "yes" } else { "no" },
                    c.meaning,
                    c.remedy
                )
            })
            .collect();
        let documented = include_str!("../../../docs/errors.md");
        assert!(
            documented.contains(&rows),
            "docs/errors.md should hold:\n{rows}"
        );
    }

    #[test]
    fn a_cause_never_reaches_the_caller() {
        let error = ApiError::new(&codes::INTERNAL_ERROR).because("SELECT secret FROM t");
        let clock = Clock::system();
        for problem in [false, true] {
            let response = error.render(&Correlation::new(), &clock, problem, "/x");
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            let body = runtime
                .block_on(axum::body::to_bytes(response.into_body(), 1 << 16))
                .unwrap();
            assert!(!String::from_utf8_lossy(&body).contains("SELECT"));
        }
    }
}
