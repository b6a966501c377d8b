//! A listener on a free port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_engine::{Limits, Service, Tls, bind, run};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::echo::Echo;

/// A running listener; it stops with this value.
pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    /// How many requests reached the service.
    pub(crate) started: Arc<AtomicUsize>,
    /// Lets the service answer `/later`.
    pub(crate) later: Arc<Semaphore>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) ended: Option<JoinHandle<Instant>>,
}

/// Limits that are reached within a test.
pub(crate) fn short() -> Limits {
    Limits {
        first_byte: Duration::from_millis(400),
        header: Duration::from_millis(400),
        idle: Duration::from_millis(1500),
        slow: Duration::from_millis(400),
        drain: Duration::from_secs(1),
        ..Limits::default()
    }
}

impl Stage {
    pub(crate) async fn start(limits: Limits) -> Self {
        Self::with(limits, None).await
    }

    pub(crate) async fn with(limits: Limits, tls: Option<Tls>) -> Self {
        let started = Arc::new(AtomicUsize::new(0));
        let later = Arc::new(Semaphore::new(0));
        let service = Arc::new(Echo::new(Arc::clone(&started), Arc::clone(&later)));
        let mut stage = Self::serving(service, started, limits, tls).await;
        stage.later = later;
        stage
    }

    pub(crate) async fn serving(
        service: Arc<dyn Service>,
        started: Arc<AtomicUsize>,
        limits: Limits,
        tls: Option<Tls>,
    ) -> Self {
        let listener = bind("127.0.0.1", 0).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let ended = tokio::spawn(run(listener, service, limits, tls, shutdown.clone()));
        Self {
            address,
            started,
            later: Arc::new(Semaphore::new(0)),
            shutdown,
            ended: Some(ended),
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    pub(crate) fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Lets this process have so many files open.
pub(crate) fn many_files(count: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    if limit.current.is_none_or(|current| current >= count) {
        return;
    }
    let wanted = Rlimit {
        current: Some(count.min(most)),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, wanted).unwrap();
}
