//! What the gateway answers by itself: health, metrics, the merged OpenAPI document, its interactive
//! documentation, and a landing page. Everything is part of the program; no page needs another host.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use axum::response::IntoResponse as _;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_engine::Outgoing;
use service_kit::error::codes;
use service_kit::{ApiError, Check, Context, Profile, health_of};
use telemetry::Metrics;
use travel_types::Clock;
use travel_types::jiff::ToSpan as _;
use travel_types::jiff::tz::TimeZone;

/// The published document.
pub(crate) const OPENAPI: &str = include_str!("../../openapi/interline.json");
const LANDING: &str = include_str!("pages/landing.html");
const ACCOUNTS: &str = include_str!("pages/accounts.html");
const DOCS: &str = include_str!("pages/docs.html");

/// The pages' own files: name, type, text.
const FILES: [(&str, &str, &str); 4] = [
    (
        "landing.css",
        "text/css; charset=utf-8",
        include_str!("pages/landing.css"),
    ),
    (
        "landing.js",
        "text/javascript; charset=utf-8",
        include_str!("pages/landing.js"),
    ),
    (
        "docs.js",
        "text/javascript; charset=utf-8",
        include_str!("pages/docs.js"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("pages/icon.svg")),
];

/// What of the documentation's program is served; the rest of its package is samples.
const DOCS_FILES: [&str; 2] = ["swagger-ui.css", "swagger-ui-bundle.js"];

const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// The documentation's program draws its icons from data URLs.
const DOCS_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// One of the gateway's own answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    Landing,
    File,
    Docs,
    DocsFile,
    OpenApi,
    Live,
    Ready,
    Metrics,
}

/// Where they are.
pub(crate) const OWN: [(&str, Page); 9] = [
    ("/", Page::Landing),
    ("/pages/{file}", Page::File),
    ("/api-docs", Page::Docs),
    ("/api-docs/{file}", Page::DocsFile),
    ("/openapi.json", Page::OpenApi),
    ("/health/live", Page::Live),
    ("/health/ready", Page::Ready),
    ("/health", Page::Ready),
    ("/metrics", Page::Metrics),
];

/// Makes them.
pub(crate) struct Pages {
    service: &'static str,
    profile: Profile,
    checks: Vec<Check>,
    metrics: Metrics,
    clock: Clock,
    docs: Arc<utoipa_swagger_ui::Config<'static>>,
}

impl Pages {
    pub(crate) fn new(context: &Context, checks: Vec<Check>) -> Self {
        Self {
            service: context.name,
            profile: context.profile,
            checks,
            metrics: context.metrics.clone(),
            clock: context.clock.clone(),
            docs: Arc::new(utoipa_swagger_ui::Config::from("/openapi.json")),
        }
    }

