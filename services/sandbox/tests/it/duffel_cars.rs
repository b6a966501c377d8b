//! Duffel Cars: searching, quoting, booking, cancelling; faults, scenarios, oversell and restart.

use std::time::Duration;

use reqwest::StatusCode;
use sandbox::Options;
use serde_json::{Value, json};

use super::support::{Server, cents, code, start, start_with};

const HEATHROW: (f64, f64) = (51.4706, -0.461941);
const HENDERSON: (f64, f64) = (-24.38, -128.32);

fn around((latitude, longitude): (f64, f64)) -> Value {
    json!({ "radius": 5, "geographic_coordinates": { "latitude": latitude, "longitude": longitude } })
}

fn search_body(from: (f64, f64), to: (f64, f64), age: u8) -> Value {
    json!({ "data": {
        "pickup_date": "2026-12-01", "pickup_time": "10:00",
        "dropoff_date": "2026-12-05", "dropoff_time": "12:30",
        "pickup_location": around(from), "dropoff_location": around(to),
        "driver": { "age": age, "residence_country_code": "GB" },
    }})
}

async fn search(server: &Server, from: (f64, f64), to: (f64, f64), age: u8) -> Vec<Value> {
    let (status, body) = server
        .post("/duffel_cars/cars/search", &search_body(from, to, age))
        .await;
    assert_eq!(status, 200, "{body}");
    body["data"]["rates"].as_array().unwrap().clone()
}

async fn quote(server: &Server, rate: &Value) -> (StatusCode, Value) {
    let body = json!({ "data": { "rate_id": rate["id"] } });
    let (status, body) = server.post("/duffel_cars/cars/quotes", &body).await;
    let answer = if status == 200 {
        body["data"].clone()
    } else {
        body
    };
    (status, answer)
}

fn booking_body(quote: &Value, family_name: &str) -> Value {
    json!({ "data": {
        "quote_id": quote["id"],
        "driver": {
            "given_name": "Amelia", "family_name": family_name, "email": "amelia@example.com",
            "phone_number": "+442080160509", "date_of_birth": "1990-01-01",
        },
        "metadata": { "interline_order_id": "ord_car" },
    }})
}

async fn book(server: &Server, quote: &Value, family_name: &str) -> (StatusCode, Value) {
    let body = booking_body(quote, family_name);
    server.post("/duffel_cars/cars/bookings", &body).await
}

async fn cancel(server: &Server, booking: &Value) -> (StatusCode, Value) {
    let id = booking["data"]["id"].as_str().unwrap();
    let path = format!("/duffel_cars/cars/bookings/{id}/actions/cancel");
    server.post(&path, &json!({})).await
}

async fn journal(server: &Server) -> Vec<Value> {
    let (_, body) = server.get("/_control/journal?supplier=duffel_cars").await;
    body["data"].as_array().unwrap().clone()
}

/// A rate at Heathrow that is paid at the counter.
async fn postpaid(server: &Server) -> Value {
    let rates = search(server, HEATHROW, HEATHROW, 36).await;
    let mut postpaid = rates
        .into_iter()
        .filter(|rate| rate["payment_type"] == "postpaid");
    postpaid.next().unwrap()
}

/// The keys of the SDK's `CarsBooking`, which are those of a quote and seven more.
const BOOKING_KEYS: [&str; 28] = [
    "id",
    "live_mode",
    "reference",
    "confirmed_at",
    "cancelled_at",
    "status",
    "driver",
    "quote_id",
    "base_amount",
    "base_currency",
    "total_amount",
    "total_currency",
    "charges",
    "payment_type",
    "mileage",
    "supplier",
    "metadata",
    "users",
    "car",
    "conditions",
    "privacy_policies",
    "pickup_location",
    "dropoff_location",
    "pickup_date",
    "pickup_time",
    "dropoff_date",
    "dropoff_time",
    "live_mode",
];

fn has_keys(object: &Value, keys: &[&str]) {
    for key in keys {
        assert!(object.get(key).is_some(), "{key} is missing in {object}");
    }
}

