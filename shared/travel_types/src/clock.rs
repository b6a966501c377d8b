//! Wall-clock time as a value that is handed in. Code that reads `Timestamp::now()` itself cannot be
//! tested at a daylight-saving change or 24 hours later; code that is given a [`Clock`] can.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The source of "now". Cheap to clone; clones of a manual clock show the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(
            start.as_microsecond(),
        ))))
    }

    /// The present instant, to the microsecond (the precision that the stores keep).
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    pub fn now(&self) -> Timestamp {
        let micros = match &self.0 {
            Source::System => Timestamp::now().as_microsecond(),
            Source::Manual(at) => at.load(Ordering::SeqCst),
        };
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Moves a manual clock forward. A system clock cannot be moved: nothing happens.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(at) = &self.0 {
            let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
            at.fetch_add(micros, Ordering::SeqCst);
        }
    }

    /// The instant that lies `after` from now; the far future if that overflows.
    pub fn after(&self, after: Duration) -> Timestamp {
        SignedDuration::try_from(after)
            .ok()
            .and_then(|span| self.now().checked_add(span).ok())
            .unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_manual_clock_move_together() {
        let clock = Clock::manual("2026-03-29T00:59:59Z".parse().unwrap());
        let other = clock.clone();
        clock.advance(Duration::from_secs(1));
        assert_eq!(other.now().to_string(), "2026-03-29T01:00:00Z");
        assert_eq!(
            other.after(Duration::from_secs(60)).to_string(),
            "2026-03-29T01:01:00Z"
        );
    }
}
