//! What is sent to Rapid: the area of a search, its parameters, the body of an order. Pure functions; what
//! does not fit the offer is refused before anything is sent.

use std::f64::consts::TAU;

use supplier_client::WireRequest;
use travel_types::{Currency, Traveller};
use vertical_kit::OrderRequest;

use super::Terms;
use super::memory::{Memory, occupancy};
use super::wire;
use crate::model::{Area, HotelSearch};

/// Corners of the polygon that stands for a circle.
const CORNERS: u32 = 24;
/// Rapid refuses areas of 500 km across.
const WIDEST_KM: f64 = 245.0;
/// Kilometres of a degree of latitude.
const DEGREE_KM: f64 = 111.195;
/// Digits of our reference: all of it. Rapid allows 28 characters.
pub(super) const REFERENCE: usize = 26;

/// Currencies that prices can be asked for in; asked for in another, Rapid refuses the whole search.
/// Source: Expedia's page "Hotel currency options" (dev.ean.com), the list of Rapid's predecessor.
const CURRENCIES: [&str; 34] = [
    "AED", "ARS", "AUD", "BND", "BRL", "CAD", "CHF", "CNY", "DKK", "EGP", "EUR", "GBP", "HKD",
    "IDR", "ILS", "INR", "JPY", "KRW", "MOP", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "RUB",
    "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "USD", "VND",
];

/// The area around a point, as a polygon that encloses the circle.
pub(super) fn polygon(area: &Area) -> wire::Polygon {
    let corners = f64::from(CORNERS);
    let radius = area.radius_km.clamp(0.1, WIDEST_KM) / (TAU / corners / 2.0).cos();
    let corner = |number: u32| {
        let angle = TAU * f64::from(number % CORNERS) / corners;
        let latitude = area.latitude + radius * angle.sin() / DEGREE_KM;
        // A degree of longitude is shorter towards the poles; at a pole it is nothing.
        let shortened = DEGREE_KM * area.latitude.to_radians().cos().max(0.01);
        let longitude = area.longitude + radius * angle.cos() / shortened;
        [longitude.clamp(-180.0, 180.0), latitude.clamp(-90.0, 90.0)]
    };
    wire::Polygon {
        kind: "Polygon",
        coordinates: [(0..=CORNERS).map(corner).collect()],
    }
}

/// The availability of properties.
pub(super) fn availability(search: &HotelSearch, ids: &[String], terms: &Terms) -> WireRequest {
    let wished = search.currency.map(Currency::code);
    let known = wished.filter(|code| CURRENCIES.contains(code));
    let currency = known.unwrap_or(terms.currency.as_str());
    let mut request = WireRequest::get("search", "/v3/properties/availability")
        .query("checkin", search.check_in)
        .query("checkout", search.check_out)
        .query("currency", currency)
        .query("country_code", &terms.country_code)
        .query("language", &terms.language)
        .query("rate_plan_count", terms.rate_plan_count)
        .query("sales_channel", &terms.sales_channel)
        .query("sales_environment", &terms.sales_environment)
        // Only what we may pay ourselves: no card of the traveller's is passed on.
        .query("filter", "expedia_collect")
        .query("include", "rooms.rates.current_refundability");
    for guests in &search.rooms {
        request = request.query("occupancy", occupancy(guests));
    }
    ids.iter()
        .fold(request, |request, id| request.query("property_id", id))
}

/// The description of properties.
pub(super) fn content(ids: &[String], terms: &Terms) -> WireRequest {
    let request = WireRequest::get("content", "/v3/properties/content")
        .query("language", &terms.language)
        .query("supply_source", "expedia");
    let fields = [
        "name",
        "address",
        "ratings",
        "location",
        "phone",
        "checkin",
        "checkout",
        "amenities",
        "images",
        "all_inclusive",
    ];
    let request = fields
        .iter()
        .fold(request, |request, field| request.query("include", field));
    ids.iter()
        .fold(request, |request, id| request.query("property_id", id))
}

