//! How long a decision takes:
//! `cargo test -p rate_limits --release -- --ignored --nocapture speed`

use http::HeaderMap;
use rate_limits::{Algorithm, Mode, Policy};
use tokio::time::Instant;

use crate::server::{MINUTE, bucket, in_memory, on_redis, open, window};

const DECISIONS: u32 = 2_000_000;

/// The time that this thread has had a processor, in nanoseconds: on a busy machine it is what counts.
/// None where the system does not tell.
fn on_processor() -> Option<u128> {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    times.split(' ').next()?.parse().ok()
}

fn measure(what: &str, threads: u32, decide: impl Fn(u32, u32) + Sync) {
    let started = Instant::now();
    let work = |thread: u32| {
        let before = on_processor();
        (0..DECISIONS).for_each(|round| decide(thread, round));
        Some(on_processor()? - before?)
    };
    let worked: Option<u128> = std::thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || work(thread)))
            .collect();
        running.into_iter().map(|one| one.join().unwrap()).sum()
    });
    let each = started.elapsed().as_nanos() / u128::from(DECISIONS);
    let worked = worked.map_or(String::new(), |all| {
        let each = all / u128::from(DECISIONS * threads);
        format!(", {each} ns of it on a processor")
    });
    println!("{what}, {threads} thread(s): {each} ns per decision{worked}");
}

#[test]
#[ignore = "a measurement, meant for a release build"]
fn speed_of_a_decision_in_this_process() {
    let keys: Vec<String> = (0..100_000)
        .map(|key| format!("u26:usr_{key:022}"))
        .collect();
    let now = Instant::now();
    for (name, policy) in [
        ("token bucket", bucket(9_000, MINUTE / 60, 1_000_000)),
        ("sliding window", window(2_000_000_000, MINUTE)),
    ] {
        for threads in [1, 2] {
            let (limiter, id) = in_memory(policy.clone());
            let decide = |key: usize, now| {
                limiter.decide_local(id, &keys[key], 1, now).unwrap();
            };
            measure(&format!("{name}, one key for all"), threads, |_, _| {
                decide(0, now)
            });
            let some = |thread: u32, round: u32| {
                decide(
                    usize::try_from((round * 7 + thread * 31) % 64).unwrap(),
                    now,
                );
            };
            measure(&format!("{name}, 64 hot keys"), threads, some);
            let clock = |thread: u32, round: u32| {
                let key = usize::try_from((round * 7 + thread * 31) % 64).unwrap();
                decide(key, Instant::now());
            };
            measure(
                &format!("{name}, 64 hot keys, with reading the clock"),
                threads,
                clock,
            );
            let many = |_, round: u32| decide(usize::try_from(round % 100_000).unwrap(), now);
            measure(&format!("{name}, 100,000 keys"), threads, many);
            let (limiter, id) = in_memory(Policy {
                algorithm: match policy.algorithm {
                    Algorithm::TokenBucket { .. } => Algorithm::TokenBucket { burst: 10 },
                    Algorithm::SlidingWindow => Algorithm::SlidingWindow,
                },
                quota: 10,
                ..policy.clone()
            });
            let rejected = |_, _| {
                limiter.decide_local(id, "key", 1, now).unwrap();
            };
            measure(&format!("{name}, rejected"), threads, rejected);
        }
    }
    let (limiter, id) = in_memory(bucket(600, MINUTE, 100));
    let decision = limiter.decide_local(id, "key", 1, now).unwrap();
    measure("header fields", 1, |_, _| {
        let mut headers = HeaderMap::new();
        limiter.write_headers(id, &decision, &mut headers);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, meant for a release build"]
async fn speed_of_redis() {
    let fast = bucket(9_000, MINUTE / 60, 1_000_000);
    for (name, algorithm) in [
        ("token bucket", fast.algorithm),
        ("sliding window", Algorithm::SlidingWindow),
    ] {
        let policy = Policy {
            algorithm,
            mode: Mode::Strict,
            ..fast.clone()
        };
        let (limiter, id) = open(&on_redis(), policy.clone());
        let started = Instant::now();
        for _ in 0..10_000 {
            limiter.decide(id, "key", 1).await.unwrap();
        }
        let each = started.elapsed() / 10_000;
        println!("{name}, strict, one after the other: {each:?} per decision");

        let mut options = on_redis();
        options.sync_interval = MINUTE;
        let local = Policy {
            mode: Mode::LocalFirst,
            ..policy
        };
        let (limiter, id) = open(&options, local);
        for key in 0..50_000 {
            let key = format!("u26:usr_{key:022}");
            limiter.decide_local(id, &key, 1, Instant::now()).unwrap();
        }
        let started = Instant::now();
        limiter.reconcile().await;
        let each = started.elapsed() / 50_000;
        println!("{name}, exchange of 50,000 keys: {each:?} per key");
    }
}
