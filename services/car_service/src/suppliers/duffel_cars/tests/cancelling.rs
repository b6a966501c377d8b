//! Cancelling.

use std::time::Duration;

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Safety, SupplierErrorKind as Kind};
use testkit::adapters::{cx, money, reference};
use vertical_kit::{CancellationOutcome, OrderLookup, Supplier as _};

use super::*;
use crate::testing::lookup;

fn ours(reference: OrderId) -> OrderLookup {
    lookup(reference, booked(), money("101.34", "GBP"))
}

/// What is remembered of a quote.
fn quote_handle() -> Value {
    json!({
        "booking_id": "boo_0000Cx4Af0b5l45AT50eqO",
        "refund": {"amount": "101.34", "currency": "GBP"},
    })
}

fn cancelled(reference: OrderId) -> Value {
    let mut booking = booking_of(reference);
    booking["status"] = json!("cancelled");
    booking["cancelled_at"] = json!("2026-04-01T00:00:00Z");
    booking
}

#[tokio::test]
async fn within_the_free_time_all_of_it_comes_back() {
    let own = reference();
    let body = wrapped(&booking_of(own));
    let (cars, _, clock) = adapter(ScriptedWire::new(vec![
        (BOOKING, 200, body.clone()),
        (BOOKING, 200, body.clone()),
        (BOOKING, 200, body),
    ]));
    let quote = cars.quote_cancellation(&cx(), &ours(own)).await.unwrap();
    assert_eq!(quote.refund, money("101.34", "GBP"));
    assert_eq!(quote.handle, quote_handle());
    assert_eq!(
        quote.expires_at,
        Some(clock.after(Duration::from_secs(900)))
    );
    // Ten minutes before the free time ends, the quote lives no longer than that.
    clock.advance(Duration::from_secs((60 * 24 + 7) * 3600 - 600));
    let quote = cars.quote_cancellation(&cx(), &ours(own)).await.unwrap();
    let until = quote.expires_at.unwrap().to_string();
    assert_eq!(until, "2026-05-26T18:00:00Z");
    // Afterwards nobody knows what it costs.
    clock.advance(Duration::from_secs(600));
    let refused = cars.quote_cancellation(&cx(), &ours(own)).await;
    assert_eq!(refused.unwrap_err().kind, Kind::NotSupported);
}

#[tokio::test]
async fn a_booking_that_is_silent_about_cancelling_is_not_quoted() {
    let own = reference();
    let mut silent = booking_of(own);
    silent["conditions"] = json!([]);
    for (body, kind) in [
        (silent, Kind::NotSupported),
        (cancelled(own), Kind::Refused),
    ] {
        let (cars, _, _) = adapter(ScriptedWire::new(vec![(BOOKING, 200, wrapped(&body))]));
        let refused = cars.quote_cancellation(&cx(), &ours(own)).await;
        assert_eq!(refused.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn a_confirmed_cancellation_is_sent_once_and_believed_when_it_says_so() {
    let own = reference();
    let quote = quote_handle();
    let (cars, wire, _) = adapter(ScriptedWire::new(vec![(
        CANCEL,
        200,
        wrapped(&cancelled(own)),
    )]));
    let done = cars.confirm_cancellation(&cx(), &ours(own), &quote).await;
    let refund = money("101.34", "GBP");
    assert_eq!(done.unwrap(), CancellationOutcome::Cancelled { refund });
    assert_eq!(*wire.requests()[0].safety(), Safety::Unsafe);
    for (status, body, kind) in [
        (200, wrapped(&booking_of(own)), Kind::OutcomeUnknown),
        (200, "{".to_owned(), Kind::OutcomeUnknown),
        (502, String::new(), Kind::OutcomeUnknown),
        (
            422,
            r#"{"errors":[{"code":"already_cancelled"}]}"#.to_owned(),
            Kind::Refused,
        ),
    ] {
        let (cars, _, _) = adapter(ScriptedWire::new(vec![(CANCEL, status, body)]));
        let lost = cars.confirm_cancellation(&cx(), &ours(own), &quote).await;
        assert_eq!(lost.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn a_lost_cancellation_is_asked_of_the_booking() {
    let own = reference();
    let quote = quote_handle();
    let refund = money("101.34", "GBP");
    for (booking, outcome) in [
        (cancelled(own), CancellationOutcome::Cancelled { refund }),
        (booking_of(own), CancellationOutcome::NotCancelled),
    ] {
        let (cars, _, _) = adapter(ScriptedWire::new(vec![(BOOKING, 200, wrapped(&booking))]));
        let found = cars.find_cancellation(&cx(), &ours(own), &quote).await;
        assert_eq!(found.unwrap(), outcome);
    }
    let (cars, _, _) = adapter(ScriptedWire::new(vec![(BOOKING, 404, "")]));
    let found = cars.find_cancellation(&cx(), &ours(own), &quote).await;
    assert!(found.is_err());
}
