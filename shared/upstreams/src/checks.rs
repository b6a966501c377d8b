//! Active checks: each instance is asked from time to time whether it is well, whoever else asks it
//! anything. How it is asked is the owner's to say.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use crate::balancer::Balancer;
use crate::dice::Dice;
use crate::endpoint::EndpointId;
use crate::policy::CheckPolicy;

/// Asks an instance whether it is well.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Whether `path` of the instance answers as it does when the instance is well. It may take as long
    /// as it likes: it is dropped, and counts as a failure, after the policy's time-out.
    async fn is_well(&self, endpoint: &EndpointId, path: &str) -> bool;
}

/// Checks every instance of a service for as long as this is polled; returns at once if the policy has
/// no interval. An instance is taken for well until enough checks in a row say otherwise.
pub async fn check(balancer: Arc<Balancer>, probe: Arc<dyn Probe>, policy: CheckPolicy) {
    if policy.interval_ms == 0 {
        return;
    }
    let interval = Duration::from_millis(policy.interval_ms);
    let mut tasks = JoinSet::new();
    let mut running: HashMap<EndpointId, AbortHandle> = HashMap::new();
    loop {
        let endpoints = balancer.endpoints();
        running.retain(|id, task| {
            let known = endpoints.contains(id);
            if !known {
                task.abort();
            }
            known
        });
        for id in endpoints {
            running.entry(id.clone()).or_insert_with(|| {
                let (balancer, probe, policy) = (balancer.clone(), probe.clone(), policy.clone());
                tasks.spawn(async move { check_one(&balancer, &*probe, &policy, &id).await })
            });
        }
        // What was aborted is only gone when it is asked for.
        while tasks.try_join_next().is_some() {}
        sleep(interval).await;
    }
}

async fn check_one(balancer: &Balancer, probe: &dyn Probe, policy: &CheckPolicy, id: &EndpointId) {
    let dice = Dice::new();
    let limit = Duration::from_millis(policy.timeout_ms);
    let (mut successes, mut failures) = (0_u32, 0_u32);
    // Those who were found together are not asked together.
    sleep(Duration::from_millis(dice.below(policy.interval_ms))).await;
    loop {
        if matches!(
            timeout(limit, probe.is_well(id, &policy.path)).await,
            Ok(true)
        ) {
            (successes, failures) = (successes.saturating_add(1), 0);
        } else {
            (successes, failures) = (0, failures.saturating_add(1));
        }
        let now = Instant::now();
        if successes >= policy.healthy_after {
            balancer.checked(id, true, now);
        } else if failures >= policy.unhealthy_after {
            balancer.checked(id, false, now);
        }
        let spread = policy.interval_ms * u64::from(policy.jitter_percent.min(100)) / 100;
        let wait = policy.interval_ms - spread / 2 + dice.below(spread);
        sleep(Duration::from_millis(wait)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};
    use std::sync::Mutex;

    use super::*;
    use crate::endpoint::{Target, ordered};
    use crate::policy::{BalancePolicy, EjectionPolicy};
    use crate::roster::Health;

    const SECOND: Duration = Duration::from_secs(1);

    /// Instances that fail or hang, and when each was asked.
    #[derive(Default)]
    struct Ward {
        failing: Mutex<HashSet<u16>>,
        hanging: Mutex<HashSet<u16>>,
        asked: Mutex<HashMap<u16, Vec<Instant>>>,
    }

    #[async_trait]
    impl Probe for Ward {
        async fn is_well(&self, endpoint: &EndpointId, path: &str) -> bool {
            assert_eq!(path, "/health/ready");
            let port = endpoint.authority().port_u16().unwrap();
            let now = Instant::now();
            self.asked
                .lock()
                .unwrap()
                .entry(port)
                .or_default()
                .push(now);
            if self.hanging.lock().unwrap().contains(&port) {
                std::future::pending::<()>().await;
            }
            !self.failing.lock().unwrap().contains(&port)
        }
    }

    fn start(ports: &[u16]) -> (Arc<Balancer>, Arc<Ward>) {
        let balancer = Balancer::new(BalancePolicy::default(), EjectionPolicy::default());
        update(&balancer, ports);
        let ward = Arc::new(Ward::default());
        let policy = CheckPolicy {
            interval_ms: 1_000,
            timeout_ms: 500,
            ..CheckPolicy::default()
        };
        tokio::spawn(check(balancer.clone(), ward.clone(), policy));
        (balancer, ward)
    }

    fn update(balancer: &Balancer, ports: &[u16]) {
        let target = |port: &u16| Target::plain(EndpointId::new("10.0.0.1", *port).unwrap());
        balancer.update(&ordered(ports.iter().map(target).collect()), Instant::now());
    }

    fn unwell(balancer: &Balancer) -> Vec<u16> {
        let status = balancer.status(Instant::now());
        let unwell = status
            .iter()
            .filter(|status| status.health == Health::Unwell);
        unwell
            .filter_map(|status| status.id.authority().port_u16())
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_instance_is_unwell_after_three_failures_and_well_after_two_successes() {
        let (balancer, ward) = start(&[1, 2, 3]);
        sleep(5 * SECOND).await;
        assert_eq!(unwell(&balancer), [0_u16; 0]);
        ward.failing.lock().unwrap().insert(2);
        sleep(2 * SECOND).await;
        assert_eq!(unwell(&balancer), [0_u16; 0]);
        sleep(3 * SECOND).await;
        assert_eq!(unwell(&balancer), [2]);
        ward.failing.lock().unwrap().clear();
        sleep(Duration::from_millis(800)).await;
        assert_eq!(unwell(&balancer), [2]);
        sleep(3 * SECOND).await;
        assert_eq!(unwell(&balancer), [0_u16; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_is_unwell_and_holds_up_nobody() {
        let (balancer, ward) = start(&[1, 2, 3]);
        ward.hanging.lock().unwrap().insert(1);
        sleep(10 * SECOND).await;
        assert_eq!(unwell(&balancer), [1]);
        let asked = ward.asked.lock().unwrap();
        assert!(asked[&2].len() >= 8 && asked[&3].len() >= 8);
    }

    #[tokio::test(start_paused = true)]
    async fn checks_keep_their_pace_without_marching_in_step() {
        let (_balancer, ward) = start(&[1, 2, 3, 4, 5, 6, 7, 8]);
        sleep(100 * SECOND).await;
        let asked = ward.asked.lock().unwrap();
        let mut moments = HashSet::new();
        for times in asked.values() {
            assert!((90..=110).contains(&times.len()), "{}", times.len());
            for pair in times.windows(2) {
                let gap = pair[1] - pair[0];
                assert!((890..=1_110).contains(&gap.as_millis()), "{gap:?}");
                moments.insert(gap.as_millis());
            }
        }
        assert!(moments.len() > 50, "{moments:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_is_asked_no_more_and_who_joins_is() {
        let (balancer, ward) = start(&[1, 2]);
        sleep(5 * SECOND).await;
        update(&balancer, &[2, 3]);
        sleep(2 * SECOND).await;
        let before = ward.asked.lock().unwrap()[&1].len();
        sleep(5 * SECOND).await;
        let asked = ward.asked.lock().unwrap();
        assert_eq!(asked[&1].len(), before);
        assert!(asked[&3].len() >= 4);
    }
}
