//! What a key allows, for the gateway. The gateway remembers the answer for at most 30 seconds, and
//! forgets it when the key's event is in the feed of revocations.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use service_kit::error::codes;
use service_kit::{ApiError, Cx, StrictJson};
use settings::{ExposeSecret as _, SecretString};

use super::key;
use super::store;
use crate::Auth;
use crate::oauth::scope;

/// A key that somebody shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    key: SecretString,
}

/// Whom it speaks for and what it allows.
#[derive(Serialize)]
struct Allowed {
    key_id: String,
    /// The owner.
    subject: String,
    role: &'static str,
    /// What both the key and the owner's role allow now.
    permissions: Vec<&'static str>,
    rate_class: String,
    expires_at: Option<Timestamp>,
}

/// Answers 404 for anything but a key that is alive and whose owner is.
pub(super) async fn verify(
    cx: Cx,
    State(auth): State<Auth>,
    StrictJson { value, .. }: StrictJson<Shown>,
) -> Result<Response, ApiError> {
    let unknown = || ApiError::new(&codes::NOT_FOUND);
    let shown = value.key.expose_secret();
    let prefix = key::prefix_of(shown).ok_or_else(unknown)?;
    let db = &auth.sessions.db;
    let stored = store::with_prefix(db, prefix).await?;
    let now = cx.clock.now();
    let alive = stored.filter(|stored| {
        key::matches(shown, &stored.hash) && stored.expires_at.is_none_or(|at| at > now)
    });
    let stored = alive.ok_or_else(unknown)?;
    let owner = auth.sessions.accounts.with_id(&stored.owner).await?;
    let owner = owner.ok_or_else(unknown)?;
    store::used(db, &stored, now).await?;
    let permissions = scope::both(&stored.scopes, owner.role.permissions());
    let allowed = Allowed {
        key_id: stored.id.to_string(),
        subject: stored.owner,
        role: owner.role.as_str(),
        permissions: permissions.iter().map(|one| one.as_str()).collect(),
        rate_class: stored.rate_class,
        expires_at: stored.expires_at,
    };
    let mut response = Json(allowed).into_response();
    let value = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    Ok(response)
}
