//! What comes over HTTP/2 is as clean as what comes over HTTP/1.1.

use std::time::Duration;

use crate::frames::{END_HEADERS, END_STREAM, Fate, HEADERS, field, flood, frame, hello, request};
use crate::stage::{Stage, short};

async fn send(stage: &Stage, block: &[u8]) -> Fate {
    let headers = frame(HEADERS, END_HEADERS | END_STREAM, 1, block);
    let begin = [hello(&[]), headers].concat();
    let time = Duration::from_secs(5);
    flood(stage.connect().await, begin, 0, |_| Vec::new(), time).await
}

fn with(name: &[u8], value: &[u8]) -> Vec<u8> {
    [request("GET", "/"), field(name, value)].concat()
}

fn target(path: &str, authority: Option<&[u8]>) -> Vec<u8> {
    let mut block = [
        field(b":method", b"GET"),
        field(b":scheme", b"http"),
        field(b":path", path.as_bytes()),
    ]
    .concat();
    if let Some(authority) = authority {
        block.extend_from_slice(&field(b":authority", authority));
    }
    block
}

#[tokio::test]
async fn what_could_be_read_as_another_request_behind_us_reaches_nobody() {
    let stage = Stage::start(short()).await;
    let good = Some(&b"a.example"[..]);
    let two_hosts = [with(b"host", b"a"), field(b"host", b"b")].concat();
    let many: Vec<u8> = (0..101)
        .flat_map(|n| field(format!("x-{n}").as_bytes(), b"1"))
        .collect();
    let cases = [
        ("CR and LF", with(b"x-a", b"b\r\nx-c: d")),
        ("LF", with(b"x-a", b"b\nc")),
        ("NUL", with(b"x-a", b"b\0c")),
        ("a name with a colon", with(b"x-a: b\r\nx-c", b"d")),
        ("a name in capitals", with(b"X-A", b"b")),
        ("a name with a space", with(b"x a", b"b")),
        ("connection", with(b"connection", b"close")),
        ("keep-alive", with(b"keep-alive", b"1")),
        ("proxy-connection", with(b"proxy-connection", b"close")),
        ("transfer-encoding", with(b"transfer-encoding", b"chunked")),
        ("upgrade", with(b"upgrade", b"websocket")),
        ("te", with(b"te", b"gzip")),
        ("a length that is none", with(b"content-length", b"+0")),
        ("an expectation", with(b"expect", b"200-ok")),
        ("a space in the path", target("/a b", good)),
        ("a line in the path", target("/a\r\nx-b: c", good)),
        ("a tab in the path", target("/a\tb", good)),
        (
            "a letter beyond ASCII in the path",
            target("/caf\u{e9}", good),
        ),
        ("no path", target("", good)),
        ("an asterisk", target("*", good)),
        ("no host", target("/", None)),
        (
            "an authority with a user",
            target("/", Some(b"u@a.example")),
        ),
        ("an authority with a space", target("/", Some(b"a b"))),
        ("a host with a path", with(b"host", b"a/b")),
        ("two hosts", two_hosts),
        ("too many fields", [request("GET", "/"), many].concat()),
        ("a long method", request(&"M".repeat(33), "/")),
        (
            "a field after its time",
            [field(b"x-a", b"b"), request("GET", "/")].concat(),
        ),
    ];
    // Together: each connection stays open until it has been idle for too long.
    let fates = cases.iter().map(|(_, block)| send(&stage, block));
    let fates = futures_util::future::join_all(fates).await;
    for ((what, _), fate) in cases.iter().zip(fates) {
        // 0x88 is 200.
        assert!(!fate.statuses.contains(&0x88), "{what}: {fate:?}");
        let told = fate.resets + fate.statuses.len();
        assert!(told == 1 || fate.closed, "{what}: {fate:?}");
    }
    assert_eq!(stage.started(), 0);
}

#[tokio::test]
async fn authority_and_host_are_both_there_for_the_service_to_compare() {
    let stage = Stage::start(short()).await;
    let mut block = target("/who", Some(b"a.example"));
    block.extend_from_slice(&field(b"host", b"b.example"));
    let fate = send(&stage, &block).await;
    let text = String::from_utf8(fate.data).unwrap();
    assert_eq!(text, "a.example b.example tls=false");
}
