//! Answers in memory, bounded in bytes. Eviction is S3-FIFO (Yang et al., SOSP 2023): what is new waits
//! in a small queue and comes into the main one only when it is asked for again, so that a scan of
//! things that nobody wants twice pushes out nothing of worth.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;

use crate::key::Key;
use crate::stored::Stored;

/// The most variants of one key: a client must not fill the cache by making up field values.
const MOST_VARIANTS: usize = 32;

/// How often a use is counted: more is not told apart.
const MOST_USES: u8 = 3;

/// Keys carry their hash with them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carried(u64);

impl Hasher for Carried {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

pub(crate) type ByKey<T> = HashMap<Key, T, BuildHasherDefault<Carried>>;

#[derive(Debug)]
pub(crate) struct Store {
    shards: Box<[Mutex<Shard>]>,
}

#[derive(Debug)]
struct Shard {
    capacity: usize,
    slots: ByKey<Slot>,
    small: Queue,
    main: Queue,
    /// Hashes of keys that left the small queue lately: the next time they start in the main one.
    ghosts: VecDeque<u64>,
    known_ghosts: HashSet<u64, BuildHasherDefault<Carried>>,
    tickets: u64,
}

#[derive(Debug, Default)]
struct Queue {
    /// A key may have left its slot since: then the ticket is another.
    keys: VecDeque<(Key, u64)>,
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    /// The newest first.
    variants: Vec<Arc<Stored>>,
    bytes: usize,
    uses: AtomicU8,
    ticket: u64,
    in_main: bool,
}

/// What a look into the store found.
#[derive(Debug)]
pub(crate) enum Found {
    Stored(Arc<Stored>),
    /// There are answers for other fields.
    OtherVariants,
    Nothing,
}

impl Store {
    /// No answer may be larger than `largest`; shards are so few that each has room for several.
    pub(crate) fn new(capacity: usize, largest: usize) -> Self {
        let wanted = capacity / largest.saturating_mul(8).max(1);
        let count = wanted.clamp(1, 64).next_power_of_two();
        let shards = (0..count).map(|_| Mutex::new(Shard::new(capacity / count)));
        Self {
            shards: shards.collect(),
        }
    }

    fn shard(&self, key: &Key) -> Option<MutexGuard<'_, Shard>> {
        // The upper half: the lower bits choose the place within the shard's map.
        let upper = usize::try_from(key.hash() >> 32).unwrap_or(0);
        let shard = self.shards.get(upper & (self.shards.len() - 1))?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn get(&self, key: &Key, request: &HeaderMap) -> Found {
        let Some(shard) = self.shard(key) else {
            return Found::Nothing;
        };
        let Some(slot) = shard.slots.get(key) else {
            return Found::Nothing;
        };
        let uses = slot.uses.load(Ordering::Relaxed);
        if uses < MOST_USES {
            slot.uses.store(uses + 1, Ordering::Relaxed);
        }
        slot.variants
            .iter()
            .find(|stored| stored.is_selected_by(request))
            .map_or(Found::OtherVariants, |stored| {
                Found::Stored(Arc::clone(stored))
            })
    }

    /// Puts an answer in the place of the one that it selects like. Returns how many keys had to go.
    pub(crate) fn put(&self, key: &Key, stored: Arc<Stored>) -> u64 {
        self.shard(key)
            .map_or(0, |mut shard| shard.put(key, stored))
    }

    /// Removes one answer, if it is still there.
    pub(crate) fn remove(&self, key: &Key, stored: &Arc<Stored>) {
        if let Some(mut shard) = self.shard(key) {
            shard.retain(key, |other| !Arc::ptr_eq(other, stored));
        }
    }

    /// Walks over all answers and removes those for which `keep` says no. Returns how many those were.
    pub(crate) fn retain(&self, mut keep: impl FnMut(&Key, &Arc<Stored>) -> bool) -> u64 {
        let mut removed = 0;
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let keys: Vec<Key> = shard
                .slots
                .iter()
                .filter(|(key, slot)| slot.variants.iter().any(|stored| !keep(key, stored)))
                .map(|(key, _)| key.clone())
                .collect();
            for key in keys {
                removed += shard.retain(&key, |stored| keep(&key, stored));
            }
        }
        removed
    }

