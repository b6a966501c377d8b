//! Rapid's own shapes, named as Rapid names them. What the adapter does not read is not here. Amounts keep
//! the literal they came as; what merely describes is dropped when it is of a kind that Rapid does not
//! document; what decides about money stays raw until it is judged. Source: the vendor's specification,
//! rapid-java-sdk `specs.yaml`, whose examples are in `fixtures/`.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use supplier_client::tolerant::{Literal, lenient};

/// A part that is read by itself, so that one odd part does not spoil the whole.
pub(super) type Raw = Box<RawValue>;

/// Reads a part; none if it is not as Rapid describes it.
pub(super) fn part<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// The parts of a list or the values of an object, whichever came.
pub(super) fn parts(raw: Option<&Raw>) -> Option<Vec<Raw>> {
    let raw = raw?;
    part(raw).or_else(|| {
        let keyed: BTreeMap<String, Raw> = part(raw)?;
        Some(keyed.into_values().collect())
    })
}

/// An address to go on with.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Link {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) href: Option<String>,
    #[serde(default)]
    pub(super) expires: Option<Literal>,
}

/// Links by name.
pub(super) type Links = BTreeMap<String, Raw>;

/// The link of this name, if there is a usable one.
pub(super) fn link(links: Option<&Links>, name: &str) -> Option<Link> {
    part::<Link>(links?.get(name)?).filter(|link| link.href.is_some())
}

#[derive(Debug, Deserialize)]
pub(super) struct Amount {
    #[serde(default)]
    pub(super) value: Option<Literal>,
    #[serde(default)]
    pub(super) currency: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Charge {
    #[serde(default)]
    pub(super) billable_currency: Option<Amount>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) request_currency: Option<Amount>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Totals {
    #[serde(default)]
    pub(super) inclusive: Option<Charge>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) exclusive: Option<Charge>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) property_fees: Option<Charge>,
}

/// What one room costs.
#[derive(Debug, Deserialize)]
pub(super) struct Pricing {
    #[serde(default)]
    pub(super) nightly: Option<Raw>,
    #[serde(default)]
    pub(super) stay: Option<Raw>,
    #[serde(default)]
    pub(super) totals: Option<Totals>,
    #[serde(default)]
    pub(super) fees: Option<Raw>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Property {
    #[serde(default)]
    pub(super) property_id: Option<Literal>,
    #[serde(default)]
    pub(super) rooms: Option<Raw>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Room {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) id: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) room_name: Option<String>,
    #[serde(default)]
    pub(super) rates: Option<Raw>,
}

/// What a cancellation depends on; the same in a rate and in a room of an itinerary. Read from the same
/// text as those: serde cannot flatten parts that stay raw.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Policy {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) refundable: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) current_refundability: Option<String>,
    #[serde(default)]
    pub(super) cancel_penalties: Option<Raw>,
    #[serde(default)]
    pub(super) nonrefundable_date_ranges: Option<Raw>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CancelPenalty {
    #[serde(default)]
    pub(super) start: Option<Literal>,
    #[serde(default)]
    pub(super) end: Option<Literal>,
    #[serde(default)]
    pub(super) amount: Option<Literal>,
    #[serde(default)]
    pub(super) currency: Option<String>,
    #[serde(default)]
    pub(super) nights: Option<Literal>,
    #[serde(default)]
    pub(super) percent: Option<Literal>,
}

#[derive(Debug, Deserialize)]
pub(super) struct DateRange {
    pub(super) start: Literal,
    pub(super) end: Literal,
}

#[derive(Debug, Deserialize)]
pub(super) struct Rate {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) available_rooms: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) merchant_of_record: Option<String>,
    #[serde(default)]
    pub(super) amenities: Option<Raw>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) bed_groups: Option<BTreeMap<String, Raw>>,
    #[serde(default)]
    pub(super) occupancy_pricing: Option<BTreeMap<String, Raw>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) promotions: Option<Promotions>,
}

/// Money that is not part of the price; the same in a rate and in a price check.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Extras {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) card_on_file_limit: Option<Amount>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) refundable_damage_deposit: Option<Amount>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) deposits: Option<Vec<Deposit>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Deposit {
    #[serde(default)]
    pub(super) value: Option<Literal>,
    #[serde(default)]
    pub(super) currency: Option<String>,
    #[serde(default)]
    pub(super) due: Option<Literal>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Promotions {
    #[serde(default)]
    pub(super) value_adds: Option<Raw>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) deal: Option<Described>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Described {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) description: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BedGroup {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) description: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) links: Option<Links>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PriceCheck {
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) occupancy_pricing: Option<BTreeMap<String, Raw>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) links: Option<Links>,
}

