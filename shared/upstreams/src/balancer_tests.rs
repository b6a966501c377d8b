//! Stories of the balancer: who is picked, who is left out, and for how long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::balancer::{Balancer, Picked};
use crate::dice::Dice;
use crate::endpoint::{EndpointId, Target, Targets, ordered};
use crate::outcome::Ending;
use crate::policy::{BalancePolicy, EjectionPolicy};
use crate::roster::Health;

const SECOND: Duration = Duration::from_secs(1);

fn id(port: u16) -> EndpointId {
    EndpointId::new("10.0.0.1", port).unwrap()
}

fn plain(ports: &[u16]) -> Targets {
    ordered(ports.iter().map(|port| Target::plain(id(*port))).collect())
}

fn weighted(list: &[(u16, u32, u16)]) -> Targets {
    let target = |(port, weight, priority): &(u16, u32, u16)| Target {
        id: id(*port),
        weight: *weight,
        priority: *priority,
    };
    ordered(list.iter().map(target).collect())
}

fn balancer(targets: &Targets) -> (Arc<Balancer>, Instant) {
    let dice = Dice::seeded(7);
    let balancer = Balancer::with_dice(BalancePolicy::default(), EjectionPolicy::default(), dice);
    let now = Instant::now();
    balancer.update(targets, now);
    (balancer, now)
}

/// How many of so many picks go where, each given back at once.
fn shares(balancer: &Balancer, now: Instant, picks: u32) -> BTreeMap<u16, u32> {
    let mut shares = BTreeMap::new();
    for _ in 0..picks {
        let picked = balancer.pick(now, None).unwrap();
        let port = picked.id().authority().port_u16().unwrap();
        *shares.entry(port).or_default() += 1;
    }
    shares
}

fn ports(balancer: &Balancer, now: Instant) -> Vec<u16> {
    shares(balancer, now, 500).into_keys().collect()
}

fn pick_at(balancer: &Balancer, now: Instant, port: u16) -> Picked {
    for _ in 0..10_000 {
        let picked = balancer.pick(now, None).unwrap();
        if *picked.id() == id(port) {
            return picked;
        }
    }
    panic!("{port} is never picked");
}

fn end(balancer: &Balancer, now: Instant, port: u16, ending: Ending) -> bool {
    balancer.report(&pick_at(balancer, now, port), ending, now)
}

fn health(balancer: &Balancer, now: Instant, port: u16) -> Option<Health> {
    let status = balancer.status(now).into_iter().find(|s| s.id == id(port));
    status.map(|status| status.health)
}

