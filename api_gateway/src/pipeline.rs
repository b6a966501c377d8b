//! The life of a request in the gateway. [`Pipeline::phases`] is the order of everything that happens
//! to it, and the only place where that order stands. `gateway.rs` has already given it its ids and its
//! deadline, and turns an [`ApiError`] into the envelope or `problem+json`.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use auth::{HopSigner, Identity};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Response, Uri, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full};
use http_engine::{BoxError, Incoming, Outgoing, Peer};
use moka::sync::Cache;
use response_cache::{Fetch, Purge, ResponseCache, Rule, Scope};
use service_kit::error::codes;
use service_kit::{ApiError, Cx, Need};
use telemetry::Correlation;
use tokio::time::{Instant, timeout_at};
use travel_types::Clock;
use travel_types::jiff::{SignedDuration, Timestamp};

use crate::authenticate::{Authenticator, Caller};
use crate::catalog::Class;
use crate::client_address::Proxies;
use crate::cors::Cors;
use crate::pages::Pages;
use crate::rates::{Counted, Rates, Standing};
use crate::routes::{Entry, Found, Table, Target};
use crate::upstream::Upstreams;
use crate::validate::Forwarded;
use crate::{answers, forward, front, path, validate};

/// How long a signed identity is used again; services believe it for a minute.
const IDENTITY_REUSE: SignedDuration = SignedDuration::from_secs(30);

/// A signed identity. Its age is told by the clock that it was signed by, as services tell it: another
/// clock may stand still or jump.
#[derive(Clone)]
pub(crate) struct Signed {
    value: HeaderValue,
    at: Timestamp,
}

impl Signed {
    fn is_fresh(&self, now: Timestamp) -> bool {
        // Signed "later" than now, it is of a time that the clock went back from.
        self.at <= now && now.duration_since(self.at) < IDENTITY_REUSE
    }
}

/// Everything that decides about requests.
pub(crate) struct Pipeline {
    pub(crate) table: Table,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) authenticator: Authenticator,
    pub(crate) signer: HopSigner,
    /// By everything that goes into a signed identity, so that a hit is what signing would give.
    pub(crate) signed: Cache<(usize, Identity), Signed>,
    pub(crate) clock: Clock,
    pub(crate) proxies: Proxies,
    pub(crate) cors: Cors,
    pub(crate) pages: Pages,
    pub(crate) max_body: usize,
    pub(crate) rates: Rates,
    pub(crate) answers: ResponseCache,
}

/// A request as it came.
pub(crate) struct Arrived<'r> {
    pub(crate) parts: &'r Parts,
    pub(crate) body: Incoming,
    pub(crate) peer: Peer,
    pub(crate) started: Instant,
}

/// What is known of a request when its answer is dressed and counted.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) entry: Option<Arc<Entry>>,
    pub(crate) authenticated: bool,
    /// What is left of the caller's limit.
    pub(crate) standing: Option<Standing>,
    /// Whether the answer already says who may keep it.
    pub(crate) says_cache_control: bool,
}

impl Pipeline {
    /// THE order of phases.
    pub(crate) async fn phases(
        self: &Arc<Self>,
        cx: &Cx,
        arrived: Arrived<'_>,
        seen: &mut Seen,
    ) -> Result<Response<Outgoing>, ApiError> {
        let request = arrived.parts;
        // Tunnelling and reflecting methods have targets of their own kind: refuse them before reading one.
        front::check_method(&request.method)?;
        // Decoded once, before any decision: what is authorised must be what the service gets.
        let path =
            path::canonical(&request.uri).map_err(|_| ApiError::new(&codes::AMBIGUOUS_PATH))?;
        // Of two hosts or two credentials another reader might take the other one.
        front::check_host_and_credentials(request)?;
        // Browsers send no credentials with a preflight, so it is answered before they are asked for.
        if let Some(answer) = self.cors.preflight(request) {
            return Ok(answer);
        }
        // Refusing a body must cost less than sending it: before any cryptography.
        let body = front::bound_body(&request.headers, arrived.body, self.max_body)?;
        // Only a look: whether credentials are needed depends on it, but 404 and 405 wait until they are shown.
        let found = self.table.find(&request.method, &path);
        // Who is calling; everything below /api/ that is not declared public wants to know.
        let caller = if needs_credentials(&found, &path) {
            self.authenticator.caller(&request.headers, cx).await?
        } else {
            Caller::nobody()
        };
        seen.authenticated = !caller.identity.is_anonymous();
        // Now the caller may learn what does not exist.
        let entry = existing(found)?;
        seen.entry = Some(Arc::clone(&entry));
        let client = self
            .proxies
            .client(arrived.peer.address.ip(), &request.headers);
        // One too many costs nothing but this.
        if let Target::Upstream(_) = entry.target {
            let counted = Counted {
                caller: &caller.identity,
                high_rate: caller.high_rate,
                address: client,
                class: entry.class,
                route: &entry.label,
                cost: entry.cost,
                now: arrived.started,
            };
            seen.standing = self.rates.count(&counted).await?;
        }
        // What the credentials do not allow never reaches a service, nor an answer that was kept.
        entry.need.admit(&caller.identity)?;
        // The gateway's own pages end here; everything else goes to the service of its catalogue row.
        let service = match entry.target {
            Target::Page(page) => {
                return self.pages.answer(page, &path, &request.headers).await;
            }
            Target::Upstream(service) => service,
        };
        let passage = Passage {
            service,
            target: target(path, &request.uri)?,
            caller: caller.identity,
            client,
            correlation: cx.correlation.clone(),
            // The route's own bound or what the caller still waits, whichever is sooner.
            deadline: cx.deadline.0.min(arrived.started + entry.deadline),
            entry,
        };
        // What its service could not even read is refused before anybody works on it.
        let checked = passage.entry.checked.as_ref();
        let body = validate::request(checked, request, body, passage.deadline).await?;
        match passage.entry.cache.clone() {
            // What many ask for is asked of the service once.
            Some(rule) if rule.enabled && is_plain_read(request, &body) => {
                self.kept(&rule, request, passage, seen).await
            }
            // Boxed, so that answers out of memory do not carry its size about.
            _ => Box::pin(self.proxy(request, body, &passage)).await,
        }
    }
}

