//! Ordering, and looking for a lost order.

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Blame, Retry, Safety, SupplierError, SupplierErrorKind as Kind};
use supplier_platforms::duffel::errors;
use travel_types::OrderId;
use vertical_kit::{OrderRequest, PlacedOrder, PlacedStatus, Supplier as _};

use super::super::{map, requests};
use super::{adapter, bytes, lookup, order_of, recorded};
use testkit::adapters::{cx, money, reference, traveller};

/// An order for one adult at the recorded order's price.
fn one_adult(reference: OrderId) -> OrderRequest {
    OrderRequest {
        reference,
        handle: json!({
            "offer_id": "off_1",
            "passengers": [{"id": "pas_1", "kind": "adult"}],
            "departure_day": "2026-09-01",
        }),
        total: money("1016.15", "GBP"),
        travellers: vec![traveller(json!({}))],
        contact: serde_json::from_value(
            json!({"email": "a@example.com", "phone": "+442080160509"}),
        )
        .unwrap(),
    }
}

fn family(reference: OrderId) -> OrderRequest {
    let mut order = one_adult(reference);
    order.handle["passengers"] = json!([
        {"id": "pas_baby", "kind": "infant"},
        {"id": "pas_child", "kind": "child"},
        {"id": "pas_adult", "kind": "adult"},
        {"id": "pas_other", "kind": "adult"},
    ]);
    order.travellers = vec![
        traveller(
            json!({"title": "ms", "email": "own@example.com", "phone": "+15550100", "documents": [
                {"type": "passport", "number": "P1", "issuing_country": "GB", "expires_on": "2030-01-01"}
            ]}),
        ),
        traveller(json!({"given_name": "Baby", "born_on": "2025-01-31"})),
        traveller(json!({"given_name": "Child", "born_on": "2014-09-02", "gender": "male"})),
        traveller(json!({"given_name": "Doc", "title": "dr", "born_on": "2014-09-01"})),
    ];
    order
}

/// Twelve on the day of departure is an adult, one day less is a child.
#[tokio::test]
async fn an_order_names_each_traveller_the_price_and_our_reference() {
    let reference = reference();
    let body = json!({"data": order_of(reference)}).to_string();
    let (duffel, wire) = adapter(ScriptedWire::new(vec![("POST /air/orders", 201, body)]));
    let placed = duffel.order(&cx(), &family(reference)).await.unwrap();
    assert_eq!(placed.status, PlacedStatus::Confirmed);
    assert_eq!(placed.supplier_reference, "GAIRBB");
    assert_eq!(placed.total, money("1016.15", "GBP"));
    assert_eq!(placed.handle["order_id"], "ord_0000AEdJFxag2IaNxbrlY1");
    assert_eq!(placed.handle["offer_id"], "off_1");
    let request = &wire.requests()[0];
    assert_eq!(*request.safety(), Safety::Unsafe);
    let sent: Value = serde_json::from_slice(request.body_bytes()).unwrap();
    let contact = |person: Value| {
        let mut person = person;
        person["family_name"] = json!("Earhart");
        if person.get("email").is_none() {
            person["email"] = json!("a@example.com");
            person["phone_number"] = json!("+442080160509");
        }
        person
    };
    assert_eq!(
        sent,
        json!({"data": {
            "type": "instant",
            "selected_offers": ["off_1"],
            "passengers": [
                contact(json!({
                    "id": "pas_adult", "title": "ms", "gender": "f", "given_name": "Amelia", "born_on": "1987-07-24",
                    "email": "own@example.com", "phone_number": "+15550100", "infant_passenger_id": "pas_baby",
                    "identity_documents": [{"type": "passport", "unique_identifier": "P1",
                        "issuing_country_code": "GB", "expires_on": "2030-01-01"}]
                })),
                contact(json!({"id": "pas_baby", "given_name": "Baby", "born_on": "2025-01-31"})),
                contact(json!({"id": "pas_child", "title": "mr", "gender": "m", "given_name": "Child", "born_on": "2014-09-02"})),
                contact(json!({"id": "pas_other", "title": "dr", "given_name": "Doc", "born_on": "2014-09-01"})),
            ],
            "payments": [{"type": "balance", "amount": "1016.15", "currency": "GBP"}],
            "metadata": {"interline_order_id": reference}
        }})
    );
}

