//! The cache in the process: bounded by bytes, least valuable out first. Expiry goes by tokio's clock,
//! so that a test can move it; moka's own expiry only frees the memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::Expiry;
use tokio::time::Instant;

use crate::Count;

#[derive(Debug)]
pub(crate) struct Memory {
    values: moka::sync::Cache<String, Entry>,
    counters: Mutex<Counters>,
}

#[derive(Clone, Debug)]
struct Entry {
    json: Arc<str>,
    tags: Arc<[String]>,
    ttl: Duration,
    expires_at: Instant,
}

struct ByOwnTtl;

impl Expiry<String, Entry> for ByOwnTtl {
    fn expire_after_create(
        &self,
        _: &String,
        entry: &Entry,
        _: std::time::Instant,
    ) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(
        &self,
        _: &String,
        entry: &Entry,
        _: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.ttl)
    }
}

/// What an entry costs beside its texts, roughly: its own fields and moka's bookkeeping.
const OVERHEAD: usize = 200;

impl Memory {
    pub(crate) fn new(capacity_bytes: u64) -> Self {
        let values = moka::sync::Cache::builder()
            .max_capacity(capacity_bytes)
            .weigher(|key: &String, entry: &Entry| {
                let tags: usize = entry.tags.iter().map(String::len).sum();
                let bytes = key.len() + entry.json.len() + tags + OVERHEAD;
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .expire_after(ByOwnTtl)
            .build();
        Self {
            values,
            counters: Mutex::default(),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Arc<str>> {
        let entry = self.values.get(key)?;
        (entry.expires_at > Instant::now()).then_some(entry.json)
    }

    pub(crate) fn put(&self, key: &str, tags: &[&str], json: Arc<str>, ttl: Duration) {
        let now = Instant::now();
        // A time to live beyond what a clock can hold is some thirty years.
        let expires_at = now
            .checked_add(ttl)
            .unwrap_or_else(|| now + Duration::from_secs(1_000_000_000));
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        let entry = Entry {
            json,
            tags,
            ttl,
            expires_at,
        };
        self.values.insert(key.to_owned(), entry);
    }

    pub(crate) fn remove(&self, key: &str) {
        self.values.invalidate(key);
    }

    /// Walks through all values: purges are rare, and moka's own invalidation by a predicate misses
    /// entries whose insertion it has not yet digested.
    pub(crate) fn purge_tag(&self, tag: &str) {
        for (key, entry) in &self.values {
            if entry.tags.iter().any(|own| own == tag) {
                self.values.invalidate(&*key);
            }
        }
    }

    pub(crate) fn increment(&self, key: &str, by: u64, window: Duration) -> Count {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.increment(key, by, window, Instant::now())
    }

    pub(crate) fn reset(&self, key: &str) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.running.remove(key);
    }
}

/// Counters are kept apart from the values: one that were pushed out for want of room would forget an
/// attacker's attempts. The windows that ended are swept out whenever the number has doubled.
#[derive(Debug, Default)]
struct Counters {
    running: HashMap<String, Counter>,
    sweep_at: usize,
}

#[derive(Debug)]
struct Counter {
    count: u64,
    started: Instant,
    window: Duration,
}

impl Counter {
    fn remaining(&self, now: Instant) -> Duration {
        self.window
            .saturating_sub(now.saturating_duration_since(self.started))
    }
}

impl Counters {
    fn increment(&mut self, key: &str, by: u64, window: Duration, now: Instant) -> Count {
        if self.running.len() >= self.sweep_at {
            self.running
                .retain(|_, counter| !counter.remaining(now).is_zero());
            self.sweep_at = (self.running.len() * 2).max(1024);
        }
        let alive = self.running.get(key);
        if by == 0 && alive.is_none_or(|counter| counter.remaining(now).is_zero()) {
            return Count {
                count: 0,
                remaining: Duration::ZERO,
            };
        }
        let fresh = || Counter {
            count: 0,
            started: now,
            window,
        };
        let counter = self
            .running
            .entry(key.to_owned())
            .and_modify(|counter| {
                if counter.remaining(now).is_zero() {
                    *counter = fresh();
                }
            })
            .or_insert_with(fresh);
        counter.count = counter.count.saturating_add(by);
        Count {
            count: counter.count,
            remaining: counter.remaining(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_value_ends_with_its_time_to_live_and_not_before() {
        let memory = Memory::new(1 << 20);
        memory.put("key", &[], "1".into(), MINUTE);
        tokio::time::advance(MINUTE - Duration::from_millis(1)).await;
        assert_eq!(memory.get("key").as_deref(), Some("1"));
        memory.put("key", &[], "2".into(), MINUTE);
        tokio::time::advance(MINUTE - Duration::from_millis(1)).await;
        assert_eq!(memory.get("key").as_deref(), Some("2"));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(memory.get("key"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_is_not_prolonged_by_more_attempts() {
        let memory = Memory::new(1 << 20);
        for count in 1..=5 {
            assert_eq!(memory.increment("key", 1, MINUTE).count, count);
            tokio::time::advance(MINUTE / 6).await;
        }
        let sixth = memory.increment("key", 1, MINUTE);
        assert_eq!((sixth.count, sixth.remaining), (6, MINUTE / 6));
        tokio::time::advance(MINUTE / 6).await;
        let first = memory.increment("key", 1, MINUTE);
        assert_eq!((first.count, first.remaining), (1, MINUTE));
    }

    #[tokio::test(start_paused = true)]
    async fn counters_that_ended_do_not_pile_up() {
        let memory = Memory::new(1 << 20);
        for round in 0..10 {
            for address in 0..1024 {
                memory.increment(&format!("{round}:{address}"), 1, MINUTE);
            }
            tokio::time::advance(MINUTE).await;
        }
        assert!(memory.counters.lock().unwrap().running.len() <= 2048);
    }

    #[test]
    fn memory_stays_within_its_capacity() {
        let memory = Memory::new(100_000);
        let value: Arc<str> = "x".repeat(1_000).into();
        for number in 0..1_000 {
            memory.put(&number.to_string(), &[], Arc::clone(&value), MINUTE);
        }
        memory.values.run_pending_tasks();
        assert!(memory.values.weighted_size() <= 100_000);
        assert!(memory.values.entry_count() > 0);
    }
}
