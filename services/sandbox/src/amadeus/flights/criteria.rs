//! What is searched for, read from the query of `GET /v2/shopping/flight-offers` or from the body of
//! its POST form.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time};
use serde_json::Value;

use super::offer::{Kind, Traveler, seats};
use crate::airports::atlas;
use crate::amadeus::platform::{Params, Problem, Source, list};
use crate::cabin::Cabin;

/// How far ahead flights are sold, in days.
const HORIZON: i32 = 365;
/// The most offers that a search answers with, and the default.
const MOST: u64 = 250;

/// One direction.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) origin: String,
    pub(crate) destination: String,
    pub(crate) date: Date,
    /// Departure is within so many hours of this time.
    pub(crate) around: Option<(Time, i64)>,
}

#[derive(Debug)]
pub(crate) struct Criteria {
    pub(crate) legs: Vec<Leg>,
    pub(crate) travelers: Vec<Traveler>,
    pub(crate) cabin: Cabin,
    pub(crate) included: Vec<String>,
    pub(crate) excluded: Vec<String>,
    pub(crate) non_stop: bool,
    pub(crate) bags_only: bool,
    /// Whole units of the currency for each traveller.
    pub(crate) max_price: Option<u64>,
    pub(crate) max: u64,
}

fn parameter(name: &str) -> Source {
    Source::Parameter(name.to_owned())
}

fn pointer(path: &str) -> Source {
    Source::Pointer(path.to_owned())
}

