//! Ordering, looking for a lost order, and cancelling.

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Retry, Safety, Sent, SupplierError, SupplierErrorKind as Kind};
use testkit::adapters::{cx, money, silent, traveller};
use vertical_kit::{
    CancellationOutcome, OrderLookup, OrderRequest, PlacedOrder, PlacedStatus, Supplier as _,
};

use super::*;
use crate::testing::lookup;

fn order(reference: OrderId) -> OrderRequest {
    let contact = json!({"email": "a@example.com", "phone": "+442080160509"});
    OrderRequest {
        reference,
        handle: handle(&fair()),
        total: money("76.44", "USD"),
        travellers: vec![
            traveller(json!({"title": "ms", "phone": "+15550100"})),
            traveller(json!({"given_name": "Second"})),
        ],
        contact: serde_json::from_value(contact).unwrap(),
    }
}

/// What is remembered of the example's order.
async fn ordered(own: OrderId) -> OrderLookup {
    let body = order_of(own).to_string();
    let (transfers, _, _) = adapter(ScriptedWire::new(vec![(ORDER, 201, body)]));
    let placed = transfers.order(&cx(), &order(own)).await.unwrap();
    lookup(own, placed.handle, placed.total)
}

async fn answered(status: u16, body: String) -> Result<PlacedOrder, SupplierError> {
    let (transfers, wire, _) = adapter(ScriptedWire::new(vec![(ORDER, status, body)]));
    let result = transfers.order(&cx(), &order(reference())).await;
    assert_eq!(wire.requests().len(), 1, "an order is never sent twice");
    result
}

