//! The two algorithms behind one face. All times are microseconds.

use crate::bucket::Bucket;
use crate::window::{Ring, Window};

/// What was decided for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) allowed: bool,
    /// Units of cost that would pass now.
    pub(crate) remaining: u64,
    /// Until the whole limit is there again, if nothing more is spent.
    pub(crate) reset: u64,
    /// Until the same request would pass; 0 if it passed.
    pub(crate) retry_after: u64,
}

/// What is known of one key. A bucket uses the time alone, a window the ring.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) full_at: u64,
    pub(crate) ring: Option<Box<Ring>>,
}

/// What Redis holds of one key, relative to now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shared {
    /// What is missing in the bucket, in microseconds.
    Missing(u64),
    /// Counts by their age in slots, oldest first.
    ByAge(Vec<(u64, u64)>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    Bucket(Bucket),
    Window(Window),
}

impl Rule {
    /// The whole limit, in what the algorithm counts: microseconds or units.
    pub(crate) fn full(&self) -> u64 {
        match self {
            Self::Bucket(bucket) => bucket.capacity,
            Self::Window(window) => window.quota,
        }
    }

    /// Spends the cost if no more than `limit` (see [`Rule::full`]) is then used.
    pub(crate) fn spend(&self, state: &mut State, cost: u32, limit: u64, now: u64) -> Verdict {
        match self {
            Self::Bucket(bucket) => bucket.spend(&mut state.full_at, cost, limit, now),
            Self::Window(window) => window.spend(ring(state), cost, limit, now),
        }
    }

    /// Counts what has been allowed elsewhere already.
    pub(crate) fn charge(&self, state: &mut State, cost: u64, now: u64) {
        match self {
            Self::Bucket(bucket) => {
                let missing = state.full_at.saturating_sub(now);
                let cost = bucket.interval.saturating_mul(cost);
                state.full_at = now.saturating_add(missing).saturating_add(cost);
            }
            Self::Window(window) => {
                let ring = ring(state);
                window.advance(ring, now);
                window.add(ring, cost);
            }
        }
    }

    /// What is used of [`Rule::full`]; more after an overshoot. Nothing is as good as absent.
    pub(crate) fn used(&self, state: &mut State, now: u64) -> u64 {
        match (self, &mut state.ring) {
            (Self::Bucket(_), _) => state.full_at.saturating_sub(now),
            (Self::Window(_), None) => 0,
            (Self::Window(window), Some(ring)) => {
                window.advance(ring, now);
                ring.used()
            }
        }
    }

    /// Whether not even the cheapest request would pass.
    pub(crate) fn is_limited(&self, used: u64) -> bool {
        let one = match self {
            Self::Bucket(bucket) => bucket.interval,
            Self::Window(_) => 1,
        };
        used.saturating_add(one) > self.full()
    }

    /// The state as Redis takes it.
    pub(crate) fn share(&self, state: &mut State, now: u64) -> Shared {
        match self {
            Self::Bucket(_) => Shared::Missing(state.full_at.saturating_sub(now)),
            Self::Window(window) => Shared::ByAge(window.by_age(ring(state), now)),
        }
    }

    /// Takes over Redis' state.
    pub(crate) fn adopt(&self, state: &mut State, shared: &Shared, now: u64) {
        match (self, shared) {
            (Self::Bucket(_), Shared::Missing(missing)) => {
                state.full_at = now.saturating_add(*missing);
            }
            (Self::Window(window), Shared::ByAge(by_age)) => {
                window.take(ring(state), by_age, now);
            }
            // Another algorithm's answer says nothing here.
            (Self::Bucket(_), Shared::ByAge(_)) | (Self::Window(_), Shared::Missing(_)) => {}
        }
    }
}

fn ring(state: &mut State) -> &mut Ring {
    state.ring.get_or_insert_default()
}
