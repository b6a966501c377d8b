//! Stories of the limiter: who goes in first, who waits, and what is left behind.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, advance};

use crate::class::Class;
use crate::limiter::{Limiter, Permit, Shed};
use crate::policy::LimitPolicy;

const SECOND: Duration = Duration::from_secs(1);

/// One that allows 5 background requests, 7 searches, 8 reads and 11 payments at once, and no other
/// number.
fn limiter() -> Arc<Limiter> {
    let policy = LimitPolicy {
        initial: 10,
        min: 10,
        max: 10,
        queue: 3,
        ..LimitPolicy::default()
    };
    Limiter::new("flight_service", policy, Instant::now())
}

async fn enter(limiter: &Arc<Limiter>, class: Class) -> Result<Permit, Shed> {
    limiter.enter(class, Instant::now() + 5 * SECOND).await
}

async fn fill(limiter: &Arc<Limiter>, class: Class) -> Vec<Permit> {
    let mut held = Vec::new();
    while limiter.status().allowed.get(class) > &limiter_total(limiter) {
        held.push(enter(limiter, class).await.unwrap());
    }
    held
}

fn limiter_total(limiter: &Limiter) -> u32 {
    let under_way = limiter.status().under_way;
    Class::ALL.iter().map(|class| under_way.get(*class)).sum()
}

/// Waits in the background; gives back how it ended.
async fn waiting(
    limiter: &Arc<Limiter>,
    class: Class,
) -> tokio::task::JoinHandle<Result<Permit, Shed>> {
    let limiter = limiter.clone();
    let task = tokio::spawn(async move { enter(&limiter, class).await });
    yield_now().await;
    task
}

