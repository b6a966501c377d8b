//! One HTTP/2 connection: hyper speaks, and what passes is kept within bounds.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;
use tracing::debug;

use crate::account::{CONNECTION_WINDOW, MOST_STREAMS, STREAM_WINDOW, Verdict};
use crate::body::Incoming;
use crate::deadline::Deadline;
use crate::encode::unwritten;
use crate::head::{MAX_FIELDS, MAX_METHOD, Refusal, is_host};
use crate::io::{self, Io};
use crate::limits::Limits;
use crate::registry::Seat;
use crate::wire::{Watched, Wire, lock};
use crate::{Peer, Service};

/// The most that the header fields of a request may have, counted as RFC 9113 §6.5.2 does.
const MAX_HEADER_LIST: u32 = 16 * 1024;
/// Of an answer's body so much is taken before the client's window lets it out.
const SEND_BUFFER: usize = 64 * 1024;
/// Requests that were given up before they were looked at.
const MOST_PENDING_RESETS: usize = 20;
/// Errors that a client may cause on streams of one connection.
const MOST_ERRORS: usize = 200;
/// Whoever has been told that the connection ends has so long to end it.
const FAREWELL: Duration = Duration::from_secs(1);
/// Error codes (RFC 9113 §7).
const ENHANCE_YOUR_CALM: u32 = 11;

/// Serves until one side closes.
pub(crate) async fn serve(
    io: Io,
    begun: Bytes,
    peer: Peer,
    service: Arc<dyn Service>,
    limits: &Limits,
    seat: &Seat,
) {
    let wire = Arc::new(Mutex::new(Wire::new(io, begun, limits.clone())));
    let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
        let answered = match check(&request) {
            Ok(()) => Ok(service.call(request.map(Incoming::http2), peer)),
            Err(refusal) => Err(service.refuse(refusal)),
        };
        async move {
            Ok::<_, Infallible>(unwritten(match answered {
                Ok(answered) => answered.await,
                Err(refused) => refused,
            }))
        }
    });
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(16 * 1024)
        .max_header_list_size(MAX_HEADER_LIST)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(MOST_PENDING_RESETS)
        .max_local_error_reset_streams(MOST_ERRORS)
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .keep_alive_timeout(Duration::from_secs(10));
    let mut connection = Box::pin(builder.serve_connection(Watched(Arc::clone(&wire)), answer));
    let mut deadline = Deadline::new();
    let (mut asked, mut until) = (false, None);
    let verdict = std::future::poll_fn(|cx| {
        loop {
            if !asked && seat.is_leaving(cx) {
                asked = true;
                connection.as_mut().graceful_shutdown();
            }
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                if let Err(error) = ended {
                    debug!(%error, "connection ended early");
                }
                return Poll::Ready(None);
            }
            let now = Instant::now();
            let mut wire = lock(&wire);
            match wire.verdict(now) {
                None => {}
                Some(Verdict::Idle) if until.is_none() => {
                    drop(wire);
                    until = Some(now + FAREWELL);
                    asked = true;
                    connection.as_mut().graceful_shutdown();
                    continue;
                }
                // The frame that has begun may be finished first.
                Some(Verdict::Greedy) if !wire.is_between() && until.is_none() => {
                    until = Some(now + FAREWELL);
                }
                Some(Verdict::Greedy) if !wire.is_between() => {}
                Some(Verdict::Idle) => {}
                Some(verdict) => return Poll::Ready(Some(verdict)),
            }
            let look = until.unwrap_or_else(|| wire.next_look(now));
            drop(wire);
            match deadline.poll_passed(cx, look) {
                Poll::Ready(()) if until.is_some() => return Poll::Ready(None),
                Poll::Ready(()) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    // What its streams were at ends here.
    drop(connection);
    let Some(wire) = Arc::into_inner(wire) else {
        return;
    };
    let wire = wire
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let (io, last) = wire.end(ENHANCE_YOUR_CALM);
    match verdict {
        Some(verdict) => {
            debug!(?verdict, "a connection was cut");
            io::close(io, &last).await;
        }
        None => io::close(io, &[]).await,
    }
}

/// What the reader of HTTP/1.1 refuses is refused here too: whoever stands behind us must not have to
/// know which way a request came. RFC 9113 §8.2 and §8.3 are hyper's.
fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    let headers = request.headers();
    if headers.len() > MAX_FIELDS {
        return Err(Refusal::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "there are too many header fields",
        ));
    }
    if request.method().as_str().len() > MAX_METHOD {
        return Err(Refusal::bad("the method is too long"));
    }
    let target = request.uri().path_and_query();
    let target = target.map_or("", |target| target.as_str());
    if !target.bytes().all(|byte| matches!(byte, b'!'..=b'~')) {
        return Err(Refusal::bad(
            "the target has a character that must be encoded",
        ));
    }
    if target == "*" && *request.method() != Method::OPTIONS {
        return Err(Refusal::bad(
            "the target is not of a form that the method may have",
        ));
    }
    let authority = request.uri().authority();
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Refusal::bad("there are two Host fields"));
    }
    if authority.is_none() && host.is_none() {
        return Err(Refusal::bad("the Host field is missing"));
    }
    if !authority.is_none_or(|authority| is_host(authority.as_str().as_bytes()))
        || !host.is_none_or(|host| is_host(host.as_bytes()))
    {
        return Err(Refusal::bad("the Host field is not a host"));
    }
    let expected = headers.get(header::EXPECT);
    if expected.is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Refusal::new(
            StatusCode::EXPECTATION_FAILED,
            "only 100-continue can be expected",
        ));
    }
    Ok(())
}
