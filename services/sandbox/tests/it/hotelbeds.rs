//! Hotelbeds: credentials, searching, checking, booking, cancelling; drift between endpoints, faults,
//! scenarios, oversell and restart.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use reqwest::{Method, RequestBuilder, StatusCode};
use sandbox::Options;
use serde_json::{Value, json};

use super::support::{Server, start, start_with};

const KEY: &str = "hotelbeds_test";

fn signature(second: i64) -> String {
    let hash = digest(&SHA256, format!("{KEY}{KEY}_secret{second}").as_bytes());
    hash.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn request(server: &Server, method: Method, path: &str) -> RequestBuilder {
    server
        .client
        .request(method, format!("{}/hotelbeds{path}", server.base))
        .header("Api-key", KEY)
        .header("X-Signature", signature(server.clock.now().as_second()))
}

async fn send(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

async fn post(server: &Server, path: &str, body: &Value) -> (StatusCode, Value) {
    send(request(server, Method::POST, path).json(body)).await
}

async fn get(server: &Server, path: &str) -> (StatusCode, Value) {
    send(request(server, Method::GET, path)).await
}

fn search_body() -> Value {
    json!({
        "stay": { "checkIn": "2026-12-10", "checkOut": "2026-12-12" },
        "occupancies": [{ "rooms": 1, "adults": 2, "children": 0 }],
        "geolocation": { "latitude": 51.5, "longitude": -0.12, "radius": 30, "unit": "km" },
    })
}

/// Every rate around London with its hotel.
async fn rates(server: &Server, body: &Value) -> Vec<(Value, Value)> {
    let (status, body) = post(server, "/hotel-api/1.0/hotels", body).await;
    assert_eq!(status, 200, "{body}");
    let hotels = body["hotels"]["hotels"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    hotels
        .iter()
        .flat_map(|hotel| {
            hotel["rooms"]
                .as_array()
                .unwrap()
                .iter()
                .map(move |room| (hotel, room))
        })
        .flat_map(|(hotel, room)| {
            room["rates"]
                .as_array()
                .unwrap()
                .iter()
                .map(move |rate| (hotel.clone(), rate.clone()))
        })
        .collect()
}

async fn rate_of(server: &Server, kind: &str, class: &str) -> Value {
    let rates = rates(server, &search_body()).await;
    let mut fitting = rates
        .into_iter()
        .map(|(_, rate)| rate)
        .filter(|rate| rate["rateType"] == kind && rate["rateClass"] == class);
    fitting.next().unwrap()
}

fn booking_body(rate: &Value, surname: &str) -> Value {
    json!({
        "holder": { "name": "Amelia", "surname": surname },
        "rooms": [{ "rateKey": rate["rateKey"], "paxes": [
            { "roomId": 1, "type": "AD", "name": "Amelia", "surname": surname },
            { "roomId": 1, "type": "AD", "name": "Fred", "surname": "Noonan" },
        ]}],
        "clientReference": "ILHOTEL1",
        "remark": "Late arrival",
        "tolerance": 0.0,
    })
}

async fn book(server: &Server, rate: &Value, surname: &str) -> (StatusCode, Value) {
    post(
        server,
        "/hotel-api/1.2/bookings",
        &booking_body(rate, surname),
    )
    .await
}

async fn check(server: &Server, rate: &Value) -> Value {
    let body = json!({ "rooms": [{ "rateKey": rate["rateKey"] }], "language": "ENG" });
    let (status, body) = post(server, "/hotel-api/1.0/checkrates", &body).await;
    assert_eq!(status, 200, "{body}");
    body["hotel"].clone()
}

async fn cancel(server: &Server, booking: &Value, flag: &str) -> (StatusCode, Value) {
    let reference = booking["booking"]["reference"].as_str().unwrap();
    let path = format!("/hotel-api/1.0/bookings/{reference}?cancellationFlag={flag}");
    send(request(server, Method::DELETE, &path)).await
}

async fn journal(server: &Server) -> Vec<Value> {
    let (_, body) = server.get("/_control/journal?supplier=hotelbeds").await;
    body["data"].as_array().unwrap().clone()
}

/// The class and the message of an error.
fn refusal(body: &Value) -> (&str, &str) {
    let code = body["error"]["code"].as_str().unwrap_or_default();
    let class = code.split('-').next().unwrap_or_default();
    (class, body["error"]["message"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_signature_is_good_for_300_seconds() {
    let server = start().await;
    let now = server.clock.now().as_second();
    let path = "/hotel-api/1.0/hotels";
    for (second, expected) in [
        (now - 300, 200),
        (now + 300, 200),
        (now - 301, 401),
        (now + 301, 401),
    ] {
        let request = server
            .client
            .post(format!("{}/hotelbeds{path}", server.base))
            .header("Api-key", KEY)
            .header("X-Signature", signature(second))
            .json(&search_body());
        let (status, body) = send(request).await;
        assert_eq!(status, expected);
        if expected == 401 {
            assert_eq!(
                body,
                json!({ "error": "Request signature verification failed" })
            );
        }
    }
    let request = server
        .client
        .post(format!("{}/hotelbeds{path}", server.base));
    assert_eq!(send(request.json(&search_body())).await.0, 403);
}

#[tokio::test]
async fn answers_are_gzipped_for_those_who_take_gzip() {
    let server = start().await;
    let plain = reqwest::Client::builder().no_gzip().build().unwrap();
    for (accepts, encoding) in [("gzip", Some("gzip")), ("identity", None)] {
        let response = plain
            .post(format!("{}/hotelbeds/hotel-api/1.0/hotels", server.base))
            .header("Api-key", KEY)
            .header("X-Signature", signature(server.clock.now().as_second()))
            .header("Accept-Encoding", accepts)
            .json(&search_body())
            .send()
            .await
            .unwrap();
        let header = response.headers().get("content-encoding").cloned();
        assert_eq!(
            header.as_ref().map(|value| value.to_str().unwrap()),
            encoding
        );
        let bytes = response.bytes().await.unwrap();
        assert_eq!(bytes.starts_with(&[0x1f, 0x8b]), encoding.is_some());
    }
}

#[tokio::test]
async fn numbers_become_texts_from_one_endpoint_to_the_next() {
    let server = start().await;
    let all = rates(&server, &search_body()).await;
    assert!((60..=1000).contains(&all.len()), "{}", all.len());
    for (hotel, rate) in &all {
        assert!(
            hotel["latitude"].is_f64()
                && hotel["minRate"].is_string()
                && hotel["currency"] == "EUR"
        );
        assert!(rate["net"].is_f64() || rate["net"].is_i64(), "{rate}");
        // What a rate says of itself does not contradict its class.
        let says = rate["promotions"].to_string();
        assert!(
            rate["rateClass"] == "NRF" || !says.contains("Non-refundable"),
            "{rate}"
        );
        for policy in rate["cancellationPolicies"].as_array().unwrap() {
            assert!(
                policy["from"].as_str().unwrap().ends_with('Z') && policy["amount"].is_number()
            );
        }
    }
    let has = |key: &str| {
        all.iter()
            .any(|(_, rate)| rate.get(key).is_some_and(|value| !value.is_null()))
    };
    assert!(
        [
            "taxes",
            "offers",
            "promotions",
            "sellingRate",
            "hotelMandatory"
        ]
        .into_iter()
        .all(has)
    );
    let boards: std::collections::BTreeSet<&str> = all
        .iter()
        .map(|(_, rate)| rate["boardCode"].as_str().unwrap())
        .collect();
    assert_eq!(
        boards.into_iter().collect::<Vec<_>>(),
        ["AI", "BB", "FB", "HB", "RO"]
    );
    let checked = check(&server, &rate_of(&server, "RECHECK", "NOR").await).await;
    assert!(checked["totalNet"].is_number() && checked["minRate"].is_null());
    let rate = &checked["rooms"][0]["rates"][0];
    assert_eq!(rate["rateType"], "BOOKABLE");
    assert!(
        rate["cancellationPolicies"][0]["from"]
            .as_str()
            .unwrap()
            .ends_with("+00:00")
    );
    let (status, booked) = book(&server, rate, "Earhart").await;
    assert_eq!(status, 200, "{booked}");
    let booking = &booked["booking"];
    assert!(
        booked["auditData"]["processTime"].is_string()
            && booked["auditData"]["environment"].is_string()
    );
    assert!(booking["totalNet"].is_number() && booking["hotel"]["totalNet"].is_string());
    assert!(booking["hotel"]["latitude"].is_string());
    assert!(booking["hotel"]["rooms"][0]["rates"][0]["net"].is_string());
    assert_eq!(booking["totalNet"], checked["totalNet"]);
}

#[tokio::test]
async fn nothing_found_is_a_total_of_nothing() {
    let server = start().await;
    let mut body = search_body();
    body["geolocation"] =
        json!({ "latitude": "0.0", "longitude": "-30.0", "radius": "5", "unit": "mi" });
    let (status, body) = post(&server, "/hotel-api/1.0/hotels", &body).await;
    assert_eq!(
        (status.as_u16(), &body["hotels"]),
        (200, &json!({ "total": 0 }))
    );
}

#[tokio::test]
async fn hotels_are_found_by_code_and_described_with_pictures() {
    let server = start().await;
    let (hotel, _) = rates(&server, &search_body()).await[0].clone();
    let code = hotel["code"].as_u64().unwrap();
    let mut body = search_body();
    body.as_object_mut().unwrap().remove("geolocation");
    body["hotels"] = json!({ "hotel": [code, 1] });
    let found = rates(&server, &body).await;
    assert!(!found.is_empty() && found.iter().all(|(found, _)| found["code"] == code));
    let path = format!("/hotel-content-api/1.0/hotels?codes={code}&fields=all&from=1&to=10");
    let (status, content) = get(&server, &path).await;
    assert_eq!((status.as_u16(), &content["total"]), (200, &json!(1)));
    let described = &content["hotels"][0];
    assert_eq!(described["name"]["content"], hotel["name"]);
    let picture = format!("/{}", described["images"][0]["path"].as_str().unwrap());
    assert_eq!(server.get(&picture).await.0, 200);
}

#[tokio::test]
async fn a_rate_to_be_checked_is_refused_unchecked_and_a_key_dies_after_half_an_hour() {
    let server = start().await;
    let rate = rate_of(&server, "RECHECK", "NOR").await;
    let (status, body) = book(&server, &rate, "Earhart").await;
    assert_eq!((status.as_u16(), refusal(&body).0), (400, "INVALID_DATA"));
    let rate = rate_of(&server, "BOOKABLE", "NOR").await;
    server.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(
        refusal(&book(&server, &rate, "Earhart").await.1).0,
        "INVALID_DATA"
    );
    let forged = json!({ "rateKey": rate["rateKey"].as_str().unwrap().replace("|RO|", "|AI|") });
    assert_eq!(book(&server, &forged, "Earhart").await.0, 400);
    assert!(journal(&server).await.is_empty());
}

#[tokio::test]
async fn surnames_ask_for_outcomes() {
    let server = start().await;
    let rate = rate_of(&server, "BOOKABLE", "NOR").await;
    let (status, body) = book(&server, &rate, "SOLDOUT").await;
    assert_eq!(
        (status.as_u16(), refusal(&body)),
        (400, ("PRODUCT_ERROR", "Allotment exceeded"))
    );
    assert_eq!(
        refusal(&book(&server, &rate, "REFUSED").await.1).0,
        "PRODUCT_ERROR"
    );
    let (_, body) = book(&server, &rate, "PRICECHANGE").await;
    assert_eq!(refusal(&body), ("PRODUCT_ERROR", "Price has increased"));
    let checked = check(&server, &rate).await;
    let before = rate["net"].as_f64().unwrap();
    assert!((checked["totalNet"].as_f64().unwrap() - before - 10.0).abs() < 0.001);
    let mut tolerant = booking_body(&rate, "PRICECHANGE");
    tolerant["tolerance"] = json!(100.0);
    let (status, booked) = post(&server, "/hotel-api/1.0/bookings", &tolerant).await;
    assert_eq!(
        (status.as_u16(), &booked["booking"]["totalNet"]),
        (200, &checked["totalNet"])
    );
    assert_eq!(
        book(&server, &checked["rooms"][0]["rates"][0], "PRICECHANGE")
            .await
            .0,
        200
    );
    assert_eq!(
        book(&server, &checked["rooms"][0]["rates"][0], "ERROR500")
            .await
            .0,
        500
    );
    assert_eq!(journal(&server).await.len(), 3);
}

#[tokio::test]
async fn a_cancellation_is_simulated_before_it_is_made() {
    let server = start().await;
    let refundable = rate_of(&server, "BOOKABLE", "NOR").await;
    let (_, booking) = book(&server, &refundable, "Earhart").await;
    let (_, again) = book(&server, &refundable, "Earhart").await;
    assert_ne!(
        booking["booking"]["reference"], again["booking"]["reference"],
        "a duplicate books again"
    );
    let (status, quote) = cancel(&server, &booking, "SIMULATION").await;
    assert_eq!(
        (
            status.as_u16(),
            &quote["booking"]["hotel"]["cancellationAmount"]
        ),
        (200, &json!(0.0))
    );
    let path = format!(
        "/hotel-api/1.0/bookings/{}",
        booking["booking"]["reference"].as_str().unwrap()
    );
    assert_eq!(
        get(&server, &path).await.1["booking"]["status"],
        "CONFIRMED"
    );
    let (_, done) = cancel(&server, &booking, "CANCELLATION").await;
    assert_eq!(done["booking"], quote["booking"]);
    assert!(done["booking"]["cancellationReference"].is_string());
    assert_eq!(
        get(&server, &path).await.1["booking"]["status"],
        "CANCELLED"
    );
    assert_eq!(cancel(&server, &booking, "CANCELLATION").await.0, 400);
    let (_, lost) = book(
        &server,
        &rate_of(&server, "BOOKABLE", "NRF").await,
        "Earhart",
    )
    .await;
    let (_, lost) = cancel(&server, &lost, "CANCELLATION").await;
    assert_eq!(
        lost["booking"]["hotel"]["cancellationAmount"],
        lost["booking"]["totalNet"]
    );
    let lines = journal(&server).await;
    assert_eq!(lines[0]["client_reference"], "ILHOTEL1");
    assert_eq!(lines[2]["amount"], lines[0]["amount"]);
    assert_eq!(lines[4]["amount"], "0.00");
    let path = "/hotel-api/1.0/bookings?start=2026-11-21&end=2026-11-21&filterType=CREATION&status=ALL&from=1&to=2&clientReference=ILHOTEL1";
    let (_, list) = get(&server, path).await;
    let listed = list["bookings"]["bookings"].as_array().unwrap();
    assert_eq!(
        (listed.len(), &listed[1]["reference"]),
        (2, &again["booking"]["reference"])
    );
    assert!(listed[1]["totalNet"].is_string());
}

#[tokio::test]
async fn fifty_parallel_bookings_of_three_rooms_make_three() {
    let server = start().await;
    let rate = rate_of(&server, "BOOKABLE", "NOR").await;
    let key: Vec<&str> = rate["rateKey"].as_str().unwrap().split('|').collect();
    let item = format!(
        "{}/{}/2026-12-11",
        key[4],
        key[5].split('.').next().unwrap()
    );
    let stock = json!({ "item": item, "remaining": 3 });
    assert_eq!(
        server.put("/_control/inventory/hotelbeds", &stock).await.0,
        200
    );
    let bookings = (0..50).map(|_| book(&server, &rate, "Earhart"));
    let answers = futures_util::future::join_all(bookings).await;
    let booked = answers.iter().filter(|(status, _)| *status == 200).count();
    assert_eq!((booked, journal(&server).await.len()), (3, 3));
}

#[tokio::test]
async fn bookings_come_back_from_the_journal() {
    let folder = std::env::temp_dir().join(format!("sandbox-{}", uuid::Uuid::new_v4()));
    let options = || Options {
        data_dir: Some(folder.clone()),
        ..Options::default()
    };
    let server = start_with(options()).await;
    let rate = rate_of(&server, "BOOKABLE", "NOR").await;
    let (_, kept) = book(&server, &rate, "Earhart").await;
    let (_, gone) = book(&server, &rate, "Earhart").await;
    cancel(&server, &gone, "CANCELLATION").await;
    let server = start_with(options()).await;
    let path = |booking: &Value| {
        format!(
            "/hotel-api/1.0/bookings/{}",
            booking["booking"]["reference"].as_str().unwrap()
        )
    };
    assert_eq!(
        get(&server, &path(&kept)).await.1["booking"],
        kept["booking"]
    );
    assert_eq!(
        get(&server, &path(&gone)).await.1["booking"]["status"],
        "CANCELLED"
    );
    let (_, next) = book(&server, &rate, "Earhart").await;
    assert!(
        ![&kept, &gone]
            .iter()
            .any(|one| one["booking"]["reference"] == next["booking"]["reference"])
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn faults_strike_every_operation() {
    let server = start().await;
    let fault = async |body: Value| {
        let (status, _) = server.put("/_control/faults/hotelbeds", &body).await;
        assert_eq!(status, 200);
    };
    fault(json!({ "operation": "search", "mode": "error_503", "count": 1 })).await;
    assert_eq!(
        post(&server, "/hotel-api/1.0/hotels", &search_body())
            .await
            .0,
        503
    );
    let rate = rate_of(&server, "BOOKABLE", "NOR").await;
    fault(json!({ "operation": "price", "mode": "rate_limit", "count": 1 })).await;
    let body = json!({ "rooms": [{ "rateKey": rate["rateKey"] }] });
    assert_eq!(
        post(&server, "/hotel-api/1.0/checkrates", &body).await.0,
        429
    );
    fault(json!({ "operation": "order", "mode": "error_500", "when": "after_commit", "count": 1 }))
        .await;
    let (status, body) = book(&server, &rate, "Earhart").await;
    assert_eq!((status.as_u16(), refusal(&body).0), (500, "SYSTEM_ERROR"));
    assert_eq!(journal(&server).await.len(), 1);
    fault(json!({ "operation": "order", "mode": "late_visibility", "latency_ms": 5000 })).await;
    let (_, booking) = book(&server, &rate, "Earhart").await;
    let path = format!(
        "/hotel-api/1.0/bookings/{}",
        booking["booking"]["reference"].as_str().unwrap()
    );
    assert_eq!(get(&server, &path).await.0, 404);
    server.clock.advance(Duration::from_secs(6));
    assert_eq!(get(&server, &path).await.0, 200);
    fault(json!({ "operation": "retrieve", "mode": "missing_key", "count": 1 })).await;
    assert!(
        get(&server, &path).await.1["booking"]
            .get("reference")
            .is_none()
    );
    fault(json!({ "operation": "cancel", "mode": "html", "count": 1 })).await;
    assert_eq!(cancel(&server, &booking, "CANCELLATION").await.0, 502);
    assert_eq!(cancel(&server, &booking, "CANCELLATION").await.0, 200);
    fault(json!({ "operation": "search", "mode": "truncated", "count": 1 })).await;
    let truncated = request(&server, Method::POST, "/hotel-api/1.0/hotels").json(&search_body());
    assert!(truncated.send().await.unwrap().bytes().await.is_err());
}
