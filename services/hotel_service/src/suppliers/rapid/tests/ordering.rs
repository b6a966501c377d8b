//! Ordering, directly and in two steps, and looking for a lost order.

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Safety, Sent, SupplierError, SupplierErrorKind as Kind};
use travel_types::Traveller;
use vertical_kit::{OrderRequest, PlacedStatus, Supplier as _};

use super::{
    EARLY, adapter, adapter_at, bytes, cx, example, guests, lookup, money, offer_of_two, read_at,
    reference, search,
};
use crate::model::HotelDetails;

const CHECK: &str = "GET /v3/properties/19248/rooms/abc123/rates/abc123";
const BOOK: &str = "POST /v3/itineraries";
const RESUME: &str = "PUT /v3/itineraries/8999989898988";
const READ: &str = "GET /v3/itineraries/8999989898988";
const FIND: &str = "GET /v3/itineraries";
/// All of `reference`, as Rapid is given it.
const OURS: &str = "01JZSB1GD4FM78YEJVDHYRX7R0";

fn traveller(given_name: &str, born_on: &str) -> Traveller {
    serde_json::from_value(
        json!({"given_name": given_name, "family_name": "Earhart", "born_on": born_on}),
    )
    .unwrap()
}

/// An order for a couple in one room and an adult with two children in another.
fn two_rooms() -> OrderRequest {
    let answer = example("availability/200_availability.json");
    let wanted = search(vec![guests(2, &[]), guests(1, &[7, 10])]);
    let offer = read_at(EARLY, &answer, &wanted).offers.remove(0);
    order_of(
        offer.handle,
        "1404.00",
        vec![
            traveller("Amelia", "1987-07-24"),
            traveller("Child", "2019-01-01"),
            traveller("Bert", "1980-01-01"),
            traveller("Kid", "2016-01-01"),
            traveller("Carla", "1990-01-01"),
        ],
    )
}

fn order_of(mut handle: Value, total: &str, travellers: Vec<Traveller>) -> OrderRequest {
    handle["book"] =
        json!({"href": "/v3/itineraries?token=book", "expires": "2018-02-02T00:00:00Z"});
    OrderRequest {
        reference: reference(),
        handle,
        total: money(total, "CAD"),
        travellers,
        contact: serde_json::from_value(
            json!({"email": "a@example.com", "phone": "+442080160509"}),
        )
        .unwrap(),
    }
}

fn one_room() -> OrderRequest {
    let people = vec![
        traveller("Amelia", "1987-07-24"),
        traveller("Bert", "1980-01-01"),
    ];
    order_of(offer_of_two().handle, "702.00", people)
}

/// An itinerary as it is read back.
fn itinerary(status: &str) -> Value {
    let mut found = example("itinerary/200_itinerary_no_history.json");
    found["affiliate_reference_id"] = json!(OURS);
    found["rooms"][0]["status"] = json!(status);
    let pricing = "/rooms/0/rate/pricing/totals/inclusive/billable_currency";
    *found.pointer_mut(pricing).unwrap() = json!({"value": "702.00", "currency": "CAD"});
    found
}

fn held() -> Value {
    let mut found = itinerary("pending");
    found["links"]["resume"] =
        json!({"method": "PUT", "href": "/v3/itineraries/8999989898988?token=resume"});
    found
}

fn created() -> Vec<u8> {
    bytes("book/201_create_without_hold_no_challenge.json")
}

fn created_held() -> Vec<u8> {
    bytes("book/201_create_with_hold_no_challenge.json")
}

