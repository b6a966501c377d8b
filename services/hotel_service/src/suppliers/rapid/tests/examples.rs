//! Every example of the specification that the adapter would read.

use serde_json::{Value, json};
use supplier_client::{SupplierErrorKind as Kind, WireRequest, WireResponse};
use travel_types::WarningCode;

use super::super::hotel::Hotel;
use super::super::itinerary::{self, Standing};
use super::super::memory::Memory;
use super::super::wire::{self, Extras, Itinerary, PriceCheck};
use super::super::{errors, map};
use super::{
    EARLY, bytes, example, examples_of, guests, money, offer_of_two, order_handle, read_at, search,
};
use crate::model::{Board, HotelDetails, PaymentTime};

fn two_rooms() -> crate::model::HotelSearch {
    search(vec![guests(2, &[]), guests(1, &[7, 10])])
}

/// Two rooms of 702.00 CAD, of which 628.00 are without taxes; three charges of 5.00 CAD each and room.
#[test]
fn an_example_of_availability_is_shown_at_the_sum_of_its_rooms() {
    for name in [
        "availability/200_availability.json",
        "availability/200_availability_and_unavailable_reason.json",
    ] {
        let found = read_at(EARLY, &example(name), &two_rooms());
        assert_eq!(found.rejected, Vec::<String>::new(), "{name}");
        assert_eq!(found.offers.len(), 1, "{name}");
        let offer = &found.offers[0];
        assert_eq!(offer.total, money("1404.00", "CAD"));
        assert_eq!(offer.base, Some(money("1256.00", "CAD")));
        assert_eq!(offer.taxes, Some(money("148.00", "CAD")));
        let expires = offer.expires_at.map(|at| at.to_string());
        assert_eq!(expires.as_deref(), Some("2019-03-05T07:23:14Z"));
        let details: HotelDetails = serde_json::from_value(offer.details.clone()).unwrap();
        assert_eq!(details.property.supplier_code, "19248");
        assert_eq!(details.rooms.len(), 2);
        assert_eq!(details.rooms[0].name, "Fancy Queen Room");
        assert_eq!(details.rooms[1].beds.as_deref(), Some("1 Queen Bed"));
        assert_eq!(details.rooms[1].guests, guests(1, &[7, 10]));
        assert_eq!(details.rooms_left, Some(12));
        assert_eq!(details.board, Board::RoomOnly);
        assert_eq!(details.payment, PaymentTime::Now);
        assert_eq!(
            details.rate_name.as_deref(),
            Some("Book early and save 15%")
        );
        let due: Vec<(String, String)> = details
            .due_at_property
            .iter()
            .map(|charge| (charge.name.clone(), charge.amount.unwrap().to_string()))
            .collect();
        let names = ["mandatory_fee", "mandatory_tax", "resort_fee"];
        assert_eq!(
            due,
            names.map(|name| (name.to_owned(), "10.00 CAD".to_owned()))
        );
        assert_eq!(details.remarks.len(), 4, "{:?}", details.remarks);
        // 10 USD of penalty cannot be told in CAD: free until then, and nothing is said of later.
        let terms = offer.conditions.cancellation.as_deref();
        let short = |term: &vertical_kit::CancellationTerm| (term.until.to_string(), term.refund);
        let terms = terms.map(|terms| terms.iter().map(short).collect::<Vec<_>>());
        let free = vec![("2018-02-12T19:59:00Z".to_owned(), offer.total)];
        // One of the examples says at the same time that not everything comes back: nothing is told.
        let contradicts = name == "availability/200_availability.json";
        assert_eq!(terms, (!contradicts).then_some(free), "{name}");
        let codes: Vec<_> = offer.warnings.iter().map(|warning| warning.code).collect();
        assert_eq!(codes, [WarningCode::DataQuality, WarningCode::DataQuality]);
        // And once that time is over, there is nothing to tell.
        let late = read_at("2026-11-01T00:00:00Z", &example(name), &two_rooms());
        assert_eq!(late.offers[0].conditions.cancellation, None);
    }
}

#[test]
fn the_same_occupancy_twice_is_two_rooms() {
    let answer = example("availability/200_availability.json");
    let found = read_at(
        EARLY,
        &answer,
        &search(vec![guests(2, &[]), guests(2, &[])]),
    );
    assert_eq!(found.offers[0].total, money("1404.00", "CAD"));
    let found = read_at(EARLY, &answer, &search(vec![guests(1, &[10, 7])]));
    assert_eq!(
        found.offers[0].total,
        money("702.00", "CAD"),
        "ages in another order"
    );
    let found = read_at(EARLY, &answer, &search(vec![guests(3, &[])]));
    assert!(found.offers.is_empty());
    assert_eq!(found.rejected, ["the price of a room is missing"]);
}

#[test]
fn no_availability_is_no_offer_and_no_complaint() {
    let found = read_at(
        EARLY,
        &example("availability/200_no_availability.json"),
        &two_rooms(),
    );
    assert_eq!(found, vertical_kit::Found::default());
    // The availability of one property is a list of rooms' rates in the same shape.
    for (name, answer) in examples_of("property_availability") {
        let found = read_at(EARLY, &answer, &two_rooms());
        assert_eq!(found.rejected, Vec::<String>::new(), "{name}");
        assert!(!found.offers.is_empty(), "{name}");
    }
}

