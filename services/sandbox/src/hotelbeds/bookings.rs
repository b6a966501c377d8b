//! Bookings: made from rate keys, looked up, listed and cancelled. Rooms are taken in one step and the
//! journal line is on disk before a booking is answered or can be seen.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::answer::{Answered, Problem, ok};
use super::rates::{CURRENCY, RAISE, Rate, Style, number, room_code, shown};
use super::state::{Booking, Cancellation, Hotelbeds, mark_cancelled};
use super::{about, availability};
use crate::answer::Twist;
use crate::hotels::{self, Property};
use crate::inventory::Units;
use crate::journal::Kind;
use crate::scenario::{self, Name};
use crate::supplier::decimal;

type Query = BTreeMap<String, String>;

/// Most characters of a client's reference.
const REFERENCE: usize = 20;

/// `POST /hotel-api/1.2/bookings`.
pub(crate) async fn create(hotelbeds: &Hotelbeds, body: &Value) -> Answered {
    let (booking, name) = reserve(hotelbeds, body)?;
    let record = serde_json::to_value(&booking).map_err(|_| Problem::system())?;
    if let Err(error) = hotelbeds
        .record(Kind::Order, &booking, booking.total, record)
        .await
    {
        tracing::error!(%error, "the journal cannot be written; the booking is undone");
        hotelbeds.office.inventory.give_back(&booking.units);
        return Err(Problem::system());
    }
    let shown = json!({ "auditData": null, "booking": booking.shown });
    hotelbeds.store().add(booking);
    Ok(ok(shown).committed(Twist::of(name, hotelbeds.office.slow)))
}