#[tokio::test]
async fn an_order_names_a_guest_for_each_room_the_seller_and_our_reference() {
    let found = itinerary("booked").to_string().into_bytes();
    let (rapid, wire) = adapter(ScriptedWire::new(vec![
        (BOOK, 201, created()),
        (READ, 200, found),
    ]));
    let placed = rapid.order(&cx(), &two_rooms()).await.unwrap();
    assert_eq!(placed.status, PlacedStatus::Confirmed);
    assert_eq!(placed.supplier_reference, "8999989898988");
    assert_eq!(placed.handle["itinerary_id"], "8999989898988");
    let details: HotelDetails = serde_json::from_value(placed.details.unwrap()).unwrap();
    assert!(details.remarks.iter().any(|one| one.contains("BEF23123AA")));
    let request = &wire.requests()[0];
    assert_eq!(*request.safety(), Safety::Unsafe);
    assert_eq!(
        request.query_pairs(),
        [("token".to_owned(), "book".to_owned())]
    );
    let sent: Value = serde_json::from_slice(request.body_bytes()).unwrap();
    assert_eq!(
        sent,
        json!({
            "affiliate_reference_id": OURS,
            "hold": false,
            "email": "seller@example.com",
            "phone": {"country_code": "44", "number": "2080160509"},
            "rooms": [
                {"given_name": "Amelia", "family_name": "Earhart"},
                {"given_name": "Carla", "family_name": "Earhart"},
            ],
            "payments": [{"type": "affiliate_collect", "billing_contact": {
                "given_name": "A", "family_name": "B",
                "address": {"line_1": "1 St", "city": "Seattle", "state_province_code": "WA",
                    "postal_code": "98121", "country_code": "US"}
            }}],
        })
    );
}

#[tokio::test]
async fn a_failed_look_at_the_order_does_not_unmake_it() {
    let waiting =
        br#"{"itinerary_id": "8999989898988", "creation_date_time": "2026-01-01T00:00:00Z"}"#;
    let mut others = itinerary("canceled");
    others["affiliate_reference_id"] = json!("SOMEBODY");
    for (status, body) in [
        (404, bytes("errors/404_resource_not_found.json")),
        (200, waiting.to_vec()),
        (200, b"<html>".to_vec()),
        (503, Vec::new()),
        (200, others.to_string().into_bytes()),
    ] {
        let script = vec![(BOOK, 201, created()), (READ, status, body)];
        let (rapid, wire) = adapter(ScriptedWire::new(script));
        let placed = rapid.order(&cx(), &one_room()).await.unwrap();
        assert_eq!(placed.status, PlacedStatus::Confirmed, "{status}");
        assert_eq!(placed.total, money("702.00", "CAD"), "{status}");
        assert_eq!(placed.details, None, "{status}");
        assert!(wire.unmet().is_empty());
    }
}

#[tokio::test]
async fn an_old_or_absent_link_to_book_has_the_price_checked_first() {
    let mut checked = example("price_check/200_available.json");
    let pointer = "/occupancy_pricing/2/totals/inclusive/billable_currency/value";
    *checked.pointer_mut(pointer).unwrap() = json!("702.00");
    let checked = checked.to_string().into_bytes();
    let late = "2018-02-03T00:00:00Z";
    let script = vec![
        (CHECK, 200, checked),
        (BOOK, 201, created()),
        (READ, 404, Vec::new()),
    ];
    let (rapid, wire) = adapter_at(late, false, ScriptedWire::new(script));
    rapid.order(&cx(), &one_room()).await.unwrap();
    let token = ("token".to_owned(), "MY5S3j36cOcL".to_owned());
    assert_eq!(wire.requests()[1].query_pairs(), [token]);
    // At another price nothing is ordered.
    let other = bytes("price_check/200_available.json");
    let (rapid, wire) = adapter_at(late, false, ScriptedWire::new(vec![(CHECK, 200, other)]));
    let error = rapid.order(&cx(), &one_room()).await.unwrap_err();
    assert_eq!(error.kind, Kind::PriceChanged);
    assert_eq!(wire.requests().len(), 1);
    // Nor where there is nothing to book.
    let mut change = example("price_check/200_room_change.json");
    *change.pointer_mut(pointer).unwrap() = json!("702.00");
    let change = change.to_string().into_bytes();
    let (rapid, _) = adapter_at(late, false, ScriptedWire::new(vec![(CHECK, 200, change)]));
    let error = rapid.order(&cx(), &one_room()).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (Kind::NotSupported, Sent::No));
}

