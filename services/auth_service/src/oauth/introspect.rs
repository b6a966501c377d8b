//! Token introspection (RFC 7662): what a confidential client's own token is worth.

use std::sync::Arc;

use async_trait::async_trait;
use auth::{AccessVerifier, KeySource, Verified};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{OAuthError, OAuthErrorBody, not_stored};
use super::form::Form;
use super::{client_auth, scope};
use crate::Auth;
use crate::clients::{Client, Type};

/// What a token is worth.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct Introspection {
    /// Whether it is worth anything. Where it is not, nothing else is said.
    active: bool,
    /// What it allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// For whom it speaks: an account, or the client itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    /// `Bearer` for an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    /// From when on it is worth nothing, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    /// Who issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    /// For whom it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    /// An access token's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
}

/// The parameters, for the description.
#[derive(ToSchema)]
#[allow(dead_code, reason = "the description of the parameters")]
pub(super) struct IntrospectionRequest {
    /// The token: an access token or a refresh token.
    token: String,
    /// `access_token` or `refresh_token`; the token is found without it.
    token_type_hint: Option<String>,
    /// The client, unless it is in the Authorization field.
    client_id: Option<String>,
    /// Its secret, unless it is in the Authorization field.
    client_secret: Option<String>,
}

/// Tells what a token is worth (RFC 7662)
///
/// For confidential clients, about tokens of their own; any other token is not active for them.
#[utoipa::path(
    post, path = "/oauth/introspect", tag = "oauth",
    request_body(content = IntrospectionRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What it is worth.", body = Introspection),
        (status = 400, description = "A parameter is missing or stands twice.", body = OAuthErrorBody),
        (status = 401, description = "The client is public or unknown, or its credentials are wrong.", body = OAuthErrorBody),
        (status = 413, description = "The body is larger than allowed.", body = OAuthErrorBody),
        (status = 429, description = "Too many failed attempts; Retry-After says how long to wait.", body = OAuthErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = OAuthErrorBody),
    )
)]
pub(super) async fn introspect(
    State(auth): State<Auth>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, OAuthError> {
    let client = client_auth::client(&auth, &headers, &form).await?;
    if client.kind == Type::Public {
        return Err(OAuthError::invalid_client());
    }
    let token = form.required("token")?;
    let mut found = of_refresh_token(&auth, &client, token).await?;
    if found.is_none() {
        found = of_access_token(&auth, &client, token).await?;
    }
    let answer = found.unwrap_or_default();
    Ok(not_stored(Json(answer).into_response()))
}

async fn of_refresh_token(
    auth: &Auth,
    client: &Client,
    token: &str,
) -> Result<Option<Introspection>, OAuthError> {
    let id = client.id.to_string();
    let log_in = auth.sessions.with_token(token).await?;
    let own = log_in
        .filter(|log_in| log_in.is_current && log_in.grant.client.as_deref() == Some(id.as_str()));
    Ok(own.map(|log_in| Introspection {
        active: true,
        scope: log_in.grant.permissions.as_deref().map(scope::written),
        client_id: Some(id),
        sub: Some(log_in.grant.account.to_string()),
        exp: Some(log_in.expires_at.as_second()),
        iss: Some(auth.issuer.clone()),
        ..Introspection::default()
    }))
}

async fn of_access_token(
    auth: &Auth,
    client: &Client,
    token: &str,
) -> Result<Option<Introspection>, OAuthError> {
    let id = client.id.to_string();
    let Some(verified) = verified(auth, token).await else {
        return Ok(None);
    };
    let identity = &verified.identity;
    if identity.client() != Some(id.as_str()) {
        return Ok(None);
    }
    let names = [identity.session(), Some(verified.token_id.as_str())];
    for name in names.into_iter().flatten() {
        if auth.revocations.holds(name).await? {
            return Ok(None);
        }
    }
    Ok(Some(Introspection {
        active: true,
        scope: Some(scope::written(identity.permissions())),
        client_id: Some(id),
        sub: Some(identity.subject().to_owned()),
        token_type: Some("Bearer"),
        exp: Some(verified.expires_at.as_second()),
        iss: Some(auth.issuer.clone()),
        aud: Some(auth.signing_keys.rules().audience.clone()),
        jti: Some(verified.token_id.clone()),
    }))
}

/// What an access token says, if it verifies with the keys of this very moment.
pub(super) async fn verified(auth: &Auth, token: &str) -> Option<Arc<Verified>> {
    let keys = serde_json::to_vec(&auth.signing_keys.jwks()).ok()?;
    // Made for one token: a verifier that remembers would not know of a key that was just withdrawn.
    let verifier = AccessVerifier::new(
        Arc::new(Published(keys)),
        auth.signing_keys.rules().clone(),
        auth.sessions.clock.clone(),
    );
    verifier.verify(token).await.ok()
}

struct Published(Vec<u8>);

#[async_trait]
impl KeySource for Published {
    async fn fetch(&self) -> Result<Vec<u8>, String> {
        Ok(self.0.clone())
    }
}
