//! This process and Redis decide alike, to the microsecond.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use crate::entry::{Change, News, Terms};
use crate::keys::Keys;
use crate::options::LimiterOptions;
use crate::policy::{Algorithm, Mode, OnOutage, Policy};
use crate::remote::Remote;
use crate::rule::Shared;

/// In the year 2026; any time at which a window's slots begin somewhere.
const START: u64 = 1_796_000_000_123_457;

pub(crate) fn redis_url() -> String {
    std::env::var("INTERLINE_TEST_REDIS_URL").unwrap_or_else(|_| {
        panic!(
            "INTERLINE_TEST_REDIS_URL is not set: run tests/run.sh, \
             or eval \"$(tests/services.sh start)\" first"
        )
    })
}

fn remote() -> Remote {
    let prefix = format!("test-{}", uuid::Uuid::new_v4().simple());
    let mut options = LimiterOptions::new(redis_url(), prefix);
    // A loaded machine is not an outage.
    options.timeout = Duration::from_secs(20);
    Remote::new(&options).unwrap()
}

fn policy(algorithm: Algorithm, quota: u32, window: Duration) -> Policy {
    Policy {
        name: "test".to_owned(),
        algorithm,
        quota,
        window,
        mode: Mode::Strict,
        on_outage: OnOutage::Local,
    }
}

fn keys(policy: &Policy) -> Keys {
    Keys::new(Terms {
        rule: policy.rule().unwrap(),
        capacity: 1_000,
        sharing: None,
    })
}

/// Steps from none over a slot and a window to far beyond, in thousandths of the window.
fn step() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(0),
        4 => 0..10_u64,
        2 => 0..200_u64,
        1 => 900..1_100_u64,
        1 => 0..5_000_u64,
    ]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let algorithm = prop_oneof![
        (1..30_u32).prop_map(|burst| Algorithm::TokenBucket { burst }),
        Just(Algorithm::SlidingWindow),
    ];
    (algorithm, 1..50_u32, 100_000..100_000_000_u64).prop_map(|(algorithm, quota, window)| {
        policy(algorithm, quota, Duration::from_micros(window))
    })
}

#[test]
fn this_process_and_redis_decide_alike_in_any_order_of_time_key_and_cost() {
    let runtime = Runtime::new().unwrap();
    let remote = runtime.block_on(async { remote() });
    let requests = prop::collection::vec((step(), 0..1_000_u64, 0..3_usize, 0..8_u32), 1..120);
    let mut runner = TestRunner::new(Config {
        cases: 96,
        failure_persistence: None,
        ..Config::default()
    });
    let mut trace = 0;
    let mut outcomes = [0_u32; 2];
    let outcome = std::cell::RefCell::new((&mut trace, &mut outcomes));
    runner
        .run(&(any_policy(), requests), |(policy, requests)| {
            let (trace, outcomes) = &mut *outcome.borrow_mut();
            **trace += 1;
            let keys = keys(&policy);
            let rule = policy.rule().unwrap();
            let mut now = START;
            for (thousandths, more, key, cost) in requests {
                let window = u64::try_from(policy.window.as_micros()).unwrap();
                now += thousandths * window / 1_000 + more * u64::from(thousandths > 0);
                let cost = cost.min(policy.most());
                let key = format!("{trace}-{key}");
                let here = keys.decide(&key, cost, now);
                let there = remote.decide(&policy.name, &rule, &key, cost, Some(now));
                let there = runtime.block_on(there).unwrap();
                outcomes[usize::from(here.allowed)] += 1;
                prop_assert_eq!(here, there);
            }
            Ok(())
        })
        .unwrap();
    let [rejected, allowed] = outcomes;
    assert!(rejected > 500 && allowed > 500, "{rejected}, {allowed}");
}

/// Sixty seconds of pressure on the script, without waiting for them.
#[test]
fn over_sixty_seconds_redis_lets_through_what_the_limit_says() {
    let runtime = Runtime::new().unwrap();
    let remote = runtime.block_on(async { remote() });
    let minute = Duration::from_secs(60);
    for (algorithm, at_first) in [
        (Algorithm::TokenBucket { burst: 100 }, 100),
        (Algorithm::SlidingWindow, 0),
    ] {
        let policy = policy(algorithm, 600, minute);
        let rule = policy.rule().unwrap();
        let mut allowed = 0;
        for step in 0..4_000_u64 {
            let at = START + step * 15_000;
            let decided = remote.decide("minute", &rule, "key", 1, Some(at));
            allowed += u32::from(runtime.block_on(decided).unwrap().allowed);
        }
        let limit = 600 + at_first;
        assert!(
            allowed <= limit && allowed * 100 >= limit * 99,
            "{allowed} of {limit}"
        );
    }
}

