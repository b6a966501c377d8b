//! The examples of the five specification files.

use serde_json::Value;
use travel_types::{Money, WarningCode};
use vertical_kit::PlacedStatus;

use super::super::known::Known;
use super::super::wire;
use super::super::{map, orders};
use super::{example, mapped, offers_of, read_order};
use crate::FlightDetails;
use crate::model::{BagWeight, Baggage, Cabin, PassengerKind, WeightUnit};
use testkit::adapters::money;

const FILES: [&str; 5] = [
    "search_post.json",
    "search_get.json",
    "pricing_request.json",
    "pricing.json",
    "order_request.json",
];

fn details(offer: &vertical_kit::SupplierOffer) -> FlightDetails {
    serde_json::from_value(offer.details.clone()).unwrap()
}

#[test]
fn every_example_offer_decodes_at_its_literal_price() {
    let mut offers = 0;
    for file in FILES {
        for raw in offers_of(&example(file)) {
            let offer = mapped(&raw).unwrap_or_else(|error| panic!("{file}: {error}"));
            let currency = raw["price"]["currency"].as_str().unwrap();
            let literal = |key: &str| money(raw["price"][key].as_str().unwrap(), currency);
            assert_eq!(offer.total, literal("grandTotal"), "{file}");
            assert_eq!(offer.base, Some(literal("base")), "{file}");
            let flights: usize = details(&offer)
                .slices
                .iter()
                .map(|one| one.segments.len())
                .sum();
            let stated: usize = raw["itineraries"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["segments"].as_array().unwrap().len())
                .sum();
            assert_eq!(flights, stated, "{file}");
            offers += 1;
        }
    }
    assert_eq!(offers, 7);
}

#[test]
fn parts_that_add_up_are_not_flagged_and_others_are() {
    let flagged = |offer: &vertical_kit::SupplierOffer| {
        let mut sums = offer.warnings.iter();
        sums.any(|one| one.code == WarningCode::SumMismatch)
    };
    let priced = mapped(&offers_of(&example("pricing.json"))[0]).unwrap();
    assert_eq!(priced.taxes, Some(money("210.98", "USD")));
    assert!(!flagged(&priced));
    // 1.00 of each traveller's price is in neither base nor taxes, and the services come on top.
    let ordered = mapped(&offers_of(&example("order_created.json"))[0]).unwrap();
    assert_eq!(ordered.total, money("689.21", "EUR"));
    assert_eq!(ordered.base, Some(money("242.00", "EUR")));
    assert_eq!(ordered.taxes, Some(money("179.21", "EUR")));
    let messages: Vec<&str> = ordered
        .warnings
        .iter()
        .filter(|one| one.code == WarningCode::SumMismatch)
        .map(|one| one.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "base and taxes do not add up to the total",
            "a traveller's base and taxes do not add up to his price"
        ]
    );
    // A fee may be in the total alone, in the offer's and in a traveller's.
    let mut fee = offers_of(&example("pricing.json"))[0].clone();
    fee["price"]["fees"][0]["amount"] = "20.00".into();
    fee["price"]["total"] = "2798.98".into();
    fee["price"]["grandTotal"] = "2798.98".into();
    assert!(!flagged(&mapped(&fee).unwrap()));
    fee["travelerPricings"][0]["price"]["fees"] = serde_json::json!([{"amount": "20.00"}]);
    fee["travelerPricings"][0]["price"]["total"] = "1645.49".into();
    assert!(!flagged(&mapped(&fee).unwrap()));
    fee["price"]["fees"][0]["amount"] = "20.01".into();
    assert!(flagged(&mapped(&fee).unwrap()));
    // A search has no taxes to add up.
    let found = mapped(&offers_of(&example("search_get.json"))[0]).unwrap();
    assert_eq!(found.taxes, None);
    assert!(!flagged(&found));
    let mut short = offers_of(&example("search_get.json"))[0].clone();
    short["price"]["grandTotal"] = "355.33".into();
    assert!(flagged(&mapped(&short).unwrap()));
    let mut short = offers_of(&example("search_get.json"))[0].clone();
    short["travelerPricings"][0]["price"]["total"] = "355.33".into();
    assert!(flagged(&mapped(&short).unwrap()));
}

