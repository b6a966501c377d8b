//! Stories of a service as a whole: what one dead instance does to it, and what all of them do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use supplier_client::BreakerState;
use tokio::time::{Instant, advance};

use crate::class::Class;
use crate::endpoint::{EndpointId, Target, ordered};
use crate::outcome::{Ending, Outcome, Repeat};
use crate::policy::UpstreamPolicy;
use crate::upstream::{Exchange, Refusal, Upstream};

fn upstream(instances: u16) -> Arc<Upstream> {
    with(instances, |_| {})
}

fn with(instances: u16, change: impl FnOnce(&mut UpstreamPolicy)) -> Arc<Upstream> {
    let mut policy = UpstreamPolicy::default();
    change(&mut policy);
    let upstream = Upstream::new("flight_service", &policy, Box::new(|_| {})).unwrap();
    let target = |port| Target::plain(EndpointId::new("10.0.0.1", port).unwrap());
    let targets = ordered((1..=instances).map(target).collect());
    upstream.balancer().update(&targets, Instant::now());
    upstream
}

fn after(ending: Ending, millis: u64) -> Outcome {
    Outcome {
        ending,
        latency: Duration::from_millis(millis),
    }
}

fn breaker(upstream: &Upstream) -> BreakerState {
    upstream.status().breaker
}

async fn try_enter(upstream: &Arc<Upstream>) -> Result<Exchange, Refusal> {
    let deadline = Instant::now() + Duration::from_secs(5);
    upstream.enter(Class::Money, deadline).await
}