impl Criteria {
    /// Reads a query.
    ///
    /// # Errors
    /// The first parameter that is missing or wrong.
    pub(crate) fn of_query(query: Option<&str>, today: Date) -> Result<Self, Problem> {
        let params = Params::parse(query);
        let origin = params.required("originLocationCode")?;
        let destination = params.required("destinationLocationCode")?;
        let out = date(
            params.required("departureDate")?,
            parameter("departureDate"),
        )?;
        params.required("adults")?;
        let back = params
            .get("returnDate")
            .map(|text| date(text, parameter("returnDate")))
            .transpose()?;
        let mut legs = vec![leg(origin, destination, out)];
        legs.extend(back.map(|back| leg(destination, origin, back)));
        check(&legs, today, |index, part| match (index, part) {
            (_, "date") if index == 0 => parameter("departureDate"),
            (_, "date") => parameter("returnDate"),
            (_, part) => parameter(part),
        })?;
        let adults = params.number("adults", 1, 9)?.unwrap_or(1);
        let children = params.number("children", 0, 9)?.unwrap_or(0);
        let infants = params.number("infants", 0, 9)?.unwrap_or(0);
        let kinds = (0..adults)
            .map(|_| Kind::Adult)
            .chain((0..children).map(|_| Kind::Child))
            .chain((0..infants).map(|_| Kind::HeldInfant));
        let travelers: Vec<Traveler> = kinds
            .enumerate()
            .map(|(index, kind)| Traveler {
                id: (index + 1).to_string(),
                kind,
                adult: None,
            })
            .collect();
        let cabin = params.get("travelClass").unwrap_or("ECONOMY");
        let included = params.codes("includedAirlineCodes");
        let excluded = params.codes("excludedAirlineCodes");
        if !included.is_empty() && !excluded.is_empty() {
            let source = parameter("includedAirlineCodes, excludedAirlineCodes");
            return Err(Problem::combination(source, "give one or the other"));
        }
        let non_stop = match params.get("nonStop") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Problem::format(parameter("nonStop"), "true or false")),
        };
        Ok(Self {
            legs,
            travelers: party(travelers, &parameter("infants"))?,
            cabin: parse_cabin(cabin, parameter("travelClass"))?,
            included,
            excluded,
            non_stop,
            bags_only: false,
            max_price: params.number("maxPrice", 1, u64::MAX)?,
            max: params.number("max", 1, MOST)?.unwrap_or(MOST),
        })
    }

    /// Reads a body.
    ///
    /// # Errors
    /// The first member that is missing or wrong.
    pub(crate) fn of_body(body: &Value, today: Date) -> Result<Self, Problem> {
        let mut legs = Vec::new();
        for (index, asked) in list(body.get("originDestinations")).enumerate() {
            legs.push(asked_leg(asked, &format!("/originDestinations/{index}"))?);
        }
        if legs.is_empty() {
            return Err(Problem::missing(pointer("/originDestinations")));
        }
        if legs.len() > 6 {
            return Err(Problem::too_many(
                pointer("/originDestinations"),
                "at most 6",
            ));
        }
        check(&legs, today, |index, part| {
            let part = match part {
                "date" => "departureDateTimeRange/date",
                other => other,
            };
            pointer(&format!("/originDestinations/{index}/{part}"))
        })?;
        if !list(body.get("sources")).any(|source| source.as_str() == Some("GDS")) {
            return Err(Problem::missing(pointer("/sources")));
        }
        let travelers = asked_travelers(body)?;
        let at = |path: &str| body.pointer(&format!("/searchCriteria{path}"));
        let number = |path: &str| {
            let Some(value) = at(path).filter(|value| !value.is_null()) else {
                return Ok(None);
            };
            let source = pointer(&format!("/searchCriteria{path}"));
            let number = value.as_u64().filter(|number| *number > 0);
            number
                .ok_or_else(|| Problem::format(source, "must be a number of 1 or more"))
                .map(Some)
        };
        let codes = |path: &str| -> Vec<String> {
            list(at(path))
                .filter_map(|code| code.as_str().map(str::to_owned))
                .collect()
        };
        let cabin = at("/flightFilters/cabinRestrictions/0/cabin").and_then(Value::as_str);
        let source = pointer("/searchCriteria/flightFilters/cabinRestrictions/0/cabin");
        let connections = at("/flightFilters/connectionRestriction/maxNumberOfConnections");
        let bags = at("/pricingOptions/includedCheckedBagsOnly");
        let max = number("/maxFlightOffers")?.unwrap_or(MOST);
        if max > MOST {
            let source = pointer("/searchCriteria/maxFlightOffers");
            return Err(Problem::format(source, "must be at most 250"));
        }
        Ok(Self {
            legs,
            travelers: party(travelers, &pointer("/travelers"))?,
            cabin: parse_cabin(cabin.unwrap_or("ECONOMY"), source)?,
            included: codes("/flightFilters/carrierRestrictions/includedCarrierCodes"),
            excluded: codes("/flightFilters/carrierRestrictions/excludedCarrierCodes"),
            non_stop: connections
                .and_then(Value::as_f64)
                .is_some_and(|most| most < 1.0),
            bags_only: bags.and_then(Value::as_bool).unwrap_or(false),
            max_price: number("/maxPrice")?,
            max,
        })
    }
}

fn leg(origin: &str, destination: &str, date: Date) -> Leg {
    Leg {
        origin: origin.to_owned(),
        destination: destination.to_owned(),
        date,
        around: None,
    }
}

fn asked_leg(asked: &Value, path: &str) -> Result<Leg, Problem> {
    let at = |name: &str| pointer(&format!("{path}/{name}"));
    let text = |name: &str| {
        let value = asked.get(name).and_then(Value::as_str);
        value.ok_or_else(|| Problem::missing(at(name)))
    };
    let range = asked.get("departureDateTimeRange");
    let part = |name: &str| range.and_then(|range| range.get(name)?.as_str());
    let day = part("date").ok_or_else(|| Problem::missing(at("departureDateTimeRange/date")))?;
    let mut leg = leg(
        text("originLocationCode")?,
        text("destinationLocationCode")?,
        date(day, at("departureDateTimeRange/date"))?,
    );
    if let Some(text) = part("time") {
        let source = || at("departureDateTimeRange/time");
        let time: Time = text
            .parse()
            .map_err(|_| Problem::format(source(), "must be a time such as 10:30:00"))?;
        let window = part("timeWindow").and_then(|window| window.strip_suffix('H')?.parse().ok());
        leg.around = window.map(|hours: i64| (time, hours));
    }
    Ok(leg)
}

