//! One address of a service, and the idle connections to it.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body::Body;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::body::{BoxError, Outgoing};
use crate::link::{Link, Outbound, SendError, target_of};

/// Bounds of the connections to an endpoint.
#[derive(Clone, Debug)]
pub struct PoolLimits {
    /// Longest wait for a connection.
    pub connect: Duration,
    /// An idle connection is closed after this time; less than the service's own limit, or the service
    /// closes it just as a request is being sent.
    pub idle: Duration,
    /// Idle connections kept by each thread.
    pub most_idle: usize,
}

/// Idle connections stay with the thread that made them: no lock is contended and no task woken across.
const SHARDS: usize = 16;

/// One address of a service.
#[derive(Debug)]
pub struct Endpoint {
    authority: String,
    limits: PoolLimits,
    shards: [Mutex<Vec<Link>>; SHARDS],
}

impl Endpoint {
    /// An endpoint at `host:port`.
    pub fn new(authority: impl Into<String>, limits: PoolLimits) -> Arc<Self> {
        Arc::new(Self {
            authority: authority.into(),
            limits,
            shards: std::array::from_fn(|_| Mutex::default()),
        })
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Sends a request, whose target is its URI's path and query. The deadline holds until the end of
    /// the answer's body. What a connection from the pool did not take is sent again over a new one when
    /// nothing had left yet; whether more may be repeated is the caller's to decide.
    ///
    /// # Errors
    /// [`SendError`] says how far it came.
    pub async fn send<B>(
        self: &Arc<Self>,
        head: &Parts,
        body: B,
        deadline: Instant,
    ) -> Result<Response<Outgoing>, SendError>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let link = match self.idle() {
            Some(link) => link,
            None => self.connect(deadline).await?,
        };
        let outbound = Outbound {
            head,
            target: target_of(&head.uri),
            deadline,
        };
        link.exchange(outbound, body, self).await
    }

    async fn connect(&self, deadline: Instant) -> Result<Link, SendError> {
        let until = deadline.min(Instant::now() + self.limits.connect);
        match timeout_at(until, TcpStream::connect(&self.authority)).await {
            Ok(Ok(stream)) => Ok(Link::new(stream)),
            Ok(Err(error)) => Err(SendError::Unreachable(error.to_string())),
            Err(_) => Err(SendError::Unreachable("no connection in time".to_owned())),
        }
    }

    fn shard(&self) -> Option<&Mutex<Vec<Link>>> {
        self.shards.get(thread_number() % SHARDS)
    }

    fn idle(&self) -> Option<Link> {
        let mut links = self.shard()?.lock().unwrap_or_else(PoisonError::into_inner);
        // The one that was used last is the most certain to be alive.
        while let Some(link) = links.pop() {
            if link.idle_since.elapsed() < self.limits.idle && link.is_quiet() {
                return Some(link);
            }
        }
        None
    }

    pub(crate) fn store(&self, link: Link) {
        if let Some(shard) = self.shard() {
            let mut links = shard.lock().unwrap_or_else(PoisonError::into_inner);
            if links.len() < self.limits.most_idle {
                links.push(link);
            }
        }
    }

    /// Closes what has been idle for too long. Called now and then by whoever owns the endpoint.
    pub fn reap(&self) {
        for shard in &self.shards {
            let mut links = shard.lock().unwrap_or_else(PoisonError::into_inner);
            links.retain(|link| link.idle_since.elapsed() < self.limits.idle && link.is_quiet());
        }
    }

    /// Connections that wait for use.
    pub fn idle_connections(&self) -> usize {
        let count =
            |shard: &Mutex<Vec<Link>>| shard.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.shards.iter().map(count).sum()
    }
}

fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    }
    NUMBER.with(|number| {
        number.get().unwrap_or_else(|| {
            let own = NEXT.fetch_add(1, Ordering::Relaxed);
            number.set(Some(own));
            own
        })
    })
}
