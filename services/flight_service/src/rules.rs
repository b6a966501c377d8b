//! Which people may be booked on which offer.

use travel_types::jiff::civil::{Date, DateTime};
use travel_types::{FieldErrors, Traveller};
use vertical_kit::{Offer, Rules};

use crate::model::{FlightDetails, PassengerKind};

/// The travellers must be, on the day of departure, as many adults, children and infants as the offer
/// was made for.
pub(crate) struct PassengerRules;

/// The local day on which a journey begins.
fn departure_day(details: &FlightDetails) -> Option<Date> {
    let segment = details.slices.first()?.segments.first()?;
    Some(DateTime::date(segment.departure.time.local()))
}

impl Rules for PassengerRules {
    fn check_travellers(
        &self,
        offer: &Offer,
        travellers: &[Traveller],
        today: Date,
        errors: &mut FieldErrors,
    ) {
        let Ok(details) = serde_json::from_value::<FlightDetails>(offer.details.clone()) else {
            return;
        };
        let day = departure_day(&details).unwrap_or(today);
        let mut free: Vec<PassengerKind> = details
            .passengers
            .iter()
            .map(|passenger| passenger.kind)
            .collect();
        let wanted = describe(&free);
        errors.check(
            travellers.len() == free.len(),
            "travellers",
            "INVALID_COUNT",
            format!("must name the people that the offer was made for: {wanted}"),
        );
        for (index, traveller) in travellers.iter().enumerate() {
            let kind = PassengerKind::of_age(traveller.age_on(day));
            match free.iter().position(|place| *place == kind) {
                Some(place) => {
                    free.remove(place);
                }
                None => errors.add(
                    format!("travellers[{index}].born_on"),
                    "INVALID_AGE",
                    format!(
                        "makes one {} too many on the day of departure: the offer was made for {wanted}",
                        kind.as_str()
                    ),
                ),
            }
            errors.check(
                !details.documents_required || !traveller.documents.is_empty(),
                format!("travellers[{index}].documents"),
                "REQUIRED",
                "is required by this offer",
            );
        }
    }
}

fn describe(kinds: &[PassengerKind]) -> String {
    [
        PassengerKind::Adult,
        PassengerKind::Child,
        PassengerKind::Infant,
    ]
    .into_iter()
    .map(|kind| (kind, kinds.iter().filter(|other| **other == kind).count()))
    .filter(|(_, count)| *count > 0)
    .map(|(kind, count)| format!("{count} {}", kind.as_str()))
    .collect::<Vec<_>>()
    .join(", ")
}
