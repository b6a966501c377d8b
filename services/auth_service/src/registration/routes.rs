//! The routes of registering.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use service_kit::openapi::ErrorBody;
use service_kit::{ApiError, Cx, Envelope, Need, Routes, StrictJson, routes};

use super::{ConfirmRequest, Confirmed, Pending, RegisterRequest};
use crate::Auth;
use crate::routes::with_cache_control;

pub(crate) fn routes() -> Routes<Auth> {
    Routes::default()
        .route(Need::Public, routes!(register))
        .route(Need::Public, routes!(confirm_address))
}

/// Registers
///
/// The answer is the same whether or not the address has an account; a mail tells its owner. In
/// development the account can be used at once.
#[utoipa::path(
    post, path = "/api/v1/auth/register", tag = "identity",
    request_body = RegisterRequest,
    responses(
        (status = 201, description = "Taken; a mail says how to go on.", body = Envelope<Pending>),
        (status = 400, description = "The body is not the JSON that is asked for.", body = ErrorBody),
        (status = 413, description = "The body is larger than allowed.", body = ErrorBody),
        (status = 415, description = "The body is not application/json.", body = ErrorBody),
        (status = 422, description = "A field breaks a rule; each is named with what to do.", body = ErrorBody),
        (status = 429, description = "Too many requests from this address; Retry-After says how long to wait.", body = ErrorBody),
        (status = 503, description = "Overloaded; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn register(
    cx: Cx,
    State(auth): State<Auth>,
    headers: HeaderMap,
    StrictJson { value, .. }: StrictJson<RegisterRequest>,
) -> Result<Response, ApiError> {
    let pending = auth.registrations.register(&cx, value, &headers).await?;
    let response = cx.success(StatusCode::CREATED, pending, serde_json::Map::new())?;
    Ok(with_cache_control(response, "no-store"))
}

/// Confirms an e-mail address with the token of the mail
#[utoipa::path(
    post, path = "/api/v1/auth/confirm", tag = "identity",
    request_body = ConfirmRequest,
    responses(
        (status = 200, description = "The account can be used.", body = Envelope<Confirmed>),
        (status = 400, description = "The body is not the JSON that is asked for.", body = ErrorBody),
        (status = 410, description = "The token is not valid, was used already, or its time is over.", body = ErrorBody),
        (status = 413, description = "The body is larger than allowed.", body = ErrorBody),
        (status = 415, description = "The body is not application/json.", body = ErrorBody),
        (status = 422, description = "A field is missing.", body = ErrorBody),
        (status = 429, description = "Too many requests from this address; Retry-After says how long to wait.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn confirm_address(
    cx: Cx,
    State(auth): State<Auth>,
    headers: HeaderMap,
    StrictJson { value, .. }: StrictJson<ConfirmRequest>,
) -> Result<Response, ApiError> {
    let confirmed = auth
        .registrations
        .confirm(&cx, &value.token, &headers)
        .await?;
    Ok(with_cache_control(cx.ok(confirmed)?, "no-store"))
}