#[test]
fn names_times_bags_and_seats_are_shown_as_amadeus_states_them() {
    let body = example("search_get.json");
    let dictionaries = serde_json::from_value(body["dictionaries"].clone()).unwrap();
    let names = Known::of(Some(dictionaries), &Value::Null);
    let raw = offers_of(&body)[0].to_string();
    let offer = map::offer(&raw, &names, false, "2026-01-01T00:00:00Z".parse().unwrap()).unwrap();
    // The day is included, and ends in Sydney first.
    let until = offer.expires_at.unwrap().to_string();
    assert_eq!(until, "2021-11-01T13:00:00Z");
    let shown = details(&offer);
    assert_eq!(shown.airline.name, "PHILIPPINE AIRLINES");
    assert_eq!(shown.seats_left, Some(9));
    assert_eq!(shown.passengers[0].kind, PassengerKind::Adult);
    assert!(!shown.documents_required);
    let slice = &shown.slices[0];
    assert_eq!(slice.duration.as_deref(), Some("PT14H15M"));
    assert_eq!(
        (
            slice.origin.iata_code.as_str(),
            slice.destination.iata_code.as_str()
        ),
        ("SYD", "BKK")
    );
    let flight = &slice.segments[0];
    assert_eq!(
        flight.departure.time.utc().to_string(),
        "2021-11-01T00:35:00Z"
    );
    assert_eq!(flight.departure.time.zone(), "Australia/Sydney");
    assert_eq!(flight.departure.terminal.as_deref(), Some("1"));
    assert_eq!(flight.aircraft.as_deref(), Some("AIRBUS A330-300"));
    assert_eq!(flight.marketing_carrier.iata_code.as_deref(), Some("PR"));
    assert_eq!(flight.flight_number.as_deref(), Some("212"));
    assert_eq!(flight.cabin, Some(Cabin::Economy));
    let allowance = Baggage {
        kind: "checked".to_owned(),
        quantity: None,
        weight: Some(BagWeight {
            value: 25,
            unit: WeightUnit::Kg,
        }),
    };
    assert_eq!(flight.baggage, [allowance]);
    assert!(offer.warnings.is_empty(), "{:?}", offer.warnings);
    assert_eq!(
        (&offer.conditions.cancellation, offer.conditions.changeable),
        (&None, None)
    );
    assert_eq!(offer.handle["offer"], raw);
    // The names of what the search named are there when the price is asked for.
    let again = Known::of(None, &offer.handle);
    let priced = map::offer(&raw, &again, true, "2021-01-01T00:00:00Z".parse().unwrap()).unwrap();
    let priced_details = details(&priced);
    assert_eq!(priced_details.airline.name, "PHILIPPINE AIRLINES");
    assert!(priced_details.documents_required);
    // Whatever can be ticketed for longer than the kit keeps an offer has no expiry of its own.
    assert_eq!(priced.expires_at, None);
}

#[test]
fn times_that_cannot_be_true_are_kept_and_flagged() {
    let offer = mapped(&offers_of(&example("order_created.json"))[0]).unwrap();
    let places: Vec<&str> = offer
        .warnings
        .iter()
        .filter(|one| one.code == WarningCode::TimeInconsistent)
        .filter_map(|one| one.path.as_deref())
        .collect();
    // LIS 12:35 to MAD 14:55 is 1 h 20 min, not 2 h; MAD 16:05 to ORY 18:05 is 2 h, not 2 h 30 min.
    assert_eq!(
        places,
        [
            "details.slices[2].segments[0]",
            "details.slices[2].segments[1]"
        ]
    );
    assert_eq!(
        details(&offer).slices[2].segments[0].duration.as_deref(),
        Some("PT2H")
    );
    let mut odd = offers_of(&example("search_get.json"))[0].clone();
    odd["itineraries"][0]["segments"][1]["departure"]["at"] = "2021-11-01T16:40:00".into();
    odd["itineraries"][0]["duration"] = "a while".into();
    let odd = mapped(&odd).unwrap();
    let told: Vec<&str> = odd
        .warnings
        .iter()
        .map(|one| one.message.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "the stated duration is not arrival minus departure, which is 370 minutes",
            "leaves before the flight before it has arrived",
            "the stated duration cannot be read"
        ]
    );
}

