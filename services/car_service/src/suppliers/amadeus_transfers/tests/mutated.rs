//! Example bodies with each field removed, emptied and made into something else in turn.

use serde_json::{Value, json};
use testkit::adapters::mutants;
use travel_types::{Money, WarningCode};

use super::super::{map, wire};
use super::*;
use crate::model::CarDetails;

/// The total that a quotation states.
fn stated(quotation: &Value) -> Option<Money> {
    let amount = match &quotation["monetaryAmount"] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Money::parse(&amount, quotation["currencyCode"].as_str()?).ok()
}

#[test]
fn a_changed_offer_is_refused_with_a_reason_or_keeps_its_price() {
    let (mut shown, mut refused) = (0, 0);
    for (change, text) in mutants(&fair()) {
        let mapped = map::check_orderable(&text, "TRAVEL_ACCOUNT", 2)
            .and_then(|()| map::offer(&text, &trip(), now(), json!({})));
        match mapped {
            Ok(offer) => {
                shown += 1;
                let body: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(Some(offer.total), stated(&body["quotation"]), "{change}");
                if let (Some(base), Some(taxes)) = (offer.base, offer.taxes) {
                    let told = offer.warnings.iter().any(|one| {
                        one.path.as_deref() == Some("total") && one.code == WarningCode::SumMismatch
                    });
                    assert_ne!(base.plus(taxes).ok() == Some(offer.total), told, "{change}");
                }
                for term in offer.conditions.cancellation.iter().flatten() {
                    assert!(
                        (0..=offer.total.minor()).contains(&term.refund.minor()),
                        "{change}"
                    );
                }
                serde_json::from_value::<CarDetails>(offer.details)
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
    assert!(shown > 1500 && refused > 50);
}

#[test]
fn a_changed_order_is_refused_with_a_reason_or_keeps_its_price() {
    let order = order_of(reference())["data"].take();
    let agreed = Money::parse("20.00", "USD").unwrap();
    let (mut kept, mut refused) = (0, 0);
    for (change, text) in mutants(&order) {
        let read = serde_json::from_str::<wire::Order>(&text)
            .map_err(|error| error.to_string())
            .and_then(|order| map::order(&order, &handle(&fair()), agreed));
        match read {
            Ok(placed) => {
                kept += 1;
                let body: Value = serde_json::from_str(&text).unwrap();
                let quotation = &body["transfers"][0]["quotation"];
                let readable = quotation["isEstimated"] != json!(true);
                let charged = stated(quotation).filter(|total| readable && total.minor() >= 0);
                assert_eq!(placed.total, charged.unwrap_or(agreed), "{change}");
                assert!(!placed.handle["order_id"].is_null(), "{change}");
                let raw = placed.handle["transfer"].as_str().unwrap();
                for term in map::order_terms(raw, &trip(), now()).into_iter().flatten() {
                    assert!(
                        (0..=placed.total.minor()).contains(&term.refund.minor()),
                        "{change}"
                    );
                }
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
    assert!(kept > 1500 && refused > 20);
}

#[test]
fn a_truncated_offer_is_never_read() {
    let whole = fair().to_string();
    for end in (0..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
        assert!(map::read(&whole[..end]).is_err(), "{end}");
    }
}
