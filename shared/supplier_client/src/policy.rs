//! The numbers of the policies, one per key, and the defaults as TOML text to paste.

use serde::Deserialize;

/// Every policy key with its default and meaning: the text of a TOML table. The dotted keys stand in
/// whatever table holds a supplier's policy.
pub const POLICY_DEFAULTS: &str = include_str!("policy.default.toml");

/// How calls to one supplier are limited and repeated. [`POLICY_DEFAULTS`] documents every key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Longest time of one attempt, from connecting to the last byte of the answer. Milliseconds.
    pub attempt_timeout_ms: u64,
    /// Longest time to connect, TLS included. Milliseconds.
    pub connect_timeout_ms: u64,
    /// Longest answer, decompressed. Bytes.
    pub max_response_bytes: usize,
    /// How many calls at once.
    pub bulkhead: BulkheadPolicy,
    /// How many attempts per time.
    pub pacing: PacingPolicy,
    /// When to leave the supplier alone.
    pub breaker: BreakerPolicy,
    /// What is sent again, and when.
    pub retry: RetryPolicy,
}

/// See [`POLICY_DEFAULTS`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BulkheadPolicy {
    /// Calls that may be under way at once.
    pub max_concurrent: usize,
    /// Longest wait for a place. Milliseconds.
    pub max_wait_ms: u64,
}

/// See [`POLICY_DEFAULTS`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PacingPolicy {
    /// Attempts per `per_ms` in the long run; 0 = no pacing.
    pub attempts: u32,
    /// The time in which `attempts` may be made. Milliseconds.
    pub per_ms: u64,
    /// Attempts that may be made at once after a quiet time.
    pub burst: u32,
    /// Longest time for which a supplier's `Retry-After` holds back all calls. Milliseconds.
    pub max_pause_ms: u64,
}

/// See [`POLICY_DEFAULTS`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerPolicy {
    /// Failures in a row that open it; 0 = never by this signal.
    pub consecutive_failures: u32,
    /// Share of failures in the window that opens it, percent; 0 = never by this signal.
    pub failure_percent: u32,
    /// Length of the window. Milliseconds.
    pub window_ms: u64,
    /// Attempts that the window must hold before the share counts.
    pub min_attempts: u32,
    /// How long it stays open the first time. Milliseconds.
    pub open_ms: u64,
    /// How long it stays open at most; doubled each time until then. Milliseconds.
    pub max_open_ms: u64,
    /// Attempts admitted after that; all must succeed to close it.
    pub probes: u32,
    /// A time-out counts as a failure only if the attempt was given this long (or its full time, if that
    /// is shorter): impatient callers must not cut off a healthy supplier. Milliseconds.
    pub fair_timeout_ms: u64,
}

/// See [`POLICY_DEFAULTS`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryPolicy {
    /// Attempts of one call, the first included.
    pub max_attempts: u32,
    /// Retries earned by each call, percent of one.
    pub budget_percent: u32,
    /// Retries that a client starts with.
    pub budget_floor: u32,
    /// Retries that can be saved up.
    pub budget_max: u32,
    /// Upper bound of the wait before the first retry. Milliseconds.
    pub base_ms: u64,
    /// Upper bound of any wait; the bound doubles from one retry to the next until then. Milliseconds.
    pub cap_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempt_timeout_ms: 20_000,
            connect_timeout_ms: 2_000,
            max_response_bytes: 16 * 1024 * 1024,
            bulkhead: BulkheadPolicy::default(),
            pacing: PacingPolicy::default(),
            breaker: BreakerPolicy::default(),
            retry: RetryPolicy::default(),
        }
    }
}

impl Default for BulkheadPolicy {
    fn default() -> Self {
        Self {
            max_concurrent: 64,
            max_wait_ms: 100,
        }
    }
}

impl Default for PacingPolicy {
    fn default() -> Self {
        Self {
            attempts: 0,
            per_ms: 1_000,
            burst: 10,
            max_pause_ms: 60_000,
        }
    }
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            failure_percent: 50,
            window_ms: 10_000,
            min_attempts: 20,
            open_ms: 1_000,
            max_open_ms: 4_000,
            probes: 2,
            fair_timeout_ms: 1_000,
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            budget_percent: 8,
            budget_floor: 2,
            budget_max: 10,
            base_ms: 100,
            cap_ms: 2_000,
        }
    }
}

impl Policy {
    /// The text of the first number that makes no sense.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let faults = [
            (
                self.attempt_timeout_ms == 0,
                "attempt_timeout_ms must be positive",
            ),
            (
                self.connect_timeout_ms == 0,
                "connect_timeout_ms must be positive",
            ),
            (
                self.bulkhead.max_concurrent == 0,
                "bulkhead.max_concurrent must be positive",
            ),
            (
                self.bulkhead.max_concurrent > tokio::sync::Semaphore::MAX_PERMITS,
                "bulkhead.max_concurrent is too large",
            ),
            (
                self.pacing.attempts > 0 && (self.pacing.per_ms == 0 || self.pacing.burst == 0),
                "pacing.per_ms and pacing.burst must be positive",
            ),
            (
                !(1..=3).contains(&self.retry.max_attempts),
                "retry.max_attempts must be 1 to 3",
            ),
            (
                self.retry.budget_percent > 10,
                "retry.budget_percent must be 0 to 10",
            ),
        ];
        first(&faults).or_else(|| self.breaker.fault())
    }
}

impl BreakerPolicy {
    /// The text of the first number that makes no sense; it names the key.
    pub fn fault(&self) -> Option<&'static str> {
        first(&[
            (self.window_ms == 0, "breaker.window_ms must be positive"),
            (
                self.failure_percent > 100,
                "breaker.failure_percent must be 0 to 100",
            ),
            (self.probes == 0, "breaker.probes must be positive"),
            (self.open_ms == 0, "breaker.open_ms must be positive"),
        ])
    }
}

/// The text of the first fault there is.
fn first(faults: &[(bool, &'static str)]) -> Option<&'static str> {
    let fault = faults.iter().find(|(wrong, _)| *wrong);
    fault.map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_defaults_are_the_defaults_and_document_every_key() {
        let documented: Policy = toml::from_str(POLICY_DEFAULTS).unwrap();
        assert_eq!(documented, Policy::default());
        assert_eq!(documented.fault(), None);
        let keys: Vec<&str> = POLICY_DEFAULTS
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .collect();
        // 3 of the policy itself and 2 + 4 + 8 + 6 of its tables: a new key must be written down.
        assert_eq!(keys.len(), 23, "{keys:?}");
        for line in keys {
            let mut wrong = POLICY_DEFAULTS.to_owned();
            wrong = wrong.replace(line, &line.replace(" = ", "_typo = "));
            assert!(toml::from_str::<Policy>(&wrong).is_err(), "{line}");
        }
    }
}
