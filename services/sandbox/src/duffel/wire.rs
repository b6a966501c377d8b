//! Places, flights and offers as Duffel writes them. Every key of the recorded answers is here, also
//! those of the older version that the recordings are of (`allowed_passenger_identity_document_types`).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::offer::{Offer, Passenger, Segment, Service, Slice, condition};
use super::platform;
use super::scenario::Route;
use crate::airlines::Airline;
use crate::airports::{Airport, City, atlas};
use crate::chance::{base62, draw};
use crate::flights::{self, waiting};
use crate::supplier::decimal;

pub(crate) fn airport_id(airport: &Airport) -> String {
    format!("arp_{}_{}", airport.iata, airport.country).to_lowercase()
}

fn city_id(city: &City) -> String {
    format!("cit_{}_{}", city.iata, city.country).to_lowercase()
}

/// An airport inside an offer, an order or a suggestion.
pub(crate) fn airport(airport: &Airport) -> Value {
    let city = atlas().city_of(airport);
    let mut value = bare_airport(airport);
    if let Some(map) = value.as_object_mut() {
        map.insert("city".to_owned(), city.map_or(Value::Null, bare_city));
        map.insert("airports".to_owned(), Value::Null);
    }
    value
}

fn bare_airport(airport: &Airport) -> Value {
    json!({
        "type": "airport",
        "time_zone": airport.zone,
        "name": airport.name,
        "longitude": airport.longitude,
        "latitude": airport.latitude,
        "id": airport_id(airport),
        "icao_code": null,
        "iata_country_code": airport.country,
        "iata_code": airport.iata,
        "iata_city_code": atlas().city_of(airport).map_or(airport.iata, |city| city.iata),
        "city_name": airport.city,
    })
}

fn bare_city(city: &City) -> Value {
    json!({
        "type": "city",
        "time_zone": null,
        "name": city.name,
        "longitude": null,
        "latitude": null,
        "id": city_id(city),
        "icao_code": null,
        "iata_country_code": city.country,
        "iata_code": city.iata,
        "iata_city_code": city.iata,
        "city_name": null,
    })
}

/// A city with its airports.
pub(crate) fn city(city: &City) -> Value {
    let mut value = bare_city(city);
    if let Some(map) = value.as_object_mut() {
        let airports = city.airports.iter().map(|member| bare_airport(member));
        map.insert("city".to_owned(), Value::Null);
        map.insert("airports".to_owned(), airports.collect());
    }
    value
}

/// An airport in the list of airports, which has fewer keys.
pub(crate) fn listed_airport(airport: &Airport) -> Value {
    let city = atlas().city_of(airport).map(|city| {
        json!({
            "name": city.name,
            "id": city_id(city),
            "iata_country_code": city.country,
            "iata_code": city.iata,
        })
    });
    json!({
        "time_zone": airport.zone,
        "name": airport.name,
        "longitude": airport.longitude,
        "latitude": airport.latitude,
        "id": airport_id(airport),
        "icao_code": null,
        "iata_country_code": airport.country,
        "iata_code": airport.iata,
        "iata_city_code": atlas().city_of(airport).map_or(airport.iata, |city| city.iata),
        "city_name": airport.city,
        "city": city,
    })
}

/// An airline inside an offer or an order.
pub(crate) fn airline(airline: &Airline) -> Value {
    json!({ "name": airline.name, "id": airline.id(), "iata_code": airline.iata })
}

/// An airline in the list of airlines.
pub(crate) fn listed_airline(listed: &Airline) -> Value {
    let mut value = airline(listed);
    if let Some(map) = value.as_object_mut() {
        for (key, folder) in [
            ("logo_lockup_url", "full-color-lockup"),
            ("logo_symbol_url", "full-color-logo"),
        ] {
            let url = format!(
                "https://assets.duffel.com/img/airlines/for-light-background/{folder}/{}.svg",
                listed.iata
            );
            map.insert(key.to_owned(), Value::from(url));
        }
    }
    value
}

/// `PT8H8M`, or with `padded` `PT08H08M`; Duffel writes both in one body.
fn duration(minutes: i64, padded: bool) -> String {
    let (hours, minutes) = (minutes / 60, minutes % 60);
    match (padded, hours, minutes) {
        (true, ..) => format!("PT{hours:02}H{minutes:02}M"),
        (false, 0, _) => format!("PT{minutes}M"),
        (false, _, 0) => format!("PT{hours}H"),
        (false, ..) => format!("PT{hours}H{minutes}M"),
    }
}

