//! Redis dies, hangs, is full or forgets, below limiters that live on.

use std::time::Duration;

use rate_limits::{Limiter, LimiterOptions, Mode, OnOutage, Policy, PolicyId};
use tokio::time::{Instant, timeout};

use crate::server::{MINUTE, Server, Way, bucket, free_port, open, window};

const HOUR: Duration = Duration::from_secs(3_600);
/// Long enough for a busy machine: only the hung server takes so long.
const TIMEOUT: Duration = Duration::from_secs(1);

fn options(port: u16) -> LimiterOptions {
    let mut options = LimiterOptions::new(format!("redis://127.0.0.1:{port}"), "test");
    options.timeout = TIMEOUT;
    options.sync_interval = HOUR;
    options
}

fn strict(on_outage: OnOutage) -> Policy {
    Policy {
        mode: Mode::Strict,
        on_outage,
        ..bucket(10, HOUR, 10)
    }
}

/// Until Redis decides again: only then nothing is added to the errors.
async fn answers(limiter: &Limiter, id: PolicyId) {
    let asked = async {
        loop {
            let before = limiter.stats().store_errors;
            tokio::time::sleep(Duration::from_millis(300)).await; // beyond the pause
            limiter.decide(id, "probe", 0).await.unwrap();
            if limiter.stats().store_errors == before {
                return;
            }
        }
    };
    timeout(MINUTE, asked).await.unwrap();
}

async fn allowed_of(limiter: &Limiter, id: PolicyId, requests: u32) -> u32 {
    let mut allowed = 0;
    for _ in 0..requests {
        allowed += u32::from(limiter.decide(id, "key", 1).await.unwrap().allowed);
    }
    allowed
}

/// A thousand requests: limited as the policy says, at once, and Redis is hardly asked.
async fn holds_without_redis(port: u16) {
    for (on_outage, most) in [
        (OnOutage::Local, 10),
        (OnOutage::Open, 1_000),
        (OnOutage::Closed, 0),
    ] {
        let (limiter, id) = open(&options(port), strict(on_outage));
        let started = Instant::now();
        assert_eq!(allowed_of(&limiter, id, 1_000).await, most, "{on_outage:?}");
        let errors = limiter.stats().store_errors;
        let tries = started.elapsed().as_millis() / 250 + 1;
        assert!(
            (1..=tries).contains(&u128::from(errors)),
            "{errors} > {tries}"
        );
        // Without the pause a thousand time-outs would be a quarter of an hour.
        assert!(started.elapsed() < Duration::from_secs(20));
        if on_outage == OnOutage::Closed {
            let decision = limiter.decide(id, "key", 1).await.unwrap();
            assert_eq!(decision.retry_after, Duration::from_secs(1));
            assert_eq!(decision.remaining, 0);
        }
    }
}

#[tokio::test]
async fn without_redis_each_policy_does_as_it_says() {
    holds_without_redis(free_port()).await;
}

#[tokio::test]
async fn a_hung_redis_costs_a_few_requests_a_second_only() {
    let server = Server::start(free_port());
    let (limiter, id) = open(&options(server.port), strict(OnOutage::Local));
    answers(&limiter, id).await;
    server.signal("-STOP");
    holds_without_redis(server.port).await;
    server.signal("-CONT");
    answers(&limiter, id).await;
}

#[tokio::test]
async fn a_limiter_lives_through_the_death_and_return_of_redis() {
    let mut server = Server::start(free_port());
    let (limiter, id) = open(&options(server.port), strict(OnOutage::Local));
    answers(&limiter, id).await;
    assert_eq!(allowed_of(&limiter, id, 6).await, 6);
    server.kill();
    // What Redis allowed before counts here too.
    assert_eq!(allowed_of(&limiter, id, 20).await, 4);
    let server = Server::start(server.port);
    answers(&limiter, id).await;
    let (other, other_id) = open(&options(server.port), strict(OnOutage::Local));
    answers(&other, other_id).await;
    assert_eq!(allowed_of(&limiter, id, 5).await, 5);
    assert_eq!(allowed_of(&other, other_id, 20).await, 5);
}

