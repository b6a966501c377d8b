//! Ordering, and looking for a lost order.

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Safety, Sent, SupplierError, SupplierErrorKind as Kind};
use travel_types::{OrderId, Traveller};
use vertical_kit::{OrderRequest, PlacedOrder, PlacedStatus, Supplier as _};

use super::{
    BOOK, CHECK, DETAIL, adapter, answer, booking, bytes, cx, found, guests, handle, london,
    lookup, money, rate, reference, refusal, silent,
};
use crate::HotelDetails;

const LIST: &str = "GET /hotel-api/1.0/bookings";

fn traveller(given_name: &str, born_on: &str) -> Traveller {
    let person = json!({"given_name": given_name, "family_name": "Earhart", "born_on": born_on});
    serde_json::from_value(person).unwrap()
}

fn order(reference: OrderId, handle: Value) -> OrderRequest {
    let contact = json!({"email": "a@example.com", "phone": "+442080160509"});
    OrderRequest {
        reference,
        handle,
        total: money("212.40", "EUR"),
        travellers: vec![traveller("Amelia", "1987-07-24")],
        contact: serde_json::from_value(contact).unwrap(),
    }
}

#[tokio::test]
async fn an_order_names_every_guest_in_his_room_and_our_reference() {
    let search = london(vec![guests(1, &[]), guests(2, &[5]), guests(1, &[])]);
    let body = answer(&[
        rate(json!({"rateKey": "single", "net": 100, "rooms": 2})),
        rate(
            json!({"rateKey": "family", "net": "112.40", "adults": 2, "children": 1, "childrenAges": "5"}),
        ),
    ]);
    let mut offers = found(&search, body.to_string()).await.offers;
    let reference = reference();
    let mut request = order(reference, offers.remove(0).handle);
    request.travellers = vec![
        traveller("Child", "2018-12-24"),
        traveller(&"Long".repeat(20), "1987-07-24"),
        traveller("Second", "2006-04-02"),
        traveller("Third", "1950-01-01"),
        traveller("Fourth", "1951-01-01"),
    ];
    let script = vec![(BOOK, 200, booking(reference, json!({})).to_string())];
    let (hotelbeds, wire) = adapter(ScriptedWire::new(script));
    let placed = hotelbeds.order(&cx(), &request).await.unwrap();
    assert_eq!(placed.status, PlacedStatus::Confirmed);
    assert_eq!(placed.supplier_reference, "207-12306403");
    assert_eq!(placed.total, money("212.40", "EUR"));
    assert_eq!(placed.handle, json!({"reference": "207-12306403"}));
    let details: HotelDetails = serde_json::from_value(placed.details.unwrap()).unwrap();
    assert_eq!((details.rooms.len(), details.due_at_property.len()), (3, 1));
    let sent: Value = serde_json::from_slice(wire.requests()[0].body_bytes()).unwrap();
    let adult = |room: u32, name: &str| json!({"roomId": room, "type": "AD", "name": name, "surname": "Earhart"});
    let long = "Long".repeat(20)[..50].to_owned();
    assert_eq!(
        sent,
        json!({
            "holder": {"name": long, "surname": "Earhart"},
            "rooms": [
                {"rateKey": "single", "paxes": [adult(1, &long), adult(2, "Fourth")]},
                {"rateKey": "family", "paxes": [adult(1, "Second"), adult(1, "Third"),
                    {"roomId": 1, "type": "CH", "age": 5, "name": "Child", "surname": "Earhart"}]}
            ],
            "clientReference": reference.compact(20),
            "tolerance": "0.00",
            "language": "ENG"
        })
    );
    assert_eq!(*wire.requests()[0].safety(), Safety::Unsafe);
}