fn has_location(location: &Value) {
    let keys = [
        "name",
        "geographic_coordinates",
        "address",
        "phone_number",
        "access",
        "additional_information",
        "opening_hours",
    ];
    has_keys(location, &keys);
    has_keys(
        &location["address"],
        &[
            "line_one",
            "city_name",
            "postal_code",
            "region",
            "country_code",
        ],
    );
}

#[tokio::test]
async fn every_key_of_the_sdk_is_answered_and_charges_add_up() {
    let server = start().await;
    let rates = search(&server, HEATHROW, HEATHROW, 36).await;
    assert!((10..=90).contains(&rates.len()), "{}", rates.len());
    for rate in &rates {
        has_keys(
            rate,
            &[
                "id",
                "base_amount",
                "base_currency",
                "total_amount",
                "total_currency",
                "payment_type",
                "mileage",
                "supplier",
                "car",
            ],
        );
        has_keys(
            &rate["car"],
            &[
                "name",
                "code",
                "category",
                "type",
                "transmission",
                "fuel",
                "air_conditioning",
                "max_passengers",
                "baggage",
                "images",
            ],
        );
        has_location(&rate["pickup_location"]);
        has_location(&rate["dropoff_location"]);
        let (status, quote) = quote(&server, rate).await;
        assert_eq!(status, 200);
        assert_eq!(quote["total_amount"], rate["total_amount"]);
        if let Some(charges) = quote["charges"].as_array() {
            let parts: i64 = charges.iter().map(|charge| cents(&charge["amount"])).sum();
            assert_eq!(
                cents(&quote["base_amount"]) + parts,
                cents(&quote["total_amount"])
            );
        }
    }
    let (_, quote) = quote(&server, &postpaid(&server).await).await;
    let (status, booking) = book(&server, &quote, "Earhart").await;
    assert_eq!(status, 200, "{booking}");
    has_keys(&booking["data"], &BOOKING_KEYS);
    assert!(booking["data"].get("rate_id").is_none());
}

#[tokio::test]
async fn the_test_location_books_as_its_rates_are_named() {
    let server = start().await;
    let rates = search(&server, HENDERSON, HENDERSON, 31).await;
    let named = |name: &str| {
        rates
            .iter()
            .find(|rate| rate["car"]["name"] == name)
            .unwrap()
    };
    let rate = named("Successful Postpaid Booking");
    assert_eq!(
        (
            &rate["base_amount"],
            &rate["total_amount"],
            &rate["car"]["code"]
        ),
        (&json!("95.22"), &json!("101.34"), &json!("SSAV"))
    );
    let (_, good) = quote(&server, rate).await;
    assert_eq!(book(&server, &good, "Earhart").await.0, 200);
    let (status, gone) = quote(&server, named("Unavailable Rate")).await;
    assert_eq!((status.as_u16(), code(&gone)), (422, "rate_unavailable"));
    let (_, dearer) = quote(&server, named("Price Changed on Quote")).await;
    assert_eq!(dearer["total_amount"], "106.34");
    for (name, expected) in [
        ("Failed Booking", "booking_refused"),
        ("Declined Payment", "payment_declined"),
    ] {
        let (_, quote) = quote(&server, named(name)).await;
        let (status, body) = book(&server, &quote, "Earhart").await;
        assert_eq!((status.as_u16(), code(&body)), (422, expected));
    }
    assert_eq!(journal(&server).await.len(), 1);
}

#[tokio::test]
async fn a_rate_for_a_guarantee_needs_a_card() {
    let server = start().await;
    let rates = search(&server, HENDERSON, HENDERSON, 31).await;
    let rate = rates
        .iter()
        .find(|rate| rate["payment_type"] == "guarantee")
        .unwrap();
    let (_, quote) = quote(&server, rate).await;
    assert_eq!(
        code(&book(&server, &quote, "Earhart").await.1),
        "validation_required"
    );
    let mut body = booking_body(&quote, "Earhart");
    body["data"]["payment"] = json!({ "method": "card", "card_id": "tcd_00009hthhsUZ8W4LxQgkjb" });
    assert_eq!(
        server.post("/duffel_cars/cars/bookings", &body).await.0,
        200
    );
}