/// Checks a booking and takes its rooms, in one step: no other booking comes in between.
fn reserve(hotelbeds: &Hotelbeds, body: &Value) -> Result<(Booking, Option<Name>), Problem> {
    let now = hotelbeds.office.clock.now();
    let client_reference = body.get("clientReference").and_then(Value::as_str);
    let client_reference = client_reference
        .filter(|text| (1..=REFERENCE).contains(&text.chars().count()))
        .ok_or_else(|| {
            Problem::data("The clientReference must have between 1 and 20 characters")
        })?;
    let holder = |part: &str| {
        let text = body
            .pointer(&format!("/holder/{part}"))
            .and_then(Value::as_str);
        text.filter(|text| !text.trim().is_empty())
            .ok_or_else(|| Problem::request(format!("The field holder.{part} is mandatory")))
    };
    let (given_name, surname) = (holder("name")?, holder("surname")?);
    let rooms = body.get("rooms").and_then(Value::as_array);
    let rooms = rooms
        .filter(|rooms| !rooms.is_empty())
        .ok_or_else(|| Problem::request("The field rooms is mandatory"))?;
    let first = rooms
        .first()
        .and_then(|room| room.pointer("/paxes/0/surname"));
    let name = scenario::of_name(first.and_then(Value::as_str).unwrap_or(surname));
    match name {
        Some(Name::SoldOut) => return Err(Problem::allotment()),
        Some(Name::Refused) => return Err(Problem::refused()),
        _ => {}
    }

    let mut store = hotelbeds.store();
    let mut sold: Vec<(Rate, i64, Value)> = Vec::new();
    let mut property: Option<Property> = None;
    for given in rooms {
        let key = given
            .get("rateKey")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut rate = availability::known(hotelbeds, key)?;
        if rate.expired(now) {
            return Err(Problem::rate_key());
        }
        if rate.recheck && !rate.checked {
            return Err(Problem::data(
                "The rate must be checked before it is booked",
            ));
        }
        let house =
            hotels::property(hotelbeds.office.seed, rate.hotel).ok_or_else(Problem::rate_key)?;
        if property
            .as_ref()
            .is_some_and(|other| other.number != house.number)
        {
            return Err(Problem::data("All rates must be of the same hotel"));
        }
        let room = house.room(&rate.room).ok_or_else(Problem::rate_key)?;
        if name == Some(Name::PriceChange) && rate.raised == 0 {
            store.dearer.insert(key.to_owned());
        }
        if store.dearer.contains(key) {
            let before = rate.net(&house, room);
            rate.raised += RAISE;
            // Dearer by no more than the buyer tolerates, in percent, is booked as it is.
            let tolerance = body.get("tolerance").and_then(percent).unwrap_or(0.0);
            let tolerated = decimal(RAISE).parse::<f64>().unwrap_or(0.0) * 100.0
                <= decimal(before).parse::<f64>().unwrap_or(0.0) * tolerance;
            if !tolerated {
                return Err(Problem::price());
            }
        }
        let paxes = paxes(given, &rate)?;
        sold.push((rate.clone(), rate.net(&house, room), paxes));
        property = Some(house);
    }
    let property = property.ok_or_else(Problem::rate_key)?;
    let mut together: BTreeMap<String, u32> = BTreeMap::new();
    for (item, count) in sold.iter().flat_map(|(rate, ..)| rate.units()) {
        *together.entry(item).or_default() += count;
    }
    let units: Vec<Units> = together.into_iter().collect();
    if !hotelbeds.office.inventory.take(&units) {
        return Err(Problem::allotment());
    }
    let reference = store.next_reference();
    let total = sold.iter().map(|(_, net, _)| net).sum();
    let created_on = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let check_in = sold.first().map_or(created_on, |(rate, ..)| rate.check_in);
    let mut penalties: Vec<(Timestamp, i64)> = Vec::new();
    for (rate, net, _) in &sold {
        // Steps of one rate replace each other; those of several rates add up.
        let mut before = 0;
        for (at, penalty) in rate.penalties(&property, *net) {
            penalties.push((at, penalty - before));
            before = penalty;
        }
    }
    penalties.sort_unstable();
    let remark = body.get("remark").cloned().unwrap_or_default();
    let shown = json!({
        "reference": reference,
        "clientReference": client_reference,
        "creationDate": created_on.to_string(),
        "status": "CONFIRMED",
        "modificationPolicies": { "cancellation": true, "modification": true },
        "creationUser": "86cef876af8118d8091f983c52f1056a",
        "holder": { "name": given_name.to_uppercase(), "surname": surname.to_uppercase() },
        "hotel": hotel(&property, &sold, total, hotelbeds.office.seed),
        "remark": remark,
        "invoiceCompany": {
            "code": "CH1",
            "company": "HOTELBEDS SWITZERLAND AG",
            "registrationNumber": "CHE425060629",
        },
        "totalNet": number(total),
        "pendingAmount": number(total),
        "currency": CURRENCY,
    });
    let booking = Booking {
        reference,
        shown,
        units,
        total,
        client_reference: client_reference.to_owned(),
        penalties,
        created_on,
        check_in,
        created_at: now,
        visible_at: hotelbeds.office.visible_at(),
        cancelled: false,
    };
    Ok((booking, name))
}

fn percent(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_f64(),
    }
}

/// The people of one rate: as many adults and children as it was made for, each with a name.
fn paxes(given: &Value, rate: &Rate) -> Result<Value, Problem> {
    let paxes = given.get("paxes").and_then(Value::as_array);
    let paxes = paxes.ok_or_else(|| Problem::request("The field paxes is mandatory"))?;
    let named = |pax: &Value| {
        ["name", "surname"].iter().all(|part| {
            let text = pax.get(part).and_then(Value::as_str);
            text.is_some_and(|text| !text.trim().is_empty())
        })
    };
    let room_of = |pax: &Value| pax.get("roomId").and_then(Value::as_u64);
    let count = |kind: &str| {
        let of_kind = paxes
            .iter()
            .filter(|pax| pax.get("type").and_then(Value::as_str) == Some(kind));
        u32::try_from(of_kind.count()).unwrap_or(u32::MAX)
    };
    let children = u32::try_from(rate.occupancy.ages.len()).unwrap_or(0);
    let rooms = rate.occupancy.rooms;
    // As recorded: a room of two is booked by the one guest who is named.
    let led = (1..=u64::from(rooms)).all(|room| {
        let leads = |pax: &Value| {
            let adult = pax.get("type").and_then(Value::as_str) == Some("AD");
            adult && named(pax) && room_of(pax) == Some(room)
        };
        paxes.iter().any(leads)
    });
    let fits = count("AD") <= rate.occupancy.adults * rooms && count("CH") == children * rooms;
    let known = |pax: &Value| room_of(pax).is_some_and(|room| room <= u64::from(rooms));
    if !led || !fits || !paxes.iter().all(known) {
        return Err(Problem::data(
            "The paxes do not match the occupancy of the rate",
        ));
    }
    Ok(Value::from(paxes.clone()))
}

