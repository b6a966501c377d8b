//! Who may drive, and how many may ride.

use travel_types::jiff::civil::Date;
use travel_types::{FieldErrors, Traveller};
use vertical_kit::{Offer, Rules};

use crate::model::{CarDetails, CarKind};

/// The youngest that any company rents to.
pub(crate) const YOUNGEST: u32 = 18;
/// Nobody is older.
pub(crate) const OLDEST: u32 = 99;

/// Ages that companies price alike: below 21, 21 to 24, 25 to 69, 70 and more.
const BANDS: [u32; 3] = [21, 25, 70];

/// The first traveller drives. The driver's age on the day of pick-up must be priced like the age that
/// was searched for; a transfer takes no more people than it has seats.
pub(crate) struct DriverRules;

fn band(age: u32) -> usize {
    BANDS.iter().filter(|from| age >= **from).count()
}

fn band_in_words(age: u32) -> String {
    let from = BANDS.iter().copied().filter(|from| age >= *from).max();
    let to = BANDS.iter().copied().find(|from| age < *from);
    match (from, to) {
        (Some(from), Some(to)) => format!("{from} to {}", to - 1),
        (Some(from), None) => format!("{from} and older"),
        (None, Some(to)) => format!("below {to}"),
        (None, None) => "any age".to_owned(),
    }
}

impl Rules for DriverRules {
    fn check_travellers(
        &self,
        offer: &Offer,
        travellers: &[Traveller],
        today: Date,
        errors: &mut FieldErrors,
    ) {
        let Ok(details) = serde_json::from_value::<CarDetails>(offer.details.clone()) else {
            return;
        };
        if let Some(seats) = details.vehicle.seats {
            errors.check(
                travellers.len() <= usize::try_from(seats).unwrap_or(usize::MAX),
                "travellers",
                "INVALID_COUNT",
                format!("must be at most {seats}: the car has no more seats"),
            );
        }
        let (CarKind::Rental, Some(searched)) = (details.kind, details.driver_age) else {
            return;
        };
        let Some(driver) = travellers.first() else {
            return;
        };
        let time = details.pickup.time.as_ref();
        let day = time.map_or(today, |time| time.local().date());
        let age = u32::try_from(driver.age_on(day)).unwrap_or(0);
        errors.check(
            age >= YOUNGEST && band(age) == band(searched),
            "travellers[0].born_on",
            "INVALID_AGE",
            format!(
                "makes a driver of {age} on the day of pick-up, but the price is for {}: \
                 search again with driver_age={age}",
                band_in_words(searched)
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_priced_in_bands() {
        assert_eq!(
            [18, 20, 21, 24, 25, 69, 70].map(band),
            [0, 0, 1, 1, 2, 2, 3]
        );
        assert_eq!(band_in_words(20), "below 21");
        assert_eq!(band_in_words(24), "21 to 24");
        assert_eq!(band_in_words(80), "70 and older");
    }
}
