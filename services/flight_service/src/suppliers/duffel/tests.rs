//! The adapter against recorded bodies and a scripted wire, from bytes to bytes.

mod cancelling;
mod mutated;
mod ordering;
mod recorded;
mod searching;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use supplier_client::Transport;
use supplier_client::scripted::ScriptedWire;
use supplier_platforms::duffel::{Duffel, TIMING};
use travel_types::OrderId;
use vertical_kit::OrderLookup;

use super::DuffelFlights;
use testkit::adapters::money;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/suppliers/duffel/fixtures")
}

/// A recorded body, byte for byte.
fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn recorded(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap()
}

/// The recorded offer: two flights with American Airlines for 351.30 GBP.
fn recorded_offer() -> Value {
    recorded("offers/show.json")["data"].take()
}

/// A recorded order with our reference in its metadata.
fn order_of(reference: OrderId) -> Value {
    let mut order = recorded("orders/show.json")["data"].take();
    order["metadata"] = json!({"interline_order_id": reference});
    order
}

fn adapter(wire: ScriptedWire) -> (DuffelFlights, Arc<ScriptedWire>) {
    let wire = Arc::new(wire);
    let transport: Arc<dyn Transport> = wire.clone();
    let duffel = DuffelFlights {
        platform: Duffel::new(transport, 5),
        timing: TIMING,
    };
    (duffel, wire)
}

fn lookup(reference: OrderId) -> OrderLookup {
    OrderLookup {
        reference,
        handle: json!({"offer_id": "off_1", "order_id": "ord_1"}),
        total: money("1016.15", "GBP"),
    }
}
