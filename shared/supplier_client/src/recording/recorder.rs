//! Stands between us and a supplier, passes everything on unchanged and writes down what went by. It
//! has none of the policies of [`crate::ApiClient`]: what is asked once is sent once, and the client
//! behind it must see the supplier as it is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use serde_json::json;
use tokio::time::{Instant, timeout};
use travel_types::Clock;
use url::Url;

use super::body::Content;
use super::mask::{Masker, RawRequest, RawResponse};
use super::{Exchange, Outcome, RecordedFailure, RecordedRequest, Recording, RecordingError};
use crate::ApiClientConfig;
use crate::call::timed_out;
use crate::engine::{Engine as _, HttpEngine, Incoming, Outgoing, SendCause, SendFailure};
use crate::error::{Blame, Sent};
use crate::outgoing::join;

/// Headers of one connection (RFC 9110 §7.6.1), not of the message; besides those that `Connection`
/// names.
const OF_THE_CONNECTION: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What is fixed about a recorder.
#[derive(Clone, Debug)]
pub struct RecorderConfig {
    /// Where the supplier is: scheme, host, port and perhaps a path prefix, which is kept.
    pub base_url: String,
    /// How long to wait for a complete answer. No shorter than the client behind it waits.
    pub timeout: Duration,
    /// Longest body in either direction; a longer answer is a failure. Bytes.
    pub max_body_bytes: usize,
    /// Whether to keep bodies that cannot be masked.
    pub raw_bodies: bool,
}

/// Passes requests on to a supplier and writes down what comes of them.
pub struct Recorder {
    base: Url,
    engine: HttpEngine,
    config: RecorderConfig,
    clock: Clock,
    book: Arc<Mutex<Book>>,
}

/// The file and what is known of its values.
struct Book {
    masker: Masker,
    file: Recording,
}

/// What became of a request.
#[derive(Debug)]
pub struct Forwarded {
    /// The supplier's answer, or a 502 of our own that says why there is none.
    pub answer: http::Response<Bytes>,
    /// What was recorded.
    pub exchange: Exchange,
    /// Whether it could be written.
    pub written: Result<(), RecordingError>,
}

impl Recorder {
    /// A recorder that writes to the file that `create` makes, once the rest is known to be right.
    ///
    /// # Errors
    /// [`RecordingError::Config`] for an address that is none; those of `create`.
    pub fn new(
        config: RecorderConfig,
        create: impl FnOnce() -> Result<Recording, RecordingError>,
        clock: Clock,
    ) -> Result<Self, RecordingError> {
        let wrong = |error: String| RecordingError::Config(error);
        let base = ApiClientConfig::new("recorder", &config.base_url)
            .map_err(|error| wrong(error.to_string()))?
            .base_url;
        let connect = config.timeout.min(Duration::from_secs(10));
        let engine = HttpEngine::verbatim(connect, config.max_body_bytes).map_err(wrong)?;
        let masker = Masker::new(config.raw_bodies);
        let file = create()?;
        Ok(Self {
            base,
            engine,
            config,
            clock,
            book: Arc::new(Mutex::new(Book { masker, file })),
        })
    }

    /// Sends the request to the supplier, once, and gives back its answer when the exchange is written.
    /// Run to its end even if the client has gone: what a supplier said too late is worth reading.
    pub async fn forward(&self, request: http::Request<Bytes>) -> Forwarded {
        let at = self.clock.now();
        let began = Instant::now();
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let query = head.uri.query().map(str::to_owned);
        let sent = match join(&self.base, &path, query.as_deref()) {
            None => Err(SendFailure {
                sent: Sent::No,
                blame: Blame::Us,
                cause: SendCause::Unbuildable,
                detail: "the path would not arrive as written".to_owned(),
            }),
            Some(url) => {
                let outgoing = Outgoing {
                    method: head.method.clone(),
                    url,
                    headers: passed_on(&head.headers, &[HOST, CONTENT_LENGTH]),
                    body: body.clone(),
                };
                timeout(self.config.timeout, self.engine.send(outgoing))
                    .await
                    .unwrap_or_else(|_| Err(timed_out()))
            }
        };
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let answer = match &sent {
            Ok(incoming) => answer(&head.method, incoming),
            Err(failure) => self.failed(failure),
        };
        let (book, max) = (Arc::clone(&self.book), self.config.max_body_bytes);
        let query = query.unwrap_or_default();
        let write = move || {
            let raw = RawRequest {
                method: &head.method,
                path: &path,
                query: &query,
                headers: &head.headers,
                body: Content::of(&head.headers, &body, max),
            };
            let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
            let (request, outcome) = masked(&mut book.masker, raw, sent, max);
            let exchange = Exchange {
                at,
                duration_ms,
                request,
                outcome,
            };
            let written = book.file.add(&exchange);
            (exchange, written)
        };
        // Megabytes are masked for longer than a task may hold a thread.
        let (exchange, written) = match tokio::task::spawn_blocking(write).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is being shut down, and this task with it.
                Err(_) => std::future::pending().await,
            },
        };
        Forwarded {
            answer,
            exchange,
            written,
        }
    }

    fn failed(&self, failure: &SendFailure) -> http::Response<Bytes> {
        let body = json!({
            "error": "supplier_unreachable",
            "supplier": self.base.origin().ascii_serialization(),
            "cause": failure.cause.as_str(),
            "detail": failure.detail,
            "from": "interline supplier record: this is not the supplier's answer",
        });
        problem(StatusCode::BAD_GATEWAY, &body)
    }
}

fn masked(
    masker: &mut Masker,
    request: RawRequest<'_>,
    sent: Result<Incoming, SendFailure>,
    max: usize,
) -> (RecordedRequest, Outcome) {
    match sent {
        Ok(incoming) => {
            let response = RawResponse {
                status: incoming.status.as_u16(),
                headers: &incoming.headers,
                body: Content::of(&incoming.headers, &incoming.body, max),
            };
            let (request, response) = masker.exchange(request, response);
            (request, Outcome::Response(response))
        }
        Err(failure) => {
            let outcome = Outcome::Failure(RecordedFailure {
                cause: failure.cause.as_str().to_owned(),
                unsent: failure.sent == Sent::No,
                detail: failure.detail,
            });
            (masker.request(request), outcome)
        }
    }
}

fn answer(method: &Method, incoming: &Incoming) -> http::Response<Bytes> {
    // The length of what a HEAD would have got is not that of the body.
    let without: &[HeaderName] = match *method {
        Method::HEAD => &[],
        _ => &[CONTENT_LENGTH],
    };
    let mut response = http::Response::new(incoming.body.clone());
    *response.status_mut() = incoming.status;
    *response.headers_mut() = passed_on(&incoming.headers, without);
    response
}

/// The headers of the message, without these.
fn passed_on(headers: &HeaderMap, without: &[HeaderName]) -> HeaderMap {
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let mut passed = headers.clone();
    for name in OF_THE_CONNECTION {
        passed.remove(name);
    }
    for name in named {
        passed.remove(name.as_str());
    }
    for name in without {
        passed.remove(name);
    }
    passed
}

/// An answer of our own.
pub(super) fn problem(status: StatusCode, body: &serde_json::Value) -> http::Response<Bytes> {
    let mut response = http::Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    response
}
