//! The specification's examples with each field removed, emptied and made into something else in turn.

use serde_json::{Value, json};
use travel_types::{Money, WarningCode};

use super::super::known::Known;
use super::super::wire;
use super::super::{map, orders};
use super::{bytes, example, mapped, offers_of, read_order};
use testkit::adapters::{money, mutants};

/// The total that an offer states.
fn stated(offer: &Value) -> Option<Money> {
    let price = &offer["price"];
    let amount = [&price["grandTotal"], &price["total"]]
        .into_iter()
        .find(|amount| !amount.is_null())?;
    let amount = match amount {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Money::parse(&amount, price["currency"].as_str()?).ok()
}

/// The first of everything in an offer: the second flight is read as the first is.
fn short(mut offer: Value) -> Value {
    let mut cut = |pointer: &str| {
        let list = offer.pointer_mut(pointer).and_then(Value::as_array_mut);
        list.unwrap_or_else(|| panic!("{pointer}")).truncate(1);
    };
    for pointer in [
        "/itineraries",
        "/itineraries/0/segments",
        "/travelerPricings",
        "/travelerPricings/0/fareDetailsBySegment",
    ] {
        cut(pointer);
    }
    offer
}

#[test]
fn a_changed_offer_is_refused_with_a_reason_or_keeps_its_price() {
    let (mut shown, mut refused) = (0, 0);
    for file in ["search_post.json", "pricing.json", "order_created.json"] {
        let offer = short(offers_of(&example(file)).remove(0));
        for (change, text) in mutants(&offer) {
            let mutant: Value = serde_json::from_str(&text).unwrap();
            match mapped(&mutant) {
                Ok(offer) => {
                    shown += 1;
                    assert_eq!(Some(offer.total), stated(&mutant), "{file} {change}");
                    assert_eq!(offer.handle["offer"], mutant.to_string());
                    if let (Some(base), Some(taxes)) = (offer.base, offer.taxes)
                        && base.plus(taxes).ok() != Some(offer.total)
                    {
                        let mut told = offer.warnings.iter();
                        assert!(
                            told.any(|one| one.code == WarningCode::SumMismatch),
                            "{change}"
                        );
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
    }
    println!(
        "{} changed offers: {shown} shown at their literal price, {refused} refused with a reason",
        shown + refused
    );
    assert!(shown > 1500 && refused > 200);
}

#[test]
fn a_changed_order_is_refused_with_a_reason_or_keeps_its_price() {
    let mut order = example("order_created.json")["data"].take();
    let offer = short(order["flightOffers"][0].take());
    order["flightOffers"][0] = offer;
    order["travelers"] = json!([]);
    let agreed = money("123.45", "EUR");
    let (mut kept, mut refused, mut unpaid) = (0, 0, 0);
    for (change, text) in mutants(&order) {
        let mutant: Value = serde_json::from_str(&text).unwrap();
        let read = read_order(&mutant).and_then(|order| {
            let placed = orders::order(&order, &Known::default(), &json!({}), agreed)?;
            Ok((placed, orders::is_unpaid(&order)))
        });
        match read {
            Ok((placed, costs_nothing)) => {
                kept += 1;
                let offer = mutant["flightOffers"].get(0);
                let is_told = |offer: &&Value| {
                    // Without the grand total nobody knows what the services cost.
                    let price = &offer["price"];
                    !price["grandTotal"].is_null() || price["additionalServices"].is_null()
                };
                let charged = offer.filter(is_told).and_then(stated);
                let charged = charged.filter(|total| total.minor() >= 0);
                assert_eq!(placed.total, charged.unwrap_or(agreed), "{change}");
                assert!(!placed.handle["order_id"].is_null(), "{change}");
                assert!(
                    !costs_nothing || mutant["ticketingAggreement"].is_object(),
                    "{change}"
                );
                unpaid += i32::from(costs_nothing);
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
    // Only what has no id is no order.
    assert!(kept > 1000 && refused > 0 && unpaid > 1000);
}

#[test]
fn a_changed_list_of_names_never_spoils_the_offers() {
    let body = example("search_get.json");
    for (change, text) in mutants(&body["dictionaries"]) {
        let text = format!(r#"{{"data":{},"dictionaries":{text}}}"#, body["data"]);
        let answer: wire::Answer<wire::Offers> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{change}: {error}"));
        let names = Known::of(answer.dictionaries, &Value::Null);
        for raw in &answer.data.0 {
            map::offer(raw.get(), &names, false, jiff::Timestamp::MIN).unwrap();
        }
    }
}

#[test]
fn a_truncated_answer_is_never_read() {
    for file in ["search_get.json", "pricing.json", "order_created.json"] {
        let whole = bytes(file);
        let end = whole.iter().rposition(|byte| *byte == b'}').unwrap();
        for part in 0..200 {
            let cut = &whole[..end * part / 200];
            assert!(serde_json::from_slice::<wire::Answer<wire::Offers>>(cut).is_err());
            assert!(serde_json::from_slice::<wire::Answer<wire::Priced>>(cut).is_err());
            assert!(serde_json::from_slice::<wire::Answer<wire::Order>>(cut).is_err());
        }
    }
}
