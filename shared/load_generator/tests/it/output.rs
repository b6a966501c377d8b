//! The table, the page and the JSON.

use std::time::Duration;

use load_generator::{Limit, Load, Report};
use tokio::time::sleep;

use crate::server::{Server, job, ok, run_in_memory, run_until, status, to};

async fn report() -> Report {
    let server = Server::new(async |number, _| {
        sleep(Duration::from_millis(u64::try_from(number % 40).unwrap())).await;
        if number % 50 == 0 {
            status(500)
        } else {
            ok("")
        }
    });
    let mut requests = to("http://a/?b=1&c=2");
    requests.urls.push("http://a/?d=3".to_owned());
    let mut job = job(&requests, Load::Constant(100.0));
    job.connections = 50;
    run_in_memory(&job, &server).await
}

/// The names of elements that have no end tag in XML form here.
fn check_balance(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page;
    while let Some((text, behind)) = rest.split_once('<') {
        assert!(
            !text.contains('>') || open.last() == Some(&"style"),
            "a bare > in {text}"
        );
        let (tag, after) = behind.split_once('>').unwrap();
        rest = after;
        if tag.starts_with('!') || tag.ends_with('/') {
            continue;
        }
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "before {after:.60}"),
            None => {
                assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
                open.push(tag.split_ascii_whitespace().next().unwrap());
            }
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
}

#[tokio::test(start_paused = true)]
async fn the_page_is_well_formed_and_needs_nothing_else() {
    let page = load_generator::page(&report().await);
    check_balance(&page);
    for outside in [
        "<script", "<link", "<img", "@import", "url(", "src=", "href=",
    ] {
        assert!(!page.contains(outside), "{outside} in the page");
    }
    assert!(
        page.contains("<th>http://a/?b=1&amp;c=2</th>"),
        "what was given is escaped"
    );
    assert_eq!(page.matches("<svg").count(), 3);
    for part in [
        "prefers-color-scheme: dark",
        "width=device-width",
        "99.9 %",
        "status 500",
        "open loop",
    ] {
        assert!(page.contains(part), "{part} is not in the page");
    }
    // Every coordinate is a number.
    assert!(!page.contains("NaN") && !page.contains("inf"));
}

#[tokio::test(start_paused = true)]
async fn a_run_without_answers_has_a_page_too() {
    let server = Server::new(async |_, _| {
        sleep(Duration::from_secs(60)).await;
        ok("")
    });
    let mut job = job(&to("http://a/"), Load::Closed);
    job.connections = 1;
    job.duration = Duration::from_secs(1);
    let stop = sleep(Duration::from_millis(500));
    let report = run_until(&job, server, stop).await;
    assert_eq!(report.requests, 0);
    let page = load_generator::page(&report);
    check_balance(&page);
    assert!(!page.contains("NaN"), "{page}");
    let limit: Limit = "p99=1h".parse().unwrap();
    assert!(
        limit.broken(&report).is_some(),
        "no answer is no good answer"
    );
}

#[tokio::test(start_paused = true)]
async fn the_table_has_the_figures() {
    let table = load_generator::table(&report().await);
    for part in [
        "100.0/s",
        "errors 20 (2.00 %)",
        "p99.9",
        "status     200: 980   500: 20",
        "status: 20",
    ] {
        assert!(table.contains(part), "{part} is not in\n{table}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_json_names_its_units() {
    let json = serde_json::to_value(report().await).unwrap();
    assert_eq!(json["requests"], 1000);
    assert_eq!(json["rate"], 100.0);
    assert_eq!(json["statuses"]["500"], 20);
    assert_eq!(json["error_kinds"]["status"]["count"], 20);
    assert!(json["latency"]["p99_ms"].as_f64().unwrap() > 30.0);
    assert_eq!(json["started_at"], "2026-12-01T12:00:00Z");
}

#[tokio::test(start_paused = true)]
async fn limits_are_judged_by_the_latency_from_when_requests_were_due() {
    let report = report().await;
    let broken = |limit: &str| limit.parse::<Limit>().unwrap().broken(&report);
    assert_eq!(broken("p99=45ms"), None);
    assert_eq!(broken("max=50ms"), None);
    let told = broken("p50=10ms").unwrap();
    assert!(
        told.starts_with("p50 is ") && told.ends_with("above 10.0 ms"),
        "{told}"
    );
    assert!(broken("mean=5ms").is_some());
}
