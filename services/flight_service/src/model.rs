//! What is searched for and what is shown. A search that exists is one that can be made: everything is
//! checked while it is read.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use service_kit::{ApiError, Params, date, whole};
use travel_types::jiff::civil::Date;
use travel_types::jiff::{SignedDuration, Timestamp, ToSpan as _, tz::TimeZone};
use travel_types::{Clock, Currency, LocalTime, Place};
use utoipa::ToSchema;
use vertical_kit::Offer;

/// The parameters of a search.
pub(crate) const PARAMETERS: [&str; 12] = [
    "origin",
    "destination",
    "departure_date",
    "return_date",
    "adults",
    "children",
    "infants",
    "cabin",
    "max_connections",
    "currency",
    "sort",
    "limit",
];
/// How far ahead airlines sell.
const HORIZON_DAYS: i64 = 361;
/// Seats that one booking may have.
const MOST_SEATS: u32 = 9;

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

/// How offers are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Ranking {
    Price,
    #[schema(rename = "-price")]
    PriceDown,
    Duration,
    Departure,
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

/// A search with how its answer is to look.
pub(crate) struct Request {
    pub(crate) search: FlightSearch,
    pub(crate) ranking: Ranking,
    pub(crate) limit: u32,
    pub(crate) currency: Option<Currency>,
}

fn place(text: &str) -> Result<(String, &'static str), String> {
    let zone = travel_types::airport(text)
        .map(|airport| airport.time_zone)
        .or_else(|| {
            let city = travel_types::city(text)?;
            city.airports.first().map(|airport| airport.time_zone)
        });
    zone.map(|zone| (text.to_owned(), zone)).ok_or_else(|| {
        "must be the IATA code of an airport or a city in capitals, e.g. LHR; \
         GET /api/v1/places?query= finds codes"
            .to_owned()
    })
}

fn one_of<T: Copy>(known: &'static [(&'static str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        known
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, value)| *value)
            .ok_or_else(|| {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                format!("must be one of {}", names.join(", "))
            })
    }
}

impl Request {
    /// Reads and checks a query.
    pub(crate) fn read(mut params: Params, clock: &Clock) -> Result<Self, ApiError> {
        let origin = params.required("origin", place);
        let destination = params.required("destination", place);
        let departure_date = params.required("departure_date", date);
        let return_date = params.optional("return_date", date);
        let adults = params.required("adults", whole(1, MOST_SEATS));
        let children = params
            .optional("children", whole(0, MOST_SEATS - 1))
            .unwrap_or(0);
        let infants = params
            .optional("infants", whole(0, MOST_SEATS))
            .unwrap_or(0);
        let cabin = params.optional(
            "cabin",
            one_of(&[
                ("economy", Cabin::Economy),
                ("premium_economy", Cabin::PremiumEconomy),
                ("business", Cabin::Business),
                ("first", Cabin::First),
            ]),
        );
        let max_connections = params.optional("max_connections", whole(0, 2));
        let currency = params.optional("currency", |text| {
            text.parse::<Currency>()
                .map_err(|_| "must be an ISO 4217 code, e.g. GBP".to_owned())
        });
        let ranking = params.optional(
            "sort",
            one_of(&[
                ("price", Ranking::Price),
                ("-price", Ranking::PriceDown),
                ("duration", Ranking::Duration),
                ("departure", Ranking::Departure),
            ]),
        );
        let limit = params.optional("limit", whole(1, 100)).unwrap_or(20);
        let errors = params.errors();
        if let (Some((from, _)), Some((to, _))) = (&origin, &destination) {
            errors.check(
                from != to,
                "destination",
                "INVALID_PARAMETER",
                "must be another place than origin",
            );
        }
        if let (Some((_, zone)), Some(day)) = (&origin, departure_date) {
            let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
            let today = clock.now().to_zoned(zone).date();
            errors.check(
                day >= today,
                "departure_date",
                "INVALID_DATE",
                "must not be in the past",
            );
            let horizon = today.saturating_add(HORIZON_DAYS.days());
            let way_back = return_date.map(|day| ("return_date", day));
            for (name, day) in [("departure_date", day)].into_iter().chain(way_back) {
                errors.check(
                    day <= horizon,
                    name,
                    "INVALID_DATE",
                    format!("must be within {HORIZON_DAYS} days: airlines sell no further ahead"),
                );
            }
        }
        if let (Some(out), Some(back)) = (departure_date, return_date) {
            errors.check(
                back >= out,
                "return_date",
                "INVALID_DATE",
                "must not be before departure_date",
            );
        }
        if let Some(adults) = adults {
            errors.check(
                infants <= adults,
                "infants",
                "INVALID_PARAMETER",
                "must not be more than adults: each sits on an adult's lap",
            );
            errors.check(
                adults + children <= MOST_SEATS,
                "children",
                "INVALID_PARAMETER",
                format!("must not make more than {MOST_SEATS} seats together with adults"),
            );
        }
        let read = (origin, destination, departure_date, adults);
        params.finish()?;
        let (Some((origin, _)), Some((destination, _)), Some(departure_date), Some(adults)) = read
        else {
            return Err(ApiError::new(&service_kit::error::codes::INVALID_PARAMETER));
        };
        Ok(Self {
            search: FlightSearch {
                origin,
                destination,
                departure_date,
                return_date,
                adults,
                children,
                infants,
                cabin,
                max_connections,
            },
            ranking: ranking.unwrap_or(Ranking::Price),
            limit,
            currency,
        })
    }
}

