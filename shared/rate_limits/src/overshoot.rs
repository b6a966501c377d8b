//! The bound that the crate's documentation states, for any traffic at any instances in any order.

use proptest::prelude::*;

use crate::bucket::Bucket;
use crate::entry::{Answer, Change, News, Sharing, Terms};
use crate::keys::Keys;
use crate::rule::{Rule, Shared};

/// What 5 units take to flow in, and how late Redis' answers are taken, in microseconds.
const EXCHANGE: u64 = 100_000;
const INTERVAL: u64 = 20_000;
const LATE: u64 = 10_000;
const BURST: u64 = 40;

/// A flow of requests: after which gap, at which instance, how many.
type Traffic = [(u64, usize, u32)];

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

struct Instance {
    keys: Keys,
    next: u64,
    answers: Option<Vec<(Change, Answer)>>,
}

impl Instance {
    fn new(phase: u64, parts: u64) -> Self {
        let sharing = Sharing {
            parts,
            wait: EXCHANGE,
        };
        Self {
            keys: Keys::new(Terms {
                rule: Rule::Bucket(Bucket::new(INTERVAL, u32::try_from(BURST).unwrap())),
                capacity: 100,
                sharing: Some(sharing),
            }),
            next: EXCHANGE + phase,
            answers: None,
        }
    }

    /// Takes the answers that are there, or else tells what was spent.
    fn step(&mut self, store: &mut Store) {
        if let Some(answers) = self.answers.take() {
            for (change, answer) in answers {
                self.keys.answered(&change, Some(&answer), self.next);
            }
            self.next += EXCHANGE - LATE;
            return;
        }
        let changes = self.keys.changes(self.next).into_iter();
        let told = changes.map(|change| {
            let answer = store.told(&change.news, self.next);
            (change, answer)
        });
        self.answers = Some(told.collect());
        self.next += LATE;
    }
}

fn due(instances: &mut [Instance], now: u64) -> Option<&mut Instance> {
    let earliest = instances.iter_mut().min_by_key(|instance| instance.next);
    earliest.filter(|instance| instance.next <= now)
}

/// How many units passed, and the most that was missing in one bucket for all, over its capacity.
fn overshoot(count: usize, parts: u64, cost: u32, traffic: &Traffic) -> (u64, u64) {
    let phase = |at: usize| {
        let (at, count) = (u64::try_from(at).unwrap(), u64::try_from(count).unwrap());
        EXCHANGE * at / count
    };
    let mut instances: Vec<_> = (0..count)
        .map(|at| Instance::new(phase(at), parts))
        .collect();
    let mut store = Store::default();
    let (mut now, mut full_at, mut passed, mut most) = (0, 0_u64, 0, 0);
    for (gap, at, requests) in traffic {
        now += gap;
        while let Some(instance) = due(&mut instances, now) {
            instance.step(&mut store);
        }
        for _ in 0..*requests {
            if instances[at % count].keys.decide("key", cost, now).allowed {
                passed += u64::from(cost);
                full_at = full_at.max(now) + u64::from(cost) * INTERVAL;
                most = most.max(full_at - now);
            }
        }
    }
    (passed, most.saturating_sub(BURST * INTERVAL))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
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
                prop_oneof![Just(0), 0..30_000_u64, 0..300_000_u64, 0..1_500_000_u64],
                0..4_usize,
                prop_oneof![1 => 1..4_u32, 2 => Just(60)],
            ),
            1..60,
        ),
    ) {
        let others = u64::try_from(instances - 1).unwrap();
        let burst = (2 * BURST).div_ceil(parts).min(BURST);
        let single = if parts > 1 { 2 * u64::from(cost) } else { 0 };
        let bound = others * ((burst + single) * INTERVAL + 2 * (EXCHANGE + LATE));
        let (_, over) = overshoot(instances, parts, cost, &traffic);
        prop_assert!(over <= bound, "{over} > {bound}");
    }
}

#[test]
fn a_burst_at_every_instance_reaches_the_bound_and_parts_keep_it_low() {
    let traffic: Vec<_> = (0..4).map(|at| (0, at, 60)).collect();
    assert_eq!(overshoot(4, 1, 1, &traffic).1, 3 * BURST * INTERVAL);
    assert_eq!(overshoot(4, 4, 1, &traffic).1, 0);
}

#[test]
fn one_instance_never_lets_more_through_however_late_the_answers_are() {
    let traffic: Vec<_> = (0..5_000).map(|_| (1_000, 0, 2)).collect();
    assert_eq!(overshoot(1, 1, 1, &traffic).1, 0);
}

/// A burst at one instance only waits for the exchanges, each of which brings half of the rest.
#[test]
fn in_two_parts_nine_tenths_of_a_burst_pass_after_four_exchanges() {
    let traffic = [
        (0, 0, 60),
        (130_000, 0, 60),
        (100_000, 0, 60),
        (100_000, 0, 60),
    ];
    let (passed, over) = overshoot(1, 2, 1, &traffic);
    assert!(passed >= BURST * 9 / 10, "{passed}");
    assert_eq!(over, 0);
}

/// A caller may drop the exchange that it waits for.
#[test]
fn an_exchange_that_was_given_up_holds_no_key_back() {
    let mut instance = Instance::new(0, 4);
    let mut store = Store::default();
    let passes = |instance: &Instance| instance.keys.decide("key", 8, instance.next).allowed;
    assert!(passes(&instance));
    drop(instance.keys.changes(instance.next));
    assert!(!passes(&instance)); // beyond its part of 10
    instance.step(&mut store);
    instance.step(&mut store);
    assert!(passes(&instance));
}

#[test]
fn a_minute_of_overload_at_five_instances_exceeds_the_limit_by_less_than_one_percent() {
    for parts in [1, 5] {
        let traffic: Vec<_> = (0..30_000).map(|at| (2_000, at % 5, 1)).collect();
        let (passed, _) = overshoot(5, parts, 1, &traffic);
        let limit = BURST + 60_000_000 / INTERVAL;
        let off = passed.abs_diff(limit);
        assert!(off * 100 <= limit, "{passed} of {limit} in {parts} parts");
    }
}
