//! What is done with a request: answered from memory, joined to a flight, or passed on.

use std::pin::Pin;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode, Uri, header};
use tokio::sync::oneshot;

use crate::body::{Body, BoxError, empty};
use crate::buffer::Reader;
use crate::cache::{Lookup, ResponseCache};
use crate::conditions::{Portion, is_conditional, is_for_the_origin, portion};
use crate::directives::Wishes;
use crate::flight::{Arrivals, FetchError, Flight, Joined, Landing};
use crate::hit::{Hit, not_modified_fields};
use crate::key::Key;
use crate::purge::{Purge, Scope};
use crate::rule::Rule;
use crate::status_field::{Handling, Reason};
use crate::stored::{Stored, clean};
use crate::trip::Trip;

/// The origin's answer on its way.
pub type Fetching = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

/// Asks the origin. It is given the request's head, to which conditions may have been added; a body it
/// brings itself. It is called at most once for a request whose method is not `GET` or `HEAD`, perhaps
/// more often for one that is, and gives up by itself after some time.
pub type Fetch = Arc<dyn Fn(Parts) -> Fetching + Send + Sync>;

impl ResponseCache {
    /// Answers a request: from the cache, from the origin, or from what another request just got.
    ///
    /// Without a key, and under a rule that is off, the request is passed on. A method that may change
    /// things is passed on too; when it succeeds, what is stored for its URI, and for the URIs of the
    /// same origin that the answer names, is removed (RFC 9111 §4.4). Every answer has `Cache-Status`.
    ///
    /// # Errors
    /// The fetch's error, when nothing stored may be given in its place.
    pub async fn serve(
        &self,
        key: Option<&Key>,
        rule: &Arc<Rule>,
        request: Parts,
        fetch: Fetch,
    ) -> Result<Response<Body>, FetchError> {
        let cacheable = matches!(request.method, Method::GET | Method::HEAD);
        if !cacheable {
            return self.pass_on(rule, request, fetch, Reason::Method).await;
        }
        let wishes = Wishes::of_request(&request.headers);
        let Some(key) = key.filter(|_| rule.enabled && !is_for_the_origin(&request.headers)) else {
            return self.pass_on(rule, request, fetch, Reason::Bypass).await;
        };
        if wishes.no_store {
            return self.pass_on(rule, request, fetch, Reason::Request).await;
        }
        let now = self.now();
        let (stale, reason) = match self.0.look(key, &request.headers, &wishes, now) {
            Lookup::Fresh(hit) => return Ok(hit.respond(&request.method, &request.headers)),
            Lookup::Stale(hit) => {
                let reason =
                    if hit.stored().remaining(now) > 0 && !hit.stored().freshness.always_validate {
                        Reason::Request
                    } else {
                        Reason::Stale
                    };
                if wishes == Wishes::default() && hit.stored().may_be_stale_while_revalidated(now) {
                    return Ok(self.revalidate_behind(key, rule, request, fetch, &hit));
                }
                (Some(Arc::clone(hit.stored())), reason)
            }
            Lookup::Miss {
                other_variants: true,
            } => (None, Reason::VaryMiss),
            Lookup::Miss {
                other_variants: false,
            } => (None, Reason::UriMiss),
        };
        if wishes.only_if_cached {
            return Ok(refused());
        }
        self.0.counters.misses.increment();
        let trip = Trip {
            cache: self.clone(),
            key: key.clone(),
            rule: Arc::clone(rule),
            request,
            fetch,
            stale,
            reason,
            mark: None,
        };
        trip.answer(&wishes).await
    }

