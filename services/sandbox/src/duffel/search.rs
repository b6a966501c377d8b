//! Searching: `POST /air/offer_requests`, and reading its offers.

use std::sync::Arc;

use jiff::civil::{Date, Time};
use serde_json::{Value, json};

use super::offer::{self, FARES, Kind, Offer, Passenger, Segment, Slice};
use super::platform::{self, Answered, Params, Problem, created, ok, page};
use super::scenario::{self, Route};
use super::state::{Duffel, Request};
use super::wire;
use crate::airports::atlas;
use crate::answer::Answer;
use crate::cabin::Cabin;
use crate::flights::{self, Flight};
use crate::supplier::decimal;

/// Airlines publish their timetables about this far ahead.
const TIMETABLE_DAYS: i32 = 330;
/// No search answers with more offers than this.
const MAX_OFFERS: usize = 400;
/// The longest multi-city trip.
const MAX_SLICES: usize = 6;
/// By how much the price of the dearer-at-every-read route goes up.
const RAISE: i64 = 1_000;

struct Leg {
    origin: String,
    destination: String,
    date: Date,
    departure: Window,
    arrival: Window,
}

type Window = Option<(Time, Time)>;

/// `POST /air/offer_requests`.
pub(crate) fn create(duffel: &Duffel, query: Option<&str>, body: &Value) -> Answered {
    let params = Params::parse(query);
    let inline = params.flag("return_offers")?.unwrap_or(true);
    params.number("supplier_timeout", 2_000, 60_000)?;
    let data = body.get("data").ok_or_else(|| Problem::required("/data"))?;
    let now = duffel.office.clock.now();
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let legs = legs(data, today)?;
    let passengers = Arc::new(passengers(duffel, data)?);
    let cabin = match data.get("cabin_class") {
        None | Some(Value::Null) => None,
        Some(name) => Some(
            name.as_str()
                .and_then(Cabin::parse)
                .ok_or_else(|| Problem::inclusion("/cabin_class", &Cabin::NAMES))?,
        ),
    };
    let max_connections = match data.get("max_connections") {
        None | Some(Value::Null) => 1,
        Some(number) => number
            .as_u64()
            .filter(|number| *number <= 2)
            .ok_or_else(|| Problem::format("/max_connections", "must be 0, 1 or 2"))?,
    };
    let route = legs
        .first()
        .and_then(|leg| scenario::of_route(&leg.origin, &leg.destination));
    if route == Some(Route::SearchTimesOut) {
        return Err(Problem::gateway_timeout());
    }

    let id = duffel.ids.next("orq", now);
    let expires_at = whole_second(duffel.office.clock.after(duffel.office.offer_life));
    let ways: Vec<Vec<Vec<Flight>>> = legs
        .iter()
        .map(|leg| journeys(duffel, leg, max_connections, now))
        .collect();
    let cabin_sold = cabin.unwrap_or(Cabin::Economy);
    let mut offers = Vec::new();
    for flights in flights::combine(&ways) {
        let priced: Vec<(i64, i64)> = FARES
            .iter()
            .map(|fare| offer::price(duffel.office.seed, &flights, cabin_sold, fare, &passengers))
            .collect();
        let slices = Arc::new(with_ids(duffel, flights, now));
        for (fare, (base, tax)) in FARES.iter().zip(priced) {
            let offer = Offer {
                id: duffel.ids.next("off", now),
                request_id: id.clone(),
                passengers: Arc::clone(&passengers),
                slices: Arc::clone(&slices),
                cabin: cabin_sold,
                fare,
                currency: duffel.office.currency.clone(),
                base,
                tax,
                created_at: now,
                expires_at,
            };
            let left = |(item, seats): (String, u32)| duffel.office.inventory.show(&item) >= seats;
            if offer.units().into_iter().all(left) {
                offers.push(Arc::new(offer));
            }
        }
    }
    let most = if route == Some(Route::NoOffers) {
        0
    } else {
        MAX_OFFERS
    };
    offers.truncate(most);
    let request = Arc::new(Request {
        id,
        created_at: now,
        slices: legs.iter().map(|leg| leg_shown(leg, now)).collect(),
        cabin: cabin.map(Cabin::name),
        passengers,
        offers,
    });
    duffel.store().keep(Arc::clone(&request), expires_at, now);
    Ok(created(shown(duffel, &request, inline)))
}

