//! Cancelling: a quote where it is certain what comes back, deletion, and what became of a lost one.

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Safety, SupplierError, SupplierErrorKind as Kind};
use vertical_kit::{CancellationOutcome, Supplier as _};

use super::{adapter, lookup, order_body};
use testkit::adapters::{cx, money, reference};

const RETRIEVE: &str = "GET /v1/booking/flight-orders/eJzT%3D%2F1";
const DELETE: &str = "DELETE /v1/booking/flight-orders/eJzT%3D%2F1";
const GONE: &str = r#"{"errors":[{"status":404,"code":1797,"title":"NOT FOUND"}]}"#;

#[tokio::test]
async fn an_order_without_a_ticket_comes_back_whole_and_others_are_not_quoted() {
    let own = reference();
    let order = |changes: Value| {
        let mut body = order_body(own);
        let fields = body["data"].as_object_mut().unwrap();
        for (key, value) in changes.as_object().unwrap() {
            fields.insert(key.clone(), value.clone());
        }
        body.to_string()
    };
    for plain in [
        json!({}),
        json!({"tickets": []}),
        json!({"tickets": null}),
        json!({"ticketingAggreement": null, "ticketingAgreement": {"option": "DELAY_TO_QUEUE"}}),
    ] {
        // Both spellings in one body would be one field twice.
        let mut body: Value = serde_json::from_str(&order(plain)).unwrap();
        if body["data"]["ticketingAggreement"].is_null() {
            body["data"]
                .as_object_mut()
                .unwrap()
                .remove("ticketingAggreement");
        }
        let script = ScriptedWire::new(vec![(RETRIEVE, 200, body.to_string())]);
        let (amadeus, wire) = adapter(script);
        let quote = amadeus
            .quote_cancellation(&cx(), &lookup(own))
            .await
            .unwrap();
        assert_eq!(quote.refund, money("689.21", "EUR"));
        assert_eq!(quote.handle, json!({"order_id": "eJzT=/1"}));
        assert_eq!(*wire.requests()[0].safety(), Safety::Safe);
    }
    let ticket =
        json!([{"documentType": "ETICKET", "documentStatus": "ISSUED", "travelerId": "1"}]);
    for (changes, kind) in [
        (json!({"tickets": ticket}), Kind::NotSupported),
        (json!({"tickets": "see the airline"}), Kind::NotSupported),
        (
            json!({"ticketingAggreement": {"option": "CONFIRM"}}),
            Kind::NotSupported,
        ),
        (json!({"ticketingAggreement": null}), Kind::NotSupported),
        (json!({"bookingStatus": "cancelled"}), Kind::Refused),
    ] {
        let (amadeus, _) = adapter(ScriptedWire::new(vec![(RETRIEVE, 200, order(changes))]));
        let error = amadeus
            .quote_cancellation(&cx(), &lookup(own))
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind);
    }
    let (amadeus, _) = adapter(ScriptedWire::new(vec![(RETRIEVE, 404, GONE)]));
    let error = amadeus
        .quote_cancellation(&cx(), &lookup(own))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
}

#[tokio::test]
async fn a_cancellation_is_done_only_when_amadeus_says_so() {
    let quote = json!({"order_id": "eJzT=/1"});
    let lost = SupplierError::new(Kind::OutcomeUnknown, "lost");
    let script = ScriptedWire::new(vec![
        (DELETE, 204, ""),
        (DELETE, 404, GONE),
        (DELETE, 404, "<html>"),
        (
            DELETE,
            400,
            r#"{"errors":[{"code":4926,"title":"INVALID DATA RECEIVED"}]}"#,
        ),
        (DELETE, 400, r#"{"errors":[{"code":141}]}"#),
        (DELETE, 500, ""),
        (DELETE, 200, "<html>"),
    ]);
    let (amadeus, wire) = adapter(script.then_error(DELETE, lost));
    let (cx, order) = (cx(), lookup(reference()));
    let cancelled = CancellationOutcome::Cancelled {
        refund: money("689.21", "EUR"),
    };
    for _ in 0..2 {
        let done = amadeus.confirm_cancellation(&cx, &order, &quote).await;
        assert_eq!(done.unwrap(), cancelled);
    }
    for kind in [
        Kind::NotFound,
        Kind::InvalidRequest,
        Kind::OutcomeUnknown,
        Kind::OutcomeUnknown,
        Kind::OutcomeUnknown,
        Kind::OutcomeUnknown,
    ] {
        let error = amadeus.confirm_cancellation(&cx, &order, &quote).await;
        assert_eq!(error.unwrap_err().kind, kind);
    }
    assert!(
        wire.requests()
            .iter()
            .all(|one| *one.safety() == Safety::Unsafe)
    );
    assert!(wire.unmet().is_empty());
}

#[tokio::test]
async fn what_became_of_a_lost_cancellation_is_asked_of_the_order() {
    let (own, quote) = (reference(), json!({"order_id": "eJzT=/1"}));
    let alive = order_body(own);
    let mut cancelled = alive.clone();
    let offer = &mut cancelled["data"]["flightOffers"][0];
    for direction in offer["itineraries"].as_array_mut().unwrap() {
        for flight in direction["segments"].as_array_mut().unwrap() {
            flight["bookingStatus"] = json!("CANCELLED");
        }
    }
    let mut partly = cancelled.clone();
    partly["data"]["flightOffers"][0]["itineraries"][0]["segments"][0]["bookingStatus"] =
        json!("CONFIRMED");
    let gone = CancellationOutcome::Cancelled {
        refund: money("689.21", "EUR"),
    };
    let there = CancellationOutcome::NotCancelled;
    for (status, body, outcome) in [
        (200, alive.to_string(), Some(there.clone())),
        (200, partly.to_string(), Some(there)),
        (200, cancelled.to_string(), Some(gone.clone())),
        (404, GONE.to_owned(), Some(gone)),
        (404, "<html>".to_owned(), None),
        (200, "<html>".to_owned(), None),
        (200, r#"{"data":{}}"#.to_owned(), None),
        (500, String::new(), None),
    ] {
        let (amadeus, _) = adapter(ScriptedWire::new(vec![(RETRIEVE, status, body)]));
        let found = amadeus.find_cancellation(&cx(), &lookup(own), &quote).await;
        assert_eq!(found.ok(), outcome, "{status}");
    }
}
