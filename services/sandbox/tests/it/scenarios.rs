//! Duffel's test routes and the scenarios by family name.

use std::time::Duration;

use reqwest::Method;
use sandbox::Options;
use serde_json::{Value, json};

use super::support::{cents, code, item, order_body, start, start_with};

#[tokio::test]
async fn providence_to_praia_has_no_offers() {
    let server = start().await;
    assert_eq!(server.search("PVD", "RAI", 1).await["offers"], json!([]));
}

#[tokio::test]
async fn kennedy_to_newark_can_only_be_held() {
    let server = start().await;
    let request = server.search("JFK", "EWR", 1).await;
    let offers = request["offers"].as_array().unwrap();
    assert!(!offers.is_empty());
    for offer in offers {
        assert_eq!(
            offer["payment_requirements"]["requires_instant_payment"],
            false
        );
        assert!(offer["payment_requirements"]["payment_required_by"].is_string());
    }
    let mut body = order_body(&offers[0], "Earhart");
    body["data"]["type"] = json!("hold");
    body["data"].as_object_mut().unwrap().remove("payments");
    let (status, order) = server.post("/duffel/air/orders", &body).await;
    assert_eq!(status, 201, "{order}");
    assert_eq!(order["data"]["payment_status"]["awaiting_payment"], true);
    let (_, waiting) = server.get("/duffel/air/orders?awaiting_payment=true").await;
    assert_eq!(waiting["data"][0]["id"], order["data"]["id"]);
    let payment = json!({ "data": { "order_id": order["data"]["id"], "payment": {
        "type": "balance", "amount": offers[0]["total_amount"], "currency": "GBP" } } });
    let (status, paid) = server.post("/duffel/air/payments", &payment).await;
    assert_eq!(
        (status.as_u16(), &paid["data"]["status"]),
        (201, &json!("succeeded"))
    );
    let (status, _) = server.post("/duffel/air/payments", &payment).await;
    assert_eq!(status, 422);
    let (_, waiting) = server.get("/duffel/air/orders?awaiting_payment=true").await;
    assert_eq!(waiting["data"], json!([]));
    let kinds: Vec<Value> = (server.journal().await.iter())
        .map(|line| line["kind"].clone())
        .collect();
    assert_eq!(kinds, ["hold", "capture"]);
}

