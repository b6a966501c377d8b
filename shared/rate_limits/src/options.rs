//! What a limiter is opened with.

use std::fmt;
use std::time::Duration;

use crate::policy::PolicyError;

/// Where the shared state is and what may be used.
#[derive(Clone)]
pub struct LimiterOptions {
    /// `memory:` for limits of this process alone, or `redis://user:password@host:port/db` (`rediss:`
    /// over TLS).
    pub url: String,
    /// What every key on Redis begins with. Instances that share limits have the same.
    pub prefix: String,
    /// The longest that any call waits for Redis.
    pub timeout: Duration,
    /// How often policies that decide locally first are reconciled with Redis.
    pub sync_interval: Duration,
    /// The most keys that are held per policy. A key takes about 150 bytes, with a sliding window
    /// 700.
    pub capacity: usize,
    /// Into how many parts an instance divides the room it knows of: between two exchanges with Redis
    /// it spends at most one part, or one request. With 1 a burst is never cut; with more, bursts at
    /// several instances at once overshoot less. See the crate's documentation.
    pub burst_parts: u32,
}

impl LimiterOptions {
    /// Options with the usual limits: 50 ms for Redis, reconciled every 100 ms, 100,000 keys per
    /// policy, bursts undivided.
    pub fn new(url: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: prefix.into(),
            timeout: Duration::from_millis(50),
            sync_interval: Duration::from_millis(100),
            capacity: 100_000,
            burst_parts: 1,
        }
    }
}

impl fmt::Debug for LimiterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        f.debug_struct("LimiterOptions")
            .field("store", &self.url.split(':').next())
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("sync_interval", &self.sync_interval)
            .field("capacity", &self.capacity)
            .field("burst_parts", &self.burst_parts)
            .finish()
    }
}

/// Why a limiter cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimiterError {
    /// An option is wrong.
    #[error("the settings of the rate limits are wrong: {0}")]
    Settings(&'static str),
    /// A policy is wrong.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}
