//! The policies together, on a paused clock and a wire without sockets.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use telemetry::{Correlation, Metrics};
use tokio::time::{Instant, sleep};
use travel_types::Clock;

use crate::breaker::BreakerState;
use crate::engine::{Engine, Incoming, Outgoing, SendCause, SendFailure};
use crate::{
    ApiClient, ApiClientConfig, Auth, Blame, CallCx, Policy, Retry, Safety, Sent, SupplierError,
    SupplierErrorKind, SupplierMetrics, Transport, WireRequest, WireResponse, by_status,
};

/// What a supplier does with one request.
#[derive(Clone, Copy)]
enum Does {
    Answers(u16),
    AnswersWith(u16, &'static str, &'static str),
    AnswersAfter(Duration, u16),
    Hangs,
    Refuses,
    Breaks,
}

/// A supplier that does what stands in the script, then always the same.
struct Supplier {
    script: Mutex<VecDeque<Does>>,
    then: Does,
    arrivals: Mutex<Vec<(Instant, Outgoing)>>,
}

impl Supplier {
    fn count(&self) -> usize {
        self.arrivals.lock().unwrap().len()
    }

    /// Times between arrivals.
    fn gaps(&self) -> Vec<Duration> {
        let arrivals = self.arrivals.lock().unwrap();
        arrivals
            .windows(2)
            .map(|pair| pair[1].0 - pair[0].0)
            .collect()
    }
}

struct Wire(Arc<Supplier>);

#[async_trait]
impl Engine for Wire {
    async fn send(&self, outgoing: Outgoing) -> Result<Incoming, SendFailure> {
        let Wire(supplier) = self;
        supplier
            .arrivals
            .lock()
            .unwrap()
            .push((Instant::now(), outgoing));
        let does = supplier
            .script
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or(supplier.then);
        let answer = |status: u16, headers| {
            Ok(Incoming {
                status: StatusCode::from_u16(status).unwrap(),
                headers,
                body: Bytes::new(),
            })
        };
        let failure = |sent, cause| {
            Err(SendFailure {
                sent,
                blame: Blame::Network,
                cause,
                detail: "as the script says".to_owned(),
            })
        };
        match does {
            Does::Answers(status) => answer(status, HeaderMap::new()),
            Does::AnswersWith(status, name, value) => answer(
                status,
                HeaderMap::from_iter([(
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )]),
            ),
            Does::AnswersAfter(wait, status) => {
                sleep(wait).await;
                answer(status, HeaderMap::new())
            }
            Does::Hangs => std::future::pending().await,
            Does::Refuses => failure(Sent::No, SendCause::Connect),
            Does::Breaks => failure(Sent::Maybe, SendCause::Broken),
        }
    }
}

struct Set {
    client: ApiClient,
    supplier: Arc<Supplier>,
    metrics: Metrics,
}

fn set(script: &[Does], then: Does, change: impl FnOnce(&mut Policy)) -> Set {
    set_of(script, then, change, false)
}

fn set_of(script: &[Does], then: Does, change: impl FnOnce(&mut Policy), internal: bool) -> Set {
    let mut policy = Policy::default();
    change(&mut policy);
    let supplier = Arc::new(Supplier {
        script: Mutex::new(script.iter().copied().collect()),
        then,
        arrivals: Mutex::default(),
    });
    let metrics = Metrics::new();
    let mut config = ApiClientConfig::new("acme", "http://acme.example")
        .unwrap()
        .policy(policy)
        .jitter_seed(1);
    config.internal = internal;
    let client = ApiClient::with_engine(
        config,
        by_status,
        Auth::None,
        &SupplierMetrics::register(&metrics).unwrap(),
        Clock::manual("2026-03-01T12:00:00Z".parse().unwrap()),
        Box::new(Wire(supplier.clone())),
    )
    .unwrap();
    Set {
        client,
        supplier,
        metrics,
    }
}

impl Set {
    async fn call(&self, safety: Safety, millis: u64) -> Result<WireResponse, SupplierError> {
        let cx = CallCx::new(
            Instant::now() + Duration::from_millis(millis),
            Correlation::new(),
        );
        self.client
            .call(&cx, WireRequest::post("act", "/acts", safety))
            .await
    }

