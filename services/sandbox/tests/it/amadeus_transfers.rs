//! Amadeus's transfers: formats, prices, the life of an order, scenarios, faults.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use sandbox::Options;
use serde_json::{Value, json};

use super::amadeus::{Amadeus, encoded, error, fixture};
use super::support::cents;
use super::wire::holds_but;

const SEARCH: &str = "/v1/shopping/transfer-offers";
const ORDERS: &str = "/v1/ordering/transfer-orders";
const QUEUE: &str = "/v1/office/queues/30";
/// What only some offers have.
const OPTIONAL: [&str; 14] = [
    "stopOvers",
    "discount",
    "fees",
    "totalFees",
    "settings",
    "extraServices",
    "equipment",
    "cancellationRules",
    "discountCodes",
    "partnerInfo",
    "businessIdentification",
    "address",
    "uicCode",
    "stateCode",
];

fn criteria() -> Value {
    json!({
        "startLocationCode": "CDG",
        "endAddressLine": "Avenue Anatole France, 5",
        "endCityName": "Paris",
        "endZipCode": "75007",
        "endCountryCode": "FR",
        "endName": "Souvenirs De La Tour",
        "endGooglePlaceId": "ChIJL-DOWeBv5kcRfTbh97PimNc",
        "endGeoCode": "48.859466,2.2976965",
        "startDateTime": "2026-12-01T10:10:00",
        "passengers": 2,
        "currency": "EUR",
        "startConnectedSegment": {
            "transportationType": "FLIGHT",
            "transportationNumber": "AF380",
            "departure": { "localDateTime": "2026-12-01T08:00:00", "iataCode": "NCE" },
            "arrival": { "localDateTime": "2026-12-01T09:30:00", "iataCode": "CDG" },
        },
        "passengerCharacteristics": [{ "passengerTypeCode": "ADT", "age": 20 }],
    })
}

impl Amadeus {
    async fn transfers() -> Self {
        Self::start("amadeus_transfers").await
    }

    async fn offers(&self, criteria: &Value) -> Vec<Value> {
        let (status, body) = self.post(SEARCH, criteria).await;
        assert_eq!(status, 200, "{body}");
        body["data"].as_array().unwrap().clone()
    }

    /// A private van of a fresh search.
    async fn van(&self) -> Value {
        let offers = self.offers(&criteria()).await;
        let van = |offer: &&Value| offer["vehicle"]["code"] == "VAN";
        offers.iter().find(van).unwrap().clone()
    }

    async fn ride(&self, offer: &Value, family_name: &str) -> (StatusCode, Value) {
        let path = format!("{ORDERS}?offerId={}", offer["id"].as_str().unwrap());
        self.post(&path, &ride_body(family_name)).await
    }

    async fn cancel_ride(&self, order: &Value) -> (StatusCode, Value) {
        let number = order["transfers"][0]["confirmNbr"].as_str().unwrap();
        let id = encoded(&order["id"]);
        let path = format!("{ORDERS}/{id}/transfers/cancellation?confirmNbr={number}");
        self.post(&path, &json!({})).await
    }
}

fn ride_body(family_name: &str) -> Value {
    json!({ "data": {
        "note": "Interline ord_interline, thank you",
        "passengers": [{
            "firstName": "AMELIA",
            "lastName": family_name,
            "title": "MS",
            "contacts": { "phoneNumber": "+442080160509", "email": "amelia@example.com" },
            "billingAddress": { "line": "1 Main Street", "zip": "75007", "countryCode": "FR", "cityName": "Paris" },
        }],
        "agency": { "contacts": [{ "email": { "address": "abc@test.com" } }] },
        "payment": { "methodOfPayment": "TRAVEL_ACCOUNT" },
        "automatedProcess": [{ "code": "IMMEDIATE", "queue": { "number": "30", "category": "0" } }],
    }})
}

