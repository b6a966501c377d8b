//! The bulkhead: so many calls to one supplier at once and no more, so that a slow one cannot take the
//! whole service with it. Who finds it full waits a short while for a place.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::error::{Blame, Retry, Sent, SupplierError, SupplierErrorKind};
use crate::policy::BulkheadPolicy;

pub(crate) struct Bulkhead {
    places: Semaphore,
    max_wait: Duration,
}

impl Bulkhead {
    pub(crate) fn new(policy: &BulkheadPolicy) -> Self {
        Self {
            places: Semaphore::new(policy.max_concurrent),
            max_wait: Duration::from_millis(policy.max_wait_ms),
        }
    }

    /// A place, given back when dropped.
    ///
    /// # Errors
    /// If none comes free in the longest wait or before the deadline.
    pub(crate) async fn enter(
        &self,
        deadline: Instant,
    ) -> Result<SemaphorePermit<'_>, SupplierError> {
        let until = deadline.min(Instant::now() + self.max_wait);
        match timeout_at(until, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            // The semaphore is never closed; the first case is the time-out alone.
            Err(_) | Ok(Err(_)) => Err(SupplierError::new(
                SupplierErrorKind::Unavailable,
                "too many calls to this supplier are under way",
            )
            .with_blame(Blame::Us)
            .with_retry(Retry::After(self.max_wait))
            .with_sent(Sent::No)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulkhead() -> Bulkhead {
        Bulkhead::new(&BulkheadPolicy {
            max_concurrent: 1,
            max_wait_ms: 100,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_bulkhead_is_waited_for_shortly_and_never_past_the_deadline() {
        let bulkhead = bulkhead();
        let start = Instant::now();
        let _place = bulkhead
            .enter(start + Duration::from_secs(9))
            .await
            .unwrap();
        for (deadline, waited) in [(9_000, 100), (30, 30)] {
            let before = Instant::now();
            let error = bulkhead
                .enter(before + Duration::from_millis(deadline))
                .await
                .unwrap_err();
            assert_eq!(before.elapsed(), Duration::from_millis(waited));
            assert_eq!((error.blame, error.sent), (Blame::Us, Sent::No));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_comes_free_when_its_holder_is_dropped() {
        let bulkhead = bulkhead();
        let deadline = Instant::now() + Duration::from_secs(9);
        for _ in 0..3 {
            drop(bulkhead.enter(deadline).await.unwrap());
        }
        assert!(bulkhead.enter(deadline).await.is_ok());
    }
}