#[test]
fn every_example_of_content_is_read() {
    let mut read = 0;
    for (name, answer) in examples_of("content") {
        let text = answer.to_string();
        let keyed: std::collections::BTreeMap<String, wire::Raw> =
            serde_json::from_str(&text).unwrap();
        for raw in keyed.values() {
            let hotel = Hotel::read(raw).unwrap();
            assert!(!hotel.name.is_empty(), "{name}");
            // A vacation rental has no stars.
            assert_eq!(hotel.stars.is_some(), !name.contains("vrbo"), "{name}");
            read += 1;
        }
    }
    assert!(read >= 6, "{read}");
    let single = example("content/200_single_property.json")["12345"].to_string();
    let hotel = Hotel::read(&serde_json::from_str::<wire::Raw>(&single).unwrap()).unwrap();
    assert_eq!(hotel.position, Some((37.158451, -93.268382)));
    assert_eq!(hotel.stars, Some(3.5));
    let address = hotel.address.unwrap();
    assert_eq!(address.lines, ["123 Main St", "Apt A"]);
    assert_eq!(address.country.as_deref(), Some("US"));
    assert_eq!(hotel.check_in_from, Some(jiff::civil::time(15, 0, 0, 0)));
    assert_eq!(hotel.check_out_until, Some(jiff::civil::time(11, 0, 0, 0)));
    assert_eq!(hotel.pictures.len(), 1);
    // Where the exact place may not be shown, the rough one and no street are.
    let mut rental = example("content/200_single_property.json")["12345"].take();
    rental["location"]["obfuscation_required"] = json!(true);
    rental["address"]["obfuscation_required"] = json!(true);
    let hotel = Hotel::read(&serde_json::from_str::<wire::Raw>(&rental.to_string()).unwrap());
    let hotel = hotel.unwrap();
    assert_eq!(hotel.position, Some((37.159532, -93.271681)));
    assert_eq!(hotel.address.unwrap().lines, Vec::<String>::new());
}

fn checked(name: &str) -> Result<vertical_kit::SupplierOffer, String> {
    let text = bytes(name);
    let memory = Memory::read(&offer_of_two().handle).unwrap();
    let read: PriceCheck = serde_json::from_slice(&text).unwrap();
    let extras: Extras = serde_json::from_slice(&text).unwrap();
    map::repriced(&read, &extras, memory, EARLY.parse().unwrap())
}

#[test]
fn every_example_of_a_price_check_is_read() {
    for name in [
        "available",
        "available_with_trader_information",
        "room_change",
    ] {
        let offer = checked(&format!("price_check/200_{name}.json")).unwrap();
        assert_eq!(offer.total, money("346.00", "CAD"), "{name}");
        assert_eq!(offer.base, Some(money("309.00", "CAD")), "{name}");
        assert_eq!(offer.taxes, Some(money("37.00", "CAD")), "{name}");
        let book = offer.handle["book"]["href"].as_str();
        // A change of a room has nothing to book, only something to commit: flagged.
        let told = |text: &str| offer.warnings.iter().any(|one| one.message.contains(text));
        assert_eq!(book.is_some(), name != "room_change", "{name}");
        assert_eq!(told("no way to book"), name == "room_change", "{name}");
        // One night is priced, two were asked for.
        assert!(told("another number of nights"), "{name}");
    }
    assert!(checked("price_check/200_sold_out.json").is_err());
}

#[test]
fn the_specifications_malformed_change_of_price_is_read_and_flagged() {
    let offer = checked("price_check/200_price_changed.json").unwrap();
    assert_eq!(offer.total, money("215.00", "USD"));
    assert_eq!(offer.taxes, Some(money("0.00", "USD")));
    let details: HotelDetails = serde_json::from_value(offer.details).unwrap();
    let due = &details.due_at_property[0];
    assert_eq!(due.amount, Some(money("8.50", "EUR")));
    assert_eq!(due.note.as_deref(), Some("about 10.00 USD"));
    let told: Vec<&str> = offer
        .warnings
        .iter()
        .map(|one| one.message.as_str())
        .collect();
    assert!(told.contains(&"the breakdown of the price is not as the supplier documents it"));
    assert!(
        told.iter().any(|one| one.contains("another occupancy")),
        "{told:?}"
    );
}

fn itineraries(answer: &Value) -> Vec<Itinerary> {
    let one = [answer.clone()];
    let list = answer.as_array().map_or(&one[..], Vec::as_slice);
    list.iter()
        .map(|entry| serde_json::from_str(&entry.to_string()).unwrap())
        .collect()
}