/// The amount is the sum of base, taxes and fees less the discount, as the specification says.
fn adds_up(quotation: &Value) {
    let part = |name: &str| match &quotation[name]["monetaryAmount"] {
        Value::Null => 0,
        amount => cents(amount),
    };
    assert_eq!(
        cents(&quotation["monetaryAmount"]),
        part("base") - part("discount") + part("totalFees") + part("totalTaxes"),
        "{quotation}"
    );
    let fees = quotation["fees"].as_array().into_iter().flatten();
    let fees: i64 = fees.map(|fee| cents(&fee["monetaryAmount"])).sum();
    assert_eq!(fees, part("totalFees"));
}

#[tokio::test]
async fn every_key_of_the_specifications_examples_is_answered() {
    let amadeus = Amadeus::transfers().await;
    let (_, found) = amadeus.post(SEARCH, &criteria()).await;
    holds_but(&OPTIONAL, &fixture("transfer_offers"), &found, "offers");
    let offers = found["data"].as_array().unwrap();
    assert!(offers.len() >= 8);
    for offer in offers {
        adds_up(&offer["quotation"]);
        adds_up(&offer["converted"]);
        assert_eq!(offer["quotation"]["currencyCode"], "GBP");
        assert_eq!(offer["converted"]["currencyCode"], "EUR");
        assert_ne!(
            offer["converted"]["monetaryAmount"],
            offer["quotation"]["monetaryAmount"]
        );
        assert_eq!(
            offer["quotation"]["isEstimated"],
            offer["transferType"] == "TAXI"
        );
        assert_eq!(offer["id"].as_str().unwrap().len(), 36);
    }
    for warning in found["warnings"].as_array().unwrap() {
        assert_eq!(warning["code"], 101);
        let pointer = warning["source"]["pointer"].as_str().unwrap();
        assert_eq!(found.pointer(pointer), Some(&json!("2026-12-01T10:30:00")));
    }
    let van = amadeus.van().await;
    let (status, order) = amadeus.ride(&van, "Earhart").await;
    assert_eq!(status, 201, "{order}");
    let mut recorded = fixture("transfer_order");
    let party = recorded["data"].as_object_mut().unwrap();
    party.remove("passengerCharacteristics");
    holds_but(&OPTIONAL, &recorded, &order, "order");
    let (status, cancelled) = amadeus.cancel_ride(&order["data"]).await;
    assert_eq!(status, 200);
    holds_but(
        &[],
        &fixture("transfer_cancellation"),
        &cancelled,
        "cancellation",
    );
    assert_eq!(cancelled["data"]["reservationStatus"], "CANCELLED");
    let mut plain = criteria();
    plain.as_object_mut().unwrap().remove("currency");
    for offer in amadeus.offers(&plain).await {
        assert!(offer.get("converted").is_none());
    }
}

#[tokio::test]
async fn a_search_is_narrowed_by_what_it_asks_for() {
    let amadeus = Amadeus::transfers().await;
    for (name, value, pointer) in [
        ("transferType", json!("PRIVATE"), "/transferType"),
        ("transferType", json!("AIRPORT_EXPRESS"), "/transferType"),
        ("vehicleCode", json!("SED"), "/vehicle/code"),
        ("vehicleCategory", json!("FC"), "/vehicle/category"),
        ("providerCodes", json!("GRD"), "/serviceProvider/code"),
    ] {
        let mut asked = criteria();
        asked[name] = value.clone();
        let offers = amadeus.offers(&asked).await;
        assert!(!offers.is_empty(), "{name}");
        for offer in offers {
            assert_eq!(offer.pointer(pointer), Some(&value));
        }
    }
    let mut group = criteria();
    group["passengers"] = json!(9);
    for offer in amadeus.offers(&group).await {
        assert!(offer["vehicle"]["seats"][0]["count"].as_u64().unwrap() >= 9);
    }
    let hourly = json!({
        "startLocationCode": "CDG",
        "startDateTime": "2026-12-01T10:10:00",
        "transferType": "HOURLY",
        "duration": "PT2H30M",
    });
    let offers = amadeus.offers(&hourly).await;
    assert_eq!(offers[0]["duration"], "PT2H30M");
    assert!(offers[0].get("end").is_none());
    let mut airport = criteria();
    airport["endLocationCode"] = json!("ORY");
    assert_eq!(
        amadeus.offers(&airport).await[0]["end"]["locationCode"],
        "ORY"
    );
    airport["endLocationCode"] = json!("JFK");
    assert!(amadeus.offers(&airport).await.is_empty());
}

