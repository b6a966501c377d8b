//! Rate limits: who may do how much in what time.
//!
//! A [`Policy`] is a token bucket or a sliding window; a [`Limiter`] holds policies and decides per key,
//! in this process, and over Redis where several instances share limits. A rejected request costs
//! nothing. Integers of microseconds make this process and Redis decide alike.
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
//! with C = `sync_interval` + `timeout`: an instance that spends knows all but what the others have
//! spent in their last two cycles, and none of them spends more than a token bucket holds and gains in
//! that time. It takes a burst at all instances within one cycle to come near it; under a steady
//! overload the excess is what the rate brings in two cycles. For a sliding window the bound is
//! (N − 1) · quota.
//!
//! With [`LimiterOptions::burst_parts`] = D, an instance spends between two exchanges at most a D-th of
//! the room that it knows of, or one request, and the burst in the bound becomes 2 / D of it and the
//! cost of two requests. The price is that a burst at one instance is spread over a few cycles.
//!
//! # Strict
//!
//! [`Mode::Strict`] asks Redis for every request: one script, Redis' own clock, and a time to live with
//! every key. It wants a single primary, not Redis Cluster. If Redis loses its memory, limits begin
//! anew.
//!
//! # Memory
//!
//! A policy holds at most [`LimiterOptions::capacity`] keys, in 64 parts. A key whose limit is whole again
//! is as good as absent and leaves when others come. In a full part a new key replaces, out of 16, the
//! one that has used least; a key that is limited now is never replaced. If all 16 are limited, the new
//! key shares one overflow bucket, with the policy's limit, with all other such keys of its part: it
//! is never unlimited, and is rejected only if these together exceed the limit.

mod bucket;
mod decision;
mod headers;
mod keys;
mod limiter;
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
pub use limiter::{Limiter, LimiterError, LimiterOptions, PolicyId, Stats};
pub use policy::{Algorithm, Mode, OnOutage, Policy, PolicyError};
pub use template::{Facts, KeyTemplate, TemplateError};
pub use tiers::PolicySet;
