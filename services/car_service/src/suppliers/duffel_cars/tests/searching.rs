//! Searching and pricing.

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Safety, SupplierErrorKind as Kind};
use testkit::adapters::{cx, money};
use travel_types::WarningCode;
use vertical_kit::{Found, Searcher as _, Supplier as _, SupplierOffer};

use super::*;
use crate::model::{CarDetails, CarPayment, Transmission};

async fn found(rates: Value) -> Found {
    let mut answer = sample("search");
    answer["rates"] = rates;
    let wire = ScriptedWire::new(vec![("POST /cars/search", 200, wrapped(&answer))]);
    let (cars, _, _) = adapter(wire);
    cars.search(&cx(), &henderson()).await.unwrap()
}

async fn shown(rate: Value) -> SupplierOffer {
    let mut found = found(json!([rate])).await;
    assert_eq!(found.rejected, Vec::<String>::new());
    found.offers.pop().unwrap()
}

async fn refused(rate: Value) -> String {
    let mut found = found(json!([rate])).await;
    assert!(found.offers.is_empty(), "{:?}", found.offers);
    found.rejected.pop().unwrap()
}

fn details(offer: &SupplierOffer) -> CarDetails {
    serde_json::from_value(offer.details.clone()).unwrap()
}

fn codes(offer: &SupplierOffer) -> Vec<(WarningCode, &str)> {
    let warnings = offer.warnings.iter();
    warnings
        .map(|one| (one.code, one.path.as_deref().unwrap()))
        .collect()
}

#[tokio::test]
async fn the_samples_search_is_sent_and_its_rate_is_shown() {
    let wire = ScriptedWire::new(vec![("POST /cars/search", 200, wrapped(&sample("search")))]);
    let (cars, wire, _) = adapter(wire);
    let found = cars.search(&cx(), &henderson()).await.unwrap();
    let sent = &wire.requests()[0];
    assert_eq!(*sent.safety(), Safety::Safe);
    let body: Value = serde_json::from_slice(sent.body_bytes()).unwrap();
    let around =
        json!({"radius": 10, "geographic_coordinates": {"latitude": -24.38, "longitude": -128.32}});
    assert_eq!(
        body,
        json!({"data": {
            "pickup_date": "2026-05-27", "pickup_time": "10:00",
            "dropoff_date": "2026-06-01", "dropoff_time": "15:00",
            "pickup_location": around, "dropoff_location": around,
            "driver": {"age": 31, "residence_country_code": "GB"},
        }})
    );
    let [offer] = &found.offers[..] else {
        panic!("{found:?}");
    };
    assert_eq!(offer.total, money("101.34", "GBP"));
    assert_eq!(
        (offer.base, offer.taxes),
        (Some(money("95.22", "GBP")), None)
    );
    assert_eq!(offer.expires_at, None);
    assert_eq!(offer.conditions.cancellation, None);
    assert_eq!(offer.warnings, []);
    assert_eq!(offer.handle["rate_id"], "rae_0000B4gHZfFvCNgBj3EIaX");
    let details = details(offer);
    let vehicle = &details.vehicle;
    assert_eq!(vehicle.acriss.as_deref(), Some("SSAV"));
    assert_eq!(vehicle.transmission, Some(Transmission::Automatic));
    assert_eq!(
        (vehicle.seats, vehicle.large_bags, vehicle.small_bags),
        (Some(5), Some(3), Some(2))
    );
    assert_eq!(details.payment, CarPayment::Postpaid);
    assert_eq!(details.due_at_pickup, Some(offer.total));
    assert_eq!(details.driver_age, Some(31));
    assert!(details.mileage.unwrap().unlimited && !details.one_way);
    assert_eq!(
        details.pickup.address,
        ["1 Rental Road", "Henderson Island", "PCRN 1ZZ"]
    );
    let time = serde_json::to_value(details.pickup.time).unwrap();
    assert_eq!(
        time,
        json!({"local": "2026-05-27T10:00:00", "zone": "Pacific/Pitcairn", "utc": "2026-05-27T18:00:00Z"})
    );
}

