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

/// A booking reference (PNR) of six letters and digits, drawn from an order's id.
pub(crate) fn booking_reference(order_id: &str, attempt: u64) -> String {
    // No 0, 1, I or O: they are mistaken for each other when read aloud.
    const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut number = draw(attempt, order_id);
    (0..6)
        .map(|_| {
            let digit = usize::try_from(number % 32).unwrap_or(0);
            number /= 32;
            ALPHABET.get(digit).copied().map_or('A', char::from)
        })
        .collect()
}
