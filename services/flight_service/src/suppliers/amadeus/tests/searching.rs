//! Searching and pricing.

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{Blame, Safety, SupplierErrorKind as Kind};
use vertical_kit::{Searcher as _, Supplier as _};

use super::{adapter, bytes, example, mapped, offers_of};
use crate::model::{Cabin, FlightDetails, FlightSearch};
use testkit::adapters::{cx, money};

const SEARCH: &str = "POST /v2/shopping/flight-offers";
const PRICING: &str = "POST /v1/shopping/flight-offers/pricing";

fn search() -> FlightSearch {
    FlightSearch {
        origin: "SYD".to_owned(),
        destination: "BKK".to_owned(),
        departure_date: "2026-11-01".parse().unwrap(),
        return_date: None,
        adults: 1,
        children: 0,
        infants: 0,
        cabin: None,
        max_connections: None,
    }
}

fn script(path: &str, status: u16, body: impl Into<::bytes::Bytes>) -> ScriptedWire {
    ScriptedWire::new(vec![(path, status, body)])
}

#[tokio::test]
async fn a_search_names_everyone_and_every_wish() {
    let (amadeus, wire) = adapter(script(SEARCH, 200, r#"{"data":[]}"#));
    let wish = FlightSearch {
        return_date: Some("2026-11-09".parse().unwrap()),
        adults: 2,
        children: 1,
        infants: 2,
        cabin: Some(Cabin::PremiumEconomy),
        max_connections: Some(0),
        ..search()
    };
    let found = amadeus.search(&cx(), &wish).await.unwrap();
    assert!(found.offers.is_empty() && found.rejected.is_empty());
    let request = &wire.requests()[0];
    assert_eq!(*request.safety(), Safety::Safe);
    let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("x-http-method-override"), "GET");
    assert_eq!(header("content-type"), "application/vnd.amadeus+json");
    assert_eq!(header("ama-client-ref").split(':').count(), 2);
    let sent: Value = serde_json::from_slice(request.body_bytes()).unwrap();
    let direction = |id: &str, from: &str, to: &str, day: &str| {
        json!({"id": id, "originLocationCode": from, "destinationLocationCode": to,
            "departureDateTimeRange": {"date": day}})
    };
    assert_eq!(
        sent,
        json!({
            "originDestinations": [
                direction("1", "SYD", "BKK", "2026-11-01"), direction("2", "BKK", "SYD", "2026-11-09")
            ],
            "travelers": [
                {"id": "1", "travelerType": "ADULT"}, {"id": "2", "travelerType": "ADULT"},
                {"id": "3", "travelerType": "CHILD"},
                {"id": "4", "travelerType": "HELD_INFANT", "associatedAdultId": "1"},
                {"id": "5", "travelerType": "HELD_INFANT", "associatedAdultId": "2"}
            ],
            "sources": ["GDS"],
            "searchCriteria": {
                "maxFlightOffers": 100,
                "additionalInformation": {"brandedFares": true},
                "flightFilters": {
                    "cabinRestrictions": [{"cabin": "PREMIUM_ECONOMY", "coverage": "MOST_SEGMENTS",
                        "originDestinationIds": ["1", "2"]}],
                    "connectionRestriction": {"maxNumberOfConnections": 0}
                }
            }
        })
    );
    let (amadeus, wire) = adapter(script(SEARCH, 200, r#"{"data":null}"#));
    amadeus.search(&cx(), &search()).await.unwrap();
    let sent: Value = serde_json::from_slice(wire.requests()[0].body_bytes()).unwrap();
    assert_eq!(sent["searchCriteria"].get("flightFilters"), None);
}

#[tokio::test]
async fn one_bad_offer_never_loses_the_others() {
    let mut body = example("search_get.json");
    let list = body["data"].as_array_mut().unwrap();
    list.push(json!(null));
    list.push(json!({"id": "3"}));
    list[1]["price"]["grandTotal"] = json!("355.345");
    let (amadeus, _) = adapter(script(SEARCH, 200, body.to_string()));
    let found = amadeus.search(&cx(), &search()).await.unwrap();
    assert_eq!((found.offers.len(), found.rejected.len()), (1, 3));
    assert_eq!(found.offers[0].total, money("355.34", "EUR"));
    assert!(
        found.rejected[0].starts_with("total: "),
        "{:?}",
        found.rejected
    );
}

#[tokio::test]
async fn a_failure_that_comes_as_400_is_the_suppliers() {
    for (status, code, title, kind, blame) in [
        (
            400,
            784,
            "PROVIDER TIME OUT",
            Kind::Timeout,
            Blame::Supplier,
        ),
        (
            400,
            450,
            "INVALID PROVIDER RESPONSE",
            Kind::Protocol,
            Blame::Supplier,
        ),
        (
            400,
            141,
            "SYSTEM ERROR HAS OCCURRED",
            Kind::Unavailable,
            Blame::Supplier,
        ),
        (400, 425, "INVALID DATE", Kind::InvalidRequest, Blame::Us),
        (400, 477, "INVALID FORMAT", Kind::InvalidRequest, Blame::Us),
        (
            403,
            38190,
            "Invalid access token",
            Kind::NotAuthorised,
            Blame::Us,
        ),
        (404, 38196, "Resource not found", Kind::NotFound, Blame::Us),
        (400, 99999, "SOMETHING NEW", Kind::Refused, Blame::Supplier),
    ] {
        let body = json!({"errors": [{"status": status, "code": code, "title": title}]});
        let (amadeus, _) = adapter(script(SEARCH, status, body.to_string()));
        let error = amadeus.search(&cx(), &search()).await.unwrap_err();
        assert_eq!((error.kind, error.blame), (kind, blame), "{code}");
        assert_eq!(error.code, Some(code.to_string()));
    }
    for (status, body, kind) in [
        (500, bytes("search_get.json"), Kind::Unavailable),
        (429, Vec::new(), Kind::RateLimited),
        (200, b"<html>".to_vec(), Kind::Protocol),
        (200, b"{}".to_vec(), Kind::Protocol),
        (200, br#"{"data":{"a":1}}"#.to_vec(), Kind::Protocol),
        (400, b"<html>".to_vec(), Kind::Refused),
    ] {
        let (amadeus, _) = adapter(script(SEARCH, status, body));
        let error = amadeus.search(&cx(), &search()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status}");
    }
}

#[tokio::test]
async fn an_offer_goes_back_byte_for_byte_and_comes_back_at_todays_price() {
    // Spaces, order of fields, unknown fields and odd numbers: nothing of it is ours to tidy.
    let raw = r#"{ "id":"7", "z":1.50,"a" :[ ],"price":{"currency":"EUR","grandTotal":"10.00","total":"10.00"},
        "itineraries":[{"segments":[{"id":"1","carrierCode":"TG","number":"476",
        "departure":{"iataCode":"SYD","at":"2026-08-01T10:00:00"},"arrival":{"iataCode":"BKK","at":"2026-08-01T16:20:00"}}]}],
        "validatingAirlineCodes":["TG"],"travelerPricings":[{"travelerId":"1","travelerType":"ADULT"}] }"#;
    let names = r#"{"carriers":{"TG":"THAI AIRWAYS","XX":"NOBODY"},"aircraft":{}}"#;
    let body = format!(r#"{{"data":[{raw}],"dictionaries":{names}}}"#);
    let answered = json!({"data": {
        "type": "flight-offers-pricing",
        "flightOffers": [serde_json::from_str::<Value>(&raw.replace("10.00", "12.00")).unwrap()],
        "bookingRequirements": {"travelerRequirements": [{"travelerId": "1", "documentRequired": true}]}
    }});
    let (amadeus, wire) = adapter(ScriptedWire::new(vec![
        (SEARCH, 200, body),
        (PRICING, 200, answered.to_string()),
        (PRICING, 200, r#"{"data":{"flightOffers":[]}}"#.to_owned()),
        (
            PRICING,
            400,
            r#"{"errors":[{"code":4926,"title":"INVALID DATA RECEIVED"}]}"#.to_owned(),
        ),
    ]));
    let found = amadeus.search(&cx(), &search()).await.unwrap();
    assert_eq!(found.rejected, Vec::<String>::new());
    let offer = &found.offers[0];
    // The handle survives the store.
    let handle: Value = serde_json::from_str(&offer.handle.to_string()).unwrap();
    assert_eq!(
        handle["names"],
        json!({"carriers": {"TG": "THAI AIRWAYS"}, "aircraft": {}})
    );
    let priced = amadeus.price(&cx(), &handle).await.unwrap();
    let request = &wire.requests()[1];
    let sent = String::from_utf8(request.body_bytes().to_vec()).unwrap();
    assert_eq!(
        sent,
        format!(r#"{{"data":{{"type":"flight-offers-pricing","flightOffers":[{raw}]}}}}"#)
    );
    assert_eq!(*request.safety(), Safety::Safe);
    assert_eq!(request.headers()["x-http-method-override"], "GET");
    assert_eq!(priced.total, money("12.00", "EUR"));
    let shown: FlightDetails = serde_json::from_value(priced.details).unwrap();
    assert!(shown.documents_required);
    assert_eq!(shown.airline.name, "THAI AIRWAYS");
    let error = amadeus.price(&cx(), &handle).await.unwrap_err();
    assert_eq!(error.kind, Kind::Protocol);
    let error = amadeus.price(&cx(), &handle).await.unwrap_err();
    assert_eq!(
        (error.kind, error.blame),
        (Kind::OfferExpired, Blame::Supplier)
    );
}

#[tokio::test]
async fn a_price_keeps_what_only_the_search_told() {
    let mut first = offers_of(&example("search_get.json")).remove(0);
    let found = json!({ "data": [first.clone()] }).to_string();
    let fields = first.as_object_mut().unwrap();
    fields.remove("numberOfBookableSeats");
    first["itineraries"][0]
        .as_object_mut()
        .unwrap()
        .remove("duration");
    let mut later = first.clone();
    later["itineraries"][0]["segments"][0]["departure"]["at"] = json!("2021-11-01T11:36:00");
    let priced = |offer: &Value| json!({"data": {"flightOffers": [offer]}}).to_string();
    let (amadeus, _) = adapter(ScriptedWire::new(vec![
        (SEARCH, 200, found),
        (PRICING, 200, priced(&first)),
        (PRICING, 200, priced(&first)),
        (PRICING, 200, priced(&later)),
    ]));
    let found = amadeus.search(&cx(), &search()).await.unwrap();
    let mut handle = found.offers[0].handle.clone();
    // Each price is asked for with what the one before it left.
    for duration in [Some("PT14H15M"), Some("PT14H15M"), None] {
        let priced = amadeus.price(&cx(), &handle).await.unwrap();
        let shown: FlightDetails = serde_json::from_value(priced.details).unwrap();
        assert_eq!(shown.seats_left, Some(9));
        assert_eq!(shown.slices[0].duration.as_deref(), duration);
        handle = priced.handle;
    }
}

#[tokio::test]
async fn what_an_order_of_ours_cannot_hold_is_not_offered() {
    let plain = offers_of(&example("search_get.json")).remove(0);
    let mut by_card = plain.clone();
    by_card["paymentCardRequired"] = json!(true);
    let body = json!({"data": [plain.clone(), by_card.clone()]}).to_string();
    let (amadeus, _) = adapter(script(SEARCH, 200, body));
    let found = amadeus.search(&cx(), &search()).await.unwrap();
    assert_eq!((found.offers.len(), found.rejected.len()), (1, 1));
    let handle = &found.offers[0].handle;
    let mut at_once = plain.clone();
    at_once["instantTicketingRequired"] = json!(true);
    let mut odd = plain.clone();
    odd["instantTicketingRequired"] = json!("NO");
    for (offer, required, ticketing, refused) in [
        (
            &plain,
            json!({"mailingAddressRequired": true}),
            "CONFIRM",
            true,
        ),
        (
            &plain,
            json!({"invoiceAddressRequired": true}),
            "CONFIRM",
            true,
        ),
        (&plain, json!({"postalCodeRequired": true}), "CONFIRM", true),
        (
            &plain,
            json!({"postalCodeRequired": false}),
            "CONFIRM",
            false,
        ),
        (&by_card, json!({}), "CONFIRM", true),
        (&at_once, json!({}), "DELAY_TO_CANCEL", true),
        (&at_once, json!({}), "CONFIRM", false),
        (&odd, json!(null), "DELAY_TO_CANCEL", false),
    ] {
        let body = json!({"data": {"flightOffers": [offer], "bookingRequirements": required}});
        let (mut amadeus, _) = adapter(script(PRICING, 200, body.to_string()));
        amadeus.terms.ticketing = ticketing.to_owned();
        let priced = amadeus.price(&cx(), handle).await;
        let kind = priced.err().map(|error| error.kind);
        assert_eq!(
            kind,
            refused.then_some(Kind::NotSupported),
            "{required} {ticketing}"
        );
    }
}

#[tokio::test]
async fn an_offer_lives_no_longer_than_it_can_be_ticketed() {
    // The clock stands at 2026-08-01T00:00Z and the kit keeps offers for 15 minutes; Sydney is at +10.
    let mut offer = offers_of(&example("search_get.json")).remove(0);
    for (date, time, until) in [
        ("2026-08-01", None, None),
        ("2026-07-31", None, Some("2026-07-31T14:00:00Z")),
        (
            "2026-08-01",
            Some("2026-08-01T10:10:00"),
            Some("2026-08-01T00:10:00Z"),
        ),
        ("2026-08-01", Some("2026-08-01T10:16:00"), None),
        // Not a local time: the day counts.
        (
            "2026-07-31",
            Some("2026-07-31T10:16:00Z"),
            Some("2026-07-31T14:00:00Z"),
        ),
        (
            "2026-07-31",
            Some("2026-07-31T10:16:00+02:00"),
            Some("2026-07-31T14:00:00Z"),
        ),
    ] {
        offer["lastTicketingDate"] = json!(date);
        offer["lastTicketingDateTime"] = json!(time);
        let (amadeus, _) = adapter(script(SEARCH, 200, json!({"data": [offer]}).to_string()));
        let found = amadeus.search(&cx(), &search()).await.unwrap();
        let told = found.offers[0].expires_at.map(|at| at.to_string());
        assert_eq!(told.as_deref(), until, "{date} {time:?}");
        assert!(found.offers[0].warnings.is_empty(), "{date} {time:?}");
    }
    offer["lastTicketingDateTime"] = json!("tomorrow");
    let odd = mapped(&offer).unwrap();
    assert_eq!(odd.expires_at, None);
    assert_eq!(odd.warnings[0].path.as_deref(), Some("expires_at"));
}

#[test]
fn the_default_document_holds_the_common_keys_and_amadeus_own() {
    let schema = settings::Schema::read(&[super::super::defaults()]).unwrap();
    for key in [
        "base_url",
        "policy.retry.max_attempts",
        "client_id",
        "client_secret",
        "queue",
    ] {
        let found = schema.get(&format!("suppliers.amadeus.{key}"));
        let found = found.unwrap_or_else(|| panic!("{key}"));
        assert_eq!(found.secret, key == "client_secret", "{key}");
        assert!(!found.meaning.is_empty(), "{key}");
    }
}
