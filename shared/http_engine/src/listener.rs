//! The accept loop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::http2;
use crate::io::{Io, poll_fill};
use crate::limits::Limits;
use crate::registry::{Registry, Seat};
use crate::tls::Tls;
use crate::wire::PREFACE;
use crate::workers::Workers;
use crate::{Peer, Service};

/// Connections that the system may hold until they are accepted, if it allows as many. With fewer, a
/// burst leaves clients that believe to be connected and are not.
const BACKLOG: u32 = 4096;

/// Of what cannot be sent yet the system holds so many bytes; it would take megabytes for each client
/// that does not read. It takes more in steps of half of it, which a client at the least rate must
/// still make in time.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 16 * 1024;

/// Binds a port before anything is announced.
///
/// # Errors
/// The system's, e.g. when the port is taken.
pub async fn bind(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut failed = io::Error::other("the host has no address");
    for address in lookup_host((host, port)).await? {
        match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart must not wait for the connections of the run before.
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it.
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves, over TLS where that is given, until `shutdown`, then drains. Gives the moment at which
/// everything must be over.
pub async fn run(
    listener: TcpListener,
    service: Arc<dyn Service>,
    limits: Limits,
    tls: Option<Tls>,
    shutdown: CancellationToken,
) -> Instant {
    let tls = tls.map(Arc::new);
    let kept_fresh = tls
        .clone()
        .map(|tls| AbortOnDropHandle::new(tokio::spawn(async move { tls.keep_fresh().await })));
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
            tls: tls.clone(),
        });
    }
    drop((listener, kept_fresh));
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
    pub(crate) tls: Option<Arc<Tls>>,
}

impl Accepted {
    /// Serves it to its end.
    pub(crate) async fn serve(self, service: Arc<dyn Service>, limits: Arc<Limits>) {
        let peer = Peer {
            address: self.peer,
            tls: self.tls.is_some(),
        };
        let io = match self.tls {
            None => Some(Io::Plain(self.stream)),
            Some(tls) => {
                let until = Instant::now() + limits.first_byte;
                let accepted = tls.accept(self.stream, until, &self.seat).await;
                accepted.map(|stream| Io::Tls(Box::new(stream)))
            }
        };
        if let Some(io) = io {
            serve(io, peer, service, limits, self.seat).await;
        }
        drop(self.permit);
    }
}

/// Serves one connection in the protocol that it begins with.
async fn serve(mut io: Io, peer: Peer, service: Arc<dyn Service>, limits: Arc<Limits>, seat: Seat) {
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
        Some(true) => {
            http2::serve(io, buffer.freeze(), peer, service, &limits, &seat).await;
        }
    }
}
