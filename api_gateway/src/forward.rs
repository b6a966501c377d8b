//! Which header fields cross the gateway. Towards a service: a short list of the client's, and the
//! gateway's own. Names that are not on the list do not pass in any spelling, so there is nothing to
//! strip and nothing to forget (Traefik CVE-2026-35051, -39858, Pingora CVE-2026-105299). Back: whatever
//! is not about the connection or the inside.

use std::net::IpAddr;
use std::time::Duration;

use auth::{CLIENT_IP_HEADER, HOP_HEADER};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};
use service_kit::DEADLINE_HEADER;
use telemetry::Correlation;

/// The client's fields that services see. `Content-Length` and `Transfer-Encoding` are not among them:
/// the body's framing is made anew from the body itself.
static FORWARDED: [HeaderName; 7] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_TYPE,
    HeaderName::from_static("idempotency-key"),
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::USER_AGENT,
];

/// Whether a field is about one connection (RFC 9110 §7.6.1), speaks of the inside, or is the gateway's
/// own to set. By text, which is compared faster than a list of names is walked.
fn is_kept_back(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "server"
            | "x-powered-by"
            | "strict-transport-security"
            | "content-security-policy"
            | "x-frame-options"
            | "x-content-type-options"
            | "referrer-policy"
            | "x-request-id"
    ) || name.starts_with("x-interline-")
        || name.starts_with("access-control-")
}

/// What a service's page may say of itself, instead of what the gateway says of everything else.
const OF_PAGES: [HeaderName; 2] = [header::CONTENT_SECURITY_POLICY, header::REFERRER_POLICY];

/// What the gateway states about a request to a service.
pub(crate) struct Statement<'a> {
    /// The signed identity; none for somebody else's service.
    pub(crate) identity: Option<HeaderValue>,
    /// Time until nobody waits for the answer any more.
    pub(crate) left: Duration,
    /// The client's fields that this route passes beside those that all do.
    pub(crate) passes: &'a [HeaderName],
    /// The client's address, where the listener knows it.
    pub(crate) client: Option<IpAddr>,
    /// The ids of the request.
    pub(crate) correlation: &'a Correlation,
}

/// The request as a service gets it, its body apart.
pub(crate) fn request(parts: &Parts, target: PathAndQuery, statement: Statement<'_>) -> Parts {
    let nominated = nominated(&parts.headers);
    let (mut outgoing, ()) = Request::new(()).into_parts();
    outgoing.method = parts.method.clone();
    outgoing.uri = Uri::from(target);
    let headers = &mut outgoing.headers;
    headers.reserve(16);
    if statement.identity.is_none() {
        // Somebody else's service: everything that is neither about the connection nor a credential.
        for (name, value) in &parts.headers {
            let passes = !is_ours(name) || statement.passes.contains(name);
            if passes && !nominated.contains(name) {
                headers.append(name, value.clone());
            }
        }
        statement.correlation.apply(headers);
        return outgoing;
    }
    let forwarded = FORWARDED.iter().chain(statement.passes);
    for name in forwarded.filter(|name| !nominated.contains(name)) {
        for value in parts.headers.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    statement.correlation.apply(headers);
    if let Some(identity) = statement.identity {
        headers.insert(HOP_HEADER, identity);
    }
    let left = u64::try_from(statement.left.as_millis()).unwrap_or(u64::MAX);
    headers.insert(DEADLINE_HEADER, HeaderValue::from(left));
    let client = statement.client.map(|address| address.to_string());
    if let Some(value) = client.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(CLIENT_IP_HEADER, value);
    }
    outgoing
}

/// Takes out of a service's answer what is not for the client.
pub(crate) fn clean_answer(headers: &mut HeaderMap, is_page: bool) {
    let nominated = nominated(headers);
    let leaving: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_kept_back(name.as_str()) || nominated.contains(name))
        .filter(|name| !(is_page && OF_PAGES.contains(name)))
        .cloned()
        .collect();
    for name in leaving {
        headers.remove(name);
    }
}

/// Fields that end here whoever they would be for: of the connection, credentials, and what speaks of
/// the inside.
fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "expect"
            | "host"
            | "authorization"
            | "content-length"
            | "x-api-key"
    ) || name.starts_with("x-interline-")
}

/// The fields that `Connection` names as its own.
fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // Framing belongs to the message, not to the connection; the HTTP library owns it.
        .filter(|name| name != header::CONTENT_LENGTH)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_route_passes_passes_there_and_nowhere_else() {
        let mut incoming = Request::new(());
        for (name, value) in [
            ("authorization", "Basic YTpi"),
            ("origin", "https://shop.example"),
            ("cookie", "a=b"),
            ("x-api-key", "ilk_a_b"),
            ("accept", "text/html"),
        ] {
            let name = HeaderName::from_static(name);
            let value = HeaderValue::from_static(value);
            incoming.headers_mut().insert(name, value);
        }
        let (parts, _) = incoming.into_parts();
        for (passes, expected) in [
            (&[][..], &["accept"][..]),
            (
                &[header::AUTHORIZATION, header::ORIGIN],
                &["accept", "authorization", "origin"],
            ),
        ] {
            let statement = Statement {
                identity: Some(HeaderValue::from_static("signed")),
                left: Duration::from_secs(1),
                passes,
                client: None,
                correlation: &Correlation::new(),
            };
            let outgoing = request(&parts, PathAndQuery::from_static("/"), statement);
            let mut of_client: Vec<&str> = outgoing
                .headers
                .keys()
                .map(HeaderName::as_str)
                .filter(|name| parts.headers.contains_key(*name))
                .collect();
            of_client.sort_unstable();
            assert_eq!(of_client, expected);
        }
    }

    #[test]
    fn a_page_keeps_its_own_policy_and_nothing_else_does() {
        for (is_page, left) in [(true, 2), (false, 0)] {
            let mut headers = HeaderMap::new();
            for name in OF_PAGES.into_iter().chain([header::SERVER]) {
                headers.insert(name, HeaderValue::from_static("x"));
            }
            clean_answer(&mut headers, is_page);
            assert_eq!(headers.len(), left);
        }
    }

    #[test]
    fn an_answer_loses_what_is_about_the_connection_or_the_inside() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Private"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("x-interline-instance", "flight-7"),
            ("access-control-allow-origin", "*"),
            ("server", "x/1"),
            ("etag", "\"a\""),
            ("location", "/api/v1/x"),
        ] {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        clean_answer(&mut headers, false);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["etag", "location"]);
    }
}
