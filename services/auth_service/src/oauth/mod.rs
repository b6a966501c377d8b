//! OAuth 2.0 for applications that act for people or for themselves: authorization code with PKCE,
//! client credentials, refresh (RFC 6749, 7636, 8252), revocation (RFC 7009), introspection (RFC 7662),
//! metadata (RFC 8414), the issuer in the answer (RFC 9207), with the caution of RFC 9700.
//!
//! The endpoints answer in the shapes of their standards, not in the envelope.

mod authorize;
mod client_auth;
pub(crate) mod codes;
mod error;
mod form;
mod introspect;
mod metadata;
mod page;
mod pkce;
pub(crate) mod redirect_uri;
mod request;
mod revoke;
pub(crate) mod scope;
mod token;

use service_kit::{Need, Routes, routes};
use storage::Migration;

use crate::Auth;

/// The name of this area's set of migrations.
pub(crate) const SET: &str = "oauth";
/// Its tables, and those of the clients.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "oauth",
    sql: include_str!("../../migrations/oauth/0001_oauth.sql"),
}];

/// The routes.
pub(crate) fn routes() -> Routes<Auth> {
    Routes::default()
        .route(Need::Public, routes!(authorize::ask, authorize::decide))
        .route(Need::Public, routes!(token::token))
        .route(Need::Public, routes!(revoke::revoke))
        .route(Need::Public, routes!(introspect::introspect))
        .route(Need::Public, routes!(metadata::authorization_server))
        .route(Need::Public, routes!(metadata::openid_configuration))
}
