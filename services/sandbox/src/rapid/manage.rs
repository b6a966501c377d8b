//! Finding itineraries again and giving them up.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::answer::{Answered, Problem};
use super::booking::{bed_group, first_name, link, plausible};
use super::query::{Occupancy, Query, Stay};
use super::rates::{Plan, Price, Terms, bases, deposits, instant};
use super::shop::{amenities, rate_id, unknown_test, value_adds};
use super::state::{BookedRoom, Itinerary, Rapid, Record};
use super::token;
use crate::answer::Answer;
use crate::hotels;
use crate::journal::Kind;
use crate::supplier::decimal;

/// `GET /v3/itineraries?affiliate_reference_id=&email=`.
pub(crate) fn list(rapid: &Rapid, query: Option<&str>, test: Option<&str>) -> Answered {
    stub(test)?;
    let query = Query::parse(query);
    let reference = query.required("affiliate_reference_id")?;
    let email = address(&query)?;
    let seen = rapid.office.sight();
    let store = rapid.store();
    let found: Vec<Value> = store
        .references
        .get(reference)
        .and_then(|id| store.itineraries.get(id))
        .filter(|one| one.email.eq_ignore_ascii_case(email))
        .filter(|one| seen(one.created_at, one.visible_at))
        .map(|one| shown(rapid, one, history(&query)))
        .into_iter()
        .collect();
    Ok(Answer::json(StatusCode::OK, Value::from(found)))
}

/// `GET /v3/itineraries/{itinerary_id}` by token or e-mail address.
pub(crate) fn show(rapid: &Rapid, id: &str, query: Option<&str>, test: Option<&str>) -> Answered {
    stub(test)?;
    let query = Query::parse(query);
    let seen = rapid.office.sight();
    let store = rapid.store();
    let itinerary = store.itineraries.get(id);
    let itinerary = itinerary.filter(|one| seen(one.created_at, one.visible_at));
    let itinerary = match query.get("token") {
        Some(token) if !token::opens(rapid.office.seed, token, id) => return Err(Problem::link()),
        Some(_) => itinerary,
        None => {
            let email = address(&query)?;
            itinerary.filter(|one| one.email.eq_ignore_ascii_case(email))
        }
    };
    let itinerary = itinerary.ok_or_else(Problem::no_itinerary)?;
    Ok(Answer::json(
        StatusCode::OK,
        shown(rapid, itinerary, history(&query)),
    ))
}

fn stub(test: Option<&str>) -> Result<(), Problem> {
    match test {
        None | Some("standard" | "") => Ok(()),
        Some("service_unavailable") => Err(Problem::unavailable()),
        Some("internal_server_error") => Err(Problem::internal()),
        Some(other) => Err(unknown_test(other)),
    }
}

fn address(query: &Query) -> Result<&str, Problem> {
    let email = query.required("email")?;
    if plausible(email) {
        return Ok(email);
    }
    let message = "Customer email address is invalid.";
    Err(Problem::parameter(
        "email.invalid",
        message,
        "email",
        Some(email),
    ))
}

fn history(query: &Query) -> bool {
    query.all("include").any(|one| one == "history")
}

/// What a cancellation of these rooms gives back at this moment, by room id.
fn refunds(rapid: &Rapid, itinerary: &Itinerary, now: Timestamp) -> Vec<(String, i64)> {
    let rooms = itinerary.rooms.iter();
    rooms
        .filter(|room| room.cancelled.is_none())
        .map(|room| {
            let refund = if itinerary.held_until.is_some() {
                0
            } else {
                refund(rapid, itinerary, room, now).unwrap_or(0)
            };
            (room.id.clone(), refund)
        })
        .collect()
}

fn refund(rapid: &Rapid, itinerary: &Itinerary, room: &BookedRoom, now: Timestamp) -> Option<i64> {
    let property = hotels::property(rapid.office.seed, itinerary.property)?;
    let kind = property.room(&itinerary.room_type)?;
    let plan = Plan::of(&itinerary.plan)?;
    let stay = stay(itinerary);
    let people = Occupancy::parse(&room.occupancy)?;
    let bases = bases(&property, kind, &stay);
    let price = Price::of(&property, &bases, plan, &people, 0);
    // A price that rose after the search belongs to the first night.
    let price = Price::of(
        &property,
        &bases,
        plan,
        &people,
        room.total - price.inclusive(),
    );
    Some(Terms::of(&property, plan, &stay).refund(&price, now))
}

fn stay(itinerary: &Itinerary) -> Stay {
    Stay {
        checkin: itinerary.checkin,
        checkout: itinerary.checkout,
        occupancies: Vec::new(),
        currency: itinerary.currency.clone(),
    }
}

