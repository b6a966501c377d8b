//! Every recorded body, and what is told about it.

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use supplier_client::{Blame, Retry, Safety, SupplierErrorKind as Kind, WireRequest, WireResponse};
use supplier_platforms::duffel::errors;
use travel_types::{Money, WarningCode};
use vertical_kit::SupplierOffer;

use super::super::{map, wire};
use super::{bytes, folder, recorded, recorded_offer};
use testkit::adapters::money;

fn read_offer(text: &str) -> Result<SupplierOffer, String> {
    let offer: wire::Offer = serde_json::from_str(text).map_err(|error| error.to_string())?;
    map::offer(&offer)
}

fn literal(body: &Value, part: &str) -> Money {
    let text = |key: String| body[key].as_str().unwrap().to_owned();
    money(
        &text(format!("{part}_amount")),
        &text(format!("{part}_currency")),
    )
}

/// Holds an offer against its own JSON and counts its amounts.
fn holds(offer: &SupplierOffer, body: &Value) -> usize {
    assert_eq!(offer.total, literal(body, "total"));
    let (base, taxes) = (offer.base.unwrap(), offer.taxes.unwrap());
    assert_eq!((base, taxes), (literal(body, "base"), literal(body, "tax")));
    assert_eq!(base.plus(taxes).unwrap(), offer.total);
    assert!(
        offer
            .warnings
            .iter()
            .all(|warning| warning.code == WarningCode::TimeInconsistent)
    );
    let expiry = body["expires_at"].as_str().unwrap();
    assert_eq!(offer.expires_at, Some(expiry.parse().unwrap()));
    3
}

#[test]
fn every_recorded_body_is_read_and_every_amount_is_its_literal() {
    let (mut amounts, mut offers, mut cut) = (0, 0, 0);
    let mut held = recorded("offer_requests/create_with_offers.json")["data"]["offers"].take();
    let mut held = std::mem::take(held.as_array_mut().unwrap());
    held.push(recorded_offer());
    for body in &held {
        amounts += holds(&read_offer(&body.to_string()).unwrap(), body);
        offers += 1;
    }
    for body in recorded("offer_requests/show.json")["data"]["offers"]
        .as_array()
        .unwrap()
    {
        assert_eq!(
            read_offer(&body.to_string()).unwrap_err(),
            "a journey without flights"
        );
        // With flights they are offers like the others.
        let mut whole = body.clone();
        whole["slices"] = held[0]["slices"].clone();
        let offer = read_offer(&whole.to_string()).unwrap_or_else(|reason| panic!("{reason}"));
        assert_eq!(offer.total, literal(body, "total"));
        assert_eq!(
            offer.base.unwrap().plus(offer.taxes.unwrap()).unwrap(),
            offer.total
        );
        amounts += 3;
        cut += 1;
    }
    let order: wire::Data<wire::Order> =
        serde_json::from_slice(&bytes("orders/show.json")).unwrap();
    let placed = map::order(&order.data, &json!({}), money("1", "GBP")).unwrap();
    let body = recorded("orders/show.json")["data"].take();
    assert_eq!(placed.total, literal(&body, "total"));
    assert_eq!(
        literal(&body, "base").plus(literal(&body, "tax")).unwrap(),
        placed.total
    );
    assert_eq!(placed.supplier_reference, "GAIRBB");
    assert!(placed.details.is_some());
    amounts += 3;
    let cancellation: wire::Data<wire::Refund> =
        serde_json::from_slice(&bytes("order_cancellations/show.json")).unwrap();
    let refund = map::refund(&cancellation.data, placed.total).unwrap();
    assert_eq!(refund, money("177.80", "GBP"));
    amounts += 1;
    println!(
        "{offers} offers shown, {cut} cut offers refused with a reason, 1 order, 1 cancellation: \
         {amounts} amounts equal their literals, {} sums hold",
        offers + cut + 1
    );
    assert_eq!((offers, cut, amounts), (69, 14, 253));
}

/// All flights of a body, wherever they stand.
fn flights(body: &Value, found: &mut Vec<Value>) {
    match body {
        Value::Object(fields) if fields.contains_key("departing_at") => found.push(body.clone()),
        Value::Object(fields) => fields.values().for_each(|value| flights(value, found)),
        Value::Array(entries) => entries.iter().for_each(|value| flights(value, found)),
        _ => {}
    }
}