#[tokio::test]
async fn refusals_of_an_order_are_what_they_say_and_everything_else_is_unknown() {
    let error = |kind: &str| json!({"type": kind}).to_string().into_bytes();
    for (status, body, kind) in [
        (
            409,
            bytes("errors/409_price_mismatch.json"),
            Kind::PriceChanged,
        ),
        (
            410,
            bytes("errors/410_rooms_unavailable.json"),
            Kind::SoldOut,
        ),
        (400, error("cc_declined"), Kind::PaymentRefused),
        (
            400,
            bytes("errors/400_address_country_code_invalid.json"),
            Kind::InvalidRequest,
        ),
        (
            400,
            bytes("errors/400_link_invalid.json"),
            Kind::OfferExpired,
        ),
        (
            401,
            bytes("errors/401_request_unauthenticated.json"),
            Kind::NotAuthorised,
        ),
        (202, Vec::new(), Kind::OutcomeUnknown),
        (201, b"<html>".to_vec(), Kind::OutcomeUnknown),
        (201, b"{}".to_vec(), Kind::OutcomeUnknown),
        (200, Vec::new(), Kind::OutcomeUnknown),
        (
            500,
            bytes("errors/500_unknown_internal_error.json"),
            Kind::OutcomeUnknown,
        ),
        (
            503,
            bytes("errors/503_service_unavailable.json"),
            Kind::OutcomeUnknown,
        ),
        (504, Vec::new(), Kind::OutcomeUnknown),
        (409, Vec::new(), Kind::OutcomeUnknown),
    ] {
        let (rapid, wire) = adapter(ScriptedWire::new(vec![(BOOK, status, body)]));
        let error = rapid.order(&cx(), &one_room()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status}: {error}");
        assert_eq!(wire.requests().len(), 1);
    }
}

#[tokio::test]
async fn nothing_is_sent_for_an_order_that_does_not_fit() {
    let mut alone = two_rooms();
    alone.travellers.truncate(2);
    let mut at_property = one_room();
    at_property.handle["details"]["payment"] = json!("at_property");
    for (order, kind) in [
        (alone, Kind::InvalidRequest),
        (at_property, Kind::NotSupported),
    ] {
        let (rapid, wire) = adapter(ScriptedWire::new(Vec::<(&str, u16, Vec<u8>)>::new()));
        let error = rapid.order(&cx(), &order).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (kind, Sent::No));
        assert!(wire.requests().is_empty());
    }
}

#[tokio::test]
async fn a_reference_that_rapid_knows_already_is_our_own_order() {
    let twice = bytes("errors/400_duplicate_itinerary.json");
    let list = json!([itinerary("booked")]).to_string().into_bytes();
    let script = vec![(BOOK, 400, twice.clone()), (FIND, 200, list)];
    let (rapid, _) = adapter(ScriptedWire::new(script));
    let placed = rapid.order(&cx(), &one_room()).await.unwrap();
    assert_eq!(placed.status, PlacedStatus::Confirmed);
    // It may not be shown yet: then it is unknown, not refused.
    let script = vec![(BOOK, 400, twice), (FIND, 200, b"[]".to_vec())];
    let (rapid, _) = adapter(ScriptedWire::new(script));
    let error = rapid.order(&cx(), &one_room()).await.unwrap_err();
    assert_eq!(error.kind, Kind::OutcomeUnknown);
}

#[tokio::test]
async fn a_held_order_is_resumed() {
    let found = itinerary("booked").to_string().into_bytes();
    let script = vec![
        (BOOK, 201, created_held()),
        (RESUME, 204, Vec::new()),
        (READ, 200, found),
    ];
    let (rapid, wire) = adapter_at(EARLY, true, ScriptedWire::new(script));
    let placed = rapid.order(&cx(), &one_room()).await.unwrap();
    assert_eq!(placed.status, PlacedStatus::Confirmed);
    let sent: Value = serde_json::from_slice(wire.requests()[0].body_bytes()).unwrap();
    assert_eq!(sent["hold"], true);
    assert_eq!(*wire.requests()[1].safety(), Safety::Unsafe);
}

