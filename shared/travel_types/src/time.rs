//! Local times of travel: what the ticket says, where it says it, and when that is for the world.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a local time cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not a date and time without offset.
    #[error("'{0}' is not a local date and time such as 2026-12-01T10:30:00")]
    Syntax(String),
    /// Not a zone of the IANA database.
    #[error("'{0}' is not an IANA time zone")]
    Zone(String),
    /// Outside the years that can be computed with.
    #[error("'{0}' is out of range")]
    Range(String),
}

/// A local event such as a departure: the literal, its zone, and the instant that follows from both.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalTime {
    /// What clocks at the place show, always with seconds, no offset.
    #[schema(value_type = String, example = "2026-12-01T10:30:00")]
    local: DateTime,
    /// IANA name of the place's zone.
    #[schema(example = "Europe/London")]
    zone: String,
    /// The same moment in UTC.
    #[schema(value_type = String, format = DateTime, example = "2026-12-01T10:30:00Z")]
    utc: Timestamp,
}

impl LocalTime {
    /// Places a supplier's literal (`2026-12-01T10:30:00`, seconds optional) in a zone. A time that a
    /// clock change skips is read as if the clock had not changed yet, one that happens twice as the
    /// first of the two (RFC 5545 §3.3.5); [`LocalTime::is_ambiguous`] tells.
    ///
    /// # Errors
    /// [`TimeError`] when the literal or the zone cannot be read.
    pub fn parse(local: &str, zone: &str) -> Result<Self, TimeError> {
        let shown = || local.chars().take(40).collect::<String>();
        // jiff would accept and drop an offset; a local time has none.
        let has_time = local
            .split_once(['T', ' '])
            .is_some_and(|(_, time)| !time.contains(['Z', 'z', '+', '-', '[']));
        let local_time: DateTime = local
            .parse()
            .ok()
            .filter(|_| has_time)
            .ok_or_else(|| TimeError::Syntax(shown()))?;
        let tz =
            TimeZone::get(zone).map_err(|_| TimeError::Zone(zone.chars().take(40).collect()))?;
        let utc = tz
            .to_ambiguous_timestamp(local_time)
            .compatible()
            .map_err(|_| TimeError::Range(shown()))?;
        Ok(Self {
            local: local_time,
            zone: zone.to_owned(),
            utc,
        })
    }

    /// The local time that an instant has in a zone.
    ///
    /// # Errors
    /// [`TimeError::Zone`] when the zone is unknown.
    pub fn at(utc: Timestamp, zone: &str) -> Result<Self, TimeError> {
        let tz =
            TimeZone::get(zone).map_err(|_| TimeError::Zone(zone.chars().take(40).collect()))?;
        Ok(Self {
            local: tz.to_datetime(utc),
            zone: zone.to_owned(),
            utc,
        })
    }

    /// Whether a clock change makes the literal fall on no moment or on two.
    pub fn is_ambiguous(&self) -> bool {
        TimeZone::get(&self.zone).is_ok_and(|tz| {
            !matches!(
                tz.to_ambiguous_timestamp(self.local).offset(),
                AmbiguousOffset::Unambiguous { .. }
            )
        })
    }

    /// The literal.
    pub fn local(&self) -> DateTime {
        self.local
    }

    /// The zone's IANA name.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// The instant.
    pub fn utc(&self) -> Timestamp {
        self.utc
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_departure_keeps_its_literal_and_gains_its_instant() {
        let time = LocalTime::parse("2026-07-01T23:05", "America/New_York").unwrap();
        assert_eq!(
            serde_json::to_string(&time).unwrap(),
            r#"{"local":"2026-07-01T23:05:00","zone":"America/New_York","utc":"2026-07-02T03:05:00Z"}"#
        );
        assert!(!time.is_ambiguous());
    }

    #[test]
    fn clock_changes_are_told() {
        let skipped = LocalTime::parse("2026-03-29T01:30:00", "Europe/London").unwrap();
        let twice = LocalTime::parse("2026-10-25T01:30:00", "Europe/London").unwrap();
        assert!(skipped.is_ambiguous() && twice.is_ambiguous());
        assert_eq!(skipped.utc().to_string(), "2026-03-29T01:30:00Z");
        assert_eq!(twice.utc().to_string(), "2026-10-25T00:30:00Z");
    }

    #[test]
    fn what_is_no_local_time_is_refused() {
        for wrong in [
            "",
            "2026-07-01",
            "2026-07-01T10:00:00Z",
            "2026-13-01T10:00:00",
            "2026-07-01T10:00:00+01:00",
        ] {
            assert!(LocalTime::parse(wrong, "Europe/London").is_err(), "{wrong}");
        }
        assert_eq!(
            LocalTime::parse("2026-07-01T10:00:00", "Mars/Olympus"),
            Err(TimeError::Zone("Mars/Olympus".into()))
        );
    }
}
