//! Redirect URIs: which may be registered, and which one a request means (RFC 9700 §2.1, §4.1.3).

use std::net::IpAddr;

use url::{Host, Url};

/// The longest that is taken.
const LONGEST: usize = 2000;

/// Whether a redirect URI may be registered.
///
/// # Errors
/// What it must be, in words.
pub(crate) fn check(uri: &str, public: bool) -> Result<(), String> {
    let plain = uri.bytes().all(|byte| byte.is_ascii_graphic());
    if uri.len() > LONGEST || !plain || uri.contains(['#', '*', '\\', '<', '>', '"', '`']) {
        return Err("must be an absolute URI of at most 2000 visible ASCII characters, without fragment or wildcard".to_owned());
    }
    let url = Url::parse(uri).map_err(|_| "must be an absolute URI".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or a password".to_owned());
    }
    match url.scheme() {
        "https" if url.host_str().is_some_and(|host| !host.is_empty()) => Ok(()),
        "http" if loopback(&url) => Ok(()),
        "http" => Err(
            "must use https, or http with the literal address 127.0.0.1 or [::1] (RFC 8252 §7.3)"
                .to_owned(),
        ),
        // RFC 8252 §7.1: a private scheme is the reverse of a domain name that the maker controls.
        scheme if public && scheme.contains('.') => Ok(()),
        _ => Err(
            "must use https; native applications also http on a loopback address or a private \
             scheme such as com.example.app:/callback"
                .to_owned(),
        ),
    }
}

/// Whether `asked` is the registered URI: to the letter, but for the port of a loopback address, which
/// a native application chooses when it starts (RFC 8252 §7.3).
pub(crate) fn means(registered: &str, asked: &str) -> bool {
    if registered == asked {
        return true;
    }
    let (Some(one), Some(other)) = (without_port(registered), without_port(asked)) else {
        return false;
    };
    one == other
}

/// A loopback URI as text without its port.
fn without_port(uri: &str) -> Option<(&str, &str)> {
    for start in ["http://127.0.0.1", "http://[::1]"] {
        let Some(rest) = uri.strip_prefix(start) else {
            continue;
        };
        let rest = match rest.strip_prefix(':') {
            None => rest,
            Some(rest) => {
                let end = rest.bytes().take_while(u8::is_ascii_digit).count();
                let (port, rest) = rest.split_at_checked(end)?;
                port.parse::<u16>().ok()?;
                rest
            }
        };
        return (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((start, rest));
    }
    None
}

fn loopback(url: &Url) -> bool {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        _ => return false,
    };
    address.is_loopback()
}

/// The URI with parameters added to its query.
pub(crate) fn with(uri: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    let between = match uri.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some((_, query)) if query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{uri}{between}{}", query.finish())
}

/// What a content security policy must allow a form to lead to.
pub(crate) fn source(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    match (url.scheme(), url.host()) {
        // The policy's grammar has no IPv6 addresses.
        ("http" | "https", Some(Host::Ipv6(_))) => Some(format!("{}:", url.scheme())),
        ("http" | "https", _) => Some(url.origin().ascii_serialization()),
        (scheme, _) => Some(format!("{scheme}:")),
    }
}

/// Where it leads, for people.
pub(crate) fn place(uri: &str) -> String {
    let url = Url::parse(uri).ok();
    if url.as_ref().is_some_and(loopback) {
        return "on this device".to_owned();
    }
    let host = url.as_ref().and_then(Url::host_str).map(str::to_owned);
    host.or_else(|| url.map(|url| url.scheme().to_owned()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_uris_that_lead_to_the_client_alone_are_registered() {
        for good in [
            "https://app.example/cb",
            "https://app.example:8443/cb?tenant=1",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:9999/cb",
            "http://[::1]/cb",
        ] {
            assert_eq!(check(good, false), Ok(()), "{good}");
        }
        assert_eq!(check("com.example.app:/cb", true), Ok(()));
        for bad in [
            "",
            "/cb",
            "http://app.example/cb",
            "http://localhost/cb",
            "https://app.example/cb#x",
            "https://*.app.example/cb",
            "https://user:pw@app.example/cb",
            "https://app.example/c b",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "com.example.app:/cb",
            "myapp:/cb",
        ] {
            assert!(check(bad, false).is_err(), "{bad}");
        }
        assert!(check("myapp:/cb", true).is_err());
    }

    #[test]
    fn a_redirect_uri_is_compared_to_the_letter_but_for_a_loopback_port() {
        let registered = "https://app.example/cb";
        assert!(means(registered, registered));
        for other in [
            "https://app.example/cb/",
            "https://app.example/CB",
            "https://app.example:443/cb",
            "https://app.example/cb?x=1",
            "https://app.example.evil.example/cb",
            "https://app.example/cb/../evil",
            "https://app.example@evil.example/cb",
        ] {
            assert!(!means(registered, other), "{other}");
        }
        let native = "http://127.0.0.1/cb";
        assert!(means(native, "http://127.0.0.1:51004/cb"));
        assert!(means("http://127.0.0.1:1/cb", "http://127.0.0.1:2/cb"));
        assert!(means("http://[::1]/cb", "http://[::1]:51004/cb"));
        for other in [
            "http://127.0.0.1:51004/other",
            "http://127.0.0.1:51004@evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1:99999/cb",
            "http://localhost:51004/cb",
            "https://127.0.0.1:51004/cb",
            "http://[::1]:51004/cb",
        ] {
            assert!(!means(native, other), "{other}");
        }
    }

    #[test]
    fn an_answer_is_added_to_the_query_that_is_there() {
        let added = [("code", "a b"), ("iss", "http://x")];
        let uri = |uri| with(uri, &added);
        assert_eq!(
            uri("https://a/cb"),
            "https://a/cb?code=a+b&iss=http%3A%2F%2Fx"
        );
        assert_eq!(
            uri("https://a/cb?t=1"),
            "https://a/cb?t=1&code=a+b&iss=http%3A%2F%2Fx"
        );
        assert_eq!(uri("c.b.a:/cb"), "c.b.a:/cb?code=a+b&iss=http%3A%2F%2Fx");
        assert_eq!(place("http://127.0.0.1:7/cb"), "on this device");
        assert_eq!(place("https://a.example/cb"), "a.example");
        assert_eq!(
            source("https://a.example:8443/cb").unwrap(),
            "https://a.example:8443"
        );
        assert_eq!(source("http://[::1]:7/cb").unwrap(), "http:");
        assert_eq!(source("com.example.app:/cb").unwrap(), "com.example.app:");
    }
}
