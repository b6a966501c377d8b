//! From Amadeus's shapes to ours. Pure functions: what cannot be shown truthfully is refused with a
//! reason, what looks wrong is kept and flagged.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use travel_types::jiff::civil::{Date, DateTime};
use travel_types::jiff::tz::TimeZone;
use travel_types::jiff::{Timestamp, ToSpan as _};
use travel_types::{LocalTime, Money, Place, Warning, WarningCode};
use vertical_kit::mapping::order_details;
use vertical_kit::{Conditions, PlacedOrder, PlacedStatus, SupplierOffer};

use super::prices::{Prices, prices, total};
use super::wire;
use crate::mapping::{check_connection, check_duration, check_times, iso_duration, seller};
use crate::model::{
    BagWeight, Baggage, Cabin, Carrier, FlightDetails, Passenger, PassengerKind, Segment, Slice,
    Stop, WeightUnit,
};

/// The names of airlines and aircraft: those of this answer, else those that came with the search.
/// Pricing answers and orders leave most of them out.
#[derive(Default)]
pub(super) struct Names {
    carriers: BTreeMap<String, String>,
    aircraft: BTreeMap<String, String>,
}

impl Names {
    /// Of an answer about the offer or order of a handle.
    pub(super) fn of(answer: Option<wire::Dictionaries>, handle: &Value) -> Self {
        let kept = handle.get("names").cloned().unwrap_or(Value::Null);
        let kept: wire::Dictionaries = serde_json::from_value(kept).unwrap_or_default();
        let mut names = Self::default();
        for dictionary in [Some(kept), answer].into_iter().flatten() {
            names
                .carriers
                .extend(dictionary.carriers.unwrap_or_default());
            names
                .aircraft
                .extend(dictionary.aircraft.unwrap_or_default());
        }
        names
    }

    fn carrier(&self, code: &str) -> Carrier {
        Carrier {
            iata_code: Some(code.to_owned()),
            name: self
                .carriers
                .get(code)
                .map_or_else(|| code.to_owned(), Clone::clone),
        }
    }

    /// The part that an offer needs.
    fn used_by(&self, offer: &wire::Offer) -> wire::Dictionaries {
        let flights = || offer.itineraries.iter().flat_map(|one| &one.segments);
        let keep = |all: &BTreeMap<String, String>, codes: Vec<&str>| {
            let mut kept = all.clone();
            kept.retain(|code, _| codes.contains(&code.as_str()));
            Some(kept)
        };
        let operators = flights().filter_map(|one| one.operating.as_ref()?.carrier_code.as_deref());
        let sellers = flights().filter_map(|one| one.carrier_code.as_deref());
        let validating = offer.validating_airline_codes.iter().flatten();
        let planes =
            flights().filter_map(|one| Some(one.aircraft.as_ref()?.code.as_ref()?.as_str()));
        wire::Dictionaries {
            carriers: keep(
                &self.carriers,
                sellers
                    .chain(operators)
                    .chain(validating.map(String::as_str))
                    .collect(),
            ),
            aircraft: keep(&self.aircraft, planes.collect()),
        }
    }
}

/// An offer. `raw` is its text as Amadeus wrote it; `horizon` is when the kit lets it expire anyway.
pub(super) fn offer(
    raw: &str,
    names: &Names,
    documents_required: bool,
    horizon: Timestamp,
) -> Result<SupplierOffer, String> {
    let offer: wire::Offer = serde_json::from_str(raw)
        .map_err(|_| "is not an offer as Amadeus describes it".to_owned())?;
    let mut warnings = Vec::new();
    let Prices { total, base, taxes } = prices(&offer, &mut warnings)?;
    let details = details(&offer, names, documents_required, &mut warnings)?;
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
            "names": names.used_by(&offer),
        }),
        warnings,
        details: serde_json::to_value(&details).map_err(|error| error.to_string())?,
    })
}

/// Until when the offer can be ticketed: a local time, or a day that is included. Whose local time is
/// not said; that of the first airport is taken.
fn last_ticketing(
    offer: &wire::Offer,
    zone: &str,
    warnings: &mut Vec<Warning>,
) -> Option<Timestamp> {
    let zone = TimeZone::get(zone).ok()?;
    let local = match (&offer.last_ticketing_date_time, &offer.last_ticketing_date) {
        (Some(time), _) => time.as_str().parse::<DateTime>().ok(),
        (None, Some(day)) => day
            .as_str()
            .parse::<Date>()
            .ok()
            .and_then(|day| day.checked_add(1.day()).ok())
            .map(|day| day.to_datetime(travel_types::jiff::civil::Time::midnight())),
        (None, None) => return None,
    };
    let last = local.and_then(|local| zone.to_ambiguous_timestamp(local).compatible().ok());
    if last.is_none() {
        let message = "until when it can be ticketed cannot be read";
        warnings.push(Warning::new(
            WarningCode::DataQuality,
            "expires_at",
            message,
        ));
    }
    last
}

fn details(
    offer: &wire::Offer,
    names: &Names,
    documents_required: bool,
    warnings: &mut Vec<Warning>,
) -> Result<FlightDetails, String> {
    let airline = offer.validating_airline_codes.iter().flatten().next();
    if offer.traveler_pricings.is_empty() {
        return Err("an offer for nobody".to_owned());
    }
    Ok(FlightDetails {
        airline: seller(airline.map(|code| names.carrier(code)), warnings),
        slices: slices(offer, names, warnings)?,
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
    names: &Names,
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
            let mapped = segment(flight, fare, names, &path, warnings)?;
            check_connection(segments.last(), &mapped, &path, warnings);
            segments.push(mapped);
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
            duration: duration.map(iso_duration),
            fare_brand: brand.filter(|_| brands.windows(2).all(|pair| pair.first() == pair.last())),
            segments,
        });
    }
    Ok(mapped)
}