    /// Gives the stale answer and has it validated meanwhile, once for all (RFC 5861 §3).
    fn revalidate_behind(
        &self,
        key: &Key,
        rule: &Arc<Rule>,
        request: Parts,
        fetch: Fetch,
        hit: &Hit,
    ) -> Response<Body> {
        self.0.counters.stale.increment();
        let response = hit.respond(&request.method, &request.headers);
        if let Joined::First(flight, _) = self.0.flights.join(key) {
            let trip = Trip {
                cache: self.clone(),
                key: key.clone(),
                rule: Arc::clone(rule),
                // A HEAD would bring no body to store.
                request: with_method(request, Method::GET),
                fetch,
                stale: Some(Arc::clone(hit.stored())),
                reason: Reason::Stale,
                mark: None,
            };
            let (own, _) = oneshot::channel();
            tokio::spawn(trip.fly(flight, own));
        }
        response
    }

    async fn pass_on(
        &self,
        rule: &Rule,
        request: Parts,
        fetch: Fetch,
        reason: Reason,
    ) -> Result<Response<Body>, FetchError> {
        let changes = !request.method.is_safe();
        let uri = request.uri.clone();
        let authority = authority(&request);
        let mut response = fetch(request).await.map_err(FetchError::new)?;
        let succeeded = response.status().is_success() || response.status().is_redirection();
        if changes && succeeded {
            let answer = response.headers();
            self.invalidate(rule, &uri, authority.as_deref(), answer)
                .await;
        }
        clean(response.headers_mut(), rule);
        Handling::forwarded(reason).add_to(response.headers_mut());
        Ok(response)
    }

    /// Removes what a request that was not safe may have made wrong, when it succeeded: what is stored
    /// for its URI, and for the URIs of the same origin that its answer names (RFC 9111 §4.4). `authority`
    /// is the request's own, without which an answer names nothing of the same origin but paths. For
    /// requests that [`ResponseCache::serve`] did not pass on, for it does this by itself.
    pub async fn invalidate(
        &self,
        rule: &Rule,
        uri: &Uri,
        authority: Option<&str>,
        answer: &HeaderMap,
    ) {
        let mut scopes = vec![Scope::uri(uri, &rule.ignored_query)];
        for name in [header::LOCATION, header::CONTENT_LOCATION] {
            let named = named_uri(answer, &name, uri, authority);
            scopes.extend(named.map(|uri| Scope::uri(&uri, &rule.ignored_query)));
        }
        scopes.dedup();
        for scope in scopes {
            // An instance that is not told yet is told later.
            let _ = self.purge(&Purge { scope, soft: false }).await;
        }
    }
}

impl Trip {
    /// Joins the flight for the key, or makes one of its own where the request wants more than others.
    pub(crate) async fn answer(self, wishes: &Wishes) -> Result<Response<Body>, FetchError> {
        let plain = self.stale.is_some()
            || (!is_conditional(&self.request.headers)
                && !self.request.headers.contains_key(header::RANGE));
        let joins = self.request.method == Method::GET
            && plain
            && *wishes == Wishes::default()
            && self.reason != Reason::Request;
        if !joins {
            return self.alone().await;
        }
        match self.cache.0.flights.join(&self.key) {
            Joined::First(flight, arrivals) => self.depart(flight, arrivals).await,
            Joined::Later(arrivals) => match self.shared(arrivals.landing().await, true) {
                Some(answer) => {
                    self.cache.0.counters.collapsed.increment();
                    answer
                }
                None => self.alone().await,
            },
            Joined::Apart => self.alone().await,
        }
    }

    async fn alone(self) -> Result<Response<Body>, FetchError> {
        let (flight, arrivals) = Flight::alone();
        self.depart(flight, arrivals).await
    }

    /// Makes the flight in a task of its own: a client that goes away ends it for nobody.
    async fn depart(
        self,
        flight: Flight,
        arrivals: Arrivals,
    ) -> Result<Response<Body>, FetchError> {
        let (sender, mut own) = oneshot::channel();
        tokio::spawn(self.clone().fly(flight, sender));
        let landing = arrivals.landing().await;
        if let Ok(response) = own.try_recv() {
            return Ok(response);
        }
        match self.shared(landing, false) {
            Some(answer) => answer,
            None => own
                .await
                .map_err(|_| FetchError::new("the fetch ended without an answer".into())),
        }
    }

