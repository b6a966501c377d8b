//! What is asked for, several rooms, and shapes that an answer may have.

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Safety, SupplierErrorKind as Kind};
use travel_types::WarningCode;
use vertical_kit::{Searcher as _, Supplier as _};

use super::{
    CHECK, SEARCH, adapter, answer, cx, details, found, guests, handle, london, money, rate, silent,
};
use crate::{Board, PaymentTime};

#[tokio::test]
async fn a_search_merges_equal_rooms_and_names_the_ages_of_children() {
    let rooms = vec![guests(2, &[8, 3]), guests(1, &[]), guests(2, &[3, 8])];
    let mut search = london(rooms);
    search.stars_min = Some(3.5);
    search.area.radius_km = 500.0;
    let empty = r#"{"auditData":{},"hotels":{"total":0}}"#;
    let script = vec![(SEARCH, 200, empty), (SEARCH, 200, empty)];
    let (mut hotelbeds, wire) = adapter(ScriptedWire::new(script));
    hotelbeds.search(&cx(), &search).await.unwrap();
    hotelbeds.search_by_destination = true;
    hotelbeds.search(&cx(), &search).await.unwrap();
    let sent = |index: usize| -> Value {
        serde_json::from_slice(wire.requests()[index].body_bytes()).unwrap()
    };
    let expected = json!({
        "stay": {"checkIn": "2024-04-02", "checkOut": "2024-04-03"},
        "occupancies": [
            {"rooms": 2, "adults": 2, "children": 2, "paxes": [{"type": "CH", "age": 3}, {"type": "CH", "age": 8}]},
            {"rooms": 1, "adults": 1, "children": 0}
        ],
        "geolocation": {"latitude": 51.5074, "longitude": -0.1278, "radius": 200.0, "unit": "km"},
        "filter": {"maxHotels": 200, "maxRatesPerRoom": 10, "minCategory": 3},
        "language": "ENG"
    });
    assert_eq!(sent(0), expected);
    let mut by_code = expected;
    by_code.as_object_mut().unwrap().remove("geolocation");
    by_code["destination"] = json!({"code": "LON"});
    assert_eq!(sent(1), by_code);
    assert_eq!(*wire.requests()[0].safety(), Safety::Safe);
}

#[tokio::test]
async fn different_rooms_are_sold_together_at_one_board_and_class_the_cheapest_of_each() {
    let search = london(vec![guests(1, &[]), guests(2, &[5]), guests(1, &[])]);
    let single = |key: &str, net: &str, board: &str, class: &str| {
        rate(
            json!({"rateKey": key, "net": net, "boardCode": board, "boardName": "", "rateClass": class,
            "rooms": 2, "allotment": 4,
            "cancellationPolicies": [{"amount": net, "from": "2024-03-20T00:00:00Z"}]}),
        )
    };
    let family = |key: &str, net: &str, board: &str, class: &str| {
        rate(
            json!({"rateKey": key, "net": net, "boardCode": board, "boardName": "", "rateClass": class,
            "adults": 2, "children": 1, "childrenAges": "5", "allotment": 3,
            "cancellationPolicies": [{"amount": net, "from": "2024-03-10T00:00:00Z"}]}),
        )
    };
    let body = answer(&[
        single("s1", "100.00", "RO", "NOR"),
        single("s2", "90.00", "RO", "NOR"),
        single("s3", "120.00", "BB", "NOR"),
        family("f1", "70.00", "RO", "NRF"),
        family("f2", "80.10", "RO", "NOR"),
        rate(json!({"rateKey": "x", "adults": 4})),
    ]);
    let found = found(&search, body.to_string()).await;
    assert_eq!(
        found.rejected,
        ["is for other rooms or guests than were searched"]
    );
    let [offer] = &found.offers[..] else {
        panic!("{} offers", found.offers.len());
    };
    assert_eq!(offer.total, money("170.10", "EUR"));
    let shown = details(offer);
    let sleepers: Vec<_> = shown.rooms.iter().map(|room| room.guests.clone()).collect();
    assert_eq!(sleepers, [guests(1, &[]), guests(2, &[5]), guests(1, &[])]);
    assert_eq!(shown.rooms_left, Some(3));
    let refunds: Vec<String> = offer
        .conditions
        .cancellation
        .iter()
        .flatten()
        .map(|term| term.refund.amount())
        .collect();
    assert_eq!(refunds, ["170.10", "90.00", "0.00"]);
    // No board and class that both kinds of room can be had at.
    let body = answer(&[
        single("s1", "100.00", "RO", "NOR"),
        family("f1", "70.00", "BB", "NOR"),
    ]);
    let found = super::found(&search, body.to_string()).await;
    assert_eq!((found.offers.len(), found.rejected.len()), (0, 1));
}

