//! Whole numbers as real ones.

use std::time::Duration;

/// A count, for a rate or a share.
#[allow(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "there is no other conversion, and 53 bits are exact up to 9e15"
)]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

/// Nanoseconds, as histograms hold them, in milliseconds.
pub(crate) fn ms(nanos: u64) -> f64 {
    real(nanos) / 1e6
}

/// A time as histograms hold it: nanoseconds, at least one.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1)
}

/// `part / of`, 0 where there is nothing.
pub(crate) fn ratio(part: f64, of: f64) -> f64 {
    if of > 0.0 { part / of } else { 0.0 }
}