#[tokio::test]
async fn a_wrong_search_says_what_is_wrong() {
    let amadeus = Amadeus::transfers().await;
    for (name, value, code) in [
        ("startLocationCode", json!(null), 32171),
        ("startLocationCode", json!("QQQ"), 1876),
        ("startDateTime", json!(null), 32171),
        ("startDateTime", json!("soon"), 3337),
        ("startDateTime", json!("2026-11-20T10:00:00"), 3337),
        ("endGeoCode", json!(null), 34604),
        ("endGeoCode", json!("91,0"), 32986),
        ("transferType", json!("ROCKET"), 4926),
        ("transferType", json!("HOURLY"), 34499),
        ("vehicleCode", json!("UFO"), 530),
        ("passengers", json!(0), 9385),
        ("currency", json!("XXX"), 6323),
    ] {
        let mut asked = criteria();
        asked[name] = value.clone();
        assert_eq!(
            error(&amadeus.post(SEARCH, &asked).await),
            (400, code),
            "{name} {value}"
        );
    }
}

#[tokio::test]
async fn an_order_is_found_in_two_ways_and_cancelled_once() {
    let amadeus = Amadeus::transfers().await;
    let van = amadeus.van().await;
    let item = "CDG/VAN/2026-12-01T10";
    let before = amadeus.remaining(item).await;
    let (_, order) = amadeus.ride(&van, "Earhart").await;
    let order = &order["data"];
    assert_eq!(amadeus.remaining(item).await, before - 1);
    assert_eq!(order["transfers"][0]["quotation"], van["quotation"]);
    assert_eq!(
        order["transfers"][0]["note"],
        "Interline ord_interline, thank you"
    );
    let reference = order["reference"].as_str().unwrap();
    let by_reference = format!("{ORDERS}/by-reference?reference={reference}&originSystemCode=GDS");
    assert_eq!(amadeus.get(&by_reference).await.1["data"], *order);
    let (_, queue) = amadeus.get(QUEUE).await;
    assert_eq!(
        queue["data"][0]["associatedRecords"][0]["reference"],
        reference
    );
    // The same offer again is another order.
    assert_eq!(amadeus.ride(&van, "Earhart").await.0, 201);
    assert_eq!(amadeus.get(QUEUE).await.1["meta"]["count"], 2);

    let id = encoded(&order["id"]);
    let wrong = format!("{ORDERS}/{id}/transfers/cancellation");
    assert_eq!(error(&amadeus.post(&wrong, &json!({})).await), (400, 32171));
    let wrong = format!("{wrong}?confirmNbr=1");
    assert_eq!(error(&amadeus.post(&wrong, &json!({})).await), (404, 1797));
    assert_eq!(amadeus.cancel_ride(order).await.0, 200);
    assert_eq!(error(&amadeus.cancel_ride(order).await), (404, 1797));
    assert_eq!(amadeus.remaining(item).await, before - 1);
    let (_, cancelled) = amadeus.get(&by_reference).await;
    assert_eq!(cancelled["data"]["transfers"][0]["status"], "CANCELLED");
    let journal = amadeus.journal().await;
    let kinds: Vec<&Value> = journal.iter().map(|line| &line["kind"]).collect();
    assert_eq!(kinds, ["order", "order", "cancel"]);
    for line in [&journal[0], &journal[2]] {
        assert_eq!(line["supplier_reference"], reference);
        assert_eq!(line["client_reference"], "ord_interline");
        assert_eq!(line["amount"], van["quotation"]["monetaryAmount"]);
        assert_eq!(line["item"], item);
    }
}

