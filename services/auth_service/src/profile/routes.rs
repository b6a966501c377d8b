//! The routes of one's own account.

use axum::extract::State;
use axum::response::Response;
use service_kit::error::codes;
use service_kit::openapi::ErrorBody;
use service_kit::{ApiError, Caller, Cx, Envelope, Need, Routes, routes};

use crate::Auth;
use crate::accounts::User;
use crate::routes::with_cache_control;

pub(crate) fn routes() -> Routes<Auth> {
    Routes::default().route(Need::Authenticated, routes!(me))
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
    let user = auth.accounts.user(caller.subject()).await?;
    let user = user.ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED))?;
    Ok(with_cache_control(cx.ok(user)?, "private, no-store"))
}
