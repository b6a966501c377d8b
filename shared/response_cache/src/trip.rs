//! One way to the origin and back: asking, judging the answer, reading its body, storing it.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::oneshot;

use crate::body::Body;
use crate::buffer::{Broken, Buffer, Reader};
use crate::cache::ResponseCache;
use crate::codec::Mark;
use crate::directives::{Directives, Wishes};
use crate::flight::{FetchError, Flight, Landing};
use crate::freshness::Exchange;
use crate::hit::Hit;
use crate::key::Key;
use crate::policy::storable;
use crate::rule::Rule;
use crate::serve::Fetch;
use crate::status_field::{Handling, Reason};
use crate::stored::{Stored, clean, drop_conditions, head};

/// A request that the cache could not answer by itself.
#[derive(Clone)]
pub(crate) struct Trip {
    pub(crate) cache: ResponseCache,
    pub(crate) key: Key,
    pub(crate) rule: Arc<Rule>,
    pub(crate) request: Parts,
    pub(crate) fetch: Fetch,
    /// What is stored, but may not be given without asking.
    pub(crate) stale: Option<Arc<Stored>>,
    pub(crate) reason: Reason,
    /// The purges on Redis that the answer will have seen.
    pub(crate) mark: Option<Mark>,
}

/// Ends a body when its trip does, whatever the reason: readers must not wait for ever.
struct Ending(Arc<Buffer>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.finish(Err(Broken::Origin));
    }
}

impl Trip {
    /// Makes the trip and says how it ended. The answer that is for this very request goes to
    /// `own`, where it is not that of all.
    pub(crate) async fn fly(mut self, mut flight: Flight, own: oneshot::Sender<Response<Body>>) {
        if self.stale.is_none() && self.recalled(&flight).await {
            return;
        }
        let seen = self.cache.0.seen();
        self.mark = self
            .cache
            .0
            .shared
            .as_ref()
            .and_then(|shared| shared.remote.mark());
        let (response, exchange) = match self.ask().await {
            Ok(answered) => answered,
            Err(error) => {
                flight.land(self.failed(None).unwrap_or(Landing::Failed(error)));
                return;
            }
        };
        let status = response.status();
        if let Some(landing) = is_failure(status)
            .then(|| self.failed(Some(status)))
            .flatten()
        {
            flight.land(landing);
            return;
        }
        let validated = self
            .stale
            .clone()
            .filter(|_| status == StatusCode::NOT_MODIFIED && self.is_validating());
        if let Some(stale) = validated {
            let landing = self.confirmed(&stale, &response, exchange, seen, own);
            flight.land(landing);
            return;
        }
        let directives = Directives::of_response(response.headers());
        let selectors = Some(())
            .filter(|()| self.request.method == Method::GET && self.fits(&response))
            .and_then(|()| {
                let asked = &self.request.headers;
                let headers = response.headers();
                storable(asked, status, headers, &directives, &self.rule, exchange)
            });
        let Some(selectors) = selectors else {
            self.reconsider(&response, exchange, seen);
            if self.request.method == Method::GET && !is_failure(status) {
                flight.keep_apart();
            }
            self.unshared(response, own);
            flight.land(Landing::Unshared);
            return;
        };
        let (parts, body) = response.into_parts();
        // What must not be stored is for whoever asked, and nobody else.
        let own_fields = (!directives.unstored_fields.is_empty()).then(|| {
            let mut fields = parts.headers.clone();
            clean(&mut fields, &self.rule);
            fields
        });
        let stored = Arc::new(head(
            status,
            parts.headers,
            &directives,
            &self.rule,
            selectors,
            exchange,
            seen,
        ));
        self.cache.0.flights.join_again(&self.key);
        let buffer = Arc::new(Buffer::default());
        let ending = Ending(Arc::clone(&buffer));
        let handling = self.handling(None, true);
        // The first reader sits down before the body begins, lest it run past him.
        if let Some(reader) = Reader::new(&buffer) {
            let fields = own_fields.unwrap_or_else(|| stored.headers.clone());
            // The client may be gone.
            let _ = own.send(self.arriving(&stored, fields, reader, handling));
        }
        flight.land(Landing::Arriving(Arc::clone(&stored), buffer, handling));
        if let Some(body) = self.read(&stored, body, &ending.0, &mut flight).await {
            self.keep(&Arc::new(stored.with_body(body)));
            ending.0.finish(Ok(()));
        }
    }

