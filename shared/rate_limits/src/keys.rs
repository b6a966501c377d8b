//! The keys of one policy in this process.

use std::hash::{BuildHasher, RandomState};
use std::iter::once;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::entry::{Answer, Change, Terms};
use crate::rule::Verdict;
use crate::shard::Shard;

/// Far above the number of cores that decide at once.
const SHARDS: usize = 64;

/// On cache lines of its own, so that cores that work on neighbours do not disturb each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Locked(Mutex<Shard>);

impl Locked {
    fn lock(&self) -> MutexGuard<'_, Shard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(crate) struct Keys {
    terms: Terms,
    /// SipHash under a random key of this process: callers choose keys, and must not be able to make
    /// them collide.
    hasher: RandomState,
    shards: Vec<Locked>,
    last: Locked,
}

/// What all shards have counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) allowed: u64,
    pub(crate) rejected: u64,
    pub(crate) overflowed: u64,
    pub(crate) keys: u64,
}

impl Keys {
    /// The capacity of the terms is that of all keys here.
    pub(crate) fn new(mut terms: Terms) -> Self {
        terms.capacity = terms.capacity.div_ceil(SHARDS).max(1);
        Self {
            terms,
            hasher: RandomState::new(),
            shards: (1..SHARDS).map(|_| Locked::default()).collect(),
            last: Locked::default(),
        }
    }

    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    pub(crate) fn decide(&self, key: &str, cost: u32, now: u64) -> Verdict {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash);
        shard.decide(&self.terms, hash, key, cost, now)
    }

    pub(crate) fn charge(&self, key: &str, cost: u32, now: u64) {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash);
        shard.charge(&self.terms, hash, key, cost, now);
    }

    /// Takes out what is to be told to Redis.
    pub(crate) fn changes(&self, now: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        for shard in self.all() {
            changes.append(&mut shard.lock().changes(&self.terms, now));
        }
        changes
    }

    /// Takes over what Redis says of a key; none if Redis did not answer.
    pub(crate) fn answered(&self, change: &Change, answer: Option<&Answer>, now: u64) {
        let mut shard = self.shard(change.hash);
        shard.answered(&self.terms, change, answer, now);
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for shard in self.all() {
            let shard = shard.lock();
            counts.allowed += shard.allowed;
            counts.rejected += shard.rejected;
            counts.overflowed += shard.overflowed;
            counts.keys += u64::try_from(shard.len()).unwrap_or(u64::MAX);
        }
        counts
    }

    fn all(&self) -> impl Iterator<Item = &Locked> {
        self.shards.iter().chain(once(&self.last))
    }

    /// By bits that the shard's own table does not look at: it takes the lowest and the highest.
    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        let place = usize::try_from((hash >> 40) & 63).ok();
        let shard = place.and_then(|place| self.shards.get(place));
        shard.unwrap_or(&self.last).lock()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::bucket::Bucket;
    use crate::rule::{Rule, State};

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Keys move, leave when their limit is whole again, and come back.
        #[test]
        fn each_key_is_limited_as_if_it_were_alone(
            requests in prop::collection::vec((0..200_u32, 0..3_000_u64), 1..2_000),
        ) {
            let rule = Rule::Bucket(Bucket::new(100_000, 3));
            let keys = Keys::new(Terms { rule, capacity: 100_000, sharing: None });
            let mut alone: HashMap<u32, State> = HashMap::new();
            let mut now = 0;
            for (key, gap) in requests {
                now += gap;
                let state = alone.entry(key).or_default();
                let expected = rule.spend(state, 1, rule.full(), now);
                prop_assert_eq!(keys.decide(&key.to_string(), 1, now), expected);
            }
            prop_assert!(keys.counts().keys <= 200);
        }
    }
}
