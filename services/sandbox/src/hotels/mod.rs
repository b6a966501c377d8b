//! The hotels of the world, worked out on demand from the seed: 12 to 40 in every town with an
//! airport, with their rooms, prices and pictures. Nothing is stored. Several suppliers sell the same
//! hotels, each with its own spelling and its own idea of where a hotel stands, so that bringing
//! them together is a real job.

mod names;
mod property;
mod rooms;
mod towns;

pub(crate) use property::Property;
pub(crate) use rooms::RoomType;
pub(crate) use towns::{Town, town};

use jiff::civil::Date;

use crate::airports::kilometres;
use crate::chance::{between, draw};

/// Properties of a town are numbered below this; a number is the town's times this, plus that.
const PER_TOWN: u64 = 1_000;
/// What is added to a property's number within its town for the hotel next door.
const NEXT_DOOR: u64 = 500;
/// How far from the middle of its town a property can stand, in kilometres, airports apart.
const SPREAD_KM: f64 = 9.0;

/// Every property of the town with this IATA code (an airport of an area stands for the area), by
/// number; none for an unknown code.
pub(crate) fn in_city(seed: u64, iata: &str) -> Vec<Property> {
    town(iata).map_or_else(Vec::new, |town| in_town(seed, town))
}

/// Every property within `radius_km` of a point, the nearest first.
pub(crate) fn near(seed: u64, latitude: f64, longitude: f64, radius_km: f64) -> Vec<Property> {
    let reach = radius_km + SPREAD_KM;
    let mut found: Vec<(f64, Property)> = towns::towns()
        .filter(|town| {
            let middle = kilometres((town.latitude, town.longitude), (latitude, longitude));
            // Hotels stand at the airports of an area too, wherever those are.
            middle <= reach
                || town.airports.len() > 1
                    && town.airports.iter().any(|airport| {
                        kilometres((airport.latitude, airport.longitude), (latitude, longitude))
                            <= reach
                    })
        })
        .flat_map(|town| in_town(seed, town))
        .map(|property| {
            let at = (property.latitude, property.longitude);
            (kilometres(at, (latitude, longitude)), property)
        })
        .filter(|(distance, _)| *distance <= radius_km)
        .collect();
    found.sort_by(|(a, one), (b, other)| a.total_cmp(b).then(one.number.cmp(&other.number)));
    found.into_iter().map(|(_, property)| property).collect()
}

/// The property with this number, if there is one.
pub(crate) fn property(seed: u64, number: u64) -> Option<Property> {
    let town = towns::numbered(number / PER_TOWN)?;
    let within = number % PER_TOWN;
    if within >= NEXT_DOOR {
        let first = within - NEXT_DOOR;
        return (first < count(seed, town) && has_next_door(first))
            .then(|| Property::next_door(seed, town, first));
    }
    (within < count(seed, town)).then(|| Property::new(seed, town, within))
}

/// How many units of an inventory item such as `7814003/DBL/2026-12-01` (property, room type, night)
/// `supplier` has before any sale; 0 for a name that is no item of his.
pub(crate) fn capacity(seed: u64, supplier: &str, item: &str) -> u32 {
    let parts: Vec<&str> = item.split('/').collect();
    let [number, code, night] = parts.as_slice() else {
        return 0;
    };
    let (Ok(number), Ok(_)) = (number.parse(), night.parse::<Date>()) else {
        return 0;
    };
    property(seed, number)
        .filter(|property| property.sells(supplier))
        .and_then(|property| property.room(code).map(|room| room.units))
        .unwrap_or(0)
}

/// The inventory item of one night in one type of room.
pub(crate) fn item(number: u64, code: &str, night: Date) -> String {
    format!("{number}/{code}/{night}")
}

fn in_town(seed: u64, town: &'static Town) -> Vec<Property> {
    (0..count(seed, town))
        .flat_map(|within| {
            let next_door = has_next_door(within).then(|| Property::next_door(seed, town, within));
            std::iter::once(Property::new(seed, town, within)).chain(next_door)
        })
        .collect()
}

/// How many properties a town has, those next door apart: more where there are more airports.
fn count(seed: u64, town: &Town) -> u64 {
    let bonus = match town.airports.len() {
        0 | 1 => 0,
        _ => 14,
    };
    let large = draw(seed, "large town") ^ town.number();
    let high = if large.is_multiple_of(4) { 24 } else { 16 };
    between(seed, &format!("hotels/{}", town.iata), 12, high) + bonus
}

/// Whether another hotel of the same chain, which is not the same hotel, stands some 80 m away.
fn has_next_door(within: u64) -> bool {
    within % 12 == 3
}

#[cfg(test)]
mod tests;