#[test]
fn both_order_examples_are_orders_at_their_grand_total() {
    for file in ["order_created.json", "order_retrieved.json"] {
        let body = example(file);
        let order = read_order(&body["data"]).unwrap();
        let placed = orders::order(
            &order,
            &Known::default(),
            &serde_json::json!({"offer": "x"}),
            Money::parse("1", "EUR").unwrap(),
        )
        .unwrap();
        assert_eq!(placed.status, PlacedStatus::Confirmed);
        assert_eq!(placed.total, money("689.21", "EUR"));
        assert_eq!(placed.supplier_reference, "2ZYVAL");
        assert_eq!(
            placed.handle["order_id"],
            "MlpZVkFMfFdBVFNPTnwyMDE1LTExLTAy"
        );
        assert_eq!(placed.handle["offer"], "x");
        let shown = placed.details.unwrap();
        assert_eq!(shown["slices"].as_array().unwrap().len(), 3);
        assert!(shown["warnings"].as_array().unwrap().len() > 2);
        assert!(orders::is_unpaid(&order));
    }
}

#[test]
fn an_offer_that_cannot_be_shown_truthfully_is_refused_with_its_reason() {
    let whole = offers_of(&example("pricing.json"))[0].clone();
    for (pointer, value, reason) in [
        ("/price/grandTotal", "2778.985".into(), "total: "),
        ("/price/grandTotal", "a lot".into(), "total: "),
        ("/price/grandTotal", "-1".into(), "below zero"),
        ("/price/currency", "XXQ".into(), "total: "),
        ("/price/currency", Value::Null, "currency is missing"),
        ("/price", Value::Null, "price is missing"),
        ("/itineraries", Value::Null, "without flights"),
        ("/itineraries/0/segments", Value::Null, "without flights"),
        ("/travelerPricings", Value::Null, "for nobody"),
        (
            "/travelerPricings/0/travelerId",
            Value::Null,
            "without an id",
        ),
        (
            "/itineraries/0/segments/0/departure/iataCode",
            "QQQ".into(),
            "zone of QQQ",
        ),
        (
            "/itineraries/0/segments/0/departure/at",
            "soon".into(),
            "'soon' is not",
        ),
        (
            "/itineraries/0/segments/0/arrival",
            Value::Null,
            "without an airport",
        ),
        (
            "/itineraries/0/segments/0/carrierCode",
            Value::Null,
            "without the airline",
        ),
    ] {
        let mut offer = whole.clone();
        *offer.pointer_mut(pointer).unwrap() = value;
        let told = mapped(&offer).unwrap_err();
        assert!(told.contains(reason), "{pointer}: {told}");
    }
    let mut services = offers_of(&example("order_created.json"))[0].clone();
    services["price"]
        .as_object_mut()
        .unwrap()
        .remove("grandTotal");
    assert_eq!(mapped(&services).unwrap_err(), "grandTotal is missing");
}

