//! How a search is read from its parameters. A search that exists is one that can be made: everything
//! is checked while it is read.

use std::sync::Arc;

use service_kit::{Params, date, one_of, place, whole};
use travel_types::jiff::ToSpan as _;
use travel_types::jiff::civil::Date;
use travel_types::jiff::tz::{TimeZone, offset};
use travel_types::{Clock, Currency};
use vertical_kit::{Filter, Offer, Searching, Wanted};

use crate::model::{Area, Board, Guests, HotelSearch, nights};
use crate::ranking;
use crate::rules::ADULT;

/// How far ahead hotels sell, in days.
const HORIZON_DAYS: i64 = 500;
/// Nights of one stay; Rapid takes no more (its specification, `checkout`).
const MOST_NIGHTS: u32 = 28;
/// Rooms of one order (Rapid, `occupancy`).
const MOST_ROOMS: u32 = 8;
/// People who sleep in one room.
const MOST_IN_ROOM: usize = 8;
/// How far around a city's centre its hotels are, in kilometres.
const CITY_RADIUS_KM: f64 = 40.0;

/// The search of this vertical.
pub(crate) const SEARCHING: Searching<HotelSearch> = Searching {
    parameters: &[
        "destination",
        "latitude",
        "longitude",
        "radius_km",
        "check_in",
        "check_out",
        "rooms",
        "adults",
        "children_ages",
        "stars_min",
        "free_cancellation",
        "board",
    ],
    sorts: &[
        ("stars", ranking::by_stars),
        ("distance", ranking::by_distance),
    ],
    tie: ranking::by_name,
    groupings: &[ranking::BY_PROPERTY],
    read,
};

fn read(
    params: &mut Params,
    clock: &Clock,
    currency: Option<Currency>,
) -> Option<Wanted<HotelSearch>> {
    let (area, zone) = area(params).unzip();
    let check_in = params.required("check_in", date);
    let check_out = params.required("check_out", date);
    let rooms = params.required("rooms", whole(1, MOST_ROOMS));
    let adults = params.required("adults", whole(1, 32));
    let ages = params.optional("children_ages", ages).unwrap_or_default();
    let stars_min = params.optional("stars_min", decimal(0.5, 5.0));
    let free = params.optional(
        "free_cancellation",
        one_of(&[("true", true), ("false", false)]),
    );
    let board = params.optional("board", one_of(Board::NAMES));
    // Without a place, the day that begins last on Earth is the first that can be meant.
    let zone = zone.unwrap_or_else(|| TimeZone::fixed(offset(-12)));
    check_stay(
        params,
        check_in,
        check_out,
        clock.now().to_zoned(zone).date(),
    );
    let rooms = split(params, rooms, adults, &ages);
    Some(Wanted {
        search: HotelSearch {
            area: area?,
            check_in: check_in?,
            check_out: check_out?,
            rooms: rooms?,
            currency,
            stars_min,
        },
        filter: filter(clock, stars_min, free == Some(true), board),
    })
}

/// Where: a city or airport by its code, or a point with a radius. With it the zone, if it is known.
fn area(params: &mut Params) -> Option<(Area, TimeZone)> {
    let named = params.optional("destination", place);
    let latitude = params.optional("latitude", decimal(-90.0, 90.0));
    let longitude = params.optional("longitude", decimal(-180.0, 180.0));
    let radius_km = params.optional("radius_km", decimal(0.1, 100.0));
    let has = |name: &str, params: &Params| params.has(name);
    let named_at_all = has("destination", params);
    let point: Vec<&str> = ["latitude", "longitude", "radius_km"]
        .into_iter()
        .filter(|name| has(name, params))
        .collect();
    let errors = params.errors();
    if named_at_all {
        for name in &point {
            errors.add(
                *name,
                "INVALID_PARAMETER",
                "cannot be combined with destination: name a place or a point, not both",
            );
        }
    } else if point.is_empty() {
        errors.add(
            "destination",
            "REQUIRED",
            "is required, unless latitude, longitude and radius_km are given",
        );
    } else {
        for name in ["latitude", "longitude", "radius_km"] {
            if !point.contains(&name) {
                errors.add(
                    name,
                    "REQUIRED",
                    "is required with the other two of latitude, longitude and radius_km",
                );
            }
        }
    }
    match named {
        Some(place) => {
            let zone = TimeZone::get(&place.time_zone).ok()?;
            let city = travel_types::city_of(&place.iata_code);
            Some((
                Area {
                    city: Some(city),
                    latitude: place.latitude,
                    longitude: place.longitude,
                    radius_km: CITY_RADIUS_KM,
                },
                zone,
            ))
        }
        None => Some((
            Area {
                city: None,
                latitude: latitude?,
                longitude: longitude?,
                radius_km: radius_km?,
            },
            TimeZone::fixed(offset(-12)),
        )),
    }
}

