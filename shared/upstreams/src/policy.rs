//! The numbers of the policies, one per key, and the defaults as TOML text to paste.

use serde::Deserialize;
use supplier_client::BreakerPolicy;

/// Every key with its default and meaning: the text of a TOML table.
pub const POLICY_DEFAULTS: &str = include_str!("policy.default.toml");

/// How requests to one service are spread, repeated and held back. [`POLICY_DEFAULTS`] documents every
/// key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamPolicy {
    /// Which instance is picked.
    pub balance: BalancePolicy,
    /// When an instance is left out.
    pub ejection: EjectionPolicy,
    /// How instances are asked whether they are well.
    pub check: CheckPolicy,
    /// When the whole service is left alone.
    pub breaker: BreakerPolicy,
    /// How many requests are sent a second time.
    pub retry: RepeatPolicy,
    /// How many requests are let in at once.
    pub limit: LimitPolicy,
}

/// See [`POLICY_DEFAULTS`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BalancePolicy {
    /// Share of instances that must be well for health to be looked at, percent; 0 = always.
    pub panic_percent: u8,
    /// How long the share of an instance that joins or comes back grows. Milliseconds.
    pub slow_start_ms: u64,
}

/// See [`POLICY_DEFAULTS`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EjectionPolicy {
    /// Failures in a row that eject; 0 = only a failed connection does.
    pub consecutive_failures: u32,
    /// How long, the first time. Milliseconds.
    pub base_ms: u64,
    /// How long at most; doubled each time until then. Milliseconds.
    pub max_ms: u64,
    /// Share of instances that may be ejected at once, percent.
    pub max_percent: u8,
}

/// See [`POLICY_DEFAULTS`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckPolicy {
    /// Time between two checks of an instance; 0 = no checks. Milliseconds.
    pub interval_ms: u64,
    /// How much that varies, percent of it.
    pub jitter_percent: u8,
    /// What an instance is asked for.
    pub path: String,
    /// How long it may take to answer. Milliseconds.
    pub timeout_ms: u64,
    /// Failures in a row after which an instance is left out.
    pub unhealthy_after: u32,
    /// Successes in a row after which it is back.
    pub healthy_after: u32,
}

/// See [`POLICY_DEFAULTS`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RepeatPolicy {
    /// Retries earned by each request, percent of one.
    pub budget_percent: u32,
    /// Retries that can be saved up.
    pub budget_max: u32,
    /// Retries that may be made in any second, earned or not.
    pub reserve_per_s: u32,
}

/// See [`POLICY_DEFAULTS`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitPolicy {
    /// Requests at once, to begin with.
    pub initial: u32,
    /// The least that the limit shrinks to.
    pub min: u32,
    /// The most that it grows to.
    pub max: u32,
    /// How slow requests may be, percent of how slow they are without a queue, before the limit shrinks.
    pub tolerance_percent: u32,
    /// How often the latency without a queue is measured while requests are refused. Milliseconds.
    pub probe_ms: u64,
    /// Share of the limit up to which background requests are let in, percent.
    pub background_percent: u32,
    /// The same for searches.
    pub search_percent: u32,
    /// The same for reads.
    pub interactive_percent: u32,
    /// The same for what costs money; more than 100 is a reserve.
    pub money_percent: u32,
    /// Requests of either of the two upper classes that may wait.
    pub queue: usize,
    /// How long what costs money waits at most. Milliseconds.
    pub money_wait_ms: u64,
    /// How long a read waits at most. Milliseconds.
    pub interactive_wait_ms: u64,
}

/// A number of a policy makes no sense. The text names its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(&'static str);

impl UpstreamPolicy {
    pub(crate) fn check_numbers(&self) -> Result<(), PolicyError> {
        let (limit, check) = (&self.limit, &self.check);
        let shares = [
            limit.background_percent,
            limit.search_percent,
            limit.interactive_percent,
            limit.money_percent,
        ];
        let faults = [
            (
                self.balance.panic_percent > 100,
                "balance.panic_percent must be 0 to 100",
            ),
            (
                self.ejection.max_percent > 100,
                "ejection.max_percent must be 0 to 100",
            ),
            (
                self.ejection.base_ms == 0,
                "ejection.base_ms must be positive",
            ),
            (check.timeout_ms == 0, "check.timeout_ms must be positive"),
            (
                !check.path.starts_with('/'),
                "check.path must begin with '/'",
            ),
            (
                check.unhealthy_after == 0 || check.healthy_after == 0,
                "check.unhealthy_after and check.healthy_after must be positive",
            ),
            (
                self.retry.budget_percent > 20,
                "retry.budget_percent must be 0 to 20",
            ),
            (limit.min == 0, "limit.min must be positive"),
            (
                limit.max < limit.min,
                "limit.max must be at least limit.min",
            ),
            (limit.initial == 0, "limit.initial must be positive"),
            (
                limit.tolerance_percent <= 100,
                "limit.tolerance_percent must be more than 100",
            ),
            (
                !shares.is_sorted() || shares.contains(&0),
                "limit.background_percent, search_percent, interactive_percent and money_percent must be positive and grow in this order",
            ),
        ];
        let fault = faults.iter().find(|(wrong, _)| *wrong);
        let fault = fault.map(|(_, text)| *text);
        match fault.or_else(|| self.breaker.fault()) {
            Some(text) => Err(PolicyError(text)),
            None => Ok(()),
        }
    }
}

impl Default for BalancePolicy {
    fn default() -> Self {
        Self {
            panic_percent: 50,
            slow_start_ms: 10_000,
        }
    }
}

impl Default for EjectionPolicy {
    fn default() -> Self {
        Self {
            consecutive_failures: 3,
            base_ms: 5_000,
            max_ms: 300_000,
            max_percent: 50,
        }
    }
}

impl Default for CheckPolicy {
    fn default() -> Self {
        Self {
            interval_ms: 5_000,
            jitter_percent: 20,
            path: "/health/ready".to_owned(),
            timeout_ms: 1_000,
            unhealthy_after: 3,
            healthy_after: 2,
        }
    }
}

impl Default for RepeatPolicy {
    fn default() -> Self {
        Self {
            budget_percent: 10,
            budget_max: 100,
            reserve_per_s: 2,
        }
    }
}

impl Default for LimitPolicy {
    fn default() -> Self {
        Self {
            initial: 100,
            min: 16,
            max: 1_000,
            tolerance_percent: 140,
            probe_ms: 10_000,
            background_percent: 50,
            search_percent: 70,
            interactive_percent: 85,
            money_percent: 110,
            queue: 32,
            money_wait_ms: 1_000,
            interactive_wait_ms: 25,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_defaults_are_the_defaults_and_document_every_key() {
        let documented: UpstreamPolicy = toml::from_str(POLICY_DEFAULTS).unwrap();
        assert_eq!(documented, UpstreamPolicy::default());
        let keys: Vec<&str> = POLICY_DEFAULTS
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .collect();
        // 2 + 4 + 6 + 8 + 3 + 12: a new key must be written down.
        assert_eq!(keys.len(), 35, "{keys:?}");
        for line in keys {
            let wrong = POLICY_DEFAULTS.replace(line, &line.replace(" = ", "_typo = "));
            assert!(toml::from_str::<UpstreamPolicy>(&wrong).is_err(), "{line}");
        }
    }
}
