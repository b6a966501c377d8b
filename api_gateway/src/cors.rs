//! Cross-origin requests of browsers (Fetch standard §3.2): an explicit list of origins, nothing by
//! pattern. Credentials travel in `Authorization`, never in cookies, so none are allowed here.

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_engine::Outgoing;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, X-API-Key, Content-Type, Accept, Accept-Language, Idempotency-Key, If-Match, If-None-Match, X-Request-Id, Traceparent",
);
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "X-Request-Id, Location, ETag, Retry-After, Idempotent-Replayed, RateLimit, RateLimit-Policy, Cache-Status, Age, Deprecation, Sunset",
);
/// Seconds that a browser may remember a preflight.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The origins whose pages may read answers.
#[derive(Debug)]
pub(crate) struct Cors {
    origins: Vec<HeaderValue>,
}

impl Cors {
    /// A list of serialised origins: scheme, host, and port unless it is the scheme's own.
    ///
    /// # Errors
    /// Names the entry that is none, `*` and `null` among them.
    pub(crate) fn new(origins: &[String]) -> Result<Self, String> {
        let origins = origins
            .iter()
            .map(|text| {
                let serialised = url::Url::parse(text)
                    .ok()
                    .filter(|url| matches!(url.scheme(), "http" | "https"))
                    .map(|url| url.origin().ascii_serialization());
                if serialised.as_ref() != Some(text) {
                    return Err(format!(
                        "cors.origins: '{text}' is not an origin such as https://shop.example"
                    ));
                }
                HeaderValue::from_str(text).map_err(|error| error.to_string())
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { origins })
    }

    /// The request's origin if its pages may read the answer.
    fn admitted(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut values = headers.get_all(header::ORIGIN).iter();
        let origin = values.next().filter(|origin| self.origins.contains(origin));
        origin.filter(|_| values.next().is_none()).cloned()
    }

    /// The answer to a preflight; none for any other request. Without an admitted origin the answer
    /// allows nothing, and the browser refuses.
    pub(crate) fn preflight(&self, request: &Parts) -> Option<Response<Outgoing>> {
        let headers = &request.headers;
        let asks = request.method == Method::OPTIONS
            && headers.contains_key(header::ORIGIN)
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !asks {
            return None;
        }
        let mut response = Response::new(Outgoing::Empty);
        *response.status_mut() = StatusCode::NO_CONTENT;
        if self.admitted(headers).is_some() {
            let fields = response.headers_mut();
            fields.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            fields.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            fields.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
        Some(response)
    }

    /// What goes on every answer. `Vary` also where the origin was not admitted: a cache in between
    /// must not give that answer to one that is.
    pub(crate) fn put(&self, asked: &HeaderMap, answer: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        answer.append(header::VARY, HeaderValue::from_name(header::ORIGIN));
        if let Some(origin) = self.admitted(asked) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_serialised_origins_are_taken() {
        for good in [
            "https://shop.example",
            "http://localhost:3000",
            "http://[::1]:3000",
        ] {
            assert!(Cors::new(&[good.to_owned()]).is_ok(), "{good}");
        }
        for bad in [
            "*",
            "null",
            "shop.example",
            "https://shop.example/",
            "https://*.example/a",
            "https://SHOP.example",
            "https://shop.example:443",
            "file:///x",
        ] {
            assert!(Cors::new(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
