//! The bound that the crate's documentation states, for any traffic at any instances in any order.

use proptest::prelude::*;

use crate::keys::Keys;
use crate::rule::{Rule, Shared};
use crate::shard::{Answer, News, Sharing, Terms};

const BURST: u64 = 40;
/// Microseconds per unit and per cycle: 5 units flow in during one.
const INTERVAL: u64 = 20_000;
const CYCLE: u64 = 100_000;

/// What Redis does with what it is told.
#[derive(Default)]
struct Store {
    full_at: Option<u64>,
}

impl Store {
    fn told(&mut self, news: &News, now: u64) -> Answer {
        let missing = self.full_at.map_or(0, |at| at.saturating_sub(now));
        let missing = match news {
            News::Spent(cost) => missing + cost * INTERVAL,
            News::Whole(Shared::Missing(amount)) => missing.max(*amount),
            News::Whole(Shared::ByAge(_)) => unreachable!("a bucket has no slots"),
        };
        let existed = self.full_at.is_some_and(|at| at > now);
        self.full_at = Some(now + missing);
        Answer {
            existed,
            shared: Shared::Missing(missing),
        }
    }
}

fn instance(parts: u64) -> Keys {
    Keys::new(Terms {
        rule: Rule::Bucket(crate::bucket::Bucket::new(
            INTERVAL,
            u32::try_from(BURST).unwrap(),
        )),
        capacity: 100,
        sharing: Some(Sharing { parts, wait: CYCLE }),
    })
}

/// The most that was missing in one bucket for all, over its capacity; in microseconds.
fn overshoot(instances: usize, parts: u64, traffic: &[(u64, usize, u32, u32)]) -> u64 {
    let all: Vec<Keys> = (0..instances).map(|_| instance(parts)).collect();
    let mut store = Store::default();
    let phase = |instance: usize| {
        CYCLE + CYCLE * u64::try_from(instance).unwrap() / u64::try_from(instances).unwrap()
    };
    let mut next: Vec<u64> = (0..instances).map(phase).collect();
    let (mut now, mut full_at, mut most) = (0, 0_u64, 0);
    for (gap, at, requests, cost) in traffic {
        let until = now + gap;
        while let Some((due, keys)) = next
            .iter_mut()
            .zip(&all)
            .filter(|(due, _)| **due <= until)
            .min_by_key(|(due, _)| **due)
        {
            for change in keys.changes(*due) {
                let answer = store.told(&change.news, *due);
                keys.answered(&change, Some(&answer), *due);
            }
            *due += CYCLE;
        }
        now = until;
        for _ in 0..*requests {
            if all[at % instances].decide("key", *cost, now).allowed {
                full_at = full_at.max(now) + u64::from(*cost) * INTERVAL;
                most = most.max(full_at - now);
            }
        }
    }
    most.saturating_sub(BURST * INTERVAL)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_passes_beyond_the_limit_stays_within_the_stated_bound(
        instances in 1..5_usize,
        parts in 1..9_u64,
        cost in 1..4_u32,
        traffic in prop::collection::vec(
            (
                prop_oneof![0..30_000_u64, 0..300_000_u64, 0..1_500_000_u64],
                0..4_usize,
                prop_oneof![1..4_u32, Just(60)],
            ),
            1..60,
        ),
    ) {
        let traffic: Vec<_> = traffic
            .iter()
            .map(|(gap, at, requests)| (*gap, *at, *requests, cost))
            .collect();
        let others = u64::try_from(instances - 1).unwrap();
        let burst = (2 * BURST).div_ceil(parts).min(BURST);
        let single = if parts > 1 { 2 * u64::from(cost) } else { 0 };
        let bound = others * ((burst + single) * INTERVAL + 2 * CYCLE);
        let over = overshoot(instances, parts, &traffic);
        prop_assert!(over <= bound, "{over} > {bound}");
    }
}

#[test]
fn a_burst_at_every_instance_comes_near_the_bound_and_parts_keep_it_low() {
    let traffic: Vec<_> = (0..4).map(|at| (0, at, 60, 1)).collect();
    assert_eq!(overshoot(4, 1, &traffic), 3 * BURST * INTERVAL);
    assert_eq!(overshoot(4, 4, &traffic), 0);
}
