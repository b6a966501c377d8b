//! Ordering, and looking for a lost order.

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Blame, Retry, Safety, Sent, SupplierError, SupplierErrorKind as Kind};
use vertical_kit::{PlacedOrder, PlacedStatus, Supplier as _};

use super::super::requests;
use super::{adapter, bytes, lookup, lost, new_order, order_body, terms};
use testkit::adapters::{cx, money, reference, traveller};

const ORDER: &str = "POST /v1/booking/flight-orders";
const QUEUE: &str = "GET /v1/office/queues/30";
const RECORD: &str = "GET /v1/booking/flight-orders/by-reference";
const RETRIEVE: &str = "GET /v1/booking/flight-orders/eJzT%3D%2F1";

#[tokio::test]
async fn an_order_names_each_traveller_our_reference_and_our_queue() {
    let reference = reference();
    let (amadeus, wire) = adapter(ScriptedWire::new(vec![(
        ORDER,
        201,
        order_body(reference).to_string(),
    )]));
    let order = new_order(reference);
    let placed = amadeus.order(&cx(), &order).await.unwrap();
    assert_eq!(placed.status, PlacedStatus::Confirmed);
    assert_eq!(placed.supplier_reference, "2ZYVAL");
    assert_eq!(placed.total, money("689.21", "EUR"));
    assert_eq!(
        placed.handle["order_id"],
        "MlpZVkFMfFdBVFNPTnwyMDE1LTExLTAy"
    );
    let request = &wire.requests()[0];
    assert_eq!(*request.safety(), Safety::Unsafe);
    assert!(request.headers().get("x-http-method-override").is_none());
    assert_eq!(
        request.headers()["content-type"],
        "application/vnd.amadeus+json"
    );
    let text = String::from_utf8(request.body_bytes().to_vec()).unwrap();
    assert!(text.contains(order.handle["offer"].as_str().unwrap()));
    let mut sent: Value = serde_json::from_str(&text).unwrap();
    sent["data"]["flightOffers"] = json!(null);
    let phone = |country: &str, number: &str| json!([{"deviceType": "MOBILE", "countryCallingCode": country, "number": number}]);
    assert_eq!(
        sent,
        json!({"data": {
            "type": "flight-order",
            "flightOffers": null,
            "travelers": [
                {
                    "id": "1", "dateOfBirth": "1987-07-24", "gender": "MALE",
                    "name": {"firstName": "Amelia", "lastName": "Earhart"},
                    "contact": {"emailAddress": "own@example.com", "phones": phone("1", "5550100")},
                    "documents": [{"documentType": "PASSPORT", "number": "P1", "expiryDate": "2030-01-01",
                        "issuanceCountry": "ES", "nationality": "ES", "holder": true}]
                },
                {
                    "id": "2", "dateOfBirth": "2012-10-11", "gender": "FEMALE",
                    "name": {"firstName": "Adriana", "lastName": "Earhart"},
                    "contact": {"emailAddress": "a@example.com", "phones": phone("44", "2080160509")}
                }
            ],
            "remarks": {"general": [{"subType": "GENERAL_MISCELLANEOUS", "text": reference}]},
            "ticketingAgreement": {"option": "DELAY_TO_CANCEL", "delay": "6D"},
            "automatedProcess": [{"code": "IMMEDIATE", "queue": {"number": "30", "category": "0"}}],
            "contacts": [{
                "addresseeName": {"firstName": "Adriana", "lastName": "Earhart"}, "purpose": "STANDARD",
                "phones": phone("44", "2080160509"), "emailAddress": "a@example.com"
            }]
        }})
    );
}

#[test]
fn an_order_that_is_ticketed_at_once_states_no_delay() {
    let mut terms = terms();
    terms.ticketing = "CONFIRM".to_owned();
    let body = requests::new_order(&new_order(reference()), &terms).unwrap();
    let body = serde_json::to_value(body).unwrap();
    assert_eq!(body["ticketingAgreement"], json!({"option": "CONFIRM"}));
}

#[test]
fn a_telephone_number_is_split_after_its_countrys_code() {
    for (number, country, rest) in [
        ("+15550100999", "1", "5550100999"),
        ("+79161234567", "7", "9161234567"),
        ("+442080160509", "44", "2080160509"),
        ("+351210000000", "351", "210000000"),
        ("+8522123456", "852", "2123456"),
    ] {
        let mut order = new_order(reference());
        order.contact.phone = number.to_owned();
        let body = requests::new_order(&order, &terms()).unwrap();
        let body = serde_json::to_value(body).unwrap();
        let phone = &body["contacts"][0]["phones"][0];
        assert_eq!(phone["countryCallingCode"], country);
        assert_eq!(phone["number"], rest);
    }
}

