//! Wrong answers, each counted as what it is.

use std::sync::Arc;
use std::time::Duration;

use load_generator::FailureKind::{BadHttp, Capture, Connect, Reset, Status, Timeout};
use load_generator::{FailureKind, Load, Report, Requests};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::server::{Server, job, ok, run_in_memory, run_over_tcp, status, to};

fn count(report: &Report, kind: FailureKind) -> u64 {
    report
        .error_kinds
        .get(&kind)
        .map_or(0, |failures| failures.count)
}

/// A server that says this to each request and closes.
async fn says(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            // The other side may be gone already, at the end of the test.
            if stream.read(&mut request).await.is_ok() {
                drop(stream.write_all(text.as_bytes()).await);
            }
        }
    });
    url
}

async fn short_run(url: &str) -> Report {
    let mut job = job(&to(url), Load::Constant(200.0));
    job.duration = Duration::from_millis(250);
    let report = run_over_tcp(&job).await;
    assert_eq!(report.requests, 50);
    report
}

#[tokio::test(start_paused = true)]
async fn unexpected_statuses_are_counted_by_status() {
    let server = Server::new(async |number, _| match number % 10 {
        0 => status(503),
        1 => status(404),
        _ => ok(""),
    });
    let report = run_in_memory(&job(&to("http://a/"), Load::Constant(100.0)), &server).await;
    assert_eq!((report.statuses[&503], report.statuses[&404]), (100, 100));
    assert_eq!(report.statuses[&200], 800);
    assert_eq!(count(&report, Status), 200);
    assert_eq!((report.errors, report.error_rate), (200, 0.2));
}

#[tokio::test(start_paused = true)]
async fn an_expected_status_is_no_error_and_another_is() {
    let server = Server::new(async |number, _| if number % 2 == 0 { status(404) } else { ok("") });
    let requests = Requests {
        expect: Some("404".to_owned()),
        ..to("http://a/")
    };
    let report = run_in_memory(&job(&requests, Load::Constant(100.0)), &server).await;
    assert_eq!((report.requests, count(&report, Status)), (1000, 500));
    assert_eq!(report.error_kinds[&Status].example, "status 200");
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_a_timeout_and_the_connection_is_given_up() {
    let server = Server::new(async |number, _| {
        if number % 100 == 99 {
            sleep(Duration::from_secs(3600)).await;
        }
        ok("")
    });
    let mut job = job(&to("http://a/"), Load::Constant(100.0));
    job.timeout = Duration::from_millis(500);
    let report = run_in_memory(&job, &server).await;
    assert_eq!((report.requests, count(&report, Timeout)), (1000, 10));
    assert_eq!(report.statuses[&200], 990);
    // Waiting in vain counts with the time that was waited.
    assert!(report.latency.max_ms >= 500.0, "{:?}", report.latency);
    assert!(report.latency_at(0.98) < 5.0, "{:?}", report.latency);
}

#[tokio::test]
async fn nobody_listening_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let report = short_run(&url).await;
    assert_eq!(count(&report, Connect), 50);
    assert!(report.error_kinds[&Connect].example.contains("refused"));
    assert_eq!(report.latency.count, 0);
}

#[tokio::test]
async fn an_answer_cut_off_is_a_reset() {
    let url = says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhel").await;
    assert_eq!(count(&short_run(&url).await, Reset), 50);
}

#[tokio::test]
async fn what_is_no_http_is_told() {
    let url = says("220 mail ESMTP\r\n").await;
    assert_eq!(count(&short_run(&url).await, BadHttp), 50);
}

#[tokio::test]
async fn a_server_that_closes_after_each_answer_makes_no_errors() {
    let url = says("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
    let report = short_run(&url).await;
    assert_eq!((report.errors, report.statuses[&200]), (0, 50));
}

#[tokio::test(start_paused = true)]
async fn a_closed_loop_does_not_storm_a_port_where_nobody_listens() {
    struct Refused;
    #[async_trait::async_trait]
    impl load_generator::Dial for Refused {
        async fn dial(&self, _: usize) -> std::io::Result<Box<dyn load_generator::Stream>> {
            Err(std::io::ErrorKind::ConnectionRefused.into())
        }
    }
    let host = load_generator::Host {
        dial: Arc::new(Refused),
        clock: travel_types::Clock::system(),
        fine_timer: false,
    };
    let job = job(&to("http://a/"), Load::Closed);
    let never = std::future::pending();
    let report = load_generator::run(&job, &host, never, &mut |_| ())
        .await
        .unwrap();
    assert!(
        (100..=1000).contains(&count(&report, Connect)),
        "{:?}",
        report.error_kinds
    );
}

#[tokio::test(start_paused = true)]
async fn a_flow_ends_where_its_answer_lacks_what_the_next_step_needs() {
    let server = Server::new(async |_, request: http::Request<_>| {
        let path = request.uri().path().to_owned();
        match path.as_str() {
            "/search" => ok(r#"{"data":[]}"#),
            _ => panic!("{path} must not be asked for"),
        }
    });
    let requests = Requests {
        scenario: Some(
            r#"
            [[flow]]
            [[flow.step]]
            name = "search"
            url = "/search"
            capture = { offer = "/data/0/id" }
            [[flow.step]]
            name = "offer"
            url = "/offers/{offer}"
            "#
            .to_owned(),
        ),
        ..to("http://a")
    };
    let report = run_in_memory(&job(&requests, Load::Constant(10.0)), &server).await;
    assert_eq!((report.requests, count(&report, Capture)), (100, 100));
    assert_eq!(report.steps[1].requests, 0);
}