    /// Lands with what another instance has stored. Returns whether that is all; what is stale is
    /// validated, and given meanwhile where that is allowed.
    async fn recalled(&mut self, flight: &Flight) -> bool {
        let cache = &self.cache.0;
        let asked = &self.request.headers;
        let recalled = cache
            .recall(&self.key, &self.rule, asked, self.cache.now())
            .await;
        let Some(stored) = recalled else {
            return false;
        };
        let now = self.cache.now();
        cache.keep(&self.key, &stored, now);
        let hit = Handling::Hit {
            ttl: Hit::new(Arc::clone(&stored), now).ttl(),
        };
        let wishes = Wishes::of_request(asked);
        let suffices = stored
            .freshness
            .suffices(stored.remaining(now), now, &wishes);
        let meanwhile = wishes == Wishes::default() && stored.may_be_stale_while_revalidated(now);
        if suffices || meanwhile {
            flight.land(Landing::Whole(Arc::clone(&stored), hit));
        }
        self.stale = Some(stored);
        self.reason = Reason::Stale;
        suffices
    }

    fn is_validating(&self) -> bool {
        self.request.method == Method::GET
            && self
                .stale
                .as_ref()
                .is_some_and(|stale| stale.has_validator())
    }

    /// Asks the origin, under the conditions of what is stored. A 304 that speaks of something else
    /// leads to asking again without any.
    async fn ask(&mut self) -> Result<(Response<Body>, Exchange), FetchError> {
        loop {
            let mut request = self.request.clone();
            if let Some(stale) = self
                .stale
                .as_ref()
                .filter(|_| request.method == Method::GET)
            {
                stale.add_conditions(&mut request.headers);
            }
            let asked = self.cache.now();
            let response = (self.fetch)(request).await.map_err(FetchError::new)?;
            let exchange = Exchange {
                asked,
                answered: self.cache.now(),
            };
            let speaks_of_another = response.status() == StatusCode::NOT_MODIFIED
                && self.is_validating()
                && self
                    .stale
                    .as_ref()
                    .is_some_and(|stale| !stale.is_meant_by(response.headers()));
            if !speaks_of_another {
                return Ok((response, exchange));
            }
            if let Some(stale) = self.stale.take() {
                drop_conditions(&mut self.request.headers);
                self.cache.0.store.remove(&self.key, &stale);
            }
        }
    }

    /// Passes on what may not be stored.
    fn unshared(&self, mut response: Response<Body>, own: oneshot::Sender<Response<Body>>) {
        clean(response.headers_mut(), &self.rule);
        self.handling(None, false).add_to(response.headers_mut());
        // The client may be gone.
        let _ = own.send(response);
    }

    /// Whether the body is known not to be too large to store.
    fn fits(&self, response: &Response<Body>) -> bool {
        let limit = self.cache.0.options.max_object_bytes;
        declared_length(response.headers()).is_none_or(|length| length <= limit)
    }

    /// Reads the body at the origin's speed. `None` when it broke off or is too large to store.
    async fn read(
        &self,
        head: &Stored,
        mut body: Body,
        buffer: &Buffer,
        flight: &mut Flight,
    ) -> Option<Bytes> {
        let limit = self.cache.0.options.max_object_bytes;
        let mut whole = true;
        while let Some(frame) = body.frame().await {
            // Trailers are dropped (RFC 9111 §3.1 leaves that free).
            let Ok(chunk) = frame.ok()?.into_data() else {
                continue;
            };
            buffer.push(chunk);
            if whole && buffer.bytes() > limit {
                whole = false;
                flight.close();
            }
            if !whole && !buffer.make_room(limit).await {
                return None;
            }
        }
        if !whole {
            buffer.finish(Ok(()));
            return None;
        }
        let body = buffer.whole();
        let complete = declared_length(&head.headers).is_none_or(|length| length == body.len());
        complete.then_some(body)
    }

    pub(crate) fn keep(&self, stored: &Arc<Stored>) {
        let (cache, now) = (&self.cache.0, self.cache.now());
        cache.keep(&self.key, stored, now);
        if let Some(shared) = &cache.shared {
            shared.offer(&self.key, &self.rule, self.mark.as_ref(), stored, now);
        }
    }

    pub(crate) fn handling(&self, status: Option<StatusCode>, stored: bool) -> Handling {
        Handling::Forwarded {
            reason: self.reason,
            status: status.map(|status| status.as_u16()),
            stored,
            collapsed: false,
        }
    }
}

/// The failures for which a stale answer may stand in (RFC 5861 §4).
fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

pub(crate) fn declared_length(headers: &http::HeaderMap) -> Option<usize> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
