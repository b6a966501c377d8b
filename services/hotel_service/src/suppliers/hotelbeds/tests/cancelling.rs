//! Cancelling: the simulation is the quote, the cancellation carries it out, the booking tells of it.

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Safety, SupplierErrorKind as Kind};
use travel_types::OrderId;
use vertical_kit::{CancellationOutcome, Supplier as _};

use super::{DETAIL, adapter, booking, cx, lookup, money, reference, refusal};

const CANCEL: &str = "DELETE /hotel-api/1.0/bookings/207-12306403";

/// A cancelled booking, or a simulated one, whose cancelling costs so much.
fn cancelled(own: OrderId, amount: Value, changes: Value) -> String {
    let mut body = booking(
        own,
        json!({"status": "CANCELLED", "totalNet": 0, "cancellationReference": "PPFPPJXXVZ"}),
    );
    body["booking"]["hotel"]["cancellationAmount"] = amount;
    for (key, value) in changes.as_object().unwrap() {
        body["booking"][key] = value.clone();
    }
    body.to_string()
}

#[tokio::test]
async fn a_simulation_is_the_quote_and_what_is_paid_less_its_penalty_comes_back() {
    let own = reference();
    let order = lookup(own, json!({"reference": "207-12306403"}));
    for (amount, refund) in [
        (json!(0), "212.40"),
        (json!("12.4"), "200.00"),
        (json!("212.40"), "0.00"),
        (json!(999), "0.00"),
    ] {
        let script = vec![(CANCEL, 200, cancelled(own, amount, json!({})))];
        let (hotelbeds, wire) = adapter(ScriptedWire::new(script));
        let quote = hotelbeds.quote_cancellation(&cx(), &order).await.unwrap();
        assert_eq!(quote.refund, money(refund, "EUR"));
        let request = &wire.requests()[0];
        let flag = ("cancellationFlag".to_owned(), "SIMULATION".to_owned());
        assert_eq!(request.query_pairs(), [flag]);
        assert_eq!(*request.safety(), Safety::Safe);
        assert_eq!(quote.handle["reference"], "207-12306403");
    }
    for body in [
        cancelled(own, json!(null), json!({})),
        cancelled(own, json!("a lot"), json!({})),
        cancelled(own, json!("-1"), json!({})),
        cancelled(own, json!("1.005"), json!({})),
        cancelled(own, json!("1.00"), json!({"currency": "USD"})),
        "<html>".to_owned(),
    ] {
        let (hotelbeds, _) = adapter(ScriptedWire::new(vec![(CANCEL, 200, body)]));
        let error = hotelbeds
            .quote_cancellation(&cx(), &order)
            .await
            .unwrap_err();
        assert_eq!(error.kind, Kind::Protocol);
    }
    for (status, body, kind) in [
        (
            400,
            refusal("PRODUCT_ERROR", "The hotel does not allow cancellations"),
            Kind::Refused,
        ),
        (
            500,
            refusal("PRODUCT_ERROR", "The booking is already cancelled"),
            Kind::Refused,
        ),
        (
            404,
            refusal(
                "INVALID_DATA",
                "Invalid data. The booking does not exist or you do not have permissions to access it.",
            ),
            Kind::NotFound,
        ),
        (500, String::new(), Kind::Unavailable),
    ] {
        let (hotelbeds, _) = adapter(ScriptedWire::new(vec![(CANCEL, status, body)]));
        let error = hotelbeds
            .quote_cancellation(&cx(), &order)
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind);
    }
}

#[tokio::test]
async fn a_cancellation_is_done_only_when_the_booking_says_so() {
    let own = reference();
    let order = lookup(own, json!({"reference": "207-12306403"}));
    let quote = json!({"reference": "207-12306403", "refund": money("200.00", "EUR")});
    let open = booking(own, json!({})).to_string();
    let (hotelbeds, wire) = adapter(ScriptedWire::new(vec![
        (CANCEL, 200, cancelled(own, json!("12.40"), json!({}))),
        // The answer may leave out what was quoted.
        (CANCEL, 200, cancelled(own, json!(null), json!({}))),
        (CANCEL, 200, open.clone()),
        (CANCEL, 200, "<html>".to_owned()),
        (CANCEL, 502, String::new()),
        (CANCEL, 500, refusal("SYSTEM_ERROR", "Internal error")),
        (
            CANCEL,
            400,
            refusal(
                "INVALID_DATA",
                "You cannot cancel a booking after the check-in",
            ),
        ),
        (DETAIL, 200, open),
        (DETAIL, 200, cancelled(own, json!("20.00"), json!({}))),
        (DETAIL, 200, cancelled(own, json!(null), json!({}))),
        (DETAIL, 500, String::new()),
    ]));
    let cx = cx();
    let of = |refund: &str| CancellationOutcome::Cancelled {
        refund: money(refund, "EUR"),
    };
    for _ in 0..2 {
        let done = hotelbeds
            .confirm_cancellation(&cx, &order, &quote)
            .await
            .unwrap();
        assert_eq!(done, of("200.00"));
    }
    for kind in [
        Kind::OutcomeUnknown,
        Kind::OutcomeUnknown,
        Kind::OutcomeUnknown,
        Kind::OutcomeUnknown,
        Kind::Refused,
    ] {
        let error = hotelbeds
            .confirm_cancellation(&cx, &order, &quote)
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind);
    }
    for outcome in [
        CancellationOutcome::NotCancelled,
        of("192.40"),
        of("200.00"),
    ] {
        let found = hotelbeds
            .find_cancellation(&cx, &order, &quote)
            .await
            .unwrap();
        assert_eq!(found, outcome);
    }
    assert!(
        hotelbeds
            .find_cancellation(&cx, &order, &quote)
            .await
            .is_err()
    );
    let request = &wire.requests()[0];
    assert_eq!(request.query_pairs()[0].1, "CANCELLATION");
    assert_eq!(*request.safety(), Safety::Unsafe);
    assert!(wire.unmet().is_empty());
}

#[tokio::test]
async fn a_cancellation_is_done_whatever_it_says_about_the_money() {
    let own = reference();
    let order = lookup(own, json!({"reference": "207-12306403"}));
    let quote = json!({"reference": "207-12306403", "refund": money("200.00", "EUR")});
    for body in [
        cancelled(own, json!("1.005"), json!({})),
        cancelled(own, json!("a lot"), json!({})),
        cancelled(own, json!(12.4), json!({"currency": "USD"})),
    ] {
        let (hotelbeds, _) = adapter(ScriptedWire::new(vec![
            (CANCEL, 200, body.clone()),
            (DETAIL, 200, body),
        ]));
        let done = hotelbeds.confirm_cancellation(&cx(), &order, &quote).await;
        let found = hotelbeds.find_cancellation(&cx(), &order, &quote).await;
        let refund = money("200.00", "EUR");
        let expected = CancellationOutcome::Cancelled { refund };
        assert_eq!(
            (done.unwrap(), found.unwrap()),
            (expected.clone(), expected)
        );
    }
}
