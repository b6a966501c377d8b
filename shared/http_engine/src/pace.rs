//! How far a client is behind the least rate. Only the time in which we wait for it counts, and what it
//! moved pays off what it is behind, not what it may yet be: a client that was fast at first, or whose
//! data only the system has, gains nothing to be slow with later.

use std::time::Duration;

use tokio::time::Instant;

/// One body's pace, in one direction.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    late: Duration,
    since: Option<Instant>,
}

impl Pace {
    /// We wait. By when the client must move, if it may be so late at most.
    pub(crate) fn wait(&mut self, most: Duration) -> Instant {
        let since = *self.since.get_or_insert_with(Instant::now);
        since + most.saturating_sub(self.late)
    }

    /// It moved so many bytes.
    pub(crate) fn moved(&mut self, bytes: usize, least_rate: u64) {
        if let Some(since) = self.since.take() {
            self.late += since.elapsed();
        }
        if !self.late.is_zero() {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            let paid = bytes.saturating_mul(1000) / least_rate.max(1);
            self.late = self.late.saturating_sub(Duration::from_millis(paid));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_steady_client_is_never_late_and_a_fast_one_that_stops_is_late_in_time() {
        let mut pace = Pace::default();
        for _ in 0..1000 {
            assert!(pace.wait(MOST) > Instant::now());
            tokio::time::advance(Duration::from_secs(5)).await;
            pace.moved(5 * 1024, 1024);
        }
        pace.moved(100 << 20, 1024);
        assert_eq!(pace.wait(MOST), Instant::now() + MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn who_moves_at_half_the_rate_is_late_after_twice_the_time() {
        let (mut pace, begun) = (Pace::default(), Instant::now());
        while pace.wait(MOST) > Instant::now() + Duration::from_secs(1) {
            tokio::time::advance(Duration::from_secs(1)).await;
            pace.moved(512, 1024);
        }
        let over = begun.elapsed();
        assert!(over > MOST && over <= 2 * MOST, "{over:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_in_which_nobody_waits_does_not_count() {
        let mut pace = Pace::default();
        pace.wait(MOST);
        pace.moved(1, 1024);
        tokio::time::advance(10 * MOST).await;
        assert_eq!(pace.wait(MOST), Instant::now() + MOST);
    }
}
