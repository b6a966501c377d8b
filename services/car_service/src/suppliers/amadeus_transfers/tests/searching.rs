//! Searching and pricing.

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Safety, SupplierErrorKind as Kind};
use testkit::adapters::{cx, money, silent};
use travel_types::WarningCode;
use vertical_kit::{Found, Searcher as _, Supplier as _, SupplierOffer};

use super::super::map;
use super::*;
use crate::model::{CarDetails, CarKind, CarPayment};

async fn found(answer: &Value) -> Found {
    let wire = ScriptedWire::new(vec![(SEARCH, 200, answer.to_string())]);
    let (transfers, _, _) = adapter(wire);
    transfers.search(&cx(), &paris()).await.unwrap()
}

async fn shown(offer: Value) -> SupplierOffer {
    let mut found = found(&json!({ "data": [offer] })).await;
    assert_eq!(found.rejected, Vec::<String>::new());
    found.offers.pop().unwrap()
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

#[test]
fn the_specifications_offer_is_flagged_because_it_does_not_add_up_and_kept() {
    let raw = sample().to_string();
    let offer = map::offer(&raw, &trip(), now(), json!({})).unwrap();
    assert_eq!(offer.total, money("63.70", "USD"));
    assert_eq!(
        (offer.base, offer.taxes),
        (Some(money("63.70", "USD")), Some(money("12.74", "USD")))
    );
    assert_eq!(codes(&offer), [(WarningCode::SumMismatch, "total")]);
    let details = details(&offer);
    let charges: Vec<_> = details
        .charges
        .iter()
        .map(|one| (one.name.as_str(), one.amount.amount()))
        .collect();
    assert_eq!(
        charges,
        [
            ("Base", "103.70".to_owned()),
            ("Discount", "-50.00".to_owned()),
            ("AIRPORT", "10.00".to_owned()),
            ("Taxes", "12.74".to_owned()),
        ]
    );
    assert_eq!(
        (details.kind, details.payment),
        (CarKind::Transfer, CarPayment::Prepaid)
    );
    assert_eq!((details.driver_age, details.due_at_pickup), (None, None));
    let vehicle = &details.vehicle;
    assert_eq!(vehicle.body.as_deref(), Some("passenger_van"));
    assert_eq!(vehicle.category.as_deref(), Some("business"));
    assert_eq!(
        (vehicle.seats, vehicle.large_bags, vehicle.small_bags),
        (Some(3), None, Some(3))
    );
    assert_eq!(details.company.name, "Provider name");
    assert_eq!(details.pickup.iata_code.as_deref(), Some("CDG"));
    let at = details.pickup.time.unwrap();
    assert_eq!(at.utc().to_string(), "2021-11-10T09:30:00Z");
    assert_eq!(details.dropoff.name, "Souvenirs De La Tour");
    assert_eq!(
        details.dropoff.address,
        ["Avenue Anatole France, 5", "75007", "Paris"]
    );
    assert_eq!((details.dropoff.time, details.one_way), (None, true));
    let terms = offer.conditions.cancellation.unwrap();
    let told: Vec<_> = terms
        .iter()
        .map(|term| (term.until.to_string(), term.refund.amount()))
        .collect();
    assert_eq!(
        told,
        [
            ("2021-11-09T09:30:00Z".to_owned(), "63.70".to_owned()),
            ("2021-11-10T09:30:00Z".to_owned(), "0.00".to_owned()),
        ]
    );
}

#[tokio::test]
async fn the_specifications_offer_cannot_be_ordered_and_its_doubt_is_not_swallowed() {
    let refused = found(&example("search")).await;
    assert!(refused.offers.is_empty());
    assert!(
        refused.rejected[0].contains("TRAVEL_ACCOUNT"),
        "{refused:?}"
    );
    // The doubt points to a second offer, and there is one only.
    let mut answer = example("search");
    answer["data"][0] = fair();
    let found = found(&answer).await;
    assert_eq!(
        codes(&found.offers[0]),
        [(WarningCode::TimeInconsistent, "details.pickup.time")]
    );
    assert_eq!(
        found.offers[0].warnings[0].message,
        "PICK-UP DATE TIME CHANGED"
    );
}

#[tokio::test]
async fn a_ride_to_the_centre_of_the_city_is_asked_for() {
    let wire = ScriptedWire::new(vec![(SEARCH, 200, json!({"data": [fair()]}).to_string())]);
    let (transfers, wire, clock) = adapter(wire);
    let mut search = paris();
    // Which currencies Amadeus knows is not documented: none is asked for.
    search.currency = Some("VND".parse().unwrap());
    let found = transfers.search(&cx(), &search).await.unwrap();
    let request = &wire.requests()[0];
    assert_eq!(*request.safety(), Safety::Safe);
    let body: Value = serde_json::from_slice(request.body_bytes()).unwrap();
    assert_eq!(
        body,
        json!({
            "startLocationCode": "CDG", "startDateTime": "2021-11-10T10:30:00", "passengers": 2,
            "endAddressLine": "City centre", "endCityName": "Paris", "endCountryCode": "FR",
            "endGeoCode": "48.85341,2.3488",
        })
    );
    let documented = example("search_request");
    for key in body.as_object().unwrap().keys() {
        assert!(!documented[key].is_null(), "{key}");
    }
    let offer = &found.offers[0];
    assert_eq!(offer.warnings, []);
    assert_eq!(offer.total, money("76.44", "USD"));
    assert_eq!(
        offer.expires_at,
        Some(clock.after(Duration::from_secs(900)))
    );
    assert_eq!(offer.handle, handle(&fair()));
}

#[tokio::test]
async fn a_ride_to_another_airport_is_asked_for_by_its_code() {
    let wire = ScriptedWire::new(vec![(SEARCH, 200, r#"{"data":[]}"#)]);
    let (transfers, wire, _) = adapter(wire);
    let mut search = paris();
    search.dropoff = travel_types::place("ORY").unwrap();
    transfers.search(&cx(), &search).await.unwrap();
    let body: Value = serde_json::from_slice(wire.requests()[0].body_bytes()).unwrap();
    assert_eq!(body["endLocationCode"], "ORY");
    assert_eq!(body.get("endGeoCode"), None);
}

#[tokio::test]
async fn where_it_would_go_is_not_made_up() {
    for code in ["LON", "AAA"] {
        let (transfers, wire, _) = adapter(silent());
        let mut search = paris();
        search.pickup = travel_types::place(code).unwrap();
        search.dropoff = search.pickup.clone();
        let found = transfers.search(&cx(), &search).await.unwrap();
        assert_eq!(found, Found::default());
        assert!(wire.requests().is_empty());
    }
}

#[tokio::test]
async fn an_offer_that_cannot_be_told_or_ordered_is_refused_with_its_reason() {
    for (pointer, value, reason) in [
        ("/quotation", json!(null), "quotation"),
        ("/quotation/monetaryAmount", json!(null), "monetaryAmount"),
        ("/quotation/monetaryAmount", json!("76.445"), "finer"),
        ("/quotation/monetaryAmount", json!("-1"), "below zero"),
        ("/quotation/currencyCode", json!(null), "currencyCode"),
        ("/quotation/isEstimated", json!(true), "estimate"),
        ("/vehicle", json!(null), "which vehicle"),
        ("/vehicle/seats", json!([{"count": 1}]), "fewer seats"),
        ("/end", json!(null), "where it goes"),
        ("/end", json!({}), "where it goes"),
        ("/id", json!(null), "id"),
        ("/methodsOfPaymentAccepted", json!(["INVOICE"]), "accept"),
        (
            "/serviceProvider/settings",
            json!(["FLIGHT_NUMBER_REQUIRED"]),
            "FLIGHT_NUMBER_REQUIRED",
        ),
    ] {
        let mut bad = fair();
        *bad.pointer_mut(pointer).unwrap() = value;
        let found = found(&json!({ "data": [bad, fair(), "x"] })).await;
        assert_eq!(
            found.offers.len(),
            1,
            "one bad offer never loses the others"
        );
        assert!(found.rejected[0].contains(reason), "{pointer}: {found:?}");
        assert_eq!(found.rejected.len(), 2);
    }
}

#[tokio::test]
async fn what_looks_wrong_is_kept_and_flagged() {
    let mut odd = fair();
    odd["start"] = json!({"locationCode": "ORY", "dateTime": "2021-11-10T10:45:00"});
    odd["end"] = json!({"locationCode": "NCE", "dateTime": "2021-11-10T10:15:00"});
    odd["serviceProvider"] = json!(null);
    odd["quotation"]["totalFees"]["monetaryAmount"] = json!("11.00");
    odd["quotation"]["monetaryAmount"] = json!("77.44");
    let offer = shown(odd).await;
    assert_eq!(
        codes(&offer),
        [
            (WarningCode::SumMismatch, "details.charges"),
            (WarningCode::DataQuality, "details.pickup"),
            (WarningCode::TimeInconsistent, "details.pickup.time"),
            (WarningCode::DataQuality, "details.dropoff"),
            (WarningCode::TimeInconsistent, "details.dropoff.time"),
            (WarningCode::DataQuality, "details.company"),
        ]
    );
    let details = details(&offer);
    assert_eq!(details.pickup.iata_code.as_deref(), Some("ORY"));
    let at = details.pickup.time.unwrap().local().to_string();
    assert_eq!(at, "2021-11-10T10:45:00");
    assert_eq!(details.dropoff.iata_code.as_deref(), Some("NCE"));
}

#[tokio::test]
async fn a_doubt_about_another_offer_is_not_put_on_this_one() {
    let mut second = fair();
    second["start"]["dateTime"] = json!("2021-11-10T10:45:00");
    let mut answer = example("search");
    answer["data"] = json!([fair(), second]);
    let found = found(&answer).await;
    assert_eq!(found.offers[0].warnings, []);
    assert_eq!(
        codes(&found.offers[1]),
        [(WarningCode::TimeInconsistent, "details.pickup.time")]
    );
}

#[tokio::test]
async fn numbers_as_text_text_as_numbers_and_absent_lists_are_read() {
    let mut drifted = fair();
    drifted["quotation"]["monetaryAmount"] = json!(76.44);
    drifted["quotation"]["fees"] = json!(null);
    drifted["vehicle"]["seats"] = json!([{"count": "3"}, {"count": 2}]);
    drifted["vehicle"]["baggages"] = json!([{"count": 2, "size": "L"}]);
    drifted["end"]["address"]["latitude"] = json!("48.859466");
    drifted["cancellationRules"][0]["feeValue"] = json!(100);
    drifted["converted"] = json!("?");
    let offer = shown(drifted).await;
    assert_eq!(offer.warnings, []);
    let details = details(&offer);
    assert_eq!(details.vehicle.seats, Some(5));
    assert_eq!(
        (details.vehicle.large_bags, details.vehicle.small_bags),
        (Some(2), None)
    );
    assert_eq!(
        offer.conditions.cancellation.map(|terms| terms.len()),
        Some(2)
    );
}

#[tokio::test]
async fn an_answer_without_its_list_is_unreadable() {
    for body in ["{}", "<html>", "", r#"{"data":{}}"#] {
        let (transfers, _, _) = adapter(ScriptedWire::new(vec![(SEARCH, 200, body)]));
        let error = transfers.search(&cx(), &paris()).await.unwrap_err();
        assert_eq!(error.kind, Kind::Protocol, "{body}");
    }
    assert_eq!(found(&json!({"data": null})).await, Found::default());
    let refusal =
        r#"{"errors":[{"status":400,"code":9385,"title":"INVALID NUMBER OF PASSENGER"}]}"#;
    let (transfers, _, _) = adapter(ScriptedWire::new(vec![(SEARCH, 400, refusal)]));
    let error = transfers.search(&cx(), &paris()).await.unwrap_err();
    assert_eq!(error.kind, Kind::InvalidRequest);
}

#[tokio::test]
async fn an_offer_is_what_the_search_said_until_it_is_too_old() {
    let (transfers, wire, clock) = adapter(silent());
    let handle = handle(&fair());
    let priced = transfers.price(&cx(), &handle).await.unwrap();
    assert_eq!(priced.total, money("76.44", "USD"));
    assert_eq!(priced.handle, handle);
    clock.advance(Duration::from_secs(899));
    assert!(transfers.price(&cx(), &handle).await.is_ok());
    clock.advance(Duration::from_secs(1));
    let error = transfers.price(&cx(), &handle).await.unwrap_err();
    assert_eq!(error.kind, Kind::OfferExpired);
    assert!(wire.requests().is_empty());
}
