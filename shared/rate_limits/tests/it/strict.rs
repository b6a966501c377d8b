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

/// As many requests as possible for this long, from four tasks; how many passed.
async fn press(limiter: &Limiter, id: PolicyId, end: Instant, tasks: &mut JoinSet<u32>) {
    for _ in 0..4 {
        let limiter = limiter.clone();
        tasks.spawn(async move {
            let mut allowed = 0;
            while Instant::now() < end {
                let decision = limiter.decide(id, "key", 1).await.unwrap();
                allowed += u32::from(decision.allowed);
            }
            allowed
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_let_through_the_limit_to_one_percent() {
    let two = Duration::from_secs(2);
    for (policy, limit) in [
        (strict(window(400, two)), 3 * 400),
        (strict(bucket(400, two, 50)), 3 * 400 + 50),
    ] {
        let options = on_redis();
        let (one, id) = open(&options, policy.clone());
        let (other, _) = open(&options, policy);
        let mut tasks = JoinSet::new();
        let started = Instant::now();
        let end = started + 3 * two;
        press(&one, id, end, &mut tasks).await;
        press(&other, id, end, &mut tasks).await;
        let allowed: u32 = tasks.join_all().await.into_iter().sum();
        // What flows in while a slow machine is late to stop.
        let late = u32::try_from((started.elapsed() - 3 * two).as_millis() / 5 + 1).unwrap();
        assert!(
            allowed <= limit + limit / 100 + late && allowed >= limit - limit / 100,
            "{allowed} of {limit}"
        );
        assert_eq!(one.stats().store_errors + other.stats().store_errors, 0);
    }
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