impl Ranking {
    /// Best first. Equal offers keep a fixed order by price, then departure, then id.
    pub(crate) fn order(self) -> fn(&Offer, &Offer) -> Ordering {
        match self {
            Self::Price => by_price,
            Self::PriceDown => |a, b| by_price(b, a),
            Self::Duration => |a, b| {
                travel_time(a)
                    .cmp(&travel_time(b))
                    .then_with(|| by_price(a, b))
            },
            Self::Departure => |a, b| departure(a).cmp(&departure(b)).then_with(|| by_price(a, b)),
        }
    }
}

fn by_price(a: &Offer, b: &Offer) -> Ordering {
    let currency = |offer: &Offer| offer.total.currency().code();
    currency(a)
        .cmp(currency(b))
        .then_with(|| a.total.minor().cmp(&b.total.minor()))
        .then_with(|| departure(a).cmp(&departure(b)))
        .then_with(|| a.id.cmp(&b.id))
}

fn instant(offer: &Offer, pointer: &str) -> Option<Timestamp> {
    offer.details.pointer(pointer)?.as_str()?.parse().ok()
}

fn departure(offer: &Offer) -> Option<Timestamp> {
    instant(offer, "/slices/0/segments/0/departure/time/utc")
}

/// Time under way, all directions together.
fn travel_time(offer: &Offer) -> Option<SignedDuration> {
    let slices = offer.details.get("slices")?.as_array()?;
    let mut sum = SignedDuration::ZERO;
    for index in 0..slices.len() {
        let last = slices
            .get(index)?
            .get("segments")?
            .as_array()?
            .len()
            .checked_sub(1)?;
        let from = instant(
            offer,
            &format!("/slices/{index}/segments/0/departure/time/utc"),
        )?;
        let to = instant(
            offer,
            &format!("/slices/{index}/segments/{last}/arrival/time/utc"),
        )?;
        sum += to.duration_since(from);
    }
    Some(sum)
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
    /// How many.
    pub quantity: u32,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Request, ApiError> {
        let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
        Request::read(Params::read(Some(query), &PARAMETERS)?, &clock)
    }

    fn wrong(query: &str) -> Vec<String> {
        let error = read(query).err().unwrap();
        assert_eq!(error.status(), 422);
        let fields = error
            .entries()
            .iter()
            .map(|entry| entry.field.clone().unwrap());
        fields.collect()
    }

    #[test]
    fn a_search_that_can_be_made_is_read() {
        let request = read("origin=LHR&destination=NYC&departure_date=2026-12-01&adults=2&infants=1&cabin=business&max_connections=0").unwrap();
        assert_eq!(request.search.cabin, Some(Cabin::Business));
        assert_eq!((request.search.adults, request.search.infants), (2, 1));
    }

    #[test]
    fn every_rule_names_its_parameter() {
        assert_eq!(
            wrong(""),
            ["origin", "destination", "departure_date", "adults"]
        );
        let base = "origin=LHR&destination=JFK&departure_date=2026-12-01&adults=1";
        assert_eq!(wrong(&base.replace("JFK", "LHR")), ["destination"]);
        assert_eq!(wrong(&base.replace("JFK", "jfk")), ["destination"]);
        assert_eq!(
            wrong(&base.replace("2026-12-01", "2026-11-20")),
            ["departure_date"]
        );
        assert_eq!(
            wrong(&base.replace("2026-12-01", "2028-01-01")),
            ["departure_date"]
        );
        assert_eq!(
            wrong(&format!("{base}&return_date=2026-11-30")),
            ["return_date"]
        );
        assert_eq!(
            wrong(&format!("{base}&return_date=9999-12-31")),
            ["return_date"]
        );
        assert_eq!(wrong(&format!("{base}&infants=2")), ["infants"]);
        assert_eq!(wrong(&format!("{base}&children=9")), ["children"]);
        assert_eq!(
            wrong(&format!("{base}&cabin=wing&sort=luck&limit=0&currency=gbp")),
            ["cabin", "currency", "sort", "limit"]
        );
    }

    #[test]
    fn today_at_the_origin_can_still_be_searched() {
        // 12:00 UTC on the 21st is the 22nd in Auckland.
        assert!(read("origin=AKL&destination=SYD&departure_date=2026-11-22&adults=1").is_ok());
        assert_eq!(
            wrong("origin=AKL&destination=SYD&departure_date=2026-11-21&adults=1"),
            ["departure_date"]
        );
    }
}