#[tokio::test]
async fn a_late_cancellation_costs_what_the_rules_say() {
    let amadeus = Amadeus::transfers().await;
    let offers = amadeus.offers(&criteria()).await;
    let limousine = offers
        .iter()
        .find(|o| o["vehicle"]["code"] == "LMS")
        .unwrap();
    let path = format!("{ORDERS}?offerId={}", limousine["id"].as_str().unwrap());
    let body = ride_body("Earhart");
    assert_eq!(error(&amadeus.post(&path, &body).await), (400, 34649));
    let mut body = body;
    body["data"]["flightNumber"] = json!("AF380");
    let (status, order) = amadeus.post(&path, &body).await;
    assert_eq!(status, 201, "{order}");
    // 33 hours before the ride at 10:10 in Paris.
    amadeus
        .server
        .clock
        .advance(Duration::from_secs(9 * 24 * 3600 - 12 * 3600));
    let restarted = amadeus.anew().await;
    assert_eq!(restarted.cancel_ride(&order["data"]).await.0, 200);
    let journal = restarted.journal().await;
    let total = cents(&limousine["quotation"]["monetaryAmount"]);
    assert_eq!(cents(&journal[1]["amount"]), total / 2);
}

#[tokio::test]
async fn an_incomplete_order_is_refused() {
    let amadeus = Amadeus::transfers().await;
    let van = amadeus.van().await;
    let path = format!("{ORDERS}?offerId={}", van["id"].as_str().unwrap());
    for (pointer, value, code) in [
        ("/passengers", json!([]), 32171),
        ("/passengers/0/lastName", json!(""), 11041),
        ("/passengers/0/contacts/phoneNumber", json!(null), 391),
        ("/passengers/0/contacts/email", json!(null), 23883),
        ("/passengers/0/contacts/email", json!("amelia"), 34120),
        ("/payment", json!(null), 34502),
        ("/payment/methodOfPayment", json!("SHELLS"), 37576),
        ("/payment/methodOfPayment", json!("CREDIT_CARD"), 38597),
    ] {
        let mut body = ride_body("Earhart");
        *body["data"].pointer_mut(pointer).unwrap() = value;
        assert_eq!(
            error(&amadeus.post(&path, &body).await),
            (400, code),
            "{pointer}"
        );
    }
    let body = ride_body("Earhart");
    assert_eq!(error(&amadeus.post(ORDERS, &body).await), (400, 32171));
    let unknown = format!("{ORDERS}?offerId=0cb11574");
    assert_eq!(error(&amadeus.post(&unknown, &body).await), (400, 4926));
    amadeus.server.clock.advance(Duration::from_secs(1200));
    assert_eq!(error(&amadeus.post(&path, &body).await), (400, 4926));
    assert!(amadeus.journal().await.is_empty());
}

