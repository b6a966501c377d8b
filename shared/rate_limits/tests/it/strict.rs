//! Redis decides for all instances.

use std::time::Duration;

use rate_limits::{DecideError, Limiter, Mode, Policy, PolicyId};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::server::{MINUTE, bucket, on_redis, open, window};

fn strict(policy: Policy) -> Policy {
    Policy {
        mode: Mode::Strict,
        ..policy
    }
}

/// Four tasks with as many requests as possible until this time, and then until nothing passes; how
/// many passed, and when the last request was sent.
fn press(limiter: &Limiter, id: PolicyId, end: Instant, tasks: &mut JoinSet<(u32, Instant)>) {
    for _ in 0..4 {
        let limiter = limiter.clone();
        tasks.spawn(async move {
            let mut allowed = 0;
            loop {
                let sent = Instant::now();
                let decision = limiter.decide(id, "key", 1).await.unwrap();
                allowed += u32::from(decision.allowed);
                if sent >= end && !decision.allowed {
                    return (allowed, sent);
                }
            }
        });
    }
}

/// How many passed at two instances under pressure for two and three quarters windows of two seconds,
/// and the shortest and the longest time that this can have been for Redis.
async fn passed_at_two(policy: Policy) -> (u32, Duration, Duration) {
    let options = on_redis();
    let (one, id) = open(&options, policy.clone());
    let (other, _) = open(&options, policy);
    let before = Instant::now();
    assert!(one.decide(id, "key", 1).await.unwrap().allowed);
    let first = Instant::now();
    let end = first + Duration::from_millis(5_500);
    let mut tasks = JoinSet::new();
    press(&one, id, end, &mut tasks);
    press(&other, id, end, &mut tasks);
    let done = tasks.join_all().await;
    let longest = before.elapsed();
    assert_eq!(one.stats().store_errors + other.stats().store_errors, 0);
    let allowed: u32 = done.iter().map(|(allowed, _)| allowed).sum();
    let last = done.iter().map(|(_, sent)| *sent).max().unwrap();
    (allowed + 1, last - first, longest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_let_through_the_rate_to_one_percent() {
    // A busy machine may pause for a second before the burst is full and something is lost.
    let policy = strict(bucket(400, Duration::from_secs(2), 200));
    let (allowed, shortest, longest) = passed_at_two(policy).await;
    let limit = |time: Duration| 200 + time.as_micros() / 5_000;
    let (least, most) = (limit(shortest) * 99 / 100, limit(longest) * 101 / 100);
    assert!(
        (least..=most).contains(&u128::from(allowed)),
        "{allowed}, not {least} to {most}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_let_through_the_quota_of_each_window_to_one_percent() {
    let policy = strict(window(400, Duration::from_secs(2)));
    let (allowed, _, longest) = passed_at_two(policy).await;
    let windows = u32::try_from(longest.as_secs() / 2 + 1).unwrap();
    assert!(
        (3 * 400 * 99 / 100..=windows * 400).contains(&allowed),
        "{allowed} in {windows} windows"
    );
}

#[tokio::test]
async fn what_one_instance_spent_is_gone_for_the_other_at_once() {
    for policy in [
        strict(window(10, MINUTE * 60)),
        strict(bucket(10, MINUTE * 60, 10)),
    ] {
        let options = on_redis();
        let (one, id) = open(&options, policy.clone());
        let (other, _) = open(&options, policy);
        assert_eq!(one.decide(id, "key", 7).await.unwrap().remaining, 3);
        let decision = other.decide(id, "key", 4).await.unwrap();
        assert!(!decision.allowed && decision.retry_after > Duration::ZERO);
        assert_eq!(other.decide(id, "key", 3).await.unwrap().remaining, 0);
        assert_eq!(other.decide(id, "another", 3).await.unwrap().remaining, 7);
        assert_eq!(
            other.decide(id, "key", 11).await,
            Err(DecideError::CostAboveLimit { cost: 11, most: 10 })
        );
        let stats = other.stats();
        assert_eq!((stats.allowed, stats.rejected), (2, 1));
    }
}
