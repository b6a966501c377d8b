//! Searching and pricing, and the shapes that an offer may have.

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Blame, Safety, SupplierErrorKind as Kind};
use travel_types::WarningCode;
use vertical_kit::{Found, Searcher as _, Supplier as _, SupplierOffer};

use super::super::{map, wire};
use super::{adapter, bytes, recorded, recorded_offer};
use crate::FlightSearch;
use crate::model::{Cabin, FlightDetails, PassengerKind};
use testkit::adapters::{cx, money};

const CREATED: &str = r#"{"data":{"id":"orq_1","live_mode":false}}"#;

fn search() -> FlightSearch {
    FlightSearch {
        origin: "LON".to_owned(),
        destination: "NYC".to_owned(),
        departure_date: "2026-09-01".parse().unwrap(),
        return_date: Some("2026-09-08".parse().unwrap()),
        adults: 2,
        children: 1,
        infants: 1,
        cabin: Some(Cabin::PremiumEconomy),
        max_connections: Some(1),
    }
}

fn page(offers: &[Value], after: Option<&str>) -> String {
    json!({"data": offers, "meta": {"limit": 200, "before": null, "after": after}}).to_string()
}

fn named(id: &str) -> Value {
    let mut offer = recorded_offer();
    offer["id"] = json!(id);
    offer
}

fn ids(found: &Found) -> Vec<&str> {
    let offers = found.offers.iter();
    offers
        .map(|offer| offer.handle["offer_id"].as_str().unwrap())
        .collect()
}

#[test]
fn a_way_back_that_leaves_before_the_way_out_has_arrived_is_flagged() {
    let mut offer = recorded_offer();
    let out = offer["slices"][0].clone();
    offer["slices"] = json!([out, out]);
    let offer: wire::Offer = serde_json::from_value(offer).unwrap();
    let shown = map::offer(&offer).unwrap();
    let flagged = shown.warnings.iter().any(|warning| {
        warning.code == WarningCode::TimeInconsistent
            && warning.path.as_deref() == Some("details.slices[1].segments[0]")
            && warning.message.contains("before the flight before it")
    });
    assert!(flagged, "{:?}", shown.warnings);
}

#[tokio::test]
async fn a_search_reads_every_page_and_tells_what_it_leaves_out() {
    let odd = json!({"id": "off_odd", "total_amount": "1.005", "total_currency": "GBP"});
    let (duffel, wire) = adapter(ScriptedWire::new(vec![
        ("POST /air/offer_requests", 201, CREATED.to_owned()),
        ("GET /air/offers", 200, page(&[named("off_1")], Some("g2"))),
        (
            "GET /air/offers",
            200,
            page(&[named("off_2"), odd, json!(7), named("off_3")], Some("g3")),
        ),
        ("GET /air/offers", 200, page(&[named("off_4")], None)),
    ]));
    let found = duffel.search(&cx(), &search()).await.unwrap();
    assert_eq!(ids(&found), ["off_1", "off_2", "off_3", "off_4"]);
    assert_eq!(
        found.rejected,
        [
            "total: 1.005 is finer than GBP allows (2 digits)",
            "is not an offer as Duffel describes it"
        ]
    );
    assert!(wire.unmet().is_empty());
    let requests = wire.requests();
    let sent: Value = serde_json::from_slice(requests[0].body_bytes()).unwrap();
    assert_eq!(
        sent,
        json!({"data": {
            "slices": [
                {"origin": "LON", "destination": "NYC", "departure_date": "2026-09-01"},
                {"origin": "NYC", "destination": "LON", "departure_date": "2026-09-08"}
            ],
            "passengers": [
                {"type": "adult"}, {"type": "adult"}, {"type": "child"}, {"type": "infant_without_seat"}
            ],
            "cabin_class": "premium_economy",
            "max_connections": 1
        }})
    );
    assert_eq!(*requests[0].safety(), Safety::Safe);
    let query = |index: usize| -> Vec<(&str, &str)> {
        let pairs = requests[index].query_pairs().iter();
        pairs
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    };
    assert_eq!(query(0)[0], ("return_offers", "false"));
    let patience: u64 = query(0)[1].1.parse().unwrap();
    assert!((6_900..=7_000).contains(&patience), "{patience}");
    let first = [
        ("offer_request_id", "orq_1"),
        ("sort", "total_amount"),
        ("limit", "200"),
    ];
    assert_eq!(query(1), first);
    assert_eq!(query(3)[3], ("after", "g3"));
}

