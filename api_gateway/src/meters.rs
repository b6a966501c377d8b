//! The histograms of a route, looked up once for each status: finding them by their labels would cost
//! more than an answer out of memory.

use std::fmt;
use std::sync::OnceLock;

use http::StatusCode;
use telemetry::Histogram;

/// Where the answers of a route with one status are counted.
pub(crate) struct Meters {
    pub(crate) own: Histogram,
    pub(crate) kit: Histogram,
}

impl Meters {
    pub(crate) fn observe(&self, seconds: f64) {
        self.own.observe(seconds);
        self.kit.observe(seconds);
    }
}

/// Statuses are of three digits, from 100 to 599 in practice.
const STATUSES: usize = 500;

/// The histograms of a route.
pub(crate) struct RouteMeters(Box<[OnceLock<Meters>]>);

impl Default for RouteMeters {
    fn default() -> Self {
        Self((0..STATUSES).map(|_| OnceLock::new()).collect())
    }
}

impl fmt::Debug for RouteMeters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteMeters").finish_non_exhaustive()
    }
}

impl RouteMeters {
    /// Those of a status; none for one beyond 599.
    pub(crate) fn of(
        &self,
        status: StatusCode,
        look_up: impl FnOnce() -> Meters,
    ) -> Option<&Meters> {
        let at = usize::from(status.as_u16()).checked_sub(100)?;
        Some(self.0.get(at)?.get_or_init(look_up))
    }
}
