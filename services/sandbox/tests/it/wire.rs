//! Answers have every key of the recorded ones, with values of the same kind.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{DAY, code, start};

fn fixture(name: &str) -> Value {
    let path = format!(
        "{}/tests/fixtures/duffel/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Fails for a key of `recorded` that `ours` lacks, or a value of another kind (null fits anything).
fn holds(recorded: &Value, ours: &Value, at: &str) {
    holds_but(&[], recorded, ours, at);
}

/// As [`holds`], but for keys that the supplier leaves out at times.
pub fn holds_but(optional: &[&str], recorded: &Value, ours: &Value, at: &str) {
    match (recorded, ours) {
        (Value::Null, _) | (_, Value::Null) => {}
        (Value::Object(recorded), Value::Object(ours)) => {
            for (key, value) in recorded {
                let at = format!("{at}.{key}");
                match ours.get(key) {
                    Some(found) => holds_but(optional, value, found, &at),
                    None => assert!(optional.contains(&key.as_str()), "{at} is missing"),
                }
            }
        }
        (Value::Array(recorded), Value::Array(ours)) => {
            if let Some(first) = recorded.first() {
                ours.iter()
                    .for_each(|one| holds_but(optional, first, one, &format!("{at}[]")));
            }
        }
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_)) => {}
        _ => panic!("{at}: recorded {recorded}, ours {ours}"),
    }
}

#[tokio::test]
async fn every_recorded_key_is_answered() {
    let server = start().await;
    let request = server.search("LHR", "JFK", 1).await;
    holds(
        &fixture("offer_requests_show")["data"],
        &request,
        "offer_request",
    );
    for offer in request["offers"].as_array().unwrap() {
        holds(&fixture("offers_show")["data"], offer, "offer");
    }
    let refundable = request["offers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|offer| offer["conditions"]["refund_before_departure"]["allowed"] == true)
        .unwrap();
    let (status, order) = server.order(refundable, "Earhart").await;
    assert_eq!(status, 201, "{order}");
    holds(&fixture("orders_show"), &order, "order");
    let body = json!({ "data": { "order_id": order["data"]["id"] } });
    let (status, quote) = server.post("/duffel/air/order_cancellations", &body).await;
    assert_eq!(status, 201);
    holds(
        &fixture("order_cancellations_show"),
        &quote,
        "order_cancellation",
    );
    for (path, name) in [("airlines", "airlines_list"), ("airports", "airports_list")] {
        let (_, list) = server.get(&format!("/duffel/air/{path}?limit=200")).await;
        holds(&fixture(name), &list, path);
        let id = list["data"][0]["id"].as_str().unwrap();
        let (status, one) = server.get(&format!("/duffel/air/{path}/{id}")).await;
        assert_eq!((status.as_u16(), &one["data"]["id"]), (200, &json!(id)));
    }
}

#[tokio::test]
async fn errors_have_the_recorded_type_code_title_and_message() {
    let server = start().await;
    let offers = "/duffel/air/offers/off_0000";
    let url = format!("{}{offers}", server.base);
    let same = |recorded: &str, ours: &Value| {
        let recorded = fixture(recorded);
        for key in ["type", "code", "title", "message", "documentation_url"] {
            assert_eq!(recorded["errors"][0][key], ours["errors"][0][key], "{key}");
        }
    };
    let json = async |request: reqwest::RequestBuilder| {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let request_id = response.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["meta"]["status"], status);
        assert_eq!(body["meta"]["request_id"], request_id);
        (status, body)
    };

    let (status, body) = json(server.client.get(&url)).await;
    assert_eq!(status, 401);
    same("authentication_error", &body);
    let foreign = server
        .client
        .get(&url)
        .header("Authorization", "Bearer sk_live_1");
    let (status, body) = json(foreign).await;
    assert_eq!((status, code(&body)), (401, "access_token_not_found"));
    let unversioned = server
        .client
        .get(&url)
        .header("Authorization", "Bearer duffel_test_1");
    let (status, body) = json(unversioned).await;
    assert_eq!(status, 400);
    same("invalid_request_error", &body);
    let (status, body) = json(
        server
            .request(Method::GET, offers)
            .header("Duffel-Version", "v2"),
    )
    .await;
    assert_eq!((status, code(&body)), (404, "not_found"));
    let (status, body) = json(server.request(Method::GET, "/duffel/air/nothing")).await;
    assert_eq!((status, code(&body)), (404, "not_found"));
    let empty = json!({ "data": { "passengers": [{ "type": "adult" }] } });
    let (status, body) = server.post("/duffel/air/offer_requests", &empty).await;
    assert_eq!(status, 422);
    same("validation_error", &body);
    assert_eq!(
        body["errors"][0]["source"],
        fixture("validation_error")["errors"][0]["source"]
    );
    let broken = server.request(Method::POST, "/duffel/air/orders").body("{");
    let (status, _) = json(broken).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn every_answer_carries_the_rate_limit_and_a_request_id() {
    let server = start().await;
    let call = async || {
        let request = server.request(Method::GET, "/duffel/air/airlines");
        request.send().await.unwrap().headers().clone()
    };
    let (first, second) = (call().await, call().await);
    assert_eq!(first["ratelimit-limit"], "4000");
    assert_eq!(first["ratelimit-remaining"], "3999");
    assert_eq!(second["ratelimit-remaining"], "3998");
    assert_eq!(first["ratelimit-reset"], "Sat, 21 Nov 2026 12:01:00 GMT");
    assert_ne!(first["x-request-id"], second["x-request-id"]);
    assert_eq!(first["x-request-id"].len(), 20);
}

#[tokio::test]
async fn a_bad_search_names_its_field() {
    let server = start().await;
    let good = json!({
        "slices": [{ "origin": "LHR", "destination": "JFK", "departure_date": DAY }],
        "passengers": [{ "type": "adult" }],
    });
    for (pointer, value, field) in [
        ("/slices/0/origin", json!("QQQ"), "origin"),
        ("/slices/0/destination", json!("LHR"), "destination"),
        (
            "/slices/0/departure_date",
            json!("2026-11-20"),
            "departure_date",
        ),
        ("/slices/0/departure_date", json!("soon"), "departure_date"),
        ("/passengers", json!([]), "passengers"),
        ("/passengers/0/type", json!("dog"), "type"),
        (
            "/passengers",
            json!([{ "type": "infant_without_seat" }]),
            "passengers",
        ),
    ] {
        let mut data = good.clone();
        *data.pointer_mut(pointer).unwrap() = value;
        let (status, body) = server
            .post("/duffel/air/offer_requests", &json!({ "data": data }))
            .await;
        assert_eq!(status, 422, "{pointer}");
        assert_eq!(body["errors"][0]["source"]["field"], field);
    }
    for (key, value) in [
        ("cabin_class", json!("steerage")),
        ("max_connections", json!(3)),
    ] {
        let mut data = good.clone();
        data[key] = value;
        let (status, body) = server
            .post("/duffel/air/offer_requests", &json!({ "data": data }))
            .await;
        assert_eq!(
            (status.as_u16(), &body["errors"][0]["source"]["field"]),
            (422, &json!(key))
        );
    }
}
