//! Ordering, and looking for a lost booking.

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Retry, Safety, Sent, SupplierError, SupplierErrorKind as Kind};
use testkit::adapters::{cx, money, reference, silent, traveller};
use vertical_kit::{OrderRequest, PlacedOrder, PlacedStatus, Supplier as _};

use super::*;
use crate::testing::lookup;

fn order(reference: OrderId) -> OrderRequest {
    let contact = json!({"email": "a@example.com", "phone": "+442080160509"});
    OrderRequest {
        reference,
        handle: quoted(),
        total: money("101.34", "GBP"),
        travellers: vec![
            traveller(json!({"email": "own@example.com"})),
            traveller(json!({"given_name": "Second"})),
        ],
        contact: serde_json::from_value(contact).unwrap(),
    }
}

async fn answered(status: u16, body: String) -> Result<PlacedOrder, SupplierError> {
    let (cars, wire, _) = adapter(ScriptedWire::new(vec![(ORDER, status, body)]));
    let result = cars.order(&cx(), &order(reference())).await;
    assert_eq!(wire.requests().len(), 1, "an order is never sent twice");
    result
}

#[tokio::test]
async fn the_first_traveller_drives_and_our_reference_is_kept() {
    let reference = reference();
    let body = wrapped(&booking_of(reference));
    let (cars, wire, _) = adapter(ScriptedWire::new(vec![(ORDER, 200, body)]));
    let placed = cars.order(&cx(), &order(reference)).await.unwrap();
    assert_eq!(placed.status, PlacedStatus::Confirmed);
    assert_eq!(placed.supplier_reference, "DTD-ABC123");
    assert_eq!(placed.total, money("101.34", "GBP"));
    assert_eq!(placed.handle, booked());
    let details = placed.details.unwrap();
    assert_eq!(details["vehicle"]["acriss"], "SSAV");
    assert_eq!(details.get("warnings"), None);
    let request = &wire.requests()[0];
    assert_eq!(*request.safety(), Safety::Unsafe);
    let sent: Value = serde_json::from_slice(request.body_bytes()).unwrap();
    assert_eq!(
        sent,
        json!({"data": {
            "quote_id": "qut_0000Bx4Af0b5l45AT50eqO",
            "driver": {"given_name": "Amelia", "family_name": "Earhart", "email": "own@example.com",
                "phone_number": "+442080160509", "date_of_birth": "1987-07-24"},
            "metadata": {"interline_order_id": reference},
        }})
    );
}

#[tokio::test]
async fn a_card_pays_what_is_prepaid_and_guarantees_what_is_guaranteed() {
    for (kind, card, sent) in [
        ("prepaid", "card_1", true),
        ("guarantee", "card_1", true),
        ("prepaid", "", false),
        ("postpaid", "card_1", false),
    ] {
        let body = wrapped(&booking_of(reference()));
        let (mut cars, wire, _) = adapter(ScriptedWire::new(vec![(ORDER, 200, body)]));
        cars.card_id = card.to_owned();
        let mut order = order(reference());
        order.handle["payment_type"] = json!(kind);
        let _ = cars.order(&cx(), &order).await;
        let body: Value = serde_json::from_slice(wire.requests()[0].body_bytes()).unwrap();
        let payment = json!({"method": "card", "card_id": "card_1"});
        assert_eq!(body["data"].get("payment"), sent.then_some(&payment));
    }
}

