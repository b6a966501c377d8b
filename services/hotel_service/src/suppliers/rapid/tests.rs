//! The adapter against the specification's examples and a scripted wire, from bytes to bytes.

mod cancelling;
mod examples;
mod mutated;
mod ordering;
mod searching;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use caching::{Cache, CacheOptions};
use jiff::civil::date;
use serde_json::{Value, json};
use supplier_client::Transport;
use supplier_client::scripted::ScriptedWire;
use testkit::adapters::{cx, money};
use travel_types::{Clock, OrderId};
use vertical_kit::{Found, OrderLookup, SupplierOffer, Timing};

use super::map::Reading;
use super::{Rapid, Terms, wire};
use crate::model::{Area, Guests, HotelSearch};

/// Before the penalty of the examples begins.
const EARLY: &str = "2018-02-01T00:00:00Z";

/// An example, byte for byte.
fn bytes(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/suppliers/rapid/fixtures");
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn example(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap()
}

/// All examples of a folder that are answers of success, by name.
fn examples_of(folder: &str) -> Vec<(String, Value)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/suppliers/rapid/fixtures");
    let mut names: Vec<String> = std::fs::read_dir(path.join(folder))
        .unwrap()
        .map(|entry| format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| (name.clone(), example(&name)))
        .collect()
}

fn clock(now: &str) -> Clock {
    Clock::manual(now.parse().unwrap())
}

fn adapter_at(now: &str, hold: bool, wire: ScriptedWire) -> (Rapid, Arc<ScriptedWire>) {
    let wire = Arc::new(wire);
    let transport: Arc<dyn Transport> = wire.clone();
    let rapid = Rapid {
        wire: transport,
        timing: Timing {
            visibility_lag: Duration::from_secs(180),
            longest_processing: Duration::from_secs(120),
        },
        terms: Terms {
            test: String::new(),
            customer_ip: "192.0.2.1".to_owned(),
            booking_email: "seller@example.com".to_owned(),
            currency: "USD".to_owned(),
            country_code: "US".to_owned(),
            language: "en-US".to_owned(),
            sales_channel: "website".to_owned(),
            sales_environment: "hotel_only".to_owned(),
            rate_plan_count: 4,
            rates_per_room: 4,
            max_properties: 500,
            content_life: Duration::from_secs(3600),
            hold,
            billing: serde_json::from_value(json!({
                "given_name": "A", "family_name": "B",
                "address": {"line_1": "1 St", "city": "Seattle", "state_province_code": "WA",
                    "postal_code": "98121", "country_code": "US"}
            }))
            .unwrap(),
        },
        contents: Cache::open(&CacheOptions::new("memory:", "rapid")).unwrap(),
        clock: clock(now),
    };
    (rapid, wire)
}

fn adapter(wire: ScriptedWire) -> (Rapid, Arc<ScriptedWire>) {
    adapter_at(EARLY, false, wire)
}

fn guests(adults: u32, children_ages: &[u32]) -> Guests {
    Guests {
        adults,
        children_ages: children_ages.to_vec(),
    }
}

fn search(rooms: Vec<Guests>) -> HotelSearch {
    HotelSearch {
        area: Area {
            city: Some("SGF".to_owned()),
            latitude: 37.2,
            longitude: -93.3,
            radius_km: 20.0,
        },
        check_in: date(2026, 12, 1),
        check_out: date(2026, 12, 3),
        rooms,
        currency: None,
        stars_min: None,
    }
}

/// What the answer of an availability call is made into at an instant.
fn read_at(now: &str, answer: &Value, search: &HotelSearch) -> Found {
    let reading = Reading {
        search,
        zone: None,
        now: now.parse().unwrap(),
        rates_per_room: 4,
    };
    let text = answer.to_string();
    let properties: Vec<wire::Raw> = serde_json::from_str(&text).unwrap();
    let mut found = Found::default();
    for raw in &properties {
        reading.add(raw, |_| None, &mut found);
    }
    found
}

/// The example's rate for one room of two.
fn offer_of_two() -> SupplierOffer {
    let answer = example("availability/200_availability.json");
    let mut found = read_at(EARLY, &answer, &search(vec![guests(2, &[])]));
    assert_eq!(found.rejected, Vec::<String>::new());
    found.offers.remove(0)
}

/// The handle of an order that was made from the example's rate.
fn order_handle() -> Value {
    let mut handle = offer_of_two().handle;
    handle["itinerary_id"] = json!("8999989898988");
    handle["retrieve"] = json!("/v3/itineraries/8999989898988?token=abc");
    handle
}

fn lookup(handle: Value) -> OrderLookup {
    OrderLookup {
        reference: reference(),
        handle,
        total: money("702.00", "CAD"),
    }
}

/// Our reference, the same in every test.
fn reference() -> OrderId {
    "ord_0197f2b0c1a47d0e8f3a5b6c7d8e9f00".parse().unwrap()
}