#[tokio::test(start_paused = true)]
async fn the_less_important_is_refused_first_and_at_once() {
    let limiter = limiter();
    let start = Instant::now();
    let mut held = Vec::new();
    for (class, places) in [
        (Class::Background, 5),
        (Class::Search, 2),
        (Class::Interactive, 1),
        (Class::Money, 3),
    ] {
        let more = fill(&limiter, class).await;
        assert_eq!(more.len(), places, "{class:?}");
        held.extend(more);
        for lower in Class::ALL
            .into_iter()
            .filter(|c| *c < Class::Interactive.min(class))
        {
            let shed = enter(&limiter, lower).await.unwrap_err();
            assert_eq!((&*shed.limiter, shed.class), ("flight_service", lower));
            assert!(shed.retry_after >= SECOND);
        }
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(limiter_total(&limiter), 11);
    let status = limiter.status();
    assert_eq!((status.shed.search, status.shed.money), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_payment_waits_for_a_place_and_goes_before_a_read() {
    let limiter = limiter();
    let mut held = fill(&limiter, Class::Money).await;
    let read = waiting(&limiter, Class::Interactive).await;
    let payment = waiting(&limiter, Class::Money).await;
    assert_eq!(limiter.status().waiting, 2);
    held.pop();
    let place = payment.await.unwrap().unwrap();
    assert!(!read.is_finished());
    drop(place);
    assert_eq!(limiter.status().waiting, 1);
    held.truncate(7);
    assert!(read.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_past_the_longest_wait_or_their_deadline() {
    let limiter = limiter();
    let _held = fill(&limiter, Class::Money).await;
    for (class, deadline, waits) in [
        (Class::Money, 5_000, 1_000),
        (Class::Money, 30, 30),
        (Class::Interactive, 5_000, 25),
    ] {
        let start = Instant::now();
        let deadline = start + Duration::from_millis(deadline);
        assert!(limiter.enter(class, deadline).await.is_err());
        assert_eq!(start.elapsed(), Duration::from_millis(waits));
    }
    assert_eq!(limiter.status().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn whose_turn_would_come_too_late_is_refused_at_once() {
    let limiter = limiter();
    // Sixteen requests of eight seconds each: a place comes free about every second.
    for _ in 0..64 {
        let permit = enter(&limiter, Class::Money).await.unwrap();
        permit.served(8 * SECOND, Instant::now());
    }
    let _held = fill(&limiter, Class::Money).await;
    let start = Instant::now();
    let shed = limiter.enter(Class::Money, start + SECOND / 2).await;
    assert!(shed.is_err());
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn no_more_wait_than_may() {
    let limiter = limiter();
    let _held = fill(&limiter, Class::Money).await;
    let mut tasks = Vec::new();
    for _ in 0..3 {
        tasks.push(waiting(&limiter, Class::Money).await);
    }
    assert!(waiting(&limiter, Class::Money).await.is_finished());
    assert!(tasks.iter().all(|task| !task.is_finished()));
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_while_waiting_takes_no_place_along() {
    let limiter = limiter();
    let held = fill(&limiter, Class::Money).await;
    let gone = waiting(&limiter, Class::Money).await;
    let patient = waiting(&limiter, Class::Money).await;
    gone.abort();
    yield_now().await;
    // The place is handed over, and its taker goes away before it can be taken.
    drop(held);
    assert_eq!(limiter_total(&limiter), 1);
    patient.abort();
    assert!(patient.await.unwrap_err().is_cancelled());
    assert_eq!((limiter_total(&limiter), limiter.status().waiting), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_fails_at_once_does_not_make_a_service_look_quick() {
    let policy = LimitPolicy::default();
    let limiter = Limiter::new("flight_service", policy, Instant::now());
    for _ in 0..1_000 {
        let permit = enter(&limiter, Class::Search).await.unwrap();
        advance(Duration::from_millis(10)).await;
        drop(permit);
    }
    assert_eq!(limiter.status().baseline.search, None);
    for _ in 0..50 {
        let permit = enter(&limiter, Class::Search).await.unwrap();
        advance(Duration::from_millis(10)).await;
        permit.served(Duration::from_millis(10), Instant::now());
    }
    let baseline = limiter.status().baseline;
    assert_eq!(baseline.search, Some(Duration::from_millis(10)));
    assert_eq!(baseline.money, None);
}

#[tokio::test(start_paused = true)]
async fn a_slow_service_is_learnt_from_the_start_and_when_it_has_become_slow() {
    for class in [Class::Search, Class::Money] {
        let policy = LimitPolicy::default();
        let limiter = Limiter::new("flight_service", policy, Instant::now());
        for millis in [3_000, 20, 4_000] {
            // Twenty a second for two minutes: up to eighty at once.
            let mut shed = Vec::new();
            for n in 0..2_400_u32 {
                match enter(&limiter, class).await {
                    Ok(permit) => drop(tokio::spawn(answer(permit, millis))),
                    Err(_) => shed.push(n),
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let baseline = *limiter.status().baseline.get(class);
            let baseline = baseline.unwrap().as_millis();
            let off = baseline.abs_diff(millis.into());
            assert!(
                off * 10 <= u128::from(millis),
                "{class:?}: {baseline} is not {millis}"
            );
            let last = shed.last().copied().unwrap_or_default();
            assert!(
                last < 1_800,
                "{class:?} at {millis} ms: {} shed",
                shed.len()
            );
        }
    }
}

async fn answer(permit: Permit, millis: u64) {
    let latency = Duration::from_millis(millis);
    tokio::time::sleep(latency).await;
    permit.served(latency, Instant::now());
}

/// `cargo test -p upstreams --release -- --ignored --nocapture a_place`
#[tokio::test]
#[ignore = "a measurement"]
async fn a_place_costs_little() {
    let limiter = Limiter::new("flight_service", LimitPolicy::default(), Instant::now());
    const ROUNDS: u32 = 50_000;
    let deadline = Instant::now() + 600 * SECOND;
    let mut each = Duration::MAX;
    for _ in 0..30 {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            let permit = limiter.enter(Class::Search, deadline).await.unwrap();
            permit.served(Duration::from_millis(3), start);
        }
        each = each.min(start.elapsed() / ROUNDS);
    }
    println!("{each:?} for a place in the service");
    assert!(each < Duration::from_micros(10));
}
