//! The adapter against the library's sample bodies and a scripted wire, from bytes to bytes.

mod cancelling;
mod mutated;
mod ordering;
mod searching;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use supplier_client::Transport;
use supplier_client::scripted::ScriptedWire;
use supplier_platforms::duffel::{Duffel, TIMING};
use travel_types::{Clock, OrderId, Place};

use super::DuffelCars;
use super::map::Shown;
use crate::CarSearch;
use crate::mapping::Trip;

const QUOTES: &str = "POST /cars/quotes";
const ORDER: &str = "POST /cars/bookings";
const LIST: &str = "GET /cars/bookings";
const BOOKING: &str = "GET /cars/bookings/boo_0000Cx4Af0b5l45AT50eqO";
const CANCEL: &str = "POST /cars/bookings/boo_0000Cx4Af0b5l45AT50eqO/actions/cancel";

const SHOWN: Shown = Shown {
    radius_km: 10,
    has_card: false,
};

/// A sample's object.
fn sample(name: &str) -> Value {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/suppliers/duffel_cars/fixtures"
    );
    let text = std::fs::read(format!("{folder}/{name}.json")).unwrap();
    serde_json::from_slice::<Value>(&text).unwrap()["data"].take()
}

fn rate() -> Value {
    sample("search")["rates"][0].take()
}

/// The sample's booking with our reference.
fn booking_of(reference: OrderId) -> Value {
    let mut booking = sample("booking");
    booking["metadata"] = json!({ "interline_order_id": reference });
    booking
}

fn wrapped(data: &Value) -> String {
    json!({ "data": data }).to_string()
}

/// The sample's search: Henderson Island, in Pitcairn's zone (UTC−8).
fn henderson() -> CarSearch {
    let place = Place {
        kind: "airport".to_owned(),
        iata_code: "ZZZ".to_owned(),
        name: "Henderson Island".to_owned(),
        city: "Henderson Island".to_owned(),
        country: "GB".to_owned(),
        latitude: -24.38,
        longitude: -128.32,
        time_zone: "Pacific/Pitcairn".to_owned(),
    };
    CarSearch {
        pickup: place.clone(),
        dropoff: place,
        ..crate::testing::search()
    }
}

fn trip() -> Trip {
    Trip::from(&henderson())
}

/// What is remembered of the sample's quote.
fn quoted() -> Value {
    json!({
        "rate_id": "rae_0000B4gHZfFvCNgBj3EIaX", "trip": trip(),
        "quote_id": "qut_0000Bx4Af0b5l45AT50eqO", "payment_type": "postpaid",
        "quoted": {"amount": "101.34", "currency": "GBP"},
    })
}

/// What is remembered of the sample's booking.
fn booked() -> Value {
    let mut handle = quoted();
    handle["booking_id"] = json!("boo_0000Cx4Af0b5l45AT50eqO");
    handle
}

/// Two months before the sample's rental.
fn adapter(wire: ScriptedWire) -> (DuffelCars, Arc<ScriptedWire>, Clock) {
    let wire = Arc::new(wire);
    let transport: Arc<dyn Transport> = wire.clone();
    let clock = Clock::manual("2026-03-27T11:00:00Z".parse().unwrap());
    let cars = DuffelCars {
        platform: Duffel::new(transport, 3),
        clock: clock.clone(),
        timing: TIMING,
        radius_km: 10,
        card_id: String::new(),
        quote_life: Duration::from_secs(900),
    };
    (cars, wire, clock)
}
