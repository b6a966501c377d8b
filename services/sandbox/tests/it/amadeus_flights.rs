//! Amadeus's flights: formats, prices, the life of an order, scenarios, faults.

mod faults;

use std::time::Duration;

use reqwest::{Method, StatusCode};
use sandbox::Options;
use serde_json::{Value, json};

use super::amadeus::{Amadeus, answer, encoded, error, fixture};
use super::support::{DAY, cents};
use super::wire::holds_but;

const ORDERS: &str = "/v1/booking/flight-orders";
const QUEUE: &str = "/v1/office/queues/30?category=0";
/// What the real one leaves out at times.
const OPTIONAL: [&str; 15] = [
    "terminal",
    "operating",
    "weight",
    "weightUnit",
    "quantity",
    "brandedFare",
    "isAllotment",
    "allotmentDetails",
    "sliceDiceIndicator",
    "additionalServices",
    "includedCheckedBags",
    "queuingOfficeId",
    "creationDateTime",
    "ticketingAggreement",
    "blacklistedInEU",
];

impl Amadeus {
    async fn flights() -> Self {
        Self::start("amadeus").await
    }

    async fn search(&self, from: &str, to: &str, more: &str) -> Value {
        let query =
            format!("originLocationCode={from}&destinationLocationCode={to}&departureDate={DAY}");
        let path = format!("/v2/shopping/flight-offers?{query}&adults=1{more}");
        let (status, body) = self.get(&path).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// The cheapest offer of a fresh search.
    async fn offer(&self, from: &str, to: &str) -> Value {
        self.search(from, to, "&max=1").await["data"][0].clone()
    }

    async fn price(&self, offer: &Value) -> (StatusCode, Value) {
        let data = json!({ "type": "flight-offers-pricing", "flightOffers": [offer] });
        let path = "/v1/shopping/flight-offers/pricing?include=detailed-fare-rules";
        self.post(path, &json!({ "data": data })).await
    }

    async fn priced(&self, offer: &Value) -> Value {
        let (status, body) = self.price(offer).await;
        assert_eq!(status, 200, "{body}");
        body["data"]["flightOffers"][0].clone()
    }

    async fn order(&self, offer: &Value, family_name: &str) -> (StatusCode, Value) {
        self.post(ORDERS, &order_body(offer, family_name)).await
    }

    /// Searches, prices and orders LHR → JFK.
    async fn book(&self, family_name: &str) -> (StatusCode, Value) {
        let offer = self.offer("LHR", "JFK").await;
        self.order(&self.priced(&offer).await, family_name).await
    }
}

fn order_body(offer: &Value, family_name: &str) -> Value {
    let travelers: Vec<Value> = (offer["travelerPricings"].as_array().unwrap().iter())
        .map(|pricing| {
            let born = match pricing["travelerType"].as_str().unwrap() {
                "CHILD" => "2018-03-01",
                "HELD_INFANT" => "2026-01-15",
                _ => "1982-01-16",
            };
            json!({
                "id": pricing["travelerId"],
                "dateOfBirth": born,
                "gender": "FEMALE",
                "name": { "firstName": "AMELIA", "lastName": family_name },
                "contact": {
                    "emailAddress": "amelia@example.com",
                    "phones": [{ "deviceType": "MOBILE", "countryCallingCode": "44", "number": "2080160509" }],
                },
            })
        })
        .collect();
    json!({ "data": {
        "type": "flight-order",
        "flightOffers": [offer],
        "travelers": travelers,
        "remarks": { "general": [
            { "subType": "GENERAL_MISCELLANEOUS", "text": "ONLINE BOOKING" },
            { "subType": "GENERAL_MISCELLANEOUS", "text": "INTERLINE ord_interline" },
        ]},
        "ticketingAgreement": { "option": "DELAY_TO_CANCEL", "delay": "6D" },
        "automatedProcess": [{ "code": "IMMEDIATE", "queue": { "number": "30", "category": "0" } }],
    }})
}

/// An example of the specification; dictionaries have a key for each code that they explain.
fn example(name: &str) -> Value {
    let mut example = fixture(name);
    for names in example["dictionaries"]
        .as_object_mut()
        .unwrap()
        .values_mut()
    {
        *names = json!({});
    }
    example
}

/// The inventory item of an offer's first flight.
fn item(offer: &Value) -> String {
    let segment = &offer["itineraries"][0]["segments"][0];
    format!(
        "{}{}/{}/economy",
        segment["carrierCode"].as_str().unwrap(),
        segment["number"].as_str().unwrap(),
        &segment["departure"]["at"].as_str().unwrap()[..10],
    )
}

fn segments(offer: &Value) -> Vec<Value> {
    let itineraries = offer["itineraries"].as_array().unwrap().iter();
    itineraries
        .flat_map(|itinerary| itinerary["segments"].as_array().unwrap().clone())
        .collect()
}

/// Every sum in an offer is the sum of its parts.
fn adds_up(offer: &Value) {
    let travelers = offer["travelerPricings"].as_array().unwrap();
    for (part, whole) in [
        ("total", "total"),
        ("base", "base"),
        ("total", "grandTotal"),
    ] {
        let sum: i64 = travelers.iter().map(|t| cents(&t["price"][part])).sum();
        assert_eq!(sum, cents(&offer["price"][whole]), "{offer}");
    }
    for traveler in travelers {
        let price = &traveler["price"];
        if let Some(taxes) = price["taxes"].as_array() {
            let taxes: i64 = taxes.iter().map(|tax| cents(&tax["amount"])).sum();
            assert_eq!(cents(&price["base"]) + taxes, cents(&price["total"]));
        }
        assert!(cents(&price["base"]) < cents(&price["total"]));
    }
}

#[tokio::test]
async fn every_key_of_the_specifications_examples_is_answered() {
    let amadeus = Amadeus::flights().await;
    let found = amadeus.search("LHR", "JFK", "").await;
    holds_but(
        &OPTIONAL,
        &example("flight_offers_search"),
        &found,
        "search",
    );
    assert!(found["data"].as_array().unwrap().len() > 20);
    assert_eq!(
        found["meta"]["count"],
        found["data"].as_array().unwrap().len()
    );
    for offer in found["data"].as_array().unwrap() {
        adds_up(offer);
    }
    let (_, priced) = amadeus.price(&found["data"][0]).await;
    holds_but(
        &OPTIONAL,
        &example("flight_offers_price"),
        &priced,
        "pricing",
    );
    let offer = &priced["data"]["flightOffers"][0];
    adds_up(offer);
    assert_eq!(
        offer["price"]["grandTotal"],
        found["data"][0]["price"]["grandTotal"]
    );
    let rules = priced["included"]["detailed-fare-rules"]
        .as_object()
        .unwrap();
    assert!(rules["1"]["fareNotes"]["descriptions"][0]["text"].is_string());
    let mut example = example("flight_order");
    // Keys that the example has and the specification's own schema does not.
    for pointer in [
        "/data/flightOffers/0/pricingOptions",
        "/data/flightOffers/0/price/additionalServices",
    ] {
        *example.pointer_mut(pointer).unwrap() = Value::Null;
    }
    let mut body = order_body(offer, "Earhart");
    body["data"]["contacts"] = example["data"]["contacts"].clone();
    body["data"]["travelers"][0]["documents"] =
        example["data"]["travelers"][0]["documents"].clone();
    let price = example.pointer_mut("/data/flightOffers/0/price").unwrap();
    price.as_object_mut().unwrap().remove("additionalServices");
    let (status, order) = amadeus.post(ORDERS, &body).await;
    assert_eq!(status, 201, "{order}");
    holds_but(&OPTIONAL, &example, &order, "order");
    let record = &order["data"]["associatedRecords"][0];
    assert_eq!(record["originSystemCode"], "GDS");
    assert_eq!(record["creationDate"], "2026-11-21T12:00:00.000");
    assert_eq!(record["reference"].as_str().unwrap().len(), 6);
}

#[tokio::test]
async fn the_same_flights_are_sold_as_by_duffel_at_other_prices() {
    let amadeus = Amadeus::flights().await;
    let request = amadeus.server.search("LHR", "JFK", 1).await;
    let theirs = request["offers"].as_array().unwrap();
    let (mut cheaper, mut dearer) = (0, 0);
    for offer in amadeus.search("LHR", "JFK", "").await["data"]
        .as_array()
        .unwrap()
    {
        let ours = segments(offer);
        let same = |offer: &&Value| {
            let theirs = offer["slices"][0]["segments"].as_array().unwrap();
            theirs.len() == ours.len()
                && theirs.iter().zip(&ours).all(|(theirs, ours)| {
                    theirs["marketing_carrier"]["iata_code"] == ours["carrierCode"]
                        && theirs["marketing_carrier_flight_number"] == ours["number"]
                        && theirs["departing_at"] == ours["departure"]["at"]
                        && theirs["arriving_at"] == ours["arrival"]["at"]
                })
        };
        let lowest = (theirs.iter().filter(same))
            .map(|offer| cents(&offer["total_amount"]))
            .min()
            .expect("every flight is in the one timetable");
        if cents(&offer["price"]["total"]) < lowest {
            cheaper += 1;
        } else {
            dearer += 1;
        }
    }
    assert!(cheaper > 0 && dearer > 0, "{cheaper} {dearer}");
}

#[tokio::test]
async fn a_search_by_post_asks_for_the_same_in_more_words() {
    let amadeus = Amadeus::flights().await;
    let body = json!({
        "currencyCode": "GBP",
        "originDestinations": [
            { "id": "1", "originLocationCode": "LON", "destinationLocationCode": "NYC", "departureDateTimeRange": { "date": DAY } },
            { "id": "2", "originLocationCode": "NYC", "destinationLocationCode": "LON", "departureDateTimeRange": { "date": "2026-12-08" } },
        ],
        "travelers": [
            { "id": "1", "travelerType": "ADULT" },
            { "id": "2", "travelerType": "CHILD" },
            { "id": "3", "travelerType": "HELD_INFANT", "associatedAdultId": "1" },
        ],
        "sources": ["GDS"],
        "searchCriteria": {
            "maxFlightOffers": 12,
            "pricingOptions": { "includedCheckedBagsOnly": true },
            "flightFilters": {
                "cabinRestrictions": [{ "cabin": "BUSINESS", "coverage": "MOST_SEGMENTS", "originDestinationIds": ["1", "2"] }],
                "carrierRestrictions": { "includedCarrierCodes": ["BA", "VS"] },
                "connectionRestriction": { "maxNumberOfConnections": 0 },
            },
        },
    });
    let path = "/v2/shopping/flight-offers";
    let (status, found) = amadeus.post(path, &body).await;
    assert_eq!(status, 200, "{found}");
    assert_eq!(found["data"].as_array().unwrap().len(), 12);
    for offer in found["data"].as_array().unwrap() {
        adds_up(offer);
        assert_eq!(offer["itineraries"].as_array().unwrap().len(), 2);
        assert_eq!(offer["pricingOptions"]["includedCheckedBagsOnly"], true);
        for segment in segments(offer) {
            assert!(["BA", "VS"].contains(&segment["carrierCode"].as_str().unwrap()));
        }
        let travelers = offer["travelerPricings"].as_array().unwrap();
        assert_eq!(travelers[0]["fareDetailsBySegment"][0]["cabin"], "BUSINESS");
        assert_eq!(travelers[2]["associatedAdultId"], "1");
        assert!(cents(&travelers[2]["price"]["total"]) < cents(&travelers[1]["price"]["total"]));
    }
    let own = |request: reqwest::RequestBuilder| answer(request.json(&body));
    let url = format!("{}/amadeus{path}", amadeus.server.base);
    let token = amadeus.request(Method::POST, path).build().unwrap();
    let token = token.headers()["authorization"].clone();
    let plain = amadeus
        .server
        .client
        .post(url)
        .header("Authorization", token);
    assert_eq!(error(&own(plain).await), (400, 32171));
}

#[tokio::test]
async fn a_wrong_search_names_its_parameter() {
    let amadeus = Amadeus::flights().await;
    let good = [
        ("originLocationCode", "LHR"),
        ("destinationLocationCode", "JFK"),
        ("departureDate", DAY),
        ("returnDate", "2026-12-08"),
        ("adults", "1"),
        ("infants", "1"),
    ];
    for (name, value, code) in [
        ("originLocationCode", "", 32171),
        ("originLocationCode", "lhr", 477),
        ("originLocationCode", "QQQ", 4926),
        ("destinationLocationCode", "LHR", 2668),
        ("departureDate", "soon", 477),
        ("departureDate", "2026-11-20", 425),
        ("departureDate", "2028-11-20", 425),
        ("returnDate", "2026-11-30", 425),
        ("adults", "", 32171),
        ("adults", "0", 477),
        ("infants", "2", 2668),
        ("children", "9", 10661),
        ("travelClass", "steerage", 477),
        ("max", "251", 477),
        ("nonStop", "perhaps", 477),
    ] {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (key, good) in good.iter().filter(|(key, _)| *key != name) {
            query.append_pair(key, good);
        }
        query.append_pair(name, value);
        let path = format!("/v2/shopping/flight-offers?{}", query.finish());
        let refused = amadeus.get(&path).await;
        assert_eq!(error(&refused), (400, code), "{name}={value}");
        let source = refused.1["errors"][0]["source"]["parameter"]
            .as_str()
            .unwrap();
        assert!(
            source.contains(name) || name == "children",
            "{source} {name}"
        );
    }
}

#[tokio::test]
async fn an_order_is_found_in_three_ways_and_deleted_once() {
    let amadeus = Amadeus::flights().await;
    let offer = amadeus.offer("LHR", "JFK").await;
    let item = item(&offer);
    let before = amadeus.remaining(&item).await;
    let offer = amadeus.priced(&offer).await;
    let (status, order) = amadeus.order(&offer, "Earhart").await;
    assert_eq!(status, 201, "{order}");
    let order = &order["data"];
    let sent = order_body(&offer, "Earhart");
    for key in [
        "remarks",
        "automatedProcess",
        "ticketingAgreement",
        "travelers",
    ] {
        assert_eq!(order[key], sent["data"][key]);
    }
    adds_up(&order["flightOffers"][0]);
    assert_eq!(amadeus.remaining(&item).await, before - 1);
    let reference = order["associatedRecords"][0]["reference"].as_str().unwrap();
    let by_id = format!("{ORDERS}/{}", encoded(&order["id"]));
    let by_reference = format!("{ORDERS}/by-reference?reference={reference}&originSystemCode=GDS");
    assert_eq!(amadeus.get(&by_id).await.1["data"], *order);
    assert_eq!(amadeus.get(&by_reference).await.1["data"], *order);
    let missing = format!("{ORDERS}/by-reference?reference={reference}");
    assert_eq!(error(&amadeus.get(&missing).await), (400, 32171));
    let (_, second) = amadeus.book("Second").await;
    let (_, queue) = amadeus.get(QUEUE).await;
    assert_eq!(queue["meta"]["count"], 2);
    assert_eq!(
        queue["data"][1]["associatedRecords"],
        json!([{ "reference": reference, "originSystemCode": "GDS", "creationDate": "2026-11-21T12:00:00.000" }])
    );
    let (_, page) = amadeus
        .get(&format!("{QUEUE}&page[limit]=1&page[offset]=0"))
        .await;
    assert_eq!(
        page["data"][0]["associatedRecords"][0]["reference"],
        second["data"]["associatedRecords"][0]["reference"]
    );
    assert_eq!(
        (
            page["data"].as_array().unwrap().len(),
            &page["meta"]["count"]
        ),
        (1, &json!(2))
    );
    for other in ["/v1/office/queues/31", "/v1/office/queues/30?category=1"] {
        assert_eq!(amadeus.get(other).await.1["data"], json!([]));
    }

    let (status, body) = amadeus.delete(&by_id).await;
    assert_eq!((status.as_u16(), body), (204, Value::Null));
    assert_eq!(error(&amadeus.delete(&by_id).await), (404, 1797));
    assert_eq!(error(&amadeus.get(&by_id).await), (404, 1797));
    assert_eq!(error(&amadeus.get(&by_reference).await), (404, 1797));
    assert_eq!(amadeus.get(QUEUE).await.1["meta"]["count"], 1);
    let journal = amadeus.journal().await;
    let kinds: Vec<&Value> = journal.iter().map(|line| &line["kind"]).collect();
    assert_eq!(kinds, ["order", "order", "cancel"]);
    for line in [&journal[0], &journal[2]] {
        assert_eq!(line["supplier_reference"], reference);
        assert_eq!(line["client_reference"], "ord_interline");
        assert_eq!(line["amount"], offer["price"]["grandTotal"]);
        assert_eq!(line["item"], json!(item));
    }
}

#[tokio::test]
async fn a_family_is_priced_and_booked_and_its_infant_takes_no_seat() {
    let amadeus = Amadeus::flights().await;
    let found = amadeus
        .search("LHR", "JFK", "&children=1&infants=1&max=1")
        .await;
    let offer = &found["data"][0];
    assert_eq!(offer["travelerPricings"][2]["travelerType"], "HELD_INFANT");
    assert_eq!(offer["travelerPricings"][2]["associatedAdultId"], "1");
    let before = amadeus.remaining(&item(offer)).await;
    let (status, order) = amadeus.order(&amadeus.priced(offer).await, "Earhart").await;
    assert_eq!(status, 201, "{order}");
    assert_eq!(amadeus.remaining(&item(offer)).await, before - 2);
}

#[tokio::test]
async fn an_altered_offer_is_refused() {
    let amadeus = Amadeus::flights().await;
    let offer = amadeus.offer("LHR", "JFK").await;
    for (pointer, value) in [
        ("/id", json!("999")),
        ("/itineraries/0/segments/0/number", json!("1")),
        (
            "/itineraries/0/segments/0/departure/at",
            json!("2026-12-02T09:00:00"),
        ),
        (
            "/travelerPricings/0/fareDetailsBySegment/0/class",
            json!("F"),
        ),
        ("/travelerPricings/0/travelerType", json!("CHILD")),
        ("/itineraries", json!([])),
    ] {
        let mut altered = offer.clone();
        *altered.pointer_mut(pointer).unwrap() = value;
        assert_eq!(
            error(&amadeus.price(&altered).await),
            (400, 4926),
            "{pointer}"
        );
        assert_eq!(
            error(&amadeus.order(&altered, "Earhart").await),
            (400, 4926),
            "{pointer}"
        );
    }
    for pointer in [
        "/price/grandTotal",
        "/price/total",
        "/travelerPricings/0/price/total",
    ] {
        let mut cheaper = offer.clone();
        *cheaper.pointer_mut(pointer).unwrap() = json!("1.00");
        assert_eq!(
            error(&amadeus.order(&cheaper, "Earhart").await),
            (400, 37200),
            "{pointer}"
        );
    }
    assert!(amadeus.journal().await.is_empty());
}

#[tokio::test]
async fn an_incomplete_order_is_refused() {
    let amadeus = Amadeus::flights().await;
    let offer = amadeus.offer("LHR", "JFK").await;
    for (pointer, value, code) in [
        ("/type", json!(null), 32171),
        ("/type", json!("hotel-order"), 477),
        ("/flightOffers", json!([]), 32171),
        ("/travelers", json!([]), 32171),
        ("/travelers/0/id", json!("7"), 4926),
        ("/travelers/0/name/lastName", json!(" "), 32171),
        ("/travelers/0/gender", json!("f"), 477),
        ("/travelers/0/dateOfBirth", json!("then"), 477),
        ("/travelers/0/dateOfBirth", json!("2020-01-01"), 4926),
        ("/travelers/0/contact", json!(null), 32171),
        ("/travelers/0/contact/phones/0/number", json!("+44 20"), 477),
        ("/ticketingAgreement/option", json!("NEVER"), 477),
    ] {
        let mut body = order_body(&offer, "Earhart");
        *body["data"].pointer_mut(pointer).unwrap() = value;
        assert_eq!(
            error(&amadeus.post(ORDERS, &body).await),
            (400, code),
            "{pointer}"
        );
    }
    assert!(amadeus.journal().await.is_empty());
}

#[tokio::test]
async fn an_offer_grows_too_old() {
    let options = Options {
        offer_life: Duration::from_secs(60),
        ..Options::default()
    };
    let amadeus = Amadeus::start_with("amadeus", options).await;
    let offer = amadeus.offer("LHR", "JFK").await;
    amadeus.server.clock.advance(Duration::from_secs(59));
    let priced = amadeus.priced(&offer).await;
    amadeus.server.clock.advance(Duration::from_secs(1));
    assert_eq!(error(&amadeus.price(&offer).await), (400, 4926));
    assert_eq!(
        error(&amadeus.order(&priced, "Earhart").await),
        (400, 34651)
    );
}

#[tokio::test]
async fn family_names_choose_the_outcome() {
    let amadeus = Amadeus::flights().await;
    for (name, wanted) in [
        ("SOLDOUT", (400, 34651)),
        ("REFUSED", (400, 36870)),
        ("CODE477", (400, 477)),
        ("CODE4926", (400, 4926)),
        ("CODE25860", (400, 25860)),
        ("CODE32171", (400, 32171)),
        ("CODE34107", (400, 34107)),
        ("CODE38189", (500, 38189)),
        ("CODE38196", (404, 38196)),
    ] {
        assert_eq!(error(&amadeus.book(name).await), wanted, "{name}");
        assert!(amadeus.journal().await.is_empty(), "{name}");
    }
    assert_eq!(error(&amadeus.book("CHECKFIRST").await), (400, 25860));
    assert_eq!(amadeus.journal().await.len(), 1);
    assert_eq!(error(&amadeus.book("ERROR500").await), (500, 38189));
    assert_eq!(amadeus.journal().await.len(), 2);
    assert_eq!(amadeus.get(QUEUE).await.1["meta"]["count"], 2);
    let offer = amadeus.offer("LHR", "JFK").await;
    let never = amadeus
        .request(Method::POST, ORDERS)
        .timeout(Duration::from_millis(500));
    let lost = never.json(&order_body(&offer, "TIMEOUT")).send().await;
    assert!(lost.unwrap_err().is_timeout());
    assert_eq!(amadeus.journal().await.len(), 3);
}

#[tokio::test]
async fn a_price_change_is_seen_by_pricing_again() {
    let amadeus = Amadeus::flights().await;
    for _ in 0..2 {
        let offer = amadeus.priced(&amadeus.offer("LHR", "JFK").await).await;
        assert_eq!(
            error(&amadeus.order(&offer, "PRICECHANGE").await),
            (400, 37200)
        );
        assert_eq!(
            error(&amadeus.order(&offer, "PRICECHANGE").await),
            (400, 37200)
        );
        let dearer = amadeus.priced(&offer).await;
        adds_up(&dearer);
        let total = |offer: &Value| cents(&offer["price"]["grandTotal"]);
        assert_eq!(total(&dearer), total(&offer) + 1_000);
        let (status, order) = amadeus.order(&dearer, "PRICECHANGE").await;
        assert_eq!(status, 201, "{order}");
    }
}

#[tokio::test]
async fn test_routes_choose_the_outcome() {
    let amadeus = Amadeus::flights().await;
    let offer = amadeus.offer("BRS", "GLA").await;
    let total = |offer: &Value| cents(&offer["price"]["grandTotal"]);
    let first = amadeus.priced(&offer).await;
    let second = amadeus.priced(&first).await;
    assert_eq!(
        [total(&first), total(&second)],
        [total(&offer) + 1_000, total(&offer) + 2_000]
    );
    assert_eq!(error(&amadeus.order(&first, "Earhart").await), (400, 37200));
    assert_eq!(amadeus.order(&second, "Earhart").await.0, 201);
    let offer = amadeus.offer("BRS", "EDI").await;
    assert_eq!(error(&amadeus.price(&offer).await), (400, 4926));
    let offer = amadeus.offer("LTN", "GLA").await;
    assert_eq!(error(&amadeus.order(&offer, "Earhart").await), (400, 34651));
    let none = amadeus.search("BRS", "BFS", "").await;
    assert_eq!(
        (&none["meta"]["count"], &none["data"]),
        (&json!(0), &json!([]))
    );
    let query =
        format!("originLocationCode=LTN&destinationLocationCode=EDI&departureDate={DAY}&adults=1");
    let failed = amadeus
        .get(&format!("/v2/shopping/flight-offers?{query}"))
        .await;
    assert_eq!(error(&failed), (500, 38189));
}
