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

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;font:1rem/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}\
main{max-width:26rem;margin:10vh auto;padding:0 1.25rem}\
h1{font-size:1.5rem;line-height:1.25}\
label{display:block;margin:1rem 0 .25rem;font-weight:600}\
input{box-sizing:border-box;width:100%;padding:.625rem;font:inherit;border:1px solid GrayText;border-radius:.375rem;background:Field;color:FieldText}\
button{margin:1.25rem .5rem 0 0;padding:.625rem 1.25rem;font:inherit;font-weight:600;border:0;border-radius:.375rem;background:#1d4ed8;color:#fff;cursor:pointer}\
button.plain{background:transparent;color:inherit;border:1px solid GrayText}\
:focus-visible{outline:3px solid #f59e0b;outline-offset:2px}\
.hint{margin:.25rem 0 0;color:GrayText}\
.problem{padding:.75rem 1rem;border-left:4px solid #dc2626;background:#dc26261a}";

/// Nothing but the style above, and forms that go back to where the page came from.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
});

/// A page with a heading and a body in HTML.
pub(crate) fn page(status: StatusCode, heading: &str, body: &str) -> Response {
    let heading = escape(heading);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{heading} · Interline</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{heading}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    );
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
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
            escape("<a href=\"x\" title='y'>&"),
            "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;"
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
