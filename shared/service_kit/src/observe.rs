//! The outermost layer of every service: gives the request its context, turns errors into answers,
//! writes the one log line, counts.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use telemetry::{Correlation, HistogramVec, Metrics, MetricsError, REQUEST_ID};
use tokio::time::Instant;
use tracing::{Instrument, error, info, info_span};
use travel_types::Clock;

use crate::context::wants_problem_json;
use crate::error::{ApiError, codes};
use crate::{Cx, DEADLINE_HEADER, Deadline};

/// What the layer needs to know.
#[derive(Clone)]
pub(crate) struct Observer {
    service: &'static str,
    clock: Clock,
    default_deadline: Duration,
    seconds: HistogramVec,
}

impl Observer {
    pub(crate) fn new(
        service: &'static str,
        clock: Clock,
        default_deadline: Duration,
        metrics: &Metrics,
    ) -> Result<Self, MetricsError> {
        Ok(Self {
            service,
            clock,
            default_deadline,
            seconds: metrics.seconds(
                "interline_http_seconds",
                "Seconds to answer a request, by route and status class.",
                &["route", "method", "status"],
            )?,
        })
    }
}

/// Milliseconds that the caller still waits, if it says so.
fn stated_deadline(request: &Request) -> Option<Duration> {
    let text = request.headers().get(&DEADLINE_HEADER)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_millis)
}

pub(crate) async fn observe(
    State(observer): State<Observer>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let correlation = Correlation::from_headers(request.headers());
    let deadline = stated_deadline(&request)
        .unwrap_or(observer.default_deadline)
        .min(observer.default_deadline);
    let problem_json = wants_problem_json(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("(none)", MatchedPath::as_str)
        .to_owned();
    request.extensions_mut().insert(Cx {
        correlation: correlation.clone(),
        deadline: Deadline(started + deadline),
        clock: observer.clock.clone(),
    });
    let span = info_span!(
        "request",
        service = observer.service,
        request_id = correlation.request_id(),
        trace_id = correlation.trace_id(),
    );
    let answer = async {
        let mut response = next.run(request).await;
        let failure = response.extensions_mut().remove::<ApiError>();
        if let Some(failure) = failure {
            if response.status().is_server_error() {
                error!(
                    code = failure.code(),
                    cause = failure.cause().unwrap_or_default(),
                    "request failed"
                );
            }
            response = failure.render(&correlation, &observer.clock, problem_json, &path);
        }
        if let Ok(value) = correlation.request_id().parse() {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let elapsed = started.elapsed();
        observer
            .seconds
            .with_label_values(&[route.as_str(), method.as_str(), class(response.status())])
            .observe(elapsed.as_secs_f64());
        info!(
            method = method.as_str(),
            path,
            status = response.status().as_u16(),
            elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
        response
    };
    answer.instrument(span).await
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// What a panic becomes: the caller learns nothing of it, the log does.
pub(crate) fn after_panic(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    ApiError::new(&codes::INTERNAL_ERROR)
        .because(format!("panic: {text}"))
        .into_response()
}
