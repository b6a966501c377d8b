//! What is sent to Duffel: the bodies of a search and of a booking, from our shapes. Pure functions; what
//! cannot be ordered is refused before anything is sent.

use jiff::civil::DateTime;
use supplier_platforms::duffel::Metadata;
use travel_types::Place;
use vertical_kit::OrderRequest;
use vertical_kit::mapping::text;

use super::wire;
use crate::CarSearch;

/// The body of a search.
pub(super) fn search(search: &CarSearch, radius_km: u32) -> wire::NewSearch {
    let around = |place: &Place| wire::Around {
        radius: radius_km,
        geographic_coordinates: wire::Point {
            latitude: place.latitude,
            longitude: place.longitude,
        },
    };
    let time = |at: DateTime| at.strftime("%H:%M").to_string();
    wire::NewSearch {
        pickup_date: search.pickup_at.date().to_string(),
        pickup_time: time(search.pickup_at),
        dropoff_date: search.dropoff_at.date().to_string(),
        dropoff_time: time(search.dropoff_at),
        pickup_location: around(&search.pickup),
        dropoff_location: around(&search.dropoff),
        driver: wire::SearchedDriver {
            age: search.driver_age,
            residence_country_code: search.driver_country.clone(),
        },
    }
}

/// The body of a booking. The first traveller drives.
pub(super) fn booking(order: &OrderRequest, card_id: &str) -> Result<wire::NewBooking, String> {
    let driver = order
        .travellers
        .first()
        .ok_or("an order without a driver")?;
    let payment_type = text(&order.handle, "payment_type")?;
    let with_card = payment_type != "postpaid" && !card_id.is_empty();
    if payment_type == "guarantee" && !with_card {
        return Err("no card_id is configured to guarantee with".to_owned());
    }
    let own = |own: &Option<String>, contact: &str| own.clone().unwrap_or(contact.to_owned());
    Ok(wire::NewBooking {
        quote_id: text(&order.handle, "quote_id")?,
        driver: wire::Driver {
            given_name: driver.given_name.clone(),
            family_name: driver.family_name.clone(),
            email: own(&driver.email, &order.contact.email),
            phone_number: own(&driver.phone, &order.contact.phone),
            date_of_birth: driver.born_on.to_string(),
        },
        payment: with_card.then(|| wire::Payment {
            method: "card",
            card_id: card_id.to_owned(),
        }),
        metadata: Metadata::of(order.reference),
    })
}
