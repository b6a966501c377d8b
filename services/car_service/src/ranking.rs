//! How cars of several suppliers lie side by side: in which order, and which are the same.

use std::cmp::Ordering;

use async_trait::async_trait;
use serde_json::json;
use storage::{Db, Migration, StoreError};
use vertical_kit::{Assortment, Described, Offer};

use crate::model::CarDetails;

/// Most seats first; cars whose seats are not known last.
pub(crate) fn by_seats(a: &Offer, b: &Offer) -> Ordering {
    let seats = |offer: &Offer| {
        let seats = offer.details.pointer("/vehicle/seats");
        seats.and_then(serde_json::Value::as_u64)
    };
    seats(b).cmp(&seats(a))
}

/// Between cars of one price: the car's name.
pub(crate) fn by_name(a: &Offer, b: &Offer) -> Ordering {
    let name = |offer: &Offer| {
        let name = offer.details.pointer("/vehicle/name");
        name.and_then(serde_json::Value::as_str).map(str::to_owned)
    };
    name(a).cmp(&name(b))
}

/// Cars of all suppliers.
pub(crate) struct Cars;

#[async_trait]
impl Assortment for Cars {
    fn migrations(&self) -> Option<(&'static str, &'static [Migration])> {
        None
    }

    async fn align(&self, _: &Db, _: &mut [Described<'_>]) -> Result<(), StoreError> {
        Ok(())
    }

    /// The same company, the same class by its ACRISS code, at the same desks and times, with the same
    /// mileage, paid at the same time, on the same terms of cancelling: then the price is all that
    /// differs. Without a code two cars cannot be told to be alike.
    fn same(&self, offer: &Offer) -> Option<String> {
        let details: CarDetails = serde_json::from_value(offer.details.clone()).ok()?;
        let acriss = details.vehicle.acriss.as_deref()?;
        let company = details.company.name.to_lowercase();
        let stop = |stop: &crate::CarStop| json!([stop.name.to_lowercase(), stop.time]);
        let terms = offer.terms_in_percent();
        let key = json!([
            details.kind,
            company,
            acriss,
            stop(&details.pickup),
            stop(&details.dropoff),
            details.mileage,
            details.payment,
            terms,
        ]);
        Some(key.to_string())
    }
}