/// The hotel as a booking shows it: texts where searches have numbers.
fn hotel(property: &Property, sold: &[(Rate, i64, Value)], total: i64, seed: u64) -> Value {
    let mut hotel: Map<String, Value> = about(property, true);
    let rooms: Vec<Value> = sold
        .iter()
        .zip(1..)
        .filter_map(|((rate, _, paxes), id): (_, u32)| {
            let room = property.room(&rate.room)?;
            Some(json!({
                "status": "CONFIRMED",
                "id": id,
                "code": room_code(room),
                "name": room.name,
                "paxes": paxes,
                "rates": [shown(rate, property, room, Style::Booking, seed, 0)],
            }))
        })
        .collect();
    let stay = sold.first().map(|(rate, ..)| rate);
    let more = json!({
        "checkIn": stay.map(|rate| rate.check_in.to_string()),
        "checkOut": stay.map(|rate| rate.check_out.to_string()),
        "rooms": rooms,
        "totalNet": decimal(total),
        "currency": CURRENCY,
        "supplier": { "name": "HOTELBEDS PRODUCT,S.L.U.", "vatNumber": "ESB38877676" },
    });
    if let Value::Object(more) = more {
        hotel.extend(more);
    }
    Value::Object(hotel)
}

/// `GET /hotel-api/1.0/bookings/{reference}`.
pub(crate) fn show(hotelbeds: &Hotelbeds, reference: &str) -> Answered {
    let seen = hotelbeds.office.sight();
    let store = hotelbeds.store();
    let booking = store.bookings.get(reference);
    let booking = booking.filter(|booking| seen(booking.created_at, booking.visible_at));
    let booking = booking.ok_or_else(Problem::no_booking)?;
    Ok(ok(json!({ "auditData": null, "booking": booking.shown })))
}

/// `GET /hotel-api/1.0/bookings`: those of a span of days, newest first.
pub(crate) fn list(hotelbeds: &Hotelbeds, query: &Query) -> Answered {
    let day = |name: &str| {
        let text = query.get(name);
        let text =
            text.ok_or_else(|| Problem::request(format!("The parameter {name} is mandatory")))?;
        text.parse::<Date>()
            .map_err(|_| Problem::data(format!("The parameter {name} is not a date")))
    };
    let place = |name: &str| {
        let number = query.get(name).and_then(|text| text.parse::<usize>().ok());
        number
            .filter(|number| *number > 0)
            .ok_or_else(|| Problem::data(format!("The parameter {name} is not valid")))
    };
    let (start, end) = (day("start")?, day("end")?);
    let (from, to) = (place("from")?, place("to")?);
    if end < start || to < from {
        return Err(Problem::data("The range of the list is not valid"));
    }
    let by_creation = match query.get("filterType").map(String::as_str) {
        None | Some("CREATION") => true,
        Some("CHECKIN") => false,
        Some(_) => return Err(Problem::data("The filterType is not valid")),
    };
    let cancelled = match query.get("status").map(String::as_str) {
        None | Some("ALL") => None,
        Some("CONFIRMED") => Some(false),
        Some("CANCELLED") => Some(true),
        Some(_) => return Err(Problem::data("The status is not valid")),
    };
    let client_reference = query.get("clientReference");
    let seen = hotelbeds.office.sight();
    let store = hotelbeds.store();
    let bookings: Vec<Value> = store
        .references
        .iter()
        .rev()
        .filter_map(|reference| store.bookings.get(reference))
        .filter(|booking| seen(booking.created_at, booking.visible_at))
        .filter(|booking| {
            let day = if by_creation {
                booking.created_on
            } else {
                booking.check_in
            };
            (start..=end).contains(&day)
        })
        .filter(|booking| cancelled.is_none_or(|wanted| booking.cancelled == wanted))
        .filter(|booking| client_reference.is_none_or(|wanted| booking.client_reference == *wanted))
        .skip(from - 1)
        .take(to - from + 1)
        .map(listed)
        .collect();
    Ok(ok(json!({
        "auditData": null,
        "bookings": { "bookings": bookings, "from": from, "to": to, "total": bookings.len() },
    })))
}

