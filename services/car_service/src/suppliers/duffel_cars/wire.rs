//! Duffel's own shapes for cars, named as Duffel names them. What the adapter does not read is not here.
//! Only ids are required: what else is missing is judged where it is needed. Amounts keep the literal
//! they came as; what merely describes is dropped when it is of a kind that Duffel does not document.
//! Source: duffel-api-javascript `src/Cars/CarsTypes.ts`, `src/Cars/Bookings/Bookings.ts`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use supplier_client::tolerant::{Literal, lenient, list};
use supplier_platforms::duffel::Metadata;

#[derive(Debug, Serialize)]
pub(super) struct NewSearch {
    pub(super) pickup_date: String,
    pub(super) pickup_time: String,
    pub(super) dropoff_date: String,
    pub(super) dropoff_time: String,
    pub(super) pickup_location: Around,
    pub(super) dropoff_location: Around,
    pub(super) driver: SearchedDriver,
}

#[derive(Debug, Serialize)]
pub(super) struct Around {
    /// Kilometres.
    pub(super) radius: u32,
    pub(super) geographic_coordinates: Point,
}

#[derive(Debug, Serialize)]
pub(super) struct Point {
    pub(super) latitude: f64,
    pub(super) longitude: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct SearchedDriver {
    pub(super) age: u32,
    pub(super) residence_country_code: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Search {
    #[serde(deserialize_with = "list")]
    pub(super) rates: Vec<Box<RawValue>>,
}

#[derive(Debug, Serialize)]
pub(super) struct NewQuote {
    pub(super) rate_id: String,
}

#[derive(Debug, Serialize)]
pub(super) struct NewBooking {
    pub(super) quote_id: String,
    pub(super) driver: Driver,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payment: Option<Payment>,
    pub(super) metadata: Metadata,
}

#[derive(Debug, Serialize)]
pub(super) struct Driver {
    pub(super) given_name: String,
    pub(super) family_name: String,
    pub(super) email: String,
    pub(super) phone_number: String,
    pub(super) date_of_birth: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Payment {
    pub(super) method: &'static str,
    pub(super) card_id: String,
}

/// A rate, a quote or a booking: each is the one before it with more fields.
#[derive(Debug, Deserialize)]
pub(super) struct Rental {
    pub(super) id: Literal,
    #[serde(default)]
    pub(super) total_amount: Option<Literal>,
    #[serde(default)]
    pub(super) total_currency: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) base_amount: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) base_currency: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) payment_type: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) mileage: Option<Mileage>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) supplier: Option<Company>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) car: Option<Car>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) pickup_location: Option<Location>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) dropoff_location: Option<Location>,
    // Of a quote and a booking.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) pickup_date: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) pickup_time: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) dropoff_date: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) dropoff_time: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) charges: Option<Vec<Charge>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) conditions: Option<Vec<Text>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) privacy_policies: Option<Vec<Text>>,
    // Of a booking.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) reference: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) confirmed_at: Option<Literal>,
    #[serde(default)]
    pub(super) cancelled_at: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Mileage {
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub(super) kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) unit: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) limit: Option<Literal>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Company {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) logo_url: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Car {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) category: Option<String>,
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub(super) kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) transmission: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) fuel: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) air_conditioning: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) max_passengers: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) baggage: Option<Baggage>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) images: Option<Vec<Image>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Baggage {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) large: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) small: Option<Literal>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Image {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) url: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Location {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) geographic_coordinates: Option<Coordinates>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) address: Option<Address>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) phone_number: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) access: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) additional_information: Option<Vec<Text>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) opening_hours: Option<Vec<Hours>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Coordinates {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) latitude: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) longitude: Option<Literal>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Address {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) line_one: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) city_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) postal_code: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) region: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) country_code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Hours {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) from: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) to: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Charge {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) amount: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) currency: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) description: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Text {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) title: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) text: Option<String>,
}