/// Whether a flight is flagged when it is all of an offer.
fn is_flagged(flight: &Value) -> bool {
    let mut offer = recorded_offer();
    offer["slices"] = json!([{"segments": [flight]}]);
    let offer = read_offer(&offer.to_string()).unwrap();
    let flags = offer.warnings.iter();
    flags
        .filter(|warning| warning.code == WarningCode::TimeInconsistent)
        .inspect(|warning| {
            let path = "details.slices[0].segments[0]";
            assert_eq!(warning.path.as_deref(), Some(path));
        })
        .count()
        > 0
}

/// Minutes of `PT01H35M`, read by hand.
fn minutes(duration: &str) -> i64 {
    let (hours, minutes) = duration[2..].split_once('H').unwrap();
    hours.parse::<i64>().unwrap() * 60
        + minutes
            .strip_suffix('M')
            .map_or(0, |minutes| minutes.parse().unwrap())
}

/// Minutes from departure to arrival, by the bundled time zones.
fn under_way(flight: &Value) -> i64 {
    let at = |time: &str, place: &str| {
        let local: jiff::civil::DateTime = flight[time].as_str().unwrap().parse().unwrap();
        let zone = flight[place]["time_zone"].as_str().unwrap();
        local.in_tz(zone).unwrap().timestamp()
    };
    let gone = at("arriving_at", "destination").duration_since(at("departing_at", "origin"));
    gone.as_mins()
}

/// Of the flights recorded here, exactly those of the sandbox airline ZZ state a wrong duration: the
/// difference of the local times.
#[test]
fn exactly_the_flights_whose_times_cannot_be_true_are_flagged() {
    let (mut all, mut flagged) = (0, 0);
    for (file, count, wrong) in [
        ("offer_requests/create_with_offers.json", 68, 0),
        ("offers/show.json", 2, 0),
        ("orders/show.json", 2, 2),
        ("order_changes/show.json", 2, 2),
        ("order_changes/show_confirmed.json", 2, 2),
        ("order_change_offers/show.json", 2, 2),
        ("order_change_offers/list.json", 4, 4),
    ] {
        let mut found = Vec::new();
        flights(&recorded(file), &mut found);
        let told: Vec<&Value> = found.iter().filter(|flight| is_flagged(flight)).collect();
        assert_eq!((found.len(), told.len()), (count, wrong), "{file}");
        for flight in &found {
            let stated = minutes(flight["duration"].as_str().unwrap());
            let inconsistent = stated != under_way(flight);
            assert_eq!(is_flagged(flight), inconsistent, "{file}: {flight}");
            assert_eq!(
                inconsistent,
                flight["marketing_carrier"]["iata_code"] == "ZZ",
                "{file}: {flight}"
            );
        }
        all += found.len();
        flagged += told.len();
    }
    println!(
        "{all} flights: {flagged} flagged, {} consistent",
        all - flagged
    );
    assert_eq!((all, flagged), (82, 12));
}

/// Morocco keeps UTC+1 except in Ramadan (27 March to 8 May 2022): schedules that forget it are told.
#[test]
fn a_flight_from_casablanca_in_ramadan_is_flagged_and_one_in_june_is_not() {
    let mut flight = recorded_offer()["slices"][0]["segments"][0].take();
    flight["origin"] = json!({"iata_code": "CMN", "time_zone": "Africa/Casablanca"});
    flight["destination"] = json!({"iata_code": "CDG", "time_zone": "Europe/Paris"});
    flight["duration"] = json!("PT3H");
    for (day, wrong) in [("2022-04-16", true), ("2022-06-16", false)] {
        flight["departing_at"] = json!(format!("{day}T07:30:00"));
        flight["arriving_at"] = json!(format!("{day}T11:30:00"));
        assert_eq!(is_flagged(&flight), wrong, "{day}");
    }
}

fn failed(status: u64, body: &[u8], changes: bool) -> supplier_client::SupplierError {
    let request = WireRequest::post("order", "/air/orders", Safety::Unsafe);
    let status = StatusCode::from_u16(status.try_into().unwrap()).unwrap();
    let response = WireResponse::new(&request, status, HeaderMap::new(), body.to_vec());
    errors::failure(&response, changes)
}

