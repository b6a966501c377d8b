//! What hotels are: names, places, categories, rooms, boards and pictures. Pictures are paths, as at
//! Hotelbeds: there below its photo server, here below the sandbox itself.

use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::answer::{Answered, Problem, ok};
use super::category;
use super::rates::{BOARDS, room_code};
use super::state::{Hotelbeds, NAME};
use crate::hotels::{self, Property};

/// Hotels of a page when the request names no end.
const PAGE: usize = 100;
/// Most hotels of a page.
const MOST: usize = 1_000;

/// Facility code, group and name of each amenity that has one.
const FACILITIES: [(&str, u32, u32, &str); 9] = [
    ("wifi", 550, 70, "Wi-fi"),
    ("restaurant", 200, 71, "Restaurant"),
    ("parking", 320, 70, "Car park"),
    (
        "air_conditioning",
        10,
        70,
        "Air conditioning in public areas",
    ),
    ("gym", 295, 90, "Gym"),
    ("pool", 306, 73, "Outdoor swimming pool"),
    ("spa", 620, 74, "Spa centre"),
    ("pets", 535, 70, "Pets allowed"),
    ("wheelchair", 295, 70, "Wheelchair-accessible"),
];

/// `GET /hotel-content-api/1.0/hotels`.
pub(crate) fn hotels(hotelbeds: &Hotelbeds, query: &BTreeMap<String, String>) -> Answered {
    let seed = hotelbeds.office.seed;
    let place = |name: &str, standard: usize| match query.get(name) {
        None => Ok(standard),
        Some(text) => (text.parse().ok())
            .filter(|number: &usize| *number > 0)
            .ok_or_else(|| Problem::data(format!("The parameter {name} is not valid"))),
    };
    let from = place("from", 1)?;
    let to = place("to", from + PAGE - 1)?;
    if to < from || to - from >= MOST {
        return Err(Problem::data("The range of the list is not valid"));
    }
    let found: Vec<Property> = match (query.get("codes"), query.get("destinationCode")) {
        (Some(codes), _) => codes
            .split(',')
            .filter_map(|code| hotels::property(seed, code.trim().parse().ok()?))
            .collect(),
        (None, Some(destination)) => hotels::in_city(seed, destination),
        (None, None) => {
            return Err(Problem::data(
                "One of codes or destinationCode is mandatory",
            ));
        }
    };
    let sold: Vec<&Property> = found
        .iter()
        .filter(|property| property.sells(NAME))
        .collect();
    let shown: Vec<Value> = sold
        .iter()
        .skip(from - 1)
        .take(to - from + 1)
        .map(|property| described(property))
        .collect();
    Ok(ok(json!({
        "from": from,
        "to": from + shown.len().max(1) - 1,
        "total": sold.len(),
        "auditData": null,
        "hotels": shown,
    })))
}

fn described(property: &Property) -> Value {
    let (latitude, longitude) = property.position_for(NAME);
    let (category_code, _) = category(property.half_stars);
    let meals = usize::try_from(property.chance("meals", 6)).unwrap_or(0);
    let boards = BOARDS
        .iter()
        .enumerate()
        .filter(|(at, _)| *at < 2 || *at == meals + 2);
    let boards: Vec<&str> = boards.map(|(_, (code, ..))| *code).collect();
    let (number, street) = property.street.split_once(' ').unwrap_or_default();
    let rooms: Vec<Value> = (property.rooms.iter())
        .map(|room| {
            let code = room_code(room);
            let characteristic = code.split_once('.').map(|(_, after)| after.to_owned());
            json!({
                "roomCode": code,
                "isParentRoom": true,
                "minPax": 1,
                "maxPax": room.most_people,
                "maxAdults": room.most_adults,
                "maxChildren": room.most_children,
                "minAdults": 1,
                "roomType": room.code,
                "characteristicCode": characteristic,
            })
        })
        .collect();
    let images: Vec<Value> = property
        .picture_paths()
        .zip(1..)
        .map(|(path, order): (String, u32)| {
            json!({
                "imageTypeCode": if order == 1 { "GEN" } else { "HAB" },
                "path": path.trim_start_matches('/'),
                "order": order,
                "visualOrder": order * 100,
            })
        })
        .collect();
    let facilities: Vec<Value> = FACILITIES
        .iter()
        .filter(|(word, ..)| property.amenities.contains(word))
        .map(|(_, code, group, name)| {
            json!({
                "facilityCode": code,
                "facilityGroupCode": group,
                "description": { "content": name },
                "order": 1,
                "indYesOrNo": true,
                "voucher": false,
            })
        })
        .collect();
    let stars = property.half_stars / 2;
    json!({
        "code": property.number,
        "name": { "content": property.name_for(NAME) },
        "description": { "content": format!(
            "This {stars}-star hotel stands in {street}, {}.", property.town.name
        ) },
        "countryCode": property.town.country,
        "stateCode": "00",
        "destinationCode": property.town.iata,
        "zoneCode": 1 + property.number % 60,
        "coordinates": { "longitude": longitude, "latitude": latitude },
        "categoryCode": category_code,
        "categoryGroupCode": format!("GRUPO{stars}"),
        "chainCode": property.chain.map(|(code, _)| code),
        "accommodationTypeCode": "HOTEL",
        "boardCodes": boards,
        "segmentCodes": [],
        "address": {
            "content": format!("{street}, {number}"),
            "street": street,
            "number": number,
        },
        "postalCode": property.postal_code,
        "city": { "content": property.town.name.to_uppercase() },
        "email": "reservations@hotel.example",
        "phones": [{ "phoneNumber": property.phone.replace(' ', ""), "phoneType": "PHONEBOOKING" }],
        "rooms": rooms,
        "facilities": facilities,
        "images": images,
        "web": "https://hotel.example",
        "lastUpdate": "2026-10-01",
        "S2C": format!("{stars}*"),
        "ranking": 1 + property.number % 1_000,
    })
}
