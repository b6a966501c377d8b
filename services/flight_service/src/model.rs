//! What is searched for and what is shown.

use serde::{Deserialize, Serialize};
use travel_types::jiff::civil::Date;
use travel_types::{LocalTime, Place};
use utoipa::ToSchema;

/// A class of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are those of the cabins")]
pub enum Cabin {
    Economy,
    PremiumEconomy,
    Business,
    First,
}

impl Cabin {
    /// Every cabin with its name in parameters.
    pub(crate) const NAMES: &'static [(&'static str, Self)] = &[
        ("economy", Self::Economy),
        ("premium_economy", Self::PremiumEconomy),
        ("business", Self::Business),
        ("first", Self::First),
    ];
}

/// A search that can be made.
#[derive(Clone, Debug, PartialEq)]
pub struct FlightSearch {
    /// IATA code of an airport or a city.
    pub origin: String,
    /// IATA code of an airport or a city.
    pub destination: String,
    /// Local date at the origin.
    pub departure_date: Date,
    /// Local date at the destination, for the way back.
    pub return_date: Option<Date>,
    /// 12 years and older.
    pub adults: u32,
    /// 2 to 11 years.
    pub children: u32,
    /// Below 2 years, on an adult's lap.
    pub infants: u32,
    /// Class of service; none asks for all that the supplier shows by default.
    pub cabin: Option<Cabin>,
    /// Most changes of plane per direction.
    pub max_connections: Option<u32>,
}

/// What a flight offer or order shows beside what every vertical shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FlightDetails {
    /// The airline that sells it.
    pub airline: Carrier,
    /// The directions, in order of travel.
    pub slices: Vec<Slice>,
    /// Who can travel on it.
    pub passengers: Vec<Passenger>,
    /// Seats left at this price; null when the supplier does not say.
    pub seats_left: Option<u32>,
    /// Carbon dioxide of the whole journey for all passengers, in kilograms.
    pub emissions_kg: Option<f64>,
    /// Whether travel documents must be given when ordering.
    pub documents_required: bool,
}

/// One direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Slice {
    /// Where it begins.
    pub origin: Place,
    /// Where it ends.
    pub destination: Place,
    /// As the supplier states it, ISO 8601.
    #[schema(example = "PT8H5M")]
    pub duration: Option<String>,
    /// The fare's name.
    pub fare_brand: Option<String>,
    /// The flights, in order.
    pub segments: Vec<Segment>,
}

/// One flight, from take-off to landing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Segment {
    /// Where and when it leaves.
    pub departure: Stop,
    /// Where and when it arrives.
    pub arrival: Stop,
    /// As the supplier states it, ISO 8601.
    #[schema(example = "PT8H5M")]
    pub duration: Option<String>,
    /// Whose code and number the ticket shows.
    pub marketing_carrier: Carrier,
    /// The number on the ticket, without the code.
    #[schema(example = "117")]
    pub flight_number: Option<String>,
    /// Who flies.
    pub operating_carrier: Option<Carrier>,
    /// The kind of aircraft.
    pub aircraft: Option<String>,
    /// Class of service.
    pub cabin: Option<Cabin>,
    /// Bags per passenger that the price includes.
    pub baggage: Vec<Baggage>,
    /// Kilometres.
    pub distance_km: Option<f64>,
}

/// Where and when a flight leaves or arrives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Stop {
    /// The airport.
    pub place: Place,
    /// Local time there.
    pub time: LocalTime,
    /// The terminal.
    pub terminal: Option<String>,
}

/// An airline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Carrier {
    /// Two characters; null for airlines without an IATA code.
    #[schema(example = "BA")]
    pub iata_code: Option<String>,
    /// Its name.
    pub name: String,
}

/// Bags that the price includes, for one passenger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Baggage {
    /// `carry_on` or `checked`.
    #[serde(rename = "type")]
    #[schema(example = "checked")]
    pub kind: String,
    /// How many; null where the supplier limits their weight alone.
    pub quantity: Option<u32>,
    /// What they may weigh: each of them where `quantity` is given, else all together. Null when the
    /// supplier does not say.
    #[serde(default)]
    pub weight: Option<BagWeight>,
}

/// The most that bags may weigh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BagWeight {
    /// The most.
    #[schema(example = 23)]
    pub value: u32,
    /// In what.
    pub unit: WeightUnit,
}

/// A unit of weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WeightUnit {
    /// Kilograms.
    Kg,
    /// Pounds.
    Lb,
}

/// A passenger that an offer was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Passenger {
    /// `adult`, `child` or `infant`.
    #[serde(rename = "type")]
    pub kind: PassengerKind,
}

/// How old a passenger is on the day of departure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PassengerKind {
    /// 12 years and older.
    Adult,
    /// 2 to 11 years.
    Child,
    /// Below 2 years.
    Infant,
}

impl PassengerKind {
    /// The kind of a passenger of this age.
    pub fn of_age(years: i16) -> Self {
        match years {
            ..2 => Self::Infant,
            2..12 => Self::Child,
            _ => Self::Adult,
        }
    }

    /// The name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adult => "adult",
            Self::Child => "child",
            Self::Infant => "infant",
        }
    }
}
