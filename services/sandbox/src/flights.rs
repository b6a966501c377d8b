//! The timetable of the world, worked out on demand: which airline flies from where to where on a
//! date, when, for how long, with how many seats. Nothing is stored; the same seed gives the same
//! timetable for ever. Times are computed in UTC and written in local time at each end.

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::airlines::{AIRLINES, Airline};
use crate::airports::{Airport, atlas};
use crate::chance::{between, draw};

/// Shortest and longest change of aircraft, in minutes.
const CONNECTION: std::ops::RangeInclusive<i64> = 60..=8 * 60;
/// How long before it leaves a flight is no longer sold, in minutes.
const CLOSES_MINUTES: i64 = 60;
/// How long an aircraft stands at a stop inside a flight, in minutes.
const STOP_MINUTES: i64 = 75;
/// How many journeys with a change are offered for one route and date.
const MAX_CONNECTING: usize = 6;

/// A stop inside one flight: the passenger stays with the aircraft.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    pub(crate) airport: &'static Airport,
    pub(crate) arrives: DateTime,
    pub(crate) departs: DateTime,
    pub(crate) minutes: i64,
}

/// One flight of one airline on one date. Times are local at their airport.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) airline: &'static Airline,
    pub(crate) number: u64,
    pub(crate) origin: &'static Airport,
    pub(crate) destination: &'static Airport,
    pub(crate) departs: DateTime,
    pub(crate) arrives: DateTime,
    pub(crate) minutes: i64,
    pub(crate) kilometres: f64,
    pub(crate) stop: Option<Stop>,
}

impl Flight {
    /// The inventory item that holds this flight's seats of `cabin`, such as `ZZ117/2026-12-01/economy`.
    pub(crate) fn item(&self, cabin: &str) -> String {
        format!(
            "{}{}/{}/{cabin}",
            self.airline.iata,
            self.number,
            self.departs.date()
        )
    }

    /// Whether it can still be caught at this instant.
    pub(crate) fn leaves_after(&self, now: Timestamp) -> bool {
        let leaves = self.departs.to_zoned(self.origin.time_zone());
        leaves
            .is_ok_and(|leaves| leaves.timestamp().duration_since(now).as_mins() >= CLOSES_MINUTES)
    }

    /// Whole kilometres, for arithmetic with money.
    #[allow(
        clippy::as_conversions,
        reason = "no two places on Earth are 2^63 km apart"
    )]
    pub(crate) fn whole_kilometres(&self) -> i64 {
        self.kilometres as i64
    }
}

/// How many seats an inventory item starts with; 0 for a name that is no item.
pub(crate) fn seats(seed: u64, item: &str) -> u32 {
    let (low, high) = match item.rsplit('/').next() {
        Some("economy") => (120, 210),
        Some("premium_economy") => (24, 48),
        Some("business") => (16, 48),
        Some("first") => (4, 12),
        _ => return 0,
    };
    u32::try_from(between(seed, item, low, high)).unwrap_or(0)
}

/// Flights without a change from `origin` to `destination` on `date`, by departure.
pub(crate) fn direct(
    seed: u64,
    origin: &'static Airport,
    destination: &'static Airport,
    date: Date,
) -> Vec<Flight> {
    let mut flights: Vec<Flight> = AIRLINES
        .iter()
        .flat_map(|airline| of_airline(seed, airline, origin, destination, date))
        .collect();
    flights.sort_by_key(|flight| flight.departs);
    flights
}

/// Journeys with one change, at a hub of the airline, the least detour first.
pub(crate) fn connecting(
    seed: u64,
    origin: &'static Airport,
    destination: &'static Airport,
    date: Date,
) -> Vec<Vec<Flight>> {
    let straight = origin.kilometres_to(destination);
    let mut ways: Vec<(f64, &Airline, &'static Airport)> = AIRLINES
        .iter()
        .flat_map(|airline| airline.hubs().iter().map(move |hub| (airline, hub)))
        .filter(|(_, hub)| **hub != origin.iata && **hub != destination.iata)
        .filter_map(|(airline, hub)| {
            let hub = atlas().airport(hub)?;
            let detour = origin.kilometres_to(hub) + hub.kilometres_to(destination);
            (detour <= straight * 1.5 + 400.0).then_some((detour, airline, hub))
        })
        .collect();
    ways.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.iata.cmp(b.1.iata)));
    ways.into_iter()
        .filter_map(|(_, airline, hub)| change_at(seed, airline, origin, hub, destination, date))
        .take(MAX_CONNECTING)
        .collect()
}

