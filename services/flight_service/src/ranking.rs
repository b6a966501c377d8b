//! How flights of several suppliers lie side by side: in which order, and which are the same.

use std::cmp::Ordering;
use std::fmt::Write as _;

use async_trait::async_trait;
use storage::{Db, Migration, StoreError};
use travel_types::jiff::{SignedDuration, Timestamp};
use vertical_kit::{Assortment, Described, Offer};

use crate::model::FlightDetails;

/// Earliest departure first.
pub(crate) fn by_departure(a: &Offer, b: &Offer) -> Ordering {
    departure(a).cmp(&departure(b))
}

/// Least time under way first.
pub(crate) fn by_travel_time(a: &Offer, b: &Offer) -> Ordering {
    travel_time(a).cmp(&travel_time(b))
}

fn instant(offer: &Offer, pointer: &str) -> Option<Timestamp> {
    offer.details.pointer(pointer)?.as_str()?.parse().ok()
}

fn departure(offer: &Offer) -> Option<Timestamp> {
    instant(offer, "/slices/0/segments/0/departure/time/utc")
}

/// Time under way, all directions together.
fn travel_time(offer: &Offer) -> Option<SignedDuration> {
    let slices = offer.details.get("slices")?.as_array()?;
    let mut sum = SignedDuration::ZERO;
    for index in 0..slices.len() {
        let segments = slices.get(index)?.get("segments")?.as_array()?;
        let last = segments.len().checked_sub(1)?;
        let from = format!("/slices/{index}/segments/0/departure/time/utc");
        let to = format!("/slices/{index}/segments/{last}/arrival/time/utc");
        sum += instant(offer, &to)?.duration_since(instant(offer, &from)?);
    }
    Some(sum)
}

/// Flights of all suppliers.
pub(crate) struct Flights;

#[async_trait]
impl Assortment for Flights {
    fn migrations(&self) -> Option<(&'static str, &'static [Migration])> {
        None
    }

    async fn align(&self, _: &Db, _: &mut [Described<'_>]) -> Result<(), StoreError> {
        Ok(())
    }

    /// The same flights (who flies, number, when), in the same cabins, with the same checked bags and
    /// the same right to change or get money back: then the price is all that differs. A right that a
    /// supplier does not tell of counts as not given.
    fn same(&self, offer: &Offer) -> Option<String> {
        let details: FlightDetails = serde_json::from_value(offer.details.clone()).ok()?;
        let mut key = String::new();
        for slice in &details.slices {
            for segment in &slice.segments {
                let carrier = segment.marketing_carrier.iata_code.as_deref()?;
                let number = segment.flight_number.as_deref()?.trim_start_matches('0');
                let checked = segment.baggage.iter().filter(|bag| bag.kind == "checked");
                let bags: u32 = checked.clone().filter_map(|bag| bag.quantity).sum();
                // An allowance of weight alone is another than any number of bags.
                let weights: Vec<_> = checked
                    .filter(|bag| bag.quantity.is_none())
                    .map(|bag| bag.weight)
                    .collect();
                write!(
                    key,
                    "{carrier}{number}@{} {:?} {bags} {weights:?};",
                    segment.departure.time.utc(),
                    segment.cabin?,
                )
                .ok()?;
            }
            key.push('/');
        }
        let terms = offer.conditions.cancellation.iter().flatten();
        let refundable = terms.into_iter().any(|term| term.refund.minor() > 0);
        let changeable = offer.conditions.changeable == Some(true);
        let people = details.passengers.len();
        write!(key, "{refundable} {changeable} {people}").ok()?;
        (!details.slices.is_empty()).then_some(key)
    }
}
