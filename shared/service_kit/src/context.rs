//! What a handler knows of its request beside its input.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use telemetry::Correlation;
use tokio::time::Instant;
use travel_types::Clock;

use crate::envelope::{Envelope, Meta};
use crate::error::{ApiError, codes};

/// By when an answer is worth anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub Instant);

impl Deadline {
    /// What is left of it; zero when it is over.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// The request's correlation, deadline and clock. The first argument of every handler.
#[derive(Clone, Debug)]
pub struct Cx {
    /// The ids that tie the request's traces together.
    pub correlation: Correlation,
    /// By when the caller wants its answer.
    pub deadline: Deadline,
    /// The service's clock.
    pub clock: Clock,
}

impl Cx {
    /// 200 with the data in the envelope.
    pub fn ok<T: Serialize>(&self, data: T) -> Result<Response, ApiError> {
        self.success(StatusCode::OK, data, serde_json::Map::new())
    }

    /// Any success status, with what the operation adds to `meta`.
    ///
    /// # Errors
    /// [`codes::INTERNAL_ERROR`] when the data cannot be written as JSON.
    pub fn success<T: Serialize>(
        &self,
        status: StatusCode,
        data: T,
        meta: serde_json::Map<String, serde_json::Value>,
    ) -> Result<Response, ApiError> {
        let envelope = Envelope {
            status: "success".to_owned(),
            data,
            errors: Vec::new(),
            meta: Meta {
                more: meta,
                ..Meta::new(&self.correlation, &self.clock)
            },
        };
        let body = serde_json::to_vec(&envelope)
            .map_err(|error| ApiError::new(&codes::INTERNAL_ERROR).because(error))?;
        let mut response = (status, body).into_response();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        Ok(response)
    }
}

impl<S: Sync> FromRequestParts<S> for Cx {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ApiError::new(&codes::INTERNAL_ERROR).because("no request context"))
    }
}

/// Whether the caller asks for RFC 9457 instead of the envelope: `Accept` names
/// `application/problem+json`, in any case of letters, and not with `q=0` (RFC 9110 §12.4.2).
pub fn wants_problem_json(headers: &http::HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let named = parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case("application/problem+json"));
            let refused = parts
                .filter_map(|part| part.split_once('='))
                .any(|(key, weight)| {
                    key.trim().eq_ignore_ascii_case("q") && weight.trim().parse() == Ok(0.0_f32)
                });
            named && !refused
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_json_is_for_whoever_names_it_and_accepts_it() {
        let wants = |accept: &str| {
            let mut headers = http::HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            wants_problem_json(&headers)
        };
        for accept in [
            "application/problem+json",
            "APPLICATION/Problem+JSON",
            "application/json, application/problem+json;q=0.1",
            "application/problem+json; charset=utf-8",
        ] {
            assert!(wants(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "application/json",
            "application/problem+jsonx",
            "application/problem+json;q=0",
            "application/problem+json; q=0.000, */*",
        ] {
            assert!(!wants(accept), "{accept}");
        }
    }
}