fn with_ids(duffel: &Duffel, slices: Vec<Vec<Flight>>, now: jiff::Timestamp) -> Vec<Slice> {
    let segment = |flight| Segment {
        id: duffel.ids.next("seg", now),
        flight,
    };
    let slice = |flights: Vec<Flight>| Slice {
        id: duffel.ids.next("sli", now),
        segments: flights.into_iter().map(segment).collect(),
    };
    slices.into_iter().map(slice).collect()
}

/// `GET /air/offer_requests/{id}`.
pub(crate) fn show(duffel: &Duffel, id: &str) -> Answered {
    let request = duffel.store().requests.get(id).cloned();
    let request = request.ok_or_else(Problem::not_found)?;
    Ok(ok(shown(duffel, &request, true)))
}

/// `GET /air/offers?offer_request_id=…`.
pub(crate) fn offers(duffel: &Duffel, query: Option<&str>) -> Answered {
    let params = Params::parse(query);
    let id = params
        .get("offer_request_id")
        .ok_or_else(|| Problem::required("/offer_request_id"))?;
    let max_connections = params.number("max_connections", 0, 2)?;
    let store = duffel.store();
    let request = store.requests.get(id).ok_or_else(Problem::not_found)?;
    let mut offers: Vec<Arc<Offer>> = request
        .offers
        .iter()
        .filter(|offer| {
            let most = offer.slices.iter().map(|slice| slice.segments.len()).max();
            max_connections.is_none_or(|max| most.unwrap_or(0) <= max + 1)
        })
        .cloned()
        .collect();
    let price = |offer: &Arc<Offer>| offer.base + offer.tax + store.raised(&offer.id);
    match params.get("sort") {
        None => {}
        Some("total_amount") => offers.sort_by_key(price),
        Some("-total_amount") => offers.sort_by_key(|offer| std::cmp::Reverse(price(offer))),
        Some("total_duration") => offers.sort_by_key(|offer| wire::total_minutes(offer)),
        Some("-total_duration") => {
            offers.sort_by_key(|offer| std::cmp::Reverse(wire::total_minutes(offer)));
        }
        Some(_) => {
            return Err(Problem::inclusion(
                "/sort",
                &["total_amount", "total_duration"],
            ));
        }
    }
    let (shown, meta) = page(&params, &offers, |offer| &offer.id)?;
    let data: Vec<Value> = shown
        .iter()
        .map(|offer| wire::offer(offer, store.raised(&offer.id), false))
        .collect();
    Ok(Answer::json(
        http::StatusCode::OK,
        json!({ "data": data, "meta": meta }),
    ))
}

/// `GET /air/offers/{id}`.
pub(crate) fn offer(duffel: &Duffel, id: &str, query: Option<&str>) -> Answered {
    let with_services = Params::parse(query)
        .flag("return_available_services")?
        .unwrap_or(false);
    let (offer, raised) = read(duffel, id)?;
    Ok(ok(wire::offer(&offer, raised, with_services)))
}

/// `POST /air/offers/{id}/actions/price`.
pub(crate) fn price(duffel: &Duffel, id: &str, body: &Value) -> Answered {
    let data = body.get("data").ok_or_else(|| Problem::required("/data"))?;
    let methods = data.get("intended_payment_methods").cloned();
    let services = data.get("intended_services").cloned();
    let (offer, raised) = read(duffel, id)?;
    let extra = super::services::chosen(&offer, services.as_ref(), "/intended_services")?;
    let mut shown = wire::offer(&offer, raised, true);
    if let Some(map) = shown.as_object_mut() {
        let sum: i64 = extra.iter().map(|service| service.amount).sum();
        let total = decimal(offer.base + raised + offer.tax + sum);
        map.insert("total_amount".to_owned(), Value::from(total));
        let empty = || json!([]);
        map.insert(
            "intended_payment_methods".to_owned(),
            methods.unwrap_or_else(empty),
        );
        map.insert(
            "intended_services".to_owned(),
            services.unwrap_or_else(empty),
        );
    }
    Ok(ok(shown))
}

