//! Availability, the price check and the ways to pay: Rapid's three steps before a booking.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::answer::{Answered, Problem};
use super::query::{Query, Shop, Stay};
use super::rates::{Plan, Price, Terms, bases, deposits, instant};
use super::state::{NAME, Rapid};
use super::token::{Offer, Use};
use crate::answer::Answer;
use crate::hotels::{self, Property, RoomType};

/// By how much a price rises that changes, in hundredths for each room.
pub(crate) const RAISE: i64 = 1_000;

/// `GET /v3/properties/availability`.
pub(crate) fn availability(rapid: &Rapid, query: Option<&str>, test: Option<&str>) -> Answered {
    match test {
        None | Some("standard" | "") => {}
        Some("service_unavailable") => return Err(Problem::unavailable()),
        Some("unknown_internal_error") => return Err(Problem::internal()),
        Some("no_availability") => return Ok(Answer::json(StatusCode::OK, json!([]))),
        Some("forbidden") => return Err(Problem::forbidden()),
        Some(other) => return Err(unknown_test(other)),
    }
    let now = rapid.office.clock.now();
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let shop = Shop::parse(&Query::parse(query), today, &rapid.office.currency)?;
    Ok(Answer::json(StatusCode::OK, found(rapid, &shop)))
}

/// `GET /v3/properties/{property_id}/availability`: every rate of one property.
pub(crate) fn more(rapid: &Rapid, property: &str, query: Option<&str>) -> Answered {
    let offer = linked(rapid, query, Use::Shop)?;
    if property != offer.property.to_string() {
        return Err(Problem::link());
    }
    let shop = Shop {
        stay: offer.stay,
        properties: vec![offer.property],
        most_rates: 250,
        reasons: false,
        refundable_only: false,
    };
    Ok(Answer::json(StatusCode::OK, found(rapid, &shop)))
}

/// The error for a `Test` header that the specification does not have.
pub(crate) fn unknown_test(value: &str) -> Problem {
    let fields = vec![super::answer::field("Test", "header", value)];
    let message = "Test header value is not supported.";
    Problem::invalid(vec![super::answer::wrong("test.invalid", message, fields)])
}

fn found(rapid: &Rapid, shop: &Shop) -> Value {
    let nonce = rapid.nonce();
    let expires_at = rapid.office.clock.after(rapid.office.offer_life);
    shop.properties
        .iter()
        .filter_map(|number| hotels::property(rapid.office.seed, *number))
        .filter(|property| property.sells(NAME))
        .filter_map(|property| of_property(rapid, shop, &property, nonce, expires_at))
        .collect()
}

/// A rate that can be shown.
struct Candidate<'a> {
    /// Of all rooms, paid to Rapid.
    total: i64,
    /// Place of the room among the property's.
    at: usize,
    room: &'a RoomType,
    plan: Plan,
    /// Rooms left.
    left: u32,
    /// As [`bases`] tells.
    bases: Arc<Vec<i64>>,
}