#[tokio::test]
async fn what_does_not_fit_the_offer_is_refused_before_anything_is_sent() {
    let mut three = new_order(reference());
    three.travellers.push(traveller(json!({})));
    let mut grown = new_order(reference());
    grown.travellers[0] = traveller(json!({}));
    let mut keptless = new_order(reference());
    keptless.handle["offer"] = json!("{");
    let mut dearer = new_order(reference());
    dearer.total = money("8514.95", "USD");
    for (order, kind) in [
        (three, Kind::InvalidRequest),
        (grown, Kind::InvalidRequest),
        (keptless, Kind::InvalidRequest),
        (dearer, Kind::PriceChanged),
    ] {
        let (amadeus, wire) = adapter(ScriptedWire::new(Vec::<(&str, u16, String)>::new()));
        let error = amadeus.order(&cx(), &order).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (kind, Sent::No));
        assert!(wire.requests().is_empty());
    }
}

async fn answered(
    status: u16,
    body: impl Into<::bytes::Bytes>,
) -> Result<PlacedOrder, SupplierError> {
    let (amadeus, wire) = adapter(ScriptedWire::new(vec![(ORDER, status, body)]));
    let result = amadeus.order(&cx(), &new_order(reference())).await;
    assert_eq!(wire.requests().len(), 1, "an order is never sent twice");
    result
}

fn refusal(code: impl Into<Value>, title: &str) -> String {
    json!({"errors": [{"status": 400, "code": code.into(), "title": title}]}).to_string()
}