fn spent(cost: u64) -> Change {
    Change {
        hash: 0,
        key: "key".into(),
        news: News::Spent(cost),
    }
}

#[test]
fn every_key_on_redis_ends_by_itself() {
    let runtime = Runtime::new().unwrap();
    let remote = runtime.block_on(async { remote() });
    for algorithm in [
        Algorithm::TokenBucket { burst: 5 },
        Algorithm::SlidingWindow,
    ] {
        let policy = policy(algorithm, 5, Duration::from_secs(60));
        let rule = policy.rule().unwrap();
        for name in ["decided", "shared"] {
            for _ in 0..7 {
                if name == "decided" {
                    let decided = remote.decide(name, &rule, "key", 1, None);
                    runtime.block_on(decided).unwrap();
                } else {
                    let shared = [spent(1)];
                    let shared = remote.share(name, &rule, &shared, None);
                    runtime.block_on(shared).unwrap();
                }
            }
            let key = remote.key(name, &rule, "key");
            let remaining: i64 = runtime.block_on(async {
                let client = redis::Client::open(redis_url()).unwrap();
                let mut connection = client.get_multiplexed_async_connection().await.unwrap();
                let mut ttl = redis::cmd("PTTL");
                ttl.arg(key).query_async(&mut connection).await.unwrap()
            });
            assert!((1..=90_000).contains(&remaining), "{remaining}");
        }
    }
}

/// A limit holds no longer than it should when Redis' clock is set back, by a failover or by hand.
#[test]
fn a_clock_that_jumps_back_locks_nobody_out() {
    const HOUR: u64 = 3_600_000_000;
    let runtime = Runtime::new().unwrap();
    let remote = runtime.block_on(async { remote() });
    for algorithm in [
        Algorithm::TokenBucket { burst: 5 },
        Algorithm::SlidingWindow,
    ] {
        let policy = policy(algorithm, 5, Duration::from_secs(60));
        let rule = policy.rule().unwrap();
        for shares in [false, true] {
            let name = if shares { "shares" } else { "decides" };
            let decide = |cost, at| {
                let decided = remote.decide(name, &rule, "key", cost, Some(at));
                runtime.block_on(decided).unwrap()
            };
            let first = if shares { 4 } else { 5 };
            let mut now = START;
            for _ in 0..3 {
                assert!(decide(first, now).allowed);
                now -= HOUR;
                if shares {
                    let shared = [spent(1)];
                    let shared = remote.share(name, &rule, &shared, Some(now));
                    runtime.block_on(shared).unwrap();
                }
                let rejected = decide(5, now);
                assert!(!rejected.allowed && rejected.remaining == 0);
                assert!((59_000_000..61_000_000).contains(&rejected.retry_after));
                now += rejected.retry_after;
            }
        }
    }
}

#[test]
fn redis_takes_counts_at_their_age_and_gives_them_back_so() {
    let runtime = Runtime::new().unwrap();
    let remote = runtime.block_on(async { remote() });
    let policy = policy(
        Algorithm::SlidingWindow,
        50,
        Duration::from_secs(31_000_000),
    );
    let rule = policy.rule().unwrap();
    let told = |by_age: &[(u64, u64)]| {
        let change = Change {
            hash: 0,
            key: "key".into(),
            news: News::Whole(Shared::ByAge(by_age.to_vec())),
        };
        let answers = runtime.block_on(remote.share("ages", &rule, &[change], Some(START)));
        answers.unwrap().pop().unwrap()
    };
    let first = told(&[(128, 3), (100, 5), (3, 2), (0, 1)]);
    assert!(!first.existed);
    assert_eq!(
        first.shared,
        Shared::ByAge(vec![(128, 3), (100, 5), (3, 2), (0, 1)])
    );
    // Another instance knows of 19 in all, so of 8 that this one has not told: the last ones.
    let second = told(&[(100, 4), (3, 6), (1, 9)]);
    assert!(second.existed);
    assert_eq!(
        second.shared,
        Shared::ByAge(vec![(128, 3), (100, 5), (3, 2), (1, 8), (0, 1)])
    );
    let third = told(&[(5, 19)]);
    assert_eq!(third.shared, second.shared);
}
