//! Rapid when it fails: by a fault, by the traveller's name, by the header `Test`.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::rapid::{EMAIL, Rapid, booking, kind, rapid, read};

fn order(rapid: &Rapid, checked: &Value, body: &Value) -> RequestBuilder {
    let href = checked["links"]["book"]["href"].as_str().unwrap();
    let request = rapid.request(Method::POST, href).json(body);
    request.timeout(Duration::from_millis(800))
}

async fn clear(rapid: &Rapid) {
    let request = rapid
        .0
        .client
        .delete(format!("{}/_control/faults", rapid.0.base));
    assert_eq!(request.send().await.unwrap().status(), 204);
}

#[tokio::test]
async fn every_fault_strikes_before_or_after_the_booking_is_made() {
    let rapid = rapid().await;
    let mut made = 0;
    for (mode, when, status, wanted) in [
        ("reset", "before", 0, ""),
        ("reset", "after_commit", 0, ""),
        ("down", "before", 0, ""),
        ("hang", "after_commit", 0, ""),
        ("error_500", "before", 500, "unknown_internal_error"),
        ("error_500", "after_commit", 500, "unknown_internal_error"),
        ("error_503", "before", 503, "service_unavailable"),
        ("rate_limit", "before", 429, "too_many_requests"),
        ("html", "after_commit", 502, ""),
        ("truncated", "before", 201, ""),
        ("missing_key", "before", 201, ""),
        ("latency", "before", 201, ""),
    ] {
        let checked = rapid.checked("occupancy=2", true).await.body;
        let fault = json!({ "operation": "order", "mode": mode, "when": when, "count": 1, "latency_ms": 20 });
        rapid.fault(fault).await;
        let reference = format!("{mode}-{when}");
        let answer = order(&rapid, &checked, &booking(&reference, "Earhart", 1))
            .send()
            .await;
        clear(&rapid).await;
        made += usize::from(when == "after_commit" || status == 201);
        match answer {
            Err(_) => assert_eq!(status, 0, "{reference}"),
            Ok(answer) => {
                assert_eq!(answer.status(), status, "{reference}");
                let body = answer.text().await;
                let body: Option<Value> =
                    body.ok().and_then(|text| serde_json::from_str(&text).ok());
                match mode {
                    "truncated" | "html" => assert_eq!(body, None),
                    "missing_key" => assert!(body.unwrap().get("itinerary_id").is_none()),
                    _ => assert_eq!(kind(&body.unwrap()), wanted),
                }
            }
        }
        assert_eq!(rapid.journal().await.len(), made, "{reference}");
        // Whatever the answer was, the reference finds what was made.
        let path = format!("/v3/itineraries?affiliate_reference_id={reference}&email={EMAIL}");
        let (_, found) = rapid.get(&path).await;
        let there = when == "after_commit" || status == 201;
        assert_eq!(
            found.as_array().unwrap().len(),
            usize::from(there),
            "{reference}"
        );
    }
}

#[tokio::test]
async fn family_names_choose_the_outcome_in_rapids_words() {
    let rapid = rapid().await;
    for (name, status, wanted, effects) in [
        ("SOLDOUT", 410, "rooms_unavailable", 0),
        ("PRICECHANGE", 409, "price_mismatch", 0),
        ("REFUSED", 400, "credit_card.declined", 0),
        ("ERROR500", 500, "unknown_internal_error", 1),
        ("TIMEOUT", 0, "", 1),
    ] {
        let checked = rapid.checked("occupancy=2", true).await.body;
        let before = rapid.journal().await.len();
        match order(&rapid, &checked, &booking(name, name, 1))
            .send()
            .await
        {
            Err(error) => assert!(error.is_timeout() && status == 0, "{name}: {error:?}"),
            Ok(answer) => {
                let (code, body) = read(answer).await;
                assert_eq!((code, kind(&body)), (status, wanted), "{name}");
            }
        }
        assert_eq!(rapid.journal().await.len() - before, effects, "{name}");
        let path = format!("/v3/itineraries?affiliate_reference_id={name}&email={EMAIL}");
        let (_, found) = rapid.get(&path).await;
        assert_eq!(found.as_array().unwrap().len(), effects, "{name}");
    }
}

