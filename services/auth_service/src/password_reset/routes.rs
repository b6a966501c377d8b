//! The routes of setting a new password by mail.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use service_kit::openapi::ErrorBody;
use service_kit::{ApiError, Cx, Envelope, Need, Routes, StrictJson, routes};
use settings::SecretString;
use utoipa::ToSchema;

use crate::Auth;
use crate::routes::with_cache_control;

pub(crate) fn routes() -> Routes<Auth> {
    Routes::default()
        .route(Need::Public, routes!(request_password_reset))
        .route(Need::Public, routes!(confirm_password_reset))
}

/// Whose password was forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetRequest {
    /// The account's address; case and surrounding spaces do not matter.
    #[schema(format = Email, min_length = 3, max_length = 254, example = "tony@example.com")]
    email: String,
}

/// What was taken; the same whether or not the address has an account.
#[derive(Serialize, ToSchema)]
struct Requested {
    /// Always `pending`: a mail goes to the address if it has an account.
    #[schema(example = "pending")]
    status: &'static str,
}

/// The token of the mail and a new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetConfirmation {
    /// The `token` of the mail's link; worth nothing once it was used.
    #[schema(value_type = String)]
    token: SecretString,
    /// At least 8 characters, not among the passwords that are tried first.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 1024, example = "three kiwis on a tram")]
    password: SecretString,
}

/// Asks for a new password
///
/// The answer is the same whether or not the address has an account.
#[utoipa::path(
    post, path = "/api/v1/auth/password-reset", tag = "identity",
    request_body = ResetRequest,
    responses(
        (status = 202, description = "Taken; a mail goes to the address if it has an account.", body = Envelope<Requested>),
        (status = 400, description = "The body is not the JSON that is asked for.", body = ErrorBody),
        (status = 413, description = "The body is larger than allowed.", body = ErrorBody),
        (status = 415, description = "The body is not application/json.", body = ErrorBody),
        (status = 422, description = "The address cannot be one.", body = ErrorBody),
        (status = 429, description = "Too many requests from this address; Retry-After says how long to wait.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn request_password_reset(
    cx: Cx,
    State(auth): State<Auth>,
    headers: HeaderMap,
    StrictJson { value, .. }: StrictJson<ResetRequest>,
) -> Result<Response, ApiError> {
    let resets = &auth.password_resets;
    resets.request(&cx, &value.email, &headers).await?;
    let requested = Requested { status: "pending" };
    let response = cx.success(StatusCode::ACCEPTED, requested, serde_json::Map::new())?;
    Ok(with_cache_control(response, "no-store"))
}

/// Sets a new password with the token of the mail
///
/// Every log-in of the account ends.
#[utoipa::path(
    post, path = "/api/v1/auth/password-reset/confirm", tag = "identity",
    request_body = ResetConfirmation,
    responses(
        (status = 204, description = "The new password is set; log in with it."),
        (status = 400, description = "The body is not the JSON that is asked for.", body = ErrorBody),
        (status = 410, description = "The token is not valid, was used already, or its time is over.", body = ErrorBody),
        (status = 413, description = "The body is larger than allowed.", body = ErrorBody),
        (status = 415, description = "The body is not application/json.", body = ErrorBody),
        (status = 422, description = "The password breaks a rule, which is named with what to do.", body = ErrorBody),
        (status = 429, description = "Too many requests from this address; Retry-After says how long to wait.", body = ErrorBody),
        (status = 503, description = "Overloaded; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn confirm_password_reset(
    cx: Cx,
    State(auth): State<Auth>,
    headers: HeaderMap,
    StrictJson { value, .. }: StrictJson<ResetConfirmation>,
) -> Result<Response, ApiError> {
    let resets = &auth.password_resets;
    resets
        .confirm(&cx, &value.token, &value.password, &headers)
        .await?;
    Ok(with_cache_control(
        StatusCode::NO_CONTENT.into_response(),
        "no-store",
    ))
}