#[tokio::test]
async fn an_order_names_the_riders_the_payment_and_our_reference() {
    let own = reference();
    let body = order_of(own).to_string();
    let (transfers, wire, _) = adapter(ScriptedWire::new(vec![(ORDER, 201, body)]));
    let placed = transfers.order(&cx(), &order(own)).await.unwrap();
    assert_eq!(placed.status, PlacedStatus::Confirmed);
    assert_eq!(placed.supplier_reference, "YNK4JQ");
    assert_eq!(placed.total, money("76.44", "USD"));
    assert_eq!(placed.handle["confirm_number"], "2904892");
    assert_eq!(placed.handle["order_id"], "UVZTWlJJfERPRQ");
    assert_eq!(placed.details.unwrap()["kind"], "transfer");
    let request = &wire.requests()[0];
    assert_eq!(*request.safety(), Safety::Unsafe);
    let id = sample()["id"].as_str().unwrap().to_owned();
    assert_eq!(request.query_pairs(), [("offerId".to_owned(), id)]);
    let sent: Value = serde_json::from_slice(request.body_bytes()).unwrap();
    assert_eq!(
        sent,
        json!({"data": {
            "note": format!("INTERLINE {own}"),
            "passengers": [
                {"firstName": "Amelia", "lastName": "Earhart", "title": "MS",
                    "contacts": {"phoneNumber": "+15550100", "email": "a@example.com"}},
                {"firstName": "Second", "lastName": "Earhart",
                    "contacts": {"phoneNumber": "+442080160509", "email": "a@example.com"}},
            ],
            "payment": {"methodOfPayment": "TRAVEL_ACCOUNT"},
            "automatedProcess": [{"code": "IMMEDIATE", "queue": {"number": "30", "category": "0"}}],
        }})
    );
    // Beside the queue, which is assumed, the specification has all of it.
    let documented = example("order_request");
    let documented = documented.get("data").unwrap_or(&documented);
    for key in sent["data"].as_object().unwrap().keys() {
        assert!(
            key == "automatedProcess" || !documented[key].is_null(),
            "{key}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_ordered_is_refused_before_anything_is_sent() {
    let mut dearer = order(reference());
    dearer.total = money("86.44", "USD");
    let mut old = order(reference());
    old.handle["alive_until"] = json!(NOW);
    for (order, kind) in [(dearer, Kind::PriceChanged), (old, Kind::OfferExpired)] {
        let (transfers, wire, _) = adapter(silent());
        let error = transfers.order(&cx(), &order).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (kind, Sent::No));
        assert!(wire.requests().is_empty());
    }
}

fn refusal(code: u32, title: &str, parameter: Option<&str>) -> String {
    let source = parameter.map(|parameter| json!({ "parameter": parameter }));
    json!({"errors": [{"status": 400, "code": code, "title": title, "source": source}]}).to_string()
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_an_unknown_outcome() {
    let whole = order_of(reference()).to_string();
    let change = |pointer: &str, value: Value| {
        let mut order = order_of(reference());
        *order.pointer_mut(pointer).unwrap() = value;
        order.to_string()
    };
    let foreign = change(
        "/data/transfers/0/note",
        json!("INTERLINE ord_019aa4f0000070008000000000000000"),
    );
    let mut priceless = order_of(reference());
    priceless["data"]["transfers"][0]["quotation"] = json!(null);
    priceless["data"]["transfers"][0]["note"] = json!(null);
    let placed = answered(201, priceless.to_string()).await.unwrap();
    assert_eq!(placed.status, PlacedStatus::Confirmed);
    assert_eq!(placed.total, money("76.44", "USD"));
    priceless["data"]["transfers"][0]["status"] = json!("ON_REQUEST");
    for (status, body) in [
        (201, priceless.to_string()),
        (201, whole[..whole.len() / 2].to_owned()),
        (201, "<html>".to_owned()),
        (201, String::new()),
        (201, change("/data/id", json!(null))),
        (201, change("/data/transfers", json!([]))),
        (201, foreign),
        (500, "{}".to_owned()),
        (504, String::new()),
        (400, refusal(21934, "UNABLE TO PROCESS - TIMEOUT", None)),
        (400, refusal(99999, "SOMETHING NEW", None)),
    ] {
        let error = answered(status, body.clone()).await.unwrap_err();
        assert_eq!(error.kind, Kind::OutcomeUnknown, "{status} {body}");
        assert_eq!(error.retry, Retry::Never);
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_its_kind() {
    for (code, title, parameter, kind) in [
        (11, "UNABLE TO PROCESS", Some("offerId"), Kind::SoldOut),
        (11, "UNABLE TO PROCESS", None, Kind::Refused),
        (10192, "CANNOT PROCESS THE RESERVATION", None, Kind::Refused),
        (
            4926,
            "INVALID DATA RECEIVED",
            Some("offerId"),
            Kind::OfferExpired,
        ),
        (
            34649,
            "INVALID FLIGHT INFORMATION",
            None,
            Kind::InvalidRequest,
        ),
        (45514, "INVALID BILLING ADDRESS", None, Kind::InvalidRequest),
        (37200, "PRICE DISCREPANCY", None, Kind::PriceChanged),
    ] {
        let error = answered(400, refusal(code, title, parameter)).await;
        assert_eq!(error.unwrap_err().kind, kind, "{code}");
    }
}

#[tokio::test]
async fn a_lost_order_is_found_by_our_reference_on_the_queue() {
    let own = reference();
    let entry = |locator: &str| json!({"associatedRecords": [{"reference": locator, "creationDate": "2021-11-08T12:00:01.000"}]});
    let queue = json!({"data": [entry("OTHERS"), entry("YNK4JQ")], "meta": {"count": 2}});
    let (transfers, wire, _) = adapter(ScriptedWire::new(vec![
        (QUEUE, 200, queue.to_string()),
        (RECORD, 200, example("order").to_string()),
        (RECORD, 200, order_of(own).to_string()),
    ]));
    let asked = lookup(own, handle(&fair()), money("76.44", "USD"));
    let placed = transfers.find_order(&cx(), &asked).await.unwrap().unwrap();
    assert_eq!(placed.supplier_reference, "YNK4JQ");
    assert_eq!(placed.status, PlacedStatus::Confirmed);
    assert_eq!(wire.requests()[2].query_pairs()[0].1, "YNK4JQ");
    let empty = json!({"data": [], "meta": {"count": 0}}).to_string();
    for (status, body, absent) in [
        (200, empty, true),
        (404, "{}".to_owned(), false),
        (200, "{}".to_owned(), false),
        (500, String::new(), false),
    ] {
        let (transfers, _, _) = adapter(ScriptedWire::new(vec![(QUEUE, status, body)]));
        let found = transfers.find_order(&cx(), &asked).await;
        assert_eq!(found.is_ok_and(|found| found.is_none()), absent, "{status}");
    }
}

#[tokio::test]
async fn a_known_order_is_read_by_its_locator() {
    let own = reference();
    let asked = ordered(own).await;
    let mut cancelled = order_of(own);
    cancelled["data"]["transfers"][0]["status"] = json!("CANCELLED");
    let (transfers, wire, _) = adapter(ScriptedWire::new(vec![
        (RECORD, 200, cancelled.to_string()),
        (RECORD, 404, String::new()),
    ]));
    let found = transfers.find_order(&cx(), &asked).await.unwrap().unwrap();
    assert_eq!(found.status, PlacedStatus::Cancelled);
    assert_eq!(wire.requests()[0].query_pairs()[0].1, "YNK4JQ");
    // Nobody knows what a record is that is not there.
    assert!(transfers.find_order(&cx(), &asked).await.is_err());
}

#[tokio::test]
async fn a_cancellation_is_quoted_by_the_rules_of_the_present_instant() {
    let asked = ordered(reference()).await;
    let (transfers, wire, clock) = adapter(silent());
    // The ride is at 09:30 UTC on the tenth; it is noon of the eighth.
    let quote = transfers.quote_cancellation(&cx(), &asked).await.unwrap();
    assert_eq!(quote.refund, money("76.44", "USD"));
    assert_eq!(
        quote.expires_at,
        Some(clock.after(Duration::from_secs(600)))
    );
    clock.advance(Duration::from_secs(21 * 3600 + 1740));
    let quote = transfers.quote_cancellation(&cx(), &asked).await.unwrap();
    let until = quote.expires_at.unwrap().to_string();
    assert_eq!(until, "2021-11-09T09:30:00Z");
    clock.advance(Duration::from_secs(60));
    let quote = transfers.quote_cancellation(&cx(), &asked).await.unwrap();
    assert_eq!(quote.refund, money("0.00", "USD"));
    assert_eq!(
        quote.handle,
        json!({"refund": {"amount": "0.00", "currency": "USD"}})
    );
    // The ride has begun.
    clock.advance(Duration::from_secs(24 * 3600));
    let refused = transfers.quote_cancellation(&cx(), &asked).await;
    assert_eq!(refused.unwrap_err().kind, Kind::NotSupported);
    assert!(wire.requests().is_empty());
}

#[tokio::test]
async fn without_rules_nothing_is_counted_on_and_with_unreadable_ones_nothing_is_quoted() {
    let own = reference();
    for (rules, refund) in [
        (json!(null), Some("0.00")),
        (json!([]), Some("0.00")),
        (json!([{"feeType": "FREE"}]), None),
        (json!("free"), None),
    ] {
        let mut body = order_of(own);
        body["data"]["transfers"][0]["cancellationRules"] = rules;
        let script = vec![(ORDER, 201, body.to_string())];
        let (transfers, _, _) = adapter(ScriptedWire::new(script));
        let placed = transfers.order(&cx(), &order(own)).await.unwrap();
        let asked = lookup(own, placed.handle, placed.total);
        let quote = transfers.quote_cancellation(&cx(), &asked).await;
        let told = quote.ok().map(|quote| quote.refund.amount());
        assert_eq!(told.as_deref(), refund);
    }
}

#[tokio::test]
async fn a_cancellation_is_sent_once_and_believed_when_it_says_so() {
    let asked = ordered(reference()).await;
    let refund = money("76.44", "USD");
    let quote = json!({ "refund": refund });
    let done = example("cancellation");
    let stands = json!({"data": {"confirmNbr": "2904892", "reservationStatus": "CONFIRMED"}});
    let odd = json!({"data": {"confirmNbr": "2904892"}});
    for (status, body, outcome) in [
        (
            200,
            done.to_string(),
            Ok(CancellationOutcome::Cancelled { refund }),
        ),
        (
            200,
            stands.to_string(),
            Ok(CancellationOutcome::NotCancelled),
        ),
        (200, odd.to_string(), Err(Kind::OutcomeUnknown)),
        (200, "{".to_owned(), Err(Kind::OutcomeUnknown)),
        (502, String::new(), Err(Kind::OutcomeUnknown)),
        (
            404,
            refusal(1797, "NOT FOUND", Some("orderId")),
            Err(Kind::NotFound),
        ),
    ] {
        let (transfers, wire, _) = adapter(ScriptedWire::new(vec![(CANCEL, status, body)]));
        let result = transfers.confirm_cancellation(&cx(), &asked, &quote).await;
        assert_eq!(result.map_err(|error| error.kind), outcome);
        let request = &wire.requests()[0];
        assert_eq!(*request.safety(), Safety::Unsafe);
        let number = ("confirmNbr".to_owned(), "2904892".to_owned());
        assert_eq!(request.query_pairs(), [number]);
    }
}

#[tokio::test]
async fn a_lost_cancellation_is_asked_of_the_record() {
    let own = reference();
    let asked = ordered(own).await;
    let refund = money("38.22", "USD");
    let quote = json!({ "refund": refund });
    for (status, outcome) in [
        ("CANCELLED", CancellationOutcome::Cancelled { refund }),
        ("CONFIRMED", CancellationOutcome::NotCancelled),
    ] {
        let mut order = order_of(own);
        order["data"]["transfers"][0]["status"] = json!(status);
        let script = vec![(RECORD, 200, order.to_string())];
        let (transfers, _, _) = adapter(ScriptedWire::new(script));
        let found = transfers.find_cancellation(&cx(), &asked, &quote).await;
        assert_eq!(found.unwrap(), outcome);
    }
    let (transfers, _, _) = adapter(ScriptedWire::new(vec![(RECORD, 404, "")]));
    let found = transfers.find_cancellation(&cx(), &asked, &quote).await;
    assert!(found.is_err());
}
