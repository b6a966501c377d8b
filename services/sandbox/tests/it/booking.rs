//! The life of an order: what is checked, what is sold, what a restart keeps.

use std::sync::Arc;
use std::time::Duration;

use sandbox::Options;
use serde_json::{Value, json};

use super::support::{DAY, Server, cents, code, item, order_body, start, start_with, traveller};

async fn remaining(server: &Server, item: &str) -> u64 {
    let (_, body) = server.get("/_control/inventory/duffel").await;
    let items = body["data"].as_array().unwrap();
    let found = items.iter().find(|one| one["item"] == item).unwrap();
    found["remaining"].as_u64().unwrap()
}

#[tokio::test]
async fn an_order_is_sold_once_found_again_and_cancelled_in_two_steps() {
    let server = start().await;
    let request = server.search("LHR", "JFK", 2).await;
    let offers = request["offers"].as_array().unwrap();
    let offer = offers
        .iter()
        .find(|offer| offer["conditions"]["refund_before_departure"]["allowed"] == true)
        .unwrap();
    let item = item(offer);
    let before = remaining(&server, &item).await;
    let (status, order) = server.order(offer, "Earhart").await;
    assert_eq!(status, 201, "{order}");
    let order = &order["data"];
    assert_eq!(order["offer_id"], offer["id"]);
    assert_eq!(order["total_amount"], offer["total_amount"]);
    assert_eq!(order["metadata"]["interline_order_id"], "ord_interline");
    assert_eq!(remaining(&server, &item).await, before - 2);

    let (status, again) = server.order(&offers[0], "Earhart").await;
    assert_eq!(
        (status.as_u16(), code(&again)),
        (422, "offer_request_already_booked")
    );

    let id = order["id"].as_str().unwrap();
    assert_eq!(
        server.get(&format!("/duffel/air/orders/{id}")).await.1["data"],
        *order
    );
    for query in [
        format!("offer_id={}", offer["id"].as_str().unwrap()),
        format!(
            "booking_reference={}",
            order["booking_reference"].as_str().unwrap()
        ),
        "passenger_name[]=earhart".to_owned(),
        String::new(),
    ] {
        let (_, list) = server.get(&format!("/duffel/air/orders?{query}")).await;
        assert_eq!(list["data"].as_array().unwrap().len(), 1, "{query}");
        assert_eq!(list["meta"]["after"], Value::Null);
    }
    let (_, none) = server.get("/duffel/air/orders?offer_id=off_other").await;
    assert_eq!(none["data"], json!([]));

    let body = json!({ "data": { "order_id": id } });
    let (status, quote) = server.post("/duffel/air/order_cancellations", &body).await;
    assert_eq!(status, 201);
    let quote = &quote["data"];
    assert_eq!(
        cents(&quote["refund_amount"]),
        cents(&order["total_amount"]) - 4_000
    );
    assert_eq!(quote["confirmed_at"], Value::Null);
    assert_eq!(remaining(&server, &item).await, before - 2);
    let path = format!(
        "/duffel/air/order_cancellations/{}",
        quote["id"].as_str().unwrap()
    );
    assert_eq!(server.get(&path).await.1["data"], *quote);
    let confirm = format!("{path}/actions/confirm");
    let (status, confirmed) = server.post(&confirm, &json!({})).await;
    assert_eq!(status, 200);
    assert!(confirmed["data"]["confirmed_at"].is_string());
    assert_eq!(remaining(&server, &item).await, before);
    let (status, twice) = server.post(&confirm, &json!({})).await;
    assert_eq!((status.as_u16(), code(&twice)), (422, "already_cancelled"));
    let (status, again) = server.post("/duffel/air/order_cancellations", &body).await;
    assert_eq!((status.as_u16(), code(&again)), (422, "already_cancelled"));
    let (_, list) = server
        .get(&format!("/duffel/air/order_cancellations?order_id={id}"))
        .await;
    assert_eq!(list["data"][0], confirmed["data"]);
    let (_, cancelled) = server.get(&format!("/duffel/air/orders/{id}")).await;
    assert!(cancelled["data"]["cancelled_at"].is_string());

    let journal = server.journal().await;
    let kinds: Vec<&Value> = journal.iter().map(|line| &line["kind"]).collect();
    assert_eq!(kinds, ["order", "cancel"]);
    assert_eq!(journal[0]["amount"], order["total_amount"]);
    assert_eq!(journal[1]["amount"], quote["refund_amount"]);
    for (index, line) in journal.iter().enumerate() {
        assert_eq!(line["seq"], index + 1);
        assert_eq!(line["supplier"], "duffel");
        assert_eq!(line["supplier_reference"], order["booking_reference"]);
        assert_eq!(line["client_reference"], "ord_interline");
        assert_eq!(line["currency"], "GBP");
        assert_eq!(line["item"], json!(format!("{item}")));
        assert!(line.get("record").is_none());
    }
    let (_, later) = server.get("/_control/journal?since=1").await;
    assert_eq!(later["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_order_that_does_not_fit_its_offer_is_refused() {
    let server = start().await;
    let offer = server.offer("LHR", "JFK").await;
    let good = order_body(&offer, "Earhart");
    for (pointer, value, wanted) in [
        ("/type", json!("later"), "invalid_order_create_type"),
        ("/type", json!(null), "validation_required"),
        ("/selected_offers", json!([]), "validation_required"),
        ("/selected_offers", json!(["off_none"]), "not_found"),
        ("/passengers", json!([]), "validation_required"),
        ("/passengers/0/id", json!("pas_none"), "validation_format"),
        ("/passengers/0/title", json!("sir"), "validation_inclusion"),
        (
            "/passengers/0/family_name",
            json!(" "),
            "validation_required",
        ),
        (
            "/passengers/0/gender",
            json!("female"),
            "validation_inclusion",
        ),
        (
            "/passengers/0/born_on",
            json!("2020-01-01"),
            "validation_format",
        ),
        ("/passengers/0/email", json!("amelia"), "validation_format"),
        (
            "/passengers/0/phone_number",
            json!("0208016"),
            "invalid_phone_number",
        ),
        ("/payments", json!([]), "validation_required"),
        (
            "/payments/0/amount",
            json!("1.00"),
            "payment_amount_does_not_match_order_amount",
        ),
        ("/payments/0/amount", json!(1.5), "validation_required"),
        (
            "/payments/0/currency",
            json!("USD"),
            "payment_currency_does_not_match_order_currency",
        ),
        ("/metadata", json!({ "a": 1 }), "validation_format"),
    ] {
        let mut body = good.clone();
        *body.pointer_mut(&format!("/data{pointer}")).unwrap() = value.clone();
        let (status, answer) = server.post("/duffel/air/orders", &body).await;
        let refused = if wanted == "not_found" { 404 } else { 422 };
        assert_eq!(
            (status.as_u16(), code(&answer)),
            (refused, wanted),
            "{pointer} {value}"
        );
    }
    assert!(server.journal().await.is_empty());
    let (status, _) = server.post("/duffel/air/orders", &good).await;
    assert_eq!(status, 201);
}

#[tokio::test]
async fn an_infant_sits_on_one_adults_lap_and_takes_no_seat() {
    let server = start().await;
    let slices = json!([{ "origin": "LHR", "destination": "JFK", "departure_date": DAY }]);
    let family = vec![
        json!({ "type": "adult" }),
        json!({ "age": 8 }),
        json!({ "type": "infant_without_seat" }),
    ];
    let request = server.search_slices(slices, family).await;
    let offer = &request["offers"][0];
    let ids: Vec<&Value> = (offer["passengers"].as_array().unwrap().iter())
        .map(|passenger| &passenger["id"])
        .collect();
    let mut body = order_body(offer, "Earhart");
    body["data"]["passengers"] = json!([
        traveller(ids[0], "Earhart", "1987-07-24"),
        traveller(ids[1], "Earhart", "2018-03-01"),
        traveller(ids[2], "Earhart", "2026-01-15"),
    ]);
    let (status, answer) = server.post("/duffel/air/orders", &body).await;
    assert_eq!(
        (status.as_u16(), code(&answer)),
        (422, "validation_required")
    );
    body["data"]["passengers"][0]["infant_passenger_id"] = ids[2].clone();
    let before = remaining(&server, &item(offer)).await;
    let (status, order) = server.post("/duffel/air/orders", &body).await;
    assert_eq!(status, 201, "{order}");
    assert_eq!(
        order["data"]["passengers"][0]["infant_passenger_id"],
        Value::Null
    );
    assert_eq!(remaining(&server, &item(offer)).await, before - 2);
}

#[tokio::test]
async fn a_bag_is_priced_and_ordered_with_the_offer() {
    let server = start().await;
    let request = server.search("LHR", "JFK", 1).await;
    let offers = request["offers"].as_array().unwrap();
    let own = offers
        .iter()
        .find(|offer| offer["owner"]["iata_code"] == "ZZ")
        .unwrap();
    let path = format!("/duffel/air/offers/{}", own["id"].as_str().unwrap());
    let (_, offer) = server
        .get(&format!("{path}?return_available_services=true"))
        .await;
    let bag = &offer["data"]["available_services"][0];
    assert_eq!(bag["total_amount"], "20.00");
    let services = json!([{ "id": bag["id"], "quantity": 1 }]);
    let ask = json!({ "data": {
        "intended_payment_methods": [{ "type": "balance" }],
        "intended_services": services,
    }});
    let (status, priced) = server.post(&format!("{path}/actions/price"), &ask).await;
    assert_eq!(status, 200, "{priced}");
    assert_eq!(
        cents(&priced["data"]["total_amount"]),
        cents(&own["total_amount"]) + 2_000
    );
    let mut body = order_body(&priced["data"], "Earhart");
    body["data"]["services"] = services;
    let (status, order) = server.post("/duffel/air/orders", &body).await;
    assert_eq!(status, 201, "{order}");
    assert_eq!(order["data"]["services"][0]["id"], bag["id"]);
    assert_eq!(
        cents(&order["data"]["base_amount"]) + cents(&order["data"]["tax_amount"]),
        cents(&order["data"]["total_amount"])
    );
}

#[tokio::test]
async fn an_offer_expires() {
    let server = start_with(Options {
        offer_life: Duration::from_secs(60),
        ..Options::default()
    })
    .await;
    let offer = server.offer("LHR", "JFK").await;
    assert_eq!(offer["expires_at"], "2026-11-21T12:01:00.000000Z");
    let path = format!("/duffel/air/offers/{}", offer["id"].as_str().unwrap());
    assert_eq!(server.get(&path).await.0, 200);
    server.clock.advance(Duration::from_secs(60));
    let (status, body) = server.get(&path).await;
    assert_eq!(
        (status.as_u16(), code(&body)),
        (422, "offer_no_longer_available")
    );
    let (status, body) = server.order(&offer, "Earhart").await;
    assert_eq!((status.as_u16(), code(&body)), (422, "offer_expired"));
    server.clock.advance(Duration::from_secs(7200));
    server.offer("LHR", "JFK").await;
    assert_eq!(server.get(&path).await.0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_buyers_of_three_seats_make_three_orders() {
    let server = Arc::new(start().await);
    let mut offers = Vec::new();
    for _ in 0..200 {
        offers.push(server.cheapest("LHR", "JFK").await);
    }
    let item = item(&offers[0]);
    let stock = json!({ "item": item, "remaining": 3 });
    assert_eq!(
        server.put("/_control/inventory/duffel", &stock).await.0,
        200
    );
    let orders: Vec<_> = offers
        .into_iter()
        .map(|offer| {
            let server = Arc::clone(&server);
            tokio::spawn(async move { server.order(&offer, "Earhart").await })
        })
        .collect();
    let mut sold = 0;
    for order in orders {
        let (status, body) = order.await.unwrap();
        if status == 201 {
            sold += 1;
        } else {
            assert_eq!(
                (status.as_u16(), code(&body)),
                (422, "offer_no_longer_available")
            );
        }
    }
    assert_eq!(sold, 3);
    assert_eq!(server.journal().await.len(), 3);
    assert_eq!(remaining(&server, &item).await, 0);
    let (_, orders) = server.get("/duffel/air/orders").await;
    assert_eq!(orders["data"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_offer_bought_fifty_times_at_once_is_one_order() {
    let server = Arc::new(start().await);
    let offer = server.offer("LHR", "JFK").await;
    let orders: Vec<_> = (0..50)
        .map(|_| {
            let (server, offer) = (Arc::clone(&server), offer.clone());
            tokio::spawn(async move { server.order(&offer, "Earhart").await.0 })
        })
        .collect();
    let mut sold = 0;
    for order in orders {
        sold += usize::from(order.await.unwrap() == 201);
    }
    assert_eq!((sold, server.journal().await.len()), (1, 1));
}

#[tokio::test]
async fn a_restart_keeps_orders_cancellations_and_sold_seats() {
    let folder = std::env::temp_dir().join(format!("sandbox-{}", uuid::Uuid::new_v4()));
    let options = || Options {
        data_dir: Some(folder.clone()),
        ..Options::default()
    };
    let first = start_with(options()).await;
    let offer = first.offer("LHR", "JFK").await;
    let item = item(&offer);
    let stock = json!({ "item": item, "remaining": 5 });
    first.put("/_control/inventory/duffel", &stock).await;
    let (_, kept) = first.order(&offer, "Earhart").await;
    let (_, dropped) = first
        .order(&first.offer("LHR", "JFK").await, "Earhart")
        .await;
    let body = json!({ "data": { "order_id": dropped["data"]["id"] } });
    let (_, quote) = first.post("/duffel/air/order_cancellations", &body).await;
    let cancellation = format!(
        "/duffel/air/order_cancellations/{}",
        quote["data"]["id"].as_str().unwrap()
    );
    first
        .post(&format!("{cancellation}/actions/confirm"), &json!({}))
        .await;
    let journal = first.journal().await;

    // A process that died in the middle of a line.
    let path = folder.join("journal.jsonl");
    let mut text = std::fs::read(&path).unwrap();
    text.extend(br#"{"seq":4,"at":"2026"#);
    std::fs::write(&path, text).unwrap();

    let second = start_with(options()).await;
    assert_eq!(second.journal().await, journal);
    assert_eq!(remaining(&second, &item).await, 4);
    let order = |body: &Value| {
        format!(
            "/duffel/air/orders/{}",
            body["data"]["id"].as_str().unwrap()
        )
    };
    assert_eq!(second.get(&order(&kept)).await.1, kept);
    assert_eq!(
        second.get(&order(&dropped)).await.1,
        first.get(&order(&dropped)).await.1
    );
    assert_eq!(
        second.get(&cancellation).await.1,
        first.get(&cancellation).await.1
    );
    let (status, more) = second
        .order(&second.offer("LHR", "JFK").await, "Earhart")
        .await;
    assert_eq!(status, 201, "{more}");
    assert_eq!(second.journal().await.last().unwrap()["seq"], 4);

    assert_eq!(second.post("/_control/reset", &json!({})).await.0, 204);
    assert!(second.journal().await.is_empty());
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    std::fs::remove_dir_all(&folder).unwrap();
}
