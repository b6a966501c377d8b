//! The accept loop. `axum::serve` installs no timer, so that hyper's header time-out never fires and
//! slow clients are kept for ever (axum #2741); hyper leaves the first read untimed (hyper #3756). This
//! loop bounds the first byte, the header and the number of connections, and drains on shutdown.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{debug, warn};

/// The bounds of a listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Until the first byte of a connection.
    pub first_byte: Duration,
    /// Until a request's header is complete.
    pub header: Duration,
    /// Most connections at once.
    pub connections: usize,
    /// Until running requests are cut off on shutdown.
    pub drain: Duration,
}

/// Binds a port before anything is announced.
///
/// # Errors
/// The system's, e.g. when the port is taken.
pub async fn bind(host: &str, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((host, port)).await
}

/// The most that the request line and the header fields of HTTP/1.1 may have in bytes: beyond it, 431.
const MAX_HEAD: usize = 64 * 1024;

/// Serves until `shutdown`, then drains. Gives the moment at which everything must be over.
pub(crate) async fn run(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) -> Instant {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_headers(100)
        .max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_header_list_size(16 * 1024)
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .keep_alive_timeout(Duration::from_secs(10));
    let builder = Arc::new(builder);
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(limits.connections));
    loop {
        let permit = tokio::select! {
            () = shutdown.cancelled() => break,
            Ok(permit) = Arc::clone(&permits).acquire_owned() => permit,
        };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors: give running requests time to return some.
                warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let builder = Arc::clone(&builder);
        let service = TowerToHyperService::new(router.clone().map_request(
            move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(ConnectInfo(peer));
                request
            },
        ));
        let watcher = graceful.watcher();
        let first_byte = limits.first_byte;
        let closing = shutdown.clone();
        tokio::spawn(async move {
            let _permit = permit;
            if !speaks_in_time(&stream, first_byte, &closing).await {
                return;
            }
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
            if let Err(error) = watcher.watch(connection.into_owned()).await {
                debug!(error, "connection ended early");
            }
        });
    }
    drop(listener);
    let end = Instant::now() + limits.drain;
    if timeout_at(end, graceful.shutdown()).await.is_err() {
        warn!("requests still running after the drain time were cut off");
    }
    end
}

/// What an HTTP/2 connection begins with (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How often the rest of a preface that arrives in pieces is looked for.
const PIECE: Duration = Duration::from_millis(20);

/// Whether the client has said before the limit which protocol it speaks. hyper-util waits for that
/// without a limit, and only then do hyper's own limits begin.
async fn speaks_in_time(stream: &TcpStream, limit: Duration, closing: &CancellationToken) -> bool {
    // Latency matters more than packets saved for answers of one write.
    drop(stream.set_nodelay(true));
    let speaks = async {
        let mut start = [0; PREFACE.len()];
        loop {
            let length = stream.peek(&mut start).await.unwrap_or_default();
            let said = start.get(..length).unwrap_or_default();
            if said.is_empty() {
                return false;
            }
            if length == PREFACE.len() || !PREFACE.starts_with(said) {
                return true;
            }
            sleep(PIECE).await;
        }
    };
    tokio::select! {
        () = closing.cancelled() => false,
        spoke = timeout(limit, speaks) => spoke.unwrap_or(false),
    }
}