#[tokio::test]
async fn heathrow_to_dubai_always_changes() {
    let server = start().await;
    let request = server.search("LHR", "DXB", 1).await;
    let offers = request["offers"].as_array().unwrap();
    assert!(!offers.is_empty());
    for offer in offers {
        assert_eq!(offer["slices"][0]["segments"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn dubai_to_amsterdam_stops_inside_a_segment() {
    let server = start().await;
    let request = server.search("DXB", "AMS", 1).await;
    let offers = request["offers"].as_array().unwrap();
    assert!(!offers.is_empty());
    for offer in offers {
        let segments = offer["slices"][0]["segments"].as_array().unwrap();
        assert_eq!(segments.len(), 1);
        assert_eq!(segments[0]["stops"][0]["airport"]["iata_code"], "IST");
    }
}

#[tokio::test]
async fn bratislava_sells_no_bags_to_mauritius_and_no_services_to_abuja() {
    let server = start().await;
    for (to, bags) in [("MRU", false), ("ABV", true)] {
        let request = server.search("BTS", to, 1).await;
        let offers = request["offers"].as_array().unwrap();
        let own = offers
            .iter()
            .find(|offer| offer["owner"]["iata_code"] == "ZZ")
            .unwrap();
        let path = format!(
            "/duffel/air/offers/{}?return_available_services=true",
            own["id"].as_str().unwrap()
        );
        let (_, offer) = server.get(&path).await;
        assert_eq!(offer["data"]["available_services"], json!([]));
        let passenger = &offer["data"]["slices"][0]["segments"][0]["passengers"][0];
        assert_eq!(!passenger["baggages"].as_array().unwrap().is_empty(), bags);
    }
}

#[tokio::test]
async fn stansted_to_heathrow_times_out_on_search() {
    let server = start().await;
    let body = json!({ "data": {
        "slices": [{ "origin": "STN", "destination": "LHR", "departure_date": "2026-12-01" }],
        "passengers": [{ "type": "adult" }],
    }});
    let (status, body) = server.post("/duffel/air/offer_requests", &body).await;
    assert_eq!(
        (status.as_u16(), code(&body)),
        (504, "gateway_timeout_error")
    );
    assert_eq!(body["errors"][0]["type"], "api_error");
}

#[tokio::test]
async fn gatwick_to_heathrow_is_gone_when_read() {
    let server = start().await;
    let offer = server.offer("LGW", "LHR").await;
    let path = format!("/duffel/air/offers/{}", offer["id"].as_str().unwrap());
    let (status, body) = server.get(&path).await;
    assert_eq!(
        (status.as_u16(), code(&body)),
        (422, "offer_no_longer_available")
    );
}

#[tokio::test]
async fn heathrow_to_stansted_costs_ten_more_at_every_read() {
    let server = start().await;
    let offer = server.offer("LHR", "STN").await;
    let path = format!("/duffel/air/offers/{}", offer["id"].as_str().unwrap());
    let (_, first) = server.get(&path).await;
    let (_, second) = server.get(&path).await;
    let total = |offer: &Value| cents(&offer["total_amount"]);
    assert_eq!(total(&first["data"]), total(&offer) + 1_000);
    assert_eq!(total(&second["data"]), total(&offer) + 2_000);
    let (status, body) = server.order(&first["data"], "Earhart").await;
    assert_eq!(status, 422);
    assert_eq!(code(&body), "payment_amount_does_not_match_order_amount");
    let (status, _) = server.order(&second["data"], "Earhart").await;
    assert_eq!(status, 201);
}

#[tokio::test]
async fn heathrow_to_gatwick_and_gatwick_to_stansted_book_nothing() {
    let server = start().await;
    for (from, to, status, wanted) in [
        ("LHR", "LGW", 502, "airline_unknown"),
        ("LGW", "STN", 422, "insufficient_balance"),
    ] {
        let offer = server.offer(from, to).await;
        let (answered, body) = server.order(&offer, "Earhart").await;
        assert_eq!((answered.as_u16(), code(&body)), (status, wanted));
        let path = format!(
            "/duffel/air/orders?offer_id={}",
            offer["id"].as_str().unwrap()
        );
        assert_eq!(server.get(&path).await.1["data"], json!([]));
    }
    assert!(server.journal().await.is_empty());
}

#[tokio::test]
async fn heathrow_to_luton_is_changed_by_the_airline_at_every_read() {
    let server = start().await;
    let offer = server.offer("LHR", "LTN").await;
    let (_, order) = server.order(&offer, "Earhart").await;
    let id = order["data"]["id"].as_str().unwrap().to_owned();
    for reads in 1..=2 {
        let (_, order) = server.get(&format!("/duffel/air/orders/{id}")).await;
        let changes = order["data"]["airline_initiated_changes"]
            .as_array()
            .unwrap();
        assert_eq!(changes.len(), reads);
        let at = |side: &str| -> jiff::civil::DateTime {
            let segment = &changes[0][side][0]["segments"][0];
            segment["departing_at"].as_str().unwrap().parse().unwrap()
        };
        assert_eq!(at("added").duration_since(at("removed")).as_hours(), 1);
    }
    let path = format!("/duffel/air/airline_initiated_changes?order_id={id}");
    assert_eq!(
        server.get(&path).await.1["data"].as_array().unwrap().len(),
        2
    );
}

#[tokio::test]
async fn luton_to_sydney_is_refunded_by_one_airline_credit() {
    let server = start().await;
    let request = server.search("LTN", "SYD", 1).await;
    let offers = request["offers"].as_array().unwrap();
    let flexible = offers
        .iter()
        .find(|offer| offer["conditions"]["refund_before_departure"]["allowed"] == true)
        .unwrap();
    let (_, order) = server.order(flexible, "Earhart").await;
    let body = json!({ "data": { "order_id": order["data"]["id"] } });
    let (status, quote) = server.post("/duffel/air/order_cancellations", &body).await;
    assert_eq!(status, 201);
    assert_eq!(quote["data"]["refund_to"], "airline_credits");
    let credits = quote["data"]["airline_credits"].as_array().unwrap();
    assert_eq!(credits.len(), 1);
    assert_eq!(credits[0]["credit_amount"], quote["data"]["refund_amount"]);
}

#[tokio::test]
async fn sold_out_and_refused_book_nothing() {
    let server = start().await;
    for (name, wanted) in [
        ("SOLDOUT", "offer_no_longer_available"),
        ("REFUSED", "airline_refused"),
    ] {
        let offer = server.offer("LHR", "JFK").await;
        let (status, body) = server.order(&offer, name).await;
        assert_eq!((status.as_u16(), code(&body)), (422, wanted));
        assert_eq!(body["errors"][0]["type"], "airline_error");
    }
    assert!(server.journal().await.is_empty());
}

#[tokio::test]
async fn a_changed_price_is_refused_once_and_then_sold() {
    let server = start().await;
    let offer = server.offer("LHR", "JFK").await;
    let (status, body) = server.order(&offer, "PRICECHANGE").await;
    assert_eq!((status.as_u16(), code(&body)), (422, "price_changed"));
    let path = format!("/duffel/air/offers/{}", offer["id"].as_str().unwrap());
    let (_, now) = server.get(&path).await;
    let now = &now["data"];
    assert_eq!(
        cents(&now["total_amount"]),
        cents(&offer["total_amount"]) + 1_000
    );
    assert_eq!(
        cents(&now["base_amount"]) + cents(&now["tax_amount"]),
        cents(&now["total_amount"])
    );
    let (status, body) = server.order(&offer, "PRICECHANGE").await;
    assert_eq!(status, 422);
    assert_eq!(code(&body), "payment_amount_does_not_match_order_amount");
    let (status, _) = server.order(now, "PRICECHANGE").await;
    assert_eq!(status, 201);
    assert_eq!(server.journal().await.len(), 1);
}

#[tokio::test]
async fn a_timed_out_order_exists() {
    let server = start().await;
    let offer = server.offer("LHR", "JFK").await;
    let error = server
        .request(Method::POST, "/duffel/air/orders")
        .json(&order_body(&offer, "TIMEOUT"))
        .timeout(Duration::from_millis(400))
        .send()
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    // The order was being made when the client gave up; it is made nevertheless.
    let mut journal = server.journal().await;
    while journal.is_empty() {
        journal = server.journal().await;
    }
    assert_eq!(journal[0]["client_reference"], "ord_interline");
    assert_eq!(journal[0]["item"], json!(item(&offer)));
    let path = format!(
        "/duffel/air/orders?offer_id={}",
        offer["id"].as_str().unwrap()
    );
    let (_, orders) = server.get(&path).await;
    assert_eq!(
        orders["data"][0]["booking_reference"],
        journal[0]["supplier_reference"]
    );
}

#[tokio::test]
async fn an_order_answered_500_exists() {
    let server = start().await;
    let offer = server.offer("LHR", "JFK").await;
    let (status, body) = server.order(&offer, "ERROR500").await;
    assert_eq!(
        (status.as_u16(), code(&body)),
        (500, "internal_server_error")
    );
    assert_eq!(server.journal().await.len(), 1);
}

#[tokio::test]
async fn a_slow_order_is_right() {
    let late = Duration::from_millis(150);
    let server = start_with(Options {
        slow_order: late,
        ..Options::default()
    })
    .await;
    let offer = server.offer("LHR", "JFK").await;
    let asked = tokio::time::Instant::now();
    let (status, _) = server.order(&offer, "Slow").await;
    assert_eq!(status, 201);
    assert!(asked.elapsed() >= late);
}
