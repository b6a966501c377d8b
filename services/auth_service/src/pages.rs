//! Pages for people: plain, without scripts, readable by anything. What they hold is escaped by whoever
//! writes it, with [`escape`].

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use service_kit::ApiError;
use service_kit::error::codes;

/// The style of every page; the policy allows it by its hash.
const STYLE: &str = include_str!("pages/page.css");

static STYLE_HASH: LazyLock<String> =
    LazyLock::new(|| STANDARD.encode(digest(&SHA256, STYLE.as_bytes())));

/// A page.
pub(crate) struct Page<'a> {
    pub(crate) status: StatusCode,
    /// Plain text.
    pub(crate) title: &'a str,
    /// HTML: every value in it went through [`escape`].
    pub(crate) body: &'a str,
    /// Where its form may lead beside this service, as a source of a content security policy.
    pub(crate) form_leads_to: Option<&'a str>,
}

impl Page<'_> {
    /// The page with its fields: not stored, not framed, no script, no foreign form target.
    pub(crate) fn answer(&self) -> Response {
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{} · Interline</title>\n<link rel=\"icon\" href=\"/pages/icon.svg\">\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<header><p>Interline</p></header>\n<main>\n{}\n\
             </main>\n</body>\n</html>\n",
            escape(self.title),
            self.body
        );
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{}'; img-src 'self'; form-action 'self'{}{}; \
             base-uri 'none'; frame-ancestors 'none'",
            *STYLE_HASH,
            if self.form_leads_to.is_some() {
                " "
            } else {
                ""
            },
            self.form_leads_to.unwrap_or_default(),
        );
        // With `no-referrer` browsers hide a form's origin also from the page's own host.
        let referrer = match self.form_leads_to {
            Some(_) => "same-origin",
            None => "no-referrer",
        };
        let mut response = (self.status, html).into_response();
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, &policy),
            (header::CACHE_CONTROL, "no-store"),
            (header::PRAGMA, "no-cache"),
            (header::REFERRER_POLICY, referrer),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// A page with a heading and a body in HTML, whose forms go back to where it came from.
pub(crate) fn page(status: StatusCode, heading: &str, body: &str) -> Response {
    let body = format!("<h1>{}</h1>\n{body}", escape(heading));
    let page = Page {
        status,
        title: heading,
        body: &body,
        form_leads_to: None,
    };
    page.answer()
}

/// A page that says one thing and offers nothing.
pub(crate) fn notice(status: StatusCode, heading: &str, words: &str) -> Response {
    page(status, heading, &format!("<p>{}</p>", escape(words)))
}

/// Text as it may stand in HTML, in attributes as well.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // These would turn the direction of what follows.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The fields of a form that was sent (`application/x-www-form-urlencoded`).
///
/// # Errors
/// 415 for another media type; 400 for a field that is not in `known` or stands twice.
pub(crate) fn form(
    headers: &HeaderMap,
    body: &Bytes,
    known: &[&str],
) -> Result<BTreeMap<String, String>, ApiError> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|value| value.trim().to_ascii_lowercase());
    if kind.as_deref() != Some("application/x-www-form-urlencoded") {
        return Err(ApiError::new(&codes::UNSUPPORTED_MEDIA_TYPE)
            .message("The body is not application/x-www-form-urlencoded. Send the page's form."));
    }
    let mut fields = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        if !known.contains(&name.as_ref()) {
            return Err(ApiError::new(&codes::UNKNOWN_FIELD));
        }
        let field = name.clone().into_owned();
        if fields
            .insert(name.into_owned(), value.into_owned())
            .is_some()
        {
            return Err(ApiError::new(&codes::DUPLICATE_FIELD).field(field));
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_can_be_more_than_text() {
        assert_eq!(
            escape("<a href=\"x\" title='y'>&\u{202e}"),
            "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;\u{fffd}"
        );
    }

    #[test]
    fn a_page_allows_its_own_style_and_nothing_else() {
        let page = page(StatusCode::OK, "a < b", "<p>c</p>");
        let policy = page.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(!policy.contains("unsafe"));
        assert_eq!(page.headers()["cache-control"], "no-store");
    }
}
