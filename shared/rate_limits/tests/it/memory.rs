//! The memory that keys may take, and what happens at its end.

use std::time::Duration;

use rate_limits::{Limiter, LimiterOptions, Policy, PolicyId};
use tokio::time::Instant;

use crate::server::{MINUTE, bucket, open, window};

const CAPACITY: usize = 64 * 32;

fn small(policy: Policy) -> (Limiter, PolicyId) {
    let mut options = LimiterOptions::new("memory:", "test");
    options.capacity = CAPACITY;
    open(&options, policy)
}

#[test]
fn a_flood_of_keys_frees_nobody_who_is_limited_and_denies_nobody_else() {
    for policy in [bucket(10, MINUTE, 10), window(10, MINUTE)] {
        let (limiter, id) = small(policy);
        let now = Instant::now();
        let passes = |key: &str| limiter.decide_local(id, key, 1, now).unwrap().allowed;
        for limited in 0..20 {
            let key = format!("limited-{limited}");
            assert_eq!((0..11).filter(|_| passes(&key)).count(), 10);
        }
        for flooding in 0..50_000 {
            assert!(passes(&format!("flooding-{flooding}")));
        }
        for limited in 0..20 {
            assert!(!passes(&format!("limited-{limited}")));
        }
        let stats = limiter.stats();
        assert_eq!(stats.overflowed, 0);
        assert!(stats.keys <= u64::try_from(CAPACITY).unwrap(), "{stats:?}");
    }
}

#[test]
fn keys_without_a_place_are_limited_together() {
    for policy in [bucket(1, MINUTE, 1), window(1, MINUTE)] {
        let (limiter, id) = small(policy);
        let now = Instant::now();
        let first = |number: u32| {
            limiter
                .decide_local(id, &number.to_string(), 1, now)
                .unwrap()
        };
        let allowed = (0..50_000).filter(|number| first(*number).allowed).count();
        assert!((CAPACITY..=CAPACITY + 64).contains(&allowed), "{allowed}");
        assert!(limiter.stats().overflowed > 40_000);
    }
}

#[test]
fn a_key_whose_limit_is_whole_again_leaves_when_others_come() {
    let (limiter, id) = small(bucket(60, MINUTE, 10));
    let start = Instant::now();
    for key in 0..1_000 {
        limiter
            .decide_local(id, &format!("early-{key}"), 1, start)
            .unwrap();
    }
    assert_eq!(limiter.stats().keys, 1_000);
    let later = start + Duration::from_secs(2);
    for key in 0..1_000 {
        limiter
            .decide_local(id, &format!("late-{key}"), 1, later)
            .unwrap();
    }
    let keys = limiter.stats().keys;
    assert!((1_000..1_200).contains(&keys), "{keys}");
}

#[test]
fn asking_without_spending_holds_no_key() {
    let (limiter, id) = small(bucket(60, MINUTE, 10));
    for key in 0..100 {
        limiter
            .decide_local(id, &key.to_string(), 0, Instant::now())
            .unwrap();
    }
    assert_eq!(limiter.stats().keys, 0);
}
