//! The services behind the gateway: one connection pool for all, bodies streamed both ways, one
//! deadline over the whole exchange. Dropping the future or the answer's body (the client went away)
//! drops the request to the service.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use service_kit::error::codes;
use service_kit::{ApiError, StartError};
use settings::Settings;
use telemetry::{IntCounterVec, Metrics};
use tokio::time::{Instant, Sleep, sleep_until, timeout, timeout_at};

use crate::catalog::Catalog;
use crate::front::was_too_large;

/// After this long a refused client may find the service back.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// All services behind the gateway.
pub(crate) struct Upstreams {
    client: Client<HttpConnector, Body>,
    services: Vec<Upstream>,
    failures: IntCounterVec,
}

/// One service.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// Its name in the catalogue; also the audience of identities signed for it.
    pub(crate) name: String,
    /// Whether the gateway is not ready without it.
    pub(crate) required: bool,
    authority: Authority,
}

impl Upstreams {
    /// The catalogue's services at their configured URLs.
    ///
    /// # Errors
    /// [`StartError`] for a URL that is not plain `http://host:port`.
    pub(crate) fn new(
        catalog: &Catalog,
        settings: &Settings,
        metrics: &Metrics,
    ) -> Result<Self, StartError> {
        let millis = |key| settings.get(key).map(Duration::from_millis);
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(millis("upstream.connect_ms")?));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(millis("upstream.idle_ms")?)
            .pool_max_idle_per_host(settings.get("upstream.max_idle")?)
            .retry_canceled_requests(true)
            .build(connector);
        let services = catalog
            .upstreams()
            .map(|service| {
                let key = format!("upstreams.{}.url", service.name);
                let url: String = settings.get(&key)?;
                let authority = authority(&url).ok_or_else(|| {
                    StartError::Other(format!(
                        "configuration key '{key}' is '{url}'; it must be http://host:port"
                    ))
                })?;
                Ok(Upstream {
                    name: service.name.clone(),
                    required: service.required,
                    authority,
                })
            })
            .collect::<Result<_, StartError>>()?;
        Ok(Self {
            client,
            services,
            failures: metrics.counter(
                "interline_gateway_upstream_failures_total",
                "Requests that a service did not answer, by service and reason.",
                &["service", "reason"],
            )?,
        })
    }

    /// The services, in the order of their positions.
    pub(crate) fn services(&self) -> &[Upstream] {
        &self.services
    }

    /// Sends a request on; the answer's body is bounded by the same deadline.
    ///
    /// # Errors
    /// [`Failure`] says how far it came.
    pub(crate) async fn send(
        &self,
        upstream: &Upstream,
        mut request: Request,
        target: PathAndQuery,
        deadline: Instant,
    ) -> Result<Response, Failure> {
        *request.uri_mut() = upstream.uri(target);
        // Hyper repeats by itself what it never began to write to a connection from the pool. Beyond
        // that only what is safe by its method and can be made again is repeated, once.
        let repeatable = matches!(*request.method(), Method::GET | Method::HEAD)
            && hyper::body::Body::is_end_stream(request.body());
        let again = repeatable.then(|| bodiless(&request));
        let exchange = async {
            match (self.client.request(request).await, again) {
                (Err(error), Some(again)) if error.is_connect() || was_closed(&error) => {
                    self.client.request(again).await
                }
                (result, _) => result,
            }
        };
        let failure = match timeout_at(deadline, exchange).await {
            Ok(Ok(answer)) => {
                let (parts, body) = answer.into_parts();
                let mut response = Response::new(Body::new(Expiring::new(body, deadline)));
                *response.status_mut() = parts.status;
                *response.headers_mut() = parts.headers;
                return Ok(response);
            }
            Ok(Err(error)) if was_too_large(&error) => return Err(Failure::TooLarge),
            Ok(Err(error)) if error.is_connect() => {
                Failure::Unreachable(chain(&upstream.name, &error))
            }
            Ok(Err(error)) => Failure::BrokenOff(chain(&upstream.name, &error)),
            Err(_) => Failure::Late(format!("{} did not answer in time", upstream.name)),
        };
        self.failures
            .with_label_values(&[upstream.name.as_str(), failure.reason()])
            .inc();
        Err(failure)
    }

    /// Reads a small document of a service's own.
    ///
    /// # Errors
    /// Says what happened, in words for the log.
    pub(crate) async fn read(
        &self,
        service: usize,
        path: &str,
        limit: Duration,
        most: usize,
    ) -> Result<Vec<u8>, String> {
        let answer = async {
            let response = self.get(service, path).await?;
            if response.status() != StatusCode::OK {
                return Err(format!("{path} answers {}", response.status().as_u16()));
            }
            collected(response, most)
                .await
                .map_err(|error| format!("{path}: {error}"))
        };
        timeout(limit, answer)
            .await
            .map_err(|_| format!("{path}: no answer in time"))?
    }

    /// Asks a service something of the gateway's own. The target has no authority yet.
    ///
    /// # Errors
    /// Says what happened, in words for the log.
    pub(crate) async fn ask(
        &self,
        service: usize,
        mut request: Request,
        most: usize,
    ) -> Result<(StatusCode, Vec<u8>), String> {
        let upstream = self.services.get(service).ok_or("no such service")?;
        let target = request.uri().path_and_query().cloned();
        *request.uri_mut() = upstream.uri(target.ok_or("no target")?);
        let answered = self.client.request(request).await;
        let response = answered.map_err(|error| chain(&upstream.name, &error))?;
        let status = response.status();
        let body = collected(response, most).await;
        Ok((
            status,
            body.map_err(|error| format!("{}: {error}", upstream.name))?,
        ))
    }

    /// Whether a service says that it is ready.
    ///
    /// # Errors
    /// Says what is wrong, in words for operators.
    pub(crate) async fn probe(&self, service: usize) -> Result<(), String> {
        match self.get(service, "/health/ready").await {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(_) => Err("is not ready".to_owned()),
            Err(_) => Err("cannot be reached".to_owned()),
        }
    }

    async fn get(&self, service: usize, path: &str) -> Result<http::Response<Incoming>, String> {
        let upstream = self.services.get(service).ok_or("no such service")?;
        let target = PathAndQuery::try_from(path).map_err(|error| error.to_string())?;
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = upstream.uri(target);
        self.client
            .request(request)
            .await
            .map_err(|error| chain(&upstream.name, &error))
    }
}