#[tokio::test]
async fn one_bad_rate_never_loses_the_others() {
    let mut free = rate();
    free["total_amount"] = json!("-0.01");
    let found = found(json!([free, "x", rate(), {"id": "rae_2"}, null])).await;
    assert_eq!((found.offers.len(), found.rejected.len()), (1, 4));
    assert!(found.rejected.iter().all(|reason| !reason.is_empty()));
}

#[tokio::test]
async fn a_rate_that_cannot_be_told_truthfully_is_refused_with_its_reason() {
    for (field, value, reason) in [
        ("total_amount", json!("101.345"), "finer"),
        ("total_amount", json!(null), "total_amount is missing"),
        ("total_currency", json!("XXX"), "currency"),
        ("payment_type", json!("later"), "payment_type"),
        ("payment_type", json!(null), "payment_type"),
        ("payment_type", json!("guarantee"), "card_id"),
        ("car", json!(null), "which car"),
        ("car", json!({"code": "  "}), "which car"),
    ] {
        let mut rate = rate();
        rate[field] = value;
        let told = refused(rate).await;
        assert!(told.contains(reason), "{field}: {told}");
    }
}

#[tokio::test]
async fn what_is_due_at_the_desk_depends_on_the_payment() {
    for (kind, payment, due) in [
        ("prepaid", CarPayment::Prepaid, None),
        (
            "guarantee",
            CarPayment::Guarantee,
            Some(money("101.34", "GBP")),
        ),
    ] {
        let mut search = sample("search");
        search["rates"][0]["payment_type"] = json!(kind);
        let wire = ScriptedWire::new(vec![("POST /cars/search", 200, wrapped(&search))]);
        let (mut cars, _, _) = adapter(wire);
        cars.card_id = "card_1".to_owned();
        let found = cars.search(&cx(), &henderson()).await.unwrap();
        let details = details(&found.offers[0]);
        assert_eq!((details.payment, details.due_at_pickup), (payment, due));
    }
}

#[tokio::test]
async fn what_looks_wrong_is_kept_and_flagged() {
    let mut odd = rate();
    odd["base_amount"] = json!("101.35");
    odd["supplier"] = json!(null);
    odd["mileage"] = json!({"type": "limited", "unit": "furlongs", "limit": 8});
    odd["car"]["fuel"] = json!("diesel");
    odd["pickup_location"]["geographic_coordinates"]["latitude"] = json!("-23.38");
    odd["dropoff_location"] = json!(null);
    let offer = shown(odd).await;
    assert_eq!(
        codes(&offer),
        [
            (WarningCode::SumMismatch, "base"),
            (WarningCode::DataQuality, "details.vehicle.fuel"),
            (WarningCode::DataQuality, "details.pickup"),
            (WarningCode::DataQuality, "details.dropoff"),
            (WarningCode::DataQuality, "details.company"),
            (WarningCode::DataQuality, "details.mileage"),
        ]
    );
    let details = details(&offer);
    assert_eq!(details.vehicle.fuel.as_deref(), Some("diesel"));
    assert_eq!(details.mileage, None);
    assert_eq!(details.pickup.latitude, Some(-23.38));
}

#[tokio::test]
async fn numbers_as_text_text_as_numbers_and_absent_lists_are_read() {
    let mut drifted = rate();
    drifted["total_amount"] = json!(101.34);
    drifted["base_amount"] = json!(95.22);
    drifted["mileage"] = json!({"type": "limited", "unit": "miles", "limit": "1200"});
    drifted["car"]["max_passengers"] = json!("5");
    drifted["car"]["baggage"] = json!(null);
    drifted["car"]["images"] = json!(null);
    drifted["pickup_location"]["opening_hours"] = json!([{"from": "08:00", "to": "22:00"}, {}]);
    drifted["pickup_location"]["access"] = json!("shuttle");
    drifted["dropoff_location"]["additional_information"] = json!(null);
    drifted["brand_new"] = json!({"a": 1});
    let offer = shown(drifted).await;
    assert_eq!(offer.warnings, []);
    assert_eq!(offer.total, money("101.34", "GBP"));
    let details = details(&offer);
    let mileage = details.mileage.unwrap();
    assert_eq!(
        (mileage.limit, mileage.unit.as_deref()),
        (Some(1200), Some("mi"))
    );
    assert_eq!(details.vehicle.seats, Some(5));
    assert_eq!(details.vehicle.large_bags, None);
    assert_eq!(details.pickup.opening_hours, ["08:00–22:00"]);
    assert_eq!(details.pickup.access.as_deref(), Some("shuttle"));
}

