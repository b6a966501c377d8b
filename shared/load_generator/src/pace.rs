//! When requests are due in an open loop, and waiting for that moment.

use std::sync::Mutex;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::Instant;

/// The moments at which requests are due, taken in their order by whichever lane is free: a queue with
/// as many servers as there are lanes.
pub(crate) struct Arrivals {
    begin: Instant,
    /// Mean distance, in seconds.
    gap: f64,
    state: Mutex<State>,
}

struct State {
    /// Seconds after `begin`.
    next: f64,
    /// Set where the distances are exponential (a Poisson process).
    random: Option<SmallRng>,
}

impl Arrivals {
    /// `rate` requests a second from `begin + offset` on.
    pub(crate) fn new(begin: Instant, offset: Duration, rate: f64, poisson: bool) -> Self {
        Self {
            begin,
            gap: 1.0 / rate,
            state: Mutex::new(State {
                next: offset.as_secs_f64(),
                random: poisson.then(|| SmallRng::from_rng(&mut rand::rng())),
            }),
        }
    }

    /// Takes the next moment, if it is before `end`.
    pub(crate) fn take(&self, end: Instant) -> Option<Instant> {
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(|broken| broken.into_inner());
        let due = self.begin + Duration::try_from_secs_f64(state.next).ok()?;
        if due >= end {
            return None;
        }
        state.next += match &mut state.random {
            None => self.gap,
            // Inverse transform sampling; 1 − u is never 0.
            Some(random) => -(1.0 - random.random::<f64>()).ln() * self.gap,
        };
        Some(due)
    }
}

/// Waits until a moment. Tokio's timers are good to a millisecond, which is more than many answers
/// take; where the system has finer ones, they are used.
pub(crate) enum Timer {
    Tokio,
    #[cfg(target_os = "linux")]
    Fine(fine::FineTimer),
}

impl Timer {
    pub(crate) fn new(fine: bool) -> Self {
        #[cfg(target_os = "linux")]
        if fine && let Ok(timer) = fine::FineTimer::new() {
            return Self::Fine(timer);
        }
        let _ = fine;
        Self::Tokio
    }

    pub(crate) async fn until(&self, due: Instant) {
        match self {
            Self::Tokio => tokio::time::sleep_until(due).await,
            #[cfg(target_os = "linux")]
            Self::Fine(timer) => {
                let left = due.saturating_duration_since(Instant::now());
                // Without the system's timer, late is better than never.
                if !left.is_zero() && timer.sleep(left).await.is_err() {
                    tokio::time::sleep_until(due).await;
                }
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod fine {
    //! `timerfd_create(2)`: high-resolution timers that epoll can wait for.

    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    pub(crate) struct FineTimer(AsyncFd<OwnedFd>);

    impl FineTimer {
        #[allow(
            deprecated,
            reason = "unsound for types that change their descriptor, which an OwnedFd does not; \
                      what replaces it is unsafe code"
        )]
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            AsyncFd::with_interest(timer, tokio::io::Interest::READABLE).map(Self)
        }

        pub(crate) async fn sleep(&self, time: Duration) -> io::Result<()> {
            let value = Timespec {
                tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: time.subsec_nanos().into(),
            };
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: value,
            };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
            loop {
                let mut ready = self.0.readable().await?;
                let mut count = [0; 8];
                match rustix::io::read(ready.get_inner(), &mut count) {
                    Ok(_) => {
                        ready.clear_ready();
                        return Ok(());
                    }
                    Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distances(poisson: bool) -> Vec<f64> {
        let begin = Instant::now();
        let arrivals = Arrivals::new(begin, Duration::ZERO, 1000.0, poisson);
        let end = begin + Duration::from_secs(20);
        let due: Vec<_> = std::iter::from_fn(|| arrivals.take(end)).collect();
        assert!(due.is_sorted());
        due.windows(2)
            .map(|pair| (pair[1] - pair[0]).as_secs_f64())
            .collect()
    }

    #[test]
    fn a_constant_rate_has_one_distance() {
        let distances = distances(false);
        assert!((19_998..=20_000).contains(&distances.len()));
        assert!(distances.iter().all(|d| (d - 0.001).abs() < 1e-8));
    }

    #[test]
    fn distances_of_a_poisson_process_vary_as_much_as_their_mean() {
        let distances = distances(true);
        let count = f64::from(u32::try_from(distances.len()).unwrap());
        let mean = distances.iter().sum::<f64>() / count;
        let variance = distances.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / count;
        // Twenty thousand samples: the bounds are more than ten standard errors away.
        assert!((mean - 0.001).abs() < 1e-4, "{mean}");
        assert!((variance.sqrt() - 0.001).abs() < 2e-4, "{variance}");
    }

    #[tokio::test]
    async fn no_timer_ends_early() {
        for timer in [Timer::new(true), Timer::new(false)] {
            for micros in [0, 1, 300, 2500] {
                let due = Instant::now() + Duration::from_micros(micros);
                timer.until(due).await;
                assert!(Instant::now() >= due);
            }
        }
    }
}
