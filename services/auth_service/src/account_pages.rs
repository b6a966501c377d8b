//! The pages that mails link to. Opening one does nothing, for programs that look at mails open links as
//! well; its button does it.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use service_kit::openapi::ErrorBody;
use service_kit::{ApiError, Cx, Need, Params, Routes, routes};
use utoipa::ToSchema;

use crate::Auth;
use crate::pages::{escape, form, page};

pub(crate) fn routes() -> Routes<Auth> {
    Routes::default()
        .route(Need::Public, routes!(confirm_page, submit_confirm_page))
        .route(Need::Public, routes!(reset_page, submit_reset_page))
}

/// What the page that confirms an address sends.
#[derive(Deserialize, ToSchema)]
#[allow(
    dead_code,
    reason = "it describes the form, which is read by its fields"
)]
struct ConfirmForm {
    /// The link's token.
    token: String,
}

/// What the page that sets a password sends.
#[derive(Deserialize, ToSchema)]
#[allow(
    dead_code,
    reason = "it describes the form, which is read by its fields"
)]
struct ResetForm {
    /// The link's token.
    token: String,
    /// The new password.
    #[schema(format = Password)]
    password: String,
}

/// Shows the button that confirms an e-mail address
#[utoipa::path(
    get, path = "/account/confirm", tag = "pages",
    params(("token" = Option<String>, Query, description = "The link's token.")),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 400, description = "A parameter is unknown or stands twice.", body = ErrorBody),
    )
)]
async fn confirm_page(RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let token = token_of(query.as_deref())?;
    let body = format!(
        "<p>Press the button to confirm your e-mail address. Then you can log in.</p>\n\
         <form method=\"post\" action=\"/account/confirm\">\n{}\n\
         <button type=\"submit\">Confirm</button>\n</form>",
        hidden(&token)
    );
    Ok(page(StatusCode::OK, "Confirm your e-mail address", &body))
}

/// Confirms an e-mail address
#[utoipa::path(
    post, path = "/account/confirm", tag = "pages",
    request_body(content = ConfirmForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "It is confirmed.", body = String, content_type = "text/html"),
        (status = 400, description = "A field is unknown or stands twice.", body = ErrorBody),
        (status = 410, description = "The link is not valid or no longer so.", body = String, content_type = "text/html"),
        (status = 413, description = "The body is larger than allowed.", body = ErrorBody),
        (status = 415, description = "The body is no form.", body = ErrorBody),
        (status = 429, description = "Too many requests from this address; Retry-After says how long to wait.", body = ErrorBody),
        (status = 503, description = "Overloaded; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn submit_confirm_page(
    cx: Cx,
    State(auth): State<Auth>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let mut fields = form(&headers, &body, &["token"])?;
    let token = fields.remove("token").unwrap_or_default();
    let registrations = &auth.registrations;
    match registrations.confirm(&cx, &token.into(), &headers).await {
        Ok(_) => {
            let body = "<p role=\"status\">You can log in now.</p>";
            Ok(page(StatusCode::OK, "Your address is confirmed", body))
        }
        Err(error) if error.status() == StatusCode::GONE => Ok(expired("Register again.")),
        Err(error) => Err(error),
    }
}

/// Shows the form for a new password
#[utoipa::path(
    get, path = "/account/reset", tag = "pages",
    params(("token" = Option<String>, Query, description = "The link's token.")),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 400, description = "A parameter is unknown or stands twice.", body = ErrorBody),
    )
)]
async fn reset_page(RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let token = token_of(query.as_deref())?;
    Ok(reset_form(StatusCode::OK, &token, None))
}

/// Sets a new password
#[utoipa::path(
    post, path = "/account/reset", tag = "pages",
    request_body(content = ResetForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "It is set.", body = String, content_type = "text/html"),
        (status = 400, description = "A field is unknown or stands twice.", body = ErrorBody),
        (status = 410, description = "The link is not valid or no longer so.", body = String, content_type = "text/html"),
        (status = 413, description = "The body is larger than allowed.", body = ErrorBody),
        (status = 415, description = "The body is no form.", body = ErrorBody),
        (status = 422, description = "The password breaks a rule, which is named.", body = String, content_type = "text/html"),
        (status = 429, description = "Too many requests from this address; Retry-After says how long to wait.", body = ErrorBody),
        (status = 503, description = "Overloaded; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn submit_reset_page(
    cx: Cx,
    State(auth): State<Auth>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let mut fields = form(&headers, &body, &["token", "password"])?;
    let token = fields.remove("token").unwrap_or_default();
    let password = fields.remove("password").unwrap_or_default().into();
    let resets = &auth.password_resets;
    let secret = token.clone().into();
    let done = resets.confirm(&cx, &secret, &password, &headers).await;
    match done {
        Ok(()) => {
            let body = "<p role=\"status\">Log in with it. Everybody who was logged in to your \
                        account is logged out.</p>";
            Ok(page(StatusCode::OK, "Your new password is set", body))
        }
        Err(error) if error.status() == StatusCode::GONE => {
            Ok(expired("Ask for a new password again."))
        }
        Err(error) if error.status() == StatusCode::UNPROCESSABLE_ENTITY => {
            let words = error.entries().first().map(|entry| entry.message.clone());
            let words = words.unwrap_or_default();
            // The message begins with the field's name.
            let words = words.replacen("password", "The password", 1);
            Ok(reset_form(error.status(), &token, Some(&words)))
        }
        Err(error) => Err(error),
    }
}

fn reset_form(status: StatusCode, token: &str, problem: Option<&str>) -> Response {
    let (alert, invalid, described) = match problem {
        None => (String::new(), "", "rules"),
        Some(problem) => (
            format!(
                "<p class=\"problem\" role=\"alert\" id=\"problem\">{}.</p>\n",
                escape(problem)
            ),
            " aria-invalid=\"true\"",
            "problem rules",
        ),
    };
    let body = format!(
        "{alert}<form method=\"post\" action=\"/account/reset\">\n{}\n\
         <label for=\"password\">New password</label>\n\
         <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"new-password\" \
         required minlength=\"8\" maxlength=\"1024\" aria-describedby=\"{described}\"{invalid} autofocus>\n\
         <p class=\"hint\" id=\"rules\">At least 8 characters. A few words in a row are easy to keep \
         in mind.</p>\n\
         <button type=\"submit\">Set the password</button>\n</form>",
        hidden(token)
    );
    page(status, "Choose a new password", &body)
}

fn expired(remedy: &str) -> Response {
    let body = format!(
        "<p class=\"problem\" role=\"alert\">It is not valid, was used already, or its time is over. \
         {remedy}</p>"
    );
    page(StatusCode::GONE, "This link cannot be used", &body)
}

fn hidden(token: &str) -> String {
    format!(
        "<input type=\"hidden\" name=\"token\" value=\"{}\">",
        escape(token)
    )
}

/// The token of the link, if it is not longer than any is.
fn token_of(query: Option<&str>) -> Result<String, ApiError> {
    let mut params = Params::read(query, &["token"])?;
    let token = params.optional("token", |text| Ok(text.to_owned()));
    params.finish()?;
    Ok(token.filter(|token| token.len() <= 128).unwrap_or_default())
}