fn check_stay(params: &mut Params, from: Option<Date>, to: Option<Date>, today: Date) {
    let errors = params.errors();
    if let Some(from) = from {
        errors.check(
            from >= today,
            "check_in",
            "INVALID_DATE",
            "must not be in the past",
        );
        errors.check(
            from <= today.saturating_add(HORIZON_DAYS.days()),
            "check_in",
            "INVALID_DATE",
            format!("must be within {HORIZON_DAYS} days: hotels sell no further ahead"),
        );
    }
    if let (Some(from), Some(to)) = (from, to) {
        errors.check(
            to > from,
            "check_out",
            "INVALID_DATE",
            "must be after check_in: a stay has at least one night",
        );
        errors.check(
            to <= from || nights(from, to) <= MOST_NIGHTS,
            "check_out",
            "INVALID_DATE",
            format!(
                "must be at most {MOST_NIGHTS} nights after check_in: order a longer stay in parts"
            ),
        );
    }
}

/// Spreads the guests over the rooms: adults as evenly as can be, then the children one by one.
fn split(
    params: &mut Params,
    rooms: Option<u32>,
    adults: Option<u32>,
    ages: &[u32],
) -> Option<Vec<Guests>> {
    let (rooms, adults) = (rooms?, adults?);
    let errors = params.errors();
    errors.check(
        adults >= rooms,
        "adults",
        "INVALID_PARAMETER",
        format!("must be at least {rooms}, one for each room: a room without an adult is not let"),
    );
    let mut split: Vec<Guests> = (0..rooms)
        .map(|room| Guests {
            adults: adults / rooms + u32::from(room < adults % rooms),
            children_ages: Vec::new(),
        })
        .collect();
    let places = split.len();
    for (index, age) in ages.iter().enumerate() {
        if let Some(guests) = split.get_mut(index % places) {
            guests.children_ages.push(*age);
        }
    }
    let fullest = split
        .iter()
        .map(|guests| {
            usize::try_from(guests.adults).unwrap_or(usize::MAX) + guests.children_ages.len()
        })
        .max();
    errors.check(
        fullest.is_none_or(|fullest| fullest <= MOST_IN_ROOM),
        "rooms",
        "INVALID_PARAMETER",
        format!(
            "must be more: a room sleeps at most {MOST_IN_ROOM}, and the guests are spread evenly"
        ),
    );
    Some(split)
}

/// `4,9`: ages in years on the day of arrival.
fn ages(text: &str) -> Result<Vec<u32>, String> {
    let age = whole(0, ADULT - 1);
    let ages: Result<Vec<u32>, String> = text.split(',').map(age).collect();
    ages.ok().filter(|ages| ages.len() <= 24).ok_or_else(|| {
        "must be ages from 0 to 17 in whole years on the day of arrival, e.g. 4,9, at most 24; \
         guests of 18 and more are adults"
            .to_owned()
    })
}

/// A decimal number within bounds, without an exponent.
fn decimal(low: f64, high: f64) -> impl Fn(&str) -> Result<f64, String> {
    move |text| {
        Some(text)
            .filter(|text| text.len() <= 24)
            .filter(|text| {
                text.bytes()
                    .all(|b| b.is_ascii_digit() || b == b'.' || b == b'-')
            })
            .and_then(|text| text.parse::<f64>().ok())
            .filter(|number| (low..=high).contains(number))
            .ok_or_else(|| format!("must be a number from {low} to {high}"))
    }
}

