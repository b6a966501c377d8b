//! The token bucket as GCRA: all of its state is one time, when the bucket will be full again.

use crate::rule::Verdict;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// The time in which one unit flows in, in microseconds.
    pub(crate) interval: u64,
    /// The time in which the whole burst flows in, in microseconds.
    pub(crate) capacity: u64,
}

impl Bucket {
    pub(crate) fn new(interval: u64, burst: u32) -> Self {
        Self {
            interval,
            capacity: interval * u64::from(burst),
        }
    }

    /// Spends the cost if what is then missing in the bucket, in microseconds, is at most `limit`.
    pub(crate) fn spend(&self, full_at: &mut u64, cost: u32, limit: u64, now: u64) -> Verdict {
        let before = full_at.saturating_sub(now);
        let after = before + self.interval * u64::from(cost);
        let allowed = after <= limit;
        if allowed && cost > 0 {
            *full_at = now + after;
        }
        let missing = if allowed { after } else { before };
        Verdict {
            allowed,
            remaining: self.capacity.saturating_sub(missing) / self.interval,
            reset: missing,
            retry_after: if allowed {
                0
            } else {
                after.saturating_sub(self.capacity)
            },
        }
    }
}