/// The body of an order.
pub(super) fn new_itinerary(
    order: &OrderRequest,
    memory: &Memory,
    terms: &Terms,
) -> Result<wire::NewItinerary, String> {
    let adult = |traveller: &&Traveller| traveller.age_on(memory.details.check_in) >= 18;
    let mut adults = order.travellers.iter().filter(adult);
    // Rapid takes the name of each room's leader only; whoever else is named follows in the list.
    let named = order.travellers.iter().filter(adult).count();
    let mut spare = named.saturating_sub(memory.details.rooms.len());
    let mut rooms = Vec::with_capacity(memory.details.rooms.len());
    for room in &memory.details.rooms {
        let lead = adults.next().ok_or("a room without an adult")?;
        let others = usize::try_from(room.guests.adults.saturating_sub(1)).unwrap_or(0);
        let skipped = adults.by_ref().take(others.min(spare)).count();
        spare -= skipped;
        rooms.push(wire::Guest {
            given_name: lead.given_name.clone(),
            family_name: lead.family_name.clone(),
        });
    }
    Ok(wire::NewItinerary {
        affiliate_reference_id: order.reference.compact(REFERENCE),
        hold: terms.hold,
        email: terms.booking_email.clone(),
        phone: phone(&order.contact.phone),
        rooms,
        payments: [wire::Payment {
            kind: "affiliate_collect",
            billing_contact: terms.billing.clone(),
        }],
    })
}

/// An E.164 number split after its country code (ITU-T E.164, list of assigned codes: one digit for the
/// zones 1 and 7, two for those listed, else three).
pub(super) fn phone(number: &str) -> wire::Phone {
    const TWO_DIGITS: [&str; 43] = [
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46",
        "47", "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63",
        "64", "65", "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95",
    ];
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let length = match digits.get(..2) {
        Some(start) if start.starts_with(['1', '7']) => 1,
        Some(start) if TWO_DIGITS.contains(&start) || start == "98" => 2,
        _ => 3,
    };
    let (country_code, number) = digits.split_at_checked(length).unwrap_or((&digits, ""));
    wire::Phone {
        country_code: country_code.to_owned(),
        number: number.to_owned(),
    }
}

/// The value of the `Test` header for a call: the configured one where the specification documents it for
/// that call, which then answers in a set way without any booking.
pub(super) fn test_value<'t>(operation: &str, configured: &'t str) -> Option<&'t str> {
    let documented: &[&str] = match operation {
        "search" => &[
            "standard",
            "service_unavailable",
            "unknown_internal_error",
            "no_availability",
            "forbidden",
        ],
        "price" => &[
            "available",
            "price_changed",
            "sold_out",
            "service_unavailable",
            "unknown_internal_error",
        ],
        "order" => &[
            "standard",
            "complete_payment_session",
            "service_unavailable",
            "internal_server_error",
            "price_mismatch",
            "cc_declined",
            "rooms_unavailable",
        ],
        "retrieve" => &[
            "standard",
            "degraded_response",
            "service_unavailable",
            "internal_server_error",
        ],
        "resume" => &["standard", "service_unavailable", "internal_server_error"],
        "cancel" => &[
            "standard",
            "service_unavailable",
            "internal_server_error",
            "post_stay_cancel",
        ],
        _ => &[],
    };
    match (operation, configured) {
        // The call for a price has another word for the usual answer.
        ("price", "standard") => Some("available"),
        _ => documented.contains(&configured).then_some(configured),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_is_split_after_its_country_code() {
        for (number, country, rest) in [
            ("+442080160509", "44", "2080160509"),
            ("+15550100123", "1", "5550100123"),
            ("+79161234567", "7", "9161234567"),
            ("+353861234567", "353", "861234567"),
            ("+989121234567", "98", "9121234567"),
        ] {
            let split = phone(number);
            assert_eq!(
                (split.country_code.as_str(), split.number.as_str()),
                (country, rest)
            );
        }
    }

    #[test]
    fn the_polygon_is_closed_and_encloses_the_circle() {
        let area = Area {
            city: None,
            latitude: 51.5,
            longitude: -0.1,
            radius_km: 10.0,
        };
        let polygon = polygon(&area);
        let ring = &polygon.coordinates[0];
        assert_eq!(ring.first(), ring.last());
        assert_eq!(ring.len(), 25);
        for [longitude, latitude] in ring {
            let far = travel_types::distance_km((51.5, -0.1), (*latitude, *longitude));
            assert!((10.0..10.3).contains(&far), "{far}");
        }
        let poles = super::polygon(&Area {
            latitude: 90.0,
            longitude: 179.9,
            radius_km: 9000.0,
            ..area
        });
        for [longitude, latitude] in &poles.coordinates[0] {
            assert!(longitude.abs() <= 180.0 && latitude.abs() <= 90.0);
        }
    }

    #[test]
    fn a_test_value_is_sent_where_the_specification_documents_it() {
        assert_eq!(test_value("price", "price_changed"), Some("price_changed"));
        assert_eq!(test_value("order", "price_changed"), None);
        assert_eq!(test_value("price", "standard"), Some("available"));
        assert_eq!(test_value("order", "cc_declined"), Some("cc_declined"));
        assert_eq!(test_value("search", ""), None);
    }
}
