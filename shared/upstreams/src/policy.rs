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
    /// When the whole service is left alone.
    pub breaker: BreakerPolicy,
    /// How many requests are sent a second time.
    pub retry: RepeatPolicy,
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
pub struct RepeatPolicy {
    /// Retries earned by each request, percent of one.
    pub budget_percent: u32,
    /// Retries that can be saved up.
    pub budget_max: u32,
    /// Retries that may be made in any second, earned or not.
    pub reserve_per_s: u32,
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

impl Default for RepeatPolicy {
    fn default() -> Self {
        Self {
            budget_percent: 10,
            budget_max: 100,
            reserve_per_s: 2,
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
        // 2 + 4 + 8 + 3: a new key must be written down.
        assert_eq!(keys.len(), 17, "{keys:?}");
        for line in keys {
            let wrong = POLICY_DEFAULTS.replace(line, &line.replace(" = ", "_typo = "));
            assert!(toml::from_str::<UpstreamPolicy>(&wrong).is_err(), "{line}");
        }
    }
}