async fn enter(upstream: &Arc<Upstream>) -> Exchange {
    try_enter(upstream).await.ok().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_dead_instance_costs_a_retry_and_not_the_service() {
    let upstream = upstream(3);
    // A hundred requests are under way when one instance dies.
    let under_way: Vec<Exchange> = join_all((0..100).map(|_| enter(&upstream))).await;
    let dead = under_way[0].endpoint().clone();
    let mut repeated = 0;
    for exchange in under_way {
        if *exchange.endpoint() != dead {
            exchange.finish(after(Ending::Served, 10));
        } else if let Some(next) = exchange.again(after(Ending::Reset, 10), Repeat::Safe) {
            assert_ne!(*next.endpoint(), dead);
            next.finish(after(Ending::Served, 10));
            repeated += 1;
        }
    }
    // A tenth of the hundred, and the reserve of a second.
    assert_eq!(repeated, 12);
    assert_eq!(breaker(&upstream), BreakerState::Closed);
    for _ in 0..200 {
        let exchange = enter(&upstream).await;
        assert_ne!(*exchange.endpoint(), dead);
        exchange.finish(after(Ending::Served, 10));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_every_instance_fails_is_left_alone_and_tried_again() {
    let upstream = upstream(2);
    let mut failures = 0;
    let retry_after = loop {
        match try_enter(&upstream).await {
            Ok(exchange) => exchange.finish(after(Ending::ConnectFailed, 1)),
            Err(Refusal::BreakerOpen { retry_after }) => break retry_after,
            Err(refusal) => panic!("{refusal:?}"),
        }
        failures += 1;
        assert!(failures < 20);
    };
    assert_eq!(retry_after, Duration::from_secs(1));
    assert_eq!(upstream.status().retry_in, Some(retry_after));
    advance(retry_after).await;
    for _ in 0..2 {
        enter(&upstream).await.finish(after(Ending::Served, 1));
    }
    assert_eq!(breaker(&upstream), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn the_breakers_changes_are_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = told.clone();
    let observer = Box::new(move |state| seen.lock().unwrap().push(state));
    let upstream = Upstream::new("flight_service", &UpstreamPolicy::default(), observer).unwrap();
    let only = Target::plain(EndpointId::new("10.0.0.1", 1).unwrap());
    upstream.balancer().update(&[only].into(), Instant::now());
    for _ in 0..5 {
        enter(&upstream).await.finish(after(Ending::Reset, 1));
    }
    assert_eq!(*told.lock().unwrap(), [BreakerState::Open]);
}

#[tokio::test(start_paused = true)]
async fn an_order_is_never_sent_twice_unless_nobody_can_have_seen_it() {
    for (ending, repeat, again) in [
        (Ending::ConnectFailed, Repeat::Unseen, true),
        (Ending::ConnectFailed, Repeat::Never, false),
        (Ending::Reset, Repeat::Unseen, false),
        (Ending::GatewayError, Repeat::Unseen, false),
        (Ending::TimedOut, Repeat::Unseen, false),
        (Ending::TimedOut, Repeat::Safe, false),
        (Ending::Reset, Repeat::Safe, true),
    ] {
        let upstream = upstream(3);
        let next = enter(&upstream).await.again(after(ending, 5_000), repeat);
        assert_eq!(next.is_some(), again, "{ending:?} {repeat:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn there_is_no_third_attempt() {
    let upstream = upstream(5);
    let failed = after(Ending::ConnectFailed, 1);
    let second = enter(&upstream).await.again(failed, Repeat::Safe).unwrap();
    assert!(second.again(failed, Repeat::Safe).is_none());
}

#[tokio::test(start_paused = true)]
async fn alone_an_instance_is_asked_again_only_after_a_broken_connection() {
    for (ending, again) in [(Ending::Reset, true), (Ending::ConnectFailed, false)] {
        let next = enter(&upstream(1))
            .await
            .again(after(ending, 1), Repeat::Safe);
        assert_eq!(next.is_some(), again, "{ending:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_everything_sees_little_more_than_what_was_asked() {
    let upstream = with(4, |policy| {
        policy.breaker.consecutive_failures = 0;
        policy.breaker.failure_percent = 0;
        policy.retry.reserve_per_s = 0;
    });
    let (mut asked, mut seen) = (0_u32, 0_u32);
    for _ in 0..5_000 {
        asked += 1;
        seen += 1;
        if let Some(next) = enter(&upstream)
            .await
            .again(after(Ending::Reset, 1), Repeat::Safe)
        {
            seen += 1;
            next.finish(after(Ending::Reset, 1));
        }
        advance(Duration::from_millis(10)).await;
    }
    assert!(seen * 100 <= asked * 110, "{seen} for {asked}");
    assert!(seen > asked);
}

#[tokio::test(start_paused = true)]
async fn impatient_callers_cut_nobody_off() {
    let upstream = upstream(2);
    for _ in 0..100 {
        enter(&upstream).await.finish(after(Ending::TimedOut, 50));
    }
    assert_eq!(breaker(&upstream), BreakerState::Closed);
    for _ in 0..100 {
        if let Ok(exchange) = try_enter(&upstream).await {
            exchange.finish(after(Ending::TimedOut, 1_000));
        }
    }
    assert_eq!(breaker(&upstream), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_leaves_nothing_behind() {
    let upstream = upstream(1);
    for _ in 0..100 {
        drop(enter(&upstream).await);
    }
    let status = upstream.status();
    assert_eq!(status.endpoints[0].in_flight, 0);
    assert_eq!(status.breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn without_an_instance_nothing_is_let_in() {
    assert_eq!(
        try_enter(&upstream(0)).await.err(),
        Some(Refusal::NoInstance)
    );
}

#[tokio::test(start_paused = true)]
async fn while_the_body_passes_the_instance_is_busy_and_the_service_is_not() {
    let upstream = upstream(1);
    let body = enter(&upstream).await.answered(after(Ending::Served, 10));
    let status = upstream.status();
    assert_eq!(
        (status.endpoints[0].in_flight, status.limit.under_way.money),
        (1, 0)
    );
    drop(body);
    assert_eq!(upstream.status().endpoints[0].in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_shed_is_told_by_whom_and_leaves_the_breaker_alone() {
    let upstream = with(2, |policy| {
        policy.limit.initial = 1;
        policy.limit.min = 1;
    });
    let held = enter(&upstream).await;
    let deadline = Instant::now() + Duration::from_secs(1);
    let refusal = upstream.enter(Class::Search, deadline).await.err().unwrap();
    let Refusal::Shed(shed) = refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!(
        (&*shed.limiter, shed.class),
        ("flight_service", Class::Search)
    );
    held.finish(after(Ending::Served, 1));
    assert!(upstream.enter(Class::Search, deadline).await.is_ok());
    let status = upstream.status();
    assert_eq!(
        (status.limit.shed.search, status.breaker),
        (1, BreakerState::Closed)
    );
}

#[test]
fn numbers_that_make_no_sense_are_refused_by_name() {
    for (text, says) in [
        ("limit.min = 0", "limit.min"),
        ("limit = { min = 20, max = 10 }", "limit.max"),
        ("limit.initial = 0", "limit.initial"),
        ("limit.tolerance_percent = 90", "limit.tolerance_percent"),
        ("limit.search_percent = 0", "limit."),
        ("balance.panic_percent = 101", "balance.panic_percent"),
        ("ejection.max_percent = 101", "ejection.max_percent"),
        ("ejection.base_ms = 0", "ejection.base_ms"),
        ("check.timeout_ms = 0", "check.timeout_ms"),
        ("check.path = 'health'", "check.path"),
        ("check.unhealthy_after = 0", "check."),
        ("retry.budget_percent = 21", "retry.budget_percent"),
        ("breaker.probes = 0", "breaker.probes"),
        ("breaker.failure_percent = 101", "breaker.failure_percent"),
    ] {
        let policy: UpstreamPolicy = toml::from_str(text).unwrap();
        let error = Upstream::new("x", &policy, Box::new(|_| {})).err().unwrap();
        assert!(error.to_string().starts_with(says), "{text}: {error}");
    }
}

/// `cargo test -p upstreams --release -- --ignored --nocapture a_request`
#[tokio::test]
#[ignore = "a measurement"]
async fn a_request_through_every_policy_costs_little() {
    let upstream = upstream(3);
    const ROUNDS: u32 = 50_000;
    let mut each = Duration::MAX;
    for _ in 0..30 {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            enter(&upstream).await.finish(after(Ending::Served, 3));
        }
        each = each.min(start.elapsed() / ROUNDS);
    }
    println!("{each:?} for a request through every policy");
    assert!(each < Duration::from_micros(20));
}