#[tokio::test]
async fn family_names_ask_for_outcomes() {
    let server = start().await;
    for (name, expected) in [
        ("SOLDOUT", "rate_unavailable"),
        ("REFUSED", "booking_refused"),
    ] {
        let (_, quote) = quote(&server, &postpaid(&server).await).await;
        let (status, body) = book(&server, &quote, name).await;
        assert_eq!((status.as_u16(), code(&body)), (422, expected));
    }
    let rate = postpaid(&server).await;
    let (_, old) = quote(&server, &rate).await;
    let (status, body) = book(&server, &old, "PRICECHANGE").await;
    assert_eq!((status.as_u16(), code(&body)), (422, "price_changed"));
    let (_, new) = quote(&server, &rate).await;
    assert_eq!(
        cents(&new["total_amount"]),
        cents(&old["total_amount"]) + 1_000
    );
    assert_eq!(book(&server, &new, "PRICECHANGE").await.0, 200);
    assert_eq!(book(&server, &new, "ERROR500").await.0, 500);
    assert_eq!(journal(&server).await.len(), 2);
}

#[tokio::test]
async fn a_cancellation_is_free_until_a_day_before_and_gives_the_car_back() {
    let server = start().await;
    let (_, quote) = quote(&server, &postpaid(&server).await).await;
    let (_, first) = book(&server, &quote, "Earhart").await;
    let (_, second) = book(&server, &quote, "Earhart").await;
    assert_ne!(
        first["data"]["id"], second["data"]["id"],
        "a duplicate books again"
    );
    let (status, cancelled) = cancel(&server, &first).await;
    assert_eq!(
        (status.as_u16(), &cancelled["data"]["status"]),
        (200, &json!("cancelled"))
    );
    assert_eq!(code(&cancel(&server, &first).await.1), "already_cancelled");
    // Ten days before less 14 hours: half a day before the pickup at 10:00 in London.
    server
        .clock
        .advance(Duration::from_secs((10 * 24 - 14) * 3600));
    assert_eq!(cancel(&server, &second).await.0, 200);
    let lines = journal(&server).await;
    let amounts: Vec<&Value> = lines.iter().map(|line| &line["amount"]).collect();
    assert_eq!(amounts[2], &quote["total_amount"]);
    assert_eq!(amounts[3], "0.00");
    assert_eq!(lines[0]["client_reference"], "ord_car");
    assert_eq!(lines[0]["supplier_reference"], first["data"]["reference"]);
}

#[tokio::test]
async fn drivers_are_refused_by_age_and_young_ones_pay_more() {
    let server = start().await;
    assert!(search(&server, HEATHROW, HEATHROW, 20).await.is_empty());
    assert!(search(&server, HEATHROW, HEATHROW, 81).await.is_empty());
    let total = |rates: &[Value]| {
        let rate = rates
            .iter()
            .find(|rate| rate["supplier"]["name"] == "Meridian Drive");
        cents(&rate.unwrap()["total_amount"])
    };
    let young = search(&server, HEATHROW, HEATHROW, 24).await;
    let grown = search(&server, HEATHROW, HEATHROW, 36).await;
    assert!(total(&young) > total(&grown));
    let (_, quote) = quote(&server, &postpaid(&server).await).await;
    let mut body = booking_body(&quote, "Earhart");
    body["data"]["driver"]["date_of_birth"] = json!("2003-01-01");
    let (status, body) = server.post("/duffel_cars/cars/bookings", &body).await;
    assert_eq!(
        (status.as_u16(), code(&body)),
        (422, "driver_age_not_accepted")
    );
}

#[tokio::test]
async fn a_car_left_elsewhere_costs_a_one_way_fee() {
    let server = start().await;
    let rates = search(&server, HEATHROW, (53.3537, -2.27495), 36).await;
    assert!(!rates.is_empty());
    let itemised = rates
        .iter()
        .find(|rate| rate["base_amount"].is_string())
        .unwrap();
    let (_, quote) = quote(&server, itemised).await;
    let mut charges = quote["charges"].as_array().unwrap().iter();
    assert!(charges.any(|charge| charge["description"] == "One-way fee"));
}

