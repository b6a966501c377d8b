//! Token revocation (RFC 7009).

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use serde_json::json;
use service_kit::Cx;
use utoipa::ToSchema;

use super::error::{OAuthError, OAuthErrorBody, not_stored};
use super::form::Form;
use super::{client_auth, introspect};
use crate::Auth;
use crate::actions::Action;
use crate::clients::Client;
use crate::revocations::Kind;

/// The parameters, for the description.
#[derive(ToSchema)]
#[allow(dead_code, reason = "the description of the parameters")]
pub(super) struct RevocationRequest {
    /// The token: an access token or a refresh token.
    token: String,
    /// `access_token` or `refresh_token`; the token is found without it.
    token_type_hint: Option<String>,
    /// The client, unless it is in the Authorization field.
    client_id: Option<String>,
    /// Its secret, unless it is in the Authorization field.
    client_secret: Option<String>,
}

/// Revokes a token (RFC 7009)
///
/// An access token is refused from then on; with a refresh token, everything ends that came from the
/// same consent. The answer is the same for a token that is unknown, dead or another client's.
#[utoipa::path(
    post, path = "/oauth/revoke", tag = "oauth",
    request_body(content = RevocationRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token is worth nothing."),
        (status = 400, description = "A parameter is missing or stands twice.", body = OAuthErrorBody),
        (status = 401, description = "The client is unknown or its credentials are wrong.", body = OAuthErrorBody),
        (status = 413, description = "The body is larger than allowed.", body = OAuthErrorBody),
        (status = 429, description = "Too many failed attempts; Retry-After says how long to wait.", body = OAuthErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = OAuthErrorBody),
    )
)]
pub(super) async fn revoke(
    cx: Cx,
    State(auth): State<Auth>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, OAuthError> {
    let client = client_auth::client(&auth, &headers, &form).await?;
    let token = form.required("token")?;
    if !revoked(&auth, &cx, &client, token).await? {
        let id = client.id.to_string();
        let record = Action::by(Some(&id), &cx, "token_revoke");
        let record = record.with(json!({"reason": "unknown"})).failed();
        auth.audit_log.append_alone(&record).await?;
    }
    Ok(not_stored(StatusCode::OK.into_response()))
}

/// Whether there was something to revoke.
async fn revoked(auth: &Auth, cx: &Cx, client: &Client, token: &str) -> Result<bool, OAuthError> {
    let id = client.id.to_string();
    let record = Action::by(Some(&id), cx, "token_revoke");
    let log_in = auth.sessions.with_token(token).await?;
    let own = log_in.filter(|log_in| log_in.grant.client.as_deref() == Some(id.as_str()));
    if let Some(log_in) = own {
        let mut tx = auth.sessions.db.begin().await?;
        let Some(session) = auth.sessions.end(&mut tx, &log_in.id).await? else {
            tx.rollback().await?;
            return Ok(false);
        };
        let record = record
            .on(log_in.grant.account.to_string())
            .with(json!({"token": "refresh_token"}))
            .succeeded();
        let seq = auth.audit_log.append(&mut tx, &record).await?;
        let values = [session];
        auth.revocations
            .announce(&mut tx, seq, Kind::Session, &values)
            .await?;
        tx.commit().await?;
        return Ok(true);
    }
    let verified = introspect::verified(auth, token).await;
    let own = verified.filter(|verified| verified.identity.client() == Some(id.as_str()));
    let Some(verified) = own else {
        return Ok(false);
    };
    let record = record
        .on(verified.identity.subject())
        .with(json!({"token": "access_token"}))
        .succeeded();
    let mut tx = auth.sessions.db.begin().await?;
    let seq = auth.audit_log.append(&mut tx, &record).await?;
    let values = [verified.token_id.clone()];
    auth.revocations
        .announce(&mut tx, seq, Kind::Token, &values)
        .await?;
    tx.commit().await?;
    Ok(true)
}