#[tokio::test]
async fn a_page_that_fails_keeps_the_pages_before_it() {
    for (status, body) in [(500, "{}"), (200, "{\"data\":[{\"id\""), (404, "{}")] {
        let (duffel, _) = adapter(ScriptedWire::new(vec![
            ("POST /air/offer_requests", 201, CREATED.to_owned()),
            ("GET /air/offers", 200, page(&[named("off_1")], Some("g2"))),
            ("GET /air/offers", status, body.to_owned()),
        ]));
        let found = duffel.search(&cx(), &search()).await.unwrap();
        assert_eq!(ids(&found), ["off_1"]);
        assert_eq!(
            found.rejected,
            ["a further page of offers could not be read"]
        );
    }
}

#[tokio::test]
async fn a_first_page_that_fails_fails_the_search() {
    for (status, body, kind) in [
        (503, "", Kind::Unavailable),
        (504, "{}", Kind::Timeout),
        (200, "<html>", Kind::Protocol),
        (429, "", Kind::RateLimited),
    ] {
        let (duffel, _) = adapter(ScriptedWire::new(vec![
            ("POST /air/offer_requests", 201, CREATED),
            ("GET /air/offers", status, body),
        ]));
        let error = duffel.search(&cx(), &search()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{body}");
    }
}

#[tokio::test]
async fn lists_are_read_empty_null_and_unwrapped_and_pages_end() {
    let bare = json!([named("off_1")]).to_string();
    let null = r#"{"data":null,"meta":null}"#.to_owned();
    for (body, count) in [(page(&[], None), 0), (null, 0), (bare, 1)] {
        let (duffel, _) = adapter(ScriptedWire::new(vec![
            ("POST /air/offer_requests", 201, CREATED.to_owned()),
            ("GET /air/offers", 200, body),
        ]));
        let found = duffel.search(&cx(), &search()).await.unwrap();
        assert_eq!((found.offers.len(), found.rejected.len()), (count, 0));
    }
    let endless = page(&[named("off_1")], Some("again"));
    let mut script = vec![("POST /air/offer_requests", 201, CREATED.to_owned())];
    script.extend((0..9).map(|_| ("GET /air/offers", 200, endless.clone())));
    let (duffel, wire) = adapter(ScriptedWire::new(script));
    let found = duffel.search(&cx(), &search()).await.unwrap();
    assert_eq!((found.offers.len(), wire.requests().len()), (5, 6));
}

#[tokio::test]
async fn offers_that_come_with_their_request_are_not_asked_for_again() {
    for (file, offers, rejected) in [
        ("offer_requests/create_with_offers.json", 68, 0),
        ("offer_requests/show.json", 0, 14),
    ] {
        let script = vec![("POST /air/offer_requests", 201, bytes(file))];
        let (duffel, wire) = adapter(ScriptedWire::new(script));
        let found = duffel.search(&cx(), &search()).await.unwrap();
        assert_eq!(
            (found.offers.len(), found.rejected.len()),
            (offers, rejected)
        );
        assert_eq!(wire.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_price_is_asked_for_by_id_and_each_refusal_is_told_apart() {
    let handle = json!({"offer_id": "off/1"});
    let script = vec![("GET /air/offers/off%2F1", 200, bytes("offers/show.json"))];
    let (duffel, wire) = adapter(ScriptedWire::new(script));
    let offer = duffel.price(&cx(), &handle).await.unwrap();
    assert_eq!(offer.total, money("351.30", "GBP"));
    assert!(wire.unmet().is_empty());
    let gone = r#"{"errors":[{"type":"invalid_state_error","code":"offer_no_longer_available","title":"Gone"}]}"#;
    for (status, body, kind, blame) in [
        (422, gone, Kind::OfferExpired, Blame::Supplier),
        (
            404,
            r#"{"errors":[{"code":"not_found"}]}"#,
            Kind::NotFound,
            Blame::Us,
        ),
        (504, "{}", Kind::Timeout, Blame::Supplier),
        (502, "<html>", Kind::Unavailable, Blame::Supplier),
        (403, "Forbidden", Kind::NotAuthorised, Blame::Us),
        (200, "{\"data\":{}}", Kind::Protocol, Blame::Supplier),
        (
            200,
            "{\"data\":{\"id\":\"off_1\"}}",
            Kind::Protocol,
            Blame::Supplier,
        ),
    ] {
        let (duffel, _) = adapter(ScriptedWire::new(vec![(
            "GET /air/offers/off_1",
            status,
            body,
        )]));
        let handle = json!({"offer_id": "off_1"});
        let error = duffel.price(&cx(), &handle).await.unwrap_err();
        assert_eq!((error.kind, error.blame), (kind, blame), "{status} {body}");
    }
    let (duffel, wire) = adapter(ScriptedWire::new(Vec::<(&str, u16, String)>::new()));
    let error = duffel.price(&cx(), &json!({})).await.unwrap_err();
    assert_eq!(error.kind, Kind::InvalidRequest);
    assert!(wire.requests().is_empty());
}

fn read(text: &str) -> Result<SupplierOffer, String> {
    let offer: wire::Offer = serde_json::from_str(text).map_err(|error| error.to_string())?;
    map::offer(&offer)
}

fn details(offer: &SupplierOffer) -> FlightDetails {
    serde_json::from_value(offer.details.clone()).unwrap()
}

/// The recorded offer with some fields in place of its own.
fn with(changes: Value) -> Result<SupplierOffer, String> {
    let mut offer = recorded_offer();
    for (key, value) in changes.as_object().unwrap() {
        offer[key] = value.clone();
    }
    read(&offer.to_string())
}

#[test]
fn an_amount_that_is_a_number_keeps_its_literal() {
    for (text, shown) in [
        ("20.10", Some("20.10")),
        ("90071992547409.93", Some("90071992547409.93")),
        ("1500", Some("1500.00")),
        ("1e3", None),
        ("20.105", None),
        ("-1", None),
        ("true", None),
        ("null", None),
        ("\"\"", None),
        ("[]", None),
    ] {
        let offer = recorded_offer().to_string();
        let offer = offer.replace("\"351.30\"", text);
        let total = read(&offer).ok().map(|offer| offer.total.amount());
        assert_eq!(total.as_deref(), shown, "{text}");
    }
}

#[test]
fn a_price_whose_parts_cannot_be_kept_says_so() {
    let codes = |changes| -> Vec<WarningCode> {
        let offer = with(changes).unwrap();
        offer.warnings.iter().map(|warning| warning.code).collect()
    };
    assert_eq!(
        codes(json!({"tax_amount": "40.31"})),
        [WarningCode::SumMismatch]
    );
    assert_eq!(
        codes(json!({"tax_amount": "40.305"})),
        [WarningCode::AmountPrecision]
    );
    assert_eq!(
        codes(json!({"tax_currency": "USD"})),
        [WarningCode::DataQuality]
    );
    assert_eq!(
        codes(json!({"base_amount": "about 300"})),
        [WarningCode::DataQuality]
    );
    assert_eq!(codes(json!({"tax_amount": null, "tax_currency": null})), []);
    assert_eq!(
        codes(json!({"base_amount": 311.00, "base_currency": null})),
        []
    );
}

#[test]
fn an_offer_of_the_second_version_is_read() {
    let offer = with(json!({
        "allowed_passenger_identity_document_types": null,
        "supported_passenger_identity_document_types": ["passport"],
        "passenger_identity_documents_required": true,
        "private_fares": [{"type": "corporate", "corporate_code": "X"}],
        "available_services": null, "total_emissions_kg": null, "owner": null, "partial": false,
        "conditions": {
            "refund_before_departure": {"allowed": true, "penalty_amount": 51.30, "penalty_currency": "GBP"},
            "change_before_departure": {"allowed": false, "penalty_amount": null, "penalty_currency": null}
        },
        "passengers": [
            {"id": "pas_1", "type": "adult", "fare_type": null},
            {"id": "pas_2", "age": 8, "type": null, "fare_type": "student"},
            {"id": "pas_3", "age": 1}, {"id": "pas_4", "age": 30, "fare_type": "contract_bulk"},
            {"id": "pas_5", "type": "infant_without_seat", "age": null}, {"id": "pas_6"}
        ]
    }))
    .unwrap();
    let kinds: Vec<PassengerKind> = details(&offer)
        .passengers
        .iter()
        .map(|one| one.kind)
        .collect();
    use PassengerKind::{Adult, Child, Infant};
    assert_eq!(kinds, [Adult, Child, Infant, Adult, Infant, Adult]);
    assert!(details(&offer).documents_required);
    assert_eq!(details(&offer).emissions_kg, None);
    assert_eq!(offer.conditions.changeable, Some(false));
    let term = &offer.conditions.cancellation.as_ref().unwrap()[0];
    assert_eq!(term.refund, money("300.00", "GBP"));
    assert_eq!(term.until.to_string(), "2022-05-22T18:15:00Z");
    // An airline that is not named is not made up.
    assert_eq!(offer.warnings.len(), 1);
    assert_eq!(offer.warnings[0].path.as_deref(), Some("details.airline"));
}

#[test]
fn a_flight_may_lack_all_that_merely_describes() {
    let mut offer = recorded_offer();
    offer["slices"] = json!([{
        "origin": {"type": "city", "iata_code": "NYC", "name": "New York", "time_zone": null, "latitude": null},
        "destination": null, "duration": null, "conditions": {},
        "segments": [{
            "origin": {"iata_code": "JFK", "latitude": "40.64", "longitude": 1e9, "city": {"name": "New York"}},
            "destination": {"iata_code": "LHR", "time_zone": "Europe/London", "city": null, "airports": null},
            "departing_at": "2026-09-01T22:00:00", "arriving_at": "2026-09-02T10:05", "duration": null,
            "distance": 5541, "origin_terminal": 4, "destination_terminal": null, "aircraft": null,
            "marketing_carrier": {"iata_code": "ZZ"}, "marketing_carrier_flight_number": 6586,
            "operating_carrier": null, "passengers": null,
            "stops": [{"airport": {"iata_code": "SNN"}, "duration": "PT1H"}], "media": []
        }]
    }]);
    let read = read(&offer.to_string()).unwrap();
    assert!(read.warnings.is_empty(), "{:?}", read.warnings);
    let details = details(&read);
    let slice = &details.slices[0];
    assert_eq!(
        (slice.origin.kind.as_str(), slice.origin.iata_code.as_str()),
        ("city", "NYC")
    );
    assert_eq!(slice.destination.iata_code, "LHR");
    let flight = &slice.segments[0];
    assert_eq!(
        flight.departure.time.utc().to_string(),
        "2026-09-02T02:00:00Z"
    );
    assert_eq!(flight.departure.place.city, "New York");
    assert!((flight.departure.place.latitude - 40.64).abs() < 1e-9);
    assert!((flight.departure.place.longitude + 73.78).abs() < 0.1);
    assert_eq!(flight.departure.terminal.as_deref(), Some("4"));
    assert_eq!(flight.flight_number.as_deref(), Some("6586"));
    assert_eq!(flight.distance_km, Some(5541.0));
    assert_eq!((flight.cabin, flight.baggage.len()), (None, 0));
}

#[test]
fn what_cannot_be_shown_truthfully_is_refused_with_its_reason() {
    let flight = |key: &str, value: Value| {
        let mut slices = recorded_offer()["slices"].take();
        slices[0]["segments"][1][key] = value;
        with(json!({"slices": slices})).map(|_| ()).unwrap_err()
    };
    assert_eq!(
        flight("departing_at", Value::Null),
        "a flight without its time of departure"
    );
    assert_eq!(flight("origin", Value::Null), "a flight without an airport");
    assert_eq!(
        flight("origin", json!({"name": "X"})),
        "a place has no IATA code"
    );
    let nowhere = json!({"iata_code": "Q?Q", "time_zone": "Europe/London"});
    assert_eq!(flight("origin", nowhere), "the position of Q?Q is unknown");
    let reason = flight("arriving_at", json!("2022-05-22T17:00:00Z"));
    assert!(reason.contains("is not a local date and time"), "{reason}");
    let reason = flight("marketing_carrier", Value::Null);
    assert_eq!(
        reason,
        "a flight without the airline whose flight number it has"
    );
    let refused = |changes| with(changes).map(|_| ()).unwrap_err();
    assert_eq!(
        refused(json!({"total_amount": null})),
        "total_amount is missing"
    );
    assert_eq!(
        refused(json!({"total_currency": null})),
        "total_currency is missing"
    );
    assert_eq!(
        refused(json!({"slices": null})),
        "a journey without flights"
    );
    assert_eq!(
        refused(json!({"slices": [{"segments": []}]})),
        "a journey without flights"
    );
    assert_eq!(
        refused(json!({"expires_at": "soon"})),
        "expires_at is not an instant"
    );
    assert_eq!(
        refused(json!({"total_amount": "-1"})),
        "the total is below zero"
    );
}

#[test]
fn bags_and_durations_that_cannot_be_read_are_flagged() {
    let mut slices = recorded("offers/show.json")["data"]["slices"].take();
    slices[0]["duration"] = json!("a while");
    let bags =
        json!([{"type": "checked", "quantity": "2"}, {"type": "checked", "quantity": "a few"}]);
    slices[0]["segments"][0]["passengers"][0]["baggages"] = bags;
    let offer = with(json!({"slices": slices})).unwrap();
    let paths: Vec<&str> = offer
        .warnings
        .iter()
        .filter_map(|one| one.path.as_deref())
        .collect();
    assert_eq!(
        paths,
        ["details.slices[0].segments[0].baggage", "details.slices[0]"]
    );
    let details = details(&offer);
    assert_eq!(details.slices[0].segments[0].baggage[0].quantity, Some(2));
    assert_eq!(details.slices[0].segments[0].baggage.len(), 1);
}

#[test]
fn bags_of_another_kind_than_documented_never_lose_the_offer() {
    for odd in [
        json!({}),
        json!("two"),
        json!([7, {"type": "checked", "quantity": 1}]),
    ] {
        let mut slices = recorded_offer()["slices"].take();
        slices[0]["segments"][0]["passengers"][0]["baggages"] = odd.clone();
        let offer = with(json!({"slices": slices})).unwrap();
        let paths = offer.warnings.iter().filter_map(|one| one.path.as_deref());
        assert_eq!(
            paths.collect::<Vec<_>>(),
            ["details.slices[0].segments[0].baggage"],
            "{odd}"
        );
        let bags = &details(&offer).slices[0].segments[0].baggage;
        assert_eq!(bags.len(), usize::from(odd.is_array()));
    }
}

#[test]
fn cabin_and_bags_are_an_adults_whoever_stands_first() {
    let passenger = |id: &str, cabin: &str, bags: Value| json!({"passenger_id": id, "cabin_class": cabin, "baggages": bags});
    let bags = |quantity: u32| json!([{"type": "checked", "quantity": quantity}]);
    let none = json!([{"type": "carry_on", "quantity": "1"}, {"type": "checked", "quantity": 0}]);
    for (adult, cabin, count) in [("pas_2", Cabin::Business, 2), ("pas_9", Cabin::Economy, 1)] {
        let mut slices = recorded_offer()["slices"].take();
        slices[0]["segments"][0]["passengers"] = json!([
            passenger("pas_1", "economy", none.clone()),
            passenger("pas_2", "business", bags(2))
        ]);
        let people =
            json!([{"id": "pas_1", "type": "infant_without_seat"}, {"id": adult, "type": "adult"}]);
        let offer = with(json!({"slices": slices, "passengers": people})).unwrap();
        let flight = &details(&offer).slices[0].segments[0];
        assert_eq!(flight.cabin, Some(cabin));
        // No bag is no entry, and no doubt.
        assert_eq!(flight.baggage.len(), 1);
        assert_eq!(flight.baggage[0].quantity, Some(count));
        assert!(!offer.warnings.iter().any(|one| {
            one.path
                .as_deref()
                .is_some_and(|path| path.ends_with("baggage"))
        }));
    }
}
