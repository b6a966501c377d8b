//! From Hotelbeds' answers to offers. Pure functions: what cannot be shown truthfully is refused with a
//! reason, what looks wrong is kept and flagged.
//!
//! Hotelbeds answers rates for each kind of room that was searched (so many rooms, so many guests in
//! each); a rate's price is for all its rooms and all nights. Where all searched rooms are equal, each
//! rate is an offer. Where they differ, an offer needs a rate for each kind: of one hotel, rates of the
//! same board, class and time of payment are put together, for each kind the cheapest.

use std::collections::{BTreeMap, HashSet};

use travel_types::jiff::Timestamp;
use travel_types::jiff::civil::Date;
use travel_types::{Warning, WarningCode, distance_km};
use vertical_kit::Found;

use super::rates::{self, Terms};
use super::requests::Group;
use super::stay::{Rate, Stay};
use super::{wire, words};
use crate::{Area, Board, HotelSearch, PaymentTime, Property};

/// How far from the searched area a hotel may lie before it is flagged, in kilometres.
const FAR_KM: f64 = 100.0;

/// What the answers are read against.
pub(super) struct Asked<'a> {
    pub(super) search: &'a HotelSearch,
    /// The searched rooms by kind.
    pub(super) groups: &'a [Group],
    /// The code of the destination, if the search was sent with one.
    pub(super) destination: Option<&'a str>,
    pub(super) now: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// A rate with the kind of room that it is for.
type Placed = (usize, Rate);

/// All offers of an answer, and why others are left out.
pub(super) fn offers(hotels: &wire::Hotels, asked: &Asked<'_>) -> Found {
    let mut found = Found::default();
    let stated = Dates {
        check_in: hotels.check_in.as_deref(),
        check_out: hotels.check_out.as_deref(),
    };
    for raw in &hotels.hotels {
        match wire::entry::<wire::Hotel>(raw, "a hotel") {
            Ok(hotel) => offers_of(&hotel, &stated, asked, &mut found),
            Err(reason) => found.rejected.push(reason),
        }
    }
    found
}

/// Days as they stand in an answer.
struct Dates<'a> {
    check_in: Option<&'a str>,
    check_out: Option<&'a str>,
}

/// The day of a date or of a date and time.
fn day(text: Option<&str>) -> Option<Date> {
    text?.get(..10)?.parse().ok()
}

fn offers_of(hotel: &wire::Hotel, stated: &Dates<'_>, asked: &Asked<'_>, found: &mut Found) {
    let blank = blank(hotel, stated, asked);
    let terms = Terms {
        currency: hotel.currency.as_deref(),
        zone: blank.zone.as_deref(),
        nights: crate::nights(blank.check_in, blank.check_out),
    };
    let mut rates: Vec<Placed> = Vec::new();
    let mut keys: HashSet<String> = HashSet::new();
    for raw in &hotel.rooms {
        let room = match wire::entry::<wire::Room>(raw, "a room") {
            Ok(room) => room,
            Err(reason) => {
                found.rejected.push(reason);
                continue;
            }
        };
        for raw in &room.rates {
            let read = wire::entry::<wire::Rate>(raw, "a rate").and_then(|rate| {
                let place = place(&rate, asked.groups)?;
                let rate = rates::rate(&rate, &room, &place.guests, place.rooms, &terms)?;
                if !keys.insert(rate.key.clone()) {
                    return Err("is the same rate as another one".to_owned());
                }
                let mut rate = rate;
                rate.warnings.extend(place.doubt);
                Ok((place.group, rate))
            });
            match read {
                Ok(placed) => rates.push(placed),
                Err(reason) => found.rejected.push(reason),
            }
        }
    }
    let bundles = if asked.groups.len() <= 1 {
        rates.into_iter().map(|(_, rate)| vec![rate]).collect()
    } else {
        let any = !rates.is_empty();
        let bundles = bundles(rates, asked.groups.len());
        if any && bundles.is_empty() {
            let reason = "has no board and class of rate that all the rooms can be had at";
            found.rejected.push(reason.to_owned());
        }
        bundles
    };
    for rates in bundles {
        let stay = Stay {
            rates,
            ..blank.clone()
        };
        match stay.offer(asked.now) {
            Ok(offer) => found.offers.push(offer),
            Err(reason) => found.rejected.push(reason),
        }
    }
}