/// Whether a kept answer may be given: a body is not part of what answers are kept by.
fn is_plain_read(request: &Parts, body: &Forwarded) -> bool {
    matches!(request.method, Method::GET | Method::HEAD) && body.is_end_stream()
}

/// The canonical path with the query as it came.
fn target(path: Cow<'_, str>, uri: &Uri) -> Result<PathAndQuery, ApiError> {
    let target = match (path, uri.query(), uri.path_and_query()) {
        (Cow::Borrowed(_), _, Some(same)) => return Ok(same.clone()),
        (path, Some(query), _) => format!("{path}?{query}"),
        (path, None, _) => path.into_owned(),
    };
    PathAndQuery::try_from(target)
        .map_err(|error| ApiError::new(&codes::INTERNAL_ERROR).because(error))
}

fn needs_credentials(found: &Found, path: &str) -> bool {
    match found {
        Found::Operation(entry) => entry.need != Need::Public,
        Found::OtherMethods(_) | Found::Nothing => path == "/api" || path.starts_with("/api/"),
    }
}

fn existing(found: Found) -> Result<Arc<Entry>, ApiError> {
    match found {
        Found::Operation(entry) => Ok(entry),
        Found::OtherMethods(allow) => {
            Err(ApiError::new(&codes::METHOD_NOT_ALLOWED).header(header::ALLOW, allow))
        }
        Found::Nothing => Err(ApiError::new(&codes::NOT_FOUND)),
    }
}

/// A request that may pass.
#[derive(Clone)]
struct Passage {
    service: usize,
    target: PathAndQuery,
    caller: Identity,
    client: IpAddr,
    correlation: Correlation,
    entry: Arc<Entry>,
    deadline: Instant,
}

/// A refusal on its way through the cache, which knows of failures only that they are some.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.code())]
struct Refused(ApiError);

impl Pipeline {
    /// An answer that was kept, or one that will be.
    async fn kept(
        self: &Arc<Self>,
        rule: &Arc<Rule>,
        request: &Parts,
        passage: Passage,
        seen: &mut Seen,
    ) -> Result<Response<Outgoing>, ApiError> {
        let uri = Uri::from(passage.target.clone());
        let caller = answers::partition(rule, &passage.caller);
        let (key, hit) = answers::look(&self.answers, rule, request, &uri, &caller);
        if let Some(hit) = hit.filter(|_| passage.entry.class != Class::Page) {
            seen.says_cache_control = hit.stored().headers().contains_key(header::CACHE_CONTROL);
            return Ok(answers::of_hit(&hit, &request.method, &request.headers));
        }
        let (mut asked, ()) = http::Request::new(()).into_parts();
        asked.method = request.method.clone();
        asked.uri = uri;
        asked.headers = request.headers.clone();
        let (this, until) = (Arc::clone(self), passage.deadline);
        let fetch: Fetch = Arc::new(move |asked: Parts| {
            let (this, mut passage) = (Arc::clone(&this), passage.clone());
            Box::pin(async move {
                // Others may wait for the answer, longer than whoever came first.
                passage.deadline = Instant::now() + passage.entry.deadline;
                let answered = this.proxy(&asked, Forwarded::Left(Full::default()), &passage);
                let answer = answered
                    .await
                    .map_err(|error| -> BoxError { Box::new(Refused(error)) })?;
                Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
            })
        });
        // Boxed, so that answers out of memory do not carry its size about.
        let served = Box::pin(self.answers.serve(key.as_ref(), rule, asked, fetch));
        let served = timeout_at(until, served)
            .await
            .map_err(|_| ApiError::new(&codes::DEADLINE_EXCEEDED))?;
        let answer = served.map_err(|error| match error.get_ref().downcast_ref() {
            Some(Refused(refused)) => refused.clone(),
            None => ApiError::new(&codes::SERVICE_UNAVAILABLE).because(error),
        })?;
        Ok(answer.map(Outgoing::stream))
    }