    /// Bytes and keys.
    pub(crate) fn size(&self) -> (usize, usize) {
        self.shards.iter().fold((0, 0), |(bytes, keys), shard| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            (bytes + shard.bytes(), keys + shard.slots.len())
        })
    }
}

impl Shard {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            slots: ByKey::default(),
            small: Queue::default(),
            main: Queue::default(),
            ghosts: VecDeque::new(),
            known_ghosts: HashSet::default(),
            tickets: 0,
        }
    }

    fn bytes(&self) -> usize {
        self.small.bytes + self.main.bytes
    }

    fn queue(&mut self, main: bool) -> &mut Queue {
        if main {
            &mut self.main
        } else {
            &mut self.small
        }
    }

    fn put(&mut self, key: &Key, stored: Arc<Stored>) -> u64 {
        let size = stored.bytes();
        if size + key.bytes() > self.capacity {
            return 0;
        }
        if let Some(slot) = self.slots.get_mut(key) {
            slot.variants
                .retain(|other| other.labels.selectors != stored.labels.selectors);
            slot.variants.truncate(MOST_VARIANTS - 1);
            slot.variants.insert(0, stored);
            let bytes = slot.size(key);
            let before = std::mem::replace(&mut slot.bytes, bytes);
            let main = slot.in_main;
            let queue = self.queue(main);
            queue.bytes = queue.bytes - before + bytes;
        } else {
            self.tickets += 1;
            let ticket = self.tickets;
            let main = self.known_ghosts.remove(&key.hash());
            let mut slot = Slot {
                variants: vec![stored],
                bytes: 0,
                uses: AtomicU8::new(0),
                ticket,
                in_main: main,
            };
            slot.bytes = slot.size(key);
            let queue = self.queue(main);
            queue.bytes += slot.bytes;
            queue.keys.push_back((key.clone(), ticket));
            self.slots.insert(key.clone(), slot);
        }
        self.compact();
        self.evict()
    }

    fn retain(&mut self, key: &Key, keep: impl FnMut(&Arc<Stored>) -> bool) -> u64 {
        let Some(slot) = self.slots.get_mut(key) else {
            return 0;
        };
        let count = slot.variants.len();
        slot.variants.retain(keep);
        let removed = count - slot.variants.len();
        let bytes = if slot.variants.is_empty() {
            0
        } else {
            slot.size(key)
        };
        let before = std::mem::replace(&mut slot.bytes, bytes);
        let (main, empty) = (slot.in_main, slot.variants.is_empty());
        let queue = self.queue(main);
        queue.bytes = queue.bytes - before + bytes;
        if empty {
            self.slots.remove(key);
        }
        u64::try_from(removed).unwrap_or(u64::MAX)
    }

    fn evict(&mut self) -> u64 {
        let mut evicted = 0;
        while self.bytes() > self.capacity {
            let from_main = self.main.bytes > self.capacity / 10 * 9 || self.small.bytes == 0;
            let Some((key, ticket)) = self.queue(from_main).keys.pop_front() else {
                break;
            };
            let Some(slot) = self.slots.get_mut(&key) else {
                continue;
            };
            if slot.ticket != ticket || slot.in_main != from_main {
                continue;
            }
            let uses = slot.uses.get_mut();
            if *uses > 0 {
                *uses = if from_main { *uses - 1 } else { 0 };
                let bytes = slot.bytes;
                slot.in_main = true;
                self.queue(from_main).bytes -= bytes;
                self.main.bytes += bytes;
                self.main.keys.push_back((key, ticket));
                continue;
            }
            let bytes = slot.bytes;
            self.queue(from_main).bytes -= bytes;
            self.slots.remove(&key);
            evicted += 1;
            if !from_main {
                self.remember(key.hash());
            }
        }
        evicted
    }

    fn remember(&mut self, hash: u64) {
        if self.known_ghosts.insert(hash) {
            self.ghosts.push_back(hash);
        }
        while self.ghosts.len() > self.slots.len().max(16) {
            if let Some(oldest) = self.ghosts.pop_front() {
                self.known_ghosts.remove(&oldest);
            }
        }
    }

    /// Removed answers leave their keys in the queues; too many of these would be a leak.
    fn compact(&mut self) {
        if self.small.keys.len() + self.main.keys.len() <= 2 * self.slots.len() + 64 {
            return;
        }
        let slots = &self.slots;
        let alive = |key: &Key, ticket: u64, main: bool| {
            slots
                .get(key)
                .is_some_and(|slot| slot.ticket == ticket && slot.in_main == main)
        };
        self.small
            .keys
            .retain(|(key, ticket)| alive(key, *ticket, false));
        self.main
            .keys
            .retain(|(key, ticket)| alive(key, *ticket, true));
    }
}

