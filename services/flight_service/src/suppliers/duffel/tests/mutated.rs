//! Recorded bodies with each field removed, emptied and made into something else in turn.

use serde_json::{Value, json};
use supplier_platforms::duffel::errors;
use travel_types::{Money, WarningCode};

use super::super::{map, wire};
use super::{bytes, recorded};
use testkit::adapters::mutants;

/// The total that a body states.
fn stated(text: &str) -> Option<Money> {
    let body: Value = serde_json::from_str(text).unwrap();
    let amount = match &body["total_amount"] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Money::parse(&amount, body["total_currency"].as_str()?).ok()
}

#[test]
fn a_changed_offer_is_refused_with_a_reason_or_keeps_its_price() {
    let offers = recorded("offer_requests/create_with_offers.json")["data"]["offers"].take();
    let mut offer = offers[0].clone();
    offer["conditions"] = json!({
        "refund_before_departure": {"allowed": true, "penalty_amount": "51.30", "penalty_currency": "GBP"},
        "change_before_departure": {"allowed": true, "penalty_amount": null, "penalty_currency": null}
    });
    let (mut shown, mut refused) = (0, 0);
    for (change, text) in mutants(&offer) {
        let read = serde_json::from_str::<wire::Offer>(&text)
            .map_err(|error| error.to_string())
            .and_then(|offer| map::offer(&offer));
        match read {
            Ok(offer) => {
                shown += 1;
                assert_eq!(Some(offer.total), stated(&text), "{change}");
                if let (Some(base), Some(taxes)) = (offer.base, offer.taxes) {
                    let told = offer
                        .warnings
                        .iter()
                        .any(|one| one.code == WarningCode::SumMismatch);
                    assert_ne!(base.plus(taxes).ok() == Some(offer.total), told, "{change}");
                }
                serde_json::from_value::<crate::FlightDetails>(offer.details)
                    .unwrap_or_else(|error| panic!("{change}: {error}"));
            }
            Err(reason) => {
                refused += 1;
                assert!(!reason.is_empty(), "{change}");
            }
        }
    }
    println!(
        "{} changed offers: {shown} shown at their literal price, {refused} refused with a reason",
        shown + refused
    );
    assert!(shown > 1000 && refused > 100);
}

#[test]
fn a_changed_order_is_refused_with_a_reason_or_keeps_its_price() {
    let mut order = recorded("orders/show.json")["data"].take();
    order["slices"].as_array_mut().unwrap().truncate(1);
    let agreed = Money::parse("20.00", "GBP").unwrap();
    let (mut kept, mut refused) = (0, 0);
    for (change, text) in mutants(&order) {
        let read = serde_json::from_str::<wire::Order>(&text)
            .map_err(|error| error.to_string())
            .and_then(|order| map::order(&order, &json!({}), agreed));
        match read {
            Ok(placed) => {
                kept += 1;
                let charged = stated(&text).filter(|total| total.minor() >= 0);
                assert_eq!(placed.total, charged.unwrap_or(agreed), "{change}");
                assert!(!placed.handle["order_id"].is_null(), "{change}");
            }
            Err(reason) => {
                refused += 1;
                assert!(!reason.is_empty(), "{change}");
            }
        }
    }
    println!(
        "{} changed orders: {kept} kept at their literal price, {refused} refused with a reason",
        kept + refused
    );
    assert!(kept > 1000 && refused > 10);
}

#[test]
fn a_changed_cancellation_or_error_never_panics() {
    let body = recorded("order_cancellations/show.json")["data"].take();
    let paid = Money::parse("200.00", "GBP").unwrap();
    for (change, text) in mutants(&body) {
        let Ok(read) = serde_json::from_str::<wire::Refund>(&text) else {
            continue;
        };
        if let Ok(refund) = map::refund(&read, paid) {
            assert!(refund.minor() >= 0, "{change}");
        }
    }
    for file in ["validation_error.json", "airline_error.json"] {
        for (change, text) in mutants(&recorded(file)) {
            let request = supplier_client::WireRequest::get("price", "/air/offers/off_1");
            let response = supplier_client::WireResponse::new(
                &request,
                http::StatusCode::UNPROCESSABLE_ENTITY,
                http::HeaderMap::new(),
                text,
            );
            let error = errors::failure(&response, false);
            assert!(error.detail.starts_with("HTTP 422"), "{change}: {error}");
        }
    }
}

#[test]
fn a_truncated_offer_is_never_read() {
    let whole = bytes("offers/show.json");
    let end = whole.iter().rposition(|byte| *byte == b'}').unwrap();
    let mut cuts = 0;
    for part in 0..200 {
        let cut = &whole[..end * part / 200];
        assert!(serde_json::from_slice::<wire::Data<wire::Offer>>(cut).is_err());
        assert!(serde_json::from_slice::<wire::Offer>(cut).is_err());
        cuts += 1;
    }
    println!("an offer truncated at {cuts} places is refused each time");
}
