//! The authorization endpoint (RFC 6749 §3.1): a person logs in and allows a client something.

use auth::Permission;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;
use service_kit::{ApiError, Cx};
use settings::SecretString;
use storage::to_micros;
use utoipa::{IntoParams, ToSchema};

use super::error::OAuthError;
use super::form::Form;
use super::page::{self, Problem};
use super::request::{AuthorizationRequest, Return, Wrong};
use super::{codes, scope};
use crate::Auth;
use crate::actions::Action;
use crate::clients::{self, Client, ClientId};
use crate::log_in::Proven;
use crate::pages;
use crate::sessions::{hash_of, random_secret};

/// The parameters.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "the description of the parameters")]
pub(super) struct AuthorizeQuery {
    /// Always `code`.
    #[param(example = "code")]
    response_type: String,
    /// The client.
    client_id: String,
    /// One of the client's redirect URIs, to the letter; of a loopback address with any port.
    redirect_uri: String,
    /// Permissions, with spaces between. Without: all that the client may ask for.
    scope: Option<String>,
    /// Comes back with the answer.
    state: Option<String>,
    /// SHA-256 of the code verifier in base64url (RFC 7636).
    code_challenge: String,
    /// Always `S256`.
    #[param(example = "S256")]
    code_challenge_method: String,
}

/// What the page sends.
#[derive(ToSchema)]
#[allow(dead_code, reason = "the description of the parameters")]
pub(super) struct AuthorizeForm {
    /// The request, sealed.
    request: String,
    /// `allow` or `deny`.
    decision: String,
    /// The account's address.
    email: Option<String>,
    /// Its password.
    #[schema(format = Password)]
    password: Option<String>,
}

/// Asks a person whether a client may (RFC 6749 §4.1.1)
///
/// For browsers. A request whose client or redirect URI is wrong gets a page that says so and never a
/// redirect; every other fault goes back to the client in the query of its redirect URI.
#[utoipa::path(
    get, path = "/oauth/authorize", tag = "oauth", params(AuthorizeQuery),
    responses(
        (status = 200, description = "The page on which to log in and allow or deny.", body = String, content_type = "text/html"),
        (status = 303, description = "Back to the client with an error."),
        (status = 400, description = "A page: the client or the redirect URI is wrong.", body = String, content_type = "text/html"),
        (status = 503, description = "A page: the store is down.", body = String, content_type = "text/html"),
    )
)]
pub(super) async fn ask(cx: Cx, State(auth): State<Auth>, RawQuery(query): RawQuery) -> Response {
    let form = Form::lenient(&query.unwrap_or_default());
    match begin(&cx, &auth, &form).await {
        Ok(response) => response,
        Err(error) => failed(error),
    }
}

async fn begin(cx: &Cx, auth: &Auth, form: &Form) -> Result<Response, OAuthError> {
    let Some(client) = known_client(auth, form.get("client_id")).await? else {
        return Ok(refused_page(
            "The application that sent you here is not registered. Nothing was allowed.",
        ));
    };
    let Some(back) = Return::of(form, &client) else {
        return Ok(refused_page(
            "The application that sent you here named an address to return to that it did not \
             register. Nothing was allowed.",
        ));
    };
    match AuthorizationRequest::read(form, &client, &back, cx.clock.now()) {
        Ok(request) => page::ask(&auth.vault, &client, &request, None),
        Err(Wrong { code, description }) => {
            let answer = [("error", code), ("error_description", description)];
            see_other(&back.with(&auth.issuer, &answer))
        }
    }
}