#[test]
fn the_amount_paid_has_exactly_the_digits_of_its_currency() {
    for (given, currency, sent) in [
        ("20.0", "GBP", "20.00"),
        ("1500.00", "JPY", "1500"),
        ("1.2", "KWD", "1.200"),
    ] {
        let mut order = one_adult(reference());
        order.total = money(given, currency);
        let body = serde_json::to_value(requests::new_order(&order).unwrap()).unwrap();
        assert_eq!(body["payments"][0]["amount"], sent);
    }
}

#[tokio::test]
async fn travellers_that_do_not_fit_the_offer_are_refused_before_anything_is_sent() {
    let mut two = one_adult(reference());
    two.travellers.push(traveller(json!({})));
    let mut alone = one_adult(reference());
    alone.handle["passengers"] = json!([{"id": "pas_1", "kind": "infant"}]);
    alone.travellers = vec![traveller(json!({"born_on": "2026-01-01"}))];
    let mut child = one_adult(reference());
    child.travellers = vec![traveller(json!({"born_on": "2020-01-01"}))];
    for order in [two, alone, child] {
        let (duffel, wire) = adapter(ScriptedWire::new(Vec::<(&str, u16, String)>::new()));
        let error = duffel.order(&cx(), &order).await.unwrap_err();
        assert_eq!(
            (error.kind, error.sent),
            (Kind::InvalidRequest, supplier_client::Sent::No)
        );
        assert!(wire.requests().is_empty());
    }
}

async fn answered(
    status: u16,
    body: impl Into<::bytes::Bytes>,
) -> Result<PlacedOrder, SupplierError> {
    let (duffel, wire) = adapter(ScriptedWire::new(vec![("POST /air/orders", status, body)]));
    let result = duffel.order(&cx(), &one_adult(reference())).await;
    assert_eq!(wire.requests().len(), 1, "an order is never sent twice");
    result
}

#[tokio::test]
async fn an_order_that_duffel_will_decide_later_is_pending() {
    let placed = answered(202, "").await.unwrap();
    assert_eq!(
        (placed.status, placed.supplier_reference.as_str()),
        (PlacedStatus::Pending, "")
    );
    assert_eq!(placed.total, money("1016.15", "GBP"));
    // The order is named later.
    for body in [
        r#"{"data":{}}"#,
        r#"{"data":{"id":null}}"#,
        r#"{"data":null}"#,
    ] {
        let placed = answered(200, body).await.unwrap();
        assert_eq!(placed.status, PlacedStatus::Pending, "{body}");
    }
}

#[tokio::test]
async fn an_order_answered_unreadably_is_an_unknown_outcome() {
    let stranger = json!({"data": order_of(reference())}).to_string();
    let mut nameless = recorded("orders/show.json");
    nameless["data"].as_object_mut().unwrap().remove("id");
    let mut priceless = recorded("orders/show.json");
    priceless["data"]["total_amount"] = Value::Null;
    priceless["data"]["booking_reference"] = Value::Null;
    for (status, body) in [
        (
            201,
            String::from_utf8(bytes("orders/show.json")).unwrap()[..400].to_owned(),
        ),
        (201, "<html>ok</html>".to_owned()),
        (201, String::new()),
        (201, "{\"data\":null}".to_owned()),
        (201, nameless.to_string()),
        (201, priceless.to_string()),
        (201, stranger),
        (500, String::from_utf8(bytes("api_error.json")).unwrap()),
        (502, String::from_utf8(bytes("airline_error.json")).unwrap()),
        (
            504,
            r#"{"errors":[{"code":"gateway_timeout_error","type":"api_error"}]}"#.to_owned(),
        ),
        (408, String::new()),
        (302, String::new()),
        (304, String::new()),
    ] {
        let error = answered(status, body).await.unwrap_err();
        let told = (error.kind, error.blame, error.retry);
        assert_eq!(
            told,
            (Kind::OutcomeUnknown, Blame::Supplier, Retry::Never),
            "{status} {error}"
        );
    }
    // So does whatever says that there may be an order, or that does not say what it is.
    for (status, kind, code) in [
        (
            422,
            "invalid_state_error",
            "order_creation_already_attempted",
        ),
        (422, "invalid_state_error", "booking_already_attempted"),
        (422, "airline_error", "airline_internal"),
        (409, "invalid_state_error", "brand_new"),
    ] {
        let body = json!({"errors": [{"type": kind, "code": code}]}).to_string();
        let error = answered(status, body).await.unwrap_err();
        let told = (error.kind, error.retry);
        assert_eq!(told, (Kind::OutcomeUnknown, Retry::Never), "{code}");
    }
    for body in ["", "<html>"] {
        let error = answered(409, body).await.unwrap_err();
        assert_eq!(error.kind, Kind::OutcomeUnknown);
    }
    // A 4xx of the airline's or of Duffel's own leaves it open too.
    for file in ["airline_error.json", "api_error.json"] {
        let error = answered(401, bytes(file)).await.unwrap_err();
        assert_eq!(error.kind, Kind::OutcomeUnknown);
    }
}

