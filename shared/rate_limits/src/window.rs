//! The sliding window: a ring of counts, one per slot of time.
//!
//! Counted is what was spent in the current slot and the [`SLOTS`] before it. These cover every
//! window that ends now, so that no window ever holds more than the quota.

use crate::rule::Verdict;

/// How many whole slots the window has; the slot that is being filled comes on top.
pub(crate) const SLOTS: u64 = 128;
const RING: u64 = SLOTS + 1;
const COUNTS: usize = 129;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// The length of a slot in microseconds, rounded up: the slots cover the window.
    pub(crate) slot: u64,
    pub(crate) quota: u64,
}

/// What was spent, by slot.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    /// The slot that is being filled.
    newest: u64,
    /// No slot before this one has a count, and none after `latest`: a caller who is rejected again and
    /// again must not cost a search through all of them each time.
    oldest: u64,
    latest: u64,
    used: u64,
    counts: [u32; COUNTS],
}

impl Default for Ring {
    fn default() -> Self {
        Self {
            newest: 0,
            oldest: 0,
            latest: 0,
            used: 0,
            counts: [0; COUNTS],
        }
    }
}

impl Ring {
    /// What is counted now.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    fn count(&self, slot: u64) -> u64 {
        let place = usize::try_from(slot % RING).ok();
        let count = place.and_then(|place| self.counts.get(place));
        count.copied().map_or(0, u64::from)
    }

    fn set(&mut self, slot: u64, count: u64) {
        let before = self.count(slot);
        let place = usize::try_from(slot % RING).ok();
        if let Some(place) = place.and_then(|place| self.counts.get_mut(place)) {
            *place = u32::try_from(count).unwrap_or(u32::MAX);
            self.used = self.used - before + u64::from(*place);
        }
    }

    fn add(&mut self, slot: u64, count: u64) {
        if count == 0 {
            return;
        }
        if self.used == 0 {
            (self.oldest, self.latest) = (slot, slot);
        }
        self.oldest = self.oldest.min(slot);
        self.latest = self.latest.max(slot);
        self.set(slot, self.count(slot) + count);
    }

    /// Moves on to the slot; what is too old no longer counts. Time never goes back.
    fn advance(&mut self, to: u64) {
        let first = (self.newest + 1).max(to.saturating_sub(SLOTS));
        for slot in first..=to {
            if self.used == 0 {
                break;
            }
            self.set(slot, 0);
        }
        self.newest = self.newest.max(to);
        self.oldest = self.oldest.max(self.newest.saturating_sub(SLOTS));
    }

    fn slots(&self) -> impl Iterator<Item = (u64, u64)> {
        let all = self.oldest..=self.latest;
        all.map(|slot| (slot, self.count(slot)))
            .filter(|(_, count)| *count > 0)
    }
}

impl Window {
    pub(crate) fn new(window: u64, quota: u32) -> Self {
        Self {
            slot: window.div_ceil(SLOTS),
            quota: u64::from(quota),
        }
    }

    /// Spends the cost if what is then counted is at most `limit`.
    pub(crate) fn spend(&self, ring: &mut Ring, cost: u32, limit: u64, now: u64) -> Verdict {
        self.advance(ring, now);
        let cost = u64::from(cost);
        let allowed = ring.used + cost <= limit;
        let retry_after = if allowed {
            self.add(ring, cost);
            0
        } else {
            self.room_after(ring, cost, now)
        };
        Verdict {
            allowed,
            remaining: self.quota.saturating_sub(ring.used),
            reset: match ring.used {
                0 => 0,
                _ => self.leaves_in(ring.latest, now),
            },
            retry_after,
        }
    }

    pub(crate) fn advance(&self, ring: &mut Ring, now: u64) {
        ring.advance(now / self.slot);
    }

    /// Counts the cost in the newest slot, whatever the quota says.
    pub(crate) fn add(&self, ring: &mut Ring, cost: u64) {
        ring.add(ring.newest, cost);
    }

    /// The counts by age in slots, oldest first, as they are exchanged with Redis.
    pub(crate) fn by_age(&self, ring: &mut Ring, now: u64) -> Vec<(u64, u64)> {
        self.advance(ring, now);
        let newest = ring.newest;
        ring.slots()
            .map(|(slot, count)| (newest - slot, count))
            .collect()
    }

    /// Takes counts by age in place of its own. Redis' slots begin at other times, so that a count may
    /// be younger than its age says, by up to a slot; it is taken as if it were.
    pub(crate) fn take(&self, ring: &mut Ring, by_age: &[(u64, u64)], now: u64) {
        self.advance(ring, now);
        *ring = Ring {
            newest: ring.newest,
            ..Ring::default()
        };
        for (age, count) in by_age.iter().filter(|(age, _)| *age <= SLOTS) {
            if let Some(slot) = ring.newest.checked_sub(age.saturating_sub(1)) {
                ring.add(slot, *count);
            }
        }
    }

    fn leaves_in(&self, slot: u64, now: u64) -> u64 {
        ((slot + RING) * self.slot).saturating_sub(now)
    }

    /// How long until so much has left that the cost fits.
    fn room_after(&self, ring: &mut Ring, cost: u64, now: u64) -> u64 {
        let mut used = ring.used + cost;
        if used <= self.quota {
            return 0;
        }
        let oldest = ring.slots().next();
        ring.oldest = oldest.map_or(ring.oldest, |(slot, _)| slot);
        for (slot, count) in ring.slots() {
            used -= count;
            if used <= self.quota {
                return self.leaves_in(slot, now);
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Wherever the slots of Redis begin.
        #[test]
        fn what_comes_back_from_redis_counts_for_a_whole_window_and_hardly_longer(
            spent in 1_000_000..2_000_000_u64,
            later in 0..100_000_u64,
            phase in 0..1_000_u64,
        ) {
            let window = Window::new(128_000, 10);
            let slot_there = |at: u64| (at + phase) / window.slot;
            let now = spent + later;
            let age = slot_there(now) - slot_there(spent);
            let mut ring = Ring::default();
            window.take(&mut ring, &[(age, 7)], now);
            window.advance(&mut ring, spent + 128_000 - 1);
            prop_assert_eq!(ring.used(), 7);
            window.advance(&mut ring, spent + 131_000);
            prop_assert_eq!(ring.used(), 0);
        }
    }
}