#[tokio::test]
async fn an_answer_without_rates_is_unreadable_and_one_with_none_finds_none() {
    assert_eq!(found(json!([])).await, Found::default());
    assert_eq!(found(json!(null)).await, Found::default());
    for body in ["{}", r#"{"data":{"id":"seh_1"}}"#, "<html>", ""] {
        let wire = ScriptedWire::new(vec![("POST /cars/search", 200, body)]);
        let (cars, _, _) = adapter(wire);
        let error = cars.search(&cx(), &henderson()).await.unwrap_err();
        assert_eq!(error.kind, Kind::Protocol, "{body}");
    }
}

async fn priced(quote: &Value) -> SupplierOffer {
    let (cars, wire, _) = adapter(ScriptedWire::new(vec![(QUOTES, 200, wrapped(quote))]));
    let handle = json!({"rate_id": "rae_1", "trip": trip()});
    let offer = cars.price(&cx(), &handle).await.unwrap();
    let body: Value = serde_json::from_slice(wire.requests()[0].body_bytes()).unwrap();
    assert_eq!(body, json!({"data": {"rate_id": "rae_1"}}));
    offer
}

#[tokio::test]
async fn the_samples_quote_shows_charges_terms_and_the_free_time() {
    let offer = priced(&sample("quote")).await;
    assert_eq!(offer.warnings, []);
    assert_eq!(offer.total, money("101.34", "GBP"));
    let terms = offer.conditions.cancellation.as_ref().unwrap();
    assert_eq!(terms.len(), 1);
    assert_eq!(terms[0].until.to_string(), "2026-05-26T18:00:00Z");
    assert_eq!(terms[0].refund, offer.total);
    let details = details(&offer);
    assert_eq!(details.charges.len(), 1);
    assert_eq!(details.charges[0].name, "Insurance fee");
    assert_eq!(details.charges[0].amount, money("6.12", "GBP"));
    let titles: Vec<_> = details.terms.iter().map(|one| one.title.as_str()).collect();
    assert_eq!(titles, ["Cancellation Policy", "Customer Data Use"]);
    assert_eq!(offer.handle["quote_id"], "qut_0000Bx4Af0b5l45AT50eqO");
    assert_eq!(offer.handle["rate_id"], "rae_1");
    assert_eq!(
        offer.handle["quoted"],
        json!({"amount": "101.34", "currency": "GBP"})
    );
}

#[tokio::test]
async fn charges_add_up_to_the_total_with_the_base_or_by_themselves() {
    let sum = |quote: &SupplierOffer| {
        codes(quote).contains(&(WarningCode::SumMismatch, "details.charges"))
    };
    let mut whole = sample("quote");
    whole["charges"] = json!([
        {"amount": "95.22", "currency": "GBP", "description": "Rental"},
        {"amount": 6.12, "currency": "GBP", "description": null}
    ]);
    assert!(!sum(&priced(&whole).await));
    let mut off = sample("quote");
    off["charges"][0]["amount"] = json!("6.13");
    assert!(sum(&priced(&off).await));
    let mut foreign = sample("quote");
    foreign["charges"][0]["currency"] = json!("EUR");
    let offer = priced(&foreign).await;
    assert!(sum(&offer) && details(&offer).charges.is_empty());
    let mut none = sample("quote");
    none["charges"] = json!(null);
    assert_eq!(priced(&none).await.warnings, []);
}