/// Where a rate belongs.
struct Place {
    group: usize,
    rooms: Vec<usize>,
    guests: crate::Guests,
    doubt: Option<Warning>,
}

/// The kind of searched room that a rate is for. Where only one was searched, a rate that says that it is
/// for others is shown as what it is, and flagged.
fn place(rate: &wire::Rate, groups: &[Group]) -> Result<Place, String> {
    let told = rates::occupancy(rate);
    if let [only] = groups {
        let guests = told.guests(&only.guests)?;
        let rooms = told.rooms.unwrap_or(only.rooms.len());
        let same = guests == only.guests && rooms == only.rooms.len();
        let message = "is for other rooms or guests than were searched";
        let doubt =
            (!same).then(|| Warning::new(WarningCode::DataQuality, "details.rooms", message));
        return Ok(Place {
            group: 0,
            rooms: if same {
                only.rooms.clone()
            } else {
                (0..rooms).collect()
            },
            guests,
            doubt,
        });
    }
    let mut fitting = groups
        .iter()
        .enumerate()
        .filter(|(_, group)| told.fits(&group.guests, group.rooms.len()));
    match (fitting.next(), fitting.next()) {
        (Some((index, group)), None) => Ok(Place {
            group: index,
            rooms: group.rooms.clone(),
            guests: group.guests.clone(),
            doubt: None,
        }),
        (None, _) => Err("is for other rooms or guests than were searched".to_owned()),
        (Some(_), Some(_)) => Err("does not tell which of the searched rooms it is for".to_owned()),
    }
}

/// Rates of all kinds put together: one bundle for each board, class and time of payment that every kind
/// has, of the cheapest rates.
fn bundles(rates: Vec<Placed>, kinds: usize) -> Vec<Vec<Rate>> {
    let mut by_terms: BTreeMap<(Board, Option<String>, bool), BTreeMap<usize, Rate>> =
        BTreeMap::new();
    for (group, rate) in rates {
        let now = rate.payment == PaymentTime::Now;
        let best = by_terms
            .entry((rate.board, rate.class.clone(), now))
            .or_default();
        let cheaper = best
            .get(&group)
            .is_none_or(|other| rate.price.minor() < other.price.minor());
        if cheaper {
            best.insert(group, rate);
        }
    }
    by_terms
        .into_values()
        .filter(|best| best.len() == kinds)
        .map(|best| best.into_values().collect())
        .collect()
}

/// The stay without its rates.
fn blank(hotel: &wire::Hotel, stated: &Dates<'_>, asked: &Asked<'_>) -> Stay {
    let mut warnings = Vec::new();
    let mut flag = |path: &str, message: String| {
        warnings.push(Warning::new(WarningCode::DataQuality, path, message));
    };
    let search = asked.search;
    let dates = [
        (
            "check_in",
            stated.check_in.or(hotel.check_in.as_deref()),
            search.check_in,
        ),
        (
            "check_out",
            stated.check_out.or(hotel.check_out.as_deref()),
            search.check_out,
        ),
    ]
    .map(|(name, text, searched)| {
        let told = day(text);
        if text.is_some() && told != Some(searched) {
            let path = format!("details.{name}");
            flag(&path, "is another day than was searched".to_owned());
        }
        told.unwrap_or(searched)
    });
    let property = property(hotel, &search.area);
    let far = search.area.radius_km + FAR_KM;
    if let Some(distance) = property.distance_km.filter(|distance| *distance > far) {
        let message = format!("lies {distance:.0} km from the place that was searched");
        flag("details.property", message);
    }
    let elsewhere = hotel.destination_code.as_deref();
    if let (Some(asked), Some(other)) = (asked.destination, elsewhere)
        && asked != other
    {
        let message = format!("lies in another destination than {asked}");
        flag("details.property", message);
    }
    if property.name.is_empty() {
        flag(
            "details.property.name",
            "the supplier does not name the hotel".to_owned(),
        );
    }
    let [check_in, check_out] = dates;
    Stay {
        zone: zone(hotel, &property, &search.area),
        property,
        check_in,
        check_out,
        rates: Vec::new(),
        changeable: changeable(hotel),
        warnings,
        priced_at: asked.now,
        expires_at: asked.expires_at,
    }
}

