//! The page on which a person allows a client something, or does not.

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use personal_data::Vault;

use super::error::OAuthError;
use super::redirect_uri;
use super::request::AuthorizationRequest;
use super::scope;
use crate::clients::Client;
use crate::pages::{Page, escape};

/// Why the page is shown again.
pub(super) struct Problem<'a> {
    pub(super) status: StatusCode,
    /// What is wrong, for people.
    pub(super) words: &'a str,
    /// The address that was typed.
    pub(super) email: &'a str,
    /// `Retry-After`, where one must wait.
    pub(super) retry_after: Option<HeaderValue>,
}

/// The page.
pub(super) fn ask(
    vault: &Vault,
    client: &Client,
    request: &AuthorizationRequest,
    problem: Option<&Problem<'_>>,
) -> Result<Response, OAuthError> {
    let name = escape(&client.name);
    let place = escape(&redirect_uri::place(&request.redirect_uri));
    let sealed = request.sealed(vault).map_err(OAuthError::fault)?;
    let mut wishes = String::new();
    for permission in request.permissions() {
        wishes.push_str(&format!("<li>{}</li>", scope::words(permission)));
    }
    let email = escape(problem.map_or("", |problem| problem.email));
    let (summary, invalid, title) = match problem {
        None => (String::new(), "", format!("Allow {}?", client.name)),
        Some(problem) => {
            let summary = format!(
                "<div class=\"problem\" role=\"alert\" tabindex=\"-1\" autofocus id=\"problem\">\n\
                 <h2>You are not logged in</h2>\n<p><a href=\"#email\">{}</a></p>\n</div>\n",
                escape(problem.words)
            );
            let invalid = " aria-invalid=\"true\" aria-describedby=\"problem\"";
            (summary, invalid, format!("Error: allow {}?", client.name))
        }
    };
    let body = format!(
        "<h1>Allow {name} to use your account?</h1>\n{summary}\
         <p><strong>{name}</strong> ({place}) asks to be allowed to:</p>\n<ul>{wishes}</ul>\n\
         <p>It gets no more than your account may do, and never your password.</p>\n\
         <form method=\"post\" action=\"/oauth/authorize\">\n\
         <input type=\"hidden\" name=\"request\" value=\"{}\">\n\
         <label for=\"email\">E-mail address</label>\n\
         <input type=\"email\" id=\"email\" name=\"email\" autocomplete=\"username\" required \
         maxlength=\"254\" value=\"{email}\"{invalid}>\n\
         <label for=\"password\">Password</label>\n\
         <input type=\"password\" id=\"password\" name=\"password\" \
         autocomplete=\"current-password\" required maxlength=\"1024\"{invalid}>\n\
         <button name=\"decision\" value=\"allow\">Log in and allow</button>\n\
         <button name=\"decision\" value=\"deny\" class=\"quiet\" formnovalidate>Deny</button>\n\
         </form>\n<p class=\"quiet-text\">Either way you go back to {name} ({place}).</p>",
        escape(&sealed),
    );
    let source = redirect_uri::source(&request.redirect_uri);
    let page = Page {
        status: problem.map_or(StatusCode::OK, |problem| problem.status),
        title: &title,
        body: &body,
        form_leads_to: source.as_deref(),
    };
    let mut response = page.answer();
    if let Some(wait) = problem.and_then(|problem| problem.retry_after.clone()) {
        response.headers_mut().insert(header::RETRY_AFTER, wait);
    }
    Ok(response)
}
