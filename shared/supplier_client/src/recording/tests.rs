//! A recorder before a real server on port 0, and what its file gives away, and gives back.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::{Value, json};
use telemetry::Correlation;
use tokio::net::TcpListener;
use tokio::time::Instant;
use travel_types::Clock;

use super::*;
use crate::wire::path_segment;
use crate::{Blame, CallCx, Safety, SupplierErrorKind, Transport as _, WireRequest};

const TOKEN: &str = "duffel_live_Zk3+9/qQ==";
const CLIENT_SECRET: &str = "cl13nt-s3cret-0815";
const COOKIE: &str = "sess-77c1f0a2b9";
const SIGNATURE: &str = "5e0f77aa90bc41d2";
const LINK_TOKEN: &str = "QldfCGlcUwVSAk4~Lx";
/// Nothing of this may be found in a recording, in any spelling.
const CANARIES: [&str; 15] = [
    TOKEN,
    CLIENT_SECRET,
    COOKIE,
    SIGNATURE,
    LINK_TOKEN,
    "Ottoline",
    "Featherstonehaugh",
    "ottoline@feather.example",
    "+442079460123",
    "1987-06-05",
    "PX9912345",
    "2031-11-29",
    "4242424242424242",
    "4242 4242 4242 4242",
    "key-of-nobody-knows-0001",
];
/// And this must be there still.
const KEPT: [&str; 9] = [
    "off_0000AEdGRhtp5AUUdJqW7E",
    "627.10",
    "1.10",
    "2027-03-04",
    "Qantas",
    "ord_1",
    "0165551234567",
    "GBP",
    "duffel-version",
];

pub(super) fn file() -> PathBuf {
    let name = format!("recording-{}.jsonl", Correlation::new().request_id());
    std::env::temp_dir().join(name)
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn order_answer() -> String {
    format!(
        r#"{{ "data": {{"id":"ord_1","total_amount":"627.10","rate":1.10,"total_currency":"GBP",
  "owner":{{"name":"Qantas"}},"departing_at":"2027-03-04T10:00:00",
  "documents":[{{"type":"electronic_ticket","unique_identifier":"0165551234567"}}],
  "passengers":[{{"id":"pas_1","given_name":"Ottoline","born_on":"1987-06-05","age":null}}],
  "note":"FEATHERSTONEHAUGH/OTTOLINE MRS was told at ottoline@feather.example",
  "card":"paid by 4242 4242 4242 4242","echo":"{}",
  "href":"/v3/rates/1?token={LINK_TOKEN}&id=rate_1","key":"{}"}} }}"#,
        STANDARD.encode(TOKEN),
        path_segment(TOKEN),
    )
}

/// A supplier: tokens, an order, a list that grows, a page in HTML, bytes.
async fn supplier() -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let answer = move |request: Request| {
        let number = seen.fetch_add(1, Ordering::SeqCst);
        async move {
            match request.uri().path() {
                "/v2/token" => axum::Json(json!({"access_token": TOKEN, "token_type": "Bearer"}))
                    .into_response(),
                "/v2/orders" => (
                    [
                        ("content-encoding", "gzip"),
                        ("content-type", "application/json; charset=utf-8"),
                        ("set-cookie", &format!("sid={COOKIE}; Path=/")),
                        ("x-request-id", "req_42"),
                    ],
                    gzip(&order_answer()),
                )
                    .into_response(),
                "/v2/list" => axum::Json(json!({"answer": number})).into_response(),
                "/v2/html" => (
                    [("content-type", "text/html")],
                    format!("<p>{LINK_TOKEN} ottoline@feather.example</p>"),
                )
                    .into_response(),
                "/v2/down" => http::StatusCode::SERVICE_UNAVAILABLE.into_response(),
                "/v2/echo" => echo(request).await,
                _ => ([("content-type", "image/png")], vec![137, 80, 0, 255]).into_response(),
            }
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v2/", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, count)
}

/// What arrived, as JSON.
async fn echo(request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 10_000).await.unwrap();
    let mut names: Vec<&str> = head.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    axum::Json(json!({
        "line": format!("{} {}", head.method, head.uri),
        "headers": names,
        "x-two": head.headers.get_all("x-two").iter().count(),
        "bytes": body.to_vec(),
    }))
    .into_response()
}

