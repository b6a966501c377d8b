//! Limiters of a test's own, on the common Redis or on a private one.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::watch;

use rate_limits::{Algorithm, Limiter, LimiterOptions, Mode, OnOutage, Policy, PolicyId};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn bucket(quota: u32, window: Duration, burst: u32) -> Policy {
    Policy {
        name: "test".to_owned(),
        algorithm: Algorithm::TokenBucket { burst },
        quota,
        window,
        mode: Mode::LocalFirst,
        on_outage: OnOutage::Local,
    }
}

pub(crate) fn window(quota: u32, window: Duration) -> Policy {
    Policy {
        algorithm: Algorithm::SlidingWindow,
        ..bucket(quota, window, 1)
    }
}

pub(crate) fn in_memory(policy: Policy) -> (Limiter, PolicyId) {
    open(&LimiterOptions::new("memory:", "test"), policy)
}

pub(crate) fn open(options: &LimiterOptions, policy: Policy) -> (Limiter, PolicyId) {
    let limiter = Limiter::open(options, vec![policy]).unwrap();
    let id = limiter.policy_id("test").unwrap();
    (limiter, id)
}

/// Options of instances that share the common Redis under a prefix that nothing else uses.
pub(crate) fn on_redis() -> LimiterOptions {
    let url = std::env::var("INTERLINE_TEST_REDIS_URL").unwrap_or_else(|_| {
        panic!(
            "INTERLINE_TEST_REDIS_URL is not set: run tests/run.sh, \
             or eval \"$(tests/services.sh start)\" first"
        )
    });
    let mut options = LimiterOptions::new(url, format!("test-{}", uuid::Uuid::new_v4().simple()));
    // A loaded machine is not an outage.
    options.timeout = Duration::from_secs(20);
    options
}

/// A Redis of the test's own.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start(port: u16) -> Self {
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &port.to_string()])
            .args(["--dir", &std::env::temp_dir().display().to_string()])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed: see tests/run.sh");
        Self { process, port }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Sends a command over a connection of its own.
    pub(crate) async fn command(&self, words: &[&str]) {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(word);
        }
        let _: redis::Value = command.query_async(&mut connection).await.unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A way to Redis on which connections can be made to lead nowhere, as when a machine disappears.
pub(crate) struct Way {
    pub(crate) port: u16,
    lost: watch::Sender<()>,
}

impl Way {
    pub(crate) async fn to(redis: u16) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.unwrap();
        let port = listener.local_addr().unwrap().port();
        let lost = watch::Sender::new(());
        let losing = lost.clone();
        tokio::spawn(async move {
            while let Ok((mut here, _)) = listener.accept().await {
                let mut lost = losing.subscribe();
                tokio::spawn(async move {
                    let there = TcpStream::connect(("127.0.0.1", redis)).await;
                    let mut there = there.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut here, &mut there) => {}
                        _ = lost.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { port, lost }
    }

    /// From now on nothing comes over the connections that there are; new ones work.
    pub(crate) fn lose_connections(&self) {
        self.lost.send_replace(());
    }
}

/// A port that stays free while the server is down: below those that the system hands out by itself,
/// and another one in each test and test process.
pub(crate) fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id() * 8 + TAKEN.fetch_add(1, Ordering::Relaxed);
    (0..2_000)
        .map(|step| 28_000 + u16::try_from((first + step) % 2_000).unwrap())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}