#[test]
fn every_recorded_error_has_a_kind_a_blame_an_advice_and_its_code() {
    let soon = Retry::After(std::time::Duration::from_secs(1));
    let no = Retry::Never;
    let table = [
        (
            "airline_error.json",
            Kind::Unavailable,
            Blame::Supplier,
            soon,
            "airline_unknown",
        ),
        (
            "api_error.json",
            Kind::Unavailable,
            Blame::Supplier,
            soon,
            "internal_server_error",
        ),
        (
            "authentication_error.json",
            Kind::NotAuthorised,
            Blame::Us,
            no,
            "missing_authorization_header",
        ),
        (
            "invalid_request_error.json",
            Kind::InvalidRequest,
            Blame::Us,
            no,
            "missing_version_header",
        ),
        (
            "invalid_state_error.json",
            Kind::InvalidRequest,
            Blame::Us,
            no,
            "invalid_order_create_type",
        ),
        (
            "rate_limit_error.json",
            Kind::RateLimited,
            Blame::Us,
            soon,
            "rate_limit_exceeded",
        ),
        (
            "validation_error.json",
            Kind::InvalidRequest,
            Blame::Us,
            no,
            "validation_required (slices)",
        ),
        (
            "webhooks/webhook_client_error.json",
            Kind::InvalidRequest,
            Blame::Us,
            no,
            "webhook_client_error",
        ),
    ];
    let files = std::fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let recorded_errors = names.filter(|name| name.ends_with("_error.json")).count();
    assert_eq!(
        recorded_errors + 1,
        table.len(),
        "an error body is not in the table"
    );
    for (file, kind, blame, retry, code) in table {
        let status = recorded(file)["meta"]["status"].as_u64().unwrap();
        let read = failed(status, &bytes(file), false);
        assert_eq!(
            (read.kind, read.blame, read.retry),
            (kind, blame, retry),
            "{file}"
        );
        assert_eq!(read.code.as_deref(), Some(code), "{file}");
        let acted = failed(status, &bytes(file), true);
        let open = kind == Kind::Unavailable;
        let expected = if open {
            (Kind::OutcomeUnknown, no)
        } else {
            (kind, retry)
        };
        assert_eq!((acted.kind, acted.retry), expected, "{file}");
        assert_eq!(
            (acted.blame, acted.code.as_deref()),
            (blame, Some(code)),
            "{file}"
        );
    }
    println!(
        "{} error bodies have kind, blame, advice and code",
        table.len()
    );
}

#[test]
fn an_error_of_any_shape_has_a_kind_and_a_blame() {
    let known = [
        // The number 400 as code, and a source that is text.
        (
            422,
            r#"{"errors":[{"code":400,"title":"Unsupported operation","type":"invalid_request_error"}]}"#,
            Kind::NotSupported,
            Some("400"),
        ),
        (
            422,
            r#"{"errors":[{"code":"validation_format","source":"iberia","type":"validation_error"}]}"#,
            Kind::InvalidRequest,
            Some("validation_format"),
        ),
        // A code that nobody has described goes by its type, and no code at all is named by it.
        (
            422,
            r#"{"errors":[{"code":"brand_new","type":"validation_error"}]}"#,
            Kind::InvalidRequest,
            Some("brand_new"),
        ),
        (
            422,
            r#"{"errors":[{"code":null,"type":"rate_limit_error"}],"meta":null}"#,
            Kind::RateLimited,
            Some("rate_limit_error"),
        ),
        (
            422,
            r#"{"errors":[{"code":{},"type":7,"title":[]}]}"#,
            Kind::InvalidRequest,
            None,
        ),
        (422, r#"{"errors":[]}"#, Kind::InvalidRequest, None),
        (422, r#"{"errors":null}"#, Kind::InvalidRequest, None),
        (422, r#"{"errors":["no"]}"#, Kind::InvalidRequest, None),
        (403, "Forbidden", Kind::NotAuthorised, None),
        (401, "<html>", Kind::NotAuthorised, None),
        (404, "", Kind::NotFound, None),
        (410, "null", Kind::NotFound, None),
        (400, "[]", Kind::InvalidRequest, None),
        (409, "\u{fffd}", Kind::OutcomeUnknown, None),
    ];
    for (status, body, kind, code) in known {
        let error = failed(status, body.as_bytes(), true);
        assert_eq!((error.kind, error.blame), (kind, Blame::Us), "{body}");
        assert_eq!(error.code.as_deref(), code, "{body}");
    }
    let strange = br#"{"errors":[{"code":"brand_new","type":"airline_error"}]}"#;
    assert_eq!(failed(422, strange, false).kind, Kind::Refused);
    assert_eq!(failed(422, strange, true).kind, Kind::Refused);
    assert_eq!(failed(400, strange, true).kind, Kind::OutcomeUnknown);
}
