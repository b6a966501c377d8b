//! What is sent to Hotelbeds: the bodies of a search and of a booking, from our shapes. Pure functions;
//! what does not fit the offer is refused before anything is sent.

use travel_types::Traveller;
use travel_types::jiff::civil::Date;
use vertical_kit::OrderRequest;

use super::stay::Stay;
use super::wire;
use crate::rules::ADULT;
use crate::{Guests, HotelSearch};

/// The language of texts.
pub(super) const LANGUAGE: &str = "ENG";
/// The widest circle that Hotelbeds searches, in kilometres.
const WIDEST: f64 = 200.0;
/// The longest name that Hotelbeds takes, in characters.
const LONGEST: usize = 50;

/// Searched rooms with equal guests.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// Who sleeps in each of them; ages ascending.
    pub(super) guests: Guests,
    /// Their places among the searched rooms.
    pub(super) rooms: Vec<usize>,
}

/// The searched rooms by kind, in the order in which each kind first appears.
pub(super) fn groups(search: &HotelSearch) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (place, guests) in search.rooms.iter().enumerate() {
        let mut guests = guests.clone();
        guests.children_ages.sort_unstable();
        match groups.iter_mut().find(|group| group.guests == guests) {
            Some(group) => group.rooms.push(place),
            None => groups.push(Group {
                guests,
                rooms: vec![place],
            }),
        }
    }
    groups
}

/// How much a search asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_hotels: u32,
    pub(super) max_rates_per_room: u32,
}

/// The body of a search: of a destination if there is one, else of the area around the point.
pub(super) fn availability(
    search: &HotelSearch,
    groups: &[Group],
    destination: Option<&str>,
    limits: Limits,
) -> wire::AvailabilityRequest {
    let area = &search.area;
    wire::AvailabilityRequest {
        stay: wire::RequestedStay {
            check_in: search.check_in.to_string(),
            check_out: search.check_out.to_string(),
        },
        occupancies: groups
            .iter()
            .map(|group| wire::Occupancy {
                rooms: group.rooms.len(),
                adults: group.guests.adults,
                children: group.guests.children_ages.len(),
                paxes: group
                    .guests
                    .children_ages
                    .iter()
                    .map(|age| wire::RequestedPax {
                        kind: "CH",
                        age: *age,
                    })
                    .collect(),
            })
            .collect(),
        destination: destination.map(|code| wire::Destination {
            code: code.to_owned(),
        }),
        geolocation: destination.is_none().then_some(wire::Geolocation {
            latitude: area.latitude,
            longitude: area.longitude,
            radius: area.radius_km.min(WIDEST),
            unit: "km",
        }),
        filter: wire::Filter {
            max_hotels: limits.max_hotels,
            max_rates_per_room: limits.max_rates_per_room,
            // Categories are whole stars there; what comes back is filtered again.
            min_category: search.stars_min.and_then(whole_stars),
        },
        language: LANGUAGE,
    }
}

/// The greatest category that shuts nothing out.
fn whole_stars(min: f64) -> Option<u32> {
    (1..=5).rev().find(|stars| f64::from(*stars) <= min)
}

/// The body of a booking. The first traveller who is an adult is its holder. Adults are put into the rooms
/// in their order, one at least into each; children into rooms that were searched for a child of their
/// age. Guests who were searched for and are not among the travellers stay without a name.
pub(super) fn booking(
    stay: &Stay,
    order: &OrderRequest,
    client_reference: String,
) -> Result<wire::NewBooking, String> {
    let (mut children, adults): (Vec<&Traveller>, Vec<&Traveller>) = order
        .travellers
        .iter()
        .partition(|person| age(person, stay.check_in) < ADULT);
    let holder = adults.first().ok_or("nobody is an adult")?;
    let holder = wire::Holder {
        name: short(&holder.given_name),
        surname: short(&holder.family_name),
    };
    // Rooms in the order in which they were searched, so that the first adult leads the first of them.
    let mut places: Vec<(usize, usize, usize)> = Vec::new();
    for (index, rate) in stay.rates.iter().enumerate() {
        for (number, place) in rate.rooms.iter().enumerate() {
            places.push((*place, index, number + 1));
        }
    }
    places.sort_unstable();
    let mut rooms: Vec<wire::BookedRate> = stay
        .rates
        .iter()
        .map(|rate| wire::BookedRate {
            rate_key: rate.key.clone(),
            paxes: Vec::new(),
        })
        .collect();
    if adults.len() < places.len() {
        return Err("fewer adults than rooms".to_owned());
    }
    let mut spare = adults.len() - places.len();
    let mut adults = adults.into_iter();
    for (_, index, room_id) in places {
        let (Some(rate), Some(room)) = (stay.rates.get(index), rooms.get_mut(index)) else {
            continue;
        };
        for number in 0..rate.guests.adults {
            let leads = number == 0;
            let named = if leads || spare > 0 {
                spare -= usize::from(!leads);
                adults.next()
            } else {
                None
            };
            room.paxes.push(pax(room_id, "AD", named, None));
        }
        for searched in &rate.guests.children_ages {
            let mut ages = children.iter().map(|child| age(child, stay.check_in));
            let named = ages.position(|age| age == *searched);
            let named = named.map(|place| children.remove(place));
            room.paxes.push(pax(room_id, "CH", named, Some(*searched)));
        }
    }
    if adults.next().is_some() || !children.is_empty() {
        return Err("other travellers than the offer was made for".to_owned());
    }
    Ok(wire::NewBooking {
        holder,
        rooms,
        client_reference,
        tolerance: "0.00",
        language: LANGUAGE,
    })
}

fn age(person: &Traveller, day: Date) -> u32 {
    u32::try_from(person.age_on(day)).unwrap_or(0)
}

fn pax(
    room_id: usize,
    kind: &'static str,
    named: Option<&Traveller>,
    age: Option<u32>,
) -> wire::Pax {
    wire::Pax {
        room_id,
        kind,
        name: named.map(|person| short(&person.given_name)),
        surname: named.map(|person| short(&person.family_name)),
        age,
    }
}

fn short(name: &str) -> String {
    name.chars().take(LONGEST).collect()
}
