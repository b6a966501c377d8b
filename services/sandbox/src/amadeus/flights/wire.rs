//! Offers as Amadeus writes them: local times without an offset, decimal strings, dictionaries beside
//! the data. What the real one leaves out now and then is left out here too: terminals, operating
//! carriers, brand names, the bags of infants; a bag is counted by some airlines and weighed by others.

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use serde_json::{Map, Value, json};

use super::offer::{Itinerary, Kind, Offer, Price, Segment, Traveler};
use crate::airlines::Airline;
use crate::airports::{Airport, atlas};
use crate::amadeus::platform::insert;
use crate::chance::between;
use crate::flights::{self, Flight};
use crate::supplier::decimal;

/// What an offer is shown for: a later step of a sale shows more of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Search,
    Pricing,
    Order,
}

/// An offer that costs `raise` more than when it was made.
pub(crate) fn offer(offer: &Offer, raise: i64, step: Step) -> Value {
    let currency = &offer.currency;
    let bases: i64 = offer.prices.iter().map(|price| price.base).sum();
    let total = decimal(offer.total() + raise);
    let mut fees = vec![fee("SUPPLIER"), fee("TICKETING")];
    let mut price = json!({
        "currency": currency,
        "total": total,
        "base": decimal(bases + raise),
        "grandTotal": total,
    });
    if step != Step::Search {
        fees.push(fee("FORM_OF_PAYMENT"));
        insert(&mut price, "billingCurrency", currency.as_str().into());
    }
    insert(&mut price, "fees", fees.into());
    let itineraries: Vec<Value> = (offer.itineraries.iter())
        .map(|itinerary| shown_itinerary(offer, itinerary, step))
        .collect();
    let travelers = offer.travelers.iter().zip(&offer.prices).enumerate();
    let travelers: Vec<Value> = travelers
        .map(|(index, (traveler, price))| {
            let raise = if index == 0 { raise } else { 0 };
            traveler_pricing(offer, traveler, price, raise, step)
        })
        .collect();
    let carrier = offer.flights().next().map(|flight| flight.airline.iata);
    let mut shown = json!({
        "type": "flight-offer",
        "id": offer.id,
        "source": "GDS",
        "instantTicketingRequired": false,
        "nonHomogeneous": false,
        "lastTicketingDate": last_ticketing(offer),
        "itineraries": itineraries,
        "price": price,
        "pricingOptions": {
            "fareType": ["PUBLISHED"],
            "includedCheckedBagsOnly": offer.fare.bags > 0,
        },
        "validatingAirlineCodes": [carrier],
        "travelerPricings": travelers,
    });
    if step == Step::Search {
        insert(&mut shown, "oneWay", false.into());
        insert(&mut shown, "numberOfBookableSeats", offer.bookable.into());
    } else {
        insert(&mut shown, "paymentCardRequired", false.into());
    }
    shown
}

fn fee(kind: &str) -> Value {
    json!({ "amount": "0.00", "type": kind })
}

/// Three days from the offer, or the day of departure.
fn last_ticketing(offer: &Offer) -> Option<String> {
    let today = offer.offered_at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let departs = offer.flights().next()?.departs.date();
    let limit = today.checked_add(3.days()).ok()?;
    Some(limit.min(departs).to_string())
}

fn shown_itinerary(offer: &Offer, itinerary: &Itinerary, step: Step) -> Value {
    let segments: Vec<Value> = itinerary
        .iter()
        .map(|segment| shown_segment(offer, segment, step))
        .collect();
    let mut shown = json!({ "segments": segments });
    // Pricing answers without it.
    if step != Step::Pricing {
        insert(&mut shown, "duration", duration(minutes(itinerary)).into());
    }
    shown
}

/// Minutes from the first departure to the last arrival.
fn minutes(itinerary: &Itinerary) -> i64 {
    let flights = || itinerary.iter().map(|segment| &segment.flight);
    let changes: i64 = flights()
        .zip(flights().skip(1))
        .map(|(first, second)| flights::waiting(first, second))
        .sum();
    changes + flights().map(|flight| flight.minutes).sum::<i64>()
}

/// `PT9H20M`, `PT2H`, `PT45M`.
fn duration(minutes: i64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("PT{minutes}M"),
        (hours, 0) => format!("PT{hours}H"),
        (hours, minutes) => format!("PT{hours}H{minutes}M"),
    }
}

fn shown_segment(offer: &Offer, segment: &Segment, step: Step) -> Value {
    let flight = &segment.flight;
    let carrier = flight.airline.iata;
    let end = |airport: &Airport, at: jiff::civil::DateTime| {
        let mut end = json!({ "iataCode": airport.iata, "at": at.to_string() });
        if let Some(terminal) = flights::terminal(airport, flight.airline) {
            insert(&mut end, "terminal", terminal.into());
        }
        end
    };
    let mut shown = json!({
        "departure": end(flight.origin, flight.departs),
        "arrival": end(flight.destination, flight.arrives),
        "carrierCode": carrier,
        "number": flight.number.to_string(),
        "aircraft": { "code": aircraft(flight).0 },
        "duration": duration(flight.minutes),
        "id": segment.id,
        "numberOfStops": 0,
    });
    if !flight.number.is_multiple_of(11) {
        insert(&mut shown, "operating", json!({ "carrierCode": carrier }));
    }
    match step {
        Step::Search => insert(&mut shown, "blacklistedInEU", false.into()),
        Step::Pricing | Step::Order => {
            let weight = flight.whole_kilometres() * offer.cabin.percent() * 9 / 10_000 + 5;
            // A number at pricing, a string in an order.
            let weight = match step {
                Step::Order => Value::from(weight.to_string()),
                _ => Value::from(weight),
            };
            let cabin = cabin(offer);
            let emissions = json!([{ "weight": weight, "weightUnit": "KG", "cabin": cabin }]);
            insert(&mut shown, "co2Emissions", emissions);
        }
    }
    shown
}