fn change_at(
    seed: u64,
    airline: &'static Airline,
    origin: &'static Airport,
    hub: &'static Airport,
    destination: &'static Airport,
    date: Date,
) -> Option<Vec<Flight>> {
    for first in of_airline(seed, airline, origin, hub, date) {
        let next_day = first.arrives.date().tomorrow().ok()?;
        let onward = [first.arrives.date(), next_day]
            .into_iter()
            .flat_map(|day| of_airline(seed, airline, hub, destination, day))
            .find(|second| CONNECTION.contains(&waiting(&first, second)));
        if let Some(second) = onward {
            return Some(vec![first, second]);
        }
    }
    None
}

/// Journeys with a change for every pair of airports of two cities, put together. A city with many
/// airports is not drowned in them: all pairs together give about as many as one.
pub(crate) fn of_all_pairs(pairs: Vec<Vec<Vec<Flight>>>) -> impl Iterator<Item = Vec<Flight>> {
    let each = MAX_CONNECTING.div_ceil(pairs.len().max(1));
    pairs
        .into_iter()
        .flat_map(move |pair| pair.into_iter().take(each))
}

/// Journeys of all slices put together, each with one airline throughout, none leaving before the one
/// before it has arrived.
pub(crate) fn combine(ways: &[Vec<Vec<Flight>>]) -> Vec<Vec<Vec<Flight>>> {
    let Some((first, rest)) = ways.split_first() else {
        return Vec::new();
    };
    let airline = |way: &[Flight]| way.first().map(|flight| flight.airline.iata);
    let follows = |before: &[Flight], way: &[Flight]| {
        let turn = before.last().zip(way.first());
        turn.is_some_and(|(lands, leaves)| waiting(lands, leaves) >= *CONNECTION.start())
    };
    let mut combined = Vec::new();
    for (turn, way) in first.iter().enumerate() {
        let mut journey = vec![way.clone()];
        for options in rest {
            let same: Vec<&Vec<Flight>> = options
                .iter()
                .filter(|option| airline(option) == airline(way))
                .filter(|option| journey.last().is_some_and(|before| follows(before, option)))
                .collect();
            // Another return flight for every outward one, so that the whole day is on sale.
            let chosen = same.get(turn % same.len().max(1)).copied();
            journey.extend(chosen.cloned());
        }
        if journey.len() == ways.len() {
            combined.push(journey);
        }
    }
    combined
}

/// Minutes between landing with `first` and leaving with `second`, at the same airport.
pub(crate) fn waiting(first: &Flight, second: &Flight) -> i64 {
    let instant = |local: DateTime| local.to_zoned(second.origin.time_zone());
    match (instant(first.arrives), instant(second.departs)) {
        (Ok(landed), Ok(leaves)) => leaves.duration_since(&landed).as_mins(),
        _ => 0,
    }
}

/// The same journey with a landing at `via` on the way, as Duffel's test route DXB→AMS has.
pub(crate) fn with_stop(flight: &Flight, via: &'static Airport) -> Option<Flight> {
    let first = block_minutes(flight.origin.kilometres_to(via));
    let second = block_minutes(via.kilometres_to(flight.destination));
    let start = flight
        .departs
        .to_zoned(flight.origin.time_zone())
        .ok()?
        .timestamp();
    let local = |minutes: i64, airport: &Airport| {
        let at = start.checked_add(SignedDuration::from_mins(minutes)).ok()?;
        Some(at.to_zoned(airport.time_zone()).datetime())
    };
    let minutes = first + STOP_MINUTES + second;
    Some(Flight {
        arrives: local(minutes, flight.destination)?,
        minutes,
        stop: Some(Stop {
            airport: via,
            arrives: local(first, via)?,
            departs: local(first + STOP_MINUTES, via)?,
            minutes: STOP_MINUTES,
        }),
        ..flight.clone()
    })
}