impl Upstream {
    fn uri(&self, target: PathAndQuery) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target);
        // A URI of all three parts is always valid; the default is refused when it is connected to.
        Uri::from_parts(parts).unwrap_or_default()
    }
}

/// Why a service gave no answer. The texts are for the log.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The client's body turned out larger than allowed.
    TooLarge,
    /// Nothing was sent.
    Unreachable(String),
    /// The connection broke, or what came is not HTTP.
    BrokenOff(String),
    /// The deadline passed.
    Late(String),
}

impl Failure {
    /// The label in metrics.
    fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Unreachable(_) => "unreachable",
            Self::BrokenOff(_) => "broken_off",
            Self::Late(_) => "deadline",
        }
    }

    /// What the client is told. Of an operation that changes something and may have reached the
    /// service, nobody knows here whether it took place.
    pub(crate) fn answer(self, changes_something: bool) -> ApiError {
        let unavailable = ApiError::new(&codes::SERVICE_UNAVAILABLE).retry_after(RETRY_AFTER);
        let (error, unknown) = match self {
            Self::TooLarge => (ApiError::new(&codes::BODY_TOO_LARGE), false),
            Self::Unreachable(cause) => (unavailable.because(cause), false),
            Self::BrokenOff(cause) => (unavailable.because(cause), true),
            Self::Late(cause) => (
                ApiError::new(&codes::DEADLINE_EXCEEDED).because(cause),
                true,
            ),
        };
        if unknown && changes_something {
            error.may_have_booked()
        } else {
            error
        }
    }
}

/// A small body, whole.
async fn collected(response: http::Response<Incoming>, most: usize) -> Result<Vec<u8>, String> {
    let body = Limited::new(response.into_body(), most).collect().await;
    body.map(|body| body.to_bytes().to_vec())
        .map_err(|error| error.to_string())
}

/// Host and port of a plain `http://host:port`.
fn authority(url: &str) -> Option<Authority> {
    let text = url.strip_prefix("http://")?;
    let text = text.strip_suffix('/').unwrap_or(text);
    let authority: Authority = text.parse().ok()?;
    (!text.contains('@') && !authority.host().is_empty()).then_some(authority)
}

fn bodiless(request: &Request) -> Request {
    let mut copy = Request::new(Body::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Whether the service closed the connection instead of answering, as it does with one that was idle.
fn was_closed(error: &Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && (error.is_incomplete_message() || error.is_canceled() || error.is_closed())
        {
            return true;
        }
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
            return matches!(error.kind(), ConnectionReset | BrokenPipe);
        }
        cause = error.source();
    }
    false
}

/// An error with its causes, for the log.
fn chain(service: &str, error: &dyn std::error::Error) -> String {
    let mut text = format!("{service}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// An answer's body that breaks off when the deadline is over. Trailers are left behind: they would
/// be header fields that no list was held against.
struct Expiring {
    body: Incoming,
    over: Pin<Box<Sleep>>,
}

impl Expiring {
    fn new(body: Incoming, deadline: Instant) -> Self {
        Self {
            body,
            over: Box::pin(sleep_until(deadline)),
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum BrokenOff {
    #[error("the deadline passed while the answer was being sent")]
    Deadline,
    #[error(transparent)]
    Upstream(#[from] hyper::Error),
}

impl hyper::body::Body for Expiring {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(match frame.transpose()? {
                Some(frame) if frame.is_data() => Some(Ok(frame)),
                _ => None,
            });
        }
        ready!(self.over.as_mut().poll(cx));
        Poll::Ready(Some(Err(BrokenOff::Deadline)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_a_host_and_a_port_and_nothing_else() {
        for good in [
            "http://127.0.0.1:8001",
            "http://flight_service:8011/",
            "http://[::1]:80",
        ] {
            assert!(authority(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:8001",
            "https://a:1",
            "http://",
            "http://a@b:1",
            "http://a:1/x",
        ] {
            assert!(authority(bad).is_none(), "{bad}");
        }
    }
}
