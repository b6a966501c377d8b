//! From Amadeus's shapes to ours. Pure functions: what cannot be shown truthfully is refused with a
//! reason, what looks wrong is kept and flagged.

use serde_json::{Value, json};
use travel_types::jiff::civil::{Date, DateTime};
use travel_types::jiff::tz::TimeZone;
use travel_types::jiff::{Timestamp, ToSpan as _};
use travel_types::{LocalTime, Warning, WarningCode};
use vertical_kit::{Conditions, SupplierOffer};

use super::known::{Known, Told};
use super::prices::{Prices, prices};
use super::wire;
use crate::mapping::{
    check_connection, check_duration, check_times, flight_before, iso_duration, seller,
};
use crate::model::{
    BagWeight, Baggage, Cabin, Carrier, FlightDetails, Passenger, PassengerKind, Segment, Slice,
    Stop, WeightUnit,
};

/// An offer. `raw` is its text as Amadeus wrote it; `horizon` is when the kit lets it expire anyway.
pub(super) fn offer(
    raw: &str,
    known: &Known,
    documents_required: bool,
    horizon: Timestamp,
) -> Result<SupplierOffer, String> {
    let offer: wire::Offer = serde_json::from_str(raw)
        .map_err(|_| "is not an offer as Amadeus describes it".to_owned())?;
    if offer.payment_card_required == Some(true) {
        return Err("can only be paid with a card, and none is held".to_owned());
    }
    let mut warnings = Vec::new();
    let Prices { total, base, taxes } = prices(&offer, &mut warnings)?;
    let mut details = details(&offer, known, documents_required, &mut warnings)?;
    details.seats_left = details.seats_left.or(known.seats_left());
    let first = details
        .slices
        .first()
        .and_then(|slice| slice.segments.first())
        .ok_or("a journey without flights")?;
    let mut passengers = Vec::with_capacity(offer.traveler_pricings.len());
    for (traveler, passenger) in offer.traveler_pricings.iter().zip(&details.passengers) {
        let id = traveler.traveler_id.as_ref();
        let id = id.ok_or("a traveller without an id")?.as_str();
        passengers.push(json!({"id": id, "kind": passenger.kind}));
    }
    let last = last_ticketing(&offer, first.departure.time.zone(), &mut warnings);
    Ok(SupplierOffer {
        total,
        base,
        taxes,
        expires_at: last.filter(|last| *last < horizon),
        // Amadeus tells the rules of a fare as prose only.
        conditions: Conditions::default(),
        handle: json!({
            "offer": raw,
            "passengers": passengers,
            "departure_day": first.departure.time.local().date().to_string(),
            "names": known.used_by(&offer),
            "told": Told::by(&details),
        }),
        warnings,
        details: serde_json::to_value(&details).map_err(|error| error.to_string())?,
    })
}

/// Until when the offer can be ticketed: a local time, or a day that is included. Whose local time is
/// not said; that of the first airport is taken. A time that is not local is not Amadeus's: the day counts.
fn last_ticketing(
    offer: &wire::Offer,
    zone: &str,
    warnings: &mut Vec<Warning>,
) -> Option<Timestamp> {
    let zone = TimeZone::get(zone).ok()?;
    let time = offer.last_ticketing_date_time.as_ref();
    let day = offer.last_ticketing_date.as_ref();
    let stated = time.or(day)?.as_str();
    let is_instant = stated.parse::<Timestamp>().is_ok();
    let local: Option<DateTime> = time
        .filter(|_| !is_instant)
        .and_then(|time| time.as_str().parse().ok());
    let midnight = || {
        let day: Date = day?.as_str().parse().ok()?;
        let next = day.checked_add(1.day()).ok()?;
        Some(next.to_datetime(travel_types::jiff::civil::Time::midnight()))
    };
    let last = local
        .or_else(midnight)
        .and_then(|local| zone.to_ambiguous_timestamp(local).compatible().ok());
    let is_odd = time.is_some() && local.is_none() && !is_instant;
    if last.is_none() || is_odd {
        let message = "until when it can be ticketed cannot be read";
        warnings.push(Warning::new(
            WarningCode::DataQuality,
            "expires_at",
            message,
        ));
    }
    last
}

