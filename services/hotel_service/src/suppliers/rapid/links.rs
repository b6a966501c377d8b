//! Rapid's links: each answer names the addresses to go on with, absolute or relative, with a token that
//! carries the state. Only the part below `/v3/` is taken: wherever a link points, it is followed on the
//! configured host.

use http::Method;
use supplier_client::{Safety, WireRequest};

/// A request that follows a link; none if the link does not lead below `/v3/`.
pub(super) fn follow(
    operation: &'static str,
    method: Method,
    href: &str,
    safety: Safety,
) -> Option<WireRequest> {
    let target = href.split('#').next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.get(path.find("/v3/")?..)?;
    let request = WireRequest::new(operation, method, path, safety);
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    Some(pairs.fold(request, |request, (name, value)| {
        request.query(&name, value)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_followed_on_our_own_host_with_its_token_unchanged() {
        for href in [
            "/v3/itineraries/1?token=REhZ%2F+x=",
            "https://elsewhere.example.com/v3/itineraries/1?token=REhZ%2F+x=#part",
            "/rapid/v3/itineraries/1?token=REhZ%2F+x=",
        ] {
            let request = follow("retrieve", Method::GET, href, Safety::Safe).unwrap();
            assert_eq!(request.path(), "/v3/itineraries/1");
            let token = ("token".to_owned(), "REhZ/ x=".to_owned());
            assert_eq!(request.query_pairs(), [token]);
        }
        for href in ["", "/v2/itineraries", "mailto:x", "?a=/v3/x"] {
            assert!(follow("retrieve", Method::GET, href, Safety::Safe).is_none());
        }
    }
}