#[test]
fn every_example_of_an_itinerary_is_read() {
    let memory = Memory::read(&order_handle()).unwrap();
    let mut read = 0;
    let all = [examples_of("itineraries"), examples_of("itinerary")].concat();
    for (name, answer) in all {
        for found in itineraries(&answer) {
            let booked = Standing::Booked {
                partly_cancelled: false,
            };
            assert_eq!(itinerary::standing(&found), Ok(booked), "{name}");
            let order = itinerary::order(&found, &memory, money("702.00", "CAD")).unwrap();
            assert_eq!(order.total, money("368.15", "USD"), "{name}");
            assert_eq!(order.supplier_reference, "8999989898988", "{name}");
            let details: HotelDetails = serde_json::from_value(order.details.unwrap()).unwrap();
            let remark = "Confirmation of room 1: 1234567890 (Expedia), BEF23123AA (the property).";
            assert!(details.remarks.iter().any(|one| one == remark), "{name}");
            let paid = money("368.15", "USD");
            let refund = itinerary::refund(&found, &memory, paid, EARLY.parse().unwrap());
            // Where Rapid is degraded (206) it may state the penalties only, or nothing: then nothing is
            // guessed.
            let text = answer.to_string();
            let stated = |key: &str| text.contains(&format!("\"{key}\":"));
            let expected = match (stated("cancel_refund"), stated("cancel_penalties")) {
                (true, _) => Some(money("65.98", "USD")),
                (false, true) => Some(money("117.40", "USD")),
                (false, false) => None,
            };
            assert_eq!(refund.ok().map(|refund| refund.amount), expected, "{name}");
            assert_eq!(itinerary::cancel_links(&found).unwrap().len(), 1, "{name}");
            read += 1;
        }
    }
    assert!(read >= 9, "{read}");
}

#[test]
fn every_example_of_an_error_has_its_meaning() {
    let meaning = [
        ("400_address_country_code_invalid", Kind::InvalidRequest),
        ("400_checkin_invalid_date_format", Kind::InvalidRequest),
        ("400_checkin_invalid_date_format_2", Kind::InvalidRequest),
        ("400_duplicate_itinerary", Kind::OutcomeUnknown),
        ("400_email_invalid", Kind::InvalidRequest),
        ("400_language_required", Kind::InvalidRequest),
        ("400_link_invalid", Kind::OfferExpired),
        ("400_polygon_coordinates_required", Kind::InvalidRequest),
        ("400_room_already_cancelled", Kind::Refused),
        ("401_request_unauthenticated", Kind::NotAuthorised),
        ("403_request_unauthorized", Kind::NotAuthorised),
        ("404_resource_not_found", Kind::NotFound),
        ("409_price_mismatch", Kind::PriceChanged),
        ("410_link_expired", Kind::OfferExpired),
        ("410_rooms_unavailable", Kind::SoldOut),
        ("426_upgrade_required", Kind::InvalidRequest),
        ("429_too_many_requests", Kind::RateLimited),
        ("500_unknown_internal_error", Kind::OutcomeUnknown),
        ("503_service_unavailable", Kind::OutcomeUnknown),
    ];
    assert_eq!(meaning.len(), examples_of("errors").len());
    for (name, kind) in meaning {
        let status: u16 = name.split('_').next().unwrap().parse().unwrap();
        let error = errors::failure(&answer(status, bytes(&format!("errors/{name}.json"))), true);
        assert_eq!(error.kind, kind, "{name}");
        assert!(error.code.is_some(), "{name}");
    }
    let body = bytes("errors/400_email_invalid.json");
    let error = errors::failure(&answer(400, body), false);
    assert_eq!(error.code.as_deref(), Some("email.invalid (email)"));
    assert!(!error.to_string().contains("thisisabademail"));
    for (status, body, kind) in [
        (400, "<html>".to_owned(), Kind::InvalidRequest),
        (
            402,
            json!({"type": "credit_card.declined"}).to_string(),
            Kind::PaymentRefused,
        ),
        (
            400,
            json!({"type": "cc_declined"}).to_string(),
            Kind::PaymentRefused,
        ),
        (409, String::new(), Kind::OutcomeUnknown),
        (410, String::new(), Kind::SoldOut),
        (
            418,
            json!({"type": "teapot"}).to_string(),
            Kind::InvalidRequest,
        ),
    ] {
        assert_eq!(
            errors::failure(&answer(status, body), true).kind,
            kind,
            "{status}"
        );
    }
}

pub(super) fn answer(status: u16, body: impl Into<bytes::Bytes>) -> WireResponse {
    let request = WireRequest::post("order", "/v3/itineraries", supplier_client::Safety::Unsafe);
    let status = http::StatusCode::from_u16(status).unwrap();
    WireResponse::new(&request, status, http::HeaderMap::new(), body)
}

#[test]
fn an_error_with_odd_details_keeps_its_meaning() {
    for (status, body, kind) in [
        (
            409,
            json!({"type": "price_mismatch", "fields": {}}),
            Kind::PriceChanged,
        ),
        (
            400,
            json!({"type": "invalid_input", "errors": [
                7, {"type": "duplicate_itinerary", "fields": {}}]}),
            Kind::OutcomeUnknown,
        ),
        (
            410,
            json!({"type": "rooms_unavailable", "errors": {}}),
            Kind::SoldOut,
        ),
    ] {
        let error = errors::failure(&answer(status, body.to_string()), true);
        assert_eq!(error.kind, kind, "{body}");
    }
}
