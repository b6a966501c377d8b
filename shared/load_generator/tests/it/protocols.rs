//! Both protocols, scenarios, threads, tokens, idle connections and processes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use load_generator::{Load, Protocol, Requests};
use tokio::time::sleep;

use crate::server::{Server, job, ok, run_in_memory, run_over_tcp, to};

fn json(body: &str) -> crate::server::Answer {
    ok(body)
}

/// An inventory: a search gives an offer, which can then be asked for.
fn inventory() -> Server {
    Server::new(
        async |number, request: http::Request<_>| match request.uri().path() {
            "/search" => json(&format!(r#"{{"data":[{{"id":"off {number}"}}]}}"#)),
            path if path.starts_with("/offers/off%20") => json("{}"),
            "/other" => json("{}"),
            path => panic!("{path} was asked for"),
        },
    )
}

const SCENARIO: &str = r#"
    [[flow]]
    weight = 3
    [[flow.step]]
    name = "search"
    url = "/search"
    capture = { offer = "/data/0/id" }
    [[flow.step]]
    name = "offer"
    url = "/offers/{offer}"
    [[flow]]
    [[flow.step]]
    name = "other"
    url = "/other"
"#;

#[tokio::test(start_paused = true)]
async fn flows_are_mixed_by_weight_and_their_steps_follow_each_other() {
    for protocol in [Protocol::Http1, Protocol::Http2 { streams: 5 }] {
        let requests = Requests {
            scenario: Some(SCENARIO.to_owned()),
            ..to("http://a")
        };
        let mut job = job(&requests, Load::Constant(400.0));
        job.protocol = protocol;
        let report = run_in_memory(&job, &inventory()).await;
        assert_eq!(report.errors, 0, "{:?}", report.error_kinds);
        let [search, offer, other] = report.steps.as_slice() else {
            panic!("three steps: {:?}", report.steps)
        };
        assert_eq!(search.requests, offer.requests);
        assert_eq!(search.requests + other.requests, 4000);
        // 3000 on average, with a standard deviation of 27.
        assert!(
            (2800..=3200).contains(&search.requests),
            "{}",
            search.requests
        );
    }
}

#[tokio::test(start_paused = true)]
async fn streams_of_one_connection_are_under_way_together() {
    let server = Server::new(async |_, request: http::Request<_>| {
        assert_eq!(request.version(), http::Version::HTTP_2);
        assert_eq!(request.uri().authority().unwrap(), "a:81");
        assert_eq!(request.headers()["x-day"], "2026-12-02");
        sleep(Duration::from_millis(100)).await;
        ok("")
    });
    let requests = Requests {
        headers: vec!["X-Day: {date+1}".to_owned()],
        ..to("http://a:81/x")
    };
    let mut job = job(&requests, Load::Closed);
    (job.connections, job.protocol) = (2, Protocol::Http2 { streams: 10 });
    let report = run_in_memory(&job, &server).await;
    assert_eq!(report.errors, 0, "{:?}", report.error_kinds);
    // Twenty at a time, each for 100 ms and at most a few more of timers, over ten seconds.
    assert!(
        (1900..=2000).contains(&report.requests),
        "{}",
        report.requests
    );
}

#[tokio::test]
async fn both_protocols_work_over_tcp_and_on_several_threads() {
    let server = Server::new(async |_, _| ok("hello"));
    let url = server.listen().await;
    for protocol in [Protocol::Http1, Protocol::Http2 { streams: 3 }] {
        let mut job = job(&to(&url), Load::Constant(300.0));
        (job.threads, job.protocol) = (3, protocol);
        // As many connections as requests, so that a busy machine leaves none unsent.
        (job.connections, job.duration) = (150, Duration::from_millis(500));
        let report = run_over_tcp(&job).await;
        assert_eq!(
            (report.requests, report.errors),
            (150, 0),
            "{:?}",
            report.error_kinds
        );
        assert_eq!(report.statuses[&200], 150);
    }
    assert_eq!(server.seen.lock().unwrap().len(), 300);
}

#[tokio::test(start_paused = true)]
async fn every_token_is_used_before_one_is_used_again() {
    let seen: Arc<std::sync::Mutex<BTreeMap<String, usize>>> = Arc::default();
    let counted = seen.clone();
    let server = Server::new(move |_, request: http::Request<_>| {
        let token = request.headers()["authorization"]
            .to_str()
            .unwrap()
            .to_owned();
        *counted.lock().unwrap().entry(token).or_default() += 1;
        async { ok("") }
    });
    let requests = Requests {
        has_tokens: true,
        ..to("http://a/")
    };
    let mut job = job(&requests, Load::Constant(100.0));
    job.tokens = (0..400).map(|number| format!("token-{number}")).collect();
    let report = run_in_memory(&job, &server).await;
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 400);
    assert!(seen.values().all(|times| (2..=3).contains(times)));
    assert!(seen.contains_key("Bearer token-399"));
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.contains("2.5 times each")),
        "{:?}",
        report.notes
    );
}

#[tokio::test(start_paused = true)]
async fn bodies_are_sent_with_their_length_and_idle_connections_are_held() {
    use http_body_util::BodyExt as _;
    let server = Server::new(async |_, request: http::Request<hyper::body::Incoming>| {
        assert_eq!(request.method(), "PUT");
        let body = request.into_body().collect().await.unwrap().to_bytes();
        assert!(
            body.starts_with(br#"{"number":""#) && body.ends_with(b"\"}"),
            "{body:?}"
        );
        ok("")
    });
    let requests = Requests {
        method: Some("PUT".to_owned()),
        body: Some(r#"{"number":"{seq}"}"#.to_owned()),
        ..to("http://a/")
    };
    let mut job = job(&requests, Load::Constant(100.0));
    job.idle_connections = 300;
    let report = run_in_memory(&job, &server).await;
    assert_eq!(report.errors, 0, "{:?}", report.error_kinds);
    assert_eq!((report.idle.opened, report.idle.refused), (300, 0));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_that_works_is_seen_to_work() {
    let server = Server::new(async |_, _| ok("hello"));
    let url = server.listen().await;
    let mut job = job(&to(&url), Load::Closed);
    job.duration = Duration::from_millis(600);
    // The server runs in this very process, as does the generator.
    job.pids = vec![std::process::id()];
    let report = run_over_tcp(&job).await;
    let process = &report.processes[0];
    assert!(process.cpu_s.unwrap() > 0.0, "{process:?}");
    assert!(process.cpu_us_per_request.unwrap() > 0.0, "{process:?}");
    assert!(process.rss_peak_mib > 1.0, "{process:?}");
}
