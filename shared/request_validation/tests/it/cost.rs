//! What a check costs. `cargo test --release -p request_validation -- --ignored --nocapture cost`

use std::hint::black_box;

use http::Method;
use serde_json::json;
use tokio::time::Instant;

use crate::sample::VALIDATOR;

const ROUNDS: u32 = 200_000;

/// Microseconds of one call, the best of seven runs.
fn micros(mut call: impl FnMut()) -> f64 {
    let run = |_| {
        let started = Instant::now();
        for _ in 0..ROUNDS {
            call();
        }
        started.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
    };
    (0..7).map(run).fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "measures; wants a release build and a quiet machine"]
fn a_search_costs_1500_ns_and_an_order_of_1_kb_6000_ns_at_most() {
    let search = VALIDATOR
        .operation(&Method::GET, "/api/v1/flights/offers")
        .unwrap();
    let query =
        "origin=LHR&destination=JFK&departure_date=2026-12-24&adults=2&cabin=business&sort=price";
    let of_query = micros(|| search.check_query(black_box(Some(query))).unwrap());

    let traveller = |given: &str, title: &str| {
        json!({
            "title": title, "given_name": given, "family_name": "Earhart", "born_on": "1987-07-24",
            "gender": "female", "email": "amelia@example.com", "phone": "+442080160509",
            "documents": [{"type": "passport", "number": "925076473", "issuing_country": "GB",
                "expires_on": "2031-04-30"}],
        })
    };
    let order = json!({
        "offer_id": "off_0193f0c0a1b27c3d8e4f5a6b7c8d9e0f",
        "travellers": [traveller("Amelia", "ms"), traveller("Grace", "mrs"), traveller("Ada", "dr")],
        "contact": {"email": "amelia@example.com", "phone": "+442080160509"},
        "max_total": {"amount": "1016.15", "currency": "GBP"},
        "reference": "trip-2026-12",
    })
    .to_string();
    let orders = VALIDATOR
        .operation(&Method::POST, "/api/v1/flights/orders")
        .unwrap();
    let media = Some("application/json");
    let of_body = micros(|| {
        orders
            .check_body(media, black_box(order.as_bytes()))
            .unwrap()
    });
    println!(
        "query: {of_query:.2} us; order of {} bytes: {of_body:.2} us",
        order.len()
    );
    assert!(of_query <= 1.5 && of_body <= 6.0);
}