/// `DELETE /v3/itineraries/{itinerary_id}` and, with a room, `…/rooms/{room_id}`.
pub(crate) async fn cancel(
    rapid: &Rapid,
    id: &str,
    room: Option<&str>,
    query: Option<&str>,
    test: Option<&str>,
) -> Answered {
    let query = Query::parse(query);
    let opened = query
        .get("token")
        .is_some_and(|token| token::opens(rapid.office.seed, token, id));
    if !opened {
        return Err(Problem::link());
    }
    match test {
        Some("unknown_internal_error") => return Err(Problem::internal()),
        // A stay that is over is given up like any other; what comes back is nothing.
        Some("post_stay_cancel") => {}
        other => stub(other)?,
    }
    let now = rapid.office.clock.now();
    let (itinerary, rooms) = {
        let mut store = rapid.store();
        let itinerary = store
            .itineraries
            .get_mut(id)
            .ok_or_else(Problem::no_itinerary)?;
        if room.is_some_and(|room| itinerary.rooms.iter().all(|one| one.id != room)) {
            return Err(Problem::link());
        }
        let mut rooms = refunds(rapid, itinerary, now);
        rooms.retain(|(id, _)| room.is_none_or(|room| room == id));
        if rooms.is_empty() {
            return Err(Problem::already_cancelled());
        }
        if called(itinerary, "LOSTCANCEL") && !itinerary.cancel_lost {
            itinerary.cancel_lost = true;
            return Ok(Answer::empty(StatusCode::ACCEPTED));
        }
        let before = itinerary.clone();
        // From here on a second cancellation of the same rooms is refused.
        store.cancel(id, &rooms, now);
        (before, rooms)
    };
    let count = u32::try_from(rooms.len()).unwrap_or(u32::MAX);
    let units = itinerary.units(count);
    let amount = rooms.iter().map(|(_, refund)| refund).sum();
    let record = Record::Cancelled {
        id: id.to_owned(),
        rooms,
        at: now,
    };
    let recorded = rapid.record(Kind::Cancel, &itinerary, amount, &units, &record);
    if let Err(error) = recorded.await {
        tracing::error!(%error, "the journal cannot be written; the cancellation is undone");
        rapid.store().itineraries.insert(id.to_owned(), itinerary);
        return Err(Problem::internal());
    }
    rapid.office.inventory.give_back(&units);
    let status = if called(&itinerary, "LATECANCEL") {
        StatusCode::ACCEPTED
    } else {
        StatusCode::NO_CONTENT
    };
    Ok(Answer::empty(status).committed(None))
}

fn called(itinerary: &Itinerary, name: &str) -> bool {
    first_name(itinerary).is_some_and(|first| first.eq_ignore_ascii_case(name))
}

/// An itinerary as Rapid shows it.
fn shown(rapid: &Rapid, itinerary: &Itinerary, history: bool) -> Value {
    let now = rapid.office.clock.now();
    let created = instant(itinerary.created_at);
    if now < itinerary.whole_at {
        return json!({ "itinerary_id": itinerary.id, "creation_date_time": created });
    }
    let rooms = itinerary.rooms.iter();
    let rooms: Vec<Value> = rooms
        .map(|room| of_room(rapid, itinerary, room, now))
        .collect();
    let mut links = Map::new();
    if itinerary.rooms.iter().any(|room| room.cancelled.is_none()) {
        links.insert("cancel".to_owned(), link(rapid, &itinerary.id, "DELETE"));
        if itinerary.held_until.is_some_and(|until| now < until) {
            links.insert("resume".to_owned(), link(rapid, &itinerary.id, "PUT"));
        }
    }
    let mut shown = json!({
        "itinerary_id": itinerary.id,
        "property_id": itinerary.property.to_string(),
        "links": links,
        "email": itinerary.email,
        "phone": itinerary.phone,
        "rooms": rooms,
        "creation_date_time": created,
        "travel_purpose": "unspecified",
    });
    if let Some(map) = shown.as_object_mut() {
        let mut put = |key: &str, value: Option<Value>| {
            value.map(|value| map.insert(key.to_owned(), value));
        };
        put("billing_contact", itinerary.billing_contact.clone());
        let reference = itinerary.affiliate_reference_id.clone();
        put("affiliate_reference_id", reference.map(Value::from));
        let metadata = itinerary.affiliate_metadata.clone();
        put("affiliate_metadata", metadata.map(Value::from));
        if history {
            put("itinerary_history", Some(json!([])));
            let rooms = itinerary.rooms.iter();
            let histories: Vec<Value> = rooms.map(|room| events(itinerary, room)).collect();
            put("room_history", Some(Value::from(histories)));
        }
    }
    shown
}

fn status(itinerary: &Itinerary, room: &BookedRoom, now: Timestamp) -> &'static str {
    match (room.cancelled, itinerary.held_until) {
        (Some(_), _) => "canceled",
        (None, Some(until)) if now >= until => "canceled",
        (None, Some(_)) => "pending",
        (None, None) => "booked",
    }
}

