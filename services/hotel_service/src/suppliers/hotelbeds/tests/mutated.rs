//! Recorded bodies with each field removed, emptied and made into something else in turn.

use serde_json::{Value, json};
use supplier_client::{WireRequest, WireResponse};
use testkit::adapters::mutants;
use travel_types::{Clock, Money};

use super::super::map::{self, Asked};
use super::super::{bookings, errors, requests, wire};
use super::{guests, london, money, recorded};
use crate::{HotelDetails, HotelSearch};

/// The prices that a search's answer states, as money.
fn stated(text: &str) -> Vec<Money> {
    let body: Value = serde_json::from_str(text).unwrap();
    let entries = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut prices = Vec::new();
    for hotel in entries(&body["hotels"]["hotels"]) {
        for room in entries(&hotel["rooms"]) {
            for rate in entries(&room["rates"]) {
                let mandatory = matches!(
                    rate["hotelMandatory"].to_string().as_str(),
                    "true" | "\"true\""
                );
                let price = if mandatory {
                    &rate["sellingRate"]
                } else {
                    &rate["net"]
                };
                let literal = match price {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let currency = hotel["currency"].as_str().unwrap_or_default();
                prices.extend(Money::parse(&literal, currency));
            }
        }
    }
    prices
}

fn read(text: &str, search: &HotelSearch) -> Result<vertical_kit::Found, serde_json::Error> {
    let answer: wire::Availability = serde_json::from_str(text)?;
    let groups = requests::groups(search);
    let clock = Clock::manual("2024-02-23T20:30:45Z".parse().unwrap());
    let asked = Asked {
        search,
        groups: &groups,
        destination: None,
        now: clock.now(),
        expires_at: clock.now(),
    };
    let hotels = answer.hotels.as_ref();
    Ok(hotels
        .map(|hotels| map::offers(hotels, &asked))
        .unwrap_or_default())
}

/// A small answer that has everything that is read.
fn sample() -> Value {
    let mut body = recorded("availability.json");
    let hotel = &mut body["hotels"]["hotels"][0];
    hotel["rooms"].as_array_mut().unwrap().truncate(1);
    let rates = hotel["rooms"][0]["rates"].as_array_mut().unwrap();
    rates.truncate(2);
    rates[1]["hotelMandatory"] = json!(true);
    rates[1]["rateComments"] = json!("Taxes of 8.00 Euro payable on arrival. Car park NO");
    rates[1]["promotions"] = json!([{"code": "042", "name": "Special Offer", "remark": "x"}]);
    rates[1]["taxes"] =
        recorded("spec_availability.json")["hotels"]["hotels"][0]["rooms"][0]["rates"][0]["taxes"]
            .take();
    body.as_object_mut().unwrap().remove("auditData");
    body
}

#[test]
fn a_changed_answer_loses_no_rate_without_a_reason_and_alters_no_price() {
    let (mut shown, mut refused) = (0, 0);
    for rooms in [vec![guests(1, &[])], vec![guests(1, &[]), guests(2, &[7])]] {
        let search = london(rooms);
        for (change, text) in mutants(&sample()) {
            let Ok(found) = read(&text, &search) else {
                refused += 1;
                continue;
            };
            let prices = stated(&text);
            for offer in &found.offers {
                assert!(prices.contains(&offer.total), "{change}: {}", offer.total);
                let details: HotelDetails = serde_json::from_value(offer.details.clone())
                    .unwrap_or_else(|error| panic!("{change}: {error}"));
                assert!(!details.rooms.is_empty(), "{change}");
                let mut before = None;
                for term in offer.conditions.cancellation.iter().flatten() {
                    assert!(
                        (0..=offer.total.minor()).contains(&term.refund.minor()),
                        "{change}"
                    );
                    assert!(before < Some(term.until), "{change}");
                    before = Some(term.until);
                }
            }
            shown += found.offers.len();
            refused += found.rejected.len();
            assert!(found.rejected.iter().all(|reason| !reason.is_empty()));
        }
    }
    println!(
        "changed answers: {shown} rates shown at their literal price, {refused} refused with a reason"
    );
    assert!(shown > 1000 && refused > 300, "{shown} {refused}");
}

#[test]
fn a_changed_booking_is_refused_with_a_reason_or_keeps_its_price() {
    let paid = money("250.19", "GBP");
    let (mut kept, mut refused) = (0, 0);
    for file in [
        "booking.json",
        "spec_booking_detail.json",
        "spec_cancellation.json",
    ] {
        let mut body = recorded(file);
        body.as_object_mut().unwrap().remove("auditData");
        for (change, text) in mutants(&body) {
            let literal = |value: &Value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let stated: Value = serde_json::from_str(&text).unwrap();
            let booking = &stated["booking"];
            let rate = &booking["hotel"]["rooms"][0]["rates"][0];
            let told: Vec<String> = [
                &booking["totalNet"],
                &booking["hotel"]["totalNet"],
                &rate["net"],
                &rate["sellingRate"],
            ]
            .map(literal)
            .to_vec();
            let read = serde_json::from_str::<wire::BookingAnswer>(&text)
                .map_err(|error| error.to_string())
                .map(|answer| {
                    if let Ok(Some(refund)) = bookings::refund(&answer.booking, paid) {
                        assert!((0..=paid.minor()).contains(&refund.minor()), "{change}");
                    }
                    bookings::placed(&answer.booking, paid)
                });
            match read {
                Ok(placed) => {
                    kept += 1;
                    let code = placed.total.currency().code();
                    let literal =
                        |told: &String| Money::parse(told, code).ok() == Some(placed.total);
                    assert!(placed.total == paid || told.iter().any(literal), "{change}");
                    assert!(!placed.handle["reference"].is_null(), "{change}");
                }
                Err(reason) => {
                    refused += 1;
                    assert!(!reason.is_empty(), "{change}");
                }
            }
        }
    }
    println!(
        "changed bookings: {kept} kept at their literal price, {refused} refused with a reason"
    );
    assert!(kept > 1000 && refused > 50, "{kept} {refused}");
}

#[test]
fn a_changed_error_never_panics_and_never_lets_an_order_fail_for_sure_without_words() {
    let request = WireRequest::post(
        "order",
        "/hotel-api/1.2/bookings",
        supplier_client::Safety::Unsafe,
    );
    for (change, text) in mutants(&recorded("spec_price_changed.json")) {
        let response = WireResponse::new(
            &request,
            http::StatusCode::INTERNAL_SERVER_ERROR,
            http::HeaderMap::new(),
            text,
        );
        errors::classify(&request, &response);
        let error = errors::failure(&response, true);
        assert!(error.detail.starts_with("HTTP 500"), "{change}: {error}");
    }
}

#[test]
fn a_truncated_answer_is_never_read() {
    let whole = super::bytes("availability.json");
    let end = whole.iter().rposition(|byte| *byte == b'}').unwrap();
    for part in 0..200 {
        let cut = &whole[..end * part / 200];
        assert!(serde_json::from_slice::<wire::Availability>(cut).is_err());
    }
}