/// Whatever becomes of the second step, the rooms are held.
#[tokio::test]
async fn a_held_order_whose_resuming_fails_is_unknown() {
    for (status, body) in [
        (202, Vec::new()),
        (400, bytes("errors/400_link_invalid.json")),
        (404, bytes("errors/404_resource_not_found.json")),
        (429, Vec::new()),
        (500, Vec::new()),
    ] {
        let script = vec![(BOOK, 201, created_held()), (RESUME, status, body)];
        let (rapid, wire) = adapter_at(EARLY, true, ScriptedWire::new(script));
        let error = rapid.order(&cx(), &one_room()).await.unwrap_err();
        assert_eq!(error.kind, Kind::OutcomeUnknown, "{status}");
        assert!(wire.unmet().is_empty());
    }
    let never_left = SupplierError::new(Kind::Unavailable, "no connection").with_sent(Sent::No);
    let wire = ScriptedWire::new(vec![(BOOK, 201, created_held())]).then_error(RESUME, never_left);
    let (rapid, _) = adapter_at(EARLY, true, wire);
    let error = rapid.order(&cx(), &one_room()).await.unwrap_err();
    assert_eq!(error.kind, Kind::OutcomeUnknown);
}

#[tokio::test]
async fn an_order_that_waits_for_a_challenge_is_pending() {
    let body = bytes("book/201_create_payment_challenged.json");
    let (rapid, _) = adapter(ScriptedWire::new(vec![(BOOK, 201, body)]));
    let placed = rapid.order(&cx(), &one_room()).await.unwrap();
    assert_eq!(placed.status, PlacedStatus::Pending);
}

