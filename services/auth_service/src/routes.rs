//! Every endpoint of the auth service.

use auth::{Jwks, Permission};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use service_kit::error::codes;
use service_kit::openapi::ErrorBody;
use service_kit::{ApiError, Caller, Cx, Envelope, StrictJson};
use utoipa::OpenApi as _;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Auth;
use crate::accounts::{self, User};
use crate::session::{LoginRequest, RefreshRequest, TokenPair};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Interline identity", description = "Log-in, tokens and keys."),
    tags((name = "identity", description = "Log-in, tokens and the keys that verify them."))
)]
struct Document;

/// The routes with their documentation.
pub(crate) fn router() -> OpenApiRouter<Auth> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(log_in))
        .routes(routes!(refresh))
        .routes(routes!(me))
        .routes(routes!(jwks))
        .routes(routes!(metadata))
}

/// Logs in
#[utoipa::path(
    post, path = "/api/v1/auth/login", tag = "identity", security(()),
    request_body = LoginRequest,
    responses(
        (status = 200, description = "The tokens and the account.", body = Envelope<TokenPair>),
        (status = 400, description = "The body is not the JSON that is asked for.", body = ErrorBody),
        (status = 401, description = "The address or the password is wrong.", body = ErrorBody),
        (status = 413, description = "The body is larger than allowed.", body = ErrorBody),
        (status = 415, description = "The body is not application/json.", body = ErrorBody),
        (status = 422, description = "A field cannot be right.", body = ErrorBody),
        (status = 429, description = "Too many failed attempts; Retry-After says how long to wait.", body = ErrorBody),
        (status = 503, description = "Overloaded; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn log_in(
    cx: Cx,
    State(auth): State<Auth>,
    headers: HeaderMap,
    StrictJson { value, .. }: StrictJson<LoginRequest>,
) -> Result<Response, ApiError> {
    let pair = auth.sessions.log_in(&cx, value, &headers).await?;
    Ok(with_cache_control(cx.ok(pair)?, "no-store"))
}

/// Gets a new pair of tokens
///
/// Each refresh token works once. The same one again within ten seconds gets the same answer, in case
/// the first was lost; later it ends the log-in, for it must have been stolen.
#[utoipa::path(
    post, path = "/api/v1/auth/refresh", tag = "identity", security(()),
    request_body = RefreshRequest,
    responses(
        (status = 200, description = "The new tokens and the account.", body = Envelope<TokenPair>),
        (status = 400, description = "The body is not the JSON that is asked for.", body = ErrorBody),
        (status = 401, description = "The refresh token is not valid or no longer so.", body = ErrorBody),
        (status = 413, description = "The body is larger than allowed.", body = ErrorBody),
        (status = 415, description = "The body is not application/json.", body = ErrorBody),
        (status = 422, description = "A field is missing.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn refresh(
    cx: Cx,
    State(auth): State<Auth>,
    StrictJson { value, .. }: StrictJson<RefreshRequest>,
) -> Result<Response, ApiError> {
    let pair = auth.sessions.refresh(value).await?;
    Ok(with_cache_control(cx.ok(pair)?, "no-store"))
}

/// Reads one's own account
#[utoipa::path(
    get, path = "/api/v1/auth/me", tag = "identity",
    responses(
        (status = 200, description = "The caller's account.", body = Envelope<User>),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn me(cx: Cx, caller: Caller, State(auth): State<Auth>) -> Result<Response, ApiError> {
    let account = accounts::by_id(&auth.sessions.db, caller.subject()).await?;
    let account = account.ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED))?;
    Ok(with_cache_control(
        cx.ok(account.user)?,
        "private, no-store",
    ))
}

/// Lists the keys that verify access tokens (RFC 7517)
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "identity", security(()),
    responses((status = 200, description = "A JWK set of RSA keys for RS256.", body = Object))
)]
async fn jwks(State(auth): State<Auth>) -> Response {
    let jwks: Jwks = auth.sessions.signer.jwks();
    with_cache_control(Json(jwks).into_response(), "public, max-age=300")
}

/// Says what this issuer offers (RFC 8414)
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "identity", security(()),
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

fn with_cache_control(mut response: Response, value: &'static str) -> Response {
    let value = HeaderValue::from_static(value);
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    response
}
