//! Requests and answers as adapters see them: plain values without a connection, so that an adapter is
//! tested from bytes to bytes.

use std::fmt;
use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{SupplierError, SupplierErrorKind};

/// Whether a request may be sent twice. Stated by every adapter, never guessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Safety {
    /// It changes nothing that costs or counts: searches, look-ups, quotes.
    Safe,
    /// It acts, and the supplier acts once per key. The adapter puts the key where the supplier reads it
    /// (a header, a field of the body); it stands here to say that there is one.
    Idempotent(String),
    /// It acts each time it arrives. Sent again only if it surely never left us.
    Unsafe,
}

/// A request to a supplier or a service, without its host: the client knows that.
#[derive(Clone)]
pub struct WireRequest {
    operation: &'static str,
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
    safety: Safety,
    fault: Option<String>,
}

impl WireRequest {
    /// A request. `operation` is a short fixed name (`search`, `create_order`): a label of metrics and
    /// logs. `path` is absolute below the client's base URL and already percent-encoded: put ids into it
    /// through [`path_segment`]. A path that would be normalised on its way (`..`, `?`, `#`, spaces) is
    /// refused when the request is called.
    pub fn new(
        operation: &'static str,
        method: Method,
        path: impl Into<String>,
        safety: Safety,
    ) -> Self {
        Self {
            operation,
            method,
            path: path.into(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            safety,
            fault: None,
        }
    }

    /// A `GET`, which is [`Safety::Safe`].
    pub fn get(operation: &'static str, path: impl Into<String>) -> Self {
        Self::new(operation, Method::GET, path, Safety::Safe)
    }

    /// A `POST`.
    pub fn post(operation: &'static str, path: impl Into<String>, safety: Safety) -> Self {
        Self::new(operation, Method::POST, path, safety)
    }

    /// A `PUT`.
    pub fn put(operation: &'static str, path: impl Into<String>, safety: Safety) -> Self {
        Self::new(operation, Method::PUT, path, safety)
    }

    /// A `PATCH`.
    pub fn patch(operation: &'static str, path: impl Into<String>, safety: Safety) -> Self {
        Self::new(operation, Method::PATCH, path, safety)
    }

    /// A `DELETE`.
    pub fn delete(operation: &'static str, path: impl Into<String>, safety: Safety) -> Self {
        Self::new(operation, Method::DELETE, path, safety)
    }

    /// Adds a query parameter, encoded when sent. Order is kept; a name may stand several times.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// Sets a header, in place of one that the client sends on every call. A name or value that HTTP does
    /// not allow makes the call an [`SupplierErrorKind::InvalidRequest`].
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            (Ok(header), Ok(value)) => {
                self.headers.insert(header, value);
            }
            // The value may be a secret or a name: only the header is told.
            _ => self.fault = Some(format!("header {name:?} cannot be sent")),
        }
        self
    }

    /// A header that nothing below may print.
    pub(crate) fn secret_header(self, name: &'static str, value: &str) -> Self {
        let mut request = self.header(name, value);
        if let Some(value) = request.headers.get_mut(name) {
            value.set_sensitive(true);
        }
        request
    }

    /// The body, as JSON.
    ///
    /// # Errors
    /// [`SupplierErrorKind::InvalidRequest`] if the value cannot be written as JSON.
    pub fn json(self, value: &impl Serialize) -> Result<Self, SupplierError> {
        let body = serde_json::to_vec(value).map_err(|error| {
            SupplierError::new(
                SupplierErrorKind::InvalidRequest,
                format!("body cannot be written as JSON: {}", shape_of(&error)),
            )
            .with_sent(crate::Sent::No)
        })?;
        Ok(self.body(body, "application/json"))
    }

    /// The body, as `application/x-www-form-urlencoded`.
    #[must_use]
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let text = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.body(text, "application/x-www-form-urlencoded")
    }

    /// The body as it stands, and its `Content-Type`.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>, content_type: &'static str) -> Self {
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body.into();
        self
    }

    /// The operation's name.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path below the base URL.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query parameters in their order, not encoded.
    pub fn query_pairs(&self) -> &[(String, String)] {
        &self.query
    }

    /// The headers of this request alone, without those that the client adds.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body; empty if there is none.
    pub fn body_bytes(&self) -> &Bytes {
        &self.body
    }

    /// Whether it may be sent twice.
    pub fn safety(&self) -> &Safety {
        &self.safety
    }

    /// What makes it impossible to send.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// The query as it is sent; `None` without parameters.
    pub(crate) fn encoded_query(&self) -> Option<String> {
        let pairs: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| format!("{}={}", path_segment(name), path_segment(value)))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("&"))
    }
}

