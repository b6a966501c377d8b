//! What the adapters of this service share: what they remember of a search, and how they show where and
//! when a rental or a ride begins and ends.

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use supplier_client::tolerant::Literal;
use travel_types::{LocalTime, Money, Place, Warning, WarningCode};

use crate::model::{CarSearch, CarStop};

/// What an adapter remembers of a search in each offer's handle, under `trip`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trip {
    pub(crate) pickup: Place,
    pub(crate) dropoff: Place,
    pub(crate) pickup_at: DateTime,
    pub(crate) dropoff_at: DateTime,
    pub(crate) driver_age: u32,
}

impl From<&CarSearch> for Trip {
    fn from(search: &CarSearch) -> Self {
        Self {
            pickup: search.pickup.clone(),
            dropoff: search.dropoff.clone(),
            pickup_at: search.pickup_at,
            dropoff_at: search.dropoff_at,
            driver_age: search.driver_age,
        }
    }
}

impl Trip {
    /// The trip that a handle remembers.
    pub(crate) fn of(handle: &Value) -> Result<Self, String> {
        let trip = handle.get("trip").ok_or("the handle has no trip")?;
        Self::deserialize(trip).map_err(|error| error.to_string())
    }

    /// Whether it ends elsewhere.
    pub(crate) fn is_one_way(&self) -> bool {
        self.pickup.iata_code != self.dropoff.iata_code
    }
}

/// An end of a trip of which nothing is known but the place that was searched.
pub(crate) fn searched_stop(place: &Place) -> CarStop {
    CarStop {
        iata_code: Some(place.iata_code.clone()),
        name: String::new(),
        address: Vec::new(),
        country: None,
        latitude: None,
        longitude: None,
        time: None,
        access: None,
        phone: None,
        opening_hours: Vec::new(),
    }
}

/// The time that a supplier states for an end of the trip, or the searched one where it states none.
/// Another time than the searched one is kept and flagged; one that cannot be read is flagged and not
/// shown.
pub(crate) fn stop_time(
    stated: Option<&str>,
    searched: DateTime,
    zone: &str,
    path: &str,
    warnings: &mut Vec<Warning>,
) -> Option<LocalTime> {
    let mut flag = |message: &str| {
        let code = WarningCode::TimeInconsistent;
        warnings.push(Warning::new(code, format!("{path}.time"), message));
    };
    let searched = searched.to_string();
    let Ok(time) = LocalTime::parse(stated.unwrap_or(&searched), zone) else {
        flag("the supplier's time cannot be read");
        return None;
    };
    if time.local().to_string() != searched {
        flag("is not the time that was searched for");
    }
    if time.is_ambiguous() {
        flag("falls into a change of the clocks");
    }
    Some(time)
}

/// A count of seats or bags.
pub(crate) fn count(stated: Option<&Literal>) -> Option<u32> {
    stated?.as_str().parse().ok()
}

/// A coordinate of at most so many degrees either way.
pub(crate) fn degrees(stated: Option<&Literal>, most: f64) -> Option<f64> {
    stated?.number().filter(|degrees| degrees.abs() <= most)
}

/// What a cancellation quote remembers to come back, under `refund`.
pub(crate) fn quoted_refund(quote: &Value) -> Result<Money, String> {
    let refund = quote.get("refund").ok_or("the quote has no refund")?;
    Money::deserialize(refund).map_err(|error| error.to_string())
}

/// A text that says something.
pub(crate) fn some_text(stated: Option<&str>) -> Option<String> {
    let text = stated?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