/// One property's entry; none if it has nothing for this stay.
fn of_property(
    rapid: &Rapid,
    shop: &Shop,
    property: &Property,
    nonce: u64,
    expires_at: Timestamp,
) -> Option<Value> {
    let stay = &shop.stay;
    let now = rapid.office.clock.now();
    let id = property.number.to_string();
    let score = 10_000 - property.chance("score", 9_000);
    if !property.rooms.iter().any(|room| fits(room, stay)) {
        let most = property.rooms.iter().map(|room| room.most_adults).max();
        return shop.reasons.then(|| {
            json!({
                "property_id": id,
                "status": "partially_unavailable",
                "score": score,
                "unavailable_reason": {
                    "code": "adults_exceed_threshold",
                    "data": most.unwrap_or(0).to_string(),
                },
            })
        });
    }
    if closed(property, stay) {
        return None;
    }
    // The cheapest first, to show as many as are wanted.
    let mut rates: Vec<Candidate<'_>> = Vec::new();
    for (at, room) in property.rooms.iter().enumerate() {
        let left = left(rapid, property, room, stay);
        if !fits(room, stay) || left < stay.rooms() {
            continue;
        }
        let bases = Arc::new(bases(property, room, stay));
        for plan in Plan::ALL {
            if shop.refundable_only && !Terms::of(property, plan, stay).free(now) {
                continue;
            }
            rates.push(Candidate {
                total: total(property, &bases, plan, stay, 0),
                at,
                room,
                plan,
                left,
                bases: Arc::clone(&bases),
            });
        }
    }
    rates.sort_by_key(|rate| (rate.total, rate.at));
    rates.truncate(shop.most_rates);
    if rates.is_empty() {
        return None;
    }
    let mut rooms: BTreeMap<usize, (&RoomType, Vec<Value>)> = BTreeMap::new();
    for candidate in rates {
        let offer = Offer {
            property: property.number,
            room: candidate.room.code.to_owned(),
            plan: candidate.plan,
            beds: 0,
            stay: stay.clone(),
            nonce,
            raise: 0,
            expires_at,
        };
        let rate = shown_rate(rapid, property, &candidate, &offer, now);
        rooms
            .entry(candidate.at)
            .or_insert_with(|| (candidate.room, Vec::new()))
            .1
            .push(rate);
    }
    let more = Offer {
        property: property.number,
        room: String::new(),
        plan: Plan::Flexible,
        beds: 0,
        stay: stay.clone(),
        nonce,
        raise: 0,
        expires_at,
    };
    let rooms: Vec<Value> = rooms
        .into_iter()
        .map(|(_, (room, rates))| {
            json!({ "id": room_id(property, room), "room_name": room.name, "rates": rates })
        })
        .collect();
    let token = more.token(rapid.office.seed, Use::Shop);
    Some(json!({
        "property_id": id,
        "status": "available",
        "rooms": rooms,
        "links": { "additional_rates": {
            "method": "GET",
            "href": format!("/v3/properties/{id}/availability?token={token}"),
        }},
        "score": score,
    }))
}

fn fits(room: &RoomType, stay: &Stay) -> bool {
    stay.occupancies.iter().all(|people| {
        people.adults <= room.most_adults
            && people.children() <= room.most_children
            && people.adults + people.children() <= room.most_people
    })
}

/// Some houses take nobody on some nights.
fn closed(property: &Property, stay: &Stay) -> bool {
    stay.nights()
        .any(|night| property.chance(&format!("closed/{night}"), 40) == 0)
}

/// How many rooms are left on the fullest night.
fn left(rapid: &Rapid, property: &Property, room: &RoomType, stay: &Stay) -> u32 {
    stay.nights()
        .map(|night| {
            let item = hotels::item(property.number, room.code, night);
            rapid.office.inventory.touched(&item).unwrap_or(room.units)
        })
        .min()
        .unwrap_or(0)
}

/// What all rooms of a stay cost, paid to Rapid.
fn total(property: &Property, bases: &[i64], plan: Plan, stay: &Stay, raise: i64) -> i64 {
    stay.occupancies
        .iter()
        .map(|people| Price::of(property, bases, plan, people, raise).inclusive())
        .sum()
}

pub(crate) fn room_id(property: &Property, room: &RoomType) -> String {
    let letters = room.code.bytes().map(u64::from).sum::<u64>() % 100;
    format!("{}{letters:02}", property.number)
}

pub(crate) fn rate_id(property: &Property, room: &RoomType, plan: Plan) -> String {
    format!("2{}{}", room_id(property, room), plan.digit())
}

/// Ids and descriptions of the choices of beds in a room.
pub(crate) fn beds(property: &Property, room: &RoomType) -> Vec<(String, &'static str)> {
    let id = |n: u64| (37_000 + property.chance(room.code, 900) + n).to_string();
    let mut beds = vec![(id(0), room.beds)];
    if room.code == "DBL" && property.chance("beds", 3) == 0 {
        beds.push((id(1), "2 Twin Beds"));
    }
    beds
}

/// `[{type,size,quantity}]` of a description such as `1 Queen Bed and 2 Twin Beds`.
pub(crate) fn configuration(description: &str) -> Value {
    description
        .split(" and ")
        .filter_map(|part| {
            let mut words = part.split(' ');
            let quantity: u32 = words.next()?.parse().ok()?;
            let size = words.next()?;
            Some(json!({ "type": format!("{size}Bed"), "size": size, "quantity": quantity }))
        })
        .collect()
}

