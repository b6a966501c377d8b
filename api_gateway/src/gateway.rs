//! The gateway as the engine's connections call it: what every request gets before `pipeline.rs`, and
//! what every answer gets after it.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_engine::{Incoming, Outgoing, Peer, Refusal, Service, WrittenFields};
use service_kit::{Answered, ApiError, Cx, Observer, after_panic, refused, wants_problem_json};
use telemetry::{Correlation, HistogramVec, REQUEST_ID};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::meters::Meters;
use crate::pipeline::{Arrived, Pipeline, Seen};
use crate::routes::Entry;

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

    fn count(&self, parts: &Parts, status: StatusCode, seen: &Seen, started: Instant) {
        let elapsed = started.elapsed();
        let route = seen.entry.as_ref().map_or("(none)", |entry| entry.path());
        let answered = Answered {
            method: &parts.method,
            path: parts.uri.path(),
            route,
            status,
            started,
        };
        let seconds = elapsed.as_secs_f64();
        let known = seen.entry.as_ref().and_then(|entry| {
            // HEAD is counted apart, and is rare.
            let plain = parts.method != Method::HEAD;
            plain.then(|| entry.meters.of(status, || self.meters(entry, &answered)))?
        });
        match known {
            Some(meters) => meters.observe(seconds),
            None => {
                let (label, class) = seen.entry.as_ref().map_or(("(none)", "(none)"), |entry| {
                    (entry.label.as_str(), entry.class.as_str())
                });
                let labels = [label, class, status.as_str()];
                self.seconds.with_label_values(&labels).observe(seconds);
                self.observer.histogram(&answered).observe(seconds);
            }
        }
        Observer::log(&answered, elapsed);
    }

    fn meters(&self, entry: &Entry, answered: &Answered<'_>) -> Meters {
        let labels = [
            entry.label.as_str(),
            entry.class.as_str(),
            answered.status.as_str(),
        ];
        Meters {
            own: self.seconds.with_label_values(&labels),
            kit: self.observer.histogram(answered),
        }
    }
}

fn render(error: &ApiError, cx: &Cx, parts: &Parts) -> Response<Outgoing> {
    let problem_json = wants_problem_json(&parts.headers);
    let path = parts.uri.path();
    let rendered = error.render(&cx.correlation, &cx.clock, problem_json, path);
    rendered.map(Outgoing::stream)
}

/// [`SECURITY`] as it is written down.
const SECURITY_LINES: &[u8] =
    b"x-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\n\
    x-frame-options: DENY\r\n\
    content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n";

/// Puts on what every answer carries.
fn dress(response: &mut Response<Outgoing>, correlation: &Correlation) {
    // An answer that was kept is written down already, and nothing of this is in it.
    if let Some(WrittenFields(lines)) = response.extensions_mut().get_mut() {
        for part in [
            SECURITY_LINES,
            b"x-request-id: ",
            correlation.request_id().as_bytes(),
            b"\r\n",
        ] {
            lines.extend_from_slice(part);
        }
        return;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_what_is_put_on() {
        let lines: Vec<String> = SECURITY
            .iter()
            .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()))
            .collect();
        assert_eq!(lines.concat().as_bytes(), SECURITY_LINES);
    }
}