#[tokio::test]
async fn fifty_parallel_bookings_of_three_cars_make_three() {
    let server = start().await;
    let rate = postpaid(&server).await;
    let class = rate["car"]["code"].as_str().unwrap();
    let item = format!("LHR/{class}/2026-12-02");
    let stock = json!({ "item": item, "remaining": 3 });
    assert_eq!(
        server
            .put("/_control/inventory/duffel_cars", &stock)
            .await
            .0,
        200
    );
    let (_, quote) = quote(&server, &rate).await;
    let bookings = (0..50).map(|_| book(&server, &quote, "Earhart"));
    let answers = futures_util::future::join_all(bookings).await;
    let booked = answers.iter().filter(|(status, _)| *status == 200).count();
    assert_eq!((booked, journal(&server).await.len()), (3, 3));
    assert!(
        answers
            .iter()
            .all(|(status, body)| *status == 200 || code(body) == "rate_unavailable")
    );
}

#[tokio::test]
async fn bookings_come_back_from_the_journal() {
    let folder = std::env::temp_dir().join(format!("sandbox-{}", uuid::Uuid::new_v4()));
    let options = || Options {
        data_dir: Some(folder.clone()),
        ..Options::default()
    };
    let server = start_with(options()).await;
    let (_, quote) = quote(&server, &postpaid(&server).await).await;
    let (_, kept) = book(&server, &quote, "Earhart").await;
    let (_, gone) = book(&server, &quote, "Earhart").await;
    cancel(&server, &gone).await;
    let (_, before) = server.get("/duffel_cars/cars/bookings?limit=1").await;
    let server = start_with(options()).await;
    let (_, after) = server.get("/duffel_cars/cars/bookings?limit=1").await;
    assert_eq!(
        (&after["data"], &after["data"][0]["id"]),
        (&before["data"], &gone["data"]["id"])
    );
    assert_eq!(after["data"][0]["status"], "cancelled");
    let cursor = after["meta"]["after"].as_str().unwrap();
    let path = format!("/duffel_cars/cars/bookings?limit=1&after={cursor}");
    assert_eq!(server.get(&path).await.1["data"][0], kept["data"]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn faults_strike_every_operation() {
    let server = start().await;
    let fault = async |body: Value| {
        let (status, _) = server.put("/_control/faults/duffel_cars", &body).await;
        assert_eq!(status, 200);
    };
    fault(json!({ "operation": "search", "mode": "error_503", "count": 1 })).await;
    let body = search_body(HEATHROW, HEATHROW, 36);
    assert_eq!(server.post("/duffel_cars/cars/search", &body).await.0, 503);
    let rate = postpaid(&server).await;
    fault(json!({ "operation": "price", "mode": "rate_limit", "count": 1 })).await;
    assert_eq!(quote(&server, &rate).await.0, 429);
    let (_, quote) = quote(&server, &rate).await;
    fault(json!({ "operation": "order", "mode": "error_500", "when": "after_commit", "count": 1 }))
        .await;
    assert_eq!(book(&server, &quote, "Earhart").await.0, 500);
    assert_eq!(journal(&server).await.len(), 1);
    fault(json!({ "operation": "order", "mode": "late_visibility", "latency_ms": 5000 })).await;
    let (_, booking) = book(&server, &quote, "Earhart").await;
    let path = format!(
        "/duffel_cars/cars/bookings/{}",
        booking["data"]["id"].as_str().unwrap()
    );
    assert_eq!(server.get(&path).await.0, 404);
    server.clock.advance(Duration::from_secs(6));
    assert_eq!(server.get(&path).await.0, 200);
    fault(json!({ "operation": "retrieve", "mode": "missing_key", "count": 1 })).await;
    assert!(server.get(&path).await.1["data"].get("reference").is_none());
    fault(json!({ "operation": "cancel", "mode": "html", "count": 1 })).await;
    assert_eq!(cancel(&server, &booking).await.0, 502);
    assert_eq!(cancel(&server, &booking).await.0, 200);
}