impl Slot {
    fn size(&self, key: &Key) -> usize {
        let variants: usize = self.variants.iter().map(|stored| stored.bytes()).sum();
        // The key stands in the map and in a queue, but its text is shared.
        key.bytes() + variants
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::*;
    use crate::freshness::Freshness;
    use crate::moment::Moment;
    use crate::stored::Labels;
    use crate::vary::Selector;

    fn key(number: usize) -> Key {
        Key::from_parts(format!("/{number}").into(), "".into())
    }

    fn stored(size: usize, variant: Option<&str>) -> Arc<Stored> {
        let freshness = Freshness {
            born: Moment(0),
            lifetime: 1_000,
            stale_while_revalidate: 0,
            stale_if_error: 0,
            always_validate: false,
            never_stale: false,
        };
        let selectors = variant.map(|value| Selector {
            name: http::header::ACCEPT,
            value: Some(value.into()),
        });
        let labels = Labels {
            selectors: selectors.into_iter().collect(),
            ..Labels::default()
        };
        let body = Bytes::from(vec![0; size]);
        let headers = HeaderMap::new();
        Arc::new(Stored::new(
            StatusCode::OK,
            headers,
            body,
            freshness,
            labels,
            0,
        ))
    }

    fn has(store: &Store, number: usize) -> bool {
        matches!(store.get(&key(number), &HeaderMap::new()), Found::Stored(_))
    }

    #[test]
    fn memory_stays_within_its_capacity() {
        let store = Store::new(1 << 20, 1 << 14);
        for number in 0..10_000 {
            store.put(&key(number), stored(1_000 + number % 5_000, None));
            assert!(store.size().0 <= 1 << 20);
        }
        assert!(store.size().1 > 100);
    }

    #[test]
    fn a_scan_pushes_out_nothing_that_is_used() {
        let store = Store::new(1 << 20, 1 << 20);
        let hot = 0..200;
        for number in hot.clone() {
            store.put(&key(number), stored(2_000, None));
        }
        for number in 1_000..20_000 {
            if number % 100 == 0 {
                hot.clone().for_each(|number| {
                    has(&store, number);
                });
            }
            store.put(&key(number), stored(2_000, None));
        }
        let left = hot.filter(|&number| has(&store, number)).count();
        assert!(left >= 195, "{left} of 200");
    }

    #[test]
    fn what_is_removed_leaves_nothing_behind() {
        let store = Store::new(1 << 20, 1 << 14);
        for round in 0..200 {
            for number in 0..50 {
                store.put(&key(number), stored(100, Some("a")));
                store.put(&key(number), stored(100, Some("b")));
            }
            assert_eq!(store.retain(|_, _| false), 100, "{round}");
            assert_eq!(store.size(), (0, 0));
        }
        let queued: usize = store
            .shards
            .iter()
            .map(|shard| shard.lock().unwrap().small.keys.len())
            .sum();
        assert!(queued <= 64 * store.shards.len() + 50, "{queued}");
    }

    #[test]
    fn made_up_variants_push_out_each_other_only() {
        let store = Store::new(1 << 22, 1 << 14);
        store.put(&key(1), stored(100, None));
        for number in 0..1_000 {
            store.put(&key(2), stored(100, Some(&number.to_string())));
        }
        assert!(has(&store, 1));
        let mut request = HeaderMap::new();
        request.insert(http::header::ACCEPT, "999".parse().unwrap());
        assert!(matches!(store.get(&key(2), &request), Found::Stored(_)));
        request.insert(http::header::ACCEPT, "900".parse().unwrap());
        assert!(matches!(store.get(&key(2), &request), Found::OtherVariants));
    }
}
