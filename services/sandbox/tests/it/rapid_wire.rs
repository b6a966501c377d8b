//! Rapid's answers have the keys and types of the specification's examples.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::rapid::{KEY, Rapid, booking, kind, rapid, read, shop_path, signature};
use super::support::DAY;

fn fixture(name: &str) -> Value {
    let path = format!(
        "{}/tests/fixtures/rapid/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Every path of a body with the kind of value that stands there; ids as keys are all one.
fn paths(value: &Value, at: &str, found: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Object(map) => {
            for (key, value) in map {
                let id = key.starts_with(|first: char| first.is_ascii_digit());
                let key = if id && key != "24_hour" { "*" } else { key };
                paths(value, &format!("{at}.{key}"), found);
            }
            return;
        }
        Value::Array(list) => {
            list.iter()
                .for_each(|one| paths(one, &format!("{at}[]"), found));
            return;
        }
        Value::Null => return,
        Value::String(_) => "text",
        Value::Number(_) => "number",
        Value::Bool(_) => "truth",
    };
    found.insert(at.to_owned(), kind);
}

/// Fails for a path of the example that `ours` lacks, unless it is in `absent`, and for another kind.
fn same(name: &str, ours: &Value, absent: &[&str]) {
    let (mut wanted, mut found) = (BTreeMap::new(), BTreeMap::new());
    paths(&fixture(name), "", &mut wanted);
    paths(ours, "", &mut found);
    for (path, kind) in wanted {
        match found.get(&path) {
            Some(other) => assert_eq!(*other, kind, "{name}: {path}"),
            None => assert!(
                absent.iter().any(|part| path.contains(part)),
                "{name}: {path} is missing"
            ),
        }
    }
}

#[tokio::test]
async fn every_key_of_the_specifications_examples_is_answered() {
    let rapid = rapid().await;
    let mut all = Vec::new();
    let mut checks = Vec::new();
    for city in ["LON", "PAR", "NYC"] {
        for people in ["occupancy=2", "occupancy=3"] {
            let found = rapid.shop(city, people).await;
            for property in found.as_array().unwrap() {
                let room = &property["rooms"][0];
                for rate in room["rates"].as_array().unwrap() {
                    let has = |key: &str| rate.get(key).is_some() || rate.pointer(key).is_some();
                    if checks.len() < 8 && has("deposits") || checks.is_empty() {
                        checks.push(rapid.check(property, room, rate).await.body);
                    }
                }
                all.push(property.clone());
            }
        }
    }
    // Vrbo's deposits, dates without refund and a partner's margin are not simulated.
    let absent = [
        "card_on_file_limit",
        "refundable_damage_deposit",
        "nonrefundable_date_ranges",
        "marketing_fee",
        "gross_profit",
        "minimum_selling_price",
        "property_inclusive_strikethrough",
    ];
    same("availability", &Value::from(all), &absent);
    let mut absent = absent.to_vec();
    absent.push("fees");
    for check in &checks {
        absent.push("deposits");
        same("price_check", check, &absent);
    }

    let ids = [
        rapid.ids("LON").await,
        rapid.ids("NYC").await,
        rapid.ids("PAR").await,
    ];
    let ids = ids.concat().join("&property_id=");
    let path = "/v3/properties/content?language=en-US&supply_source=expedia&property_id=";
    let (_, content) = rapid.get(&format!("{path}{ids}")).await;
    let absent = [
        "line_2",
        "state_province",
        "localized",
        "ratings.guest",
        "obfuscated_coordinates",
        ".fax",
        ".checkin.24_hour",
        "special_instructions",
        ".*.fees",
        ".value",
        ".views",
        "special_offer_description",
        ".descriptions.",
        ".themes",
        "all_inclusive",
        "tax_id",
        "spoken_languages",
        "registry_number",
    ];
    same("content", &content, &absent);

    let query = "/v3/regions?language=en-US&include=details&iata_location_code=NCE";
    let (_, regions) = rapid.get(query).await;
    let absent = ["country_subdivision_code", "descendants", "associations"];
    same("regions", &regions, &absent);
}

#[tokio::test]
async fn an_itinerary_has_the_keys_of_the_specifications() {
    let rapid = rapid().await;
    let checked = rapid.checked("occupancy=2-9,4", true).await;
    let mut body = booking("ord_1", "Earhart", 1);
    body["affiliate_metadata"] = json!("source:interline");
    body["hold"] = json!(true);
    let (status, made) = rapid.book(&checked.body, &body).await;
    assert_eq!(status, 201, "{made}");
    same("hold", &made, &[]);
    assert_eq!(rapid.follow(&made["links"]["resume"]).await.0, 204);
    let href = made["links"]["retrieve"]["href"].as_str().unwrap();
    let (_, itinerary) = rapid.get(&format!("{href}&include=history")).await;
    let absent = [
        "promotions",
        "cancel_penalties[].amount",
        "nonrefundable_date_ranges",
        "deposits",
        ".stay",
        "marketing_fee",
        "property_fees",
        ".fees",
        "links.change",
        "shop_for_change",
        ".line_2",
        ".line_3",
        "state_province_code",
        ".adjustment",
        "conversations",
        "itinerary_history[]",
        ".room_history[][].rate",
        ".room_history[][].bed_group_id",
        ".room_history[][].number_of_adults",
        ".room_history[][].child_ages",
        ".room_history[][].special_request",
        ".room_history[][].smoking",
        ".room_history[][].change_reference_id",
    ];
    same("itinerary", &itinerary, &absent);
    assert_eq!(itinerary["rooms"][0]["child_ages"], json!([9, 4]));
    assert_eq!(itinerary["rooms"][0]["checkin"], DAY);
}

#[tokio::test]
async fn errors_are_word_for_word_the_specifications() {
    let rapid = rapid().await;
    let checked = rapid.checked("occupancy=2", true).await;
    let body = booking("ABCD", "Earhart", 1);
    let (_, made) = rapid.book(&checked.body, &body).await;
    let (_, itinerary) = rapid.follow(&made["links"]["retrieve"]).await;
    assert_eq!(
        rapid.book(&checked.body, &body).await.1,
        fixture("duplicate")
    );
    rapid.follow(&itinerary["links"]["cancel"]).await;
    let again = rapid.follow(&itinerary["links"]["cancel"]).await;
    assert_eq!(again, (400, fixture("already_cancelled")));
    let sold_out = rapid.book(&checked.body, &booking("s", "SOLDOUT", 1)).await;
    assert_eq!(sold_out, (410, fixture("rooms_unavailable")));
    let (status, changed) = rapid
        .book(&checked.body, &booking("p", "PRICECHANGE", 1))
        .await;
    assert_eq!(status, 409);
    same("price_mismatch", &changed, &[]);
    assert_eq!(changed["message"], fixture("price_mismatch")["message"]);
    let (status, nobody) = rapid
        .get("/v3/itineraries/8000000000000?email=a@example.com")
        .await;
    assert_eq!((status, nobody), (404, fixture("not_found")));
    assert_eq!(
        rapid.get("/v3/properties/1/rooms/1/rates/1?token=x").await,
        (400, fixture("link"))
    );
}

async fn asked(rapid: &Rapid, header: &str, value: &str) -> (u16, Value) {
    let at = rapid.0.clock.now().as_second();
    let path = "/rapid/v3/itineraries?affiliate_reference_id=none&email=a@example.com";
    let mut request = rapid
        .0
        .client
        .request(Method::GET, format!("{}{path}", rapid.0.base));
    for (name, usual) in [
        ("Authorization", rapid.authorization(at).as_str()),
        ("Accept", "application/json"),
        ("Accept-Encoding", "gzip"),
        ("User-Agent", "interline/1"),
        ("Customer-Ip", "192.0.2.7"),
    ] {
        let value = if name == header { value } else { usual };
        request = request.header(name, value);
    }
    read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_signature_counts_for_its_key_its_secret_and_300_seconds() {
    let rapid = rapid().await;
    let now = rapid.0.clock.now().as_second();
    for at in [now, now - 300, now + 300] {
        assert_eq!(
            asked(&rapid, "Authorization", &rapid.authorization(at)).await,
            (200, json!([]))
        );
    }
    let signed = |key: &str, secret: &str, at: i64| {
        format!(
            "EAN apikey={key},signature={},timestamp={at}",
            signature(key, secret, at)
        )
    };
    for wrong in [
        rapid.authorization(now - 301),
        rapid.authorization(now + 301),
        signed(KEY, "rapid_sandbox", now),
        signed("other", "other_secret", now),
        rapid.authorization(now).replace("EAN ", "Bearer "),
        String::from("EAN"),
    ] {
        let (status, body) = asked(&rapid, "Authorization", &wrong).await;
        assert_eq!(status, 401, "{wrong}");
        let example = fixture("unauthenticated");
        assert_eq!(
            (&body["type"], &body["message"]),
            (&example["type"], &example["message"])
        );
        assert_eq!(body["fields"][3]["name"], "servertimestamp");
    }
    assert_eq!(
        asked(
            &rapid,
            "Authorization",
            &signed("rapid_2", "rapid_2_secret", now)
        )
        .await
        .0,
        200
    );
}

#[tokio::test]
async fn headers_that_rapid_wants_are_wanted_and_its_own_are_there() {
    let rapid = rapid().await;
    for (header, value) in [
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        ("User-Agent", ""),
        ("Customer-Ip", ""),
    ] {
        let (status, body) = asked(&rapid, header, value).await;
        assert_eq!(
            (status, &body["errors"][0]["fields"][0]["name"]),
            (400, &json!(header))
        );
    }
    let answer = rapid.request(
        Method::GET,
        "/v3/regions?language=en-US&include=standard&iata_location_code=LON",
    );
    let answer = answer.send().await.unwrap();
    for name in [
        "rate-limit-minute-remaining",
        "rate-limit-minute-reset",
        "rate-limit-day-reset",
    ] {
        let value = answer.headers()[name].to_str().unwrap();
        assert!(value.parse::<i64>().is_ok(), "{name}: {value}");
    }
    assert_eq!(answer.headers()["rate-limit-minute-remaining"], "100");
    assert_eq!(answer.headers()["rate-limit-reduction-status"], "inactive");
}

#[tokio::test]
async fn a_wrong_search_is_told_everything_that_is_wrong() {
    let rapid = rapid().await;
    let (status, body) = rapid.get("/v3/properties/availability").await;
    let missing = body["errors"].as_array().unwrap().len();
    assert_eq!(
        (status, missing, kind(&body)),
        (400, 10, "checkin.required")
    );
    let good = shop_path("1", "occupancy=2");
    for (part, with, wanted) in [
        (
            format!("checkin={DAY}"),
            "checkin=2026-12-1",
            "checkin.invalid_date_format",
        ),
        (
            format!("checkin={DAY}"),
            "checkin=2026-11-01",
            "checkin.invalid_date_in_the_past",
        ),
        (
            format!("checkin={DAY}"),
            "checkin=2026-12-03",
            "checkout.invalid_checkout_before_checkin",
        ),
        (
            "checkout=2026-12-03".to_owned(),
            "checkout=2027-01-03",
            "checkout.invalid_length_of_stay_too_long",
        ),
        (
            "occupancy=2".to_owned(),
            "occupancy=0",
            "number_of_adults.invalid_below_minimum",
        ),
        (
            "occupancy=2".to_owned(),
            "occupancy=2-18",
            "child_age.invalid_outside_accepted_range",
        ),
        (
            "occupancy=2".to_owned(),
            "occupancy=two",
            "occupancy.invalid_format",
        ),
        (
            "currency=USD".to_owned(),
            "currency=XXX",
            "currency.not_supported",
        ),
        (
            "property_id=1".to_owned(),
            "property_id=abc",
            "property_id.must_be_numeric",
        ),
        (
            "rate_plan_count=250".to_owned(),
            "rate_plan_count=0",
            "rate_plan_count.invalid",
        ),
        (
            "language=en-US".to_owned(),
            "language=xXX",
            "language.not_supported",
        ),
    ] {
        let (status, body) = rapid.get(&good.replace(&part, with)).await;
        assert_eq!((status, kind(&body)), (400, wanted), "{body}");
    }
    let nine = ["occupancy=1"; 9].join("&");
    let (_, body) = rapid.get(&shop_path("1", &nine)).await;
    assert_eq!(kind(&body), "number_of_occupancies.invalid_above_maximum");
    let many: Vec<String> = (0..251).map(|n| n.to_string()).collect();
    let (_, body) = rapid
        .get(&shop_path(&many.join("&property_id="), "occupancy=2"))
        .await;
    assert_eq!(kind(&body), "property_id.above_maximum");
    assert_eq!(rapid.get(&good).await, (200, json!([])));
    let crowd = rapid.ids("NCE").await.join("&property_id=");
    let path = shop_path(&crowd, "occupancy=8&include=unavailable_reason");
    let (_, body) = rapid.get(&path).await;
    assert_eq!(
        body[0]["unavailable_reason"]["code"],
        "adults_exceed_threshold"
    );
}
