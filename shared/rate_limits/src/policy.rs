//! What is limited, and how; checked once, so that deciding needs no checks.

use std::time::Duration;

use crate::bucket::Bucket;
use crate::rule::Rule;
use crate::window::Window;

/// How requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// A token bucket, kept as the generic cell rate algorithm (ITU-T I.371): the quota flows in
    /// evenly over the window, and `burst` units may be spent at once. In any time `t` at most
    /// `burst + quota · t / window` units pass. The time per unit is rounded up to a microsecond, so
    /// the rate is at most the quota and, at 10,000 units a second, at least 99 % of it.
    TokenBucket {
        /// The most that may be spent at once, in units of cost; at least 1.
        burst: u32,
    },
    /// A sliding window of 128 slots and the one that is being filled. In *any* stretch of time as
    /// long as the window at most the quota passes, whatever the timing, never more; under steady
    /// pressure at least 99 % of it, because what was spent counts until its whole slot has left.
    SlidingWindow,
}

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// This process at once; what was spent is reconciled with Redis in the background. See the
    /// crate's documentation for how much more than the limit may pass.
    LocalFirst,
    /// Redis, for every request: exact over any number of instances, at the price of a round trip.
    Strict,
}

/// What holds while Redis does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOutage {
    /// Each instance limits by what it knows: at most the limit per instance.
    Local,
    /// Everything is allowed.
    Open,
    /// Everything is rejected, to be tried again after a second.
    Closed,
}

/// A limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The name in the header fields and in Redis' keys: 1 to 64 of `a-z`, `0-9`, `_`, `-`.
    pub name: String,
    /// How requests are counted.
    pub algorithm: Algorithm,
    /// How many units of cost pass per window; at least 1.
    pub quota: u32,
    /// How long the window is: 100 ms to 366 days.
    pub window: Duration,
    /// Who decides.
    pub mode: Mode,
    /// What holds while Redis does not answer.
    pub on_outage: OnOutage,
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The name is empty, too long or has other characters than allowed.
    #[error("the policy's name {0:?} is not 1 to 64 of a-z, 0-9, '_' and '-'")]
    Name(String),
    /// Two policies have one name.
    #[error("two policies are named {0:?}")]
    Twice(String),
    /// A quota of nothing.
    #[error("the quota of {0:?} is 0")]
    Quota(String),
    /// A burst of nothing.
    #[error("the burst of {0:?} is 0")]
    Burst(String),
    /// The window is outside of 100 ms to 366 days.
    #[error("the window of {0:?} is not between 100 ms and 366 days")]
    Window(String),
    /// Token buckets count in microseconds, which is too coarse for this rate.
    #[error("the rate of {0:?} is above 10,000 a second, the most of a token bucket")]
    Rate(String),
    /// The whole burst would flow in again only after more than ten years.
    #[error("the burst of {0:?} is worth more than ten years of its rate")]
    Span(String),
}

const SHORTEST_WINDOW: Duration = Duration::from_millis(100);
const LONGEST_WINDOW: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// At this interval rounding it up to a whole microsecond costs 1 % of the rate.
const SHORTEST_INTERVAL: u64 = 100;
/// Ten years of microseconds: with it, every sum of the scripts stays exact in Lua's doubles.
const LONGEST_SPAN: u64 = 10 * 366 * 24 * 60 * 60 * 1_000_000;

impl Policy {
    /// The most that one request may cost: the burst, or the quota of a sliding window.
    pub fn most(&self) -> u32 {
        match self.algorithm {
            Algorithm::TokenBucket { burst } => burst,
            Algorithm::SlidingWindow => self.quota,
        }
    }

    pub(crate) fn rule(&self) -> Result<Rule, PolicyError> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        if !(1..=64).contains(&self.name.len()) || !self.name.bytes().all(allowed) {
            return Err(PolicyError::Name(self.name.clone()));
        }
        if self.quota == 0 {
            return Err(PolicyError::Quota(self.name.clone()));
        }
        if !(SHORTEST_WINDOW..=LONGEST_WINDOW).contains(&self.window) {
            return Err(PolicyError::Window(self.name.clone()));
        }
        let window = micros(self.window);
        let Algorithm::TokenBucket { burst } = self.algorithm else {
            return Ok(Rule::Window(Window::new(window, self.quota)));
        };
        if burst == 0 {
            return Err(PolicyError::Burst(self.name.clone()));
        }
        let interval = window.div_ceil(u64::from(self.quota));
        if interval < SHORTEST_INTERVAL {
            return Err(PolicyError::Rate(self.name.clone()));
        }
        if interval.saturating_mul(u64::from(burst)) > LONGEST_SPAN {
            return Err(PolicyError::Span(self.name.clone()));
        }
        Ok(Rule::Bucket(Bucket::new(interval, burst)))
    }
}

/// Whole microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy {
            name: "search".to_owned(),
            algorithm: Algorithm::TokenBucket { burst: 100 },
            quota: 600,
            window: Duration::from_secs(60),
            mode: Mode::LocalFirst,
            on_outage: OnOutage::Local,
        }
    }

    #[test]
    fn a_policy_that_cannot_be_kept_is_refused_with_its_reason() {
        assert!(policy().rule().is_ok());
        let name = "search".to_owned();
        for (change, error) in [
            (
                Policy {
                    name: "a b".to_owned(),
                    ..policy()
                },
                PolicyError::Name("a b".to_owned()),
            ),
            (
                Policy {
                    quota: 0,
                    ..policy()
                },
                PolicyError::Quota(name.clone()),
            ),
            (
                Policy {
                    algorithm: Algorithm::TokenBucket { burst: 0 },
                    ..policy()
                },
                PolicyError::Burst(name.clone()),
            ),
            (
                Policy {
                    window: Duration::from_millis(99),
                    ..policy()
                },
                PolicyError::Window(name.clone()),
            ),
            (
                Policy {
                    quota: 610_000,
                    ..policy()
                },
                PolicyError::Rate(name.clone()),
            ),
            (
                Policy {
                    quota: 1,
                    algorithm: Algorithm::TokenBucket { burst: u32::MAX },
                    ..policy()
                },
                PolicyError::Span(name.clone()),
            ),
        ] {
            assert_eq!(change.rule().unwrap_err(), error);
        }
    }
}
