//! Every endpoint of the auth service.

use axum::response::Response;
use http::{HeaderValue, header};
use service_kit::Routes;
use utoipa::OpenApi as _;

use crate::{
    Auth, account_pages, api_keys, audit_trail, clients, data_rights, log_in, oauth,
    password_reset, profile, registration, revocations, signing_keys, users,
};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Interline identity", description = "Log-in, tokens and keys."),
    tags(
        (name = "identity", description = "Log-in, tokens and the keys that verify them."),
        (name = "oauth", description = "Applications that act for people, or for themselves."),
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
        .merge(signing_keys::routes())
        .merge(api_keys::routes())
        .merge(clients::routes())
        .merge(oauth::routes())
}

/// The answer with this `Cache-Control`.
pub(crate) fn with_cache_control(mut response: Response, value: &'static str) -> Response {
    let value = HeaderValue::from_static(value);
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    response
}