/// A booking as lists show it: less of it, amounts as texts.
fn listed(booking: &Booking) -> Value {
    let part = |pointer: &str| booking.shown.pointer(pointer).cloned().unwrap_or_default();
    let rooms: Vec<Value> = part("/hotel/rooms")
        .as_array()
        .into_iter()
        .flatten()
        .map(|room| {
            let part = |pointer: &str| room.pointer(pointer).cloned().unwrap_or_default();
            json!({
                "status": part("/status"),
                "id": part("/id"),
                "code": part("/code"),
                "paxes": part("/paxes"),
                "rates": [{
                    "amount": part("/rates/0/net"),
                    "boardCode": part("/rates/0/boardCode"),
                    "rooms": part("/rates/0/rooms"),
                }],
            })
        })
        .collect();
    json!({
        "reference": booking.reference,
        "clientReference": booking.client_reference,
        "creationDate": part("/creationDate"),
        "status": part("/status"),
        "creationUser": part("/creationUser"),
        "holder": part("/holder"),
        "hotel": {
            "checkOut": part("/hotel/checkOut"),
            "checkIn": part("/hotel/checkIn"),
            "code": part("/hotel/code"),
            "name": part("/hotel/name"),
            "destinationCode": part("/hotel/destinationCode"),
            "cancellationAmount": part("/hotel/cancellationAmount"),
            "rooms": rooms,
        },
        "invoiceCompany": part("/invoiceCompany"),
        "totalNet": decimal(booking.total),
        "pendingAmount": part("/pendingAmount"),
        "currency": CURRENCY,
    })
}

/// `DELETE /hotel-api/1.0/bookings/{reference}`: what it would cost, or the cancellation itself.
pub(crate) async fn cancel(hotelbeds: &Hotelbeds, reference: &str, query: &Query) -> Answered {
    let simulation = match query.get("cancellationFlag").map(String::as_str) {
        None | Some("CANCELLATION") => false,
        Some("SIMULATION") => true,
        Some(_) => return Err(Problem::data("The cancellationFlag is not valid")),
    };
    let now = hotelbeds.office.clock.now();
    let (before, cancellation, units) = {
        let mut store = hotelbeds.store();
        let booking = store.bookings.get(reference).cloned();
        let booking = booking.ok_or_else(Problem::no_booking)?;
        if booking.cancelled {
            return Err(Problem::data("The booking is already cancelled"));
        }
        let due = booking.penalties.iter().filter(|(at, _)| *at <= now);
        let token = crate::chance::draw(hotelbeds.office.seed, reference);
        let cancellation = Cancellation {
            reference: reference.to_owned(),
            cancellation_reference: format!("{token:016X}"),
            penalty: due.map(|(_, penalty)| penalty).sum(),
        };
        if simulation {
            let mut shown = booking.shown;
            mark_cancelled(&mut shown, &cancellation);
            return Ok(ok(json!({ "auditData": null, "booking": shown })));
        }
        let units = store.cancel(&cancellation);
        (booking, cancellation, units)
    };
    let refund = before.total - cancellation.penalty;
    let record = serde_json::to_value(&cancellation).map_err(|_| Problem::system())?;
    if let Err(error) = hotelbeds
        .record(Kind::Cancel, &before, refund, record)
        .await
    {
        tracing::error!(%error, "the journal cannot be written; the cancellation is undone");
        hotelbeds
            .store()
            .bookings
            .insert(reference.to_owned(), before);
        return Err(Problem::system());
    }
    hotelbeds.office.inventory.give_back(&units);
    let shown = hotelbeds
        .store()
        .bookings
        .get(reference)
        .map(|booking| booking.shown.clone());
    Ok(ok(json!({ "auditData": null, "booking": shown })).committed(None))
}
