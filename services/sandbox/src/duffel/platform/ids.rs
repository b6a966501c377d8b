//! Ids in Duffel's style: a prefix, four zeros and 18 characters of which the first tell the time.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::chance::{base62, draw};

/// Makes ids that never repeat, also not after a restart (they begin with the microsecond).
#[derive(Default)]
pub(crate) struct Ids {
    seed: u64,
    count: AtomicU64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            count: AtomicU64::new(0),
        }
    }

    /// A fresh id such as `off_0000AEatBxAp5iMWXnIwuf`.
    pub(crate) fn next(&self, prefix: &str, now: Timestamp) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(now.as_microsecond()).unwrap_or(0);
        let noise = draw(self.seed ^ micros, &count.to_string());
        format!(
            "{prefix}_0000{}{}{}",
            base62(micros, 9),
            base62(count, 4),
            base62(noise, 5)
        )
    }

    /// A request id such as `FsJylo0rd-49aeQAAUaB`.
    pub(crate) fn request(&self, now: Timestamp) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(now.as_microsecond()).unwrap_or(0);
        format!(
            "F{}{}{}",
            base62(micros, 9),
            base62(count, 5),
            base62(draw(self.seed ^ micros, &count.to_string()), 5)
        )
    }
}