pub(super) fn details(
    offer: &wire::Offer,
    known: &Known,
    documents_required: bool,
    warnings: &mut Vec<Warning>,
) -> Result<FlightDetails, String> {
    let airline = offer.validating_airline_codes.iter().flatten().next();
    if offer.traveler_pricings.is_empty() {
        return Err("an offer for nobody".to_owned());
    }
    Ok(FlightDetails {
        airline: seller(airline.map(|code| known.carrier(code)), warnings),
        slices: slices(offer, known, warnings)?,
        passengers: offer
            .traveler_pricings
            .iter()
            .map(|traveler| passenger(traveler, warnings))
            .collect(),
        seats_left: offer.number_of_bookable_seats.as_ref().and_then(whole),
        emissions_kg: None,
        documents_required,
    })
}

/// A count, which some answers write as `9.0`.
fn whole(literal: &wire::Literal) -> Option<u32> {
    let text = literal.as_str();
    text.strip_suffix(".0").unwrap_or(text).parse().ok()
}

/// Ages: CHILD below 12, HELD_INFANT and SEATED_INFANT below 2, SENIOR from 60.
fn passenger(traveler: &wire::TravelerPricing, warnings: &mut Vec<Warning>) -> Passenger {
    let kind = match traveler.traveler_type.as_deref() {
        Some("CHILD") => PassengerKind::Child,
        Some("HELD_INFANT" | "SEATED_INFANT") => PassengerKind::Infant,
        Some("ADULT" | "SENIOR" | "YOUNG" | "STUDENT") => PassengerKind::Adult,
        _ => {
            let message = "of unknown age; priced as an adult";
            let path = "details.passengers";
            warnings.push(Warning::new(WarningCode::DataQuality, path, message));
            PassengerKind::Adult
        }
    };
    Passenger { kind }
}

