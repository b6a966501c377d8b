//! Searching rates of hotels by code, point or destination, and checking them again before an order.

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::about;
use super::answer::{Answered, Problem, ok};
use super::rates::{BOARDS, CURRENCY, Occupancy, RAISE, Rate, Style, room_code, shown};
use super::state::{Hotelbeds, NAME};
use crate::hotels::{self, Property, RoomType};
use crate::supplier::decimal;

/// Most hotel codes of one search.
const MOST_CODES: usize = 2_000;
/// Most hotels that one search answers, the nearest first.
const MOST_HOTELS: usize = 60;
/// Kilometres in one mile.
const MILE: f64 = 1.609_344;

struct Asked {
    check_in: Date,
    check_out: Date,
    occupancies: Vec<Occupancy>,
}

/// `POST /hotel-api/1.0/hotels`.
pub(crate) fn search(hotelbeds: &Hotelbeds, body: &Value) -> Answered {
    let asked = read(hotelbeds, body)?;
    let limit = |name: &str| {
        let value = body
            .pointer(&format!("/filter/{name}"))
            .and_then(Value::as_u64);
        value.and_then(|value| usize::try_from(value).ok())
    };
    let most = limit("maxHotels").unwrap_or(MOST_HOTELS);
    let per_room = limit("maxRatesPerRoom").unwrap_or(usize::MAX);
    let found: Vec<Value> = wanted(hotelbeds, body)?
        .into_iter()
        .filter(|property| property.sells(NAME))
        .filter_map(|property| hotel(hotelbeds, &asked, &property, per_room))
        .take(most)
        .collect();
    if found.is_empty() {
        return Ok(ok(json!({ "auditData": null, "hotels": { "total": 0 } })));
    }
    Ok(ok(json!({
        "auditData": null,
        "hotels": {
            "hotels": found,
            "checkIn": asked.check_in.to_string(),
            "total": found.len(),
            "checkOut": asked.check_out.to_string(),
        },
    })))
}

fn read(hotelbeds: &Hotelbeds, body: &Value) -> Result<Asked, Problem> {
    let day = |name: &str| {
        let text = body
            .pointer(&format!("/stay/{name}"))
            .and_then(Value::as_str);
        let text =
            text.ok_or_else(|| Problem::request(format!("The field stay.{name} is mandatory")))?;
        text.parse::<Date>()
            .map_err(|_| Problem::data(format!("The {name} date is not valid")))
    };
    let (check_in, check_out) = (day("checkIn")?, day("checkOut")?);
    let now = hotelbeds
        .office
        .clock
        .now()
        .to_zoned(jiff::tz::TimeZone::UTC);
    let yesterday = now.date().yesterday().unwrap_or(now.date());
    if check_in < yesterday {
        return Err(Problem::data("The check-in must be in the future"));
    }
    let nights = check_in.until(check_out).map_or(0, |span| span.get_days());
    if !(1..=30).contains(&nights) {
        return Err(Problem::data("The stay must be between 1 and 30 nights"));
    }
    let occupancies = body.get("occupancies").and_then(Value::as_array);
    let occupancies = occupancies
        .filter(|occupancies| !occupancies.is_empty())
        .ok_or_else(|| Problem::request("The field occupancies is mandatory"))?;
    let mut read: Vec<Occupancy> = Vec::new();
    for given in occupancies {
        let one = occupancy(given)?;
        let same = read
            .iter_mut()
            .find(|other| other.adults == one.adults && other.ages == one.ages);
        match same {
            Some(same) => same.rooms += one.rooms,
            None => read.push(one),
        }
    }
    Ok(Asked {
        check_in,
        check_out,
        occupancies: read,
    })
}

fn occupancy(given: &Value) -> Result<Occupancy, Problem> {
    let count = |name: &str, low: u32, high: u32| {
        let number = given.get(name).and_then(Value::as_u64);
        number
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (low..=high).contains(number))
            .ok_or_else(|| Problem::data(format!("The number of {name} is not valid")))
    };
    let (rooms, adults, children) = (
        count("rooms", 1, 9)?,
        count("adults", 1, 9)?,
        count("children", 0, 9)?,
    );
    let paxes = given.get("paxes").and_then(Value::as_array);
    let mut ages: Vec<u32> = paxes
        .into_iter()
        .flatten()
        .filter(|pax| pax.get("type").and_then(Value::as_str) == Some("CH"))
        .filter_map(|pax| pax.get("age").and_then(Value::as_u64))
        .filter_map(|age| u32::try_from(age).ok())
        .collect();
    if ages.len() != usize::try_from(children).unwrap_or(0) || ages.iter().any(|age| *age > 17) {
        return Err(Problem::data("The age of every child is mandatory"));
    }
    ages.sort_unstable();
    Ok(Occupancy {
        rooms,
        adults,
        ages,
    })
}