/// An offer that can still be ordered, as somebody asks for it now.
fn read(duffel: &Duffel, id: &str) -> Result<(Arc<Offer>, i64), Problem> {
    let mut store = duffel.store();
    let offer = store
        .offers
        .get(id)
        .cloned()
        .ok_or_else(Problem::not_found)?;
    let sold_out = |(item, seats): (String, u32)| duffel.office.inventory.show(&item) < seats;
    if duffel.office.clock.now() >= offer.expires_at
        || offer.scenario() == Some(Route::GoneOnRead)
        || offer.units().into_iter().any(sold_out)
    {
        return Err(Problem::offer_gone());
    }
    if offer.scenario() == Some(Route::DearerAtEveryRead) {
        store.raises.entry(id.to_owned()).or_default().by += RAISE;
    }
    let raised = store.raised(id);
    Ok((offer, raised))
}

fn shown(duffel: &Duffel, request: &Request, with_offers: bool) -> Value {
    let passengers: Vec<Value> = request.passengers.iter().map(wire::passenger).collect();
    let mut value = json!({
        "slices": request.slices,
        "passengers": passengers,
        "live_mode": false,
        "id": request.id,
        "created_at": platform::instant(request.created_at),
        "cabin_class": request.cabin,
    });
    if let Some(map) = value.as_object_mut().filter(|_| with_offers) {
        let store = duffel.store();
        let offers = request
            .offers
            .iter()
            .map(|offer| wire::offer(offer, store.raised(&offer.id), false));
        map.insert("offers".to_owned(), offers.collect());
    }
    value
}

fn leg_shown(leg: &Leg, now: jiff::Timestamp) -> Value {
    let place = |code: &str| match (atlas().airport(code), atlas().city(code)) {
        (Some(airport), _) => ("airport", wire::airport(airport)),
        (None, Some(city)) => ("city", wire::city(city)),
        (None, None) => ("airport", Value::Null),
    };
    let (origin_type, origin) = place(&leg.origin);
    let (destination_type, destination) = place(&leg.destination);
    json!({
        "origin_type": origin_type,
        "origin": origin,
        "destination_type": destination_type,
        "destination": destination,
        "departure_date": leg.date.to_string(),
        "created_at": platform::instant(now),
    })
}

fn legs(data: &Value, today: Date) -> Result<Vec<Leg>, Problem> {
    let slices = data
        .get("slices")
        .and_then(Value::as_array)
        .filter(|slices| !slices.is_empty())
        .ok_or_else(|| Problem::required("/slices"))?;
    if slices.len() > MAX_SLICES {
        let message = format!("can't be more than {MAX_SLICES}");
        return Err(Problem::format("/slices", &message));
    }
    let mut legs: Vec<Leg> = Vec::with_capacity(slices.len());
    for (index, slice) in slices.iter().enumerate() {
        let at = |name: &str| format!("/slices/{index}/{name}");
        let text = |name: &str| {
            slice
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .ok_or_else(|| Problem::required(&at(name)))
        };
        let place = |name: &str| {
            let code = text(name)?.to_ascii_uppercase();
            if atlas().airports_of(&code).is_empty() {
                return Err(Problem::format(&at(name), "must be a known IATA code"));
            }
            Ok(code)
        };
        let (origin, destination) = (place("origin")?, place("destination")?);
        if origin == destination {
            return Err(Problem::format(
                &at("destination"),
                "can't be the same as 'origin'",
            ));
        }
        let date: Date = text("departure_date")?.parse().map_err(|_| {
            Problem::format(&at("departure_date"), "must be a date such as 2026-12-01")
        })?;
        if date < today || legs.last().is_some_and(|before| date < before.date) {
            let message = "must not lie before today or the slice before";
            return Err(Problem::format(&at("departure_date"), message));
        }
        legs.push(Leg {
            origin,
            destination,
            date,
            departure: window(slice.get("departure_time"), &at("departure_time"))?,
            arrival: window(slice.get("arrival_time"), &at("arrival_time"))?,
        });
    }
    Ok(legs)
}

