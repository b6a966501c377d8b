//! Quoting, carrying out and looking for a cancellation.

use serde_json::{Value, json};
use supplier_client::Safety;
use supplier_client::SupplierErrorKind as Kind;
use supplier_client::scripted::ScriptedWire;
use vertical_kit::{CancellationOutcome, Supplier as _};

use super::{adapter, adapter_at, bytes, cx, example, lookup, money, order_handle};

const READ: &str = "GET /v3/itineraries/8999989898988";
const CANCEL: &str = "DELETE /v3/itineraries/8999989898988";
const ROOM: &str = "DELETE /v3/itineraries/8999989898988/rooms/1";

/// A booked itinerary of 702.00 CAD.
fn itinerary(change: impl Fn(&mut Value)) -> String {
    let mut found = example("itinerary/200_itinerary_no_history.json");
    let rate = &mut found["rooms"][0]["rate"];
    rate["cancel_refund"] = json!({"amount": "-600.00", "currency": "CAD"});
    rate["cancel_penalties"] = json!([
        {"start": "2026-11-20T00:00:00-06:00", "end": "2026-11-25T00:00:00-06:00", "percent": "50%"},
        {"start": "2026-11-25T00:00:00-06:00", "end": "2026-12-01T00:00:00-06:00", "percent": "100%"},
    ]);
    rate["pricing"]["totals"]["inclusive"]["billable_currency"] =
        json!({"value": "702.00", "currency": "CAD"});
    change(&mut found);
    found.to_string()
}

fn cancelled(change: impl Fn(&mut Value)) -> String {
    itinerary(|found| {
        found["rooms"][0]["status"] = json!("canceled");
        change(found);
    })
}

fn quoted() -> Value {
    json!({"links": ["/v3/itineraries/8999989898988?token=c"],
        "refund": {"amount": "600.00", "currency": "CAD"}})
}

fn refunded(amount: &str) -> CancellationOutcome {
    CancellationOutcome::Cancelled {
        refund: money(amount, "CAD"),
    }
}

#[tokio::test]
async fn a_quote_is_what_rapid_says_comes_back_now() {
    let (rapid, wire) = adapter_at(
        "2026-11-01T00:00:00Z",
        false,
        ScriptedWire::new(vec![(READ, 200, itinerary(|_| {}))]),
    );
    let quote = rapid
        .quote_cancellation(&cx(), &lookup(order_handle()))
        .await
        .unwrap();
    assert_eq!(quote.refund, money("600.00", "CAD"));
    let expires = quote.expires_at.map(|at| at.to_string());
    assert_eq!(expires.as_deref(), Some("2026-11-20T06:00:00Z"));
    assert_eq!(quote.handle["links"].as_array().unwrap().len(), 1);
    assert_eq!(wire.requests()[0].query_pairs()[0].1, "abc");
}

#[tokio::test]
async fn without_a_stated_refund_the_penalty_of_the_present_instant_counts() {
    let silent = |found: &mut Value| found["rooms"][0]["rate"]["cancel_refund"] = json!(null);
    for (now, refund) in [
        ("2026-11-01T00:00:00Z", "702.00"),
        ("2026-11-21T00:00:00Z", "351.00"),
        ("2026-11-26T00:00:00Z", "0.00"),
    ] {
        let script = vec![(READ, 200, itinerary(silent))];
        let (rapid, _) = adapter_at(now, false, ScriptedWire::new(script));
        let quote = rapid
            .quote_cancellation(&cx(), &lookup(order_handle()))
            .await
            .unwrap();
        assert_eq!(quote.refund, money(refund, "CAD"), "{now}");
    }
    // More than was paid does not come back: the penalties count.
    let much = |found: &mut Value| {
        found["rooms"][0]["rate"]["cancel_refund"]["amount"] = json!(-702.01);
    };
    let script = vec![(READ, 200, itinerary(much))];
    let (rapid, _) = adapter_at("2026-11-21T00:00:00Z", false, ScriptedWire::new(script));
    let quote = rapid
        .quote_cancellation(&cx(), &lookup(order_handle()))
        .await
        .unwrap();
    assert_eq!(quote.refund, money("351.00", "CAD"));
    // Where neither is said, there is no quote: nothing is guessed.
    let nothing = |found: &mut Value| {
        silent(found);
        found["rooms"][0]["rate"]["cancel_penalties"] = json!(null);
        found["rooms"][0]["rate"]["refundable"] = json!(null);
    };
    let (rapid, _) = adapter(ScriptedWire::new(vec![(READ, 200, itinerary(nothing))]));
    let error = rapid
        .quote_cancellation(&cx(), &lookup(order_handle()))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Protocol);
}