/// The hotels that a search asks for.
fn wanted(hotelbeds: &Hotelbeds, body: &Value) -> Result<Vec<Property>, Problem> {
    let seed = hotelbeds.office.seed;
    // The vendor's specification has coordinates as texts, its examples as numbers.
    let number = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.parse::<f64>().ok(),
        value => value.and_then(Value::as_f64),
    };
    if let Some(codes) = body.pointer("/hotels/hotel").and_then(Value::as_array) {
        if codes.is_empty() || codes.len() > MOST_CODES {
            return Err(Problem::data(
                "The number of hotels must be between 1 and 2000",
            ));
        }
        let codes = codes.iter().filter_map(Value::as_u64);
        return Ok(codes
            .filter_map(|code| hotels::property(seed, code))
            .collect());
    }
    if let Some(place) = body.get("geolocation").filter(|place| !place.is_null()) {
        let axis = |name: &str, most: f64| {
            number(place.get(name))
                .filter(|value| value.abs() <= most)
                .ok_or_else(|| Problem::data(format!("The {name} is not valid")))
        };
        let unit = match place.get("unit").and_then(Value::as_str) {
            None | Some("km") => 1.0,
            Some("mi") => MILE,
            Some(_) => return Err(Problem::data("The unit must be km or mi")),
        };
        let radius = number(place.get("radius")).unwrap_or(20.0) * unit;
        if !(0.0..=200.0).contains(&radius) {
            return Err(Problem::data("The radius must be between 0 and 200 km"));
        }
        return Ok(hotels::near(
            seed,
            axis("latitude", 90.0)?,
            axis("longitude", 180.0)?,
            radius,
        ));
    }
    if let Some(code) = body.pointer("/destination/code").and_then(Value::as_str) {
        return Ok(hotels::in_city(seed, code));
    }
    Err(Problem::request(
        "One of hotels or geolocation is mandatory",
    ))
}

/// A hotel with its rates; none when it cannot take everybody.
fn hotel(
    hotelbeds: &Hotelbeds,
    asked: &Asked,
    property: &Property,
    per_room: usize,
) -> Option<Value> {
    let seed = hotelbeds.office.seed;
    let mut nets: Vec<i64> = Vec::new();
    let mut served = vec![false; asked.occupancies.len()];
    let mut rooms: Vec<Value> = Vec::new();
    for room in &property.rooms {
        let mut written: Vec<Value> = Vec::new();
        for (occupancy, served) in asked.occupancies.iter().zip(served.iter_mut()) {
            let left = free(hotelbeds, asked, property, room);
            if !fits(room, occupancy) || left < occupancy.rooms {
                continue;
            }
            *served = true;
            for rate in rates(hotelbeds, asked, property, room, occupancy)
                .into_iter()
                .take(per_room)
            {
                nets.push(rate.net(property, room));
                written.push(shown(&rate, property, room, Style::Search, seed, left));
            }
        }
        if !written.is_empty() {
            rooms.push(json!({ "code": room_code(room), "name": room.name.to_lowercase(), "rates": written }));
        }
    }
    if served.iter().any(|served| !served) {
        return None;
    }
    let mut hotel = about(property, false);
    hotel.insert("rooms".to_owned(), json!(rooms));
    hotel.insert(
        "minRate".to_owned(),
        json!(nets.iter().min().copied().map(decimal)),
    );
    hotel.insert(
        "maxRate".to_owned(),
        json!(nets.iter().max().copied().map(decimal)),
    );
    hotel.insert("currency".to_owned(), json!(CURRENCY));
    Some(Value::Object(hotel))
}

fn fits(room: &RoomType, occupancy: &Occupancy) -> bool {
    let children = u32::try_from(occupancy.ages.len()).unwrap_or(u32::MAX);
    occupancy.adults <= room.most_adults
        && children <= room.most_children
        && occupancy.adults.saturating_add(children) <= room.most_people
}

