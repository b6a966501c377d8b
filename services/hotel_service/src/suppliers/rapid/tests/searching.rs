//! Searching: properties, descriptions, availability.

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{SupplierError, SupplierErrorKind as Kind};
use travel_types::WarningCode;
use vertical_kit::{Searcher as _, Supplier as _};

use super::{
    adapter, adapter_at, bytes, cx, example, guests, money, offer_of_two, read_at, search,
};
use crate::model::{Board, HotelDetails, PaymentTime};

const GEOGRAPHY: &str = "POST /v3/properties/geography";
const CONTENT: &str = "GET /v3/properties/content";
const AVAILABILITY: &str = "GET /v3/properties/availability";

fn content() -> String {
    let mut one = example("content/200_single_property.json")["12345"].take();
    one["property_id"] = json!("19248");
    json!({"19248": one}).to_string()
}

#[tokio::test]
async fn a_search_asks_for_the_area_then_for_rates_and_descriptions() {
    let script = vec![
        (
            GEOGRAPHY,
            200,
            r#"{"19248":{"property_id":"19248"},"7":{}}"#.to_owned(),
        ),
        (
            AVAILABILITY,
            200,
            String::from_utf8(bytes("availability/200_availability.json")).unwrap(),
        ),
        (CONTENT, 200, content()),
        // The second search knows the area and one property already.
        (AVAILABILITY, 200, "[]".to_owned()),
        (CONTENT, 200, "{}".to_owned()),
    ];
    let (rapid, wire) = adapter(ScriptedWire::new(script));
    let wanted = search(vec![guests(2, &[]), guests(1, &[7, 10])]);
    let found = rapid.search(&cx(), &wanted).await.unwrap();
    assert_eq!(found.rejected, Vec::<String>::new());
    let details: HotelDetails = serde_json::from_value(found.offers[0].details.clone()).unwrap();
    assert_eq!(details.property.name, "Test Property Name");
    assert_eq!(details.property.stars, Some(3.5));
    let far = details.property.distance_km.unwrap();
    assert!((4.0..6.0).contains(&far), "{far}");
    assert_eq!(far, (far * 1000.0).round() / 1000.0);
    assert_eq!(details.board, Board::AllInclusive);
    assert_eq!(found.offers[0].handle["zone"], "America/Chicago");
    assert_eq!(rapid.search(&cx(), &wanted).await.unwrap().offers, vec![]);
    assert!(wire.unmet().is_empty(), "{:?}", wire.unmet());
    let requests = wire.requests();
    let polygon: Value = serde_json::from_slice(requests[0].body_bytes()).unwrap();
    assert_eq!(polygon["type"], "Polygon");
    let asked: Vec<String> = requests[1]
        .query_pairs()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        asked,
        [
            "checkin=2026-12-01",
            "checkout=2026-12-03",
            "currency=USD",
            "country_code=US",
            "language=en-US",
            "rate_plan_count=4",
            "sales_channel=website",
            "sales_environment=hotel_only",
            "filter=expedia_collect",
            "include=rooms.rates.current_refundability",
            "occupancy=2",
            "occupancy=1-7,10",
            "property_id=19248",
            "property_id=7",
        ]
    );
    assert_eq!(requests[1].headers()["customer-ip"], "192.0.2.1");
    assert!(requests[1].headers().contains_key("customer-session-id"));
    assert!(!requests[1].headers().contains_key("test"));
    let last = requests[4].query_pairs().last().unwrap();
    assert_eq!(*last, ("property_id".to_owned(), "7".to_owned()));
}

