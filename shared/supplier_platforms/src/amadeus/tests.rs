//! The platform over a scripted wire, with a paused clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{
    ApiClient, ApiClientConfig, Auth, Blame, CallCx, Safety, SupplierError,
    SupplierErrorKind as Kind, SupplierMetrics, Transport, WireRequest, WireResponse, by_status,
};
use tokio::time::{Instant, advance};
use travel_types::{Clock, OrderId};

use super::records::{Queue, Records, own_reference};
use super::{Amadeus, errors, question};

const QUEUE: &str = "GET /v1/office/queues/30";
const RECORD: &str = "GET /v1/booking/flight-orders/by-reference";
const LAG: Duration = Duration::from_secs(90);

fn cx() -> CallCx {
    let deadline = Instant::now() + Duration::from_secs(10);
    CallCx::new(deadline, telemetry::Correlation::new())
}

/// An order of ours, made at noon.
fn order() -> OrderId {
    OrderId::new(&Clock::manual("2026-08-01T12:00:00Z".parse().unwrap()))
}

fn records(wire: ScriptedWire) -> (Records, Arc<ScriptedWire>) {
    let wire = Arc::new(wire);
    let transport: Arc<dyn Transport> = wire.clone();
    let queue = Queue {
        number: "30".to_owned(),
        category: "0".to_owned(),
    };
    let platform = Arc::new(Amadeus::new(transport));
    let path = RECORD.trim_start_matches("GET ");
    (Records::new(platform, queue, path, LAG), wire)
}

fn item(reference: &str, created: &str) -> Value {
    json!({"type": "queue-item", "associatedRecords": [
        {"reference": reference, "originSystemCode": "GDS", "creationDate": created}
    ]})
}

fn queue(items: &[Value]) -> String {
    json!({"data": items, "meta": {"count": items.len()}}).to_string()
}

fn noon(reference: &str) -> Value {
    item(reference, "2026-08-01T12:00:01.000")
}

fn record(text: &str) -> String {
    json!({"data": {"id": "1", "remarks": {"general": [
        {"subType": "GENERAL_MISCELLANEOUS", "text": "WINDOW SEAT"}, {"text": text}
    ]}}})
    .to_string()
}

/// What was asked, in short: the records' references and `queue`.
fn asked(wire: &ScriptedWire) -> Vec<String> {
    wire.requests()
        .iter()
        .map(|request| match request.query_pairs() {
            [(name, reference), ..] if name == "reference" => reference.clone(),
            _ => "queue".to_owned(),
        })
        .collect()
}

#[test]
fn our_reference_is_known_however_a_record_writes_it() {
    let own = order();
    let plain = own.to_string();
    for text in [
        plain.clone(),
        plain.to_uppercase(),
        plain.to_uppercase().replace('_', " "),
        format!("RECORD OF INTERLINE: {plain}."),
        plain.replace('_', "/"),
    ] {
        let record = json!({"remarks": {"general": [{"text": "ORD"}, {"text": text}]}});
        assert_eq!(own_reference(&record), Some(own), "{text}");
    }
    for text in ["", "ord_", &plain[..20], "ORDER BY PHONE"] {
        let record = json!({"remarks": {"general": [{"text": text}, {}, null, 7]}});
        assert_eq!(own_reference(&record), None);
    }
    assert_eq!(own_reference(&json!({"remarks": "ord"})), None);
}

#[tokio::test]
async fn a_record_is_read_once_however_many_questions_there_are() {
    let orders: Vec<OrderId> = (0..3).map(|_| order()).collect();
    let three = queue(&[noon("AAAAAA"), noon("BBBBBB"), noon("CCCCCC")]);
    let (records, wire) = records(ScriptedWire::new(vec![
        (QUEUE, 200, three.clone()),
        (RECORD, 200, record(&orders[1].to_string())),
        (RECORD, 200, record("NOT OURS")),
        (RECORD, 200, record(&orders[0].to_string())),
        // Of the second order the record is known: it is read afresh, for its present state.
        (RECORD, 200, record(&orders[1].to_string())),
        (QUEUE, 200, three),
    ]));
    assert!(records.find(&cx(), orders[0]).await.unwrap().is_some());
    assert!(records.find(&cx(), orders[1]).await.unwrap().is_some());
    assert!(records.find(&cx(), orders[2]).await.unwrap().is_none());
    assert_eq!(
        asked(&wire),
        ["queue", "AAAAAA", "BBBBBB", "CCCCCC", "AAAAAA", "queue"]
    );
}

