//! Searching, by GET and by POST.

use std::collections::HashMap;
use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::Flights;
use super::criteria::{Criteria, Leg};
use super::offer::{self, FARES, Itinerary, Offer, Segment};
use super::scenario::{self, Route};
use super::wire::{self, Step};
use crate::airports::atlas;
use crate::amadeus::platform::{Answered, Problem, insert};
use crate::answer::Answer;
use crate::duffel;
use crate::flights::{self, Flight};
use crate::supplier::hundredths;

/// The address that the real one gives its answers.
const SELF: &str = "https://test.api.amadeus.com/v2/shopping/flight-offers";
/// A search numbers its segments from a multiple of this on, so that two searches give no two offers
/// that cannot be told apart.
const STRIDE: u64 = 10_000;

/// `GET /v2/shopping/flight-offers`.
pub(crate) fn by_query(flights: &Flights, query: Option<&str>) -> Answered {
    let criteria = Criteria::of_query(query, today(flights))?;
    let mut body = search(flights, &criteria)?;
    if let Some(meta) = body.get_mut("meta") {
        let address = format!("{SELF}?{}", query.unwrap_or_default());
        insert(meta, "links", json!({ "self": address }));
    }
    Ok(Answer::json(StatusCode::OK, body))
}

/// `POST /v2/shopping/flight-offers`.
pub(crate) fn by_body(flights: &Flights, body: &Value) -> Answered {
    let criteria = Criteria::of_body(body, today(flights))?;
    Ok(Answer::json(StatusCode::OK, search(flights, &criteria)?))
}

fn today(flights: &Flights) -> Date {
    let now = flights.platform.office.clock.now();
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn search(flights: &Flights, criteria: &Criteria) -> Result<Value, Problem> {
    let office = &flights.platform.office;
    let now = office.clock.now();
    let first = criteria.legs.first();
    let route = first.and_then(|leg| scenario::of_route(&leg.origin, &leg.destination));
    if route == Some(Route::SearchFails) {
        return Err(Problem::internal());
    }
    let ways: Vec<Vec<Vec<Flight>>> = criteria
        .legs
        .iter()
        .map(|leg| journeys(flights, criteria, leg, now))
        .collect();
    let mut ids = SegmentIds {
        first: flights.next_search() * STRIDE,
        given: HashMap::new(),
    };
    let travelers = Arc::new(criteria.travelers.clone());
    let seats = offer::seats(&travelers);
    let mut offers = Vec::new();
    for journey in flights::combine(&ways) {
        let itineraries: Vec<Itinerary> = (journey.into_iter())
            .map(|way| way.into_iter().map(|flight| ids.segment(flight)).collect())
            .collect();
        let left = itineraries
            .iter()
            .flatten()
            .map(|segment| {
                office
                    .inventory
                    .show(&segment.flight.item(criteria.cabin.name()))
            })
            .min();
        let bookable = left.unwrap_or(0).min(9);
        if bookable < seats || route == Some(Route::NoOffers) {
            continue;
        }
        let itineraries = Arc::new(itineraries);
        for fare in FARES
            .iter()
            .filter(|fare| fare.bags > 0 || !criteria.bags_only)
        {
            let prices = offer::prices(office.seed, &itineraries, criteria.cabin, fare, &travelers);
            offers.push(Offer {
                id: String::new(),
                itineraries: Arc::clone(&itineraries),
                travelers: Arc::clone(&travelers),
                cabin: criteria.cabin,
                fare,
                currency: office.currency.clone(),
                prices,
                bookable,
                offered_at: now,
            });
        }
    }
    if let Some(most) = criteria.max_price {
        let most = hundredths(&most.to_string()).unwrap_or(i64::MAX);
        offers.retain(|offer| offer.dearest() <= most);
    }
    offers.sort_by_key(Offer::total);
    offers.truncate(usize::try_from(criteria.max).unwrap_or(usize::MAX));
    let offers: Vec<Arc<Offer>> = offers
        .into_iter()
        .zip(1_u32..)
        .map(|(offer, rank)| {
            Arc::new(Offer {
                id: rank.to_string(),
                ..offer
            })
        })
        .collect();
    let data: Vec<Value> = offers
        .iter()
        .map(|offer| wire::offer(offer, 0, Step::Search))
        .collect();
    flights.store().keep(&offers, &data, office.offer_life, now);
    let mut body = json!({ "meta": { "count": data.len() }, "data": data });
    if !offers.is_empty() {
        let all = offers.iter().map(AsRef::as_ref);
        let dictionaries = wire::dictionaries(all, &office.currency, Step::Search);
        insert(&mut body, "dictionaries", dictionaries);
    }
    Ok(body)
}

/// Numbers the flights of one search.
struct SegmentIds {
    first: u64,
    given: HashMap<String, u64>,
}

impl SegmentIds {
    fn segment(&mut self, flight: Flight) -> Segment {
        let next = self.first + u64::try_from(self.given.len()).unwrap_or(0) + 1;
        // An airline may fly one number on several routes.
        let key = flight.item(flight.origin.iata);
        let id = *self.given.entry(key).or_insert(next);
        Segment {
            id: id.to_string(),
            flight,
        }
    }
}

/// The ways of one direction that the buyer would take. Duffel's documented test routes have their
/// outcomes with Duffel alone.
fn journeys(flights: &Flights, criteria: &Criteria, leg: &Leg, now: Timestamp) -> Vec<Vec<Flight>> {
    if duffel::scenario::of_route(&leg.origin, &leg.destination).is_some() {
        return Vec::new();
    }
    let seed = flights.platform.office.seed;
    let mut ways = Vec::new();
    let mut changing = Vec::new();
    for origin in atlas().airports_of(&leg.origin) {
        for destination in atlas().airports_of(&leg.destination) {
            let direct = flights::direct(seed, origin, destination, leg.date);
            ways.extend(direct.into_iter().map(|flight| vec![flight]));
            if !criteria.non_stop {
                changing.push(flights::connecting(seed, origin, destination, leg.date));
            }
        }
    }
    ways.extend(flights::of_all_pairs(changing));
    ways.retain(|way| {
        way.iter().all(|flight| sells(criteria, flight))
            && way.first().is_some_and(|flight| flight.leaves_after(now))
            && leaves_in_time(leg, way)
    });
    ways
}

/// Amadeus does not sell the sandbox airline of another supplier.
fn sells(criteria: &Criteria, flight: &Flight) -> bool {
    let named = |codes: &[String]| codes.iter().any(|code| code == flight.airline.iata);
    !flight.airline.is_sandbox()
        && (criteria.included.is_empty() || named(&criteria.included))
        && !named(&criteria.excluded)
}

fn leaves_in_time(leg: &Leg, way: &[Flight]) -> bool {
    let Some((time, hours)) = leg.around else {
        return true;
    };
    let departs = way.first().map(|flight| flight.departs.time());
    departs.is_some_and(|at| at.duration_since(time).abs().as_mins() <= hours * 60)
}
