//! From Duffel's shapes to ours. Pure functions: what cannot be shown truthfully is refused with a
//! reason, what looks wrong is kept and flagged.

use serde_json::{Value, json};
use supplier_platforms::duffel::remember;
use travel_types::jiff::Timestamp;
use travel_types::jiff::tz::TimeZone;
use travel_types::{LocalTime, Money, Place, Warning, WarningCode};
use vertical_kit::mapping::{order_details, part};
use vertical_kit::{CancellationTerm, Conditions, PlacedOrder, PlacedStatus, SupplierOffer};

use super::wire;
use crate::mapping::{
    check_connection, check_duration, check_times, flight_before, iso_duration, seller,
};
use crate::model::{
    Baggage, Cabin, Carrier, FlightDetails, Passenger, PassengerKind, Segment, Slice, Stop,
};

/// A price as Duffel states it: amount and currency of each part.
type Stated<'a> = (Option<&'a wire::Literal>, Option<&'a str>);

/// Total, base and taxes; warns when the parts do not add up.
fn price(
    total: Stated<'_>,
    base: Stated<'_>,
    tax: Stated<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<(Money, Option<Money>, Option<Money>), String> {
    let amount = total.0.ok_or("total_amount is missing")?;
    let currency = total.1.ok_or("total_currency is missing")?;
    let total =
        Money::parse(amount.as_str(), currency).map_err(|error| format!("total: {error}"))?;
    if total.minor() < 0 {
        return Err("the total is below zero".to_owned());
    }
    let base_amount = base.0.map(wire::Literal::as_str);
    let tax_amount = tax.0.map(wire::Literal::as_str);
    let base = part(base_amount, base.1, total, "base", warnings);
    let taxes = part(tax_amount, tax.1, total, "taxes", warnings);
    if let (Some(base), Some(taxes)) = (base, taxes)
        && base.plus(taxes).ok() != Some(total)
    {
        let message = "base and taxes do not add up to the total";
        warnings.push(Warning::new(WarningCode::SumMismatch, "total", message));
    }
    Ok((total, base, taxes))
}

/// An offer.
pub(super) fn offer(offer: &wire::Offer) -> Result<SupplierOffer, String> {
    let mut warnings = Vec::new();
    let (total, base, taxes) = price(
        (offer.total_amount.as_ref(), offer.total_currency.as_deref()),
        (offer.base_amount.as_ref(), offer.base_currency.as_deref()),
        (offer.tax_amount.as_ref(), offer.tax_currency.as_deref()),
        &mut warnings,
    )?;
    let details = FlightDetails {
        airline: seller(offer.owner.as_ref().map(carrier), &mut warnings),
        slices: slices(&offer.slices, &offer.passengers, &mut warnings)?,
        passengers: offer.passengers.iter().map(passenger).collect(),
        seats_left: None,
        emissions_kg: offer
            .total_emissions_kg
            .as_ref()
            .and_then(wire::Literal::number),
        documents_required: offer.passenger_identity_documents_required.unwrap_or(false),
    };
    let expires_at = offer.expires_at.as_ref().map(wire::Literal::as_str);
    let expires_at = match expires_at.map(str::parse::<Timestamp>) {
        None => None,
        Some(Ok(at)) => Some(at),
        Some(Err(_)) => return Err("expires_at is not an instant".to_owned()),
    };
    let first = details
        .slices
        .first()
        .and_then(|slice| slice.segments.first());
    let departure = first.map(|segment| segment.departure.time.utc());
    let day = first.map(|segment| segment.departure.time.local().date().to_string());
    let mut passengers = Vec::with_capacity(offer.passengers.len());
    for person in &offer.passengers {
        let id = person.id.as_ref().ok_or("a passenger without an id")?;
        passengers.push(json!({"id": id.as_str(), "kind": passenger(person).kind}));
    }
    Ok(SupplierOffer {
        total,
        base,
        taxes,
        expires_at,
        conditions: conditions(offer.conditions.as_ref(), total, departure, &mut warnings),
        warnings,
        details: serde_json::to_value(&details).map_err(|error| error.to_string())?,
        handle: json!({
            "offer_id": offer.id.as_str(),
            "passengers": passengers,
            "departure_day": day,
            "emissions_kg": details.emissions_kg,
        }),
    })
}

fn conditions(
    stated: Option<&wire::Conditions>,
    total: Money,
    departure: Option<Timestamp>,
    warnings: &mut Vec<Warning>,
) -> Conditions {
    let Some(stated) = stated else {
        return Conditions::default();
    };
    let refund = stated
        .refund_before_departure
        .as_ref()
        .and_then(|condition| {
            match (condition.allowed, condition.penalty_amount.as_ref()) {
                (Some(false), _) => Some(Money::zero(total.currency())),
                (Some(true), Some(penalty)) => {
                    let currency = condition.penalty_currency.as_deref();
                    let path = "conditions.cancellation";
                    let penalty = part(Some(penalty.as_str()), currency, total, path, warnings)?;
                    let refund = total.minus(penalty).ok()?;
                    // A penalty above the price takes all of it, not more.
                    Some(Money::new(refund.minor().max(0), total.currency()))
                }
                // Refundable, but the supplier does not say at what cost.
                (Some(true) | None, _) => None,
            }
        });
    let term = departure
        .zip(refund)
        .map(|(until, refund)| vec![CancellationTerm { until, refund }]);
    Conditions {
        cancellation: term,
        changeable: stated
            .change_before_departure
            .as_ref()
            .and_then(|condition| condition.allowed),
    }
}

fn passenger(person: &wire::OfferPassenger) -> Passenger {
    let age = person
        .age
        .as_ref()
        .and_then(|age| age.as_str().parse().ok());
    let kind = match (person.kind.as_deref(), age) {
        (Some("adult"), _) => PassengerKind::Adult,
        (Some("child"), _) => PassengerKind::Child,
        (Some("infant_without_seat"), _) => PassengerKind::Infant,
        (_, Some(age)) => PassengerKind::of_age(age),
        (_, None) => PassengerKind::Adult,
    };
    Passenger { kind }
}

fn carrier(carrier: &wire::Carrier) -> Carrier {
    Carrier {
        iata_code: carrier.iata_code.clone(),
        name: carrier
            .name
            .clone()
            .or_else(|| carrier.iata_code.clone())
            .unwrap_or_default(),
    }
}

/// A place with what Duffel leaves out (a city's position, an airport's zone) taken from the IATA list.
fn place(place: &wire::Place) -> Result<Place, String> {
    let code = place.iata_code.clone().ok_or("a place has no IATA code")?;
    let known = travel_types::airport(&code).or_else(|| {
        let city = travel_types::city(&code)?;
        city.airports.first().copied()
    });
    let zone = place
        .time_zone
        .clone()
        .filter(|zone| TimeZone::get(zone).is_ok())
        .or_else(|| known.map(|known| known.time_zone.to_owned()))
        .ok_or_else(|| format!("the time zone of {code} is unknown"))?;
    let position = |stated: &Option<wire::Literal>, listed: Option<f64>, most: f64| {
        stated
            .as_ref()
            .and_then(wire::Literal::number)
            .filter(|degrees| degrees.abs() <= most)
            .or(listed)
            .ok_or_else(|| format!("the position of {code} is unknown"))
    };
    Ok(Place {
        kind: "airport".to_owned(),
        name: place
            .name
            .clone()
            .or_else(|| known.map(|known| known.name.to_owned()))
            .unwrap_or_else(|| code.clone()),
        city: place
            .city_name
            .clone()
            .or_else(|| place.city.as_ref()?.name.clone())
            .or_else(|| known.map(|known| known.city.to_owned()))
            .unwrap_or_default(),
        country: place
            .iata_country_code
            .clone()
            .or_else(|| known.map(|known| known.country.to_owned()))
            .unwrap_or_default(),
        latitude: position(&place.latitude, known.map(|known| known.latitude), 90.0)?,
        longitude: position(&place.longitude, known.map(|known| known.longitude), 180.0)?,
        time_zone: zone,
        iata_code: code,
    })
}

fn slices(
    slices: &[wire::Slice],
    people: &[wire::OfferPassenger],
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Slice>, String> {
    let adults = people
        .iter()
        .filter(|person| passenger(person).kind == PassengerKind::Adult);
    let adults: Vec<&wire::Literal> = adults.filter_map(|adult| adult.id.as_ref()).collect();
    if slices.is_empty() || slices.iter().any(|slice| slice.segments.is_empty()) {
        return Err("a journey without flights".to_owned());
    }
    let mut mapped = Vec::with_capacity(slices.len());
    for (index, slice) in slices.iter().enumerate() {
        let path = format!("details.slices[{index}]");
        let mut segments: Vec<Segment> = Vec::with_capacity(slice.segments.len());
        for (number, flight) in slice.segments.iter().enumerate() {
            let path = format!("{path}.segments[{number}]");
            let flight = segment(flight, &adults, &path, warnings)?;
            check_connection(flight_before(&mapped, &segments), &flight, &path, warnings);
            segments.push(flight);
        }
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
            return Err("a journey without flights".to_owned());
        };
        let duration = slice.duration.as_ref().map(wire::Literal::as_str);
        check_duration(duration, &path, warnings);
        let start = slice_end(slice.origin.as_ref(), &first.departure);
        let end = slice_end(slice.destination.as_ref(), &last.arrival);
        mapped.push(Slice {
            origin: start,
            destination: end,
            duration: duration.map(iso_duration),
            fare_brand: slice.fare_brand_name.clone(),
            segments,
        });
    }
    Ok(mapped)
}

/// Where a direction begins or ends: a city where Duffel was asked for one, else the flight's airport.
fn slice_end(stated: Option<&wire::Place>, flown: &Stop) -> Place {
    let Some(mut end) = stated.and_then(|stated| place(stated).ok()) else {
        return flown.place.clone();
    };
    if travel_types::airport(&end.iata_code).is_none() && end.iata_code != flown.place.iata_code {
        "city".clone_into(&mut end.kind);
    }
    end
}

fn segment(
    flight: &wire::Segment,
    adults: &[&wire::Literal],
    path: &str,
    warnings: &mut Vec<Warning>,
) -> Result<Segment, String> {
    let stop = |at: &Option<wire::Place>,
                local: &Option<wire::Literal>,
                terminal: &Option<wire::Literal>,
                what: &str| {
        let place = place(at.as_ref().ok_or("a flight without an airport")?)?;
        let local = local
            .as_ref()
            .ok_or_else(|| format!("a flight without its time of {what}"))?;
        let time = LocalTime::parse(local.as_str(), &place.time_zone)
            .map_err(|error| error.to_string())?;
        Ok::<Stop, String>(Stop {
            place,
            time,
            terminal: terminal.as_ref().map(|terminal| terminal.0.clone()),
        })
    };
    let departure = stop(
        &flight.origin,
        &flight.departing_at,
        &flight.origin_terminal,
        "departure",
    )?;
    let arrival = stop(
        &flight.destination,
        &flight.arriving_at,
        &flight.destination_terminal,
        "arrival",
    )?;
    let duration = flight.duration.as_ref().map(wire::Literal::as_str);
    check_times(&departure, &arrival, duration, path, warnings);
    let sold_by = flight
        .marketing_carrier
        .as_ref()
        .map(carrier)
        .filter(|carrier| !carrier.name.is_empty())
        .ok_or("a flight without the airline whose flight number it has")?;
    // What an adult has; an infant on a lap has neither a cabin nor bags of his own.
    let is_adult = |person: &&wire::SegmentPassenger| {
        let id = person.passenger_id.as_ref();
        id.is_some_and(|id| adults.contains(&id))
    };
    let person = flight.passengers.iter().find(is_adult);
    let person = person.or(flight.passengers.first());
    let stated = person.and_then(|person| person.baggages.as_ref());
    Ok(Segment {
        departure,
        arrival,
        duration: duration.map(iso_duration),
        marketing_carrier: sold_by,
        flight_number: flight
            .marketing_carrier_flight_number
            .as_ref()
            .map(|number| number.0.clone()),
        operating_carrier: flight.operating_carrier.as_ref().map(carrier),
        aircraft: flight
            .aircraft
            .as_ref()
            .and_then(|named| named.name.clone()),
        cabin: person
            .and_then(|person| person.cabin_class.as_deref())
            .and_then(cabin),
        baggage: stated.map_or_else(Vec::new, |stated| baggage(stated, path, warnings)),
        distance_km: flight.distance.as_ref().and_then(wire::Literal::number),
    })
}

fn baggage(stated: &Value, path: &str, warnings: &mut Vec<Warning>) -> Vec<Baggage> {
    let entries = stated.as_array();
    let read: Vec<Option<Baggage>> = entries.into_iter().flatten().map(bags).collect();
    if entries.is_none() || read.contains(&None) {
        let message = "included bags that cannot be read are left out";
        let path = format!("{path}.baggage");
        warnings.push(Warning::new(WarningCode::DataQuality, path, message));
    }
    let read = read.into_iter().flatten();
    // No bag is no entry.
    read.filter(|bags| bags.quantity != Some(0)).collect()
}

fn bags(stated: &Value) -> Option<Baggage> {
    let stated: wire::Baggage = serde_json::from_value(stated.clone()).ok()?;
    Some(Baggage {
        kind: stated.kind.clone()?,
        quantity: Some(stated.quantity.as_ref()?.as_str().parse().ok()?),
        weight: None,
    })
}

fn cabin(name: &str) -> Option<Cabin> {
    serde_json::from_value(Value::String(name.to_owned())).ok()
}

/// An order. What an order lacks that an offer has is left as the offer had it; one that has a reference
/// but no price that can be read costs what was agreed to.
pub(super) fn order(
    order: &wire::Order,
    offer_handle: &Value,
    agreed: Money,
) -> Result<PlacedOrder, String> {
    let mut warnings = Vec::new();
    // The airline's reference; Duffel's own serves people too as long as the airline has none.
    let reference = order.booking_reference.as_ref().or_else(|| {
        let mut others = order.booking_references.iter().flatten();
        others.find_map(|other| other.booking_reference.as_ref())
    });
    let priced = price(
        (order.total_amount.as_ref(), order.total_currency.as_deref()),
        (order.base_amount.as_ref(), order.base_currency.as_deref()),
        (order.tax_amount.as_ref(), order.tax_currency.as_deref()),
        &mut warnings,
    );
    let total = match priced {
        Ok((total, ..)) => total,
        Err(reason) if reference.is_none() => return Err(reason),
        Err(_) => {
            let message = "the order's price cannot be read: it is the one agreed to";
            warnings.push(Warning::new(WarningCode::DataQuality, "total", message));
            agreed
        }
    };
    let people = order.passengers.as_deref().unwrap_or_default();
    let flown = order.slices.as_deref().unwrap_or_default();
    let details = match slices(flown, people, &mut warnings) {
        Ok(slices) => {
            let details = FlightDetails {
                airline: seller(order.owner.as_ref().map(carrier), &mut warnings),
                slices,
                passengers: people.iter().map(passenger).collect(),
                seats_left: None,
                emissions_kg: offer_handle.get("emissions_kg").and_then(Value::as_f64),
                documents_required: false,
            };
            Some(order_details(&details, &warnings)?)
        }
        Err(_) => None,
    };
    let handle = remember(offer_handle, "order_id", order.id.as_str());
    let unpaid = order
        .payment_status
        .as_ref()
        .and_then(|status| status.awaiting_payment)
        .unwrap_or(false);
    Ok(PlacedOrder {
        status: match order.cancelled_at {
            Some(_) => PlacedStatus::Cancelled,
            // We pay when we order: an order that still waits for money is not made yet.
            None if unpaid => PlacedStatus::Pending,
            None => PlacedStatus::Confirmed,
        },
        supplier_reference: reference.unwrap_or(&order.id).0.clone(),
        total,
        details,
        handle,
    })
}

/// What a cancellation pays back, in money or in the airline's credits. Nothing stated is nothing paid.
pub(super) fn refund(stated: &wire::Refund, paid: Money) -> Result<Money, String> {
    let money = |amount: &wire::Literal, currency: &Option<String>| {
        let currency = currency.as_deref().unwrap_or(paid.currency().code());
        let money = Money::parse(amount.as_str(), currency).map_err(|error| error.to_string())?;
        if money.minor() < 0 {
            return Err("the refund is below zero".to_owned());
        }
        Ok(money)
    };
    let amount = stated.refund_amount.as_ref();
    let amount = amount.map(|amount| money(amount, &stated.refund_currency));
    let in_credits = stated.refund_to.as_deref() == Some("airline_credits");
    if let Some(amount) = &amount
        && !in_credits
    {
        return amount.clone();
    }
    let credits = stated.airline_credits.as_ref();
    let credits =
        credits.map(|credits| serde_json::from_str::<Vec<wire::AirlineCredit>>(credits.get()));
    let credits = credits.transpose();
    let credits = credits.map_err(|_| "airline_credits is no list of credits")?;
    let mut sum: Option<Money> = None;
    for credit in credits.iter().flatten() {
        let amount = credit.credit_amount.as_ref();
        let amount = money(
            amount.ok_or("a credit without an amount")?,
            &credit.credit_currency,
        )?;
        sum = Some(match sum {
            Some(sum) => sum.plus(amount).map_err(|error| error.to_string())?,
            None => amount,
        });
    }
    match (sum, amount) {
        (Some(sum), _) => Ok(sum),
        (None, Some(amount)) => amount,
        (None, None) => Ok(Money::zero(paid.currency())),
    }
}