#[tokio::test]
async fn travellers_that_do_not_fit_the_offer_are_refused_before_anything_is_sent() {
    let plain = handle(json!({})).await;
    let with_child = handle(json!({"children": 1, "childrenAges": "5"})).await;
    let adult = traveller("Amelia", "1987-07-24");
    for (handle, travellers) in [
        (&plain, vec![]),
        (&plain, vec![traveller("Child", "2018-12-24")]),
        (&plain, vec![adult.clone(), adult.clone()]),
        (
            &plain,
            vec![adult.clone(), traveller("Child", "2018-12-24")],
        ),
        (
            &with_child,
            vec![adult.clone(), traveller("Child", "2016-12-24")],
        ),
    ] {
        let (hotelbeds, wire) = adapter(silent());
        let mut request = order(reference(), handle.clone());
        request.travellers = travellers;
        let error = hotelbeds.order(&cx(), &request).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (Kind::InvalidRequest, Sent::No));
        assert!(wire.requests().is_empty());
    }
}

#[tokio::test]
async fn guests_who_are_not_named_are_sent_without_a_name_and_every_room_has_its_adult() {
    let search = london(vec![guests(2, &[]), guests(2, &[5])]);
    let body = answer(&[
        rate(json!({"rateKey": "couple", "net": 100, "adults": 2})),
        rate(
            json!({"rateKey": "family", "net": "112.40", "adults": 2, "children": 1, "childrenAges": "5"}),
        ),
    ]);
    let mut offers = found(&search, body.to_string()).await.offers;
    let own = reference();
    let mut request = order(own, offers.remove(0).handle);
    request.travellers.push(traveller("Second", "1987-07-24"));
    let script = vec![(BOOK, 200, booking(own, json!({})).to_string())];
    let (hotelbeds, wire) = adapter(ScriptedWire::new(script));
    hotelbeds.order(&cx(), &request).await.unwrap();
    let sent: Value = serde_json::from_slice(wire.requests()[0].body_bytes()).unwrap();
    let adult = |name: &str| json!({"roomId": 1, "type": "AD", "name": name, "surname": "Earhart"});
    let unnamed = json!({"roomId": 1, "type": "AD"});
    assert_eq!(sent["rooms"][0]["paxes"], json!([adult("Amelia"), unnamed]));
    assert_eq!(
        sent["rooms"][1]["paxes"],
        json!([adult("Second"), unnamed, {"roomId": 1, "type": "CH", "age": 5}])
    );
    request.travellers.pop();
    let error = hotelbeds.order(&cx(), &request).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (Kind::InvalidRequest, Sent::No));
}

async fn answered(status: u16, body: String) -> Result<PlacedOrder, SupplierError> {
    let (hotelbeds, _) = adapter(ScriptedWire::new(vec![(BOOK, status, body)]));
    let handle = handle(json!({})).await;
    hotelbeds.order(&cx(), &order(reference(), handle)).await
}

