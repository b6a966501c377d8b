//! Hotelbeds' own shapes, named as Hotelbeds names them. What the adapter does not read is not here. The
//! same thing is a number in one answer and a text in another, so numbers keep the literal that they came
//! as; what merely describes is dropped when it is of a kind that Hotelbeds does not document. Source: the
//! vendor's OpenAPI document (see `fixtures/README.md`) and the recorded bodies.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use supplier_client::tolerant::{Literal, lenient, list};

/// One entry of a list, read by itself, so that an odd one does not spoil the others.
pub(super) type Entry = Box<RawValue>;

/// Reads one entry.
pub(super) fn entry<T: DeserializeOwned>(raw: &RawValue, what: &str) -> Result<T, String> {
    serde_json::from_str(raw.get()).map_err(|_| format!("is not {what} as Hotelbeds describes it"))
}

/// `true`, also as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Entry::deserialize(deserializer)?.get().trim_matches('"') {
            "true" => Ok(Self(true)),
            "false" => Ok(Self(false)),
            _ => Err(D::Error::custom("invalid type, expected true or false")),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AvailabilityRequest {
    pub(super) stay: RequestedStay,
    pub(super) occupancies: Vec<Occupancy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) destination: Option<Destination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) geolocation: Option<Geolocation>,
    pub(super) filter: Filter,
    pub(super) language: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RequestedStay {
    pub(super) check_in: String,
    pub(super) check_out: String,
}

/// Equal rooms: how many, and who sleeps in each.
#[derive(Debug, Serialize)]
pub(super) struct Occupancy {
    pub(super) rooms: usize,
    pub(super) adults: u32,
    pub(super) children: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) paxes: Vec<RequestedPax>,
}

#[derive(Debug, Serialize)]
pub(super) struct RequestedPax {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) age: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct Destination {
    pub(super) code: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Geolocation {
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    pub(super) radius: f64,
    pub(super) unit: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    pub(super) max_hotels: u32,
    pub(super) max_rates_per_room: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_category: Option<u32>,
}

/// What every answer may be instead of what was asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Failure {
    #[serde(default)]
    pub(super) error: Option<Entry>,
}

/// The error of a formatted answer.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorItem {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) message: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Availability {
    #[serde(default)]
    pub(super) audit_data: Option<Entry>,
    #[serde(default)]
    pub(super) hotels: Option<Hotels>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hotels {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) check_in: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) check_out: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub(super) hotels: Vec<Entry>,
}

/// The answer to a rate that was checked. The vendor's document calls the hotel `hotels`, its answers
/// call it `hotel`.
#[derive(Debug, Deserialize)]
pub(super) struct CheckedRates {
    #[serde(alias = "hotels")]
    pub(super) hotel: Hotel,
}

/// A hotel in an answer to a search, to a rate that was checked, or in a booking.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hotel {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) code: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) category_code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) category_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) destination_code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) destination_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) zone_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) latitude: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) longitude: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) check_in: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) check_out: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub(super) rooms: Vec<Entry>,
    #[serde(default)]
    pub(super) currency: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) total_net: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) cancellation_amount: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) payment_data_required: Option<Flag>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) modification_policies: Option<ModificationPolicies>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ModificationPolicies {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) modification: Option<Flag>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Room {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub(super) rates: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rate {
    #[serde(default)]
    pub(super) rate_key: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) rate_class: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) rate_type: Option<String>,
    #[serde(default)]
    pub(super) net: Option<Literal>,
    #[serde(default)]
    pub(super) selling_rate: Option<Literal>,
    #[serde(default)]
    pub(super) hotel_mandatory: Option<Flag>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) allotment: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) rate_comments: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) payment_type: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) packaging: Option<Flag>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) board_code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) board_name: Option<String>,
    #[serde(default)]
    pub(super) cancellation_policies: Option<Entry>,
    #[serde(default)]
    pub(super) taxes: Option<Entry>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) promotions: Option<Vec<Named>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) offers: Option<Vec<Named>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) rooms: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) adults: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) children: Option<Literal>,
    #[serde(default)]
    pub(super) children_ages: Option<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancellationPolicy {
    #[serde(default)]
    pub(super) amount: Option<Literal>,
    /// The same in the hotel's currency.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) hotel_amount: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) hotel_currency: Option<String>,
    #[serde(default)]
    pub(super) percent: Option<Literal>,
    #[serde(default)]
    pub(super) number_of_nights: Option<Literal>,
    #[serde(default)]
    pub(super) from: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Taxes {
    #[serde(default, deserialize_with = "list")]
    pub(super) taxes: Vec<Entry>,
    /// Of those that do not say it themselves.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) all_included: Option<Flag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tax {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) included: Option<Flag>,
    #[serde(default)]
    pub(super) amount: Option<Literal>,
    #[serde(default)]
    pub(super) currency: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) percent: Option<Literal>,
    #[serde(default)]
    pub(super) client_amount: Option<Literal>,
    #[serde(default)]
    pub(super) client_currency: Option<String>,
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub(super) kind: Option<String>,
}

/// A promotion or an offer, which is part of the price already.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) remark: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RatesToCheck {
    pub(super) rooms: [RateToCheck; 1],
    pub(super) language: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RateToCheck {
    pub(super) rate_key: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewBooking {
    pub(super) holder: Holder,
    pub(super) rooms: Vec<BookedRate>,
    pub(super) client_reference: String,
    /// By how many percent the price may differ from the rate's.
    pub(super) tolerance: &'static str,
    pub(super) language: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Holder {
    pub(super) name: String,
    pub(super) surname: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BookedRate {
    pub(super) rate_key: String,
    pub(super) paxes: Vec<Pax>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pax {
    /// Which of the rate's rooms, from 1.
    pub(super) room_id: usize,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// Not all guests need be named: `type` is all that the vendor's document requires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) surname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) age: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BookingAnswer {
    pub(super) booking: Booking,
}

/// A booking. It exists once it has a reference, however odd the rest.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Booking {
    pub(super) reference: Literal,
    #[serde(default)]
    pub(super) client_reference: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) total_net: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) cancellation_amount: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) currency: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) hotel: Option<Hotel>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BookingsAnswer {
    pub(super) bookings: Bookings,
}

#[derive(Debug, Deserialize)]
pub(super) struct Bookings {
    #[serde(default, deserialize_with = "list")]
    pub(super) bookings: Vec<Entry>,
    pub(super) total: Literal,
}

/// What tells whose booking an entry of a list is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    pub(super) reference: Literal,
    #[serde(default)]
    pub(super) client_reference: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) status: Option<String>,
}