#[tokio::test]
async fn questions_at_the_same_time_read_each_record_once() {
    let orders: Vec<OrderId> = (0..20).map(|_| order()).collect();
    let items: Vec<Value> = (0..20)
        .map(|number| noon(&format!("REC{number:03}")))
        .collect();
    let mut script = Vec::new();
    // Nobody's order is among them, so each question lists the queue; the first reads the records.
    script.push((QUEUE, 200, queue(&items)));
    script.extend((0..20).map(|_| (RECORD, 200, record("NOT OURS"))));
    script.extend((1..20).map(|_| (QUEUE, 200, queue(&items))));
    let (records, wire) = records(ScriptedWire::new(script));
    let records = Arc::new(records);
    let questions: Vec<_> = orders
        .into_iter()
        .map(|order| {
            let records = records.clone();
            tokio::spawn(async move { records.find(&cx(), order).await })
        })
        .collect();
    for question in questions {
        assert!(question.await.unwrap().unwrap().is_none());
    }
    assert_eq!(wire.requests().len(), 40);
}

#[tokio::test]
async fn older_records_are_never_read() {
    let own = order();
    let (records, wire) = records(ScriptedWire::new(vec![
        (
            QUEUE,
            200,
            queue(&[
                // No zone: up to 14 hours before noon UTC it may be after our order.
                item("YOUNGE", "2026-07-31T22:00:01.000"),
                item("OLDOLD", "2026-07-31T21:59:59.000"),
                // A date that cannot be read excludes nothing.
                item("UNDATE", "lately"),
            ]),
        ),
        (RECORD, 200, record("NOT OURS")),
        (RECORD, 200, record("NOT OURS")),
    ]));
    assert!(records.find(&cx(), own).await.unwrap().is_none());
    assert_eq!(asked(&wire), ["queue", "YOUNGE", "UNDATE"]);
}

#[tokio::test]
async fn pages_are_read_until_nothing_younger_can_follow() {
    let own = order();
    let page = |count: usize, items: Vec<Value>| {
        json!({"data": items, "meta": {"count": count}}).to_string()
    };
    let old = |number: usize| item(&format!("O{number:05}"), "2026-07-01T00:00:00.000");
    let many = |from: usize| (from..from + 100).map(old).collect::<Vec<_>>();
    // In order: the second page is enough.
    let mut second = many(100);
    second[0] = noon("MINEMI");
    let mut first = vec![noon("FIRSTS"); 1];
    first.extend((0..99).map(|_| noon("FIRSTS")));
    let (found, wire) = records(ScriptedWire::new(vec![
        (QUEUE, 200, page(100_000, first)),
        (QUEUE, 200, page(100_000, second)),
        (RECORD, 200, record("NOT OURS")),
        (RECORD, 200, record(&own.to_string())),
    ]));
    assert!(found.find(&cx(), own).await.unwrap().is_some());
    assert_eq!(wire.requests()[1].query_pairs()[2].1, "100");
    // Out of order: an old entry hides nothing, and everything is read.
    let mut mixed = many(0);
    mixed.push(noon("MINEMI"));
    let tail = mixed.split_off(100);
    mixed[1] = item("MIDDLE", "2026-07-02T00:00:00.000");
    let (found, _) = records(ScriptedWire::new(vec![
        (QUEUE, 200, page(101, mixed)),
        (QUEUE, 200, page(101, tail)),
        (RECORD, 200, record(&own.to_string())),
    ]));
    assert!(found.find(&cx(), own).await.unwrap().is_some());
}

