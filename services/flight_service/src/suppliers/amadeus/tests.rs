//! The adapter against the specification's examples and a scripted wire, from bytes to bytes.

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
use supplier_platforms::amadeus::Amadeus;
use supplier_platforms::amadeus::records::Queue;
use travel_types::jiff::Timestamp;
use travel_types::{Clock, OrderId};
use vertical_kit::{OrderLookup, OrderRequest, SupplierOffer, Timing};

use super::known::Known;
use super::map;
use super::requests::Terms;
use super::{AmadeusFlights, wire};
use testkit::adapters::{money, traveller};

/// An example of the specification, byte for byte.
fn bytes(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/suppliers/amadeus/fixtures");
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn example(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap()
}

fn terms() -> Terms {
    Terms {
        queue: Queue {
            number: "30".to_owned(),
            category: "0".to_owned(),
        },
        ticketing: "DELAY_TO_CANCEL".to_owned(),
        delay: "6D".to_owned(),
    }
}

fn adapter(wire: ScriptedWire) -> (AmadeusFlights, Arc<ScriptedWire>) {
    let wire = Arc::new(wire);
    let transport: Arc<dyn Transport> = wire.clone();
    let amadeus = AmadeusFlights::new(
        Amadeus::new(transport),
        Clock::manual("2026-08-01T00:00:00Z".parse().unwrap()),
        Timing {
            visibility_lag: Duration::from_secs(90),
            longest_processing: Duration::from_secs(120),
        },
        terms(),
        100,
        Duration::from_secs(900),
    );
    (amadeus, wire)
}

/// An offer of an example, mapped.
fn mapped(offer: &Value) -> Result<SupplierOffer, String> {
    let raw = offer.to_string();
    map::offer(&raw, &Known::default(), false, Timestamp::MIN)
}

/// The offers of an example, wherever it has them.
fn offers_of(body: &Value) -> Vec<Value> {
    let data = &body["data"];
    let listed = data.get("flightOffers").unwrap_or(data);
    listed.as_array().unwrap().clone()
}

/// The specification's order: one adult, one child, one infant, 689.21 EUR.
fn order_body(reference: OrderId) -> Value {
    let mut body = example("order_created.json");
    body["data"]["remarks"] = json!({"general": [
        {"subType": "GENERAL_MISCELLANEOUS", "text": reference}
    ]});
    body
}

/// An order from the specification's order example: an adult and a child for 8514.96 USD.
fn new_order(reference: OrderId) -> OrderRequest {
    let offer = offers_of(&example("order_request.json")).remove(0);
    let offer = mapped(&offer).unwrap();
    OrderRequest {
        reference,
        handle: offer.handle,
        total: money("8514.96", "USD"),
        travellers: vec![
            traveller(
                json!({"given_name": "Adriana", "born_on": "2012-10-11", "gender": "female"}),
            ),
            traveller(
                json!({"title": "mr", "email": "own@example.com", "phone": "+15550100", "documents": [
                    {"type": "passport", "number": "P1", "issuing_country": "ES", "expires_on": "2030-01-01"}
                ]}),
            ),
        ],
        contact: serde_json::from_value(
            json!({"email": "a@example.com", "phone": "+442080160509"}),
        )
        .unwrap(),
    }
}

/// An order that was placed.
fn lookup(reference: OrderId) -> OrderLookup {
    OrderLookup {
        reference,
        handle: json!({
            "order_id": "eJzT=/1", "locator": "QVH2BX", "departure_day": "2026-09-01"
        }),
        total: money("689.21", "EUR"),
    }
}

/// An order whose answer was lost.
fn lost(reference: OrderId) -> OrderLookup {
    OrderLookup {
        handle: new_order(reference).handle,
        ..lookup(reference)
    }
}

fn read_order(body: &Value) -> Result<wire::Order, String> {
    serde_json::from_value(body.clone()).map_err(|error| error.to_string())
}