#[tokio::test]
async fn children_of_different_ages_need_rates_that_tell_which_are_whose() {
    let search = london(vec![guests(2, &[5]), guests(2, &[9])]);
    let of = |key: &str, ages: Value| {
        rate(json!({"rateKey": key, "adults": 2, "children": 1, "childrenAges": ages}))
    };
    let body = answer(&[of("a", json!("5")), of("b", json!([9]))]);
    let told = found(&search, body.to_string()).await;
    assert_eq!((told.offers.len(), told.rejected.len()), (1, 0));
    let body = answer(&[of("a", json!(null)), of("b", json!("9"))]);
    let untold = found(&search, body.to_string()).await;
    assert!(untold.offers.is_empty());
    assert!(untold.rejected[0].starts_with("does not tell"));
}

#[tokio::test]
async fn a_price_is_never_rounded_and_the_hotels_own_price_holds_where_it_must() {
    let search = london(vec![guests(1, &[])]);
    let body = answer(&[
        rate(json!({"rateKey": "1", "net": "212.405"})),
        rate(json!({"rateKey": "2", "net": null})),
        rate(json!({"rateKey": "3", "net": {}})),
        rate(json!({"rateKey": "4", "net": -1})),
        rate(json!({"rateKey": "5", "net": "200.00", "sellingRate": 230, "hotelMandatory": true})),
        rate(json!({"rateKey": "6", "net": "200.00", "hotelMandatory": "true"})),
        rate(json!({"rateKey": "7", "net": "200.00", "sellingRate": 230, "hotelMandatory": false})),
        rate(json!({"rateKey": "7", "net": "1.00"})),
        rate(json!({"rateKey": null})),
        json!(7),
        rate(json!({"rateKey": "8", "net": "2e2"})),
    ]);
    let found = found(&search, body.to_string()).await;
    let totals: Vec<String> = found
        .offers
        .iter()
        .map(|offer| offer.total.amount())
        .collect();
    assert_eq!(totals, ["230.00", "200.00"]);
    assert_eq!(
        found.rejected,
        [
            "total: 212.405 is finer than EUR allows (2 digits)",
            "net is missing",
            "is not a rate as Hotelbeds describes it",
            "the total is below zero",
            "sellingRate is missing",
            "is the same rate as another one",
            "a rate without a key",
            "is not a rate as Hotelbeds describes it",
            "total: '2e2' is not a decimal amount such as 1016.15",
        ]
    );
    let mut body = answer(&[rate(json!({"net": 1500}))]);
    body["hotels"]["hotels"][0]["currency"] = json!("JPY");
    let found = super::found(&search, body.to_string()).await;
    assert_eq!(found.offers[0].total, money("1500", "JPY"));
}

/// A search around Barcelona that answers hotels of Brazil: shown, and flagged.
#[tokio::test]
async fn hotels_of_another_continent_are_flagged_and_not_swallowed() {
    let mut search = london(vec![guests(1, &[])]);
    search.area.city = Some("BCN".to_owned());
    (search.area.latitude, search.area.longitude) = (41.3874, 2.1686);
    let mut body = answer(&[rate(json!({}))]);
    let hotels = body["hotels"]["hotels"].as_array_mut().unwrap();
    let plain = hotels.remove(0);
    for (code, name, latitude, longitude) in [
        (1, "Barcelona Centre", json!(41.39), json!(2.17)),
        (2, "Rio", json!("-22.9711"), json!("-43.1822")),
        (3, "São Paulo", json!(-23.5613), json!(-46.6565)),
        (
            4,
            "Salvador",
            json!("-12.97180000000000000000"),
            json!(-38.5011),
        ),
        (5, "Nowhere", json!(null), json!("east")),
    ] {
        let mut hotel = plain.clone();
        hotel["code"] = json!(code);
        hotel["name"] = json!(name);
        hotel["latitude"] = latitude;
        hotel["longitude"] = longitude;
        hotel["destinationCode"] = json!("BCN");
        hotels.push(hotel);
    }
    let body = body.to_string();
    let found = found(&search, body.clone()).await;
    assert_eq!((found.offers.len(), found.rejected.len()), (5, 0));
    let flagged: Vec<bool> = found
        .offers
        .iter()
        .map(|offer| {
            offer.warnings.iter().any(|warning| {
                warning.code == WarningCode::DataQuality
                    && warning.path.as_deref() == Some("details.property")
            })
        })
        .collect();
    assert_eq!(flagged, [false, true, true, true, false]);
    assert_eq!(details(&found.offers[4]).property.distance_km, None);
    // Where the destination was named, a hotel of another one is flagged too.
    let (mut hotelbeds, _) = adapter(ScriptedWire::new(vec![(SEARCH, 200, body)]));
    hotelbeds.search_by_destination = true;
    search.area.city = Some("RIO".to_owned());
    let found = hotelbeds.search(&cx(), &search).await.unwrap();
    assert!(found.offers.iter().all(|offer| !offer.warnings.is_empty()));
}