#[test]
fn a_station_is_shown_where_the_airport_of_its_city_is() {
    let mut offer = offers_of(&example("search_get.json"))[0].clone();
    offer["itineraries"][0]["segments"][0]["departure"]["iataCode"] = "QKL".into();
    let raw = offer.to_string();
    let names = serde_json::json!({
        "carriers": {"PR": null, "ZZ": 7},
        "locations": {"QKL": {"cityCode": "CGN", "countryCode": "DE"}, "BKK": {"cityCode": "BKK"}, "X": 7}
    });
    let known = Known::of(serde_json::from_value(names).ok(), &Value::Null);
    let read = |known: &Known| map::offer(&raw, known, false, jiff::Timestamp::MIN);
    let mapped = read(&known).unwrap();
    let place = details(&mapped).slices[0].segments[0]
        .departure
        .place
        .clone();
    assert_eq!(
        (place.iata_code.as_str(), place.name.as_str()),
        ("QKL", "Cologne")
    );
    assert_eq!(place.time_zone, "Europe/Berlin");
    assert!((place.latitude - 50.8659).abs() < 1e-9);
    let told = mapped.warnings.iter().filter_map(|one| one.path.as_deref());
    assert!(
        told.collect::<Vec<_>>()
            .contains(&"details.slices[0].segments[0].departure")
    );
    // It stays known where an answer has no dictionary of its own.
    let kept = &mapped.handle["names"]["locations"];
    assert_eq!(*kept, serde_json::json!({"QKL": {"cityCode": "CGN"}}));
    assert!(read(&Known::of(None, &mapped.handle)).is_ok());
    assert_eq!(
        read(&Known::default()).unwrap_err(),
        "the time zone of QKL is unknown"
    );
}

#[test]
fn one_name_that_is_null_loses_no_other_name() {
    let body = example("search_get.json");
    let mut names = body["dictionaries"].clone();
    names["carriers"]["TG"] = Value::Null;
    names["aircraft"]["XXX"] = 7.into();
    let known = Known::of(serde_json::from_value(names).ok(), &Value::Null);
    let raw = offers_of(&body)[0].to_string();
    let offer = map::offer(&raw, &known, false, jiff::Timestamp::MIN).unwrap();
    let shown = details(&offer);
    assert_eq!(shown.airline.name, "PHILIPPINE AIRLINES");
    let plane = shown.slices[0].segments[0].aircraft.as_deref();
    assert_eq!(plane, Some("AIRBUS A330-300"));
}

#[test]
fn drift_of_kinds_changes_nothing_that_is_shown() {
    let plain = offers_of(&example("pricing.json"))[0].clone();
    let mut drifted = plain.to_string();
    for (from, to) in [
        (r#""grandTotal":"2778.98""#, r#""grandTotal":2778.98"#),
        (r#""amount":"31.99""#, r#""amount":31.990"#),
        (r#""quantity":3"#, r#""quantity":"3""#),
        (r#""travelerId":"1""#, r#""travelerId":1"#),
        (r#""number":"212""#, r#""number":212"#),
        (
            r#""instantTicketingRequired":false"#,
            r#""instantTicketingRequired":"NO","new":{}"#,
        ),
        (r#""segmentId":"3""#, r#""segmentId":3"#),
    ] {
        assert!(drifted.contains(from), "{from}");
        drifted = drifted.replace(from, to);
    }
    // The segment's own id is still text: bags are found by it.
    drifted = drifted.replace(r#""id":"3""#, r#""id":3"#);
    let read = |raw: &str| map::offer(raw, &Known::default(), false, jiff::Timestamp::MIN).unwrap();
    let (plain, drifted) = (read(&plain.to_string()), read(&drifted));
    assert_eq!(plain.details, drifted.details);
    assert_eq!((plain.total, plain.taxes), (drifted.total, drifted.taxes));
    assert_eq!(
        details(&plain).slices[0].segments[0].baggage[0].quantity,
        Some(3)
    );
}

#[test]
fn the_names_of_an_answer_that_has_no_dictionaries_are_the_codes() {
    let answer: wire::Answer<wire::Offers> =
        serde_json::from_str(r#"{"data":null,"dictionaries":"none"}"#).unwrap();
    assert!(answer.data.0.is_empty() && answer.dictionaries.is_none());
    let offer = mapped(&offers_of(&example("search_post.json"))[0]).unwrap();
    let shown = details(&offer);
    assert_eq!(Some(&shown.airline.name), shown.airline.iata_code.as_ref());
}
