//! Every fault mode as a real HTTP client sees it, before and after the effect.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::support::{Server, code, order_body, start};

async fn send(server: &Server, body: &Value, patience: Duration) -> reqwest::Result<Response> {
    server
        .request(Method::POST, "/duffel/air/orders")
        .json(body)
        .timeout(patience)
        .send()
        .await
}

/// Orders once under `fault` and tells how that went; the journal must then hold `effects` more lines.
async fn order_under(server: &Server, fault: Value, effects: usize) -> reqwest::Result<Response> {
    let offer = server.offer("LHR", "JFK").await;
    let before = server.journal().await.len();
    server.fault(fault.clone()).await;
    let patience = match fault["mode"].as_str() {
        Some("hang") => Duration::from_millis(500),
        _ => Duration::from_secs(30),
    };
    let outcome = send(server, &order_body(&offer, "Earhart"), patience).await;
    // A client without patience may ask before the order is made; it is made nevertheless.
    for _ in 0..1_000 {
        if server.journal().await.len() - before >= effects {
            break;
        }
    }
    let (status, _) = server.get("/_control/faults").await;
    assert_eq!(status, 200);
    let request = server
        .client
        .delete(format!("{}/_control/faults", server.base));
    assert_eq!(request.send().await.unwrap().status(), 204);
    assert_eq!(server.journal().await.len() - before, effects, "{fault}");
    outcome
}

fn fault(mode: &str, when: &str) -> Value {
    json!({ "operation": "order", "mode": mode, "when": when, "count": 1 })
}

#[tokio::test]
async fn a_reset_is_a_closed_connection_without_an_answer() {
    let server = start().await;
    for (mode, when, effects) in [
        ("reset", "before", 0),
        ("reset", "after_commit", 1),
        ("down", "before", 0),
    ] {
        let error = order_under(&server, fault(mode, when), effects)
            .await
            .unwrap_err();
        assert!(error.is_request() && !error.is_timeout(), "{error:?}");
        assert!(error.status().is_none());
    }
}

#[tokio::test]
async fn while_a_supplier_is_down_nothing_of_it_answers() {
    let server = start().await;
    server.fault(json!({ "mode": "down" })).await;
    for path in [
        "/duffel/air/airlines",
        "/duffel/air/orders",
        "/duffel/nothing",
    ] {
        let request = server.request(Method::GET, path);
        assert!(request.send().await.unwrap_err().is_request());
    }
    let request = server
        .client
        .delete(format!("{}/_control/faults", server.base));
    request.send().await.unwrap();
    assert_eq!(server.get("/duffel/air/airlines").await.0, 200);
}

#[tokio::test]
async fn a_hanging_order_never_answers() {
    let server = start().await;
    for (when, effects) in [("before", 0), ("after_commit", 1)] {
        let error = order_under(&server, fault("hang", when), effects)
            .await
            .unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
    }
}

#[tokio::test]
async fn error_statuses_have_duffels_bodies() {
    let server = start().await;
    for (mode, status, wanted) in [
        ("error_500", 500, "internal_server_error"),
        ("error_503", 503, "service_unavailable"),
        ("rate_limit", 429, "rate_limit_exceeded"),
    ] {
        for (when, effects) in [("before", 0), ("after_commit", 1)] {
            let answer = order_under(&server, fault(mode, when), effects)
                .await
                .unwrap();
            assert_eq!(answer.status(), status);
            if status == 429 {
                assert_eq!(answer.headers()["ratelimit-remaining"], "0");
                assert_eq!(answer.headers()["retry-after"], "60");
                assert!(answer.headers().contains_key("ratelimit-reset"));
            }
            let body: Value = answer.json().await.unwrap();
            assert_eq!(code(&body), wanted);
        }
    }
}

#[tokio::test]
async fn a_proxys_page_is_html() {
    let server = start().await;
    for (when, effects) in [("before", 0), ("after_commit", 1)] {
        let answer = order_under(&server, fault("html", when), effects)
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
        assert!(
            answer.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/html")
        );
        assert!(answer.text().await.unwrap().starts_with("<html>"));
    }
}