#[tokio::test]
async fn an_order_answered_unreadably_is_an_unknown_outcome() {
    let stranger = order_body(reference()).to_string();
    let mut nameless = order_body(reference());
    nameless["data"].as_object_mut().unwrap().remove("id");
    for (status, body) in [
        (201, "<html>ok</html>".to_owned()),
        (201, String::new()),
        (201, r#"{"data":null}"#.to_owned()),
        (201, nameless.to_string()),
        (201, stranger),
        (500, refusal(141, "SYSTEM ERROR HAS OCCURRED")),
        (500, refusal(38189, "Internal error")),
        (502, String::new()),
        (504, String::new()),
        (302, String::new()),
        // "Please check before retrying that the booking is not created."
        (
            400,
            refusal(
                25860,
                "CHECK VOUCHER RECEPTION AND CALL HELPDESK - BOOKING FAILURE",
            ),
        ),
        (400, refusal("25860", "BOOKING FAILURE")),
        (400, refusal(21934, "UNABLE TO PROCESS - TIMEOUT")),
        (400, refusal(784, "PROVIDER TIME OUT")),
        (400, refusal(141, "SYSTEM ERROR HAS OCCURRED")),
        (400, refusal(9112, "TICKETING - TKT")),
        (400, refusal(424_242, "NOBODY HAS DESCRIBED THIS")),
        (400, "<html>".to_owned()),
        (
            400,
            r#"{"errors":[{"code":4926},{"code":25860}]}"#.to_owned(),
        ),
    ] {
        let error = answered(status, body).await.unwrap_err();
        let told = (error.kind, error.blame, error.retry);
        assert_eq!(
            told,
            (Kind::OutcomeUnknown, Blame::Supplier, Retry::Never),
            "{status} {error}"
        );
    }
}

#[tokio::test]
async fn every_way_to_truncate_an_order_is_an_unknown_outcome() {
    let whole = bytes("order_created.json");
    let end = whole.iter().rposition(|byte| *byte == b'}').unwrap();
    for part in 0..200 {
        let cut = whole[..end * part / 200].to_vec();
        let error = answered(201, cut).await.unwrap_err();
        assert_eq!(error.kind, Kind::OutcomeUnknown, "{part}");
    }
}

#[tokio::test]
async fn a_refused_order_is_told_by_its_code() {
    for (code, kind, blame) in [
        (34651, Kind::SoldOut, Blame::Supplier),
        (38034, Kind::SoldOut, Blame::Supplier),
        (37200, Kind::PriceChanged, Blame::Supplier),
        (34107, Kind::OfferExpired, Blame::Supplier),
        (36870, Kind::Refused, Blame::Supplier),
        (1304, Kind::PaymentRefused, Blame::Supplier),
        (477, Kind::InvalidRequest, Blame::Us),
        (4926, Kind::InvalidRequest, Blame::Us),
        (32171, Kind::InvalidRequest, Blame::Us),
    ] {
        let error = answered(400, refusal(code, "A TITLE")).await.unwrap_err();
        let told = (error.kind, error.blame, error.retry);
        assert_eq!(told, (kind, blame, Retry::Never), "{code}");
        assert_eq!(error.code, Some(code.to_string()));
    }
    // Of the offer, which is as Amadeus wrote it, and of a name, which is as we wrote it.
    for (pointer, kind) in [
        ("/data/flightOffers/0", Kind::OfferExpired),
        ("/data/travelers/0/name", Kind::InvalidRequest),
    ] {
        let issue =
            json!({"code": 4926, "title": "INVALID DATA RECEIVED", "source": {"pointer": pointer}});
        let body = json!({ "errors": [issue] }).to_string();
        assert_eq!(answered(400, body).await.unwrap_err().kind, kind);
    }
    let error = answered(403, "Forbidden").await.unwrap_err();
    assert_eq!((error.kind, error.blame), (Kind::NotAuthorised, Blame::Us));
    let error = answered(429, "").await.unwrap_err();
    assert_eq!(
        (error.kind, error.sent),
        (Kind::RateLimited, Sent::Answered)
    );
}

#[tokio::test]
async fn an_order_without_its_offers_is_the_order_at_the_agreed_price() {
    let mut bare = order_body(reference());
    for gone in ["flightOffers", "travelers", "contacts", "remarks"] {
        bare["data"].as_object_mut().unwrap().remove(gone);
    }
    let placed = answered(201, bare.to_string()).await.unwrap();
    assert_eq!(placed.total, money("8514.96", "USD"));
    assert_eq!(placed.details, None);
    bare["data"]["associatedRecords"] = json!(null);
    let placed = answered(201, bare.to_string()).await.unwrap();
    assert_eq!(
        placed.supplier_reference,
        "MlpZVkFMfFdBVFNPTnwyMDE1LTExLTAy"
    );
}

#[tokio::test]
async fn an_order_whose_price_cannot_be_read_is_the_order_at_the_agreed_price() {
    let mut odd = order_body(reference());
    odd["data"]["flightOffers"][0]["price"]["grandTotal"] = json!("a lot");
    let mut bare = order_body(reference());
    bare["data"]["flightOffers"] = json!([{"type": "flight-offer", "id": "1"}]);
    let mut none = order_body(reference());
    none["data"]["flightOffers"] = json!({});
    for (mut body, details) in [(odd, true), (bare, false), (none, false)] {
        body["data"]["remarks"] = json!(null);
        let placed = answered(201, body.to_string()).await.unwrap();
        assert_eq!(placed.status, PlacedStatus::Confirmed);
        assert_eq!(placed.total, money("8514.96", "USD"));
        assert_eq!(placed.details.is_some(), details);
        if let Some(details) = placed.details {
            let told = details["warnings"].as_array().unwrap();
            assert_eq!(told[0]["path"], "total");
        }
    }
}

#[tokio::test]
async fn an_order_stands_as_its_flights_stand() {
    use PlacedStatus::{Cancelled, Confirmed, Pending};
    for (first, others, status) in [
        (json!("CONFIRMED"), json!("CONFIRMED"), Confirmed),
        (json!(null), json!(null), Confirmed),
        (json!("CANCELLED"), json!("CONFIRMED"), Confirmed),
        (json!("DENIED"), json!("DENIED"), Cancelled),
        (json!("DENIED"), json!("CANCELLED"), Cancelled),
        (json!("DENIED"), json!("CONFIRMED"), Pending),
        (json!("PENDING"), json!("CONFIRMED"), Pending),
        (json!("WAITLISTED"), json!("CANCELLED"), Pending),
        (json!("ON_REQUEST"), json!("CONFIRMED"), Pending),
        (json!(7), json!("CONFIRMED"), Pending),
    ] {
        let mut body = order_body(reference());
        let offer = &mut body["data"]["flightOffers"][0];
        for direction in offer["itineraries"].as_array_mut().unwrap() {
            for flight in direction["segments"].as_array_mut().unwrap() {
                flight["bookingStatus"] = others.clone();
            }
        }
        offer["itineraries"][0]["segments"][0]["bookingStatus"] = first.clone();
        body["data"]["remarks"] = json!(null);
        let placed = answered(201, body.to_string()).await.unwrap();
        assert_eq!(placed.status, status, "{first} {others}");
        let own = reference();
        body["data"]["remarks"] = json!({"general": [{"text": own}]});
        let script = ScriptedWire::new(vec![(RETRIEVE, 200, body.to_string())]);
        let found = adapter(script).0.find_order(&cx(), &lookup(own)).await;
        assert_eq!(found.unwrap().unwrap().status, status, "{first} {others}");
    }
}

fn queue(references: &[&str]) -> String {
    let items: Vec<Value> = references
        .iter()
        .map(|reference| {
            json!({"type": "queue-item", "associatedRecords": [{
                "reference": reference, "originSystemCode": "GDS", "creationDate": "2026-08-01T00:00:30.000"
            }]})
        })
        .collect();
    json!({"data": items, "meta": {"count": items.len()}}).to_string()
}

#[tokio::test]
async fn a_lost_order_is_found_on_the_queue_by_our_reference_alone() {
    let own = reference();
    let other = order_body(reference());
    let mut plain = other.clone();
    plain["data"]["remarks"] = json!(null);
    let (amadeus, wire) = adapter(ScriptedWire::new(vec![
        (QUEUE, 200, queue(&["AAAAAA", "BBBBBB", "2ZYVAL"])),
        (RECORD, 200, other.to_string()),
        (RECORD, 200, plain.to_string()),
        (RECORD, 200, order_body(own).to_string()),
    ]));
    let found = amadeus.find_order(&cx(), &lost(own)).await.unwrap();
    let found = found.unwrap();
    assert_eq!(found.status, PlacedStatus::Confirmed);
    assert_eq!(found.supplier_reference, "2ZYVAL");
    assert_eq!(found.total, money("689.21", "EUR"));
    let asked = wire.requests()[3].query_pairs().to_vec();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        asked,
        [pair("reference", "2ZYVAL"), pair("originSystemCode", "GDS")]
    );
    assert!(wire.unmet().is_empty());
    let (amadeus, _) = adapter(ScriptedWire::new(vec![
        (QUEUE, 200, queue(&["AAAAAA"])),
        (RECORD, 200, other.to_string()),
    ]));
    assert_eq!(amadeus.find_order(&cx(), &lost(own)).await.unwrap(), None);
}

