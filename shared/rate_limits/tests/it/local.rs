//! What the two algorithms promise, whatever the timing.

use std::time::Duration;

use proptest::prelude::*;
use rate_limits::{DecideError, Limiter, PolicyId};
use tokio::time::Instant;

use crate::server::{MINUTE, bucket, in_memory, window};

fn passes(limiter: &Limiter, id: PolicyId, cost: u32, now: Instant) -> bool {
    limiter.decide_local(id, "key", cost, now).unwrap().allowed
}

/// Requests that arrive together, evenly, or with gaps of any length; each with its cost.
fn traffic() -> impl Strategy<Value = Vec<(u64, u32)>> {
    let gap = prop_oneof![
        6 => Just(0),
        3 => 0..20_000_u64,
        2 => 400_000..500_000_u64,
        1 => 0..70_000_000_u64,
    ];
    prop::collection::vec((gap, 1..9_u32), 1..600)
}

/// The most that passed in any stretch of this length, in microseconds.
fn most_in_any(length: u64, passed: &[(u64, u32)]) -> u32 {
    let sum_from = |start: usize| {
        let (begin, _) = passed[start];
        let within = passed[start..].iter();
        let within = within.take_while(|(at, _)| at - begin < length);
        within.map(|(_, cost)| cost).sum()
    };
    (0..passed.len()).map(sum_from).max().unwrap_or(0)
}

fn passed(limiter: &Limiter, id: PolicyId, traffic: &[(u64, u32)]) -> Vec<(u64, u32)> {
    let start = Instant::now();
    let mut at = 0;
    let mut passed = Vec::new();
    for (gap, cost) in traffic {
        at += gap;
        if passes(limiter, id, *cost, start + Duration::from_micros(at)) {
            passed.push((at, *cost));
        }
    }
    passed
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_window_ever_holds_more_than_the_quota(traffic in traffic()) {
        let (limiter, id) = in_memory(window(100, MINUTE));
        let passed = passed(&limiter, id, &traffic);
        prop_assert!(most_in_any(60_000_000, &passed) <= 100);
    }

    #[test]
    fn a_token_bucket_never_lets_more_through_than_its_burst_and_its_rate(
        traffic in traffic(),
        length in 1..200_000_000_u64,
    ) {
        let (limiter, id) = in_memory(bucket(600, MINUTE, 20));
        let passed = passed(&limiter, id, &traffic);
        let flows_in = u32::try_from(length.div_ceil(100_000)).unwrap();
        prop_assert!(most_in_any(length, &passed) <= 20 + flows_in);
    }

    /// The caller who waits as long as it was told passes, and a microsecond earlier it does not.
    #[test]
    fn retry_after_is_the_moment_at_which_the_request_passes(
        traffic in traffic(),
        slides in any::<bool>(),
        cost in 1..20_u32,
    ) {
        let policy = if slides { window(100, MINUTE) } else { bucket(600, MINUTE, 20) };
        let (limiter, id) = in_memory(policy);
        let start = Instant::now();
        passed(&limiter, id, &traffic);
        let at = traffic.iter().map(|(gap, _)| gap).sum();
        let now = start + Duration::from_micros(at) + Duration::from_secs(1);
        let decision = limiter.decide_local(id, "key", cost, now).unwrap();
        if !decision.allowed {
            let then = now + decision.retry_after;
            prop_assert!(!passes(&limiter, id, cost, then - Duration::from_micros(2)));
            prop_assert!(passes(&limiter, id, cost, then));
        }
    }
}

#[test]
fn under_steady_pressure_ninety_nine_percent_of_the_quota_pass() {
    for (policy, at_first) in [(window(600, MINUTE), 0), (bucket(600, MINUTE, 100), 100)] {
        let (limiter, id) = in_memory(policy);
        let requests: Vec<_> = (0..200_000).map(|_| (6_000, 1)).collect();
        let count = passed(&limiter, id, &requests).len();
        let limit = 600 * 20 + at_first;
        assert!(
            count <= limit && count * 100 >= limit * 99,
            "{count} of {limit}"
        );
    }
}

#[test]
fn a_rejected_request_costs_nothing() {
    for policy in [window(10, MINUTE), bucket(10, MINUTE, 10)] {
        let (limiter, id) = in_memory(policy);
        let now = Instant::now();
        assert!(passes(&limiter, id, 8, now));
        let before = limiter.decide_local(id, "key", 3, now).unwrap();
        for _ in 0..1_000 {
            assert_eq!(limiter.decide_local(id, "key", 3, now).unwrap(), before);
        }
        assert!(!before.allowed);
        assert_eq!(before.remaining, 2);
        assert!(passes(&limiter, id, 2, now));
    }
}

#[test]
fn a_request_that_can_never_pass_is_told_so_instead_of_to_wait() {
    let (limiter, id) = in_memory(bucket(600, MINUTE, 100));
    assert_eq!(
        limiter.decide_local(id, "key", 101, Instant::now()),
        Err(DecideError::CostAboveLimit {
            cost: 101,
            most: 100
        })
    );
    assert!(passes(&limiter, id, 100, Instant::now()));
}

#[test]
fn a_decision_tells_what_remains_and_when_all_of_it_is_back() {
    let (limiter, id) = in_memory(bucket(600, MINUTE, 100));
    let now = Instant::now();
    let decision = limiter.decide_local(id, "key", 40, now).unwrap();
    assert_eq!((decision.quota, decision.remaining), (600, 60));
    assert_eq!(decision.reset, Duration::from_secs(4));
    let later = now + Duration::from_secs(3);
    let asked = limiter.decide_local(id, "key", 0, later).unwrap();
    assert_eq!((asked.allowed, asked.remaining), (true, 90));
    assert_eq!(asked.reset, Duration::from_secs(1));
    assert_eq!(
        limiter.decide_local(id, "new", 0, later).unwrap().remaining,
        100
    );
}

#[test]
fn threads_that_decide_at_once_get_no_more_than_the_limit_together() {
    for policy in [window(1_000, MINUTE), bucket(1_000, MINUTE, 1_000)] {
        let (limiter, id) = in_memory(policy);
        let now = Instant::now();
        let count = || (0..1_000).filter(|_| passes(&limiter, id, 1, now)).count();
        let allowed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(allowed, 1_000);
        assert_eq!(
            (limiter.stats().allowed, limiter.stats().rejected),
            (1_000, 3_000)
        );
    }
}