/// What Rapid tells of a property, as far as it is shown; kept in memory.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Content {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) address: Option<PostalAddress>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) ratings: Option<Ratings>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) location: Option<Location>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) phone: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) checkin: Option<CheckIn>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) checkout: Option<CheckOut>,
    #[serde(default)]
    pub(super) amenities: Option<Raw>,
    #[serde(default)]
    pub(super) images: Option<Raw>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) all_inclusive: Option<AllInclusive>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PostalAddress {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) line_1: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) line_2: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) line_3: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) city: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) postal_code: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) country_code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) obfuscation_required: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Ratings {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) property: Option<Rating>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Rating {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) rating: Option<Literal>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Location {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) coordinates: Option<Coordinates>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) obfuscated_coordinates: Option<Coordinates>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) obfuscation_required: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Coordinates {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) latitude: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) longitude: Option<Literal>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckIn {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) begin_time: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckOut {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) time: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AllInclusive {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) all_rate_plans: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Image {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) hero_image: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) links: Option<Links>,
}

/// The area that is asked about (RFC 7946 §3.1.6).
#[derive(Debug, Serialize)]
pub(super) struct Polygon {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) coordinates: [Vec<[f64; 2]>; 1],
}

#[derive(Debug, Serialize)]
pub(super) struct NewItinerary {
    pub(super) affiliate_reference_id: String,
    pub(super) hold: bool,
    pub(super) email: String,
    pub(super) phone: Phone,
    pub(super) rooms: Vec<Guest>,
    pub(super) payments: [Payment; 1],
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Phone {
    pub(super) country_code: String,
    pub(super) number: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Guest {
    pub(super) given_name: String,
    pub(super) family_name: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Payment {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) billing_contact: BillingContact,
}

/// Who pays Expedia: the seller.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct BillingContact {
    pub(super) given_name: String,
    pub(super) family_name: String,
    pub(super) address: BillingAddress,
}

/// Where the seller is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct BillingAddress {
    pub(super) line_1: String,
    pub(super) city: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) state_province_code: String,
    pub(super) postal_code: String,
    pub(super) country_code: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ItineraryCreation {
    pub(super) itinerary_id: Literal,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) links: Option<Links>,
}

/// An itinerary. It exists once it has an id, however odd the rest.
#[derive(Debug, Deserialize)]
pub(super) struct Itinerary {
    pub(super) itinerary_id: Literal,
    #[serde(default)]
    pub(super) affiliate_reference_id: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) links: Option<Links>,
    /// Absent as long as Rapid itself is not ready to tell.
    #[serde(default, deserialize_with = "booked_rooms")]
    pub(super) rooms: Option<Vec<BookedRoom>>,
}

/// The rooms, each read by itself: one that is not as Rapid describes it has no status, so that it counts
/// as not decided.
fn booked_rooms<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<BookedRoom>>, D::Error> {
    let rooms = Option::<Vec<Raw>>::deserialize(deserializer)?;
    let read = |room: &Raw| part(room).unwrap_or_default();
    Ok(rooms.map(|rooms| rooms.iter().map(read).collect()))
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct BookedRoom {
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) confirmation_id: Option<ConfirmationId>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) checkin: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) checkout: Option<String>,
    #[serde(default)]
    pub(super) rate: Option<Raw>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) links: Option<Links>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ConfirmationId {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) expedia: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) property: Option<Literal>,
}

/// The rate of a booked room.
#[derive(Debug, Default, Deserialize)]
pub(super) struct BookedRate {
    #[serde(default)]
    pub(super) cancel_refund: Option<CancelRefund>,
    #[serde(default)]
    pub(super) pricing: Option<Raw>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CancelRefund {
    #[serde(default)]
    pub(super) amount: Option<Literal>,
    #[serde(default)]
    pub(super) currency: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Errors {
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub(super) kind: Option<String>,
    /// Each is read by itself.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) errors: Option<Vec<Raw>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) fields: Option<Vec<Field>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ErrorItem {
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub(super) kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) fields: Option<Vec<Field>>,
}

/// The part of a request that an error speaks of; its value may be personal and is not read.
#[derive(Debug, Deserialize)]
pub(super) struct Field {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
}
