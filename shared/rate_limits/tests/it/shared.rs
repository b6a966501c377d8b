//! Instances decide at once and agree afterwards. Each test says itself when they exchange.

use std::time::Duration;

use rate_limits::{Limiter, LimiterOptions, Policy, PolicyId};
use tokio::time::Instant;

use crate::server::{MINUTE, bucket, on_redis, open, window};

const HOUR: Duration = Duration::from_secs(3_600);

/// Two instances that exchange only when they are asked to.
fn two(policy: &Policy, change: impl Fn(&mut LimiterOptions)) -> (Limiter, Limiter, PolicyId) {
    let mut options = on_redis();
    options.sync_interval = HOUR;
    change(&mut options);
    let (one, id) = open(&options, policy.clone());
    let (other, _) = open(&options, policy.clone());
    (one, other, id)
}

/// Spends one by one until nothing passes; how many passed.
fn drain(limiter: &Limiter, id: PolicyId) -> u32 {
    let passes = || limiter.decide_local(id, "key", 1, Instant::now()).unwrap();
    let mut allowed = 0;
    while passes().allowed {
        allowed += 1;
    }
    allowed
}

#[tokio::test]
async fn what_one_instance_spent_the_other_knows_after_the_next_exchange() {
    for policy in [bucket(10, HOUR, 10), window(10, HOUR)] {
        let (one, other, id) = two(&policy, |_| ());
        assert_eq!(drain(&one, id), 10);
        one.reconcile().await;
        // The other has never heard of the key.
        assert!(
            other
                .decide_local(id, "key", 1, Instant::now())
                .unwrap()
                .allowed
        );
        other.reconcile().await;
        let decision = other.decide_local(id, "key", 1, Instant::now()).unwrap();
        assert!(!decision.allowed);
        assert_eq!(decision.remaining, 0);
        assert!(decision.retry_after > MINUTE, "{decision:?}");
        assert_eq!(drain(&one, id), 0);
    }
}

#[tokio::test]
async fn what_was_spent_meanwhile_is_added_to_what_redis_answers() {
    for policy in [bucket(100, HOUR, 100), window(100, HOUR)] {
        let (one, other, id) = two(&policy, |_| ());
        let spend = |limiter: &Limiter, cost| {
            limiter
                .decide_local(id, "key", cost, Instant::now())
                .unwrap()
        };
        for _ in 0..5 {
            spend(&one, 3);
            spend(&other, 4);
            one.reconcile().await;
            spend(&other, 1);
            other.reconcile().await;
            one.reconcile().await;
        }
        spend(&one, 1);
        one.reconcile().await;
        // 5 · (3 + 4 + 1) + 1; the bucket may have gained a unit in a slow minute.
        let remaining = spend(&one, 0).remaining;
        assert!((59..=60).contains(&remaining), "{remaining}");
    }
}

/// The bound of the crate's documentation, with the longest cycle that there really was.
#[tokio::test]
async fn a_flood_at_two_instances_stays_within_the_bound_and_is_paid_back() {
    let second = Duration::from_secs(1);
    let (one, other, id) = two(&bucket(500, second, 500), |_| ());
    let started = Instant::now();
    let (mut allowed, mut longest) = (0, Duration::ZERO);
    while started.elapsed() < 3 * second {
        let cycle = Instant::now();
        allowed += drain(&one, id) + drain(&other, id);
        one.reconcile().await;
        allowed += drain(&one, id) + drain(&other, id);
        other.reconcile().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        longest = longest.max(cycle.elapsed());
    }
    let flows = |time: Duration| u32::try_from(time.as_micros() * 500 / 1_000_000 + 1).unwrap();
    let limit = 500 + flows(started.elapsed());
    let in_two_cycles = flows(2 * longest);
    println!("{allowed} of {limit}, and {in_two_cycles} flow in in two cycles");
    // The burst at both is paid back long since: what is left is the rate of two cycles.
    assert!(allowed <= limit + in_two_cycles, "{allowed} of {limit}");
    assert!(allowed * 100 >= limit * 95, "{allowed} of {limit}");
}

/// The slots of Redis begin at other times than those of the process.
#[tokio::test]
async fn exchanges_make_no_window_hold_more_than_the_quota() {
    let (one, _, id) = two(&window(200, Duration::from_secs(1)), |_| ());
    let started = Instant::now();
    let mut passed = Vec::new();
    while started.elapsed() < Duration::from_secs(4) {
        let now = Instant::now();
        let passes = || one.decide_local(id, "key", 1, now).unwrap().allowed;
        passed.extend((0..7).take_while(|_| passes()).map(|_| now));
        one.reconcile().await;
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    let first_and_last = passed.windows(201).map(|some| some[200] - some[0]);
    let shortest = first_and_last.min().unwrap();
    assert!(shortest >= Duration::from_secs(1), "{shortest:?}");
    assert!(passed.len() > 500, "{}", passed.len());
}

#[tokio::test]
async fn a_burst_at_all_instances_overshoots_once_and_less_in_parts() {
    for (parts, overshoot) in [(1, 100), (4, 50), (8, 25)] {
        for policy in [bucket(100, HOUR, 100), window(100, HOUR)] {
            let (one, other, id) = two(&policy, |options| options.burst_parts = parts);
            let mut allowed = drain(&one, id) + drain(&other, id);
            for _ in 0..40 {
                one.reconcile().await;
                other.reconcile().await;
                allowed += drain(&one, id) + drain(&other, id);
            }
            // Single requests always get the last units, one at each.
            let most = 100 + overshoot + 2;
            assert!(
                (100..=most).contains(&allowed),
                "{allowed} in {parts} parts"
            );
        }
    }
}

#[tokio::test]
async fn a_request_larger_than_a_part_passes_if_it_comes_first() {
    let policy = bucket(100, HOUR, 100);
    let (one, _, id) = two(&policy, |options| options.burst_parts = 4);
    let spend = |cost| one.decide_local(id, "key", cost, Instant::now()).unwrap();
    assert!(spend(60).allowed);
    let decision = spend(30);
    assert!(!decision.allowed);
    assert_eq!(decision.retry_after, HOUR); // the next exchange
    one.reconcile().await;
    assert!(spend(30).allowed);
}

#[tokio::test]
async fn the_exchange_happens_by_itself() {
    let mut options = on_redis();
    options.sync_interval = Duration::from_millis(10);
    let (one, id) = open(&options, bucket(10, HOUR, 10));
    let (other, _) = open(&options, bucket(10, HOUR, 10));
    drain(&one, id);
    let learnt = async {
        while other
            .decide_local(id, "key", 0, Instant::now())
            .unwrap()
            .remaining
            > 0
        {
            other.decide_local(id, "key", 1, Instant::now()).unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(MINUTE, learnt).await.unwrap();
    // Far fewer than its own ten: it heard of the other's.
    assert!(other.stats().allowed < 10, "{:?}", other.stats());
}
