//! The routes of one's own account.

use auth::Role;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use service_kit::error::codes;
use service_kit::openapi::ErrorBody;
use service_kit::{ApiError, Caller, Cx, Envelope, Need, Routes, StrictJson, routes};
use settings::SecretString;
use utoipa::ToSchema;

use crate::Auth;
use crate::accounts::User;
use crate::routes::with_cache_control;

pub(crate) fn routes() -> Routes<Auth> {
    Routes::default()
        .route(Need::Authenticated, routes!(me))
        .route(Need::Login, routes!(change_me))
        .route(Need::Login, routes!(change_password))
}

/// What is to be changed of an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProfileChange {
    /// The person's name.
    #[schema(min_length = 1, max_length = 200, example = "Tony Stark")]
    full_name: String,
}

/// The present password and the next one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The present password.
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 1024)]
    current_password: SecretString,
    /// At least 8 characters, not among the passwords that are tried first.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 1024, example = "three kiwis on a tram")]
    new_password: SecretString,
}

/// Reads one's own account
#[utoipa::path(
    get, path = "/api/v1/auth/me", tag = "identity",
    responses(
        (status = 200, description = "The caller's account.", body = Envelope<User>),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 404, description = "The caller is an OAuth client on its own behalf, which has no account.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn me(cx: Cx, caller: Caller, State(auth): State<Auth>) -> Result<Response, ApiError> {
    if caller.0.role() == Some(Role::Service) {
        return Err(ApiError::new(&codes::NOT_FOUND)
            .message("There is no account: an OAuth client calls on its own behalf."));
    }
    let user = auth.profiles.read(caller.subject()).await?;
    Ok(with_cache_control(cx.ok(user)?, "private, no-store"))
}

/// Changes one's own account
#[utoipa::path(
    patch, path = "/api/v1/auth/me", tag = "identity",
    request_body = ProfileChange,
    responses(
        (status = 200, description = "The account as it is now.", body = Envelope<User>),
        (status = 400, description = "The body is not the JSON that is asked for.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The credentials are not a person's own log-in.", body = ErrorBody),
        (status = 413, description = "The body is larger than allowed.", body = ErrorBody),
        (status = 415, description = "The body is not application/json.", body = ErrorBody),
        (status = 422, description = "A field breaks a rule.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn change_me(
    cx: Cx,
    caller: Caller,
    State(auth): State<Auth>,
    StrictJson { value, .. }: StrictJson<ProfileChange>,
) -> Result<Response, ApiError> {
    let profiles = &auth.profiles;
    let user = profiles
        .rename(&cx, caller.subject(), &value.full_name)
        .await?;
    Ok(with_cache_control(cx.ok(user)?, "private, no-store"))
}

/// Changes one's own password
///
/// Every log-in of the account ends, this one as well: log in with the new password.
#[utoipa::path(
    post, path = "/api/v1/auth/me/password", tag = "identity",
    request_body = PasswordChange,
    responses(
        (status = 204, description = "The new password is set; log in with it."),
        (status = 400, description = "The body is not the JSON that is asked for.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The credentials are not a person's own log-in.", body = ErrorBody),
        (status = 413, description = "The body is larger than allowed.", body = ErrorBody),
        (status = 415, description = "The body is not application/json.", body = ErrorBody),
        (status = 422, description = "The present password is wrong, or the new one breaks a rule.", body = ErrorBody),
        (status = 429, description = "Too many failed attempts; Retry-After says how long to wait.", body = ErrorBody),
        (status = 503, description = "Overloaded; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn change_password(
    cx: Cx,
    caller: Caller,
    State(auth): State<Auth>,
    headers: HeaderMap,
    StrictJson { value, .. }: StrictJson<PasswordChange>,
) -> Result<Response, ApiError> {
    let passwords = (&value.current_password, &value.new_password);
    let profiles = &auth.profiles;
    profiles
        .change_password(&cx, caller.subject(), passwords, &headers)
        .await?;
    Ok(with_cache_control(
        StatusCode::NO_CONTENT.into_response(),
        "no-store",
    ))
}