#[tokio::test(start_paused = true)]
async fn requests_in_hand_stay_even_over_equal_instances() {
    let (balancer, now) = balancer(&plain(&[1, 2, 3, 4]));
    let held: Vec<Picked> = (0..400)
        .map(|_| balancer.pick(now, None).unwrap())
        .collect();
    for status in balancer.status(now) {
        assert!((95..=105).contains(&status.in_flight), "{status:?}");
    }
    drop(held);
    assert!(
        balancer
            .status(now)
            .iter()
            .all(|status| status.in_flight == 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_instance_gets_fewer_requests_than_the_quick_ones() {
    let (balancer, now) = balancer(&plain(&[1, 2, 3]));
    let mut stuck = Vec::new();
    let mut quick = 0_u32;
    for _ in 0..300 {
        let picked = balancer.pick(now, None).unwrap();
        if *picked.id() == id(1) {
            stuck.push(picked);
        } else {
            quick += 1;
        }
    }
    assert!(stuck.len() < 5, "{} against {quick}", stuck.len());
}

#[tokio::test(start_paused = true)]
async fn weights_hold_at_rest_and_under_load() {
    let (balancer, now) = balancer(&weighted(&[(1, 9, 0), (2, 1, 0)]));
    let at_rest = shares(&balancer, now, 10_000);
    assert!((900..=1_100).contains(&at_rest[&2]), "{at_rest:?}");
    let held: Vec<Picked> = (0..500)
        .map(|_| balancer.pick(now, None).unwrap())
        .collect();
    let light = held.iter().filter(|picked| *picked.id() == id(2)).count();
    assert!((45..=55).contains(&light), "{light} of 500");
}

#[tokio::test(start_paused = true)]
async fn a_retry_goes_elsewhere_or_nowhere() {
    let (balancer, now) = balancer(&plain(&[1, 2]));
    for _ in 0..100 {
        let picked = balancer.pick(now, Some(&id(1))).unwrap();
        assert_eq!(*picked.id(), id(2));
    }
    balancer.update(&plain(&[1]), now);
    assert!(balancer.pick(now, Some(&id(1))).is_none());
    assert!(balancer.pick(now, None).is_some());
    balancer.update(&plain(&[]), now);
    assert!(balancer.pick(now, None).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_higher_number_serves_only_while_the_lower_one_cannot() {
    let (balancer, now) = balancer(&weighted(&[(1, 1, 10), (2, 1, 10), (3, 1, 20)]));
    assert_eq!(ports(&balancer, now), [1, 2]);
    balancer.checked(&id(1), false, now);
    assert_eq!(ports(&balancer, now), [2]);
    balancer.checked(&id(2), false, now);
    assert_eq!(ports(&balancer, now), [3]);
    balancer.checked(&id(3), false, now);
    assert_eq!(ports(&balancer, now), [1, 2]);
    assert!(balancer.panics());
}

#[tokio::test(start_paused = true)]
async fn when_most_are_unwell_health_is_not_looked_at() {
    let (balancer, now) = balancer(&plain(&[1, 2, 3, 4]));
    balancer.checked(&id(1), false, now);
    balancer.checked(&id(2), false, now);
    assert_eq!(ports(&balancer, now), [3, 4]);
    balancer.checked(&id(3), false, now);
    assert_eq!(ports(&balancer, now), [1, 2, 3, 4]);
    assert!(balancer.panics());
    balancer.checked(&id(3), true, now + SECOND);
    assert_eq!(ports(&balancer, now + 60 * SECOND), [3, 4]);
    assert!(!balancer.panics());
}

#[tokio::test(start_paused = true)]
async fn a_failed_connection_ejects_at_once_and_other_failures_in_a_row_of_three() {
    let (balancer, now) = balancer(&plain(&[1, 2, 3, 4]));
    assert!(end(&balancer, now, 1, Ending::ConnectFailed));
    assert_eq!(health(&balancer, now, 1), Some(Health::Ejected));
    for (ending, ejected) in [
        (Ending::GatewayError, false),
        (Ending::Reset, false),
        (Ending::Served, false),
        (Ending::GatewayError, false),
        (Ending::TimedOut, false),
        (Ending::Reset, true),
    ] {
        assert_eq!(end(&balancer, now, 2, ending), ejected, "{ending:?}");
    }
    assert_eq!(ports(&balancer, now), [3, 4]);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_half_are_ejected() {
    let (balancer, now) = balancer(&plain(&[1, 2, 3, 4, 5]));
    for port in 1..=5 {
        let picked = pick_at(&balancer, now, port);
        balancer.report(&picked, Ending::ConnectFailed, now);
    }
    assert_eq!(ports(&balancer, now), [3, 4, 5]);
    let (single, now) = self::balancer(&plain(&[1]));
    assert!(!end(&single, now, 1, Ending::ConnectFailed));
    assert!(single.pick(now, None).is_some());
}

#[tokio::test(start_paused = true)]
async fn each_ejection_is_twice_as_long_until_the_instance_behaves() {
    let (balancer, mut now) = balancer(&plain(&[1, 2]));
    for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
        assert!(end(&balancer, now, 1, Ending::ConnectFailed));
        now += seconds * SECOND - Duration::from_millis(1);
        assert_eq!(ports(&balancer, now), [2], "after {seconds} s");
        now += Duration::from_millis(1);
        assert_eq!(ports(&balancer, now), [1, 2], "after {seconds} s");
    }
    now += 300 * SECOND;
    end(&balancer, now, 1, Ending::ConnectFailed);
    let status = balancer.status(now);
    assert_eq!(status[0].ejected_for, Some(5 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn who_joins_or_returns_begins_with_little() {
    let (balancer, now) = balancer(&plain(&[1, 2]));
    let first = shares(&balancer, now, 1_000);
    assert!(first[&1] > 400 && first[&2] > 400, "{first:?}");
    balancer.update(&plain(&[1, 2, 3]), now);
    let mut grown = Vec::new();
    for seconds in [0, 5, 10] {
        grown.push(shares(&balancer, now + seconds * SECOND, 9_000)[&3]);
    }
    assert!(grown[0] < 700, "{grown:?}");
    assert!((1_300..=2_700).contains(&grown[1]), "{grown:?}");
    assert!((2_800..=3_200).contains(&grown[2]), "{grown:?}");
    end(&balancer, now + 60 * SECOND, 1, Ending::ConnectFailed);
    let back = shares(&balancer, now + 65 * SECOND, 9_000);
    assert!(back[&1] < 700, "{back:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_set_keeps_what_is_known_of_those_who_stay() {
    let (balancer, now) = balancer(&plain(&[1, 2, 3]));
    let held = [pick_at(&balancer, now, 2), pick_at(&balancer, now, 3)];
    end(&balancer, now, 1, Ending::ConnectFailed);
    balancer.update(&plain(&[1, 2, 4]), now);
    let status = |port| {
        let all = balancer.status(now);
        all.into_iter().find(|status| status.id == id(port))
    };
    assert_eq!(status(1).unwrap().health, Health::Ejected);
    assert_eq!(status(2).unwrap().in_flight, 1);
    let leaving = status(3).unwrap();
    assert_eq!((leaving.health, leaving.in_flight), (Health::Draining, 1));
    assert!(!ports(&balancer, now).contains(&3));
    // It comes back before its request has ended.
    balancer.update(&plain(&[2, 3]), now);
    assert_eq!(status(3).unwrap().in_flight, 1);
    drop(held);
    assert_eq!(status(3).unwrap().in_flight, 0);
    balancer.update(&plain(&[2]), now);
    assert_eq!(status(3), None);
}

#[tokio::test(start_paused = true)]
async fn what_discovery_finds_is_picked() {
    let (balancer, now) = balancer(&plain(&[1]));
    let (sender, receiver) = tokio::sync::watch::channel(plain(&[2]));
    let following = balancer.clone();
    let task = tokio::spawn(async move { following.follow(receiver).await });
    tokio::task::yield_now().await;
    assert_eq!(ports(&balancer, now + 60 * SECOND), [2]);
    sender.send(plain(&[2, 3])).unwrap();
    tokio::task::yield_now().await;
    assert_eq!(ports(&balancer, now + 60 * SECOND), [2, 3]);
    drop(sender);
    task.await.unwrap();
    assert_eq!(balancer.endpoints().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn many_threads_leave_no_request_behind() {
    let (balancer, now) = balancer(&plain(&[1, 2, 3]));
    std::thread::scope(|scope| {
        for thread in 0..4_u16 {
            let balancer = &balancer;
            scope.spawn(move || {
                for round in 0..5_000_u16 {
                    let picked = balancer.pick(now, None).unwrap();
                    let ending = match round % 7 {
                        0 => Ending::Reset,
                        _ => Ending::Served,
                    };
                    balancer.report(&picked, ending, now);
                    if round % 100 == thread {
                        let others: &[u16] = if round % 200 == thread {
                            &[1, 2]
                        } else {
                            &[2, 3]
                        };
                        balancer.update(&plain(others), now);
                    }
                }
            });
        }
    });
    let status = balancer.status(now);
    assert!(
        status.iter().all(|status| status.in_flight == 0),
        "{status:?}"
    );
}

/// `cargo test -p upstreams --release -- --ignored --nocapture a_pick`
#[tokio::test]
#[ignore = "a measurement"]
async fn a_pick_and_its_report_take_little() {
    for instances in [1_u16, 3, 10, 100] {
        let list: Vec<u16> = (1..=instances).collect();
        let (balancer, now) = balancer(&plain(&list));
        const ROUNDS: u32 = 100_000;
        // The machine does other things too: the quickest of many times is how long it takes.
        let times = (0..30).map(|_| {
            let start = Instant::now();
            for _ in 0..ROUNDS {
                let picked = balancer.pick(now, None).unwrap();
                std::hint::black_box(balancer.report(&picked, Ending::Served, now));
            }
            start.elapsed() / ROUNDS
        });
        let each = times.min().unwrap();
        println!("{instances} instances: {each:?} for a pick and its report");
        assert!(each < Duration::from_micros(5));
    }
}