/// Amenities of a rate: id and name.
pub(crate) fn amenities(plan: Plan) -> Vec<(&'static str, &'static str)> {
    let mut list = vec![("1073742786", "Free WiFi")];
    if plan == Plan::Breakfast {
        list.push(("2098", "Free breakfast"));
    }
    list
}

pub(crate) fn value_adds(property: &Property) -> Option<Value> {
    (property.chance("value add", 5) == 0).then(|| {
        json!({ "1814": {
            "id": "1814",
            "description": "Welcome drink for two in the bar",
            "category": "food_and_beverage",
            "offer_type": "free",
            "frequency": "per_stay",
            "person_count": 2,
        }})
    })
}

fn shown_rate(
    rapid: &Rapid,
    property: &Property,
    candidate: &Candidate<'_>,
    offer: &Offer,
    now: Timestamp,
) -> Value {
    let seed = rapid.office.seed;
    let (plan, room) = (offer.plan, candidate.room);
    let terms = Terms::of(property, plan, &offer.stay);
    let (id, room_id) = (rate_id(property, room, plan), room_id(property, room));
    let number = property.number;
    let first = offer.token(seed, Use::Check);
    let bed_groups: Map<String, Value> = beds(property, room)
        .into_iter()
        .enumerate()
        .map(|(at, (bed, description))| {
            let token = match at {
                0 => first.clone(),
                beds => Offer {
                    beds,
                    ..offer.clone()
                }
                .token(seed, Use::Check),
            };
            let href = format!("/v3/properties/{number}/rooms/{room_id}/rates/{id}?token={token}");
            let group = json!({
                "links": { "price_check": {
                    "method": "GET",
                    "href": href,
                    "expires": instant(offer.expires_at),
                }},
                "id": bed,
                "description": description,
                "configuration": configuration(description),
            });
            (bed, group)
        })
        .collect();
    let payment = format!("/v3/properties/{number}/payment-options?token={first}");
    let amenities: Map<String, Value> = amenities(plan)
        .into_iter()
        .map(|(id, name)| (id.to_owned(), json!({ "id": id, "name": name })))
        .collect();
    let mut rate = json!({
        "id": id,
        "status": "available",
        "available_rooms": candidate.left,
        "refundable": terms.free(now),
        "current_refundability": terms.word(now),
        "member_deal_available": false,
        "sale_scenario": {
            "package": false,
            "member": false,
            "corporate": false,
            "distribution": false,
            "mobile_promotion": false,
        },
        "merchant_of_record": "expedia",
        "amenities": amenities,
        "links": { "payment_options": { "method": "GET", "href": payment } },
        "bed_groups": bed_groups,
        "occupancy_pricing": pricing(rapid, property, &candidate.bases, offer),
    });
    if let Some(map) = rate.as_object_mut() {
        if plan != Plan::Saver {
            let penalties = terms.shown(&rapid.office.currency);
            map.insert("cancel_penalties".to_owned(), penalties);
        }
        let mut promotions = Map::new();
        if let Some(adds) = value_adds(property) {
            promotions.insert("value_adds".to_owned(), adds);
        }
        if dealt(property) {
            let deal = json!({ "id": "206", "description": "Book early and save 15%" });
            promotions.insert("deal".to_owned(), deal);
        }
        if !promotions.is_empty() {
            map.insert("promotions".to_owned(), Value::from(promotions));
        }
        let currency = &rapid.office.currency;
        let deposits = deposits(property, plan, &offer.stay, currency, candidate.total);
        if let Some(deposits) = deposits {
            map.insert("deposits".to_owned(), deposits);
        }
    }
    rate
}

fn dealt(property: &Property) -> bool {
    property.chance("deal", 4) == 0
}

/// `occupancy_pricing`: one entry for each different occupancy, the price of one such room.
fn pricing(rapid: &Rapid, property: &Property, bases: &[i64], offer: &Offer) -> Value {
    let currency = &rapid.office.currency;
    let mut pricing = Map::new();
    for people in &offer.stay.occupancies {
        pricing.entry(people.text()).or_insert_with(|| {
            Price::of(property, bases, offer.plan, people, offer.raise).shown(
                currency,
                Some(&offer.stay.currency),
                dealt(property),
            )
        });
    }
    Value::from(pricing)
}