fn recorder(url: &str, raw_bodies: bool) -> (Recorder, PathBuf) {
    let path = file();
    let config = RecorderConfig {
        base_url: url.to_owned(),
        timeout: Duration::from_secs(20),
        max_body_bytes: 1_000_000,
        raw_bodies,
    };
    let create = || Recording::create(&path, false);
    let recorder = Recorder::new(config, create, Clock::system()).unwrap();
    (recorder, path)
}

pub(super) fn request(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> http::Request<Bytes> {
    let mut builder = http::Request::builder().method(method).uri(target);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into()).unwrap()
}

pub(super) const JSON: (&str, &str) = ("content-type", "application/json");

fn token_request() -> http::Request<Bytes> {
    request(
        "POST",
        "/token",
        &[("content-type", "application/x-www-form-urlencoded")],
        format!("grant_type=client_credentials&client_id=id-1234567&client_secret={CLIENT_SECRET}"),
    )
}

fn order_request(given: &str, family: &str) -> http::Request<Bytes> {
    let bearer = format!("Bearer {TOKEN}");
    let cookie = format!("sid={COOKIE}");
    request(
        "POST",
        "/orders?email=ottoline%40feather.example&b=2&a=1",
        &[
            JSON,
            ("authorization", &bearer),
            ("cookie", &cookie),
            ("x-signature", SIGNATURE),
            ("x-acme-thing", "key-of-nobody-knows-0001"),
            ("duffel-version", "v2"),
        ],
        json!({"data": {
            "selected_offers": ["off_0000AEdGRhtp5AUUdJqW7E"],
            "passengers": [{
                "given_name": given, "family_name": family, "born_on": "1987-06-05",
                "email": "ottoline@feather.example", "phone_number": "+442079460123",
                "identity_documents": [{"type": "passport", "unique_identifier": "PX9912345",
                    "expires_on": "2031-11-29"}],
            }],
            "payments": [{"amount": "627.10", "card": {"number": "4242424242424242", "cvv": 123}}],
            "debug": format!("signed {SIGNATURE} {CLIENT_SECRET}"),
        }})
        .to_string(),
    )
}

/// Everything that the supplier can be asked, in order.
async fn session(recorder: &Recorder) -> Vec<http::Response<Bytes>> {
    let mut answers = Vec::new();
    for request in [
        token_request(),
        order_request("Ottoline", "Featherstonehaugh"),
        request("GET", "/list?x=1&y=2", &[], ""),
        request("GET", "/list?y=2&x=1", &[], ""),
        request("GET", &format!("/html?token={LINK_TOKEN}"), &[], ""),
        request("GET", "/picture", &[], ""),
    ] {
        let forwarded = recorder.forward(request).await;
        forwarded.written.unwrap();
        answers.push(forwarded.answer);
    }
    answers
}

fn spellings(canary: &str) -> Vec<String> {
    let form: String = url::form_urlencoded::byte_serialize(canary.as_bytes()).collect();
    vec![
        canary.to_lowercase(),
        path_segment(canary).to_lowercase(),
        form.to_lowercase(),
        STANDARD_NO_PAD.encode(canary).to_lowercase(),
        URL_SAFE_NO_PAD.encode(canary).to_lowercase(),
    ]
}

