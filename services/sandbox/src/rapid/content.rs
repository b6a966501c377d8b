//! What a property is: `GET /v3/properties/content`, a map by property id.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer::{Answered, Problem, field, wrong};
use super::query::{Query, spoken};
use super::rates::Plan;
use super::shop::{amenities, beds, configuration, rate_id, room_id};
use super::state::{NAME, Rapid};
use crate::answer::Answer;
use crate::hotels::{self, Property, RoomType};

/// Id and name of each amenity of the world.
const AMENITIES: [(&str, &str, &str); 10] = [
    ("wifi", "2390", "Free WiFi"),
    ("restaurant", "19", "Restaurant"),
    ("parking", "3861", "Free self parking"),
    ("air_conditioning", "1", "Air conditioning"),
    ("gym", "9", "Fitness facilities"),
    ("pool", "14", "Outdoor pool"),
    ("spa", "2017", "Full-service spa"),
    ("pets", "51", "Pets allowed"),
    ("airport_shuttle", "10", "Airport transportation"),
    ("wheelchair", "2024", "Wheelchair accessible"),
];

/// `GET /v3/properties/content?property_id=…`; only by ids, of which the specification allows 250.
pub(crate) fn show(rapid: &Rapid, query: Option<&str>, host: &str) -> Answered {
    let query = Query::parse(query);
    let language = query.required("language")?;
    if !spoken(language) {
        let message = "Language is not supported.";
        let value = Some(language);
        return Err(Problem::parameter(
            "language.not_supported",
            message,
            "language",
            value,
        ));
    }
    query.required("supply_source")?;
    query.required("property_id")?;
    let ids: Vec<&str> = query.all("property_id").collect();
    if ids.len() > 250 {
        let message = "A maximum of 250 property_id query parameters is supported.";
        let count = ids.len().to_string();
        let value = Some(count.as_str());
        return Err(Problem::parameter(
            "property_id.above_maximum",
            message,
            "property_id",
            value,
        ));
    }
    let bad: Vec<Value> = ids
        .iter()
        .filter(|id| id.parse::<u64>().is_err())
        .map(|id| field("property_id", "querystring", *id))
        .collect();
    if !bad.is_empty() {
        let message = "All provided property_id query parameters must be numeric (contains only digits 0-9, with no other characters).";
        return Err(Problem::invalid(vec![wrong(
            "property_id.must_be_numeric",
            message,
            bad,
        )]));
    }
    let wanted: Vec<&str> = query.all("include").collect();
    let sold = |id: &&str| {
        let property = hotels::property(rapid.office.seed, id.parse().ok()?)?;
        property.sells(NAME).then_some(property)
    };
    let body: Map<String, Value> = ids
        .iter()
        .filter_map(sold)
        .map(|property| {
            let mut shown = of_property(rapid, &property, host);
            if !wanted.is_empty() {
                shown.retain(|key, _| key == "property_id" || wanted.contains(&key.as_str()));
            }
            (property.number.to_string(), Value::from(shown))
        })
        .collect();
    Ok(Answer::json(StatusCode::OK, Value::from(body)))
}

/// A map by id of things with a name.
fn named<'a>(things: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let entries = things.map(|(id, name)| (id.to_owned(), json!({ "id": id, "name": name })));
    Value::from(entries.collect::<Map<String, Value>>())
}

