//! A service that says what it was asked.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use http_engine::{Incoming, Outgoing, Peer, Refusal, Service};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;

const ETAG: &str = "\"first\"";
const LAST_MODIFIED: &str = "Tue, 01 Sep 2026 10:00:00 GMT";
const ALLOW: &str = "GET, HEAD, POST, OPTIONS";
/// What `/large` has in bytes: more than the system's buffers take.
pub(crate) const LARGE: usize = 24 * 1024 * 1024;

pub(crate) struct Echo {
    started: Arc<AtomicUsize>,
    /// `/later` is answered when there is a permit.
    later: Arc<Semaphore>,
    large: Bytes,
}

impl Echo {
    pub(crate) fn new(started: Arc<AtomicUsize>, later: Arc<Semaphore>) -> Self {
        let large = Bytes::from(vec![b'x'; LARGE]);
        Self {
            started,
            later,
            large,
        }
    }
}

impl Service for Echo {
    fn call(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> Pin<Box<dyn Future<Output = Response<Outgoing>> + Send>> {
        self.started.fetch_add(1, Ordering::SeqCst);
        let large = self.large.clone();
        let later = Arc::clone(&self.later);
        Box::pin(async move {
            if request.uri().path() == "/later" {
                later.acquire().await.unwrap().forget();
            }
            answer(request, peer, large).await
        })
    }

    fn refuse(&self, refusal: Refusal) -> Response<Outgoing> {
        with(text(refusal.status, refusal.problem), "x-refused", "1")
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::from(text.into()));
    *response.status_mut() = status;
    let plain = header::HeaderValue::from_static("text/plain");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

fn with(mut response: Response<Outgoing>, name: &'static str, value: &str) -> Response<Outgoing> {
    let value = header::HeaderValue::from_str(value).unwrap();
    response.headers_mut().insert(name, value);
    response
}

async fn answer(request: Request<Incoming>, peer: Peer, large: Bytes) -> Response<Outgoing> {
    let (head, body) = request.into_parts();
    let status = |code| StatusCode::from_u16(code).unwrap();
    match (head.method.clone(), head.uri.path()) {
        (Method::GET, "/large") => text(StatusCode::OK, large),
        (Method::GET, "/never") => std::future::pending().await,
        (Method::GET, "/switch") if asks_to_switch(&head) => {
            let mut response = Response::new(Outgoing::Switch(Box::new(|mut io, ahead| {
                Box::pin(async move {
                    let _ = io.write_all(&ahead).await;
                    let _ = io.flush().await;
                    let mut buffer = [0; 1024];
                    while let Ok(read @ 1..) = io.read(&mut buffer).await {
                        let _ = io.write_all(&buffer[..read]).await;
                        let _ = io.flush().await;
                    }
                })
            })));
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            with(response, "upgrade", "echo")
        }
        (Method::GET, "/who") => {
            let host = head.headers.get(header::HOST);
            let host = host.map_or("-", |host| host.to_str().unwrap());
            let authority = head.uri.authority().map_or("-", |name| name.as_str());
            text(
                StatusCode::OK,
                format!("{authority} {host} tls={}", peer.tls),
            )
        }
        // It refuses before it has read anything.
        (Method::POST, "/refuse") => text(StatusCode::PAYLOAD_TOO_LARGE, "too large"),
        (_, "/echo") => {
            drop(body.collect().await);
            text(StatusCode::OK, fields(&head.headers))
        }
        (Method::GET, "/cookie") => text(StatusCode::OK, cookies(&head.headers)),
        (Method::POST, _) => {
            let Ok(read) = body.collect().await else {
                return text(status(400), "the body broke off");
            };
            let response = text(status(200), read.to_bytes());
            match head.headers.get(header::CONTENT_TYPE) {
                Some(value) => with(response, "content-type", value.to_str().unwrap_or("a/b")),
                None => response,
            }
        }
        (Method::GET | Method::HEAD, _) => {
            let unchanged = is_unchanged(&head.headers);
            let response = if unchanged {
                let mut response = Response::new(Outgoing::Empty);
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                response
            } else {
                text(StatusCode::OK, "hello")
            };
            let response = with(response, "etag", ETAG);
            with(response, "last-modified", LAST_MODIFIED)
        }
        (Method::OPTIONS, _) => {
            let mut response = Response::new(Outgoing::Empty);
            *response.status_mut() = StatusCode::NO_CONTENT;
            with(response, "allow", ALLOW)
        }
        _ => with(text(StatusCode::METHOD_NOT_ALLOWED, "no"), "allow", ALLOW),
    }
}

/// RFC 9110 §7.8: HTTP/1.0 has no upgrades, and the field counts only where `Connection` names it.
fn asks_to_switch(head: &http::request::Parts) -> bool {
    let names = |name: &str, wanted: &str| {
        let value = head.headers.get(name);
        value.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    head.version == Version::HTTP_11 && names("connection", "upgrade") && names("upgrade", "echo")
}

fn fields(headers: &HeaderMap) -> String {
    let lines = headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        format!("{name}: {value}\n")
    });
    lines.collect()
}

fn cookies(headers: &HeaderMap) -> String {
    let texts = headers.get_all(header::COOKIE).iter();
    let pairs = texts.flat_map(|text| text.to_str().unwrap_or_default().split(';'));
    let lines = pairs.filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        Some(format!("{name}={value}\n"))
    });
    lines.collect()
}

/// RFC 9110 §13.2.2.
fn is_unchanged(headers: &HeaderMap) -> bool {
    if let Some(tags) = headers.get(header::IF_NONE_MATCH) {
        let mut tags = tags.to_str().unwrap_or_default().split(',');
        return tags.any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.trim_start_matches("W/") == ETAG
        });
    }
    let since = headers.get(header::IF_MODIFIED_SINCE);
    let since = since.and_then(|since| httpdate::parse_http_date(since.to_str().ok()?).ok());
    let changed = httpdate::parse_http_date(LAST_MODIFIED).unwrap();
    // RFC 9110 §13.1.3: a date that is to come says nothing.
    since.is_some_and(|since| since >= changed && since < changed + Duration::from_secs(86_400))
        && changed > SystemTime::UNIX_EPOCH
}