#[tokio::test]
async fn what_is_due_at_the_property_is_told_and_not_part_of_the_total() {
    let search = london(vec![guests(1, &[])]);
    let taxes = json!({"allIncluded": false, "taxes": [
        {"included": false, "amount": 6.6, "currency": "GBP", "type": "TAX", "clientAmount": "7.50", "clientCurrency": "EUR"},
        {"included": false, "clientAmount": "3", "clientCurrency": "EUR", "type": "FEE"},
        {"included": false, "amount": "1.005", "currency": "GBP"},
        {"included": false, "percent": "5.00"},
        {"included": true, "amount": "10.00", "currency": "EUR"},
        {"included": "true", "amount": 2.4}
    ]});
    let comment =
        "Estimated total amount of taxes & fees for this booking: 9 Euro payable on arrival.";
    let body = answer(&[
        rate(json!({"rateKey": "1", "taxes": taxes, "rateComments": comment})),
        rate(json!({"rateKey": "2", "taxes": {"taxes": null}, "rateComments": comment})),
        rate(json!({"rateKey": "3", "taxes": "some"})),
        rate(json!({"rateKey": "4", "taxes": [{"included": true}]})),
        rate(
            json!({"rateKey": "5", "paymentType": "AT_HOTEL", "boardCode": "LU", "boardName": "LUNCH INCLUDED"}),
        ),
    ]);
    let found = found(&search, body.to_string()).await;
    assert_eq!((found.offers.len(), found.rejected.len()), (5, 0));
    let offer = &found.offers[0];
    assert_eq!(offer.total, money("212.40", "EUR"));
    assert_eq!(offer.taxes, Some(money("12.40", "EUR")));
    let due = details(offer).due_at_property;
    let due: Vec<_> = due
        .iter()
        .map(|charge| (charge.name.as_str(), charge.amount, charge.note.as_deref()))
        .collect();
    assert_eq!(
        due,
        [
            ("tax", Some(money("6.60", "GBP")), None),
            ("fee", Some(money("3.00", "EUR")), None),
            ("tax", None, Some("1.005 GBP")),
            ("tax", None, Some("5.00 %")),
        ]
    );
    assert_eq!(offer.warnings[0].code, WarningCode::AmountPrecision);
    let in_words = details(&found.offers[1]).due_at_property;
    assert_eq!((in_words.len(), in_words[0].amount), (1, None));
    assert_eq!(found.offers[2].warnings.len(), 1);
    assert_eq!(found.offers[3].taxes, None);
    let last = details(&found.offers[4]);
    assert_eq!(
        (last.payment, last.board),
        (PaymentTime::AtProperty, Board::RoomOnly)
    );
    assert_eq!(last.remarks, ["Board: LUNCH INCLUDED"]);
    assert_eq!(found.offers[4].warnings.len(), 1);
}

#[tokio::test]
async fn taxes_that_do_not_say_it_themselves_are_included_where_all_are() {
    let search = london(vec![guests(1, &[])]);
    let tax = json!({"amount": "12.40", "currency": "EUR", "type": "TAX"});
    let mut due = tax.clone();
    due["included"] = json!(false);
    let taxes = |all: Value, tax: &Value| json!({"allIncluded": all, "taxes": [tax]});
    let body = answer(&[
        rate(json!({"rateKey": "1", "taxes": taxes(json!(true), &tax)})),
        rate(json!({"rateKey": "2", "taxes": taxes(json!(true), &due)})),
        rate(json!({"rateKey": "3", "taxes": taxes(json!(false), &tax)})),
        rate(json!({"rateKey": "4", "taxes": taxes(json!(null), &tax)})),
    ]);
    let found = found(&search, body.to_string()).await;
    let told: Vec<_> = found
        .offers
        .iter()
        .map(|offer| (offer.taxes, details(offer).due_at_property.len()))
        .collect();
    let included = Some(money("12.40", "EUR"));
    assert_eq!(told, [(included, 0), (None, 1), (None, 1), (None, 1)]);
}