#[tokio::test]
async fn a_refusal_is_told_apart_from_an_outcome_that_is_open() {
    let changed = String::from_utf8(bytes("spec_price_changed.json")).unwrap();
    for (status, body, kind) in [
        (500, changed, Kind::PriceChanged),
        (
            500,
            refusal("PRODUCT_ERROR", "Allotment exceeded"),
            Kind::SoldOut,
        ),
        (
            400,
            refusal("PRODUCT_ERROR", "Insufficient allotment."),
            Kind::SoldOut,
        ),
        (
            400,
            refusal("PRODUCT_ERROR", "There's a stop sales for the date/s"),
            Kind::SoldOut,
        ),
        (
            500,
            refusal("PRODUCT_ERROR", "Price has increased"),
            Kind::PriceChanged,
        ),
        (
            500,
            refusal("PRODUCT_ERROR", "Contract is closed"),
            Kind::Refused,
        ),
        (
            410,
            refusal("INVALID_DATA", "Allotment exceeded"),
            Kind::SoldOut,
        ),
        (
            400,
            refusal("INVALID_DATA", "The rate key is no longer valid"),
            Kind::OfferExpired,
        ),
        (
            400,
            refusal("INVALID_REQUEST", "holder must not be null"),
            Kind::InvalidRequest,
        ),
        (200, refusal("PRODUCT_ERROR", "Stop sales"), Kind::SoldOut),
        (
            401,
            r#"{"error":"Request signature verification failed"}"#.to_owned(),
            Kind::NotAuthorised,
        ),
        (
            403,
            r#"{"error":"Quota exceeded"}"#.to_owned(),
            Kind::RateLimited,
        ),
        (402, String::new(), Kind::PaymentRefused),
        (400, "<html>".to_owned(), Kind::InvalidRequest),
        // Class and status say that nothing was booked.
        (
            400,
            refusal(
                "PRODUCT_ERROR",
                "Booking confirmation error, please do not retry again",
            ),
            Kind::Refused,
        ),
        // Nobody knows.
        (
            500,
            refusal("PRODUCT_ERROR", "Booking confirmation error 207-12306403"),
            Kind::OutcomeUnknown,
        ),
        (
            500,
            refusal("PRODUCT_ERROR", "No answer, please do not retry again"),
            Kind::OutcomeUnknown,
        ),
        (
            409,
            refusal("PRODUCT_ERROR", "Booking confirmation error 207-12306403"),
            Kind::OutcomeUnknown,
        ),
        (
            500,
            refusal("PRODUCT_ERROR", "Something else"),
            Kind::OutcomeUnknown,
        ),
        (
            500,
            refusal("SYSTEM_ERROR", "Internal error"),
            Kind::OutcomeUnknown,
        ),
        (
            400,
            refusal("SYSTEM_ERROR", "Internal error"),
            Kind::OutcomeUnknown,
        ),
        (409, String::new(), Kind::OutcomeUnknown),
        (502, "<html>".to_owned(), Kind::OutcomeUnknown),
        (503, "no healthy upstream".to_owned(), Kind::OutcomeUnknown),
        (504, String::new(), Kind::OutcomeUnknown),
        (200, String::new(), Kind::OutcomeUnknown),
        (200, "<html>".to_owned(), Kind::OutcomeUnknown),
        (200, r#"{"auditData":{}}"#.to_owned(), Kind::OutcomeUnknown),
        (
            200,
            r#"{"booking":{"status":"CONFIRMED"}}"#.to_owned(),
            Kind::OutcomeUnknown,
        ),
        (202, String::new(), Kind::OutcomeUnknown),
    ] {
        let error = answered(status, body.clone()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {body}");
    }
}

#[tokio::test]
async fn a_booking_that_is_odd_is_unknown_and_one_that_is_not_confirmed_is_pending() {
    let own = reference();
    let foreign = booking(own, json!({"clientReference": "SOMEBODYELSES"}));
    let error = answered(200, foreign.to_string()).await.unwrap_err();
    assert_eq!(error.kind, Kind::OutcomeUnknown);
    for (changes, status) in [
        // What was agreed to stands where the price cannot be read.
        (json!({"currency": "XXX"}), PlacedStatus::Confirmed),
        (json!({"totalNet": "a lot"}), PlacedStatus::Confirmed),
        (json!({"totalNet": "212.405"}), PlacedStatus::Confirmed),
        (
            json!({"totalNet": {}, "currency": null, "hotel": null}),
            PlacedStatus::Confirmed,
        ),
        (json!({"clientReference": null}), PlacedStatus::Confirmed),
        (
            json!({"clientReference": own.compact(20).to_lowercase()}),
            PlacedStatus::Confirmed,
        ),
        (json!({"hotel": 7}), PlacedStatus::Confirmed),
        (json!({"totalNet": null}), PlacedStatus::Confirmed),
        (json!({"status": "PRECONFIRMED"}), PlacedStatus::Pending),
        (json!({"status": null}), PlacedStatus::Pending),
        (
            json!({"status": "CANCELLED", "totalNet": 0}),
            PlacedStatus::Cancelled,
        ),
    ] {
        let (hotelbeds, _) = adapter(ScriptedWire::new(vec![(
            BOOK,
            200,
            booking(own, changes.clone()).to_string(),
        )]));
        let request = order(own, handle(json!({})).await);
        let placed = hotelbeds.order(&cx(), &request).await.unwrap();
        assert_eq!(placed.status, status, "{changes}");
        assert_eq!(placed.total, money("212.40", "EUR"), "{changes}");
    }
}

#[tokio::test]
async fn a_rate_that_was_never_checked_is_checked_before_it_is_booked_at_its_price() {
    let own = reference();
    let recheck = handle(json!({"rateType": "RECHECK"})).await;
    let checked = |net: &str, extra: Value| {
        let mut body =
            json!({"hotel": answer(&[rate(json!({"net": net}))])["hotels"]["hotels"][0]});
        for (key, value) in extra.as_object().unwrap() {
            body["hotel"][key] = value.clone();
        }
        body.to_string()
    };
    let (hotelbeds, wire) = adapter(ScriptedWire::new(vec![
        (CHECK, 200, checked("212.40", json!({}))),
        (BOOK, 200, booking(own, json!({})).to_string()),
        (CHECK, 200, checked("212.41", json!({}))),
        (
            CHECK,
            200,
            checked("212.40", json!({"paymentDataRequired": true})),
        ),
    ]));
    let request = order(own, recheck);
    hotelbeds.order(&cx(), &request).await.unwrap();
    let dearer = hotelbeds.order(&cx(), &request).await.unwrap_err();
    assert_eq!(dearer.kind, Kind::PriceChanged);
    let card = hotelbeds.order(&cx(), &request).await.unwrap_err();
    assert_eq!(card.kind, Kind::NotSupported);
    assert!(wire.unmet().is_empty());
    let mut cheaper = order(own, handle(json!({})).await);
    cheaper.total = money("212.39", "EUR");
    let error = hotelbeds.order(&cx(), &cheaper).await.unwrap_err();
    assert_eq!(error.kind, Kind::PriceChanged);
}

fn list(entries: &[Value], total: usize) -> String {
    json!({"auditData": {}, "bookings": {"bookings": entries, "from": 1, "to": 100, "total": total}})
        .to_string()
}

#[tokio::test]
async fn a_lost_order_is_found_by_our_reference_among_the_days_bookings() {
    let own = reference();
    let offer = handle(json!({})).await;
    let ours = json!({"reference": "207-12306403", "clientReference": own.compact(20), "status": "CONFIRMED"});
    let other = json!({"reference": "1-1", "clientReference": "AgencyTest01"});
    let gone =
        json!({"reference": "1-2", "clientReference": own.compact(20), "status": "CANCELLED"});
    let detail = || booking(own, json!({})).to_string();
    let (hotelbeds, wire) = adapter(ScriptedWire::new(vec![
        (LIST, 200, list(&[other.clone(), gone, ours.clone()], 3)),
        (DETAIL, 200, detail()),
        (LIST, 200, list(std::slice::from_ref(&other), 2)),
        (LIST, 200, list(&[ours], 2)),
        (DETAIL, 200, detail()),
        (DETAIL, 200, detail()),
    ]));
    let order = lookup(own, offer.clone());
    for _ in 0..2 {
        let placed = hotelbeds.find_order(&cx(), &order).await.unwrap().unwrap();
        assert_eq!(placed.status, PlacedStatus::Confirmed);
        assert_eq!(placed.supplier_reference, "207-12306403");
        assert!(placed.details.is_some());
    }
    let known = lookup(own, json!({"reference": "207-12306403"}));
    let placed = hotelbeds.find_order(&cx(), &known).await.unwrap().unwrap();
    assert_eq!(
        (placed.total, placed.details),
        (money("212.40", "EUR"), None)
    );
    assert!(wire.unmet().is_empty());
    let query: Vec<String> = wire.requests()[0]
        .query_pairs()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let reference = format!("clientReference={}", own.compact(20));
    assert_eq!(
        query,
        [
            "filterType=CREATION",
            "status=ALL",
            &reference,
            "start=2024-02-22",
            "end=2024-02-25",
            "from=1",
            "to=100"
        ]
    );
    assert_eq!(wire.requests()[3].query_pairs()[5].1, "2");
    for none in [
        list(&[], 0),
        list(&[other], 1),
        r#"{"auditData":{},"bookings":{"total":0}}"#.to_owned(),
        r#"{"auditData":{},"bookings":{"bookings":null,"total":"0"}}"#.to_owned(),
        String::from_utf8(bytes("spec_booking_list.json"))
            .unwrap()
            .replace("603", "5"),
    ] {
        let (hotelbeds, _) = adapter(ScriptedWire::new(vec![(LIST, 200, none)]));
        assert_eq!(hotelbeds.find_order(&cx(), &order).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_booking_that_names_no_reference_may_be_ours() {
    let own = reference();
    let order = lookup(own, handle(json!({})).await);
    let nameless = json!({"reference": "1-1", "clientReference": null, "status": "CONFIRMED"});
    let gone =
        json!({"reference": "1-2", "clientReference": own.compact(20), "status": "CANCELLED"});
    for entries in [vec![nameless.clone()], vec![gone, nameless.clone()]] {
        let body = list(&entries, entries.len());
        let (hotelbeds, _) = adapter(ScriptedWire::new(vec![(LIST, 200, body)]));
        let error = hotelbeds.find_order(&cx(), &order).await.unwrap_err();
        assert_eq!(error.kind, Kind::Protocol);
    }
    let ours = json!({"reference": "207-12306403", "clientReference": own.compact(20)});
    let (hotelbeds, _) = adapter(ScriptedWire::new(vec![
        (LIST, 200, list(&[nameless, ours], 2)),
        (DETAIL, 200, booking(own, json!({})).to_string()),
    ]));
    let placed = hotelbeds.find_order(&cx(), &order).await.unwrap().unwrap();
    assert_eq!(placed.status, PlacedStatus::Confirmed);
}

#[tokio::test]
async fn a_look_up_that_cannot_be_read_is_not_told_as_absent() {
    let own = reference();
    let order = lookup(own, handle(json!({})).await);
    let other = json!({"reference": "1-1", "clientReference": "AgencyTest01"});
    for (status, body) in [
        (200, list(&[json!(7)], 1)),
        (200, list(&[json!({"clientReference": "x"})], 1)),
        (
            200,
            list(&[json!({"reference": "1-1", "clientReference": {}})], 1),
        ),
        (
            200,
            r#"{"auditData":{},"bookings":{"bookings":[]}}"#.to_owned(),
        ),
        (200, r#"{"auditData":{}}"#.to_owned()),
        (200, "<html>".to_owned()),
        (200, refusal("SYSTEM_ERROR", "Internal error")),
        (404, String::new()),
        (500, String::new()),
    ] {
        let (hotelbeds, _) = adapter(ScriptedWire::new(vec![(LIST, status, body.clone())]));
        let error = hotelbeds.find_order(&cx(), &order).await.unwrap_err();
        assert_ne!(
            error.kind,
            Kind::OutcomeUnknown,
            "asking changes nothing: {body}"
        );
    }
    // A list that counts more than it shows, and one without an end.
    for (pages, entries) in [(2, vec![]), (5, vec![other])] {
        let mut script = vec![(LIST, 200, list(&[json!({"reference": "1-1"})], 900))];
        script.extend((1..pages).map(|_| (LIST, 200, list(&entries, 900))));
        let (hotelbeds, wire) = adapter(ScriptedWire::new(script));
        let error = hotelbeds.find_order(&cx(), &order).await.unwrap_err();
        assert_eq!(error.kind, Kind::Protocol);
        assert!(wire.unmet().is_empty());
    }
    // The detail is what counts.
    let ours = json!({"reference": "207-12306403", "clientReference": own.compact(20)});
    for detail in [
        booking(own, json!({"clientReference": "ANOTHER"})).to_string(),
        "{}".to_owned(),
    ] {
        let script = vec![
            (LIST, 200, list(std::slice::from_ref(&ours), 1)),
            (DETAIL, 200, detail),
        ];
        let (hotelbeds, _) = adapter(ScriptedWire::new(script));
        let error = hotelbeds.find_order(&cx(), &order).await.unwrap_err();
        assert_eq!(error.kind, Kind::Protocol);
    }
}
