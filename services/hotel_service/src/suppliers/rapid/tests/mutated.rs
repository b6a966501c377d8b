//! The specification's examples with each place removed, emptied and made into something else in turn: no
//! panic, and no amount that Rapid did not write.

use std::collections::BTreeSet;

use serde_json::Value;
use testkit::adapters::mutants;
use travel_types::Money;
use vertical_kit::{PlacedStatus, SupplierOffer};

use super::super::hotel::Hotel;
use super::super::memory::Memory;
use super::super::wire::{self, Extras, Itinerary, ItineraryCreation, PriceCheck};
use super::super::{errors, itinerary, map};
use super::examples::answer;
use super::{EARLY, example, guests, offer_of_two, order_handle, read_at, search};
use crate::model::HotelDetails;

/// What a body becomes when each of its places is changed in each way, with what was changed.
fn changed(body: &Value) -> impl Iterator<Item = (String, Value)> {
    let texts = mutants(body).into_iter();
    texts.map(|(change, text)| (change, serde_json::from_str(&text).unwrap()))
}

/// Every amount with its currency that a pricing states in the place of a total.
fn inclusive(pricing: &Value) -> BTreeSet<String> {
    let prices: Vec<&Value> = match pricing {
        Value::Object(keyed) => keyed.values().collect(),
        _ => Vec::new(),
    };
    let stated = |price: &Value| {
        let amount = price.pointer("/totals/inclusive/billable_currency")?;
        let value = match &amount["value"] {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Money::parse(&value, amount["currency"].as_str()?).ok()
    };
    prices
        .into_iter()
        .filter_map(stated)
        .map(|money| money.to_string())
        .collect()
}

fn sound(offer: &SupplierOffer, change: &str) {
    assert!(offer.total.minor() >= 0, "{change}");
    if let (Some(base), Some(taxes)) = (offer.base, offer.taxes) {
        assert_eq!(base.plus(taxes).unwrap(), offer.total, "{change}");
    }
    let details: HotelDetails = serde_json::from_value(offer.details.clone()).unwrap();
    assert!(!details.rooms.is_empty(), "{change}");
    for charge in &details.due_at_property {
        assert!(
            charge.amount.is_none_or(|amount| amount.minor() > 0),
            "{change}"
        );
    }
    let mut before = None;
    for term in offer.conditions.cancellation.iter().flatten() {
        assert!(before.is_none_or(|before| before < term.until), "{change}");
        assert!(
            (0..=offer.total.minor()).contains(&term.refund.minor()),
            "{change}"
        );
        before = Some(term.until);
    }
    Memory::read(&offer.handle).unwrap();
}

#[test]
fn a_changed_rate_is_refused_with_a_reason_or_keeps_its_price() {
    let mut body = example("availability/200_availability.json");
    let rate = &mut body[0]["rooms"][0]["rates"][0];
    // The other room's price, and what the adapter does not read.
    for unread in ["sale_scenario", "marketing_fee_incentives", "links"] {
        rate.as_object_mut().unwrap().remove(unread);
    }
    let pricing = rate["occupancy_pricing"].as_object_mut().unwrap();
    pricing.remove("1-7,10");
    for unread in [
        "strikethrough",
        "property_inclusive_strikethrough",
        "marketing_fee",
        "gross_profit",
        "minimum_selling_price",
    ] {
        pricing["2"]["totals"]
            .as_object_mut()
            .unwrap()
            .remove(unread);
    }
    let wanted = search(vec![guests(2, &[])]);
    let (mut shown, mut refused) = (0, 0);
    for (change, body) in changed(&body) {
        let found = if body.is_array() {
            read_at(EARLY, &body, &wanted)
        } else {
            continue;
        };
        refused += found.rejected.len();
        assert!(
            found.rejected.iter().all(|reason| !reason.is_empty()),
            "{change}"
        );
        for offer in &found.offers {
            shown += 1;
            sound(offer, &change);
            let pricing = &body[0]["rooms"][0]["rates"][0]["occupancy_pricing"];
            if pricing.is_object() {
                assert!(
                    inclusive(pricing).contains(&offer.total.to_string()),
                    "{change}"
                );
            }
        }
    }
    println!(
        "changed rates: {shown} shown at their literal price, {refused} refused with a reason"
    );
    assert!(shown > 1000 && refused > 100, "{shown} {refused}");
}

#[test]
fn a_changed_price_check_is_refused_with_a_reason_or_keeps_its_price() {
    let (mut shown, mut refused) = (0, 0);
    let memory = Memory::read(&offer_of_two().handle).unwrap();
    for name in ["available", "price_changed"] {
        let body = example(&format!("price_check/200_{name}.json"));
        for (change, body) in changed(&body) {
            let text = body.to_string();
            let Ok(read) = serde_json::from_str::<PriceCheck>(&text) else {
                refused += 1;
                continue;
            };
            let extras: Extras = serde_json::from_str(&text).unwrap_or_default();
            match map::repriced(&read, &extras, memory.clone(), EARLY.parse().unwrap()) {
                Ok(offer) => {
                    shown += 1;
                    sound(&offer, &change);
                    let stated = inclusive(&body["occupancy_pricing"]);
                    assert!(stated.contains(&offer.total.to_string()), "{change}");
                }
                Err(reason) => {
                    refused += 1;
                    assert!(!reason.is_empty(), "{change}");
                }
            }
        }
    }
    println!("changed price checks: {shown} shown at their literal price, {refused} refused");
    assert!(shown > 500 && refused > 50, "{shown} {refused}");
}

#[test]
fn a_changed_itinerary_is_unreadable_or_stands_as_it_says() {
    let body = example("itinerary/200_itinerary_no_history.json");
    let memory = Memory::read(&order_handle()).unwrap();
    let agreed = Money::parse("368.15", "USD").unwrap();
    let (mut read, mut odd) = (0, 0);
    for (change, body) in changed(&body) {
        let Ok(found) = serde_json::from_str::<Itinerary>(&body.to_string()) else {
            odd += 1;
            continue;
        };
        if let Ok(refund) = itinerary::refund(&found, &memory, agreed, EARLY.parse().unwrap()) {
            assert!(
                (0..=agreed.minor()).contains(&refund.amount.minor()),
                "{change}"
            );
        }
        drop(itinerary::cancel_links(&found));
        match itinerary::order(&found, &memory, agreed) {
            Ok(order) => {
                read += 1;
                assert!(!order.supplier_reference.is_empty() || change.contains("itinerary_id"));
                let status = body.pointer("/rooms/0/status").and_then(Value::as_str);
                if order.status == PlacedStatus::Confirmed {
                    assert_eq!(status, Some("booked"), "{change}");
                }
                assert_ne!(order.status, PlacedStatus::Cancelled, "{change}");
            }
            Err(_) => odd += 1,
        }
    }
    println!("changed itineraries: {read} read as they say, {odd} unreadable");
    assert!(read > 1000 && odd > 10, "{read} {odd}");
}

#[test]
fn changed_descriptions_bookings_and_errors_never_panic() {
    let content = example("content/200_multiple_properties.json");
    let one = content.as_object().unwrap().values().next().unwrap();
    let kept = [
        "name",
        "address",
        "ratings",
        "location",
        "phone",
        "checkin",
        "checkout",
        "images",
        "all_inclusive",
    ];
    let small: serde_json::Map<String, Value> = kept
        .iter()
        .map(|key| ((*key).to_owned(), one[*key].clone()))
        .collect();
    for (change, body) in changed(&Value::Object(small)) {
        let raw: wire::Raw = serde_json::from_str(&body.to_string()).unwrap();
        let hotel = Hotel::read(&raw).unwrap_or_else(|| panic!("{change}"));
        if let Some((latitude, longitude)) = hotel.position {
            assert!(
                latitude.abs() <= 90.0 && longitude.abs() <= 180.0,
                "{change}"
            );
        }
        assert!(
            hotel.stars.is_none_or(|stars| (0.5..=5.0).contains(&stars)),
            "{change}"
        );
    }
    for (_, body) in changed(&example("book/201_create_with_hold_no_challenge.json")) {
        drop(serde_json::from_str::<ItineraryCreation>(&body.to_string()));
    }
    for name in ["400_email_invalid", "409_price_mismatch"] {
        for (change, body) in changed(&example(&format!("errors/{name}.json"))) {
            let error = errors::failure(&answer(400, body.to_string()), true);
            assert!(error.detail.starts_with("HTTP 400"), "{change}: {error}");
        }
    }
}
