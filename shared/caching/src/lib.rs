//! One cache over process memory or Redis: typed JSON values, tags, get-or-load with a single flight
//! per process, and counters in a fixed window.
//!
//! A cache may forget at any time and may be down: reads are then a miss, at the latest after
//! [`CacheOptions::timeout`]. What must not be guessed says so: counters and removals are an error
//! when Redis does not answer, and the caller decides. Every key carries a time to live. On Redis a
//! tag's keys are removed by one script, which wants a single primary, not Redis Cluster.

mod cache;
mod flight;
mod memory;
mod remote;

pub use cache::{Cache, CacheError, CacheOptions, Count};
