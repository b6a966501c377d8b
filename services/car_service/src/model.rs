//! What a car search asks for, and what a car offer shows: a rental car, or a transfer with a driver.

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};
use travel_types::{Currency, LocalTime, Money, Place};
use utoipa::ToSchema;

/// A search as suppliers are asked it; checked before.
#[derive(Clone, Debug, PartialEq)]
pub struct CarSearch {
    /// Where the car is taken.
    pub pickup: Place,
    /// Where it is given back; the same place unless another was named (one-way).
    pub dropoff: Place,
    /// When it is taken, local at the place.
    pub pickup_at: DateTime,
    /// When it is given back, local at the place; later.
    pub dropoff_at: DateTime,
    /// The driver's age in years on the day of pick-up.
    pub driver_age: u32,
    /// ISO 3166-1 alpha-2 of where the driver lives.
    pub driver_country: String,
    /// How many people ride; for transfers.
    pub passengers: u32,
    /// The currency that prices are wanted in. Suppliers that cannot may answer in another.
    pub currency: Option<Currency>,
}

impl CarSearch {
    /// Whether the car is given back elsewhere.
    pub fn is_one_way(&self) -> bool {
        self.pickup.iata_code != self.dropoff.iata_code
    }
}

/// What a car offer or order shows beside what every vertical shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CarDetails {
    /// A rental car, or a ride with a driver.
    pub kind: CarKind,
    /// Who rents it out or drives.
    pub company: Company,
    /// The car.
    pub vehicle: Vehicle,
    /// Where and when it begins.
    pub pickup: CarStop,
    /// Where and when it ends.
    pub dropoff: CarStop,
    /// Whether it ends elsewhere.
    pub one_way: bool,
    /// How far one may drive; null for transfers and where the supplier does not say.
    pub mileage: Option<Mileage>,
    /// When the money is taken.
    pub payment: CarPayment,
    /// What is paid to the company on top of what is paid now, if the supplier tells.
    pub due_at_pickup: Option<Money>,
    /// The age that the price holds for; null where age does not matter.
    pub driver_age: Option<u32>,
    /// The parts that make up the total, as the supplier names them.
    pub charges: Vec<Charge>,
    /// The company's terms, as it says them.
    pub terms: Vec<Term>,
}

/// What is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CarKind {
    /// A car to drive oneself.
    Rental,
    /// A ride with a driver.
    Transfer,
}

/// A rental company or a transfer company.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Company {
    /// Its name.
    pub name: String,
    /// Its logo.
    pub logo_url: Option<String>,
}

/// A car as it is described before one sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Vehicle {
    /// Name or example of the class, e.g. `VW Golf or similar`.
    pub name: String,
    /// The four letters of the ACRISS code, where the supplier gives one.
    #[schema(example = "CDMR")]
    pub acriss: Option<String>,
    /// Size, e.g. `compact`: the first letter of the code.
    #[schema(example = "compact")]
    pub category: Option<String>,
    /// Body, e.g. `four_door`: the second letter.
    #[schema(example = "four_door")]
    pub body: Option<String>,
    /// The third letter.
    pub transmission: Option<Transmission>,
    /// All wheels driven: also the third letter.
    pub all_wheel_drive: Option<bool>,
    /// Fuel, e.g. `petrol`: the fourth letter.
    #[schema(example = "petrol")]
    pub fuel: Option<String>,
    /// Also the fourth letter.
    pub air_conditioning: Option<bool>,
    /// Seats for passengers.
    pub seats: Option<u32>,
    /// Large bags that fit.
    pub large_bags: Option<u32>,
    /// Small bags that fit.
    pub small_bags: Option<u32>,
    /// Addresses of pictures.
    pub pictures: Vec<String>,
}

/// How gears are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transmission {
    /// By hand.
    Manual,
    /// By itself.
    Automatic,
}

/// Where and when a rental or a ride begins or ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CarStop {
    /// IATA code of the airport or city, where the supplier or the search named one.
    #[schema(example = "LHR")]
    pub iata_code: Option<String>,
    /// The station, desk or address.
    pub name: String,
    /// Street, town, postal code, as far as known.
    pub address: Vec<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// Local time there; null where only the supplier's word for it exists.
    pub time: Option<LocalTime>,
    /// How one gets to the desk: `in_terminal`, `shuttle`, `meet_and_greet`, `call_for_pickup`.
    pub access: Option<String>,
    /// A telephone number.
    pub phone: Option<String>,
    /// Opening hours on that day, as the supplier says them.
    pub opening_hours: Vec<String>,
}

/// How far one may drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mileage {
    /// No limit.
    pub unlimited: bool,
    /// The limit for the whole rental.
    pub limit: Option<u32>,
    /// `km` or `mi`.
    pub unit: Option<String>,
}

/// When the money is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CarPayment {
    /// With the order.
    Prepaid,
    /// At the desk; a card guarantees the order.
    Guarantee,
    /// At the desk.
    Postpaid,
}

/// A part of the total.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Charge {
    /// What for.
    pub name: String,
    /// How much.
    pub amount: Money,
}

/// A term of the company.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Term {
    /// What about.
    pub title: String,
    /// What it says.
    pub text: String,
}
