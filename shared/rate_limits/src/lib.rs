//! Rate limits: who may do how much in what time.
//!
//! A [`Policy`] is a token bucket or a sliding window; a [`Limiter`] holds policies and decides per key,
//! in this process, and over Redis where several instances share limits. A rejected request costs
//! nothing. Integers of microseconds make this process and Redis decide alike.
//!
//! ```
//! use std::time::Duration;
//!
//! use rate_limits::{Algorithm, Facts, KeyTemplate, Limiter, LimiterOptions, Mode, OnOutage, Policy};
//! use tokio::time::Instant;
//!
//! let search = Policy {
//!     name: "search".to_owned(),
//!     algorithm: Algorithm::TokenBucket { burst: 100 },
//!     quota: 600,
//!     window: Duration::from_secs(60),
//!     mode: Mode::LocalFirst,
//!     on_outage: OnOutage::Local,
//! };
//! let limiter = Limiter::open(&LimiterOptions::new("memory:", "limits"), vec![search])?;
//! let search = limiter.policy_id("search").ok_or("no such policy")?;
//! let template: KeyTemplate = "user|address".parse()?;
//!
//! let mut key = String::new();
//! let facts = Facts {
//!     user: Some("usr_1"),
//!     ..Facts::default()
//! };
//! if template.render(&facts, &mut key) {
//!     let decision = limiter.decide_local(search, &key, 1, Instant::now())?;
//!     assert!(decision.allowed);
//!     assert_eq!(decision.remaining, 99);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Local first
//!
//! [`Mode::LocalFirst`] decides from the memory of this process. Every
//! [`LimiterOptions::sync_interval`] an instance tells Redis what it has spent per key, and takes over
//! the state that all instances have made together. Redis counts everything, also what was too much:
//! an overshoot is paid back, because nobody passes until it has drained. What all N instances
//! together let through in *any* stretch of time exceeds what one alone would by at most
//!
//! (N − 1) · (burst + 2 · rate · C)
//!
//! with C = `sync_interval` and the time of an exchange (some microseconds per key, at most `timeout` per
//! 256 keys): an instance that spends knows all but what the others have
//! spent in their last two cycles, and none of them spends more than a token bucket holds and gains in
//! that time. It takes a burst at all instances within one cycle to come near it; under a steady
//! overload the excess is what the rate brings in two cycles. For a sliding window the bound is
//! (N − 1) · quota, and under steady pressure at least 98 % of the quota pass: the slots of Redis and
//! of an instance begin at different times, which is rounded to the strict side.
//!
//! With [`LimiterOptions::burst_parts`] = D, an instance spends between two exchanges at most a D-th of
//! the room that it knows of, or one request, and the burst in the bound becomes 2 / D of it and the
//! cost of two requests. The price is that a burst at one instance is spread over a few cycles.
//!
//! # Strict
//!
//! [`Mode::Strict`] asks Redis for every request: one script, Redis' own clock, and a time to live with
//! every key. It wants a single primary, not Redis Cluster. If Redis loses its memory, or comes back
//! from an outage, its limits begin where its memory does: it is not told what was decided without it.
//!
//! # Memory
//!
//! A policy holds at most [`LimiterOptions::capacity`] keys, in 64 parts. A key whose limit is whole again
//! is as good as absent and leaves when others come. In a full part a new key replaces, out of 16, the
//! one that has used least (and what it spent since the last exchange is not told); a key that is
//! limited now is never replaced. If all 16 are limited, the new
//! key shares one overflow bucket, with the policy's limit, with all other such keys of its part: it
//! is never unlimited, and is rejected only if these together exceed the limit.

mod bucket;
mod decision;
mod entry;
mod headers;
mod keys;
mod limiter;
mod options;
mod policy;
mod remote;
mod rule;
mod shard;
mod template;
mod tiers;
mod window;

#[cfg(test)]
mod equivalence;
#[cfg(test)]
mod overshoot;

pub use decision::{DecideError, Decision};
pub use limiter::{Limiter, PolicyId, Stats};
pub use options::{LimiterError, LimiterOptions};
pub use policy::{Algorithm, Mode, OnOutage, Policy, PolicyError};
pub use template::{Facts, KeyTemplate, TemplateError};
pub use tiers::PolicySet;
