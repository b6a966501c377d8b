//! What the origin's answer says of the answer that is stored: that it is right, or wrong, or still
//! better than none.

use std::sync::Arc;

use http::{HeaderMap, Method, Response, StatusCode, header};
use tokio::sync::oneshot;

use crate::body::Body;
use crate::directives::Directives;
use crate::flight::Landing;
use crate::freshness::Exchange;
use crate::hit::Hit;
use crate::policy::storable;
use crate::stored::{Stored, head};
use crate::trip::{Trip, declared_length};

impl Trip {
    /// What is given in place of a failure (RFC 5861 §4).
    pub(crate) fn failed(&self, status: Option<StatusCode>) -> Option<Landing> {
        let stale = self.stale.as_ref()?;
        if !stale.may_be_stale_on_error(self.cache.now()) {
            return None;
        }
        self.cache.0.counters.stale.increment();
        Some(Landing::Whole(
            Arc::clone(stale),
            self.handling(status, false),
        ))
    }

    /// The stored answer is right: its fields are brought up to date (RFC 9111 §4.3.4).
    pub(crate) fn confirmed(
        &self,
        stale: &Arc<Stored>,
        response: &Response<Body>,
        exchange: Exchange,
        seen: u64,
        own: oneshot::Sender<Response<Body>>,
    ) -> Landing {
        self.cache.0.counters.revalidations.increment();
        let handling = self.handling(Some(response.status()), false);
        let (stored, keeps) = self.refreshed(stale, response.headers(), exchange, seen);
        if keeps {
            return Landing::Whole(stored, handling);
        }
        let hit = Hit::new(stored, self.cache.now());
        let response = hit.respond_as(&self.request.method, &self.request.headers, handling);
        // The client may be gone.
        let _ = own.send(response);
        Landing::Unshared
    }

    /// The stored answer with newer fields, and whether it is kept with them.
    fn refreshed(
        &self,
        stale: &Arc<Stored>,
        newer: &HeaderMap,
        exchange: Exchange,
        seen: u64,
    ) -> (Arc<Stored>, bool) {
        let fields = stale.updated_fields(newer);
        let directives = Directives::of_response(&fields);
        let asked = &self.request.headers;
        let (status, rule) = (stale.status, &self.rule);
        let selectors = storable(asked, status, &fields, &directives, rule, exchange);
        let keeps = selectors.is_some();
        let selectors = selectors.unwrap_or_default();
        let head = head(status, fields, &directives, rule, selectors, exchange, seen);
        let stored = Arc::new(head.with_body(stale.body.clone()));
        if keeps {
            self.keep(&stored);
        } else {
            self.cache.0.store.remove(&self.key, stale);
        }
        (stored, keeps)
    }

    /// An answer that is not stored shows that what is stored is no longer right; one to a `HEAD` may
    /// also show that it is (RFC 9111 §4.3.5).
    pub(crate) fn reconsider(&self, response: &Response<Body>, exchange: Exchange, seen: u64) {
        let status = response.status();
        let Some(stale) = self
            .stale
            .as_ref()
            .filter(|_| tells_of_the_resource(status))
        else {
            return;
        };
        let is_head = self.request.method == Method::HEAD;
        if is_head && status == stale.status && describes(response.headers(), stale) {
            self.refreshed(stale, response.headers(), exchange, seen);
        } else {
            self.cache.0.store.remove(&self.key, stale);
        }
    }
}

/// Whether the status says how the resource is now, rather than what is wrong with a request or with the
/// origin.
fn tells_of_the_resource(status: StatusCode) -> bool {
    let is_change = status.is_success() || status.is_redirection();
    (is_change && status != StatusCode::NOT_MODIFIED)
        || matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE)
}

/// Whether the fields of an answer to a `HEAD` are those of the stored body, as far as they say.
fn describes(fields: &HeaderMap, stored: &Stored) -> bool {
    let agrees = [header::ETAG, header::LAST_MODIFIED].iter().all(|name| {
        fields
            .get(name)
            .is_none_or(|value| stored.headers.get(name) == Some(value))
    });
    agrees && declared_length(fields).is_none_or(|length| length == stored.body.len())
}
