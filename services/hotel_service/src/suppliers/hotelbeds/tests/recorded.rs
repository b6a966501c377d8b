//! The recorded bodies and the specification's own examples.

use jiff::Timestamp;
use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Signable, Signer as _};
use travel_types::Money;
use vertical_kit::{PlacedStatus, Searcher as _, Supplier as _, SupplierOffer};

use super::super::{bookings, sign, wire};
use super::{
    CHECK, SEARCH, adapter, bytes, cx, details, found, guests, handle, london, money, recorded,
};
use crate::{Board, PaymentTime};

fn schedule(offer: &SupplierOffer) -> Vec<(String, String)> {
    let terms = offer.conditions.cancellation.iter().flatten();
    terms
        .map(|term| (term.until.to_string(), term.refund.amount()))
        .collect()
}

fn terms(terms: &[(&str, &str)]) -> Vec<(String, String)> {
    terms
        .iter()
        .map(|(until, refund)| ((*until).to_owned(), (*refund).to_owned()))
        .collect()
}

/// SHA-256 of `hotelbeds_sandbox` + `hotelbeds_sandbox_secret` + `1708720245`, by another program.
#[test]
fn a_call_is_signed_with_key_secret_and_second() {
    let account = sign::Account {
        key: "hotelbeds_sandbox".to_owned(),
        secret: "hotelbeds_sandbox_secret".into(),
    };
    let headers = account
        .sign(&Signable {
            method: &http::Method::POST,
            target: "/hotel-api/1.0/hotels",
            body: b"{}",
            now: Timestamp::from_millisecond(1_708_720_245_999).unwrap(),
        })
        .unwrap();
    assert_eq!(headers["api-key"], "hotelbeds_sandbox");
    assert_eq!(
        headers["x-signature"],
        "f66604f5d48d6f7980c187f1ff4b2efc4586444e4af30e8325c4a61f5e2aa7b3"
    );
    let broken = sign::Account {
        key: "key\n".to_owned(),
        secret: "s3cret".into(),
    };
    let request = Signable {
        method: &http::Method::GET,
        target: "/",
        body: b"",
        now: Timestamp::UNIX_EPOCH,
    };
    assert!(
        !broken
            .sign(&request)
            .unwrap_err()
            .to_string()
            .contains("s3cret")
    );
}

#[tokio::test]
async fn every_recorded_rate_is_an_offer_at_its_net_price() {
    let found = found(&london(vec![guests(1, &[])]), bytes("availability.json")).await;
    assert_eq!((found.offers.len(), found.rejected.len()), (19, 0));
    let body = recorded("availability.json");
    let stated = body["hotels"]["hotels"][0]["rooms"].as_array().unwrap();
    let stated = stated
        .iter()
        .flat_map(|room| room["rates"].as_array().unwrap());
    for (offer, rate) in found.offers.iter().zip(stated) {
        assert_eq!(offer.total, money(&rate["net"].to_string(), "EUR"));
        assert!(offer.warnings.is_empty(), "{:?}", offer.warnings);
        assert_eq!((offer.base, offer.taxes), (None, None));
        assert_eq!(
            offer.expires_at.unwrap().to_string(),
            "2024-02-23T20:55:45Z"
        );
    }
    let offer = &found.offers[0];
    assert_eq!(offer.total, money("212.40", "EUR"));
    // The policy of the non-refundable rate lies before the day of the search.
    assert_eq!(schedule(offer), terms(&[("2024-04-02T22:59:59Z", "0.00")]));
    let shown = details(offer);
    assert_eq!(shown.property.id, "");
    assert_eq!(shown.property.supplier_code, "6619");
    assert_eq!(shown.property.name, "Millennium Hotel London Knightsbridge");
    assert_eq!(shown.property.stars, Some(4.0));
    let far = shown.property.distance_km.unwrap();
    assert!((2.0..3.0).contains(&far));
    assert_eq!(far, (far * 1000.0).round() / 1000.0);
    assert_eq!((shown.nights, shown.board), (1, Board::RoomOnly));
    assert_eq!(shown.rooms.len(), 1);
    assert_eq!(shown.rooms[0].name, "standard room");
    assert_eq!(shown.rooms[0].code.as_deref(), Some("DBL.ST"));
    assert_eq!(shown.rooms[0].guests, guests(1, &[]));
    assert_eq!(shown.rate_name.as_deref(), Some("Non-refundable rate"));
    assert_eq!(shown.rooms_left, Some(115));
    assert_eq!(shown.payment, PaymentTime::Now);
    let flexible = &found.offers[1];
    assert_eq!(
        schedule(flexible),
        terms(&[
            ("2024-04-01T13:00:00Z", "236.01"),
            ("2024-04-02T22:59:59Z", "0.00")
        ])
    );
}

