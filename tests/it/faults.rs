//! Suppliers that commit and then fail to say so, suppliers that are down, and what callers are told.

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Value, json};
use testkit::{Client, Settings, Stack};
use tokio::time::{Duration, Instant};

use crate::{DUFFEL_ALONE, fresh_offer, in_both_sizes, order_of, search_path, settled};

/// Times shortened, so that a lost answer is told as pending soon and asked about soon.
const SOON: Settings<'_> = &[
    DUFFEL_ALONE,
    ("flight_service", "order.deadline_ms", "1500"),
    ("flight_service", "settle.poll_ms", "50"),
    ("flight_service", "settle.first_ms", "100"),
    ("flight_service", "settle.longest_ms", "400"),
    (
        "flight_service",
        "suppliers.duffel.visibility_lag_ms",
        "3000",
    ),
    (
        "flight_service",
        "suppliers.duffel.longest_processing_ms",
        "4000",
    ),
];
const ORDERS: usize = 50;
const AT_ONCE: usize = 8;

/// Places one order of an offer of its own; gives its status and id.
async fn place(agent: &Client, mode: &str, index: usize) -> (u16, String) {
    let ahead = 10 + i64::try_from(index).unwrap();
    let offer = fresh_offer(agent, &search_path(ahead)).await;
    let key = format!("{mode}-{index}");
    let order = order_of(&offer, "Earhart");
    let placed = agent
        .post_once(&key, "/api/v1/flights/orders", &order)
        .await;
    assert!(
        matches!(placed.status, 201 | 202),
        "{mode}: {}",
        placed.text
    );
    if placed.status == 202 {
        assert_eq!(placed.data()["status"], "pending");
        assert!(!placed.header("location").is_empty());
    }
    let again = agent
        .post_once(&key, "/api/v1/flights/orders", &order)
        .await;
    assert_eq!((again.status, &again.text), (placed.status, &placed.text));
    assert_eq!(again.header("idempotent-replayed"), "true");
    let id = placed.data()["id"].as_str().unwrap();
    (placed.status, id.to_owned())
}

async fn fifty_orders(stack: &Stack, mode: &str, faults: &[Value]) {
    let agent = stack.log_in("agent").await;
    stack
        .client("sandbox")
        .send("POST", "/_control/reset", None)
        .await;
    for fault in faults {
        stack.fault("duffel", fault).await;
    }
    let placed: Vec<(u16, String)> = stream::iter(0..ORDERS)
        .map(|index| place(&agent, mode, index))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    for (_, id) in &placed {
        let order = settled(&agent, id).await;
        assert_eq!(order["status"], "confirmed", "{mode}: {order}");
        assert!(
            order["supplier_reference"]
                .as_str()
                .is_some_and(|r| !r.is_empty())
        );
    }
    stack.heal().await;
    let journal = stack.journal().await;
    assert_eq!(journal.len(), ORDERS, "{mode}");
    let mut references: Vec<&str> = journal
        .iter()
        .map(|line| line["client_reference"].as_str().unwrap())
        .collect();
    references.sort_unstable();
    references.dedup();
    assert_eq!(
        references.len(),
        ORDERS,
        "{mode}: an order was placed twice"
    );
    let pending = placed.iter().filter(|(status, _)| *status == 202).count();
    println!(
        "{mode}: {ORDERS} orders, {pending} answered 202, all confirmed, {ORDERS} in the journal"
    );
}

/// The ways in which a supplier commits and then fails to say so.
const LOST_ANSWERS: [&str; 6] = [
    "hang",
    "reset",
    "error_500",
    "html",
    "truncated",
    "missing_key",
];

async fn lost_answers(stack: Stack) {
    for mode in LOST_ANSWERS {
        let fault =
            json!({"operation": "order", "mode": mode, "when": "after_commit", "probability": 1});
        fifty_orders(&stack, mode, &[fault]).await;
    }
}

// Two tests, because each takes a while and they can run side by side.
#[tokio::test]
async fn an_order_whose_answer_is_lost_is_neither_failed_nor_doubled_in_one_process() {
    lost_answers(Stack::one_process(SOON).await).await;
}

#[tokio::test]
async fn an_order_whose_answer_is_lost_is_neither_failed_nor_doubled_apart() {
    lost_answers(Stack::apart(SOON).await).await;
}

#[tokio::test]
async fn an_order_that_the_supplier_shows_late_is_waited_for() {
    in_both_sizes(SOON, async |stack| {
        let faults = [
            json!({"operation": "order", "mode": "late_visibility", "latency_ms": 1200, "probability": 1}),
            json!({"operation": "order", "mode": "error_500", "when": "after_commit", "probability": 1}),
        ];
        fifty_orders(&stack, "late_visibility", &faults).await;
    })
    .await;
}