    /// The answer of a flight, if this request can have it.
    fn shared(
        &self,
        landing: Landing,
        collapsed: bool,
    ) -> Option<Result<Response<Body>, FetchError>> {
        let handled = |handling: Handling| {
            if collapsed {
                handling.collapsed()
            } else {
                handling
            }
        };
        let (method, headers) = (&self.request.method, &self.request.headers);
        match landing {
            Landing::Whole(stored, handling) if stored.is_selected_by(headers) => {
                let hit = Hit::new(stored, self.cache.now());
                Some(Ok(hit.respond_as(method, headers, handled(handling))))
            }
            Landing::Arriving(head, buffer, handling) if head.is_selected_by(headers) => {
                let reader = Reader::new(&buffer)?;
                let handling = handled(handling);
                Some(Ok(self.arriving(
                    &head,
                    head.headers.clone(),
                    reader,
                    handling,
                )))
            }
            Landing::Failed(error) => Some(Err(error)),
            _ => None,
        }
    }

    /// The response whose body is still on its way, with these fields.
    pub(crate) fn arriving(
        &self,
        head: &Stored,
        fields: HeaderMap,
        reader: Reader,
        handling: Handling,
    ) -> Response<Body> {
        let (method, request) = (&self.request.method, &self.request.headers);
        let wanted = portion(method, request, head.status, &fields, None);
        let mut response = if wanted == Portion::NotModified {
            let mut response = Response::new(empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.headers_mut() = not_modified_fields(&fields);
            response
        } else {
            let mut response = Response::new(Body::new(reader));
            *response.status_mut() = head.status;
            *response.headers_mut() = fields;
            response
        };
        // Of age zero is whatever does not come from another cache.
        let age = head.freshness.age(self.cache.now()) / 1_000;
        if age > 0 {
            response.headers_mut().insert(header::AGE, age.into());
        }
        handling.add_to(response.headers_mut());
        response
    }
}

fn with_method(mut request: Parts, method: Method) -> Parts {
    request.method = method;
    request
}

/// The answer to `only-if-cached` when nothing is there (RFC 9111 §5.2.1.7).
fn refused() -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
    Handling::Refused.add_to(response.headers_mut());
    response
}

fn authority(request: &Parts) -> Option<String> {
    let host = || request.headers.get(header::HOST)?.to_str().ok();
    let own = request.uri.authority().map(|authority| authority.as_str());
    own.or_else(host).map(str::to_owned)
}

/// The URI in a field of the answer, if it is of the same origin.
fn named_uri(
    answer: &HeaderMap,
    name: &HeaderName,
    base: &Uri,
    authority: Option<&str>,
) -> Option<Uri> {
    let text = answer.get(name)?.to_str().ok()?;
    if text.starts_with('/') && !text.starts_with("//") {
        return text.parse().ok();
    }
    let network = text.strip_prefix("//");
    if let Some(rest) = network.or_else(|| Some(text.split_once("://")?.1)) {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at_checked(end)?;
        let same = authority.is_some_and(|own| own.eq_ignore_ascii_case(host));
        return if same { path.parse().ok() } else { None };
    }
    let (folder, _) = base.path().rsplit_once('/')?;
    format!("{folder}/{text}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(value: &str) -> Option<String> {
        let mut answer = HeaderMap::new();
        answer.insert(header::LOCATION, value.parse().unwrap());
        let base = "/orders/7?x".parse().unwrap();
        let uri = named_uri(&answer, &header::LOCATION, &base, Some("api.example:80"))?;
        Some(uri.to_string())
    }

    #[test]
    fn only_uris_of_the_same_origin_are_invalidated() {
        assert_eq!(named("/orders/8").as_deref(), Some("/orders/8"));
        assert_eq!(named("8").as_deref(), Some("/orders/8"));
        assert_eq!(named("http://API.example:80/a?b").as_deref(), Some("/a?b"));
        assert_eq!(named("http://api.example.org/a"), None);
        assert_eq!(named("//other.example/a"), None);
    }
}