    /// The answer for one of them.
    ///
    /// # Errors
    /// 404 for a file that there is not.
    pub(crate) async fn answer(
        &self,
        page: Page,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Response<Outgoing>, ApiError> {
        let file = path.rsplit('/').next().unwrap_or_default();
        let not_found = || ApiError::new(&codes::NOT_FOUND);
        Ok(match page {
            Page::Landing => {
                let mut response = document(headers, HTML, self.landing());
                policy(&mut response, PAGE_POLICY);
                response
            }
            Page::Docs => {
                let mut response = document(headers, HTML, DOCS.to_owned());
                policy(&mut response, DOCS_POLICY);
                response
            }
            Page::File => {
                let known = FILES.iter().find(|(name, _, _)| *name == file);
                let (_, kind, text) = known.ok_or_else(not_found)?;
                document(headers, kind, *text)
            }
            Page::DocsFile => {
                let known = DOCS_FILES.contains(&file).then_some(file);
                let served = known
                    .and_then(|file| utoipa_swagger_ui::serve(file, Arc::clone(&self.docs)).ok())
                    .flatten()
                    .ok_or_else(not_found)?;
                let kind = if file.ends_with(".css") {
                    "text/css; charset=utf-8"
                } else {
                    "text/javascript; charset=utf-8"
                };
                document(headers, kind, served.bytes.into_owned())
            }
            Page::OpenApi => document(headers, "application/json", OPENAPI),
            Page::Live => health_of(self.service, &[])
                .await
                .into_response()
                .map(Outgoing::stream),
            Page::Ready => health_of(self.service, &self.checks)
                .await
                .into_response()
                .map(Outgoing::stream),
            Page::Metrics => {
                let mut response =
                    Response::new(Outgoing::from(bytes::Bytes::from(self.metrics.render())));
                let fields = response.headers_mut();
                let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                fields.insert(header::CONTENT_TYPE, kind);
                fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
        })
    }

    /// The landing page, with a departure a month ahead and, in development, the sandbox accounts.
    fn landing(&self) -> String {
        let today = self.clock.now().to_zoned(TimeZone::UTC).date();
        let departure = today.saturating_add(30.days());
        let (accounts, email, password) = match self.profile {
            Profile::Development => (ACCOUNTS, "traveller@interline.test", "interline-sandbox"),
            Profile::Production => ("", "you@example.com", "your-password"),
        };
        LANDING
            .replace("<!-- accounts -->", accounts)
            .replace("DEPARTURE_DATE", &departure.to_string())
            .replace("YOUR_EMAIL", email)
            .replace("YOUR_PASSWORD", password)
    }
}

const HTML: &str = "text/html; charset=utf-8";

/// A document that browsers keep and ask about again: 304 where it has not changed.
fn document(
    headers: &HeaderMap,
    kind: &'static str,
    body: impl Into<bytes::Bytes>,
) -> Response<Outgoing> {
    let body = body.into();
    let mut hasher = DefaultHasher::new();
    hasher.write(&body);
    let tag = format!("\"{:016x}\"", hasher.finish());
    let matches = |value: &HeaderValue| {
        let value = value.to_str().unwrap_or_default();
        value == "*"
            || value
                .split(',')
                .any(|one| one.trim().trim_start_matches("W/") == tag)
    };
    let unchanged = headers.get_all(header::IF_NONE_MATCH).iter().any(matches);
    let mut response = Response::new(Outgoing::from(body));
    if unchanged {
        *response.body_mut() = Outgoing::Empty;
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    fields.insert(header::CACHE_CONTROL, REVALIDATE);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        fields.insert(header::ETAG, tag);
    }
    response
}

fn policy(response: &mut Response<Outgoing>, policy: HeaderValue) {
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_page_names_another_host() {
        for text in [LANDING, ACCOUNTS, DOCS]
            .into_iter()
            .chain(FILES.map(|file| file.2))
        {
            for attribute in ["src=\"", "href=\"", "url(", "@import", "import("] {
                for rest in text.split(attribute).skip(1) {
                    let target: String = rest.chars().take(8).collect();
                    assert!(
                        target.starts_with('/') && !target.starts_with("//")
                            || target.starts_with('#'),
                        "{attribute}{target}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_embedded_document_is_openapi_3_1() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
    }

    /// Method and path, with the names of parameters left out.
    fn operation(method: &str, path: &str) -> String {
        let plain = |segment: &str| match segment.starts_with('{') {
            true => "{}".to_owned(),
            false => segment.to_owned(),
        };
        let segments: Vec<String> = path.split('/').map(plain).collect();
        format!("{} {}", method.to_uppercase(), segments.join("/"))
    }

    #[test]
    fn the_catalogue_and_the_document_name_the_same_operations() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        let mut described = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let methods = item.as_object().unwrap().keys();
            described.extend(methods.map(|method| operation(method, path)));
        }
        let catalog = crate::catalog::catalog().unwrap();
        let routes = catalog.services.iter().flat_map(|service| &service.routes);
        let mut routed: Vec<String> = routes
            .map(|route| operation(route.method.as_str(), &route.path))
            .collect();
        described.sort();
        routed.sort();
        assert_eq!(described, routed);
    }
}