fn confirmation(itinerary: &Itinerary, room: &BookedRoom) -> Value {
    let number = room.id.parse::<u64>().unwrap_or(0);
    json!({
        "expedia": (1_000_000_000 + number).to_string(),
        "property": format!("{}{:06}", itinerary.room_type, number % 1_000_000),
    })
}

fn of_room(rapid: &Rapid, itinerary: &Itinerary, room: &BookedRoom, now: Timestamp) -> Value {
    let people = Occupancy::parse(&room.occupancy);
    let mut shown = json!({
        "id": room.id,
        "confirmation_id": confirmation(itinerary, room),
        "bed_group_id": bed_group(rapid, itinerary),
        "checkin": itinerary.checkin.to_string(),
        "checkout": itinerary.checkout.to_string(),
        "number_of_adults": people.as_ref().map(|people| people.adults),
        "child_ages": people.map(|people| people.child_ages),
        "given_name": room.given_name,
        "family_name": room.family_name,
        "status": status(itinerary, room, now),
        "smoking": room.smoking,
        "rate": of_rate(rapid, itinerary, room, now),
    });
    if let Some(map) = shown.as_object_mut() {
        for (key, value) in [
            ("special_request", &room.special_request),
            ("loyalty_id", &room.loyalty_id),
        ] {
            if let Some(value) = value {
                map.insert(key.to_owned(), Value::from(value.as_str()));
            }
        }
        if room.cancelled.is_none() && itinerary.held_until.is_none() {
            let id = &itinerary.id;
            let token = token::of_itinerary(rapid.office.seed, id);
            let href = format!("/v3/itineraries/{id}/rooms/{}?token={token}", room.id);
            let links = json!({ "cancel": { "method": "DELETE", "href": href } });
            map.insert("links".to_owned(), links);
        }
    }
    shown
}

fn of_rate(
    rapid: &Rapid,
    itinerary: &Itinerary,
    room: &BookedRoom,
    now: Timestamp,
) -> Option<Value> {
    let property = hotels::property(rapid.office.seed, itinerary.property)?;
    let kind = property.room(&itinerary.room_type)?;
    let plan = Plan::of(&itinerary.plan)?;
    let stay = stay(itinerary);
    let terms = Terms::of(&property, plan, &stay);
    let ids: Vec<&str> = amenities(plan).into_iter().map(|(id, _)| id).collect();
    let currency = &itinerary.currency;
    let mut rate = json!({
        "id": rate_id(&property, kind, plan),
        "merchant_of_record": "expedia",
        "refundable": plan != Plan::Saver,
        "amenities": ids,
        "pricing": room.pricing,
    });
    if let Some(map) = rate.as_object_mut() {
        // Money that comes back has a minus, as in the specification's examples.
        let back = match room.cancelled {
            Some((_, refund)) => Some(refund),
            None => refund(rapid, itinerary, room, now),
        };
        if let Some(back) = back.filter(|back| *back > 0) {
            let amount = json!({ "amount": decimal(-back), "currency": currency });
            map.insert("cancel_refund".to_owned(), amount);
        }
        if plan != Plan::Saver {
            map.insert("cancel_penalties".to_owned(), terms.shown(currency));
        }
        if let Some(adds) = value_adds(&property) {
            map.insert("promotions".to_owned(), json!({ "value_adds": adds }));
        }
        if let Some(deposits) = deposits(&property, plan, &stay, currency, room.total) {
            map.insert("deposits".to_owned(), deposits);
        }
    }
    Some(rate)
}

/// What happened to a room, oldest first.
fn events(itinerary: &Itinerary, room: &BookedRoom) -> Value {
    let event = |at: Timestamp, kind: &str, status: &str, charge: (&str, i64)| {
        let amount = json!({ "value": decimal(charge.1), "currency": itinerary.currency });
        json!({
            "history_id": (at.as_millisecond() % 1_000_000_000_000).to_string(),
            "event_timestamp": instant(at),
            "event_type": kind,
            "event_source": "rapid_api",
            "room_id": room.id,
            "confirmation_id": confirmation(itinerary, room),
            "checkin": itinerary.checkin.to_string(),
            "checkout": itinerary.checkout.to_string(),
            "given_name": room.given_name,
            "family_name": room.family_name,
            "status": status,
            charge.0: { "billable_currency": amount },
        })
    };
    let charged = ("amount_charged", room.total);
    let mut events = vec![event(itinerary.created_at, "created", "booked", charged)];
    if let Some((at, refund)) = room.cancelled {
        events.push(event(
            at,
            "canceled",
            "canceled",
            ("amount_refunded", refund),
        ));
    }
    Value::from(events)
}
