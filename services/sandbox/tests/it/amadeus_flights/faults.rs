//! What is kept when many buy at once, the process ends or an answer is lost.

use std::sync::Arc;
use std::time::Duration;

use sandbox::Options;
use serde_json::{Value, json};

use super::{ORDERS, QUEUE, item, order_body};
use crate::amadeus::{Amadeus, encoded, error};
use reqwest::Method;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_buyers_of_three_seats_make_three_orders() {
    let amadeus = Arc::new(Amadeus::flights().await);
    let offer = amadeus.offer("LHR", "JFK").await;
    let item = item(&offer);
    amadeus.stock(&item, 3).await;
    let orders: Vec<_> = (0..50)
        .map(|_| {
            let (amadeus, offer) = (Arc::clone(&amadeus), offer.clone());
            tokio::spawn(async move { amadeus.order(&offer, "Earhart").await })
        })
        .collect();
    let mut sold = 0;
    for order in orders {
        let order = order.await.unwrap();
        if order.0 == 201 {
            sold += 1;
        } else {
            assert_eq!(error(&order), (400, 34651));
        }
    }
    assert_eq!((sold, amadeus.journal().await.len()), (3, 3));
    assert_eq!(amadeus.remaining(&item).await, 0);
    assert_eq!(amadeus.get(QUEUE).await.1["meta"]["count"], 3);
    assert_eq!(error(&amadeus.price(&offer).await), (400, 4926));
    let found = amadeus.search("LHR", "JFK", "").await;
    for other in found["data"].as_array().unwrap() {
        assert_ne!(super::item(other), item);
    }
}

#[tokio::test]
async fn a_restart_keeps_orders_cancellations_and_sold_seats() {
    let folder = std::env::temp_dir().join(format!("sandbox-{}", uuid::Uuid::new_v4()));
    let options = || Options {
        data_dir: Some(folder.clone()),
        ..Options::default()
    };
    let first = Amadeus::start_with("amadeus", options()).await;
    let (_, kept) = first.book("Earhart").await;
    let item = item(&kept["data"]["flightOffers"][0]);
    let (_, dropped) = first.book("Earhart").await;
    let path = |order: &Value| format!("{ORDERS}/{}", encoded(&order["data"]["id"]));
    assert_eq!(first.delete(&path(&dropped)).await.0, 204);
    let left = first.remaining(&item).await;

    let second = Amadeus::start_with("amadeus", options()).await;
    assert_eq!(second.journal().await, first.journal().await);
    assert_eq!(second.remaining(&item).await, left);
    assert_eq!(second.get(&path(&kept)).await.1["data"], kept["data"]);
    assert_eq!(second.get(&path(&dropped)).await.0, 404);
    assert_eq!(second.get(QUEUE).await.1, first.get(QUEUE).await.1);
    assert_eq!(second.book("Earhart").await.0, 201);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn an_order_is_seen_only_after_its_lag() {
    for operation in ["order", "retrieve"] {
        let amadeus = Amadeus::flights().await;
        amadeus
            .fault(
                json!({ "operation": operation, "mode": "late_visibility", "latency_ms": 30_000 }),
            )
            .await;
        let (_, order) = amadeus.book("Earhart").await;
        let by_id = format!("{ORDERS}/{}", encoded(&order["data"]["id"]));
        let reference = order["data"]["associatedRecords"][0]["reference"]
            .as_str()
            .unwrap();
        let by_reference =
            format!("{ORDERS}/by-reference?reference={reference}&originSystemCode=GDS");
        amadeus.server.clock.advance(Duration::from_secs(29));
        assert_eq!(amadeus.get(&by_id).await.0, 404);
        assert_eq!(amadeus.get(&by_reference).await.0, 404);
        assert_eq!(amadeus.get(QUEUE).await.1["meta"]["count"], 0);
        amadeus.server.clock.advance(Duration::from_secs(1));
        assert_eq!(amadeus.get(&by_id).await.0, 200);
        assert_eq!(amadeus.get(&by_reference).await.0, 200);
        assert_eq!(amadeus.get(QUEUE).await.1["meta"]["count"], 1);
    }
}

#[tokio::test]
async fn a_fault_after_the_commit_loses_the_answer_and_keeps_the_order() {
    let amadeus = Amadeus::flights().await;
    for (mode, when, effects) in [
        ("reset", "before", 0),
        ("reset", "after_commit", 1),
        ("error_500", "after_commit", 1),
        ("html", "after_commit", 1),
        ("truncated", "after_commit", 1),
        ("missing_key", "after_commit", 1),
    ] {
        let offer = amadeus.offer("LHR", "JFK").await;
        let before = amadeus.journal().await.len();
        amadeus
            .fault(json!({ "operation": "order", "mode": mode, "when": when, "count": 1 }))
            .await;
        let request = amadeus.request(Method::POST, ORDERS);
        let sent = request.json(&order_body(&offer, "Earhart")).send().await;
        match (mode, sent) {
            ("reset", sent) => assert!(sent.unwrap_err().is_request()),
            ("error_500", sent) => assert_eq!(sent.unwrap().status(), 500),
            ("html", sent) => assert_eq!(sent.unwrap().status(), 502),
            ("truncated", sent) => assert!(sent.unwrap().bytes().await.is_err()),
            (_, sent) => {
                let body: Value = sent.unwrap().json().await.unwrap();
                assert!(body["data"].get("id").is_none());
                assert!(body["data"].get("associatedRecords").is_none());
                assert!(body["data"]["travelers"].is_array());
            }
        }
        assert_eq!(
            amadeus.journal().await.len() - before,
            effects,
            "{mode} {when}"
        );
    }
    let (_, order) = amadeus.book("Earhart").await;
    amadeus
        .fault(json!({ "operation": "cancel", "mode": "error_503", "when": "after_commit", "count": 1 }))
        .await;
    let path = format!("{ORDERS}/{}", encoded(&order["data"]["id"]));
    assert_eq!(error(&amadeus.delete(&path).await), (503, 141));
    assert_eq!(error(&amadeus.delete(&path).await), (404, 1797));
}