fn of_airline(
    seed: u64,
    airline: &'static Airline,
    origin: &'static Airport,
    destination: &'static Airport,
    date: Date,
) -> Vec<Flight> {
    let serves =
        airline.is_sandbox() || airline.is_hub(origin.iata) || airline.is_hub(destination.iata);
    let kilometres = origin.kilometres_to(destination);
    if !serves || origin.iata == destination.iata || kilometres > f64::from(airline.reach) {
        return Vec::new();
    }
    let route = format!("{}{}{}", airline.iata, origin.iata, destination.iata);
    let daily = if airline.is_sandbox() {
        2
    } else {
        between(seed, &route, 1, 3)
    };
    let mut flights: Vec<Flight> = (0..daily)
        .filter_map(|turn| {
            let key = format!("{route}{turn}");
            // Between 06:00 and 22:25, every five minutes: no clock in the world changes then.
            let minute = i64::try_from(360 + between(seed, &key, 0, 197) * 5).ok()?;
            let departs = date
                .to_datetime(Time::midnight())
                .checked_add(minute.minutes())
                .ok()?;
            let minutes = if airline.is_sandbox() {
                block_minutes(kilometres) + 3
            } else {
                block_minutes(kilometres)
            };
            let arrives = if airline.is_sandbox() {
                departs.checked_add(minutes.minutes()).ok()?
            } else {
                departs
                    .to_zoned(origin.time_zone())
                    .ok()?
                    .checked_add(minutes.minutes())
                    .ok()?
                    .with_time_zone(destination.time_zone())
                    .datetime()
            };
            Some(Flight {
                airline,
                number: 100 + draw(seed, &format!("number{key}")) % 9_000,
                origin,
                destination,
                departs,
                arrives,
                minutes,
                kilometres,
                stop: None,
            })
        })
        .collect();
    flights.sort_by_key(|flight| flight.departs);
    flights.dedup_by_key(|flight| flight.number);
    flights
}

/// The terminal that an airline uses at an airport; none where there is but one.
pub(crate) fn terminal(airport: &Airport, airline: &Airline) -> Option<String> {
    match between(0, &format!("{}{}", airport.iata, airline.iata), 0, 4) {
        0 => None,
        number => Some(number.to_string()),
    }
}

/// Gate to gate: 35 minutes on the ground and in climb, then 830 km/h, to the next five minutes.
#[allow(
    clippy::as_conversions,
    reason = "a distance on Earth divided by a speed is a small number"
)]
fn block_minutes(kilometres: f64) -> i64 {
    let minutes = 35.0 + kilometres * 60.0 / 830.0;
    (minutes / 5.0).ceil() as i64 * 5
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn airport(code: &str) -> &'static Airport {
        atlas().airport(code).unwrap()
    }

    #[test]
    fn heathrow_to_kennedy_has_seven_flights_of_six_airlines_on_any_day() {
        let mut day = date(2026, 11, 21);
        for _ in 0..330 {
            let flights = direct(7, airport("LHR"), airport("JFK"), day);
            let mut airlines: Vec<_> = flights.iter().map(|f| f.airline.iata).collect();
            airlines.sort_unstable();
            airlines.dedup();
            assert_eq!(airlines, ["AA", "B6", "BA", "DL", "VS", "ZZ"]);
            assert!(flights.len() >= 7);
            day = day.tomorrow().unwrap();
        }
    }

    #[test]
    fn a_duration_is_the_time_between_two_instants() {
        for (from, to) in [
            ("LHR", "JFK"),
            ("SYD", "LAX"),
            ("AKL", "SCL"),
            ("CMN", "JFK"),
        ] {
            for day in [date(2027, 3, 14), date(2027, 3, 28), date(2026, 10, 25)] {
                for flight in direct(7, airport(from), airport(to), day) {
                    let instant = |at: DateTime, place: &Airport| {
                        at.to_zoned(place.time_zone()).unwrap().timestamp()
                    };
                    let true_minutes = (instant(flight.arrives, flight.destination)
                        .duration_since(instant(flight.departs, flight.origin)))
                    .as_mins();
                    let naive = flight.arrives.duration_since(flight.departs).as_mins();
                    let stated = flight.minutes;
                    if flight.airline.is_sandbox() {
                        assert_eq!(naive, stated);
                    } else {
                        assert_eq!(true_minutes, stated, "{flight:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_change_leaves_an_hour_and_uses_the_same_airline() {
        let ways = connecting(7, airport("LHR"), airport("DXB"), date(2026, 12, 1));
        assert!(ways.len() >= 3);
        for way in ways {
            let [first, second] = way.as_slice() else {
                panic!("two flights")
            };
            assert_eq!(first.destination.iata, second.origin.iata);
            assert_eq!(first.airline.iata, second.airline.iata);
            assert!(waiting(first, second) >= 60);
        }
    }
}
