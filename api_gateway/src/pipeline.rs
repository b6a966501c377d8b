//! The life of a request in the gateway. [`Pipeline::phases`] is the order of everything that happens
//! to it, and the only place where that order stands. `gateway.rs` has already given it its ids and its
//! deadline, and turns an [`ApiError`] into the envelope or `problem+json`.

use std::net::IpAddr;
use std::sync::Arc;

use auth::{HopSigner, Identity};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Response, header};
use http_body_util::Limited;
use http_engine::{Incoming, Outgoing, Peer};
use moka::sync::Cache;
use service_kit::error::codes;
use service_kit::{ApiError, Cx, Need};
use tokio::time::Instant;
use travel_types::Clock;
use travel_types::jiff::{SignedDuration, Timestamp};

use crate::authenticate::Authenticator;
use crate::catalog::Class;
use crate::client_address::Proxies;
use crate::cors::Cors;
use crate::pages::Pages;
use crate::routes::{Entry, Found, Table, Target};
use crate::upstream::Upstreams;
use crate::{forward, front, path};

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
}

/// What is known of a request when its answer is dressed and counted.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) entry: Option<Arc<Entry>>,
    pub(crate) authenticated: bool,
    /// What is left of the credential's rate.
    pub(crate) limits: Vec<(HeaderName, HeaderValue)>,
}

impl Pipeline {
    /// THE order of phases.
    pub(crate) async fn phases(
        &self,
        cx: &Cx,
        request: &Parts,
        body: Incoming,
        peer: Peer,
        started: Instant,
        seen: &mut Seen,
    ) -> Result<Response<Outgoing>, ApiError> {
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
        let body = front::bound_body(&request.headers, body, self.max_body)?;
        // Only a look: whether credentials are needed depends on it, but 404 and 405 wait until they are shown.
        let found = self.table.find(&request.method, &path);
        // Who is calling; everything below /api/ that is not declared public wants to know.
        let caller = if needs_credentials(&found, &path) {
            let caller = self.authenticator.caller(&request.headers, cx).await?;
            if let Some(standing) = caller.standing {
                seen.limits = standing.fields();
            }
            caller.identity
        } else {
            Identity::anonymous()
        };
        seen.authenticated = !caller.is_anonymous();
        // Now the caller may learn what does not exist.
        let entry = existing(found)?;
        seen.entry = Some(Arc::clone(&entry));
        // What the credentials do not allow never reaches a service.
        entry.need.admit(&caller)?;
        // The gateway's own pages end here; everything else goes to the service of its catalogue row.
        match entry.target {
            Target::Page(page) => self.pages.answer(page, &path, &request.headers).await,
            Target::Upstream(service) => {
                let passage = Passage {
                    service,
                    path,
                    caller,
                    client: self.proxies.client(peer.address.ip(), &request.headers),
                    // The route's own bound or what the caller still waits, whichever is sooner.
                    deadline: cx.deadline.0.min(started + entry.deadline),
                    entry,
                };
                self.proxy(cx, request, body, passage).await
            }
        }
    }
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
struct Passage {
    service: usize,
    path: String,
    caller: Identity,
    client: IpAddr,
    entry: Arc<Entry>,
    deadline: Instant,
}

impl Pipeline {
    async fn proxy(
        &self,
        cx: &Cx,
        request: &Parts,
        body: Limited<Incoming>,
        passage: Passage,
    ) -> Result<Response<Outgoing>, ApiError> {
        let internal = |cause: String| ApiError::new(&codes::INTERNAL_ERROR).because(cause);
        let upstream = self
            .upstreams
            .services()
            .get(passage.service)
            .ok_or_else(|| internal("a route leads to no upstream".to_owned()))?;
        let target = match request.uri.query() {
            Some(query) => format!("{}?{query}", passage.path),
            None => passage.path,
        };
        let target = PathAndQuery::try_from(target).map_err(|error| internal(error.to_string()))?;
        let statement = forward::Statement {
            identity: self.identity(passage.caller, passage.service, &upstream.name)?,
            left: passage.deadline.saturating_duration_since(Instant::now()),
            passes: &passage.entry.passes,
            client: Some(passage.client),
            correlation: &cx.correlation,
        };
        let outgoing = forward::request(request, target, statement);
        let sent = self
            .upstreams
            .send(upstream, &outgoing, body, passage.deadline);
        let answered = sent.await;
        let class = passage.entry.class;
        let mut response = answered.map_err(|failure| failure.answer(class == Class::Write))?;
        forward::clean_answer(response.headers_mut(), class == Class::Page);
        Ok(response)
    }

    /// The signed identity of a caller for one service.
    fn identity(
        &self,
        caller: Identity,
        service: usize,
        audience: &str,
    ) -> Result<HeaderValue, ApiError> {
        let at = self.clock.now();
        let key = (service, caller);
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
