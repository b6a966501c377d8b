//! What the tests of both adapters need.

use travel_types::{OrderId, Place};
use vertical_kit::OrderLookup;

use crate::CarSearch;

/// A car at Heathrow for five days, on the days of Duffel's sample.
pub(crate) fn search() -> CarSearch {
    let place = Place::from(travel_types::airport("LHR").unwrap());
    CarSearch {
        pickup: place.clone(),
        dropoff: place,
        pickup_at: "2026-05-27T10:00:00".parse().unwrap(),
        dropoff_at: "2026-06-01T15:00:00".parse().unwrap(),
        driver_age: 31,
        driver_country: "GB".to_owned(),
        passengers: 2,
        currency: None,
    }
}

/// An order to be asked about.
pub(crate) fn lookup(
    reference: OrderId,
    handle: serde_json::Value,
    total: travel_types::Money,
) -> OrderLookup {
    OrderLookup {
        reference,
        handle,
        total,
    }
}
