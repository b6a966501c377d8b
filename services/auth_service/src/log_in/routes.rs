//! The routes of logging in and staying logged in.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use service_kit::openapi::ErrorBody;
use service_kit::{ApiError, Caller, Cx, Envelope, Need, NoBody, Routes, StrictJson, routes};

use super::{LoginRequest, RefreshRequest, TokenPair};
use crate::Auth;
use crate::routes::with_cache_control;

pub(crate) fn routes() -> Routes<Auth> {
    Routes::default()
        .route(Need::Public, routes!(log_in))
        .route(Need::Public, routes!(refresh))
        .route(Need::Login, routes!(log_out))
}

/// Logs in
#[utoipa::path(
    post, path = "/api/v1/auth/login", tag = "identity",
    request_body = LoginRequest,
    responses(
        (status = 200, description = "The tokens and the account.", body = Envelope<TokenPair>),
        (status = 400, description = "The body is not the JSON that is asked for.", body = ErrorBody),
        (status = 401, description = "The address or the password is wrong.", body = ErrorBody),
        (status = 403, description = "The password is right, but the address is not confirmed yet.", body = ErrorBody),
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
    let pair = auth.log_ins.log_in(&cx, value, &headers).await?;
    Ok(with_cache_control(cx.ok(pair)?, "no-store"))
}

/// Gets a new pair of tokens
///
/// Each refresh token works once. The same one again within ten seconds gets the same answer, in case
/// the first was lost; later it ends the log-in, for it must have been stolen.
#[utoipa::path(
    post, path = "/api/v1/auth/refresh", tag = "identity",
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
    let pair = auth.log_ins.refresh(&cx, value).await?;
    Ok(with_cache_control(cx.ok(pair)?, "no-store"))
}

/// Logs out
///
/// Ends the log-in that the access token belongs to. Its access tokens are refused everywhere within a
/// second, and its refresh token is worth nothing.
#[utoipa::path(
    post, path = "/api/v1/auth/logout", tag = "identity",
    responses(
        (status = 204, description = "The log-in is over."),
        (status = 400, description = "The body is neither absent nor an empty object.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The credentials are not a person's own log-in.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn log_out(
    cx: Cx,
    caller: Caller,
    State(auth): State<Auth>,
    _: NoBody,
) -> Result<Response, ApiError> {
    auth.log_ins.log_out(&cx, &caller.0).await?;
    Ok(with_cache_control(
        StatusCode::NO_CONTENT.into_response(),
        "no-store",
    ))
}
