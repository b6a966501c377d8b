//! Who is calling: one bearer token (RFC 6750 §2.1), believed when an access token of the identity
//! service verifies against the keys that it publishes, or one API key.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth::{AccessError, AccessVerifier, Identity, KeySource};
use http::{HeaderMap, HeaderValue, header};
use service_kit::error::codes;
use service_kit::{ApiError, Cx};
use telemetry::IntCounterVec;

use crate::api_keys::{API_KEY_HEADER, ApiKeys, KeyError};
use crate::revocations::Followed;
use crate::upstream::Upstreams;

/// A longer one is refused before it is looked at.
const LONGEST_TOKEN: usize = 8 * 1024;
/// Where the identity service publishes its keys; its catalogue row says which service that is.
pub(crate) const KEYS_PATH: &str = "/.well-known/jwks.json";
const KEYS_LIMIT: Duration = Duration::from_secs(2);
const LARGEST_KEYS: usize = 64 * 1024;

/// Verifies credentials.
pub(crate) struct Authenticator {
    pub(crate) verifier: AccessVerifier,
    pub(crate) api_keys: Arc<ApiKeys>,
    pub(crate) revocations: Followed,
    pub(crate) outcomes: IntCounterVec,
}

/// A caller with valid credentials.
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    /// Whether its API key is of the class with the higher rate.
    pub(crate) high_rate: bool,
}

impl Caller {
    /// A request whose credentials nobody asks for.
    pub(crate) fn nobody() -> Self {
        Self {
            identity: Identity::anonymous(),
            high_rate: false,
        }
    }
}

impl Authenticator {
    /// The caller of a request that needs one.
    pub(crate) async fn caller(&self, headers: &HeaderMap, cx: &Cx) -> Result<Caller, ApiError> {
        if let Some(key) = headers.get(&API_KEY_HEADER) {
            return self.of_key(key.to_str().unwrap_or_default(), cx).await;
        }
        let (outcome, result) = match bearer(headers) {
            Bearer::Absent => ("missing", Err(unauthenticated("Bearer"))),
            Bearer::Unreadable => ("invalid", Err(invalid_token())),
            Bearer::Token(token) => self.of_token(token).await,
        };
        self.outcomes.with_label_values(&[outcome]).inc();
        let identity = result?;
        Ok(Caller {
            identity,
            high_rate: false,
        })
    }

    async fn of_token(&self, token: &str) -> (&'static str, Result<Identity, ApiError>) {
        // Right after the start nobody knows what was revoked, until the feed was read once.
        let known = self.revocations.now().is_ok();
        let mut outcome = self.verifier.verify(token).await;
        if outcome.is_ok() && !known {
            if !self.revocations.once().await {
                return ("unavailable", Err(unavailable("the feed of revocations")));
            }
            outcome = self.verifier.verify(token).await;
        }
        match outcome {
            Ok(verified) => ("valid", Ok(verified.identity.clone())),
            Err(AccessError::Invalid) => ("invalid", Err(invalid_token())),
            Err(AccessError::KeysUnavailable) => {
                let error = unavailable("the keys that tokens are signed with");
                ("unavailable", Err(error))
            }
        }
    }

    async fn of_key(&self, key: &str, cx: &Cx) -> Result<Caller, ApiError> {
        let (outcome, result) = match self.api_keys.verify(key, &cx.correlation).await {
            Ok(known) => ("key_valid", Ok(known)),
            Err(KeyError::Unknown) => ("key_invalid", Err(unauthenticated("Bearer"))),
            Err(KeyError::Unavailable(problem)) => ("key_unavailable", Err(unavailable(&problem))),
        };
        self.outcomes.with_label_values(&[outcome]).inc();
        let known = result?;
        Ok(Caller {
            high_rate: known.high_rate,
            identity: known.identity.clone(),
        })
    }
}

fn unavailable(what: &str) -> ApiError {
    ApiError::new(&codes::SERVICE_UNAVAILABLE)
        .retry_after(Duration::from_secs(1))
        .because(format!("cannot be had: {what}"))
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
    let text = str::from_utf8(value.as_bytes()).ok();
    let Some((scheme, token)) = text.and_then(|text| text.split_once(' ')) else {
        return Bearer::Unreadable;
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Bearer::Absent;
    }
    // What its characters are is looked at when it is verified, once.
    if token.is_empty() || token.len() > LONGEST_TOKEN {
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

/// The keys of an issuer that is not the identity service, from a file with its JWKS document.
pub(crate) struct KeysInFile(pub(crate) String);

#[async_trait]
impl KeySource for KeysInFile {
    async fn fetch(&self) -> Result<Vec<u8>, String> {
        let read = tokio::fs::read(&self.0).await;
        read.map_err(|error| format!("auth.jwks_file {}: {error}", self.0))
    }
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
