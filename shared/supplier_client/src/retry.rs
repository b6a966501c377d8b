//! Retries: how many (a budget, so that a supplier in trouble is not attacked), and when (full jitter, so
//! that those who failed together do not come back together; or as the supplier asks).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::policy::RetryPolicy;

/// Retries that may be made: each call earns a fraction of one, each retry costs one. All the retries of
/// a client are thus at most `floor + percent × calls`; with the defaults (2 and 8 %) that is at most
/// 10 % of the calls from the hundredth on.
pub struct RetryBudget {
    /// Hundredths of a retry.
    saved: Mutex<u64>,
    earned: u64,
    max: u64,
}

const RETRY: u64 = 100;

impl RetryBudget {
    /// Of the policy's `budget_…` numbers; the others mean nothing to it.
    pub fn new(policy: &RetryPolicy) -> Self {
        Self {
            saved: Mutex::new(u64::from(policy.budget_floor) * RETRY),
            earned: u64::from(policy.budget_percent),
            max: u64::from(policy.budget_max.max(policy.budget_floor)) * RETRY,
        }
    }

    /// A call's first attempt goes out.
    pub fn earn(&self) {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        *saved = (*saved + self.earned).min(self.max);
    }

    /// Pays for a retry, if there is enough.
    pub fn spend(&self) -> bool {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        match saved.checked_sub(RETRY) {
            Some(rest) => {
                *saved = rest;
                true
            }
            None => false,
        }
    }

    /// Whole retries left.
    pub fn left(&self) -> u64 {
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) / RETRY
    }
}

/// Waits between attempts.
pub(crate) struct Backoff {
    base: Duration,
    cap: Duration,
    random: Mutex<StdRng>,
}

impl Backoff {
    /// With a seed the waits are the same each time.
    pub(crate) fn new(policy: &RetryPolicy, seed: Option<u64>) -> Self {
        Self {
            base: Duration::from_millis(policy.base_ms),
            cap: Duration::from_millis(policy.cap_ms),
            random: Mutex::new(StdRng::seed_from_u64(seed.unwrap_or_else(rand::random))),
        }
    }

    /// The wait before the `retry`-th retry (from 1): drawn evenly from zero to a bound that doubles; or,
    /// if the supplier asked for a wait, that and an evenly drawn part of the base on top.
    pub(crate) fn wait(&self, retry: u32, asked: Option<Duration>) -> Duration {
        if let Some(asked) = asked {
            return asked.saturating_add(self.draw(self.base.min(self.cap)));
        }
        let doublings = 1_u32
            .checked_shl(retry.saturating_sub(1))
            .unwrap_or(u32::MAX);
        self.draw(self.base.saturating_mul(doublings).min(self.cap))
    }

    fn draw(&self, bound: Duration) -> Duration {
        let bound = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_nanos(random.random_range(0..=bound))
    }
}

/// The wait that an answer asks for: `Retry-After` (RFC 9110 §10.2.3), and with a 429 else
/// `ratelimit-reset`, which Duffel sends as a date and others as seconds.
pub(crate) fn asked_wait(headers: &HeaderMap, throttled: bool, now: Timestamp) -> Option<Duration> {
    let wait = |name: &str| seconds_or_date(headers.get(name)?.to_str().ok()?, now);
    wait(RETRY_AFTER.as_str()).or_else(|| throttled.then(|| wait("ratelimit-reset"))?)
}

fn seconds_or_date(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    // A date in the past asks for nothing.
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_never_pays_for_more_than_a_tenth_of_the_calls_from_the_hundredth_on() {
        let budget = RetryBudget::new(&RetryPolicy::default());
        let mut retries = 0;
        for calls in 1..=10_000_u32 {
            budget.earn();
            while budget.spend() {
                retries += 1;
            }
            assert!(calls < 100 || retries * 10 <= calls, "{retries} of {calls}");
        }
        assert_eq!(retries, 802);
    }

    #[test]
    fn a_quiet_client_saves_up_no_more_than_the_stated_retries() {
        let budget = RetryBudget::new(&RetryPolicy::default());
        (0..100_000).for_each(|_| budget.earn());
        assert_eq!(budget.left(), 10);
    }

    #[test]
    fn waits_are_spread_evenly_over_the_whole_range() {
        let backoff = Backoff::new(&RetryPolicy::default(), Some(7));
        for (retry, bound) in [
            (1, 100.0),
            (2, 200.0),
            (5, 1_600.0),
            (6, 2_000.0),
            (40, 2_000.0),
        ] {
            let mut bins = [0_u32; 10];
            for _ in 0..10_000 {
                let share = backoff.wait(retry, None).as_secs_f64() * 1_000.0 / bound;
                assert!((0.0..=1.0).contains(&share), "{share}");
                let bin = (1..10)
                    .take_while(|n| share * 10.0 >= f64::from(*n))
                    .count();
                bins[bin] += 1;
            }
            // Chi-squared with 9 degrees of freedom: 27.9 is exceeded once in 1,000 even draws.
            let chi: f64 = bins
                .iter()
                .map(|n| (f64::from(*n) - 1_000.0).powi(2) / 1_000.0)
                .sum();
            assert!(chi < 27.9, "retry {retry}: {bins:?}");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_waits() {
        let draw = |seed| {
            let backoff = Backoff::new(&RetryPolicy::default(), Some(seed));
            (1..6)
                .map(|retry| backoff.wait(retry, None))
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn a_wait_that_the_supplier_asks_for_is_never_cut_short() {
        let backoff = Backoff::new(&RetryPolicy::default(), None);
        for _ in 0..1_000 {
            let wait = backoff.wait(1, Some(Duration::from_secs(7))).as_millis();
            assert!((7_000..=7_100).contains(&wait), "{wait}");
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let headers = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )])
        };
        let ask = |name, value, throttled| asked_wait(&headers(name, value), throttled, now);
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(ask("retry-after", "120", false), seconds(120));
        let date = "Sun, 01 Mar 2026 12:00:30 GMT";
        assert_eq!(ask("retry-after", date, false), seconds(30));
        assert_eq!(
            ask("retry-after", "Sun, 01 Mar 2026 11:00:00 GMT", false),
            seconds(0)
        );
        assert_eq!(ask("ratelimit-reset", date, true), seconds(30));
        // Duffel sends it with every answer; it asks for something only with a 429.
        assert_eq!(ask("ratelimit-reset", date, false), None);
        for nonsense in ["", "-1", "soon", "1.5", "99999999999999999999999"] {
            assert_eq!(ask("retry-after", nonsense, true), None, "{nonsense}");
        }
    }
}