#[tokio::test]
async fn a_truncated_answer_ends_in_the_middle_of_its_body() {
    let server = start().await;
    let answer = order_under(&server, fault("truncated", "after_commit"), 1)
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert!(answer.content_length().unwrap() > 1_000);
    assert!(answer.bytes().await.is_err());
}

#[tokio::test]
async fn an_answer_can_lack_its_key() {
    let server = start().await;
    let answer = order_under(&server, fault("missing_key", "after_commit"), 1)
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let body: Value = answer.json().await.unwrap();
    assert!(body["data"]["total_amount"].is_string());
    assert!(body["data"].get("id").is_none());
    assert!(body["data"].get("booking_reference").is_none());
}

#[tokio::test]
async fn latency_only_delays() {
    let server = start().await;
    let late = json!({ "operation": "order", "mode": "latency", "latency_ms": 120 });
    let asked = tokio::time::Instant::now();
    let answer = order_under(&server, late, 1).await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert!(asked.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn an_order_is_seen_only_after_its_lag() {
    for operation in ["order", "retrieve"] {
        let server = start().await;
        let offer = server.offer("LHR", "JFK").await;
        let lag =
            json!({ "operation": operation, "mode": "late_visibility", "latency_ms": 30_000 });
        server.fault(lag).await;
        let (status, order) = server.order(&offer, "Earhart").await;
        assert_eq!(status, 201);
        let one = format!(
            "/duffel/air/orders/{}",
            order["data"]["id"].as_str().unwrap()
        );
        let list = format!(
            "/duffel/air/orders?offer_id={}",
            offer["id"].as_str().unwrap()
        );
        server.clock.advance(Duration::from_secs(29));
        assert_eq!(server.get(&one).await.0, 404);
        assert_eq!(server.get(&list).await.1["data"], json!([]));
        server.clock.advance(Duration::from_secs(1));
        assert_eq!(server.get(&one).await.0, 200);
        assert_eq!(
            server.get(&list).await.1["data"].as_array().unwrap().len(),
            1
        );
    }
}

#[tokio::test]
async fn a_fault_after_the_commit_spares_what_commits_nothing() {
    let server = start().await;
    server.fault(json!({ "operation": "order", "mode": "error_500", "when": "after_commit", "count": 1 })).await;
    server.fault(json!({ "operation": "cancel", "mode": "error_500", "when": "after_commit", "count": 1 })).await;
    let offer = server.offer("LHR", "JFK").await;
    assert_eq!(server.order(&offer, "SOLDOUT").await.0, 422);
    assert_eq!(server.order(&offer, "Earhart").await.0, 500);
    let (_, orders) = server.get("/duffel/air/orders").await;
    let body = json!({ "data": { "order_id": orders["data"][0]["id"] } });
    let (status, quote) = server.post("/duffel/air/order_cancellations", &body).await;
    assert_eq!(status, 201);
    let confirm = format!(
        "/duffel/air/order_cancellations/{}/actions/confirm",
        quote["data"]["id"].as_str().unwrap()
    );
    assert_eq!(server.post(&confirm, &json!({})).await.0, 500);
    let kinds: Vec<Value> = (server.journal().await.iter())
        .map(|line| line["kind"].clone())
        .collect();
    assert_eq!(kinds, ["order", "cancel"]);
}

#[tokio::test]
async fn a_search_fault_hits_searches_alone() {
    let server = start().await;
    let offer = server.offer("LHR", "JFK").await;
    server
        .fault(json!({ "operation": "search", "mode": "error_503" }))
        .await;
    let (status, _) = server
        .get("/duffel/air/offers?offer_request_id=orq_1")
        .await;
    assert_eq!(status, 503);
    assert_eq!(server.order(&offer, "Earhart").await.0, 201);
}
