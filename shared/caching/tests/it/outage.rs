//! Redis dies, hangs and comes back, below a client that lives on.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use caching::{Cache, CacheError, CacheOptions};
use tokio::time::{Instant, timeout};

const MINUTE: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_millis(300);
/// The limit, and what a busy machine may add to it.
const IN_TIME: Duration = Duration::from_secs(2);

struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(port: u16) -> Self {
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &port.to_string()])
            .args(["--dir", &std::env::temp_dir().display().to_string()])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed: see tests/run.sh");
        Self { process, port }
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that stays free while the server is down: below those that the system hands out by itself,
/// and another one in each test process.
fn free_port() -> u16 {
    let first = std::process::id() % 2_000;
    (0..2_000)
        .map(|step| 30_000 + u16::try_from((first + step) % 2_000).unwrap())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

fn client(port: u16) -> Cache {
    let mut options = CacheOptions::new(format!("redis://127.0.0.1:{port}"), "test");
    options.timeout = LIMIT;
    Cache::open(&options).unwrap()
}

/// Until the same client gets an answer again.
async fn answers(cache: &Cache) {
    let asked = async {
        while cache.ping().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), asked).await.unwrap();
}

async fn is_down_and_says_so_in_time(cache: &Cache) {
    let started = Instant::now();
    assert_eq!(cache.get::<u32>("key").await, None);
    assert!(started.elapsed() < IN_TIME);
    let started = Instant::now();
    assert_eq!(
        cache.increment("count", 1, MINUTE).await,
        Err(CacheError::Unavailable)
    );
    assert_eq!(cache.purge_tag("tag").await, Err(CacheError::Unavailable));
    assert_eq!(cache.ping().await, Err(CacheError::Unavailable));
    assert!(started.elapsed() < IN_TIME * 3);
    let loaded = cache.get_or_load("key", MINUTE, || async { Ok::<_, ()>(2) });
    assert_eq!(timeout(IN_TIME, loaded).await, Ok(Ok(2)));

    // A thousand reads while it is down do not wait a thousand time-outs.
    let started = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(cache.get::<u32>("key").await, None);
    }
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_client_lives_through_the_death_and_return_of_redis() {
    let port = free_port();
    let cache = client(port);
    is_down_and_says_so_in_time(&cache).await; // before Redis was ever there

    let mut server = Server::start(port);
    answers(&cache).await;
    cache.put("key", &1, MINUTE).await.unwrap();
    assert_eq!(cache.get::<u32>("key").await, Some(1));

    server.kill();
    is_down_and_says_so_in_time(&cache).await;

    let server = Server::start(server.port);
    answers(&cache).await;
    assert_eq!(
        cache.get::<u32>("key").await,
        None,
        "the new server is empty"
    );
    assert_eq!(cache.increment("count", 1, MINUTE).await.unwrap().count, 1);
    drop(server);
}

#[tokio::test]
async fn a_restart_that_nobody_noticed_costs_no_call() {
    let port = free_port();
    let cache = client(port);
    let mut server = Server::start(port);
    answers(&cache).await;
    assert_eq!(cache.increment("count", 1, MINUTE).await.unwrap().count, 1);

    server.kill();
    let restarted = Server::start(port);
    answers(&client(port)).await; // another client sees it up
    assert_eq!(cache.increment("count", 1, MINUTE).await.unwrap().count, 1);
    drop(restarted);
}

#[tokio::test]
async fn a_redis_that_hangs_is_as_good_as_none_until_it_goes_on() {
    let port = free_port();
    let cache = client(port);
    let server = Server::start(port);
    answers(&cache).await;
    server.signal("-STOP");
    is_down_and_says_so_in_time(&cache).await;
    server.signal("-CONT");
    answers(&cache).await;
    cache.put("key", &1, MINUTE).await.unwrap();
    assert_eq!(cache.get::<u32>("key").await, Some(1));
}
