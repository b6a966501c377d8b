//! Programs that are killed without a warning, in the middle of what costs money.

use serde_json::json;
use testkit::{Settings, Stack};
use tokio::time::{Duration, Instant};

use crate::{DUFFEL_ALONE, fresh_offer, order_of, search_path, settled};

const SOON: Settings<'_> = &[
    DUFFEL_ALONE,
    ("flight_service", "order.deadline_ms", "1500"),
    ("flight_service", "settle.poll_ms", "50"),
    ("flight_service", "settle.first_ms", "100"),
    ("flight_service", "settle.abandoned_ms", "1500"),
    (
        "flight_service",
        "suppliers.duffel.visibility_lag_ms",
        "500",
    ),
    (
        "flight_service",
        "suppliers.duffel.longest_processing_ms",
        "2000",
    ),
];
const ORDERS: &str = "/api/v1/flights/orders";

/// Orders while the supplier is slow at `operation`, and kills the flight service meanwhile. Gives the
/// order's end and how many orders the supplier really has.
async fn killed_during(stack: &mut Stack, operation: &str) -> (String, usize) {
    let agent = stack.log_in("agent").await;
    let offer = fresh_offer(&agent, &search_path(60)).await;
    let order = order_of(&offer, "Earhart");
    let fault = json!({"operation": operation, "mode": "latency", "when": "after_commit", "latency_ms": 1200, "probability": 1});
    stack.fault("duffel", &fault).await;
    let ordering = agent.post_once("crash", ORDERS, &order);
    let answer = tokio::time::timeout(Duration::from_millis(500), ordering).await;
    assert!(answer.is_err(), "the supplier should still be at it");
    stack.kill("flight_service");
    stack.start_again("flight_service").await;
    stack.heal().await;
    let listed = agent.get(ORDERS).await;
    let id = listed.data()[0]["id"].as_str().unwrap().to_owned();
    let end = settled(&agent, &id).await;
    // Whoever repeats the key is told of this very order, and no other is made.
    let repeated = testkit::wait_until("the key's lease to end", async || {
        let repeated = agent.post_once("crash", ORDERS, &order).await;
        (repeated.code() != "IDEMPOTENCY_KEY_IN_USE").then_some(repeated)
    })
    .await;
    match end["status"].as_str().unwrap() {
        "confirmed" => assert_eq!(repeated.data()["id"], id.as_str(), "{}", repeated.text),
        _ => assert_eq!(repeated.status, 409, "{}", repeated.text),
    }
    let status = end["status"].as_str().unwrap().to_owned();
    (status, stack.journal().await.len())
}

#[tokio::test]
async fn a_service_killed_while_the_supplier_books_finds_its_order_again() {
    let mut stack = Stack::apart(SOON).await;
    assert_eq!(
        killed_during(&mut stack, "order").await,
        ("confirmed".to_owned(), 1)
    );
}

#[tokio::test]
async fn a_service_killed_before_anything_was_sent_gives_the_order_up() {
    let mut stack = Stack::apart(SOON).await;
    assert_eq!(
        killed_during(&mut stack, "price").await,
        ("failed".to_owned(), 0)
    );
}

#[tokio::test]
async fn the_one_process_killed_forgets_neither_orders_nor_keys_nor_accounts() {
    let mut stack = Stack::one_process(SOON).await;
    let agent = stack.log_in("agent").await;
    let offer = fresh_offer(&agent, &search_path(61)).await;
    let order = order_of(&offer, "Earhart");
    let placed = agent.post_once("kept", ORDERS, &order).await;
    assert_eq!(placed.status, 201, "{}", placed.text);
    stack.kill("interline");
    stack.start_again("interline").await;
    let agent = stack.log_in("agent").await;
    let again = agent.post_once("kept", ORDERS, &order).await;
    assert_eq!((again.status, &again.text), (201, &placed.text));
    let read = agent.get(placed.header("location")).await;
    assert_eq!(read.data(), placed.data());
    assert_eq!(stack.journal().await.len(), 1);
}

#[tokio::test]
async fn ctrl_c_ends_within_ten_seconds_though_a_supplier_hangs_and_the_order_is_settled_later() {
    let patient = ("flight_service", "order.deadline_ms", "30000");
    let mut stack = Stack::one_process(&[DUFFEL_ALONE, patient]).await;
    let agent = stack.log_in("agent").await;
    let offer = fresh_offer(&agent, &search_path(62)).await;
    let fault =
        json!({"operation": "order", "mode": "hang", "when": "after_commit", "probability": 1});
    stack.fault("duffel", &fault).await;
    let order = order_of(&offer, "Earhart");
    let ordering = agent.post_once("drained", ORDERS, &order);
    let answer = tokio::time::timeout(Duration::from_millis(700), ordering).await;
    assert!(answer.is_err(), "the supplier should still be at it");
    let began = Instant::now();
    let process = &mut stack.processes()[0];
    process.interrupt();
    assert!(process.ended().await.success());
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    stack.start_again("interline").await;
    let agent = stack.log_in("agent").await;
    let listed = agent.get(ORDERS).await;
    assert_eq!(listed.data()[0]["status"], "pending", "{}", listed.text);
    assert_eq!(stack.journal().await.len(), 1);
}
