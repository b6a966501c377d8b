//! What a request must be before anything is decided about it: a method that is forwarded at all, one
//! host, one set of credentials, a body of bounded size.

use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Version, header};
use http_body::Body as _;
use http_body_util::{LengthLimitError, Limited};
use http_engine::Incoming;
use service_kit::ApiError;
use service_kit::error::codes;

use crate::api_keys::API_KEY_HEADER;

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Refuses TRACE, which reflects credentials, CONNECT, which tunnels, and methods that nothing here has.
pub(crate) fn check_method(method: &Method) -> Result<(), ApiError> {
    if METHODS.split(", ").any(|known| known == method.as_str()) {
        return Ok(());
    }
    Err(ApiError::new(&codes::METHOD_NOT_ALLOWED)
        .header(header::ALLOW, HeaderValue::from_static(METHODS)))
}

/// One valid Host that agrees with the target's authority (RFC 9112 §3.2), and at most one credential:
/// one `Authorization` or one `X-API-Key`. Of two, another reader might take the other.
pub(crate) fn check_host_and_credentials(request: &Parts) -> Result<(), ApiError> {
    let headers = &request.headers;
    let refused = |problem: &str| Err(ApiError::new(&codes::BAD_REQUEST).message(problem));
    let (tokens, keys) = (
        count(headers, &header::AUTHORIZATION),
        count(headers, &API_KEY_HEADER),
    );
    if tokens > 1 {
        return refused("There are two Authorization headers. Send one.");
    }
    if keys > 1 || tokens + keys > 1 {
        return refused(
            "There are two credentials. Send one Authorization or one X-API-Key header.",
        );
    }
    // The engine has looked at the Host of HTTP/1; what it cannot know is whether the target agrees.
    if request.version == Version::HTTP_11
        && request.uri.authority().is_none()
        && headers.contains_key(header::HOST)
    {
        return Ok(());
    }
    let host = match count(headers, &header::HOST) {
        0 => None,
        1 => headers.get(header::HOST).and_then(authority),
        _ => return refused("There are two Host headers. Send one."),
    };
    let target = request.uri.authority();
    let odd_scheme = request
        .uri
        .scheme_str()
        .is_some_and(|s| !matches!(s, "http" | "https"));
    if odd_scheme || target.is_some_and(|target| target.as_str().contains('@')) {
        // RFC 9110 §4.2.4: user information in a target is there to mislead.
        return Err(ApiError::new(&codes::AMBIGUOUS_PATH));
    }
    let named_twice = headers.contains_key(header::HOST) && target.is_some();
    if named_twice && !same(host.as_ref(), target) {
        return Err(ApiError::new(&codes::AMBIGUOUS_PATH)
            .message("The target and the Host header name different hosts."));
    }
    let valid = match request.version {
        Version::HTTP_09 | Version::HTTP_10 => {
            !headers.contains_key(header::HOST) || host.is_some()
        }
        Version::HTTP_11 => host.is_some(),
        _ => target.is_some() || host.is_some(),
    };
    if valid {
        Ok(())
    } else {
        refused("The Host header is missing or not a host. Send one.")
    }
}

fn count(headers: &HeaderMap, name: &header::HeaderName) -> usize {
    headers.get_all(name).iter().count()
}

/// Host and port; no user information, which a Host header cannot have.
fn authority(value: &HeaderValue) -> Option<Authority> {
    let text = value.to_str().ok()?;
    let odd = |b: u8| matches!(b, b'@' | b',' | b' ' | b'/' | b'\\');
    if text.bytes().any(odd) {
        return None;
    }
    text.parse().ok()
}

fn same(host: Option<&Authority>, target: Option<&Authority>) -> bool {
    match (host, target) {
        (Some(host), Some(target)) => {
            let port = |authority: &Authority| authority.port_u16().unwrap_or(80);
            host.host().eq_ignore_ascii_case(target.host()) && port(host) == port(target)
        }
        _ => false,
    }
}

/// Refuses a body that says it is too large, and bounds one that does not say. A compressed body is
/// refused, for its real size is not known before it is unpacked.
pub(crate) fn bound_body(
    headers: &HeaderMap,
    body: Incoming,
    most: usize,
) -> Result<Limited<Incoming>, ApiError> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(ApiError::new(&codes::UNSUPPORTED_MEDIA_TYPE)
            .message("The body is compressed. Send it without Content-Encoding."));
    }
    let stated = body.size_hint().lower();
    if usize::try_from(stated).map_or(true, |stated| stated > most) {
        return Err(ApiError::new(&codes::BODY_TOO_LARGE));
    }
    Ok(Limited::new(body, most))
}

/// Whether a failure to forward came of a body that turned out to be too large.
pub(crate) fn was_too_large(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, hosts: &[&str]) -> Parts {
        let mut request = http::Request::new(());
        *request.uri_mut() = uri.parse().unwrap();
        for host in hosts {
            let value = HeaderValue::from_str(host).unwrap();
            request.headers_mut().append(header::HOST, value);
        }
        request.into_parts().0
    }

    #[test]
    fn exactly_one_host_that_agrees_with_the_target_gets_in() {
        for (uri, hosts) in [
            ("/", &["a.example"][..]),
            ("/", &["a.example:8000"]),
            ("/", &["[::1]:8000"]),
            ("http://a.example/", &["A.Example"]),
            ("http://a.example/", &["a.example:80"]),
        ] {
            assert!(
                check_host_and_credentials(&request(uri, hosts)).is_ok(),
                "{uri} {hosts:?}"
            );
        }
        for (uri, hosts) in [
            ("/", &[][..]),
            ("http://a.example/", &["b.example"]),
            ("http://a.example/", &["a.example:81"]),
            ("http://a.example/", &[]),
            ("http://user@a.example/", &["a.example"]),
            ("ftp://a.example/", &["a.example"]),
        ] {
            assert!(
                check_host_and_credentials(&request(uri, hosts)).is_err(),
                "{uri} {hosts:?}"
            );
        }
    }
}