#[tokio::test]
async fn a_look_up_that_cannot_be_read_is_not_told_as_absent() {
    let own = reference();
    let mut broken = order_body(own);
    broken["data"]["id"] = json!(null);
    for (status, body) in [
        (200, broken.to_string()),
        (200, "<html>".to_owned()),
        (200, r#"{"data":7}"#.to_owned()),
        (404, refusal(1797, "NOT FOUND")),
        (404, String::new()),
        (400, refusal(141, "SYSTEM ERROR HAS OCCURRED")),
        (500, String::new()),
        (429, String::new()),
    ] {
        let (amadeus, _) = adapter(ScriptedWire::new(vec![
            (QUEUE, 200, queue(&["AAAAAA"])),
            (RECORD, status, body),
        ]));
        let error = amadeus.find_order(&cx(), &lost(own)).await.unwrap_err();
        assert_ne!(error.kind, Kind::OutcomeUnknown, "asking changes nothing");
    }
}

#[tokio::test]
async fn an_order_with_a_known_id_is_read_by_it() {
    let own = reference();
    let gone = refusal(1797, "NOT FOUND");
    let (amadeus, wire) = adapter(ScriptedWire::new(vec![
        (RETRIEVE, 200, order_body(own).to_string()),
        (RETRIEVE, 404, gone.clone()),
        (RETRIEVE, 404, String::new()),
        (RETRIEVE, 404, gone),
    ]));
    let found = amadeus.find_order(&cx(), &lookup(own)).await.unwrap();
    assert_eq!(found.unwrap().status, PlacedStatus::Confirmed);
    let found = amadeus.find_order(&cx(), &lookup(own)).await.unwrap();
    let found = found.unwrap();
    assert_eq!(found.status, PlacedStatus::Cancelled);
    assert_eq!(found.supplier_reference, "QVH2BX");
    assert_eq!(found.total, money("689.21", "EUR"));
    // A 404 that is not Amadeus's own, and a record removed after the journey, tell nothing.
    let error = amadeus.find_order(&cx(), &lookup(own)).await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    let mut flown = lookup(own);
    flown.handle["departure_day"] = json!("2026-07-31");
    let error = amadeus.find_order(&cx(), &flown).await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    assert!(wire.unmet().is_empty());
}
