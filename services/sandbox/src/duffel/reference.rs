//! Reference data: airlines, airports and place suggestions.

use http::StatusCode;
use serde_json::{Value, json};

use super::platform::{Answered, Params, Problem, ok, page};
use super::wire;
use crate::airlines::{AIRLINES, Airline};
use crate::airports::{Airport, City, atlas};
use crate::answer::Answer;

/// The most places that are suggested at once.
const SUGGESTIONS: usize = 20;

/// `GET /air/airlines`.
pub(crate) fn airlines(query: Option<&str>) -> Answered {
    let params = Params::parse(query);
    let mut all: Vec<(String, &Airline)> = AIRLINES.iter().map(|one| (one.id(), one)).collect();
    all.sort_by_key(|(_, airline)| airline.name);
    let (shown, meta) = page(&params, &all, |(id, _)| id)?;
    let data: Vec<Value> = shown
        .iter()
        .map(|(_, airline)| wire::listed_airline(airline))
        .collect();
    Ok(Answer::json(
        StatusCode::OK,
        json!({ "data": data, "meta": meta }),
    ))
}

/// `GET /air/airlines/{id}`.
pub(crate) fn airline(id: &str) -> Answered {
    let found = AIRLINES.iter().find(|airline| airline.id() == id);
    let found = found.ok_or_else(Problem::not_found)?;
    Ok(ok(wire::listed_airline(found)))
}

/// `GET /air/airports`.
pub(crate) fn airports(query: Option<&str>) -> Answered {
    let params = Params::parse(query);
    let country = params.get("iata_country_code");
    let mut all: Vec<(String, &Airport)> = atlas()
        .airports()
        .filter(|airport| country.is_none_or(|country| airport.country == country))
        .map(|airport| (wire::airport_id(airport), airport))
        .collect();
    all.sort_by_key(|(_, airport)| airport.name);
    let (shown, meta) = page(&params, &all, |(id, _)| id)?;
    let data: Vec<Value> = shown
        .iter()
        .map(|(_, airport)| wire::listed_airport(airport))
        .collect();
    Ok(Answer::json(
        StatusCode::OK,
        json!({ "data": data, "meta": meta }),
    ))
}

/// `GET /air/airports/{id}`.
pub(crate) fn airport(id: &str) -> Answered {
    let found = atlas()
        .airports()
        .find(|airport| wire::airport_id(airport) == id);
    let found = found.ok_or_else(Problem::not_found)?;
    Ok(ok(wire::listed_airport(found)))
}

enum Place<'a> {
    Airport(&'a Airport),
    City(&'a City),
}

/// `GET /places/suggestions?query=…`: best match first, no meta.
pub(crate) fn suggestions(query: Option<&str>) -> Answered {
    let params = Params::parse(query);
    let wanted = params.get("query").or_else(|| params.get("name"));
    let wanted = wanted.map(|text| text.trim().to_lowercase());
    let wanted = wanted
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Problem::required("/query"))?;
    let rank = |code: &str, city: &str, name: &str| {
        let (city, name) = (city.to_lowercase(), name.to_lowercase());
        let found = [
            code.eq_ignore_ascii_case(&wanted),
            city.starts_with(&wanted),
            name.starts_with(&wanted),
            code.to_lowercase().starts_with(&wanted),
            name.split_whitespace()
                .any(|word| word.starts_with(&wanted)),
        ];
        found.iter().position(|found| *found)
    };
    let mut places: Vec<(usize, u8, &str, Place<'_>)> = Vec::new();
    for city in atlas().cities() {
        if let Some(rank) = rank(city.iata, city.name, city.name) {
            places.push((rank, 0, city.iata, Place::City(city)));
        }
    }
    for airport in atlas().airports() {
        if let Some(rank) = rank(airport.iata, airport.city, airport.name) {
            places.push((rank, 1, airport.iata, Place::Airport(airport)));
        }
    }
    places.sort_by_key(|(rank, kind, code, _)| (*rank, *kind, *code));
    places.truncate(SUGGESTIONS);
    let data: Vec<Value> = places
        .iter()
        .map(|(_, _, _, place)| match place {
            Place::Airport(airport) => wire::airport(airport),
            Place::City(city) => wire::city(city),
        })
        .collect();
    Ok(ok(Value::from(data)))
}
