//! Instants in the store: microseconds since 1970 in a `BIGINT`, so that both engines order and
//! compare them alike and none of them applies a time zone.

use jiff::Timestamp;

use crate::StoreError;

/// The instant as microseconds since the Unix epoch; finer digits are cut off.
pub fn to_micros(instant: Timestamp) -> i64 {
    instant.as_microsecond()
}

/// The instant that [`to_micros`] wrote.
///
/// # Errors
/// [`StoreError::Corrupt`] when the number lies outside the years −9999 to 9999.
pub fn from_micros(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|_| StoreError::Corrupt("instant".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_survives_the_store_to_the_microsecond() {
        let instant: Timestamp = "2026-12-01T10:30:00.123456Z".parse().unwrap();
        assert_eq!(from_micros(to_micros(instant)).unwrap(), instant);
        assert!(matches!(from_micros(i64::MAX), Err(StoreError::Corrupt(_))));
    }
}