/// Names only: values may be secrets or personal data.
impl fmt::Debug for WireRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query: Vec<&str> = self.query.iter().map(|(name, _)| name.as_str()).collect();
        let headers: Vec<&str> = self.headers.keys().map(HeaderName::as_str).collect();
        f.debug_struct("WireRequest")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &query)
            .field("headers", &headers)
            .field("body_bytes", &self.body.len())
            .field("safety", &self.safety)
            .finish()
    }
}

/// Percent-encodes everything except the unreserved characters of RFC 3986 §2.3, so that an id of a
/// supplier stays one segment of a path whatever it holds.
pub fn path_segment(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// A complete answer.
#[derive(Clone)]
pub struct WireResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
    /// Whether the request can have changed something: an answer that cannot be read is then an unknown
    /// outcome.
    acted: bool,
}

impl WireResponse {
    /// An answer to this request.
    pub fn new(
        request: &WireRequest,
        status: StatusCode,
        headers: HeaderMap,
        body: impl Into<Bytes>,
    ) -> Self {
        Self {
            status,
            headers,
            body: body.into(),
            acted: request.safety != Safety::Safe,
        }
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// [`SupplierErrorKind::Protocol`]; but [`SupplierErrorKind::OutcomeUnknown`] if the request was not
    /// [`Safety::Safe`] and the status is not a 4xx, since the supplier then has acted or may have. The
    /// detail names the place and the expectation, never a value of the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, SupplierError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            self.unreadable(&format!("body is not as expected: {}", shape_of(&error)))
        })
    }

    /// The error for an answer that makes no sense, for whatever [`WireResponse::json`] cannot see: a
    /// missing identifier, an amount that is no number. `detail` must not hold values of the body.
    pub fn unreadable(&self, detail: &str) -> SupplierError {
        let kind = if self.acted && !self.status.is_client_error() {
            SupplierErrorKind::OutcomeUnknown
        } else {
            SupplierErrorKind::Protocol
        };
        let status = self.status.as_u16();
        SupplierError::new(kind, format!("HTTP {status}, {detail}"))
            .with_sent(crate::Sent::Answered)
    }

    /// A header's value if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The body may hold personal data: only its length is shown.
impl fmt::Debug for WireResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireResponse")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// What a JSON error says about structure. serde's own text quotes the offending value, which may be a
/// traveller's name.
fn shape_of(error: &serde_json::Error) -> String {
    let place = format!("line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    if text.starts_with("missing field") {
        return format!("{text} at {place}");
    }
    match text.rsplit_once(", expected ") {
        Some((_, expected)) if error.is_data() => format!("expected {expected} at {place}"),
        _ => format!("{:?} error at {place}", error.classify()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(safety: Safety, status: u16, body: &'static str) -> WireResponse {
        WireResponse::new(
            &WireRequest::post("order", "/orders", safety),
            StatusCode::from_u16(status).unwrap(),
            HeaderMap::new(),
            body,
        )
    }

    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code, reason = "read by serde only")]
    struct Passenger {
        id: String,
        age: u8,
    }

    #[test]
    fn an_unreadable_answer_names_the_place_and_no_value() {
        for (body, told) in [
            (r#"{"age":3}"#, "missing field `id`"),
            (r#"{"id":"a","age":"Ada Lovelace"}"#, "expected u8"),
            (r#"{"id":"Ada"#, "Eof error"),
            ("<html>Ada</html>", "Syntax error"),
        ] {
            let error = answer(Safety::Safe, 200, body)
                .json::<Passenger>()
                .unwrap_err();
            assert_eq!(error.kind, SupplierErrorKind::Protocol);
            assert!(error.detail.contains(told), "{error}");
            assert!(!error.detail.contains("Ada"), "{error}");
        }
    }

    #[test]
    fn an_unreadable_answer_to_an_order_is_an_unknown_outcome_unless_the_status_says_no() {
        let kind = |status| {
            answer(Safety::Unsafe, status, "<html>")
                .json::<Passenger>()
                .unwrap_err()
                .kind
        };
        assert_eq!(kind(201), SupplierErrorKind::OutcomeUnknown);
        assert_eq!(kind(502), SupplierErrorKind::OutcomeUnknown);
        assert_eq!(kind(403), SupplierErrorKind::Protocol);
    }

    #[test]
    fn a_debug_print_shows_no_value() {
        let request = WireRequest::post("order", "/orders", Safety::Unsafe)
            .query("name", "s3cret")
            .header("x-token", "s3cret")
            .form(&[("client_secret", "s3cret")]);
        let printed = format!("{request:?} {:?}", answer(Safety::Safe, 200, "s3cret"));
        assert!(!printed.contains("s3cret"), "{printed}");
        assert!(printed.contains("x-token"), "{printed}");
    }

    #[test]
    fn an_id_stays_one_segment() {
        assert_eq!(
            path_segment("off_1/../x?y#z ü"),
            "off_1%2F..%2Fx%3Fy%23z%20%C3%BC"
        );
    }
}