/// Rooms of a type that are free on every night.
fn free(hotelbeds: &Hotelbeds, asked: &Asked, property: &Property, room: &RoomType) -> u32 {
    let nights = asked.check_in.series(jiff::Span::new().days(1));
    nights
        .take_while(|night| *night < asked.check_out)
        .map(|night| hotels::item(property.number, room.code, night))
        .map(|item| hotelbeds.office.inventory.show(&item))
        .min()
        .unwrap_or(0)
}

/// The rates of a room: without a refund, with one, with breakfast (to be checked again), and with the
/// meals of the house.
fn rates(
    hotelbeds: &Hotelbeds,
    asked: &Asked,
    property: &Property,
    room: &RoomType,
    occupancy: &Occupancy,
) -> Vec<Rate> {
    let issued = hotelbeds.office.clock.now();
    let rate = |board: &str, refundable: bool, recheck: bool| Rate {
        check_in: asked.check_in,
        check_out: asked.check_out,
        hotel: property.number,
        room: room.code.to_owned(),
        board: board.to_owned(),
        refundable,
        recheck,
        checked: false,
        occupancy: occupancy.clone(),
        raised: 0,
        issued,
    };
    let mut rates = vec![
        rate("RO", false, false),
        rate("RO", true, false),
        rate("BB", true, true),
    ];
    let meals = usize::try_from(property.chance("meals", 6)).unwrap_or(0);
    if let Some((board, ..)) = BOARDS.get(2..).and_then(|boards| boards.get(meals)) {
        rates.push(rate(board, true, false));
    }
    rates
}

/// `POST /hotel-api/1.0/checkrates`: the rates with their latest prices and keys that can be ordered.
pub(crate) fn check(hotelbeds: &Hotelbeds, body: &Value) -> Answered {
    let seed = hotelbeds.office.seed;
    let now = hotelbeds.office.clock.now();
    let given = body.get("rooms").and_then(Value::as_array);
    let given = given
        .filter(|rooms| (1..=10).contains(&rooms.len()))
        .ok_or_else(|| Problem::request("The field rooms is mandatory"))?;
    let mut property: Option<Property> = None;
    let mut rooms: Vec<Value> = Vec::new();
    let mut total = 0;
    let mut stay = None;
    for one in given {
        let key = one
            .get("rateKey")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut rate = known(hotelbeds, key)?;
        let house = hotels::property(seed, rate.hotel).ok_or_else(Problem::rate_key)?;
        if property
            .as_ref()
            .is_some_and(|other| other.number != house.number)
        {
            return Err(Problem::data("All rates must be of the same hotel"));
        }
        if rate.expired(now) {
            return Err(Problem::rate_key());
        }
        let room = house.room(&rate.room).ok_or_else(Problem::rate_key)?;
        let items = rate.units();
        let left = items
            .iter()
            .map(|(item, _)| hotelbeds.office.inventory.show(item));
        let left = left.min().unwrap_or(0);
        if left < rate.occupancy.rooms {
            return Err(Problem::allotment());
        }
        if hotelbeds.store().dearer.contains(key) {
            rate.raised += RAISE;
        }
        rate.checked |= rate.recheck;
        rate.issued = now;
        total += rate.net(&house, room);
        stay = Some((rate.check_in, rate.check_out));
        let written = shown(&rate, &house, room, Style::Check, seed, left);
        rooms.push(json!({ "code": room_code(room), "name": room.name.to_lowercase(), "rates": [written] }));
        property = Some(house);
    }
    let (Some(property), Some((check_in, check_out))) = (property, stay) else {
        return Err(Problem::rate_key());
    };
    let mut hotel: Map<String, Value> = about(&property, false);
    let more = json!({
        "rooms": rooms,
        "minRate": null,
        "maxRate": null,
        "currency": CURRENCY,
        "checkIn": check_in.to_string(),
        "checkOut": check_out.to_string(),
        "totalNet": super::rates::number(total),
        "paymentDataRequired": false,
        "modificationPolicies": { "cancellation": true, "modification": true },
    });
    if let Value::Object(more) = more {
        hotel.extend(more);
    }
    Ok(ok(json!({ "auditData": null, "hotel": hotel })))
}

/// What a key says, if this sandbox made it.
pub(crate) fn known(hotelbeds: &Hotelbeds, key: &str) -> Result<Rate, Problem> {
    Rate::read(hotelbeds.office.seed, key).ok_or_else(Problem::rate_key)
}
