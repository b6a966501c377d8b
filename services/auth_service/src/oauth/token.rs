//! The token endpoint (RFC 6749 §3.2).

use auth::{AccessClaims, Permission, Role};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use serde::Serialize;
use serde_json::json;
use service_kit::Cx;
use storage::to_micros;
use utoipa::ToSchema;

use super::error::{OAuthError, OAuthErrorBody, not_stored};
use super::form::Form;
use super::{client_auth, codes, pkce, scope};
use crate::Auth;
use crate::actions::Action;
use crate::clients::{Client, GrantType};
use crate::revocations::Kind;
use crate::sessions::{Grant, hash_of};

/// What a client gets.
#[derive(Serialize, ToSchema)]
pub(super) struct Tokens {
    /// Sent with each request as `Authorization: Bearer …`.
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Life of the access token in seconds.
    expires_in: u64,
    /// What it allows: less than was asked for, where that was too much.
    #[schema(example = "offers:read bookings:read")]
    scope: String,
    /// For the next access token, once. Not for `client_credentials`.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

/// The parameters, for the description.
#[derive(ToSchema)]
#[allow(dead_code, reason = "the description of the parameters")]
pub(super) struct TokenRequest {
    /// `authorization_code`, `client_credentials` or `refresh_token`.
    grant_type: String,
    /// The client, unless it is in the Authorization field.
    client_id: Option<String>,
    /// Its secret, unless it is in the Authorization field.
    client_secret: Option<String>,
    /// With `authorization_code`: the code.
    code: Option<String>,
    /// With `authorization_code`: the redirect URI of the authorization request.
    redirect_uri: Option<String>,
    /// With `authorization_code`: what the code challenge was made from (RFC 7636).
    code_verifier: Option<String>,
    /// With `refresh_token`: the token.
    refresh_token: Option<String>,
    /// With `client_credentials` and `refresh_token`: permissions, with spaces between.
    scope: Option<String>,
}

/// Gets tokens (RFC 6749 §3.2)
///
/// The client shows who it is with HTTP Basic or in the body; a public one sends its `client_id`.
/// A code works once and for a minute; when it comes again, what it gave ends. Refresh tokens rotate as
/// those of `POST /api/v1/auth/refresh` do.
#[utoipa::path(
    post, path = "/oauth/token", tag = "oauth",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The tokens.", body = Tokens),
        (status = 400, description = "RFC 6749 §5.2: the request, the grant or the scope is wrong.", body = OAuthErrorBody),
        (status = 401, description = "The client is unknown or its credentials are wrong.", body = OAuthErrorBody),
        (status = 413, description = "The body is larger than allowed.", body = OAuthErrorBody),
        (status = 429, description = "Too many failed attempts; Retry-After says how long to wait.", body = OAuthErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = OAuthErrorBody),
    )
)]
pub(super) async fn token(
    cx: Cx,
    State(auth): State<Auth>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, OAuthError> {
    let asked = form.required("grant_type")?;
    let grant = GrantType::named(asked);
    let client = match client_auth::client(&auth, &headers, &form).await {
        Ok(client) => client,
        Err(error) => {
            note_refusal(&auth, &cx, None, grant, &error).await?;
            return Err(error);
        }
    };
    let tokens = grant_tokens(&auth, &cx, &client, grant, &form).await;
    if let Err(error) = &tokens {
        note_refusal(&auth, &cx, Some(&client), grant, error).await?;
    }
    Ok(not_stored(Json(tokens?).into_response()))
}

async fn grant_tokens(
    auth: &Auth,
    cx: &Cx,
    client: &Client,
    grant: Option<GrantType>,
    form: &Form,
) -> Result<Tokens, OAuthError> {
    let grant = grant.ok_or_else(OAuthError::unsupported_grant_type)?;
    if !client.may_use(grant) {
        return Err(OAuthError::unauthorized_client());
    }
    match grant {
        GrantType::ClientCredentials => for_itself(auth, cx, client, form).await,
        GrantType::AuthorizationCode => for_code(auth, cx, client, form).await,
        GrantType::RefreshToken => for_refresh_token(auth, cx, client, form).await,
    }
}

/// Every refusal that was one is in the audit trail, in a transaction of its own.
async fn note_refusal(
    auth: &Auth,
    cx: &Cx,
    client: Option<&Client>,
    grant: Option<GrantType>,
    error: &OAuthError,
) -> Result<(), OAuthError> {
    if error.is_noted() {
        return Ok(());
    }
    let id = client.map(|client| client.id.to_string());
    let record = Action::by(id.as_deref(), cx, "token_issue").with(json!({
        "grant_type": grant.map(GrantType::as_str),
        "reason": error.code(),
    }));
    auth.audit_log.append_alone(&record.failed()).await?;
    Ok(())
}

fn issued(cx: &Cx, client: &Client, grant: GrantType, scope: &str) -> Action {
    let id = client.id.to_string();
    Action::by(Some(&id), cx, "token_issue")
        .with(json!({"grant_type": grant.as_str(), "scope": scope}))
}

/// What is granted of what is asked for; all of it where nothing is asked for.
fn granted(asked: Option<&str>, most: &[Permission]) -> Result<Vec<Permission>, OAuthError> {
    let granted = match asked {
        None => most.to_vec(),
        Some(asked) => {
            let asked = scope::asked(asked).map_err(|_| OAuthError::invalid_scope())?;
            scope::both(&asked, most)
        }
    };
    match granted.is_empty() {
        true => Err(OAuthError::invalid_scope()),
        false => Ok(granted),
    }
}

async fn for_itself(
    auth: &Auth,
    cx: &Cx,
    client: &Client,
    form: &Form,
) -> Result<Tokens, OAuthError> {
    let most = scope::both(&client.scopes, Role::Service.permissions());
    let permissions = granted(form.get("scope"), &most)?;
    let id = client.id.to_string();
    let signer = auth.signing_keys.signer().map_err(OAuthError::fault)?;
    let signed = signer
        .sign(&AccessClaims {
            subject: &id,
            role: Role::Service,
            permissions: &permissions,
            session: Some(&client.session_id),
            client: Some(&id),
        })
        .map_err(OAuthError::fault)?;
    let scope = scope::written(&permissions);
    let record = issued(cx, client, GrantType::ClientCredentials, &scope)
        .on(id)
        .succeeded();
    auth.audit_log.append_alone(&record).await?;
    Ok(Tokens {
        access_token: signed.token,
        token_type: "Bearer",
        expires_in: auth.signing_keys.life().as_secs(),
        scope,
        refresh_token: None,
    })
}

async fn for_code(
    auth: &Auth,
    cx: &Cx,
    client: &Client,
    form: &Form,
) -> Result<Tokens, OAuthError> {
    let wrong = || {
        OAuthError::invalid_grant(
            "The code is unknown, used or too old, or was issued for another client, redirect_uri \
             or code_verifier.",
        )
    };
    let hash = hash_of(form.required("code")?);
    let redirect_uri = form.required("redirect_uri")?;
    let verifier = form.required("code_verifier")?;
    let db = &auth.sessions.db;
    let code = codes::find(db, &hash).await?.ok_or_else(wrong)?;
    // Whoever shows a used code may have stolen it; which of the two was the thief is not known.
    if code.used {
        end_what_it_gave(auth, cx, client, &code).await?;
        return Err(wrong().noted());
    }
    let bound = code.client_id == client.id.to_string()
        && code.redirect_uri == redirect_uri
        && pkce::proves(verifier, &code.challenge)
        && code.expires_at > to_micros(cx.clock.now());
    let account = code.account_id.parse().ok().filter(|_| bound);
    let grant = Grant {
        account: account.ok_or_else(wrong)?,
        client: Some(client.id.to_string()),
        permissions: Some(scope::stored(&code.scope)),
    };
    if auth
        .sessions
        .accounts
        .user(&code.account_id)
        .await?
        .is_none()
    {
        return Err(wrong());
    }
    let record = issued(cx, client, GrantType::AuthorizationCode, &code.scope)
        .on(code.account_id.clone())
        .succeeded();
    let mut tx = db.begin().await?;
    let opened = auth.sessions.open(&mut tx, &grant).await?;
    if !codes::take(&mut tx, &hash, &opened.log_in_id, cx.clock.now()).await? {
        tx.rollback().await?;
        // Another use of it was faster, a moment ago.
        if let Some(code) = codes::find(db, &hash).await? {
            end_what_it_gave(auth, cx, client, &code).await?;
            return Err(wrong().noted());
        }
        return Err(wrong());
    }
    auth.audit_log.append(&mut tx, &record).await?;
    tx.commit().await?;
    // Read after the log-in is there: a role that changes meanwhile revokes its session id.
    let user = auth.sessions.accounts.user(&code.account_id).await?;
    let user = user.ok_or_else(wrong)?;
    let signed = auth
        .sessions
        .access_token(&user, &grant, &opened.session_id)?;
    let allowed = scope::both(
        grant.permissions.as_deref().unwrap_or_default(),
        user.role.permissions(),
    );
    Ok(Tokens {
        access_token: signed.token,
        token_type: "Bearer",
        expires_in: auth.signing_keys.life().as_secs(),
        scope: scope::written(&allowed),
        refresh_token: client
            .may_use(GrantType::RefreshToken)
            .then_some(opened.refresh_token),
    })
}

/// RFC 6749 §4.1.2: a code that is used twice ends what it gave.
async fn end_what_it_gave(
    auth: &Auth,
    cx: &Cx,
    client: &Client,
    code: &codes::Code,
) -> Result<(), OAuthError> {
    let mut tx = auth.sessions.db.begin().await?;
    let ended = match &code.log_in_id {
        Some(log_in) => auth.sessions.end(&mut tx, log_in).await?,
        None => None,
    };
    let id = client.id.to_string();
    let record = Action::by(Some(&id), cx, "token_issue")
        .on(code.account_id.clone())
        .with(json!({
            "grant_type": GrantType::AuthorizationCode.as_str(),
            "reason": "code_reuse",
            "client_of_the_code": code.client_id,
            "ended_log_ins": usize::from(ended.is_some()),
        }));
    let seq = auth.audit_log.append(&mut tx, &record.failed()).await?;
    if let Some(session) = ended {
        auth.revocations
            .announce(&mut tx, seq, Kind::Session, &[session])
            .await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn for_refresh_token(
    auth: &Auth,
    cx: &Cx,
    client: &Client,
    form: &Form,
) -> Result<Tokens, OAuthError> {
    let token = form.required("refresh_token")?;
    let narrower = match form.get("scope") {
        None => None,
        Some(asked) => Some(scope::asked(asked).map_err(|_| OAuthError::invalid_scope())?),
    };
    let id = client.id.to_string();
    if let Some(narrower) = &narrower {
        // RFC 6749 §6: nothing that was not granted in the beginning. Seen before the token is used up.
        let given = auth.sessions.with_token(token).await?;
        let given = given.and_then(|log_in| log_in.grant.permissions);
        let more = |given: &Vec<Permission>| narrower.iter().any(|one| !given.contains(one));
        if narrower.is_empty() || given.as_ref().is_some_and(more) {
            return Err(OAuthError::invalid_scope());
        }
    }
    let request_id = cx.correlation.request_id();
    let rotated = auth
        .sessions
        .rotate(token, Some(&id), Some(request_id))
        .await?;
    let mut grant = rotated.grant;
    if let Some(narrower) = narrower {
        let given = grant.permissions.unwrap_or_default();
        grant.permissions = Some(scope::both(&narrower, &given));
    }
    let allowed = scope::both(
        grant.permissions.as_deref().unwrap_or_default(),
        rotated.user.role.permissions(),
    );
    let opened = rotated.opened;
    let signed = auth
        .sessions
        .access_token(&rotated.user, &grant, &opened.session_id)?;
    let scope = scope::written(&allowed);
    let record = issued(cx, client, GrantType::RefreshToken, &scope)
        .on(rotated.user.id.to_string())
        .succeeded();
    auth.audit_log.append_alone(&record).await?;
    Ok(Tokens {
        access_token: signed.token,
        token_type: "Bearer",
        expires_in: auth.signing_keys.life().as_secs(),
        scope,
        refresh_token: Some(opened.refresh_token),
    })
}