fn filter(
    clock: &Clock,
    stars_min: Option<f64>,
    free_cancellation: bool,
    board: Option<Board>,
) -> Option<Filter> {
    if stars_min.is_none() && !free_cancellation && board.is_none() {
        return None;
    }
    let now = clock.now();
    let board = board.and_then(|board| serde_json::to_value(board).ok());
    Some(Arc::new(move |offer: &Offer| {
        let stars = offer
            .details
            .pointer("/property/stars")
            .and_then(serde_json::Value::as_f64);
        let starred = stars_min.is_none_or(|least| stars.is_some_and(|stars| stars >= least));
        let fed = board
            .as_ref()
            .is_none_or(|board| offer.details.get("board") == Some(board));
        let mut terms = offer.conditions.cancellation.iter().flatten();
        let free = terms.any(|term| term.until > now && term.refund == offer.total);
        starred && fed && (free || !free_cancellation)
    }))
}

#[cfg(test)]
mod tests {
    use service_kit::ApiError;

    use super::*;

    const BASE: &str = "destination=LON&check_in=2026-12-01&check_out=2026-12-03&rooms=1&adults=2";

    fn read(query: &str) -> Result<HotelSearch, ApiError> {
        let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
        let mut params = Params::read(Some(query), SEARCHING.parameters)?;
        let wanted = super::read(&mut params, &clock, None);
        params.finish()?;
        Ok(wanted.unwrap().search)
    }

    fn wrong(query: &str) -> Vec<String> {
        let error = read(query).err().unwrap();
        assert_eq!(error.status(), 422);
        testkit::adapters::fields(&error)
    }

    #[test]
    fn guests_are_spread_over_their_rooms() {
        let query = BASE.replace("rooms=1&adults=2", "rooms=2&adults=3&children_ages=4,9,0");
        let rooms = read(&query).unwrap().rooms;
        let of = |adults, ages: &[u32]| Guests {
            adults,
            children_ages: ages.to_vec(),
        };
        assert_eq!(rooms, [of(2, &[4, 0]), of(1, &[9])]);
    }

    #[test]
    fn a_place_or_a_point_says_where() {
        assert_eq!(read(BASE).unwrap().area.city.as_deref(), Some("LON"));
        let point = BASE.replace(
            "destination=LON",
            "latitude=51.5&longitude=-0.16&radius_km=5",
        );
        let area = read(&point).unwrap().area;
        assert_eq!(
            (area.latitude, area.radius_km, area.city),
            (51.5, 5.0, None)
        );
        assert_eq!(
            wrong(&format!("{BASE}&latitude=1&radius_km=5")),
            ["latitude", "radius_km"]
        );
        let rest = BASE.replace("destination=LON&", "");
        assert_eq!(wrong(&rest), ["destination"]);
        assert_eq!(
            wrong(&format!("{rest}&latitude=51.5")),
            ["longitude", "radius_km"]
        );
        assert_eq!(wrong(&point.replace("51.5", "91")), ["latitude"]);
        assert_eq!(wrong(&point.replace("51.5", "NaN")), ["latitude"]);
    }

    #[test]
    fn every_rule_names_its_parameter() {
        assert_eq!(
            wrong(""),
            ["destination", "check_in", "check_out", "rooms", "adults"]
        );
        assert_eq!(
            wrong(&BASE.replace("2026-12-01", "2026-11-20")),
            ["check_in"]
        );
        assert_eq!(
            wrong(&BASE.replace("2026-12-03", "2026-12-01")),
            ["check_out"]
        );
        assert_eq!(
            wrong(&BASE.replace("2026-12-03", "2026-12-30")),
            ["check_out"]
        );
        assert_eq!(wrong(&BASE.replace("rooms=1", "rooms=3")), ["adults"]);
        assert_eq!(wrong(&BASE.replace("adults=2", "adults=9")), ["rooms"]);
        for bad in ["18", "4,", "x", "-1", "4;9"] {
            assert_eq!(
                wrong(&format!("{BASE}&children_ages={bad}")),
                ["children_ages"]
            );
        }
        assert_eq!(
            wrong(&format!(
                "{BASE}&stars_min=6&free_cancellation=yes&board=picnic"
            )),
            ["stars_min", "free_cancellation", "board"]
        );
    }
}