#[tokio::test]
async fn policies_that_are_odd_are_flagged_and_never_invented() {
    let search = london(vec![guests(1, &[])]);
    let policies =
        |value: Value| json!({"rateKey": value.to_string(), "cancellationPolicies": value});
    let shapes = [
        (json!(null), None, 0),
        (json!([]), None, 0),
        (json!("none"), None, 1),
        (json!([{"amount": "212.40", "from": "soon"}]), None, 1),
        (
            json!([{"amount": 1000, "from": "2024-03-01T00:00:00Z"}]),
            Some(vec!["212.40", "0.00"]),
            1,
        ),
        (
            json!([{"amount": "10.005", "from": "2024-03-01T00:00:00Z"}]),
            Some(vec!["212.40"]),
            2,
        ),
        (
            json!([{"percent": "50.00", "from": "2024-03-01T00:00:00Z"}]),
            Some(vec!["212.40", "106.20"]),
            0,
        ),
        (json!([{"amount": 12.4}]), Some(vec!["200.00"]), 0),
        // An amount that cannot be read is told by its share.
        (
            json!([{"amount": "10.005", "percent": "50.00", "from": "2024-03-01T00:00:00Z"}]),
            Some(vec!["212.40", "106.20"]),
            1,
        ),
        (
            json!([{"hotelAmount": "12.40", "hotelCurrency": "EUR", "from": "2024-03-01T00:00:00Z"}]),
            Some(vec!["212.40", "200.00"]),
            0,
        ),
        (
            json!([{"hotelAmount": "12.40", "hotelCurrency": "GBP", "from": "2024-03-01T00:00:00Z"}]),
            Some(vec!["212.40"]),
            1,
        ),
    ];
    let rates: Vec<Value> = shapes
        .iter()
        .map(|(shape, ..)| rate(policies(shape.clone())))
        .collect();
    let found = found(&search, answer(&rates).to_string()).await;
    assert_eq!(
        (found.offers.len(), found.rejected.len()),
        (shapes.len(), 0)
    );
    for (offer, (shape, refunds, warnings)) in found.offers.iter().zip(&shapes) {
        let told = offer.conditions.cancellation.as_ref().map(|terms| {
            terms
                .iter()
                .map(|term| term.refund.amount())
                .collect::<Vec<_>>()
        });
        let expected = refunds.as_ref().map(|refunds| {
            refunds
                .iter()
                .map(|refund| (*refund).to_owned())
                .collect::<Vec<_>>()
        });
        assert_eq!(told, expected, "{shape}");
        assert_eq!(
            offer.warnings.len(),
            *warnings,
            "{shape}: {:?}",
            offer.warnings
        );
    }
    // A non-refundable rate needs no policy; one that gives something back contradicts itself.
    let body = answer(&[
        rate(json!({"rateKey": "1", "rateClass": "NRF"})),
        rate(json!({"rateKey": "2", "rateClass": "NRF",
            "cancellationPolicies": [{"amount": 212.4, "from": "2024-03-01T00:00:00Z"}]})),
    ]);
    let found = super::found(&search, body.to_string()).await;
    let first = found.offers[0].conditions.cancellation.as_ref().unwrap();
    assert_eq!((first.len(), first[0].refund), (1, money("0.00", "EUR")));
    assert!(found.offers[0].warnings.is_empty());
    assert_eq!(found.offers[1].warnings.len(), 1);
}

#[tokio::test]
async fn an_answer_for_other_days_or_guests_is_shown_as_what_it_is_and_flagged() {
    let mut search = london(vec![guests(2, &[])]);
    search.check_in = "2024-05-01".parse().unwrap();
    let found = found(&search, answer(&[rate(json!({}))]).to_string()).await;
    let offer = &found.offers[0];
    let paths: Vec<_> = offer
        .warnings
        .iter()
        .filter_map(|one| one.path.as_deref())
        .collect();
    assert_eq!(paths, ["details.check_in", "details.rooms"]);
    let shown = details(offer);
    assert_eq!(shown.check_in.to_string(), "2024-04-02");
    assert_eq!(shown.rooms[0].guests, guests(1, &[]));
}