/// Takes the person's answer
///
/// Only from this service's own page: a form of another site is refused.
#[utoipa::path(
    post, path = "/oauth/authorize", tag = "oauth",
    request_body(content = AuthorizeForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "Back to the client, with a code or with access_denied."),
        (status = 400, description = "A page: it was open for too long, or is not one of ours.", body = String, content_type = "text/html"),
        (status = 401, description = "The page again: address or password is wrong.", body = String, content_type = "text/html"),
        (status = 403, description = "A page: the form came from another site, or the address is not confirmed.", body = String, content_type = "text/html"),
        (status = 422, description = "The page again: address or password cannot be right.", body = String, content_type = "text/html"),
        (status = 429, description = "The page again: too many failed attempts.", body = String, content_type = "text/html"),
        (status = 503, description = "A page: overloaded, or the store is down.", body = String, content_type = "text/html"),
    )
)]
pub(super) async fn decide(
    cx: Cx,
    State(auth): State<Auth>,
    headers: HeaderMap,
    form: Result<Form, OAuthError>,
) -> Response {
    if !is_from_our_page(&headers, &auth.issuer) {
        return pages::notice(
            StatusCode::FORBIDDEN,
            "This form came from another site",
            "Nothing was allowed. Go back to the application and start again.",
        );
    }
    let decided = match form {
        Ok(form) => carry_out(&cx, &auth, &headers, &form).await,
        Err(_) => Ok(old_page()),
    };
    match decided {
        Ok(response) => response,
        Err(error) => failed(error),
    }
}

async fn carry_out(
    cx: &Cx,
    auth: &Auth,
    headers: &HeaderMap,
    form: &Form,
) -> Result<Response, OAuthError> {
    let sealed = form.get("request").unwrap_or_default();
    let now = cx.clock.now();
    let Some(request) = AuthorizationRequest::opened(&auth.vault, sealed, now) else {
        return Ok(old_page());
    };
    let client = known_client(auth, Some(&request.client_id)).await?;
    let Some(client) = client else {
        return Ok(refused_page(
            "The application is not registered any more. Nothing was allowed.",
        ));
    };
    let back = request.back();
    match form.get("decision") {
        Some("allow") => {}
        Some("deny") => {
            let record = Action::by(None, cx, "authorize")
                .on(request.client_id)
                .with(json!({"reason": "denied"}));
            auth.audit_log.append_alone(&record.failed()).await?;
            let words = "The person did not allow it.";
            let answer = [("error", "access_denied"), ("error_description", words)];
            return see_other(&back.with(&auth.issuer, &answer));
        }
        _ => return Ok(old_page()),
    }
    let email = form.get("email").unwrap_or_default();
    let password = form.get("password").unwrap_or_default();
    let password = SecretString::from(password);
    match auth.log_ins.prove(cx, email, &password, headers).await {
        Ok(proven) => allow(cx, auth, &client, &request, &proven).await,
        Err(error) => again(auth, &client, &request, email, &error),
    }
}

/// A code for what the person allowed.
async fn allow(
    cx: &Cx,
    auth: &Auth,
    client: &Client,
    request: &AuthorizationRequest,
    proven: &Proven,
) -> Result<Response, OAuthError> {
    let back = request.back();
    let user = &proven.user;
    // Also of what the client may ask for now.
    let asked = scope::both(&request.permissions(), &client.scopes);
    let granted: Vec<Permission> = scope::both(&asked, user.role.permissions());
    let account = user.id.to_string();
    let record = Action::by(Some(&account), cx, "authorize").on(request.client_id.clone());
    if granted.is_empty() {
        let record = record.with(json!({"reason": "invalid_scope"})).failed();
        let mut tx = auth.sessions.db.begin().await?;
        auth.log_ins.proved(&mut tx, proven, record).await?;
        tx.commit().await?;
        let words = "The account may do nothing of what was asked for.";
        let answer = [("error", "invalid_scope"), ("error_description", words)];
        return see_other(&back.with(&auth.issuer, &answer));
    }
    let code = random_secret().map_err(OAuthError::fault)?;
    let scope = scope::written(&granted);
    let bound = codes::Code {
        client_id: request.client_id.clone(),
        account_id: account,
        redirect_uri: request.redirect_uri.clone(),
        challenge: request.challenge.clone(),
        scope: scope.clone(),
        expires_at: to_micros(cx.clock.after(codes::LIFE)),
        used: false,
        log_in_id: None,
    };
    let record = record.with(json!({"scope": scope})).succeeded();
    let mut tx = auth.sessions.db.begin().await?;
    codes::insert(&mut tx, &hash_of(&code), &bound, cx.clock.now()).await?;
    auth.log_ins.proved(&mut tx, proven, record).await?;
    tx.commit().await?;
    see_other(&back.with(&auth.issuer, &[("code", &code)]))
}

