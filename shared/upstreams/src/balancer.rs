//! Which instance gets the next request: of two drawn at random the one with fewer requests in hand
//! ("power of two choices", Mitzenmacher 2001), among those that are well.
//!
//! A pick reads one immutable [`Pool`] and takes no lock. Whatever changes who may be picked (discovery,
//! an ejection and its end, a check) makes a new pool, under the lock of the roster.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::dice::Dice;
use crate::endpoint::{Endpoint, EndpointId, Targets};
use crate::outcome::Ending;
use crate::policy::{BalancePolicy, EjectionPolicy};
use crate::pool::Pool;
use crate::roster::{Health, Roster};

/// The balancer of one service.
#[derive(Debug)]
pub struct Balancer {
    pool: ArcSwap<Pool>,
    roster: Mutex<Roster>,
    dice: Dice,
    balance: BalancePolicy,
    ejection: EjectionPolicy,
}

impl Balancer {
    /// One without instances.
    pub fn new(balance: BalancePolicy, ejection: EjectionPolicy) -> Arc<Self> {
        Self::with_dice(balance, ejection, Dice::new())
    }

    pub(crate) fn with_dice(
        balance: BalancePolicy,
        ejection: EjectionPolicy,
        dice: Dice,
    ) -> Arc<Self> {
        Arc::new(Self {
            pool: ArcSwap::from_pointee(Pool::default()),
            roster: Mutex::default(),
            dice,
            balance,
            ejection,
        })
    }

    /// Takes over what discovery found. An instance that stays keeps what is known of it; one that left
    /// is not picked again, and finishes what it has in hand.
    pub fn update(&self, targets: &Targets, now: Instant) {
        let mut roster = self.lock();
        roster.replace(targets, now);
        self.renew(&mut roster, now);
    }

    /// Takes over what discovery finds, for as long as it looks.
    pub async fn follow(&self, mut targets: watch::Receiver<Targets>) {
        loop {
            let found = targets.borrow_and_update().clone();
            self.update(&found, Instant::now());
            if targets.changed().await.is_err() {
                return;
            }
        }
    }

    /// An instance other than `except`. `None` if there is no other.
    pub fn pick(&self, now: Instant, except: Option<&EndpointId>) -> Option<Picked> {
        let mut pool = self.pool.load();
        if pool.is_stale(now) {
            drop(pool);
            self.renew(&mut self.lock(), now);
            pool = self.pool.load();
        }
        let slow_start = Duration::from_millis(self.balance.slow_start_ms);
        let endpoint = pool.choose(&self.dice, now, slow_start, except)?.clone();
        endpoint.take();
        Some(Picked { endpoint })
    }

    /// Tells how an attempt at a picked instance ended. Gives back whether that instance is ejected now:
    /// then its failures say nothing about the others.
    pub fn report(&self, picked: &Picked, ending: Ending, now: Instant) -> bool {
        let endpoint = &picked.endpoint;
        if !ending.is_failure() {
            endpoint.succeeded();
            return false;
        }
        let failures = endpoint.failed();
        let enough = ending == Ending::ConnectFailed
            || (self.ejection.consecutive_failures > 0
                && failures >= self.ejection.consecutive_failures);
        self.eject(endpoint, enough, now)
    }

    /// Tells what an active check has concluded of an instance.
    pub fn checked(&self, id: &EndpointId, well: bool, now: Instant) {
        let mut roster = self.lock();
        if roster.checked(id, well, now) {
            tracing::warn!(endpoint = %id, well, "an instance's health changed");
            self.renew(&mut roster, now);
        }
    }

    /// The instances that discovery knows now.
    pub fn endpoints(&self) -> Vec<EndpointId> {
        let roster = self.lock();
        let ids = roster
            .members
            .iter()
            .map(|member| member.endpoint.id.clone());
        ids.collect()
    }

    /// How every instance is doing, those included that have left with requests in hand.
    pub fn status(&self, now: Instant) -> Vec<EndpointStatus> {
        let mut roster = self.lock();
        roster.forget_idle();
        let known = roster.members.iter().map(|member| EndpointStatus {
            id: member.endpoint.id.clone(),
            health: member.health(now),
            in_flight: member.endpoint.in_flight(),
            weight: member.target.weight,
            priority: member.target.priority,
            ejected_for: member.ejected_for(now),
        });
        let leaving = roster.leaving.iter().map(|endpoint| EndpointStatus {
            id: endpoint.id.clone(),
            health: Health::Draining,
            in_flight: endpoint.in_flight(),
            weight: 0,
            priority: 0,
            ejected_for: None,
        });
        known.chain(leaving).collect()
    }

    /// Whether so few are well that health is not looked at.
    pub fn panics(&self) -> bool {
        self.pool.load().panic
    }

    fn eject(&self, endpoint: &Arc<Endpoint>, enough: bool, now: Instant) -> bool {
        let mut roster = self.lock();
        let ejected = roster.ejected(now);
        let all = roster.members.len();
        let Some(member) = roster.member(endpoint) else {
            // It has left; nobody will pick it.
            return true;
        };
        if member.ejected_for(now).is_some() {
            return true;
        }
        let share = (ejected + 1) * 100;
        if !enough || share > all * usize::from(self.ejection.max_percent) {
            return false;
        }
        let time = member.eject(&self.ejection, now);
        tracing::warn!(endpoint = %endpoint.id, seconds = time.as_secs_f64(), "an instance is ejected");
        self.renew(&mut roster, now);
        true
    }

    fn renew(&self, roster: &mut Roster, now: Instant) {
        roster.let_back(now);
        let pool = Pool::of(&roster.members, self.balance.panic_percent, now);
        self.pool.store(Arc::new(pool));
    }

    fn lock(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request's place at an instance, counted until it is dropped. Unless it is handed to
/// [`Balancer::report`] it says nothing about the instance's health.
#[derive(Debug)]
pub struct Picked {
    endpoint: Arc<Endpoint>,
}

impl Picked {
    /// The instance.
    pub fn id(&self) -> &EndpointId {
        &self.endpoint.id
    }
}

impl Drop for Picked {
    fn drop(&mut self) {
        self.endpoint.release();
    }
}

/// How an instance is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    /// Which.
    pub id: EndpointId,
    /// Whether it is picked, and if not, why.
    pub health: Health,
    /// Requests in hand.
    pub in_flight: u32,
    /// Its share against the other weights.
    pub weight: u32,
    /// See [`crate::Target::priority`].
    pub priority: u16,
    /// How long it stays ejected.
    pub ejected_for: Option<Duration>,
}
