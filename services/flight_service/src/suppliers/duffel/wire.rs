//! Duffel's own shapes, named as Duffel names them. What the adapter does not read is not here; what may
//! be absent or null is optional. Source: duffel-api-javascript `src/booking/**/*Types.ts`, and the
//! recorded bodies in `fixtures/`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Every body is wrapped so.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Data<T> {
    pub(super) data: T,
}

/// A list. Each entry is read by itself, so that one odd entry does not spoil the page.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) data: Vec<Box<RawValue>>,
    #[serde(default)]
    pub(super) meta: Option<PageMeta>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PageMeta {
    #[serde(default)]
    pub(super) after: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct OfferRequest {
    pub(super) slices: Vec<RequestedSlice>,
    pub(super) passengers: Vec<RequestedPassenger>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cabin_class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_connections: Option<u32>,
}

#[derive(Debug, Serialize)]
pub(super) struct RequestedSlice {
    pub(super) origin: String,
    pub(super) destination: String,
    pub(super) departure_date: String,
}

#[derive(Debug, Serialize)]
pub(super) struct RequestedPassenger {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

#[derive(Debug, Deserialize)]
pub(super) struct OfferRequestCreated {
    pub(super) id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Offer {
    pub(super) id: String,
    pub(super) total_amount: String,
    pub(super) total_currency: String,
    #[serde(default)]
    pub(super) base_amount: Option<String>,
    #[serde(default)]
    pub(super) base_currency: Option<String>,
    #[serde(default)]
    pub(super) tax_amount: Option<String>,
    #[serde(default)]
    pub(super) tax_currency: Option<String>,
    #[serde(default)]
    pub(super) expires_at: Option<String>,
    #[serde(default)]
    pub(super) total_emissions_kg: Option<String>,
    #[serde(default)]
    pub(super) passenger_identity_documents_required: Option<bool>,
    pub(super) owner: Carrier,
    pub(super) slices: Vec<Slice>,
    pub(super) passengers: Vec<OfferPassenger>,
    #[serde(default)]
    pub(super) conditions: Option<Conditions>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OfferPassenger {
    pub(super) id: String,
    #[serde(rename = "type", default)]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) age: Option<i16>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Conditions {
    #[serde(default)]
    pub(super) refund_before_departure: Option<Condition>,
    #[serde(default)]
    pub(super) change_before_departure: Option<Condition>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Condition {
    #[serde(default)]
    pub(super) allowed: Option<bool>,
    #[serde(default)]
    pub(super) penalty_amount: Option<String>,
    #[serde(default)]
    pub(super) penalty_currency: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Carrier {
    #[serde(default)]
    pub(super) iata_code: Option<String>,
    #[serde(default)]
    pub(super) name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Slice {
    pub(super) origin: Place,
    pub(super) destination: Place,
    #[serde(default)]
    pub(super) duration: Option<String>,
    #[serde(default)]
    pub(super) fare_brand_name: Option<String>,
    pub(super) segments: Vec<Segment>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Segment {
    pub(super) origin: Place,
    pub(super) destination: Place,
    pub(super) departing_at: String,
    pub(super) arriving_at: String,
    #[serde(default)]
    pub(super) duration: Option<String>,
    #[serde(default)]
    pub(super) distance: Option<String>,
    #[serde(default)]
    pub(super) origin_terminal: Option<String>,
    #[serde(default)]
    pub(super) destination_terminal: Option<String>,
    pub(super) marketing_carrier: Carrier,
    #[serde(default)]
    pub(super) marketing_carrier_flight_number: Option<String>,
    #[serde(default)]
    pub(super) operating_carrier: Option<Carrier>,
    #[serde(default)]
    pub(super) aircraft: Option<Named>,
    #[serde(default)]
    pub(super) passengers: Vec<SegmentPassenger>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SegmentPassenger {
    #[serde(default)]
    pub(super) cabin_class: Option<String>,
    #[serde(default)]
    pub(super) baggages: Option<Vec<Baggage>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Baggage {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) quantity: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    #[serde(default)]
    pub(super) name: Option<String>,
}

/// An airport or a city.
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    #[serde(default)]
    pub(super) iata_code: Option<String>,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) city_name: Option<String>,
    #[serde(default)]
    pub(super) iata_country_code: Option<String>,
    #[serde(default)]
    pub(super) time_zone: Option<String>,
    #[serde(default)]
    pub(super) latitude: Option<f64>,
    #[serde(default)]
    pub(super) longitude: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(super) struct NewOrder {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) selected_offers: [String; 1],
    pub(super) passengers: Vec<OrderPassenger>,
    pub(super) payments: [Payment; 1],
    pub(super) metadata: Metadata,
}

/// Our own reference travels here: Duffel keeps metadata with the order and gives it back.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Metadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) interline_order_id: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Payment {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) amount: String,
    pub(super) currency: String,
}

#[derive(Debug, Serialize)]
pub(super) struct OrderPassenger {
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gender: Option<&'static str>,
    pub(super) given_name: String,
    pub(super) family_name: String,
    pub(super) born_on: String,
    pub(super) email: String,
    pub(super) phone_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) infant_passenger_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) identity_documents: Vec<IdentityDocument>,
}

#[derive(Debug, Serialize)]
pub(super) struct IdentityDocument {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) unique_identifier: String,
    pub(super) issuing_country_code: String,
    pub(super) expires_on: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) booking_reference: String,
    pub(super) total_amount: String,
    pub(super) total_currency: String,
    #[serde(default)]
    pub(super) base_amount: Option<String>,
    #[serde(default)]
    pub(super) base_currency: Option<String>,
    #[serde(default)]
    pub(super) tax_amount: Option<String>,
    #[serde(default)]
    pub(super) tax_currency: Option<String>,
    #[serde(default)]
    pub(super) cancelled_at: Option<String>,
    #[serde(default)]
    pub(super) owner: Option<Carrier>,
    #[serde(default)]
    pub(super) slices: Vec<Slice>,
    #[serde(default)]
    pub(super) passengers: Vec<OfferPassenger>,
    #[serde(default)]
    pub(super) metadata: Option<Metadata>,
}

#[derive(Debug, Serialize)]
pub(super) struct NewCancellation {
    pub(super) order_id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct OrderCancellation {
    pub(super) id: String,
    #[serde(default)]
    pub(super) refund_to: Option<String>,
    #[serde(default)]
    pub(super) refund_amount: Option<String>,
    #[serde(default)]
    pub(super) refund_currency: Option<String>,
    #[serde(default)]
    pub(super) expires_at: Option<String>,
    #[serde(default)]
    pub(super) confirmed_at: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Errors {
    pub(super) errors: Vec<ErrorItem>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ErrorItem {
    #[serde(rename = "type", default)]
    pub(super) kind: Option<String>,
    /// Mostly text; "Unsupported operation" has been seen with the number 400.
    #[serde(default)]
    pub(super) code: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) title: Option<String>,
    /// `{field, pointer}` of a bad field, or the name of an airline.
    #[serde(default)]
    pub(super) source: Option<serde_json::Value>,
}
