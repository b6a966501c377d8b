//! Every endpoint of the auth service.

use auth::{Jwks, Permission};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde::Serialize;
use service_kit::{Need, Routes, routes};
use utoipa::OpenApi as _;
use utoipa::ToSchema;

use crate::{
    Auth, account_pages, audit_trail, data_rights, log_in, password_reset, profile, registration,
    revocations, users,
};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Interline identity", description = "Log-in, tokens and keys."),
    tags(
        (name = "identity", description = "Log-in, tokens and the keys that verify them."),
        (name = "pages", description = "Pages for people.")
    )
)]
struct Document;

/// Every route: one line for each area.
pub(crate) fn routes() -> Routes<Auth> {
    Routes::new(Document::openapi())
        .merge(audit_trail::routes())
        .merge(log_in::routes())
        .merge(registration::routes())
        .merge(password_reset::routes())
        .merge(profile::routes())
        .merge(users::routes())
        .merge(data_rights::routes())
        .merge(account_pages::routes())
        .merge(revocations::routes())
        .route(Need::Public, routes!(jwks))
        .route(Need::Public, routes!(metadata))
}

/// Lists the keys that verify access tokens (RFC 7517)
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "identity",
    responses((status = 200, description = "A JWK set of RSA keys for RS256.", body = Object))
)]
async fn jwks(State(auth): State<Auth>) -> Response {
    let jwks: Jwks = auth.sessions.signer.jwks();
    with_cache_control(Json(jwks).into_response(), "public, max-age=300")
}

/// Says what this issuer offers (RFC 8414)
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "identity",
    responses((status = 200, description = "The issuer's metadata.", body = IssuerMetadata))
)]
async fn metadata(State(auth): State<Auth>) -> Response {
    let metadata = IssuerMetadata::of(&auth.issuer);
    with_cache_control(Json(metadata).into_response(), "public, max-age=300")
}

/// The issuer's metadata, as far as it offers what RFC 8414 has words for.
#[derive(Serialize, ToSchema)]
struct IssuerMetadata {
    /// The claim `iss` of its tokens.
    issuer: String,
    /// Where its keys are.
    jwks_uri: String,
    /// What a token may allow.
    scopes_supported: Vec<&'static str>,
    /// No OAuth flow exists yet.
    response_types_supported: Vec<&'static str>,
    /// No OAuth grant exists yet.
    grant_types_supported: Vec<&'static str>,
}

impl IssuerMetadata {
    fn of(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            jwks_uri: format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/')),
            scopes_supported: Permission::ALL.iter().map(|p| p.as_str()).collect(),
            response_types_supported: Vec::new(),
            grant_types_supported: Vec::new(),
        }
    }
}

/// The answer with this `Cache-Control`.
pub(crate) fn with_cache_control(mut response: Response, value: &'static str) -> Response {
    let value = HeaderValue::from_static(value);
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    response
}