fn aircraft(segment: &Segment) -> Value {
    let flight = &segment.flight;
    let (code, name, id) = match flight.whole_kilometres() {
        ..=500 => (
            "AT5",
            "Aerospatiale/Alenia ATR 42-500",
            "arc_00009VMF8AhXSSRnQDI6Hi",
        ),
        501..=4_500 if draw(0, &flight.item("")).is_multiple_of(2) => (
            "32S",
            "Airbus A138/A319/A320/A321",
            "arc_00009VMF8AgpV5sdO0xXAt",
        ),
        501..=4_500 => (
            "73H",
            "Boeing 737-800 (winglets)/BBJ2",
            "arc_00009VMF8AhBTmADP77oj7",
        ),
        _ => ("773", "Boeing 777-300", "arc_00009VMF8AhXSSRnQDI6HE"),
    };
    json!({ "name": name, "id": id, "iata_code": code })
}

fn segment(offer: &Offer, segment: &Segment) -> Value {
    let flight = &segment.flight;
    let padded = !flight.airline.is_sandbox();
    let bags = |passenger: &Passenger| {
        let mut bags = Vec::new();
        if offer.scenario() != Some(Route::NoBaggage) {
            bags.push(json!({ "type": "carry_on", "quantity": 1 }));
            // Duffel Airways always includes a checked bag; an infant on a lap has none.
            let checked = offer
                .fare
                .checked_bags
                .max(u32::from(flight.airline.is_sandbox()));
            if checked > 0 && passenger.kind != super::offer::Kind::Infant {
                bags.push(json!({ "type": "checked", "quantity": checked }));
            }
        }
        bags
    };
    let passengers: Vec<Value> = offer
        .passengers
        .iter()
        .map(|passenger| {
            json!({
                "passenger_id": passenger.id,
                "fare_basis_code": offer.fare.code,
                "cabin_class_marketing_name": offer.cabin.marketing_name(),
                "cabin_class": offer.cabin.name(),
                "baggages": bags(passenger),
            })
        })
        .collect();
    let stops: Vec<Value> = flight
        .stop
        .iter()
        .map(|stop| {
            json!({
                "id": format!("sto_0000{}", base62(draw(0, &segment.id), 18)),
                "duration": duration(stop.minutes, padded),
                "arriving_at": stop.arrives.to_string(),
                "departing_at": stop.departs.to_string(),
                "airport": airport(stop.airport),
            })
        })
        .collect();
    json!({
        "id": segment.id,
        "passengers": passengers,
        "stops": stops,
        "origin_terminal": flights::terminal(flight.origin, flight.airline),
        "origin": airport(flight.origin),
        "operating_carrier_flight_number": flight.number.to_string(),
        "operating_carrier": airline(flight.airline),
        "marketing_carrier_flight_number": flight.number.to_string(),
        "marketing_carrier": airline(flight.airline),
        "duration": duration(flight.minutes, padded),
        "distance": format!("{:.5}", flight.kilometres),
        "destination_terminal": flights::terminal(flight.destination, flight.airline),
        "destination": airport(flight.destination),
        "departing_at": flight.departs.to_string(),
        "arriving_at": flight.arrives.to_string(),
        "aircraft": aircraft(segment),
    })
}

/// Minutes from the first departure to the last arrival, changes included.
fn slice_minutes(slice: &Slice) -> i64 {
    let flying: i64 = slice.segments.iter().map(|s| s.flight.minutes).sum();
    let waiting: i64 = slice
        .segments
        .windows(2)
        .filter_map(|pair| match pair {
            [first, second] => Some(waiting(&first.flight, &second.flight)),
            _ => None,
        })
        .sum();
    flying + waiting
}

/// Minutes of all slices, for `sort=total_duration`.
pub(crate) fn total_minutes(offer: &Offer) -> i64 {
    offer.slices.iter().map(slice_minutes).sum()
}

