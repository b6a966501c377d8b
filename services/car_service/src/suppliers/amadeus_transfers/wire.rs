//! Amadeus's own shapes for transfers, named as Amadeus names them. What the adapter does not read is not
//! here. Amounts, times and the numbers of rules keep the literal they came as; what merely describes is
//! dropped when it is of a kind that Amadeus does not document. Source: `TransferSearch_v1`,
//! `TransferBook_v1`, `TransferManagement_v1` of amadeus-open-api-specification.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use supplier_client::tolerant::{Literal, lenient, list};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Search {
    pub(super) start_location_code: String,
    pub(super) start_date_time: String,
    pub(super) passengers: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_location_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_address_line: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_city_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_country_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_geo_code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Offers {
    #[serde(deserialize_with = "list")]
    pub(super) data: Vec<Box<RawValue>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) warnings: Option<Vec<Issue>>,
}

/// A doubt of Amadeus's own.
#[derive(Debug, Deserialize)]
pub(super) struct Issue {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) code: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) title: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) source: Option<Source>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Source {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) pointer: Option<String>,
}

/// An offer, or a transfer of an order: nearly the same.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transfer {
    /// Of an offer.
    #[serde(default)]
    pub(super) id: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) start: Option<Location>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) end: Option<Location>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) vehicle: Option<Vehicle>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) service_provider: Option<Provider>,
    #[serde(default)]
    pub(super) quotation: Option<Quotation>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) converted: Option<Quotation>,
    /// Null and absent: not told. Of another kind: told, and not to be read.
    #[serde(default)]
    pub(super) cancellation_rules: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) methods_of_payment_accepted: Option<Vec<String>>,
    // Of an order.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) confirm_nbr: Option<Literal>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Location {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) date_time: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) location_code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) address: Option<Address>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Address {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) line: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) zip: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) country_code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) city_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) latitude: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) longitude: Option<Literal>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Vehicle {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) category: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) description: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) seats: Option<Vec<Room>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) baggages: Option<Vec<Room>>,
    #[serde(rename = "imageURL", default, deserialize_with = "lenient")]
    pub(super) image_url: Option<String>,
}

/// Seats or bags.
#[derive(Debug, Deserialize)]
pub(super) struct Room {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) count: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) size: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Provider {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) logo_url: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) terms_url: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) settings: Option<Vec<String>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) contacts: Option<Contacts>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Contacts {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) phone_number: Option<Literal>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Quotation {
    #[serde(default)]
    pub(super) monetary_amount: Option<Literal>,
    #[serde(default)]
    pub(super) currency_code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) is_estimated: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) base: Option<Amount>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) discount: Option<Amount>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) fees: Option<Vec<Amount>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) taxes: Option<Vec<Amount>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) total_fees: Option<Amount>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) total_taxes: Option<Amount>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Amount {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) monetary_amount: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) currency_code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) indicator: Option<String>,
}

/// What cancelling costs so long before pick-up. All of it is text.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) rule_description: Option<String>,
    #[serde(default)]
    pub(super) fee_type: Option<String>,
    #[serde(default)]
    pub(super) fee_value: Option<Literal>,
    #[serde(default)]
    pub(super) currency_code: Option<String>,
    #[serde(default)]
    pub(super) metric_type: Option<String>,
    #[serde(default)]
    pub(super) metric_min: Option<Literal>,
    #[serde(default)]
    pub(super) metric_max: Option<Literal>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewOrder {
    /// For the driver, and the field in which our reference comes back.
    pub(super) note: String,
    pub(super) passengers: Vec<Passenger>,
    pub(super) payment: Payment,
    pub(super) automated_process: [Process; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Passenger {
    pub(super) first_name: String,
    pub(super) last_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<&'static str>,
    pub(super) contacts: Contact,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Contact {
    pub(super) phone_number: String,
    pub(super) email: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payment {
    pub(super) method_of_payment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payment_reference: Option<String>,
}

/// Puts the order on a queue.
#[derive(Debug, Serialize)]
pub(super) struct Process {
    pub(super) code: &'static str,
    pub(super) queue: OfficeQueue,
}

#[derive(Debug, Serialize)]
pub(super) struct OfficeQueue {
    pub(super) number: String,
    pub(super) category: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Order {
    pub(super) id: Literal,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) reference: Option<Literal>,
    #[serde(deserialize_with = "list")]
    pub(super) transfers: Vec<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cancellation {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) reservation_status: Option<String>,
}
