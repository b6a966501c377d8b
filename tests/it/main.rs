//! The system as the outside sees it. Each story runs against both sizes: the one process on SQLite, and
//! every service as a program of its own with PostgreSQL and Redis.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test unwraps it asserts, and its counts are worth reading"
)]

mod accounts;
mod architecture;
mod canaries;
mod command;
mod contract;
mod crashes;
mod credentials;
mod deployment;
mod erasure;
mod faults;
mod isolation;
mod matrix;
mod refusals;
mod revoked;
mod sellers;
mod trip;

use testkit::{Client, Stack};
use travel_types::Clock;
use travel_types::jiff::{ToSpan as _, tz::TimeZone};

/// Leaves Duffel alone among the suppliers of flights, for stories about its own outcomes.
const DUFFEL_ALONE: (&str, &str, &str) = ("flight_service", "suppliers.amadeus.enabled", "false");

/// A day that airlines sell, this many days ahead.
fn day(ahead: i64) -> String {
    let today = Clock::system().now().to_zoned(TimeZone::UTC).date();
    today.saturating_add(ahead.days()).to_string()
}

/// A search from London Heathrow to New York for one adult.
fn search_path(ahead: i64) -> String {
    format!(
        "/api/v1/flights/offers?origin=LHR&destination=JFK&departure_date={}&adults=1",
        day(ahead)
    )
}

/// The id of the cheapest offer of a fresh search.
async fn fresh_offer(caller: &Client, path: &str) -> String {
    let found = caller.get(path).await;
    assert_eq!(found.status, 200, "{}", found.text);
    found.data()[0]["id"].as_str().expect("an offer").to_owned()
}

/// An order for one adult of this family name.
fn order_of(offer: &str, family_name: &str) -> serde_json::Value {
    serde_json::json!({
        "offer_id": offer,
        "travellers": [{
            "title": "ms", "given_name": "Amelia", "family_name": family_name,
            "born_on": "1987-07-24", "gender": "female",
        }],
        "contact": {"email": "amelia@example.com", "phone": "+442080160509"},
    })
}

/// Waits until an order is no longer pending, and gives it.
async fn settled(agent: &Client, order: &str) -> serde_json::Value {
    let path = format!("/api/v1/flights/orders/{order}");
    testkit::wait_until("the order to settle", async || {
        let answer = agent.get(&path).await;
        (answer.data()["status"] != "pending").then(|| answer.data().clone())
    })
    .await
}

/// Both sizes, one after the other.
async fn in_both_sizes(settings: testkit::Settings<'_>, story: impl AsyncFn(Stack)) {
    story(Stack::one_process(settings).await).await;
    story(Stack::apart(settings).await).await;
}