#[tokio::test]
async fn the_answers_pass_byte_for_byte_and_the_file_holds_no_secret() {
    let (url, _) = supplier().await;
    let (recorder, path) = recorder(&url, false);
    let answers = session(&recorder).await;
    assert_eq!(answers[1].body()[..], gzip(&order_answer()));
    assert_eq!(answers[1].headers()["content-encoding"], "gzip");
    assert_eq!(
        answers[1].headers()["set-cookie"],
        format!("sid={COOKIE}; Path=/")
    );
    assert_eq!(answers[5].body()[..], [137, 80, 0, 255]);
    let text = std::fs::read_to_string(&path).unwrap();
    let lower = text.to_lowercase();
    for canary in CANARIES {
        for spelling in spellings(canary) {
            assert!(!lower.contains(&spelling), "{spelling} in {text}");
        }
    }
    for kept in KEPT {
        assert!(text.contains(kept), "{kept} is lost: {text}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let picture: Exchange = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let Outcome::Response(picture) = picture.outcome else {
        panic!("no answer");
    };
    assert_eq!(picture.body, Some(RecordedBody::Omitted(4)));
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn one_value_has_one_stand_in_of_its_own_kind() {
    let (url, _) = supplier().await;
    let (recorder, path) = recorder(&url, true);
    session(&recorder).await;
    let replay = Replay::open(&path).unwrap();
    let [_, order, .., html, picture] = replay.exchanges() else {
        panic!("six exchanges");
    };
    let Some(RecordedBody::Text(asked)) = &order.request.body else {
        panic!("a body");
    };
    let asked: Value = serde_json::from_str(asked).unwrap();
    let Outcome::Response(response) = &order.outcome else {
        panic!("an answer");
    };
    let body = response.body.as_ref().unwrap().bytes().unwrap();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    let told = &asked["data"]["passengers"][0];
    let (name, family) = (&told["given_name"], told["family_name"].as_str().unwrap());
    let passenger = &answer["data"]["passengers"][0];
    assert_eq!(passenger["given_name"], *name);
    assert_eq!(passenger["born_on"], told["born_on"]);
    assert!(
        told["born_on"].as_str().unwrap().starts_with("18"),
        "{told}"
    );
    let email = told["email"].as_str().unwrap();
    let note = format!(
        "{family}/{} MRS was told at {email}",
        name.as_str().unwrap()
    );
    assert_eq!(answer["data"]["note"], note);
    assert!(order.request.query.starts_with(&format!("email={email}&")));
    assert!(asked["data"]["payments"][0]["card"]["cvv"].is_number());
    let href = answer["data"]["href"].as_str().unwrap();
    let token = html.request.query.strip_prefix("token=").unwrap();
    assert_eq!(href, format!("/v3/rates/1?token={token}&id=rate_1"));
    let Outcome::Response(picture) = &picture.outcome else {
        panic!("an answer");
    };
    let kept = picture.body.as_ref().unwrap();
    assert_eq!(kept.bytes().unwrap()[..], [137, 80, 0, 255]);
    assert_eq!(
        kept,
        &RecordedBody::Base64(STANDARD.encode([137, 80, 0, 255]))
    );
    std::fs::remove_file(path).unwrap();
}

#[test]
fn what_others_have_masked_does_not_spoil_stand_ins() {
    let asked = request(
        "GET",
        "/x?secret=MASKED&email=ada@example.com&token=masked-4",
        &[],
        "",
    );
    let raw = mask::RawRequest {
        method: asked.method(),
        path: asked.uri().path(),
        query: asked.uri().query().unwrap(),
        headers: asked.headers(),
        body: body::Content::Empty,
    };
    let masked = mask::Masker::after(4).request(raw);
    assert_eq!(
        masked.query,
        "secret=masked-5&email=masked-6&token=masked-4"
    );
}

#[test]
fn the_name_of_a_program_stays_whatever_a_user_is_called() {
    let asked = request(
        "GET",
        "/x?client_id=interline&family_name=Masked",
        &[("user-agent", "interline/0.1.0 Masked/2")],
        "",
    );
    let raw = mask::RawRequest {
        method: asked.method(),
        path: asked.uri().path(),
        query: asked.uri().query().unwrap(),
        headers: asked.headers(),
        body: body::Content::Empty,
    };
    let masked = mask::Masker::new(false).request(raw);
    let kept = (
        "user-agent".to_owned(),
        "interline/0.1.0 Masked/2".to_owned(),
    );
    assert_eq!(masked.headers, [kept]);
    assert!(!masked.query.contains("interline"), "{}", masked.query);
}

#[tokio::test]
async fn what_is_sent_arrives_unchanged_and_once() {
    let (url, count) = supplier().await;
    let (recorder, path) = recorder(&url, false);
    let headers = [
        ("x-two", "1"),
        ("x-two", "2"),
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "1"),
        ("te", "trailers"),
        ("host", "127.0.0.1:1"),
    ];
    let body: &[u8] = &[0, 159, 146, 150];
    let asked = request("PUT", "/echo/../echo?q=a%20b&&c", &headers, body);
    let refused = recorder.forward(asked).await;
    assert_eq!(refused.answer.status(), 502);
    assert_eq!(count.load(Ordering::SeqCst), 0);
    let asked = request("PUT", "/echo?q=a%20b&&c", &headers, body);
    let answer = recorder.forward(asked).await.answer;
    let seen: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(seen["line"], "PUT /v2/echo?q=a%20b&&c");
    assert_eq!(seen["x-two"], 2);
    assert_eq!(seen["bytes"], json!([0, 159, 146, 150]));
    assert_eq!(
        seen["headers"],
        json!(["accept", "content-length", "host", "x-two"])
    );
    // A failure that the client of a service would try three times.
    let down = recorder.forward(request("GET", "/down", &[], "")).await;
    assert_eq!(down.answer.status(), 503);
    assert_eq!(count.load(Ordering::SeqCst), 2);
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_replay_gives_the_same_answers_in_their_order() {
    let (url, count) = supplier().await;
    let (recorder, path) = recorder(&url, false);
    session(&recorder).await;
    let asked = count.load(Ordering::SeqCst);
    let replay = Replay::open(&path).unwrap();
    let body = |request: http::Request<Bytes>| {
        let served = replay.serve(&request);
        assert!(served.source.is_ok(), "{:?}", served.source.err());
        serde_json::from_slice::<Value>(served.answer.body()).unwrap()
    };
    // Another traveller, another secret: the same request but for what is masked.
    let order = body(order_request("Grace", "Hopper"));
    assert_eq!(order["data"]["total_amount"], "627.10");
    assert!(body(token_request())["access_token"].is_string());
    let lists = [
        body(request("GET", "/list?y=2&x=1", &[], "")),
        body(request("GET", "/list?x=1&y=2", &[], "")),
        body(request("GET", "/list?x=1&y=2", &[], "")),
    ];
    assert_eq!(
        lists,
        [
            json!({"answer": 2}),
            json!({"answer": 3}),
            json!({"answer": 3})
        ]
    );
    assert_eq!(count.load(Ordering::SeqCst), asked);
    assert_eq!(replay.unasked().len(), 2);
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn what_was_not_recorded_is_a_404_that_names_the_nearest() {
    let (url, _) = supplier().await;
    let (recorder, path) = recorder(&url, false);
    session(&recorder).await;
    let replay = Replay::open(&path).unwrap();
    for (target, reason) in [
        (
            "/list?x=1&y=3&email=ada@example.com",
            "no recorded request has this query",
        ),
        ("/lists", "no recorded request has this path"),
    ] {
        let served = replay.serve(&request("GET", target, &[], ""));
        assert_eq!(served.answer.status(), 404);
        let body: Value = serde_json::from_slice(served.answer.body()).unwrap();
        assert_eq!(body["reason"], reason);
        assert!(!body.to_string().contains("ada@example.com"));
        let nearest = body["nearest"].as_array().unwrap();
        assert_eq!(nearest.len(), 3);
        assert_eq!(nearest[0], "GET /list?x=1&y=2", "{body}");
    }
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_body_counts_where_several_were_recorded() {
    let (url, _) = supplier().await;
    let (recorder, path) = recorder(&url, false);
    let search = |to: &str| {
        request(
            "POST",
            "/list",
            &[JSON],
            format!("{{\"in\":[{{\"to\" :\"{to}\"}}],\"given_name\":\"{to}\"}}"),
        )
    };
    for to in ["JFK", "CDG"] {
        recorder.forward(search(to)).await.written.unwrap();
    }
    let replay = Replay::open(&path).unwrap();
    let answer = |to| {
        let served = replay.serve(&search(to));
        serde_json::from_slice::<Value>(served.answer.body()).unwrap()
    };
    assert_eq!(answer("CDG"), json!({"answer": 1}));
    assert_eq!(answer("JFK"), json!({"answer": 0}));
    assert_eq!(answer("LHR")["reason"], "no recorded request has this body");
    let replay = Replay::open(&path).unwrap().ignoring(["to"]);
    let served = replay.serve(&search("LHR"));
    assert_eq!(served.source.ok().unwrap().line, 1);
    let asked = request("POST", "/list?from=5", &[JSON], "{}");
    assert_eq!(
        replay.serve(&asked).answer.status(),
        404,
        "nothing else is ignored"
    );
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_supplier_that_cannot_be_reached_is_a_502_of_ours_and_a_failure_in_the_file() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let (recorder, path) = recorder(&closed, false);
    let answer = recorder.forward(request("GET", "/x", &[], "")).await.answer;
    assert_eq!(answer.status(), 502);
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(body["supplier"], closed);
    assert_eq!(body["cause"], "connect");
    let replay = Replay::open(&path).unwrap();
    let served = replay.serve(&request("GET", "/x", &[], ""));
    assert_eq!(served.answer.status(), 502);
    let cx = CallCx::new(Instant::now() + Duration::from_secs(5), Correlation::new());
    let error = replay
        .call(&cx, WireRequest::get("x", "/x"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, SupplierErrorKind::Unavailable);
    assert_eq!((error.blame, error.sent), (Blame::Network, crate::Sent::No));
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_bug_report_becomes_a_test() {
    let (url, _) = supplier().await;
    let (recorder, path) = recorder(&url, false);
    session(&recorder).await;
    recorder.forward(request("POST", "/down", &[], "")).await;
    let replay = Replay::open(&path).unwrap();
    let cx = CallCx::new(Instant::now() + Duration::from_secs(5), Correlation::new());
    let list = WireRequest::get("list", "/list")
        .query("y", 2)
        .query("x", 1);
    let answer: Value = replay.call(&cx, list).await.unwrap().json().unwrap();
    assert_eq!(answer["answer"], 2);
    let order = WireRequest::post("order", "/down", Safety::Unsafe);
    let error = replay.call(&cx, order).await.unwrap_err();
    assert_eq!(error.kind, SupplierErrorKind::OutcomeUnknown);
    let other = WireRequest::get("other", "/lists");
    let error = replay.call(&cx, other).await.unwrap_err();
    assert!(error.detail.contains("nearest: GET /list"), "{error}");
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_last_line_that_is_cut_off_is_left_out_and_any_other_is_named() {
    let (url, _) = supplier().await;
    let (recorder, path) = recorder(&url, false);
    session(&recorder).await;
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 9]).unwrap();
    let replay = Replay::open(&path).unwrap();
    assert!(replay.truncated());
    assert_eq!(replay.exchanges().len(), 5);
    let broken = text.replacen("\"duration_ms\":", "\"duration\":", 2);
    std::fs::write(
        &path,
        broken.replacen("\"duration\":", "\"duration_ms\":", 1),
    )
    .unwrap();
    let error = Replay::open(&path).err().unwrap().to_string();
    assert!(
        error.contains("line 2 cannot be read: missing field"),
        "{error}"
    );
    let error = Recording::create(&path, false).unwrap_err().to_string();
    assert!(error.contains("--force"), "{error}");
    Recording::create(&path, true).unwrap();
    let error = Replay::open(&path).err().unwrap().to_string();
    assert!(error.contains("no complete exchange"), "{error}");
    std::fs::remove_file(&path).unwrap();
    assert!(Replay::open(&path).is_err());
}