    fn counted(&self, line: &str) -> bool {
        self.metrics
            .render()
            .lines()
            .any(|rendered| rendered == line)
    }
}

fn without_breaker(policy: &mut Policy) {
    policy.breaker.consecutive_failures = 0;
    policy.breaker.failure_percent = 0;
}

fn idempotent() -> Safety {
    Safety::Idempotent("key-1".to_owned())
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn a_safe_call_is_repeated_until_it_succeeds_but_three_times_at_most() {
    let set1 = set(
        &[Does::Answers(503), Does::Breaks],
        Does::Answers(200),
        |_| {},
    );
    assert_eq!(set1.call(Safety::Safe, 9_000).await.unwrap().status, 200);
    assert_eq!(set1.supplier.count(), 3);
    assert!(set1.counted(r#"interline_supplier_retries_total{operation="act",supplier="acme"} 2"#));
    assert!(set1.counted(
        r#"interline_supplier_calls_total{operation="act",outcome="success",supplier="acme"} 1"#
    ));
    assert!(set1.counted(r#"interline_supplier_in_flight{supplier="acme"} 0"#));

    let set2 = set(&[], Does::Answers(503), |_| {});
    let error = set2.call(Safety::Safe, 9_000).await.unwrap_err();
    assert_eq!(set2.supplier.count(), 3);
    assert_eq!(error.kind, SupplierErrorKind::Unavailable);
    assert_eq!((error.blame, error.sent), (Blame::Supplier, Sent::Answered));
    for gap in set2.supplier.gaps() {
        assert!(gap <= ms(201), "{gap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unsafe_request_that_may_have_arrived_is_never_sent_again() {
    for (does, sent) in [
        (Does::Breaks, Sent::Maybe),
        (Does::Hangs, Sent::Maybe),
        (Does::Answers(500), Sent::Answered),
        (Does::Answers(502), Sent::Answered),
        (Does::Answers(408), Sent::Answered),
        (Does::Answers(302), Sent::Answered),
    ] {
        let set = set(&[does], Does::Answers(201), |_| {});
        let error = set.call(Safety::Unsafe, 60_000).await.unwrap_err();
        assert_eq!(error.kind, SupplierErrorKind::OutcomeUnknown);
        assert_eq!((error.retry, error.sent), (Retry::Never, sent));
        assert_eq!(set.supplier.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unsafe_request_that_never_left_is_sent_again() {
    let set = set(&[Does::Refuses, Does::Refuses], Does::Answers(201), |_| {});
    assert_eq!(set.call(Safety::Unsafe, 9_000).await.unwrap().status, 201);
    assert_eq!(set.supplier.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_unsafe_request_that_never_left_at_all_is_unavailable_and_not_unknown() {
    let set = set(&[], Does::Refuses, |_| {});
    let error = set.call(Safety::Unsafe, 9_000).await.unwrap_err();
    assert_eq!(error.kind, SupplierErrorKind::Unavailable);
    assert_eq!((error.blame, error.sent), (Blame::Network, Sent::No));
    // Three failures of this call and two of the next open the breaker, which says the same.
    let error = set.call(Safety::Unsafe, 9_000).await.unwrap_err();
    let refused = set.call(Safety::Unsafe, 9_000).await.unwrap_err();
    assert_eq!(error.sent, Sent::No);
    assert_eq!(
        (refused.kind, refused.sent),
        (SupplierErrorKind::Unavailable, Sent::No)
    );
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_request_is_repeated_and_unknown_if_no_attempt_was_answered() {
    let set1 = set(&[Does::Breaks], Does::Answers(201), |_| {});
    assert_eq!(set1.call(idempotent(), 9_000).await.unwrap().status, 201);
    // The second attempt surely did nothing; the first may have acted all the same.
    for second in [Does::Refuses, Does::Answers(429)] {
        let set2 = set(&[Does::Breaks], second, |policy| {
            policy.retry.max_attempts = 2
        });
        let error = set2.call(idempotent(), 9_000).await.unwrap_err();
        assert_eq!(error.kind, SupplierErrorKind::OutcomeUnknown);
        assert_ne!(error.sent, Sent::No);
        assert_ne!(error.retry, Retry::Never);
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_opens_between_two_attempts_does_not_hide_what_became_of_the_first() {
    let set = set(&[], Does::Breaks, |policy| {
        policy.breaker.consecutive_failures = 1
    });
    let error = set.call(idempotent(), 9_000).await.unwrap_err();
    assert_eq!(error.kind, SupplierErrorKind::OutcomeUnknown);
    assert_eq!(error.sent, Sent::Maybe);
    assert_eq!(set.supplier.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_breaker_opens_at_the_stated_count_probes_and_closes() {
    let set = set(&[Does::Answers(500); 5], Does::Answers(200), |policy| {
        policy.retry.max_attempts = 1;
    });
    for _ in 0..5 {
        assert_eq!(set.client.status().breaker, BreakerState::Closed);
        assert!(set.call(Safety::Safe, 9_000).await.is_err());
    }
    assert_eq!(set.client.status().breaker, BreakerState::Open);
    assert!(set.counted(r#"interline_supplier_breaker_state{supplier="acme"} 2"#));
    let error = set.call(Safety::Safe, 9_000).await.unwrap_err();
    assert_eq!(error.retry, Retry::After(ms(1_000)));
    assert_eq!(set.supplier.count(), 5);
    sleep(ms(1_000)).await;
    for state in [
        BreakerState::HalfOpen,
        BreakerState::HalfOpen,
        BreakerState::Closed,
    ] {
        assert_eq!(set.client.status().breaker, state);
        assert!(set.call(Safety::Safe, 9_000).await.is_ok());
    }
    assert!(set.counted(r#"interline_supplier_breaker_state{supplier="acme"} 0"#));
    assert!(
        set.counted(r#"interline_supplier_breaker_transitions_total{supplier="acme",to="open"} 1"#)
    );
}

#[tokio::test(start_paused = true)]
async fn a_sold_out_answer_or_a_429_never_opens_the_breaker() {
    for status in [400, 404, 409, 410, 422, 429] {
        let set = set(&[], Does::Answers(status), |_| {});
        for _ in 0..100 {
            let answered = set.call(Safety::Unsafe, 9_000).await;
            match status {
                429 => assert_eq!(answered.unwrap_err().kind, SupplierErrorKind::RateLimited),
                _ => assert_eq!(answered.unwrap().status, status),
            }
        }
        assert_eq!(set.client.status().breaker, BreakerState::Closed);
        assert_eq!(set.supplier.count(), 100);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_an_unsafe_request_never_opens_the_breaker_but_a_refused_connection_does()
{
    for lost in [Does::Answers(500), Does::Hangs, Does::Breaks] {
        let set = set(&[], lost, |_| ());
        for _ in 0..30 {
            let error = set.call(Safety::Unsafe, 5_000).await.unwrap_err();
            assert_eq!(error.kind, SupplierErrorKind::OutcomeUnknown);
        }
        assert_eq!(set.client.status().breaker, BreakerState::Closed);
    }
    let set = set(&[], Does::Refuses, |_| ());
    for _ in 0..5 {
        set.call(Safety::Unsafe, 5_000).await.unwrap_err();
    }
    assert_eq!(set.client.status().breaker, BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn time_outs_open_the_breaker_but_not_those_of_impatient_callers() {
    let impatient = set(&[], Does::AnswersAfter(ms(300), 200), |_| {});
    for _ in 0..50 {
        let error = impatient.call(Safety::Unsafe, 200).await.unwrap_err();
        assert_eq!(error.kind, SupplierErrorKind::OutcomeUnknown);
    }
    assert_eq!(impatient.client.status().breaker, BreakerState::Closed);
    let dead = set(&[], Does::Hangs, |_| {});
    for _ in 0..5 {
        let error = dead.call(Safety::Safe, 1_500).await.unwrap_err();
        assert_eq!(error.kind, SupplierErrorKind::Timeout);
    }
    assert_eq!(dead.client.status().breaker, BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_failing_requests_cost_at_most_eleven_hundred_calls() {
    for does in [
        Does::Answers(500),
        Does::Refuses,
        Does::Breaks,
        Does::Answers(429),
    ] {
        let set = set(&[], does, without_breaker);
        for requests in 1..=1_000_usize {
            assert!(set.call(Safety::Safe, 9_000).await.is_err());
            let calls = set.supplier.count();
            assert!(
                requests < 100 || calls * 100 <= requests * 110,
                "{calls} for {requests}"
            );
        }
        // The budget is used, too: 2 to start with and 8 % of 1,000.
        assert_eq!(set.supplier.count(), 1_082);
    }
}

#[tokio::test(start_paused = true)]
async fn retries_are_spread_evenly_over_the_back_off() {
    let set = set(&[], Does::Answers(500), |policy| {
        without_breaker(policy);
        policy.retry.max_attempts = 2;
        policy.retry.budget_percent = 10;
        policy.retry.budget_floor = 1_000;
        policy.retry.base_ms = 1_000;
    });
    let mut bins = [0_u32; 10];
    for _ in 0..1_000 {
        assert!(set.call(Safety::Safe, 9_000).await.is_err());
        let gap = *set.supplier.gaps().last().unwrap();
        let bin = (1..10).take_while(|n| gap >= ms(n * 100)).count();
        bins[bin] += 1;
    }
    // Chi-squared with 9 degrees of freedom: 27.9 is exceeded once in 1,000 even draws.
    let chi: f64 = bins
        .iter()
        .map(|n| (f64::from(*n) - 100.0).powi(2) / 100.0)
        .sum();
    assert!(chi < 27.9, "{bins:?}");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_by_the_call_and_by_every_other_call() {
    for (name, value) in [
        ("retry-after", "3"),
        ("retry-after", "Sun, 01 Mar 2026 12:00:03 GMT"),
        ("ratelimit-reset", "Sun, 01 Mar 2026 12:00:03 GMT"),
    ] {
        let throttled = Does::AnswersWith(429, name, value);
        let set = set(&[throttled], Does::Answers(200), |_| {});
        let start = Instant::now();
        assert!(set.call(Safety::Safe, 60_000).await.is_ok());
        let gap = set.supplier.gaps()[0];
        assert!(gap >= ms(3_000) && gap <= ms(3_102), "{gap:?}");
        assert_eq!(set.client.status().paused_for, None);
        assert!(start.elapsed() < ms(3_200));
    }
    let set = set(
        &[Does::AnswersWith(429, "retry-after", "3")],
        Does::Answers(200),
        |_| {},
    );
    let error = set.call(Safety::Unsafe, 60_000).await.unwrap_err();
    assert_eq!(error.retry, Retry::After(ms(3_000)));
    assert_eq!(set.client.status().paused_for, Some(ms(3_000)));
    let other = set.call(Safety::Unsafe, 2_000).await.unwrap_err();
    assert_eq!(
        (other.kind, other.sent),
        (SupplierErrorKind::RateLimited, Sent::No)
    );
    assert!(set.call(Safety::Unsafe, 60_000).await.is_ok());
    assert!(set.supplier.gaps()[0] >= ms(3_000));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_never_passed_whatever_is_waited_for() {
    let later = |wait| Does::AnswersAfter(ms(wait), 200);
    let asks = |status| Does::AnswersWith(status, "retry-after", "30");
    let forever = Does::AnswersWith(429, "retry-after", "18446744073709551615");
    type Change = fn(&mut Policy);
    let cases: [(Does, Change); 9] = [
        (Does::Hangs, |_| {}),
        (later(5_000), |_| {}),
        (asks(429), |_| {}),
        (asks(503), |_| {}),
        (forever, |_| {}),
        (Does::Answers(503), |policy| policy.retry.base_ms = 60_000),
        (later(400), |policy| policy.attempt_timeout_ms = 300),
        (later(600), |policy| {
            policy.bulkhead.max_concurrent = 1;
            policy.bulkhead.max_wait_ms = 60_000;
        }),
        (Does::Answers(200), |policy| {
            policy.pacing.attempts = 1;
            policy.pacing.burst = 1;
        }),
    ];
    for (does, change) in cases {
        let set = set(&[], does, change);
        let start = Instant::now();
        let (first, second) =
            tokio::join!(set.call(Safety::Safe, 1_000), set.call(Safety::Safe, 1_000));
        assert!(start.elapsed() <= ms(1_001), "{:?}", start.elapsed());
        let refused = first.is_err() || second.is_err();
        assert!(
            refused,
            "each of these is too slow for at least one of two calls"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_would_come_too_late_is_not_waited_for() {
    let set = set(&[], Does::AnswersWith(503, "retry-after", "30"), |_| {});
    let start = Instant::now();
    let error = set.call(Safety::Safe, 29_000).await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(error.retry, Retry::After(ms(30_000)));
    assert_eq!(set.client.status().retries_left, 2);
}

#[tokio::test(start_paused = true)]
async fn after_the_deadline_nothing_is_sent() {
    let set = set(&[], Does::Answers(200), |_| {});
    let error = set.call(Safety::Safe, 0).await.unwrap_err();
    assert_eq!(
        (error.kind, error.sent),
        (SupplierErrorKind::Timeout, Sent::No)
    );
    assert_eq!(error.blame, Blame::Us);
    assert_eq!(set.supplier.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_attempt_is_cut_and_repeated_within_the_deadline() {
    let set = set(&[Does::Hangs], Does::Answers(200), |policy| {
        policy.attempt_timeout_ms = 500;
    });
    assert!(set.call(Safety::Safe, 2_000).await.is_ok());
    let gap = set.supplier.gaps()[0];
    assert!(gap >= ms(500) && gap <= ms(602), "{gap:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_gives_back_its_place_and_its_probe() {
    let mut script = vec![Does::Answers(500); 5];
    script.extend([Does::Hangs; 4]);
    let set = set(&script, Does::Answers(200), |policy| {
        policy.retry.max_attempts = 1;
        policy.bulkhead.max_concurrent = 1;
        policy.breaker.probes = 1;
    });
    for _ in 0..5 {
        assert!(set.call(Safety::Safe, 9_000).await.is_err());
    }
    sleep(ms(1_000)).await;
    for _ in 0..4 {
        let hanging = set.call(Safety::Safe, 9_000);
        assert!(tokio::time::timeout(ms(50), hanging).await.is_err());
    }
    assert!(set.call(Safety::Safe, 9_000).await.is_ok());
    assert_eq!(set.client.status().breaker, BreakerState::Closed);
    assert!(set.counted(
        r#"interline_supplier_calls_total{operation="act",outcome="cancelled",supplier="acme"} 4"#
    ));
    assert!(set.counted(r#"interline_supplier_in_flight{supplier="acme"} 0"#));
}

#[tokio::test(start_paused = true)]
async fn a_supplier_that_heals_is_used_again_within_five_seconds() {
    let set = set(&[], Does::Hangs, |policy| policy.attempt_timeout_ms = 1_000);
    // Dead for a minute under steady load.
    for _ in 0..600 {
        let _ = set.call(Safety::Safe, 100_000).await;
        sleep(ms(100)).await;
    }
    let healed = set.supplier.count();
    set.supplier
        .script
        .lock()
        .unwrap()
        .extend([Does::Answers(200); 1_000]);
    let start = Instant::now();
    while set.client.status().breaker != BreakerState::Closed {
        let _ = set.call(Safety::Safe, 100_000).await;
        sleep(ms(100)).await;
    }
    assert!(start.elapsed() <= ms(5_000), "{:?}", start.elapsed());
    assert!(healed < 100, "{healed} calls to a dead supplier");
}

#[tokio::test(start_paused = true)]
async fn between_our_services_only_what_a_service_never_answered_is_repeated() {
    for (does, attempts) in [
        (Does::Answers(503), 1),
        (Does::Answers(429), 1),
        (Does::Hangs, 1),
        (Does::Refuses, 3),
        (Does::Breaks, 3),
    ] {
        let set = set_of(&[], does, |policy| policy.attempt_timeout_ms = 1_000, true);
        assert!(set.call(Safety::Safe, 60_000).await.is_err());
        assert_eq!(set.supplier.count(), attempts);
    }
}
