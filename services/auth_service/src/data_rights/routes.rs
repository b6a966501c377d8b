//! The routes of export and erasure.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use service_kit::openapi::ErrorBody;
use service_kit::{ApiError, Caller, Cx, Envelope, Need, NoBody, Routes, routes};

use super::export::Export;
use crate::Auth;
use crate::routes::with_cache_control;

pub(crate) fn routes() -> Routes<Auth> {
    Routes::default()
        .route(Need::Login, routes!(export))
        .route(Need::Login, routes!(erase))
}

/// Exports everything that is kept about the caller
///
/// The account, log-ins, API keys, what the audit log says, and the orders of all verticals. It is whole
/// or it is refused: while a service does not answer, 503 names it.
#[utoipa::path(
    get, path = "/api/v1/auth/me/export", tag = "identity",
    responses(
        (status = 200, description = "Everything.", body = Envelope<Export>),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "Not a person's own log-in.", body = ErrorBody),
        (status = 503, description = "A service does not answer; `details.missing` names it. Try again after Retry-After.", body = ErrorBody),
    )
)]
async fn export(cx: Cx, caller: Caller, State(auth): State<Auth>) -> Result<Response, ApiError> {
    let export = auth.data_rights.export(&cx, &caller).await?;
    let mut answer = with_cache_control(cx.ok(export)?, "private, no-store");
    answer.headers_mut().insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"interline-export.json\""),
    );
    Ok(answer)
}

/// Erases the caller
///
/// Name, address and everything else that is personal are gone with the answer, and every log-in and API
/// key is over. What the services of the verticals keep about the caller follows within moments.
/// Orders stay, without people in them. It cannot be undone.
#[utoipa::path(
    delete, path = "/api/v1/auth/me", tag = "identity",
    responses(
        (status = 204, description = "Erased."),
        (status = 400, description = "There is a body that is not empty.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "Not a person's own log-in.", body = ErrorBody),
        (status = 409, description = "The last administrator cannot be erased.", body = ErrorBody),
        (status = 503, description = "The store is down; nothing was erased. Try again after Retry-After.", body = ErrorBody),
    )
)]
async fn erase(
    cx: Cx,
    caller: Caller,
    State(auth): State<Auth>,
    body: Result<NoBody, ApiError>,
) -> Result<StatusCode, ApiError> {
    body?;
    auth.data_rights.erase(&cx, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
