//! The circuit breaker: when to leave a supplier alone. A state machine without I/O or clock; it is told
//! what time it is.
//!
//! ```text
//!            failures in a row, or a share of the window
//!   Closed ───────────────────────────────────────────────▶ Open
//!     ▲                                                    │   ▲
//!     │ every probe succeeded              its time is over │   │ a probe failed:
//!     │                                                    ▼   │ open again, twice as long
//!     └──────────────────────────────────────────────── HalfOpen
//! ```
//!
//! It counts attempts, not calls. A result counts only in the state that admitted the attempt: an answer
//! that was slow in coming neither opens nor closes what has changed since. An attempt that ends without
//! a result (429, the caller gone) counts for nothing, and gives its probe back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::policy::BreakerPolicy;

/// The state of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Attempts pass.
    Closed,
    /// A few probes pass.
    HalfOpen,
    /// Nothing passes.
    Open,
}

impl BreakerState {
    /// The name in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// When a half-open breaker with all probes under way may be asked again.
const PROBING: Duration = Duration::from_millis(100);
/// Slots of the window: it slides by a tenth of its length.
const SLOTS: u64 = 10;

/// Told of each new state, under the breaker's lock: it must be quick and not ask the breaker.
pub type BreakerObserver = Box<dyn Fn(BreakerState) + Send + Sync>;

/// The breaker of one supplier or upstream.
pub struct Breaker {
    policy: BreakerPolicy,
    inner: Mutex<Inner>,
    observer: BreakerObserver,
}

struct Inner {
    phase: Phase,
    /// Grows with each change of phase: what was admitted before does not count after.
    epoch: u64,
    consecutive: u32,
    window: Window,
    /// How often it has opened since it was last closed.
    openings: u32,
}

#[derive(Clone, Copy)]
enum Phase {
    Closed,
    Open { until: Instant },
    HalfOpen { under_way: u32, succeeded: u32 },
}

impl Breaker {
    /// A closed one.
    pub fn new(policy: BreakerPolicy, observer: BreakerObserver) -> Arc<Self> {
        let window = Window {
            slot: Duration::from_millis((policy.window_ms / SLOTS).max(1)),
            length: Duration::from_millis(policy.window_ms),
            slots: VecDeque::new(),
        };
        Arc::new(Self {
            policy,
            inner: Mutex::new(Inner {
                phase: Phase::Closed,
                epoch: 0,
                consecutive: 0,
                window,
                openings: 0,
            }),
            observer,
        })
    }

    /// How long to stay away, if it admits nothing now. Changes nothing.
    pub fn refusal(&self, now: Instant) -> Option<Duration> {
        self.refusal_of(&self.lock(), now)
    }

    /// Admits an attempt.
    ///
    /// # Errors
    /// How long to stay away.
    pub fn admit(self: &Arc<Self>, now: Instant) -> Result<Ticket, Duration> {
        let mut inner = self.lock();
        if let Some(wait) = self.refusal_of(&inner, now) {
            return Err(wait);
        }
        if matches!(inner.phase, Phase::Open { .. }) {
            self.change(
                &mut inner,
                Phase::HalfOpen {
                    under_way: 0,
                    succeeded: 0,
                },
            );
        }
        if let Phase::HalfOpen { under_way, .. } = &mut inner.phase {
            *under_way += 1;
        }
        Ok(Ticket {
            breaker: self.clone(),
            epoch: inner.epoch,
            result: None,
        })
    }