#[tokio::test]
async fn a_queue_that_cannot_be_read_is_never_an_empty_one() {
    for body in [
        "<html>".to_owned(),
        "{}".to_owned(),
        "7".to_owned(),
        r#"{"data":{}}"#.to_owned(),
        r#"{"data":null}"#.to_owned(),
        r#"{"data":[{"type":"queue-item"}]}"#.to_owned(),
        r#"{"data":[],"meta":{"count":3}}"#.to_owned(),
    ] {
        let (records, _) = records(ScriptedWire::new(vec![(QUEUE, 200, body.clone())]));
        let error = records.find(&cx(), order()).await.unwrap_err();
        assert_eq!(error.kind, Kind::Protocol, "{body}");
    }
    let shrunk = |count: usize| {
        let items: Vec<Value> = (0..100).map(|_| noon("AAAAAA")).collect();
        json!({"data": items, "meta": {"count": count}}).to_string()
    };
    let (found, _) = records(ScriptedWire::new(vec![
        (QUEUE, 200, shrunk(300)),
        (QUEUE, 200, shrunk(299)),
    ]));
    assert!(found.find(&cx(), order()).await.is_err());
    for empty in [r#"{"data":[],"meta":{"count":0}}"#, r#"{"data":[]}"#, "[]"] {
        let (records, _) = records(ScriptedWire::new(vec![(QUEUE, 200, empty)]));
        assert!(records.find(&cx(), order()).await.unwrap().is_none());
    }
    let (none, _) = records(ScriptedWire::new(vec![(QUEUE, 204, "")]));
    assert!(none.find(&cx(), order()).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_leaves_the_question_open() {
    let own = order();
    let gone = r#"{"errors":[{"status":404,"code":1797,"title":"NOT FOUND"}]}"#.to_owned();
    let two = queue(&[noon("AAAAAA"), noon("BBBBBB")]);
    let (records, wire) = records(ScriptedWire::new(vec![
        (QUEUE, 200, two.clone()),
        (RECORD, 500, String::new()),
        (RECORD, 404, gone.clone()),
        // What was read stays read; what was not is asked for again.
        (QUEUE, 200, two.clone()),
        (RECORD, 200, record("NOT OURS")),
        (RECORD, 404, gone.clone()),
        (QUEUE, 200, two.clone()),
        (RECORD, 404, gone),
        (QUEUE, 200, two),
    ]));
    assert!(records.find(&cx(), own).await.is_err());
    advance(LAG / 2).await;
    // Not found may mean not there yet.
    assert!(records.find(&cx(), own).await.is_err());
    advance(LAG).await;
    // Nothing takes that long to appear: it was cancelled.
    assert!(records.find(&cx(), own).await.unwrap().is_none());
    assert!(records.find(&cx(), own).await.unwrap().is_none());
    assert!(wire.unmet().is_empty());
}

#[tokio::test]
async fn a_record_further_down_is_found_although_one_before_it_cannot_be_read() {
    let own = order();
    let (records, _) = records(ScriptedWire::new(vec![
        (QUEUE, 200, queue(&[noon("AAAAAA"), noon("BBBBBB")])),
        (RECORD, 200, "<html>".to_owned()),
        (RECORD, 200, record(&own.to_string())),
    ]));
    assert!(records.find(&cx(), own).await.unwrap().is_some());
}

fn failure(status: u16, body: &str, changes: bool) -> SupplierError {
    let request = WireRequest::get("price", "/");
    let status = http::StatusCode::from_u16(status).unwrap();
    let response = WireResponse::new(&request, status, http::HeaderMap::new(), body.to_owned());
    errors::failure(&response, changes)
}

#[test]
fn the_specifications_own_errors_are_read() {
    let read = |status, body, changes| {
        let error = failure(status, body, changes);
        (error.kind, error.blame, error.code)
    };
    let code = |code: &str| Some(code.to_owned());
    let format = include_str!("fixtures/error_400.json");
    assert_eq!(
        read(400, format, true),
        (Kind::InvalidRequest, Blame::Us, code("477 (airport)"))
    );
    let missing = include_str!("fixtures/error_404.json");
    assert_eq!(
        read(404, missing, true),
        (Kind::NotFound, Blame::Us, code("1797 (airport)"))
    );
    let broken = include_str!("fixtures/error_500.json");
    let told = (Kind::Unavailable, Blame::Supplier, code("141"));
    assert_eq!(read(500, broken, false), told);
    let told = (Kind::OutcomeUnknown, Blame::Supplier, code("141"));
    assert_eq!(read(500, broken, true), told);
    let refused = include_str!("fixtures/token_refused.json");
    assert_eq!(
        read(401, refused, false),
        (Kind::NotAuthorised, Blame::Us, code("38187"))
    );
}

#[test]
fn a_code_with_two_meanings_is_told_apart_by_its_title() {
    let kind = |title: &str| {
        let body = json!({"errors": [{"code": 450, "title": title}]}).to_string();
        failure(400, &body, false).kind
    };
    assert_eq!(kind("INVALID PROVIDER RESPONSE"), Kind::Protocol);
    assert_eq!(kind("Invalid service type"), Kind::InvalidRequest);
    assert_eq!(kind("SOMETHING ELSE"), Kind::Refused);
}

#[test]
fn no_error_body_makes_a_change_a_plain_failure_or_a_panic() {
    for body in [
        "",
        "<html>",
        "null",
        "[]",
        "{}",
        r#"{"errors":null}"#,
        r#"{"errors":[null]}"#,
        r#"{"errors":{}}"#,
        r#"{"errors":[{"code":{}}]}"#,
        r#"{"errors":[{"code":null,"title":7,"source":[]}]}"#,
    ] {
        assert_eq!(
            failure(400, body, true).kind,
            Kind::OutcomeUnknown,
            "{body}"
        );
        assert_eq!(failure(400, body, false).kind, Kind::Refused, "{body}");
        assert_eq!(failure(401, body, true).kind, Kind::NotAuthorised, "{body}");
        assert_eq!(failure(404, body, true).kind, Kind::NotFound, "{body}");
        assert!(!errors::is_gone(&failure(404, body, true)), "{body}");
    }
}

#[tokio::test]
async fn a_question_says_that_it_only_asks() {
    let wire = Arc::new(ScriptedWire::new(vec![("POST /v1/ask", 200, "{}")]));
    let platform = Amadeus::new(wire.clone());
    let request = question("search", "/v1/ask", &json!({"a": 1})).unwrap();
    assert_eq!(*request.safety(), Safety::Safe);
    let cx = cx();
    platform.call(&cx, request).await.unwrap();
    let sent = &wire.requests()[0];
    let client = sent.headers()["ama-client-ref"].to_str().unwrap();
    let (session, request) = client.split_once(':').unwrap();
    assert_eq!(session, cx.correlation.trace_id());
    assert_eq!(request, cx.correlation.request_id());
    assert_eq!(sent.headers()["x-http-method-override"], "GET");
    assert_eq!(
        sent.headers()["content-type"],
        "application/vnd.amadeus+json"
    );
}

/// Amadeus over HTTP: answers tokens, and refuses each of them once it has been used twice.
async fn server(seen: Arc<Mutex<Vec<String>>>) -> String {
    use axum::extract::Request;
    use axum::response::IntoResponse as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = move |request: Request| {
        let seen = seen.clone();
        async move {
            let header = |headers: &http::HeaderMap, name: &str| {
                let value = headers.get(name);
                value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
            };
            let path = request.uri().path().to_owned();
            let bearer = header(request.headers(), "authorization");
            let accepts = header(request.headers(), "accept");
            let body = axum::body::to_bytes(request.into_body(), 4096)
                .await
                .unwrap();
            let mut seen = seen.lock().unwrap();
            if path.ends_with("/v1/security/oauth2/token") {
                assert_eq!(bearer, "");
                seen.push(format!(
                    "token {}",
                    String::from_utf8(body.to_vec()).unwrap()
                ));
                let tokens = seen.iter().filter(|one| one.starts_with("token")).count();
                let mut token: Value =
                    serde_json::from_str(include_str!("fixtures/token.json")).unwrap();
                token["access_token"] = json!(format!("T{tokens}"));
                return axum::Json(token).into_response();
            }
            assert_eq!(accepts, "application/vnd.amadeus+json");
            seen.push(format!("{path} {bearer}"));
            if seen.iter().filter(|one| one.ends_with(&bearer)).count() > 2 {
                let expired =
                    r#"{"errors":[{"status":401,"code":38190,"title":"Invalid access token"}]}"#;
                return (http::StatusCode::UNAUTHORIZED, expired).into_response();
            }
            "{}".into_response()
        }
    };
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/amadeus")
}

#[tokio::test]
async fn a_token_that_expires_midway_is_renewed_and_the_order_is_made_once() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let url = server(seen.clone()).await;
    let metrics = SupplierMetrics::register(&telemetry::Metrics::new()).unwrap();
    let clock = Clock::system();
    let client = |auth: Auth| {
        let config = ApiClientConfig::new("amadeus", &url).unwrap();
        let config = config.header("Accept", super::MEDIA_TYPE);
        ApiClient::new(config, by_status, auth, &metrics, clock.clone()).unwrap()
    };
    let endpoint = Arc::new(client(Auth::None));
    let secret = "amadeus_sandbox_secret".to_owned().into();
    let auth = super::tokens(
        endpoint,
        "amadeus_sandbox".to_owned(),
        secret,
        clock.clone(),
    );
    let platform = Amadeus::new(Arc::new(client(auth)));
    let order = || super::post("order", "/v1/order", Safety::Unsafe, &json!({})).unwrap();
    for _ in 0..3 {
        platform.call(&cx(), order()).await.unwrap();
    }
    let form = "token grant_type=client_credentials&client_id=amadeus_sandbox\
                &client_secret=amadeus_sandbox_secret";
    let call = |token: &str| format!("/amadeus/v1/order Bearer {token}");
    assert_eq!(
        *seen.lock().unwrap(),
        [
            form.to_owned(),
            call("T1"),
            call("T1"),
            // Refused with 38190: nothing was ordered by it.
            call("T1"),
            form.to_owned(),
            call("T2")
        ]
    );
}