fn cabin(offer: &Offer) -> String {
    offer.cabin.name().to_ascii_uppercase()
}

/// Code and name.
fn aircraft(flight: &Flight) -> (&'static str, &'static str) {
    match (flight.whole_kilometres(), flight.number % 2) {
        (..=500, _) => ("AT5", "ATR42-500"),
        (501..=4_500, 0) => ("32N", "AIRBUS A320NEO"),
        (501..=4_500, _) => ("738", "BOEING 737-800"),
        (_, 0) => ("77W", "BOEING 777-300ER"),
        (_, _) => ("359", "AIRBUS A350-900"),
    }
}

fn traveler_pricing(
    offer: &Offer,
    traveler: &Traveler,
    price: &Price,
    raise: i64,
    step: Step,
) -> Value {
    let mut amounts = json!({
        "currency": offer.currency,
        "total": decimal(price.total() + raise),
        "base": decimal(price.base + raise),
    });
    if step != Step::Search {
        let taxes: Vec<Value> = (price.taxes.iter())
            .map(|(code, amount)| json!({ "amount": decimal(*amount), "code": code }))
            .collect();
        insert(&mut amounts, "taxes", taxes.into());
    }
    let segments = offer.itineraries.iter().flatten();
    let details: Vec<Value> = segments
        .map(|segment| fare_detail(offer, traveler, segment))
        .collect();
    let mut shown = json!({
        "travelerId": traveler.id,
        "fareOption": "STANDARD",
        "travelerType": traveler.kind.name(),
        "price": amounts,
        "fareDetailsBySegment": details,
    });
    if let Some(adult) = &traveler.adult {
        insert(&mut shown, "associatedAdultId", adult.as_str().into());
    }
    shown
}

/// Such as `OGBLGT0`: the booking class, where the flight starts, the fare, and CH for a child.
pub(crate) fn fare_basis(offer: &Offer, traveler: &Traveler, segment: &Segment) -> String {
    let class = offer.fare.class(offer.cabin);
    let suffix = match traveler.kind {
        Kind::Child | Kind::SeatedInfant => "CH",
        Kind::HeldInfant => "IN",
        _ => "",
    };
    let country = segment.flight.origin.country;
    format!("{class}{country}{}{suffix}", offer.fare.suffix)
}

fn fare_detail(offer: &Offer, traveler: &Traveler, segment: &Segment) -> Value {
    let airline = segment.flight.airline;
    let mut detail = json!({
        "segmentId": segment.id,
        "cabin": cabin(offer),
        "fareBasis": fare_basis(offer, traveler, segment),
        "class": offer.fare.class(offer.cabin),
    });
    if has_brands(airline) {
        insert(&mut detail, "brandedFare", offer.fare.brand.into());
    }
    if traveler.kind != Kind::HeldInfant {
        let bags = if weighs_bags(airline) {
            json!({ "weight": offer.fare.bags * 23, "weightUnit": "KG" })
        } else {
            json!({ "quantity": offer.fare.bags })
        };
        insert(&mut detail, "includedCheckedBags", bags);
    }
    detail
}

fn has_brands(airline: &Airline) -> bool {
    between(0, &format!("brands{}", airline.iata), 0, 2) > 0
}

fn weighs_bags(airline: &Airline) -> bool {
    between(0, &format!("bags{}", airline.iata), 0, 2) == 0
}

/// The names of everything that stands as a code in these offers.
pub(crate) fn dictionaries<'a>(
    offers: impl Iterator<Item = &'a Offer>,
    currency: &str,
    step: Step,
) -> Value {
    let mut locations = Map::new();
    let mut planes = BTreeMap::new();
    let mut carriers = BTreeMap::new();
    for offer in offers {
        for flight in offer.flights() {
            for airport in [flight.origin, flight.destination] {
                if !locations.contains_key(airport.iata) {
                    locations.insert(airport.iata.to_owned(), location(airport));
                }
            }
            let (code, name) = aircraft(flight);
            planes.insert(code, name);
            carriers.insert(flight.airline.iata, flight.airline.name.to_uppercase());
        }
    }
    if step != Step::Search {
        return json!({ "locations": locations });
    }
    let money = match currency {
        "EUR" => "EURO",
        "GBP" => "BRITISH POUND",
        "USD" => "US DOLLAR",
        other => other,
    };
    json!({
        "locations": locations,
        "aircraft": planes,
        "currencies": { currency: money },
        "carriers": carriers,
    })
}

fn location(airport: &Airport) -> Value {
    let city = atlas().city_of(airport).map_or(airport.iata, |c| c.iata);
    json!({ "cityCode": city, "countryCode": airport.country })
}