#[tokio::test]
async fn what_cannot_be_ordered_is_refused_before_anything_is_sent() {
    let mut dearer = order(reference());
    dearer.total = money("111.34", "GBP");
    let mut unpaid = order(reference());
    unpaid.handle["payment_type"] = json!("guarantee");
    let mut unquoted = order(reference());
    unquoted.handle.as_object_mut().unwrap().remove("quote_id");
    let mut driverless = order(reference());
    driverless.travellers.clear();
    for (order, kind) in [
        (dearer, Kind::PriceChanged),
        (unpaid, Kind::InvalidRequest),
        (unquoted, Kind::InvalidRequest),
        (driverless, Kind::InvalidRequest),
    ] {
        let (cars, wire, _) = adapter(silent());
        let error = cars.order(&cx(), &order).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (kind, Sent::No));
        assert!(wire.requests().is_empty());
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_an_unknown_outcome() {
    let whole = wrapped(&booking_of(reference()));
    let mut nameless = booking_of(reference());
    nameless.as_object_mut().unwrap().remove("id");
    let mut priceless = booking_of(reference());
    priceless["total_amount"] = json!(null);
    priceless["reference"] = json!(null);
    let mut foreign = booking_of(reference());
    foreign["metadata"]["interline_order_id"] = json!("ord_other");
    for (status, body) in [
        (200, whole[..whole.len() / 2].to_owned()),
        (200, "<html>".to_owned()),
        (200, String::new()),
        (201, wrapped(&nameless)),
        (200, wrapped(&priceless)),
        (200, wrapped(&foreign)),
        (500, "{}".to_owned()),
        (504, String::new()),
        (
            422,
            r#"{"errors":[{"type":"airline_error","code":"airline_unknown"}]}"#.to_owned(),
        ),
    ] {
        let error = answered(status, body.clone()).await.unwrap_err();
        assert_eq!(error.kind, Kind::OutcomeUnknown, "{status} {body}");
        assert_eq!(error.retry, Retry::Never);
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_its_kind() {
    for (code, kind) in [
        ("offer_no_longer_available", Kind::SoldOut),
        ("price_changed", Kind::PriceChanged),
        ("insufficient_balance", Kind::PaymentRefused),
        ("brand_new", Kind::InvalidRequest),
    ] {
        let body = json!({"errors": [{"type": "validation_error", "code": code}]}).to_string();
        assert_eq!(answered(422, body).await.unwrap_err().kind, kind, "{code}");
    }
}

#[tokio::test]
async fn the_status_is_read_from_its_word_or_its_dates() {
    for (change, status) in [
        (json!({"status": "cancelled"}), PlacedStatus::Cancelled),
        (
            json!({"cancelled_at": "2026-04-01T00:00:00Z"}),
            PlacedStatus::Cancelled,
        ),
        (json!({"status": null}), PlacedStatus::Confirmed),
        (
            json!({"status": null, "confirmed_at": null}),
            PlacedStatus::Pending,
        ),
        (json!({"status": "on_request"}), PlacedStatus::Pending),
    ] {
        let mut booking = booking_of(reference());
        for (field, value) in change.as_object().unwrap() {
            booking[field] = value.clone();
        }
        booking["metadata"] = json!(null);
        let placed = answered(200, wrapped(&booking)).await.unwrap();
        assert_eq!(placed.status, status, "{change}");
    }
    let taken = answered(202, String::new()).await.unwrap();
    assert_eq!(taken.status, PlacedStatus::Pending);
    let named_later = answered(200, r#"{"data":{}}"#.to_owned()).await.unwrap();
    assert_eq!(named_later.status, PlacedStatus::Pending);
}

#[tokio::test]
async fn a_booking_whose_price_cannot_be_read_is_the_booking_at_the_agreed_price() {
    let mut booking = booking_of(reference());
    booking["total_amount"] = json!("a lot");
    booking["metadata"] = json!(null);
    let placed = answered(200, wrapped(&booking)).await.unwrap();
    assert_eq!(placed.status, PlacedStatus::Confirmed);
    assert_eq!(placed.total, money("101.34", "GBP"));
    let details = placed.details.unwrap();
    assert_eq!(details["warnings"][0]["path"], "total");
    booking["status"] = json!("on_request");
    let unsure = answered(200, wrapped(&booking)).await;
    assert_eq!(unsure.unwrap_err().kind, Kind::OutcomeUnknown);
}

fn listed(entries: &[Value], after: Option<&str>) -> String {
    json!({"data": entries, "meta": {"limit": 200, "after": after, "before": null}}).to_string()
}

fn other(confirmed_at: &str) -> Value {
    let mut booking = sample("booking");
    booking["confirmed_at"] = json!(confirmed_at);
    booking
}

#[tokio::test]
async fn a_lost_booking_is_found_by_our_reference() {
    let reference = reference();
    let pages = vec![
        (
            LIST,
            200,
            listed(&[other("2026-08-01T00:10:00Z")], Some("next")),
        ),
        (LIST, 200, listed(&[booking_of(reference)], None)),
    ];
    let (cars, wire, _) = adapter(ScriptedWire::new(pages));
    let asked = lookup(reference, quoted(), money("101.34", "GBP"));
    let placed = cars.find_order(&cx(), &asked).await.unwrap().unwrap();
    assert_eq!(placed.supplier_reference, "DTD-ABC123");
    assert_eq!(placed.handle, booked());
    let query = |index: usize| wire.requests()[index].query_pairs().to_vec();
    assert_eq!(query(0), [("limit".to_owned(), "200".to_owned())]);
    assert_eq!(query(1)[1], ("after".to_owned(), "next".to_owned()));
}

#[tokio::test]
async fn the_list_is_read_back_to_the_time_of_the_order_and_no_further() {
    // The order is of 2026-08-01T00:00:00Z; the clocks may differ by an hour.
    for (dates, pages) in [
        (["2026-08-01T00:00:01Z", "2026-07-31T22:59:59Z"], 1),
        (["2026-08-01T00:00:01Z", "2026-07-31T23:00:01Z"], 2),
        // Out of order, or undated: anything may follow.
        (["2026-07-30T00:00:00Z", "2026-07-31T00:00:00Z"], 2),
        (["2026-08-01T00:00:01Z", "yesterday"], 2),
    ] {
        let script = vec![
            (LIST, 200, listed(&dates.map(other), Some("next"))),
            (LIST, 200, listed(&[], None)),
        ];
        let (cars, wire, _) = adapter(ScriptedWire::new(script));
        let asked = lookup(reference(), quoted(), money("101.34", "GBP"));
        assert_eq!(cars.find_order(&cx(), &asked).await.unwrap(), None);
        assert_eq!(wire.requests().len(), pages, "{dates:?}");
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_read_to_its_end_is_never_an_absent_booking() {
    let next = listed(&[other("2026-08-02T00:00:00Z")], Some("next"));
    for script in [
        vec![(LIST, 404, r#"{"errors":[{"code":"not_found"}]}"#.to_owned())],
        vec![(LIST, 405, String::new())],
        vec![(LIST, 403, "Cars are not enabled".to_owned())],
        vec![(LIST, 500, "{}".to_owned())],
        vec![(LIST, 200, "{}".to_owned())],
        vec![(LIST, 200, r#"{"data":[null]}"#.to_owned())],
        vec![(LIST, 200, r#"{"data":[{"metadata":7}]}"#.to_owned())],
        vec![
            (LIST, 200, next.clone()),
            (LIST, 200, next.clone()),
            (LIST, 200, next.clone()),
        ],
    ] {
        let told = format!("{script:?}");
        let (cars, _, _) = adapter(ScriptedWire::new(script));
        let asked = lookup(reference(), quoted(), money("101.34", "GBP"));
        assert!(cars.find_order(&cx(), &asked).await.is_err(), "{told}");
    }
}

#[tokio::test]
async fn a_known_booking_is_asked_for_by_its_id() {
    let mut gone = booking_of(reference());
    gone["status"] = json!("cancelled");
    let (cars, _, _) = adapter(ScriptedWire::new(vec![(BOOKING, 200, wrapped(&gone))]));
    let asked = lookup(reference(), booked(), money("101.34", "GBP"));
    // Another order of ours stands in it.
    assert!(cars.find_order(&cx(), &asked).await.is_err());
    let own = reference();
    gone["metadata"]["interline_order_id"] = json!(own);
    let (cars, _, _) = adapter(ScriptedWire::new(vec![(BOOKING, 200, wrapped(&gone))]));
    let asked = lookup(own, booked(), money("101.34", "GBP"));
    let placed = cars.find_order(&cx(), &asked).await.unwrap().unwrap();
    assert_eq!(placed.status, PlacedStatus::Cancelled);
}