fn of_property(rapid: &Rapid, property: &Property, host: &str) -> Map<String, Value> {
    let id = property.number.to_string();
    let (latitude, longitude) = property.position_for(NAME);
    let town = property.town;
    let stars = format!(
        "{}.{}",
        property.half_stars / 2,
        (property.half_stars % 2) * 5
    );
    let amenity = |word: &str| AMENITIES.iter().find(|(known, ..)| *known == word);
    let owned = property.amenities.iter().filter_map(|word| amenity(word));
    let owned = owned.filter(|(word, ..)| *word != "pets");
    let airport = town
        .airports
        .first()
        .map_or(town.iata, |airport| airport.iata);
    let floors = (property.half_stars / 2 + 1).to_string();
    let units: u32 = property.rooms.iter().map(|room| room.units).sum();
    let rooms: Map<String, Value> = property
        .rooms
        .iter()
        .map(|room| (room_id(property, room), of_room(property, room, host)))
        .collect();
    let rates: Map<String, Value> = property
        .rooms
        .iter()
        .map(|room| {
            let id = rate_id(property, room, Plan::Breakfast);
            let rate =
                json!({ "id": id, "amenities": named(amenities(Plan::Breakfast).into_iter()) });
            (id, rate)
        })
        .collect();
    let shown = json!({
        "property_id": id,
        "name": property.name_for(NAME),
        "address": {
            "line_1": property.street,
            "city": town.name,
            "postal_code": property.postal_code,
            "country_code": town.country,
            "obfuscation_required": false,
        },
        "ratings": { "property": { "rating": stars, "type": "Star" } },
        "location": {
            "coordinates": { "latitude": latitude, "longitude": longitude },
            "obfuscation_required": false,
        },
        "phone": property.phone,
        "category": { "id": "1", "name": "Hotel" },
        "rank": property.chance("rank", 100_000),
        "business_model": { "expedia_collect": true, "property_collect": false },
        "checkin": {
            "begin_time": "3:00 PM",
            "end_time": "11:00 PM",
            "instructions": "<ul><li>Government-issued photo identification and a credit card may be required at check-in for incidental charges</li></ul>",
            "min_age": 18,
        },
        "checkout": { "time": "11:00 AM" },
        "policies": {
            "know_before_you_go": "<ul><li>Only registered guests are allowed in the guestrooms.</li></ul>",
        },
        "attributes": {
            "general": named([("2549", "No elevators")].into_iter().filter(|_| property.half_stars <= 5)),
            "pets": named([("51", "Pets allowed")].into_iter().filter(|_| property.amenities.contains(&"pets"))),
        },
        "amenities": named(owned.map(|(_, id, name)| (*id, *name))),
        "images": images(property, host),
        "onsite_payments": {
            "currency": rapid.office.currency,
            "types": named([("171", "American Express"), ("189", "Visa")].into_iter()),
        },
        "rooms": rooms,
        "rates": rates,
        "dates": { "added": "1998-07-19T05:00:00.000Z", "updated": "2026-03-22T07:23:14.000Z" },
        "descriptions": {
            "headline": format!("In {}", town.name),
            "location": format!("With a stay at {}, you will be in {}.", property.name, town.name),
            "rooms": format!("Make yourself at home in one of the {units} guestrooms."),
        },
        "statistics": {
            "52": { "id": "52", "name": format!("Total number of rooms - {units}"), "value": units.to_string() },
            "54": { "id": "54", "name": format!("Number of floors - {floors}"), "value": floors },
        },
        "airports": { "preferred": { "iata_airport_code": airport } },
        "spoken_languages": named([("en", "English")].into_iter()),
        "multi_unit": false,
        "payment_registration_recommended": false,
        "supply_source": "expedia",
    });
    let mut shown = match shown {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    if let Some((code, name)) = property.chain {
        let number = code.bytes().map(i64::from).sum::<i64>();
        // A negative number here, a text of digits there: so has the specification.
        shown.insert("chain".to_owned(), json!({ "id": -number, "name": name }));
        let brand = json!({ "id": number.to_string(), "name": name });
        shown.insert("brand".to_owned(), brand);
    }
    let guests = property.chance("guests", 5_000);
    if let Some(ratings) = shown.get_mut("ratings").and_then(Value::as_object_mut)
        && guests > 1_000
    {
        let mark = |what: &str| {
            let tenths = 30 + property.chance(what, 20);
            format!("{}.{}", tenths / 10, tenths % 10)
        };
        let guest = json!({
            "count": guests,
            "overall": mark("overall"),
            "cleanliness": mark("cleanliness"),
            "service": mark("service"),
            "comfort": mark("comfort"),
            "condition": mark("condition"),
            "location": mark("location"),
            "recommendation_percent": format!("{}%", 70 + property.chance("recommended", 30)),
        });
        ratings.insert("guest".to_owned(), guest);
    }
    shown
}

fn images(property: &Property, host: &str) -> Value {
    property
        .picture_paths()
        .enumerate()
        .map(|(at, path)| {
            let first = at == 0;
            let caption = if first { "Featured Image" } else { "Guestroom" };
            let category = if first { 3 } else { 21_001 };
            image(&format!("http://{host}{path}"), caption, category, first)
        })
        .collect()
}

fn image(address: &str, caption: &str, category: u32, hero: bool) -> Value {
    let links: Map<String, Value> = ["70px", "350px", "1000px"]
        .into_iter()
        .map(|size| (size.to_owned(), json!({ "method": "GET", "href": address })))
        .collect();
    json!({ "caption": caption, "hero_image": hero, "category": category, "links": links })
}

fn of_room(property: &Property, room: &RoomType, host: &str) -> Value {
    let groups: Map<String, Value> = beds(property, room)
        .into_iter()
        .map(|(id, description)| {
            let configuration = configuration(description);
            let group =
                json!({ "id": id, "description": description, "configuration": configuration });
            (id, group)
        })
        .collect();
    let images: Vec<Value> = property
        .picture_paths()
        .nth(1)
        .map(|path| image(&format!("http://{host}{path}"), "Guestroom", 21_001, true))
        .into_iter()
        .collect();
    let metres = room.square_metres;
    json!({
        "id": room_id(property, room),
        "name": room.name,
        "descriptions": {
            "overview": format!("<strong>{}</strong><br />{metres} square metres", room.beds),
        },
        "amenities": named([("130", "Refrigerator"), ("2390", "Free WiFi")].into_iter()),
        "images": images,
        "bed_groups": groups,
        "area": { "square_meters": metres, "square_feet": metres * 1_076 / 100 },
        "occupancy": {
            "max_allowed": {
                "total": room.most_people,
                "children": room.most_children,
                "adults": room.most_adults,
            },
            "age_categories": {
                "Adult": { "name": "Adult", "minimum_age": 18 },
                "ChildAgeA": { "name": "ChildAgeA", "minimum_age": 0 },
            },
        },
    })
}