#[tokio::test]
async fn an_answer_without_hotels_found_none_and_garbage_is_told() {
    let search = london(vec![guests(1, &[])]);
    for none in [
        r#"{"auditData":{},"hotels":{"total":0}}"#,
        r#"{"auditData":{},"hotels":{"hotels":null,"total":0}}"#,
        r#"{"auditData":{},"hotels":null}"#,
        r#"{"auditData":{}}"#,
    ] {
        let found = found(&search, none).await;
        assert_eq!((found.offers.len(), found.rejected.len()), (0, 0), "{none}");
    }
    let product = r#"{"error":{"code":"PRODUCT_ERROR-1","message":"Stop sales"}}"#;
    for (status, body, kind) in [
        (200, "<html>", Kind::Protocol),
        (200, "{}", Kind::Protocol),
        (200, r#"{"auditData":{},"hotels":7}"#, Kind::Protocol),
        (
            200,
            r#"{"error":{"code":"INVALID_DATA-1","message":"Check-in must be in the future."}}"#,
            Kind::InvalidRequest,
        ),
        (
            400,
            r#"{"error":{"code":"INVALID_REQUEST-1"}}"#,
            Kind::InvalidRequest,
        ),
        (
            401,
            r#"{"error":"Request signature verification failed"}"#,
            Kind::NotAuthorised,
        ),
        (
            403,
            r#"{"error":"Access to this API has been disallowed"}"#,
            Kind::NotAuthorised,
        ),
        (403, r#"{"error":"Quota exceeded"}"#, Kind::RateLimited),
        (403, "<h1>Developer Over Rate</h1>", Kind::RateLimited),
        (
            403,
            "<h1>Account Over Queries Per Second Limit</h1>",
            Kind::RateLimited,
        ),
        (429, "", Kind::RateLimited),
        (500, product, Kind::SoldOut),
        (
            500,
            r#"{"error":{"code":"SYSTEM_ERROR-1","message":"Oops"}}"#,
            Kind::Unavailable,
        ),
        (502, "<html>", Kind::Unavailable),
        (504, "", Kind::Timeout),
    ] {
        let (hotelbeds, _) = adapter(ScriptedWire::new(vec![(SEARCH, status, body)]));
        let error = hotelbeds.search(&cx(), &search).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {body}");
    }
    let gateway = silent().then(
        SEARCH,
        403,
        &[("x-mashery-error-code", "ERR_403_DEVELOPER_OVER_QPS")],
        "",
    );
    let (hotelbeds, _) = adapter(gateway);
    let error = hotelbeds.search(&cx(), &search).await.unwrap_err();
    assert_eq!(error.kind, Kind::RateLimited);
}

#[tokio::test]
async fn only_rates_that_need_it_are_checked_and_none_longer_than_it_lives() {
    let plain = handle(json!({})).await;
    let (hotelbeds, wire) = adapter(silent());
    let offer = hotelbeds.price(&cx(), &plain).await.unwrap();
    assert_eq!(offer.handle, plain);
    assert!(wire.requests().is_empty());
    hotelbeds
        .clock
        .advance(std::time::Duration::from_secs(1500));
    let error = hotelbeds.price(&cx(), &plain).await.unwrap_err();
    assert_eq!(error.kind, Kind::OfferExpired);
    let recheck = handle(json!({"rateType": "RECHECK"})).await;
    let one = |changes: Value| {
        json!({"hotel": answer(&[rate(changes)])["hotels"]["hotels"][0]}).to_string()
    };
    // A new price and a new key.
    let changed = one(json!({"rateKey": "new", "net": "220.00"}));
    let (hotelbeds, _) = adapter(ScriptedWire::new(vec![(CHECK, 200, changed)]));
    let offer = hotelbeds.price(&cx(), &recheck).await.unwrap();
    assert_eq!(offer.total, money("220.00", "EUR"));
    assert_eq!(offer.handle["rates"][0]["key"], "new");
    let sold_out = r#"{"error":{"code":"PRODUCT_ERROR-1","message":"Insufficient allotment"}}"#;
    for (status, body, kind) in [
        (
            200,
            r#"{"hotel":{"currency":"EUR","rooms":[]}}"#.to_owned(),
            Kind::SoldOut,
        ),
        (
            200,
            r#"{"hotel":{"currency":"EUR","rooms":null}}"#.to_owned(),
            Kind::SoldOut,
        ),
        (500, sold_out.to_owned(), Kind::SoldOut),
        (
            400,
            r#"{"error":{"code":"INVALID_DATA-1","message":"The rateKey has expired"}}"#.to_owned(),
            Kind::OfferExpired,
        ),
        (200, one(json!({"adults": 3})), Kind::Protocol),
        (200, one(json!({"net": "1.001"})), Kind::Protocol),
        (200, r#"{"auditData":{}}"#.to_owned(), Kind::Protocol),
    ] {
        let (hotelbeds, _) = adapter(ScriptedWire::new(vec![(CHECK, status, body.clone())]));
        let error = hotelbeds.price(&cx(), &recheck).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {body}");
    }
    let error = hotelbeds.price(&cx(), &json!({})).await.unwrap_err();
    assert_eq!(error.kind, Kind::InvalidRequest);
}
