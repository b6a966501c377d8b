//! The routes of the signing keys: what verifiers read, and what administrators see and command.

use std::time::Duration;

use auth::Permission;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use service_kit::error::codes;
use service_kit::openapi::ErrorBody;
use service_kit::{ApiError, Caller, Cx, Envelope, Need, Routes, StrictJson, routes};
use utoipa::ToSchema;

use super::rotation::{Command, Refused};
use super::timeline::{self, KeyTimes};
use super::{KeysError, SigningKeys, store};
use crate::Auth;
use crate::routes::with_cache_control;

/// The longest that verifiers wait for the store; then they get the keys in memory.
const PATIENCE: Duration = Duration::from_millis(500);

/// The routes.
pub(crate) fn routes() -> Routes<Auth> {
    let admin = Need::Permission(Permission::SystemWrite);
    Routes::default()
        .route(Need::Public, routes!(jwks))
        .route(admin, routes!(list))
        .route(admin, routes!(rotate))
}

/// Lists the keys that verify access tokens (RFC 7517)
///
/// Several at once while one takes over from another: choose by `kid`.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "identity",
    responses((status = 200, description = "A JWK set of RSA keys for RS256.", body = Object))
)]
async fn jwks(State(auth): State<Auth>) -> Response {
    // Whoever was told that keys were withdrawn may ask another instance than the one that did it, and
    // must not get them again. While the store is down, what is in memory is served.
    let refreshed = tokio::time::timeout(PATIENCE, auth.signing_keys.refresh()).await;
    if !matches!(refreshed, Ok(Ok(()))) {
        tracing::warn!("the published signing keys are those in memory: the store does not answer");
    }
    let jwks = Json(auth.signing_keys.jwks()).into_response();
    with_cache_control(jwks, "public, max-age=300")
}

/// A key that signs access tokens, or did.
#[derive(Serialize, ToSchema)]
pub(crate) struct SigningKeyView {
    /// The key's name in tokens: its thumbprint (RFC 7638).
    kid: String,
    /// `next` (published, will sign), `signing`, `verifying` (signs no more, its tokens are alive),
    /// `retired` (its last token is dead) or `withdrawn` (compromised).
    #[schema(example = "signing")]
    state: &'static str,
    /// When it was made and published. Null for keys that are given as files, as all times.
    #[schema(value_type = Option<String>, format = DateTime)]
    made_at: Option<Timestamp>,
    /// From when on it signs.
    #[schema(value_type = Option<String>, format = DateTime)]
    signs_from: Option<Timestamp>,
    /// Until when it signs. Null while it is not known.
    #[schema(value_type = Option<String>, format = DateTime)]
    signs_until: Option<Timestamp>,
    /// Until when it is published. Null while it is not known.
    #[schema(value_type = Option<String>, format = DateTime)]
    published_until: Option<Timestamp>,
    /// Since when it is not believed any more, because it was compromised.
    #[schema(value_type = Option<String>, format = DateTime)]
    withdrawn_at: Option<Timestamp>,
}

/// What is wrong with the keys until now.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotationRequest {
    /// Whether a private key may be in strange hands. Then the new key signs at once, all others are
    /// withdrawn at once, and every access token that is alive is refused: clients refresh.
    compromised: bool,
}

impl SigningKeys {
    async fn views(&self) -> Result<Vec<SigningKeyView>, KeysError> {
        let given = self.ring().given_names();
        if !given.is_empty() {
            let view = |(n, kid): (usize, String)| SigningKeyView {
                kid,
                state: if n == 0 { "signing" } else { "verifying" },
                made_at: None,
                signs_from: None,
                signs_until: None,
                published_until: None,
                withdrawn_at: None,
            };
            return Ok(given.into_iter().enumerate().map(view).collect());
        }
        let keys = store::newest(&self.0.parts.db).await?;
        let (life, now) = (self.life(), self.0.clock.now());
        let view = |key: &KeyTimes| SigningKeyView {
            kid: key.kid.clone(),
            state: timeline::state(&keys, key, life, now).as_str(),
            made_at: Some(key.made_at),
            signs_from: Some(key.signs_from),
            signs_until: timeline::signs_until(&keys, key),
            published_until: match key.withdrawn_at {
                Some(at) => Some(at),
                None => timeline::published_until(&keys, key, life),
            },
            withdrawn_at: key.withdrawn_at,
        };
        Ok(keys.iter().rev().map(view).collect())
    }
}

/// Lists the signing keys
///
/// The newest first, without their private halves.
#[utoipa::path(
    get, path = "/api/v1/auth/signing-keys", operation_id = "list_signing_keys", tag = "identity",
    responses(
        (status = 200, description = "The keys.", body = Envelope<Vec<SigningKeyView>>),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission system:write is missing.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn list(cx: Cx, State(auth): State<Auth>) -> Result<Response, ApiError> {
    let views = auth.signing_keys.views().await?;
    Ok(with_cache_control(cx.ok(views)?, "private, no-store"))
}

/// Makes the next signing key
///
/// It is published at once and signs when every verifier has had the time to fetch it; no token that is
/// alive is refused. With `compromised` everything happens at once.
#[utoipa::path(
    post, path = "/api/v1/auth/signing-keys/rotations", tag = "identity",
    request_body = RotationRequest,
    responses(
        (status = 201, description = "The new key.", body = Envelope<SigningKeyView>),
        (status = 400, description = "The body is not the JSON that is asked for.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission system:write is missing.", body = ErrorBody),
        (status = 409, description = "The next key is published already, or the keys are given as files.", body = ErrorBody),
        (status = 413, description = "The body is larger than allowed.", body = ErrorBody),
        (status = 415, description = "The body is not application/json.", body = ErrorBody),
        (status = 422, description = "A field is missing or wrong.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn rotate(
    cx: Cx,
    caller: Caller,
    State(auth): State<Auth>,
    StrictJson { value, .. }: StrictJson<RotationRequest>,
) -> Result<Response, ApiError> {
    let command = Command {
        actor: caller.subject(),
        compromised: value.compromised,
        request_id: cx.correlation.request_id(),
    };
    let kid = auth.signing_keys.rotate(&command).await?;
    let views = auth.signing_keys.views().await?;
    let made = views.into_iter().find(|key| key.kid == kid);
    let made = made.ok_or_else(|| ApiError::new(&codes::INTERNAL_ERROR).because("no new key"))?;
    let mut response = cx.success(StatusCode::CREATED, made, serde_json::Map::new())?;
    let value = HeaderValue::from_static("private, no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    Ok(response)
}

impl From<KeysError> for ApiError {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Store(error) => error.into(),
            other => Self::new(&codes::INTERNAL_ERROR).because(other),
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Given => Self::new(&codes::CONFLICT).message(
                "The signing keys are given as files. Put the new file first in \
                 keys.signing_key_files, keep the old one behind it, and start the service anew.",
            ),
            Refused::OnItsWay(at) => Self::new(&codes::CONFLICT)
                .message(
                    "The next key is published already and will sign by itself. If a key is \
                     compromised, say so: then nothing is waited for.",
                )
                .details(serde_json::json!({"signs_from": at.to_string()})),
            Refused::Contended => Self::new(&codes::SERVICE_UNAVAILABLE)
                .retry_after(Duration::from_secs(1))
                .because("other instances made keys at the same time"),
            Refused::Failed(error) => error.into(),
        }
    }
}
