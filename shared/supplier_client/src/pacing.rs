//! Pacing: a token bucket that keeps us under the supplier's rate limit, and the pause that the supplier
//! asks for when we were not. The bucket is kept as one instant, the "theoretical arrival time" of the
//! generic cell rate algorithm: no timer refills it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::error::{Blame, Retry, Sent, SupplierError, SupplierErrorKind};
use crate::policy::PacingPolicy;

pub(crate) struct Pacer {
    /// Time between two attempts in the long run; zero = no pacing.
    interval: Duration,
    /// How far ahead of the long run a burst may be.
    ahead: Duration,
    max_pause: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    arrival: Option<Instant>,
    paused_until: Option<Instant>,
}

impl Pacer {
    pub(crate) fn new(policy: &PacingPolicy) -> Self {
        let per = Duration::from_millis(policy.per_ms);
        let interval = per.checked_div(policy.attempts).unwrap_or_default();
        Self {
            interval,
            ahead: interval.saturating_mul(policy.burst.saturating_sub(1)),
            max_pause: Duration::from_millis(policy.max_pause_ms),
            state: Mutex::default(),
        }
    }

    /// Waits for the turn of one attempt. A turn that is waited for in vain (the future is dropped) stays
    /// used up.
    ///
    /// # Errors
    /// At once, if the turn would not come before the deadline.
    pub(crate) async fn turn(&self, deadline: Instant) -> Result<(), SupplierError> {
        let now = Instant::now();
        let at = self.reserve(now, deadline).map_err(|wait| {
            SupplierError::new(
                SupplierErrorKind::RateLimited,
                "held back to keep the supplier's rate limit",
            )
            .with_blame(Blame::Us)
            .with_retry(Retry::After(wait))
            .with_sent(Sent::No)
        })?;
        if at > now {
            sleep_until(at).await;
        }
        Ok(())
    }

    /// Holds every attempt back for this long, as the supplier asked; not longer than the longest pause.
    pub(crate) fn pause(&self, now: Instant, wait: Duration) {
        let until = now + wait.min(self.max_pause);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.paused_until = state.paused_until.max(Some(until));
    }

    /// How long the pause still lasts.
    pub(crate) fn paused_for(&self, now: Instant) -> Option<Duration> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let left = state.paused_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    fn reserve(&self, now: Instant, deadline: Instant) -> Result<Instant, Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = state.paused_until.map_or(now, |until| until.max(now));
        let arrival = state
            .arrival
            .map_or(earliest, |arrival| arrival.max(earliest));
        let at = arrival
            .checked_sub(self.ahead)
            .map_or(earliest, |at| at.max(earliest));
        if at > now && at >= deadline {
            return Err(at.saturating_duration_since(now));
        }
        state.arrival = Some(arrival + self.interval);
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacer(attempts: u32) -> Pacer {
        Pacer::new(&PacingPolicy {
            attempts,
            per_ms: 1_000,
            burst: 5,
            max_pause_ms: 10_000,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_out_at_once_and_the_rest_at_the_rate() {
        let pacer = pacer(10);
        let start = Instant::now();
        let deadline = start + Duration::from_secs(60);
        let mut at = Vec::new();
        for _ in 0..8 {
            pacer.turn(deadline).await.unwrap();
            at.push(start.elapsed().as_millis());
        }
        assert_eq!(at, [0, 0, 0, 0, 0, 100, 200, 300]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_after_the_deadline_is_refused_at_once_and_not_used_up() {
        let pacer = pacer(1);
        let start = Instant::now();
        for _ in 0..5 {
            pacer.turn(start).await.unwrap();
        }
        for _ in 0..3 {
            let error = pacer
                .turn(start + Duration::from_millis(999))
                .await
                .unwrap_err();
            assert_eq!(error.kind, SupplierErrorKind::RateLimited);
            assert_eq!(error.retry, Retry::After(Duration::from_secs(1)));
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_pause_no_more_than_a_burst_goes_out_at_once() {
        let pacer = pacer(10);
        let start = Instant::now();
        pacer.pause(start, Duration::from_secs(3));
        let mut at = Vec::new();
        for _ in 0..7 {
            let turn = pacer
                .reserve(start, start + Duration::from_secs(60))
                .unwrap();
            at.push((turn - start).as_millis());
        }
        assert_eq!(at, [3_000, 3_000, 3_000, 3_000, 3_000, 3_100, 3_200]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_longer_than_the_longest_and_a_shorter_one_does_not_shorten_it() {
        let pacer = pacer(0);
        let now = Instant::now();
        pacer.pause(now, Duration::from_secs(3_600));
        pacer.pause(now, Duration::from_secs(1));
        assert_eq!(pacer.paused_for(now), Some(Duration::from_secs(10)));
        pacer.turn(now + Duration::from_secs(11)).await.unwrap();
        assert_eq!(now.elapsed(), Duration::from_secs(10));
        assert_eq!(pacer.paused_for(Instant::now()), None);
    }
}