fn asked_travelers(body: &Value) -> Result<Vec<Traveler>, Problem> {
    let mut travelers = Vec::new();
    for (index, asked) in list(body.get("travelers")).enumerate() {
        let at = |name: &str| pointer(&format!("/travelers/{index}/{name}"));
        let text = |name: &str| asked.get(name).and_then(Value::as_str);
        let id = text("id").ok_or_else(|| Problem::missing(at("id")))?;
        let kind = text("travelerType").ok_or_else(|| Problem::missing(at("travelerType")))?;
        travelers.push(Traveler {
            id: id.to_owned(),
            kind: Kind::parse(kind)
                .ok_or_else(|| Problem::format(at("travelerType"), "such as ADULT"))?,
            adult: text("associatedAdultId").map(str::to_owned),
        });
    }
    Ok(travelers)
}

/// A party that can travel: at most nine seats, and every infant on the lap of one adult, who is chosen
/// where the buyer has not.
fn party(mut travelers: Vec<Traveler>, source: &Source) -> Result<Vec<Traveler>, Problem> {
    let ids: BTreeSet<&str> = travelers.iter().map(|t| t.id.as_str()).collect();
    if travelers.is_empty() {
        return Err(Problem::missing(pointer("/travelers")));
    }
    if ids.len() != travelers.len() {
        return Err(Problem::data(source.clone(), "ids must differ"));
    }
    if seats(&travelers) > 9 {
        let detail = "at most 9 seats in one search";
        return Err(Problem::too_many(source.clone(), detail));
    }
    let mut laps: Vec<String> = (travelers.iter())
        .filter(|t| matches!(t.kind, Kind::Adult | Kind::Senior))
        .map(|t| t.id.clone())
        .collect();
    for infant in travelers.iter_mut().filter(|t| t.kind == Kind::HeldInfant) {
        let lap = match &infant.adult {
            Some(adult) => laps.iter().position(|id| id == adult),
            None => (!laps.is_empty()).then_some(0),
        };
        let Some(lap) = lap else {
            let detail = "every infant needs an adult of its own";
            return Err(Problem::combination(source.clone(), detail));
        };
        infant.adult = Some(laps.remove(lap));
    }
    Ok(travelers)
}

fn parse_cabin(name: &str, source: Source) -> Result<Cabin, Problem> {
    let known =
        Cabin::parse(&name.to_ascii_lowercase()).filter(|_| !name.contains(char::is_lowercase));
    known.ok_or_else(|| Problem::format(source, "ECONOMY, PREMIUM_ECONOMY, BUSINESS or FIRST"))
}

fn date(text: &str, source: Source) -> Result<Date, Problem> {
    let date = text.parse();
    date.map_err(|_| Problem::format(source, "must be a date such as 2026-12-01"))
}

/// Places that exist and days that follow each other within the horizon.
fn check(legs: &[Leg], today: Date, source: impl Fn(usize, &str) -> Source) -> Result<(), Problem> {
    let mut before = today;
    for (index, leg) in legs.iter().enumerate() {
        for (part, code) in [
            ("originLocationCode", &leg.origin),
            ("destinationLocationCode", &leg.destination),
        ] {
            if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
                return Err(Problem::format(source(index, part), "such as LHR"));
            }
            if atlas().airports_of(code).is_empty() {
                return Err(Problem::data(source(index, part), "no such place"));
            }
        }
        if leg.origin == leg.destination {
            let source = source(index, "destinationLocationCode");
            let detail = "origin and destination must differ";
            return Err(Problem::combination(source, detail));
        }
        if leg.date < before {
            let detail = "the date lies in the past, or before the flight before";
            return Err(Problem::date(source(index, "date"), detail));
        }
        if today
            .until(leg.date)
            .map_or(i32::MAX, |span| span.get_days())
            > HORIZON
        {
            let detail = "the date lies too far ahead";
            return Err(Problem::date(source(index, "date"), detail));
        }
        before = leg.date;
    }
    Ok(())
}