/// The page once more, with what is wrong.
fn again(
    auth: &Auth,
    client: &Client,
    request: &AuthorizationRequest,
    email: &str,
    error: &ApiError,
) -> Result<Response, OAuthError> {
    let retry_after = error.headers().get(header::RETRY_AFTER).cloned();
    let words = match error.code() {
        "INVALID_CREDENTIALS" => "The e-mail address or the password is wrong.".to_owned(),
        "EMAIL_NOT_CONFIRMED" => {
            "Confirm your e-mail address first: open the link in the message that you got."
                .to_owned()
        }
        "RATE_LIMITED" => {
            let seconds = retry_after.as_ref().and_then(|value| value.to_str().ok());
            let seconds = seconds.unwrap_or("60");
            format!("Too many failed attempts. Try again in {seconds} seconds.")
        }
        _ if error.status() == StatusCode::UNPROCESSABLE_ENTITY => {
            "Type your e-mail address and your password.".to_owned()
        }
        _ if error.status() == StatusCode::SERVICE_UNAVAILABLE => {
            "Too many people log in right now. Try again in a moment.".to_owned()
        }
        _ => return Err(OAuthError::fault(error.cause().unwrap_or("log-in"))),
    };
    let problem = Problem {
        status: error.status(),
        words: &words,
        email,
        retry_after,
    };
    page::ask(&auth.vault, client, request, Some(&problem))
}

async fn known_client(auth: &Auth, id: Option<&str>) -> Result<Option<Client>, OAuthError> {
    let id = id.and_then(|id| id.parse::<ClientId>().ok());
    match id {
        Some(id) => Ok(clients::by_id(&auth.sessions.db, &id.to_string()).await?),
        None => Ok(None),
    }
}

/// Whether a form was sent by a page of this issuer. Browsers say so (Fetch Metadata); older ones name
/// at least the origin. What says neither is no browser, and has no person's eyes to deceive.
fn is_from_our_page(headers: &HeaderMap, issuer: &str) -> bool {
    let field = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = field("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let ours = url::Url::parse(issuer).map(|url| url.origin().ascii_serialization());
    field("origin").is_none_or(|origin| ours.is_ok_and(|ours| ours == origin))
}

/// RFC 9700 §4.12: 303, so that no form is sent on.
fn see_other(address: &str) -> Result<Response, OAuthError> {
    let location = HeaderValue::from_str(address).map_err(OAuthError::fault)?;
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let none = HeaderValue::from_static("no-referrer");
    headers.insert(header::REFERRER_POLICY, none);
    Ok(response)
}

fn refused_page(words: &str) -> Response {
    pages::notice(
        StatusCode::BAD_REQUEST,
        "This does not lead anywhere",
        words,
    )
}

fn old_page() -> Response {
    pages::notice(
        StatusCode::BAD_REQUEST,
        "This page is too old",
        "It was open for more than a quarter of an hour, or is not one of ours. Nothing was allowed. \
         Go back to the application and start again.",
    )
}

/// A fault of ours, as a page.
fn failed(error: OAuthError) -> Response {
    let answer = error.into_response();
    let words = "Nothing was allowed. Try again in a moment.";
    let mut response = pages::notice(answer.status(), "Something went wrong", words);
    if let Some(wait) = answer.headers().get(header::RETRY_AFTER) {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, wait.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_another_site_is_refused() {
        let from = |fields: &[(&'static str, &'static str)]| {
            let fields = fields.iter().map(|(name, value)| {
                let name = http::HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            });
            is_from_our_page(&fields.collect(), "http://localhost:8000")
        };
        assert!(from(&[]));
        assert!(from(&[("origin", "http://localhost:8000")]));
        assert!(from(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "http://127.0.0.1:8000")
        ]));
        for site in ["cross-site", "same-site", "", "x"] {
            assert!(!from(&[
                ("sec-fetch-site", site),
                ("origin", "http://localhost:8000")
            ]));
        }
        for origin in ["null", "https://evil.example", "http://localhost:8001", ""] {
            assert!(!from(&[("origin", origin)]), "{origin}");
        }
    }
}
