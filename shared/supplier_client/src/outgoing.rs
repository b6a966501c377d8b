//! From a [`WireRequest`] to what goes on the wire: where the path meets the base URL, and which headers
//! are added.

use http::HeaderName;
use tokio::time::Instant;
use url::{Position, Url};

use crate::CallCx;
use crate::auth::Signable;
use crate::client::ApiClient;
use crate::engine::Outgoing;
use crate::error::{Sent, SupplierError, SupplierErrorKind};
use crate::oauth2::AccessToken;
use crate::wire::WireRequest;

/// How long one of our own services may take. Milliseconds.
const DEADLINE: HeaderName = HeaderName::from_static("x-interline-deadline-ms");

impl ApiClient {
    /// The request as it is sent. `until` is when this attempt is given up.
    pub(crate) fn outgoing(
        &self,
        cx: &CallCx,
        request: &WireRequest,
        token: Option<&AccessToken>,
        until: Instant,
    ) -> Result<Outgoing, SupplierError> {
        if let Some(fault) = request.fault() {
            return Err(invalid(fault));
        }
        let query = request.encoded_query();
        let url = join(&self.config.base_url, request.path(), query.as_deref())
            // The path itself may hold what a client sent.
            .ok_or_else(|| invalid("the path would not arrive as written"))?;
        let mut headers = self.headers.clone();
        for (name, value) in request.headers() {
            headers.insert(name.clone(), value.clone());
        }
        cx.correlation.apply(&mut headers);
        if self.config.internal {
            let left = until.saturating_duration_since(Instant::now()).as_millis();
            let left = u64::try_from(left).unwrap_or(u64::MAX);
            headers.insert(DEADLINE, left.into());
        }
        let signable = Signable {
            method: request.method(),
            target: &url[Position::BeforePath..],
            body: request.body_bytes(),
            now: self.clock.now(),
        };
        self.auth.apply(token, &signable, &mut headers)?;
        Ok(Outgoing {
            method: request.method().clone(),
            url,
            headers,
            body: request.body_bytes().clone(),
        })
    }
}

/// The base URL's prefix followed by the request's path, byte for byte. None for a path that the URL
/// standard would rewrite (`..`, `?`, a space): it would reach another resource than was meant.
pub(crate) fn join(base: &Url, below: &str, query: Option<&str>) -> Option<Url> {
    let path = format!("{}{below}", base.path().trim_end_matches('/'));
    let mut url = base.clone();
    url.set_path(&path);
    url.set_query(query);
    (below.starts_with('/') && url.path() == path).then_some(url)
}

fn invalid(detail: &str) -> SupplierError {
    SupplierError::new(SupplierErrorKind::InvalidRequest, detail).with_sent(Sent::No)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, path: &str) -> Option<String> {
        let request = WireRequest::get("read", path)
            .query("q", "a b&c=ü")
            .query("q", 2);
        let query = request.encoded_query();
        let url = join(&base.parse().unwrap(), request.path(), query.as_deref());
        url.map(|url| url.to_string())
    }

    #[test]
    fn the_base_urls_prefix_is_kept_and_the_query_encoded() {
        for base in ["http://h:1/v2", "http://h:1/v2/"] {
            let url = joined(base, "/air/offers/off_1%2F2").unwrap();
            assert_eq!(
                url,
                "http://h:1/v2/air/offers/off_1%2F2?q=a%20b%26c%3D%C3%BC&q=2"
            );
        }
        assert!(
            joined("http://h:1", "/a//b")
                .unwrap()
                .starts_with("http://h:1/a//b?")
        );
    }

    #[test]
    fn a_path_that_would_be_rewritten_is_refused() {
        for path in [
            "",
            "air",
            "/a/../b",
            "/a/./b",
            "/a/%2e%2E/b",
            "/a?x=1",
            "/a#b",
            "/a b",
            "/a\\b",
            "/ü",
            "/a\n",
            "//evil.example/../x",
        ] {
            assert_eq!(joined("http://h:1/v2", path), None, "{path:?}");
        }
    }
}