fn slices(
    offer: &wire::Offer,
    known: &Known,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Slice>, String> {
    if offer.itineraries.is_empty() {
        return Err("a journey without flights".to_owned());
    }
    let empty = Vec::new();
    let first = offer.traveler_pricings.first();
    let fares = first.and_then(|traveler| traveler.fare_details_by_segment.as_ref());
    let fares = fares.unwrap_or(&empty);
    let mut mapped = Vec::with_capacity(offer.itineraries.len());
    for (index, itinerary) in offer.itineraries.iter().enumerate() {
        let path = format!("details.slices[{index}]");
        let mut segments: Vec<Segment> = Vec::with_capacity(itinerary.segments.len());
        let mut brands = Vec::new();
        for (number, flight) in itinerary.segments.iter().enumerate() {
            let path = format!("{path}.segments[{number}]");
            let fare = fares
                .iter()
                .find(|fare| fare.segment_id.is_some() && fare.segment_id == flight.id);
            let flight = segment(flight, fare, known, &path, warnings)?;
            check_connection(flight_before(&mapped, &segments), &flight, &path, warnings);
            segments.push(flight);
            brands.push(fare.and_then(|fare| fare.branded_fare.clone()));
        }
        let (Some(start), Some(end)) = (segments.first(), segments.last()) else {
            return Err("a journey without flights".to_owned());
        };
        let duration = itinerary.duration.as_ref().map(wire::Literal::as_str);
        check_duration(duration, &path, warnings);
        // A direction of several fares has no one name.
        let brand = brands.first().cloned().flatten();
        mapped.push(Slice {
            origin: start.departure.place.clone(),
            destination: end.arrival.place.clone(),
            duration: duration
                .map(iso_duration)
                .or_else(|| known.duration(&segments)),
            fare_brand: brand.filter(|_| brands.windows(2).all(|pair| pair.first() == pair.last())),
            segments,
        });
    }
    Ok(mapped)
}

fn stop(
    at: Option<&wire::EndPoint>,
    what: &str,
    known: &Known,
    path: &str,
    warnings: &mut Vec<Warning>,
) -> Result<Stop, String> {
    let at = at.ok_or("a flight without an airport")?;
    let code = at.iata_code.as_deref();
    let code = code.ok_or("a flight without an airport")?;
    let place = known.place(code, &format!("{path}.{what}"), warnings)?;
    let local = at.at.as_ref();
    let local = local.ok_or_else(|| format!("a flight without its time of {what}"))?;
    Ok(Stop {
        time: LocalTime::parse(local.as_str(), &place.time_zone)
            .map_err(|error| error.to_string())?,
        place,
        terminal: at.terminal.as_ref().map(|terminal| terminal.0.clone()),
    })
}

fn segment(
    flight: &wire::Segment,
    fare: Option<&wire::FareDetails>,
    known: &Known,
    path: &str,
    warnings: &mut Vec<Warning>,
) -> Result<Segment, String> {
    let departure = flight.departure.as_ref();
    let departure = stop(departure, "departure", known, path, warnings)?;
    let arrival = stop(flight.arrival.as_ref(), "arrival", known, path, warnings)?;
    let duration = flight.duration.as_ref().map(wire::Literal::as_str);
    check_times(&departure, &arrival, duration, path, warnings);
    let sold_by = flight
        .carrier_code
        .as_deref()
        .filter(|code| !code.is_empty())
        .ok_or("a flight without the airline whose flight number it has")?;
    let operating = flight.operating.as_ref().and_then(|operating| {
        match (&operating.carrier_code, &operating.carrier_name) {
            (Some(code), _) => Some(known.carrier(code)),
            (None, name) => Some(Carrier {
                iata_code: None,
                name: name.clone()?,
            }),
        }
    });
    let code = flight.aircraft.as_ref().and_then(|one| one.code.as_ref());
    Ok(Segment {
        departure,
        arrival,
        duration: duration.map(iso_duration),
        marketing_carrier: known.carrier(sold_by),
        flight_number: flight.number.as_ref().map(|number| number.0.clone()),
        operating_carrier: operating,
        aircraft: code.map(|code| {
            let name = known.aircraft(code.as_str());
            name.unwrap_or(code.as_str()).to_owned()
        }),
        cabin: fare.and_then(|fare| cabin(fare.cabin.as_deref()?)),
        baggage: fare.map_or_else(Vec::new, |fare| baggage(fare, path, warnings)),
        distance_km: None,
    })
}

fn cabin(name: &str) -> Option<Cabin> {
    serde_json::from_value(Value::String(name.to_ascii_lowercase())).ok()
}

fn baggage(fare: &wire::FareDetails, path: &str, warnings: &mut Vec<Warning>) -> Vec<Baggage> {
    let stated = [
        ("carry_on", fare.included_cabin_bags.as_ref()),
        ("checked", fare.included_checked_bags.as_ref()),
    ];
    let mut included = Vec::new();
    for (kind, allowance) in stated {
        let Some(allowance) = allowance else { continue };
        match bags(kind, allowance) {
            // No bag is no entry.
            Some(bags) => included.extend(Some(bags).filter(|bags| bags.quantity != Some(0))),
            None => {
                let message = "included bags that cannot be read are left out";
                let path = format!("{path}.baggage");
                warnings.push(Warning::new(WarningCode::DataQuality, path, message));
            }
        }
    }
    included
}

/// A number of bags, or what they may weigh together, or both: that many of that weight each.
fn bags(kind: &str, stated: &Value) -> Option<Baggage> {
    let stated: wire::BaggageAllowance = serde_json::from_value(stated.clone()).ok()?;
    let quantity = match &stated.quantity {
        Some(quantity) => Some(whole(quantity)?),
        None => None,
    };
    let weight = match &stated.weight {
        Some(weight) => Some(BagWeight {
            value: whole(weight)?,
            unit: match stated.weight_unit.as_deref() {
                Some("KG" | "K") => WeightUnit::Kg,
                Some("LB" | "L") => WeightUnit::Lb,
                _ => return None,
            },
        }),
        None => None,
    };
    (quantity.is_some() || weight.is_some()).then(|| Baggage {
        kind: kind.to_owned(),
        quantity,
        weight,
    })
}
