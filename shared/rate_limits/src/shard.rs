//! One part of a policy's keys, under one lock: found by hash, kept in a list that a hand goes round,
//! so that a full shard finds something to replace without searching through all of it.

use hashbrown::HashTable;

use crate::rule::{Rule, Shared, State, Verdict};

/// How many entries each new key looks at to find expired ones.
const SWEPT: usize = 2;
/// Out of how many entries a new key replaces the one that has used least.
const SAMPLED: usize = 16;

/// What all shards of a policy go by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) rule: Rule,
    /// The most keys of one shard.
    pub(crate) capacity: usize,
    /// How what is spent is reconciled; none without Redis.
    pub(crate) sharing: Option<Sharing>,
}

/// Spending between two exchanges with Redis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sharing {
    /// Into how many parts the known room is divided.
    pub(crate) parts: u64,
    /// When a request rejected for its part may come again, in microseconds.
    pub(crate) wait: u64,
}

/// What is to be told to Redis of one key.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) hash: u64,
    pub(crate) key: Box<str>,
    pub(crate) news: News,
}

#[derive(Debug)]
pub(crate) enum News {
    /// Spent since the last exchange.
    Spent(u64),
    /// The whole state, because an earlier exchange failed or Redis forgot.
    Whole(Shared),
}

/// What Redis holds of one key after it was told.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) existed: bool,
    pub(crate) shared: Shared,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    key: Box<str>,
    state: State,
    /// How much may be used in all until the next exchange, as [`Rule::full`] counts.
    ceiling: u64,
    /// Spent and not yet told.
    pending: u64,
    /// In the list of what is to be told.
    listed: bool,
    /// Told and not yet answered.
    told: bool,
    /// The whole state is to be told.
    whole: bool,
}

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
        self.entries.push(Entry {
            hash,
            key: key.into(),
            state: State::default(),
            ceiling: 0,
            pending: 0,
            listed: false,
            told: false,
            whole: false,
        });
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

impl Entry {
    fn spend(&mut self, terms: &Terms, cost: u32, now: u64, listed: &mut Vec<u64>) -> Verdict {
        let rule = &terms.rule;
        let full = rule.full();
        let Some(sharing) = terms.sharing else {
            return rule.spend(&mut self.state, cost, full, now);
        };
        // One request may use all the room that is known: it may cost more than a part.
        let limit = if self.pending == 0 && !self.told {
            self.set_ceiling(terms, now);
            full
        } else {
            self.ceiling
        };
        let mut verdict = rule.spend(&mut self.state, cost, limit, now);
        if verdict.allowed {
            self.pending += u64::from(cost);
            if cost > 0 {
                self.list(listed);
            }
        } else if verdict.retry_after == 0 {
            verdict.retry_after = sharing.wait;
        }
        verdict
    }

    /// Divides the room that is known.
    fn set_ceiling(&mut self, terms: &Terms, now: u64) {
        let full = terms.rule.full();
        let used = terms.rule.used(&mut self.state, now).min(full);
        let parts = terms.sharing.map_or(1, |sharing| sharing.parts);
        self.ceiling = used + (full - used).div_ceil(parts.max(1));
    }

    fn list(&mut self, listed: &mut Vec<u64>) {
        if !self.listed {
            self.listed = true;
            listed.push(self.hash);
        }
    }

    fn change(&mut self, terms: &Terms, now: u64) -> Option<Change> {
        if !std::mem::take(&mut self.listed) {
            return None;
        }
        self.told = true;
        let spent = std::mem::take(&mut self.pending);
        let news = if std::mem::take(&mut self.whole) {
            News::Whole(terms.rule.share(&mut self.state, now))
        } else {
            News::Spent(spent)
        };
        Some(Change {
            hash: self.hash,
            key: self.key.clone(),
            news,
        })
    }

    fn answered(
        &mut self,
        terms: &Terms,
        news: &News,
        answer: Option<&Answer>,
        now: u64,
        listed: &mut Vec<u64>,
    ) {
        self.told = false;
        match answer {
            Some(answer) => {
                if answer.existed || matches!(news, News::Whole(_)) {
                    terms.rule.adopt(&mut self.state, &answer.shared, now);
                    terms.rule.charge(&mut self.state, self.pending, now);
                } else {
                    // Redis has just heard of the key, or has lost it and knows less.
                    self.whole = self.has_more(terms, news, now);
                }
            }
            // Whether it was counted is not known. Told again it might count twice, and again and
            // again with a slow Redis; the whole state counts once.
            None => self.whole = true,
        }
        if self.whole {
            self.list(listed);
        }
        self.set_ceiling(terms, now);
    }

    /// Whether more was used than what Redis was told and will be told anyway.
    fn has_more(&mut self, terms: &Terms, news: &News, now: u64) -> bool {
        let spent = match news {
            News::Spent(spent) => *spent,
            News::Whole(_) => 0,
        };
        let mut told = State::default();
        terms.rule.charge(&mut told, spent + self.pending, now);
        terms.rule.used(&mut self.state, now) > terms.rule.used(&mut told, now)
    }
}

fn position(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
