//! Cancelling.

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Safety, SupplierErrorKind as Kind};
use vertical_kit::{CancellationOutcome, Supplier as _};

use super::{adapter, lookup, recorded};
use testkit::adapters::{cx, money, reference};

fn cancellation(changes: Value) -> String {
    let mut body = recorded("order_cancellations/show.json");
    for (key, value) in changes.as_object().unwrap() {
        body["data"][key] = value.clone();
    }
    body.to_string()
}

#[tokio::test]
async fn a_cancellation_is_quoted_in_money_or_in_credits() {
    let credits = json!([
        {"credit_amount": "100.00", "credit_currency": "USD", "credit_name": "voucher"},
        {"credit_amount": 77.8, "credit_currency": "USD"}
    ]);
    let open = json!({"confirmed_at": null, "expires_at": "2026-08-01T10:00:00.000000Z"});
    for (changes, refund, currency, to) in [
        (open, "177.80", "GBP", Some("balance")),
        (
            json!({"refund_amount": "0.0"}),
            "0.00",
            "GBP",
            Some("balance"),
        ),
        (
            json!({"refund_amount": 20.10, "refund_currency": null}),
            "20.10",
            "GBP",
            Some("balance"),
        ),
        (
            json!({"refund_amount": null, "refund_currency": null, "refund_to": null}),
            "0.00",
            "GBP",
            None,
        ),
        (
            json!({"refund_amount": null, "airline_credits": credits, "refund_to": "airline_credits"}),
            "177.80",
            "USD",
            Some("airline_credits"),
        ),
        (
            json!({"refund_amount": "0.00", "airline_credits": credits, "refund_to": "airline_credits"}),
            "177.80",
            "USD",
            Some("airline_credits"),
        ),
        (
            json!({"refund_amount": "12.00", "airline_credits": [], "refund_to": "airline_credits"}),
            "12.00",
            "GBP",
            Some("airline_credits"),
        ),
        (
            json!({"airline_credits": {}}),
            "177.80",
            "GBP",
            Some("balance"),
        ),
    ] {
        let (duffel, wire) = adapter(ScriptedWire::new(vec![(
            "POST /air/order_cancellations",
            200,
            cancellation(changes),
        )]));
        let quote = duffel
            .quote_cancellation(&cx(), &lookup(reference()))
            .await
            .unwrap();
        assert_eq!(quote.refund, money(refund, currency));
        assert_eq!(quote.refund_to.as_deref(), to);
        assert_eq!(
            quote.handle,
            json!({"cancellation_id": "ore_0000AEUvjGoJlav2j6FDlZ",
                "refund": {"amount": refund, "currency": currency}})
        );
        let request = &wire.requests()[0];
        assert_eq!(
            &request.body_bytes()[..],
            br#"{"data":{"order_id":"ord_1"}}"#
        );
        assert_eq!(*request.safety(), Safety::Safe);
    }
    for changes in [
        json!({"refund_amount": "1.005"}),
        json!({"refund_amount": "-1"}),
        json!({"refund_currency": "XXX"}),
        json!({"expires_at": "soon"}),
        json!({"id": null}),
        json!({"refund_to": "airline_credits", "airline_credits": {}}),
        json!({"refund_amount": null, "airline_credits": [{"credit_amount": "1", "credit_currency": "USD"}, {"credit_amount": "1", "credit_currency": "EUR"}]}),
    ] {
        let (duffel, _) = adapter(ScriptedWire::new(vec![(
            "POST /air/order_cancellations",
            200,
            cancellation(changes),
        )]));
        let error = duffel
            .quote_cancellation(&cx(), &lookup(reference()))
            .await
            .unwrap_err();
        assert_eq!(error.kind, Kind::Protocol);
    }
    let refusal = r#"{"errors":[{"type":"invalid_state_error","code":"already_cancelled"}]}"#;
    let (duffel, _) = adapter(ScriptedWire::new(vec![(
        "POST /air/order_cancellations",
        422,
        refusal,
    )]));
    let error = duffel
        .quote_cancellation(&cx(), &lookup(reference()))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_deref()),
        (Kind::Refused, Some("already_cancelled"))
    );
}

#[tokio::test]
async fn a_cancellation_is_done_only_when_duffel_says_when() {
    let quote = json!({"cancellation_id": "ore_1"});
    let confirm = "POST /air/order_cancellations/ore_1/actions/confirm";
    let look = "GET /air/order_cancellations/ore_1";
    let done = || cancellation(json!({}));
    let open = || cancellation(json!({"confirmed_at": null}));
    let (duffel, wire) = adapter(ScriptedWire::new(vec![
        (confirm, 200, done()),
        (confirm, 200, open()),
        (confirm, 200, "<html>".to_owned()),
        (confirm, 502, String::new()),
        (look, 200, done()),
        (look, 200, open()),
    ]));
    let (cx, order) = (cx(), lookup(reference()));
    let cancelled = CancellationOutcome::Cancelled {
        refund: money("177.80", "GBP"),
    };
    assert_eq!(
        duffel
            .confirm_cancellation(&cx, &order, &quote)
            .await
            .unwrap(),
        cancelled
    );
    for _ in 0..3 {
        let error = duffel
            .confirm_cancellation(&cx, &order, &quote)
            .await
            .unwrap_err();
        assert_eq!(error.kind, Kind::OutcomeUnknown);
    }
    assert_eq!(
        duffel.find_cancellation(&cx, &order, &quote).await.unwrap(),
        cancelled
    );
    let not_yet = CancellationOutcome::NotCancelled;
    assert_eq!(
        duffel.find_cancellation(&cx, &order, &quote).await.unwrap(),
        not_yet
    );
    assert_eq!(*wire.requests()[0].safety(), Safety::Unsafe);
    assert!(wire.unmet().is_empty());
}

#[tokio::test]
async fn a_cancellation_that_is_done_with_an_odd_refund_pays_what_was_quoted() {
    let quote =
        json!({"cancellation_id": "ore_1", "refund": {"amount": "12.00", "currency": "GBP"}});
    let confirm = "POST /air/order_cancellations/ore_1/actions/confirm";
    let look = "GET /air/order_cancellations/ore_1";
    let mixed = json!([{"credit_amount": "1", "credit_currency": "USD"}, {"credit_amount": "1", "credit_currency": "EUR"}]);
    let (cx, order) = (cx(), lookup(reference()));
    for changes in [
        json!({"refund_amount": null, "airline_credits": mixed}),
        json!({"refund_to": "airline_credits", "airline_credits": {}}),
        json!({"refund_amount": "1.005"}),
        json!({"refund_amount": {}}),
        json!({"refund_currency": 7}),
    ] {
        let (duffel, _) = adapter(ScriptedWire::new(vec![
            (confirm, 200, cancellation(changes.clone())),
            (look, 200, cancellation(changes)),
        ]));
        let refund = money("12.00", "GBP");
        let cancelled = CancellationOutcome::Cancelled { refund };
        let done = duffel.confirm_cancellation(&cx, &order, &quote).await;
        assert_eq!(done.unwrap(), cancelled);
        let found = duffel.find_cancellation(&cx, &order, &quote).await;
        assert_eq!(found.unwrap(), cancelled);
    }
}