/// Whether Hotelbeds says that a booking can be changed; it does so for checked rates only.
pub(super) fn changeable(hotel: &wire::Hotel) -> Option<bool> {
    let policies = hotel.modification_policies.as_ref()?;
    policies.modification.map(|flag| flag.0)
}

/// A rate as it is after it was checked. None: it is no longer there.
pub(super) fn checked(
    stay: &Stay,
    before: &Rate,
    hotel: &wire::Hotel,
) -> Result<Option<Rate>, String> {
    let terms = Terms {
        currency: hotel.currency.as_deref(),
        zone: stay.zone.as_deref(),
        nights: crate::nights(stay.check_in, stay.check_out),
    };
    let mut answered: Vec<(wire::Room, wire::Rate)> = Vec::new();
    for raw in &hotel.rooms {
        let room: wire::Room = wire::entry(raw, "a room")?;
        for raw in &room.rates {
            let rate: wire::Rate = wire::entry(raw, "a rate")?;
            let described = wire::Room {
                code: room.code.clone(),
                name: room.name.clone(),
                rates: Vec::new(),
            };
            answered.push((described, rate));
        }
    }
    let same = answered
        .iter()
        .position(|(_, rate)| rate.rate_key.as_deref() == Some(before.key.as_str()));
    let (room, rate) = match (same, answered.as_slice()) {
        (_, []) => return Ok(None),
        (Some(index), _) => answered.swap_remove(index),
        // The check may give the rate a new key.
        (None, [_]) => answered.swap_remove(0),
        (None, _) => return Err("none of the rates is the one that was checked".to_owned()),
    };
    if !rates::occupancy(&rate).fits(&before.guests, before.rooms.len()) {
        return Err("the checked rate is for other rooms or guests".to_owned());
    }
    let mut after = rates::rate(&rate, &room, &before.guests, before.rooms.clone(), &terms)?;
    after.recheck = false;
    after.card = hotel.payment_data_required.is_some_and(|flag| flag.0);
    Ok(Some(after))
}

/// The hotel.
pub(super) fn property(hotel: &wire::Hotel, area: &Area) -> Property {
    let degrees = |stated: &Option<supplier_client::tolerant::Literal>, most: f64| {
        let number = stated.as_ref()?.number()?;
        (number.abs() <= most).then_some(number)
    };
    let position = degrees(&hotel.latitude, 90.0).zip(degrees(&hotel.longitude, 180.0));
    let code = hotel.code.as_ref().map(|code| code.0.clone());
    let city = hotel.destination_name.as_deref().map(words::tidy);
    Property {
        id: String::new(),
        supplier_code: code.unwrap_or_default(),
        name: hotel.name.as_deref().map(words::tidy).unwrap_or_default(),
        stars: words::stars(
            hotel.category_code.as_deref(),
            hotel.category_name.as_deref(),
        ),
        latitude: position.map(|(latitude, _)| latitude),
        longitude: position.map(|(_, longitude)| longitude),
        distance_km: position.map(|position| area.distance_km(position)),
        address: city.map(|city| crate::Address {
            lines: hotel
                .zone_name
                .iter()
                .map(|zone| words::tidy(zone))
                .collect(),
            city: Some(city),
            postal_code: None,
            country: None,
        }),
        time_zone: None,
        phone: None,
        pictures: Vec::new(),
        amenities: Vec::new(),
    }
}

/// The zone of the airport of the hotel's destination, or of the searched city, if it is near the hotel.
fn zone(hotel: &wire::Hotel, property: &Property, area: &Area) -> Option<String> {
    let position = property.latitude.zip(property.longitude)?;
    [hotel.destination_code.as_deref(), area.city.as_deref()]
        .into_iter()
        .flatten()
        .filter_map(|code| {
            let of_city = || travel_types::city(code)?.airports.first().copied();
            travel_types::airport(code).or_else(of_city)
        })
        .find(|airport| distance_km((airport.latitude, airport.longitude), position) <= FAR_KM)
        .map(|airport| airport.time_zone.to_owned())
}
