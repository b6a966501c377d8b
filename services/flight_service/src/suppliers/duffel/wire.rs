//! Duffel's own shapes, named as Duffel names them. What the adapter does not read is not here. Only ids
//! are required: what else is missing is judged where it is needed, so that a refusal can name it.
//! Amounts and times keep the literal they came as; what merely describes is dropped when it is of a kind
//! that Duffel does not document. Source: duffel-api-javascript `src/booking/**/*Types.ts`, and the
//! recorded bodies in `fixtures/`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
pub(super) use supplier_client::tolerant::Literal;
use supplier_client::tolerant::{lenient, list};
pub(super) use supplier_platforms::duffel::{Data, Metadata, Page, read};

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
    pub(super) id: Literal,
    /// Duffel adds the offers although they were not asked for here, if it has them.
    #[serde(default, deserialize_with = "list")]
    pub(super) offers: Vec<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Offer {
    pub(super) id: Literal,
    #[serde(default)]
    pub(super) total_amount: Option<Literal>,
    #[serde(default)]
    pub(super) total_currency: Option<String>,
    #[serde(default)]
    pub(super) base_amount: Option<Literal>,
    #[serde(default)]
    pub(super) base_currency: Option<String>,
    #[serde(default)]
    pub(super) tax_amount: Option<Literal>,
    #[serde(default)]
    pub(super) tax_currency: Option<String>,
    #[serde(default)]
    pub(super) expires_at: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) total_emissions_kg: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) passenger_identity_documents_required: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) owner: Option<Carrier>,
    #[serde(default, deserialize_with = "list")]
    pub(super) slices: Vec<Slice>,
    #[serde(default, deserialize_with = "list")]
    pub(super) passengers: Vec<OfferPassenger>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) conditions: Option<Conditions>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OfferPassenger {
    #[serde(default)]
    pub(super) id: Option<Literal>,
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub(super) kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) age: Option<Literal>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Conditions {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) refund_before_departure: Option<Condition>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) change_before_departure: Option<Condition>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Condition {
    #[serde(default)]
    pub(super) allowed: Option<bool>,
    #[serde(default)]
    pub(super) penalty_amount: Option<Literal>,
    #[serde(default)]
    pub(super) penalty_currency: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Carrier {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) iata_code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Slice {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) origin: Option<Place>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) destination: Option<Place>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) duration: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) fare_brand_name: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub(super) segments: Vec<Segment>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Segment {
    #[serde(default)]
    pub(super) origin: Option<Place>,
    #[serde(default)]
    pub(super) destination: Option<Place>,
    #[serde(default)]
    pub(super) departing_at: Option<Literal>,
    #[serde(default)]
    pub(super) arriving_at: Option<Literal>,
    #[serde(default)]
    pub(super) duration: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) distance: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) origin_terminal: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) destination_terminal: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) marketing_carrier: Option<Carrier>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) marketing_carrier_flight_number: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) operating_carrier: Option<Carrier>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) aircraft: Option<Named>,
    #[serde(default, deserialize_with = "list")]
    pub(super) passengers: Vec<SegmentPassenger>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SegmentPassenger {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) passenger_id: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) cabin_class: Option<String>,
    /// Each is read by itself.
    #[serde(default)]
    pub(super) baggages: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Baggage {
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub(super) kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) quantity: Option<Literal>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
}

/// An airport or a city.
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) iata_code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) city_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) city: Option<Named>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) iata_country_code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) time_zone: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) latitude: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) longitude: Option<Literal>,
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

/// An order. It exists once it has an id, however odd the rest: what the offer has told already is
/// dropped when it is of another kind than documented.
#[derive(Debug, Deserialize)]
pub(super) struct Order {
    pub(super) id: Literal,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) booking_reference: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) booking_references: Option<Vec<BookingReference>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) total_amount: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) total_currency: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) base_amount: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) base_currency: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) tax_amount: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) tax_currency: Option<String>,
    #[serde(default)]
    pub(super) cancelled_at: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) payment_status: Option<PaymentStatus>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) owner: Option<Carrier>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) slices: Option<Vec<Slice>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) passengers: Option<Vec<OfferPassenger>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) metadata: Option<Metadata>,
}

/// One of several airlines' references for the same order.
#[derive(Debug, Deserialize)]
pub(super) struct BookingReference {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) booking_reference: Option<Literal>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PaymentStatus {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) awaiting_payment: Option<bool>,
}

#[derive(Debug, Serialize)]
pub(super) struct NewCancellation {
    pub(super) order_id: String,
}

/// How a cancellation stands, apart from the money.
#[derive(Debug, Deserialize)]
pub(super) struct OrderCancellation {
    pub(super) id: Literal,
    #[serde(default)]
    pub(super) expires_at: Option<Literal>,
    #[serde(default)]
    pub(super) confirmed_at: Option<Literal>,
}

/// The money of a cancellation.
#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    /// Not read, but what has none is not a cancellation.
    #[serde(rename = "id")]
    pub(super) _id: Literal,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) refund_to: Option<String>,
    #[serde(default)]
    pub(super) refund_amount: Option<Literal>,
    #[serde(default)]
    pub(super) refund_currency: Option<String>,
    /// Read only where they are what is paid with.
    #[serde(default)]
    pub(super) airline_credits: Option<Box<RawValue>>,
}

/// A voucher of the airline's, which a cancellation pays with instead of money.
#[derive(Debug, Deserialize)]
pub(super) struct AirlineCredit {
    #[serde(default)]
    pub(super) credit_amount: Option<Literal>,
    #[serde(default)]
    pub(super) credit_currency: Option<String>,
}
