//! The gateway as the engine's connections call it: what every request gets before `pipeline.rs`, and
//! what every answer gets after it.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_engine::{Incoming, Outgoing, Peer, Refusal, Service};
use service_kit::{Answered, ApiError, Cx, Observer, after_panic, refused, wants_problem_json};
use telemetry::{Correlation, HistogramVec, REQUEST_ID};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::pipeline::{Arrived, Pipeline, Seen};

/// The running gateway.
#[derive(Clone)]
pub(crate) struct Gateway(pub(crate) Arc<Front>);

pub(crate) struct Front {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) observer: Observer,
    pub(crate) seconds: HistogramVec,
}

/// What every answer carries, whoever made it (API §1, security headers).
const SECURITY: [(HeaderName, HeaderValue); 4] = [
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

/// Whoever came over TLS once comes over nothing else for a year (RFC 6797 §6.1).
const ONLY_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

impl Service for Gateway {
    fn call(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> Pin<Box<dyn Future<Output = Response<Outgoing>> + Send>> {
        let front = Arc::clone(&self.0);
        let started = Instant::now();
        let cx = front.observer.context(request.headers(), started);
        let span = front.observer.span(&cx.correlation);
        let answer = async move { front.answer(request, peer, &cx, started).await };
        if span.is_disabled() {
            Box::pin(answer)
        } else {
            Box::pin(answer.instrument(span))
        }
    }

    fn refuse(&self, refusal: Refusal) -> Response<Outgoing> {
        let cx = self
            .0
            .observer
            .context(&http::HeaderMap::new(), Instant::now());
        let rendered = refused(refusal).render(&cx.correlation, &cx.clock, false, "");
        let mut response = rendered.map(Outgoing::stream);
        dress(&mut response, &cx.correlation);
        response
    }
}

impl Front {
    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: Peer,
        cx: &Cx,
        started: Instant,
    ) -> Response<Outgoing> {
        let (parts, body) = request.into_parts();
        let mut seen = Seen::default();
        // A fault in one request is no reason to lose the connection and the others on it.
        let arrived = Arrived {
            parts: &parts,
            body,
            peer,
            started,
        };
        let phases = self.pipeline.phases(cx, arrived, &mut seen);
        let outcome = AssertUnwindSafe(phases)
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Err(after_panic(&*panic)));
        let mut response = outcome.unwrap_or_else(|error| {
            Observer::failed(&error);
            render(&error, cx, &parts)
        });
        self.pipeline
            .cors
            .put(&parts.headers, response.headers_mut());
        if let Some(standing) = &seen.standing {
            self.pipeline.rates.put(standing, response.headers_mut());
        }
        if seen.authenticated && !seen.says_cache_control {
            let fields = response.headers_mut();
            fields
                .entry(header::CACHE_CONTROL)
                .or_insert(HeaderValue::from_static("private, no-store"));
        }
        dress(&mut response, &cx.correlation);
        if peer.tls {
            response
                .headers_mut()
                .insert(header::STRICT_TRANSPORT_SECURITY, ONLY_TLS);
        }
        self.count(&parts, response.status(), &seen, started);
        response
    }

    fn count(
        &self,
        parts: &http::request::Parts,
        status: StatusCode,
        seen: &Seen,
        started: Instant,
    ) {
        let (label, class, route) = seen
            .entry
            .as_ref()
            .map_or(("(none)", "(none)", "(none)"), |entry| {
                (entry.label.as_str(), entry.class.as_str(), entry.path())
            });
        self.seconds
            .with_label_values(&[label, class, status.as_str()])
            .observe(started.elapsed().as_secs_f64());
        self.observer.answered(Answered {
            method: &parts.method,
            path: parts.uri.path(),
            route,
            status,
            started,
        });
    }
}

fn render(error: &ApiError, cx: &Cx, parts: &http::request::Parts) -> Response<Outgoing> {
    let problem_json = wants_problem_json(&parts.headers);
    let path = parts.uri.path();
    let rendered = error.render(&cx.correlation, &cx.clock, problem_json, path);
    rendered.map(Outgoing::stream)
}

/// Puts on what every answer carries.
fn dress(response: &mut Response<Outgoing>, correlation: &Correlation) {
    let unauthorized = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        // A page brings a policy of its own.
        headers.entry(name).or_insert(value);
    }
    if unauthorized {
        // RFC 9110 §15.5.2: every 401 says how to do better.
        headers
            .entry(header::WWW_AUTHENTICATE)
            .or_insert(HeaderValue::from_static("Bearer"));
    }
    if let Ok(value) = HeaderValue::from_str(correlation.request_id()) {
        headers.insert(REQUEST_ID, value);
    }
}
