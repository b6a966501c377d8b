//! How many requests are sent a second time: a share of all, so that a service in trouble is not
//! attacked, and a few in any second, so that a quiet one has retries at all (Finagle's retry budget).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use supplier_client::{RetryBudget, RetryPolicy};
use tokio::time::Instant;

use crate::policy::RepeatPolicy;

pub(crate) struct Budget {
    earned: RetryBudget,
    reserve: Mutex<Reserve>,
    per_s: u32,
}

#[derive(Default)]
struct Reserve {
    /// When the present second began.
    since: Option<Instant>,
    spent: u32,
}

impl Budget {
    pub(crate) fn new(policy: &RepeatPolicy) -> Self {
        Self {
            earned: RetryBudget::new(&RetryPolicy {
                budget_percent: policy.budget_percent,
                budget_floor: 0,
                budget_max: policy.budget_max,
                ..RetryPolicy::default()
            }),
            reserve: Mutex::default(),
            per_s: policy.reserve_per_s,
        }
    }

    /// A request comes in.
    pub(crate) fn earn(&self) {
        self.earned.earn();
    }

    /// Pays for a retry, if there is enough: what was earned first, the reserve after that.
    pub(crate) fn spend(&self, now: Instant) -> bool {
        if self.earned.spend() {
            return true;
        }
        let mut reserve = self.reserve.lock().unwrap_or_else(PoisonError::into_inner);
        if reserve.is_over(now) {
            *reserve = Reserve {
                since: Some(now),
                spent: 0,
            };
        }
        let left = reserve.spent < self.per_s;
        reserve.spent += u32::from(left);
        left
    }

    /// Retries that it would pay for now.
    pub(crate) fn left(&self, now: Instant) -> u64 {
        let reserve = self.reserve.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = if reserve.is_over(now) {
            0
        } else {
            reserve.spent
        };
        self.earned.left() + u64::from(self.per_s - spent)
    }
}

impl Reserve {
    fn is_over(&self, now: Instant) -> bool {
        self.since
            .is_none_or(|since| since + Duration::from_secs(1) <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(budget: &Budget, now: Instant) -> u32 {
        let mut count = 0;
        while budget.spend(now) {
            count += 1;
        }
        count
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_service_sees_a_tenth_more_and_the_reserve_of_each_second() {
        let budget = Budget::new(&RepeatPolicy::default());
        let start = Instant::now();
        let mut retries = 0;
        // 100 requests a second for a minute, and every one of them wants a retry.
        for millis in (0..60_000).step_by(10) {
            budget.earn();
            retries += u32::from(budget.spend(start + Duration::from_millis(millis)));
        }
        let fair = 6_000 / 10 + 2 * 60;
        assert!((fair - 12..=fair).contains(&retries), "{retries} of {fair}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_service_has_its_reserve_and_saves_up_no_more_than_stated() {
        let budget = Budget::new(&RepeatPolicy::default());
        let start = Instant::now();
        assert_eq!((budget.left(start), spent(&budget, start)), (2, 2));
        let almost = start + Duration::from_millis(999);
        assert_eq!((budget.left(almost), spent(&budget, almost)), (0, 0));
        (0..100_000).for_each(|_| budget.earn());
        let later = start + Duration::from_secs(1);
        assert_eq!((budget.left(later), spent(&budget, later)), (102, 102));
    }
}