#[tokio::test]
async fn every_way_to_truncate_an_order_is_an_unknown_outcome() {
    let whole = bytes("orders/show.json");
    let end = whole.iter().rposition(|byte| *byte == b'}').unwrap();
    for part in 0..200 {
        let error = answered(201, whole[..end * part / 200].to_vec())
            .await
            .unwrap_err();
        assert_eq!(error.kind, Kind::OutcomeUnknown, "{part}");
    }
    println!("an order truncated at 200 places is an unknown outcome each time");
}

#[tokio::test]
async fn a_refused_order_is_told_by_its_code() {
    let body = |code: &str| {
        format!(
            r#"{{"errors":[{{"type":"invalid_state_error","code":{code},"source":"iberia"}}]}}"#
        )
    };
    for (code, kind, blame) in [
        (
            r#""offer_no_longer_available""#,
            Kind::SoldOut,
            Blame::Supplier,
        ),
        (
            r#""offer_request_already_booked""#,
            Kind::SoldOut,
            Blame::Supplier,
        ),
        (r#""offer_expired""#, Kind::OfferExpired, Blame::Supplier),
        (r#""price_changed""#, Kind::PriceChanged, Blame::Supplier),
        (
            r#""payment_amount_does_not_match_order_amount""#,
            Kind::PriceChanged,
            Blame::Supplier,
        ),
        (
            r#""payment_currency_does_not_match_order_currency""#,
            Kind::PriceChanged,
            Blame::Supplier,
        ),
        (r#""insufficient_balance""#, Kind::PaymentRefused, Blame::Us),
        (
            r#""invalid_order_create_type""#,
            Kind::InvalidRequest,
            Blame::Us,
        ),
        (r#""validation_format""#, Kind::InvalidRequest, Blame::Us),
        (r#""something_new""#, Kind::Refused, Blame::Us),
        ("400", Kind::NotSupported, Blame::Us),
    ] {
        let error = answered(422, body(code)).await.unwrap_err();
        let told = (error.kind, error.blame, error.retry);
        assert_eq!(told, (kind, blame, Retry::Never), "{code}");
        assert_eq!(error.code.as_deref(), Some(code.trim_matches('"')));
    }
    let error = answered(403, "Forbidden").await.unwrap_err();
    assert_eq!((error.kind, error.blame), (Kind::NotAuthorised, Blame::Us));
}

#[tokio::test]
async fn a_bad_gateway_that_says_that_nothing_was_made_is_a_refusal() {
    for (code, kind) in [
        ("order_not_created", Kind::Refused),
        ("airline_unknown", Kind::OutcomeUnknown),
        ("brand_new", Kind::OutcomeUnknown),
    ] {
        let body = json!({"errors": [{"type": "airline_error", "code": code}]}).to_string();
        let script = ScriptedWire::new(vec![("POST /air/orders", 502, body)]);
        let (duffel, _) = adapter(script.classified(errors::verdict));
        let error = duffel.order(&cx(), &one_adult(reference())).await;
        let error = error.unwrap_err();
        assert_eq!((error.kind, error.retry), (kind, Retry::Never), "{code}");
    }
}

#[tokio::test]
async fn an_order_without_its_usual_fields_is_still_the_order() {
    let own = reference();
    let order = |changes: Value| {
        let mut body = order_of(own);
        for (key, value) in changes.as_object().unwrap() {
            body[key] = value.clone();
        }
        let body = serde_json::from_str(&body.to_string()).unwrap();
        map::order(
            &body,
            &json!({"emissions_kg": 503.0}),
            money("20.00", "GBP"),
        )
        .unwrap()
    };
    let unnamed = order(json!({"booking_reference": null, "metadata": null}));
    assert_eq!(unnamed.supplier_reference, "ord_0000AEdJFxag2IaNxbrlY1");
    let several =
        json!([{"booking_reference": null}, {"booking_reference": "ABC123", "carrier": {}}]);
    let several =
        order(json!({"booking_reference": null, "booking_references": several, "owner": null}));
    assert_eq!(several.supplier_reference, "ABC123");
    // An order does not repeat the emissions.
    assert_eq!(several.details.unwrap()["emissions_kg"], 503.0);
    for changes in [
        json!({"slices": null}),
        json!({"slices": [{"segments": []}]}),
    ] {
        assert_eq!(order(changes).details, None);
    }
    let held = order(json!({"payment_status": {"awaiting_payment": true, "paid_at": null}}));
    assert_eq!(held.status, PlacedStatus::Pending);
    let gone = order(json!({"cancelled_at": "2026-08-02T10:00:00Z"}));
    assert_eq!(gone.status, PlacedStatus::Cancelled);
    let bare = order(
        json!({"passengers": null, "conditions": null, "tax_amount": null, "base_amount": null}),
    );
    assert_eq!(bare.total, money("1016.15", "GBP"));
    for odd in [json!(null), json!("a lot"), json!({}), json!("-1")] {
        let priceless = order(json!({ "total_amount": odd }));
        assert_eq!(priceless.status, PlacedStatus::Confirmed);
        assert_eq!(priceless.total, money("20.00", "GBP"));
        let told = &priceless.details.unwrap()["warnings"];
        assert_eq!(told[0]["path"], "total", "{told}");
    }
}

fn orders(entries: &[Value], after: Option<&str>) -> String {
    json!({"data": entries, "meta": {"after": after}}).to_string()
}

#[tokio::test]
async fn a_lost_order_is_found_by_our_reference_alone() {
    let own = reference();
    let other = order_of(reference());
    let mut plain = other.clone();
    plain["metadata"] = Value::Null;
    // What is odd about an order that is not ours is not ours to judge.
    let odd = json!({"id": 1, "total_amount": {}, "metadata": {"interline_order_id": 7}});
    let entries = [other.clone(), plain, odd, order_of(own)];
    let (duffel, wire) = adapter(ScriptedWire::new(vec![(
        "GET /air/orders",
        200,
        orders(&entries, None),
    )]));
    let found = duffel
        .find_order(&cx(), &lookup(own))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.status, PlacedStatus::Confirmed);
    assert_eq!(found.supplier_reference, "GAIRBB");
    let request = &wire.requests()[0];
    assert_eq!(
        request.query_pairs()[0],
        ("offer_id".to_owned(), "off_1".to_owned())
    );
    let (duffel, wire) = adapter(ScriptedWire::new(vec![
        (
            "GET /air/orders",
            200,
            orders(std::slice::from_ref(&other), Some("g2")),
        ),
        ("GET /air/orders", 200, orders(&[order_of(own)], None)),
    ]));
    assert!(
        duffel
            .find_order(&cx(), &lookup(own))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(wire.requests()[1].query_pairs()[2].1, "g2");
    for none in [
        orders(&[], None),
        orders(&[other], None),
        r#"{"data":null}"#.to_owned(),
    ] {
        let (duffel, _) = adapter(ScriptedWire::new(vec![("GET /air/orders", 200, none)]));
        assert_eq!(duffel.find_order(&cx(), &lookup(own)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_look_up_that_cannot_be_read_is_not_told_as_absent() {
    let own = reference();
    let mut broken = order_of(own);
    broken["cancelled_at"] = json!({});
    for (status, body) in [
        (200, orders(&[broken], None)),
        (200, orders(&[json!(7)], None)),
        (200, orders(&[json!({"metadata": "x"})], None)),
        (200, "<html>".to_owned()),
        (200, "{}".to_owned()),
        (404, String::new()),
        (500, String::new()),
    ] {
        let (duffel, _) = adapter(ScriptedWire::new(vec![("GET /air/orders", status, body)]));
        let error = duffel.find_order(&cx(), &lookup(own)).await.unwrap_err();
        assert_ne!(error.kind, Kind::OutcomeUnknown, "asking changes nothing");
    }
    let script = (0..5).map(|_| ("GET /air/orders", 200, orders(&[], Some("again"))));
    let (duffel, _) = adapter(ScriptedWire::new(script.collect()));
    let error = duffel.find_order(&cx(), &lookup(own)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Protocol);
}
