//! What this issuer offers (RFC 8414).

use auth::Permission;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Auth;
use crate::routes::with_cache_control;

/// The issuer's metadata.
#[derive(Serialize, ToSchema)]
pub(super) struct IssuerMetadata {
    /// The claim `iss` of its tokens.
    issuer: String,
    /// Where a person allows a client something.
    authorization_endpoint: String,
    /// Where a client gets tokens.
    token_endpoint: String,
    /// Where its keys are.
    jwks_uri: String,
    /// Where a client revokes tokens.
    revocation_endpoint: String,
    /// Where a client learns what a token is worth.
    introspection_endpoint: String,
    /// What a token may allow.
    scopes_supported: Vec<&'static str>,
    /// Codes alone.
    response_types_supported: [&'static str; 1],
    /// In the query of the redirect URI.
    response_modes_supported: [&'static str; 1],
    /// How clients get tokens.
    grant_types_supported: [&'static str; 3],
    /// How clients show who they are at the token endpoint; `none` for public ones.
    token_endpoint_auth_methods_supported: [&'static str; 3],
    /// The same at the revocation endpoint.
    revocation_endpoint_auth_methods_supported: [&'static str; 3],
    /// The same at the introspection endpoint.
    introspection_endpoint_auth_methods_supported: [&'static str; 2],
    /// How a client proves that a code is its own; required of every client.
    code_challenge_methods_supported: [&'static str; 1],
    /// Whether the authorization response names the issuer (RFC 9207).
    authorization_response_iss_parameter_supported: bool,
    /// Where the documentation is.
    service_documentation: String,
    /// The language of the pages.
    ui_locales_supported: [&'static str; 1],
}

impl IssuerMetadata {
    fn of(issuer: &str) -> Self {
        let at = |path: &str| format!("{}{path}", issuer.trim_end_matches('/'));
        let any = ["client_secret_basic", "client_secret_post", "none"];
        Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: at("/oauth/authorize"),
            token_endpoint: at("/oauth/token"),
            jwks_uri: at("/.well-known/jwks.json"),
            revocation_endpoint: at("/oauth/revoke"),
            introspection_endpoint: at("/oauth/introspect"),
            scopes_supported: Permission::ALL.iter().map(|p| p.as_str()).collect(),
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            grant_types_supported: ["authorization_code", "client_credentials", "refresh_token"],
            token_endpoint_auth_methods_supported: any,
            revocation_endpoint_auth_methods_supported: any,
            introspection_endpoint_auth_methods_supported: [
                "client_secret_basic",
                "client_secret_post",
            ],
            code_challenge_methods_supported: ["S256"],
            authorization_response_iss_parameter_supported: true,
            service_documentation: at("/api-docs"),
            ui_locales_supported: ["en"],
        }
    }
}

/// Says what this issuer offers (RFC 8414)
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "oauth",
    responses((status = 200, description = "The issuer's metadata.", body = IssuerMetadata))
)]
pub(super) async fn authorization_server(State(auth): State<Auth>) -> Response {
    answer(&auth)
}

/// Says the same at the address that OpenID Connect clients know
///
/// There are no ID tokens here: this issuer speaks OAuth 2.0.
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "oauth",
    responses((status = 200, description = "The issuer's metadata.", body = IssuerMetadata))
)]
pub(super) async fn openid_configuration(State(auth): State<Auth>) -> Response {
    answer(&auth)
}

fn answer(auth: &Auth) -> Response {
    let metadata = Json(IssuerMetadata::of(&auth.issuer)).into_response();
    with_cache_control(metadata, "public, max-age=300")
}
