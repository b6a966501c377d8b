//! The services behind the gateway: connections kept by each, bodies streamed both ways, one deadline
//! over the whole exchange. Dropping the future or the answer's body (the client went away) drops the
//! request to the service.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::{BodyExt as _, Empty, Full, Limited};
use http_engine::{BoxError, Endpoint, Outgoing, PoolLimits, SendError};
use service_kit::error::codes;
use service_kit::{ApiError, StartError};
use settings::Settings;
use telemetry::{IntCounterVec, Metrics};
use tokio::time::{Instant, timeout};

use crate::catalog::Catalog;
use crate::front::was_too_large;

/// After this long a refused client may find the service back.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// A question of the gateway's own that takes longer has failed, whatever its asker allows.
const OWN_LIMIT: Duration = Duration::from_secs(30);

/// All services behind the gateway.
pub(crate) struct Upstreams {
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
    /// Whether it is somebody else's.
    pub(crate) foreign: bool,
    endpoint: Arc<Endpoint>,
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
        let limits = PoolLimits {
            connect: millis("upstream.connect_ms")?,
            idle: millis("upstream.idle_ms")?,
            most_idle: settings.get("upstream.max_idle")?,
        };
        let services = catalog
            .upstreams()
            .map(|service| {
                let key = format!("upstreams.{}.url", service.name);
                let url: String = match &service.url {
                    Some(url) => url.clone(),
                    None => settings.get(&key)?,
                };
                let authority = authority(&url).ok_or_else(|| {
                    StartError::Other(format!(
                        "configuration key '{key}' is '{url}'; it must be http://host:port"
                    ))
                })?;
                Ok(Upstream {
                    name: service.name.clone(),
                    required: service.required,
                    foreign: service.foreign,
                    endpoint: Endpoint::new(authority, limits.clone()),
                })
            })
            .collect::<Result<_, StartError>>()?;
        Ok(Self {
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

    /// Closes connections that nobody used for a while.
    pub(crate) fn reap(&self) {
        for service in &self.services {
            service.endpoint.reap();
        }
    }

    /// Sends a request on; the answer's body is bounded by the same deadline.
    ///
    /// # Errors
    /// [`Failure`] says how far it came.
    pub(crate) async fn send<B>(
        &self,
        upstream: &Upstream,
        request: &Parts,
        body: B,
        deadline: Instant,
    ) -> Result<Response<Outgoing>, Failure>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let endpoint = &upstream.endpoint;
        // What is safe by its method and can be made again is repeated, once; and what never left.
        let bodiless = body.is_end_stream();
        let safe = bodiless && matches!(request.method, Method::GET | Method::HEAD);
        let mut answered = endpoint.send(request, body, deadline).await;
        if let Err(error) = &answered
            && (may_repeat(error, bodiless) || safe && is_lost(error))
        {
            answered = endpoint.send(request, Empty::new(), deadline).await;
        }
        answered.map_err(|error| {
            let failure = Failure::of(error, &upstream.name);
            self.failures
                .with_label_values(&[upstream.name.as_str(), failure.reason()])
                .inc();
            failure
        })
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
            let (status, body) = self.get(service, path, most).await?;
            if status != StatusCode::OK {
                return Err(format!("{path} answers {}", status.as_u16()));
            }
            Ok(body)
        };
        timeout(limit, answer)
            .await
            .map_err(|_| format!("{path}: no answer in time"))?
    }

    /// Asks a service something of the gateway's own.
    ///
    /// # Errors
    /// Says what happened, in words for the log.
    pub(crate) async fn ask(
        &self,
        service: usize,
        request: Request<Bytes>,
        most: usize,
    ) -> Result<(StatusCode, Vec<u8>), String> {
        let upstream = self.services.get(service).ok_or("no such service")?;
        let (parts, body) = request.into_parts();
        let body = Full::new(body);
        let deadline = Instant::now() + OWN_LIMIT;
        let answered = self.send(upstream, &parts, body, deadline).await;
        let response = answered.map_err(Failure::into_words)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), most).collect().await;
        let body = body.map_err(|error| format!("{}: {error}", upstream.name))?;
        Ok((status, body.to_bytes().to_vec()))
    }

    /// Whether a service says that it is ready.
    ///
    /// # Errors
    /// Says what is wrong, in words for operators.
    pub(crate) async fn probe(&self, service: usize) -> Result<(), String> {
        match self.get(service, "/health/ready", LARGEST_HEALTH).await {
            Ok((status, _)) if status.is_success() => Ok(()),
            Ok(_) => Err("is not ready".to_owned()),
            Err(_) => Err("cannot be reached".to_owned()),
        }
    }

    async fn get(
        &self,
        service: usize,
        path: &str,
        most: usize,
    ) -> Result<(StatusCode, Vec<u8>), String> {
        let target = PathAndQuery::try_from(path).map_err(|error| error.to_string())?;
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = Uri::from(target);
        self.ask(service, request, most).await
    }
}

const LARGEST_HEALTH: usize = 64 * 1024;

/// Whether nothing of a request had left, so that any can be sent again: a connection from the pool was
/// closed as it was taken out.
fn may_repeat(error: &SendError, bodiless: bool) -> bool {
    matches!(
        error,
        SendError::Closed {
            unsent: true,
            stale: true
        }
    ) && bodiless
}

/// Whether the service is not there, or closed the connection instead of answering.
fn is_lost(error: &SendError) -> bool {
    matches!(error, SendError::Unreachable(_) | SendError::Closed { .. })
}

/// Why a service gave no answer. The texts are for the log.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The client's body turned out larger than allowed.
    TooLarge,
    /// The client's body was malformed or broke off.
    BadBody(String),
    /// Nothing was sent.
    Unreachable(String),
    /// The connection broke, or what came is not HTTP.
    BrokenOff(String),
    /// The deadline passed.
    Late(String),
}

impl Failure {
    fn of(error: SendError, service: &str) -> Self {
        let words = format!("{service}: {error}");
        match error {
            SendError::Unreachable(_) | SendError::Closed { unsent: true, .. } => {
                Self::Unreachable(words)
            }
            SendError::Closed { .. } | SendError::Malformed(_) => Self::BrokenOff(words),
            SendError::Late => Self::Late(words),
            SendError::Body(cause) if was_too_large(&*cause) => Self::TooLarge,
            SendError::Body(_) => Self::BadBody(words),
        }
    }

    fn into_words(self) -> String {
        match self {
            Self::TooLarge => "the body is too large".to_owned(),
            Self::BadBody(words)
            | Self::Unreachable(words)
            | Self::BrokenOff(words)
            | Self::Late(words) => words,
        }
    }

    /// The label in metrics.
    fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::BadBody(_) => "bad_body",
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
            // Services act on whole bodies only.
            Self::BadBody(cause) => (ApiError::new(&codes::BAD_REQUEST).because(cause), false),
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

/// Host and port of a plain `http://host:port`.
fn authority(url: &str) -> Option<String> {
    let text = url.strip_prefix("http://")?;
    let text = text.strip_suffix('/').unwrap_or(text);
    let authority: Authority = text.parse().ok()?;
    let plain = !text.contains('@') && !authority.host().is_empty();
    // RFC 9110 §4.2.1: without one it is 80.
    let port = authority.port_u16().unwrap_or(80);
    plain.then(|| format!("{}:{port}", authority.host()))
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
