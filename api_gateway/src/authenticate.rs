//! Who is calling: one bearer token (RFC 6750 §2.1), believed when an access token of the identity
//! service verifies against the keys that it publishes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth::{AccessError, AccessVerifier, Identity, KeySource};
use http::{HeaderMap, HeaderValue, header};
use service_kit::ApiError;
use service_kit::error::codes;
use telemetry::IntCounterVec;

use crate::upstream::Upstreams;

/// A longer one is refused before it is looked at.
const LONGEST_TOKEN: usize = 8 * 1024;
/// Where the identity service publishes its keys; its catalogue row says which service that is.
pub(crate) const KEYS_PATH: &str = "/.well-known/jwks.json";
const KEYS_LIMIT: Duration = Duration::from_secs(2);
const LARGEST_KEYS: usize = 64 * 1024;

/// Verifies bearer tokens.
pub(crate) struct Authenticator {
    verifier: AccessVerifier,
    outcomes: IntCounterVec,
}

impl Authenticator {
    pub(crate) fn new(verifier: AccessVerifier, outcomes: IntCounterVec) -> Self {
        Self { verifier, outcomes }
    }

    /// The caller of a request that needs one.
    pub(crate) async fn caller(&self, headers: &HeaderMap) -> Result<Identity, ApiError> {
        let (outcome, result) = match bearer(headers) {
            Bearer::Absent => ("missing", Err(unauthenticated("Bearer"))),
            Bearer::Unreadable => ("invalid", Err(invalid_token())),
            Bearer::Token(token) => match self.verifier.verify(token).await {
                Ok(verified) => ("valid", Ok(verified.identity.clone())),
                Err(AccessError::Invalid) => ("invalid", Err(invalid_token())),
                Err(AccessError::KeysUnavailable) => {
                    let error = ApiError::new(&codes::SERVICE_UNAVAILABLE)
                        .retry_after(Duration::from_secs(1))
                        .because("the keys that tokens are signed with cannot be had");
                    ("keys_unavailable", Err(error))
                }
            },
        };
        self.outcomes.with_label_values(&[outcome]).inc();
        result
    }
}

enum Bearer<'h> {
    Absent,
    Unreadable,
    Token(&'h str),
}

fn bearer(headers: &HeaderMap) -> Bearer<'_> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Bearer::Absent;
    };
    let Some((scheme, token)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
        return Bearer::Unreadable;
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Bearer::Absent;
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    if token.is_empty() || token.len() > LONGEST_TOKEN || !token.bytes().all(plain) {
        return Bearer::Unreadable;
    }
    Bearer::Token(token)
}

fn unauthenticated(challenge: &'static str) -> ApiError {
    ApiError::new(&codes::UNAUTHENTICATED).header(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(challenge),
    )
}

/// RFC 6750 §3.1. Expired, forged and malformed read the same from outside.
fn invalid_token() -> ApiError {
    unauthenticated("Bearer error=\"invalid_token\"")
}

/// The keys as the identity service publishes them.
pub(crate) struct PublishedKeys {
    pub(crate) upstreams: Arc<Upstreams>,
    /// The identity service's position among the upstreams.
    pub(crate) service: usize,
}

#[async_trait]
impl KeySource for PublishedKeys {
    async fn fetch(&self) -> Result<Vec<u8>, String> {
        self.upstreams
            .read(self.service, KEYS_PATH, KEYS_LIMIT, LARGEST_KEYS)
            .await
    }
}