/// The slices of an offer or of the order made from it.
pub(crate) fn slices(offer: &Offer, in_order: bool) -> Value {
    let one = |slice: &Slice| -> Option<Value> {
        let first = &slice.segments.first()?.flight;
        let last = &slice.segments.last()?.flight;
        let padded = slice.segments.len() == 1 && !first.airline.is_sandbox();
        let mut segments: Vec<Value> = slice.segments.iter().map(|s| segment(offer, s)).collect();
        let mut value = json!({
            "origin_type": "airport",
            "origin": airport(first.origin),
            "id": slice.id,
            "fare_brand_name": offer.fare.brand,
            "duration": duration(slice_minutes(slice), padded),
            "destination_type": "airport",
            "destination": airport(last.destination),
            "conditions": { "change_before_departure": condition(offer.fare.change, &offer.currency) },
        });
        if in_order {
            for segment in segments.iter_mut().filter_map(Value::as_object_mut) {
                for (old, new) in [
                    ("departure_terminal", "origin_terminal"),
                    ("departure_datetime", "departing_at"),
                    ("arrival_terminal", "destination_terminal"),
                    ("arrival_datetime", "arriving_at"),
                ] {
                    let same = segment.get(new).cloned().unwrap_or_default();
                    segment.insert(old.to_owned(), same);
                }
            }
        }
        if let Some(map) = value.as_object_mut() {
            map.insert("segments".to_owned(), Value::from(segments));
            if in_order {
                map.insert(
                    "changeable".to_owned(),
                    Value::from(offer.fare.change.is_some()),
                );
            }
        }
        Some(value)
    };
    offer.slices.iter().filter_map(one).collect()
}

/// The airline that sells the offer.
pub(crate) fn owner(offer: &Offer) -> Value {
    offer
        .flights()
        .next()
        .map_or(Value::Null, |flight| airline(flight.airline))
}

/// A passenger of a search.
pub(crate) fn passenger(passenger: &Passenger) -> Value {
    json!({
        "type": passenger.kind.name(),
        "loyalty_programme_accounts": [],
        "id": passenger.id,
        "given_name": null,
        "family_name": null,
        "fare_type": null,
        "age": passenger.age,
    })
}

/// A service that can be added to an offer.
pub(crate) fn service(service: &Service, currency: &str) -> Value {
    json!({
        "id": service.id,
        "type": "baggage",
        "maximum_quantity": 1,
        "passenger_ids": [service.passenger_id],
        "segment_ids": service.segment_ids,
        "total_amount": decimal(service.amount),
        "total_currency": currency,
        "metadata": {
            "type": "checked",
            "maximum_weight_kg": 23,
            "maximum_height_cm": 90,
            "maximum_length_cm": 75,
            "maximum_depth_cm": 43,
        },
    })
}

/// The whole offer; `raised` is by how much its price went up since it was made.
pub(crate) fn offer(offer: &Offer, raised: i64, with_services: bool) -> Value {
    let currency = &offer.currency;
    let held = |hours: i64| {
        let until = offer
            .created_at
            .checked_add(jiff::SignedDuration::from_hours(hours));
        let until = until.unwrap_or(Timestamp::MAX);
        offer.holdable().then(|| format!("{until:.0}"))
    };
    let services: Vec<Value> = if with_services {
        let all = offer.services();
        all.iter().map(|one| service(one, currency)).collect()
    } else {
        Vec::new()
    };
    let documents = if offer
        .flights()
        .all(|f| f.origin.country == f.destination.country)
    {
        json!([])
    } else {
        json!(["passport"])
    };
    json!({
        "updated_at": platform::instant(offer.created_at),
        "total_emissions_kg": offer.emissions().to_string(),
        "total_currency": currency,
        "total_amount": decimal(offer.base + raised + offer.tax),
        "tax_currency": currency,
        "tax_amount": decimal(offer.tax),
        "slices": slices(offer, false),
        "payment_requirements": {
            "requires_instant_payment": !offer.holdable(),
            "price_guarantee_expires_at": held(48),
            "payment_required_by": held(72),
        },
        "passengers": offer.passengers.iter().map(passenger).collect::<Vec<_>>(),
        "passenger_identity_documents_required": false,
        "partial": false,
        "private_fares": [],
        "owner": owner(offer),
        "live_mode": false,
        "id": offer.id,
        "expires_at": platform::instant(offer.expires_at),
        "created_at": platform::instant(offer.created_at),
        "conditions": {
            "refund_before_departure": condition(offer.fare.refund, currency),
            "change_before_departure": condition(offer.fare.change, currency),
        },
        "base_currency": currency,
        "base_amount": decimal(offer.base + raised),
        "available_services": services,
        "supported_loyalty_programmes": [],
        "supported_passenger_identity_document_types": documents,
        "allowed_passenger_identity_document_types": documents,
    })
}