#[tokio::test]
async fn an_order_that_is_not_shown_yet_or_cancelled_already_has_no_quote() {
    let waiting =
        r#"{"itinerary_id": "8999989898988", "creation_date_time": "2026-01-01T00:00:00Z"}"#;
    let missing = String::from_utf8(bytes("errors/404_resource_not_found.json")).unwrap();
    for (status, body, kind) in [
        (200, waiting.to_owned(), Kind::Unavailable),
        (404, missing, Kind::Unavailable),
        (200, cancelled(|_| {}), Kind::Refused),
        (
            200,
            itinerary(|found| {
                found["links"] = json!({});
                found["rooms"][0]["links"] = json!({});
            }),
            Kind::Refused,
        ),
    ] {
        let (rapid, _) = adapter(ScriptedWire::new(vec![(READ, status, body)]));
        let error = rapid
            .quote_cancellation(&cx(), &lookup(order_handle()))
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind);
    }
}

#[tokio::test]
async fn an_old_link_is_replaced_by_the_id_and_the_address_of_mail() {
    let old = String::from_utf8(bytes("errors/400_link_invalid.json")).unwrap();
    let script = vec![(READ, 400, old), (READ, 200, itinerary(|_| {}))];
    let (rapid, wire) = adapter(ScriptedWire::new(script));
    rapid
        .quote_cancellation(&cx(), &lookup(order_handle()))
        .await
        .unwrap();
    let email = ("email".to_owned(), "seller@example.com".to_owned());
    assert_eq!(wire.requests()[1].query_pairs(), [email]);
}

#[tokio::test]
async fn a_cancellation_is_carried_out_once_and_tells_the_refund() {
    let seen = cancelled(|found| {
        found["rooms"][0]["rate"]["cancel_refund"]["amount"] = json!("-580.00");
    });
    for (looked, body, refund) in [
        (200, seen, "580.00"),
        (404, String::new(), "600.00"),
        // The look-up lags behind: what was quoted stands.
        (200, itinerary(|_| {}), "600.00"),
    ] {
        let script = vec![(CANCEL, 204, String::new()), (READ, looked, body)];
        let (rapid, wire) = adapter(ScriptedWire::new(script));
        let order = lookup(order_handle());
        let outcome = rapid.confirm_cancellation(&cx(), &order, &quoted()).await;
        assert_eq!(outcome.unwrap(), refunded(refund));
        assert_eq!(*wire.requests()[0].safety(), Safety::Unsafe);
    }
}

#[tokio::test]
async fn a_cancellation_whose_answer_says_little_is_unknown() {
    let order = lookup(order_handle());
    for status in [202, 500, 503, 504] {
        let (rapid, _) = adapter(ScriptedWire::new(vec![(CANCEL, status, "")]));
        let error = rapid
            .confirm_cancellation(&cx(), &order, &quoted())
            .await
            .unwrap_err();
        assert_eq!(error.kind, Kind::OutcomeUnknown, "{status}");
    }
    let refused = json!({"type": "post_stay_cancel"}).to_string();
    let (rapid, _) = adapter(ScriptedWire::new(vec![(CANCEL, 400, refused)]));
    let error = rapid
        .confirm_cancellation(&cx(), &order, &quoted())
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    // Cancelled already, by the request whose answer was lost.
    let done = String::from_utf8(bytes("errors/400_room_already_cancelled.json")).unwrap();
    let script = vec![(CANCEL, 400, done), (READ, 200, cancelled(|_| {}))];
    let (rapid, _) = adapter(ScriptedWire::new(script));
    let outcome = rapid.confirm_cancellation(&cx(), &order, &quoted()).await;
    assert_eq!(outcome.unwrap(), refunded("600.00"));
}

/// Two rooms that are cancelled each by its own link.
fn two_rooms(found: &mut Value) {
    found["links"] = json!({});
    let mut room = found["rooms"][0].take();
    room["links"] = json!({"cancel": {"href": "/v3/itineraries/8999989898988/rooms/1?token=r"}});
    room["rate"]["cancel_refund"]["amount"] = json!("300.00");
    found["rooms"] = json!([room, room]);
}