/// Numbers as texts, texts as numbers where they are some, lists as texts.
fn drifted(value: &mut Value) {
    match value {
        Value::Number(number) => *value = Value::String(number.to_string()),
        Value::String(text) if text.parse::<f64>().is_ok() => {
            *value = serde_json::from_str(text).unwrap();
        }
        Value::Array(entries) if entries.first().is_some_and(Value::is_string) => {
            *value = json!("[a, b]");
        }
        Value::Array(entries) => entries.iter_mut().for_each(drifted),
        Value::Object(fields) => fields.values_mut().for_each(drifted),
        _ => {}
    }
}

#[tokio::test]
async fn types_that_drift_change_nothing() {
    let search = london(vec![guests(1, &[])]);
    let plain = found(&search, bytes("availability.json")).await;
    let mut body = recorded("availability.json");
    drifted(&mut body);
    let other = found(&search, body.to_string()).await;
    assert_eq!(plain, other);
    let mut booking = recorded("booking.json");
    let read = |body: &Value| serde_json::from_value::<wire::BookingAnswer>(body.clone()).unwrap();
    let paid = money("1.00", "GBP");
    let plain = bookings::placed(&read(&booking).booking, paid);
    drifted(&mut booking);
    assert_eq!(bookings::placed(&read(&booking).booking, paid), plain);
}

#[tokio::test]
async fn a_checked_rate_brings_comments_and_policies() {
    let recheck = handle(json!({"rateType": "RECHECK", "net": "280.72"})).await;
    let script = vec![(CHECK, 200, bytes("checkrates.json"))];
    let (hotelbeds, wire) = adapter(ScriptedWire::new(script));
    let offer = hotelbeds.price(&cx(), &recheck).await.unwrap();
    assert_eq!(offer.total, money("280.72", "EUR"));
    assert_eq!(
        schedule(&offer),
        terms(&[
            ("2024-04-01T13:00:00Z", "280.72"),
            ("2024-04-02T22:59:59Z", "0.00")
        ])
    );
    assert_eq!(offer.conditions.changeable, Some(true));
    let shown = details(&offer);
    assert_eq!(shown.board, Board::Breakfast);
    assert!(shown.remarks[0].starts_with("Children policy"));
    let sent: Value = serde_json::from_slice(wire.requests()[0].body_bytes()).unwrap();
    assert_eq!(
        sent,
        json!({"rooms": [{"rateKey": "key"}], "language": "ENG"})
    );
    // It is checked now: to be asked for again, Hotelbeds is not.
    let (hotelbeds, wire) = adapter(super::silent());
    let again = hotelbeds.price(&cx(), &offer.handle).await.unwrap();
    assert_eq!(again, offer);
    assert!(wire.requests().is_empty());
}

#[tokio::test]
async fn the_recorded_booking_is_an_order_with_its_local_taxes_as_words() {
    let body: wire::BookingAnswer = serde_json::from_slice(&bytes("booking.json")).unwrap();
    let placed = bookings::placed(&body.booking, money("1.00", "GBP"));
    assert_eq!(placed.status, PlacedStatus::Confirmed);
    assert_eq!(placed.supplier_reference, "207-12306403");
    assert_eq!(placed.total, money("899.23", "GBP"));
    assert_eq!(placed.handle, json!({"reference": "207-12306403"}));
    let stay = serde_json::from_value(handle(json!({})).await).unwrap();
    let told = bookings::details(&body.booking, &stay).unwrap();
    let told: crate::HotelDetails = serde_json::from_value(told).unwrap();
    let [charge] = &told.due_at_property[..] else {
        panic!("{:?}", told.due_at_property);
    };
    assert_eq!(charge.amount, None);
    assert_eq!(
        charge.note.as_deref(),
        Some(
            "Estimated total amount of taxes & fees for this booking: 8.00 Euro payable on arrival"
        )
    );
    assert!(
        told.remarks
            .iter()
            .any(|remark| remark.starts_with("Half-Board: buffet"))
    );
}