#[tokio::test]
async fn an_order_that_was_lost_before_the_supplier_had_it_fails_once_that_is_sure() {
    in_both_sizes(SOON, async |stack| {
        let agent = stack.log_in("agent").await;
        let fault =
            json!({"operation": "order", "mode": "error_500", "when": "before", "probability": 1});
        stack.fault("duffel", &fault).await;
        let offer = fresh_offer(&agent, &search_path(40)).await;
        let order = order_of(&offer, "Earhart");
        let placed = agent
            .post_once("lost", "/api/v1/flights/orders", &order)
            .await;
        assert_eq!(placed.status, 202, "{}", placed.text);
        let order = settled(&agent, placed.data()["id"].as_str().unwrap()).await;
        assert_eq!(order["status"], "failed");
        assert_eq!(order["failure"], "NOT_ORDERED");
        assert!(stack.journal().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_cancellation_whose_answer_is_lost_settles_as_what_really_happened() {
    in_both_sizes(SOON, async |stack| {
        let agent = stack.log_in("agent").await;
        for mode in LOST_ANSWERS {
            let offer = fresh_offer(&agent, &search_path(41)).await;
            let order = order_of(&offer, "Earhart");
            let placed = agent.post_once(mode, "/api/v1/flights/orders", &order).await;
            assert_eq!(placed.status, 201, "{}", placed.text);
            let path = placed.header("location").to_owned();
            let quote = agent.send("POST", &format!("{path}/cancellations"), None).await;
            let cancellation = quote.data()["id"].as_str().unwrap();
            let fault = json!({"operation": "cancel", "mode": mode, "when": "after_commit", "probability": 1});
            stack.fault("duffel", &fault).await;
            let confirm = format!("/api/v1/flights/cancellations/{cancellation}/confirm");
            let keyed = agent.clone().with("idempotency-key", &format!("cancel-{mode}"));
            let done = keyed.send("POST", &confirm, None).await;
            assert!(matches!(done.status, 200 | 202), "{mode}: {}", done.text);
            stack.heal().await;
            testkit::wait_until("the cancellation", async || {
                let order = agent.get(&path).await;
                (order.data()["status"] == "cancelled").then_some(())
            })
            .await;
        }
        let journal = stack.journal().await;
        let cancels = journal.iter().filter(|line| line["kind"] == "cancel").count();
        assert_eq!((journal.len(), cancels), (12, 6));
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_stop_an_order_half_way() {
    in_both_sizes(SOON, async |stack| {
        let agent = stack.log_in("agent").await;
        let fault =
            json!({"operation": "order", "mode": "latency", "latency_ms": 700, "probability": 1});
        stack.fault("duffel", &fault).await;
        let offer = fresh_offer(&agent, &search_path(42)).await;
        let order = order_of(&offer, "Earhart");
        let impatient = agent.post_once("gone", "/api/v1/flights/orders", &order);
        let left = tokio::time::timeout(Duration::from_millis(300), impatient).await;
        assert!(left.is_err(), "the caller should have left");
        // The same key, again and again, until the first attempt has an answer.
        let answer = testkit::wait_until("the first attempt's answer", async || {
            let again = agent
                .post_once("gone", "/api/v1/flights/orders", &order)
                .await;
            assert!(matches!(again.status, 201 | 409), "{}", again.text);
            (again.status == 201).then_some(again)
        })
        .await;
        assert_eq!(answer.header("idempotent-replayed"), "true");
        assert_eq!(stack.journal().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_supplier_that_is_down_is_told_in_time_and_without_internals() {
    in_both_sizes(&[DUFFEL_ALONE], async |stack| {
        let traveller = stack.log_in("traveller").await;
        let offer = fresh_offer(&traveller, &search_path(43)).await;
        for mode in ["down", "error_503", "html", "truncated", "hang", "reset"] {
            let fault = json!({"mode": mode, "when": "before", "probability": 1});
            stack.fault("duffel", &fault).await;
            for path in [search_path(43), format!("/api/v1/flights/offers/{offer}")] {
                let began = Instant::now();
                let answer = traveller.get(&path).await;
                assert!(
                    matches!(answer.status, 502 | 504),
                    "{mode}: {}",
                    answer.text
                );
                assert!(
                    began.elapsed() < Duration::from_secs(6),
                    "{mode}: {:?}",
                    began.elapsed()
                );
                for inner in [
                    "127.0.0.1",
                    "8090",
                    "connect",
                    "hyper",
                    "reqwest",
                    "/air/",
                    "http://",
                ] {
                    assert!(!answer.text.contains(inner), "{mode}: {}", answer.text);
                }
                assert_eq!(answer.body["status"], "error");
                assert_eq!(
                    answer.body["meta"]["request_id"],
                    answer.header("x-request-id")
                );
            }
            stack.heal().await;
        }
        // The breaker closes within seconds of the healing.
        testkit::wait_until("a search that works again", async || {
            (traveller.get(&search_path(43)).await.status == 200).then_some(())
        })
        .await;
    })
    .await;
}
