//! The outermost layer of every service: gives the request its context, turns errors into answers,
//! writes the one log line, counts.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, Method, StatusCode};
use telemetry::{Correlation, Histogram, HistogramVec, REQUEST_ID};
use tokio::time::Instant;
use tracing::{Instrument as _, Span, error, info, info_span};
use travel_types::Clock;

use crate::context::wants_problem_json;
use crate::error::{ApiError, codes};
use crate::{Context, Cx, DEADLINE_HEADER, Deadline, StartError};

/// Gives requests their context, and their log line and figures when they are answered. The layer of
/// [`observe`] does that for routers; a service that is no router does it with this.
#[derive(Clone)]
pub struct Observer {
    service: &'static str,
    clock: Clock,
    default_deadline: Duration,
    seconds: HistogramVec,
}

/// What is known of a request when it is answered.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path as it came.
    pub path: &'a str,
    /// The template of the route that it took; `(none)` for none.
    pub route: &'a str,
    /// The answer's status.
    pub status: StatusCode,
    /// When it came.
    pub started: Instant,
}

impl Observer {
    /// # Errors
    /// [`StartError`] for a metric that is there already, or a deadline that is not configured.
    pub fn new(context: &Context) -> Result<Self, StartError> {
        Ok(Self {
            service: context.name,
            clock: context.clock.clone(),
            default_deadline: Duration::from_millis(context.settings.get("http.deadline_ms")?),
            seconds: context.metrics.seconds(
                "interline_http_seconds",
                "Seconds to answer a request, by route and status class.",
                &["route", "method", "status"],
            )?,
        })
    }

    /// The context of a request that came at this moment.
    pub fn context(&self, headers: &HeaderMap, started: Instant) -> Cx {
        let deadline = stated_deadline(headers)
            .unwrap_or(self.default_deadline)
            .min(self.default_deadline);
        Cx {
            correlation: Correlation::from_headers(headers),
            deadline: Deadline(started + deadline),
            clock: self.clock.clone(),
        }
    }

    /// What everything that is logged of the request stands in.
    pub fn span(&self, correlation: &Correlation) -> Span {
        info_span!(
            "request",
            service = self.service,
            request_id = correlation.request_id(),
            trace_id = correlation.trace_id(),
        )
    }

    /// Logs why a request failed, where that is a fault of ours.
    pub fn failed(failure: &ApiError) {
        if failure.status().is_server_error() {
            error!(
                code = failure.code(),
                cause = failure.cause().unwrap_or_default(),
                "request failed"
            );
        }
    }

    /// The histogram that answers like this one are counted in, for whoever looks it up once and not
    /// with every request.
    pub fn histogram(&self, answered: &Answered<'_>) -> Histogram {
        let method = method_name(answered.method);
        let labels = [answered.route, method, class(answered.status)];
        self.seconds.with_label_values(&labels)
    }

    /// Counts and logs an answer.
    pub fn answered(&self, answered: &Answered<'_>) {
        let elapsed = answered.started.elapsed();
        self.histogram(answered).observe(elapsed.as_secs_f64());
        Self::log(answered, elapsed);
    }

    /// Logs an answer that is counted otherwise.
    pub fn log(answered: &Answered<'_>, elapsed: Duration) {
        let method = method_name(answered.method);
        info!(
            method,
            path = shown(answered.route, answered.path),
            status = answered.status.as_u16(),
            elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
    }
}

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
fn stated_deadline(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(&DEADLINE_HEADER)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_millis)
}

pub(crate) async fn observe(
    State(observer): State<Observer>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let cx = observer.context(request.headers(), started);
    let problem_json = wants_problem_json(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|matched| matched.as_str().to_owned());
    request.extensions_mut().insert(cx.clone());
    let span = observer.span(&cx.correlation);
    let answer = async {
        let mut response = next.run(request).await;
        if let Some(failure) = response.extensions_mut().remove::<ApiError>() {
            Observer::failed(&failure);
            response = failure.render(&cx.correlation, &observer.clock, problem_json, &path);
        }
        if let Ok(value) = cx.correlation.request_id().parse() {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        observer.answered(&Answered {
            method: &method,
            path: &path,
            route: route.as_deref().unwrap_or("(none)"),
            status: response.status(),
            started,
        });
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
pub fn after_panic(panic: &(dyn std::any::Any + Send)) -> ApiError {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    ApiError::new(&codes::INTERNAL_ERROR).because(format!("panic: {text}"))
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