#[tokio::test]
async fn a_cancellation_that_answers_202_was_done_or_was_not() {
    let rapid = rapid().await;
    let checked = rapid.checked("occupancy=2", true).await.body;
    for (name, done) in [("LOSTCANCEL", false), ("LATECANCEL", true)] {
        let (_, made) = rapid.book(&checked, &booking(name, name, 1)).await;
        let (_, itinerary) = rapid.follow(&made["links"]["retrieve"]).await;
        let before = rapid.journal().await.len();
        assert_eq!(rapid.follow(&itinerary["links"]["cancel"]).await.0, 202);
        let (_, after) = rapid.follow(&made["links"]["retrieve"]).await;
        assert_eq!(after["rooms"][0]["status"] == "canceled", done, "{name}");
        assert_eq!(rapid.journal().await.len() - before, usize::from(done));
        let second = if done { 400 } else { 204 };
        assert_eq!(rapid.follow(&itinerary["links"]["cancel"]).await.0, second);
        assert_eq!(rapid.journal().await.len() - before, 1);
    }
}

#[tokio::test]
async fn an_itinerary_is_seen_late_or_at_first_by_half() {
    let rapid = rapid().await;
    let checked = rapid.checked("occupancy=2", true).await.body;
    rapid
        .fault(json!({ "mode": "late_visibility", "latency_ms": 5000, "count": 1 }))
        .await;
    let (status, made) = rapid.book(&checked, &booking("late", "Earhart", 1)).await;
    assert_eq!(status, 201);
    let path = format!("/v3/itineraries?affiliate_reference_id=late&email={EMAIL}");
    assert_eq!(rapid.get(&path).await, (200, json!([])));
    let (status, answer) = rapid.follow(&made["links"]["retrieve"]).await;
    assert_eq!((status, kind(&answer)), (404, "resource_not_found"));
    rapid.0.clock.advance(Duration::from_secs(5));
    assert_eq!(
        rapid.get(&path).await.1[0]["itinerary_id"],
        made["itinerary_id"]
    );

    let (_, made) = rapid.book(&checked, &booking("half", "HalfSeen", 1)).await;
    let (_, half) = rapid.follow(&made["links"]["retrieve"]).await;
    let keys: Vec<&String> = half.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["creation_date_time", "itinerary_id"]);
    rapid.0.clock.advance(Duration::from_secs(3));
    let (_, whole) = rapid.follow(&made["links"]["retrieve"]).await;
    assert_eq!(whole["rooms"][0]["status"], "booked");
}

#[tokio::test]
async fn the_test_header_gives_the_documented_outcomes() {
    let rapid = rapid().await;
    let checked = rapid.checked("occupancy=2", true).await;
    let with = async |method: Method, href: &str, test: &str, body: Option<Value>| {
        let request = rapid.request(method, href).header("Test", test);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        read(request.send().await.unwrap()).await
    };
    let shop = super::rapid::shop_path(&checked.property, "occupancy=2");
    for (test, status) in [
        ("standard", 200),
        ("service_unavailable", 503),
        ("unknown_internal_error", 500),
        ("odd", 400),
    ] {
        assert_eq!(
            with(Method::GET, &shop, test, None).await.0,
            status,
            "{test}"
        );
    }
    assert_eq!(
        with(Method::GET, &shop, "no_availability", None).await.1,
        json!([])
    );
    for (test, wanted) in [
        ("available", "available"),
        ("sold_out", "sold_out"),
        ("price_changed", "price_changed"),
    ] {
        let (_, body) = with(Method::GET, &checked.link, test, None).await;
        assert_eq!(body["status"], wanted);
    }
    let checked = rapid.checked("occupancy=2", true).await;
    let href = checked.body["links"]["book"]["href"].as_str().unwrap();
    for (test, status, wanted) in [
        ("service_unavailable", 503, "service_unavailable"),
        ("internal_server_error", 500, "unknown_internal_error"),
        ("rooms_unavailable", 410, "rooms_unavailable"),
        ("cc_declined", 400, "credit_card.declined"),
        ("price_mismatch", 409, "price_mismatch"),
    ] {
        let body = Some(booking("test", "Earhart", 1));
        let (code, answer) = with(Method::POST, href, test, body).await;
        assert_eq!((code, kind(&answer)), (status, wanted));
    }
    assert!(rapid.journal().await.is_empty());
    let checked = rapid.checked("occupancy=2", true).await;
    let mut body = booking("hold", "Earhart", 1);
    body["hold"] = json!(true);
    let (_, made) = rapid.book(&checked.body, &body).await;
    let link = made["links"]["resume"]["href"].as_str().unwrap();
    assert_eq!(
        with(Method::PUT, link, "service_unavailable", None).await.0,
        202
    );
    let (_, itinerary) = rapid.follow(&made["links"]["retrieve"]).await;
    assert_eq!(itinerary["rooms"][0]["status"], "booked");
    assert_eq!(
        with(Method::GET, link, "internal_server_error", None)
            .await
            .0,
        500
    );
    assert_eq!(
        with(Method::DELETE, link, "service_unavailable", None)
            .await
            .0,
        503
    );
}