#[tokio::test]
async fn a_quote_for_another_time_is_kept_and_flagged() {
    let mut late = sample("quote");
    late["pickup_time"] = json!("11:00");
    late["dropoff_date"] = json!("soon");
    let offer = priced(&late).await;
    assert_eq!(
        codes(&offer),
        [
            (WarningCode::TimeInconsistent, "details.pickup.time"),
            (WarningCode::TimeInconsistent, "details.dropoff.time"),
        ]
    );
    let details = details(&offer);
    let time = details.pickup.time.unwrap();
    assert_eq!(time.utc().to_string(), "2026-05-27T19:00:00Z");
    assert_eq!(details.dropoff.time, None);
}

#[tokio::test]
async fn only_the_one_sentence_makes_a_term() {
    for (text, until) in [
        (
            "Free cancellation up to 24 hours before pickup.",
            Some("2026-05-26T18:00:00Z"),
        ),
        (
            "free cancellation up to 1 hour before pick-up",
            Some("2026-05-27T17:00:00Z"),
        ),
        (
            "Free cancellation up to 2 days before pickup.",
            Some("2026-05-25T18:00:00Z"),
        ),
        (
            "Free cancellation up to 24 hours before pickup. Then 50%.",
            None,
        ),
        ("Free cancellation up to -1 hours before pickup.", None),
        (
            "Free cancellation up to 99999999999999999999 hours before pickup.",
            None,
        ),
        (
            "Free cancellation up to 9999999999999999 hours before pickup.",
            None,
        ),
        ("Free cancellation.", None),
        ("Non-refundable: no cancellation.", None),
    ] {
        let mut quote = sample("quote");
        quote["conditions"][0]["text"] = json!(text);
        let terms = priced(&quote).await.conditions.cancellation;
        let told = terms.map(|terms| terms[0].until.to_string());
        assert_eq!(told.as_deref(), until, "{text}");
    }
    let mut two = sample("quote");
    let more = json!({"title": "No-show", "text": "Late cancellation costs the full price."});
    two["conditions"].as_array_mut().unwrap().push(more);
    assert_eq!(priced(&two).await.conditions.cancellation, None);
}

#[tokio::test]
async fn of_a_prepaid_rate_that_is_not_refundable_nothing_comes_back() {
    for (kind, refund) in [("prepaid", Some("0.00")), ("postpaid", None)] {
        let mut quote = sample("quote");
        quote["payment_type"] = json!(kind);
        quote["conditions"][0]["text"] = json!("This rate is non-refundable.");
        let terms = priced(&quote).await.conditions.cancellation;
        let told = terms.map(|terms| (terms[0].until.to_string(), terms[0].refund.amount()));
        let wanted = refund.map(|refund| ("2026-05-27T18:00:00Z".to_owned(), refund.to_owned()));
        assert_eq!(told, wanted);
    }
}

#[tokio::test]
async fn a_rate_that_is_gone_is_told_apart_from_one_that_failed() {
    for (status, body, kind) in [
        (
            422,
            r#"{"errors":[{"type":"invalid_state_error","code":"offer_no_longer_available"}]}"#,
            Kind::OfferExpired,
        ),
        (
            404,
            r#"{"errors":[{"type":"invalid_request_error","code":"not_found"}]}"#,
            Kind::NotFound,
        ),
        (
            422,
            r#"{"errors":[{"type":"invalid_state_error","code":"rate_unavailable"}]}"#,
            Kind::SoldOut,
        ),
        (403, "Cars are not enabled", Kind::NotAuthorised),
        (503, "<html>", Kind::Unavailable),
    ] {
        let (cars, _, _) = adapter(ScriptedWire::new(vec![(QUOTES, status, body)]));
        let handle = json!({"rate_id": "rae_1", "trip": trip()});
        let error = cars.price(&cx(), &handle).await.unwrap_err();
        assert_eq!(error.kind, kind, "{body}");
    }
}
