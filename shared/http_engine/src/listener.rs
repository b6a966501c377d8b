//! The accept loop.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::body::Incoming;
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::encode::unwritten;
use crate::io::{Io, poll_fill};
use crate::limits::Limits;
use crate::registry::{Registry, Seat};
use crate::workers::Workers;
use crate::{Peer, Service};

/// What an HTTP/2 connection begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Binds a port before anything is announced.
///
/// # Errors
/// The system's, e.g. when the port is taken.
pub async fn bind(host: &str, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((host, port)).await
}

/// Serves until `shutdown`, then drains. Gives the moment at which everything must be over.
pub async fn run(
    listener: TcpListener,
    service: Arc<dyn Service>,
    limits: Limits,
    shutdown: CancellationToken,
) -> Instant {
    let registry = Arc::new(Registry::default());
    let permits = Arc::new(Semaphore::new(limits.connections));
    let limits = Arc::new(limits);
    let mut workers = Workers::start(limits.workers, &service, &limits);
    loop {
        // The system keeps further ones waiting; it does that better than we could.
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
        let Some(seat) = registry.enter(peer.ip(), limits.connections_per_address) else {
            debug!("an address has too many connections");
            continue;
        };
        // Latency matters more than packets saved for answers of one write.
        drop(stream.set_nodelay(true));
        workers.serve(Accepted {
            stream,
            peer,
            seat,
            permit,
        });
    }
    drop(listener);
    let end = Instant::now() + limits.drain;
    registry.ask_to_leave();
    if timeout_at(end, registry.emptied()).await.is_err() {
        warn!("requests still running after the drain time were cut off");
    }
    workers.stop();
    end
}

/// A connection that nobody serves yet.
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) seat: Seat,
    pub(crate) permit: OwnedSemaphorePermit,
}

impl Accepted {
    /// Serves it to its end.
    pub(crate) async fn serve(self, service: Arc<dyn Service>, limits: Arc<Limits>) {
        serve(
            Io::Plain(self.stream),
            self.peer,
            service,
            limits,
            self.seat,
        )
        .await;
        drop(self.permit);
    }
}

/// Serves one connection in the protocol that it begins with.
async fn serve(
    mut io: Io,
    peer: SocketAddr,
    service: Arc<dyn Service>,
    limits: Arc<Limits>,
    seat: Seat,
) {
    let mut buffer = BytesMut::new();
    let (mut deadline, until) = (Deadline::new(), Instant::now() + limits.first_byte);
    let is_http2 = std::future::poll_fn(|cx| {
        loop {
            let begins = PREFACE.starts_with(buffer.get(..PREFACE.len()).unwrap_or(&buffer));
            if !buffer.is_empty() && (!begins || buffer.len() >= PREFACE.len()) {
                return Poll::Ready(Some(begins));
            }
            match poll_fill(&mut io, cx, &mut buffer) {
                Poll::Ready(Ok(read)) if read > 0 => continue,
                Poll::Ready(_) => return Poll::Ready(None),
                Poll::Pending if seat.is_leaving(cx) => return Poll::Ready(None),
                Poll::Pending => {}
            }
            return deadline.poll_passed(cx, until).map(|()| None);
        }
    })
    .await;
    match is_http2 {
        None => {}
        Some(false) => {
            let connection = Connection::new(io, buffer, peer, limits, seat);
            connection.serve(service).await;
        }
        Some(true) => http2(io, buffer.freeze(), peer, service, seat).await,
    }
}

async fn http2(io: Io, begun: Bytes, peer: SocketAddr, service: Arc<dyn Service>, seat: Seat) {
    let answer = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let answered = service.call(request.map(Incoming::http2), Peer { address: peer });
        async move { Ok::<_, Infallible>(unwritten(answered.await)) }
    });
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_header_list_size(16 * 1024)
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .keep_alive_timeout(Duration::from_secs(10));
    let io = Begun {
        begun,
        io: TokioIo::new(io),
    };
    let mut connection = std::pin::pin!(builder.serve_connection(io, answer));
    let mut asked = false;
    let ended = std::future::poll_fn(|cx| {
        if !asked && seat.is_leaving(cx) {
            asked = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    });
    if let Err(error) = ended.await {
        debug!(%error, "connection ended early");
    }
}

/// A connection of which something has been read already.
struct Begun {
    begun: Bytes,
    io: TokioIo<Io>,
}

impl Read for Begun {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.begun.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        }
        let length = self.begun.len().min(buffer.remaining());
        buffer.put_slice(&self.begun.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl Write for Begun {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }
}
