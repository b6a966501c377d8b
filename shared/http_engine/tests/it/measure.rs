//! What bad clients cost good ones, in numbers. Not run with the other tests: the numbers mean something
//! in a release build on a machine that does nothing else. The clients run in the same process and share
//! its processors. A flood may be over before the good client beside it is: its memory is what is left
//! afterwards, not the peak.
//!
//! ```sh
//! cargo test --release -p http_engine --test it -- --ignored --nocapture --test-threads 1
//! ```

use std::time::Duration;

use http_engine::Limits;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::floods::floods;
use crate::raw::Client;
use crate::slow::{ask, ways};
use crate::stage::{Stage, many_files};

/// A good client asks so often, a millisecond apart.
const ASKED: u32 = 2000;

/// The 99th percentile of a good client's requests, each over the same connection.
async fn p99(stage: &Stage) -> Duration {
    let mut client = Client::new(stage.connect().await);
    let mut took = Vec::new();
    for _ in 0..ASKED {
        took.push(ask(&mut client).await);
        sleep(Duration::from_millis(1)).await;
    }
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

/// What this process has in memory, in MiB; the clients are in it, too.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096 / (1024 * 1024)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement of half a minute"]
async fn five_thousand_slow_connections() {
    many_files(20_000);
    let stage = Stage::start(Limits::default()).await;
    let alone = p99(&stage).await;
    let before = resident();
    let ways = ways();
    let mut slow = JoinSet::new();
    for number in 0..5000 {
        let cut = ways[number % ways.len()].go(stage.address, Duration::from_secs(1));
        let name = ways[number % ways.len()].name;
        slow.spawn(async move {
            let begun = Instant::now();
            cut.await;
            (name, begun.elapsed())
        });
        // A burst of all of them at once would measure how fast clients connect.
        if number % 50 == 0 {
            sleep(Duration::from_millis(10)).await;
        }
    }
    let beside = p99(&stage).await;
    println!("p99 of a good client: {alone:?} alone, {beside:?} beside 5,000 slow ones");
    println!(
        "memory: {before} MiB before, {} MiB beside them",
        resident()
    );
    let mut times: Vec<(&str, Duration)> = Vec::new();
    while let Some(ended) = slow.join_next().await {
        times.push(ended.unwrap());
    }
    for way in &ways {
        let of = times.iter().filter(|(name, _)| *name == way.name);
        let of: Vec<Duration> = of.map(|(_, time)| *time).collect();
        let (first, last) = (of.iter().min().unwrap(), of.iter().max().unwrap());
        println!(
            "{}: {} cut after {first:.1?} to {last:.1?}",
            way.name,
            of.len()
        );
        // A connection on which something was asked and answered may be idle for longer.
        let most = if way.name.starts_with("idle") { 62 } else { 30 };
        assert!(*first >= Duration::from_secs(4) && *last <= Duration::from_secs(most));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement of half a minute"]
async fn each_flood_from_fifty_connections() {
    many_files(20_000);
    let calm = Stage::start(Limits::default()).await;
    let alone = p99(&calm).await;
    println!("p99 of a good client alone: {alone:?}");
    for kind in floods() {
        let stage = Stage::start(Limits::default()).await;
        let before = resident();
        let all = async {
            let runs = (0..50).map(|_| kind.run(&stage, Duration::from_secs(30)));
            futures_util::future::join_all(runs).await
        };
        let (fates, (beside, most)) = tokio::join!(all, async { (p99(&stage).await, resident()) });
        let calmed = fates.iter().filter(|fate| fate.goaway == Some(11)).count();
        let closed = fates.iter().filter(|fate| fate.closed).count();
        println!(
            "{}: {calmed} of 50 with GOAWAY 11, {closed} closed; {} requests started; \
             p99 {beside:?}; memory {before} -> {most} MiB",
            kind.name,
            stage.started()
        );
        assert_eq!(closed, 50);
        assert!(stage.started() <= 50 * 700 && most <= before + 32);
    }
}
