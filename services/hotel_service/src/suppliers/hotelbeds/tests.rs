//! The adapter against recorded bodies and a scripted wire, from bytes to bytes.

mod cancelling;
mod mutated;
mod ordering;
mod recorded;
mod searching;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use supplier_client::Transport;
use supplier_client::scripted::ScriptedWire;
use testkit::adapters::{cx, money, silent};
use travel_types::{Clock, OrderId};
use vertical_kit::{Found, OrderLookup, Searcher as _, Timing};

use super::requests::Limits;
use super::{Hotelbeds, errors};
use crate::{Area, Guests, HotelDetails, HotelSearch};

const SEARCH: &str = "POST /hotel-api/1.0/hotels";
const CHECK: &str = "POST /hotel-api/1.0/checkrates";
const BOOK: &str = "POST /hotel-api/1.2/bookings";
const DETAIL: &str = "GET /hotel-api/1.0/bookings/207-12306403";

/// An answer's bytes, as they were published.
fn bytes(name: &str) -> Vec<u8> {
    let folder = "src/suppliers/hotelbeds/fixtures";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .join(name);
    std::fs::read(path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn recorded(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap()
}

/// An adapter on the evening of the recorded search.
fn adapter(wire: ScriptedWire) -> (Hotelbeds, Arc<ScriptedWire>) {
    let wire = Arc::new(wire.classified(errors::classify));
    let transport: Arc<dyn Transport> = wire.clone();
    let hotelbeds = Hotelbeds {
        wire: transport,
        clock: Clock::manual("2024-02-23T20:30:45Z".parse().unwrap()),
        timing: Timing {
            visibility_lag: Duration::from_secs(90),
            longest_processing: Duration::from_secs(120),
        },
        booking_version: "1.2".to_owned(),
        search_by_destination: false,
        limits: Limits {
            max_hotels: 200,
            max_rates_per_room: 10,
        },
        rate_life: Duration::from_secs(1500),
    };
    (hotelbeds, wire)
}

fn reference() -> OrderId {
    OrderId::new(&Clock::manual("2024-02-23T20:31:00Z".parse().unwrap()))
}

fn guests(adults: u32, ages: &[u32]) -> Guests {
    Guests {
        adults,
        children_ages: ages.to_vec(),
    }
}

/// The recorded search: one adult in London for a night.
fn london(rooms: Vec<Guests>) -> HotelSearch {
    HotelSearch {
        area: Area {
            city: Some("LON".to_owned()),
            latitude: 51.5074,
            longitude: -0.1278,
            radius_km: 20.0,
        },
        check_in: "2024-04-02".parse().unwrap(),
        check_out: "2024-04-03".parse().unwrap(),
        rooms,
        currency: None,
        stars_min: None,
    }
}

/// What the adapter makes of an answer to a search.
async fn found(search: &HotelSearch, body: impl Into<::bytes::Bytes>) -> Found {
    let (hotelbeds, _) = adapter(ScriptedWire::new(vec![(SEARCH, 200, body)]));
    hotelbeds.search(&cx(), search).await.unwrap()
}

fn details(offer: &vertical_kit::SupplierOffer) -> HotelDetails {
    serde_json::from_value(offer.details.clone()).unwrap()
}

/// A hotel in London with these rates in one room type.
fn answer(rates: &[Value]) -> Value {
    json!({"auditData": {}, "hotels": {"checkIn": "2024-04-02", "checkOut": "2024-04-03", "total": 1,
        "hotels": [{"code": 6619, "name": "Millennium  Hotel", "categoryCode": "4EST",
            "categoryName": "4 STARS", "destinationCode": "LON", "destinationName": "London",
            "latitude": 51.499817, "longitude": -0.160167, "currency": "EUR",
            "rooms": [{"code": "DBL.ST", "name": "standard room", "rates": rates}]}]}})
}

/// A rate with changes to a plain one for one adult.
fn rate(changes: Value) -> Value {
    let mut rate = json!({"rateKey": "key", "rateClass": "NOR", "rateType": "BOOKABLE", "net": 212.4,
        "paymentType": "AT_WEB", "boardCode": "RO", "boardName": "ROOM ONLY", "rooms": 1, "adults": 1,
        "children": 0});
    for (key, value) in changes.as_object().unwrap() {
        rate[key] = value.clone();
    }
    rate
}

/// The handle of the only offer of one rate, for one adult.
async fn handle(changes: Value) -> Value {
    let body = answer(&[rate(changes)]).to_string();
    let mut found = found(&london(vec![guests(1, &[])]), body).await;
    assert_eq!((found.offers.len(), found.rejected.len()), (1, 0));
    found.offers.remove(0).handle
}

fn lookup(reference: OrderId, handle: Value) -> OrderLookup {
    OrderLookup {
        reference,
        handle,
        total: money("212.40", "EUR"),
    }
}

/// A booking for 212.40 EUR with our reference, and changes.
fn booking(reference: OrderId, changes: Value) -> Value {
    let mut body = recorded("booking.json");
    let booking = &mut body["booking"];
    booking["clientReference"] = json!(reference.compact(20));
    booking["currency"] = json!("EUR");
    booking["totalNet"] = json!(212.4);
    booking["hotel"]["totalNet"] = json!("212.40");
    booking["hotel"]["rooms"][0]["rates"][0]["net"] = json!("212.40");
    for (key, value) in changes.as_object().unwrap() {
        booking[key] = value.clone();
    }
    body
}

/// An error as Hotelbeds states it.
fn refusal(code: &str, message: &str) -> String {
    json!({"auditData": {}, "error": {"code": format!("{code}-99FD"), "message": message}})
        .to_string()
}
