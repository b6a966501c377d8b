//! Counters of a cache.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn increment(&self) {
        self.add(1);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) hits: Counter,
    pub(crate) misses: Counter,
    pub(crate) stale: Counter,
    pub(crate) revalidations: Counter,
    pub(crate) collapsed: Counter,
    pub(crate) stores: Counter,
    pub(crate) evictions: Counter,
}

/// The state of a cache. All but `bytes` and `entries` are counted since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Fresh answers given from memory.
    pub hits: u64,
    /// Requests for which nothing that could be used was in memory.
    pub misses: u64,
    /// Stale answers given: while fetched anew, or because the origin failed.
    pub stale: u64,
    /// Stored answers that the origin confirmed with a 304.
    pub revalidations: u64,
    /// Requests that shared another's answer.
    pub collapsed: u64,
    /// Answers that were put into memory.
    pub stores: u64,
    /// Keys that were pushed out for want of room.
    pub evictions: u64,
    /// Bytes in memory: keys, fields, bodies and bookkeeping.
    pub bytes: u64,
    /// Keys in memory; variants of one are counted once.
    pub entries: u64,
    /// Answers that Redis had.
    pub remote_hits: u64,
    /// Calls to Redis that failed or took too long.
    pub remote_errors: u64,
}