    /// The state; an open breaker whose time is over is called half-open.
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.lock().phase {
            Phase::Closed => BreakerState::Closed,
            Phase::Open { until } if now < until => BreakerState::Open,
            Phase::Open { .. } | Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Attempts and failures in the window.
    pub fn window(&self, now: Instant) -> (u32, u32) {
        self.lock().window.totals(now)
    }

    fn refusal_of(&self, inner: &Inner, now: Instant) -> Option<Duration> {
        match inner.phase {
            Phase::Closed => None,
            Phase::Open { until } => (now < until).then(|| until.saturating_duration_since(now)),
            Phase::HalfOpen {
                under_way,
                succeeded,
            } => (under_way + succeeded >= self.policy.probes).then_some(PROBING),
        }
    }

    fn settle(&self, epoch: u64, result: Option<(bool, Instant)>) {
        let mut inner = self.lock();
        if inner.epoch != epoch {
            return;
        }
        match (&mut inner.phase, result) {
            (Phase::Closed, None) | (Phase::Open { .. }, _) => {}
            (Phase::Closed, Some((true, now))) => {
                inner.consecutive = 0;
                inner.window.count(now, false);
            }
            (Phase::Closed, Some((false, now))) => {
                inner.consecutive += 1;
                inner.window.count(now, true);
                if self.trips(&mut inner, now) {
                    self.open(&mut inner, now);
                }
            }
            (Phase::HalfOpen { under_way, .. }, None) => *under_way -= 1,
            (
                Phase::HalfOpen {
                    under_way,
                    succeeded,
                },
                Some((true, _)),
            ) => {
                *under_way -= 1;
                *succeeded += 1;
                if *succeeded >= self.policy.probes {
                    inner.openings = 0;
                    self.change(&mut inner, Phase::Closed);
                }
            }
            (Phase::HalfOpen { .. }, Some((false, now))) => self.open(&mut inner, now),
        }
    }

    fn trips(&self, inner: &mut Inner, now: Instant) -> bool {
        let row = self.policy.consecutive_failures;
        if row > 0 && inner.consecutive >= row {
            return true;
        }
        let (attempts, failures) = inner.window.totals(now);
        self.policy.failure_percent > 0
            && attempts >= self.policy.min_attempts.max(1)
            && u64::from(failures) * 100
                >= u64::from(self.policy.failure_percent) * u64::from(attempts)
    }

    fn open(&self, inner: &mut Inner, now: Instant) {
        let doublings = 1_u64.checked_shl(inner.openings).unwrap_or(u64::MAX);
        let millis = self.policy.open_ms.saturating_mul(doublings);
        let millis = millis.min(self.policy.max_open_ms.max(self.policy.open_ms));
        inner.openings = inner.openings.saturating_add(1);
        let until = now + Duration::from_millis(millis);
        self.change(inner, Phase::Open { until });
    }

    fn change(&self, inner: &mut Inner, phase: Phase) {
        inner.phase = phase;
        inner.epoch += 1;
        inner.consecutive = 0;
        inner.window.slots.clear();
        (self.observer)(match phase {
            Phase::Closed => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An admitted attempt. Dropped without a result it counts for nothing.
pub struct Ticket {
    breaker: Arc<Breaker>,
    epoch: u64,
    result: Option<(bool, Instant)>,
}

impl Ticket {
    /// The attempt ended well at `now`.
    pub fn succeeded(mut self, now: Instant) {
        self.result = Some((true, now));
    }

    /// The attempt failed at `now`, and the other side is to blame.
    pub fn failed(mut self, now: Instant) {
        self.result = Some((false, now));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.breaker.settle(self.epoch, self.result);
    }
}

/// Attempts and failures of the last `length`, in slots.
struct Window {
    slot: Duration,
    length: Duration,
    slots: VecDeque<Slot>,
}

struct Slot {
    start: Instant,
    attempts: u32,
    failures: u32,
}

impl Window {
    fn count(&mut self, now: Instant, failure: bool) {
        let current = self
            .slots
            .back()
            .is_some_and(|slot| now < slot.start + self.slot);
        if !current {
            self.slots.push_back(Slot {
                start: now,
                attempts: 0,
                failures: 0,
            });
        }
        if let Some(slot) = self.slots.back_mut() {
            slot.attempts += 1;
            slot.failures += u32::from(failure);
        }
        self.forget(now);
    }

    fn totals(&mut self, now: Instant) -> (u32, u32) {
        self.forget(now);
        self.slots
            .iter()
            .fold((0, 0), |(attempts, failures), slot| {
                (attempts + slot.attempts, failures + slot.failures)
            })
    }

    fn forget(&mut self, now: Instant) {
        while self
            .slots
            .front()
            .is_some_and(|slot| slot.start + self.length <= now)
        {
            self.slots.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker(change: impl FnOnce(&mut BreakerPolicy)) -> Arc<Breaker> {
        let mut policy = BreakerPolicy::default();
        change(&mut policy);
        Breaker::new(policy, Box::new(|_| {}))
    }

    fn fail(breaker: &Arc<Breaker>, now: Instant, times: u32) {
        for _ in 0..times {
            breaker.admit(now).unwrap().failed(now);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_exactly_the_stated_failures_in_a_row() {
        let breaker = breaker(|policy| policy.consecutive_failures = 5);
        let now = Instant::now();
        fail(&breaker, now, 4);
        breaker.admit(now).unwrap().succeeded(now);
        fail(&breaker, now, 4);
        assert_eq!(breaker.state(now), BreakerState::Closed);
        fail(&breaker, now, 1);
        assert_eq!(breaker.state(now), BreakerState::Open);
        assert_eq!(breaker.admit(now).err(), Some(SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_by_share_only_once_the_window_holds_enough_attempts() {
        let breaker = breaker(|policy| {
            policy.consecutive_failures = 0;
            policy.failure_percent = 50;
            policy.min_attempts = 20;
        });
        let now = Instant::now();
        for _ in 0..9 {
            breaker.admit(now).unwrap().succeeded(now);
            breaker.admit(now).unwrap().failed(now);
        }
        breaker.admit(now).unwrap().succeeded(now);
        assert_eq!(breaker.window(now), (19, 9));
        assert_eq!(breaker.state(now), BreakerState::Closed);
        breaker.admit(now).unwrap().failed(now);
        assert_eq!(breaker.state(now), BreakerState::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_that_have_left_the_window_no_longer_count() {
        let breaker = breaker(|policy| {
            policy.consecutive_failures = 0;
            policy.min_attempts = 20;
        });
        let start = Instant::now();
        fail(&breaker, start, 19);
        let later = start + 10 * SECOND;
        assert_eq!(breaker.window(later), (0, 0));
        fail(&breaker, later, 19);
        assert_eq!(breaker.state(later), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn half_open_admits_the_stated_probes_and_closes_when_all_succeed() {
        let breaker = breaker(|policy| policy.probes = 3);
        let now = Instant::now();
        fail(&breaker, now, 5);
        let now = now + SECOND;
        let probes: Vec<Ticket> = (0..3).map(|_| breaker.admit(now).unwrap()).collect();
        assert_eq!(breaker.admit(now).err(), Some(PROBING));
        assert_eq!(breaker.state(now), BreakerState::HalfOpen);
        for (done, probe) in probes.into_iter().enumerate() {
            assert_eq!(breaker.state(now), BreakerState::HalfOpen, "{done}");
            probe.succeeded(now);
        }
        assert_eq!(breaker.state(now), BreakerState::Closed);
        assert!(breaker.admit(now).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn each_failed_probe_doubles_the_open_time_up_to_the_cap_and_closing_resets_it() {
        let breaker = breaker(|policy| policy.probes = 1);
        let mut now = Instant::now();
        fail(&breaker, now, 5);
        for seconds in [1, 2, 4, 4] {
            assert_eq!(breaker.admit(now).err(), Some(seconds * SECOND));
            now += seconds * SECOND;
            fail(&breaker, now, 1);
        }
        now += 4 * SECOND;
        breaker.admit(now).unwrap().succeeded(now);
        fail(&breaker, now, 5);
        assert_eq!(breaker.admit(now).err(), Some(SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_probe_gives_its_place_back() {
        let breaker = breaker(|policy| policy.probes = 1);
        let now = Instant::now();
        fail(&breaker, now, 5);
        let now = now + SECOND;
        for _ in 0..10 {
            let probe = breaker.admit(now).unwrap();
            assert!(breaker.admit(now).is_err());
            drop(probe);
        }
        breaker.admit(now).unwrap().succeeded(now);
        assert_eq!(breaker.state(now), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_from_before_the_opening_changes_nothing() {
        let breaker = breaker(|policy| policy.probes = 1);
        let now = Instant::now();
        let (slow_yes, slow_no) = (breaker.admit(now).unwrap(), breaker.admit(now).unwrap());
        fail(&breaker, now, 5);
        let now = now + SECOND;
        let probe = breaker.admit(now).unwrap();
        slow_yes.succeeded(now);
        assert_eq!(breaker.state(now), BreakerState::HalfOpen);
        assert!(breaker.admit(now).is_err());
        slow_no.failed(now);
        assert_eq!(breaker.state(now), BreakerState::HalfOpen);
        probe.succeeded(now);
        assert_eq!(breaker.state(now), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn every_change_of_state_is_told_once() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let seen = told.clone();
        let observer = Box::new(move |state| seen.lock().unwrap().push(state));
        let breaker = Breaker::new(BreakerPolicy::default(), observer);
        let now = Instant::now();
        fail(&breaker, now, 5);
        let now = now + SECOND;
        breaker.admit(now).unwrap().succeeded(now);
        breaker.admit(now).unwrap().succeeded(now);
        let told = told.lock().unwrap();
        use BreakerState::{Closed, HalfOpen, Open};
        assert_eq!(*told, [Open, HalfOpen, Closed]);
    }
}