#[tokio::test]
async fn many_properties_are_asked_for_in_parts_and_a_lost_part_does_not_lose_the_others() {
    let ids: serde_json::Map<String, Value> =
        (0..600).map(|id| (format!("{id:04}"), json!({}))).collect();
    let area = Value::Object(ids).to_string();
    let rates = String::from_utf8(bytes("availability/200_availability.json")).unwrap();
    let lost = SupplierError::new(Kind::Timeout, "too slow");
    let script = vec![(GEOGRAPHY, 200, area), (AVAILABILITY, 200, rates)];
    let wire = ScriptedWire::new(script)
        .then_error(AVAILABILITY, lost.clone())
        .then(CONTENT, 200, &[], content())
        .then(CONTENT, 500, &[], "");
    let (rapid, wire) = adapter(wire);
    let wanted = search(vec![guests(2, &[])]);
    let found = rapid.search(&cx(), &wanted).await.unwrap();
    assert_eq!(found.offers.len(), 1);
    assert_eq!(
        found.rejected,
        ["a part of the properties could not be asked for"]
    );
    let asked = |request: &supplier_client::WireRequest| {
        let pairs = request.query_pairs().iter();
        pairs.filter(|(name, _)| name == "property_id").count()
    };
    // At most 500 properties, at most 250 at once.
    assert_eq!(asked(&wire.requests()[1]), 250);
    assert_eq!(asked(&wire.requests()[2]), 250);
    // With nothing at all, the reason is the search's.
    let wire = ScriptedWire::new(vec![(GEOGRAPHY, 200, r#"{"1":{}}"#)])
        .then_error(AVAILABILITY, lost)
        .then(CONTENT, 200, &[], "{}");
    let (rapid, _) = adapter(wire);
    let error = rapid.search(&cx(), &wanted).await.unwrap_err();
    assert_eq!(error.kind, Kind::Timeout);
}

#[tokio::test]
async fn an_area_without_properties_asks_for_no_rates() {
    let (rapid, wire) = adapter(ScriptedWire::new(vec![(GEOGRAPHY, 200, "{}")]));
    let found = rapid
        .search(&cx(), &search(vec![guests(1, &[])]))
        .await
        .unwrap();
    assert_eq!(found, vertical_kit::Found::default());
    assert!(wire.unmet().is_empty());
}

#[tokio::test]
async fn what_rapid_does_not_take_is_not_asked_for() {
    let mut long = search(vec![guests(2, &[])]);
    long.check_out = jiff::civil::date(2026, 12, 30);
    for wanted in [
        long,
        search(vec![guests(1, &[]); 9]),
        search(vec![guests(9, &[])]),
    ] {
        let (rapid, wire) = adapter(ScriptedWire::new(Vec::<(&str, u16, Vec<u8>)>::new()));
        let found = rapid.search(&cx(), &wanted).await.unwrap();
        assert!(found.offers.is_empty() && found.rejected.len() == 1);
        assert!(wire.requests().is_empty());
    }
}

#[tokio::test]
async fn the_configured_test_value_goes_out_where_it_is_documented() {
    let body = bytes("price_check/200_sold_out.json");
    let path = "GET /v3/properties/19248/rooms/abc123/rates/abc123";
    let (mut rapid, wire) = adapter(ScriptedWire::new(vec![(path, 200, body)]));
    rapid.terms.test = "sold_out".to_owned();
    let error = rapid
        .price(&cx(), &offer_of_two().handle)
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::SoldOut);
    assert_eq!(wire.requests()[0].headers()["test"], "sold_out");
    let token = ("token".to_owned(), "MY5S3j36cOcL".to_owned());
    assert_eq!(wire.requests()[0].query_pairs(), [token]);
}

/// The example's answer with something changed in its rate.
fn changed(change: impl Fn(&mut Value)) -> Value {
    let mut answer = example("availability/200_availability.json");
    let rate = &mut answer[0]["rooms"][0]["rates"][0];
    // That of the example goes with the penalty of the example.
    rate["current_refundability"] = json!(null);
    change(rate);
    answer
}

fn of_two(answer: &Value) -> vertical_kit::Found {
    read_at(
        "2026-11-01T00:00:00Z",
        answer,
        &search(vec![guests(2, &[])]),
    )
}

/// Until when what comes back.
fn terms(rate: impl Fn(&mut Value)) -> Option<Vec<(String, String)>> {
    let found = of_two(&changed(rate));
    let terms = found.offers[0].conditions.cancellation.clone()?;
    let short =
        |term: vertical_kit::CancellationTerm| (term.until.to_string(), term.refund.to_string());
    Some(terms.into_iter().map(short).collect())
}

fn pairs(list: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
    let own = |(one, other): &(&str, &str)| ((*one).to_owned(), (*other).to_owned());
    Some(list.iter().map(own).collect())
}

#[test]
fn penalties_in_shares_and_nights_become_one_schedule() {
    let penalties = json!([
        {"start": "2026-11-20T18:00:00.000-06:00", "end": "2026-11-28T18:00:00.000-06:00", "percent": "12.5%"},
        {"start": "2026-11-28T18:00:00.000-06:00", "end": "2026-12-01T18:00:00.000-06:00", "nights": "1"},
        {"start": "2026-12-01T18:00:00.000-06:00", "end": "2026-12-03T18:00:00.000-06:00", "amount": 900, "currency": "CAD"},
    ]);
    // 12.5 % of 702.00 is 87.75; the first night costs 346.00; 900.00 is all of it.
    assert_eq!(
        terms(|rate| rate["cancel_penalties"] = penalties.clone()),
        pairs(&[
            ("2026-11-21T00:00:00Z", "702.00 CAD"),
            ("2026-11-29T00:00:00Z", "614.25 CAD"),
            ("2026-12-02T00:00:00Z", "356.00 CAD"),
            ("2026-12-02T05:59:59Z", "0.00 CAD"),
        ])
    );
    // A third of a cent is a cent of penalty.
    assert_eq!(
        terms(|rate| rate["cancel_penalties"] =
            json!([{"start": "2026-10-01T00:00:00Z", "percent": "33.333"}])),
        pairs(&[
            ("2026-10-01T00:00:00Z", "702.00 CAD"),
            ("2026-12-01T23:59:59Z", "468.00 CAD")
        ])
    );
}

#[test]
fn a_rate_that_gives_nothing_back_says_so() {
    let nothing = pairs(&[("2026-12-01T23:59:59Z", "0.00 CAD")]);
    let none = |rate: &mut Value| {
        rate["refundable"] = json!(false);
        rate["cancel_penalties"] = json!([]);
    };
    assert_eq!(terms(none), nothing);
    // Every night of the stay lies in a range that gives nothing back, whatever the penalties say.
    let ranges = |rate: &mut Value| {
        rate["cancel_penalties"] = json!(null);
        rate["nonrefundable_date_ranges"] = json!([{"start": "2026-12-01", "end": "2026-12-02"}]);
    };
    assert_eq!(terms(ranges), nothing);
}

/// How many warnings say why an offer has no schedule.
fn doubts(offer: &vertical_kit::SupplierOffer) -> usize {
    assert_eq!(offer.conditions.cancellation, None);
    let doubts = offer.warnings.iter();
    doubts
        .filter(|doubt| doubt.path.as_deref() == Some("conditions.cancellation"))
        .count()
}

#[test]
fn what_is_not_said_clearly_is_not_said() {
    // Without a word there is no schedule. A rate that is called refundable is so at first: "Cancel
    // penalties may still apply."
    let silent = |rate: &mut Value| {
        rate["cancel_penalties"] = json!(null);
        rate["refundable"] = json!(null);
    };
    assert_eq!(terms(silent), None);
    let untold = of_two(&changed(|rate| rate["cancel_penalties"] = json!([])));
    assert_eq!(doubts(&untold.offers[0]), 1);
    // Not everything comes back now, although the only penalty begins later.
    let contradicted = of_two(&changed(|rate| {
        rate["cancel_penalties"] = json!([{"start": "2026-11-20T00:00:00Z", "percent": "10%"}]);
        rate["current_refundability"] = json!("partially_refundable");
    }));
    assert_eq!(doubts(&contradicted.offers[0]), 1);
    for odd in [
        json!("none"),
        json!([1]),
        json!([{"start": "soon", "percent": "10%"}]),
        json!([{"start": "2026-10-01T00:00:00Z"}]),
        json!([{"start": "2026-10-01T00:00:00Z", "percent": "much"}]),
        json!([{"percent": "-10%"}]),
    ] {
        let found = of_two(&changed(|rate| rate["cancel_penalties"] = odd.clone()));
        let offer = &found.offers[0];
        let said = &offer.conditions.cancellation;
        assert_eq!(*said, None, "{odd}");
        assert!(!offer.warnings.is_empty(), "{odd}");
    }
    // One of two nights gives nothing back: how much that is, Rapid does not say.
    let part = |rate: &mut Value| {
        rate["nonrefundable_date_ranges"] = json!([{"start": "2026-12-02", "end": "2026-12-02"}]);
    };
    assert_eq!(terms(part), None);
}

#[test]
fn each_choice_of_beds_is_an_offer_and_the_cheapest_rates_are_kept() {
    let mut answer = changed(|rate| {
        rate["bed_groups"]["2"] = json!({"description": "2 Twin Beds",
            "links": {"price_check": {"href": "/v3/properties/19248/rooms/1/rates/2?token=b"}}});
        rate["available_rooms"] = json!(2_147_483_647);
        rate["merchant_of_record"] = json!("property");
        rate["amenities"] = json!({"1": {"name": "Free breakfast"}});
    });
    let found = of_two(&answer);
    let beds: Vec<String> = found
        .offers
        .iter()
        .map(|offer| {
            let details: HotelDetails = serde_json::from_value(offer.details.clone()).unwrap();
            assert_eq!(details.rooms_left, None);
            assert_eq!(details.payment, PaymentTime::AtProperty);
            assert_eq!(details.board, Board::Breakfast);
            details.rooms[0].beds.clone().unwrap()
        })
        .collect();
    assert_eq!(beds, ["1 Queen Bed", "2 Twin Beds"]);
    let rates = answer[0]["rooms"][0]["rates"].as_array_mut().unwrap();
    let dear = rates[0].clone();
    for value in ["801.00", "600.00", "803.00", "500.00", "700.00"] {
        let mut rate = dear.clone();
        rate["occupancy_pricing"]["2"]["totals"]["inclusive"]["billable_currency"]["value"] =
            json!(value);
        rates.push(rate);
    }
    let found = of_two(&answer);
    let totals: Vec<String> = found
        .offers
        .iter()
        .map(|offer| offer.total.amount())
        .collect();
    let kept = ["500.00", "600.00", "700.00", "702.00"];
    let twice: Vec<String> = kept
        .iter()
        .flat_map(|one| [(*one).to_owned(), (*one).to_owned()])
        .collect();
    assert_eq!(totals, twice);
}

#[test]
fn one_bad_choice_of_beds_never_loses_the_others() {
    let good = json!({"description": "2 Twin Beds",
        "links": {"price_check": {"href": "/v3/properties/19248/rooms/1/rates/2?token=b"}}});
    let mut late = good.clone();
    late["links"]["price_check"]["expires"] = json!("soon");
    let bad = json!({"0": "beds", "1": {"links": {}}, "2": late});
    let of_beds = |beds: &Value| of_two(&changed(|rate| rate["bed_groups"] = beds.clone()));
    let mut both = bad.clone();
    both["3"] = good;
    let found = of_beds(&both);
    assert_eq!((found.offers.len(), found.rejected.len()), (1, 3));
    // A rate without any is one that is left out.
    let found = of_beds(&bad);
    assert_eq!((found.offers.len(), found.rejected.len()), (0, 1));
}

#[tokio::test]
async fn prices_are_asked_for_in_a_currency_that_rapid_knows() {
    for (wish, asked) in [(Some("JPY"), "JPY"), (Some("BHD"), "USD"), (None, "USD")] {
        let script = vec![
            (GEOGRAPHY, 200, r#"{"19248":{}}"#),
            (AVAILABILITY, 200, "[]"),
            (CONTENT, 200, "{}"),
        ];
        let (rapid, wire) = adapter(ScriptedWire::new(script));
        let mut wanted = search(vec![guests(2, &[])]);
        wanted.currency = wish.map(|code| code.parse().unwrap());
        rapid.search(&cx(), &wanted).await.unwrap();
        let currency = ("currency".to_owned(), asked.to_owned());
        let requests = wire.requests();
        assert!(requests[1].query_pairs().contains(&currency), "{wish:?}");
    }
}

#[test]
fn one_bad_rate_never_loses_the_others() {
    let mut answer = example("availability/200_availability.json");
    let rates = answer[0]["rooms"][0]["rates"].as_array_mut().unwrap();
    let good = rates[0].clone();
    let inclusive = "/occupancy_pricing/2/totals/inclusive/billable_currency";
    for value in [
        json!("702.005"),
        json!("-1.00"),
        json!(null),
        json!("1e3"),
        json!({}),
    ] {
        let mut bad = good.clone();
        bad.pointer_mut(inclusive).unwrap()["value"] = value;
        rates.push(bad);
    }
    let mut sold_out = good.clone();
    sold_out["status"] = json!("sold_out");
    rates.push(sold_out);
    let mut number = good;
    number.pointer_mut(inclusive).unwrap()["value"] = json!(702.0);
    rates.push(number);
    rates.push(json!("x"));
    answer.as_array_mut().unwrap().push(json!([]));
    let found = of_two(&answer);
    assert_eq!(found.offers.len(), 2);
    assert_eq!(found.rejected.len(), 7, "{:?}", found.rejected);
    assert_eq!(found.offers[1].total, money("702.00", "CAD"));
}

#[test]
fn sums_that_do_not_add_up_are_flagged_and_kept() {
    for (pointer, value) in [
        ("/occupancy_pricing/2/nightly/0/0/value", "309.01"),
        (
            "/occupancy_pricing/2/totals/property_fees/billable_currency/value",
            "15.01",
        ),
        (
            "/occupancy_pricing/2/totals/exclusive/billable_currency/value",
            "702.01",
        ),
    ] {
        let answer = changed(|rate| *rate.pointer_mut(pointer).unwrap() = json!(value));
        let found = of_two(&answer);
        let offer = &found.offers[0];
        assert_eq!(offer.total, money("702.00", "CAD"), "{pointer}");
        let sums = offer
            .warnings
            .iter()
            .filter(|one| one.code == WarningCode::SumMismatch);
        assert_eq!(sums.count(), 1, "{pointer}: {:?}", offer.warnings);
    }
}

#[tokio::test]
async fn a_price_is_asked_for_by_the_link_of_the_offer() {
    let path = "GET /v3/properties/19248/rooms/abc123/rates/abc123";
    let script = vec![
        (path, 200, bytes("price_check/200_available.json")),
        (path, 200, bytes("price_check/200_price_changed.json")),
        (path, 400, bytes("errors/400_link_invalid.json")),
        (path, 200, br#"{"status": "perhaps"}"#.to_vec()),
    ];
    let (rapid, wire) = adapter_at("2019-03-01T00:00:00Z", false, ScriptedWire::new(script));
    let handle = offer_of_two().handle;
    let same = rapid.price(&cx(), &handle).await.unwrap();
    assert_eq!(same.total, money("346.00", "CAD"));
    assert_eq!(
        same.handle["book"]["href"],
        "/v3/itineraries?token=MY5S3j36cOcL"
    );
    let expires = same.expires_at.map(|at| at.to_string());
    assert_eq!(expires.as_deref(), Some("2019-03-05T07:23:14Z"));
    // Asked again with what was remembered of the first time.
    let other = rapid.price(&cx(), &same.handle).await.unwrap();
    assert_eq!(other.total, money("215.00", "USD"));
    let old = rapid.price(&cx(), &handle).await.unwrap_err();
    assert_eq!(old.kind, Kind::OfferExpired);
    let odd = rapid.price(&cx(), &handle).await.unwrap_err();
    assert_eq!(odd.kind, Kind::Protocol);
    assert!(wire.unmet().is_empty());
    let lost = rapid.price(&cx(), &json!({})).await.unwrap_err();
    assert_eq!(lost.kind, Kind::InvalidRequest);
}
