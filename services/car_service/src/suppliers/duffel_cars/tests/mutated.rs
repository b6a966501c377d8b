//! Sample bodies with each field removed, emptied and made into something else in turn.

use serde_json::{Value, json};
use testkit::adapters::mutants;
use travel_types::Money;

use super::super::{map, wire};
use super::*;
use crate::model::CarDetails;

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

fn read(text: &str) -> Result<wire::Rental, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn a_changed_rate_or_quote_is_refused_with_a_reason_or_keeps_its_price() {
    let (mut shown, mut refused) = (0, 0);
    for body in [rate(), sample("quote")] {
        for (change, text) in mutants(&body) {
            let mapped = read(&text).and_then(|one| {
                let handle = map::rate_handle(&one, &trip());
                map::offer(&one, &trip(), SHOWN, handle)
            });
            match mapped {
                Ok(offer) => {
                    shown += 1;
                    assert_eq!(Some(offer.total), stated(&text), "{change}");
                    let terms = offer.conditions.cancellation.iter().flatten();
                    for term in terms {
                        assert!(
                            term.refund == offer.total || term.refund.minor() == 0,
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
    }
    println!(
        "{} changed rates and quotes: {shown} shown at their literal price, {refused} refused with a reason",
        shown + refused
    );
    assert!(shown > 1500 && refused > 50);
}

#[test]
fn a_changed_booking_is_refused_with_a_reason_or_keeps_its_price() {
    let (mut kept, mut refused) = (0, 0);
    let agreed = Money::parse("20.00", "GBP").unwrap();
    for (change, text) in mutants(&sample("booking")) {
        match read(&text).and_then(|one| map::booking(&one, SHOWN, &quoted(), agreed)) {
            Ok(placed) => {
                kept += 1;
                let charged = stated(&text).filter(|total| total.minor() >= 0);
                assert_eq!(placed.total, charged.unwrap_or(agreed), "{change}");
                assert!(!placed.handle["booking_id"].is_null(), "{change}");
            }
            Err(reason) => {
                refused += 1;
                assert!(!reason.is_empty(), "{change}");
            }
        }
    }
    println!(
        "{} changed bookings: {kept} kept at their literal price, {refused} refused with a reason",
        kept + refused
    );
    assert!(kept > 900 && refused > 10);
}

#[test]
fn a_truncated_rate_is_never_read() {
    let whole = json!(rate()).to_string();
    for end in 0..whole.len() {
        assert!(read(&whole[..end]).is_err(), "{end}");
    }
}
