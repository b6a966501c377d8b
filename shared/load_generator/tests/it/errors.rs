//! Wrong answers, each counted as what it is.

use std::io;
use std::time::Duration;

use load_generator::FailureKind::{BadHttp, Capture, Connect, Reset, Status, Timeout};
use load_generator::{Dial, FailureKind, Load, Report, Requests, Stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::server::{Server, job, ok, run_in_memory, run_over_tcp, run_with, status, to};

fn count(report: &Report, kind: FailureKind) -> u64 {
    report
        .error_kinds
        .get(&kind)
        .map_or(0, |failures| failures.count)
}

/// A server that says this to each request and closes.
struct Says(&'static str);

#[async_trait::async_trait]
impl Dial for Says {
    async fn dial(&self, _: usize) -> io::Result<Box<dyn Stream>> {
        let (near, mut far) = tokio::io::duplex(1024);
        let text = self.0;
        tokio::spawn(async move {
            let mut request = [0; 1024];
            assert!(far.read(&mut request).await.unwrap() > 0);
            far.write_all(text.as_bytes()).await.unwrap();
        });
        Ok(Box::new(near))
    }
}

/// A thousand requests to such a server.
async fn told(text: &'static str) -> Report {
    let job = job(&to("http://a/"), Load::Constant(100.0));
    let report = run_with(&job, Says(text)).await;
    assert_eq!(report.requests, 1000);
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
    let mut job = job(&to(&url), Load::Constant(200.0));
    // As many connections as requests, so that a busy machine leaves none unsent.
    (job.connections, job.duration) = (50, Duration::from_millis(250));
    let report = run_over_tcp(&job).await;
    assert_eq!(count(&report, Connect), 50);
    assert!(report.error_kinds[&Connect].example.contains("refused"));
    assert_eq!(report.latency.count, 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_cut_off_is_a_reset() {
    let report = told("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhel").await;
    assert_eq!(count(&report, Reset), 1000);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_http_is_told() {
    let report = told("220 mail ESMTP\r\n").await;
    assert_eq!(count(&report, BadHttp), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_after_each_answer_makes_no_errors() {
    let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    let report = told(answer).await;
    assert_eq!((report.errors, report.statuses[&200]), (0, 1000));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_closed_while_idle_is_made_anew() {
    let report = told("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    assert_eq!((report.errors, report.statuses[&200]), (0, 1000));
}

#[tokio::test(start_paused = true)]
async fn a_closed_loop_does_not_storm_a_port_where_nobody_listens() {
    struct Refused;
    #[async_trait::async_trait]
    impl Dial for Refused {
        async fn dial(&self, _: usize) -> io::Result<Box<dyn Stream>> {
            Err(io::ErrorKind::ConnectionRefused.into())
        }
    }
    let report = run_with(&job(&to("http://a/"), Load::Closed), Refused).await;
    let dials = count(&report, Connect);
    assert!((100..=1000).contains(&dials), "{dials}");
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
