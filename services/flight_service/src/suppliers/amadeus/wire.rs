//! Amadeus's own shapes, named as Amadeus names them. What the adapter does not read is not here. Only
//! ids are required: what else is missing is judged where it is needed, so that a refusal can name it.
//! Amounts and times keep the literal they came as; what merely describes is dropped when it is of a
//! kind that Amadeus does not document. Source: `FlightOffersSearch`, `FlightOffersPrice`,
//! `FlightCreateOrders` and `FlightOrderManagement` of amadeus-open-api-specification.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
pub(super) use supplier_client::tolerant::Literal;
use supplier_client::tolerant::{lenient, list};
use supplier_client::{SupplierError, WireResponse};

/// An answer: one object or a list of them, and the names of what is in it.
#[derive(Debug, Deserialize)]
pub(super) struct Answer<T> {
    pub(super) data: T,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) dictionaries: Option<Dictionaries>,
}

/// Offers, each kept as it was written: it goes back to Amadeus byte for byte.
/// The list may be null but not absent: an answer without one is no answer to a search.
#[derive(Debug)]
pub(super) struct Offers(pub(super) Vec<Box<RawValue>>);

impl<'de> Deserialize<'de> for Offers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let listed: Option<_> = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        Ok(Self(listed.unwrap_or_default()))
    }
}

/// Names of what the offers only have codes for. Each is read by itself.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Dictionaries {
    #[serde(
        default,
        deserialize_with = "lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) carriers: Option<BTreeMap<String, Value>>,
    #[serde(
        default,
        deserialize_with = "lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) aircraft: Option<BTreeMap<String, Value>>,
    /// `{cityCode, countryCode}` of each airport or station.
    #[serde(
        default,
        deserialize_with = "lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) locations: Option<BTreeMap<String, Value>>,
}

/// The answer to a pricing request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Priced {
    #[serde(default, deserialize_with = "list")]
    pub(super) flight_offers: Vec<Box<RawValue>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) booking_requirements: Option<BookingRequirements>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BookingRequirements {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) invoice_address_required: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) mailing_address_required: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) postal_code_required: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) traveler_requirements: Option<Vec<TravelerRequirements>>,
}

/// What an offer itself demands of its order.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Demands {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) payment_card_required: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) instant_ticketing_required: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TravelerRequirements {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) document_required: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Offer {
    /// Not read, but what has none is not an offer.
    #[serde(rename = "id")]
    pub(super) _id: Literal,
    #[serde(default, deserialize_with = "list")]
    pub(super) itineraries: Vec<Itinerary>,
    #[serde(default)]
    pub(super) price: Option<Price>,
    #[serde(default, deserialize_with = "list")]
    pub(super) traveler_pricings: Vec<TravelerPricing>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) validating_airline_codes: Option<Vec<String>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) number_of_bookable_seats: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) payment_card_required: Option<bool>,
    #[serde(default)]
    pub(super) last_ticketing_date: Option<Literal>,
    #[serde(default)]
    pub(super) last_ticketing_date_time: Option<Literal>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Itinerary {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) duration: Option<Literal>,
    #[serde(default, deserialize_with = "list")]
    pub(super) segments: Vec<Segment>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Segment {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) id: Option<Literal>,
    #[serde(default)]
    pub(super) departure: Option<EndPoint>,
    #[serde(default)]
    pub(super) arrival: Option<EndPoint>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) carrier_code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) number: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) aircraft: Option<Aircraft>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) operating: Option<Operating>,
    #[serde(default)]
    pub(super) duration: Option<Literal>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndPoint {
    #[serde(default)]
    pub(super) iata_code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) terminal: Option<Literal>,
    #[serde(default)]
    pub(super) at: Option<Literal>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Aircraft {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) code: Option<Literal>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Operating {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) carrier_code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) carrier_name: Option<String>,
}

/// The price of an offer, or of one traveller in it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Price {
    #[serde(default)]
    pub(super) currency: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) billing_currency: Option<String>,
    #[serde(default)]
    pub(super) grand_total: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) total: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) base: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) taxes: Option<Vec<Amount>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) fees: Option<Vec<Amount>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) additional_services: Option<Vec<Amount>>,
}

/// A tax, a fee or an additional service.
#[derive(Debug, Deserialize)]
pub(super) struct Amount {
    #[serde(default)]
    pub(super) amount: Option<Literal>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TravelerPricing {
    #[serde(default)]
    pub(super) traveler_id: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) traveler_type: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) price: Option<Price>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) fare_details_by_segment: Option<Vec<FareDetails>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FareDetails {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) segment_id: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) cabin: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) branded_fare: Option<String>,
    #[serde(default)]
    pub(super) included_checked_bags: Option<Value>,
    #[serde(default)]
    pub(super) included_cabin_bags: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BaggageAllowance {
    #[serde(default)]
    pub(super) quantity: Option<Literal>,
    #[serde(default)]
    pub(super) weight: Option<Literal>,
    #[serde(default)]
    pub(super) weight_unit: Option<String>,
}

