//! How far back a list of a supplier's must be read to find an order of ours.

use travel_types::OrderId;
use travel_types::jiff::Timestamp;

/// When our order was made: its id is a UUID of version 7, whose first 48 bits are milliseconds
/// (RFC 9562 §5.7).
pub(crate) fn made_at(order: OrderId) -> Timestamp {
    let text = order.to_string();
    let millis = text
        .get(4..16)
        .and_then(|digits| i64::from_str_radix(digits, 16).ok());
    millis
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::MIN)
}

/// Whether all entries are dated and prove to be in order, newest first, and the last is older than
/// `since`: then nothing that follows can be of interest. Entries of one date alone prove no order.
pub(crate) fn newest_first_down_to(dates: &[Option<Timestamp>], since: Timestamp) -> bool {
    let dates: Option<Vec<Timestamp>> = dates.iter().copied().collect();
    dates.is_some_and(|dates| {
        dates.is_sorted_by(|a, b| a >= b)
            && dates.first() > dates.last()
            && dates.last().is_some_and(|last| *last < since)
    })
}