#[tokio::test]
async fn rooms_are_cancelled_one_by_one_where_there_is_no_link_for_all() {
    let script = vec![
        (READ, 200, itinerary(two_rooms)),
        (ROOM, 204, String::new()),
        (ROOM, 400, r#"{"type":"link.invalid"}"#.to_owned()),
    ];
    let (rapid, wire) = adapter(ScriptedWire::new(script));
    let order = lookup(order_handle());
    let quote = rapid.quote_cancellation(&cx(), &order).await.unwrap();
    assert_eq!(quote.refund, money("600.00", "CAD"));
    // Half of it is done: only looking tells.
    let outcome = rapid
        .confirm_cancellation(&cx(), &order, &quote.handle)
        .await;
    assert_eq!(outcome.unwrap_err().kind, Kind::OutcomeUnknown);
    assert!(wire.unmet().is_empty());
}

#[tokio::test]
async fn a_room_whose_cancelling_is_unclear_does_not_keep_the_others() {
    let room = "/v3/itineraries/8999989898988/rooms/1?token=r";
    let quote = json!({"links": [room, room, room],
        "refund": {"amount": "600.00", "currency": "CAD"}});
    for statuses in [[202, 204, 204], [500, 204, 204], [204, 400, 204]] {
        let script = statuses.map(|status| (ROOM, status, "")).to_vec();
        let (rapid, wire) = adapter(ScriptedWire::new(script));
        let order = lookup(order_handle());
        let outcome = rapid.confirm_cancellation(&cx(), &order, &quote).await;
        assert_eq!(outcome.unwrap_err().kind, Kind::OutcomeUnknown);
        assert!(wire.unmet().is_empty(), "{statuses:?}");
    }
}

#[tokio::test]
async fn a_cancellation_that_is_found_halfway_is_brought_to_its_end() {
    let order = lookup(order_handle());
    let halfway = || {
        itinerary(|found| {
            two_rooms(found);
            found["rooms"][0]["status"] = json!("canceled");
        })
    };
    let done = itinerary(|found| {
        two_rooms(found);
        found["rooms"][0]["status"] = json!("canceled");
        found["rooms"][1]["status"] = json!("canceled");
        found["rooms"][1]["rate"]["cancel_refund"]["amount"] = json!("280.00");
    });
    for (status, after, outcome) in [
        (204, done.clone(), Ok(refunded("580.00"))),
        // Cancelled already, by a request whose answer was lost.
        (400, done, Ok(refunded("580.00"))),
        (500, halfway(), Err(Kind::Protocol)),
        (202, halfway(), Err(Kind::Protocol)),
    ] {
        let (rapid, wire) = adapter(ScriptedWire::new(vec![
            (READ, 200, halfway()),
            (ROOM, status, String::new()),
            (READ, 200, after),
        ]));
        let found = rapid.find_cancellation(&cx(), &order, &quoted()).await;
        assert_eq!(found.map_err(|error| error.kind), outcome, "{status}");
        assert!(wire.unmet().is_empty(), "{status}");
    }
}

#[tokio::test]
async fn a_lost_cancellation_is_looked_for_in_the_rooms() {
    let order = lookup(order_handle());
    // Half of it is done, and there is no way to do the rest.
    let partly = |found: &mut Value| {
        two_rooms(found);
        found["rooms"][0]["status"] = json!("canceled");
        found["rooms"][1]["links"] = json!({});
    };
    let no_refund = |found: &mut Value| found["rooms"][0]["rate"]["cancel_refund"] = json!(null);
    for (body, outcome) in [
        (cancelled(|_| {}), Ok(refunded("600.00"))),
        (cancelled(no_refund), Ok(refunded("600.00"))),
        (itinerary(|_| {}), Ok(CancellationOutcome::NotCancelled)),
        (itinerary(partly), Err(Kind::Protocol)),
        (r#"{"itinerary_id": 1}"#.to_owned(), Err(Kind::Unavailable)),
        ("[]".to_owned(), Err(Kind::Protocol)),
    ] {
        let (rapid, _) = adapter(ScriptedWire::new(vec![(READ, 200, body.clone())]));
        let found = rapid.find_cancellation(&cx(), &order, &quoted()).await;
        assert_eq!(found.map_err(|error| error.kind), outcome, "{body}");
    }
}