/// An order. It exists once it has an id, however odd the rest.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    pub(super) id: Literal,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) associated_records: Option<Vec<AssociatedRecord>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) flight_offers: Option<Vec<Box<RawValue>>>,
    /// For our reference, which the platform reads.
    #[serde(default)]
    pub(super) remarks: Option<Value>,
    /// Any entry at all means that there is a ticket: what cannot be read counts as one.
    #[serde(default)]
    pub(super) tickets: Option<Value>,
    /// The specification's own example spells it with two g.
    #[serde(default, alias = "ticketingAggreement", deserialize_with = "lenient")]
    pub(super) ticketing_agreement: Option<TicketingAgreement>,
    /// Not documented of an order, only of each of its flights.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) booking_status: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AssociatedRecord {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) reference: Option<Literal>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TicketingAgreement {
    pub(super) option: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) delay: Option<String>,
}

/// Reads the object of an answer; the first of a list, where Amadeus sends one.
pub(super) fn read<T: DeserializeOwned>(
    response: &WireResponse,
) -> Result<Answer<T>, SupplierError> {
    response.json::<Answer<T>>().or_else(|error| {
        let listed: Option<Answer<Vec<T>>> = serde_json::from_slice(&response.body).ok();
        let dictionaries_and_first = listed.and_then(|answer| {
            let first = answer.data.into_iter().next()?;
            Some((first, answer.dictionaries))
        });
        let (data, dictionaries) = dictionaries_and_first.ok_or(error)?;
        Ok(Answer { data, dictionaries })
    })
}

/// The body of a search.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Search {
    pub(super) origin_destinations: Vec<OriginDestination>,
    pub(super) travelers: Vec<SearchedTraveler>,
    pub(super) sources: [&'static str; 1],
    pub(super) search_criteria: SearchCriteria,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OriginDestination {
    pub(super) id: String,
    pub(super) origin_location_code: String,
    pub(super) destination_location_code: String,
    pub(super) departure_date_time_range: DateTimeRange,
}

#[derive(Debug, Serialize)]
pub(super) struct DateTimeRange {
    pub(super) date: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SearchedTraveler {
    pub(super) id: String,
    pub(super) traveler_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) associated_adult_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SearchCriteria {
    pub(super) max_flight_offers: u32,
    pub(super) additional_information: AdditionalInformation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) flight_filters: Option<FlightFilters>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdditionalInformation {
    pub(super) branded_fares: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlightFilters {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) cabin_restrictions: Vec<CabinRestriction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) connection_restriction: Option<ConnectionRestriction>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CabinRestriction {
    pub(super) cabin: &'static str,
    pub(super) coverage: &'static str,
    pub(super) origin_destination_ids: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConnectionRestriction {
    pub(super) max_number_of_connections: u32,
}

/// The body of a pricing request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pricing {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) flight_offers: [Box<RawValue>; 1],
}

/// The body of an order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewOrder {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) flight_offers: [Box<RawValue>; 1],
    pub(super) travelers: Vec<Traveler>,
    pub(super) remarks: Remarks,
    pub(super) ticketing_agreement: TicketingAgreement,
    pub(super) automated_process: [AutomatedProcess; 1],
    pub(super) contacts: [Contact; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Traveler {
    pub(super) id: String,
    pub(super) date_of_birth: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gender: Option<&'static str>,
    pub(super) name: Name,
    pub(super) contact: TravelerContact,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) documents: Vec<IdentityDocument>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Name {
    pub(super) first_name: String,
    pub(super) last_name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TravelerContact {
    pub(super) email_address: String,
    pub(super) phones: [Phone; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Phone {
    pub(super) device_type: &'static str,
    pub(super) country_calling_code: String,
    pub(super) number: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdentityDocument {
    pub(super) document_type: String,
    pub(super) number: String,
    pub(super) expiry_date: String,
    pub(super) issuance_country: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nationality: Option<String>,
    pub(super) holder: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Remarks {
    pub(super) general: [GeneralRemark; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GeneralRemark {
    pub(super) sub_type: &'static str,
    pub(super) text: String,
}

#[derive(Debug, Serialize)]
pub(super) struct AutomatedProcess {
    pub(super) code: &'static str,
    pub(super) queue: Queue,
}

#[derive(Debug, Serialize)]
pub(super) struct Queue {
    pub(super) number: String,
    pub(super) category: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Contact {
    pub(super) addressee_name: Name,
    pub(super) purpose: &'static str,
    pub(super) phones: [Phone; 1],
    pub(super) email_address: String,
}
