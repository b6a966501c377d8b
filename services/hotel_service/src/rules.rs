//! Which people may be booked into which rooms.

use travel_types::jiff::civil::Date;
use travel_types::{FieldErrors, Traveller};
use vertical_kit::{Offer, Rules};

use crate::model::HotelDetails;

/// From this age on a guest is an adult.
pub(crate) const ADULT: u32 = 18;

/// Every room needs an adult by name; nobody may come who was not searched for, and a child's age on
/// the day of arrival must be one that was.
pub(crate) struct GuestRules;

impl Rules for GuestRules {
    fn check_travellers(
        &self,
        offer: &Offer,
        travellers: &[Traveller],
        _today: Date,
        errors: &mut FieldErrors,
    ) {
        let Ok(details) = serde_json::from_value::<HotelDetails>(offer.details.clone()) else {
            return;
        };
        let rooms = details.rooms.len();
        let guests = || details.rooms.iter().map(|room| &room.guests);
        let adults: u32 = guests().map(|guests| guests.adults).sum();
        let mut children: Vec<u32> = guests()
            .flat_map(|guests| guests.children_ages.iter().copied())
            .collect();
        let mut named_adults: u32 = 0;
        for (index, traveller) in travellers.iter().enumerate() {
            let path = || format!("travellers[{index}].born_on");
            let age = u32::try_from(traveller.age_on(details.check_in)).unwrap_or(0);
            if age >= ADULT {
                named_adults += 1;
                errors.check(
                    named_adults <= adults,
                    path(),
                    "INVALID_COUNT",
                    format!("makes one adult too many: the offer is for {adults}"),
                );
            } else if let Some(place) = children.iter().position(|searched| *searched == age) {
                children.swap_remove(place);
            } else {
                errors.add(
                    path(),
                    "INVALID_AGE",
                    format!(
                        "makes a child of {age} on the day of arrival, which was not searched for: \
                         search again with children_ages"
                    ),
                );
            }
        }
        errors.check(
            usize::try_from(named_adults).unwrap_or(0) >= rooms,
            "travellers",
            "INVALID_COUNT",
            format!("must name an adult for each room: the offer has {rooms}"),
        );
    }
}