    async fn proxy(
        &self,
        request: &Parts,
        body: Forwarded,
        passage: &Passage,
    ) -> Result<Response<Outgoing>, ApiError> {
        let internal = |cause: String| ApiError::new(&codes::INTERNAL_ERROR).because(cause);
        let upstream = self
            .upstreams
            .services()
            .get(passage.service)
            .ok_or_else(|| internal("a route leads to no upstream".to_owned()))?;
        let identity = if upstream.foreign {
            None
        } else {
            Some(self.identity(&passage.caller, passage.service, &upstream.name)?)
        };
        let statement = forward::Statement {
            identity,
            left: passage.deadline.saturating_duration_since(Instant::now()),
            passes: &passage.entry.passes,
            client: Some(passage.client),
            correlation: &passage.correlation,
        };
        let outgoing = forward::request(request, passage.target.clone(), statement);
        let sent = self
            .upstreams
            .send(upstream, &outgoing, body, passage.deadline);
        let answered = sent.await;
        let class = passage.entry.class;
        let mut response = answered.map_err(|failure| failure.answer(class == Class::Write))?;
        forward::clean_answer(response.headers_mut(), class == Class::Page);
        if !request.method.is_safe() && response.status().as_u16() < 400 {
            self.forget(request, &passage.target, response.headers())
                .await;
        }
        if response.status().is_success() {
            for tag in &passage.entry.refreshes {
                // What is for sale may be another now; the old answer may still bridge the time until
                // somebody has asked.
                let purge = Purge {
                    scope: Scope::Tag(tag.clone()),
                    soft: true,
                };
                if let Err(error) = self.answers.purge(&purge).await {
                    tracing::warn!(%error, "other instances may keep old answers until they expire");
                }
            }
        }
        validate::response(passage.entry.checked.as_ref(), response).await
    }

    /// Whoever may have changed something ends what is kept of it, and of what the answer names
    /// (RFC 9111 §4.4). Most of what is changed is never kept, and costs no walk through what is.
    async fn forget(&self, request: &Parts, target: &PathAndQuery, answer: &HeaderMap) {
        let kept = match self.table.find(&Method::GET, target.path()) {
            Found::Operation(entry) => entry.cache.as_ref().is_some_and(|rule| rule.enabled),
            Found::OtherMethods(_) | Found::Nothing => false,
        };
        let names_others = [header::LOCATION, header::CONTENT_LOCATION]
            .iter()
            .any(|name| answer.contains_key(name));
        if kept || names_others {
            let host = request.headers.get(header::HOST);
            let authority = match request.uri.authority() {
                Some(authority) => Some(authority.as_str()),
                None => host.and_then(|host| host.to_str().ok()),
            };
            let uri = Uri::from(target.clone());
            self.answers
                .invalidate(&Rule::default(), &uri, authority, answer)
                .await;
        }
    }

    /// The signed identity of a caller for one service.
    fn identity(
        &self,
        caller: &Identity,
        service: usize,
        audience: &str,
    ) -> Result<HeaderValue, ApiError> {
        let at = self.clock.now();
        let key = (service, caller.clone());
        if let Some(signed) = self.signed.get(&key)
            && signed.is_fresh(at)
        {
            return Ok(signed.value);
        }
        let internal = |cause: String| ApiError::new(&codes::INTERNAL_ERROR).because(cause);
        let token = self
            .signer
            .sign(&key.1, audience)
            .map_err(|error| internal(error.to_string()))?;
        let mut value =
            HeaderValue::from_str(&token).map_err(|error| internal(error.to_string()))?;
        value.set_sensitive(true);
        let signed = Signed {
            value: value.clone(),
            at,
        };
        self.signed.insert(key, signed);
        Ok(value)
    }
}
