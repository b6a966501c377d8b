//! The outermost layer of every service: gives the request its context, turns errors into answers,
//! writes the one log line, counts.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
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

/// The template of the route that a request took, such as `/api/v1/flights/orders/{order_id}`, on its
/// answer. A service that routes by a table of its own says it with this; of others the kit knows it.
#[derive(Clone, Debug)]
pub struct TakenRoute(pub String);

/// A path for the log. What stands in a path can be anything that a client mistook for an id, also its
/// password: of a template's places only those that hold an id of ours are filled in.
fn shown(template: &str, path: &str) -> String {
    let mut actual = path.split('/');
    let parts: Vec<&str> = template
        .split('/')
        .map(|part| match actual.next() {
            Some(value) if part.starts_with('{') && is_id(value) => value,
            _ => part,
        })
        .collect();
    parts.join("/")
}

/// Whether it has the form of `travel_types::Id`.
fn is_id(text: &str) -> bool {
    text.split_once('_').is_some_and(|(prefix, digits)| {
        prefix.len() == 3
            && prefix.bytes().all(|byte| byte.is_ascii_lowercase())
            && digits.len() == 32
            && digits
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// A method for logs and metrics. RFC 9110 allows any word, and each would be a series of its own.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
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
    let method = method_name(request.method());
    let path = request.uri().path().to_owned();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|matched| matched.as_str().to_owned());
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
        let taken = response.extensions_mut().remove::<TakenRoute>();
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
        let route = taken.map(|taken| taken.0).or(route);
        let route = route.as_deref().unwrap_or("(none)");
        let elapsed = started.elapsed();
        observer
            .seconds
            .with_label_values(&[route, method, class(response.status())])
            .observe(elapsed.as_secs_f64());
        info!(
            method,
            path = shown(route, &path),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_path_only_its_words_and_our_own_ids_are_logged() {
        let id = "ord_019a6b2c3d4e7f8091a2b3c4d5e6f708";
        let template = "/api/v1/flights/orders/{order_id}/cancellations";
        let path = |value: &str| format!("/api/v1/flights/orders/{value}/cancellations");
        assert_eq!(shown(template, &path(id)), path(id));
        for value in [
            "amelia@example.com",
            "ord_secret",
            "%6frd",
            &id.to_uppercase(),
            "",
        ] {
            assert_eq!(shown(template, &path(value)), template, "{value}");
        }
        assert_eq!(
            shown("/api-docs/{*rest}", "/api-docs/a/b"),
            "/api-docs/{*rest}"
        );
        assert_eq!(shown("(none)", "/my-password"), "(none)");
    }

    #[test]
    fn a_method_that_does_not_exist_is_no_series_of_its_own() {
        assert_eq!(method_name(&Method::GET), "GET");
        assert_eq!(method_name(&"SECRET".parse().unwrap()), "other");
    }
}
