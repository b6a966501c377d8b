//! What is on sale: timetables, prices, paging, places.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use serde_json::{Value, json};

use super::support::{DAY, cents, start};

fn segments(offer: &Value) -> impl Iterator<Item = &Value> {
    offer["slices"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|slice| slice["segments"].as_array().unwrap())
}

fn instant(segment: &Value, time: &str, place: &str) -> jiff::Timestamp {
    let local: DateTime = segment[time].as_str().unwrap().parse().unwrap();
    let zone = segment[place]["time_zone"].as_str().unwrap();
    local.in_tz(zone).unwrap().timestamp()
}

fn minutes(duration: &Value) -> i64 {
    let span: jiff::Span = duration.as_str().unwrap().parse().unwrap();
    i64::from(span.get_hours()) * 60 + span.get_minutes()
}

#[tokio::test]
async fn times_agree_with_zones_and_amounts_with_each_other() {
    let server = start().await;
    let mut checked = 0;
    for (from, to) in [
        ("LHR", "JFK"),
        ("SYD", "LAX"),
        ("LON", "NYC"),
        ("CMN", "CDG"),
        ("LHR", "DXB"),
        ("DXB", "AMS"),
        ("AKL", "HNL"),
    ] {
        let request = server.search(from, to, 2).await;
        let offers = request["offers"].as_array().unwrap();
        assert!(offers.len() >= 8, "{from}-{to}: {}", offers.len());
        for offer in offers {
            assert_eq!(
                cents(&offer["base_amount"]) + cents(&offer["tax_amount"]),
                cents(&offer["total_amount"])
            );
            for slice in offer["slices"].as_array().unwrap() {
                let flown = slice["segments"].as_array().unwrap();
                let (first, last) = (&flown[0], &flown[flown.len() - 1]);
                if first["marketing_carrier"]["iata_code"] != "ZZ" {
                    let left = instant(first, "departing_at", "origin");
                    let landed = instant(last, "arriving_at", "destination");
                    let stated = minutes(&slice["duration"]);
                    assert_eq!(landed.duration_since(left).as_mins(), stated);
                }
            }
            for segment in segments(offer) {
                let local = |time: &str, place: &str| -> (DateTime, jiff::Timestamp) {
                    let local = segment[time].as_str().unwrap().parse().unwrap();
                    (local, instant(segment, time, place))
                };
                let (left, left_at) = local("departing_at", "origin");
                let (landed, landed_at) = local("arriving_at", "destination");
                let stated = minutes(&segment["duration"]);
                if segment["marketing_carrier"]["iata_code"] == "ZZ" {
                    assert_eq!(landed.duration_since(left).as_mins(), stated);
                } else {
                    assert_eq!(landed_at.duration_since(left_at).as_mins(), stated);
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 200);
}

#[tokio::test]
async fn heathrow_to_kennedy_is_on_sale_on_every_day_of_the_timetable() {
    let server = start().await;
    let mut day: jiff::civil::Date = "2026-11-21".parse().unwrap();
    for _ in 0..12 {
        let slices =
            json!([{ "origin": "LHR", "destination": "JFK", "departure_date": day.to_string() }]);
        let request = server
            .search_slices(slices, vec![json!({ "type": "adult" })])
            .await;
        assert!(request["offers"].as_array().unwrap().len() >= 8);
        let owners: BTreeSet<&str> = (request["offers"].as_array().unwrap().iter())
            .map(|offer| offer["owner"]["iata_code"].as_str().unwrap())
            .collect();
        assert!(owners.contains("ZZ") && owners.len() >= 4, "{owners:?}");
        day = day.checked_add(jiff::Span::new().days(29)).unwrap();
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_world() {
    let (one, other) = (start().await, start().await);
    let flights = |request: Value| -> Vec<Value> {
        let offers = request["offers"].as_array().unwrap().iter();
        offers
            .map(|offer| {
                let segment = &offer["slices"][0]["segments"][0];
                json!([
                    offer["total_amount"],
                    segment["departing_at"],
                    segment["marketing_carrier_flight_number"]
                ])
            })
            .collect()
    };
    let first = flights(one.search("LHR", "SIN", 1).await);
    assert_eq!(first, flights(other.search("LHR", "SIN", 1).await));
}

#[tokio::test]
async fn paging_shows_every_offer_once_and_in_order() {
    let server = start().await;
    let request = server.search("LHR", "JFK", 1).await;
    let all: BTreeSet<&str> = (request["offers"].as_array().unwrap().iter())
        .map(|offer| offer["id"].as_str().unwrap())
        .collect();
    let mut seen = Vec::new();
    let mut totals = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!(
            "/duffel/air/offers?offer_request_id={}&limit=7&sort=total_amount{after}",
            request["id"].as_str().unwrap()
        );
        let (status, page) = server.get(&path).await;
        assert_eq!(status, 200, "{page}");
        for offer in page["data"].as_array().unwrap() {
            seen.push(offer["id"].as_str().unwrap().to_owned());
            totals.push(cents(&offer["total_amount"]));
        }
        match page["meta"]["after"].as_str() {
            Some(cursor) => after = format!("&after={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), all.len());
    assert_eq!(
        seen.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        all
    );
    assert!(totals.is_sorted());
    let direct = format!(
        "/duffel/air/offers?offer_request_id={}&max_connections=0&limit=200",
        request["id"].as_str().unwrap()
    );
    let (_, page) = server.get(&direct).await;
    let direct = page["data"].as_array().unwrap();
    assert!(!direct.is_empty() && direct.len() < all.len());
    assert!(direct.iter().all(|offer| segments(offer).count() == 1));
}

#[tokio::test]
async fn airports_are_all_listed_page_by_page() {
    let server = start().await;
    let mut ids = BTreeSet::new();
    let mut count = 0;
    let mut after = String::new();
    loop {
        let (_, page) = server
            .get(&format!("/duffel/air/airports?limit=200{after}"))
            .await;
        for airport in page["data"].as_array().unwrap() {
            ids.insert(airport["id"].as_str().unwrap().to_owned());
            count += 1;
        }
        match page["meta"]["after"].as_str() {
            Some(cursor) => after = format!("&after={cursor}"),
            None => break,
        }
    }
    assert!(count > 7000);
    assert_eq!(ids.len(), count);
}

#[tokio::test]
async fn a_family_pays_by_age_and_a_return_uses_one_airline() {
    let server = start().await;
    let slices = json!([
        { "origin": "LON", "destination": "NYC", "departure_date": DAY },
        { "origin": "NYC", "destination": "LON", "departure_date": "2026-12-10" },
    ]);
    let family = vec![
        json!({ "type": "adult" }),
        json!({ "age": 8 }),
        json!({ "type": "infant_without_seat" }),
    ];
    let family = server.search_slices(slices.clone(), family).await;
    let alone = server
        .search_slices(slices, vec![json!({ "type": "adult" })])
        .await;
    let kinds: Vec<&Value> = (family["passengers"].as_array().unwrap().iter())
        .map(|passenger| &passenger["type"])
        .collect();
    assert_eq!(kinds, ["adult", "child", "infant_without_seat"]);
    assert_eq!(family["slices"][0]["origin_type"], "city");
    let (first, single) = (&family["offers"][0], &alone["offers"][0]);
    let ratio = cents(&first["total_amount"]) * 100 / cents(&single["total_amount"]);
    assert!((184..=185).contains(&ratio), "{ratio}");
    for offer in family["offers"].as_array().unwrap() {
        assert_eq!(offer["slices"].as_array().unwrap().len(), 2);
        let airlines: BTreeSet<&str> = segments(offer)
            .map(|segment| segment["marketing_carrier"]["iata_code"].as_str().unwrap())
            .collect();
        assert_eq!(airlines.len(), 1);
    }
}

#[tokio::test]
async fn places_are_suggested_best_match_first() {
    let server = start().await;
    let (status, body) = server.get("/duffel/places/suggestions?query=lon").await;
    assert_eq!(status, 200);
    assert_eq!(body["data"][0]["iata_code"], "LON");
    assert_eq!(body["data"][0]["type"], "city");
    assert!(body["data"][0]["airports"].as_array().unwrap().len() >= 5);
    assert!(body.get("meta").is_none());
    let (_, body) = server.get("/duffel/places/suggestions?query=JFK").await;
    assert_eq!(body["data"][0]["id"], "arp_jfk_us");
    let (status, _) = server.get("/duffel/places/suggestions").await;
    assert_eq!(status, 422);
}