#[tokio::test]
async fn family_names_choose_the_outcome() {
    let amadeus = Amadeus::transfers().await;
    for (name, wanted) in [
        ("SOLDOUT", (400, 11)),
        ("REFUSED", (400, 10192)),
        ("CODE4926", (400, 4926)),
        ("CODE25860", (400, 25860)),
        ("CODE21934", (500, 21934)),
        ("CODE38189", (500, 38189)),
        ("CODE38196", (404, 38196)),
    ] {
        let van = amadeus.van().await;
        assert_eq!(error(&amadeus.ride(&van, name).await), wanted, "{name}");
        assert!(amadeus.journal().await.is_empty(), "{name}");
    }
    let amount = |offer: &Value| cents(&offer["quotation"]["monetaryAmount"]);
    for _ in 0..2 {
        let van = amadeus.van().await;
        assert_eq!(
            error(&amadeus.ride(&van, "PRICECHANGE").await),
            (400, 37200)
        );
        assert_eq!(
            error(&amadeus.ride(&van, "PRICECHANGE").await),
            (400, 37200)
        );
        let dearer = amadeus.van().await;
        assert!(amount(&dearer) > amount(&van));
        assert_eq!(amadeus.ride(&dearer, "PRICECHANGE").await.0, 201);
        assert_eq!(amount(&amadeus.van().await), amount(&van));
    }
    let van = amadeus.van().await;
    assert_eq!(error(&amadeus.ride(&van, "CHECKFIRST").await), (400, 25860));
    assert_eq!(amadeus.journal().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_buyers_of_three_vans_make_three_orders() {
    let amadeus = Arc::new(Amadeus::transfers().await);
    let van = amadeus.van().await;
    let item = "CDG/VAN/2026-12-01T10";
    amadeus.stock(item, 3).await;
    let orders: Vec<_> = (0..50)
        .map(|_| {
            let (amadeus, van) = (Arc::clone(&amadeus), van.clone());
            tokio::spawn(async move { amadeus.ride(&van, "Earhart").await })
        })
        .collect();
    let mut sold = 0;
    for order in orders {
        let order = order.await.unwrap();
        if order.0 == 201 {
            sold += 1;
        } else {
            assert_eq!(error(&order), (400, 11));
        }
    }
    assert_eq!((sold, amadeus.journal().await.len()), (3, 3));
    assert_eq!(amadeus.remaining(item).await, 0);
    assert!(
        amadeus
            .offers(&criteria())
            .await
            .iter()
            .all(|o| o["vehicle"]["code"] != "VAN")
    );
}

#[tokio::test]
async fn a_restart_keeps_orders_cancellations_and_taken_vehicles() {
    let folder = std::env::temp_dir().join(format!("sandbox-{}", uuid::Uuid::new_v4()));
    let options = || Options {
        data_dir: Some(folder.clone()),
        ..Options::default()
    };
    let name = "amadeus_transfers";
    let item = "CDG/VAN/2026-12-01T10";
    let first = Amadeus::start_with(name, options()).await;
    let (_, kept) = first.ride(&first.van().await, "Earhart").await;
    let (_, dropped) = first.ride(&first.van().await, "Earhart").await;
    assert_eq!(first.cancel_ride(&dropped["data"]).await.0, 200);
    let second = Amadeus::start_with(name, options()).await;
    assert_eq!(second.journal().await, first.journal().await);
    assert_eq!(second.remaining(item).await, first.remaining(item).await);
    for order in [kept, dropped] {
        let reference = order["data"]["reference"].as_str().unwrap();
        let path = format!("{ORDERS}/by-reference?reference={reference}&originSystemCode=GDS");
        assert_eq!(second.get(&path).await, first.get(&path).await);
    }
    assert_eq!(second.get(QUEUE).await, first.get(QUEUE).await);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn faults_strike_before_and_after_the_commit() {
    let amadeus = Amadeus::transfers().await;
    let lag = json!({ "operation": "order", "mode": "late_visibility", "latency_ms": 30_000, "count": 1 });
    amadeus.fault(lag).await;
    let (_, order) = amadeus.ride(&amadeus.van().await, "Earhart").await;
    assert_eq!(amadeus.get(QUEUE).await.1["meta"]["count"], 0);
    amadeus.server.clock.advance(Duration::from_secs(30));
    assert_eq!(amadeus.get(QUEUE).await.1["meta"]["count"], 1);
    for (mode, when, effects) in [
        ("error_500", "before", 0),
        ("missing_key", "after_commit", 1),
    ] {
        let van = amadeus.van().await;
        let before = amadeus.journal().await.len();
        let fault = json!({ "operation": "order", "mode": mode, "when": when, "count": 1 });
        amadeus.fault(fault).await;
        let (_, answer) = amadeus.ride(&van, "Earhart").await;
        assert!(answer["data"].get("id").is_none() && answer["data"].get("reference").is_none());
        assert_eq!(amadeus.journal().await.len() - before, effects, "{mode}");
    }
    let fault =
        json!({ "operation": "cancel", "mode": "reset", "when": "after_commit", "count": 1 });
    amadeus.fault(fault).await;
    let id = encoded(&order["data"]["id"]);
    let number = order["data"]["transfers"][0]["confirmNbr"]
        .as_str()
        .unwrap();
    let path = format!("{ORDERS}/{id}/transfers/cancellation?confirmNbr={number}");
    let lost = amadeus.request(Method::POST, &path).send().await;
    assert!(lost.unwrap_err().is_request());
    assert_eq!(amadeus.journal().await.last().unwrap()["kind"], "cancel");
}