fn window(value: Option<&Value>, pointer: &str) -> Result<Window, Problem> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let time = |name: &str| value.get(name)?.as_str()?.parse::<Time>().ok();
    match (time("from"), time("to")) {
        (Some(from), Some(to)) => Ok(Some((from, to))),
        _ => Err(Problem::format(
            pointer,
            "must have 'from' and 'to' such as 09:00",
        )),
    }
}

fn passengers(duffel: &Duffel, data: &Value) -> Result<Vec<Passenger>, Problem> {
    let asked = data
        .get("passengers")
        .and_then(Value::as_array)
        .filter(|passengers| !passengers.is_empty())
        .ok_or_else(|| Problem::required("/passengers"))?;
    let mut passengers = Vec::with_capacity(asked.len());
    for (index, passenger) in asked.iter().enumerate() {
        let at = |name: &str| format!("/passengers/{index}/{name}");
        let age = match passenger.get("age") {
            None | Some(Value::Null) => None,
            Some(age) => Some(
                age.as_i64()
                    .filter(|age| (0..=130).contains(age))
                    .ok_or_else(|| Problem::format(&at("age"), "must be an age in years"))?,
            ),
        };
        let kind = match (passenger.get("type").and_then(Value::as_str), age) {
            (Some("adult"), _) => Kind::Adult,
            (Some("child"), _) => Kind::Child,
            (Some("infant_without_seat"), _) => Kind::Infant,
            (None, Some(..=1)) => Kind::Infant,
            (None, Some(2..=17)) => Kind::Child,
            (None, Some(_)) => Kind::Adult,
            (Some(_), _) => {
                let allowed = ["adult", "child", "infant_without_seat"];
                return Err(Problem::inclusion(&at("type"), &allowed));
            }
            (None, None) => return Err(Problem::required(&at("type"))),
        };
        passengers.push(Passenger {
            id: duffel.ids.next("pas", duffel.office.clock.now()),
            kind,
            age,
        });
    }
    let count = |kind: Kind| passengers.iter().filter(|p| p.kind == kind).count();
    if offer::seats(&passengers) > 9 {
        return Err(Problem::format("/passengers", "can't be more than 9"));
    }
    if count(Kind::Infant) > count(Kind::Adult) {
        let message = "can't have more infants than adults";
        return Err(Problem::format("/passengers", message));
    }
    Ok(passengers)
}

fn journeys(
    duffel: &Duffel,
    leg: &Leg,
    max_connections: u64,
    now: jiff::Timestamp,
) -> Vec<Vec<Flight>> {
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let ahead = today
        .until(leg.date)
        .map_or(i32::MAX, |span| span.get_days());
    if ahead > TIMETABLE_DAYS {
        return Vec::new();
    }
    let mut ways = Vec::new();
    let mut changing = Vec::new();
    for origin in atlas().airports_of(&leg.origin) {
        for destination in atlas().airports_of(&leg.destination) {
            let route = scenario::of_route(origin.iata, destination.iata);
            let direct = flights::direct(duffel.office.seed, origin, destination, leg.date);
            match route {
                Some(Route::ConnectingOnly) => {}
                Some(Route::StopInSegment) => ways.extend(
                    direct
                        .iter()
                        .filter(|flight| !flight.airline.is_sandbox())
                        .filter_map(|flight| flights::with_stop(flight, atlas().airport("IST")?))
                        .map(|flight| vec![flight]),
                ),
                _ => ways.extend(direct.into_iter().map(|flight| vec![flight])),
            }
            if max_connections > 0 && route != Some(Route::StopInSegment) {
                let change = flights::connecting(duffel.office.seed, origin, destination, leg.date);
                changing.push(change);
            }
        }
    }
    ways.extend(flights::of_all_pairs(changing));
    let inside =
        |window: Window, time: Time| window.is_none_or(|(from, to)| (from..=to).contains(&time));
    ways.retain(|way| {
        let departs = way.first().map(|flight| flight.departs.time());
        let arrives = way.last().map(|flight| flight.arrives.time());
        way.first().is_some_and(|flight| flight.leaves_after(now))
            && departs.is_some_and(|at| inside(leg.departure, at))
            && arrives.is_some_and(|at| inside(leg.arrival, at))
    });
    ways
}

fn whole_second(at: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at.as_second()).unwrap_or(at)
}