/// Amadeus names places by their codes alone; the rest stands in the IATA list. A city's code is read as
/// its first airport's.
fn place(code: &str) -> Result<Place, String> {
    let known = travel_types::airport(code)
        .or_else(|| travel_types::city(code)?.airports.first().copied())
        .ok_or_else(|| format!("the time zone of {} is unknown", shown(code)))?;
    let mut place = Place::from(known);
    code.clone_into(&mut place.iata_code);
    Ok(place)
}

fn shown(code: &str) -> String {
    code.chars().take(8).collect()
}

fn stop(at: Option<&wire::EndPoint>, what: &str) -> Result<Stop, String> {
    let at = at.ok_or("a flight without an airport")?;
    let code = at.iata_code.as_deref();
    let place = place(code.ok_or("a flight without an airport")?)?;
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
    names: &Names,
    path: &str,
    warnings: &mut Vec<Warning>,
) -> Result<Segment, String> {
    let departure = stop(flight.departure.as_ref(), "departure")?;
    let arrival = stop(flight.arrival.as_ref(), "arrival")?;
    let duration = flight.duration.as_ref().map(wire::Literal::as_str);
    check_times(&departure, &arrival, duration, path, warnings);
    let sold_by = flight
        .carrier_code
        .as_deref()
        .filter(|code| !code.is_empty())
        .ok_or("a flight without the airline whose flight number it has")?;
    let operating = flight.operating.as_ref().and_then(|operating| {
        match (&operating.carrier_code, &operating.carrier_name) {
            (Some(code), _) => Some(names.carrier(code)),
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
        marketing_carrier: names.carrier(sold_by),
        flight_number: flight.number.as_ref().map(|number| number.0.clone()),
        operating_carrier: operating,
        aircraft: code.map(|code| {
            let name = names.aircraft.get(code.as_str());
            name.map_or_else(|| code.0.clone(), Clone::clone)
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

fn is_cancelled(status: Option<&str>) -> bool {
    status.is_some_and(|status| {
        ["CANCELLED", "CANCELED"]
            .iter()
            .any(|word| status.eq_ignore_ascii_case(word))
    })
}

/// An order. What Amadeus does not repeat of it is as it was ordered: `agreed` is the price of that.
pub(super) fn order(
    order: &wire::Order,
    names: &Names,
    handle: &Value,
    agreed: Money,
) -> Result<PlacedOrder, String> {
    /// All that is needed of an offer to tell what it costs.
    #[derive(serde::Deserialize)]
    struct PricedPart {
        price: wire::Price,
    }
    let mut charged: Option<Money> = None;
    for raw in &order.flight_offers {
        let part: PricedPart =
            serde_json::from_str(raw.get()).map_err(|_| "an order without a price")?;
        let own = total(&part.price)?;
        charged = Some(match charged {
            Some(sum) => sum.plus(own).map_err(|error| error.to_string())?,
            None => own,
        });
    }
    let offers: Vec<wire::Offer> = order
        .flight_offers
        .iter()
        .filter_map(|raw| serde_json::from_str(raw.get()).ok())
        .collect();
    let mut warnings = Vec::new();
    let details = match offers.as_slice() {
        [offer] => prices(offer, &mut warnings)
            .and_then(|_| details(offer, names, false, &mut warnings))
            .ok(),
        _ => None,
    };
    let mut flights = offers
        .iter()
        .flat_map(|offer| &offer.itineraries)
        .flat_map(|itinerary| &itinerary.segments)
        .peekable();
    let cancelled = is_cancelled(order.booking_status.as_deref())
        || (flights.peek().is_some()
            && flights.all(|flight| is_cancelled(flight.booking_status.as_deref())));
    let records = order.associated_records.iter().flatten();
    let locator = records.filter_map(|one| one.reference.as_ref()).next();
    let locator = locator.unwrap_or(&order.id);
    let mut handle = handle.clone();
    if let Some(handle) = handle.as_object_mut() {
        handle.insert("order_id".to_owned(), json!(order.id.as_str()));
        handle.insert("locator".to_owned(), json!(locator.as_str()));
    }
    Ok(PlacedOrder {
        status: if cancelled {
            PlacedStatus::Cancelled
        } else {
            PlacedStatus::Confirmed
        },
        supplier_reference: locator.0.clone(),
        total: charged.unwrap_or(agreed),
        details: details
            .map(|details| order_details(&details, &warnings))
            .transpose()?,
        handle,
    })
}

/// Whether it is certain that nothing has been paid for the order: it has no ticket, and Amadeus waits
/// with ticketing it. `CONFIRM` means "when the payment is done", and what is not said is not certain.
pub(super) fn is_unpaid(order: &wire::Order) -> bool {
    let no_ticket = match &order.tickets {
        None | Some(Value::Null) => true,
        Some(Value::Array(tickets)) => tickets.is_empty(),
        Some(_) => false,
    };
    let agreement = order.ticketing_agreement.as_ref();
    no_ticket
        && agreement.is_some_and(|agreement| {
            matches!(
                agreement.option.as_str(),
                "DELAY_TO_CANCEL" | "DELAY_TO_QUEUE"
            )
        })
}
