//! One part of a policy's keys, under one lock: found by hash, kept in a list that a hand goes round,
//! so that a full shard finds something to replace without searching through all of it.

use hashbrown::HashTable;

use crate::entry::{Answer, Change, Entry, Terms};
use crate::rule::{Rule, State, Verdict};

/// How many entries each new key looks at to find expired ones.
const SWEPT: usize = 2;
/// Out of how many entries a new key replaces the one that has used least.
const SAMPLED: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Shard {
    index: HashTable<u32>,
    entries: Vec<Entry>,
    hand: usize,
    /// Hashes of the keys with something to tell.
    listed: Vec<u64>,
    /// What the keys share for which there is no place.
    overflow: State,
    pub(crate) allowed: u64,
    pub(crate) rejected: u64,
    pub(crate) overflowed: u64,
}

impl Shard {
    pub(crate) fn decide(
        &mut self,
        terms: &Terms,
        hash: u64,
        key: &str,
        cost: u32,
        now: u64,
    ) -> Verdict {
        let rule = &terms.rule;
        let verdict = match self.place(terms, hash, key, cost, now) {
            Place::Kept(at) => match self.entries.get_mut(at) {
                Some(entry) => entry.spend(terms, cost, now, &mut self.listed),
                None => rule.spend(&mut self.overflow, cost, rule.full(), now),
            },
            Place::Nowhere => rule.spend(&mut State::default(), cost, rule.full(), now),
            Place::Overflow => {
                self.overflowed += 1;
                rule.spend(&mut self.overflow, cost, rule.full(), now)
            }
        };
        if verdict.allowed {
            self.allowed += 1;
        } else {
            self.rejected += 1;
        }
        verdict
    }

    /// Counts what Redis has allowed, for the time when it does not answer.
    pub(crate) fn charge(&mut self, terms: &Terms, hash: u64, key: &str, cost: u32, now: u64) {
        let Place::Kept(at) = self.place(terms, hash, key, cost, now) else {
            return;
        };
        if let Some(entry) = self.entries.get_mut(at) {
            terms.rule.charge(&mut entry.state, u64::from(cost), now);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    fn find(&self, hash: u64, key: &str) -> Option<usize> {
        let is_it = |at: &u32| {
            let entry = self.entries.get(position(*at));
            entry.is_some_and(|entry| entry.hash == hash && *entry.key == *key)
        };
        self.index.find(hash, is_it).map(|at| position(*at))
    }

    fn place(&mut self, terms: &Terms, hash: u64, key: &str, cost: u32, now: u64) -> Place {
        if let Some(at) = self.find(hash, key) {
            return Place::Kept(at);
        }
        if cost == 0 {
            return Place::Nowhere;
        }
        self.sweep(&terms.rule, now);
        if self.entries.len() >= terms.capacity {
            let Some(at) = self.least_used(&terms.rule, now) else {
                return Place::Overflow;
            };
            self.remove(at);
        }
        let Ok(at) = u32::try_from(self.entries.len()) else {
            return Place::Overflow;
        };
        self.entries.push(Entry::new(hash, key));
        let Self { index, entries, .. } = self;
        index.insert_unique(hash, at, |at| {
            entries.get(position(*at)).map_or(0, |entry| entry.hash)
        });
        Place::Kept(position(at))
    }

    /// Removes expired entries among the next few.
    fn sweep(&mut self, rule: &Rule, now: u64) {
        for _ in 0..SWEPT {
            let at = self.turn();
            let Some(entry) = self.entries.get_mut(at) else {
                return;
            };
            if entry.pending == 0 && rule.used(&mut entry.state, now) == 0 {
                self.remove(at);
            }
        }
    }

    /// The next entry's place.
    fn turn(&mut self) -> usize {
        let at = self.hand;
        self.hand = if at + 1 < self.entries.len() {
            at + 1
        } else {
            0
        };
        at.min(self.entries.len().saturating_sub(1))
    }

    /// Of the next few entries the one that has used least, unless all of them are limited.
    fn least_used(&mut self, rule: &Rule, now: u64) -> Option<usize> {
        let mut least: Option<(u64, usize)> = None;
        for _ in 0..SAMPLED.min(self.entries.len()) {
            let at = self.turn();
            let used = match self.entries.get_mut(at) {
                Some(entry) => rule.used(&mut entry.state, now),
                None => continue,
            };
            if !rule.is_limited(used) && least.is_none_or(|(so_far, _)| used < so_far) {
                least = Some((used, at));
            }
        }
        least.map(|(_, at)| at)
    }

    fn remove(&mut self, at: usize) {
        let last = self.entries.len().saturating_sub(1);
        if let Some(hash) = self.entries.get(at).map(|entry| entry.hash)
            && let Ok(found) = self.index.find_entry(hash, |place| position(*place) == at)
        {
            found.remove();
        }
        // The last entry moves into the gap.
        if let Some(hash) = self.entries.get(last).map(|entry| entry.hash)
            && let Some(place) = self.index.find_mut(hash, |place| position(*place) == last)
        {
            *place = u32::try_from(at).unwrap_or(u32::MAX);
        }
        if at < self.entries.len() {
            self.entries.swap_remove(at);
        }
    }

    /// Takes out what is to be told to Redis.
    pub(crate) fn changes(&mut self, terms: &Terms, now: u64) -> Vec<Change> {
        let listed = std::mem::take(&mut self.listed);
        let mut changes = Vec::with_capacity(listed.len());
        for hash in &listed {
            let places = self.index.iter_hash(*hash).copied();
            for at in places.map(position).collect::<Vec<_>>() {
                if let Some(entry) = self.entries.get_mut(at) {
                    changes.extend(entry.change(terms, now));
                }
            }
        }
        // The list's memory is kept: the next keys are listed without an allocation.
        self.listed = listed;
        self.listed.clear();
        changes
    }

    /// Takes over what Redis says of a key; none if Redis did not answer.
    pub(crate) fn answered(
        &mut self,
        terms: &Terms,
        change: &Change,
        answer: Option<&Answer>,
        now: u64,
    ) {
        let Some(at) = self.find(change.hash, &change.key) else {
            return;
        };
        if let Some(entry) = self.entries.get_mut(at) {
            entry.answered(terms, &change.news, answer, now, &mut self.listed);
        }
    }
}

/// Where a key's state is.
enum Place {
    Kept(usize),
    /// A question that spends nothing makes no entry.
    Nowhere,
    Overflow,
}

fn position(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