#[tokio::test]
async fn a_lost_order_is_found_by_our_reference() {
    let mut others = itinerary("booked");
    others["affiliate_reference_id"] = json!("SOMEBODY");
    let mut bare = itinerary("booked");
    bare.as_object_mut()
        .unwrap()
        .remove("affiliate_reference_id");
    let waiting =
        json!({"itinerary_id": "8999989898988", "creation_date_time": "2026-01-01T00:00:00Z"});
    let both = json!([itinerary("canceled"), itinerary("booked")]);
    for (status, body, standing) in [
        (
            200,
            json!([itinerary("booked")]),
            Some(PlacedStatus::Confirmed),
        ),
        (200, itinerary("booked"), Some(PlacedStatus::Confirmed)),
        (
            206,
            json!([itinerary("booked")]),
            Some(PlacedStatus::Confirmed),
        ),
        (200, json!([bare]), Some(PlacedStatus::Confirmed)),
        (
            200,
            json!([itinerary("pending")]),
            Some(PlacedStatus::Pending),
        ),
        (
            200,
            json!([itinerary("canceled")]),
            Some(PlacedStatus::Cancelled),
        ),
        (200, json!([waiting]), Some(PlacedStatus::Pending)),
        (200, waiting, Some(PlacedStatus::Pending)),
        (200, both, Some(PlacedStatus::Confirmed)),
        (200, json!([others]), None),
        (200, json!([]), None),
    ] {
        let script = vec![(FIND, status, body.to_string())];
        let (rapid, wire) = adapter(ScriptedWire::new(script));
        let found = rapid
            .find_order(&cx(), &lookup(offer_of_two().handle))
            .await
            .unwrap();
        assert_eq!(found.map(|placed| placed.status), standing, "{body}");
        let asked = [
            ("affiliate_reference_id".to_owned(), OURS.to_owned()),
            ("email".to_owned(), "seller@example.com".to_owned()),
        ];
        assert_eq!(wire.requests()[0].query_pairs(), asked);
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_never_says_that_there_is_no_order() {
    let mut odd = itinerary("booked");
    odd["rooms"][0]["status"] = json!("dreaming");
    for body in [
        "".to_owned(),
        "<html>".to_owned(),
        "null".to_owned(),
        "7".to_owned(),
        r#"{"error": 1}"#.to_owned(),
        "[1]".to_owned(),
        json!([{"rooms": []}]).to_string(),
        json!([odd]).to_string(),
    ] {
        let (rapid, _) = adapter(ScriptedWire::new(vec![(FIND, 200, body.clone())]));
        let found = rapid
            .find_order(&cx(), &lookup(offer_of_two().handle))
            .await;
        assert_eq!(found.unwrap_err().kind, Kind::Protocol, "{body}");
    }
    let (rapid, _) = adapter(ScriptedWire::new(vec![(FIND, 503, "")]));
    assert!(
        rapid
            .find_order(&cx(), &lookup(offer_of_two().handle))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn odd_links_and_rooms_do_not_make_a_booked_itinerary_unreadable() {
    let order = lookup(one_room().handle);
    for (pointer, odd, status) in [
        ("/links", json!([]), PlacedStatus::Confirmed),
        ("/rooms/0/links", json!([]), PlacedStatus::Confirmed),
        ("/rooms/0/links", json!("none"), PlacedStatus::Confirmed),
        // A room that cannot be read is not decided.
        ("/rooms/0/status", json!(7), PlacedStatus::Pending),
        ("/rooms/0", json!("room"), PlacedStatus::Pending),
    ] {
        let mut found = itinerary("booked");
        *found.pointer_mut(pointer).unwrap() = odd.clone();
        let script = vec![(FIND, 200, json!([found]).to_string())];
        let (rapid, _) = adapter(ScriptedWire::new(script));
        let placed = rapid.find_order(&cx(), &order).await.unwrap().unwrap();
        assert_eq!(placed.status, status, "{pointer}: {odd}");
    }
    let mut made = example("book/201_create_without_hold_no_challenge.json");
    made["links"] = json!([]);
    let found = itinerary("booked").to_string();
    let (rapid, _) = adapter(ScriptedWire::new(vec![
        (BOOK, 201, made.to_string()),
        (READ, 200, found),
    ]));
    let placed = rapid.order(&cx(), &one_room()).await.unwrap();
    assert_eq!(placed.status, PlacedStatus::Confirmed);
}

#[tokio::test]
async fn an_order_that_is_still_held_is_resumed_again_and_looked_at() {
    let list = json!([held()]).to_string();
    let booked = itinerary("booked").to_string();
    let script = vec![
        (FIND, 200, list.clone()),
        (RESUME, 204, String::new()),
        (READ, 200, booked),
    ];
    let (rapid, wire) = adapter_at(EARLY, true, ScriptedWire::new(script));
    let found = rapid
        .find_order(&cx(), &lookup(offer_of_two().handle))
        .await
        .unwrap();
    let found = found.unwrap();
    assert_eq!(found.status, PlacedStatus::Confirmed);
    assert_eq!(found.total, money("702.00", "CAD"));
    assert_eq!(wire.requests()[1].query_pairs()[0].1, "resume");
    assert!(wire.unmet().is_empty());
    // As long as that cannot be seen, it is pending, and the next question comes later.
    for (status, looked) in [(202, None), (500, None), (404, None), (204, Some(404))] {
        let mut script = vec![(FIND, 200, list.clone()), (RESUME, status, String::new())];
        script.extend(looked.map(|status| (READ, status, String::new())));
        let (rapid, wire) = adapter_at(EARLY, true, ScriptedWire::new(script));
        let found = rapid
            .find_order(&cx(), &lookup(offer_of_two().handle))
            .await
            .unwrap();
        assert_eq!(found.unwrap().status, PlacedStatus::Pending, "{status}");
        assert!(wire.unmet().is_empty());
    }
}
