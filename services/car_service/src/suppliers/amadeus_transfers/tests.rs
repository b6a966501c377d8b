//! The adapter against the specifications' examples and a scripted wire, from bytes to bytes.

mod mutated;
mod ordering;
mod rules;
mod searching;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use supplier_client::Transport;
use supplier_client::scripted::ScriptedWire;
use supplier_platforms::amadeus::Amadeus;
use supplier_platforms::amadeus::records::Queue;
use travel_types::jiff::Timestamp;
use travel_types::{Clock, OrderId};
use vertical_kit::Timing;

use super::AmadeusTransfers;
use super::requests::OrderTerms;
use crate::CarSearch;
use crate::mapping::Trip;

const SEARCH: &str = "POST /v1/shopping/transfer-offers";
const ORDER: &str = "POST /v1/ordering/transfer-orders";
const RECORD: &str = "GET /v1/ordering/transfer-orders/by-reference";
const QUEUE: &str = "GET /v1/office/queues/30";
const CANCEL: &str = "POST /v1/ordering/transfer-orders/UVZTWlJJfERPRQ/transfers/cancellation";

/// Two days before the ride of the sample offer.
const NOW: &str = "2021-11-08T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// An example, whole.
fn example(name: &str) -> Value {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/suppliers/amadeus_transfers/fixtures"
    );
    serde_json::from_slice(&std::fs::read(format!("{folder}/{name}.json")).unwrap()).unwrap()
}

/// The example's offer.
fn sample() -> Value {
    example("search")["data"][0].take()
}

/// The example's offer with a price that adds up, from a provider that takes our orders.
fn fair() -> Value {
    let mut offer = sample();
    offer["quotation"]["monetaryAmount"] = json!("76.44");
    offer["methodsOfPaymentAccepted"] = json!(["CREDIT_CARD", "TRAVEL_ACCOUNT"]);
    offer["serviceProvider"]["settings"] = json!(["CVV_NUMBER_REQUIRED"]);
    offer
}

/// From Charles de Gaulle to the centre of Paris, as in the example.
fn paris() -> CarSearch {
    let place = travel_types::place("CDG").unwrap();
    CarSearch {
        pickup: place.clone(),
        dropoff: place,
        pickup_at: "2021-11-10T10:30:00".parse().unwrap(),
        dropoff_at: "2021-11-12T10:30:00".parse().unwrap(),
        ..crate::testing::search()
    }
}

fn trip() -> Trip {
    Trip::from(&paris())
}

fn handle(offer: &Value) -> Value {
    json!({
        "offer_id": offer["id"], "offer": offer.to_string(), "trip": trip(),
        "alive_until": "2021-11-08T12:15:00Z",
    })
}

/// An order of ours made now.
fn reference() -> OrderId {
    OrderId::new(&Clock::manual(now()))
}

/// The example's order with our reference in its note, and the price and time of [`fair`].
fn order_of(reference: OrderId) -> Value {
    let mut order = example("order");
    let transfer = &mut order["data"]["transfers"][0];
    transfer["note"] = json!(format!("INTERLINE {reference}"));
    transfer["quotation"]["monetaryAmount"] = json!("76.44");
    transfer["start"]["dateTime"] = json!("2021-11-10T10:30:00");
    order
}

fn adapter(wire: ScriptedWire) -> (AmadeusTransfers, Arc<ScriptedWire>, Clock) {
    let wire = Arc::new(wire);
    let transport: Arc<dyn Transport> = wire.clone();
    let clock = Clock::manual(now());
    let transfers = AmadeusTransfers::new(
        Amadeus::new(transport),
        clock.clone(),
        Timing {
            visibility_lag: Duration::from_secs(90),
            longest_processing: Duration::from_secs(120),
        },
        OrderTerms {
            payment_method: "TRAVEL_ACCOUNT".to_owned(),
            payment_reference: String::new(),
            queue: Queue {
                number: "30".to_owned(),
                category: "0".to_owned(),
            },
        },
        Duration::from_secs(900),
        Duration::from_secs(600),
    );
    (transfers, wire, clock)
}