#[tokio::test]
async fn the_specifications_search_is_read_with_taxes_and_promotions() {
    let mut search = london(vec![guests(2, &[])]);
    (search.area.latitude, search.area.longitude) = (39.57, 2.65);
    search.area.city = Some("PMI".to_owned());
    search.check_in = "2019-06-15".parse().unwrap();
    search.check_out = "2019-06-16".parse().unwrap();
    let found = found(&search, bytes("spec_availability.json")).await;
    assert_eq!((found.offers.len(), found.rejected.len()), (37, 0));
    let offer = &found.offers[0];
    assert!(offer.warnings.is_empty(), "{:?}", offer.warnings);
    assert_eq!(offer.total, money("137.62", "EUR"));
    assert_eq!(offer.taxes, Some(money("13.76", "EUR")));
    assert_eq!(schedule(offer), terms(&[("2019-06-15T21:59:59Z", "0.00"),]));
    let shown = details(offer);
    assert_eq!(shown.board, Board::HalfBoard);
    assert_eq!(shown.due_at_property.len(), 1);
    assert_eq!(shown.due_at_property[0].amount, Some(money("6.60", "EUR")));
    assert_eq!(
        shown.remarks,
        [
            "Non-refundable rate. No amendments permitted",
            "Special Offer",
            "Special offer - Special offer"
        ]
    );
    // Asked in time, the steps of the policy show.
    let script = vec![(SEARCH, 200, bytes("spec_availability.json"))];
    let (mut hotelbeds, _) = adapter(ScriptedWire::new(script));
    hotelbeds.clock = travel_types::Clock::manual("2019-01-01T00:00:00Z".parse().unwrap());
    let found = hotelbeds.search(&cx(), &search).await.unwrap();
    assert_eq!(
        schedule(&found.offers[0]),
        terms(&[
            ("2019-05-31T21:59:00Z", "137.62"),
            ("2019-06-14T21:59:00Z", "68.81"),
            ("2019-06-15T21:59:59Z", "0.00"),
        ])
    );
}

#[test]
fn the_specifications_bookings_are_read_at_their_prices() {
    let paid = money("280.00", "EUR");
    for (file, total) in [
        ("spec_booking_1.json", None),
        ("spec_booking_2.json", None),
        // Two rooms with one rate: its price is for both.
        ("spec_booking_3.json", Some("282.94")),
        // Two rates.
        ("spec_booking_4.json", Some("363.16")),
        // The hotel wants to be sold at its selling rate.
        ("spec_booking_detail.json", Some("280.00")),
    ] {
        let body: wire::BookingAnswer = serde_json::from_slice(&bytes(file)).unwrap();
        let placed = bookings::placed(&body.booking, paid);
        assert_eq!(placed.status, PlacedStatus::Confirmed, "{file}");
        match total {
            Some(total) => assert_eq!(placed.total, money(total, "EUR"), "{file}"),
            None => {
                let stated = recorded(file)["booking"]["totalNet"].to_string();
                assert_eq!(
                    placed.total.minor(),
                    money(&stated, "EUR").minor(),
                    "{file}"
                );
            }
        }
    }
    let cancelled: wire::BookingAnswer =
        serde_json::from_slice(&bytes("spec_cancellation.json")).unwrap();
    let placed = bookings::placed(&cancelled.booking, paid);
    assert_eq!(
        (placed.status, placed.total),
        (PlacedStatus::Cancelled, paid)
    );
    let refund: Option<Money> = bookings::refund(&cancelled.booking, paid).unwrap();
    assert_eq!(refund, Some(paid));
}