#[tokio::test]
async fn a_connection_that_leads_nowhere_is_replaced() {
    let server = Server::start(free_port());
    let way = Way::to(server.port).await;
    let (limiter, id) = open(&options(way.port), strict(OnOutage::Local));
    answers(&limiter, id).await;
    way.lose_connections();
    assert_eq!(allowed_of(&limiter, id, 1).await, 1);
    assert!(limiter.stats().store_errors > 0);
    answers(&limiter, id).await;
}

#[tokio::test]
async fn a_full_redis_is_an_outage_and_not_an_open_door() {
    let server = Server::start(free_port());
    let (limiter, id) = open(&options(server.port), strict(OnOutage::Local));
    answers(&limiter, id).await;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    assert_eq!(allowed_of(&limiter, id, 100).await, 10);
    assert!(limiter.stats().store_errors > 0);
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    answers(&limiter, id).await;
}

#[tokio::test]
async fn a_redis_that_forgot_everything_goes_on_deciding() {
    let server = Server::start(free_port());
    let (limiter, id) = open(&options(server.port), strict(OnOutage::Closed));
    answers(&limiter, id).await;
    assert_eq!(allowed_of(&limiter, id, 15).await, 10);
    let before = limiter.stats().store_errors;
    server.command(&["FLUSHALL"]).await;
    server.command(&["SCRIPT", "FLUSH"]).await;
    assert_eq!(allowed_of(&limiter, id, 15).await, 10);
    assert_eq!(limiter.stats().store_errors, before);
}

#[tokio::test]
async fn local_first_policies_are_open_or_closed_only_while_redis_fails() {
    for (on_outage, meanwhile) in [(OnOutage::Open, true), (OnOutage::Closed, false)] {
        let mut server = Server::start(free_port());
        let policy = Policy {
            on_outage,
            ..bucket(10, HOUR, 10)
        };
        let (limiter, id) = open(&options(server.port), policy);
        let passes = |key: &str, cost| {
            let decision = limiter.decide_local(id, key, cost, Instant::now());
            decision.unwrap().allowed
        };
        assert!(passes("key", 10) && !passes("key", 1));
        server.kill();
        limiter.reconcile().await;
        assert_eq!(passes("key", 1), meanwhile);
        let _server = Server::start(server.port);
        let back = async {
            while passes("key", 1) == meanwhile && passes("new", 0) == meanwhile {
                passes("another", 1);
                tokio::time::sleep(Duration::from_millis(50)).await;
                limiter.reconcile().await;
                if !passes("key", 1) && passes("new", 0) {
                    break;
                }
            }
        };
        timeout(MINUTE, back).await.unwrap();
        assert!(!passes("key", 1) && passes("new", 0));
    }
}

/// What was spent during an outage, and what a flushed Redis has lost, is told again.
#[tokio::test]
async fn instances_agree_again_after_redis_died_or_forgot() {
    for policy in [bucket(100, HOUR, 100), window(100, HOUR)] {
        let mut server = Server::start(free_port());
        let (one, id) = open(&options(server.port), policy.clone());
        let (other, _) = open(&options(server.port), policy);
        let spend = |limiter: &Limiter, cost| {
            limiter
                .decide_local(id, "key", cost, Instant::now())
                .unwrap()
        };
        let exchanged = async |limiter: &Limiter| {
            let exchange = async {
                loop {
                    let before = limiter.stats().store_errors;
                    tokio::time::sleep(Duration::from_millis(300)).await; // beyond the pause
                    limiter.reconcile().await;
                    if limiter.stats().store_errors == before {
                        return;
                    }
                }
            };
            timeout(MINUTE, exchange).await.unwrap();
        };
        spend(&one, 30);
        exchanged(&one).await;
        server.kill();
        spend(&one, 40);
        one.reconcile().await;
        let server = Server::start(server.port);
        exchanged(&one).await; // tells the whole state: 70
        spend(&other, 1);
        exchanged(&other).await;
        assert_eq!(spend(&other, 0).remaining, 29);

        server.command(&["FLUSHALL"]).await;
        spend(&one, 2);
        exchanged(&one).await; // hears that Redis forgot
        exchanged(&one).await; // and tells the whole state: 72
        spend(&other, 1);
        exchanged(&other).await;
        let remaining = spend(&other, 0).remaining;
        assert!(remaining <= 27, "{remaining}");
    }
}
