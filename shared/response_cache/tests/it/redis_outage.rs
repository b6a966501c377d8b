//! Redis dies, hangs, is full or loses its data, below instances that live on.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::Client;
use response_cache::{NotEverywhere, Options, Purge, Scope};
use tokio::time::{Instant, timeout};

use crate::origin::{Origin, Story, answer, public};

const LIMIT: Duration = Duration::from_millis(300);

/// Much longer than anything takes on a busy machine.
const LONG: Duration = Duration::from_secs(30);

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

    /// Sends a command as an administrator, as soon as the server answers.
    async fn command(&self, words: &[&str]) {
        let client = Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        let sent = async {
            loop {
                if let Ok(mut connection) = client.get_multiplexed_async_connection().await {
                    let mut command = redis::cmd(words[0]);
                    command.arg(&words[1..]);
                    if command.query_async::<()>(&mut connection).await.is_ok() {
                        return;
                    }
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, sent).await.unwrap();
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
        .map(|step| 28_000 + u16::try_from((first + step) % 2_000).unwrap())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

fn instance(port: u16) -> Story {
    let options = Options {
        redis: Some(format!("redis://127.0.0.1:{port}")),
        timeout: LIMIT,
        ..Options::default()
    };
    Story::with(public(), options)
}

/// What the answers of the origin show, changed by every POST.
struct Resource {
    version: Arc<AtomicU64>,
    origin: Arc<Origin>,
}

impl Resource {
    fn new() -> Self {
        let version = Arc::new(AtomicU64::new(1));
        let state = Arc::clone(&version);
        let origin = Origin::new(move |_, asked| {
            if asked.method == "POST" {
                state.fetch_add(1, Ordering::SeqCst);
            }
            let body = state.load(Ordering::SeqCst).to_string();
            answer(200, &[("cache-control", "max-age=3600")], body)
        });
        Self { version, origin }
    }

    fn version(&self) -> String {
        self.version.load(Ordering::SeqCst).to_string()
    }

    async fn read(&self, story: &Story) -> String {
        let got = story.get(&self.origin, "/r").await;
        String::from_utf8(got.into_body().into()).unwrap()
    }

    async fn change(&self, story: &Story) {
        story.send(&self.origin, "POST", "/r", &[]).await;
    }

    /// Whoever changes it reads the change, whatever Redis does, and nobody waits for long.
    async fn is_right_for_whoever_changes_it(&self, story: &Story) {
        for _ in 0..5 {
            let started = Instant::now();
            self.change(story).await;
            for _ in 0..10 {
                assert_eq!(self.read(story).await, self.version());
            }
            assert!(started.elapsed() < LONG / 3, "{:?}", started.elapsed());
        }
    }

    /// The instance shows the present version before long, and none but that afterwards.
    async fn settles(&self, story: &Story) {
        let settled = async {
            while self.read(story).await != self.version() {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, settled)
            .await
            .expect("an old answer is still given");
        for _ in 0..100 {
            assert_eq!(self.read(story).await, self.version());
        }
    }
}

/// Until an answer that one instance fetched comes to the other over Redis.
async fn share(one: &Story, other: &Story) {
    let shared = async {
        for number in 0.. {
            let path = format!("/share/{number}");
            let hits = other.cache.metrics().remote_hits;
            let resource = Resource::new();
            one.get(&resource.origin, &path).await;
            for _ in 0..20 {
                let dead = Origin::new(|_, _| Err("not now".into()));
                let _ = other.try_send(&dead, "GET", &path, &[]).await;
                if other.cache.metrics().remote_hits > hits {
                    return;
                }
                tokio::task::yield_now().await;
            }
        }
    };
    timeout(LONG, shared)
        .await
        .expect("nothing comes over Redis");
}

#[tokio::test]
async fn instances_live_through_the_death_and_return_of_redis() {
    let port = free_port();
    let (one, other) = (instance(port), instance(port));
    let resource = Resource::new();
    resource.is_right_for_whoever_changes_it(&one).await; // before Redis was ever there
    assert!(one.cache.metrics().remote_errors > 0);
    resource.read(&other).await;

    let mut server = Server::start(port);
    share(&one, &other).await;
    resource.settles(&other).await;
    resource.is_right_for_whoever_changes_it(&one).await;
    resource.settles(&other).await;

    server.kill();
    resource.is_right_for_whoever_changes_it(&one).await;
    drop(server);
    let _server = Server::start(port);
    share(&one, &other).await;
    resource.settles(&other).await;
}

#[tokio::test]
async fn a_redis_that_hangs_delays_little_and_is_caught_up_with() {
    let server = Server::start(free_port());
    let (one, other) = (instance(server.port), instance(server.port));
    share(&one, &other).await;
    let resource = Resource::new();
    resource.read(&one).await;
    resource.read(&other).await;
    server.signal("-STOP");
    resource.is_right_for_whoever_changes_it(&one).await;
    let scope = Scope::Target("/r".into());
    let told = one.cache.purge(&Purge { scope, soft: false }).await;
    assert_eq!(told, Err(NotEverywhere { removed: 1 }));

    // A thousand misses while it hangs do not wait a thousand time-outs.
    let started = Instant::now();
    for number in 0..1_000 {
        one.get(&resource.origin, &format!("/miss/{number}")).await;
    }
    assert!(started.elapsed() < LONG * 3, "{:?}", started.elapsed());

    server.signal("-CONT");
    resource.settles(&other).await;
    share(&one, &other).await;
}

#[tokio::test]
async fn a_redis_that_lost_its_data_makes_all_instances_forget_what_may_be_old() {
    let server = Server::start(free_port());
    let (one, other) = (instance(server.port), instance(server.port));
    share(&one, &other).await;
    for _ in 0..5 {
        let resource = Resource::new();
        let scope = Scope::Target("/r".into());
        for story in [&one, &other] {
            let _ = story
                .cache
                .purge(&Purge {
                    scope: scope.clone(),
                    soft: false,
                })
                .await;
        }
        resource.read(&one).await;
        resource.read(&other).await;
        resource.change(&one).await;
        server.command(&["FLUSHALL"]).await;
        resource.is_right_for_whoever_changes_it(&one).await;
        resource.settles(&other).await;
    }
    share(&one, &other).await;
}

#[tokio::test]
async fn a_redis_that_is_full_gives_no_old_answer_and_works_again_when_there_is_room() {
    let server = Server::start(free_port());
    let (one, other) = (instance(server.port), instance(server.port));
    share(&one, &other).await;
    let resource = Resource::new();
    resource.read(&one).await;
    resource.settles(&other).await;
    share(&one, &other).await; // what was read before is on Redis by now

    server
        .command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"])
        .await;
    server.command(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    resource.is_right_for_whoever_changes_it(&one).await;
    let scope = Scope::Target("/r".into());
    let told = one.cache.purge(&Purge { scope, soft: false }).await;
    assert_eq!(told, Err(NotEverywhere { removed: 1 }));
    assert_eq!(resource.read(&one).await, resource.version());

    server.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    resource.settles(&other).await;
    share(&one, &other).await;
}
