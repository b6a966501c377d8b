//! Rates and latencies, on a paused clock.

use std::time::Duration;

use load_generator::{Load, Report};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::server::{Server, job, ok, run_in_memory, run_until, to};

fn near(is: f64, should_be: f64) -> bool {
    // A millisecond of tokio's timers, and the three digits of the histogram.
    (is - should_be).abs() <= 1.5 + should_be / 500.0
}

/// Answers after 10 ms; the hundredth request and all behind it wait for a second.
fn stalls_once() -> Server {
    let gate = std::sync::Arc::new(Mutex::new(()));
    Server::new(move |number, _| {
        let gate = gate.clone();
        async move {
            let passing = gate.lock().await;
            if number == 100 {
                sleep(Duration::from_secs(1)).await;
            }
            drop(passing);
            sleep(Duration::from_millis(10)).await;
            ok("")
        }
    })
}

async fn measured(load: Load) -> Report {
    let mut job = job(&to("http://a/"), load);
    job.connections = 2;
    run_in_memory(&job, &stalls_once()).await
}

#[tokio::test(start_paused = true)]
async fn a_stall_of_a_second_is_felt_by_every_request_that_was_due_in_it() {
    let report = measured(Load::Constant(100.0)).await;
    assert_eq!((report.requests, report.errors), (1000, 0));
    // The two that were under way took a second; a hundred were due meanwhile, and as many until the
    // queue was gone again: two lanes of 10 ms catch up at 100/s.
    let service = report.service.unwrap();
    assert!(near(service.p99_ms, 10.0), "{service:?}");
    assert!(near(service.max_ms, 1010.0), "{service:?}");
    let latency = &report.latency;
    assert!(near(latency.p50_ms, 10.0), "{latency:?}");
    assert!(latency.p90_ms > 50.0, "{latency:?}");
    assert!(latency.p99_ms > 850.0, "{latency:?}");
    assert!(near(latency.max_ms, 1010.0), "{latency:?}");
}

#[tokio::test(start_paused = true)]
async fn a_closed_loop_hides_the_same_stall_from_its_percentiles() {
    let report = measured(Load::Closed).await;
    assert!(report.service.is_none());
    assert!(near(report.latency.p99_ms, 10.0), "{:?}", report.latency);
    assert!(near(report.latency.max_ms, 1010.0), "{:?}", report.latency);
}

#[tokio::test(start_paused = true)]
async fn a_constant_rate_is_kept_to_the_request() {
    let server = Server::new(async |_, _| ok("hello"));
    let report = run_in_memory(&job(&to("http://a/"), Load::Constant(250.0)), &server).await;
    assert_eq!(report.requests, 2500);
    assert_eq!(report.rate, 250.0);
    assert_eq!(report.generator.late, 0);
    assert_eq!(report.seconds.len(), 10);
    for second in &report.seconds {
        assert!((249..=251).contains(&second.requests), "{second:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_poisson_rate_is_kept_on_average() {
    let server = Server::new(async |_, _| ok("hello"));
    let report = run_in_memory(&job(&to("http://a/"), Load::Poisson(1000.0)), &server).await;
    // Ten thousand on average, with a standard deviation of a hundred.
    assert!(
        (9_300..=10_700).contains(&report.requests),
        "{}",
        report.requests
    );
}

#[tokio::test(start_paused = true)]
async fn percentiles_are_those_of_what_the_server_did() {
    // 0, 1, … 999 ms, each as often as any other.
    let server = Server::new(async |number, _| {
        sleep(Duration::from_millis(u64::try_from(number % 1000).unwrap())).await;
        ok("")
    });
    let mut job = job(&to("http://a/"), Load::Constant(100.0));
    job.connections = 200;
    job.duration = Duration::from_secs(40);
    let report = run_in_memory(&job, &server).await;
    assert_eq!(report.latency.count, 4000);
    for (is, should_be) in [
        (report.latency.p50_ms, 500.0),
        (report.latency.p75_ms, 750.0),
        (report.latency.p90_ms, 900.0),
        (report.latency.p99_ms, 990.0),
        (report.latency.max_ms, 999.0),
        (report.latency.mean_ms, 499.5),
        (report.latency_at(0.25), 250.0),
    ] {
        assert!(near(is, should_be), "{is} instead of {should_be}");
    }
    let curve = report.curve;
    assert!(curve.is_sorted_by(|a, b| a.quantile < b.quantile && a.latency_ms <= b.latency_ms));
    assert!(near(curve.last().unwrap().latency_ms, 999.0));
}

#[tokio::test(start_paused = true)]
async fn requests_of_the_warm_up_are_sent_and_not_counted() {
    let server = Server::new(async |number, _| {
        if number < 200 {
            sleep(Duration::from_millis(300)).await;
        }
        ok("")
    });
    let mut job = job(&to("http://a/"), Load::Constant(100.0));
    (job.connections, job.warm_up) = (100, Duration::from_secs(2));
    let report = run_in_memory(&job, &server).await;
    assert_eq!(server.seen.lock().unwrap().len(), 1200);
    assert_eq!(report.requests, 1000);
    assert!(report.latency.max_ms < 5.0, "{:?}", report.latency);
}

#[tokio::test(start_paused = true)]
async fn what_a_slow_server_was_never_sent_counts_against_it() {
    let server = Server::new(async |_, _| {
        sleep(Duration::from_millis(100)).await;
        ok("")
    });
    let mut job = job(&to("http://a/"), Load::Constant(100.0));
    job.connections = 1;
    let report = run_in_memory(&job, &server).await;
    // One connection at 100 ms carries ten a second; a thousand were due.
    let unsent = report.error_kinds[&load_generator::FailureKind::Unsent].count;
    assert_eq!(report.requests, 1000);
    assert!((895..=905).contains(&unsent), "{unsent}");
    assert!((9.5..=10.5).contains(&report.rate), "{}", report.rate);
    assert!(report.latency.p99_ms > 8_000.0, "{:?}", report.latency);
    assert!(report.notes.iter().any(|note| note.contains("never sent")));
}

#[tokio::test(start_paused = true)]
async fn a_stop_gives_the_result_so_far_at_once() {
    let server = Server::new(async |_, _| {
        sleep(Duration::from_millis(10)).await;
        ok("")
    });
    let job = job(&to("http://a/"), Load::Constant(100.0));
    let begun = Instant::now();
    let stop = sleep(Duration::from_millis(2500));
    let report = run_until(&job, server, stop).await;
    assert_eq!(begun.elapsed(), Duration::from_millis(2500));
    assert!(report.ended_early);
    assert!(
        (245..=251).contains(&report.requests),
        "{}",
        report.requests
    );
    assert!((98.0..=100.5).contains(&report.rate), "{}", report.rate);
}

#[tokio::test(start_paused = true)]
async fn a_generator_that_is_held_up_says_so() {
    let server = Server::new(async |_, _| ok(""));
    let mut job = job(&to("http://a/"), Load::Constant(100.0));
    (job.connections, job.duration) = (50, Duration::from_secs(2));
    // A machine that stands still for 20 ms each time.
    let held_up = tokio::spawn(async {
        loop {
            tokio::time::advance(Duration::from_millis(20)).await;
        }
    });
    let report = run_in_memory(&job, &server).await;
    held_up.abort();
    let generator = &report.generator;
    assert!(generator.was_the_bottleneck, "{generator:?}");
    assert!(generator.late >= 50, "{generator:?}");
    assert!(report.notes[0].contains("bottleneck"), "{:?}", report.notes);
}