/// The offer behind a link.
pub(crate) fn linked(rapid: &Rapid, query: Option<&str>, used: Use) -> Result<Offer, Problem> {
    let query = Query::parse(query);
    let token = query.get("token").ok_or_else(Problem::link)?;
    let now = rapid.office.clock.now();
    Offer::read(rapid.office.seed, token, used, now).ok_or_else(Problem::link)
}

/// The property and the room type of an offer.
pub(crate) fn sold(rapid: &Rapid, offer: &Offer) -> Result<(Property, RoomType), Problem> {
    let property = hotels::property(rapid.office.seed, offer.property);
    let property = property.ok_or_else(Problem::link)?;
    let room = property.room(&offer.room).cloned();
    Ok((property, room.ok_or_else(Problem::link)?))
}

/// `GET /v3/properties/{property_id}/rooms/{room_id}/rates/{rate_id}`.
pub(crate) fn check(
    rapid: &Rapid,
    path: (&str, &str, &str),
    query: Option<&str>,
    test: Option<&str>,
) -> Answered {
    let offer = linked(rapid, query, Use::Check)?;
    let (property, room) = sold(rapid, &offer)?;
    let ids = (
        property.number.to_string(),
        room_id(&property, &room),
        rate_id(&property, &room, offer.plan),
    );
    if path != (ids.0.as_str(), ids.1.as_str(), ids.2.as_str()) {
        return Err(Problem::link());
    }
    let now = rapid.office.clock.now();
    let mut sold_out = left(rapid, &property, &room, &offer.stay) < offer.stay.rooms();
    let mut raise = rapid.store().raised(&offer);
    match test {
        None | Some("standard" | "available" | "") => {}
        Some("service_unavailable") => return Err(Problem::unavailable()),
        Some("unknown_internal_error") => return Err(Problem::internal()),
        Some("sold_out") => sold_out = true,
        Some("price_changed") => {
            raise = RAISE;
            rapid.store().raise(&offer, raise, now);
        }
        Some(other) => return Err(unknown_test(other)),
    }
    let expires_at = rapid.office.clock.after(rapid.office.offer_life);
    let fresh = Offer {
        raise,
        expires_at,
        ..offer.clone()
    };
    if sold_out {
        let token = fresh.token(rapid.office.seed, Use::Shop);
        let href = format!(
            "/v3/properties/{}/availability?token={token}",
            property.number
        );
        let body = json!({
            "status": "sold_out",
            "links": { "shop": { "method": "GET", "href": href } },
        });
        return Ok(Answer::json(StatusCode::OK, body));
    }
    let bases = bases(&property, &room, &offer.stay);
    let changed = raise != offer.raise;
    let mut body = json!({
        "status": if changed { "price_changed" } else { "available" },
        "occupancy_pricing": pricing(rapid, &property, &bases, &fresh),
        "links": { "book": {
            "method": "POST",
            "href": format!("/v3/itineraries?token={}", fresh.token(rapid.office.seed, Use::Book)),
            "expires": instant(expires_at),
        }},
    });
    let total = total(&property, &bases, offer.plan, &offer.stay, raise);
    let currency = &rapid.office.currency;
    let deposits = deposits(&property, offer.plan, &offer.stay, currency, total);
    if let (Some(deposits), Some(map)) = (deposits, body.as_object_mut()) {
        map.insert("deposits".to_owned(), deposits);
    }
    Ok(Answer::json(StatusCode::OK, body))
}

/// `GET /v3/properties/{property_id}/payment-options`.
pub(crate) fn payment_options(rapid: &Rapid, property: &str, query: Option<&str>) -> Answered {
    let offer = linked(rapid, query, Use::Check)?;
    if property != offer.property.to_string() {
        return Err(Problem::link());
    }
    let body = json!({
        "affiliate_collect": { "name": "Affiliate Collect" },
        "credit_card": {
            "name": "Credit Card",
            "card_options": [
                { "name": "AmericanExpress" },
                { "name": "MasterCard", "processing_country": "US" },
                { "name": "Visa" },
            ],
            "merchant": { "name": "TRAVEL RESERVATION" },
        },
    });
    Ok(Answer::json(StatusCode::OK, body))
}
